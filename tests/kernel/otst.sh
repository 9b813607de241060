# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Stack traces of kernel functions, once each: the module otst.ko and the tool otst.

. "${0%/*}/../lib.sh"

file=/proc/driver/otst
log() { dmesg | sed -n 's/^\[[^]]*\] otst: //p'; }
says() { log | grep -qxF -- "$1"; }
refuses() { # ERRNO-TEXT LINE
	local errors
	errors=$(bash -c 'printf %s "$1" >"$2"' - "$2" "$file" 2>&1) && return 1
	contains "$errors" "$1"
}

if ! grep -q ' register_kprobe$' /proc/kallsyms; then
	check "without kprobes the tool says that the kernel has none" \
		contains "$(otst netif_rx 2>&1 || echo "status $?")" "this kernel has no kprobes (CONFIG_KPROBES)"
	check "and ends with 2" contains "$(otst netif_rx 2>&1 || echo "status $?")" "status 2"
	check "a block that is asked for needs LANA first" \
		contains "$(otst --lana fb 2>&1)" "lana is not loaded"
	check "the module is not built for it" not modprobe otst
	skip "stack traces" "User Mode Linux has no kprobes"
	done_testing
	exit
fi

no_otst() { ! grep -q '^otst ' /proc/modules; }

dmesg -C
modprobe otst
check "the module needs nothing of LANA" not grep -q '^lana ' /proc/modules
check "it says that it is loaded" says "one-time stacktrace driver loaded!"
check "its file is for root alone" is "$(stat -c %a $file)" 600
check "others than root get an error" not setpriv --reuid 65534 cat $file
check "and so does a root without CAP_SYS_ADMIN" not setpriv --bounding-set=-sys_admin --inh-caps=-sys_admin cat $file

# As the thesis has it.
ip link set lo up
echo -n "netif_rx" >$file
check "a symbol that is written is armed" is "$(cat $file)" netif_rx
check "and the log says so" says "symbol netif_rx registered!"
echo arp_rcv >$file
check "several can be armed" is "$(cat $file)" $'netif_rx\narp_rcv'
check "one that is armed is refused" refuses "File exists" netif_rx
# What the loopback calls.
echo -n __netif_rx >$file
ping -q -c 1 127.0.0.1 >/dev/null
gone() { ! grep -qx "$1" $file; }
check "the next call disarms it" wait_for 10 gone __netif_rx
check "its stack is in the log" \
	matches "$(log)" "triggered stacktrace for symbol __netif_rx at 0x[0-9a-f]+:"
check "the first function is the one that was called" \
	matches "$(log)" $'Call Trace:\n __netif_rx\\+0x[0-9a-f]+/0x[0-9a-f]+'
check "the last is where the kernel was entered" \
	matches "$(log)" $'entry_SYSCALL_64[^\n]*\nEnd of trace for symbol __netif_rx'
check "who called stands there" matches "$(log)" "Pid: [0-9]+, comm: ping, cpu: [01], context: "
check "the log says that it is disarmed" says "symbol __netif_rx unregistered!"
ping -q -c 2 127.0.0.1 >/dev/null
check "there is one stack and no more" is "$(log | grep -c '^triggered')" 1

check "an unknown symbol is refused" refuses "No such file" no_such_symbol
check "by name" says "symbol no_such_symbol is unknown"
check "one that must not be probed is refused" refuses "Invalid argument" do_int3
check "by name" says "symbol do_int3 cannot be probed"
check "data is refused" refuses "Invalid argument" jiffies_64
check "arguments from the seventh on are refused" refuses "Invalid argument" "netif_rx \$7"
check "what is no argument is refused" refuses "Invalid argument" "netif_rx x"
check "bytes that are no text are refused" refuses "Invalid argument" $'\xff'
too_long() { dd if=/dev/zero of=$file bs=5000 count=1 2>&1 | grep -q "Argument list too long"; }
check "what is too long is refused" too_long
check "a symbol can be disarmed" eval "echo -arp_rcv >$file"
check "nothing else is" is "$(cat $file)" netif_rx
check "one that is not armed cannot" refuses "No such file" -arp_rcv
echo -netif_rx >$file

# Functions that the way of a stack into the log calls itself.
calls=(_printk vprintk_emit console_unlock __queue_work irq_work_queue stack_trace_save kfree \
	schedule try_to_wake_up wake_up_process mutex_lock _raw_spin_lock seq_read_iter)
armed=()
for symbol in "${calls[@]}"; do
	echo "$symbol" 2>/dev/null >$file && armed+=("$symbol")
done
echo "x" >/dev/kmsg
pause 1
cat $file >/dev/null
called() { [ "$(log | grep -c '^End of trace')" -ge 9 ]; }
check "functions that otst itself calls can be armed: ${#armed[@]}" wait_for 10 called
for symbol in $(cat $file); do echo "-$symbol" 2>/dev/null >$file || :; done

# Unloading, with calls that come in all the while.
for ((i = 0; i < 20; i++)); do
	for symbol in __netif_rx ip_rcv icmp_rcv schedule; do echo $symbol >$file; done
	ping -q -c 3 -i 0.002 127.0.0.1 >/dev/null &
	rmmod otst
	wait $!
	modprobe otst
done
echo ip_rcv >$file
rmmod otst
check "what is armed is taken back at unload" says "symbol ip_rcv unregistered!"
check "and the file is gone" not ls $file
check "unloading while calls come does no harm" ping -q -c 1 127.0.0.1

# The tool.
are_armed() { [ "$(wc -l <$file)" = "$1" ]; }
# Only the shell itself can wait for its child: status is how it ended.
ends() { status=0 && wait "$1" || status=$?; }
check "the tool loads the module, and ends when nobody calls" \
	contains "$(otst -t 1 netif_rx 2>&1 || echo "status $?")" $'otst: netif_rx: not called within 1 s\nstatus 1'
check "it has disarmed it" is "$(cat $file)" ""
check "a wrong symbol is named" contains "$(otst ip_rcv no_such 2>&1 || echo "status $?")" \
	$'otst: no_such: the kernel has no such symbol\nstatus 2'
check "and none is armed then" is "$(cat $file)" ""
otst ip_rcv icmp_rcv >out 2>&1 &
tool=$!
wait_for 10 are_armed 2
ping -q -c 1 127.0.0.1 >/dev/null
ends "$tool"
check "the tool ends when all have been called" is "$status" 0
check "it prints the stacks" matches "$(<out)" "icmp_rcv: Pid: [0-9]+, comm: ping, .*    icmp_rcv\\+0x"
otst -j 'ip_rcv $1' >out 2>&1 &
tool=$!
wait_for 10 are_armed 1
ping -q -c 1 127.0.0.1 >/dev/null
ends "$tool"
check "its JSON is JSON" python3 -S "$tests/isjson.py" <out
check "with the argument that was asked for" matches "$(<out)" '"symbol":"ip_rcv".*"arguments":\{"1":[0-9]+\},"stack":\["ip_rcv'
otst arp_rcv >out 2>&1 &
tool=$!
wait_for 10 are_armed 1
echo -arp_rcv >$file
ends "$tool"
check "the tool tells when another disarms" is "$status" 1
check "by name" contains "$(<out)" "arp_rcv: somebody else has disarmed it"
otst arp_rcv >out 2>&1 &
tool=$!
wait_for 10 are_armed 1
kill "$tool"
ends "$tool"
check "a signal ends it" is "$status" 1
check "and it takes back what it armed" is "$(cat $file)" ""

# A drop at a block.
load
hosts
neighbours
hook lan0 lan1
bridge mid counter wall bpf
echo "{ 0x6, 0, 0, 0x00000000 }," >$fblock/wall
check "otst --lana names a block that is not there" \
	contains "$(otst --lana nobody 2>&1 || echo "status $?")" "status 2"
otst --lana mid -t 1 >out 2>&1 &
other=$!
wait_for 10 are_armed 1
alice ping -q -c 1 -W 1 192.0.2.2 >/dev/null 2>&1 || :
ends "$other"
check "a drop at another block is none" is "$status" 1
for json in "" -j; do
	otst $json --lana wall >out$json 2>&1 &
	tool=$!
	wait_for 10 are_armed 1
	alice ping -q -c 1 -W 1 192.0.2.2 >/dev/null 2>&1 || :
	ends "$tool"
	check "otst $json --lana waits for a drop at the block" is "$status" 0
done
check "it tells why" contains "$(<out)" "wall dropped a packet: filtered"
check "and by which blocks the packet has come" contains "$(<out)" "its way: lan0 > mid > wall"
check "and the stack" matches "$(<out)" $'lana_dropped: Pid: .*\n    lana_dropped\\+0x.*\n    lana_receive'
check "all of it as JSON" \
	contains "$(<out-j)" '"block":"wall","reason":"filtered","hops":2,"ways":[["lan0","mid","wall"]]'
rmmod otst
check "the module is gone" no_otst
done_testing

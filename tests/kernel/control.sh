# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the tools do and show: every command, procfs, JSON, events, batches, exit codes, dumps.

. "${0%/*}/../lib.sh"

load
ip link add lan0 type veth peer name far0
ip link set lan0 up
ip link set far0 up
devices=(lan0)
line() { grep "^$1 " /proc/net/lana/fblocks || echo "no line of $1"; }
shown() { fbctl -j show "$1"; }
code() { local status=0; "$@" >/dev/null 2>&1 || status=$?; echo "$status"; }

listen events -j

# --- The commands ---

check "vlink hooks a device" vlink ethernet hook lan0
check "a hooked device is a block of its name" contains "$(shown lan0)" '"name":"lan0","type":"eth"'
check "fbctl makes blocks" fbctl add t tee
fbctl add c counter
fbctl add f bpf
fbctl add d dummy
check "the first IDP is 1, and they count up" \
	is "$(cut -d ' ' -f 1,4 /proc/net/lana/fblocks | tr '\n' ' ')" "lan0 1 t 2 c 3 f 4 d 5 "
check "fbctl binds one block to another" fbctl bind t lan0
check "binding shows at the upper block" contains "$(shown t)" \
	'"port":[{"direction":"egress","index":0,"peer":1,"peer-name":"lan0"}]'
check "binding shows at the lower block" contains "$(shown lan0)" \
	'"port":[{"direction":"ingress","index":0,"peer":2,"peer-name":"t"}]'
fbctl bind c t
fbctl bind f t
check "a tee takes several blocks on top" contains "$(line t)" " 4 [3 4 1]"
check "fbctl subscribes a block to another" fbctl subscribe d c
check "a subscription shows at the subscriber" contains "$(line d)" " 1 [3]"
check "a subscription counts as a reference at the publisher" contains "$(line c)" " 3 [2]"
check "fbctl show names the publisher" contains "$(shown d)" '"publisher":[3]'
check "fbctl sets an option" fbctl set f 'program={ 0x6, 0, 0, 0xffffffff },'
check "the option shows" contains "$(shown f)" '{"key":"instructions","value":"1"}'
check "fbctl sets an option from a file" fbctl set f "program=@$top/examples/arp.txt"
check "fbctl unsubscribes" fbctl unsubscribe d c
check "fbctl unbinds" fbctl unbind c t
check "the ports of the others close up" contains "$(line t)" " 3 [4 1]"
fbctl unbind f t
fbctl unbind t lan0
check "nothing is bound any more" is "$(cut -d '[' -f 2 /proc/net/lana/fblocks | sort -u)" "]"
check "fbctl removes a block" fbctl rm d
check "it is gone" is "$(line d)" "no line of d"
fbctl add d dummy
check "an IDP that was given back is used again" matches "$(line d)" "^d dummy [0-9a-f]+ 5 1 "
fbctl rm d
check "vlink gives a device back" vlink ethernet unhook lan0
check "its block is gone" is "$(line lan0)" "no line of lan0"
rmmod fb_dummy
modprobe fb_dummy

# --- Events ---

wait_for 5 grep -q '"type-added".*dummy' events || :
cp events all
fold python3 -S "$tests/events.py" all <<-END
	added fb=lan0 idp=1 type=eth ifname=lan0
	added fb=t idp=2 type=tee
	added fb=c idp=3 type=counter
	added fb=f idp=4 type=bpf
	added fb=d idp=5 type=dummy
	bound fb=t idp=2 peer=lan0 peer-idp=1
	bound fb=c peer=t
	bound fb=f peer=t
	subscribed fb=d idp=5 peer=c peer-idp=3
	option-set fb=f key=program
	option-set fb=f key=program
	unsubscribed fb=d peer=c
	unbound fb=c peer=t
	unbound fb=f peer=t
	unbound fb=t peer=lan0
	removed fb=d type=dummy
	added fb=d
	removed fb=d
	removed fb=lan0 type=eth
	type-removed type=dummy
	type-added type=dummy
END
: >events
fbctl add d dummy
fbctl set d none=1 2>/dev/null || :
fbctl add d dummy 2>/dev/null || :
vlink ethernet hook lan0
fbctl bind d lan0
echo "{ 0x6, 0, 0, 0 }," >"$fblock/f"
ip link del lan0
wait_for 5 grep -q '"removed"' events || :
fold python3 -S "$tests/events.py" events <<-END
	added fb=d
	added fb=lan0
	bound fb=d peer=lan0
	option-set fb=f key=program
	device-down fb=lan0 ifname=lan0
	device-gone fb=lan0 ifname=lan0
	unbound fb=d peer=lan0
	removed fb=lan0
END
kill $monitor
fbctl monitor -t -c 1 >words &
set_again() { fbctl set f program= && [ -s words ]; }
wait_for 20 set_again 2>/dev/null
check "an event in words" contains "$(<words)" "option-set f idp 4 type bpf key program"
clean

# --- procfs ---

ip link add lan0 type veth peer name far0
ip link set lan0 up
ip link set far0 up
vlink ethernet hook lan0
fbctl -b - <<-END
	add fb2 tee
	add fb3 bpf
	add fb4 counter
	bind fb2 lan0
	bind fb3 fb2
	bind fb4 fb3
END
hex='[0-9a-f]{8,16}'
check "a line of fblocks: name, type, address, IDP, references, bindings" \
	matches "$(line fb2)" "^fb2 tee $hex [0-9]+ 3 \[[0-9]+ [0-9]+\]$"
check "a device is a vlink there" matches "$(line lan0)" "^lan0 vlink $hex [0-9]+ 2 \[[0-9]+\]$"
check "all lines of fblocks are such" \
	not grep -Evq "^[^ ]+ [a-z]+ $hex [0-9]+ [0-9]+ \[([0-9]+( [0-9]+)*)?\]$" /proc/net/lana/fblocks
check "the header of ppe" is "$(head -n 1 /proc/net/lana/ppe)" \
	"cpu packets bytes calls drops backlog backlog-max unclaimed"
check "ppe has a line a CPU" is "$(sed 1d /proc/net/lana/ppe | grep -Ec '^[0-9]+( [0-9]+){7}$')" "$(nproc)"
check "the header of vlink" is "$(head -n 1 /proc/net/lana/vlink)" "subsystem device ifindex idp carrier id"
check "vlink has a line a device" matches "$(sed 1d /proc/net/lana/vlink)" "^ethernet lan0 [0-9]+ [0-9]+ - -$"
check "and one a subsystem where no device is hooked" \
	is "$(ip netns add red; ip netns exec red sed 1d /proc/net/lana/vlink; ip netns del red)" "ethernet - - - - -"
check "the file of a counter has packets and bytes" is "$(<"$fblock/fb4")" "0 0"
check "the file of a counter cannot be written" not sh -c "echo 1 >$fblock/fb4"
check "a block of a type without a file has none" not ls "$fblock/fb2"
check "a bpf block has no program at first" is "$(<"$fblock/fb3")" ""
for text in ipv4 arp; do
	cat "$top/examples/$text.txt" >"$fblock/fb3"
	check "a program is read back as it was written: $text" is "$(<"$fblock/fb3")" "$(<"$top/examples/$text.txt")"
done
cat >"$fblock/fb3" <<<$'4\n40 0 0 12\n21 0 1 2048\n6 0 0 4294967295\n6 0 0 0'
check "a program as tcpdump -ddd prints it is taken" is "$(<"$fblock/fb3")" "$(<"$top/examples/ipv4.txt")"
tcpdump -y EN10MB -ddd arp 2>/dev/null >program || :
cat program >"$fblock/fb3"
check "what tcpdump itself prints is taken" is "$(wc -l <"$fblock/fb3")" "$(($(head -n 1 program)))"
check "the instructions are counted in the options" \
	contains "$(shown fb3)" "{\"key\":\"instructions\",\"value\":\"$(head -n 1 program)\"}"
echo >"$fblock/fb3"
check "an empty program takes it out" is "$(<"$fblock/fb3")" ""

# --- What is shown ---

fold python3 -S "$tests/isjson.py" "fbctl -j show" "fbctl -j -p -s show" "fbctl -j stats" "fbctl -j types" \
	"fbctl graph json" "vlink -j show"
check "fbctl graph prints what Graphviz reads" matches "$(fbctl graph)" '^digraph .*"fb2"'
check "fbctl show has a line a block" is "$(fbctl show | wc -l)" 5
check "fbctl -s show has the counters" contains "$(fbctl -s show)" "packets 0  bytes 0  drops 0"
check "fbctl stats has a line a CPU" matches "$(fbctl stats --cpu)" "CPU +PACKETS.*"$'\n'" +0 "
check "fbctl types has the ports and the module" \
	matches "$(fbctl types)" "tee +dual +1 +256 +256 +fb_tee"
fold python3 -S "$tests/options.py"
check "fbctl types NAME has the options" \
	matches "$(fbctl types multipath)" "gap +50 +1 to 60000 +Milliseconds"
check "or says that there are none" contains "$(fbctl types dummy)" "it has no options"
check "fbctl completions knows bash" contains "$(fbctl completions bash)" complete

# --- Exit codes ---

check "0: done" is "$(code fbctl show)" 0
check "0: help" is "$(code fbctl --help)" 0
check "who gives no command is told of it" contains "$(fbctl 2>&1 || :)" "a command is missing; \`fbctl help\` lists them"
check "1: no such command" is "$(code fbctl frobnicate)" 1
check "1: a word is missing" is "$(code fbctl add x)" 1
check "1: a file is missing" is "$(code fbctl -b /nonexistent)" 1
check "1: a value's file is missing" is "$(code fbctl set fb3 program=@/nonexistent)" 1
for output in show "show nonexistent" --help --version "completions bash" types "-j show"; do
	check "1: what cannot be written: $output" is "$(code eval "fbctl $output >/dev/full")" "$([ "$output" = "show nonexistent" ] && echo 2 || echo 1)"
done
check "a standard error that cannot be written changes no code" is "$(code eval "fbctl rm nonexistent 2>/dev/full")" 2
check "nor does one that is closed" is "$(code eval "fbctl rm nonexistent 2>&-")" 2
check "2: the kernel says no" is "$(code fbctl rm nonexistent)" 2
check "2: vlink, the kernel says no" is "$(code vlink ethernet hook nonexistent)" 2

# --- Batches ---

printf 'add b1 dummy # a comment\n\nadd b2 dummy\nbind b2 b1\n' >commands
check "a batch is carried out" fbctl -b commands
check "all of it" contains "$(shown b2)" '"peer-name":"b1"'
printf 'unbind b2 b1\nrm nonexistent\nrm b2\n' >commands
check "a line of a batch fails" is "$(code fbctl -b commands)" 2
check "then nothing of it is done" contains "$(shown b2)" '"peer-name":"b1"'
check "it says which line" contains "$(fbctl -b commands 2>&1 || :)" "commands:2: rm nonexistent"
printf 'unbind b2 b1\nrm nonexistent\nrm b2\nrm b1\n' >commands
check "with --force it goes on, and remembers" is "$(code fbctl --force -b commands)" 2
check "then what comes behind is done" is "$(code fbctl show b1)" 2
clean

# --- Long dumps ---

for ((i = 1; i <= 2000; i++)); do echo "add block$i dummy"; done | fbctl -b -
check "2000 blocks are all in procfs" is "$(grep -c '^block' /proc/net/lana/fblocks)" 2000
fold python3 -S "$tests/dump.py" 2000 "$(scale 10)"
for ((i = 1; i <= 2000; i++)); do echo "rm block$i"; done | fbctl -b -
check "none of them is left" is "$(</proc/net/lana/fblocks)" ""

# --- Namespaces ---

ip netns add red
fbctl -n red add only dummy
check "a namespace has a graph of its own" is "$(code fbctl show only)" 2
check "fbctl -n shows it" contains "$(fbctl -n red show)" only
check "so does ip netns exec" contains "$(ip netns exec red fbctl show)" only
check "and its procfs" matches "$(ip netns exec red cat /proc/net/lana/fblocks)" "^only dummy $hex 1 1 \[\]$"
check "a namespace that does not exist is refused" is "$(code fbctl -n nonexistent show)" 1

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Blocks of tests/misuse/run, which tests/build-misuse has built: each does what it must not, and gets an error.
# Whatever goes, goes, with whichever block standing for it or bound to that.

. "${0%/*}/../lib.sh"

built misuse tests/build-misuse
built=$LANA_MODULES/misuse/build/${LANA_MODULES##*/}
insert() { insmod "$built/fb_misuse_$1.ko"; }
load
rmmod fb_pflana
for i in 0 1 2 3; do
	ip link add lan$i type veth peer name far$i
	ip link set lan$i up
	ip link set far$i up
done
devices=(lan0 lan1 lan2 lan3 v0)
has() { fbctl show "$1" >/dev/null 2>&1; }
frames() { pktgen "$1" "$2" >/dev/null; }

# --- Types ---

types=$(fbctl types)
dmesg -C
check "a second type of virtual devices is refused" not insert virtual
check "as is a second type for a vlink subsystem" not insert vlink
check "the kernel log says which was there" contains "$(dmesg)" "misuse-virtual: type ethvlink exists already"
check "neither was to be seen" is "$(fbctl types)" "$types"
check "a module that registers by hand, and twice, is told so" insert late
check "it has the type that it may have" contains "$(fbctl types)" misuse-late
remember
check_fails "a block that registers a type when it is made gets an error" 2 "busy" fbctl add x misuse-late
check "the graph is not locked for ever" fbctl add x dummy
fbctl rm x
check "its module goes, though it forgot what it had registered" rmmod fb_misuse_late
check "and its type with it" is "$(fbctl types)" "$types"
check "without it the types can still be used" fbctl add x dummy
fbctl rm x

# --- What stands for a device or a socket ---

# In the place of fb_eth.
rmmod fb_eth
insert device
hook lan2 lan3 lan1
fbctl bind lan3 lan1
frames far1 10
check "a block sends by a device that another one stands for" is "$(drops lan3 device)" 0
# As frames, and from another namespace, where another device has its number. A veth takes frames where its other end polls.
ethtool -K far2 gro on
namespace red
ip -n red -batch - <<-END
	link add t0 index $(</sys/class/net/lan2/ifindex) type veth peer name t1
	link add v0 type veth peer name w0
	link add v1 type veth peer name w1
	link set t0 up
	link set t1 up
	link set v0 up
	link set w0 up
	link set v1 up
	link set w1 up
END
red() { ip netns exec red "$@"; }
red ethtool -K t1 gro on
red vlink ethernet hook v0 --xdp --yes
red vlink ethernet hook v1 --yes
red fbctl bind v1 v0
before=$(</sys/class/net/far2/statistics/rx_packets)
red "$tests/pktgen" w0 10
still
check "frames leave by it, too, in another namespace" is "$(($(</sys/class/net/far2/statistics/rx_packets) - before))" 10
check "and not by what has its number there" is "$(red cat /sys/class/net/t1/statistics/rx_packets)" 0
red fbctl unbind v1 v0
red vlink ethernet unhook v0
red vlink ethernet unhook v1
ip netns del red
check "a device goes, though a block keeps it" timeout 20 ip link del lan2
check "and its block goes" not has lan2
frames far1 10
check "what is sent by it is dropped, and counted" is "$(drops lan3 device)" 10
fbctl unbind lan3 lan1
unhook lan3 lan1
check "the module of such a block goes" rmmod fb_misuse_device

# What leaves after a frame has, from the same handler.
insert after
ip link add lan2 type veth peer name far2
ip link set lan2 up
ip link set far2 up
hook lan2 lan3
vlink ethernet hook lan1 --xdp --yes
fbctl bind lan3 lan1
ethtool -K far3 gro on
mkdir bpf
mount -t bpf bpf bpf
python3 -S "$tests/bpfload.py" bpf
tc qdisc add dev lan2 clsact
tc filter add dev lan2 egress bpf direct-action pinned bpf/tc-stray
umount bpf
rmdir bpf
received() { cat "/sys/class/net/$1/statistics/rx_packets"; }
before=("$(received far2)" "$(received far3)")
frames far1 10
still
check "what a handler sends after a frame leaves by its device" is "$(($(received far2) - before[0]))" 10
check "and the frame by its own, whatever a classifier says of the other" is "$(($(received far3) - before[1]))" 10
fbctl unbind lan3 lan1
unhook lan1 lan3 lan2
rmmod fb_misuse_after
modprobe fb_eth

# Copies without end.
insert clone
hook lan2 lan3
fbctl add c misuse-clone
fbctl bind c lan2
fbctl bind lan3 c
before=$(received far3)
frames far2 10
check "a block that sends copies as long as it may comes to an end" is "$(drops c unbound) $(drops c backlog)" "10240 10"
check "and what it was given goes on" is "$(($(received far3) - before))" 10
fbctl unbind lan3 c
fbctl unbind c lan2
fbctl rm c
unhook lan2 lan3
rmmod fb_misuse_clone

insert socket
vlink ethernet hook lan0
check "a second type for sockets is refused" not modprobe fb_pflana
fold python3 -S "$tests/misuse.py" lan0 far0
check "a module whose block has kept sockets goes" rmmod fb_misuse_socket

# --- Blocks that have no answer ---

insert ports
modprobe fb_pflana
for error in EINVAL ENOMEM; do
	ip link add v0 type veth peer name w0
	ip link set v0 up
	ip link set w0 up
	vlink ethernet hook v0
	fbctl add p misuse-ports
	fbctl set p error=$error
	fbctl bind p v0
	dmesg -C
	check "$error: a device goes down below a block that answers with it" timeout 20 ip link set v0 down
	check "$error: a device goes below such a block" timeout 20 ip link del v0
	check "$error: so does its block" not has v0
	check "$error: the kernel log says so" contains "$(dmesg)" "p stays as it is, though its ports have changed"
	fbctl add d dummy
	remember
	check_fails "$error: what the block itself is asked for, it refuses" 2 "" fbctl bind p d
	check "$error: what it is not, it does not" fbctl rm d
	check "$error: it can be removed" fbctl rm p

	fbctl add p misuse-ports
	fbctl set p error=$error
	fbctl add d dummy
	fbctl bind d lan0
	fbctl bind p d
	check "$error: it can be taken off" fbctl unbind p d
	fbctl unbind d lan0
	fbctl rm d
	fbctl rm p

	namespace red
	ip -n red link add v0 type veth peer name w0
	ip -n red link set v0 up
	ip -n red link set w0 up
	ip netns exec red vlink ethernet hook v0
	ip netns exec red fbctl add p misuse-ports
	ip netns exec red fbctl set p error=$error
	ip netns exec red fbctl bind p v0
	check "$error: a namespace goes with such a block in it" timeout 20 ip netns del red
done
check "no device is waited for" not contains "$(dmesg)" "waiting for"
gone() { rmmod fb_misuse_ports 2>/dev/null; }
check "the module goes" wait_for 20 gone

# --- Many at once ---

many=100
for ((i = 0; i < many; i++)); do echo "link add m$i group 7 type veth peer name n$i"; done | ip -batch -
for ((i = 0; i < many; i++)); do echo "ethernet hook m$i"; done | vlink -b -
{
	echo "add t tee"
	for ((i = 0; i < many; i++)); do echo "bind m$i t"; done
} | fbctl -b -
check "$many devices are hooked and bound" is "$(fbctl show | grep -c ' eth ')" $((many + 1))
listen gone.log
check "they go all at once" timeout 60 ip link del group 7
check "and so do their blocks" is "$(fbctl show | grep -c ' eth ')" 1
all_told() { [ "$(grep -c device-gone gone.log)" = "$many" ]; }
check "an event says so of each" wait_for 20 all_told
check "what they were bound to stays" fbctl rm t
kill "$monitor"

# --- Packets ---

insert resize
fbctl add r misuse-resize
fbctl bind r lan0
frames far0 20
check "no packet gets a length that none has" contains "$(fbctl show r)" "refused=120"
check "each stays as it was" contains "$(fbctl show r)" "wrong=0"
fbctl unbind r lan0
fbctl rm r
rmmod fb_misuse_resize

# --- Events of a block's own ---

insert notice
fbctl add n1 misuse-notice
fbctl bind n1 lan0
listen notices -j
from=$(date +%s%N)
for _ in {1..5}; do
	frames far0 200
	sleep 0.1
done
texts() { sed -n 's/.*"kind":"notice".*"text":"\([^"]*\)".*/\1/p' notices; }
enough() { [ "$(texts | grep -c '^$')" -ge 2 ]; }
wait_for 10 enough || :
took=$((($(date +%s%N) - from) / 100000000))
check "a block that tells without a pause is asked ten times a second" [ "$(texts | grep -c '^$')" -le $((took + 2)) ]
check "a text of 255 bytes is told" contains "$(texts)" "a$(printf 'ä%.0s' {1..127})"
check "a longer one as far as there is room, in whole letters" is "$(texts | grep -c '^aää*$')" "$(($(texts | grep -c '^$') * 2))"
check "of those none is longer" is "$(texts | LC_ALL=C awk 'length > 255' | wc -l)" 0
check "what cannot be told leaves a gap" contains "$(cat notices)" '"lost":2'
kill "$monitor"
listen notices
frames far0 1
several() { grep -q 'text "two' notices; }
wait_for 10 several || :
check "control characters do not reach the terminal" contains "$(cat notices)" 'notice n1 idp'
check "they are written out" contains "$(cat notices)" 'text "two\nlines\t\u{1b}[1m"'
kill "$monitor"
fbctl unbind n1 lan0
fbctl rm n1
rmmod fb_misuse_notice

# --- Packets that wait ---

insert hold
shown() { fbctl show "$1" | grep -o "$2=[0-9]*" | cut -d= -f2; }
begin() { # WHAT
	fbctl add h misuse-hold
	fbctl set h what="$1"
	fbctl bind h lan0
}
finish() {
	fbctl unbind h lan0
	fbctl rm h
}
all_dropped() { [ "$(drops h hop-limit)" = 20 ]; }
begin again
frames far0 20
check "a packet that is held whenever it is released ends at the hop limit" wait_for 20 all_dropped
check "none waits then" is "$(shown h waiting)" 0
finish

begin wake
frames far0 1
before=$(shown h woken) from=$(date +%s%N)
sleep 1
woken=$(($(shown h woken) - before)) took=$((($(date +%s%N) - from) / 10000))
check "a block that wants to be woken all the time is woken: $woken times" test "$woken" -gt 0
check "but with a pause each time" test "$woken" -le "$took"
finish

begin never
frames far0 50
check "what is held for ever waits" is "$(shown h waiting)" 50
check "a queue may have room for fewer than wait" fbctl set h room=0
frames far0 10
check "then none is let in" is "$(shown h waiting) $(drops h queue-full)" "50 10"
remember
check_fails "nor more room than any has" 2 "" fbctl set h room=100001
check_fails "by far" 2 "" fbctl set h room=4294967295
check "the most there is" fbctl set h room=100000
frames far0 10
check "those that wait are still there" is "$(shown h waiting)" 60
fbctl set h what=drop
frames far0 10
check "a queue is given up in a packet's way, with all that wait" is "$(shown h waiting)" 0
frames far0 10
check "without a queue they pass" is "$(drops h unbound)" 20
finish

# Two that are replaced by each other keep each other's queues; what waits in one goes with its block.
begin never
frames far0 30
fbctl add i misuse-hold
fbctl set i what=never
for ((i = 0; i < 20; i++)); do
	fbctl replace h i
	fbctl replace i h
done
check "what waits stays, however often blocks are replaced" is "$(shown h waiting)" 30
fbctl rm i
finish

namespace red
ip -n red link add v0 type veth peer name w0
ip -n red link set v0 up
ip -n red link set w0 up
ip netns exec red vlink ethernet hook v0
fbctl -n red -b - <<-END
	add h misuse-hold
	set h what=given
	bind h v0
END
begin given
fbctl add giver misuse-hold
fbctl set giver give=queue
frames far0 20
check "a queue that another block has given away holds packets" is "$(shown h waiting)" 20
ip netns exec red "$tests/pktgen" w0 20 >/dev/null
check "but none of another namespace" is "$(shown h waiting)" 20
check "which are dropped, and counted" contains "$(fbctl -n red -j stats h)" '"reason":"queue-full","packets":20'
check "the block that has made it can go" fbctl rm giver
check "and what waits there with it" is "$(shown h waiting)" 0
frames far0 10
check "nothing is held there any more" is "$(shown h waiting) $(drops h queue-full)" "0 10"
finish
fbctl -n red set h what=again
ip netns exec red "$tests/pktgen" w0 500 >/dev/null &
check "a namespace goes while packets are held again and again" timeout 20 ip netns del red
wait $! || :

hook lan1
fbctl set lan1 batch=on
fbctl add h misuse-hold
fbctl bind h lan1
fbctl set h what=again
frames far1 100
all_dropped() { [ "$(drops h hop-limit)" = 100 ]; }
check "packets of a batch are held likewise" wait_for 20 all_dropped
fbctl unbind h lan1
fbctl rm h
vlink ethernet unhook lan1
gone() { rmmod fb_misuse_hold 2>/dev/null; }
check "the module goes, though it has kept a queue" wait_for 20 gone

# --- Packets made from nothing, in equal pauses ---

insert beacon
fbctl add b misuse-beacon
fbctl bind b lan0
check "a block that was not told to makes nothing" is "$(shown b made) $(shown b failed)" "0 0"
rx() { cat /sys/class/net/far0/statistics/rx_packets; }
has_made() { [ "$(shown b made)" -ge "$1" ]; }
has_made_c() { [ "$(shown c made)" -ge "$1" ]; }
was=$(rx)
fbctl set b interval=1ms
check "without any packet it begins when it is set" wait_for 20 has_made 20
fbctl set b interval=0ns
made=$(shown b made)
check "the host at the other end gets all of them: $made" is "$(($(rx) - was))" "$made"
check "it ends when it is set back" not wait_for 1 has_made $((made + 2))
for length in 0 13 65550 100000; do
	fbctl -b - <<<"set b interval=1ms
set b length=$length"
	failed() { [ "$(shown b failed)" -ge 3 ]; }
	check "$length bytes are no packet" wait_for 20 failed
	fbctl -b - <<<"unbind b lan0
rm b
add b misuse-beacon
bind b lan0"
done
for length in 14 1500 65549; do
	fbctl -b - <<<"set b interval=1ms
set b length=$length"
	check "$length bytes are one" wait_for 20 has_made 3
	fbctl set b interval=
	check "and none failed" is "$(shown b failed)" 0
	fbctl -b - <<<"unbind b lan0
rm b
add b misuse-beacon
bind b lan0"
done
fbctl -b - <<<"set b burst=3000
set b interval=1ms"
too_many() { [ "$(drops b backlog)" -gt 0 ]; }
check "more than a walk may make are dropped as backlog" wait_for 20 too_many
fbctl set b interval=
fbctl -b - <<<"set b burst=1
set b length=60"
# A change that fails.
remember
check_fails "a change that fails in the end" 2 "" fbctl -b <(printf 'set b interval=1ms\nset b length=x\n')
made=$(shown b made)
check "begins nothing" not wait_for 1 has_made $((made + 2))
fbctl add c misuse-beacon
fbctl set c interval=1ms
fbctl replace b c
made=$(shown c made)
check "a block that replaces one goes on with it" wait_for 20 has_made_c $((made + 10))
fbctl -b - <<<"unbind c lan0
rm c
rm b"
check "the module goes with all timers" wait_for 20 rmmod fb_misuse_beacon

# What sleeps in a packet's way is found by kernels that look for it; the console is not to see it. Lockdep would show it there.
if grep -qs 'debug_locks: *1' /proc/lockdep_stats; then
	skip "an allocation that sleeps in a packet's way is reported" "lockdep writes it on the console"
elif grep -q __might_sleep /proc/kallsyms; then
	insert sleep
	fbctl add s misuse-sleep
	fbctl bind s lan0
	dmesg -C
	dmesg -n 1
	frames far0 20
	dmesg -n 7
	check "an allocation that sleeps in a packet's way is reported" \
		matches "$(dmesg)" "sleeping function called from invalid context|Illegal context switch"
	check "with the block that does it" contains "$(dmesg)" fb_misuse_sleep
	fbctl unbind s lan0
	fbctl rm s
	rmmod fb_misuse_sleep
else
	skip "an allocation that sleeps in a packet's way is reported" "the kernel does not look for it"
fi
vlink ethernet unhook lan0

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Blocks of tests/misuse/run, which tests/build-misuse has built: each does what it must not, and gets an error.
# Whatever goes, goes, with whichever block standing for it or bound to that.

. "${0%/*}/../lib.sh"

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
check "a device goes, though a block keeps it" timeout 20 ip link del lan2
check "and its block goes" not has lan2
frames far1 10
check "what is sent by it is dropped, and counted" is "$(drops lan3 device)" 10
fbctl unbind lan3 lan1
unhook lan3 lan1
check "the module of such a block goes" rmmod fb_misuse_device
modprobe fb_eth

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

# What sleeps in a packet's way is found by kernels that look for it; the console is not to see it.
if grep -q __might_sleep /proc/kallsyms; then
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

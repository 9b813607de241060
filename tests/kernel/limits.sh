# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What a packet, a device or a name could do to the graph, and cannot.
. "${0%/*}/../lib.sh"

load
hosts
neighbours
hook lan0

# One frame on 255 ways to a tee, each copy of it on 8 ways on, one of them long: more copies than
# may be made of a frame, and more calls than may be made for one.
{
	echo "add t tee"
	echo "bind t lan0"
	echo "add u tee"
	for i in $(seq 255); do
		echo "add d$i dummy"
		echo "bind d$i t"
		echo "bind u d$i"
	done
	below=u
	for i in $(seq 100); do
		echo "add c$i dummy"
		echo "bind c$i $below"
		below=c$i
	done
	for i in $(seq 7); do
		echo "add e$i dummy"
		echo "bind e$i u"
	done
} | fbctl -b -
# engine KEY: one of the engine's counters, over all CPUs.
engine() { fbctl -j stats --cpu | grep -o "\"$1\":[0-9]*" | awk -F : '{ n += $2 } END { print n }'; }
before=$(engine calls)
read -r sent_before _ < <(sent alice a0)
ping_quietly alice 1 192.0.2.2 -W 0.01 >/dev/null || :
read -r sent_after _ < <(sent alice a0)
frames=$((sent_after - sent_before)) called=$(($(engine calls) - before))
check "a frame that is copied again and again ends within the limit of calls" \
	[ "$called" -gt 0 -a "$called" -le $((16384 * frames)) ]
check "the copies that it could not make are counted" [ "$(drops u backlog)" -gt 0 ]
check "and so is what was not called any more" grep -q '"hop-limit"' <(fbctl -j stats)
check "no more copies were made than the limit says" [ "$(engine packets)" -le $((1025 * sent_after)) ]
clean

# A device that cannot send.
hook lan0 lan1
fbctl bind lan1 lan0
ip -n bob link set b0 down
ping_quietly alice 5 192.0.2.2 -W 0.01 >/dev/null || :
check "what a device without carrier cannot send is a drop of its block" \
	is "$(drops lan1 device)" "$(number packets < <(fbctl -j stats lan1))"
check "and there was something to send" [ "$(drops lan1 device)" -ge 5 ]
fbctl unbind lan1 lan0
unhook lan1
ip -n bob link set b0 up

# A device that would not be Ethernet any more.
ip tuntap add tap0 mode tap
hook tap0
check "a hooked device does not change its type" \
	contains "$(python3 "$tests/retype.py" tap0)" "Operation not permitted"
unhook tap0
check "one that is not hooked does" contains "$(python3 "$tests/retype.py" tap0)" "done"
ip link del tap0

# Names that a block cannot have.
ip link add dev "$(printf 'l\303\251')" type dummy
remember
check_fails "a device whose name is no block's name is refused" 2 "no block can be called l??: name it" \
	vlink ethernet hook "$(printf 'l\303\251')"
ip link del dev "$(printf 'l\303\251')"
ip link set lan0 down
ip link set lan0 name "$(printf '\303\251')"
check "a hooked device that gets such a name is still shown" contains "$(vlink show)" "$(printf '\303\251')"
check "and can be given back by it" vlink ethernet unhook "$(printf '\303\251')"
ip link set "$(printf '\303\251')" name lan0
ip link set lan0 up

# Other culprits.
hook lan0
check "a device is not given back by another subsystem" contains "$(PYTHONPATH=$tests python3 -c '
from lana import Socket, attr
by = attr("VLINK_SUBSYSTEM", "token-ring")
print(Socket().request("VLINK_UNHOOK", by + attr("VLINK_IFNAME", "lan0")).text)
')" "not hooked by 'token-ring'"
fbctl add lan1 dummy
remember
check_fails "hooking a device of a block's name blames the device" 2 "attribute 'ifname'" \
	vlink ethernet hook lan1
check_fails "setting an option of a missing block blames the name" 2 "attribute 'name'" \
	fbctl set nobody program=1
clean

done_testing

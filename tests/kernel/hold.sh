# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Blocks that have packets wait: delay and shape. What they say, do and count; and what becomes of what waits when
# blocks, devices and namespaces go.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
hook lan0 lan1

fbctl add d delay
fbctl add s shape
remember
for bad in latency=1 latency=-1ms latency=61s jitter=x loss=101% loss=1 duplicate=% reorder=x limit=0 limit=100001 seed=x \
	direction=up nothing=1; do
	check_fails "delay: $bad" 2 "${bad%%=*}" fbctl set d "$bad"
done
remember
for bad in rate=1 rate=999bit rate=101gbit burst=65mb burst=-1 mode=slow limit=0 direction=up nothing=1; do
	check_fails "shape: $bad" 2 "${bad%%=*}" fbctl set s "$bad"
done
fbctl set d latency=1500us
fbctl set d loss=0.50%
fbctl set d limit=7
fbctl set s rate=0.5mbit
fbctl set s burst=2048
check "what is set is shown in its shortest form" contains "$(fbctl show d s)" "latency=1500us loss=0.5% limit=7"
check "also a rate and a burst" contains "$(fbctl show d s)" "rate=500kbit burst=2kb"
fbctl rm d
fbctl rm s

# --- What alice and bob see ---

bridge d delay
fbctl set d latency=20ms
rtt=$(alice ping -n -q -c 10 -i 0.05 192.0.2.2 | sed -n 's|^rtt.*= \([0-9]*\)\..*|\1|p')
check "ping takes twice the latency: $rtt ms" test "$rtt" -ge 40
check "all were counted" contains "$(fbctl stats d)" " 20 "
remember
check_fails "a change that fails in the end" 2 "" fbctl -b <(printf 'set d limit=1\nset d limit=0\n')
fbctl -b <(printf 'set d limit=1\nset d limit=5000\n')
check "leaves room for as many as before" is "$(alice ping -n -q -c 20 -l 20 192.0.2.2 | grep -o ' [0-9]* received')" " 20 received"
fbctl set d direction=egress
rtt=$(alice ping -n -q -c 10 -i 0.05 192.0.2.2 | sed -n 's|^rtt.*= \([0-9]*\)\..*|\1|p')
check "of one direction, once: $rtt ms" test "$rtt" -ge 20 -a "$rtt" -lt 40
clean
hook lan0 lan1
bridge s shape
fbctl set s rate=10mbit
bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
begin=$(date +%s%N)
alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 2000000 >tcp.out
wait $!
took=$((($(date +%s%N) - begin) / 1000000))
check "TCP passes the shape, every byte" is "$(cat tcp.in)" "$(cat tcp.out)"
check "and not faster than the rate: 2 MB in $took ms" test "$took" -ge 1500
clean

fold python3 -S "$tests/hold.py"

# --- What becomes of what waits ---

hook lan0 lan1
bridge d delay
fbctl set d latency=20s
ping_quietly alice 20 192.0.2.2 >/dev/null || :
check "twenty wait" contains "$(fbctl show d)" "waiting=20"
check "a module whose block holds some cannot go" not rmmod fb_delay
fbctl unbind lan1 d
fbctl unbind d lan0
fbctl rm d
check "what waits goes with its block, and the module can go then" rmmod fb_delay
modprobe fb_delay

bridge d delay
fbctl set d latency=20s
ping_quietly alice 20 192.0.2.2 >/dev/null || :
ip link del lan0
check "what waits stays when its device goes" contains "$(fbctl show d)" "waiting=20"
fbctl set d latency=0ns
clean
ip -n alice link del a0 2>/dev/null || :
namespace red
ip -n red link add r0 type veth peer name r1
ip -n red link set r0 up
ip -n red link set r1 up
vlink -n red ethernet hook r0
fbctl -n red -b - <<-END
	add d delay
	bind d r0
	set d latency=20s
END
ip netns exec red "$tests/pktgen" r1 50
check "fifty wait in a namespace" contains "$(fbctl -n red show d)" "waiting=50"
ip netns del red
check "a namespace goes with what waits there" wait_for 30 rmmod fb_delay

devices=(lan1)
done_testing

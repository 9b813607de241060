# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# multipath: what tells sessions apart, copies of broadcasts, and the counters of devices.

. "${0%/*}/../lib.sh"

load
namespace alice bob
ip -batch - <<-END
	link add lan0 type veth peer name a0 netns alice address $alice_mac
	link add o0 type veth peer name p0 netns bob
	link add o1 type veth peer name p1 netns bob
	link set lan0 up
	link set o0 up
	link set o1 up
END
devices=(lan0 o0 o1)
host alice a0 192.0.2.1
host bob p0 192.0.2.2
ip -n bob -batch - <<-END
	link set p1 up
END
tc -n bob -batch - <<-END
	qdisc add dev p1 clsact
	filter add dev p1 ingress protocol all matchall action ok
END
ip -n alice neigh replace 192.0.2.9 lladdr $bob_mac dev a0
option() { fbctl -j show m | grep -o "\"key\":\"$1\",\"value\":\"[^\"]*\"" | cut -d '"' -f 8; }
packets() { echo "$(option port.0.packets) $(option port.1.packets)"; }
hook lan0 o0 o1
fbctl -b - <<-END
	add m multipath
	bind lan0 m
	bind m o0
	bind m o1
END

# --- What can be set ---

remember
check_fails "refused: key" 2 "key: l4 or l3, and any of symmetric, vlan, label and inner" fbctl set m key=l2
check_fails "refused: both layers" 2 "key: l4 or l3" fbctl set m key=l3,l4
check_fails "refused: broadcast" 2 "broadcast: one or all" fbctl set m broadcast=some
check_fails "refused: measure" 2 "measure: block or device" fbctl set m measure=port
fbctl set m key=inner,vlan,l3
check "the words of a key have an order" is "$(option key)" l3,vlan,inner
fbctl set m key=

# --- Keys ---

# added COMMAND...: what the ports have got by a command.
added() {
	local before after
	before=($(packets))
	"$@"
	still
	after=($(packets))
	echo "$((after[0] - before[0])) $((after[1] - before[1]))"
}
flows() { ip netns exec alice bash -c 'for port in {2000..2039}; do echo >/dev/udp/192.0.2.9/$port; done'; }
for strategy in session hash; do
	fbctl set m strategy=$strategy
	check "$strategy: by ports both links are used" matches "$(added flows)" '^[1-9][0-9]* [1-9][0-9]*$'
	fbctl set m key=l3
	check "$strategy: by addresses one" matches "$(added flows)" '^(40 0|0 40)$'
	fbctl set m key=
done
fbctl set m strategy=

# --- Broadcasts ---

# Somebody whom nobody knows: three requests.
ask() { ip netns exec alice ping -q -c 1 -W 3 "$1" >/dev/null 2>&1 || :; }
ip -n alice ntable change name arp_cache dev a0 mcast_probes 3
check "a broadcast leaves by one link" matches "$(added ask 192.0.2.77)" '^(3 0|0 3)$'
fbctl set m broadcast=all
before=($(received bob p0) $(received bob p1))
check "unless it is to leave by all" is "$(added ask 192.0.2.78)" "3 3"
after=($(received bob p0) $(received bob p1))
check "each link has carried it" is "$((after[0] - before[0])) $((after[2] - before[2]))" "3 3"
check "others do not" matches "$(added flows)" '^[1-9][0-9]* [1-9][0-9]*$'
check "none is dropped" is "$(fbctl -j stats m | number drops)" 0
ip link set o1 down
check "a link that is down gets none" is "$(added ask 192.0.2.79)" "3 0"
ip link set o0 down
check "without any they are dropped" is "$(added ask 192.0.2.80)" "0 0"
check "and counted" is "$(drops m device)" 3
ip link set o0 up
ip link set o1 up
fbctl set m broadcast=

# --- Measuring ---

fbctl -b - <<-END
	set m interval=100ms
	set m average=1s
END
# The kernel's packet generator sends by the device, past the block.
rate() { # PORT: the last rate, measured now
	pause 0.3
	option "port.$1.last-rate"
}
pktgen o1 1000 "pkt_size 500" "dst_mac $bob_mac" >/dev/null
check "what others send is not the block's" is "$(rate 1)" 0
fbctl set m measure=device
check "what they had sent before does not count" is "$(rate 1)" 0
pktgen o1 20000 "pkt_size 500" "dst_mac $bob_mac" "delay 100000" >/dev/null &
others=$!
measured() { [ "$(option port.1.last-rate)" -gt 1000000 ]; }
check "but it is the device's" wait_for 10 measured
check "nobody sends by the other one" is "$(option port.0.last-rate)" 0
fbctl set m strategy=bandwidth
check "strategies go by it" matches "$(added flows)" '^[1-9][0-9]* [0-9]+$'
wait $others
check "the block has not sent that" [ "$(option port.1.packets)" -lt 1000 ]

fbctl save >saved.toml
check "what is saved applies without a change" is "$(fbctl apply saved.toml)" "nothing to change"
done_testing

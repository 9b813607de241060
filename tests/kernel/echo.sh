# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# icmp-echo answers what Linux answers, with the same bytes, and nothing else. The stack it is compared with
# has the same addresses, at the other end of another wire:
#
#     alice: a0 <~~~~~> lan0  graph: e        alice: a1 <~~~~~> k0 :stack

. "${0%/*}/../lib.sh"

load
namespace alice stack
for name in alice stack; do
	ip netns exec $name sh -c 'echo 0 >/proc/sys/net/ipv6/conf/default/disable_ipv6
		echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6'
done
ip -batch - <<-END
	link add lan0 mtu 9000 address $lan0_mac type veth peer name a0 netns alice address $alice_mac mtu 9000
	link set lan0 up
	link add k0 mtu 9000 netns stack address $lan0_mac type veth peer name a1 netns alice address $alice_mac mtu 9000
END
devices=(lan0)
# a1 is for the test's own frames, a0 for ping, too.
alice sh -c 'echo 1 >/proc/sys/net/ipv6/conf/a1/disable_ipv6'
ip -n alice -batch - <<-END
	link set a0 up
	link set a1 up
	link set a1 arp off
	address add 192.0.2.1/24 dev a0
	address add 2001:db8::1/64 dev a0 nodad
END
ip -n stack -batch - <<-END
	link set lo up
	link set k0 up
	link add link k0 name v10 type vlan id 10
	link add link k0 name v20 type vlan proto 802.1ad id 20
	link add link v20 name v2010 type vlan id 10
	link set v10 up
	link set v20 up
	link set v2010 up
	address add 192.0.2.3/32 dev k0
	address add 2001:db8::3/128 dev k0 nodad
	route add 192.0.2.1 dev k0
	route add 2001:db8::1 dev k0
	address add 198.51.100.3/24 dev v10
	address add 2001:db8:1::3/64 dev v10 nodad
	address add 203.0.113.3/24 dev v2010
	address add 2001:db8:2::3/64 dev v2010 nodad
	neigh add 192.0.2.1 lladdr $alice_mac dev k0
	neigh add 2001:db8::1 lladdr $alice_mac dev k0
	neigh add fe80::1 lladdr $alice_mac dev k0
	neigh add 198.51.100.1 lladdr $alice_mac dev v10
	neigh add 2001:db8:1::1 lladdr $alice_mac dev v10
	neigh add 203.0.113.1 lladdr $alice_mac dev v2010
	neigh add 2001:db8:2::1 lladdr $alice_mac dev v2010
	route add default via 192.0.2.1 dev k0
	route add default via 2001:db8::1 dev k0
END
# Linux reflects flow labels if told, as RFC 7690 wants of who is behind an anycast address.
ip netns exec stack sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit
	echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
	echo 4 >/proc/sys/net/ipv6/flowlabel_reflect
	echo 0 >/proc/sys/net/ipv6/auto_flowlabels'
listed=192.0.2.3,198.51.100.3,203.0.113.3,2001:db8::3,2001:db8:1::3,2001:db8:2::3
hook lan0
fbctl -b - <<-END
	add e icmp-echo
	add e2 icmp-echo
	bind e lan0
	set e addr=$listed
	set e2 addr=$listed
	set e2 arp=on
END

# --- Who is answered ---

# What was answered a second ago is shown, too: for comparing, there is to be nothing.
at_rest() { [ "$(counted answered.rate)" = 0 ]; }
counted() { awk -v key="$1" '$1 == key { print $2 }' "$fblock/e"; }
ip -n alice neigh add 192.0.2.3 lladdr $lan0_mac dev a0
ip -n alice neigh add 2001:db8::3 lladdr $lan0_mac dev a0
check "ping" ping_quietly alice 5 192.0.2.3
check "ping -6" ping_quietly alice 5 2001:db8::3
check "ping -s 1400" ping_quietly alice 5 192.0.2.3 -s 1400
check "ping -6 -s 1400" ping_quietly alice 5 2001:db8::3 -s 1400
check "ping -p, -Q, -t" ping_quietly alice 3 192.0.2.3 -p 5ac3 -Q 0xb8 -t 3
check "they are counted" is "$(counted answered)" 23
check "fbctl stats tells, too" contains "$(fbctl stats e)" "answered=23"
# In the first second of a machine's life `ping -f` does not wait for answers.
awake() { [[ $(</proc/uptime) =~ ^0*([2-9]|[1-9][0-9])[0-9]*\. ]]; }
wait_for 5 awake
flood() {
	local count
	count=$(scale 5000)
	contains "$(alice ping -q -n -f -c "$count" "$@")" "$count packets transmitted, $count received, 0% packet loss"
}
check "ping -f" flood 192.0.2.3
check "ping -6 -f -s 1400" flood 2001:db8::3 -s 1400
now=$(fbctl show e)
check "the rate of the last second is shown" matches "$now" "answered.rate=[0-9]+"

ip -n alice neigh flush nud permanent dev a0
wait_for 5 at_rest
remember
check_fails "an address twice" 2 "addr+: 192.0.2.3 is there already" fbctl set e addr+=192.0.2.3
check_fails "one that is not there" 2 "addr-: 192.0.2.4 is not there" fbctl set e addr-=192.0.2.4
check_fails "no address" 2 "addr: '192.0.2' is no address or prefix" fbctl set e addr=192.0.2.3,192.0.2
check_fails "a prefix with more bits" 2 "addr+: '192.0.2.3/24' has bits behind its prefix" fbctl set e addr+=192.0.2.3/24
check_fails "an address of no host" 2 "addr+: '224.0.0.1' is no address of a host" fbctl set e addr+=224.0.0.1
check_fails "a prefix that is too long" 2 "addr+: '::/129' is longer than an address" fbctl set e addr+=::/129
check_fails "no MAC address" 2 "mac: a unicast MAC address" fbctl set e mac=01:00:00:00:00:00
check_fails "no limit" 2 "rate: PACKETS or PACKETS/BURST, at most 10000000 a second" fbctl set e rate=-1
check_fails "neither on nor off" 2 "arp: on or off" fbctl set e arp=yes
check_fails "no such option" 2 "type icmp-echo has no option 'x'" fbctl set e x=1
too_many=$(for i in {0..3}; do for j in {0..255}; do printf '10.%d.%d.1,' $i $j; done; done)10.9.9.9
check_fails "more than 1024 addresses" 2 "addr: more than 1024 addresses and prefixes" fbctl set e "addr=$too_many"
check "1024 of them are taken" fbctl set e "addr=${too_many%,*}"
check "the last of them is found" fbctl set e addr-=10.3.255.1
fbctl set e "addr=$listed"

# --- ARP and neighbour discovery ---

check "without arp=on, nobody finds it" not ping_quietly alice 2 192.0.2.3 -W 0.2
fbctl set e arp=on
ip -n alice neigh flush dev a0
check "with arp=on: ping" ping_quietly alice 3 192.0.2.3
check "ping -6" ping_quietly alice 3 2001:db8::3
check "by the device's address" contains "$(ip -n alice neigh show 192.0.2.3)" "lladdr $lan0_mac"
check "both answers are counted" matches "$(counted answered.arp) $(counted answered.neighbour)" "^[1-9][0-9]* [1-9]"
fbctl set e mac=02:00:00:00:00:77
ip -n alice neigh flush dev a0
check "with an address of its own: ping" ping_quietly alice 3 192.0.2.3
check "ping -6, too" ping_quietly alice 3 2001:db8::3
check "that is the one" contains "$(ip -n alice neigh show)" "lladdr 02:00:00:00:00:77"
fbctl set e mac=
ip -n alice neigh flush dev a0
ip -n alice address add 2001:db8::3/64 dev a0
duplicate() { contains "$(ip -n alice address show dev a0)" dadfailed; }
check "who wants to have its address learns that it is taken" wait_for 10 duplicate
ip -n alice address del 2001:db8::3/64 dev a0
fbctl -b - <<-END
	set e addr-=192.0.2.3
	set e addr+=192.0.2.0/25
END
check "a prefix: ping to any of its addresses" ping_quietly alice 2 192.0.2.100
check "and not to others" not ping_quietly alice 1 192.0.2.200 -W 0.2
fbctl set e addr=all
check "all: to those, too" ping_quietly alice 2 192.0.2.200
check "and to others of IPv6" ping_quietly alice 2 2001:db8::abcd
# Its link-local address among them.
ip -n alice -batch - <<-END
	link set a0 down
	link set a0 up
	address add 2001:db8::1/64 dev a0 nodad
	address add 2001:db8::77/64 dev a0
END
settled() { ! ip -n alice address show dev a0 | grep -q 'tentative\|dadfailed'; }
check "all: whoever wants an address of IPv6 gets it" wait_for 10 settled
check "and has it" contains "$(ip -n alice -6 address show dev a0)" "inet6 fe80::"
fbctl set e addr=
ip -n alice neigh flush dev a0
check "none: to nobody" not ping_quietly alice 1 192.0.2.3 -W 0.2
fbctl set e "addr=$listed"
fbctl save graph.toml
check "the options are saved" contains "$(<graph.toml)" "options.addr = \"$listed\""
check "and the same when applied" is "$(fbctl apply graph.toml)" "nothing to change"
sed -i 's/192.0.2.3,198.51.100.3/198.51.100.3, 192.0.2.3/' graph.toml
check "in whichever order" is "$(fbctl apply graph.toml)" "nothing to change"

# --- Byte by byte ---

ip -n alice -batch - <<-END
	address flush dev a0
	link set a0 arp off
END
alice sh -c 'echo 1 >/proc/sys/net/ipv6/conf/a0/disable_ipv6'
ip -n alice route flush dev a0
fold python3 -S "$tests/echo.py" replies sizes tags neighbours refused malformed limits flood
fbctl set e addr=192.0.2.2/31,2001:db8::/64
fold python3 -S "$tests/echo.py" shared
fbctl set e "addr=$listed"
ip -n alice -batch - <<-END
	link set a0 arp on
	address add 192.0.2.1/24 dev a0
END

# --- A filter in front ---

fbctl -b - <<-END
	add f bpf
	unbind e lan0
	bind f lan0
	bind e f
	set f direction=ingress
END
# All but echo requests from 192.0.2.1 that are longer than 100 bytes:
# tcpdump -y EN10MB -dd 'not (src host 192.0.2.1 and icmp[icmptype] == icmp-echo and greater 102)'
program=$(tcpdump -y EN10MB -ddd 'not (src host 192.0.2.1 and icmp[icmptype] == icmp-echo and greater 102)')
fbctl set f "program=$program"
check "a filter in front: what it does not stop is answered" ping_quietly alice 3 192.0.2.3 -s 59
check "what it stops is not" not ping_quietly alice 2 192.0.2.3 -s 60 -W 0.2
check "it counts it" is "$(drops f filtered)" 2
only_replies=$(tcpdump -y EN10MB -ddd 'not icmp[icmptype] == icmp-echoreply')
fbctl set f "program=$only_replies"
check "replies do not pass it" ping_quietly alice 3 192.0.2.3
fbctl set f direction=both
check "but where it is told so" not ping_quietly alice 2 192.0.2.3 -W 0.2
fbctl set f direction=egress
check "for replies alone, too" not ping_quietly alice 2 192.0.2.3 -W 0.2
wait_for 5 at_rest
remember
check_fails "no such direction" 2 "direction: ingress, egress or both" fbctl set f direction=up
check "the direction is saved" contains "$(fbctl save)" 'direction = "egress"'
clean

# --- The rest for Linux ---

hook lan0
fbctl -b - <<-END
	set lan0 unclaimed=stack
	add e icmp-echo
	bind e lan0
	set e addr=192.0.2.3
END
ip address add 192.0.2.4/24 dev lan0
ip -n alice neigh replace 192.0.2.3 lladdr $lan0_mac dev a0
check "with unclaimed=stack Linux answers for its address" ping_quietly alice 3 192.0.2.4
check "icmp-echo for its own" ping_quietly alice 3 192.0.2.3
check "which Linux has not seen" is "$(counted answered)" 3
check "fragments go to Linux, where it has the address" ping_quietly alice 3 192.0.2.4 -s 20000
ip address add 192.0.2.3/24 dev lan0
check "also where both have it" ping_quietly alice 3 192.0.2.3 -s 20000
check "and are counted" [ "$(counted passed.fragment)" -ge 9 ]
clean

done_testing

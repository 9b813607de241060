# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block route: its options, what becomes of packets beside Linux's own forwarding, and hosts that talk through it.

. "${0%/*}/../lib.sh"

load

# --- Options ---

fbctl add r route
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set r "$bad"
done <<-'END'
	route.0=10.0.0.0/8|not PREFIX [via ADDRESS] -> PORT|up|drop|unreachable
	route.0=10.0.0.1/8 -> 0|'10.0.0.1/8' has bits behind its prefix
	route.0=10.0.0.0/33 -> 0|'10.0.0.0/33' is longer than an address
	route.0=example.org -> 0|'example.org' is no address or prefix
	route.0=10.0.0.0/8 -> 64|'64' is not 0 to 63, up, drop or unreachable
	route.0=10.0.0.0/8 via ::1 -> 0|::1 is not of the prefix's IP version
	route.0=10.0.0.0/8 via 224.0.0.1 -> 0|224.0.0.1 is not the address of a router
	route.0=10.0.0.0/8 via 10.0.0.1 -> up|'up' is not 0 to 63, up, drop or unreachable
	route.01=10.0.0.0/8 -> 0|numbers are from 0 to 65535
	route.65536=10.0.0.0/8 -> 0|numbers are from 0 to 65535
	routes=10.0.0.0/8|'10.0.0.0/8' is not PREFIX [via ADDRESS] -> PORT
	routes=::/0 -> 1,10.0.0.1/8 -> 0|'10.0.0.1/8' has bits behind its prefix
	routes=10.0.0.0/8 via 224.0.0.1 -> 0|224.0.0.1 is not the address of a router
	routes=10.0.0.0/8 -> 0,10.0.0.0/8 -> 1|there are two routes for 10.0.0.0/8
	routes+=10.0.0.0/8 -> 64|'64' is not 0 to 63, up, drop or unreachable
	routes-=10.0.0.0/8|'10.0.0.0/8' is not in the list
	icmp=::1|an IPv4 address
	icmpv6=192.0.2.1|an IPv6 address
	errors=10001|a number from 0 to 10000
END
remember
check_fails "no such option" 2 "no option 'prefixes'" fbctl set r prefixes=1
fbctl set r 'route.3=10.0.0.0/8 via 192.0.2.1 -> 5'
remember
check_fails "one route for a prefix" 2 "route.4: route.3 is for 10.0.0.0/8, too" fbctl set r 'route.4=10.0.0.0/8 -> up'
fbctl set r 'route.3=10.0.0.0/8 -> up'
fbctl set r 'route.1=::/0	via 2001:DB8::1 -> 1'
check "routes are shown in their order, and in one form" matches "$(fbctl show r)" \
	'1  ::/0 via 2001:db8::1 -> 1[[:space:]]+3  10.0.0.0/8 -> up'
fbctl -b - <<-'END'
	set r 'routes=::/0 -> up, 10.0.0.0/8	via 192.0.2.7 -> 2, 198.51.100.0/24 -> 1'
	set r 'routes+=10.0.0.0/8 via 192.0.2.8 -> 2, 2001:DB8::/32 -> drop, 198.51.100.0/24 -> 1'
	set r 'routes-=198.51.100.0/24 ::/0'
END
check "a list of routes is changed, and shown in order" contains "$(fbctl -j show r)" \
	'"key":"routes","value":"10.0.0.0/8 via 192.0.2.8 -> 2,2001:db8::/32 -> drop"'
fbctl save saved.toml
check "a graph with routes is saved, and is the same again" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
fbctl rm r
fbctl apply saved.toml >/dev/null
fbctl save again.toml
check "and is made anew" is "$(<again.toml)" "$(<saved.toml)"
# Each of them makes the table anew: half a million entries, and minutes where the kernel looks for our mistakes.
case ${LANA_LANE:-uml} in
uml-kasan | uml-debug) skip "1,024 routes are the most" "it takes minutes" ;;
*)
	for route in $(seq 10 1033); do echo "set r 'route.$route=10.$((route / 256)).$((route % 256)).0/24 -> drop'"; done >many
	head -n 1022 many | fbctl -b -
	remember
	check_fails "1,024 routes are the most" 2 "more than 1024 routes" fbctl set r 'route.9=10.9.9.9 -> drop'
	;;
esac
clean

# --- A router between two networks ---
#
#     alice 192.0.2.1, 2001:db8:1::1 <~> lan0 .254, ::fe   lan1 .254, ::fe <~> bob 198.51.100.1, 2001:db8:2::1
#                                                                              and 203.0.113.1, 2001:db8:3::1

hosts
for device in lan0 lan1; do
	echo 0 >/proc/sys/net/ipv6/conf/$device/disable_ipv6
	echo 1 >/proc/sys/net/ipv6/conf/$device/keep_addr_on_down
done
ip -batch - <<-END
	address add 192.0.2.254/24 dev lan0
	address add 198.51.100.254/24 dev lan1
	address add 2001:db8:1::fe/64 dev lan0 nodad
	address add 2001:db8:2::fe/64 dev lan1 nodad
	route add 203.0.113.0/24 via 198.51.100.1
	route add 2001:db8:3::/64 via 2001:db8:2::1
	route add unreachable 10.99.0.0/16
	route add unreachable 2001:db8:99::/64
END
devices+=(lan2)
namespace carol
ip link add lan2 type veth peer name c0 netns carol
ip link set lan2 up
host carol c0 203.0.113.9
neighbours_are() { # replace|del
	local lan1_mac
	lan1_mac=$(</sys/class/net/lan1/address)
	ip -batch - <<-END
		neigh $1 192.0.2.1 lladdr $alice_mac dev lan0
		neigh $1 198.51.100.1 lladdr $bob_mac dev lan1
		neigh $1 2001:db8:1::1 lladdr $alice_mac dev lan0
		neigh $1 2001:db8:2::1 lladdr $bob_mac dev lan1
	END
	ip -n alice neigh $1 192.0.2.254 lladdr $lan0_mac dev a0
	ip -n alice neigh $1 2001:db8:1::fe lladdr $lan0_mac dev a0
	ip -n bob neigh $1 198.51.100.254 lladdr "$lan1_mac" dev b0
	ip -n bob neigh $1 2001:db8:2::fe lladdr "$lan1_mac" dev b0
}
ip netns exec alice sh -c 'echo 0 >/proc/sys/net/ipv6/conf/a0/disable_ipv6'
ip netns exec bob sh -c 'echo 0 >/proc/sys/net/ipv6/conf/b0/disable_ipv6; echo 0 >/proc/sys/net/ipv6/conf/lo/disable_ipv6'
ip -n alice -batch - <<-END
	address add 2001:db8:1::1/64 dev a0 nodad
	route add default via 192.0.2.254
	route add default via 2001:db8:1::fe
END
ip -n bob -4 address flush dev b0
ip -n bob -batch - <<-END
	address add 198.51.100.1/24 dev b0
	address add 2001:db8:2::1/64 dev b0 nodad
	address add 203.0.113.1/32 dev lo
	address add 2001:db8:3::1/128 dev lo nodad
	route add default via 198.51.100.254
	route add default via 2001:db8:2::fe
END
ip link set lan1 mtu 1400
for key in icmp_ratelimit=0 ip_forward=1; do echo "${key#*=}" >"/proc/sys/net/ipv4/${key%=*}"; done
echo 0 >/proc/sys/net/ipv6/icmp/ratelimit
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
check "Linux routes" ping_quietly alice 1 203.0.113.1
check "and of IPv6" wait_for 5 ping_quietly alice 1 2001:db8:3::1
python3 -S "$tests/route.py" send >linux.txt
check "it forwards what is sent, and tells of the rest" matches "$(<linux.txt)" 'bob.*alice'

for way in skbs frames; do
	about="$way: "
	# A frame of a veth does not tell that its checksum is not filled in yet.
	if [ $way = frames ]; then
		alice ethtool -K a0 tx off >/dev/null
		bob ethtool -K b0 tx off >/dev/null
	fi
	for device in lan0 lan1; do
		if [ $way = frames ]; then vlink ethernet hook $device --yes --xdp; else hook $device; fi
		fbctl set $device unclaimed=stack
	done
	fbctl -b - <<-'END'
		add r route
		set r icmp=192.0.2.254
		set r icmpv6=2001:db8:1::fe
		set r errors=0
		bind r lan0
		bind r lan1
		set r 'route.0=192.0.2.0/24 -> 0'
		set r 'routes=198.51.100.0/24 -> 1,10.99.0.0/16 -> unreachable,2001:db8:2::/64 -> 1,2001:db8:99::/64 -> unreachable,203.0.113.0/24 -> drop'
		set r 'route.2=203.0.113.0/24 via 198.51.100.1 -> 1'
		set r 'route.3=192.0.2.254 -> up'
		set r 'route.4=198.51.100.254 -> up'
		set r 'route.10=2001:db8:1::/64 -> 0'
		set r 'route.12=2001:db8:3::/64 via 2001:db8:2::1 -> 1'
		set r 'route.13=2001:db8:1::fe -> up'
		set r 'route.14=2001:db8:2::fe -> up'
	END
	# Linux would do as much, if anything came to it.
	echo 0 >/proc/sys/net/ipv4/ip_forward
	echo 0 >/proc/sys/net/ipv6/conf/all/forwarding
	ping_quietly alice 2 203.0.113.1 >/dev/null || :
	ping_quietly alice 2 2001:db8:3::1 >/dev/null || :
	check "errors=0: none is sent" is "$(shown r errors-sent)" 0
	fbctl set r errors=1000
	check "pings to a router behind" ping_quietly alice 20 203.0.113.1
	check "and to a host on the link" ping_quietly alice 20 198.51.100.1
	check "of IPv6" ping_quietly alice 20 2001:db8:3::1
	check "the router itself answers as before" ping_quietly alice 5 192.0.2.254
	check "also by the address of its other side" ping_quietly alice 5 2001:db8:2::fe
	before=$(shown r forwarded)
	ping_quietly alice 50 203.0.113.1 >/dev/null
	check "each is counted, there and back" is "$(($(shown r forwarded) - before))" 100
	counted() { for reason in ttl-expired too-big malformed filtered unbound unresolved; do drops r $reason; done; shown r errors-sent; }
	before=$(counted)
	python3 -S "$tests/route.py" send >lana.txt
	check "each packet comes out as Linux routes it, and so do the errors" diff lana.txt linux.txt
	check "what was not to be forwarded is counted by its reason" is \
		"$(paste -d ' ' <(echo "$before") <(counted) | while read -r was now; do printf '%d ' $((now - was)); done)" "6 2 1 5 0 0 9 "
	fold python3 -S "$tests/route.py" tcp

	# All know each other, so that nobody asks. carol is above.
	neighbours_are replace
	if [ $way = frames ]; then vlink ethernet hook lan2 --yes --xdp; else hook lan2; fi
	fbctl -b - <<-'END'
		bind lan2 r
		set r 'route.6=10.98.0.0/16 -> drop'
		set r 'route.7=10.96.0.0/16 -> 7'
		set r 'route.8=10.95.0.0/16 via 198.51.100.78 -> 1'
		set r 'route.16=2001:db8:98::/64 -> drop'
	END
	fold python3 -S "$tests/route.py" reasons $way
	fbctl -b - <<-'END'
		unbind lan2 r
		set r route.6=
		set r route.7=
		set r route.8=
		set r route.16=
	END
	unhook lan2
	neighbours_are del

	# Nobody is there.
	before=$(drops r unresolved)
	ping_quietly alice 3 198.51.100.77 >/dev/null || :
	check "a host that does not answer: what goes there is unresolved" [ "$(drops r unresolved)" -gt "$before" ]
	fbctl set r 'route.2=203.0.113.0/24 via 198.51.100.78 -> 1'
	check "so is it with a router" not ping_quietly alice 2 203.0.113.1
	fbctl set r 'route.2=203.0.113.0/24 via 198.51.100.1 -> 1'
	wait_for 5 ping_quietly alice 1 203.0.113.1 >/dev/null
	check "another one is taken at once" ping_quietly alice 3 203.0.113.1

	# A change of the MTU.
	ip link set lan1 mtu 1500
	check "the MTU is that of the device" ping_quietly alice 2 203.0.113.1 -M probe -s 1450
	ip link set lan1 mtu 1400
	check "at each moment" not ping_quietly alice 1 203.0.113.1 -M probe -s 1450

	# Errors are limited.
	fbctl set r errors=20
	before=$(shown r errors-limited)
	ip netns exec alice ping -q -n -t 1 -c 100 -i 0.001 -W 1 203.0.113.1 >/dev/null || :
	check "errors are limited" [ "$(shown r errors-limited)" -gt "$before" ]
	fbctl set r errors=

	# Replaced and changed while hosts talk.
	ping_quietly alice 300 203.0.113.1 -i 0.005 >ping.txt &
	old=r new=s
	for turn in $(seq 0 "$(($(scale 40) / 2 * 2 + 1))"); do
		fbctl -b - <<-END
			add $new route
			set $new 'route.0=192.0.2.0/24 -> 0'
			set $new 'route.2=203.0.113.0/24 via 198.51.100.1 -> 1'
			replace $old $new
			rm $old
			set $new 'route.1=198.51.$turn.0/24 -> drop'
		END
		read -r old new <<<"$new $old"
	done
	wait $!
	check "replaced under traffic: no packet is lost" contains "$(<ping.txt)" "300 received"
	check "and the counters go on" [ "$(shown r forwarded)" -gt 300 ]

	# A device goes and comes back.
	ip link set lan1 down
	ip link set lan1 up
	wait_for 5 ping_quietly alice 1 203.0.113.1 >/dev/null
	check "a device that was down is used again" ping_quietly alice 3 203.0.113.1
	fbctl -b - <<-'END'
		unbind r lan1
	END
	check "a port that leads nowhere is a drop" not ping_quietly alice 1 203.0.113.1
	check "by its reason" [ "$(drops r unbound)" -gt 0 ]

	# Malformed packets.
	fbctl bind r lan1
	fbctl set r 'route.20=0.0.0.0/0 -> 1'
	fbctl set r 'route.21=::/0 -> unreachable'
	check "malformed packets" ip netns exec alice python3 -S "$tests/pktfuzz.py" --seconds 2 --seed "${LANA_SEED:-1}" \
		--mac $lan0_mac --to 192.0.2.3 --to 2001:db8::3 a0
	still
	# Some of them were ARP of somebody else.
	ip neigh flush all
	ip -n alice neigh flush all
	check "have done no harm" wait_for 5 ping_quietly alice 3 198.51.100.1
	clean
done
about=

done_testing

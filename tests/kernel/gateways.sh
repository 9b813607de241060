# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# multipath with next hops that the kernel resolves: alice reaches bob by two gateways, in IPv4 and IPv6. The gateways
# change their Ethernet addresses, fall silent and come back.

. "${0%/*}/../lib.sh"

load
namespace alice gw0 gw1 bob
ip -batch - <<-END
	link add lan0 type veth peer name a0 netns alice address $alice_mac
	link add up0 type veth peer name w0 netns gw0
	link add up1 type veth peer name w0 netns gw1
	link add b0 netns bob type veth peer name o0 netns gw0
	link add b1 netns bob type veth peer name o0 netns gw1
END
devices=(lan0 up0 up1)
# Addresses are there at once.
six() { # DEVICE
	echo 0 >"/proc/sys/net/ipv6/conf/$1/accept_dad"
	echo 0 >"/proc/sys/net/ipv6/conf/$1/disable_ipv6"
}
export -f six
within() { ip netns exec "$@"; }
within alice bash -c 'six a0'
within bob bash -c 'six b0; six b1; six lo'
for gw in gw0 gw1; do
	within $gw bash -c 'six w0; six o0; echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
		echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit'
done
for device in up0 up1; do six $device; done
ip -batch - <<-END
	link set lan0 up
	link set up0 up
	link set up1 up
END
ip -n alice -batch - <<-END
	link set a0 up
	address add 10.0.0.2/24 dev a0
	address add 2001:db8::2/64 dev a0
	route add default via 10.0.0.1
	route add default via 2001:db8::1
	neigh replace 10.0.0.1 lladdr 02:00:00:00:00:fe dev a0
	neigh replace 2001:db8::1 lladdr 02:00:00:00:00:fe dev a0
END
for number in 0 1; do
	ip -n gw$number -batch - <<-END
		link set w0 address 02:00:00:00:01:0$number up
		link set o0 up
		address add 10.0.0.1/24 dev w0
		address add 2001:db8::1/64 dev w0
		address add fe80::1/64 dev w0
		address add 192.0.$number.1/24 dev o0
		address add 2001:db8:a$number::1/64 dev o0
		route add default via 192.0.$number.2
		route add default via 2001:db8:a$number::2
	END
	ip -n bob -batch - <<-END
		link set b$number up
		address add 192.0.$number.2/24 dev b$number
		address add 2001:db8:a$number::2/64 dev b$number
	END
done
ip -n bob -batch - <<-END
	link set lo up
	address add 198.51.100.1/32 dev lo
	address add 2001:db8:ff::1/128 dev lo
	route add 10.0.0.0/24 nexthop via 192.0.0.1 nexthop via 192.0.1.1
	route add 2001:db8::/64 nexthop via 2001:db8:a0::1 nexthop via 2001:db8:a1::1
END

option() { fbctl -j show m | grep -o "\"key\":\"$1\",\"value\":\"[^\"]*\"" | cut -d '"' -f 8; }
options() { fbctl -j show m | grep -o '"key":"[^"]*","value":"[^"]*"' | cut -d '"' -f 4,8 --output-delimiter ' '; }
link_is() { is "$(option "port.$1.link")" "$2"; }
comes_to() { wait_for "${3:-20}" link_is "$1" "$2" && link_is "$1" "$2"; }
answered() { contains "$(ping_quietly alice "$@")" " $1 received"; }

hook lan0 up0 up1

# --- What can be set ---

fbctl add m multipath
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set m "$bad"
done <<-'END'
	port.0.via=gw0|an IPv4 or IPv6 address of one station
	port.0.via=0.0.0.0|an IPv4 or IPv6 address of one station
	port.0.via=127.0.0.1|an IPv4 or IPv6 address of one station
	port.0.via=224.0.0.1|an IPv4 or IPv6 address of one station
	port.0.via=255.255.255.255|an IPv4 or IPv6 address of one station
	port.0.via=10.0.0.1/24|an IPv4 or IPv6 address of one station
	port.0.via=::|an IPv4 or IPv6 address of one station
	port.0.via=::1|an IPv4 or IPv6 address of one station
	port.0.via=ff02::1|an IPv4 or IPv6 address of one station
	ttl=1|keep or decrement
	probe=udp|off, arp or icmp
	port.0.source=224.0.0.1|an IPv4 or IPv6 address of one station
	probe-interval=10ms|a time from 100ms to 600s
	rise=0|a number from 1 to 1000
	fall=1001|a number from 1 to 1000
END
fbctl set m port.0.mac=02:00:00:00:01:00
remember
check_fails "a next hop has one address" 2 "port.0: via and mac exclude each other" fbctl set m port.0.via=10.0.0.1
fbctl set m port.0.mac=
fbctl -b - <<-END
	set m strategy=packet
	set m port.0.via=10.0.0.1
	set m port.1.via=10.0.0.1
	bind lan0 m
	bind m up0
	bind m up1
END

# --- Resolved ---

for number in 0 1; do
	check "the next hop of port $number is resolved" comes_to $number up
	check "by its own gateway" matches "$(option port.$number.neighbour)" "^02:00:00:00:01:0$number [a-z]+$"
	check "in the kernel's table" contains "$(ip neigh show dev up$number)" "10.0.0.1 lladdr 02:00:00:00:01:0$number"
done
check "alice reaches bob" answered 40 198.51.100.1
check "by both" matches "$(option port.0.packets) $(option port.1.packets)" '^([2-9]|1[0-9])[0-9]* ([2-9]|1[0-9])[0-9]*$'
check "with IPv6" answered 40 2001:db8:ff::1
check "in many fragments" answered 10 198.51.100.1 -s 20000
check "nothing is dropped" is "$(fbctl -j stats m | number drops)" 0
fbctl save >saved.toml
check "what is saved applies without a change" is "$(fbctl apply saved.toml)" "nothing to change"

# By link-local addresses, which each link has of its own.
fbctl -b - <<-END
	set m port.0.via=fe80::1
	set m port.1.via=fe80::1
END
check "an IPv6 address is resolved, too" comes_to 0 up
check "on each link" comes_to 1 up
check "packets of IPv4 go there" answered 20 198.51.100.1
check "and of IPv6" answered 20 2001:db8:ff::1
fbctl -b - <<-END
	set m port.0.via=10.0.0.1
	set m port.1.via=10.0.0.1
END
check "back to IPv4" comes_to 0 up
check "on both" comes_to 1 up

# --- TTL ---

exceeded() { ip netns exec alice ping -n -c 1 -W 1 -t "$1" "$2" 2>&1; }
check "the TTL stays: a gateway is the first hop" contains "$(exceeded 1 198.51.100.1)" "From 10.0.0.1"
fbctl set m ttl=decrement
check "unless it is to be decremented" is "$(exceeded 1 198.51.100.1 | grep -c From)" 0
check "such packets end at the block" is "$(drops m ttl-expired)" 1
check "a gateway is the second hop then" contains "$(exceeded 2 198.51.100.1)" "From 10.0.0.1"
check "with IPv6 as well" is "$(exceeded 1 2001:db8:ff::1 | grep -c From)" 0
check "and counted" is "$(drops m ttl-expired)" 2
check "a gateway is the second hop with IPv6, too" contains "$(exceeded 2 2001:db8:ff::1)" "From 2001:db8"
check "checksums stay right" answered 20 198.51.100.1
check "in fragments, too" answered 10 198.51.100.1 -s 20000
fbctl set m ttl=

# --- Gateways that change ---

ip -n gw1 link set w0 address 02:00:00:00:01:11
within gw1 sh -c 'echo 1 >/proc/sys/net/ipv4/conf/w0/arp_notify'
ip -n gw1 link set w0 down
ip -n gw1 link set w0 up
ip -n gw1 route replace default via 192.0.1.2
ip -n gw1 -6 address replace 2001:db8::1/64 dev w0
renewed() { contains "$(option port.1.neighbour)" "02:00:00:00:01:11"; }
check "a gateway has another Ethernet address: it is learnt" wait_for 30 renewed
check "alice still reaches bob" answered 40 198.51.100.1

silence() { within gw1 sh -c "echo $1 >/proc/sys/net/ipv4/conf/all/arp_ignore"; } # 8: it does not answer ARP; 0: it does
silence 8
ip neigh flush dev up1
check "a gateway whose address is forgotten is not used" comes_to 1 unresolved
check "so the other one has all" answered 40 198.51.100.1
silence 0
check "it is used again when it answers" comes_to 1 up
fbctl set m port.1.via=10.0.0.77
check "nor is one that there is not" comes_to 1 unresolved
fbctl set m port.0.state=down
dropped=$(drops m device)
check "without any, packets are dropped" is "$(ping_quietly alice 3 198.51.100.1 | grep -o '[0-9]* received')" "0 received"
check "and counted" [ "$(drops m device)" -ge $((dropped + 3)) ]
fbctl -b - <<-END
	set m port.0.state=
	set m port.1.via=10.0.0.1
END
check "all is as before" comes_to 1 up

# Whoever forgets them at any time: packets are counted.
sum() { fbctl -j stats m | number "$1"; }
before=$(($(option port.0.packets) + $(option port.1.packets)))
lost=$(($(drops m unresolved) + $(drops m device)))
(for _ in {1..30}; do ip neigh flush dev up0; ip neigh flush dev up1; sleep 0.02; done) &
flusher=$!
ip netns exec alice ping -q -n -c 300 -i 0.002 -W 1 198.51.100.1 >/dev/null || :
wait $flusher || :
still
now=$(($(option port.0.packets) + $(option port.1.packets)))
lost=$(($(drops m unresolved) + $(drops m device) - lost))
diag "sent $((now - before)), dropped $lost"
check "while they are forgotten all the time, each packet goes or is counted" [ $((now - before + lost)) -ge 300 ]
check "afterwards they are there again" comes_to 0 up
check "both" comes_to 1 up

# --- Probes ---

fbctl -b - <<-END
	set m probe=arp
	set m probe-interval=100ms
	set m fall=2
	set m rise=2
END
listen events -j
pause 1
check "who answers probes is used" link_is 0 up
check "so is the other one" link_is 1 up
silence 8
check "one that does not answer is not used any more" comes_to 1 silent
check "no packet is lost by it" answered 40 198.51.100.1
gone() { link_is 1 unresolved; }
check "the kernel forgets its address a little later" wait_for 30 gone
silence 0
check "when it answers it is used again" comes_to 1 up
wait_for 5 grep -q port-up events || :
check "both carry packets" answered 40 198.51.100.1
kill "$monitor"
# A machine that is busy may miss probes: what matters is that they tell the same as is shown.
told() { grep -o "\"kind\":\"port-[a-z]*\".*\"peer\":\"$1\"" events | cut -d '"' -f 4; }
check "events tell that it is not used" contains "$(told up1)" port-down
check "and that it is again" is "$(told up1 | tail -n 1)" port-up
fbctl set m probe=off

# By ICMP: a gateway that answers ARP and no more.
check "without a source address nobody is asked by ICMP" contains "$(fbctl set m probe=icmp 2>&1 || :)" \
	"port.0: probe=icmp wants a source of the family of via"
check "nor with one of another family" not fbctl -b - <<-END
	set m probe=icmp
	set m port.0.source=fe80::2
	set m port.1.source=10.0.0.4
END
ip address add 10.0.0.3/32 dev up0
ip address add 10.0.0.4/32 dev up1
fbctl -b - <<-END
	set m port.0.source=10.0.0.3
	set m port.1.source=10.0.0.4
	set m probe=icmp
END
nstat_of() { ip netns exec "$1" nstat -asz "$2" | awk '/Icmp/ { print $2 }'; }
pause 1
check "both answer" link_is 0 up
check "the other one, too" link_is 1 up
check "they were asked by echo requests" [ "$(nstat_of gw0 IcmpInEchos)" -ge 3 ]
check "with sums that Linux takes" is "$(nstat_of gw0 IcmpInCsumErrors)" 0
up() { fbctl -j stats lan0 | number packets; }
above=$(up)
pause 1
# Twenty answers have come, and now and then somebody asks for an address.
check "the answers end at the block" [ $(($(up) - above)) -lt 10 ]
within gw1 sh -c 'echo 1 >/proc/sys/net/ipv4/icmp_echo_ignore_all'
check "one that answers no request is not used any more" comes_to 1 silent
check "though it answers ARP" contains "$(ip neigh show dev up1)" "10.0.0.1 lladdr"
check "no packet is lost by it" answered 40 198.51.100.1
within gw1 sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_all'
check "until it answers again" comes_to 1 up
# The addresses are there first, so that the gateways are never silent.
ip address add 2001:db8::3/128 dev up0
ip address add 2001:db8::4/128 dev up1
fbctl -b - <<-END
	set m port.0.via=2001:db8::1
	set m port.1.via=2001:db8::1
	set m port.0.source=2001:db8::3
	set m port.1.source=2001:db8::4
END
check "with IPv6" comes_to 0 up
check "by both" comes_to 1 up
check "answered" [ "$(nstat_of gw0 Icmp6InEchos)" -ge 1 ]
check "with sums that Linux takes as well" is "$(nstat_of gw0 Icmp6InCsumErrors)" 0
fbctl -b - <<-END
	set m probe=off
	set m port.0.via=10.0.0.1
	set m port.1.via=10.0.0.1
	set m port.0.source=
	set m port.1.source=
END
ip -4 address flush dev up0
ip -4 address flush dev up1
check "back to IPv4" comes_to 0 up
check "on both links" comes_to 1 up

# --- What TCP sends again ---

# gw1 loses some of what it forwards.
ip -n bob route replace 10.0.0.0/24 via 192.0.0.1
within gw1 tc qdisc replace dev o0 root netem loss random 10% seed 1
fbctl -b - <<-END
	set m strategy=loss
	set m history=64
	set m average=2s
END
transfer() { # CONNECTIONS BYTES: what Linux has sent, and sent again
	within bob "$tests/tcpinfo.py" listen 198.51.100.1 8000 "$1" &
	wait_for 10 within bob sh -c 'ss -Hltn | grep -q :8000'
	within alice "$tests/tcpinfo.py" send 198.51.100.1 8000 "$@"
	wait $!
}
of_both() { echo $(($(option "port.0.$1") + $(option "port.1.$1"))); }
read -r sent again <<<"$(transfer 20 100000)"
# SYN, FIN, and these once more.
near() { [ "$1" -ge "$2" ] && [ "$1" -le $(($2 + 20 * 4)) ]; }
check "bytes of TCP are counted as Linux counts them" near "$(of_both data)" "$sent"
check "so are those that are sent again" near "$(of_both retransmitted)" "$again"
check "some were" [ "$again" -gt 10000 ]
check "all of them by the port that loses" [ "$(option port.0.retransmitted)" -le 80 ]
pairs() { sed -n '/^source/,$p' /proc/net/lana/fblock/m; }
check "the history has the hosts, by both ports" is "$(pairs | cut -d ' ' -f 1-3 | sort)" \
	"$(printf '%s\n' '10.0.0.2 198.51.100.1 0' '10.0.0.2 198.51.100.1 1' 'source destination port')"
column() { pairs | awk -v n="$1" 'NR > 1 { sum += $n } END { print sum }'; }
check "with the same sums" is "$(column 6) $(column 7)" "$(of_both data) $(of_both retransmitted)"
packets=$(option port.1.packets)
transfer 20 1000 >sums
check "new sessions avoid it" is "$(option port.1.packets)" "$packets"
fbctl set m port.0.state=down
transfer 2 1000 >sums
check "unless there is no other one" [ "$(option port.1.packets)" -gt "$packets" ]
fbctl -b - <<-END
	set m port.0.state=
	set m history=0
END
check "without a history nothing is told" is "$(pairs)" ""
within gw1 tc qdisc del dev o0 root
fbctl -b - <<-END
	set m strategy=packet
	set m average=
END

# --- Frames: what has not become an skb yet ---

fbctl -b - <<-END
	unbind lan0 m
	unbind m up0
	unbind m up1
END
unhook lan0 up0 up1
# Frames have no checksum that a device would fill in.
within alice ethtool -K a0 tx off >ethtool.log 2>&1
for number in 0 1; do within gw$number ethtool -K w0 tx off >>ethtool.log 2>&1; done
for device in lan0 up0 up1; do vlink ethernet hook $device --xdp --yes; done
fbctl -b - <<-END
	set m port.0.via=10.0.0.1
	set m port.1.via=10.0.0.1
	bind lan0 m
	bind m up0
	bind m up1
END
check "frames: next hops are resolved" comes_to 0 up
check "frames: both" comes_to 1 up
check "frames: alice reaches bob" answered 40 198.51.100.1
check "frames: by both" matches "$(option port.0.packets) $(option port.1.packets)" '^([1-9]|1[0-9])[0-9]* ([1-9]|1[0-9])[0-9]*$'
check "frames: with IPv6" answered 40 2001:db8:ff::1
check "frames: in many fragments" answered 10 198.51.100.1 -s 20000
check "frames: no skb was made at the block" is "$(fbctl -j stats m | grep -o '"skbs":[1-9]')" ""
fbctl set m ttl=decrement
check "frames: the block is a hop" contains "$(exceeded 2 198.51.100.1)" "From 10.0.0.1"
check "frames: checksums stay right" answered 20 198.51.100.1
fbctl -b - <<-END
	set m ttl=
	set m strategy=session
	set m history=10
	set m key=l3,symmetric
	set m broadcast=all
END
check "frames: by session" answered 20 198.51.100.1
check "frames: and the history has them" is "$(pairs | grep -c '^10.0.0.2 198.51.100.1 ')" 1
before="$(option port.0.packets) $(option port.1.packets)"
within alice ping -q -n -c 1 -W 2 10.0.0.77 >/dev/null || :
after=($before $(option port.0.packets) $(option port.1.packets))
check "frames: a broadcast leaves by one" [ $((after[2] - after[0])) -ge 1 ]
check "frames: and by the other" [ $((after[3] - after[1])) -ge 1 ]
fbctl -b - <<-END
	set m strategy=packet
	set m history=0
	set m key=
	set m broadcast=
END

# --- What goes ---

ip link del up1
devices=(lan0 up0)
check "a device goes, and its next hop does not hold it" answered 20 198.51.100.1
fbctl -b - <<-END
	unbind lan0 m
	unbind m up0
	rm m
END
check "without next hops the stack hears of no neighbours" is "$(ip neigh flush dev up0; ip netns exec gw0 ping -q -c 1 -W 1 10.0.0.9 >/dev/null; ip neigh show dev up0)" ""
unhook lan0 up0

# A namespace with a resolved next hop goes.
ip netns add red
ip link add r0 netns red type veth peer name r1 netns gw0
ip -n gw0 address add 10.9.0.1/24 dev r1
ip -n gw0 link set r1 up
ip -n red link set r0 up
fbctl -n red -b - <<-END
	add m multipath
	set m port.0.via=10.9.0.1
END
ip netns exec red vlink ethernet hook r0 --yes
fbctl -n red bind m r0
red_up() { fbctl -n red -j show m | grep -q '"port.0.link","value":"up"'; }
check "a next hop in another namespace" wait_for 10 red_up
ip netns del red
check "goes with it" not fbctl -n red show

done_testing

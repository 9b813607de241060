# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block udp-tunnel. At the other end of a network with a router are Linux's vxlan device, and a graph; tcpdump looks on.

. "${0%/*}/../lib.sh"

load
hosts
ip link set lo up
# This host, a router, and a host far away. Until they speak, nobody has IPv6 (see `namespace`).
namespace mid far
far() { ip netns exec far "$@"; }
for name in mid far; do
	ip netns exec "$name" sh -c 'cd /proc/sys/net; echo 0 >ipv6/conf/all/disable_ipv6; echo 0 >ipv6/conf/default/disable_ipv6
		echo 1 >ipv4/ip_forward; echo 1 >ipv6/conf/all/forwarding; echo 0 >ipv6/conf/default/accept_dad'
done
ip link add u0 type veth peer name m0 netns mid
ip -n mid link add m1 type veth peer name u1 netns far
devices+=(u0)
echo 0 >/proc/sys/net/ipv6/conf/u0/disable_ipv6
lan_mtu() { # MTU: of the network
	ip link set u0 mtu "$1"
	ip -n mid link set m0 mtu "$1"
	ip -n mid link set m1 mtu "$1"
	ip -n far link set u1 mtu "$1"
}
lan_mtu 1700
ip -batch - <<-END
	address add 203.0.113.1/25 dev u0
	address add 2001:db8:f::1/64 dev u0 nodad
	link set u0 up
	route add 203.0.113.128/25 via 203.0.113.2
	route add 2001:db8:e::/64 via 2001:db8:f::2
END
ip -n mid -batch - <<-END
	address add 203.0.113.2/25 dev m0
	address add 2001:db8:f::2/64 dev m0 nodad
	address add 203.0.113.129/25 dev m1
	address add 2001:db8:e::1/64 dev m1 nodad
	link set m0 up
	link set m1 up
END
ip -n far -batch - <<-END
	link set lo up
	address add 203.0.113.130/25 dev u1
	address add 203.0.113.131/25 dev u1
	address add 2001:db8:e::2/64 dev u1 nodad
	link set u1 up
	route add default via 203.0.113.129
	route add default via 2001:db8:e::1
END
# No tunnel's device speaks unasked.
far sh -c 'echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6'
# Both states of a checksum are on the way: what a host sends by a wire is summed by nobody, unless this says so.
ethtool -K u0 tx off >/dev/null

# The socket that has a port: its inode.
socket_of() { cat /proc/net/udp /proc/net/udp6 | awk -v "port=:$(printf %04X "$1")" 'index($2, port) { print $10 }'; }

# --- Options ---

fbctl add u udp-tunnel
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set u "$bad"
done <<-'END'
	local=192.0.2.0/24|an IPv4 or IPv6 address of one host
	local=0.0.0.0|an IPv4 or IPv6 address of one host
	remote=224.0.0.1|an IPv4 or IPv6 address of one host
	remote=ff02::1|an IPv4 or IPv6 address of one host
	remote=::ffff:192.0.2.1|an IPv4 or IPv6 address of one host
	remote=fe80::1|an IPv4 or IPv6 address of one host
	remote=far|an IPv4 or IPv6 address of one host
	port=0|a number from 1 to 65535
	format=geneve|plain or vxlan
	vni=16777216|a number from 0 to 16777215
	limit=0|a number from 1 to 100000
END
fbctl set u remote=203.0.113.130
check "half a tunnel has no socket" is "$(socket_of 4789)" ""
fbctl set u port=4789
inode=$(socket_of 4789)
check "a whole one has" matches "$inode" '^[0-9]+$'
remember
check_fails "two families" 2 "local and remote are of different families" fbctl set u local=2001:db8:f::1
fbctl add v udp-tunnel
fbctl set v remote=203.0.113.131
remember
check_fails "a port that is in use" 2 "port 4789 is in use" fbctl set v port=4789
check_fails "a transaction that fails later" 2 "no block 'x'" fbctl -b - <<-END
	set u port=4790
	set u vni=9
	add y dummy
	bind y x
END
fbctl -b - <<-END
	set u local=203.0.113.1
	set u format=vxlan
	set u vni=7
	set u limit=500
	set u remote=203.0.113.131
END
check "through all of this the socket is the same" is "$(socket_of 4789) $(socket_of 4790)" "$inode "
check "what is set is shown" matches "$(fbctl show u | tr -s ' \n' ' ')" \
	'full=0 local=203.0.113.1 remote=203.0.113.131 port=4789 format=vxlan vni=7 limit=500'
fbctl save saved.toml
fbctl set u port=4790
check "another port is another socket" matches "$(socket_of 4789)/$(socket_of 4790)" '^/[0-9]+$'
fbctl set u remote=
check "and without a remote there is none" is "$(socket_of 4790)" ""
fbctl rm u
fbctl rm v
fbctl apply saved.toml >/dev/null
check "a saved graph is made again" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
clean
check "the socket goes with its block" is "$(socket_of 4789)" ""

# --- VXLAN: the other end is Linux's ---

start() { # OPTION...
	fbctl add u udp-tunnel
	for option; do fbctl set u "$option"; done
	hook lan1
	fbctl bind lan1 u
}
# talk NAMESPACE ADDRESS NAMESPACE: a transfer by TCP from the one to the other, which has the address.
talk() {
	ip netns exec "$3" python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
	ip netns exec "$1" python3 -S "$tests/tcp.py" send "$2" 5001 $(($(scale 20) * 200000)) >tcp.out
	wait $!
	[ -s tcp.out ] && is "$(<tcp.in)" "$(<tcp.out)"
}
ip -n bob link add link b0 name b0.5 type vlan id 5
ip -n bob address add 198.51.100.2/24 dev b0.5
ip -n bob link set b0.5 up
for family in 4 6; do
	here=203.0.113.1 there=203.0.113.130 opened=udp
	[ $family = 4 ] || here=2001:db8:f::1 there=2001:db8:e::2 opened=udp6
	about="vxlan over IPv$family: "
	ip -n far -batch - <<-END
		link add vx0 type vxlan id 7 remote $here local $there dstport 4789
		address add 192.0.2.1/24 dev vx0
		link set vx0 mtu 1500 up
		link add link vx0 name vx0.5 type vlan id 5
		address add 198.51.100.1/24 dev vx0.5
		link set vx0.5 up
	END
	start remote=$there port=4789 format=vxlan vni=7
	ip netns exec far timeout 60 tcpdump -l -n -vv -c 8 -i u1 udp dst port 4789 and src host $here >dump 2>dump.err &
	dumping=$!
	wait_for 10 grep -q listening dump.err
	check "Linux's vxlan device answers" ping_quietly bob 5 192.0.2.1
	for port in 9001 9002 9003 9004 9005 9006; do bob bash -c "echo >/dev/udp/192.0.2.1/$port"; done
	wait $dumping
	check "tcpdump sees VXLAN" contains "$(<dump)" "VXLAN, flags [I] (0x08), vni 7"
	check "with the checksum of UDP" [ "$(grep -c 'udp sum ok' dump)" -ge 8 ]
	check "flows have source ports of their own, high ones" \
		[ "$(grep -o '\.[0-9]* > [^ ]*\.4789' dump | cut -d ' ' -f 1 | sort -u | grep -c '^\.[3-6][0-9]\{4\}$')" -gt 2 ]
	check "in fragments" ping_quietly bob 3 192.0.2.1 -s 5000
	check "in a VLAN" ping_quietly bob 3 198.51.100.1
	ip -n far link del vx0.5
	ip -n bob neigh flush dev b0.5
	received=$(shown u received)
	check "TCP to bob arrives whole" talk far 192.0.2.2 bob
	check "in super-packets, as Linux's tunnel has sent it" [ $(($(shown u received) - received)) -lt $(($(scale 20) * 100)) ]
	check "and TCP from bob" talk bob 192.0.2.1 far
	diag "$(fbctl show u)" "$(fbctl stats u)"
	# From now on nobody asks: only what a ping causes is on the way.
	ip -n bob neigh replace 192.0.2.1 lladdr "$(far cat /sys/class/net/vx0/address)" dev b0
	ip -n far neigh replace 192.0.2.2 lladdr $bob_mac dev vx0
	still
	sent=$(shown u sent) received=$(shown u received)
	ping_quietly bob 5 192.0.2.1 >/dev/null
	check "packets are counted both ways" is "$(shown u sent) $(shown u received)" "$((sent + 5)) $((received + 5))"
	check "nothing was dropped" is "$(drops u device) $(drops u filtered) $(drops u malformed) $(shown u full)" "0 0 0 0"

	# Another block in its place, and other options, while packets pass.
	inode=$(socket_of 4789)
	ip netns exec bob ping -q -n -i 0.005 -c 300 -W 5 192.0.2.1 >log &
	pinging=$!
	for round in 1 2 3 4; do
		fbctl -b - <<-END
			add other udp-tunnel
			replace u other
			rm u
			set other local=$here
			set other limit=$((round * 100))
			set other local=
			add u udp-tunnel
			replace other u
			rm other
		END
		pause 0.1
	done
	wait $pinging
	check "replaced and set under traffic: nothing is lost" contains "$(<log)" "300 received, 0% packet loss"
	check "by the same socket" is "$(socket_of 4789)" "$inode"
	check "with its counters" is "$(shown u sent) $(shown u received)" "$((sent + 305)) $((received + 305))"
	fbctl add v udp-tunnel
	fbctl set v remote=$there
	fbctl set v port=4790
	fbctl replace u v
	check "a tunnel in its place that is one already goes by its own port" is "$(shown v port)$(shown u port)" 47904789
	fbctl replace v u
	check "and back" ping_quietly bob 3 192.0.2.1
	fbctl rm v

	other=$(shown u other)
	fbctl set u vni=8
	check "another network is another one" not ping_quietly bob 1 192.0.2.1 -W 0.3
	far ping -q -n -c 1 -W 0.3 192.0.2.2 >/dev/null || :
	check "what comes from it is counted, and filtered" is "$(shown u other) $(drops u filtered)" "$((other + 1)) $((other + 1))"
	fbctl set u vni=7

	# The network takes less than the frames need: fragments. A router with a small MTU says so with IPv6.
	lan_mtu 1500
	check "large ones over a small MTU" ping_quietly bob 3 192.0.2.1 -s 1472
	ip -n mid link set m1 mtu 1400
	ip -n far link set u1 mtu 1400
	check "and over a small one behind a router" wait_for 10 ping_quietly bob 3 192.0.2.1 -s 1472 -W 0.5
	lan_mtu 1700
	ip -n far link del vx0
	ip -n bob neigh del 192.0.2.1 dev b0
	clean
done
about=
ip -n bob link del b0.5

# --- The plain format: the other end is a graph in another namespace ---

ip -n far link add lan9 type veth peer name a9 netns alice
ip -n far link set lan9 up
ip -n alice address flush dev a0
ip -n alice address add 192.0.2.1/24 dev a9
ip -n alice link set a9 up
start remote=203.0.113.130 port=7777
fbctl -n far -b - <<-END
	add u udp-tunnel
	set u remote=203.0.113.1
	set u port=7777
END
vlink -n far ethernet hook lan9
fbctl -n far bind lan9 u
check "hosts reach each other" ping_quietly bob 5 192.0.2.1
check "in fragments" ping_quietly bob 3 192.0.2.1 -s 5000
check "TCP arrives whole" talk alice 192.0.2.2 bob
check "and back" talk bob 192.0.2.1 alice
fbctl unbind lan1 u
unhook lan1
vlink ethernet hook lan1 --xdp --yes
fbctl bind lan1 u
# Frames have no checksum that is to be filled in.
bob ethtool -K b0 tx off >/dev/null
check "also from and to a driver's frames" ping_quietly bob 5 192.0.2.1
check "of which skbs are made" [ "$(fbctl -j stats u | number skbs)" -ge 5 ]
check "TCP, too" talk alice 192.0.2.2 bob

# What comes that is wrong, and more than there is room for: pieces FROM SIZE,... HEAD sends UDP from far; burst COUNT so
# many frames at once, in one super-packet.
still
cat >pieces.py <<-'END'
	import os, socket, sys
	source, sizes, head, count = sys.argv[1], sys.argv[2].split(","), bytes.fromhex(sys.argv[3]), int(sys.argv[4])
	sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
	sock.bind((source, 0))
	if count > 1:
	    sock.setsockopt(17, 103, int(sizes[0]))  # SOL_UDP, UDP_SEGMENT
	for size in sizes:
	    sock.sendto((head + os.urandom(1500))[:int(size)] * count, ("203.0.113.1", 7777))
END
pieces() { far python3 -S pieces.py "$@" 1; }
burst() { far python3 -S pieces.py 203.0.113.130 60 ffffffffffff020000000077ffff "$1"; }
other=$(shown u other) wrong=$(drops u malformed) filtered=$(drops u filtered) received=$(shown u received)
pieces 203.0.113.131 14,60,1400 ""
came() { [ "$(shown u other)" = $((other + 3)) ]; }
check "packets of others are dropped" wait_for 5 came
check "as filtered" is "$(drops u filtered)" $((filtered + 3))
pieces 203.0.113.130 0,1,13 ""
bad() { [ "$(drops u malformed)" = $((wrong + $1)) ]; }
check "what is too short is malformed" wait_for 5 bad 3
fbctl set u format=vxlan
pieces 203.0.113.130 4,8,21 0800000000000000
pieces 203.0.113.130 60 0000000000000000
pieces 203.0.113.130 60 0c00000000000000
pieces 203.0.113.130 60 8800000000000000
check "so is VXLAN that is short, without a network, or extended" wait_for 5 bad 9
pieces 203.0.113.130 22,60 08ffffff000000ff
right() { [ "$(shown u received)" = $((received + $1)) ]; }
check "reserved bits do not matter" wait_for 5 right 2
fbctl set u format=
fbctl set u limit=1
received=$(shown u received)
burst 100
some() { [ "$(shown u full)" -gt 0 ] && [ "$(shown u received)" -gt "$received" ]; }
check "what there is no room for is counted" wait_for 5 some
still
check "each was received or not" is $(($(shown u full) + $(shown u received) - received)) 100
fbctl set u limit=

# What cannot be sent.
fbctl unbind lan1 u
unhook lan1
hook lan1
fbctl bind lan1 u
check "hosts still reach each other" ping_quietly bob 1 192.0.2.1
ip link set lan1 mtu 65535
ip -n bob link set b0 mtu 65535
big=$(drops u too-big)
check "a frame that is longer than UDP" not ping_quietly bob 1 192.0.2.1 -s 65500 -W 0.3
check "is too big" is "$(drops u too-big)" $((big + 1))
ip link set lan1 mtu 1500
ip -n bob link set b0 mtu 1500
device=$(drops u device)
fbctl set u remote=198.51.100.77
check "without a route nothing is sent" not ping_quietly bob 1 192.0.2.1 -W 0.3
check "but dropped" is "$(drops u device)" $((device + 1))
fbctl set u remote=203.0.113.130
fbctl set u local=203.0.113.77
check "nor from an address of somebody else" not ping_quietly bob 1 192.0.2.1 -W 0.3
fbctl set u local=
fbctl set u port=
sent=$(shown u sent)
check "nor without a port" not ping_quietly bob 1 192.0.2.1 -W 0.3
check "all of it is counted" is "$(drops u device) $(shown u sent)" "$((device + 3)) $sent"
fbctl set u port=7777
check "with all of these it is as before" ping_quietly bob 3 192.0.2.1

# A namespace that goes takes its tunnel along.
ip netns del far
check "this end stays" not ping_quietly bob 1 192.0.2.1 -W 0.3
clean

# --- Loops: two tunnels of this host that end in each other ---

hook lan1
fbctl -b - <<-END
	add a udp-tunnel
	set a remote=203.0.113.1
	set a port=1001
	add b udp-tunnel
	set b remote=203.0.113.1
	set b port=1002
	bind a lan1
	bind b a
END
ip -n bob neigh replace 192.0.2.1 lladdr $alice_mac dev b0
check "a packet that comes back again and again" not ping_quietly bob 1 192.0.2.1 -W 0.3
ended() { [ $(($(drops a hop-limit) + $(drops b hop-limit))) = 1 ]; }
check "comes to an end" wait_for 10 ended
check "when it has left 64 times" is $(($(shown a sent) + $(shown b sent))) 64
clean

done_testing

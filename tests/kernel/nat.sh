# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block nat: its options, what becomes of packets, and hosts that talk through it.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

# --- Options ---

fbctl add x nat
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set x "$bad"
done <<-'END'
	source=192.0.2.9-192.0.2.1|an IPv4 address, or a range such as
	source=2001:db8::1|an IPv4 address, or a range such as
	source=224.0.0.1|an IPv4 address, or a range such as
	ports=0|a port, or a range such as 1024-65535
	ports=9-8|a port, or a range such as 1024-65535
	dest=10.0.0.2:0|an IPv4 address, or one with a port such as
	dest=10.0.0.2:http|an IPv4 address, or one with a port such as
	dest.port=0|a number from 1 to 65535
	filter=all|open or session
	map=10.0.0.0/24=192.0.2.0/25|two prefixes of a length such as
	map=10.0.0.1/24=192.0.2.0/24|two prefixes of a length such as
	npt=fd00::/65=2001:db8::/65|two IPv6 prefixes of a length up to 64 such as
	npt=10.0.0.0/24=192.0.2.0/24|two IPv6 prefixes of a length up to 64 such as
	sessions=0|a number from 1 to 1048576
	sessions=1048577|a number from 1 to 1048576
	tcp.timeout=0s|a time from 1s to 1000000s
	tcp.transitory=5|a time from 1s to 1000000s
	udp.timeout=999ms|a time from 1s to 1000000s
	icmp.timeout=x|a time from 1s to 1000000s
END
remember
check_fails "no such option" 2 "no option 'port'" fbctl set x port=1
while IFS='|' read -r good shown; do
	fbctl set x "$good"
	check "taken: $good" contains "$(fbctl show x)" "fragments=0 ${shown:-$good}"
	fbctl set x "${good%%=*}="
	check "and taken back" matches "$(fbctl show x)" 'fragments=0$'
done <<-'END'
	source=192.0.2.1-192.0.2.9|
	source=192.0.2.7-192.0.2.7|source=192.0.2.7
	ports=5000|
	dest=10.0.0.2:80|
	dest.port=65535|
	filter=session|
	map=10.0.0.0/24=192.0.2.0/24|
	map=FD00::/48=2001:db8::/48|map=fd00::/48=2001:db8::/48
	npt=fd00::/48=2001:db8::/48|
	sessions=1048576|
	sessions=1|
	tcp.timeout=7200000ms|tcp.timeout=7200s
	icmp.timeout=1s|
END
fbctl set x map=fd00::/48=2001:db8::/48
remember
check_fails "one map for IPv6" 2 "not both map and npt for IPv6" fbctl set x npt=fd00::/48=2001:db8::/48
fbctl set x source=192.0.2.100
check "the options are listed" matches "$(fbctl types nat)" 'tcp.timeout +7440s +a time from 1s to 1000000s +Time without'
fbctl save saved.toml
check "a graph with it is saved, and is the same again" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
fbctl rm x
fbctl apply saved.toml >/dev/null
fbctl save again.toml
check "and is made anew, just so" is "$(<again.toml)" "$(<saved.toml)"
clean

# hook_way skbs|frames
hook_way() {
	if [ "$1" = frames ]; then
		for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done
	else
		hook lan0 lan1
	fi
}

# --- Packets ---

for way in skbs frames; do
	about="$way: "
	hook_way $way
	bridge x nat
	listen events
	fold python3 -S "$tests/nat.py" $way
	full() { grep -q 'notice .* text "no room for another session: 1 packets dropped"' events; }
	check "an event tells that there was no room" wait_for 5 full
	kill "$monitor"
	clean
done
about=

# --- Hosts ---

# Bob is inside, and has alice for his router. Far is behind her.
namespace far
ip -n alice -batch - <<-END
	address add 198.51.100.1/32 dev lo
	neigh replace 192.0.2.100 lladdr $bob_mac dev a0
	link add f0 type veth peer name g0 netns far
	link set f0 up
	address add 203.0.113.1/24 dev f0
END
ip -n far -batch - <<-END
	link set lo up
	link set g0 up
	address add 203.0.113.9/24 dev g0
	route add default via 203.0.113.1
END
ip -n bob -batch - <<-END
	address add 10.0.0.2/32 dev b0
	neigh replace 192.0.2.1 lladdr $alice_mac dev b0
	route add default via 192.0.2.1 src 10.0.0.2
END
alice sh -c 'cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 0 >icmp_ratelimit'
ip netns exec far sh -c 'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit'
alice ethtool -K a0 tso on >/dev/null
bob ethtool -K b0 tso on >/dev/null
for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then
		# What has no checksum yet is nothing that a frame could say.
		alice ethtool -K a0 tx off >/dev/null
		bob ethtool -K b0 tx off >/dev/null
	fi
	hook_way $way
	bridge x nat
	fbctl set x source=192.0.2.100
	check "pings" ping_quietly bob 5 198.51.100.1
	check "beyond the router" ping_quietly bob 5 203.0.113.9
	check "in fragments" ping_quietly bob 3 203.0.113.9 -s 5000
	check "nobody outside reaches bob by himself" not ping_quietly alice 1 192.0.2.100 -W 1
	fold python3 -S "$tests/nathosts.py" 192.0.2.100
	check "the file lists sessions" matches "$(<$fblock/x)" "udp 10.0.0.2:4321 192.0.2.100:4321 198.51.100.1:5002 open [0-9]+s"

	# TCP goes on while the block is replaced and set.
	alice python3 -S "$tests/tcp.py" receive 5003 >tcp.in &
	server=$!
	bob python3 -S "$tests/tcp.py" send 198.51.100.1 5003 $((1000000 * $(scale 40))) >tcp.out &
	sender=$!
	sends() { grep -q "^tcp .* 198.51.100.1:5003 established" $fblock/x; }
	wait_for 20 sends || :
	now=x next=y
	for i in 1 2 3 4 5 6; do
		fbctl -b - <<-END
			add $next nat
			set $next source=192.0.2.$((100 + i))
			replace $now $next
			rm $now
			set $next sessions=$((1 << (4 + 2 * i)))
		END
		read -r now next <<<"$next $now"
		pause 0.05
	done
	wait $sender
	wait $server
	check "TCP arrives whole, while the block is replaced and set" is "$(cat tcp.in)" "$(cat tcp.out)"
	# Connections that came before the server listened were refused, and have ended, too.
	check "by a session of the first address, which has ended" grep -q "^tcp 10.0.0.2:.* 192.0.2.100:.* 198.51.100.1:5003 closing" $fblock/$now
	check "nothing was dropped" is "$(drops $now queue-full) $(shown $now no-port)" "0 0"

	# From outside to a server inside.
	fbctl -b - <<-END
		set $now source=192.0.2.100
		set $now dest=10.0.0.2:5004
		set $now dest.port=80
	END
	bob python3 -S "$tests/tcp.py" receive 5004 >tcp.in &
	server=$!
	alice python3 -S "$tests/tcp.py" send 192.0.2.100 80 $((200000 * $(scale 20))) >tcp.out
	wait $server
	check "TCP to a server inside arrives whole" is "$(cat tcp.in)" "$(cat tcp.out)"
	clean
done
about=

# --- Malformed packets, at full speed ---

for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then vlink ethernet hook lan0 --xdp; else hook lan0; fi
	fbctl -b - <<-'END'
		add a nat
		add b nat
		add c counter
		bind a lan0
		bind b a
		bind c b
		set a map=2001:db8::/32=2001:db8::/32
		set a dest=10.0.0.2
		set a sessions=100
		set b npt=2001:db8:1::/48=2001:db8::/48
		set b source=10.0.0.1-10.0.0.9
		set b dest=10.0.1.1
	END
	check "malformed packets" ip netns exec alice python3 -S "$tests/pktfuzz.py" --seconds 3 --seed "${LANA_SEED:-1}" \
		--mac $lan0_mac --to 192.0.2.3 --to 2001:db8::3 a0
	still
	for block in a b; do
		came=$(fbctl -j stats $block | number packets)
		gone=$(($(drops $block filtered) + $(drops $block malformed) + $(drops $block queue-full) + $(drops $block no-memory)))
		check "$block: each is translated, untouched or dropped" is "$(($(shown $block translated) + $(shown $block untouched) + gone))" "$came"
		check "$block: some are translated, some are not" test $(($(shown $block translated) > 0 && $(shown $block untouched) > 0)) = 1
	done
	check "a: not more sessions than there may be" test "$(shown a active)" -le 100
	check "a: malformed ones are dropped" test "$(drops a malformed)" -gt 0
	clean
done
about=

done_testing

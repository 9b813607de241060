# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block rewrite: its options, what becomes of packets, and hosts that talk through it.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

# --- Options ---

fbctl add r rewrite
remember
while IFS='|' read -r bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set r "$bad"
done <<-'END'
	vlan=4095|a VLAN ID from 0 to 4094, push:ID, or pop
	vlan=push|a VLAN ID from 0 to 4094, push:ID, or pop
	vlan=push:4095|a VLAN ID from 0 to 4094, push:ID, or pop
	vlan=-1|a VLAN ID from 0 to 4094, push:ID, or pop
	mac.source=02:00:00:00:00|a unicast MAC address such as 02:00:00:00:00:01
	mac.source=ff:ff:ff:ff:ff:ff|a unicast MAC address such as 02:00:00:00:00:01
	mac.source=00:00:00:00:00:00|a unicast MAC address such as 02:00:00:00:00:01
	mac.destination=02-00-00-00-00-01|a MAC address such as 02:00:00:00:00:01
	source=192.0.2.256|an IPv4 or IPv6 address
	source=192.0.2.1/32|an IPv4 or IPv6 address
	destination=example.org|an IPv4 or IPv6 address
	destination=2001:db8:::1|an IPv4 or IPv6 address
	port.source=0|a number from 1 to 65535
	port.destination=65536|a number from 1 to 65535
	port.destination=http|a number from 1 to 65535
	dscp=64|a number from 0 to 63
	dscp=ef|a number from 0 to 63
	ttl=0|a number from 1 to 255, or -1
	ttl=256|a number from 1 to 255, or -1
	ttl=-2|a number from 1 to 255, or -1
	direction=up|ingress, egress or both
END
remember
check_fails "no such option" 2 "no option 'port'" fbctl set r port=1
while IFS='|' read -r good shown; do
	fbctl set r "$good"
	check "taken: $good" contains "$(fbctl show r)" "untouched=0 ${shown:-$good}"
	fbctl set r "${good%%=*}="
	check "and taken back" matches "$(fbctl show r)" 'rewritten=0 untouched=0$'
done <<-'END'
	vlan=0|
	vlan=4094|
	vlan=push:100|
	vlan=pop|
	mac.source=02:00:00:00:00:AB|mac.source=02:00:00:00:00:ab
	mac.destination=ff:ff:ff:ff:ff:ff|
	source=192.0.2.9|
	source=2001:DB8:0::9|source=2001:db8::9
	destination=::ffff:192.0.2.9|
	port.source=1|
	port.destination=65535|
	dscp=0|
	dscp=63|
	ttl=255|
	ttl=-1|
	direction=egress|
END
check "the options are listed" matches "$(fbctl types rewrite)" 'port.destination +- +1 to 65535 +Destination port of TCP'
fbctl -b - <<-'END'
	set r source=2001:db8::9
	set r mac.destination=02:00:00:00:00:ab
	set r ttl=-1
	set r vlan=push:7
END
fbctl save saved.toml
sed 's/2001:db8::9/2001:DB8:0::9/; s/:ab"/:AB"/' saved.toml >other.toml
check "another spelling changes nothing" not cmp -s saved.toml other.toml
check "a graph with it is saved, and is the same again" is "$(fbctl --dry-run apply other.toml)" "nothing to change"
fbctl rm r
fbctl apply saved.toml >/dev/null
fbctl save again.toml
check "and is made anew, just so" is "$(<again.toml)" "$(<saved.toml)"
clean

# --- Packets ---

for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then
		for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done
	else
		hook lan0 lan1
	fi
	bridge r rewrite
	fold python3 -S "$tests/rewrite.py" $way

	check "frames stay frames" is "$(fbctl -j stats r | number skbs)" 0

	# Another block in its place.
	fbctl set r ttl=64
	before=$(shown r rewritten)
	ping_quietly alice 5 192.0.2.2 >/dev/null
	check "each packet is counted once, each way" is "$(shown r rewritten)" $((before + 10))
	fbctl -b - <<-END
		add n rewrite
		set n port.source=7
		replace r n
	END
	check "a block that replaces it goes on counting" is "$(shown n rewritten)" $((before + 10))
	check "by its own options" not contains "$(fbctl show n)" ttl=
	fbctl set n direction=egress
	check "as does one that is set" is "$(shown n rewritten)" $((before + 10))
	clean
done
about=

# --- Hosts ---

for at in alice/a0 bob/b0; do
	ip netns exec ${at%/*} sh -c "echo 0 >/proc/sys/net/ipv6/conf/${at#*/}/disable_ipv6
		echo 0 >/proc/sys/net/ipv6/conf/${at#*/}/accept_dad"
done
ip -n alice address add 2001:db8::1/64 dev a0 nodad
ip -n bob address add 2001:db8::2/64 dev b0 nodad
ip -n alice neigh replace 2001:db8::3 lladdr $lan0_mac dev a0
ip -n bob neigh replace 2001:db8::1 lladdr $alice_mac dev b0
alice ethtool -K a0 tso on >/dev/null
bob ethtool -K b0 tso on >/dev/null
for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then
		# What has no checksum yet is nothing that a frame could say.
		alice ethtool -K a0 tx off >/dev/null
		bob ethtool -K b0 tx off >/dev/null
		for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done
	else
		hook lan0 lan1
	fi
	# Alice knows bob as 192.0.2.3 and 2001:db8::3, and his ports by another number.
	bridge there4 rewrite there6 rewrite back4 rewrite back6 rewrite
	fbctl -b - <<-END
		set there4 destination=192.0.2.2
		set there4 mac.destination=$bob_mac
		set there4 port.destination=5002
		set there4 direction=ingress
		set there6 destination=2001:db8::2
		set there6 ttl=-1
		set there6 direction=ingress
		set back4 source=192.0.2.3
		set back4 port.source=5001
		set back4 mac.source=$lan0_mac
		set back4 direction=egress
		set back6 source=2001:db8::3
		set back6 ttl=-1
		set back6 direction=egress
	END
	for address in 192.0.2.3 2001:db8::3; do
		check "pings to $address" ping_quietly alice 5 $address
		check "in fragments" ping_quietly alice 3 $address -s 5000
	done
	fold python3 -S "$tests/rewrite.py" talk
	for address in 192.0.2.3 2001:db8::3; do
		version=
		[ $address = 192.0.2.3 ] || version=6
		bob python3 -S "$tests/tcp.py" receive 5002 $version >tcp.in &
		alice python3 -S "$tests/tcp.py" send $address 5001 $((20000000 / $(scale 20))) >tcp.out
		wait $!
		check "TCP to $address arrives whole" is "$(cat tcp.in)" "$(cat tcp.out)"
	done
	# Multicast listeners are reported with a hop limit of 1.
	check "nothing was dropped" is "$(drops there4 filtered) $(drops there6 no-memory) $(drops back4 filtered)" "0 0 0"
	# Bob knows of no VLAN, or of another one.
	clean
	if [ $way = frames ]; then for lan in lan0 lan1; do vlink ethernet hook $lan --xdp --yes; done; else hook lan0 lan1; fi
	bridge there rewrite back rewrite
	ip -n alice link add link a0 name a0.10 type vlan id 10
	ip -n alice link set a0.10 up
	ip -n alice address add 198.51.100.1/24 dev a0.10
	ip -n bob link add link b0 name b0.20 type vlan id 20
	ip -n bob link set b0.20 up
	ip -n bob address add 198.51.100.2/24 dev b0.20
	fbctl -b - <<-END
		set there vlan=20
		set there direction=ingress
		set back vlan=10
		set back direction=egress
	END
	check "from one VLAN to another" ping_quietly alice 5 198.51.100.2
	check "large ones, too" ping_quietly alice 3 198.51.100.2 -s 5000
	ip -n bob link del b0.20
	ip -n bob address add 198.51.100.2/24 dev b0
	ip -n alice neigh flush dev a0.10
	fbctl -b - <<-END
		set there vlan=pop
		set back vlan=push:10
	END
	check "from a VLAN to none" ping_quietly alice 5 198.51.100.2
	check "large ones, too" ping_quietly alice 3 198.51.100.2 -s 5000
	bob python3 -S "$tests/tcp.py" receive 5002 >tcp.in &
	alice python3 -S "$tests/tcp.py" send 198.51.100.2 5002 $((20000000 / $(scale 20))) >tcp.out
	wait $!
	check "TCP arrives whole" is "$(cat tcp.in)" "$(cat tcp.out)"
	ip -n bob address del 198.51.100.2/24 dev b0
	ip -n alice link del a0.10
	clean
done
about=

# --- Malformed packets, at full speed ---

# Nothing but these comes while counters are read.
for at in alice/a0 bob/b0; do ip netns exec ${at%/*} sh -c "echo 1 >/proc/sys/net/ipv6/conf/${at#*/}/disable_ipv6"; done
for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then vlink ethernet hook lan0 --xdp; else hook lan0; fi
	settings=(source=192.0.2.7 port.destination=7 ttl=-1)
	fbctl -b - <<-END
		add r rewrite
		add k checksum
		add c counter
		bind r lan0
		bind k r
		bind c k
		set r ${settings[0]}
		set r ${settings[1]}
		set r ${settings[2]}
	END
	under_load $way r rewrite "${settings[@]}"
	entered=$(fbctl -j stats lan0 | number packets)
	check "replaced $turns times at full speed: each packet is rewritten, once" is \
		"$(shown "$block" rewritten) $(shown "$block" untouched)" "$entered 0"
	check "with right checksums" is "$(shown k right) $(shown k wrong)" "$entered 0"
	check "none is lost" test "$(shown c packets)" = "$entered" -a "$entered" -gt 0 -a "$turns" -gt 1
	clean
	if [ $way = frames ]; then vlink ethernet hook lan0 --xdp; else hook lan0; fi
	fbctl -b - <<-'END'
		add a rewrite
		add b rewrite
		add c counter
		bind a lan0
		bind b a
		bind c b
		set a vlan=pop
		set a source=192.0.2.7
		set a destination=2001:db8::7
		set a port.source=7
		set a ttl=-1
		set b vlan=push:7
		set b mac.source=02:00:00:00:00:07
		set b source=2001:db8::7
		set b port.destination=7
	END
	check "malformed packets" ip netns exec alice python3 -S "$tests/pktfuzz.py" --seconds 3 --seed "${LANA_SEED:-1}" \
		--mac $lan0_mac --to 192.0.2.3 --to 2001:db8::3 a0
	still
	a=$(fbctl -j stats a | number packets)
	check "each is rewritten, untouched or dropped" is "$(($(shown a rewritten) + $(shown a untouched) + $(drops a filtered)))" "$a"
	check "some of each" test $(($(shown a rewritten) > 0 && $(shown a untouched) > 0)) = 1
	check "all get a tag" is "$(shown b rewritten) $(shown b untouched)" "$((a - $(drops a filtered))) 0"
	clean
done
about=

done_testing

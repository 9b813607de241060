# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Malformed packets, at full speed, through the blocks that look into packets. LANA_SEED, LANA_MINUTES: for
# the long form, all together. First as skbs, then as frames, by native XDP.

. "${0%/*}/../lib.sh"

load
hosts
ip link set lan0 mtu 9000
ip -n alice link set a0 mtu 9000
counted() { awk -v key="$1" '$1 ~ key { sum += $2 } END { print sum + 0 }' "$fblock/e"; }
passed_up() { awk 'NR > 1 { sum += $8 } END { print sum }' /proc/net/lana/ppe; }
# Four kinds of blocks, each in two ways.
seconds=$((${LANA_MINUTES:-0} * 60 / 8))
for way in skbs frames; do
	about="$way: "
	unclaimed_before=$(passed_up)
	if [ $way = frames ]; then vlink ethernet hook lan0 --xdp; else hook lan0; fi
	fbctl -b - <<-END
		set lan0 unclaimed=stack
		add f bpf
		add e icmp-echo
		bind f lan0
		bind e f
		set f program=@$top/examples/ipv4.txt
		set f direction=egress
		set e addr=192.0.2.3,198.51.100.0/24,2001:db8::3,2001:db8:1::/64
		set e arp=on
		set e rate-source=1000
		set e rate=1000000
	END
	for what in "192.0.2.3 --to 2001:db8::3" "198.51.100.7 --to 2001:db8:1::7" "192.0.2.99 --to fe80::99"; do
		# shellcheck disable=SC2086
		check "malformed packets to ${what/--to/and}" ip netns exec alice python3 -S "$tests/pktfuzz.py" \
			--seconds $((seconds / 3 + 2)) --seed "${LANA_SEED:-1} $what" --mac $lan0_mac --to $what a0
	done
	still
	packets=$(fbctl -j stats e | number packets)
	answered=$(counted '^answered$|^answered.arp|^answered.neighbour')
	refused=$(counted '^refused')
	unclaimed=$(($(passed_up) - unclaimed_before))
	diag "$packets packets: $answered answered, $refused refused, $unclaimed for Linux" "$(<"$fblock/e")"
	check "some were answered, and some refused" [ "$answered" -gt 0 -a "$refused" -gt 0 ]
	for kind in answered answered.arp answered.neighbour; do
		check "$kind: some" [ "$(counted "^$kind\$")" -gt 0 ]
	done
	# Of a packet whose checksum a device is to put where the packet is cut off no reply can be made.
	lost=$(drops e no-memory)
	check "each was answered, refused, or passed on" is "$((answered + refused + unclaimed + lost))" "$packets"
	check "or, hardly ever, none could be made" [ "$lost" -le $((packets / 10000)) ]
	fbctl set e rate-source=
	fbctl set f program=
	ip -n alice neigh replace 192.0.2.3 lladdr $lan0_mac dev a0
	check "a ping is still answered" ping_quietly alice 3 192.0.2.3
	clean
done
about=

# The blocks that look into packets of any kind: none is lost in them.
option() { fbctl show "$1" | grep -o " $2=[0-9]*" | cut -d= -f2; }
for way in skbs frames; do
	about="$way: "
	if [ $way = frames ]; then vlink ethernet hook lan0 --xdp; else hook lan0; fi
	fbctl -b - <<-END
		add k checksum
		add bad counter
		add c classify
		bind k lan0
		bind c k
		bind bad k
		set k complete=on
		set c 'rule.1=proto=tcp dport=1-1024 -> 1'
		set c 'rule.2=proto=udp -> 2'
		set c 'rule.3=ethertype=ipv6 src=2001:db8::/32 dscp=0 -> 3'
		set c 'rule.4=icmp-type=128 -> drop'
		set c 'rule.5=vlan=1-4095 -> 1'
	END
	for number in 0 1 2 3; do
		fbctl add "c$number" counter
		fbctl bind "c$number" c
	done
	check "malformed packets to checksum and classify" ip netns exec alice python3 -S "$tests/pktfuzz.py" \
		--seconds $((seconds + 2)) --seed "${LANA_SEED:-1}" --mac $lan0_mac --to 192.0.2.3 --to 2001:db8::3 a0
	still
	came=$(fbctl -j stats k | number packets)
	right=$(option k right) wrong=$(option k wrong) unverified=$(option k unverified)
	diag "$came packets: $right right, $wrong wrong, $unverified not verified"
	check "some are right, some are wrong, some cannot be verified" [ "$right" -gt 0 -a "$wrong" -gt 0 -a "$unverified" -gt 0 ]
	check "each is one of these" is "$((right + wrong + unverified))" "$came"
	check "what is wrong goes its own way" is "$(cut -d' ' -f1 "$fblock/bad")" "$wrong"
	all=$(cut -d' ' -f1 "$fblock"/c[0-3] | paste -sd+ | bc)
	check "the rest goes where rules say" is "$((all + $(drops c filtered)))" "$((right + unverified))"
	for number in 0 1 2 3; do
		check "some by port $number" [ "$(cut -d' ' -f1 "$fblock/c$number")" -gt 0 ]
	done
	clean
done
about=

# Blocks that make other packets of packets: malformed ones come up to them from alice, and down from bob.
ip link set lan1 mtu 9000
ip -n bob link set b0 mtu 9000
for way in skbs frames; do
	for kind in crypt compress; do
		about="$kind, $way: "
		for lan in lan0 lan1; do
			if [ $way = frames ]; then vlink ethernet hook $lan --xdp --yes; else hook $lan; fi
		done
		bridge k $kind wire counter
		if [ $kind = crypt ]; then
			fbctl -b - <<-END
				set k tx.key=1:000102030405060708090a0b0c0d0e0f
				set k rx.1.key=101112131415161718191a1b1c1d1e1f
				set k rx.2.key=202122232425262728292a2b2c2d2e2f
			END
		fi
		check "malformed packets come up" ip netns exec alice python3 -S "$tests/pktfuzz.py" --seconds $((seconds / 2 + 2)) \
			--seed "${LANA_SEED:-1} $kind" --mac $bob_mac --to 192.0.2.2 --format $kind a0
		check "and down" ip netns exec bob python3 -S "$tests/pktfuzz.py" --seconds $((seconds / 2 + 2)) \
			--seed "${LANA_SEED:-1} $kind down" --mac $alice_mac --to 192.0.2.1 --format $kind b0
		still
		diag "$(fbctl show k)" "$(fbctl stats k)"
		if [ $kind = crypt ]; then
			check "some are clear, some forged, some malformed" \
				[ "$(option k clear)" -gt 0 -a "$(option k forged)" -gt 0 -a "$(drops k malformed)" -gt 0 ]
			check "what goes down is encrypted" [ "$(option k encrypted)" -gt 0 ]
			check "and none is let through" is "$(option k decrypted)" 0
			came=$(option k no-key) stale=$(option k stale) again=$(option k replayed)
			all=$((came + stale + again + $(option k clear) + $(option k forged) + $(option k spent)))
			check "each that is filtered has its reason" is "$(drops k filtered)" "$all"
		else
			check "some are decompressed, some corrupt, some malformed" \
				[ "$(option k decompressed)" -gt 0 -a "$(option k corrupt)" -gt 0 -a "$(drops k malformed)" -gt 0 ]
			check "what goes down is compressed, or passes" [ "$(option k compressed)" -gt 0 -a "$(option k plain)" -gt 0 ]
		fi
		clean
	done
done
about=
ip link set lan1 mtu 1500
ip -n bob link set b0 mtu 1500

# Two wires, and equal graphs at their ends: one gets skbs, the other one frames.
ip link set lan0 mtu 1500
ip -n alice link set a0 mtu 1500
ip link add lan2 address $lan0_mac type veth peer name a2 netns alice address $alice_mac
devices+=(lan2)
ip link set lan2 up
ip -n alice link set a2 up
# The hosts of alice must not speak of their own.
ip -n alice address flush dev a0
hook lan0
vlink ethernet hook lan2 --xdp
vlink -n alice ethernet hook a2 --xdp
fbctl -n alice set a2 unclaimed=stack
for device in lan0 lan2; do
	fbctl -b - <<-END
		add c-$device counter
		add e-$device icmp-echo
		bind c-$device $device
		bind e-$device c-$device
		set e-$device addr=192.0.2.3,198.51.100.0/24,2001:db8::3,2001:db8:1::/64
		set e-$device arp=on
		set e-$device rate-source=1000000
		set e-$device rate=1000000
	END
done
frames=$(scale 2500)
fold ip netns exec alice python3 -S "$tests/twoways.py" "$((frames > 640 ? frames : 640))" "${LANA_SEED:-1}" $lan0_mac 192.0.2.3 2001:db8::3
vlink -n alice ethernet unhook a2
diag "skbs: $(<"$fblock/c-lan0"); frames: $(<"$fblock/c-lan2")"
clean

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Malformed packets through all blocks that there are, up and down at the same time: each block gets a copy of each packet
# that comes up, and one in so many that come down. LANA_LONG=1: for ten minutes. LANA_SEED, LANA_MINUTES.
#
#     lan0 --- tee --- each block --- multipath --- lan1

. "${0%/*}/../lib.sh"

load
hosts
seconds=6
[ -z "${LANA_LONG:-}" ] || seconds=600
[ -z "${LANA_MINUTES:-}" ] || seconds=$((LANA_MINUTES * 60))
ip -batch - <<-END
	link set lan0 mtu 9000
	link set lan1 mtu 9000
	link add u0 mtu 9000 address 02:00:00:00:00:77 type veth peer name u1 mtu 9000 netns bob
	link add x0 mtu 9000 type veth peer name x1 mtu 9000 netns bob
	address add 203.0.113.1/24 dev u0
	link set u0 up
	link set x0 up
END
devices+=(u0 x0)
ip -n alice link set a0 mtu 9000
ip -n bob -batch - <<-END
	link set b0 mtu 9000
	address add 203.0.113.2/24 dev u1
	link set u1 up
	link set x1 up
END
# How many packets each block is to see, at least.
many=$((seconds * $(scale 20)))
# Those with a tee below and a multipath on top.
blocks=(biflow checksum classify compress counter crypt defrag delay dummy fragment icmp-echo nat netflow queue reliable rewrite route shape switch bpf)
graph() {
	cat <<-END
		add tee tee
		bind tee lan0
		add multipath multipath
		bind lan1 multipath
		set multipath strategy=packet
		set multipath learn=off
	END
	for block in "${blocks[@]}" plain vxlan; do
		case $block in plain | vxlan) kind=udp-tunnel ;; biflow) kind=netflow ;; *) kind=$block ;; esac
		echo "add $block $kind"
		echo "bind $block tee"
		echo "bind multipath $block"
	done
	cat <<-END
		set checksum complete=on
		set classify 'rule.1=proto=tcp dport=1-1024 -> drop'
		set classify 'rule.2=ethertype=ipv6 src=2001:db8::/32 dscp=0 -> drop'
		set classify 'rule.3=vlan=1-4095 -> drop'
		set crypt tx.key=1:000102030405060708090a0b0c0d0e0f
		set crypt rx.1.key=101112131415161718191a1b1c1d1e1f
		set delay latency=1ms
		set delay jitter=500us
		set delay loss=1%
		set delay duplicate=1%
		set fragment mtu=600
		set fragment df=fragment
		set icmp-echo addr=192.0.2.0/24,2001:db8::/64
		set icmp-echo arp=on
		set icmp-echo rate-source=1000000
		set icmp-echo rate=1000000
		set netflow version=ipfix
		set netflow key=addresses,ports,protocol,tos,interface,vlan,mac,label,mpls
		set netflow collector.1=203.0.113.2:4739
		set netflow inactive=100ms
		set netflow flows=1000
		set biflow version=9
		set biflow biflow=on
		set biflow sampling=hash:2
		set biflow key=addresses,ports,protocol,vlan,mac,label,mpls
		set biflow prefix6=57
		set biflow collector.1=203.0.113.2:2055
		set biflow active=1s
		set biflow flows=256
		set nat source=198.51.100.1
		set nat dest=192.0.2.9
		set nat map=192.0.2.0/28=198.51.100.16/28
		set nat npt=2001:db8::/48=fd00:1::/48
		set nat sessions=1000
		set queue rate=100mbit
		set queue drop=codel
		set queue ecn=on
		set rewrite vlan=push:7
		set rewrite source=192.0.2.77
		set rewrite port.destination=7
		set rewrite ttl=-1
		set route 'route.0=0.0.0.0/0 -> 0'
		set route 'route.1=::/0 -> 0'
		set route 'route.2=192.0.2.0/25 -> up'
		set route icmp=192.0.2.9
		set route icmpv6=2001:db8::9
		set shape rate=100mbit
		set shape limit=100
		set bpf program=@$top/examples/ipv4.txt
		set plain remote=203.0.113.2
		set plain port=4788
		set vxlan remote=203.0.113.2
		set vxlan port=4789
		set vxlan format=vxlan
		set vxlan vni=7
		bind virt0 tee
		bind sock0 tee
	END
}
# The kernel's threads come first: a record of each allocation waits for RCU's, and takes all memory if that has no turn.
fuzz() { # NAMESPACE FORMAT MAC ADDRESS DEVICE
	nice -n 19 ip netns exec "$1" python3 -S "$tests/pktfuzz.py" --seconds $((seconds / 2)) --seed "${LANA_SEED:-1} $5 $2" --mac "$3" \
		--from "${from:-192.0.2.1}" --to "$4" --to 2001:db8::3 ${2:+--format "$2"} "$5" >>fuzz.log 2>&1
}
for way in skbs frames; do
	about="$way: "
	for lan in lan0 lan1; do
		if [ $way = frames ]; then vlink ethernet hook $lan --xdp --yes; else hook $lan; fi
	done
	vlink ethernet add virt0 x0 10
	ip link set virt0 up
	sniff-lana --name sock0 --seconds $((seconds + 1000)) >/dev/null 2>&1 &
	sniffing=$!
	there() { fbctl show sock0 >/dev/null 2>&1; }
	wait_for 10 there
	graph | fbctl -b -
	check "all types of blocks are there" is "$(fbctl -j show | grep -o '"type":"[a-z-]*"' | cut -d '"' -f 4 | sort -u)" \
		"$(fbctl types | awk 'NR > 1 && NF > 5 { print $1 }' | sort)"
	fuzzing=()
	: >fuzz.log
	for format in "" crypt compress reliable; do
		fuzz alice "$format" $lan0_mac 192.0.2.3 a0 &
		fuzzing+=($!)
		fuzz bob "$format" $alice_mac 192.0.2.1 b0 &
		fuzzing+=($!)
	done
	fuzz bob ethvlink "$(</sys/class/net/x0/address)" 192.0.2.1 x1 &
	fuzzing+=($!)
	for format in plain vxlan; do
		from=203.0.113.2 fuzz bob $format 02:00:00:00:00:77 203.0.113.1 u1 &
		fuzzing+=($!)
	done
	wait "${fuzzing[@]}"
	still
	diag "$(<fuzz.log)" "$(fbctl show)" "$(fbctl stats)"
	came=$(fbctl -j stats tee | number packets)
	check "many packets came up" [ "$came" -gt $many ]
	for block in "${blocks[@]}" plain vxlan multipath virt0 sock0; do
		check "many at $block" [ "$(fbctl -j stats $block | number packets)" -gt $many ]
	done
	check "many in tunnels" [ "$(shown plain received)" -gt $seconds -a "$(shown vxlan received)" -gt $seconds ]
	check "some of them malformed" [ "$(drops vxlan malformed)" -gt 0 ]
	ip -n alice neigh replace 192.0.2.3 lladdr $lan0_mac dev a0
	check "a ping is still answered" ping_quietly alice 3 192.0.2.3
	kill $sniffing
	wait $sniffing || :
	fbctl unbind virt0 tee
	vlink ethernet rm virt0
	clean
done

done_testing

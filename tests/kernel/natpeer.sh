# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block nat beside nftables: the same packets come. Its kernel has nftables that translates, as Debian's has.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
namespace peer
ip -batch - <<-END
	link add pi netns peer address 02:00:00:00:00:21 type veth peer name b1 netns bob
	link add po netns peer address 02:00:00:00:00:22 type veth peer name a1 netns alice
END
ip -n bob link set b1 up
ip -n alice link set a1 up
ip -n peer -batch - <<-END
	link set lo up
	link set pi up
	link set po up
	address add 10.0.0.254/24 dev pi
	address add 192.0.2.100/24 dev po
	route add default via 192.0.2.1
	neigh replace 192.0.2.1 lladdr $alice_mac dev po
	neigh replace 10.0.0.1 lladdr $bob_mac dev pi
	neigh replace 10.0.0.9 lladdr $bob_mac dev pi
END
ip netns exec peer sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done'
ip netns exec peer nft -f - <<-END
	table ip t {
		chain post { type nat hook postrouting priority 100; oifname "po" snat to 192.0.2.100; }
		chain pre { type nat hook prerouting priority -100; iifname "po" tcp dport 80 dnat to 10.0.0.9:8080; }
	}
END
hook lan0 lan1
bridge x nat
fbctl -b - <<-END
	set x source=192.0.2.100
	set x dest=10.0.0.9:8080
	set x dest.port=80
	set x filter=session
END
fold python3 -S "$tests/natpeer.py" skbs 02:00:00:00:00:21 02:00:00:00:00:22
clean

done_testing

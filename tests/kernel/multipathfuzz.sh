# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Malformed packets through multipath, down and up, by one strategy after the other. LANA_SEED, LANA_MINUTES:
# for the long form.

. "${0%/*}/../lib.sh"

load
namespace alice bob
ip -batch - <<-END
	link add lan0 mtu 9000 type veth peer name a0 mtu 9000 netns alice
	link add o0 mtu 9000 type veth peer name p0 mtu 9000 netns bob
	link add o1 mtu 9000 type veth peer name p1 netns bob
	link set lan0 up
	link set o0 up
	link set o1 up
END
devices=(lan0 o0 o1)
ip -n alice link set a0 up
ip -n bob link set p0 up
ip -n bob link set p1 up
hook lan0 o0 o1
fbctl -b - <<-END
	add m multipath
	set m sessions=1000
	set m expiry=1
	set m gap=1
	set m per=session
	bind lan0 m
	bind m o0
	bind m o1
END
# Packets by the ports, and those that came to it.
spread() { awk '/^source/ { exit } NR > 1 { sum += $6 } END { print sum }' "$fblock/m"; }
came() { fbctl -j stats m | number packets; }
seed=$((${LANA_SEED:-1} * 100))
fuzz() { # NAMESPACE DEVICE
	ip netns exec "$1" python3 -S "$tests/pktfuzz.py" --seconds "$seconds" --seed $seed \
		--mac 02:00:00:00:00:01 --to 192.0.2.3 --to 198.51.100.7 --to 2001:db8::3 "$2"
}
seconds=$((${LANA_MINUTES:-0} * 60 / 9 + 2))
for strategy in route packet session bandwidth utilisation flowlet hash loss; do
	fbctl set m strategy=$strategy
	# The last one reads more of the headers.
	if [ $strategy = loss ]; then
		fbctl -b - <<-END
			set m history=1000
			set m key=l4,inner,vlan,label
			set m port.0.mac=02:00:00:00:00:01
			set m ttl=decrement
		END
	fi
	before=$(came)
	seed=$((seed + 1))
	check "$strategy: malformed packets" fuzz alice a0
	still
	check "$strategy: many came" [ "$(came)" -gt $((before + 1000)) ]
	check "$strategy: each went by a port or is counted" is "$(($(spread) + $(drops m ttl-expired) + $(drops m malformed)))" "$(came)"
done
check "some had no TTL left" [ "$(drops m ttl-expired)" -gt 0 ]
check "the history has some" [ "$(grep -c '^[0-9a-f.:]* [0-9a-f.:]* [01] ' "$fblock/m")" -gt 100 ]
fbctl -b - <<-END
	set m ttl=
	set m probe=icmp
END
# The block reads them there to learn from them.
fbctl set m strategy=session
down=$(spread)
check "malformed packets on their way up" fuzz bob p0
still
check "many came" [ "$(came)" -gt $((down + 1000)) ]
check "and none was spread" is "$(spread)" "$down"
diag "$(<"$fblock/m")" "$(fbctl stats)"
clean

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What else could go wrong between LANA and the rest of Linux; tests/hazards.md has the whole list.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
counted() { cut -d ' ' -f 1 "$fblock/$1"; }

# --- Packets that a host sends to itself ---

ip address add 192.0.2.3/24 dev lan0
check "Linux loops multicast back" is "$(python3 -S "$tests/multicast.py" 192.0.2.3 5)" 5
hook lan0
fbctl -b - <<-END
	add c counter
	bind c lan0
END
check "so it does on a hooked device: such packets pass untouched" \
	is "$(python3 -S "$tests/multicast.py" 192.0.2.3 5)" 5
check "the graph does not see them" is "$(counted c)" 0
ip address del 192.0.2.3/24 dev lan0

# --- Who is earlier in the receive path ---

# To nobody, so that nobody answers; not shared with the generator: XDP would not stand that.
alice_sends() {
	ip netns exec alice "$tests/pktgen" a0 "$1" "dst_mac 02:00:00:00:00:0c" "flag !SHARED" "${@:2}"
}
alice_sends 10
check "without anybody before it, LANA gets all" is "$(counted c)" 10
tc qdisc add dev lan0 clsact
tc filter add dev lan0 ingress protocol all matchall action drop
alice_sends 10
check "what tc drops does not come to LANA" is "$(counted c)" 10
tc filter del dev lan0 ingress
tcpdump -q -n -i lan0 -c 10 -w seen.pcap >tcpdump.log 2>&1 &
wait_for 20 grep -q listening tcpdump.log
alice_sends 10
check "tcpdump sees what LANA takes" wait_for 10 not kill -0 $!
check "and LANA gets it as well" is "$(counted c)" 20

mkdir bpf
mount -t bpf bpf bpf
python3 -S "$tests/bpfload.py" "$PWD/bpf"
for mode in xdpgeneric xdpdrv; do
	was=$(counted c)
	ip link set lan0 $mode pinned bpf/xdp-drop
	alice_sends 10
	check "what $mode drops does not come to LANA" is "$(counted c)" "$was"
	ip link set lan0 $mode off
	ip link set lan0 $mode pinned bpf/xdp-pass
	alice_sends 10
	all() { [ "$(counted c)" = $((was + 10)) ]; }
	check "what $mode passes does" wait_for 5 all
	ip link set lan0 $mode off
done

# --- VLANs ---

was=$(counted c)
ip link add link lan0 name lan0.10 type vlan id 10
ip link set lan0.10 up
devices+=(lan0.10)
alice_sends 10 "vlan_id 10"
check "packets of a VLAN that has a device go to that" is "$(counted c) $(<"/sys/class/net/lan0.10/statistics/rx_packets")" "$was 10"
alice_sends 10 "vlan_id 11"
check "those of another VLAN go to LANA" is "$(counted c)" $((was + 10))
vlink ethernet hook lan0.10
fbctl add v counter
fbctl bind v lan0.10
alice_sends 10 "vlan_id 10"
check "the VLAN's device can be hooked itself" is "$(counted v) $(counted c)" "10 $((was + 10))"
ip link del lan0.10
check "and goes" is "$(grep -c '^lan0.10 ' /proc/net/lana/fblocks || :)" 0
clean

# --- LRO ---

ip link add name team0 type bond mode 1
devices+=(team0)
hook team0
check "a hooked device puts no packets together that cannot be taken apart (LRO)" \
	matches "$(ethtool -k team0)" "large-receive-offload: off"
unhook team0
ip link del team0

# --- What stays with a packet that leaves by another device ---

hook lan0 lan1
bridge m counter
tc filter add dev lan0 ingress bpf direct-action pinned bpf/tc-priority
tc qdisc add dev lan1 root handle 1: htb
tc class add dev lan1 parent 1: classid 1:2 htb rate 1gbit
alice_sends 10
class() { tc -s class show dev lan1 | sed -n 's/.*Sent [0-9]* bytes \([0-9]*\) pkt.*/\1/p'; }
check "they have passed" is "$(counted m)" 10
check "a packet's priority does not stay with it" is "$(class)" 0
tc filter del dev lan0 ingress
# What a classifier has said of a packet is its own, and qdiscs go by it.
came() { bob cat /sys/class/net/b0/statistics/rx_packets; }
arrived() { [ "$(came)" -ge $((was + $1)) ]; }
tc qdisc add dev lan1 clsact
tc filter add dev lan0 ingress bpf direct-action pinned bpf/tc-index
tc filter add dev lan1 egress bpf direct-action pinned bpf/tc-index-only
was=$(came)
alice_sends 10
check "what traffic control noted of a packet does" wait_for 5 arrived 10
tc qdisc del dev lan1 clsact
tc qdisc del dev lan0 clsact

# The count of its ways through the graph stays with it, though XDP copies it at each device.
ip link add loop0 type veth peer name loop1
devices+=(loop0)
for device in loop0 loop1; do
	ip link set $device xdpdrv pinned bpf/xdp-pass
	ip link set $device up
done
hook loop0 loop1
fbctl -b - <<-END
	add l counter
	bind l loop0
	bind loop1 l
END
pktgen loop0 10 "flag !SHARED"
ended() { [ "$(drops loop1 hop-limit)" = 10 ]; }
check "the count of how often it came does, through devices that copy it" wait_for 20 ended
fbctl -b - <<-END
	unbind loop1 l
	unbind l loop0
	rm l
END
unhook loop0 loop1
ip link del loop0

# --- Who is later, on the way out ---

queued() { tc -s qdisc show dev lan1 root | sed -n 's/.* \([0-9]*\) pkt .*/\1/p'; }
check "what leaves waits in the device's queue, where it has one" is "$(queued)" 20
tc qdisc del dev lan1 root
was=$(came)
alice_sends 10
check "without one it leaves at once" wait_for 5 arrived 10
tcpdump -q -n -i lan1 -Q out -c 10 -w seen.pcap >tcpdump.log 2>&1 &
wait_for 20 grep -q listening tcpdump.log
alice_sends 10
check "tcpdump sees what leaves" wait_for 10 not kill -0 $!
check "and it leaves all the same" wait_for 5 arrived 20
tc qdisc add dev lan1 clsact
tc filter add dev lan1 egress protocol all matchall action drop
alice_sends 10
dropped() { tc -s filter show dev lan1 egress | sed -n 's/.*(dropped \([0-9]*\),.*/\1/p'; }
check "tc at the egress gets what leaves" is "$(dropped)" 10
tc qdisc del dev lan1 clsact
nft -f - <<-END
	table netdev t {
		chain out { type filter hook egress device lan1 priority 0; counter drop; }
	}
END
alice_sends 10
check "so does nftables" matches "$(nft list table netdev t)" "packets 10 "
nft delete table netdev t
check "and what they drop does not leave" is "$(came)" $((was + 20))

# --- More than 64 KiB in a packet ---

# IFLA_GSO_MAX_SIZE, IFLA_GSO_IPV4_MAX_SIZE, IFLA_GRO_IPV4_MAX_SIZE: not every ip(8) knows them.
big="
import struct, sys
from lana import attr
from rig import Route, inside
for place in sys.argv[1:]:
    namespace, device = place.split(':')
    more = b''.join(attr(kind, struct.pack('I', 180000)) for kind in (41, 63, 64))
    answer = inside(namespace, lambda: (route := Route()).send(route.link_message(16, device, more=more)))
    sys.exit(str(answer)) if answer.error else None
"
check "devices take packets of more than 64 KiB" \
	env PYTHONPATH="$tests" python3 -S -c "$big" alice:a0 bob:b0 :lan0 :lan1
# Enough that the first ones, which are small, do not matter.
bytes=$(scale 50000000)
[ "$bytes" -gt 20000000 ] || bytes=20000000
bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 "$bytes" >tcp.out
wait $!
check "TCP passes, every byte of it" is "$(<tcp.in)" "$(<tcp.out)"
check "it was as much as it should be" matches "$(<tcp.in)" "^$bytes "
# Acknowledgements go the other way.
[[ $(fbctl -j stats lan1) =~ \"packets\":([0-9]+),\"bytes\":([0-9]+) ]]
if [ "$(scale 50)" = 1 ]; then
	skip "in packets of more than 64 KiB" "the packets of a sender as slow as that do not grow"
else
	check "in packets of more than 64 KiB" [ "$((BASH_REMATCH[2] / BASH_REMATCH[1]))" -gt 40000 ]
fi
clean

# --- Frames ---

# They enter before tc. Nobody fills in a checksum that was left to the device.
alice ethtool -K a0 tx off >/dev/null
bob ethtool -K b0 tx off >/dev/null
vlink ethernet hook lan0 --xdp
vlink ethernet hook lan1 --xdp
bridge m counter
tc qdisc add dev lan0 clsact
tc filter add dev lan0 ingress protocol all matchall action drop
bytes=$(scale 20000000)
bob python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
alice python3 -S "$tests/tcp.py" send 192.0.2.2 5001 "$bytes" >tcp.out
wait $!
check "TCP passes by native XDP, every byte of it" is "$(<tcp.in)" "$(<tcp.out)"
check "it was as much as it should be, and tc did not see it" matches "$(<tcp.in)" "^$bytes "
tc qdisc del dev lan0 clsact
clean

# --- What is told of devices ---

hook lan1
listen events -j
ip link set lan1 down
ip link set lan1 name new1
ip link set new1 up
namespace red
ip link set new1 netns red
wait_for 5 grep -q '"removed"' events || :
fold python3 -S "$tests/events.py" events <<-END
	device-down fb=lan1 ifname=lan1
	device-renamed fb=lan1 ifname=new1
	device-up fb=lan1 ifname=new1
	device-down fb=lan1
	device-gone fb=lan1 ifname=new1
	removed fb=lan1
END
kill $monitor
fold python3 -S "$tests/deaf.py" 500
clean

# --- Rights ---

# A namespace of a user who is nothing outside of it; a block in it is ours.
unshare -Urn sh -c 'echo $$ >inner; while [ ! -e go ]; do :; done
	id -u >result
	echo "{ 0x6, 0, 0, 0 }," | tee /proc/net/lana/fblock/f >>result 2>&1
	cat /proc/net/lana/fblock/f >>result
	fbctl rm f 2>>result
	fbctl show >>result
	setpriv --bounding-set -net_admin --inh-caps -net_admin sh -c "
		fbctl -j show f >lesser
		cat /proc/net/lana/fblock/f 2>>lesser"' &
inner=$!
wait_for 10 test -s inner
nsenter -t "$(<inner)" -n fbctl -b - <<-END
	add f bpf
	set f 'program={ 0x6, 0, 0, 0x00000777 },'
END
touch go
wait $inner || :
check "root of a user namespace is root there" is "$(head -n 1 result)" 0
check "and may not write to a file of its graph" contains "$(<result)" "f: Operation not permitted"
check "nor change it by netlink" contains "$(<result)" "rm f: Operation not permitted"
check "though look at it" matches "$(<result)" "f +bpf .*instructions=1"
check "at its filters, too: the namespace is its own" contains "$(<result)" "0x00000777"
check "netlink shows it them as well" contains "$(<result)" 'program="1\n6 0 0 1911"'
check "without CAP_NET_ADMIN there it is shown that there is one" contains "$(<lesser)" '"withheld":true'
check "and not which" not contains "$(<lesser)" 1911
check "neither by its file" contains "$(<lesser)" "Operation not permitted"

# Who is nobody sees the graph and hears of changes, and sees no configuration.
nobody() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
fbctl -b - <<-END
	add f bpf
	add c counter
	bind c f
	set f 'program={ 0x6, 0, 0, 0x00000777 },'
	set f direction=ingress
END
check "who configures sees filters" contains "$(fbctl -j show f)" "1911"
check "nobody sees blocks and how they are bound" contains "$(nobody fbctl -j show c)" '"peer-name":"f"'
check "and what they count" contains "$(nobody fbctl -j stats c)" '"packets":0'
check "and how large a filter is" contains "$(nobody fbctl -j show)" '{"key":"instructions","value":"1"}'
check "but not which" not contains "$(nobody fbctl -j show; nobody fbctl -j show f)" 1911
check "nor anything else that is set" not contains "$(nobody fbctl -j show)" '"value":"ingress"'
check "and is told so" contains "$(nobody fbctl show)" "(more for CAP_NET_ADMIN)"
check "to programs as well" contains "$(nobody fbctl -j show f)" '"withheld":true'
check "a block without configuration is shown whole" not contains "$(nobody fbctl -j show c)" withheld
check "nobody reads the file of a counter" nobody cat "$fblock/c"
check "and not that of a filter" contains "$(nobody cat "$fblock/f" 2>&1 || :)" "Operation not permitted"
check "nobody saves a graph without its options" contains "$(nobody fbctl save 2>&1 || :)" \
	"save: block 'f' cannot be read whole: Operation not permitted (needs CAP_NET_ADMIN)"
check "an open file has the rights of who opened it" is "$(nobody cat 2>&1 <"$fblock/f")" "{ 0x6, 0, 0, 0x00000777 },"
: >events
(
	cd / # where nobody may be
	nobody fbctl monitor -c 1
) >events 2>&1 &
wait_for 10 eval 'fbctl set f "program={ 0x6, 0, 0, 0x00000778 }," && [ -s events ]'
check "nobody hears of changes" contains "$(<events)" "option-set f"
check "and not of values" not contains "$(<events)" 191
fbctl apply --empty /dev/null >/dev/null

# --- A namespace that goes while a file of its graph is open ---

ip netns add green
ip netns exec green fbctl add f bpf
ip netns exec green sh -c 'exec 3<>/proc/net/lana/fblock/f; touch opened; while [ ! -e over ]; do :; done
	echo "1
6 0 0 0" >&3; cat <&3' >late 2>&1 &
late=$!
wait_for 10 test -e opened
ip netns del green
touch over
wait $late
check "who has a file of it open can still write and read it" contains "$(<late)" 0x00000000

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# multipath: what alice sends is spread over three links to bob, IPv4 and IPv6, by every strategy and while
# all changes; real hosts talk over it; what is set, saved and applied.

. "${0%/*}/../lib.sh"

load
namespace alice bob
ip -batch - <<-END
	link add lan0 type veth peer name a0 netns alice address $alice_mac
	link add o0 type veth peer name p0 netns bob
	link add o1 type veth peer name p1 netns bob
	link add o2 type veth peer name p2 netns bob
	link set lan0 up
	link set o0 up
	link set o1 up
	link set o2 up
END
devices=(lan0 o0 o1 o2)
ip -n alice link set a0 up
ip -n bob -batch - <<-END
	link set p0 up
	link set p1 up
	link set p2 up
END
option() { fbctl -j show m | grep -o "\"key\":\"$1\",\"value\":\"[^\"]*\"" | cut -d '"' -f 8; }
options() { fbctl -j show m | grep -o '"key":"[^"]*","value":"[^"]*"' | cut -d '"' -f 4,8 --output-delimiter ' '; }

hook lan0 o0 o1 o2

# --- What can be set ---

fbctl add m multipath
remember
check_fails "a strategy that there is not" 2 "strategy: route, packet, session, bandwidth, utilisation, flowlet, hash or loss" \
	fbctl set m strategy=random
check_fails "a weight that is none" 2 "port.0.weight: a number from 0 to 1000" fbctl set m port.0.weight=1001
check_fails "a port that there cannot be" 2 "port.64.weight: there are 64 ports" fbctl set m port.64.weight=1
check_fails "a state that is none" 2 "port.1.state: up or down" fbctl set m port.1.state=off
check_fails "a capacity that is none" 2 "port.1.capacity: a rate from 1bit to 10tbit" fbctl set m port.1.capacity=fast
check_fails "a next hop that is none" 2 "port.1.mac: a unicast MAC address" fbctl set m port.1.mac=ff:ff:ff:ff:ff:ff
check_fails "an expiry that is none" 2 "expiry: a number from 1 to 86400" fbctl set m expiry=0
check_fails "a gap that is none" 2 "gap: a number from 1 to 60000" fbctl set m gap=-1
check_fails "a table that is too large" 2 "sessions: a number from 64 to 4194304" fbctl set m sessions=4194305
check_fails "a key of routes that there is not" 2 "route-key: cache or destination" fbctl set m route-key=source
check_fails "an interval that is none" 2 "interval: a time from 100ms to 600s" fbctl set m interval=1
check_fails "an average that is none" 2 "average: a time from 100ms to 600s" fbctl set m average=601s
check_fails "a usage that is none" 2 "usage: average or last" fbctl set m usage=all
check_fails "on or off" 2 "learn: on or off" fbctl set m learn=maybe
check_fails "packets or sessions" 2 "per: packet or session" fbctl set m per=flow
check_fails "an option that there is not" 2 "no option 'port.1.mass'" fbctl set m port.1.mass=1
check_fails "what only shows cannot be set" 2 "no option 'port.1.packets'" fbctl set m port.1.packets=1

# What is set before a port is bound holds for it then, and goes with what it is bound to.
fbctl -b - <<-END
	set m port.1.weight=2
	set m port.2.weight=5
	set m port.2.capacity=1500kbit
	set m port.2.mac=02:00:00:00:00:0A
	set m gap=70
	bind lan0 m
	bind m o0
	bind m o1
	bind m o2
END
check "what is set ahead holds when the port is bound" is "$(option port.1.weight) $(option port.2.weight) $(option port.2.wanted)" "2 5 62.50%"
check "the capacity is shown as it is used" matches "$(grep '^2 o2 up 5 ' "$fblock/m")" " 1500kbit "
check "that of a device is its speed" matches "$(grep '^0 o0 up 1 ' "$fblock/m")" " 10gbit "
check "so is a next hop" is "$(option port.2.mac)" 02:00:00:00:00:0a
fbctl unbind m o1
check "when a port goes, those behind it keep what is set" is "$(option port.1.weight) $(option port.1.capacity) $(option port.2.weight)" "5 1500kbit "
fbctl bind m o1
check "bound again it is a new one" is "$(option port.1.weight) $(option port.2.weight)" "5 "

fbctl save >saved.toml
before=$(options)
check "what is saved applies without a change" is "$(fbctl apply saved.toml)" "nothing to change"
fbctl -b - <<-END
	unbind m o0
	unbind m o2
	unbind m o1
	unbind lan0 m
	rm m
END
check "a graph that was saved comes back" fbctl apply saved.toml
check "with all that was set" is "$(options)" "$before"
check "applied again it changes nothing" is "$(fbctl apply saved.toml)" "nothing to change"
# The numbers of the ports are those that the file has, whatever they were before.
cat >fewer.toml <<-END
	bindings = [ ["m", "o2"], ["m", "o1"], ["lan0", "m"] ]
	devices = { lan0.subsystem = "ethernet", o0.subsystem = "ethernet", o1.subsystem = "ethernet", o2.subsystem = "ethernet" }
	[blocks.m]
	type = "multipath"
	options."port.1.weight" = "5"
END
fbctl set m port.2.weight=9
fbctl set m port.0.weight=4
check "a file with fewer ports is applied" fbctl apply fewer.toml
check "each port has what the file says" is "$(option port.0.weight) $(option port.0.capacity) $(option port.1.weight) $(option port.2.weight)" "  5 "
check "and there is no more to change" is "$(fbctl apply fewer.toml)" "nothing to change"
fbctl -b - <<-END
	unbind m o2
	unbind m o1
	unbind lan0 m
	rm m
END

# --- Packets ---

# Alice counts, sends and looks what comes to bob.
fold python3 -S "$tests/multipath.py"

# --- Hosts ---

ip -n alice address add 192.0.2.1/24 dev a0
ip -n bob -batch - <<-END
	link add br0 address $bob_mac type bridge
	link set p0 master br0
	link set p1 master br0
	link set p2 master br0
	link set br0 up
	address add 192.0.2.2/24 dev br0
END
for at in alice/a0 bob/br0; do
	ip netns exec "${at%/*}" sh -c "echo 0 >/proc/sys/net/ipv6/conf/${at#*/}/accept_dad
		echo 0 >/proc/sys/net/ipv6/conf/${at#*/}/disable_ipv6"
done
ip -n alice -6 address add 2001:db8::1/64 dev a0
ip -n bob -6 address add 2001:db8::2/64 dev br0
ip -n alice -batch - <<-END
	neigh replace 192.0.2.2 lladdr $bob_mac dev a0
	neigh replace 2001:db8::2 lladdr $bob_mac dev a0
END
ip -n bob -batch - <<-END
	neigh replace 192.0.2.1 lladdr $alice_mac dev br0
	neigh replace 2001:db8::1 lladdr $alice_mac dev br0
END
fbctl -b - <<-END
	add m multipath
	bind lan0 m
	bind m o0
	bind m o1
	bind m o2
END
answered() { contains "$(ping_quietly alice "$@")" " $1 received"; }
for strategy in route packet session bandwidth utilisation flowlet hash; do
	fbctl set m strategy=$strategy
	check "$strategy: alice and bob talk" answered 30 192.0.2.2
	check "$strategy: by IPv6" answered 30 2001:db8::2
	check "$strategy: in many fragments" answered 20 192.0.2.2 -s 20000
	check "$strategy: by IPv6 in many fragments" answered 20 2001:db8::2 -s 20000
done
# Bob begins, by the link p1, which the strategy would not choose.
ip netns exec bob bridge fdb replace $alice_mac dev p1 master static sticky
fbctl -b - <<-END
	set m strategy=session
	set m port.1.weight=0
END
replied() { # COUNT COMMAND…: replies to what bob does leave by o1, so many or more
	local before after count=$1
	before=($(option port.0.packets) $(option port.1.packets) $(option port.2.packets))
	shift
	"$@" || return
	after=($(option port.0.packets) $(option port.1.packets) $(option port.2.packets))
	diag "by the links: ${before[*]} then ${after[*]}"
	# What hosts send by themselves goes by the others.
	[ $((after[1] - before[1])) -ge "$count" ] &&
		[ $((after[0] + after[2] - before[0] - before[2])) -le 4 ]
}
from_bob() { contains "$(ping_quietly bob "$@")" " $1 received"; }
serve='import socket, sys
listener = socket.create_server((sys.argv[1], 7), family=socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
conn, _ = listener.accept()
while data := conn.recv(65536):
    conn.sendall(data)'
ask='import socket, sys, time
deadline = time.monotonic() + 20
while True:
    try:
        sock = socket.create_connection((sys.argv[1], 7), timeout=20)
        break
    except ConnectionRefusedError:
        if time.monotonic() > deadline:
            raise
        time.sleep(0.05)
for n in range(40):
    sock.sendall(bytes(1000))
    left = 1000
    while left:
        data = sock.recv(left)
        assert data, "closed"
        left -= len(data)'
talk() { # ADDRESS: alice echoes what bob sends by TCP
	ip netns exec alice python3 -S -c "$serve" "$1" &
	local server=$!
	ip netns exec bob python3 -S -c "$ask" "$1" && wait "$server"
}
check "replies to bob leave by the link that he came by" replied 30 from_bob 30 192.0.2.1
check "by IPv6" replied 30 from_bob 30 2001:db8::1
check "in many fragments" replied 200 from_bob 20 192.0.2.1 -s 20000
check "by IPv6 in many fragments" replied 200 from_bob 20 2001:db8::1 -s 20000
check "by TCP" replied 40 talk 192.0.2.1
check "by TCP and IPv6" replied 40 talk 2001:db8::1
check "what was learnt is counted" [ "$(option learnt)" -ge 6 ]
check "nothing was dropped at the balancer" is "$(fbctl -j stats m | number drops)" 0
fbctl -b - <<-END
	unbind m o0
	unbind m o1
	unbind m o2
	unbind lan0 m
	rm m
END
unhook lan0 o0 o1 o2

done_testing

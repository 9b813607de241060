# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The collectors of the block netflow: those that are connected to by TCP and SCTP, whatever these do, and those behind routers
# that answer with errors of ICMP. Where there is SCTP (lane x86_64), all but that is for LANA_LONG=1.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
ip link set lo up
hook lan0 lan1
bridge x netflow

# A connection is for IPFIX alone. Who accepts it has no error counted. It does not matter which is set first, if both are set in one step.
python3 -S -c 'import socket, time; sock = socket.create_server(("127.0.0.1", 4739)); time.sleep(1000)' &
accepting=$!
listens() { ss -Hltn | grep -q '127.0.0.1:4739 '; }
wait_for 120 listens
remember
check_fails "TCP is not for NetFlow 9" 2 "collector.1=tcp:... wants version=ipfix" fbctl set x collector.1=tcp:127.0.0.1:4739
fbctl -b - <<-END
	set x collector.1=tcp:127.0.0.1:4739
	set x version=ipfix
END
check "it reads as it was set" matches "$(fbctl -j show x)" '"collector.1","value":"tcp:127.0.0.1:4739"'
fbctl set x collector.2=udp:127.0.0.1:2055
check "UDP goes without saying" matches "$(fbctl -j show x)" '"collector.2","value":"127.0.0.1:2055"'
remember
check_fails "nor is NetFlow 9 for TCP" 2 "collector.1=tcp:... wants version=ipfix" fbctl set x version=9
check_fails "a block does not become one of NetFlow 9 with it" 2 "collector.1=tcp:... wants version=ipfix" fbctl -b - <<-END
	set x version=9
	set x collector.2=
END
fbctl save saved.toml
check "a graph with it is saved, and is the same again" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
sed 's/"127.0.0.1:2055"/"udp:127.0.0.1:2055"/' saved.toml >other.toml
check "also where UDP is named" is "$(fbctl --dry-run apply other.toml)" "nothing to change"

sctp=
python3 -S -c 'import socket; socket.socket(type=1, proto=132)' 2>/dev/null && sctp=yes
[ -n "$sctp" ] || check_fails "a kernel without SCTP" 2 "this kernel has no SCTP" fbctl set x collector.3=sctp:127.0.0.1:4739
kill $accepting
wait $accepting || :

if [ -z "$sctp" ] || [ -n "${LANA_LONG:-}" ]; then
	about="TCP: "
	fold python3 -S "$tests/collectors.py" tcp
	about=
fi
[ -n "$sctp" ] || skip "SCTP" "this kernel has none"
if [ -n "$sctp" ]; then
	about="SCTP: "
	fold python3 -S "$tests/collectors.py" sctp
	about=
	if [ -z "${LANA_LONG:-}" ]; then
		clean
		done_testing
		exit
	fi
fi

# here 10.9.0.1 --- router --- 198.51.100.0/24, with packets of up to 600 bytes --- behind
namespace router behind
ip -batch - <<-END
	link add r0 type veth peer name r1 netns router
	address add 10.9.0.1/24 dev r0
	link set r0 up
	route add 203.0.113.0/24 via 10.9.0.2
	route add 198.51.100.0/24 via 10.9.0.2
END
devices+=(r0)
ip -n router -batch - <<-END
	address add 10.9.0.2/24 dev r1
	link set r1 up
	link add h0 mtu 600 type veth peer name h1 mtu 600 netns behind
	address add 198.51.100.1/24 dev h0
	link set h0 up
END
ip -n behind -batch - <<-END
	address add 198.51.100.2/24 dev h1
	link set h1 up
	route add default via 198.51.100.1
END
# It says all that it has to say.
ip netns exec router sh -c 'cd /proc/sys/net/ipv4; echo 1 >ip_forward; echo 0 >icmp_ratelimit; echo 0 >icmp_ratemask'
fold python3 -S "$tests/collectors.py" icmp
clean

# A connection does not keep its namespace, nor outlives it.
python3 -S -c '
import socket
sock = socket.create_server(("", 4739))
for turn in "123":
    peer, _ = sock.accept()
    open("connected", "a").write(turn)' &
for turn in 1 2 3; do
	namespace gone
	ip -batch - <<-END
		link add g1 type veth peer name g0 netns gone
		address add 10.9.1.1/24 dev g1
		link set g1 up
	END
	ip -n gone -batch - <<-END
		address add 10.9.1.2/24 dev g0
		link set g0 up
	END
	ip netns exec gone fbctl -b - <<-END
		add x netflow
		set x version=ipfix
		set x collector.1=tcp:10.9.1.1:4739
	END
	connected() { [[ $(cat connected 2>/dev/null) = *$turn ]]; }
	wait_for 60 connected
	ip netns del gone
	ip link del g1 2>/dev/null || :
done
check "a namespace has connections" is "$(<connected)" 123
gone() { is "$(lsmod | awk '$1 == "fb_netflow" { print $3 }')" 0; }
check "which go with it" wait_for 60 gone
done_testing

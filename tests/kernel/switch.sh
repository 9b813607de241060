# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block switch: a learning bridge, with a Linux bridge beside it as the witness. LANA_LONG=1: with more changes of its ports
# while hosts talk.

. "${0%/*}/../lib.sh"

load
modprobe -q bridge || :

# Host n has e<n>, whose other end p<n> is to be a port of the block, and w<n>, whose other end q<n> is a port of br0.
devices=(br0)
namespace h0 h1 h2 h3 h4
{
	echo "link add br0 type bridge mcast_snooping 0"
	for i in 0 1 2 3 4; do
		echo "link add p$i type veth peer name e$i netns h$i address 02:00:00:00:00:1$i"
		echo "link set p$i up"
		devices+=("p$i" "q$i")
		[ $i = 4 ] || echo "link add q$i type veth peer name w$i netns h$i"
	done
} | ip -batch -
for device in p0 p1 p2 p3 p4 br0 q0 q1 q2 q3; do echo 1 >/proc/sys/net/ipv6/conf/$device/disable_ipv6; done
for i in 0 1 2 3 4; do
	ip -n h$i -batch - <<-END
		link set lo up
		link set e$i up
		address add 192.0.2.1$i/24 dev e$i
	END
	[ $i = 4 ] || {
		ip -n h$i link set w$i up
		ip link set q$i master br0
		ip link set q$i up
		for vlan in 10 20; do command bridge vlan add vid $vlan dev q$i; done
	}
done
ip link set br0 up
forwards() {
	local i
	for i in 0 1 2 3; do [ "$(</sys/class/net/q$i/brport/state)" = 3 ] || return 1; done
	[ "$(</sys/class/net/br0/operstate)" = up ]
}
wait_for 10 forwards

# build: the block s on p0 to p3; p4 is hooked, and free.
build() {
	fbctl add s switch
	for i in 0 1 2 3; do echo "bind s p$i"; done | fbctl -b -
}
on() { ip netns exec "h$1" "${@:2}"; }

# --- Options ---

fbctl add s switch
remember
while IFS= read -r bad; do
	check_fails "refused: $bad" 2 "${bad%%=*}: " fbctl set s "$bad"
done <<-'END'
	ageing=5
	ageing=1000001s
	limit=0
	limit=65537
	vlan=10
	link-local=yes
	flush=no
END
remember
check_fails "no such option" 2 "no option 'stp': it has flush, ageing, limit, vlan, link-local" fbctl set s stp=on
check "what is set is shown" fbctl set s ageing=15s
check "and nothing else" matches "$(fbctl show s)" "reserved=0 ageing=15s$"
fbctl set s flush=yes
check "flush is done, not set" not contains "$(fbctl show s)" flush
fbctl save saved.toml
check "a graph with a switch is saved" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
fbctl rm s

# --- Frame by frame ---

hook_way() { # skbs|batch|frames
	local device
	for device in p0 p1 p2 p3 p4; do
		if [ "$1" = frames ]; then
			vlink ethernet hook $device --xdp --yes
			# A veth takes frames where the other end has a program, too.
			vlink -n "h${device#p}" ethernet hook "e${device#p}" --xdp --yes unclaimed=stack
			# A frame does not say that its checksum is still to be filled in.
			ip netns exec "h${device#p}" ethtool -K "e${device#p}" tx off >/dev/null
		else
			batch=$([ "$1" != batch ] || echo yes) hook $device
		fi
	done
}

rounds=3
[ -z "${LANA_LONG:-}" ] || rounds=10
for way in skbs batch frames; do
	hook_way $way
	build
	# Nobody asks whether a neighbour is still there.
	for i in 0 1 2 3 4; do ip -n h$i neigh flush dev e$i; done
	fold python3 -S "$tests/switch.py" $way
	for i in 0 1 2 3; do echo "unbind s p$i"; done | fbctl -b -
	fbctl rm s

	# --- Hosts ---

	about="$way: "
	build
	all_ping() {
		local from to
		for from in 0 1 2 3; do
			for to in 0 1 2 3; do
				[ $from = $to ] || on $from ping -q -n -c 3 -i 0.01 -W 2 192.0.2.1$to || return 1
			done
		done
	}
	out=$(all_ping) || :
	check "all hosts reach each other" is "$(grep -c " 0% packet loss" <<<"$out")" 12
	check "nothing comes twice" not contains "$out" duplicates
	talk() { # FROM TO
		on "$2" python3 -S "$tests/tcp.py" receive 5001 >tcp.in &
		local server=$!
		on "$1" python3 -S "$tests/tcp.py" send 192.0.2.1"$2" 5001 300000 >tcp.out
		wait $server
		[ -s tcp.in ] && cmp tcp.in tcp.out
	}
	check "TCP" talk 0 1
	check "TCP the other way" talk 3 2

	# What goes between two hosts is lost by no change elsewhere.
	on 2 ping -q -n -c 200 -i 0.01 -W 2 192.0.2.13 >log &
	pinging=$!
	now=s next=t
	for _ in $(seq $rounds); do
		fbctl unbind $now p0
		fbctl bind $now p4
		fbctl unbind $now p4
		fbctl bind $now p0
		fbctl add $next switch
		fbctl replace $now $next
		fbctl rm $now
		fbctl set $next ageing=200s
		read -r now next <<<"$next $now"
	done
	wait $pinging
	check "ports change, and the block is replaced: nothing is lost" contains "$(<log)" "200 received, 0% packet loss"
	check "a host that was unbound is there again" on 0 ping -q -n -c 3 -i 0.01 -W 2 192.0.2.12
	about=
	clean
	for i in 0 1 2 3 4; do "$tests/clean" h$i; done
done

# --- Many ports, many stations, and many CPUs ---

hook_way skbs
build
fold python3 -S "$tests/switch.py" load
clean

done_testing

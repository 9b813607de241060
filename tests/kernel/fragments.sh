# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The blocks fragment and defrag, with Linux as the witness.

. "${0%/*}/../lib.sh"

load
hosts
neighbours

# --- Options ---

fbctl add x fragment
fbctl add y defrag
remember
while IFS='|' read -r block bad why; do
	check_fails "refused: $bad" 2 "${bad%%=*}: $why" fbctl set $block "$bad"
done <<-'END'
	x|mtu=67|a number from 68 to 65535
	x|mtu=65536|a number from 68 to 65535
	x|df=yes|icmp, drop or fragment
	x|ipv6=on|icmp, drop or fragment
	x|icmp.rate=1000001|a number from 0 to 1000000
	x|direction=up|ingress, egress or both
	y|datagrams=0|a number from 1 to 65536
	y|memory=1kb|bytes, or a size, from 64kb to 1024mb
	y|timeout=99ms|a time from 100ms to 60s
	y|direction=up|ingress, egress or both
END
remember
check_fails "no such option" 2 "no option 'size'" fbctl set x size=1
remember
check_fails "no such option" 2 "no option 'size'" fbctl set y size=1
fbctl -b - <<-END
	set x mtu=1400
	set x df=drop
	set y memory=1024kb
	set y timeout=1000ms
END
check "what is set is shown" contains "$(fbctl show x)" "messages=0 mtu=1400 df=drop"
check "in its shortest form" contains "$(fbctl show y | tr -s " \n" " ")" "timeouts=0 memory=1mb timeout=1s"
fbctl save saved.toml
check "a graph with them is saved, and is the same again" is "$(fbctl --dry-run apply saved.toml)" "nothing to change"
clean

# --- Beside Linux ---

# alice has a second wire, to witness; behind him is beyond.
namespace witness beyond
ip -batch - <<-END
	link add w0 netns witness address $bob_mac type veth peer name a1 netns alice address $alice_mac
	link add w1 netns witness type veth peer name v0 netns beyond
END
ip -n alice link set a1 up mtu 9000
ip -n alice link set a0 mtu 9000
ip link set lan0 mtu 9000
ip link set lan1 mtu 9000
ip -n bob link set b0 mtu 9000
for at in witness/w0 bob/b0; do
	ip netns exec ${at%/*} sh -c "echo 0 >/proc/sys/net/ipv6/conf/${at#*/}/disable_ipv6; echo 0 >/proc/sys/net/ipv6/conf/${at#*/}/accept_dad"
done
ip -n witness -batch - <<-END
	link set lo up
	link set w0 up mtu 9000
	link set w1 up
	address add 2001:db8::2/64 dev w0 nodad
	address add 192.0.2.2/32 dev w0
	route add 192.0.2.1 dev w0
END
ip -n bob address add 2001:db8::2/64 dev b0 nodad
ip -n beyond link set v0 up mtu 9000
ip netns exec witness sh -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done'

hook_way() {
	local mtu=9000 device
	# A frame of a driver is in one page.
	[ $way = skbs ] || mtu=3000
	for device in lan0 lan1; do ip link set $device mtu $mtu; done
	ip -n alice link set a0 mtu $mtu
	ip -n bob link set b0 mtu $mtu
	if [ $way = frames ]; then
		for device in lan0 lan1; do vlink ethernet hook $device --xdp --yes; done
	else
		hook lan0 lan1
	fi
}
for way in skbs frames; do
	about="$way: "
	hook_way
	bridge x defrag
	fold python3 -S "$tests/fragments.py" defrag $way
	# It goes with all that waits.
	fbctl unbind lan1 x
	fbctl unbind x lan0
	check "a block of which fragments wait can go" fbctl rm x
	check "and its module" rmmod fb_defrag
	modprobe fb_defrag
	clean
done

# --- A namespace goes, with fragments that wait ---

about=
namespace red
ip -n red link add r0 type veth peer name r1
ip -n red link set r0 up
ip -n red link set r1 up
vlink -n red ethernet hook r0
fbctl -n red -b - <<-END
	add d defrag
	bind d r0
END
# A first fragment, of 5 datagrams.
ip netns exec red python3 -S - <<-'END'
	import socket, struct
	sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
	sock.bind(("r1", 0))
	for number in range(5):
	    head = struct.pack("!BBHHHBBHII", 0x45, 0, 36, number, 0x2000, 64, 253, 0, 0xc0000201, 0xc0000202)
	    total = sum(struct.unpack("!10H", head))
	    total = (total & 0xffff) + (total >> 16)
	    head = head[:10] + struct.pack("!H", ~total & 0xffff) + head[12:]
	    sock.send(bytes.fromhex("02000000000b02000000000a0800") + head + bytes(16))
END
wait_there() { [[ $(fbctl -n red show d) = *"waiting=5 "* ]]; }
check "fragments wait in a namespace" wait_for 5 wait_there
ip netns del red
check "which goes with them" wait_for 30 rmmod fb_defrag
modprobe fb_defrag

# Now witness is a router.
ip -n witness address del 192.0.2.2/32 dev w0
ip -n witness -batch - <<-END
	route add 192.0.2.2 dev w1
	neigh replace 192.0.2.2 lladdr 02:00:00:00:00:77 dev w1
END
ip netns exec witness sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
for way in skbs frames; do
	about="$way: "
	hook_way
	bridge x fragment
	fold python3 -S "$tests/fragments.py" fragment $way
	clean

	# --- Hosts ---

	hook_way
	fbctl -b - <<-END
		add f fragment
		add d defrag
		bind f lan0
		bind d f
		bind lan1 d
		set f mtu=600
		set f df=fragment
	END
	for size in 100 572 573 2000 2900; do
		check "pings of $size bytes through both" ping_quietly alice 3 192.0.2.2 -s $size
	done
	check "cut on the way there and back" matches "$(fbctl show f)" 'cut=1[0-9] '
	check "and put together on the way there; bob cuts what is long for him" matches "$(fbctl show d)" 'reassembled=[0-9]+ '
	ping_quietly alice 200 192.0.2.2 -s 2000 >log &
	pinging=$!
	for _ in 1 2 3 4 5; do
		fbctl -b - <<-END
			add f2 fragment
			set f2 mtu=700
			add d2 defrag
			replace f f2
			replace d d2
			rm f
			rm d
			add f fragment
			set f mtu=600
			set f df=fragment
			add d defrag
			set d datagrams=4000
			replace f2 f
			replace d2 d
			rm f2
			rm d2
		END
		pause 0.1
	done
	wait $pinging
	check "replaced and set while fragments wait: nothing is lost" contains "$(<log)" "200 received, 0% packet loss"
	clean
done
about=

# --- Malformed packets, at full speed ---

for way in skbs frames; do
	about="$way: "
	ip link set lan0 mtu 1500
	if [ $way = frames ]; then vlink ethernet hook lan0 --xdp; else hook lan0; fi
	fbctl -b - <<-'END'
		add a defrag
		add b fragment
		add c defrag
		add e counter
		bind a lan0
		bind b a
		bind c b
		bind e c
		set a datagrams=10
		set a timeout=100ms
		set b mtu=100
		set b df=fragment
		set b ipv6=fragment
	END
	check "malformed packets" ip netns exec alice python3 -S "$tests/pktfuzz.py" --seconds 3 --seed "${LANA_SEED:-1}" \
		--mac $lan0_mac --to 192.0.2.3 --to 2001:db8::3 a0
	still
	check "some are cut" not contains "$(fbctl show b)" "cut=0 "
	check "some fragments come" not contains "$(fbctl show a)" "fragments=0 "
	gone() { [[ $(fbctl show a) = *"waiting=0 bytes=0 "* ]]; }
	check "what waits goes" wait_for 10 gone
	clean
done
about=

done_testing

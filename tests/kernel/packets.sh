# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Packets of every kind pass eth, tee, counter and bpf unharmed: short, long, tagged, non-linear,
# shared, super-packets. And those that circle come to an end.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
hook lan0 lan1
bridge t1 tee c1 counter f1 bpf
# Clones go this way.
fbctl -b - <<-END
	add c2 counter
	bind c2 t1
	set f1 program=@$top/examples/ipv4.txt
	set f1 "program={ 0x6, 0, 0, 0xffffffff },"
END

fold python3 -S "$tests/frames.py" sizes vlan gso shared
check "the clones had the same number of packets and bytes" is "$(<"$fblock/c1")" "$(<"$fblock/c2")"
check "none was dropped on the way" is "$(drops t1 unbound) $(drops f1 filtered) $(drops lan1 device)" "0 0 0"

# --- The MTU ---

ip link set lan0 mtu 9000
ip -n alice link set a0 mtu 9000
check "a frame longer than the MTU of where it goes does not pass" \
	not ping_quietly alice 3 192.0.2.2 -W 0.2 -s 3000 -M "do"
check "it is counted there, as too big" is "$(drops lan1 too-big)" 3
ip link set lan1 mtu 9000
ip -n bob link set b0 mtu 9000
check "with a larger MTU it passes" ping_quietly alice 3 192.0.2.2 -s 3000 -M "do"
fold python3 -S "$tests/frames.py" paged

# --- What bpf sees ---

fbctl set f1 $'program={ 0x30, 0, 0, 0xfffff030 },\n{ 0x15, 0, 1, 1 },\n{ 0x6, 0, 0, 0xffffffff },\n{ 0x6, 0, 0, 0 },'
check "a filter for a tag stops what has none" not ping_quietly alice 2 192.0.2.2 -W 0.2
ip -n alice -batch - <<-END
	link add link a0 name a0.10 type vlan id 10
	address add 198.51.100.1/24 dev a0.10
	link set a0.10 up
END
ip -n bob -batch - <<-END
	link add link b0 name b0.10 type vlan id 10
	address add 198.51.100.2/24 dev b0.10
	link set b0.10 up
END
check "and passes what has one: ping from VLAN to VLAN" ping_quietly alice 3 198.51.100.2
fbctl set f1 $'program={ 0x28, 0, 0, 0xfffff02c },\n{ 0x54, 0, 0, 0xfff },\n{ 0x15, 1, 0, 10 },\n{ 0x6, 0, 0, 0 },\n{ 0x6, 0, 0, 0xffffffff },'
check "a filter sees the number of the VLAN" ping_quietly alice 3 198.51.100.2
fbctl set f1 $'program={ 0x28, 0, 0, 0xfffff02c },\n{ 0x54, 0, 0, 0xfff },\n{ 0x15, 1, 0, 11 },\n{ 0x6, 0, 0, 0 },\n{ 0x6, 0, 0, 0xffffffff },'
check "and stops another one" not ping_quietly alice 2 198.51.100.2 -W 0.2
# As the guide has programs made.
fbctl set f1 "program=$(tcpdump -i lan0 -ddd 'not vlan')"
check "tcpdump -i DEVICE 'not vlan' stops what has a tag" not ping_quietly alice 2 198.51.100.2 -W 0.2
check "and passes what has none" ping_quietly alice 3 192.0.2.2
fbctl set f1 "program=$(tcpdump -i lan0 -ddd 'vlan 10 and (icmp or arp)')"
check "'vlan 10 and …' passes that VLAN" ping_quietly alice 3 198.51.100.2
check "and nothing else" not ping_quietly alice 2 192.0.2.2 -W 0.2
fbctl set f1 "program=$(tcpdump -y EN10MB -ddd 'not vlan')"
check "made for a file, it does not see the tag, as is documented" ping_quietly alice 3 198.51.100.2
ip -n alice -batch - <<-END
	link add link a0.10 name a0.10.7 type vlan id 7
	address add 203.0.113.1/24 dev a0.10.7
	link set a0.10.7 up
END
ip -n bob -batch - <<-END
	link add link b0.10 name b0.10.7 type vlan id 7
	address add 203.0.113.2/24 dev b0.10.7
	link set b0.10.7 up
END
fbctl set f1 program=
check "ping through two VLAN tags" ping_quietly alice 3 203.0.113.2
check "and large packets through them" ping_quietly alice 3 203.0.113.2 -s 8000
ip -n alice link del a0.10
ip -n bob link del b0.10
# Byte 5000 of the frame is in a page, not in the linear part.
fbctl set f1 $'program={ 0x30, 0, 0, 5000 },\n{ 0x15, 0, 1, 0x5a },\n{ 0x6, 0, 0, 0xffffffff },\n{ 0x6, 0, 0, 0 },'
check "a filter reads a byte far behind the header" ping_quietly alice 2 192.0.2.2 -s 6000 -p 5a
check "and compares it" not ping_quietly alice 2 192.0.2.2 -s 6000 -p 5b -W 0.2
was=$(drops f1 filtered)
check "a packet that is too short for the filter is stopped" not ping_quietly alice 2 192.0.2.2 -W 0.2
check "and counted" is "$(($(drops f1 filtered) - was))" 2
clean

# --- To two hosts at once: clones are sent, and changed on the way out ---

namespace carol
ip link add lan2 mtu 9000 type veth peer name c0 netns carol
ip link set lan2 up
ip -n carol link set c0 up mtu 9000
devices+=(lan2)
ethtool -K lan1 txvlan off >/dev/null
hook lan0 lan1 lan2
fbctl -b - <<-END
	add t1 tee
	bind t1 lan0
	bind lan1 t1
	bind lan2 t1
END
about="to bob and carol: " fold python3 -S "$tests/frames.py" sizes vlan paged gso twice
clean

# --- Shared by pktgen: one packet, received many times at once ---

hook lan0 lan1
fbctl -b - <<-END
	add t1 tee
	add c1 counter
	bind t1 lan0
	bind lan1 t1
	bind c1 t1
END
count=$(scale 10000)
was=$(received bob b0)
check "pktgen puts shared packets in" pktgen lan0 "$count" "xmit_mode netif_receive" "burst 10"
check "each of them is counted" is "$(<"$fblock/c1")" "$count $((count * 60))"
now=$(received bob b0)
check "and arrives at bob" is "$((${now% *} - ${was% *}))" "$count"
was=$now
check "pktgen with packets in fragments" alice "$tests/pktgen" a0 "$count" "pkt_size 1400" "frags 5"
now=$(received bob b0)
# Of what is received, tc does not count the Ethernet header.
check "each of them arrives at bob, with its bytes" is \
	"$((${now% *} - ${was% *})) $((${now#* } - ${was#* }))" "$count $((count * 1386))"
check "and is counted, with its bytes" is "$(<"$fblock/c1")" "$((count * 2)) $((count * 1460))"
clean

# --- Loops ---

# One that can be seen is refused, with its path.
hook lan0
fbctl -b - <<-END
	add t tee
	add d dummy
	add e dummy
	bind t lan0
	bind d t
	bind e d
END
remember
check_fails "a block on top of itself, by way of others" 2 "a loop: t on e on d on t" fbctl bind t e
fbctl unbind d t
remember
check "the same the other way around: what closes the circle is refused" fbctl bind t e
remember
check_fails "at whichever end it is closed" 2 "a loop: d on t on e on d" fbctl bind d t
clean

# As long as a way can be, and one block longer.
hook lan0
{
	below=lan0
	for i in $(seq 257); do
		echo "add d$i dummy"
		echo "bind d$i $below"
		below=d$i
	done
} | fbctl -b -
alice "$tests/pktgen" a0 10
check "a packet that passes too many blocks is dropped at the hop limit, and counted" \
	is "$(drops d257 hop-limit)" 10
check "and not before" is "$(drops d256 hop-limit) $(drops d256 unbound)" "0 0"
check "nothing waits any more" is "$(awk 'NR > 1 { n += $6 } END { print n }' /proc/net/lana/ppe)" 0
check "the longest backlog is not longer than the limit" \
	[ "$(awk 'NR > 1 && $7 > n { n = $7 } END { print n }' /proc/net/lana/ppe)" -le 1024 ]
clean
hook lan0
fbctl add c counter
fbctl bind c lan0
alice "$tests/pktgen" a0 10
check "the kernel lives: packets are counted as before" is "$(<"$fblock/c")" "10 600"
clean

ip link add loop0 type veth peer name loop1
ip link set loop0 up
ip link set loop1 up
devices+=(loop0)
hook loop0 loop1
fbctl -b - <<-END
	add c counter
	bind c loop0
	bind loop1 c
END
fbctl -j monitor >events &
monitor=$!
wait_for 5 grep -qs . /proc/$monitor/wchan || :
pause 0.5
pktgen loop0 10
wait_for 5 [ "$(drops loop1 hop-limit)" = 10 ] || :
check "a packet that circles through two devices is dropped after 64 times, and counted" \
	is "$(drops loop1 hop-limit) $(cut -d ' ' -f 1 "$fblock/c")" "10 640"
wait_for 5 grep -q '"hop-limit"' events || :
check "an event says so" contains "$(grep '"hop-limit"' events)" '"packets":10'
kill $monitor
clean

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Virtual devices (ethvlink): made, used, removed; what Linux's own tools see of them; what becomes of
# them when their carrier goes.

. "${0%/*}/../lib.sh"

devices=(lan0 lan1 br0 mac0)
load
hosts
show() { ip -d -o link show "$1"; }

# --- Made and removed ---

check "a virtual device is made" vlink ethernet add mydev0 lan0 10
check "its block is of type ethvlink" contains "$(fbctl show mydev0)" "ethvlink"
check "vlink shows carrier and id" matches "$(vlink show)" "ethernet +mydev0 +[0-9]+ +[0-9]+ +lan0 +10"
check "so does procfs" matches "$(</proc/net/lana/vlink)" "ethernet mydev0 [0-9]+ [0-9]+ lan0 10"
check "ip shows it on its carrier, with its MTU and its address" \
	matches "$(show mydev0)" "mydev0@lan0.* mtu 1500 .*link/ether $lan0_mac .*lana"
check "ethtool knows who drives it" contains "$(ethtool -i mydev0)" $'driver: lana\n'
check "and where" contains "$(ethtool -i mydev0)" "bus-info: lan0"
check "and how fast the carrier is" contains "$(ethtool mydev0)" "Speed: 10000Mb/s"
check "a second one gets the lowest free id" vlink ethernet add mydev1 lan0
check "which is 0" matches "$(</proc/net/lana/vlink)" "mydev1 [0-9]+ [0-9]+ lan0 0"
remember
check_fails "an id that is taken" 2 "id 10 of lan0 is taken by mydev0" vlink ethernet add other lan0 10
check_fails "an id out of range" 1 "256" vlink ethernet add other lan0 256
check_fails "a name that is taken" 2 "there is a device of this name" vlink ethernet add lan1 lan0 3
check_fails "a name that is none" 2 "has characters that a name cannot have" vlink ethernet add "a b" lan0 3
check_fails "a name that is too long" 2 "is too long" vlink ethernet add a123456789012345 lan0 3
check_fails "a carrier that is not there" 2 "no device 'nix'" vlink ethernet add other nix 3
check_fails "a carrier that is no Ethernet device" 2 "lo is not an Ethernet device" vlink ethernet add other lo 3
check_fails "a carrier that is virtual itself" 2 "mydev0 is virtual itself" vlink ethernet add other mydev0 3
check_fails "hooking a carrier" 2 "lan0 is a carrier of virtual devices" vlink ethernet hook lan0
check_fails "unhooking a virtual device" 2 "vlink ethernet rm mydev0" vlink ethernet unhook mydev0
check_fails "removing its block" 2 "vlink ethernet rm mydev0" fbctl rm mydev0
check_fails "removing a device that is not virtual" 2 "lan1 is no virtual device" vlink ethernet rm lan1
check_fails "making a block of the type" 2 "vlink ethernet add" fbctl add x ethvlink
check_fails "a name that no device can have" 2 "no device can have this name" vlink ethernet add a:b lan0 3
printf 'ethernet add %s\n' "a lan0 1" "b lan0 2" "c lan0 2" >batch
check_fails "a batch of which the last line fails" 2 "batch:3: ethernet add c: id 2 of lan0 is taken by b" vlink -b batch
fbctl add taken dummy
remember
check_fails "the name of a block" 2 "'taken' exists already" vlink ethernet add taken lan0 3
check "nor can ip take it" not ip link add link lan0 name taken type lana
check "and nothing is left of that device" not ip link show taken
fbctl rm taken
hook lan1
remember
check_fails "a carrier that is hooked" 2 "lan1 is hooked already" vlink ethernet add other lan1 3
unhook lan1
ip link add br0 type bridge
ip link set lan1 master br0
remember
check_fails "a carrier that is a bridge port" 2 "lan1 is a bridge port" vlink ethernet add other lan1 3
ip link set lan1 nomaster
check "a carrier cannot be a bridge port" not ip link set lan0 master br0
fbctl add c0 counter
fbctl bind c0 mydev0
remember
check_fails "removing one that is bound" 2 "'mydev0' is bound to 'c0'" vlink ethernet rm mydev0
fbctl unbind c0 mydev0
check "one that is not can be removed" vlink ethernet rm mydev1
check "it is gone" not ip link show mydev1

# --- A kind of link ---

check "ip makes one" ip link add link lan0 name mydev2 type lana
check "with a block, and the lowest free id" matches "$(</proc/net/lana/vlink)" "mydev2 [0-9]+ [0-9]+ lan0 0"
check "ip removes it" ip link del mydev2
check "with its block" not fbctl show mydev2
check "without a carrier there is none" \
	contains "$(ip link add name x type lana 2>&1 || :)" "no carrier"
check "nor for root of a user namespace" \
	contains "$(unshare -Urn sh -c 'ip link add p0 type veth peer name p1 && ip link add link p0 name x type lana' 2>&1 || :)" \
	"initial user namespace"

# --- Packets ---

# frames FROM ETHERTYPE COUNT: alice, or $host, sends frames of 100 bytes and more to everybody.
frames() {
	ip netns exec "${host:-alice}" python3 -S - "$@" <<-'END'
		import socket, sys
		sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
		sock.bind((sys.argv[1], 0))
		for _ in range(int(sys.argv[3])):
		    sock.send(b"\xff" * 6 + bytes(range(2, 8)) + bytes.fromhex(sys.argv[2]) + b"x" * 86)
	END
}
packets() { cut -d ' ' -f 1 "$fblock/$1"; }
ip address add 192.0.2.3/24 dev lan0
ip link set mydev0 up
vlink ethernet add mydev3 lan0 0xff
ip link set mydev3 up
fbctl add c3 counter
fbctl -b - <<-END
	bind c0 mydev0
	bind c3 mydev3
END
frames a0 ac0a 7
check "frames of its EtherType come to its block, unchanged" is "$(<"$fblock/c0")" "7 700"
check "and to no other" is "$(packets c3)" 0
frames a0 acff 3
check "those of another one to that" is "$(packets c3)" 3
frames a0 ac0b 2
frames a0 0800 2
check "those of none, and all others, do not" is "$(packets c0) $(packets c3)" "7 3"
check "the carrier's own traffic reaches Linux" ping_quietly alice 2 192.0.2.3
check "ip -s counts what came" contains "$(ip -s -o link show mydev0)" "       700       7 "
check "so does ethtool -S" contains "$(ethtool -S mydev0)" "rx_packets: 7"
timeout 60 tcpdump -c 1 -nn -i mydev0 -w /tmp/virtual.pcap ether proto 0xac0a 2>/tmp/virtual.err &
wait_for 20 grep -q listening /tmp/virtual.err
frames a0 ac0a 1
status=0
wait $! || status=$?
check "tcpdump sees it" is "$status" 0
fbctl unbind c0 mydev0
fbctl unbind c3 mydev3
fbctl bind mydev3 mydev0
timeout 60 ip netns exec alice tcpdump -c 4 -nn -i a0 -w /tmp/back.pcap ether proto 0xacff 2>/tmp/back.err &
wait_for 20 grep -q listening /tmp/back.err
frames a0 ac0a 4
check "what leaves by a virtual device leaves under its EtherType" \
	contains "$(ethtool -S mydev3)" "tx_packets: 4"
status=0
wait $! || status=$?
check "by the carrier, back to where it came from" is "$status" 0
ip link set mydev3 down
frames a0 acff 2
check "one that is down takes nothing, and counts it" contains "$(ethtool -S mydev3)" "rx_dropped: 2"
check "what should leave by it is dropped" is "$(frames a0 ac0a 1; drops mydev3 device)" 1
fbctl unbind mydev3 mydev0

# What comes in a VLAN would lose its tag to the EtherType.
hook lan1
fbctl bind mydev0 lan1
sent=$(ethtool -S mydev0 | awk '/tx_packets/ { print $2 }')
host=bob frames b0 0800 3
host=bob frames b0 8100a0000800 2
host=bob frames b0 810000050800 4
host=bob frames b0 88a800008100a0000800 1
check "a frame of a VLAN does not leave by a virtual device, one with a priority does" \
	is "$(ethtool -S mydev0 | awk '/tx_(packets|dropped)/ { printf "%d ", $2 }')" "$((sent + 5)) 5 "
fbctl unbind mydev0 lan1
unhook lan1
check "there are no VLAN devices on it" not ip link add link mydev0 name v5 type vlan id 5
ip link add link lan0 name lan0.10 type vlan id 10
ip link set lan0.10 up
vlink ethernet add mydev5 lan0.10 1
ip link set mydev5 up
frames a0 8100000aac01 2
check "it may be on one: that has the frames of its VLAN" contains "$(ethtool -S mydev5)" "rx_packets: 2"
vlink ethernet rm mydev5
ip link del lan0.10

# --- The carrier ---

modes() { ip -d -o link show lan0 | grep -o 'promiscuity [0-9]* allmulti [0-9]*'; }
before=$(modes)
vlink ethernet add mydev4 lan0 4
ip link set mydev4 promisc on allmulticast on up
check "what it listens to the carrier does" not is "$(modes)" "$before"
vlink ethernet rm mydev4
check "and no longer than it is there" is "$(modes)" "$before"

ip link set lan0 mtu 1200
check "a smaller MTU of the carrier is its MTU, too" wait_for 5 sh -c "ip link show mydev0 | grep -q 'mtu 1200'"
check "it cannot be larger" not ip link set mydev0 mtu 1300
ip link set lan0 mtu 1500
ip link set lan0 address 02:00:00:00:00:77
check "the carrier's address is its address, too" contains "$(show mydev0)" "02:00:00:00:00:77"
ip link set mydev0 address 02:00:00:00:00:78
ip link set lan0 address "$lan0_mac"
check "until it gets one of its own" contains "$(show mydev0)" "02:00:00:00:00:78"
ip -n alice link set a0 down
check "when the carrier loses its link it does" wait_for 5 sh -c "ip link show mydev0 | grep -q LOWERLAYERDOWN"
ip -n alice link set a0 up
check "and has it again" wait_for 5 sh -c "ip link show mydev0 | grep -q 'state UP'"
ip link set lan0 down
check "with a carrier that is down it cannot be set up" not ip link set mydev3 up
ip link set lan0 up
namespace far
ip link set mydev3 netns far
check "one that moves to another namespace leaves the graph" not fbctl show mydev3
printf 'ethernet rm mydev3\nethernet rm mydev3\n' >batch
check "it cannot go twice" contains "$(ip netns exec far vlink -b batch 2>&1 || :)" "batch:2: ethernet rm mydev3: mydev3 goes already"
# Nothing stands for it there: so the change is one of no block, right after one that packets go by.
vlink ethernet add mydev6 lan0 6
ip link set mydev6 netns far
ip -n far link add p0 type veth peer name p1
ip -n far link set p0 up
ip -n far link set p1 up
ip netns exec far vlink ethernet hook p0
printf '%s\n' 'add c counter' 'add gone dummy' >batch
ip netns exec far fbctl -b batch
# What is removed is waited for: the change before the last one is all there is.
ip netns exec far fbctl rm gone
ip netns exec far fbctl bind c p0
check "one without a block is removed" ip netns exec far vlink ethernet rm mydev6
ip netns exec far "$tests/pktgen" p1 10
check "and packets go by what was bound before" is "$(ip netns exec far cut -d ' ' -f 1 "$fblock/c")" 10
ip -n far link del p0
check "and can be hooked there" ip netns exec far vlink ethernet hook mydev3
fbctl monitor -j >/tmp/virtual.events 2>&1 &
monitor=$!
pause 0.5
fbctl bind c0 mydev0
ip link del lan0
check "with the carrier its virtual devices go" not ip link show mydev0
check "in other namespaces, too" not ip -n far link show mydev3
check "with their blocks" is "$(cut -d ' ' -f 1 /proc/net/lana/fblocks | sort | tr '\n' ' ')" "c0 c3 "
check "which is told" wait_for 5 grep -q '"kind":"device-gone".*mydev0' /tmp/virtual.events
check "and stands in the kernel's log" contains "$(dmesg | tail -n 20)" "mydev0: goes with its carrier lan0"
kill "$monitor"

# --- A graph as a file ---

ip link add lan0 type veth peer name lan9
devices+=(lan9)
vlink ethernet add mydev0 lan0 10
fbctl bind c0 mydev0
fbctl save >/tmp/virtual.toml
check "save writes carrier and id" contains "$(</tmp/virtual.toml)" 'carrier = "lan0"'
check "apply after save changes nothing" is "$(fbctl apply /tmp/virtual.toml)" "nothing to change"
fbctl unbind c0 mydev0
vlink ethernet rm mydev0
check "apply makes it again" fbctl apply /tmp/virtual.toml
check "as it was" contains "$(vlink show)" mydev0

done_testing

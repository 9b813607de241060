# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Devices that are hooked with --xdp: packets enter as frames of the driver, before skbs are made for them. tc
# counts what was sent and received, and knows nothing of LANA.
#
#   alice: a0 [LANA] ~~~ lan0 [LANA] … lan1 [LANA] ~~~ b0 [LANA] :bob
#
# The hosts have LANA, too, as a veth takes frames only where the other end has a program.

. "${0%/*}/../lib.sh"

load
hosts
counted() { cat "$fblock/$1"; }
skbs() { fbctl -j stats "$1" | number skbs; }
xdp_hook() { vlink ethernet hook "$1" --xdp --yes; }
mkdir -p bpf
mount -t bpf bpf bpf
python3 -S "$tests/bpfload.py" bpf

# --- Hooked, seen, given back ---

check "a device is hooked by its frames" xdp_hook lan0
check "vlink shows it" matches "$(vlink show)" "lan0.* xdp"
check "and in JSON" contains "$(vlink -j show)" '"xdp":true'
check "it is unhooked" vlink ethernet unhook lan0
check "the driver has no program then" ip link set lan0 xdpdrv pinned bpf/xdp-pass
remember
check_fails "a device with a program of its own" 2 "has an XDP program" xdp_hook lan0
ip link set lan0 xdpdrv off
ip link add plain type dummy
remember
check_fails "a driver that has no XDP" 2 "no native XDP" xdp_hook plain
ip link del plain
ip link add bond7 type bond
ip link add port7 type veth peer name far7
ip link set port7 master bond7
remember
check_fails "a bond" 2 "it is a bond" xdp_hook bond7
check_fails "a port of a bond" 2 "it is a port of a bond" xdp_hook port7
ip link del bond7
ip link del port7
remember
check_fails "a change that fails later" 2 "nobody" vlink -b - <<<$'ethernet hook lan0 --xdp\nethernet hook nobody'
check "leaves no program" ip link set lan0 xdpdrv pinned bpf/xdp-pass
ip link set lan0 xdpdrv off
take_frames() { # NAMESPACE DEVICE
	vlink -n "$1" ethernet hook "$2" --xdp unclaimed=stack
}
take_frames alice a0
take_frames bob b0

# --- The stack, counting, filtering ---

ip address add 192.0.2.3/24 dev lan0
neighbours
xdp_hook lan0
fbctl -b - <<-END
	set lan0 unclaimed=stack
	add c counter
	add f bpf
	bind c lan0
	bind f c
END
remember
check_fails "frames come in no batches" 2 "batch=on is for skbs" fbctl -b - <<<$'set lan0 unclaimed=drop\nset lan0 batch=on'
before=$(sent alice a0)
check "what no block takes, Linux gets and answers" ping_quietly alice 20 192.0.2.3
after=$(sent alice a0)
check "all that was sent is counted, packets and bytes" is "$(counted c)" \
	"$((${after% *} - ${before% *})) $((${after#* } - ${before#* }))"
check "no skb was made by a block" is "$(skbs c) $(skbs lan0)" "0 0"
fbctl set f program=@"$top/examples/arp.txt"
check "a program drops frames" not ping_quietly alice 2 192.0.2.3 -W 0.2
check "under the reason" is "$(drops f filtered)" 2
fbctl set f program=@"$top/examples/ipv4.txt"
check "or lets them pass" ping_quietly alice 5 192.0.2.3
check "frames in several buffers, too" ping_quietly alice 3 192.0.2.3 -s 20000
was=$(drops f filtered)
fbctl -b - <<-END
	add match counter
	add rest counter
	bind match f
	bind rest f
	set f program=@$top/examples/arp.txt
END
check "or leave by its second port" ping_quietly alice 5 192.0.2.3
check "all of them, as frames" is "$(counted rest | cut -d' ' -f1) $(drops f filtered) $(skbs f)" "5 $was 0"
check "and none by the first" is "$(counted match)" "0 0"
clean

# --- Out by the same device ---

xdp_hook lan0
fbctl -b - <<-END
	add e icmp-echo
	set e addr=192.0.2.77
	bind e lan0
END
ip -n alice neigh replace 192.0.2.77 lladdr $lan0_mac dev a0
check "icmp-echo answers by XDP_TX" ping_quietly alice 20 192.0.2.77
check "large ones, too" ping_quietly alice 5 192.0.2.77 -s 1400
check "and makes no skbs" is "$(skbs e) $(skbs lan0)" "0 0"
vlink -n alice ethernet unhook a0
check "to a host that takes no frames it answers by skbs" ping_quietly alice 5 192.0.2.77
check "which are counted there" is "$(skbs lan0)" 5
take_frames alice a0
clean

# --- Out by another one ---

xdp_hook lan0
xdp_hook lan1
fbctl -b - <<-END
	add d dummy
	bind d lan0
	bind lan1 d
END
check "from one device to another, and back" ping_quietly alice 20 192.0.2.2
check "frames stay frames" is "$(skbs d) $(skbs lan0) $(skbs lan1)" "0 0 0"
vlink -n bob ethernet unhook b0
check "to a device that takes none, by skbs" ping_quietly alice 20 192.0.2.2
check "which are counted" matches "$(skbs lan1)" "^(2[0-9]|1[0-9])$"
take_frames bob b0
# A veth leaves the tag beside the packet.
ip -n alice link add link a0 name a0.10 type vlan id 10
ip -n alice link set a0.10 up
ip -n alice address add 198.51.100.1/24 dev a0.10
ip -n bob link add link b0 name b0.10 type vlan id 10
ip -n bob link set b0.10 up
ip -n bob address add 198.51.100.2/24 dev b0.10
before=$(skbs lan1)
check "a frame with a VLAN tag beside it keeps the tag" ping_quietly alice 5 198.51.100.2
check "and leaves as an skb" test "$(skbs lan1)" -gt "$before"
# vlan 10, as tcpdump compiles it for a device.
printf '7\n48 0 0 4294963248\n21 0 4 1\n40 0 0 4294963244\n84 0 0 4095\n21 0 1 10\n6 0 0 1\n6 0 0 0\n' >vlan
fbctl add f bpf
fbctl set f program=@vlan
fbctl replace d f
check "a program sees the tag beside a frame" ping_quietly alice 5 198.51.100.2
check "of the frame itself" is "$(skbs f)" 0
check "and that there is none" not ping_quietly alice 1 192.0.2.2 -W 0.2
fbctl replace f d
fbctl rm f
ip -n bob link del b0.10
ip -n alice link del a0.10

# --- Copies, sockets ---

fbctl -b - <<-END
	unbind d lan0
	unbind lan1 d
	add t tee
	add c1 counter
	add c2 counter
	bind t lan0
	bind c1 t
	bind c2 t
END
before=$(sent alice a0)
ping_quietly alice 5 192.0.2.2 -W 0.1 || :
after=$(sent alice a0)
check "a tee hands on the frame" is "$(counted c1)" "$((${after% *} - ${before% *})) $((${after#* } - ${before#* }))"
check "and copies" is "$(counted c2)" "$(counted c1)"
check "each copy is an skb" is "$(skbs t)" "$((${after% *} - ${before% *}))"
clean

# --- Somebody's own program ---

listen events
xdp_hook lan0
ip link set lan0 xdpdrv pinned bpf/xdp-pass
check "a program that takes our place is noticed" wait_for 3 grep -q "xdp-replaced" events
check "vlink shows it" contains "$(vlink show)" xdp-replaced
fbctl -b - <<<$'add behind counter\nbind behind lan0\nset lan0 unclaimed=stack'
check "what that program passes" ping_quietly alice 5 192.0.2.3
check "enters as skbs" matches "$(counted behind)" "^[1-9]"
fbctl -b - <<<$'unbind behind lan0\nrm behind'
check "the device can be given back" vlink ethernet unhook lan0
check "and the program stays" contains "$(ip link show lan0)" "prog/xdp"
ip link set lan0 xdpdrv off
check "and hooked again" xdp_hook lan0

# --- Graph files ---

fbctl apply --yes --empty /dev/null >changes
xdp_hook lan0
vlink ethernet hook lan1
fbctl save >graph.toml
check "a file says which device takes frames" is "$(grep -A 2 '^.devices' graph.toml | tr '\n' ' ')" \
	'[devices.lan0] subsystem = "ethernet" xdp = true -- [devices.lan1] subsystem = "ethernet"  '
check "what was saved changes nothing" is "$(fbctl apply --yes graph.toml)" "nothing to change"
sed '/^xdp/d' graph.toml >skbs.toml
remember
check_fails "a device that takes frames cannot go over to skbs" 1 \
	"skbs.toml:3: lan0 is hooked with xdp: unhook it first (vlink ethernet unhook lan0)" fbctl apply --yes skbs.toml
check "doing so helps" vlink ethernet unhook lan0
check "then it takes skbs" fbctl apply --yes skbs.toml
remember
check_fails "nor back" 1 "graph.toml:3: lan0 is hooked without xdp: unhook it first" fbctl apply --yes graph.toml
fbctl apply --yes --empty /dev/null >changes
check "a dry run says how a device is hooked" is "$(fbctl apply --yes --dry-run graph.toml)" \
	"+ device lan0 ethernet --xdp"$'\n'"+ device lan1 ethernet"
check "a file hooks by frames" fbctl apply --yes graph.toml
check "one device of them" is "$(vlink -j show | grep -o '"xdp":true' | wc -l)" 1
fbctl save >again.toml
check "saved again, it is the same" cmp graph.toml again.toml
check "a block of another name takes the device over, and its frames" \
	contains "$(sed 's/devices.lan0/devices.port/; /^xdp/a ifname = "lan0"' graph.toml | fbctl apply --yes -)" \
	"+ device port ethernet --xdp"
check "it still takes frames" matches "$(vlink show)" "lan0.* xdp"
check "and goes back" fbctl apply --yes graph.toml
printf '[devices.%s]\nsubsystem = "ethernet"\nxdp = true\n' lan0 plain >plain.toml
ip link add plain type dummy
remember
check_fails "a device without XDP changes nothing, and has its line" 2 "plain.toml:4: + device plain ethernet --xdp: " \
	fbctl apply --yes plain.toml
ip link del plain

# --- Devices that go ---

check "a hooked device can be removed" ip link del lan0
wait_for 3 not grep -q lan0 /proc/net/lana/vlink
check "its block goes with it" not grep -q lan0 /proc/net/lana/fblocks
check "its other end was removed, too" not ip -n alice link show a0

umount bpf
rmdir bpf
done_testing

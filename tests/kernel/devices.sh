# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Devices and namespaces that go away, move and change their names, with packets on the way.

. "${0%/*}/../lib.sh"

load
hosts
neighbours
fblocks() { cut -d ' ' -f 1 /proc/net/lana/fblocks | sort | tr '\n' ' '; }
wired() { # the bridge again, after a device went
	ip link add lan1 type veth peer name b0 netns bob address "$bob_mac"
	ip link set lan1 up
	host bob b0 192.0.2.2
	neighbours
	vlink ethernet hook lan1
	fbctl bind lan1 c
}
flood() {
	ip netns exec alice ping -q -n -f -s 200 192.0.2.2 >/dev/null 2>&1 &
	flood=$!
}
calm() {
	kill "$flood"
	wait "$flood" 2>/dev/null || :
}

# --- Giving a device back ---

ip address add 192.0.2.3/24 dev lan0
hook lan0
check "a hooked device is in promiscuous mode" contains "$(ip -d link show lan0)" "promiscuity 1"
unhook lan0
check "given back, it is not any more" contains "$(ip -d link show lan0)" "promiscuity 0"
check "given back, Linux answers" ping_quietly alice 1 192.0.2.3
# The driver has a lock of the device held when it is called (request_ops_lock), and notifiers run in it.
ip link add locked0 type dummy
ip link set locked0 up
devices+=(locked0 locked1)
promiscuity() { ip -d link show "$1" | sed -n 's/.*promiscuity \([0-9]*\).*/\1/p'; }
hook locked0
check "a device with a lock of its own can be hooked" is "$(promiscuity locked0)" 1
listen events
ip link set locked0 down
ip link set locked0 name locked1
ip link set locked1 up
all_told() { grep -q device-down events && grep -q device-renamed events && grep -q device-up events; }
check "what happens to it is told" wait_for 5 all_told
kill $monitor
unhook locked1
check "it can be given back" is "$(promiscuity locked1)" 0
check "a change that is not made leaves it as it was" \
	not vlink -b - <<<$'ethernet hook locked1\nethernet hook nobody'
check "and its promiscuity" is "$(promiscuity locked1)" 0
hook locked1
ip link del locked1
check "it can go while it is hooked" not grep -q '^locked' /proc/net/lana/fblocks
ip link add br0 type bridge
devices+=(br0 mac0 bond9)
check "given back, it can be a bridge port" ip link set lan0 master br0
check "a bridge port cannot be hooked, and the error says so" \
	contains "$(vlink ethernet hook lan0 --yes 2>&1 || :)" "lan0 is a bridge port"
ip link set lan0 nomaster
check "no port any more, it can be hooked" vlink ethernet hook lan0 --yes
check "hooked, it cannot be a bridge port" not ip link set lan0 master br0
check "nor carry a macvlan" not ip link add link lan0 name mac0 type macvlan
check "100 times hooked and given back" vlink -b <(for ((i = 0; i < 100; i++)); do
	echo "ethernet unhook lan0"
	echo "ethernet hook lan0"
done)
ip address del 192.0.2.3/24 dev lan0

# --- Set down ---

hook lan1
bridge d dummy c counter
check "ping passes the bridge" ping_quietly alice 2 192.0.2.2
ip link set lan1 down
was=$(<"$fblock/c")
check "a device that is set down lets nothing pass" not ping_quietly alice 3 192.0.2.2 -W 0.2
check "its block is there" contains "$(fblocks)" lan1
check "what comes to it is dropped for the device's sake" is "$(drops lan1 device)" 3
check "up to there it is counted" not is "$(<"$fblock/c")" "$was"
ip link set lan1 up
check "set up, it lets them pass again" ping_quietly alice 2 192.0.2.2

# --- Renamed ---

ip link set lan1 name new1
check "a device that is renamed lets packets pass" ping_quietly alice 2 192.0.2.2
check "the block keeps its name" is "$(fblocks)" "c d lan0 lan1 "
check "fbctl shows the device by its new name" contains "$(fbctl -j show lan1)" '"ifname":"new1"'
check "so does vlink" matches "$(vlink show)" "ethernet +new1 "
check "so does procfs" contains "$(</proc/net/lana/vlink)" "ethernet new1 "
check "it cannot be hooked again by its new name" \
	contains "$(vlink ethernet hook new1 2>&1 || :)" "new1 is hooked already, by block 'lan1'"
check "the name of the block is taken, and the error says by which device" contains \
	"$(fbctl add lan1 dummy 2>&1 || :)" "'lan1' exists already: it is the block of new1"
check "the block cannot be removed, and the error says how to give its device back" contains \
	"$(fbctl rm lan1 2>&1 || :)" "vlink ethernet unhook --block lan1"
check "vlink shows the block" matches "$(vlink show)" "new1 .* lan1"
fbctl save renamed.toml
fbctl unbind lan1 c
check "it is given back by its block" vlink ethernet unhook --block lan1
check "and hooked by its number, with a block of that name" \
	vlink ethernet hook --index "$(<"/sys/class/net/new1/ifindex")" --block lan1
fbctl bind lan1 c
check "which is what was saved" is "$(fbctl apply renamed.toml)" "nothing to change"
fbctl apply --empty /dev/null >/dev/null
check "the saved file makes it again" fbctl apply renamed.toml
check "with the block of that name" contains "$(fbctl -j show lan1)" '"ifname":"new1"'
check "packets pass" ping_quietly alice 2 192.0.2.2
ip link set new1 name lan1

# --- Deleted, under traffic ---

listen events
flood
pause 0.2
ip link del lan1
calm
check "a device that is deleted under traffic takes its block along" is "$(fblocks)" "c d lan0 "
check "what was bound to it is not any more" is "$(fbctl -j show c | grep -o peer-name)" "peer-name"
check "its going is told" wait_for 5 grep -q "^device-gone lan1 .*ifname lan1" events
check "and so is the end of its binding" wait_for 5 grep -q "^unbound lan1 .*peer c" events
check "and of its block" wait_for 5 grep -q "^removed lan1 " events
was=$(drops c unbound)
check "the others live" not ping_quietly alice 3 192.0.2.2 -W 0.2
check "and drop what they cannot pass on" is "$(($(drops c unbound) - was))" 3
wired
check "a new device of that name can be hooked, and packets pass" ping_quietly alice 2 192.0.2.2
fbctl subscribe d lan1
fbctl subscribe lan1 d
ip netns exec bob ip link del b0
check "a device that others are subscribed to goes too" is "$(fblocks)" "c d lan0 "
check "their subscriptions end" not grep -q publisher <(fbctl -j show d)
kill $monitor
wired

# --- To another namespace ---

namespace red
flood
pause 0.2
ip link set lan1 netns red
calm
check "a device that moves to another namespace leaves the graph" is "$(fblocks)" "c d lan0 "
check "there it is nobody's: it can be hooked" vlink -n red ethernet hook lan1
check "its block is in the graph of that namespace" contains "$(fbctl -n red show)" lan1
check "and not here" is "$(fblocks)" "c d lan0 "
check "a device of another namespace is refused here" \
	contains "$(vlink ethernet hook lan1 2>&1 || :)" "no device 'lan1' in this namespace"
check "a block of another namespace cannot be bound to" \
	contains "$(fbctl bind lan1 c 2>&1 || :)" "no block 'lan1'"
fbctl -n red add c counter
fbctl -n red bind c lan1
ip -n red link set lan1 up
ping_quietly bob 3 192.0.2.1 -W 0.2 >/dev/null || :
check "packets that come there are counted there" is "$(ip netns exec red cat "$fblock/c" | cut -d ' ' -f 1)" 3
fbctl -n red unbind c lan1
vlink -n red ethernet unhook lan1
ip -n red link set lan1 netns 1
ip link set lan1 up
neighbours
hook lan1
fbctl bind lan1 c
check "back again, packets pass as before" ping_quietly alice 2 192.0.2.2

# --- A namespace goes, with a graph in it and packets on the way ---

round() {
	namespace green
	ip -batch - <<-END
		link add g0 netns green type veth peer name x0 netns alice
		link add g1 netns green type veth peer name x1 netns bob
		netns set green 7
	END
	ip -n green -batch - <<-END
		link set g0 up
		link set g1 up
	END
	ip -n alice link set x0 up
	ip -n bob link set x1 up
	vlink -n green -b - <<-END
		ethernet hook g0
		ethernet hook g1
	END
	fbctl -n green -b - <<-END
		add t tee
		add f bpf
		add c counter
		add s dummy
		set f program=@$top/examples/ipv4.txt
		bind t g0
		bind f t
		bind c t
		bind g1 f
		subscribe s g0
		subscribe g1 s
	END
	ip netns exec alice "$tests/pktgen" x0 "$(scale 100000)" 2>/dev/null &
	pause 0.05
	ip netns del green
	wait $! 2>/dev/null || :
}
gone() { [ "$(fbctl -j types | grep -o '"instances":[0-9]*' | tr -dc '0-9\n' | paste -sd +)" = "$instances" ]; }
instances=$(fbctl -j types | grep -o '"instances":[0-9]*' | tr -dc '0-9\n' | paste -sd +)
for ((i = 0; i < $(scale 10); i++)); do round; done
check "a namespace that is deleted under traffic takes its graph along" wait_for 10 gone
check "its devices are gone" not ip -n alice link show x0
check "the graph here lives" ping_quietly alice 2 192.0.2.2

# While it is being configured.
namespace green
timeout 60 fbctl -n green --force -b <(for ((i = 0; ; i++)); do
	echo "add a$i tee"
	echo "add b$i dummy"
	echo "bind a$i b$i"
done) >/dev/null 2>&1 &
pause 0.5
ip netns del green
pause 0.2
kill $! 2>/dev/null || :
wait $! 2>/dev/null || :
check "a namespace that is deleted while it is configured goes when that ends" wait_for 10 gone
clean
check "the graph here can be taken apart" is "$(fblocks)" ""

# --- While tools and devices race ---

timeout 100 vlink --force -b <(while :; do
	echo "ethernet hook race0"
	echo "ethernet unhook race0"
done) >/dev/null 2>&1 &
for ((i = 0; i < $(scale 50); i++)); do
	ip link add race0 type veth peer name race1
	ip link set race0 up
	ip link del race0
done
kill $! 2>/dev/null || :
wait $! 2>/dev/null || :
check "hooking devices that come and go does no harm" fbctl show
check "none is left" is "$(sed 1d /proc/net/lana/vlink)" "ethernet - - - - -"

# --- Names of any bytes ---

ip link add race0 type veth peer name race1
ip link set race0 name $'r\xe9seau'
ifindex=$(<"/sys/class/net/"$'r\xe9seau'/ifindex)
check "a device whose name is no name of a block wants one" \
	contains "$(vlink ethernet hook --index "$ifindex" 2>&1 || :)" "no block can be called r?seau: name it"
check "with one it is hooked" vlink ethernet hook --index "$ifindex" --block reseau
check "procfs has its name, byte for byte" grep -q $'^ethernet r\xe9seau ' /proc/net/lana/vlink
check "so has netlink" env PYTHONPATH="$tests" python3 -S -c '
from lana import C, NLM_F_DUMP, Socket, attrs
lana = Socket()
found = [dict(attrs(m[20:])) for m in lana.request("VLINK_GET", b"", NLM_F_DUMP).messages]
assert found[0][C["LANA_A_VLINK_IFNAME"]] == b"r\xe9seau\0", found
assert found[0][C["LANA_A_VLINK_FB"]] == b"reseau\0", found'
check "what is no UTF-8 is not saved" contains "$(fbctl save 2>&1 || :)" \
	"block 'reseau' cannot be read whole: the name of its device is no UTF-8"
check "it is given back by its number" vlink ethernet unhook --index "$ifindex"
vlink ethernet hook --index "$ifindex" --block reseau
check "or by its block" vlink ethernet unhook --block reseau
ip link del race1

done_testing

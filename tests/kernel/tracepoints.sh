# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# What the kernel's tracers see of a graph: drops, hops, changes.

. "${0%/*}/../lib.sh"

load
events=/sys/kernel/tracing/events/lana
mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing || true
if [ ! -d $events ]; then
	skip "tracepoints" "this kernel has none"
	done_testing
	exit
fi

ip link add lan0 address $lan0_mac type veth peer name far0
devices=(lan0)
for name in lan0 far0; do
	echo 1 >/proc/sys/net/ipv6/conf/$name/disable_ipv6
	ip link set $name arp off up
done
ip address add 192.0.2.1/24 dev far0
vlink ethernet hook lan0
fbctl -b - <<-'END'
	add t tee
	add c counter
	add f bpf
	set f program="{ 0x6, 0, 0, 0 },"
	bind t lan0
	bind f t
	bind c t
END
idp() { fbctl -j show | python3 -c 'import json,sys
print(next(b["idp"] for b in json.load(sys.stdin) if b["name"] == sys.argv[1]))' "$1"; }
lan0=$(idp lan0) t=$(idp t) c=$(idp c) f=$(idp f)
trace=/sys/kernel/tracing/trace
on() { echo "$2" >$events/"$1"/enable; }
seen() { sed -n 's/.*: \(lana_[a-z]*\): netns=[0-9]*/\1/p' $trace; }
watched=/sys/module/lana/parameters/watch_drops
send() { ping -q -c "$1" -i 0.002 -W 0.1 192.0.2.2 >/dev/null || true; }

echo >$trace
send 2
check "nobody watches: nothing is told" is "$(seen)" ""

on lana_drop 1
send 3
check "a drop is told with its block, its reason and how far the packet came" \
	is "$(seen | grep -c "^lana_drop idp=$f reason=filtered hops=2 skbaddr=")" 3
check "so is one at a block's port that nothing is bound to" \
	is "$(seen | grep -c "^lana_drop idp=$c reason=unbound hops=2 skbaddr=")" 3
check "and nothing else" is "$(seen | wc -l)" 6
check "the parameter of otst is not touched" is "$(cat $watched)" N
on lana_drop 0
echo >$trace
send 2
check "after that nothing is told" is "$(seen)" ""

hops() { send 1 && seen | grep -q lana_hop; }
on lana_hop 1
check "hops are told soon" wait_for 10 hops
echo >$trace
send 1
check "each hop is told, with what became of the packet" is \
	"$(seen | sed 's/ skbaddr=.*//')" "lana_hop idp=$lan0 end=forwarded detail=0
lana_hop idp=$t end=forwarded detail=0
lana_hop idp=$f end=dropped detail=0
lana_hop idp=$c end=dropped detail=1"
ip netns add late
ip -n late link add lan1 type veth peer name far1
fbctl -n late add c1 counter
vlink -n late ethernet hook lan1
fbctl -n late bind c1 lan1
ip netns exec late sh -c 'echo 1 >/proc/sys/net/ipv6/conf/far1/disable_ipv6
	ip link set lan1 up; ip link set far1 arp off up; ip address add 192.0.2.1/24 dev far1'
late() {
	ip netns exec late ping -q -c 1 -W 0.1 192.0.2.2 >/dev/null
	[ "$(seen | grep -c "idp=1 end=dropped\|idp=2 end=dropped")" -gt 0 ]
}
echo >$trace
check "in a namespace that is made later, too" wait_for 10 late
on lana_hop 0
none() { echo >$trace && send 1 && [ -z "$(seen)" ]; }
check "after that they are not" wait_for 10 none

echo >$trace
on lana_change 1
fbctl add d dummy
fbctl bind d c
fbctl unbind d c
fbctl rm d
check "changes are told as events are" is "$(seen | sed 's/idp=[0-9]* peer=[0-9]*//')" \
	"lana_change kind=added block=d 
lana_change kind=bound block=d 
lana_change kind=unbound block=d 
lana_change kind=removed block=d "

# All are on while the module goes, and come again with it.
echo 1 >$events/enable
ip netns del late
clean
check "the modules can be unloaded while tracers watch" wait_for 10 no_modules
check "the tracepoints go with them" not test -d $events
load
check "and loaded again" test -d $events
done_testing

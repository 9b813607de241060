# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# flowd on packets as they come: it tells collectors of the same flows as the block netflow, and says what is wrong in one line.

. "${0%/*}/../lib.sh"

load
# Each socket that is closed waits for some.
hurry
hosts
neighbours
ip link set lo up
hook lan0 lan1
bridge t tee x netflow

# --- What is wrong ---

to="--collector 127.0.0.1:9"
ip tuntap add t0 mode tun
devices+=(t0)
remember
while IFS='|' read -r status what why; do
	# shellcheck disable=SC2086
	check_fails "$what" "$status" "flowd: $why" flowd $what
done <<-END
	1|version=5|-r FILE, -i DEVICE or --lana NAME is missing
	1|-i lan0 -r x.pcap|the argument '--interface <DEVICE>' cannot be used with
	1|-i lan0,nothing0 $to|nothing0: there is no such device
	1|-i t0 $to|t0: its packets do not begin with an Ethernet header
	1|-i lan0 --buffer 1000 $to|invalid value '1000' for '--buffer <BYTES>': a power of two from 65536
	1|-i lan0 --collector here|--collector: an address and a port such as 192.0.2.1:2055
	1|-i lan0 --collector 203.0.113.77:9|collector 203.0.113.77:9: Network is unreachable
	1|--lana name/with/slash/that/is/longer/than/names/are|name/with/slash/that/is/longer/than/names/are: a block cannot be called
	2|--lana x|x: Address already in use
END
unprivileged() { setpriv --bounding-set -net_raw,-net_admin --inh-caps -net_raw,-net_admin "$@"; }
check_fails "without CAP_NET_RAW" 2 "flowd: lan0: Operation not permitted (needs CAP_NET_RAW)" unprivileged flowd -i lan0
check_fails "without CAP_NET_ADMIN" 2 "flowd: tap: Operation not permitted (needs CAP_NET_ADMIN)" unprivileged flowd --lana tap

# --- The same flows as the block ---

fold python3 -S "$tests/flowd.py"

# --- A device that goes ---

ip link add g0 type veth peer name g1
ip link set g0 up
ip link set g1 up
flowd -j -p -i g0 --threads 2 --collector 127.0.0.1:9 >out 2>said &
tool=$!
wait_for 10 grep -q ready said
check "-p: it is promiscuous" matches "$(ip -d link show g0)" "promiscuity [1-9]"
ip link set g0 down
ip link set g0 up
seen() { kill -USR1 $tool && pause 0.1 && [ "$(tail -n 1 out | number packets)" -ge 5 ]; }
trafgen -d g1 -n 5 '{ eth(da=ff:ff:ff:ff:ff:ff, sa=2:0:0:0:0:1, type=0x800) ipv4(sa=192.0.2.2, da=192.0.2.1, proto=17) udp(sp=7, dp=53) fill(0, 20) }' >/dev/null
check "a device that was down is seen again" wait_for 10 seen
ip link del g0
status=0
wait $tool || status=$?
check "a device that goes ends it" is "$status $(tail -n 1 said)" "2 flowd: g0: the device is gone"
check "what came before is told of" contains "$(tail -n 1 out)" '"exported":{"flows":1,"packets":5,'
clean
done_testing

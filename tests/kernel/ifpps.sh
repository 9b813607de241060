# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# ifpps: what it counts is what was sent.

. "${0%/*}/../lib.sh"

# value FILE EXPRESSION: of the JSON in the last line of a file, which is `r`; d is its first device.
value() {
	tail -n 1 "$1" | python3 -S -c 'import json, sys; r = json.load(sys.stdin); d = r["devices"][0]; print(eval(sys.argv[1]))' "$2"
}
lines() { [ "$(wc -l <"$1")" -ge "$2" ]; }
promiscuity() { ip -d -o link show "$1" | sed -n 's/.* promiscuity \([0-9]*\) .*/\1/p'; }
ends() { status=0 && wait "$1" || status=$?; }

load
hosts
neighbours
hook lan0
fbctl add mid counter
fbctl bind mid lan0
fbctl add wall bpf
fbctl bind wall mid
echo "{ 0x6, 0, 0, 0x00000000 }," >$fblock/wall

# Everything that is sent is sent within an interval.
ifpps -j -t 3000 lan0 >out &
tool=$!
pause 0.5
alice ping -q -c 50 -i 0.002 -W 1 192.0.2.2 >/dev/null || :
ends "$tool"
check "ifpps -j ends after an interval" is "$status" 0
check "it is JSON" python3 -S "$tests/isjson.py" <out
check "the totals of packets and bytes are what was sent" \
	is "$(value out 'd["rx"]["packets"]["total"], d["rx"]["bytes"]["total"]' | tr -d '(),')" "$(sent alice a0)"
check "the rate is what came, by the time that has passed" \
	is "$(value out 'round(d["rx"]["packets"]["rate"] * r["seconds"] / 3)')" 50
check "the block's rate, too" is "$(value out '[round(b["packets"]["rate"] * r["seconds"] / 3) for b in r["blocks"] if b["name"] == "mid"]')" "[50]"
check "drops by reason" is "$(value out '[b["reasons"] for b in r["blocks"] if b["name"] == "wall"]')" "[{'filtered': 50}]"
check "each CPU is there" is "$(value out 'len(r["cpus"])')" "$(grep -c '^cpu[0-9]' /proc/stat)"
check "softirqs were counted" test "$(value out 'int(sum(c["soirq_rx"]["rate"] for c in r["cpus"]) > 0)')" = 1

ifpps -c -t 100 lan0 lan1 >csv
check "CSV has a line of names, and one for each device" is "$(wc -l <csv)" 3
check "with as many fields" is "$(awk -F, '{ print NF }' csv | sort -u | wc -l)" 1
check "and the same totals" is "$(sed -n 2p csv | cut -d , -f 3,13,14)" "lan0,$(sent alice a0 | sed 's/\(.*\) \(.*\)/\2,\1/')"
ifpps -co -t 100 lan0 >csv
check "without the line of names where it is not wanted" is "$(wc -l <csv)" 1

before=$(promiscuity lan0)
ifpps -dev lan0 -promisc -c -l -t 100 >csv &
tool=$!
wait_for 10 lines csv 2
check "the thesis's options: -promisc" is "$(promiscuity lan0)" $((before + 1))
kill "$tool"
ends "$tool"
check "a signal ends the loop" is "$status" 0
check "the device is promiscuous no more" is "$(promiscuity lan0)" "$before"

# What the terminal shows.
python3 -S "$tests/screen.py" 80 30 .sq ifpps lan0 >screen
check "the screen has the device" contains "$(<screen)" "Kernel net/sys statistics for lan0"
check "its totals" matches "$(<screen)" "RX: +[0-9.]+ MiB +$(sent alice a0 | cut -d ' ' -f 1) pkts"
check "the system" matches "$(<screen)" "SYS: +[0-9]+ cs/t +[0-9.]+% mem +[0-9]+ running +[0-9]+ iowait"
check "the CPUs" matches "$(<screen)" "CPU0: +[0-9.]+% usr/t +[0-9.]+% sys/t +[0-9.]+% idl/t +[0-9.]+% iow/t"
check "the blocks" matches "$(<screen)" "wall +bpf .* filtered 50"
check "how it is sorted" contains "$(<screen)" "s sort: load, packets"
python3 -S "$tests/screen.py" 40 6 .q ifpps lan0 >screen
check "a small terminal shows a part" matches "$(<screen)" "1-5/[0-9]+"

# A device that goes and comes.
clean
ifpps -j -l -t 100 lan0 >out &
tool=$!
wait_for 10 lines out 2
ip link del lan0
is_gone() { [ "$(value out 'd["gone"]')" = "$1" ]; }
check "a device that goes is told of" wait_for 10 is_gone True
ip link add lan0 type veth peer name a1
check "and one that comes back" wait_for 10 is_gone False
check "which has counters of its own, and no rate" is "$(value out 'd["rx"]["packets"]["rate"]')" 0.0
kill "$tool"
ends "$tool"
check "it has gone on all the while" is "$status" 0

check "a device that is not there is named" contains "$(ifpps nothing0 2>&1 || echo "status $?")" \
	$'ifpps: nothing0: there is no such device\nstatus 1'
check "without a terminal it says what to do" contains "$(ifpps lan1 2>&1 || echo "status $?")" "-c prints CSV"
check "a device that is down is warned of" contains "$(ifpps -c -t 10 lan0 2>&1 >/dev/null)" "warning: lan0 is down"
check "unless that is not wanted" is "$(ifpps -cW -t 10 lan0 2>&1 >/dev/null)" ""
done_testing

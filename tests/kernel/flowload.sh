# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block netflow under load: it is set, replaced and bound anew, 1,000 times with LANA_LONG=1; each packet is another flow;
# what is counted is read while tables go; and a CPU goes and comes back, where one can be switched off (lane x86_64). The others
# are for LANA_LONG=1 there.

. "${0%/*}/../lib.sh"

load
hosts
ip link set lo up
all=(changes flood sums)
if [ -w /sys/devices/system/cpu/cpu1/online ]; then
	[ -n "${LANA_LONG:-}" ] || all=()
	all+=(hotplug)
else
	skip "hotplug" "no CPU here can be switched off"
fi
for what in "${all[@]}"; do
	hook lan0 lan1
	bridge x netflow
	fold python3 -S "$tests/flowload.py" $what
	clean
done
done_testing

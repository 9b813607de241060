# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The block netflow under load: it is set, replaced and bound anew, 1,000 times with LANA_LONG=1; each packet is another flow;
# and a CPU goes and comes back, where one can be switched off (lane x86_64).

. "${0%/*}/../lib.sh"

load
hosts
ip link set lo up
for what in changes flood hotplug; do
	if [ $what = hotplug ] && [ ! -w /sys/devices/system/cpu/cpu1/online ]; then
		skip "hotplug" "no CPU here can be switched off"
		continue
	fi
	hook lan0 lan1
	bridge x netflow
	fold python3 -S "$tests/flowload.py" $what
	clean
done
done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# CPUs go and come back while packets flow by all of them and the graph is rewired: each packet is still
# counted. Only where a CPU can be switched off (lane x86_64).

. "${0%/*}/../lib.sh"

if [ ! -w /sys/devices/system/cpu/cpu1/online ]; then
	skip "CPUs go and come back" "no CPU here can be switched off"
	done_testing
	exit
fi
load
hosts
fold python3 -S "$tests/hotplug.py" "$(scale 200)"
clean
about="in batches: "
fold python3 -S "$tests/hotplug.py" "$(scale 200)" batch

done_testing

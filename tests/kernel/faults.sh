# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Each allocation fails in turn, in every operation: it is done whole or not at all, and nothing gets
# lost. Only where the kernel can make allocations fail. LANA_LONG=1: each of a new namespace, too.

. "${0%/*}/../lib.sh"

if [ ! -e /proc/self/fail-nth ] || [ ! -d /sys/kernel/debug/failslab ]; then
	skip "each allocation fails in turn" "the kernel has no fault injection"
	done_testing
	exit
fi
namespace red green
hurry
fold python3 -S "$tests/faults.py" modules
load
for i in 0 1 2; do
	ip link add lan$i type veth peer name far$i
	ip link set lan$i up
	ip link set far$i up
done
devices=(lan0 lan1 lan2)
rmmod fb_dummy
fold python3 -S "$tests/faults.py" control blocks sockets procfs dumps devices namespaces packets ways

done_testing

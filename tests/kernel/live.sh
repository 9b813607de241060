# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Rewiring under full load: no packet is lost, none sees a mix of two graphs. LANA_LONG=1: the long form,
# with 100,000 rebinds, 10,000 replaces and 10,000 transactions. First of skbs, by the receive handler, then of frames, by
# native XDP.

. "${0%/*}/../lib.sh"

load
hosts
fold python3 -S "$tests/live.py" cuts rebinds replaces moves
if [ "$(scale 50)" = 1 ]; then
	# Open: changes take seconds there under full load, and in one run the machine had no memory left.
	skip "frames at full load" "a kernel that looks for mistakes has no time left for RCU under that"
else
	fold python3 -S "$tests/live.py" xdp cuts rebinds replaces moves
fi

done_testing

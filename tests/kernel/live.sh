# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Rewiring under full load: no packet is lost, none sees a mix of two graphs. LANA_LONG=1: the long form,
# with 100,000 rebinds, 10,000 replaces and 10,000 transactions. First of skbs, by the receive handler, then of frames, by
# native XDP.

. "${0%/*}/../lib.sh"

load
hosts
fold python3 -S "$tests/live.py" cuts rebinds replaces moves
fold python3 -S "$tests/live.py" xdp cuts rebinds replaces moves

done_testing

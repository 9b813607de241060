# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Traffic at full rate and random changes of everything; every packet is accounted for. It runs for
# LANA_MINUTES, with LANA_SEED, as tests/soak (`make soak`) sets them.

. "${0%/*}/../lib.sh"

if [ -z "${LANA_MINUTES:-}" ]; then
	skip "a soak" "it takes its time: make soak"
	done_testing
	exit
fi
hosts
namespace g0 g1 g2 g3 gw
fold python3 -S "$tests/soak.py" "$((LANA_MINUTES * 60))" "${LANA_SEED:-1}"

done_testing

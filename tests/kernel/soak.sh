# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Traffic at full rate and random changes of everything; every packet is accounted for. LANA_SEED and
# LANA_MINUTES: as tests/soak sets them, for the long form.

. "${0%/*}/../lib.sh"

hosts
namespace g0 g1 g2 g3 gw
seconds=15
[ -z "${LANA_MINUTES:-}" ] || seconds=$((LANA_MINUTES * 60))
fold python3 -S "$tests/soak.py" "$seconds" "${LANA_SEED:-1}"

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The lab's experiment with two providers, in short: gateways that translate addresses (nftables), so in a kernel that can.

. "${0%/*}/../lib.sh"

load
fold python3 -S "$tests/providers.py"
done_testing

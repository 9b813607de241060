# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Several CPUs at once, each with its own packets.

. "${0%/*}/../lib.sh"

load
hosts
if [ "$(nproc)" -gt 1 ]; then
	fold python3 -S "$tests/parallel.py"
else
	skip "each CPU counts what it sent" "there is only one"
fi

done_testing

# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The experiment of `make lab-anycast`, in short.

. "${0%/*}/../lib.sh"

load
fold python3 -S "$tests/labanycast.py"
done_testing

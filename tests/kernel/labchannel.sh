# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The experiment of `make lab-channel`, in short.

. "${0%/*}/../lib.sh"

load
fold python3 -S "$tests/labchannel.py"
done_testing

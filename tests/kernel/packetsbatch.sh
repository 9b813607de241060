# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The same as packets.sh, with packets that are collected and go in batches.

batch=on
. "${0%/*}/packets.sh"

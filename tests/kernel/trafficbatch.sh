# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# The same as traffic.sh, with packets that are collected and go in batches.

batch=on
. "${0%/*}/traffic.sh"

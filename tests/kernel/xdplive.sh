# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
# Devices that are hooked with --xdp, and what somebody else does to them and their drivers while frames pass at full
# rate: other programs, channels, the MTU, down and up, other namespaces, their end.

. "${0%/*}/../lib.sh"

load
# A kernel with one CPU makes one channel, unless told.
hosts numrxqueues 2
times=$(scale 40)
mkdir -p bpf
mount -t bpf bpf bpf
python3 -S "$tests/bpfload.py" bpf
fold python3 -S "$tests/xdplive.py" "$times" bpf/xdp-pass
umount bpf
rmdir bpf

done_testing

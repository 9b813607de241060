# SPDX-License-Identifier: GPL-2.0
"""Programs for the kernel's BPF machine, assembled by hand and loaded without a compiler."""

import ctypes
import os
import socket
import struct

from common import Missing, do
import bpfload
from bpfload import SCHED_CLS, XDP, answer, bpf, insn

FOLDER = "/run/bpf"
MAP_CREATE, MAP_UPDATE, PROG_ARRAY = 0, 2, 3
REDIRECT, TAIL_CALL = 23, 12
TC_DROP, XDP_DROP, XDP_PASS = answer(2), answer(1), answer(2)


def redirect(device):
    """To the egress of a device, for tc and XDP alike."""
    index = socket.if_nametoindex(device)
    return insn(0xB7, 1, 0, index) + insn(0xB7, 2) + insn(0x85, 0, 0, REDIRECT) + insn(0x95)


def pin(name, kind, code):
    if not os.path.ismount(FOLDER):
        os.makedirs(FOLDER, exist_ok=True)
        do("mount", "-t", "bpf", "none", FOLDER)
    path = f"{FOLDER}/{name}"
    try:
        bpfload.pin(path, kind, code)
    except OSError as error:
        raise Missing(str(error)) from None
    return path


def on_tc(device, code):
    """At the ingress of a device."""
    path = pin(f"tc-{device}", SCHED_CLS, code)
    do("tc", "qdisc", "add", "dev", device, "clsact")
    do("tc", "filter", "add", "dev", device, "ingress", "bpf", "da", "object-pinned", path)


def on_xdp(device, mode, code):
    """`mode` is xdpgeneric or xdpdrv, the driver's own."""
    path = pin(f"{mode}-{device}", XDP, code)
    do("ip", "link", "set", "dev", device, mode, "pinned", path)


def chain(steps, last):
    """A program that goes to the next one by a tail call, and so on, `steps` programs in all."""
    size = struct.pack("IIII", PROG_ARRAY, 4, 4, max(steps, 1))
    programs = bpf(MAP_CREATE, size)
    chain.maps.append(programs)  # closed, it would be emptied
    code = last
    for step in range(steps - 1, 0, -1):
        value = ctypes.c_uint32(bpfload.load(SCHED_CLS, code))
        key = ctypes.c_uint32(step)
        bpf(MAP_UPDATE, struct.pack("IIQQQ", programs, 0, ctypes.addressof(key), ctypes.addressof(value), 0))
        os.close(value.value)
        # The map's descriptor takes two instructions; where there is no next program, go on: pass.
        code = (insn(0x18, 0x12, 0, programs) + insn(0) + insn(0xB7, 3, 0, step)
                + insn(0x85, 0, 0, TAIL_CALL) + answer(0))
    return code


chain.maps = []

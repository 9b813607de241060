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
MAP_CREATE, MAP_UPDATE, TEST_RUN = 0, 2, 10
ARRAY, PROG_ARRAY, PERCPU_ARRAY, DEVMAP = 2, 3, 6, 14
LOOKUP, CPU, TAIL_CALL, REDIRECT, REDIRECT_MAP = 1, 8, 12, 23, 51
TC_DROP, XDP_DROP, XDP_PASS, XDP_TX = answer(2), answer(1), answer(2), answer(3)
# Offsets in struct xdp_md.
DATA, DATA_END = 0, 4


def assemble(*steps):
    """A program of instructions, labels (a text), and jumps: (code, registers, value, label)."""
    places, at = {}, 0
    for step in steps:
        if isinstance(step, str):
            places[step] = at
        else:
            at += len(step) // 8 if isinstance(step, bytes) else 1
    code = b""
    for step in steps:
        if isinstance(step, tuple):
            jump, registers, value, label = step
            step = insn(jump, registers, places[label] - len(code) // 8 - 1, value)
        code += b"" if isinstance(step, str) else step
    return code


def new_map(kind, size, entries=1):
    """Its keys have four bytes. It lives as long as a program that was loaded with it, or this one."""
    return bpf(MAP_CREATE, struct.pack("IIII", kind, 4, size, entries))


def put(where, key, value):
    key, value = ctypes.c_uint32(key), ctypes.c_uint32(value)
    bpf(MAP_UPDATE, struct.pack("IIQQQ", where, 0, ctypes.addressof(key), ctypes.addressof(value), 0))


def the_map(register, number):
    """Two instructions: its address."""
    return insn(0x18, 0x10 | register, 0, number) + insn(0)


def look_up(number):
    """r0 = the entry whose key is on the stack."""
    return insn(0xBF, 0xA2) + insn(0x07, 2, 0, -4) + the_map(1, number) + insn(0x85, 0, 0, LOOKUP)


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


def chain(steps, last, kind=SCHED_CLS):
    """A program that goes to the next one by a tail call, and so on, `steps` programs in all."""
    programs = new_map(PROG_ARRAY, 4, max(steps, 1))
    chain.maps.append(programs)  # closed, it would be emptied
    code = last
    for step in range(steps - 1, 0, -1):
        program = bpfload.load(kind, code)
        put(programs, step, program)
        os.close(program)
        # Where there is no next program, go on: pass.
        code = the_map(2, programs) + insn(0xB7, 3, 0, step) + insn(0x85, 0, 0, TAIL_CALL) + answer(0)
    return code


chain.maps = []

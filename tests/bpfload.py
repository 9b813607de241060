# SPDX-License-Identifier: GPL-2.0
"""bpfload.py FOLDER: programs for the kernel's BPF machine, in a BPF file system there: xdp-drop, xdp-pass,
tc-priority, which gives each packet the priority 1:2, tc-index, which gives each the index 5, tc-index-only,
which drops all that have another one, tc-stray, which names the loopback device and redirects none to it, and
filter-arp, a socket filter that takes ARP and marks what it has seen."""

import ctypes
import os
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
BPF_PROG_LOAD, BPF_OBJ_PIN, SOCKET_FILTER, SCHED_CLS, XDP = 5, 6, 1, 3, 6


def insn(code, regs=0, offset=0, value=0):
    return struct.pack("<BBhi", code, regs, offset, value)


def answer(value):
    return insn(0xB7, 0, 0, value) + insn(0x95)  # r0 = value; exit


def bpf(command, attribute):
    buffer = ctypes.create_string_buffer(attribute, 128)
    result = LIBC.syscall(321, command, buffer, 128)
    if result < 0:
        raise OSError(ctypes.get_errno(), "bpf: " + os.strerror(ctypes.get_errno()))
    return result


def load(kind, code):
    """The descriptor of a program."""
    insns, text = ctypes.create_string_buffer(code, len(code)), ctypes.create_string_buffer(b"GPL")
    return bpf(BPF_PROG_LOAD, struct.pack("IIQQ", kind, len(code) // 8, ctypes.addressof(insns),
                                          ctypes.addressof(text)))


def pin(path, kind, code):
    program = load(kind, code)
    path = ctypes.create_string_buffer(path.encode())
    bpf(BPF_OBJ_PIN, struct.pack("QI", ctypes.addressof(path), program))
    os.close(program)


def main(folder):
    pin(folder + "/xdp-drop", XDP, answer(1))
    pin(folder + "/xdp-pass", XDP, answer(2))
    # *(u32 *)(skb + 32) is its priority.
    pin(folder + "/tc-priority", SCHED_CLS, insn(0xB7, 2, 0, 0x10002) + insn(0x63, 0x21, 32) + answer(0))
    # *(u32 *)(skb + 44) is its tc_index; -1 says nothing of it, as an answer would be the index then.
    pin(folder + "/tc-index", SCHED_CLS, insn(0xB7, 2, 0, 5) + insn(0x63, 0x21, 44) + answer(-1))
    pin(folder + "/tc-index-only", SCHED_CLS, insn(0x61, 0x12, 44) + insn(0x15, 2, 2, 5) + answer(2) + answer(0))
    # bpf_redirect(1, 0), and yet 0.
    pin(folder + "/tc-stray", SCHED_CLS, insn(0xB7, 1, 0, 1) + insn(0xB7, 2, 0, 0) + insn(0x85, 0, 0, 23) + answer(0))
    # cb[0], *(u32 *)(skb + 48), is 0 for each packet, and 1 is left there; the half word at 12 is the EtherType.
    pin(folder + "/filter-arp", SOCKET_FILTER,
        insn(0xBF, 0x16) + insn(0x61, 0x67, 48) + insn(0xB7, 1, 0, 1) + insn(0x63, 0x16, 48) + insn(0x28, 0, 0, 12)
        + insn(0x55, 0, 3, 0x0806) + insn(0x55, 7, 2, 0) + answer(1) + answer(0))


if __name__ == "__main__":
    main(sys.argv[1])

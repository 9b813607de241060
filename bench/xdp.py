# SPDX-License-Identifier: GPL-2.0
"""XDP programs that LANA is compared with, and those that make frames: assembled by hand into what clang -O2 makes of
the C that is told beside each."""

import ctypes
import socket
import struct

import bpfload
import burst
import ebpf
from bpfload import XDP, answer, bpf, insn
from ebpf import assemble, look_up

CSUM_DIFF, ADJUST_TAIL = 28, 65
PASS, TX = 2, 3


def sender(frame, device=None, changed=None):
    """The program that BPF_PROG_TEST_RUN makes frames by, a descriptor. They leave by a device, or are dropped where
    there is none. A frame's memory comes again, as whoever had it last has left it: those words are written anew in which
    `changed` differs. The kernel forgets the metadata that LANA has left in a frame only where the program
    changes its bounds: so it is made a byte too long, and has its length then."""
    steps, stores = [], []
    if changed is not None:
        places = burst.words(frame, changed)
        stores = burst.writing(3, frame, places)
        steps = [
            insn(0xBF, 0x16), insn(0xB7, 2, 0, -1), insn(0x85, 0, 0, ADJUST_TAIL),
            insn(0x61, 0x63, ebpf.DATA), insn(0x61, 0x61, ebpf.DATA_END),
            insn(0xBF, 0x34), insn(0x07, 4, 0, max(places, default=0) + 4), (0x2D, 0x14, 0, "send")]
    last = ebpf.redirect(device) if device else ebpf.XDP_DROP
    return bpfload.load(XDP, assemble(*steps, *stores, "send", last))


def count_by_cpu(number):
    """xdp-bench: if (!(rec = bpf_map_lookup_elem(&rx_cnt, &cpu))) return XDP_PASS; rec->processed++;"""
    return [insn(0x85, 0, 0, ebpf.CPU), insn(0x63, 0x0A, -4), look_up(number), (0x15, 0, 0, "pass"),
            insn(0x79, 0x01), insn(0x07, 1, 0, 1), insn(0x7B, 0x10)]


def bench_drop():
    """As `xdp-bench drop`: counts, looks at nothing."""
    return assemble(*count_by_cpu(ebpf.new_map(ebpf.ARRAY, 64, 64)), answer(1), "pass", answer(PASS))


def bench_redirect(*last):
    """As `xdp-bench redirect`: an Ethernet header has to be there; counts, swaps the MAC addresses."""
    swap = [insn(code, registers, at) for one in (0, 2, 4) for code, registers, at in (
        (0x69, 0x71, one), (0x69, 0x72, one + 6), (0x6B, 0x27, one), (0x6B, 0x17, one + 6))]
    return assemble(
        insn(0x61, 0x17, ebpf.DATA), insn(0x61, 0x18, ebpf.DATA_END),
        *count_by_cpu(ebpf.new_map(ebpf.ARRAY, 64, 64)),
        insn(0xBF, 0x71), insn(0x07, 1, 0, 14), (0x2D, 0x81, 0, "pass"),
        *swap, *last, "pass", answer(PASS))


def bench_redirect_map(device):
    """As `xdp-bench redirect-map`: by a map of devices."""
    devices = ebpf.new_map(ebpf.DEVMAP, 4)
    ebpf.put(devices, 0, socket.if_nametoindex(device))
    return bench_redirect(ebpf.the_map(1, devices), insn(0xB7, 2), insn(0xB7, 3), insn(0x85, 0, 0, ebpf.REDIRECT_MAP),
                          insn(0x95))


def word(data):
    """As the processor reads it, and as an immediate operand."""
    return int.from_bytes(data, "little", signed=len(data) == 4)


def whole(at, length, rest, label):
    """The bytes from `at` on have a right checksum: csum_fold(bpf_csum_diff(NULL, 0, data + at, length, rest)) == 0."""
    return [insn(0xB7, 1), insn(0xB7, 2), insn(0xBF, 0x73), insn(0x07, 3, 0, at), insn(0xB7, 4, 0, length), *rest,
            insn(0x85, 0, 0, CSUM_DIFF), *fold(0), (0x55, 0, 0xFFFF, label)]


def fold(register):
    """A sum of 32 bits into 16, twice."""
    pair = 0x10 * register | 1
    return [insn(0xBF, pair), insn(0x77, 1, 0, 16), insn(0x57, register, 0, 0xFFFF), insn(0x0F, 0x10 | register)] * 2


def echo(mac, address, *, checked=False, length=46):
    """Answers echo requests of IPv4 for an address to the MAC address of its device, and counts packets and bytes in an
    array of each CPU's. `checked`: only those whose checksums are right, as the kernel and icmp-echo do it. In C that
    is a loop; here all of them are `length` bytes long (IP's total length), what is not passes.

        if (data + 42 > data_end || eth->h_proto != htons(ETH_P_IP) || ip->version_ihl != 0x45) return XDP_PASS;
        if (ip->protocol != IPPROTO_ICMP || ip->frag_off & htons(0x3fff)) return XDP_PASS;
        if (ntohs(ip->tot_len) < 28 || data + 14 + ntohs(ip->tot_len) > data_end) return XDP_PASS;
        if (ip->daddr != address || icmp->type_code != 8) return XDP_PASS;
        if (memcmp(eth->h_dest, mac, 6) || eth->h_source[0] & 1) return XDP_PASS;
        swap(eth->h_dest, eth->h_source); swap(ip->saddr, ip->daddr);
        csum_replace2(&ip->check, ttl_protocol, 64 | IPPROTO_ICMP << 8); ip->ttl = 64;
        csum_replace2(&icmp->checksum, 8, 0); icmp->type_code = 0;
        if ((c = bpf_map_lookup_elem(&counts, &zero))) { c->packets++; c->bytes += data_end - data; }
        return XDP_TX;
    """
    mac = bytes.fromhex(mac.replace(":", ""))
    checks = []
    if checked:
        checks = [
            (0x55, 1, length, "pass"), insn(0xBF, 0x74), insn(0x07, 4, 0, 14 + length), (0x2D, 0x84, 0, "pass"),
            *whole(14, 20, [insn(0xB7, 5)], "drop"),
            *whole(34, (length - 20) // 4 * 4, [insn(0x69, 0x75, 12 + length) if length % 4 else insn(0xB7, 5)], "drop")]
    swap_macs = [insn(code, registers, at) for one in (0, 2, 4) for code, registers, at in (
        (0x69, 0x71, one), (0x69, 0x72, one + 6), (0x6B, 0x27, one), (0x6B, 0x17, one + 6))]
    return assemble(
        insn(0x61, 0x17, ebpf.DATA), insn(0x61, 0x18, ebpf.DATA_END),  # r7, r8
        insn(0xBF, 0x71), insn(0x07, 1, 0, 42), (0x2D, 0x81, 0, "pass"),
        insn(0x69, 0x71, 12), (0x55, 1, 0x0008, "pass"),
        insn(0x71, 0x71, 14), (0x55, 1, 0x45, "pass"),
        insn(0x71, 0x71, 23), (0x55, 1, 1, "pass"),
        insn(0x69, 0x71, 20), (0x45, 1, 0xFF3F, "pass"),
        insn(0x61, 0x71, 30), (0x55, 1, word(address), "pass"),
        insn(0x69, 0x71, 34), (0x55, 1, 8, "pass"),
        insn(0x61, 0x71, 0), (0x55, 1, word(mac[:4]), "pass"),
        insn(0x69, 0x71, 4), (0x55, 1, word(mac[4:]), "pass"),
        insn(0x71, 0x71, 6), (0x45, 1, 1, "pass"),
        insn(0x69, 0x71, 16), insn(0xDC, 1, 0, 16), (0xA5, 1, 28, "pass"),
        insn(0xBF, 0x72), insn(0x07, 2, 0, 14), insn(0x0F, 0x12), (0x2D, 0x82, 0, "pass"),
        *checks,
        *swap_macs,
        insn(0x61, 0x71, 26), insn(0x61, 0x72, 30), insn(0x63, 0x27, 26), insn(0x63, 0x17, 30),
        # ~check + ~old + new, folded, and the complement of that
        insn(0x69, 0x70, 24), insn(0xA7, 0, 0, 0xFFFF), insn(0x69, 0x72, 22), insn(0xA7, 2, 0, 0xFFFF),
        insn(0x0F, 0x20), insn(0x07, 0, 0, 0x0140), *fold(0), insn(0xA7, 0, 0, 0xFFFF), insn(0x6B, 0x07, 24),
        insn(0x72, 7, 22, 64),
        insn(0x69, 0x70, 36), insn(0x07, 0, 0, 8), *fold(0)[:4], insn(0x6B, 0x07, 36),
        insn(0x6A, 7, 34, 0),
        insn(0x62, 10, -4, 0), look_up(ebpf.new_map(ebpf.PERCPU_ARRAY, 16)), (0x15, 0, 0, "send"),
        insn(0x79, 0x01), insn(0x07, 1, 0, 1), insn(0x7B, 0x10),
        insn(0x1F, 0x78), insn(0x79, 0x01, 8), insn(0x0F, 0x81), insn(0x7B, 0x10, 8),
        "send", answer(TX), *["drop", answer(1)] * checked, "pass", answer(PASS))


def answered(code, frame):
    """What becomes of a frame by a program."""
    program = bpfload.load(XDP, code)
    here, there = ctypes.create_string_buffer(frame, len(frame)), ctypes.create_string_buffer(len(frame))
    bpf(ebpf.TEST_RUN, struct.pack("IIIIQQII", program, 0, len(frame), len(frame), ctypes.addressof(here),
                                   ctypes.addressof(there), 1, 0))
    return there.raw

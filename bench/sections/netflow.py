# SPDX-License-Identifier: GPL-2.0
"""Flows: UDP from as many addresses as there are to be flows, in any order. Each packet is counted by its flow, and dropped
then. Beside it what a block takes that does nothing, and what Linux counts by."""

import ipaddress

import burst
import ebpf
from bpfload import XDP, answer, insn, load
from common import BURST, SMALLEST, Called, batch, engine, hook, stack
from sections.drop import LINUX, nft, place
from sections.frames import Sender, hook as hook_frames, place as place_frames

FLOWS = [1, 1000, 100_000, 1_000_000]
BURSTS, FRAMES = "bursts", "frames"
FRAME = burst.FRAME[:SMALLEST].ljust(SMALLEST, b"\0")
FIRST, SOURCE, RANDOM = int(ipaddress.ip_address("10.0.0.1")), 26, 7
TABLE = "set f { type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service; size 2000000; flags dynamic; }"
KEY = "ip saddr . ip daddr . meta l4proto . udp sport . udp dport"


def sources(flows):
    """Steps of an XDP program: the source address of the frame becomes one of so many."""
    return [
        insn(0x61, 0x16, ebpf.DATA), insn(0x61, 0x17, ebpf.DATA_END),
        insn(0xBF, 0x68), insn(0x07, 8, 0, SOURCE + 4), (0x2D, 0x78, 0, "send"),  # data + 30 > data_end
        insn(0x85, 0, 0, RANDOM), insn(0x94, 0, 0, flows),  # w0 = random % flows
        insn(0x07, 0, 0, FIRST), insn(0xDC, 0, 0, 32), insn(0x63, 0x06, SOURCE),  # to big endian
        "send"]


class Load(Called):
    """Has the caches to itself, as long as it sends. All flows are there before the first sample."""

    together = False

    def __init__(self, flows, *others):
        super().__init__(*others)
        self.flows = flows

    def warm_up(self):
        self.sender.send(5 * self.flows)
        super().warm_up()


def bursts(device, flows, sink):
    program = load(XDP, ebpf.assemble(*sources(flows), answer(2)))
    return Load(flows, device, [], sink, burst.Burst(device, FRAME, program=program))


def frames(wire, flows, sink):
    program = load(XDP, ebpf.assemble(*sources(flows), ebpf.redirect(wire.far)))
    return Load(flows, wire.far, [], sink, Sender(FRAME, wire.far, None, program))


def linux(flows):
    wire, device = place(BURST)
    return bursts(device, flows, stack(wire.near))


def counters(flows, text, sets=""):
    """nftables counts, and Linux drops, as there is nobody who swallows."""
    wire, device = place(BURST)
    nft(device, text, sets)
    return bursts(device, flows, stack(wire.near))


def graph(device, commands):
    batch(*commands, f"bind f {device}")


def lana(flows, *commands):
    wire, device = place(BURST)
    hook(wire.near)
    graph(wire.near, commands)
    return bursts(device, flows, engine())


def lana_frames(flows, *commands):
    wire = place_frames()
    hook_frames(wire.near)
    graph(wire.near, commands)
    return frames(wire, flows, engine())


def run(section):
    for flows in FLOWS:
        dummy, block = ["add f dummy"], ["add f netflow", f"set f flows={max(2 * flows, 65536)}"]
        section.offer(BURSTS, LINUX, lambda: linux(flows), flows)
        section.offer(BURSTS, "nft, a counter", lambda: counters(flows, "counter"), flows)
        section.offer(BURSTS, "nft, a counter for each flow", lambda: counters(flows, f"add @f {{ {KEY} counter }}", TABLE), flows)
        for load_, make in (BURSTS, lana), (FRAMES, lana_frames):
            section.offer(load_, "LANA, dummy", lambda: make(flows, *dummy), flows)
            section.offer(load_, "LANA, netflow", lambda: make(flows, *block), flows)
        section.take_turns()

# SPDX-License-Identifier: GPL-2.0
"""Echo requests answered, by the block icmp-echo and by the kernel: what is sent back is counted where it
comes from. The packet generator makes UDP; a program at the ingress of the device, in front of both, makes echo
requests of it."""

import ipaddress
import struct

import ebpf
from common import FOREIGN, SMALLEST, WIRE, Contender, Missing, Room, Wire, batch, do, hook, stack, write
from ebpf import insn

HERE, THERE = "192.0.2.3", "192.0.2.1"
MAGIC = 0xBE9BE955  # begins what pktgen sends, before its number and its time


def checksum(data):
    """RFC 1071."""
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


# UDP of a fitting pair of ports is an echo request already, but for IP's protocol: the source port is
# type and code, the destination port is the checksum, the length is the identifier.
PORT = checksum(struct.pack("!BBHHHI14x", 8, 0, 0, SMALLEST - 34, 0, MAGIC))
LOAD = [*WIRE, f"dst {HERE}", f"src_min {THERE}", f"src_max {THERE}", "udp_src_min 2048", "udp_src_max 2048",
        f"udp_dst_min {PORT}", f"udp_dst_max {PORT}"]


def requests(end):
    """A program that makes echo requests of that: writes the protocol, and what changes from packet to
    packet, so that the checksums are constants."""
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, SMALLEST - 14, 0, 0, 32, 1, 0, ipaddress.ip_address(THERE).packed,
                       ipaddress.ip_address(HERE).packed)
    ttl_to_checksum, = struct.unpack("<i", head[8:10] + struct.pack("!H", checksum(head)))
    # r2 = data, r3 = data_end; r4 = r2 + size; if r4 > r3 goto the end
    return (insn(0x61, 0x12, 76) + insn(0x61, 0x13, 80) + insn(0xBF, 0x24) + insn(0x07, 4, 0, SMALLEST)
            + insn(0x2D, 0x34, 3)
            + insn(0x6A, 2, 18, 0)  # IP's identification
            + insn(0x62, 2, 22, ttl_to_checksum)
            + insn(0x62, 2, 46, 0)  # pktgen's number
            + end)


def place(end=lambda _: ebpf.answer(0)):
    """A wire at whose near end echo requests come in."""
    Room()
    wire = Wire()
    ebpf.on_tc(wire.near, requests(end(wire.near)))
    return wire, LOAD + [f"dst_mac {wire.mac}"]


def generator():
    """What the load itself takes: the requests are made, and are for somebody else."""
    wire, load = place()
    return Contender(wire.far, [*load, f"dst_mac {FOREIGN}"], stack(wire.near))


def mirror():
    """The least that answering can take: the requests are made, and sent back as they are."""
    wire, load = place(ebpf.redirect)
    return Contender(wire.far, load, stack(wire.far))


def kernel():
    wire, load = place()
    do("ip", "address", "add", HERE + "/24", "dev", wire.near)
    do("ip", "neighbour", "add", THERE, "lladdr", FOREIGN, "nud", "permanent", "dev", wire.near)
    for name, value in ("icmp_ratelimit", "0"), ("icmp_msgs_per_sec", "1000000000"):
        write("/proc/sys/net/ipv4/" + name, value)
    return Contender(wire.far, load, stack(wire.far))


def lana():
    """The sender's address is set to somebody else's, so that Linux drops the answers where they come."""
    wire, load = place()
    try:
        do("modprobe", "fb_icmp_echo")
    except Missing:
        raise Missing("there is no module fb_icmp_echo") from None
    hook(wire.near)
    batch("add echo icmp-echo", f"set echo addr+={HERE}", f"bind echo {wire.near}")
    return Contender(wire.far, [*load, f"src_mac {FOREIGN}"], stack(wire.far))


def run(section):
    section.offer("wire", "the load alone", generator)
    section.offer("wire", "the least, sent back as it is", mirror)
    section.offer("wire", "kernel ICMP", kernel)
    section.offer("wire", "LANA, icmp-echo", lana)
    section.take_turns()

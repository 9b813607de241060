# SPDX-License-Identifier: GPL-2.0
"""Echo requests answered, by the block icmp-echo and by the kernel: what is sent back is counted at the far end of the
wire. They come in two ways: 64 at once, as from a driver; and by the wire, where the packet generator makes UDP
and a program at the ingress of the device, in front of both, makes echo requests of it."""

import ipaddress
import struct

import ebpf
from common import BURST, FOREIGN, SMALLEST, WIRE, Missing, batch, contender, do, floor, hook, stack, write
from ebpf import insn
from sections.drop import place

OTHER = "02:00:00:00:00:98"  # somebody else's address, and not the sender's
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
BY_WIRE = [*WIRE, f"dst {HERE}", f"src_min {THERE}", f"src_max {THERE}", "udp_src_min 2048", "udp_src_max 2048",
           f"udp_dst_min {PORT}", f"udp_dst_max {PORT}", f"src_mac {FOREIGN}"]


def header(source=THERE, destination=HERE, ttl=64, check=0):
    """IP's, of an echo message."""
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, SMALLEST - 14, 0, 0, ttl, 1, check,
                       ipaddress.ip_address(source).packed, ipaddress.ip_address(destination).packed)


def frame(source, destination, kind, addresses):
    """An echo message of that type, in hexadecimal digits."""
    head, message = header(*addresses), struct.pack("!BBHHH18x", kind, 0, 0, 1, 1)
    macs = (destination + source).replace(":", "")
    return macs + (b"\x08\x00" + header(*addresses, check=checksum(head))
                   + message[:2] + struct.pack("!H", checksum(message)) + message[4:]).hex()


def bursts(mac):
    """Echo requests to a MAC address, and what their answers are."""
    return BURST + [frame(FOREIGN, mac, 8, (THERE, HERE)), frame(mac, FOREIGN, 0, (HERE, THERE))]


def requests(device):
    """A program that makes echo requests of what the packet generator sends: writes the protocol, and what changes
    from packet to packet, so that the checksums are constants."""
    head = header(ttl=32)
    ttl_to_checksum, = struct.unpack("<i", head[8:10] + struct.pack("!H", checksum(head)))
    # r2 = data, r3 = data_end; r4 = r2 + size; if r4 > r3 goto the end
    ebpf.on_tc(device, insn(0x61, 0x12, 76) + insn(0x61, 0x13, 80) + insn(0xBF, 0x24) + insn(0x07, 4, 0, SMALLEST)
               + insn(0x2D, 0x34, 3)
               + insn(0x6A, 2, 18, 0)  # IP's identification
               + insn(0x62, 2, 22, ttl_to_checksum)
               + insn(0x62, 2, 46, 0)  # pktgen's number
               + ebpf.answer(0))


def ready(load):
    """A wire at whose near end echo requests come in, who is given the load, and the load."""
    wire, device = place(load)
    if load is BURST:
        return wire, device, bursts(wire.mac)
    requests(wire.near)
    return wire, device, BY_WIRE + [f"dst_mac {wire.mac}"]


def alone(load):
    """What the load itself takes: the requests are made, and are for somebody else."""
    wire, device, settings = ready(load)
    settings = bursts(OTHER) if load is BURST else settings + [f"dst_mac {OTHER}"]
    return contender(device, settings, stack(wire.near))


def mirror(load):
    """The least that answering can take: the requests are made, and sent back as they are."""
    wire, device, settings = ready(load)
    floor(f"{wire.near}>{wire.near}")
    return contender(device, settings, stack(wire.far))


def kernel(load):
    wire, device, settings = ready(load)
    do("ip", "address", "add", HERE + "/24", "dev", wire.near)
    do("ip", "neighbour", "add", THERE, "lladdr", FOREIGN, "nud", "permanent", "dev", wire.near)
    for name, value in ("icmp_ratelimit", "0"), ("icmp_msgs_per_sec", "1000000000"):
        write("/proc/sys/net/ipv4/" + name, value)
    return contender(device, settings, stack(wire.far))


def lana(load, *, batched=False):
    """The answers are for a sender who is somebody else, so that Linux drops them where they come."""
    wire, device, settings = ready(load)
    try:
        do("modprobe", "fb_icmp_echo")
    except Missing:
        raise Missing("there is no module fb_icmp_echo") from None
    hook(wire.near)
    batch("add echo icmp-echo", f"set echo addr+={HERE}", f"bind echo {wire.near}",
          f"set {wire.near} batch={'on' if batched else 'off'}")
    return contender(device, settings, stack(wire.far))


def run(section):
    for name, load in ("bursts", BURST), ("wire", WIRE):
        section.offer(name, "the load alone", lambda: alone(load))
        section.offer(name, "the least, sent back as it is", lambda: mirror(load))
        section.offer(name, "kernel ICMP", lambda: kernel(load))
        section.offer(name, "LANA, icmp-echo", lambda: lana(load))
        if load is BURST:
            section.offer(name, "LANA, batched, icmp-echo", lambda: lana(load, batched=True))
        section.take_turns()

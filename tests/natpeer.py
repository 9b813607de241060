# SPDX-License-Identifier: GPL-2.0
"""natpeer.py skbs INSIDE OUTSIDE: nftables as the witness of the block `x`. What bob sends out by b0, through the block, he
also sends by b1, to the router INSIDE, which translates by nftables and sends by OUTSIDE; alice gets it by a0 and a1. What
she sends in goes the same ways back. Where ports are determined, both come the same, but for the TTL that a router
takes one off."""

import struct
import sys

from frames import Port, checksum, difference
from lana import check, end
from nat import ICMP, IN, OUT, SYN, TCP, UDP, Packet

INSIDE, OUTSIDE = (bytes.fromhex(word.replace(":", "")) for word in sys.argv[2:4])
alice1, bob1 = Port("alice", "a1"), Port("bob", "b1")


def normal(frame):
    """A packet of IPv4, with a TTL of its own."""
    if frame is None:
        return None
    packet = bytearray(frame[14:])
    packet[8], packet[10:12] = 64, bytes(2)
    packet[10:12] = struct.pack("!H", checksum(bytes(packet[:20])) ^ 0xFFFF)
    return bytes(packet)


def same(name, way, packet):
    """A packet that goes both ways comes the same."""
    frame = packet.frame(way)
    outward = way is OUT
    sender, receiver = (bob1, alice1) if outward else (alice1, bob1)
    way[0].send(frame)
    sender.send((INSIDE if outward else OUTSIDE) + frame[6:])
    (have, _), (want, _) = way[1].receive(), receiver.receive()
    check(name, normal(have) == normal(want) is not None, difference(normal(want) or b"", normal(have)))
    return want


def main():
    for protocol, more in (TCP, {}), (UDP, {}), (UDP, {"no_sum": 1}), (ICMP, {}):
        name = f"protocol {protocol} {' '.join(more)}".strip()
        port = 5000 + len(more)
        sent = Packet("10.0.0.1", "198.18.0.2", protocol, sport=port, more=more, flags=SYN, dport=0 if protocol == ICMP else 53)
        same(f"{name}, out", OUT, sent)
        out = sent.but(src="192.0.2.100")
        answer = out.back().but(flags=SYN | 16)
        same(f"{name}, in", IN, answer)
        same(f"{name}, out again", OUT, sent.but(flags=16))
        for kind in (3, 1), (3, 3), (3, 4), (11, 0), (12, 0):
            for size in 28, 40:
                error = Packet("203.0.113.1", "192.0.2.100", ICMP, kind=kind, data=out.whole()[:size])
                same(f"{name}, error {kind} that quotes {size} bytes", IN, error)
    sent = Packet("198.18.0.2", "192.0.2.100", TCP, sport=4000, dport=80, flags=SYN)
    same("to a server inside", IN, sent)
    answer = sent.but(dst="10.0.0.9", dport=8080).back().but(flags=SYN | 16)
    same("and its answer", OUT, answer)
    same("and more", IN, sent.but(flags=16))
    error = Packet("10.0.0.9", "198.18.0.2", ICMP, kind=(3, 3), data=sent.but(dst="10.0.0.9", dport=8080).whole()[:40])
    same("an error of the server", OUT, error)
    end()


main()

# SPDX-License-Identifier: GPL-2.0
"""Captures the BGP UPDATEs by which a site announces and withdraws the service."""

import ipaddress
import socket
import struct

from topology import PREFIX, enter, neighbours, place

ALL, TIMESTAMP = 3, 35  # ETH_P_ALL, SO_TIMESTAMPNS
PORT, HEADER, UPDATE = 179, 19, 2
NETWORK = ipaddress.ip_network(PREFIX)
# A prefix in an UPDATE is its length in bits, and as many bytes as these need (RFC 4271, 4.3).
CODED = bytes([NETWORK.prefixlen]) + NETWORK.network_address.packed[:(NETWORK.prefixlen + 7) // 8]


def prefixes(data):
    """Splits a field of an UPDATE into its prefixes."""
    while data:
        size = 1 + (data[0] + 7) // 8
        yield data[:size]
        data = data[size:]


def updates(data):
    """Yields what the messages of a TCP segment say of the service."""
    while len(data) >= HEADER and data[:16] == b"\xff" * 16:
        length, kind = struct.unpack_from("!HB", data, 16)
        body, data = data[HEADER:length], data[length:]
        if kind != UPDATE:
            continue
        gone = struct.unpack_from("!H", body)[0]
        attributes = struct.unpack_from("!H", body, 2 + gone)[0]
        if CODED in prefixes(body[2:2 + gone]):
            yield "withdraw"
        if CODED in prefixes(body[4 + gone + attributes:]):
            yield "announce"


class Wire:
    """A packet socket on a site's device to its neighbour."""

    def __init__(self, system):
        (neighbour, *_), = neighbours(system)
        enter(place(system))
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, TIMESTAMP, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        self.sock.bind((place(neighbour), ALL))
        self.sock.setblocking(False)
        enter("")

    def told(self):
        """What the site has said since the last call: pairs of a time in nanoseconds since 1970, and `withdraw` or `announce`.
        The kernel takes the time when the packet has passed the device's queue, so behind the link's latency."""
        found = []
        while True:
            try:
                packet, ancillary, _, address = self.sock.recvmsg(65536, 64)
            except BlockingIOError:
                return found
            if address[2] != socket.PACKET_OUTGOING or packet[0] >> 4 != 4 or packet[9] != socket.IPPROTO_TCP:
                continue
            segment = packet[(packet[0] & 15) * 4:int.from_bytes(packet[2:4])]
            if PORT not in struct.unpack_from("!HH", segment):
                continue
            seconds, nanoseconds = struct.unpack("qq", ancillary[0][2])
            found += [(seconds * 10**9 + nanoseconds, what) for what in updates(segment[(segment[12] >> 4) * 4:])]

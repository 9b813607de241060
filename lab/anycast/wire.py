# SPDX-License-Identifier: GPL-2.0
"""What a site tells its neighbour of the service: the UPDATEs of BGP as they leave its device."""

import ipaddress
import socket
import struct

from topology import PREFIX, enter, neighbours, place

ALL, TIMESTAMP = 3, 35  # ETH_P_ALL, SO_TIMESTAMPNS
PORT, HEADER, UPDATE = 179, 19, 2
NETWORK = ipaddress.ip_network(PREFIX)
# A prefix as in an UPDATE: its length in bits, and so many bytes as these need.
CODED = bytes([NETWORK.prefixlen]) + NETWORK.network_address.packed[:(NETWORK.prefixlen + 7) // 8]


def prefixes(data):
    """The prefixes of a part of an UPDATE, coded."""
    while data:
        size = 1 + (data[0] + 7) // 8
        yield data[:size]
        data = data[size:]


def updates(data):
    """Of the messages in a segment: does one withdraw the service, or announce it?"""
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
    """A site's device to its neighbour."""

    def __init__(self, system):
        (neighbour, *_), = neighbours(system)
        enter(place(system))
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, TIMESTAMP, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        # SO_ATTACH_FILTER: protocol TCP, whole segments; nothing else needs room.
        self.sock.bind((place(neighbour), ALL))
        self.sock.setblocking(False)
        enter("")

    def told(self):
        """What the site has told since the last time: the time of each, and what."""
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

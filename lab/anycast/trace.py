# SPDX-License-Identifier: GPL-2.0
"""An ICMP traceroute, as on the report's hosts."""

import os
import socket
import struct
import time

from topology import enter

TRIES, SECONDS = 3, 1


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~(total + (total >> 16)) & 0xFFFF


def request(number):
    """An echo request of 64 bytes."""
    message = bytearray(struct.pack("!BBHHH", 8, 0, 0, os.getpid() & 0xFFFF, number) + bytes(56))
    message[2:4] = checksum(bytes(message)).to_bytes(2)
    return bytes(message)


def of(packet, sent):
    """True if a packet answers a request: an echo reply, or an error that quotes the request."""
    message = packet[(packet[0] & 15) * 4:]
    if message[0] in (3, 11):
        quoted = message[8:]
        message = quoted[(quoted[0] & 15) * 4:]
    elif message[0] != 0:
        return False
    return message[4:8] == sent[4:8]


def trace(host, target, most=8):
    """Returns the address of each hop, and the round-trip times in milliseconds."""
    enter(host)
    hops = []
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as sock:
        for ttl in range(1, most + 1):
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
            who, times = None, []
            for one in range(TRIES):
                sent, start = request(ttl * TRIES + one), time.monotonic()
                sock.sendto(sent, (target, 0))
                while (left := start + SECONDS - time.monotonic()) > 0:
                    sock.settimeout(left)
                    try:
                        packet, (address, _) = sock.recvfrom(2048)
                    except TimeoutError:
                        break
                    if of(packet, sent):
                        who = address
                        times.append((time.monotonic() - start) * 1e3)
                        break
            hops.append({"address": who, "ms": times})
            if who == target:
                break
    enter("")
    return hops

# SPDX-License-Identifier: GPL-2.0
"""route.py send|tcp: packets from alice, through the router in this namespace, to bob. `send` prints what comes out where, so
that two routers can be compared. `tcp`: a stream, in super-packets."""

import hashlib
import socket
import struct
import sys
import threading

from lana import check, end
from rig import inside, quiesce

LAN0, ALICE = bytes.fromhex("020000000001"), bytes.fromhex("02000000000a")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ipv4(to, data=b"", ttl=64, flags=0, source="192.0.2.1", spoil=0, options=b"", protocol=17):
    head = struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(data), 77, flags, ttl,
                       protocol, 0, socket.inet_aton(source), socket.inet_aton(to)) + options
    head = head[:10] + struct.pack("!H", checksum(head) ^ spoil) + head[12:]
    return struct.pack("!6s6sH", LAN0, ALICE, 0x0800) + head + data


def ipv6(to, data=b"", limit=64, source="2001:db8:1::1", protocol=17):
    head = struct.pack("!IHBB", 6 << 28, len(data), protocol, limit)
    return struct.pack("!6s6sH", LAN0, ALICE, 0x86dd) + head + socket.inet_pton(socket.AF_INET6, source) + \
        socket.inet_pton(socket.AF_INET6, to) + data


def udp(size=20):
    return struct.pack("!HHHH", 4000, 9, 8 + size, 0) + bytes(n & 0xff for n in range(size))


ICMP_ERROR = struct.pack("!BBHI", 3, 1, checksum(struct.pack("!BBHI", 3, 1, 0, 0) + bytes(28)), 0) + bytes(28)
PACKETS = [
    ("plain", ipv4("203.0.113.1", udp())), ("on the link", ipv4("198.51.100.1", udp())),
    ("two hops left", ipv4("203.0.113.1", udp(), ttl=2)), ("one hop left", ipv4("203.0.113.1", udp(), ttl=1)),
    ("none left", ipv4("203.0.113.1", udp(), ttl=0)), ("one hop left, long", ipv4("203.0.113.1", udp(1400), ttl=1)),
    ("odd length", ipv4("203.0.113.1", udp(21))), ("with padding", ipv4("203.0.113.1", udp(1)) + bytes(13)),
    ("too big, not to be fragmented", ipv4("203.0.113.1", udp(1400), flags=0x4000)),
    ("just fits", ipv4("203.0.113.1", udp(1372), flags=0x4000)),
    ("a first fragment", ipv4("203.0.113.1", udp(), flags=0x2000)),
    ("a later fragment", ipv4("203.0.113.1", udp(), flags=3)),
    ("a later fragment, one hop left", ipv4("203.0.113.1", udp(), flags=3, ttl=1)),
    ("no route", ipv4("10.99.0.1", udp())), ("an error to no route", ipv4("10.99.0.1", ICMP_ERROR, protocol=1)),
    ("header checksum", ipv4("203.0.113.1", udp(), spoil=1)),
    ("from the loopback", ipv4("203.0.113.1", udp(), source="127.0.0.1")),
    ("from a group", ipv4("203.0.113.1", udp(), source="224.0.0.1")),
    ("of IPv6", ipv6("2001:db8:3::1", udp())), ("of IPv6, on the link", ipv6("2001:db8:2::1", udp())),
    ("of IPv6, one hop left", ipv6("2001:db8:3::1", udp(), limit=1)),
    ("of IPv6, one hop left, long", ipv6("2001:db8:3::1", udp(1400), limit=1)),
    ("of IPv6, too big", ipv6("2001:db8:3::1", udp(1400))), ("of IPv6, just fits", ipv6("2001:db8:3::1", udp(1352))),
    ("of IPv6, no route", ipv6("2001:db8:99::1", udp())),
]


def ears(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
    sock.bind((device, 0))
    sock.setblocking(False)
    return sock


def told(frame):
    """What there is to say of a frame; of an error not what routers are free in."""
    kind = struct.unpack("!H", frame[12:14])[0]
    if kind == 0x0800 and frame[23] == 1 and frame[34] in (3, 11):
        size = struct.unpack("!H", frame[16:18])[0]
        return f"icmp {socket.inet_ntoa(frame[26:30])} {size} {frame[34:14 + size].hex()}"
    if kind == 0x86dd and frame[20] == 58 and frame[54] in (1, 2, 3):
        size = struct.unpack("!H", frame[18:20])[0]
        return f"icmpv6 {socket.inet_ntop(socket.AF_INET6, frame[22:38])} {size} {frame[54:54 + size].hex()}"
    return frame.hex()


def is_ours(frame):
    """Neither an address that is resolved, nor what Linux says of what it hears."""
    kind = struct.unpack("!H", frame[12:14])[0]
    return kind == 0x0800 and frame[23] in (1, 17) and not (frame[23] == 1 and frame[34] in (0, 8)) or \
        kind == 0x86dd and not (frame[20] == 58 and frame[54] >= 128)


def send():
    alice, bob = inside("alice", ears, "a0"), inside("bob", ears, "b0")
    # Bob would answer what nobody listens to: that would come back as another packet.
    for name, frame in PACKETS:
        for sock in alice, bob:
            while True:
                try:
                    sock.recv(4096)
                except BlockingIOError:
                    break
        alice.send(frame)
        quiesce()
        for where, sock in ("bob", bob), ("alice", alice):
            while True:
                try:
                    came = sock.recv(4096)
                except BlockingIOError:
                    break
                if is_ours(came) and not is_answer(came):
                    print(f"{name}: {where}: {told(came)}")


def is_answer(frame):
    """Of bob, whom nobody listens for: port unreachable."""
    return frame[12:14] == b"\x08\0" and frame[23] == 1 and frame[34:36] == b"\x03\x03" or \
        frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54:56] == b"\x01\x04"


def tcp():
    data = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(1 << 14))
    for family, to in (socket.AF_INET, "203.0.113.1"), (socket.AF_INET6, "2001:db8:3::1"):
        listener = inside("bob", lambda: socket.create_server((to, 5000), family=family))
        got = []

        def listen():
            conn, _ = listener.accept()
            with conn:
                parts = iter(lambda: conn.recv(1 << 16), b"")
                got.append(hashlib.sha256(b"".join(parts)).hexdigest())
        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        sock = inside("alice", lambda: socket.socket(family, socket.SOCK_STREAM))
        sock.settimeout(20)
        sock.connect((to, 5000))
        sock.sendall(data)
        sock.close()
        thread.join(20)
        check(f"a stream to {to} comes out as it was", got == [hashlib.sha256(data).hexdigest()])
        listener.close()
    end()


{"send": send, "tcp": tcp}[sys.argv[1]]()

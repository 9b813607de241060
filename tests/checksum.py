# SPDX-License-Identifier: GPL-2.0
"""checksum.py [sums]: frames with right and wrong checksums, which alice sends to lan0. The block `k` tells them apart: those
that it finds right, or cannot verify, are counted by `good`, the others by `bad`. `sums`: what comes to
bob, of datagrams that alice sends, has a right sum in it, as he sees it: so many of 20."""

import socket
import struct
import sys

from lana import check, end
from rig import Lana, inside, quiesce

BOB, ALICE = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000a")
V4 = socket.inet_aton("192.0.2.1"), socket.inet_aton("192.0.2.2")
V6 = socket.inet_pton(socket.AF_INET6, "2001:db8::1"), socket.inet_pton(socket.AF_INET6, "2001:db8::2")
TCP, UDP, ICMP, ICMPV6, ROUTING, FRAGMENT, OPTIONS = 6, 17, 1, 58, 43, 44, 60
lana = Lana()


def speaker():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("a0", 0))
    return sock


alice = inside("alice", speaker)


def checksum(data):
    """Of RFC 1071, word by word."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def with_sum(message, at, addresses, protocol):
    """A message with its checksum at `at`; none for ICMP's pseudo-header."""
    pseudo = b"" if protocol == ICMP else b"".join(addresses) + struct.pack("!IHH", len(message), 0, protocol)
    check_sum = checksum(pseudo + message)
    return message[:at] + struct.pack("!H", check_sum or 0xffff) + message[at + 2:]


def tcp(addresses, size=100):
    return with_sum(struct.pack("!HHIIBBHHH", 4000, 80, 1, 2, 5 << 4, 16, 100, 0, 0) + bytes(range(size)), 16, addresses, TCP)


def udp(addresses, size=101):
    return with_sum(struct.pack("!HHHH", 4000, 53, 8 + size, 0) + bytes(range(size)), 6, addresses, UDP)


def icmp(addresses):
    return with_sum(struct.pack("!BBHHH", 8, 0, 0, 7, 1) + b"ping" * 9, 2, addresses, ICMP)


def icmpv6(addresses):
    return with_sum(struct.pack("!BBHHH", 128, 0, 0, 7, 1) + b"ping" * 9, 2, addresses, ICMPV6)


def ethernet(ether_type, data, tags=b""):
    return (BOB + ALICE + tags + struct.pack("!H", ether_type) + data).ljust(60, b"\x55")


def ipv4(protocol, data, options=b"", place=0, spoil=0, tags=b""):
    size = 20 + len(options)
    head = struct.pack("!BBHHHBBH4s4s", 0x40 | size // 4, 0, size + len(data), 1, place, 64, protocol, 0, *V4) + options
    head = head[:10] + struct.pack("!H", checksum(head) ^ spoil) + head[12:]
    return ethernet(0x0800, head + data, tags)


def ipv6(protocol, data, between=b""):
    """`between` are extension headers, of which `protocol` is the first one's."""
    return ethernet(0x86DD, struct.pack("!IHBB", 6 << 28, len(between) + len(data), protocol, 64) + V6[0] + V6[1] + between + data)


def spoiled(frame, at):
    """The same with another bit at this place, which may be counted from its end."""
    at %= len(frame)
    return frame[:at] + bytes([frame[at] ^ 4]) + frame[at + 1:]


def counts():
    options = lana.get("k").options
    return [int(options[name]) for name in ("right", "wrong", "unverified")]


def found(frame):
    """Where a frame went: what was found, and whether the right counter has it."""
    before, files = counts(), [packets(name) for name in ("good", "bad")]
    alice.send(frame)
    quiesce()
    rose = [now - was for now, was in zip(counts(), before)]
    came = [packets(name) - was for name, was in zip(("good", "bad"), files)]
    if sum(rose) != 1:
        return f"counted {rose}"
    name = ("right", "wrong", "unverified")[rose.index(1)]
    return name if came == [int(name != "wrong"), int(name == "wrong")] else f"{name}, but {came} came"


def packets(name):
    with open(f"/proc/net/lana/fblock/{name}") as file:
        return int(file.read().split()[0])


def sums():
    """How many datagrams of 20 come to bob with the sum in them."""
    bob = inside("bob", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)))
    bob.settimeout(5)
    sender = inside("alice", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    right = 0
    for _ in range(20):
        sender.sendto(b"hello", ("192.0.2.2", 4001))
        while True:
            frame = bob.recv(2000)
            if frame[23] == UDP and frame[36:38] == struct.pack("!H", 4001):
                break
        pseudo = frame[26:34] + struct.pack("!HH", UDP, 13)
        right += checksum(pseudo + frame[34:47]) == 0
    return right


if sys.argv[1:] == ["sums"]:
    print(sums())
    sys.exit()

TAG = struct.pack("!HH", 0x8100, 7)
ROUTE = lambda left: struct.pack("!BBBBI", TCP, 2, 4, left, 0) + V6[0]  # noqa: E731
CASES = {
    "TCP": ipv4(TCP, tcp(V4)),
    "TCP of an odd length": ipv4(TCP, tcp(V4, 33)),
    "UDP": ipv4(UDP, udp(V4)),
    "UDP before padding": ipv4(UDP, udp(V4, 3)),
    "UDP that ends before IP does": ipv4(UDP, udp(V4) + b"more"),
    "ICMP": ipv4(ICMP, icmp(V4)),
    "IP options": ipv4(TCP, tcp(V4), b"\x94\x04\0\0"),
    "two tags": ipv4(TCP, tcp(V4), tags=TAG + TAG),
    "TCP of IPv6": ipv6(TCP, tcp(V6)),
    "UDP of IPv6": ipv6(UDP, udp(V6)),
    "ICMPv6": ipv6(ICMPV6, icmpv6(V6)),
    "IPv6 with options": ipv6(OPTIONS, tcp(V6), bytes([TCP, 0, 1, 4, 0, 0, 0, 0])),
    "IPv6 at the end of its route": ipv6(ROUTING, tcp(V6), ROUTE(0)),
    "IPv6 in one fragment": ipv6(FRAGMENT, tcp(V6), bytes([TCP, 0, 0, 0, 0, 0, 0, 9])),
}
CASES["a large one"] = ipv4(TCP, with_sum(struct.pack("!HHIIBBHHH", 1, 2, 1, 2, 5 << 4, 16, 9, 0, 0) + b"xyz" * 480, 16, V4, TCP))
for what, frame in CASES.items():
    check(f"{what}: right", found(frame) == "right", found(frame))
    # The last byte of the message: padding is not of it.
    end_of = {"UDP before padding": 14 + 20 + 8 + 2, "UDP that ends before IP does": -5}.get(what, -1)
    check(f"{what}: wrong at its end", found(spoiled(frame, end_of)) == "wrong", found(spoiled(frame, end_of)))
header = ipv4(TCP, tcp(V4), spoil=1)
check("a wrong header of IPv4", found(header) == "wrong", found(header))
check("also of a fragment", found(ipv4(TCP, tcp(V4), place=7, spoil=1)) == "wrong")
check("an address that is another one", found(spoiled(ipv6(UDP, udp(V6)), 14 + 8)) == "wrong")
padding = spoiled(ipv4(UDP, udp(V4, 3)), -1)
check("padding is of no sum", found(padding) == "right", found(padding))
for what, frame in {
    "a first fragment": ipv4(TCP, tcp(V4), place=0x2000),
    "a later one": ipv4(TCP, tcp(V4), place=7),
    "UDP without a checksum": ipv4(UDP, struct.pack("!HHHH", 1, 2, 12, 0) + b"data"),
    "UDP of IPv6 without one": ipv6(UDP, struct.pack("!HHHH", 1, 2, 12, 0) + b"data"),
    "another protocol": ipv4(50, b"x" * 40),
    "ARP": ethernet(0x0806, b"\0" * 28),
    "a type that nobody knows": ethernet(0x88B5, b"x" * 50),
    "IPv6 on its way": ipv6(ROUTING, tcp(V6), ROUTE(1)),
    "TCP that is cut off": ipv4(TCP, tcp(V4)[:10]),
    "a length that is too large": ipv4(UDP, struct.pack("!HHHH", 1, 2, 99, 1) + b"data"),
}.items():
    check(f"{what}: not verified, and passes", found(frame) == "unverified", found(frame))
sys.exit(end())

# SPDX-License-Identifier: GPL-2.0
"""route.py send|tcp|reasons: packets from alice, through the router in this namespace, to bob. `send` prints what comes out
where, so that two routers can be compared. `tcp`: a stream, in super-packets. `reasons skbs|frames`: what the block `r` counts
of each packet; carol's device is above it."""

import hashlib
import socket
import struct
import sys
import threading
import time

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
    if frame[0] & 1:
        return False  # to a group: the hosts tell which ones they are in
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


ECHO_REPLY = struct.pack("!BBHI", 0, 0, 0xffff, 0)  # nobody answers it
RESET = 0x14


def to(mac, frame, tag=b""):
    return mac + frame[6:12] + tag + frame[12:]


def pong(address, size=0, **more):
    return ipv4(address, ECHO_REPLY + bytes(size), protocol=1, **more)


def pong6(address, size=0, **more):
    return ipv6(address, b"\x81" + bytes(7 + size), protocol=58, **more)


def cut(frame, size):
    """A frame whose header says that there is more."""
    return frame[:14 + size]


def changed_byte(frame, at, value):
    """The same of IPv4, with a right header checksum."""
    head = bytearray(frame[14:34])
    head[at] = value
    head[10:12] = bytes(2)
    head[10:12] = struct.pack("!H", checksum(bytes(head)))
    return frame[:14] + bytes(head) + frame[34:]


TOLD = {"errors-sent": 1}
OTHER = bytes.fromhex("020000000077")
# By name: who sends it, the frame, and what the block counts.
REASONS = [
    ("a route", "alice", pong("203.0.113.1"), {"forwarded": 1}),
    ("-> drop", "alice", pong("10.98.0.1"), {"filtered": 1}),
    ("-> drop, of IPv6", "alice", pong6("2001:db8:98::1"), {"filtered": 1}),
    ("-> unreachable", "alice", pong("10.99.0.1"), {"filtered": 1} | TOLD),
    ("-> unreachable, of IPv6", "alice", pong6("2001:db8:99::1"), {"filtered": 1} | TOLD),
    ("-> up", "alice", pong("192.0.2.254"), {"up": 1}),
    ("no route", "alice", pong("10.97.0.1"), {"up": 1}),
    ("no route, of IPv6", "alice", pong6("2001:db8:97::1"), {"up": 1}),
    ("a source of the loopback", "alice", pong("203.0.113.1", source="127.0.0.1"), {"filtered": 1}),
    ("a source that is a group", "alice", pong("203.0.113.1", source="224.0.0.1"), {"filtered": 1}),
    ("a source of the loopback, of IPv6", "alice", pong6("2001:db8:3::1", source="::1"), {"filtered": 1}),
    ("a link-local source", "alice", pong6("2001:db8:3::1", source="fe80::1"), {"up": 1}),
    ("to a group", "alice", pong("224.0.0.5"), {"up": 1}),
    ("to another station", "alice", to(OTHER, pong("203.0.113.1")), {"up": 1}),
    ("to all stations", "alice", to(bytes([255] * 6), pong("203.0.113.1")), {"up": 1}),
    ("a tag", "alice", to(LAN0, pong("203.0.113.1"), b"\x81\x00\x00\x07"), {"up": 1}),
    ("a tag of 802.1ad", "alice", to(LAN0, pong("203.0.113.1"), b"\x88\xa8\x00\x07"), {"up": 1}),
    ("two tags", "alice", to(LAN0, pong("203.0.113.1"), b"\x88\xa8\x00\x07\x81\x00\x00\x08"), {"up": 1}),
    ("a tag, and no hop left", "alice", to(LAN0, pong("203.0.113.1", ttl=1), b"\x81\x00\x00\x07"), {"up": 1}),
    ("another protocol", "alice", LAN0 + ALICE + b"\x88\xb5" + bytes(46), {"up": 1}),
    ("no such port", "alice", pong("10.96.0.1"), {"unbound": 1}),
    ("a host that nobody is", "alice", pong("198.51.100.77"), {"unresolved": 1}),
    ("a router that nobody is", "alice", pong("10.95.0.1"), {"unresolved": 1}),
    ("one hop left", "alice", pong("203.0.113.1", ttl=1), {"ttl-expired": 1} | TOLD),
    ("one hop left, of IPv6", "alice", pong6("2001:db8:3::1", limit=1), {"ttl-expired": 1} | TOLD),
    ("one hop left, later fragment", "alice", pong("203.0.113.1", ttl=1, flags=3), {"ttl-expired": 1}),
    ("one hop left, an error", "alice", ipv4("203.0.113.1", ICMP_ERROR, protocol=1, ttl=1), {"ttl-expired": 1}),
    ("one hop left, and up", "alice", pong("192.0.2.254", ttl=1), {"up": 1}),
    ("too big", "alice", pong("203.0.113.1", 1373, flags=0x4000), {"too-big": 1} | TOLD),
    ("just not too big", "alice", pong("203.0.113.1", 1372, flags=0x4000), {"forwarded": 1}),
    ("too big, of IPv6", "alice", pong6("2001:db8:3::1", 1353), {"too-big": 1} | TOLD),
    ("a header checksum", "alice", pong("203.0.113.1", spoil=1), {"malformed": 1}),
    ("another version", "alice", changed_byte(pong("203.0.113.1"), 0, 0x65), {"malformed": 1}),
    ("a header too short", "alice", changed_byte(pong("203.0.113.1"), 0, 0x44), {"malformed": 1}),
    ("a header longer than the packet", "alice", changed_byte(pong("203.0.113.1"), 0, 0x4f), {"malformed": 1}),
    ("half a header of IPv6", "alice", cut(pong6("2001:db8:3::1"), 20), {"malformed": 1}),
    ("from above", "carol", pong("203.0.113.1"), {"forwarded": 1}),
    ("from above, of IPv6", "carol", pong6("2001:db8:3::1"), {"forwarded": 1}),
    ("from above, one hop left", "carol", pong("203.0.113.1", ttl=1), {"forwarded": 1}),
    ("from above, no route", "carol", pong("10.97.0.1"), {"filtered": 1}),
    ("from above, -> up", "carol", pong("192.0.2.254"), {"filtered": 1}),
    ("from above, -> drop", "carol", pong("10.98.0.1"), {"filtered": 1}),
    ("from above, -> unreachable", "carol", pong("10.99.0.1"), {"filtered": 1} | TOLD),
    ("from above, to all stations", "carol", to(bytes([255] * 6), pong("203.0.113.1")), {"filtered": 1}),
    ("from above, with a tag", "carol", to(LAN0, pong("203.0.113.1"), b"\x81\x00\x00\x07"), {"filtered": 1}),
    ("from above, too big", "carol", pong("203.0.113.1", 1373, flags=0x4000), {"too-big": 1} | TOLD),
]


def super_packet(size, flags=0x4000):
    """A super-packet of TCP that nobody answers."""
    data = struct.pack("!HHIIBBHHH", 4000, 5000, 1, 0, 5 << 4, RESET, 1000, 0, 0) + bytes(3 * size)
    pseudo = socket.inet_aton("192.0.2.1") + socket.inet_aton("203.0.113.1") + struct.pack("!HH", 6, len(data))
    data = data[:16] + struct.pack("!H", ~checksum(pseudo) & 0xffff) + data[18:]
    return ipv4("203.0.113.1", data, protocol=6, flags=flags)


def reasons():
    from frames import GSO_TCPV4, Port, vnet_hdr  # which opens alice and bob
    from rig import Lana
    way, lana = sys.argv[2], Lana()
    ports = {name: Port(name, device) for name, device in (("alice", "a0"), ("bob", "b0"), ("carol", "c0"))}

    def counts():
        found = lana.get("r")
        keys = "forwarded", "up", "errors-sent", "errors-limited"
        return {key: int(found.options[key]) for key in keys} | found.drops

    def is_told(frame):
        """Not what Linux asks of a host that nobody is: by ARP, and by neighbour discovery."""
        asks = frame[12:14] == b"\x86\xdd" and frame[20] == 58 and 133 <= frame[54] <= 136
        return not asks and frame[12:14] != b"\x08\x06"

    was = counts()

    def counts_of(name, who, frame, want, places, *vnet):
        """Sends a frame. What comes of it, by who hears it; what comes too late is in the way of the next one."""
        nonlocal was
        ports[who].send(frame, *vnet)
        deadline, heard = time.monotonic() + 2, {}
        while time.monotonic() < deadline:
            for place, port in ports.items():
                while (came := port.receive(0)[0]) is not None:
                    if is_told(came):
                        heard.setdefault(place, []).append(came)
            now = counts()
            have = {key: value - was.get(key, 0) for key, value in now.items() if value != was.get(key, 0)}
            if have == want and {place: len(frames) for place, frames in heard.items()} == places:
                break
            time.sleep(0.005)
        was = now
        check(f"{name}: {want}", have == want, have)
        came = {place: len(frames) for place, frames in heard.items()}
        check(f"{name}: comes out at {places or 'no place'}", came == places, heard)
        return {place: frames[0] for place, frames in heard.items()}

    for name, who, frame, want in REASONS:
        places = {"forwarded": {"bob": 1}, "up": {"carol": 1}, "errors-sent": {who: 1}}
        heard = counts_of(name, who, frame, want, next((place for key, place in places.items() if key in want), {}))
        if "up" in want and "carol" in heard:
            check(f"{name}: as it was", heard["carol"] == frame, heard["carol"].hex(), frame.hex())
        if "forwarded" in want and "bob" in heard:
            left, at = who == "alice", 22 if frame[12] == 8 else 21
            check(f"{name}: has {'a hop less' if left else 'all its hops'}", heard["bob"][at] == frame[at] - left,
                  heard["bob"].hex())
    parts = 1 if way == "skbs" else 3
    for size, want, where in (1360, {"forwarded": parts}, "bob"), (1361, {"too-big": parts, "errors-sent": parts}, "alice"):
        frame = super_packet(size)
        counts_of(f"a super-packet of segments of {size} bytes", "alice", frame, want, {where: parts},
                  vnet_hdr(GSO_TCPV4, 54, size, 34, 16))
    # One that may be cut goes on, and the device is not given what it has no room for. It has some for a VLAN tag.
    for size, where in (1360, {"bob": parts}), (1365, {}):
        before = lana.get("lan1").drops.get("too-big", 0)
        counts_of(f"a super-packet that may be cut, of segments of {size} bytes", "alice", super_packet(size, 0),
                  {"forwarded": parts}, where, vnet_hdr(GSO_TCPV4, 54, size, 34, 16))
        dropped = lana.get("lan1").drops.get("too-big", 0) - before
        check(f"and what the device drops of it is {0 if where else parts}", dropped == (0 if where else parts), dropped)
    quiesce()
    check("and nothing more", counts() == was, was, counts())
    end()


{"send": send, "tcp": tcp, "reasons": reasons}[sys.argv[1]]()

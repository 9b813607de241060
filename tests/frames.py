# SPDX-License-Identifier: GPL-2.0
"""frames.py WHAT...: sends odd frames at alice (a0) and compares what arrives at bob (b0) byte by byte.
The graph in between is the caller's. WHAT: sizes, vlan, paged, gso, shared, twice (to carol too)."""

import ctypes
import os
import random
import select
import socket
import struct
import sys

from lana import check, end

LIBC = ctypes.CDLL(None, use_errno=True)
SOL_PACKET, PACKET_AUXDATA, PACKET_VNET_HDR, PACKET_IGNORE_OUTGOING = 263, 8, 15, 23
CSUM, DATA_VALID, GSO_NONE, GSO_TCPV4, GSO_UDP_L4 = 1, 2, 0, 1, 5
ALICE, BOB = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
HERE = os.open("/proc/self/ns/net", os.O_RDONLY)
RANDOM = random.Random(1)


class Port:
    """A packet socket on a device of a namespace."""

    def __init__(self, namespace, device):
        with open(f"/run/netns/{namespace}" if namespace else "/proc/self/ns/net") as ns:
            if LIBC.setns(ns.fileno(), 0x40000000):
                raise OSError(ctypes.get_errno(), "setns")
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        LIBC.setns(HERE, 0x40000000)
        self.sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        self.sock.bind((device, 0))

    def send(self, frame, vnet=struct.pack("BBHHHH", 0, 0, 0, 0, 0, 0)):
        """Sends a frame, with what virtio says about it."""
        self.sock.send(vnet + frame)

    def receive(self, seconds=5.0):
        """A frame and what virtio says about it. A VLAN tag that stood beside it is put back in."""
        if not select.select([self.sock], [], [], seconds)[0]:
            return None, None
        data, ancillary, _, _ = self.sock.recvmsg(1 << 17, 1024)
        vnet, frame = data[:10], data[10:]
        for level, kind, aux in ancillary:
            if (level, kind) == (SOL_PACKET, PACKET_AUXDATA):
                status, _, _, _, _, tci, tpid = struct.unpack("IIIHHHH", aux)
                if status & 0x10:  # TP_STATUS_VLAN_VALID
                    tag = struct.pack("!HH", tpid if status & 0x40 else 0x8100, tci)
                    frame = frame[:12] + tag + frame[12:]
        return frame, vnet

    def quiet(self):
        """Whether nothing more comes."""
        return self.receive(0.1)[0] is None


def noise(size):
    return RANDOM.randbytes(size)


def frame(size, tags=b""):
    """A frame of that size with a type for experiments."""
    return BOB + ALICE + tags + (b"\x88\xb5" + noise(size))[:size - 12 - len(tags)]


def difference(want, have):
    if have is None:
        return "nothing came"
    at = next((i for i, (a, b) in enumerate(zip(want, have)) if a != b), min(len(want), len(have)))
    return f"{len(want)} bytes sent, {len(have)} came, they differ at {at}: " \
           f"{want[at:at + 16].hex()} {have[at:at + 16].hex()}"


def drain():
    for port in receivers:
        while not port.quiet():
            pass


def passes(name, frames, vnets=None):
    """All frames arrive, as they were sent and in order."""
    vnets = vnets or [struct.pack("BBHHHH", 0, 0, 0, 0, 0, 0)] * len(frames)
    for number, sent in enumerate(frames):
        alice.send(sent, vnets[number])
        for port in receivers:
            came, vnet = port.receive()
            if came != sent:
                check(name, False, f"frame {number}: " + difference(sent, came))
                drain()
                return
            if vnets[number][1] and (vnet[1], vnet[4:6]) != (vnets[number][1], vnets[number][4:6]):
                check(name, False, f"frame {number}: {vnets[number].hex()} became {vnet.hex()}")
                drain()
                return
    check(name, all(port.quiet() for port in receivers), "something more came")


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def ipv4(protocol, payload):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, protocol, 0,
                       socket.inet_aton("198.18.0.1"), socket.inet_aton("198.18.0.2"))
    head = head[:10] + struct.pack("!H", checksum(head) ^ 0xFFFF) + head[12:]
    return BOB + ALICE + b"\x08\x00" + head + payload


def pseudo(protocol, length):
    return checksum(socket.inet_aton("198.18.0.1") + socket.inet_aton("198.18.0.2") +
                    struct.pack("!HH", protocol, length))


def tcp(size):
    length = 20 + size
    head = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x10, 1000, pseudo(6, length), 0)
    return ipv4(6, head + noise(size))


def udp(size):
    return ipv4(17, struct.pack("!HHHH", 9, 9, 8 + size, pseudo(17, 8 + size)) + noise(size))


def vnet_hdr(kind, head, mss, start, offset):
    return struct.pack("BBHHHH", CSUM, kind, head, mss, start, offset)


def sizes():
    passes("the shortest frame that Linux sends, 14 bytes: a header and nothing else", [frame(14)])
    passes("15 bytes", [frame(15)])
    passes("runts, each size from 16 to 59 bytes", [frame(n) for n in range(16, 60)])
    passes("each size around 64 bytes", [frame(n) for n in range(60, 70)])
    passes("large ones, up to the MTU", [frame(n) for n in (512, 1024, 1280, 1500, 1513, 1514)])
    passes("100 of random sizes", [frame(RANDOM.randrange(14, 1515)) for _ in range(100)])
    lies = b"\x08\x00" + b"\x4f\xff\xff\xff" + noise(30)
    passes("an IPv4 header that lies about its lengths", [BOB + ALICE + lies])
    passes("an EtherType that is a length (802.3)", [BOB + ALICE + b"\x00\x20" + noise(60)])
    passes("to a multicast address", [b"\x01\x00\x5e\x00\x00\x01" + frame(80)[6:]])
    passes("to all", [b"\xff" * 6 + frame(80)[6:]])
    passes("to a reserved address (01:80:c2:00:00:00)", [b"\x01\x80\xc2\0\0\0" + frame(80)[6:]])


def vlan():
    def tag(tci, tpid=0x8100):
        return struct.pack("!HH", tpid, tci)

    passes("a VLAN tag", [frame(n, tag(10)) for n in (20, 60, 1500, 1518)])
    passes("a VLAN tag with a priority, and one that is nothing but a priority",
           [frame(100, tag(0xA00A)), frame(100, tag(0xE000))])
    passes("every bit of a tag", [frame(64, tag(1 << bit)) for bit in range(16)])
    passes("QinQ: 802.1ad and 802.1Q", [frame(n, tag(20, 0x88A8) + tag(10)) for n in (24, 100, 1500)])
    passes("two 802.1Q tags", [frame(100, tag(20) + tag(10))])
    passes("three tags", [frame(100, tag(30, 0x88A8) + tag(20) + tag(10))])
    # Linux takes a tag out of a frame before anybody else sees it, and drops it when there is less
    # than the tag and the two bytes behind it.
    for name, cut in [("half a tag", b"\x81\x00\x00"), ("a tag and too little behind it", tag(10) + b"\x88")]:
        alice.send(BOB + ALICE + cut)
        check(name + ": Linux drops it, LANA lives", all(port.quiet() for port in receivers))


def paged():
    # Linear up to the header only, the rest in pages.
    def hdr(linear):
        return struct.pack("BBHHHH", 0, 0, linear, 0, 0, 0)

    frames = [frame(n) for n in (4500, 6000, 9014)]
    passes("jumbo frames that are linear", frames)
    passes("jumbo frames of which 14 bytes are linear, the rest in pages", frames, [hdr(14)] * 3)
    passes("jumbo frames of which 40 bytes are linear", frames, [hdr(40)] * 3)
    passes("tagged jumbo frames in pages", [frame(9000, b"\x81\x00\x00\x0a")], [hdr(20)])


def gso():
    for size in (3000, 20000, 60000):
        passes(f"a TCP super-packet of {size} bytes", [tcp(size)],
               [vnet_hdr(GSO_TCPV4, 54, 1448, 34, 16)])
    for size in (3000, 20000, 60000):
        passes(f"a UDP super-packet of {size} bytes", [udp(size)],
               [vnet_hdr(GSO_UDP_L4, 42, 1400, 34, 6)])
    passes("a packet whose checksum the device is to fill in stays one", [udp(500)],
           [vnet_hdr(GSO_NONE, 42, 0, 34, 6)])


def shared():
    """Somebody else looks at each packet here, as tcpdump does."""
    watch = Port("", "lan0")
    frames = [frame(RANDOM.randrange(14, 1515)) for _ in range(50)]
    frames += [frame(100, b"\x81\x00\x00\x0a")] * 3
    passes("packets that a packet socket shares", frames)
    seen = [watch.receive()[0] for _ in frames]
    check("it sees them all, unharmed", seen == frames,
          *[difference(a, b) for a, b in zip(frames, seen) if a != b][:3])
    watch.sock.close()


alice = Port("alice", "a0")
receivers = [Port("bob", "b0")]
tests = sys.argv[1:]
if "twice" in tests:
    receivers.append(Port("carol", "c0"))
    tests.remove("twice")
for test in tests:
    {"sizes": sizes, "vlan": vlan, "paged": paged, "gso": gso, "shared": shared}[test]()
end()

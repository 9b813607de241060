# SPDX-License-Identifier: GPL-2.0
"""frames.py WHAT...: sends odd frames at alice (a0) and compares what arrives at bob (b0) byte by byte.
The graph in between is the caller's. WHAT: sizes, vlan, paged, gso, shared, twice (to carol too), replaced,
trusted and complete (by the block `r`, of tests/blocks/replacer)."""

import ctypes
import os
import random
import select
import socket
import struct
import subprocess
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


def seal(data, zero=False):
    """The frame with all its checksums right; with `zero` without one of UDP."""
    if data[12:14] == b"\x08\x00":
        protocol, start, addresses = data[23], 34, data[26:34]
        data = data[:24] + b"\0\0" + data[26:]
        data = data[:24] + struct.pack("!H", checksum(data[14:34]) ^ 0xFFFF) + data[26:]
    else:
        protocol, start, addresses = data[20], 54, data[22:54]
    at = start + {6: 16, 17: 6, 1: 2, 2: 2, 58: 2}[protocol]
    data = data[:at] + b"\0\0" + data[at + 2:]
    more = b"" if protocol in (1, 2) else addresses + struct.pack("!HH", protocol, len(data) - start)
    check_ = checksum(more + data[start:]) ^ 0xFFFF
    if protocol == 17:
        check_ = 0 if zero else check_ or 0xFFFF
    return data[:at] + struct.pack("!H", check_) + data[at + 2:]


def unsealed(data):
    """The same as a stack gives it to a device that fills in checksums, and what virtio says about it."""
    data = seal(data)
    version6 = data[12:14] == b"\x86\xdd"
    start, addresses, protocol = (54, data[22:54], data[20]) if version6 else (34, data[26:34], data[23])
    offset = {6: 16, 17: 6, 58: 2}[protocol]
    partial = checksum(addresses + struct.pack("!HH", protocol, len(data) - start))
    at = start + offset
    return data[:at] + struct.pack("!H", partial) + data[at + 2:], vnet_hdr(GSO_NONE, start + 2, 0, start, offset)


def flow(version, protocol, size=101):
    """A sound packet with a payload of odd length."""
    head = {6: struct.pack("!HHIIBBHHH", 9, 10, 1, 1, 0x50, 0x10, 1000, 0, 0),
            17: struct.pack("!HHHH", 9, 10, 8 + size, 0), 1: struct.pack("!BBHHH", 8, 0, 0, 7, 1),
            58: struct.pack("!BBHHH", 128, 0, 0, 7, 1)}[protocol]
    data = head + noise(size)
    if version == 4:
        return seal(ipv4(protocol, data))
    addresses = bytes.fromhex("20010db8" + "00" * 11 + "01" + "20010db8" + "00" * 11 + "02")
    return seal(BOB + ALICE + b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(data), protocol, 64) + addresses + data)


def counts():
    """What the block has counted."""
    text = subprocess.run(["fbctl", "show", "r"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return {word.split("=")[0]: int(word.split("=")[1]) for word in text.split()
            if word.split("=")[0] in ("none", "unnecessary", "complete", "partial", "failed", "wrong")}


def do(*ops):
    subprocess.run(["fbctl", "set", "r", "do=" + ";".join(ops)], check=True)


def changes(data):
    """What can be done to a packet: a name, what the block is told, the packet afterwards."""
    version6 = data[12:14] == b"\x86\xdd"
    start, protocol = (54, data[20]) if version6 else (34, data[23])
    at = start + {6: 16, 17: 6, 1: 2, 58: 2}[protocol]
    covers, pseudo = ("C", "P") if protocol == 17 else ("c", "p")

    def put(offset, new, *sums):
        sums = " ".join(f"{kind} {place}" for kind, place in sums)
        return f"{offset} {new.hex()} {sums}", offset, new

    address = (22, bytes.fromhex("fd00" + "9a" * 14)) if version6 else (26, b"\x0a\x63\xff\x01")
    sums = [] if version6 else [("c", 24)]
    sums += [] if protocol == 1 else [(pseudo, at)]
    each = {"a port, or what stands there": [put(start + (4 if protocol in (1, 58) else 0), b"\x1f\x90", (covers, at))],
            "an address": [put(*address, *sums)],
            "a byte of the payload at an odd place": [put(len(data) - 6 | 1, b"\xa5", (covers, at))],
            "the last byte": [put(len(data) - 1, b"\x5a", (covers, at))]}
    each["all of these"] = sum(each.values(), [])
    if not version6:
        each["TTL and TOS"] = [put(22, b"\x09", ("c", 24)), put(15, b"\x10", ("c", 24))]
    for name, puts in each.items():
        after = data
        for _, offset, new in puts:
            after = after[:offset] + new + after[offset + len(new):]
        yield name, [text for text, _, _ in puts], after


def comes(name, frame_, vnet, want, vnet_want=None):
    """A packet that is changed on its way comes as it should be, and a device's sum over it is right."""
    alice.send(frame_, vnet)
    came, said = bob.receive()
    same = came == want and (vnet_want is None or said[1] == vnet_want)
    check(name, same and counts()["wrong"] == 0, difference(want, came), said and said.hex())
    if not same:
        drain()


def replaced():
    nothing = struct.pack("BBHHHH", 0, 0, 0, 0, 0, 0)
    for version, protocol, what in [(4, 6, "TCP"), (4, 17, "UDP"), (4, 1, "ICMP"), (6, 6, "TCP, IPv6"), (6, 17, "UDP, IPv6"),
                                    (6, 58, "ICMPv6")]:
        data = flow(version, protocol)
        for name, ops, after in changes(data):
            do(*ops)
            was = counts()
            comes(f"{what}, checksum there: {name}", data, nothing, seal(after))
            check("and nobody has looked at it", counts()["none"] == was["none"] + 1, was, counts())
            if protocol == 1:
                continue
            sent, vnet = unsealed(data)
            comes(f"{what}, checksum for the device: {name}", sent, vnet, unsealed(after)[0])
            check("and that is known", counts()["partial"] == was["partial"] + 1, was, counts())
            do(*ops, "complete")
            comes(f"{what}, checksum filled in: {name}", sent, vnet, seal(after))
        check("all could be done", counts()["failed"] == 0, counts())
    data = seal(flow(4, 17), zero=True)
    for name, ops, after in changes(data):
        do(*ops)
        comes(f"UDP without a checksum: {name}", data, nothing, seal(after, zero=True))
    # A port with which the checksum is 0, and that is 0xffff for UDP.
    data = flow(4, 17)
    port = 9 + struct.unpack("!H", data[40:42])[0]
    port = (port & 0xFFFF) + (port >> 16)
    want = seal(data[:34] + struct.pack("!H", port) + data[36:])
    check("a checksum of UDP that is 0", want[40:42] == b"\xff\xff", want[40:42])
    do(f"34 {port:04x} C 40")
    comes("is written as 0xffff", data, nothing, want)
    for version, protocol, kind in [(4, 6, GSO_TCPV4), (4, 17, GSO_UDP_L4)]:
        data = flow(version, protocol, 6000)
        sent, vnet = unsealed(data)
        vnet = struct.pack("BB", CSUM, kind) + struct.pack("HH", 34 + (20 if protocol == 6 else 8), 1400) + vnet[6:]
        for name, ops, after in changes(data):
            do(*ops)
            alice.send(sent, vnet)
            came, said = bob.receive()
            check(f"a super-packet, protocol {protocol}: {name}", came == unsealed(after)[0] and said[:2] == vnet[:2],
                  difference(unsealed(after)[0], came), said.hex())
        was = counts()
        do("complete", "resize 100", "resize 60000")
        alice.send(sent, vnet)
        came, _ = bob.receive()
        check("neither can its checksum be filled in, nor its length be changed; it stays as it is",
              came == sent and counts()["failed"] == was["failed"] + 3, difference(sent, came), counts())

    # Lengths and offsets that cannot be.
    for name, data, vnet in [("a short packet", frame(60), nothing),
                             ("one in pages", frame(1400), struct.pack("BBHHHH", 0, 0, 14, 0, 0, 0))]:
        was = counts()["failed"]
        bad = [f"{what} {n}" for what in ("resize", "header")
               for n in (65550, 1 << 31, 4294967256, 4294967295 - 14, 4294967295)]
        bad += [f"{n} {b}" for n in (len(data) - 1, len(data), 1 << 31, 4294967294, 4294967295) for b in ("aabb", "00" * 99)]
        bad += [f"0 aa c {n}" for n in (len(data) - 1, 1 << 31, 4294967294, 4294967295)]
        do(*bad)
        comes(f"{name}: lengths and offsets beyond it", data, vnet, data)
        check("are refused, each", counts()["failed"] == was + len(bad), counts()["failed"] - was, len(bad))
        do("resize 65549", f"resize {len(data) + 40}")
        comes(f"{name} grows, as far as is said", data, vnet, data + bytes(40))
        do("resize 20")
        comes("and is cut", data, vnet, data[:20])
        check("which can be done", counts()["failed"] == was + len(bad), counts())


def trusted():
    """The device of alice's wire puts packets together, and has found their checksums right."""
    for protocol, what in [(6, "TCP"), (17, "UDP")]:
        data = flow(4, protocol)
        for name, ops, after in changes(data):
            do(*ops)
            was = counts()
            comes(f"{what}, checksum found right: {name}", data, struct.pack("BBHHHH", 0, 0, 0, 0, 0, 0), seal(after))
            check("and that is known", counts()["unnecessary"] == was["unnecessary"] + 1, was, counts())


def complete():
    """By a bridge that has summed up what it has looked at."""
    port = Port("", "q0")
    data = b"\x01\x00\x5e\x01\x02\x03" + ALICE + ipv4(2, bytes.fromhex("16000000ef010203"))[12:]
    data = seal(data[:30] + b"\xef\x01\x02\x03" + data[34:])
    puts = [(38, b"\xef\x09\x08\x07", "c 36"), (35, b"\x77", "c 36"), (22, b"\x05", "c 24"), (15, b"\x10", "c 24")]
    want = data
    for offset, new, _ in puts:
        want = want[:offset] + new + want[offset + len(new):]
    do(*(f"{offset} {new.hex()} {sums}" for offset, new, sums in puts), "resize 61", "resize 43", "resize 42")
    was = counts()
    port.send(data)
    came, _ = bob.receive()
    check("a packet whose sum a device has made is changed", came == seal(want), difference(seal(want), came))
    check("and the sum with it", counts()["complete"] == was["complete"] + 1 and counts()["wrong"] == 0, counts())


alice = Port("alice", "a0")
bob = Port("bob", "b0")
receivers = [bob]


def main(tests):
    if "twice" in tests:
        receivers.append(Port("carol", "c0"))
        tests.remove("twice")
    for test in tests:
        {"sizes": sizes, "vlan": vlan, "paged": paged, "gso": gso, "shared": shared,
         "replaced": replaced, "trusted": trusted, "complete": complete}[test]()
    end()


if __name__ == "__main__":
    main(sys.argv[1:])

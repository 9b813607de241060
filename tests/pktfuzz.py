# SPDX-License-Identifier: GPL-2.0
"""pktfuzz.py [--seconds N] [--seed N] [--mac MAC] [--from ADDRESS] [--to ADDRESS]... [--format NAME] DEVICE...

Sends malformed packets by the devices of this namespace for that long: Ethernet, stacks of VLAN tags, ARP,
IPv4 and IPv6 with options, extension headers and fragments, and ICMP, UDP and TCP in them, with lengths
that lie, cut anywhere, with bits turned over. Most go to one of the addresses, under that MAC; part of them
is well made, so that what looks for mistakes gets beyond the first. With a format, half of them have that of the block
crypt, compress or reliable, or what the block ethvlink receives, and what is in them is turned over, too. With the formats plain and
vxlan, half of them are datagrams for a udp-tunnel, with such a frame in them. The same seed gives the same frames in
the same order. Prints how many were sent; what becomes of them the caller sees in the kernel's log."""

import argparse
import ctypes
import random
import socket
import struct
import sys
import time

SOL_PACKET, PACKET_VNET_HDR, PACKET_QDISC_BYPASS = 263, 15, 20
POOL, FRESH = 1024, 128  # frames that are sent again and again, and how many of them are new each time
ICMP, TCP, UDP, ICMPV6 = 1, 6, 17, 58
HOP, ROUTING, FRAGMENT, AUTH, NONE, DESTINATION = 0, 43, 44, 51, 59, 60


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Frames:
    """Makes them."""

    def __init__(self, seed, mac, addresses, mtu, form=None, source="192.0.2.1"):
        self.random, self.mac, self.mtu = random.Random(seed), mac, mtu
        self.form = {None: None, "crypt": (0x88B5, self.crypt), "compress": (0x88B6, self.compress), "reliable": (0x88B5, self.reliable),
                     "ethvlink": (0xAC0A, self.payload), "plain": (0x0800, self.plain), "vxlan": (0x0800, self.vxlan)}[form]
        self.sequence = 0
        self.source = socket.inet_pton(socket.AF_INET, source)
        self.v4 = [socket.inet_pton(socket.AF_INET, a) for a in addresses if ":" not in a]
        self.v6 = [socket.inet_pton(socket.AF_INET6, a) for a in addresses if ":" in a]

    def odds(self, share):
        return self.random.random() < share

    def number(self, bits):
        """A number, rather one at the edges."""
        top = (1 << bits) - 1
        return self.random.choice([0, 1, top, top - 1, self.random.getrandbits(bits), self.random.getrandbits(bits)])

    def lie(self, true, bits=16):
        """A length: mostly the true one."""
        if self.odds(0.8):
            return true & ((1 << bits) - 1)
        near = true + self.random.choice([-40, -20, -9, -8, -4, -2, -1, 1, 2, 4, 8, 20, 40, 1000])
        return self.random.choice([near & ((1 << bits) - 1), self.number(bits)])

    def noise(self, most=64):
        return self.random.randbytes(self.random.randrange(most + 1))

    def payload(self):
        share = self.random.random()
        if share < 0.6:
            return self.noise()
        if share < 0.95:
            return self.noise(1400)
        return self.noise(max(self.mtu - 100, 0))

    def address(self, known, size):
        """One of those to answer for, or an odd one."""
        if known and self.odds(0.8):
            return self.random.choice(known)
        odd = {4: [b"\0" * 4, b"\xff" * 4, b"\x7f\0\0\1", b"\xe0\0\0\1", b"\xf0\0\0\1"],
               16: [b"\0" * 16, b"\0" * 15 + b"\1", b"\xff\2" + b"\0" * 13 + b"\1",
                    b"\0" * 10 + b"\xff\xff\xc0\0\2\1", b"\xfe\x80" + b"\0" * 13 + b"\1"]}[size]
        return self.random.choice(odd + [self.random.randbytes(size)])

    # --- What is carried ---

    def icmp(self, pseudo):
        """ICMP or ICMPv6: echo mostly, and neighbour solicitations; errors bring a packet along."""
        v6 = bool(pseudo)
        share = self.random.random()
        kind = (128 if v6 else 8) if share < 0.7 else 135 if v6 and share < 0.85 else self.random.choice(
            [1, 2, 3, 4, 128, 129, 130, 131, 133, 134, 135, 136, 137, 143] if v6 else
            [0, 3, 4, 5, 8, 11, 12, 13, 14, 17, 42, 43])
        if v6 and kind in (135, 136):
            body = self.random.randbytes(4) + self.address(self.v6, 16) + self.options()
        elif kind in ((1, 2, 3, 4) if v6 else (3, 4, 5, 11, 12)):
            body = self.random.randbytes(4) + (self.ipv6() if v6 else self.ipv4())[:self.random.randrange(120)]
        else:
            body = self.random.randbytes(4) + self.payload()
        head = bytes([kind, 0 if self.odds(0.8) else self.number(8)])
        return self.summed(head + b"\0\0" + body, 2, pseudo)

    def options(self):
        """Those of neighbour discovery."""
        return b"".join(bytes([self.random.randrange(7), self.lie(size, 8)]) + self.random.randbytes(size * 8 - 2)
                        for size in (self.random.choice([1, 1, 1, 2, 3]) for _ in range(self.random.randrange(4))))

    def udp(self, pseudo):
        payload = self.payload()
        return self.summed(struct.pack("!HHHH", self.number(16), self.number(16), self.lie(8 + len(payload)), 0) +
                           payload, 6, pseudo)

    def tcp(self, pseudo):
        options = self.random.randbytes(4 * self.random.randrange(11)) if self.odds(0.3) else b""
        words = self.lie(5 + len(options) // 4, 4)
        return self.summed(struct.pack("!HHIIBBHHH", self.number(16), self.number(16), self.number(32),
                                       self.number(32), words << 4, self.number(8), self.number(16), 0,
                                       self.number(16)) + options + self.payload(), 16, pseudo)

    def summed(self, data, at, pseudo):
        """With its checksum; mostly the right one."""
        value = checksum(pseudo(len(data)) + data if pseudo else data) if self.odds(0.85) else self.number(16)
        return data[:at] + struct.pack("!H", value) + data[at + 2:]

    def carried(self, protocol, pseudo):
        make = {ICMP: self.icmp, ICMPV6: self.icmp, UDP: self.udp, TCP: self.tcp}.get(protocol)
        return make(pseudo) if make else self.payload()

    # --- What carries ---

    def ipv4(self):
        protocol = self.random.choice([ICMP, ICMP, ICMP, UDP, TCP, self.number(8)])
        source, destination = self.address([self.source], 4), self.address(self.v4, 4)
        data = self.carried(protocol, None) if protocol == ICMP else self.carried(
            protocol, lambda length: source + destination + struct.pack("!HH", protocol, length & 0xFFFF))
        options = self.random.randbytes(4 * self.random.randrange(1, 11)) if self.odds(0.1) else b""
        fragment = 0x4000 if self.odds(0.5) else 0
        if self.odds(0.15):
            # Tiny ones, too: a few bytes, at an offset or with more to come.
            fragment = self.random.choice([0x2000, 0x2000 | self.number(3), self.number(13), self.number(16)])
            data = data[:self.random.choice([0, 1, 4, 7, 8, 16, len(data)])]
        words = self.lie(5 + len(options) // 4, 4)
        version = 4 if self.odds(0.97) else self.number(4)
        head = struct.pack("!BBHHHBBH4s4s", version << 4 | words, self.number(8),
                           self.lie(20 + len(options) + len(data)), self.number(16), fragment, self.number(8),
                           protocol, 0, source, destination) + options
        value = checksum(head) if self.odds(0.9) else self.number(16)
        return head[:10] + struct.pack("!H", value) + head[12:] + data

    def ipv6(self):
        protocol = self.random.choice([ICMPV6, ICMPV6, ICMPV6, UDP, TCP, NONE, self.number(8)])
        source = self.address([b"\x20\1\x0d\xb8" + b"\0" * 11 + b"\1"], 16)
        destination = self.address(self.v6, 16)
        data = self.carried(protocol, lambda length: source + destination + struct.pack("!II", length, protocol))
        if self.odds(0.3):
            for _ in range(self.random.choice([1, 1, 2, 3, 8])):
                protocol, data = self.extension(protocol, data)
        version = 6 if self.odds(0.97) else self.number(4)
        return struct.pack("!IHBB", version << 28 | self.number(28), self.lie(len(data)), protocol,
                           self.random.choice([255, 255, 64, 0])) + source + destination + data

    def extension(self, following, data):
        """An extension header in front of what follows, and its number."""
        kind = self.random.choice([HOP, ROUTING, FRAGMENT, AUTH, DESTINATION, self.number(8)])
        if kind == FRAGMENT:
            data = data[:self.random.choice([0, 1, 7, 8, len(data)])]
            return kind, struct.pack("!BBHI", following, 0, self.number(16), self.number(32)) + data
        body = self.random.randbytes(8 * self.random.choice([1, 1, 2, 5]) - 2)
        units = (len(body) + 2) // (4 if kind == AUTH else 8) - (2 if kind == AUTH else 1)
        return kind, bytes([following, self.lie(units, 8)]) + body + data

    def crypt(self):
        """What an encrypted packet looks like: nobody here has a key."""
        session = self.random.choice([bytes(16), b"\xff" * 16, self.random.randbytes(16)])
        return struct.pack("!BB", 1 if self.odds(0.9) else self.number(8), self.random.choice([1, 1, 2, self.number(8)])) + \
            session + struct.pack("!Q", self.number(64)) + self.payload() + self.random.randbytes(16)

    def reliable(self):
        """What the block reliable sends, and the like. Sessions and tokens are few, so that some are right."""
        kind = self.random.choice([0, 0, 0, 1, 2, 3, self.number(8)]) | self.random.choice([0, 0x80])
        if 1000 < self.sequence:
            self.sequence = 0
        self.sequence += 1
        sequence = self.random.choice([self.sequence, self.sequence, self.sequence + self.random.randrange(-5, 5), self.number(32)])
        first = self.random.choice([0, sequence - self.random.randrange(5), self.number(32)])
        few = self.random.choice([0, 1, 2, self.number(32)]), self.random.choice([1, self.number(32)])
        words = [*few, sequence, first, self.number(32), self.random.choice([0, 1, self.number(32)]), self.number(32), self.number(32)]
        data = self.payload()
        if kind & 0x7F == 1:
            data = struct.pack("!H", self.lie(len(data) & 0xF8)) + data
        return struct.pack("!BB8I", 0x10 if self.odds(0.95) else self.number(8), kind, *[w & 0xFFFFFFFF for w in words]) + data

    def compress(self):
        """A compressed packet, by the library of user space, with bits turned over in most."""
        data = b"\x08\x00" + self.random.choice([self.payload(), self.noise(40) * self.random.randrange(1, 200), bytes(self.number(14))])
        kind = 1 if self.odds(0.9) else self.number(8)
        packed = bytearray(squeeze(data) if kind else data)
        for _ in range(self.random.choice([0, 1, 1, 2, 8])):
            packed[self.random.randrange(len(packed))] ^= 1 << self.random.randrange(8)
        return struct.pack("!BBHH", kind, 0 if self.odds(0.97) else 1, self.lie(len(data)), self.lie(len(packed))) + packed

    def plain(self):
        """A datagram for a tunnel, with a frame in it."""
        return self.datagram(self.frame(False), 4788)

    def vxlan(self):
        """The same with a VXLAN header: mostly the right one."""
        head = struct.pack("!II", 0x08000000 if self.odds(0.9) else self.number(32), 7 << 8 if self.odds(0.9) else self.number(32))
        return self.datagram((head + self.frame(False))[:self.number(6) if self.odds(0.1) else None], 4789)

    def datagram(self, data, port):
        """What comes to a socket: Linux drops what is wrong before."""
        source, destination = self.source, self.random.choice(self.v4)
        data = data[:max(self.mtu - 28, 0)]
        length = 8 + len(data)
        udp = struct.pack("!HHHH", self.number(16), port, length, 0) + data
        if self.odds(0.5):
            udp = self.summed(udp, 6, lambda length: source + destination + struct.pack("!HH", UDP, length & 0xFFFF))
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + length, self.number(16), 0, 64, UDP, 0, source, destination)
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + udp

    def arp(self):
        return struct.pack("!HHBBH", 1, 0x0800, self.lie(6, 8), self.lie(4, 8), self.number(2)) + \
            self.random.randbytes(6) + self.address([b"\xc0\0\2\1"], 4) + b"\0" * 6 + self.address(self.v4, 4)

    def frame(self, may_form=True):
        share = self.random.random()
        kind, data = (0x0800, self.ipv4()) if share < 0.45 else (0x86DD, self.ipv6()) if share < 0.9 else \
            (0x0806, self.arp()) if share < 0.95 else (self.number(16), self.payload())
        formed = may_form and self.form and self.odds(0.5)
        if formed:
            kind, data = self.form[0], self.form[1]()
        mac = self.mac if self.odds(0.85) else self.random.choice(
            [b"\xff" * 6, b"\x33\x33\0\0\0\1", b"\1\0\x5e\0\0\1", self.random.randbytes(6)])
        source = b"\2" + self.random.randbytes(5) if self.odds(0.95) else self.random.randbytes(6)
        tags = b"".join(struct.pack("!HH", self.random.choice([0x8100, 0x88A8, 0x9100]), self.number(16))
                        for _ in range(0 if formed else self.random.choice([0, 0, 0, 0, 1, 2, 3, 5])))
        frame = bytearray(mac + source + tags + struct.pack("!H", kind) + data)
        if self.odds(0.15):
            del frame[self.random.randrange(14, len(frame) + 1):]
        if self.odds(0.15):
            for _ in range(self.random.choice([1, 1, 2, 8])):
                frame[self.random.randrange(len(frame))] ^= 1 << self.random.randrange(8)
        if self.odds(0.2):
            frame += bytes(self.random.choice([1, 2, 18, 46])) if self.odds(0.5) else self.noise()
        return bytes(frame[:self.mtu + 14])

    def described(self, frame):
        """What virtio says of a frame, in front of it: mostly nothing. A short head leaves the rest of a
        long frame in pages."""
        if self.odds(0.97):
            linear = self.random.choice([14, 34, 54]) if len(frame) > 4000 and self.odds(0.7) else 0
            return struct.pack("<BBHHHH", 0, 0, linear, 0, 0, 0) + frame
        start = self.random.choice([34, 54, 14, self.number(7)])
        return struct.pack("<BBHHHH", 1, self.random.choice([0, 0, 1, 4, 5]), self.random.choice([0, 54, 66]),
                           self.number(11), start, self.random.choice([2, 6, 16])) + frame


ZSTD = None


def squeeze(data):
    """The frame of zstd for these bytes."""
    global ZSTD  # pylint: disable=global-statement
    if ZSTD is None:
        ZSTD = ctypes.CDLL("libzstd.so.1")
        ZSTD.ZSTD_compress.restype = ctypes.c_size_t
        ZSTD.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
    room = ctypes.create_string_buffer(len(data) + 1000)
    done = ZSTD.ZSTD_compress(room, len(room), data, len(data), 3)
    return room.raw[:done]


class Sender:
    """Sends many frames by one call."""

    class Vec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    class Msg(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("vec", ctypes.c_void_p),
                    ("vecs", ctypes.c_size_t), ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t),
                    ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]

    def __init__(self, device):
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
        self.sock.setsockopt(SOL_PACKET, PACKET_QDISC_BYPASS, 1)
        self.sock.bind((device, 0))
        self.msgs, self.vecs, self.frames = (self.Msg * POOL)(), (self.Vec * POOL)(), [None] * POOL

    def put(self, place, frame):
        self.frames[place] = ctypes.create_string_buffer(frame, len(frame))
        self.vecs[place] = self.Vec(ctypes.addressof(self.frames[place]), len(frame))
        self.msgs[place] = self.Msg(vec=ctypes.addressof(self.vecs[place]), vecs=1)

    def send(self, seed):
        """Sends all, in an order of its own; those that the device does not take are passed over."""
        start, sent = random.Random(seed).randrange(POOL), 0
        for begin, end in ((start, POOL), (0, start)):
            while begin < end:
                place = ctypes.addressof(self.msgs) + begin * ctypes.sizeof(self.Msg)
                done = max(self.libc.sendmmsg(self.sock.fileno(), ctypes.c_void_p(place), end - begin, 0), 0)
                sent += done
                begin += done or 1
        return sent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--mac", default="02:00:00:00:00:01", help="of who is to take them")
    parser.add_argument("--to", action="append", default=[], metavar="ADDRESS", help="of IPv4 or IPv6")
    parser.add_argument("--from", default="192.0.2.1", dest="source", metavar="ADDRESS", help="of IPv4")
    parser.add_argument("--format", choices=["crypt", "compress", "reliable", "ethvlink", "plain", "vxlan"], help="of half of the frames")
    parser.add_argument("devices", nargs="+", metavar="DEVICE")
    options = parser.parse_args()
    mac = bytes.fromhex(options.mac.replace(":", ""))
    pairs = []
    for number, device in enumerate(options.devices):
        with open(f"/sys/class/net/{device}/mtu") as file:
            mtu = int(file.read())
        frames, sender = Frames(f"{options.seed} {number}", mac, options.to, mtu, options.format, options.source), Sender(device)
        for place in range(POOL):
            sender.put(place, frames.described(frames.frame()))
        pairs.append((frames, sender))
    end, rounds, sent = time.monotonic() + options.seconds, 0, 0
    while time.monotonic() < end:
        for frames, sender in pairs:
            for place in range(FRESH):
                sender.put((rounds * FRESH + place) % POOL, frames.described(frames.frame()))
            sent += sender.send(rounds)
        rounds += 1
    made = len(pairs) * (POOL + rounds * FRESH)
    print(f"seed {options.seed}: {rounds} rounds, {made} frames made, {sent} sent")
    return 0 if sent else 1


if __name__ == "__main__":
    sys.exit(main())

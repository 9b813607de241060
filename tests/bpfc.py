# SPDX-License-Identifier: GPL-2.0
"""bpfc.py: programs run on frames three times: by `bpfc --run`, by the kernel for a packet socket, and by the block
fb3, on which the counter fb4 is. The frames come from far0 in the namespace red to lan0. LANA_SEED repeats a run."""

import json
import os
import random
import socket
import struct
import subprocess
import tempfile

import rig
from lana import check, end
from rig import LONG, quiesce, read, write

FBLOCK = "/proc/net/lana/fblock/"
SOL_PACKET, PACKET_IGNORE_OUTGOING = 263, 23
SO_ATTACH_FILTER, SO_RCVBUFFORCE = 26, 33
SEED = int(os.environ.get("LANA_SEED") or random.randrange(1 << 32))
RANDOM = random.Random(SEED)
PROGRAMS = 2000 if LONG else 60
LOADS = [0x20, 0x28, 0x30]
ALU = [0x04, 0x14, 0x24, 0x34, 0x44, 0x54, 0x64, 0x74, 0x94, 0xA4]
JUMPS = [0x15, 0x25, 0x35, 0x45]
# Those that a capture has an answer to: not the device, the CPU, the queue, the hash, a random number.
EXTENSIONS = [0, 4, 12, 16, 20, 28, 40, 44, 48, 52]
WRITTEN = {
    "an extension": "ldh #proto\njeq #0x806,L1,L2\nL1: ret #0xffff\nL2: ret #0",
    "by the network header": "ldb [0xfff00000]\nand #0xf0\njeq #0x40,L1,L2\nL1: ret #20\nL2: ret #0",
    "by the link header": "ldx #0xffe00000\nldh [x + 12]\njeq #0x86dd,L1,L2\nL1: ret #40\nL2: ret #0",
    "a header of variable length": "ldh [12]\njne #0x800,L2\nldx 4*([14]&0xf)\nldh [x + 16]\nret a\nL2: ret #0",
    "a division by what may be 0": "ldb [20]\nand #1\ntax\nld #len\ndiv x\nret a",
    "a shift by more than 31": "ldb [20]\ntax\nld #1\nlsh x\nret a",
    "a load that may be beyond the end": "ld #len\ntax\nldb [x - 60]\nldb [100]\nret #30",
    "the payload": "ld #poff\nret a",
    "what is kept": "ld #len\nrsh #1\nret a",
}


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def frames(mac):
    """Frames of several protocols, each of a length of its own."""
    def ip4(protocol, payload, options=b"", offset=0):
        head = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload), 1,
                                     offset, 64, protocol, 0, b"\xc6\x12\0\1", b"\xc6\x12\0\2") + options)
        head[10:12] = struct.pack("!H", checksum(bytes(head)))
        return b"\x08\x00" + bytes(head) + payload

    def ip6(protocol, payload):
        return b"\x86\xdd" + struct.pack("!IHBB", 6 << 28, len(payload), protocol, 64) + RANDOM.randbytes(32) + payload

    tcp = RANDOM.randbytes(12) + b"\x70" + RANDOM.randbytes(15)
    contents = [b"\x08\x06" + RANDOM.randbytes(28), b"\x88\xb5", b"\x88\xb5\0"]
    contents += [ip4(6, tcp + RANDOM.randbytes(n)) for n in (1, 30, 700)]
    contents += [ip4(17, RANDOM.randbytes(n)) for n in (9, 62)] + [ip4(6, tcp, b"\1" * 8), ip4(17, RANDOM.randbytes(77), offset=9)]
    contents += [ip6(protocol, tcp + RANDOM.randbytes(n)) for protocol, n in ((6, 3), (17, 11), (58, 81))]
    contents += [b"\x88\xb5" + RANDOM.randbytes(n) for n in (2, 5, 8, 17, 33, 155, 1231)]
    # Netlink attributes that can be found.
    contents += [b"\x88\xb5\0\0" + b"".join(struct.pack("HH", 8, n) + bytes(4) for n in range(6))]
    return [mac + bytes.fromhex("02000000000b") + content for content in contents]


def program():
    """Random instructions that end with a return."""
    length = RANDOM.randrange(2, 16)
    insns = []
    for index in range(length):
        kind, left = RANDOM.randrange(12), length - index
        k = RANDOM.choice([RANDOM.randrange(64), RANDOM.randrange(64), RANDOM.getrandbits(32), 1 << RANDOM.randrange(32)])
        size = RANDOM.choice((0, 8, 16))
        near = RANDOM.choice([RANDOM.randrange(64)] * 3 + [0xFFF00000 + RANDOM.randrange(64), 0xFFE00000 + RANDOM.randrange(64)])
        if kind < 2:
            insns.append((0x20 | size, 0, 0, near))
        elif kind == 2:
            insns.append((0x40 | size, 0, 0, near if RANDOM.randrange(3) else -RANDOM.randrange(64) & 0xFFFFFFFF))
        elif kind == 3:
            insns.append((0x20 | size, 0, 0, 0xFFFFF000 + RANDOM.choice(EXTENSIONS)))
        elif kind == 4:
            insns.append(RANDOM.choice([(0xB1, 0, 0, near), (0x80, 0, 0, 0), (0x81, 0, 0, 0), (0, 0, 0, k), (1, 0, 0, k)]))
        elif kind == 5:
            insns.append((RANDOM.choice((0x60, 0x61, 2, 3, 2, 3)), 0, 0, RANDOM.randrange(3)))
        elif kind < 9:
            insns.append((RANDOM.choice(ALU) | RANDOM.choice((0, 8)), 0, 0, k))
        elif kind == 9:
            insns.append((RANDOM.choice((7, 0x87, 0x84)), 0, 0, 0))
        else:
            insns.append((RANDOM.choice(JUMPS) | RANDOM.choice((0, 8)), RANDOM.randrange(left), RANDOM.randrange(left), k))
    return insns + [RANDOM.choice([(0x16, 0, 0, 0), (6, 0, 0, RANDOM.getrandbits(8))])]


def text(insns):
    return "".join("{ %#x, %d, %d, 0x%08x },\n" % insn for insn in insns)


class Bench:
    """The frames, who sends them, and who looks at them."""

    def __init__(self, folder):
        self.folder = folder
        mac = bytes.fromhex(read("/sys/class/net/lan0/address").strip().replace(":", ""))
        self.frames = frames(mac)
        with open(folder + "/frames.pcap", "wb") as file:
            file.write(struct.pack("IHHIIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
            for frame in self.frames:
                file.write(struct.pack("IIII", 0, 0, len(frame), len(frame)) + frame)
        self.sender = rig.inside("red", self.port, "far0")

    @staticmethod
    def port(device, protocol=0):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        sock.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        sock.bind((device, protocol))
        return sock

    def attached(self, insns):
        """A packet socket with a program; None if the kernel does not take it."""
        sock = self.port("lan0")
        code = (struct.pack("HBBI", *insn) for insn in insns)
        buffer = rig.ctypes.create_string_buffer(b"".join(code))
        try:
            head = struct.pack("HxxxxxxQ", len(insns), rig.ctypes.addressof(buffer))
            sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, head)
        except OSError:
            sock.close()
            return None
        sock.bind(("lan0", 3))  # ETH_P_ALL, from now on
        return sock

    def bpfc(self, *arguments):
        """What bpfc prints, and what it has to say against it."""
        done = subprocess.run(["bpfc", *arguments], capture_output=True, text=True, check=False)
        return done.stdout if done.returncode == 0 else None, done.stderr

    def run(self, source):
        """Which frames pass, and how much of each, by bpfc."""
        write(self.folder + "/program", source)
        out, errors = self.bpfc("--run", self.folder + "/program", "-r", self.folder + "/frames.pcap", "-j")
        if out is None:
            return None, errors
        return {line["number"]: line["verdict"] for line in map(json.loads, out.splitlines())}, errors

    def counted(self):
        return tuple(map(int, read(FBLOCK + "fb4").split()))

    def kernel(self, sock, code):
        """Which frames the socket gets, and how much of each; what the block lets through."""
        write(FBLOCK + "fb3", code)
        before = self.counted()
        for frame in self.frames:
            self.sender.send(frame)
        quiesce()
        after, got = self.counted(), {}
        sock.setblocking(False)
        try:
            # A frame that is cut says how long it was.
            buffer = bytearray(1 << 16)
            numbers = iter(range(1, len(self.frames) + 1))
            lengths = [len(frame) for frame in self.frames]
            while True:
                size = sock.recv_into(buffer)
                kept = bytes(buffer[:size])
                number = next(n for n in numbers if self.frames[n - 1].startswith(kept))
                got[number] = (size, lengths[number - 1])
        except BlockingIOError:
            pass
        return [size for size, _ in got.values()], (after[0] - before[0], after[1] - before[1])

    def compare(self, insns):
        """What differs; None if nothing does, and how many frames passed."""
        sock = self.attached(insns)
        code = text(insns)
        verdicts, errors = self.run(code)
        if sock is None or verdicts is None:
            agreed = sock is None and verdicts is None or sock is not None and "no way leads" in errors
            if sock is not None:
                sock.close()
            return None if agreed else f"bpfc: {errors or 'takes it'}, kernel: {sock}\n{code}", None
        with sock:
            sizes, block = self.kernel(sock, code)
        wanted = [min(verdict, len(self.frames[number - 1])) for number, verdict in sorted(verdicts.items())]
        total = len(verdicts), sum(len(self.frames[number - 1]) for number in verdicts)
        if sizes != wanted or block != total:
            return f"bpfc {wanted} {total}\nsocket {sizes}\nblock {block}\n{code}", None
        return None, len(verdicts)


def main(folder):
    bench = Bench(folder)
    every = bench.compare([(6, 0, 0, 0xFFFF)])
    check("all frames pass a program that passes all", every == (None, len(bench.frames)), *every)
    for name, source in WRITTEN.items():
        write(folder + "/source", source + "\n")
        out, errors = bench.bpfc("-f", "tcpdump", folder + "/source")
        insns = [tuple(map(int, line.split())) for line in (out or "").splitlines()[1:]]
        why, passed = bench.compare(insns) if insns else (errors, None)
        check(f"bpfc, the block and a packet socket agree: {name}", why is None and passed, why, passed)
    ran = refused = some = 0
    differ = []
    while ran < PROGRAMS and len(differ) < 3:
        why, passed = bench.compare(program())
        if why:
            differ.append(why)
        elif passed is None:
            refused += 1
        else:
            ran += 1
            some += 0 < passed < len(bench.frames)
    check(f"and on {PROGRAMS} random programs, and on which the kernel does not take", not differ, f"LANA_SEED={SEED}", *differ)
    check("of which many pass some frames and others not", some > ran // 20 and refused, ran, refused, some)
    end()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as work:
        main(work)

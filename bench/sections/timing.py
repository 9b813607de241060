# SPDX-License-Identifier: GPL-2.0
"""When packets arrive: by the clock of the kernel, which stamps what packet sockets get, before anybody looks."""

import socket
import statistics
import struct
import time

from common import FOREIGN, ROUNDS, Missing, Room

SO_RCVBUFFORCE, SO_TIMESTAMPNS, ALL = 33, 35, 3
KIND = 0x88B5
HEADER = bytes.fromhex(FOREIGN.replace(":", "")) + bytes.fromhex("020000000098") + struct.pack("!H", KIND)
LARGE, SMALL = 1514, 60


def until(condition, seconds=60):
    """Waits, and lets the kernel work meanwhile."""
    last = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > last:
            raise Missing("not all packets came")
        time.sleep(0.001)


class Stamps:
    """The times at which packets come in by a device, in nanoseconds, in the order in which they come. A socket for all
    protocols gets them before anybody redirects them."""

    def __init__(self, device):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL))
        self.sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self.sock.bind((device, ALL))
        self.sock.settimeout(60)

    def take(self, count):
        stamps = []
        for _ in range(count):
            try:
                _, [(*_, stamp)], *_ = self.sock.recvmsg(64, 64, socket.MSG_TRUNC)
            except TimeoutError:
                raise Missing(f"{len(stamps)} of {count} packets came") from None
            seconds, nanoseconds = struct.unpack("qq", stamp[:16])
            stamps.append(seconds * 1_000_000_000 + nanoseconds)
        return stamps


class Sender:
    """Sends frames into the far end of a wire."""

    def __init__(self, device):
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.setsockopt(socket.SOL_SOCKET, 32, 64 << 20)  # SO_SNDBUFFORCE
        self.sock.bind((device, 0))

    def send(self, size):
        self.sock.send(HEADER.ljust(size, b"\0"))


class Clocked:
    """A path of packets, and when they come to its ends. The room's."""

    def __init__(self, make, setting):
        self.source, self.target = make(setting)
        self.room = Room.current
        self.comes, self.leaves = Stamps(self.source.near), Stamps(self.target.far)
        self.sender = Sender(self.source.far)


def paths(section, wanted, contenders):
    """The paths of each setting, where they can be made."""
    for text, number in wanted.items():
        try:
            yield text, number, [(name, Clocked(make, text)) for name, make in contenders]
        except Missing as why:
            section.miss("accuracy", text, why)


def rates(section, wanted, contenders):
    """Packets of 1,514 bytes that all want to go at once. How far their rate is off, and how late each one is beside the
    moment at which it would go at that rate exactly."""
    for text, rate, some in paths(section, wanted, contenders):
        count = 100 if rate < 10 ** 7 else 1000
        each = LARGE * 8 * 1_000_000_000 / rate
        for _ in range(min(ROUNDS, 7)):
            for name, path in some:
                path.room.enter()
                for _ in range(count):
                    path.sender.send(LARGE)
                stamps = path.leaves.take(count)
                path.comes.take(count)
                # Behind those that the bucket lets go at once.
                stamps = [stamp - stamps[20] for stamp in stamps[20:]]
                off = each * (len(stamps) - 1) / (stamps[-1] - stamps[0]) - 1
                ideal = [stamp - number * each for number, stamp in enumerate(stamps)]
                late = sorted(stamp - min(ideal) for stamp in ideal)
                put(section, f"{name}, {text}: rate, % off", 100 * off)
                put(section, f"{name}, {text}: late, median, us", statistics.median(late) / 1000)
                put(section, f"{name}, {text}: late, 99 of 100, us", late[len(late) * 99 // 100] / 1000)


def delays(section, wanted, contenders):
    """Packets of 60 bytes, a millisecond between them. How much longer each is on its way than it should be."""
    for text, microseconds, some in paths(section, wanted, contenders):
        for _ in range(min(ROUNDS, 7)):
            for name, path in some:
                path.room.enter()
                for _ in range(200):
                    path.sender.send(SMALL)
                    time.sleep(0.001)
                pairs = zip(path.comes.take(200), path.leaves.take(200))
                late = sorted((leaves - comes) / 1000 - microseconds for comes, leaves in pairs)
                put(section, f"{name}, {text}: late, median, us", statistics.median(late))
                put(section, f"{name}, {text}: late, 99 of 100, us", late[len(late) * 99 // 100])


def put(section, name, value):
    section.values.setdefault(name, []).append(value)

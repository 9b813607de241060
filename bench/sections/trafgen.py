# SPDX-License-Identifier: GPL-2.0
"""What generates packets, by the processor's time that a packet takes from there to where Linux drops it: trafgen,
netsniff-ng's trafgen and mausezahn of Debian, and pktgen (figure D.2 of the thesis). All send the same frames into a
wire. The time is that of all that runs in the machine, receiving included."""

import os
import statistics
import subprocess
import tempfile

from common import FOREIGN, PKTGEN, TOP, WIRE, Contender, Missing, Room, Wire, clock, hook, prepare, result, stack
from rig import write
from sections.sockets import work

SIZES = [64, 512, 1518]  # with the checksum of Ethernet
PACKETS, CALLS = 500000, 20000  # fewer, where each takes a call
OURS, PEERS = TOP + "/target/release/trafgen", "/usr/sbin/trafgen"
now = clock if clock.line else work


def bytes_of(size):
    """A datagram of UDP, with its Ethernet header."""
    head = bytes.fromhex(FOREIGN.replace(":", "")) + bytes.fromhex("020000000001 0800 4500") + (size - 14).to_bytes(2)
    head += bytes.fromhex("0000 0000 40 11 0000 c0000201 c0000202 0009 0009") + (size - 34).to_bytes(2) + bytes(2)
    return head.ljust(size, b"\0")


def static(size):
    return "{ " + ", ".join(f"0x{byte:02x}" for byte in bytes_of(size)) + " }\n"


def varying(size):
    """The same with an address that counts, a random port, and both checksums."""
    frame = [f"0x{byte:02x}" for byte in bytes_of(size)]
    frame[24:26] = ["csumip(14, 33)"]
    text = ", ".join(frame[:28]) + ", dinc(0, 255), " + ", ".join(frame[29:33]) + ", drnd(2), "
    return "{ " + text + ", ".join(frame[35:39]) + ", csumudp(14, 34), " + ", ".join(frame[41:]) + " }\n"


class Program(Contender):
    """A program that sends so many frames and ends."""

    together = False

    def __init__(self, command, size, count=PACKETS):
        super().__init__(None, [], None, size - 4)
        self.wire = Wire()
        self.sink, self.count, self.overhead, self.command = stack(self.wire.near), count, 0.0, command

    def begin(self):
        self.room.enter()
        self.before = self.sink()

    def run(self, count):
        """Seconds of the processor. What a process used is seen only as long as it is there."""
        before = now()
        with (subprocess.Popen(self.command(self.wire.far, count), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               text=True) as program, open(f"/proc/{program.pid}/mem", "rb")):
            os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
            seconds = now() - before
            said = program.stderr.read()
        if program.returncode:
            raise Missing((said.strip().splitlines() or ["it failed"])[-1])
        return seconds

    def end(self):
        return self.rate(self.run(self.count) - self.overhead, self.count)

    def warm_up(self):
        self.begin()
        if self.end() <= 0:
            raise Missing("no packet came to the sink")
        self.overhead = statistics.median(self.run(1) for _ in range(5))
        self.lost = self.sent = 0


class Pktgen(Program):
    """The kernel's own, with a new packet for each frame."""

    def __init__(self, size):
        super().__init__(None, size)

    def run(self, count):
        prepare(self.wire.far, WIRE, count, self.size)
        before = now()
        write(PKTGEN + "pgctrl", "start")
        seconds = now() - before
        result(self.wire.far)
        return seconds


def config(text):
    with tempfile.NamedTemporaryFile("w", suffix=".cfg", delete=False) as file:
        file.write(text)
    return file.name


def trafgen(program, make, size, *options):
    file = config(make(size - 4))
    return Program(lambda device, count: [program, "-i", file, "-o", device, "-n", str(count), "-P", "1", *options], size,
                   CALLS if "-t" in options else PACKETS)


def mausezahn(size):
    frame = bytes_of(size - 4).hex(":")
    return Program(lambda device, count: ["mausezahn", device, "-q", "-c", str(count), frame], size, CALLS)


def graph(size):
    file = config(static(size - 4))
    return Program(lambda device, count: [OURS, "-i", file, "--lana", device, "-n", str(count)], size, CALLS)


def lana(size):
    one = graph(size)
    hook(one.wire.far)
    return one


def run(section):
    def offer(load, name, make, size):
        def in_room():
            Room()
            return make()
        section.offer(load, name, in_room, size)
    for size in SIZES:
        offer("wire", "trafgen", lambda: trafgen(OURS, static, size), size)
        offer("wire", "netsniff-ng's trafgen", lambda: trafgen(PEERS, static, size, "-Q"), size)
        offer("wire", "mausezahn", lambda: mausezahn(size), size)
        offer("wire", "pktgen, clone_skb 0", lambda: Pktgen(size), size)
    size = SIZES[0]
    offer("wire, each by a call", "trafgen", lambda: trafgen(OURS, static, size, "-t", "0"), size)
    offer("wire, each by a call", "netsniff-ng's trafgen", lambda: trafgen(PEERS, static, size, "-Q", "-t", "0"), size)
    offer("wire, each by a call", "trafgen, PF_LANA", lambda: lana(size), size)
    offer("wire, frames that vary", "trafgen", lambda: trafgen(OURS, varying, size), size)
    offer("wire, frames that vary", "netsniff-ng's trafgen", lambda: trafgen(PEERS, varying, size, "-Q"), size)
    section.take_turns()

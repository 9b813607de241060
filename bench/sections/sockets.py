# SPDX-License-Identifier: GPL-2.0
"""From the wire to a program: sockets of LANA beside packet sockets, by the example programs `sniff-lana` and
`sniff-packet`, which count what they receive (figure 6.4 of the thesis). All packets are to arrive: time goes
on until the program has the last one, so it is the work of both sides."""

import json
import signal
import subprocess
import threading
import time

from common import WIRE, Contender, Missing, Room, Wire, clock, hook, prepare, result, start, started
from rig import Lana

SIZES = [64, 256, 1024, 1518]
PACKETS = 10000
BUFFER = 64 << 20  # bytes; more than so many packets take, so that none is lost; a power of two


class Program(Contender):
    """A program that receives; `bind` binds its block."""

    def __init__(self, wire, size, command, bind):
        super().__init__(wire.far, WIRE, None, size)
        self.command, self.bind, self.count, self.overhead = command, bind, PACKETS, 0.0

    def receive(self, count):
        """Sends so many packets to a program that is there; seconds of the processor, on the wall, and how
        many it received."""
        self.room.enter()
        command = [*self.command, "--buffer", str(BUFFER), "--count", str(count), "-j"]
        prepare(self.device, self.load, count, self.size)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            ready = program.stderr.readline()
            if not ready.startswith("ready"):
                raise Missing(ready.strip() or "it said nothing")
            self.bind()
            before = clock()
            start()
            # Where some are lost it waits for ever.
            guard = threading.Timer(10, program.send_signal, [signal.SIGINT])
            guard.start()
            program.wait()
            wall, seconds = time.monotonic(), clock() - before
            guard.cancel()
            received = json.loads(program.stdout.read())["packets"]
        while not result(self.device):
            time.sleep(0.01)
        wall -= started(self.device)
        return seconds if clock.line else wall, wall, received

    def sample(self, overhead=0.0):
        seconds, wall, received = self.receive(PACKETS)
        self.sent, self.lost = self.sent + PACKETS, self.lost + PACKETS - received
        return received / (seconds - self.overhead), received / wall

    def warm_up(self):
        self.receive(PACKETS)
        self.overhead = sorted(self.receive(1)[0] for _ in range(3))[1]


def packet(wire, size, mode):
    return Program(wire, size, ["sniff-packet", wire.near, "--mode", mode], lambda: None)


def lana(wire, size, mode, netlink):
    def bind():
        answer = netlink.do("BIND", "tap", wire.near)
        if answer.error:
            raise Missing(str(answer))
    return Program(wire, size, ["sniff-lana", "--name", "tap", "--mode", mode], bind)


def run(section):
    plain = Room(), Wire()
    hooked = Room(), Wire()
    hook(hooked[1].near)
    netlink = Lana()
    for size in SIZES:
        plain[0].enter()
        for mode, name in ("recv", "recvfrom"), ("mmsg", "recvmmsg"), ("ring", "TPACKET_V3"):
            section.offer("wire", f"PF_PACKET, {name}", lambda: packet(plain[1], size - 4, mode), size)
        hooked[0].enter()
        for mode, name in ("recv", "recvfrom"), ("mmsg", "recvmmsg"), ("ring", "ring"):
            section.offer("wire", f"PF_LANA, {name}", lambda: lana(hooked[1], size - 4, mode, netlink), size)
    section.take_turns()

# SPDX-License-Identifier: GPL-2.0
"""From the wire to a program: sockets of LANA beside packet sockets, by the example programs `sniff-lana` and
`sniff-packet`, which count what they receive (figure 6.4 of the thesis). All packets are to arrive: time goes
on until the program has the last one, so it is the work of both sides."""

import glob
import json
import os
import re
import signal
import statistics
import subprocess
import threading
import time

from common import WIRE, Contender, Missing, Room, Wire, clock, contender, hook, prepare, result, stack, start
from rig import Lana, read

SIZES = [64, 512, 1518]
PACKETS = {"recv": 10000, "mmsg": 50000, "ring": 200000}  # fewer, where they would not find room in a ring
BUFFER, RING = 128 << 20, 32 << 20  # bytes: more than so many packets take, so that none is lost


def work():
    """Seconds of the processor that all tasks have used, as the kernel itself sees them; for where the host
    does not tell. The clock on the wall would count the waiting for the last packets, too."""
    total = 0.0
    for path in glob.glob("/proc/[0-9]*/sched"):
        found = re.search(r"sum_exec_runtime\s*:\s*([\d.]+)", read(path))
        total += float(found[1]) / 1e3 if found else 0.0
    return total


class Program(Contender):
    """A program that receives; `bind` binds its block."""

    together = False

    def __init__(self, wire, size, mode, command, bind):
        super().__init__(wire.far, WIRE, None, size)
        ring = mode == "ring"
        self.command, self.bind, self.overhead = [*command, "--mode", mode], bind, 0.0
        self.command += ["--buffer", str(RING if ring else BUFFER)]
        self.count = min(PACKETS[mode], RING // 2 // size) if ring else PACKETS[mode]

    def receive(self, count):
        """Sends so many packets to a program that is there; seconds of the processor, and how many it
        received."""
        self.room.enter()
        command = [*self.command, "--count", str(count), "-j"]
        prepare(self.device, self.load, count, self.size)
        # In User Mode Linux an address space is a process of the host, which tells what that has used only as long
        # as it is there: an open file keeps it.
        with (subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program,
              open(f"/proc/{program.pid}/mem", "rb")):
            ready = program.stderr.readline()
            if not ready.startswith("ready"):
                raise Missing(ready.strip() or "it said nothing")
            self.bind()
            now = clock if clock.line else work
            before = now()
            start()
            # Where some are lost it waits for ever.
            guard = threading.Timer(10, program.send_signal, [signal.SIGINT])
            guard.start()
            # It has ended, but what it used is still to be seen.
            os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT)
            seconds = now() - before
            guard.cancel()
            received = json.loads(program.stdout.read())["packets"]
        result(self.device)
        return seconds, received

    def begin(self):
        pass

    def end(self):
        seconds, received = self.receive(self.count)
        self.sent, self.lost = self.sent + self.count, self.lost + self.count - received
        return received / (seconds - self.overhead)

    def warm_up(self):
        self.receive(self.count)
        self.overhead = statistics.median(self.receive(1)[0] for _ in range(5))


class Calls(Contender):
    """System calls that do next to nothing, a byte each: what any costs here."""

    together = False

    def __init__(self):
        super().__init__(None, [], None)
        self.count = PACKETS["recv"]

    def begin(self):
        pass

    def end(self):
        with open(os.devnull, "wb", buffering=0) as null:
            before = clock()
            for _ in range(self.count):
                null.write(b"\0")
            seconds = clock() - before
        self.sent += self.count
        return self.count / seconds

    def warm_up(self):
        pass


def packet(wire, size, mode):
    return Program(wire, size, mode, ["sniff-packet", wire.near], lambda: None)


def lana(wire, size, mode, netlink):
    def bind():
        answer = netlink.do("BIND", "tap", wire.near)
        if answer.error:
            raise Missing(str(answer))
    return Program(wire, size, mode, ["sniff-lana", "--name", "tap"], bind)


def run(section):
    plain = Room(), Wire()
    hooked = Room(), Wire()
    hook(hooked[1].near)
    netlink = Lana()
    plain[0].enter()
    section.offer("wire", "the load alone", lambda: contender(plain[1].far, WIRE, stack(plain[1].near)), SIZES[0])
    section.offer("-", "a system call alone", Calls, SIZES[0])
    for size in SIZES:
        plain[0].enter()
        for mode, name in ("recv", "recvfrom"), ("mmsg", "recvmmsg"), ("ring", "TPACKET_V3"):
            section.offer("wire", f"PF_PACKET, {name}", lambda: packet(plain[1], size - 4, mode), size)
        hooked[0].enter()
        for mode, name in ("recv", "recvfrom"), ("mmsg", "recvmmsg"), ("ring", "ring"):
            section.offer("wire", f"PF_LANA, {name}", lambda: lana(hooked[1], size - 4, mode, netlink), size)
    section.take_turns()

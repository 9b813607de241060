# SPDX-License-Identifier: GPL-2.0
"""Flows: UDP from as many addresses as there are to be flows, in any order. Each packet is counted by its flow, and dropped
then. Beside it what a block takes that does nothing, what Linux counts by, and programs that keep flows. These get all
packets: each lot only when they have taken the one before, and the time is that of the processor."""

import ipaddress
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import burst
import ebpf
from bpfload import XDP, answer, insn, load
from common import BURST, SMALLEST, Called, Contender, Missing, batch, clock, do, engine, hook, stack
from sections.drop import LINUX, nft, place
from sections.frames import Sender, hook as hook_frames, place as place_frames

FLOWS = [1, 1000, 100_000, 1_000_000]
BURSTS, FRAMES = "bursts", "frames"
FRAME = burst.FRAME[:SMALLEST].ljust(SMALLEST, b"\0")
FIRST, SOURCE, RANDOM = int(ipaddress.ip_address("10.0.0.1")), 26, 7
TABLE = "set f { type ipv4_addr . ipv4_addr . inet_proto . inet_service . inet_service; size 2000000; flags dynamic; }"
KEY = "ip saddr . ip daddr . meta l4proto . udp sport . udp dport"


def sources(flows, first=FIRST):
    """Steps of an XDP program: the source address of the frame becomes one of so many."""
    return [
        insn(0x61, 0x16, ebpf.DATA), insn(0x61, 0x17, ebpf.DATA_END),
        insn(0xBF, 0x68), insn(0x07, 8, 0, SOURCE + 4), (0x2D, 0x78, 0, "send"),  # data + 30 > data_end
        insn(0x85, 0, 0, RANDOM), insn(0x94, 0, 0, flows),  # w0 = random % flows
        insn(0x07, 0, 0, first), insn(0xDC, 0, 0, 32), insn(0x63, 0x06, SOURCE),  # to big endian
        "send"]


class Load(Called):
    """Has the caches to itself, as long as it sends. All flows are there before the first sample."""

    together = False

    def __init__(self, flows, *others):
        super().__init__(*others)
        self.flows = flows

    def warm_up(self):
        self.sender.send(5 * self.flows)
        super().warm_up()


def bursts(device, flows, sink):
    program = load(XDP, ebpf.assemble(*sources(flows), answer(2)))
    return Load(flows, device, [], sink, burst.Burst(device, FRAME, program=program))


def frames(wire, flows, sink):
    program = load(XDP, ebpf.assemble(*sources(flows), ebpf.redirect(wire.far)))
    return Load(flows, wire.far, [], sink, Sender(FRAME, wire.far, None, program))


class Program(Contender):
    """A program that keeps the flows of a device. `ready` says whether it receives, `received` how many packets it had. It has
    so many cores, and so many threads that receive: where these are fewer, some cores have nothing to do once all is sent."""

    together = False
    LOT, LOTS = 8192, 8

    def __init__(self, flows, command, load=bursts, cores=1, threads=1):
        wire, device = place(BURST)
        super().__init__(device, [], None)
        do("ip", "link", "set", "dev", "lo", "up")
        self.load, self.cores, self.threads = load(device, flows, stack(wire.near)), cores, threads
        self.cpus = self.load.cpus
        self.command = ["taskset", "-c", f"0-{cores - 1}", *[part.format(device=wire.near) for part in command]]
        self.count = self.LOT * self.LOTS

    def begin(self):
        pass

    def end(self):
        self.room.enter()
        # An address space of a program is a process of the host: an open file keeps what that has used.
        with self.running() as program, open(f"/proc/{program.pid}/mem", "rb"):
            seconds = 0.0
            for sent in range(self.LOT, self.count + 1, self.LOT):
                times = [clock(self.cpus)]
                self.load.sender.send(self.LOT)
                times.append(clock(self.cpus))
                self.wait(program, sent == self.count)
                times.append(clock(self.cpus))
                seconds += (times[1] - times[0]) / self.cores + (times[2] - times[1]) / self.threads
            received = self.received(program)
        self.sent, self.lost = self.sent + self.count, self.lost + self.count - received
        return received / seconds

    def warm_up(self):
        if clock.line is None:
            raise Missing("this kernel does not say how much of the processor it has used")
        self.end()
        self.sent = self.lost = 0


class Flowd(Program):
    """The code of the block, in a program."""

    def __init__(self, flows, load=bursts, cores=1):
        super().__init__(flows, ["flowd", "-i", "{device}", "-j", "--threads", str(cores), f"flows={max(2 * flows, 65536)}"],
                         load, cores, threads=cores)
        self.command += ["--count", str(self.count)]

    def running(self):
        program = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        said = program.stderr.readline()
        if not said.startswith("ready"):
            raise Missing(said.strip() or "flowd said nothing")
        return program

    def wait(self, program, is_last):
        """It ends by itself, unless some were lost. Meanwhile nobody else has anything to do."""
        time.sleep(0.05)
        for _ in range(100 * is_last):
            if os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
                return
            time.sleep(0.02)
        if is_last:
            os.kill(program.pid, signal.SIGINT)

    def received(self, program):
        return json.loads(program.communicate()[0])["packets"]


class Softflowd(Program):
    """It says how many packets it had when it is asked. It has one thread."""

    def __init__(self, flows, load=bursts, cores=1):
        self.folder = tempfile.mkdtemp()
        super().__init__(flows, ["softflowd", "-i", "{device}", "-d", "-m", str(max(2 * flows, 65536)), "-t", "maxlife=1800",
                                 "-p", self.folder + "/pid", "-c", self.folder + "/ctl", "-n", "127.0.0.1:9"], load, cores)

    def running(self):
        program = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(100):
            if os.path.exists(self.folder + "/ctl"):
                return program
            time.sleep(0.02)
        program.kill()
        raise Missing("softflowd did not begin")

    def ask(self, what):
        return do("softflowctl", "-c", self.folder + "/ctl", what)

    def wait(self, program, is_last):
        time.sleep(0.3)

    def received(self, program):
        said = self.ask("statistics")
        self.ask("exit")
        program.wait()
        return int(re.search(r"Packets processed: (\d+)", said)[1])


def linux(flows, load=bursts):
    wire, device = place(BURST)
    return load(device, flows, stack(wire.near))


def counters(flows, text, sets="", load=bursts):
    """nftables counts, and Linux drops, as there is nobody who swallows."""
    wire, device = place(BURST)
    nft(device, text, sets)
    return load(device, flows, stack(wire.near))


def graph(device, commands):
    batch(*commands, f"bind f {device}")


def lana(flows, *commands, load=bursts):
    wire, device = place(BURST)
    hook(wire.near)
    graph(wire.near, commands)
    return load(device, flows, engine())


def lana_frames(flows, *commands):
    wire = place_frames()
    hook_frames(wire.near)
    graph(wire.near, commands)
    return frames(wire, flows, engine())


def run(section):
    for flows in FLOWS:
        dummy, block = ["add f dummy"], ["add f netflow", f"set f flows={max(2 * flows, 65536)}"]
        section.offer(BURSTS, LINUX, lambda: linux(flows), flows)
        section.offer(BURSTS, "nft, a counter", lambda: counters(flows, "counter"), flows)
        section.offer(BURSTS, "nft, a counter for each flow", lambda: counters(flows, f"add @f {{ {KEY} counter }}", TABLE), flows)
        for load_, make in (BURSTS, lana), (FRAMES, lana_frames):
            section.offer(load_, "LANA, dummy", lambda: make(flows, *dummy), flows)
            section.offer(load_, "LANA, netflow", lambda: make(flows, *block), flows)
        if flows <= 1000:  # each sample begins with none, and has to make them first
            for who, program in ("flowd", Flowd), ("softflowd", Softflowd):
                section.offer(BURSTS, who, lambda: program(flows), flows)
        section.take_turns()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""receive.py EXPERIMENT CORES [CONTENDER...]: in a booted kernel, sends numbered frames to each contender at rising
rates, and says what came. EXPERIMENT is `loss` (frames of 64 bytes at all rates), `sizes` (the highest rate without a
loss, for each size of RFC 2544) or `short` (a few frames, to see that all works). It prints a line of JSON for each
trial. See Documentation/lab-capture.md."""

import ctypes
import glob
import json
import os
import signal
import struct
import subprocess
import sys
import time

import load
from load import LIBC

# pylint: disable=wrong-import-position,wrong-import-order
from common import Missing, batch, do, engine, hook, links, read, write, RX_PACKETS  # noqa: E402

PROGRAM = load.TOP + "/target/release/capture-receive"
SIZES = (64, 128, 256, 512, 1024, 1280, 1518)
RATES = [int(10000 * 2 ** (step / 2)) for step in range(14)]
SECONDS = 0.08
# Where a card's interrupts would be served: shorter than a program's turn, so that packets do not wait for its end.
SLICE = 100_000
# Seconds between two times that frames come.
PAUSE = 500e-6
# When sending has ended, so small a part of the packets may still wait.
WAITING = 0.02
NEAR, FAR = "in0", "out0"


class Receiver:
    """A contender: who takes what a device receives."""

    counts = False  # does not know packets by their numbers

    def __init__(self, name, method=None, each=False):
        self.name, self.method, self.each = name, method, each

    def set_up(self, cores):
        """Once, before all trials."""

    def take_down(self):
        """Once, after all trials."""

    def connected(self):
        """The program is there."""

    def command(self, cores, buffer, slow):
        cpus = ",".join(map(str, cores))
        target = "tap" if self.method.startswith("lana") else NEAR
        return [PROGRAM, self.method, target, "--cpus", cpus, "--buffer", str(buffer),
                "--grace", str(2_000_000 * slow), *(["--each"] if self.each else [])]


class Socket(Receiver):
    """A socket of LANA, which is a block on the device."""

    def set_up(self, cores):
        hook(NEAR)

    def take_down(self):
        do("vlink", "ethernet", "unhook", NEAR, "--yes")

    def connected(self):
        taps = [f"tap{number}" for number in range(self.cores)] if self.each else ["tap"]
        if self.each:
            batch("add spread multipath", "set spread strategy=hash", f"bind {NEAR} spread",
                  *[f"bind spread {tap}" for tap in taps])
        else:
            do("fbctl", "bind", "tap", NEAR)


class Nobody(Receiver):
    """Nobody receives: what the load alone takes, until Linux drops it as it is for another host."""

    counts = True

    def count(self):
        return links(NEAR, RX_PACKETS)


class Block(Receiver):
    """A block takes the packets in the kernel."""

    counts = True

    def __init__(self, name, kind):
        super().__init__(name)
        self.kind = kind

    def set_up(self, cores):
        do("modprobe", f"fb_{self.kind}")
        hook(NEAR)
        batch(f"add block {self.kind}", f"bind block {NEAR}")
        self.count = engine()

    def take_down(self):
        batch(f"unbind block {NEAR}", "rm block")
        do("vlink", "ethernet", "unhook", NEAR, "--yes")


CONTENDERS = (
    Nobody("nobody"),
    Receiver("recvfrom", "recvfrom"),
    Receiver("recvmmsg", "recvmmsg"),
    Receiver("TPACKET_V2", "v2"),
    Receiver("TPACKET_V3", "v3"),
    Receiver("TPACKET_V3, FANOUT", "v3", each=True),
    Receiver("AF_XDP", "xdp", each=True),
    Socket("PF_LANA, recvfrom", "lana"),
    Socket("PF_LANA, recvmmsg", "lana-mmsg"),
    Socket("PF_LANA, ring", "lana-ring"),
    Block("block counter", "counter"),
    Block("block netflow", "netflow"),
)


def schedule(task, cpu):
    """A thread of the kernel that receives: on its CPU alone, in short turns."""
    os.sched_setaffinity(task, {cpu})
    # struct sched_attr: size, SCHED_OTHER, no flags, nice 0, and how long a turn is.
    attribute = ctypes.create_string_buffer(struct.pack("IIQiIQQQ", 48, 0, 0, 0, 0, SLICE, 0, 0))
    if LIBC.syscall(314, task, attribute, 0) < 0:
        raise OSError(ctypes.get_errno(), "sched_setattr")


def ran(tasks):
    """Nanoseconds of the processor that these had."""
    return sum(int(read(f"/proc/{task}/schedstat").split()[0]) for task in tasks)


class Bench:
    """The device, who sends, and who receives for the device."""

    def __init__(self, cores, shared):
        """`cores` are the CPUs that receive. `shared`: they share a number of instructions, half each."""
        self.cores, self.hogs = cores, None
        do("ip", "-batch", "-", text=f"""
            link add {NEAR} numrxqueues {len(cores)} type veth peer name {FAR}
            link set {NEAR} up promisc on
            link set {FAR} up
        """)
        # With that a veth hands packets over as a card does, by NAPI.
        do("ethtool", "-K", NEAR, "gro", "on")
        write(f"/sys/class/net/{NEAR}/threaded", "1")
        self.slow = len(cores) if shared else 1
        if self.slow > 1:
            self.hogs = load.Hogs(cores)
        self.load = load.Load(FAR, cores)

    def find_polls(self):
        found = sorted((int(read(path).rpartition("-")[2]), int(path.split("/")[2]))
                       for path in glob.glob("/proc/[0-9]*/comm") if read(path).startswith(f"napi/{NEAR}-"))
        if len(found) != len(self.cores):
            raise Missing("the device has no threads that poll it")
        polls = [task for _, task in found]
        for task, cpu in zip(polls, self.cores):
            schedule(task, cpu)
        return polls

    def trial(self, receiver, size, rate, seconds=SECONDS, buffer=1 << 20):
        """What came of frames of a size at a rate."""
        program, count = None, max(int(rate * seconds), 64 * len(self.cores))
        receiver.cores = len(self.cores)
        if not receiver.counts:
            program = subprocess.Popen(receiver.command(self.cores, buffer, self.slow), stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            said = program.stderr.readline().strip()
            if said != "ready":
                program.wait()
                raise Missing(said)
            receiver.connected()
        self.polls = self.find_polls()
        if self.hogs:
            self.hogs.let(True)
        before, polled = receiver.count() if receiver.counts else 0, ran(self.polls)
        sent, took, sending = self.load.send(size, count, rate / self.slow, PAUSE * self.slow)
        time.sleep(0.03 * self.slow)
        polled = ran(self.polls) - polled
        if self.hogs:
            self.hogs.let(False)
        if receiver.counts:
            found = {"received": receiver.count() - before, "late": 0}
        else:
            program.send_signal(signal.SIGINT)
            output, complaints = program.communicate()
            if program.returncode:
                raise Missing(complaints.strip())
            found = json.loads(output)
        return {"contender": receiver.name, "cores": len(self.cores), "size": size, "rate": rate, "sent": sent,
                "seconds": took / self.slow, "lost": sent - found["received"], "slow": self.slow,
                "poll": polled, "send": sending, **found}


def good(trial):
    """It kept up: nothing is lost, and hardly anything still waits. And the load was there."""
    return trial["lost"] == 0 and trial["late"] <= WAITING * trial["sent"] and not slow(trial)


def slow(trial):
    """The sender did not reach the rate."""
    return trial["sent"] / trial["seconds"] < 0.95 * trial["rate"]


def loss(bench, receiver):
    """Frames of 64 bytes at rising rates, until most is lost or the sender can do no more."""
    for rate in RATES:
        trial = bench.trial(receiver, SIZES[0], rate)
        yield trial
        if slow(trial) or trial["lost"] + trial["late"] > 0.6 * trial["sent"]:
            return


def sizes(bench, receiver):
    """For each size, the highest rate without a loss: by steps of a quarter, then of a sixteenth."""
    rate = 40000
    for size in SIZES:
        best, step, worst = None, 1.25, None
        while step > 1.06:
            trial = bench.trial(receiver, size, rate)
            if good(trial):
                best = trial
                if worst and rate * step >= worst:
                    step **= 0.5
            else:
                worst = rate
                if best:
                    step **= 0.5
            yield trial | {"good": good(trial)}
            if slow(trial) and trial["lost"] == 0:
                break
            rate = int((best["rate"] if best else rate / step / step) * step)
        if best:
            rate = best["rate"]


def short(bench, receiver):
    for size in SIZES[0], SIZES[-1]:
        yield bench.trial(receiver, size, 2000, seconds=0.1)


def main(experiment, cores, *wanted):
    for place in "all", "default":
        write(f"/proc/sys/net/ipv6/conf/{place}/disable_ipv6", "1")
    do("modprobe", "-a", "lana", "fb_eth", "fb_pflana")
    cores = list(range(int(cores)))
    # In QEMU the clock counts instructions (scripts/lana-vm --icount).
    bench = Bench(cores, os.environ["LANA_LANE"].startswith("x86_64"))
    run = {"loss": loss, "sizes": sizes, "short": short}[experiment]
    for receiver in CONTENDERS:
        if wanted and receiver.name not in wanted:
            continue
        try:
            receiver.set_up(cores)
            for trial in run(bench, receiver):
                print(json.dumps({"experiment": experiment, **trial}), flush=True)
            receiver.take_down()
        except Missing as why:
            print(json.dumps({"experiment": experiment, "contender": receiver.name, "cores": len(cores),
                              "missing": str(why)}), flush=True)
    if bench.hogs:
        bench.hogs.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

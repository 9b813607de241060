#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""receive.py EXPERIMENT CORES [CONTENDER...]: in a booted kernel, sends numbered frames to each contender at rising
rates, and says what came. EXPERIMENT is `loss` (frames of 64 bytes at all rates) or `sizes` (the highest rate without
a loss, for each size of RFC 2544). It prints a line of JSON for each trial. See Documentation/lab-capture.md."""

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
RATES = [int(10000 * 2 ** (step / 2)) for step in range(15)]
# How long a trial sends, and where there are many trials.
SECONDS, SHORT = 0.08, 0.04
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

    def set_up(self):
        """Once, before all trials."""

    def take_down(self):
        """Once, after all trials."""

    def connected(self):
        """The program is there."""

    def gone(self):
        """It is not there any more."""

    def command(self, cores, buffer, slow):
        cpus = ",".join(map(str, cores))
        target = "tap" if self.method.startswith("lana") else NEAR
        return [PROGRAM, self.method, target, "--cpus", cpus, "--buffer", str(buffer),
                "--grace", str(2_000_000 * slow), *(["--each"] if self.each else [])]


class Socket(Receiver):
    """A socket of LANA, which is a block on the device; or one for each core, to which `classify` spreads the flows."""

    def set_up(self):
        hook(NEAR)

    def take_down(self):
        do("vlink", "ethernet", "unhook", NEAR, "--yes")

    def connected(self):
        if self.each:
            # Blocks are ports in the order in which they are bound. A socket that is closed leaves none.
            flows = load.FLOWS // self.cores
            ports = [load.PORT + flows * number for number in range(self.cores)]
            batch("add spread classify", f"bind spread {NEAR}", *[f"bind tap{number} spread" for number in range(self.cores)],
                  *[f"set spread 'rule.{number}=proto=udp sport={port}-{port + flows - 1} -> {number}'"
                    for number, port in enumerate(ports)])
        else:
            batch(f"bind tap {NEAR}")

    def gone(self):
        if self.each:
            batch(f"unbind spread {NEAR}", "rm spread")


class Nobody(Receiver):
    """Nobody receives: what the load alone takes, until Linux drops it as it is for another host."""

    counts = True

    def count(self):
        return links(NEAR, RX_PACKETS)


class Block(Receiver):
    """A block takes the packets in the kernel; with `--xdp` as frames."""

    counts = True

    def __init__(self, name, kind, *how):
        super().__init__(name)
        self.kind, self.how = kind, how

    def set_up(self):
        do("modprobe", f"fb_{self.kind}")
        do("vlink", "ethernet", "hook", NEAR, "--yes", *self.how)
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
    Receiver("V3 FANOUT", "v3", each=True),
    Receiver("AF_XDP", "xdp", each=True),
    Socket("LANA recvfrom", "lana"),
    Socket("LANA recvmmsg", "lana-mmsg"),
    Socket("LANA ring", "lana-ring"),
    Socket("LANA ring classify", "lana-ring", each=True),
    Block("counter", "counter"),
    Block("counter --xdp", "counter", "--xdp"),
    Block("netflow", "netflow"),
)


def schedule(task, cpu):
    """A thread of the kernel that receives: on its CPU alone, in short turns."""
    os.sched_setaffinity(task, {cpu})
    # struct sched_attr: size, SCHED_OTHER, no flags, nice 0, and how long a turn is.
    attribute = ctypes.create_string_buffer(struct.pack("IIQiIQQQ", 48, 0, 0, 0, 0, SLICE, 0, 0))
    if LIBC.syscall(314, task, attribute, 0) < 0:
        raise OSError(ctypes.get_errno(), "sched_setattr")


def ran(tasks):
    """Nanoseconds of the processor that these have had: what clock_getcpuclockid(3) would name."""
    return sum(time.clock_gettime_ns(~task << 3 | 2) for task in tasks)


def polls(device, count):
    """The threads of the kernel that receive for a device, in the order of its queues."""
    found = sorted((int(read(path).rpartition("-")[2]), int(path.split("/")[2]))
                   for path in glob.glob("/proc/[0-9]*/comm") if read(path).startswith(f"napi/{device}-"))
    if len(found) != count:
        raise Missing("the device has no threads that poll it")
    return [task for _, task in found]


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
            load.short_turns()
        self.load = load.Load(FAR, cores)

    def find_polls(self):
        found = polls(NEAR, len(self.cores))
        for task, cpu in zip(found, self.cores):
            schedule(task, cpu)
        return found

    def close(self):
        if self.hogs:
            self.hogs.close()
        self.load.close()
        do("ip", "link", "del", NEAR)

    def trial(self, receiver, size, rate, seconds=SECONDS, buffer=1 << 20):
        """What came of frames of a size at a rate."""
        receiver.cores = len(self.cores)
        if receiver.counts:
            before = receiver.count()
            trial = self.send(receiver, size, rate, seconds)
            return {**trial, "received": receiver.count() - before, "lost": trial["sent"] - receiver.count() + before,
                    "late": 0}
        command = receiver.command(self.cores, buffer, self.slow)
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as program:
            try:
                said = program.stderr.readline().strip()
                if said != "ready":
                    raise Missing(said)
                receiver.connected()
                trial = self.send(receiver, size, rate, seconds)
            finally:
                program.send_signal(signal.SIGINT)
                output, complaints = program.communicate()
            receiver.gone()
        if program.returncode:
            raise Missing(complaints.strip())
        found = json.loads(output)
        return {**trial, **found, "lost": trial["sent"] - found["received"]}

    def send(self, receiver, size, rate, seconds):
        """What the load and the device took."""
        # Where a program has come to the device its threads may be others.
        self.polls, count = self.find_polls(), max(int(rate * seconds), 64 * len(self.cores))
        if self.hogs:
            self.hogs.let(True)
        polled = ran(self.polls)
        sent, took, sending = self.load.send(size, count, rate / self.slow, PAUSE * self.slow)
        time.sleep(0.03 * self.slow)
        polled = ran(self.polls) - polled
        if self.hogs:
            self.hogs.let(False)
        return {"contender": receiver.name, "cores": len(self.cores), "size": size, "rate": rate, "sent": sent,
                "seconds": took / self.slow, "slow": self.slow, "poll": polled, "send": sending}


def good(trial):
    """It kept up: nothing is lost, and hardly anything still waits. And the load was there."""
    return trial["lost"] == 0 and trial["late"] <= WAITING * trial["sent"] and reached(trial) > 0.95


def reached(trial):
    """The part of the rate that the load has reached."""
    return trial["sent"] / trial["seconds"] / trial["rate"]


def loss(bench, receiver):
    """Frames of 64 bytes at rising rates, until most is lost or the load can do no more."""
    for rate in RATES:
        trial = bench.trial(receiver, SIZES[0], rate)
        yield trial
        if reached(trial) < 0.8 or trial["lost"] + trial["late"] > 0.6 * trial["sent"]:
            return


def sizes(bench, receiver):
    """For each size, the highest rate without a loss: by steps of a quarter, then of a ninth. Two cores take turns, so a
    loss may be one of chance: a rate has two tries."""
    rate = 100000
    for size in SIZES:
        best, step, worst = None, 1.25, None
        while step > 1.1 and rate > 1000:
            for _ in bench.cores:
                trial = bench.trial(receiver, size, rate, seconds=SHORT)
                yield trial | {"good": good(trial)}
                if good(trial):
                    break
            if good(trial):
                best = trial
            else:
                worst = rate
            if best and worst:
                step **= 0.5
            rate = int(best["rate"] * step if best else rate / step)
        rate = best["rate"] if best else 100000


def prepare():
    """Nothing but the load is to come to the device."""
    for place in "all", "default":
        write(f"/proc/sys/net/ipv6/conf/{place}/disable_ipv6", "1")
    do("modprobe", "-a", "lana", "fb_eth", "fb_pflana")


def main(experiment, cores, *wanted):
    unknown = set(wanted) - {receiver.name for receiver in CONTENDERS}
    if unknown:
        sys.exit(f"lab: no contender {unknown.pop()}; there are: {', '.join(one.name for one in CONTENDERS)}")
    prepare()
    cores = list(range(int(cores)))
    # In QEMU the clock counts instructions (scripts/lana-vm --icount).
    bench = Bench(cores, os.environ["LANA_LANE"].startswith("x86_64"))
    run = {"loss": loss, "sizes": sizes}[experiment]
    for receiver in CONTENDERS:
        if wanted and receiver.name not in wanted:
            continue
        try:
            receiver.set_up()
            try:
                for trial in run(bench, receiver):
                    print(json.dumps({"experiment": experiment, **trial}), flush=True)
            finally:
                receiver.take_down()
        except Missing as why:
            print(json.dumps({"experiment": experiment, "contender": receiver.name, "cores": len(cores),
                              "missing": str(why)}), flush=True)
    bench.close()


if __name__ == "__main__":
    main(*sys.argv[1:])

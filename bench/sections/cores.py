# SPDX-License-Identifier: GPL-2.0
"""Flows on one core and on two: the packets of the section netflow, received by one CPU, or by two at the same time, each with its
part of the flows, as a device with two queues gives it. The time is that of the processor by the number of cores."""

import os
import threading
import time

import burst
import ebpf
from bpfload import XDP, answer, load
from sections.drop import LINUX
from sections.netflow import FIRST, FRAME, KEY, TABLE, Flowd, Load, Softflowd, counters, lana, linux, sources

FLOWS = [1000, 100_000]
CORES = {1: "one core", 2: "two cores"}


class Together:
    """Sends on several CPUs at the same time, by a thread that stays on each."""

    def __init__(self, senders):
        self.senders, self.count, self.error = senders, 0, None
        self.begin, self.end = (threading.Barrier(len(senders) + 1) for _ in range(2))
        for cpu, sender in enumerate(senders):
            # In the namespace that this thread is in.
            threading.Thread(target=self.run, args=(cpu, sender), daemon=True).start()

    def run(self, cpu, sender):
        os.sched_setaffinity(0, {cpu})
        while True:
            self.begin.wait()
            try:
                sender.send(self.count)
            except OSError as error:
                self.error = error
            self.end.wait()

    def send(self, count):
        self.count = max(count // len(self.senders), 1)
        self.begin.wait()
        self.end.wait()
        if self.error:
            raise self.error


class Cores(Load):
    """A sample is sent at once: at its end, one core may wait for the other. `busy` is the part of the time of all cores in which
    the kernel has had them."""

    def __init__(self, cores, *others):
        super().__init__(*others)
        self.cores, self.cpus, self.busy = cores, cores, []

    def turn(self):
        pass

    def end(self):
        self.room.enter()
        sent, before = self.count // self.cores * self.cores, time.monotonic()
        seconds = self.send(sent) / self.cores
        self.busy.append(seconds / (time.monotonic() - before))
        return self.rate(seconds, sent)


def on(cores):
    """The load of so many CPUs."""
    def bursts(device, flows, sink):
        each = flows // cores
        programs = [load(XDP, ebpf.assemble(*sources(each, FIRST + cpu * each), answer(2))) for cpu in range(cores)]
        senders = Together([burst.Burst(device, FRAME, program=program) for program in programs])
        return Cores(cores, flows, device, [], sink, senders)
    return bursts


def run(section):
    for flows in FLOWS:
        block = ["add f netflow", f"set f flows={max(2 * flows, 65536)}"]
        for cores, words in CORES.items():
            by = on(cores)
            section.offer(words, LINUX, lambda: linux(flows, by), flows)
            section.offer(words, "nft, a counter", lambda: counters(flows, "counter", load=by), flows)
            section.offer(words, "nft, a counter for each flow",
                          lambda: counters(flows, f"add @f {{ {KEY} counter }}", TABLE, by), flows)
            section.offer(words, "LANA, dummy", lambda: lana(flows, "add f dummy", load=by), flows)
            section.offer(words, "LANA, netflow", lambda: lana(flows, *block, load=by), flows)
            if flows == FLOWS[0]:  # each sample begins with none, and would have to make them first
                for who, program in ("flowd", Flowd), ("softflowd", Softflowd):
                    section.offer(words, who, lambda: program(flows, by, cores), flows)
        both = [contender for *_, contender in section.waiting if isinstance(contender, Cores) and contender.cores == 2]
        section.take_turns()
        section.values[f"both cores at work, part of the time, {flows:,} flows"] = [part for one in both for part in one.busy[2:]]
    one, two = ({(row["name"], row["x"]): row["samples"] for row in section.results if row["load"] == words}
                for words in CORES.values())
    for (name, flows), samples in two.items():
        if (name, flows) in one:
            ratios = [many / few for many, few in zip(samples, one[name, flows])]
            section.values[f"two cores / one, {name}, {flows:,} flows"] = ratios

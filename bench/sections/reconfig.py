# SPDX-License-Identifier: GPL-2.0
"""Change while packets pass at full speed: what is lost, how long a change takes; and how long a graph of
ten thousand blocks takes."""

import os
import statistics
import time

from common import FOREIGN, WIRE, Missing, Wire, batch, do, hook, stack
from rig import Lana, Load

CHANGES = 2000
BLOCKS = 10000


def path():
    """A way from one device to another, through one of two blocks, `a` and `b`."""
    source, target = Wire(), Wire()
    hook(source.near, target.near)
    batch("add a dummy", "add b dummy", f"bind a {source.near}", f"bind {target.near} a")
    return source, target


def changes(lana, source, target):
    """For each kind of change, requests that make it and take it back."""
    def rebind(old, new):
        ops = [("UNBIND", target, old), ("UNBIND", old, source), ("BIND", new, source), ("BIND", target, new)]
        return lana.bulk(("TRANSACT", lana.transaction(*ops)))
    def replace(old, new):
        return lana.bulk(("REPLACE", lana.op("REPLACE", old, new)))
    yield "rebind", (rebind("a", "b"), rebind("b", "a"))
    yield "replace", (replace("a", "b"), replace("b", "a"))


def latencies(lana, requests, count):
    """How long each change takes, from the request to the answer, in microseconds."""
    samples = []
    for number in range(count):
        begun = time.perf_counter()
        failure = lana.failure(requests[number % len(requests)])
        samples.append((time.perf_counter() - begun) * 1e6)
        if failure:
            raise Missing(str(failure))
    return samples


def under_load(section, lana, kind, requests, source, target):
    """Before anybody else's time: how long a change takes is asked, not how the scheduler shares the CPU."""
    load = Load().add(source.far, 0, "pkt_size 60", "flag !TXSIZE_RND", *WIRE, mac=FOREIGN)
    arrived = stack(target.far)
    before = arrived()
    load.start()
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        samples = latencies(lana, requests, CHANGES)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    sent = sum(load.stop().values())
    lost = sent - (arrived() - before)
    section.say(f"{kind}: {CHANGES} changes while {sent} packets passed: {lost} lost, "
                f"{statistics.median(samples):.0f} us each")
    section.values[f"{kind}, microseconds, under load"] = samples
    section.values[f"{kind}, packets lost"] = [lost]


def apply(section):
    """A graph that is made, and one that is taken apart, by `fbctl apply`."""
    whole, empty = "/tmp/whole.toml", "/tmp/empty.toml"
    with open(whole, "w") as file:
        pairs = "".join(f'["b{n}", "b{n - 1}"],\n' for n in range(1, BLOCKS))
        blocks = "".join(f'[blocks.b{n}]\ntype = "dummy"\n' for n in range(BLOCKS))
        file.write(f"bindings = [\n{pairs}]\n{blocks}")
    with open(empty, "w") as file:
        file.write("bindings = []\n")
    for _ in range(7):
        for name, path_ in (f"apply of {BLOCKS} blocks", whole), (f"removal of {BLOCKS} blocks", empty):
            begun = time.perf_counter()
            do("fbctl", "apply", path_)
            section.values.setdefault(name + ", seconds", []).append(time.perf_counter() - begun)
    section.say(f"apply of {BLOCKS} blocks done")


def run(section):
    apply(section)
    source, target = path()
    lana = Lana()
    for kind, requests in changes(lana, source.near, target.near):
        section.values[f"{kind}, microseconds, idle"] = latencies(lana, requests, CHANGES)
        under_load(section, lana, kind, requests, source, target)

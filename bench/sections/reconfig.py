# SPDX-License-Identifier: GPL-2.0
"""Change while packets pass at full speed: what is lost, how long a change takes; and how long a graph of
ten thousand blocks takes."""

import os
import statistics
import struct
import time

from common import FOREIGN, WIRE, Missing, Wire, batch, do, hook, stack
from lana import NLMSG_ERROR
from rig import Lana, Load

TURNS, CHANGES = 10, 200
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
    def nothing():
        """A message that netlink answers itself (NLMSG_NOOP)."""
        message, number = lana.bulk(("TRANSACT", b""))
        return message[:4] + struct.pack("H", 1) + message[6:], number
    yield "nothing", (nothing(), nothing())
    yield "rebind", (rebind("a", "b"), rebind("b", "a"))
    yield "replace", (replace("a", "b"), replace("b", "a"))


def latencies(lana, requests):
    """How long each change takes, from the request to the answer, in microseconds: two system calls, without a third
    one, that looks at the clock."""
    samples, answer = [], bytearray(4096)
    lana.sock.setblocking(True)  # else each call would be two
    for number in range(CHANGES):
        message, wanted = requests[number % len(requests)]
        begun = time.perf_counter()
        lana.sock.send(message)
        lana.sock.recv_into(answer)
        ended = time.perf_counter()
        samples.append((ended - begun - (time.perf_counter() - ended)) * 1e6)
        _, kind, _, number, _, error = struct.unpack_from("IHHIIi", answer)
        if (kind, number, error) != (NLMSG_ERROR, wanted, 0):
            raise Missing(f"a change failed: {os.strerror(-error)}")
    return samples


def under_load(lana, requests, source, target):
    """The same, and how many packets passed meanwhile, and how many were lost. Before anybody else's time: how long
    a change takes is asked, not how the scheduler shares the CPU."""
    load = Load().add(source.far, 0, "pkt_size 60", "flag !TXSIZE_RND", *WIRE, mac=FOREIGN)
    arrived = stack(target.far)
    before = arrived()
    load.start()
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    try:
        samples = latencies(lana, requests)
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    sent = sum(load.stop().values())
    return samples, sent, sent - (arrived() - before)


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
            do("fbctl", "apply", "--empty", path_)
            section.values.setdefault(name + ", seconds", []).append(time.perf_counter() - begun)
    section.say(f"apply of {BLOCKS} blocks done")


def run(section):
    apply(section)
    source, target = path()
    lana = Lana()
    found = {}
    for _ in range(TURNS):
        for kind, requests in changes(lana, source.near, target.near):
            idle, loaded, sent, lost = found.setdefault(kind, ([], [], [], []))
            idle += latencies(lana, requests)
            samples, *packets = under_load(lana, requests, source, target)
            loaded += samples
            for total, part in zip((sent, lost), packets):
                total.append(part)
    for kind, (idle, loaded, sent, lost) in found.items():
        section.say(f"{kind}: {len(loaded)} changes while {sum(sent)} packets passed: {sum(lost)} lost, "
                    f"{statistics.median(loaded):.0f} us each")
        section.values[f"{kind}, microseconds, idle"] = idle
        section.values[f"{kind}, microseconds, under load"] = loaded
        section.values[f"{kind}, packets lost"] = [sum(lost)]

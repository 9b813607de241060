# SPDX-License-Identifier: GPL-2.0
"""Cost against the number of instances: a packet passes ten blocks of a graph that has ten, or a million. Each
graph is in a network namespace of its own, so that they take turns, too."""

import random
import re
import time

from common import INGRESS, Room, Wire, batch, contender, engine, hook, read
from rig import Lana

NUMBERS = [10, 100, 1000, 10000, 100000, 1000000]
PATH = 10
BULK = 1000  # operations in a request


def used():
    """Bytes of memory in use."""
    fields = dict(re.findall(r"(\w+):\s+(\d+) kB", read("/proc/meminfo")))
    return (int(fields["MemTotal"]) - int(fields["MemFree"]) - int(fields["Cached"]) - int(fields["Buffers"])) * 1024


def populate(number):
    """Makes the blocks, and answers the names of those that a packet passes: from all over the graph."""
    lana = Lana()
    names = [f"b{n}" for n in range(number)]
    for first in range(0, number, BULK):
        failure = lana.failure(lana.bulk(*[("FB_NEW", lana.op("FB_NEW", name, "dummy"))
                                           for name in names[first:first + BULK]]))
        if failure:
            raise OSError(failure.error, str(failure))
    # Not one in so many: at even distances they would have the same few places in the processor's cache.
    return random.Random(number).sample(names, PATH)


def graph(section, number):
    """A room with a graph of as many blocks; answers the wire at which packets come in."""
    Room()
    wire = Wire()
    hook(wire.near)
    before, begun = used(), time.monotonic()
    names = populate(number)
    took, bytes_ = time.monotonic() - begun, (used() - before) / number
    section.say(f"{number} instances: {took:.1f} s, {bytes_:.0f} bytes each")
    section.values[f"{number} instances, bytes each"] = [bytes_]
    section.values[f"{number} instances, seconds to make"] = [took]
    batch(*[f"bind {up} {low}" for up, low in zip(names, [wire.near] + names)])
    return wire


def run(section):
    for number in NUMBERS:
        wire = graph(section, number)
        section.offer("ingress", "LANA", lambda: contender(wire.near, INGRESS, engine()), number)
    section.take_turns()

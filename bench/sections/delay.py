# SPDX-License-Identifier: GPL-2.0
"""Delay: what it costs that a packet waits, and how long it waits."""

from common import do
from sections import timing
from sections.shape import MANY, behind, bound, lana, path, plain, room, waiting

WAIT = "all wait 1 ms"
LATENCIES = {"100us": 100, "1ms": 1000, "20ms": 20000}


def netem(*words):
    return lambda device: do("tc", "qdisc", "add", "dev", device, "root", "netem", *words, "limit", str(MANY))


def run(section):
    with room():
        for name, setup in [("mirred, no delay", plain), ("tc netem", behind(netem("delay", "1ms"))),
                            ("LANA, dummy", bound), ("LANA, delay", lana("delay", f"limit={MANY}", "latency=1ms"))]:
            section.offer(WAIT, name, lambda: waiting(setup))
        section.take_turns()
    timing.delays(section, LATENCIES, [
        ("tc netem", lambda latency: path(behind(netem("delay", latency)))),
        ("LANA, delay", lambda latency: path(lana("delay", f"limit={MANY}", f"latency={latency}")))])

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The network and the strategies of the lab (see Documentation/lab-multipath.md) at work, in short and in
real time."""

import os
import sys

from lana import check

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lab"))
# pylint: disable=wrong-import-position
import network
import strategies
import transfer

SIZES = (8 << 10, 64 << 10)
LINKS = {"rates": (50, 50, 50), "weights": (1, 1, 1), "capacities": (50, 50, 50)}


def send(strategy, port):
    """Sends some files, and checks what became of them."""
    before = network.uplinks()
    files = transfer.transfer(lambda: SIZES, port)
    packets = [now - was for (_, now, _), (_, was, _) in zip(network.uplinks(), before)]
    check(f"{strategy}: every file arrives", len(files) == 8 * len(SIZES), files)
    # Those that go by what was measured have measured nothing in so short a time.
    if strategy not in ("bandwidth", "utilisation"):
        check(f"{strategy}: several uplinks have carried them", sum(map(bool, packets)) > 1, packets)
    if strategy == "packet":
        # Each CPU has its own turns.
        check("packet: each uplink as many packets", max(packets) - min(packets) <= os.cpu_count(), packets)


for name in strategies.KERNEL:
    strategies.start(name, **LINKS)
    send(name, 10000)
    network.remove()
# One network for all of LANA's: a strategy is changed while everything is in place.
strategies.start(strategies.LANA[0], **LINKS)
for number, name in enumerate(strategies.LANA):
    network.enter("balancer")
    network.run("fbctl", "set", "m", f"strategy={name}")
    send(name, 10000 + 1000 * number)
network.remove()
print("end")

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The lab's network with two providers (see Documentation/lab-multipath.md) at work, in short and in real time: what is
sent goes by both gateways, which translate the addresses."""

import os
import sys

from lana import check

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lab"))
# pylint: disable=wrong-import-position
import network
import providers
import transfer

RATES, WEIGHTS = (50, 50), (1, 1)
SIZES = (8 << 10, 64 << 10)


def send(strategy, port):
    """The sources send by both uplinks."""
    before = providers.uplinks()
    files = transfer.transfer(lambda: SIZES, port, providers.SINKS)
    packets = [now - was for (_, now, _), (_, was, _) in zip(providers.uplinks(), before)]
    check(f"{strategy}: every file arrives by NAT", len(files) == 8 * len(SIZES), files)
    if strategy in ("session", "hash"):
        check(f"{strategy}: both gateways have carried them", all(packets), packets)


providers.start("ecmp-l4", RATES, WEIGHTS)
send("ecmp-l4", 10000)
providers.remove()
providers.start("session", RATES, WEIGHTS)
for number, name in enumerate(("session", "bandwidth", "hash"), 1):
    network.enter("balancer")
    network.run("fbctl", "set", "m", f"strategy={name}")
    send(name, 10000 + 1000 * number)
providers.remove()
print("end")

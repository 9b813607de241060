#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""measure.py STRATEGY RATES WEIGHTS CAPACITIES [--hops=N] [--latency=A,B,C] [--mtu=BYTES] [SIZE...]: in a booted kernel, makes the lab's network with
uplinks of RATES, has STRATEGY balance them, and sends files: of each of the sizes in KiB, and of all these
mixed. Prints JSON. RATES, WEIGHTS and CAPACITIES are three numbers with commas between, the first and last
in Mbit/s; capacities are what LANA is told that the uplinks have."""

import json
import os
import random
import sys
import time

import network
import strategies
import transfer

SIZES = (8, 16, 64, 128, 512, 1024, 2048, 4096, 8192, 16384)
# As long as nobody sends: what strategies, TCP and queues remember is forgotten. In virtual time this
# costs nothing.
PAUSE = 600 if os.environ.get("LANA_LANE") == "uml-lab" else 0
NSTAT = ("TcpRetransSegs", "TcpExtTCPOFOQueue", "TcpExtTCPSACKReorder", "TcpExtTCPTSReorder", "TcpExtTCPTimeouts",
         "TcpExtTCPSpuriousRTOs", "TcpExtTCPFastRetrans", "TcpExtTCPLostRetransmit", "TcpExtTCPDSACKRecv")


def test(name, sizes, port):
    """One test of the experiment: what came of it."""
    hosts = (*network.SOURCES, *network.SINKS)
    time.sleep(PAUSE)
    links, tcp = network.uplinks(), network.tcp_counters(hosts)
    start = time.monotonic()
    files = transfer.transfer(sizes, port)
    seconds = time.monotonic() - start
    links = [[now - was for now, was in zip(*pair)] for pair in zip(network.uplinks(), links)]
    after = network.tcp_counters(hosts)
    return {
        "test": name, "seconds": seconds, "bytes": sum(file.size for file in files),
        "links": [dict(zip(("bytes", "packets", "drops"), link)) for link in links],
        "nstat": {key: after[key] - tcp[key] for key in NSTAT},
        "tcp": {key: sum(file.tcp[key] for file in files) for key in files[0].tcp if key != "reordering"},
        "reordering": max(file.tcp["reordering"] for file in files),
        "files": [[file.source, file.destination, file.size, round(file.start - start, 6), round(file.seconds, 6)]
                  for file in files],
    }


def main(strategy, rates, weights, capacities, *words):
    rates, weights, capacities = ([int(n) for n in each.split(",")] for each in (rates, weights, capacities))
    sizes = [int(word) for word in words if not word.startswith("--")] or SIZES
    variant = network.Variant(word for word in words if word.startswith("--"))
    strategies.start(strategy, rates, weights, capacities, variant)
    tests = []
    for number, size in enumerate(sizes):
        # 20 files each, from 1 MiB on 5.
        files = [size << 10] * (20 if size < 1024 else 5)
        name = f"{size} KiB" if size < 1024 else f"{size >> 10} MiB"
        tests.append(test(name, lambda: files, 10000 + 1000 * number))
    # Each stream has an order of its own, the same in each run.
    chance = random.Random(1)
    mixed = [size << 10 for size in sizes]
    tests.append(test("mixed", lambda: chance.sample(mixed, len(mixed)), 10000 + 1000 * len(sizes)))
    json.dump({"strategy": strategy, "rates": rates, "weights": weights, "capacities": capacities,
               "tests": tests}, sys.stdout)


main(*sys.argv[1:])

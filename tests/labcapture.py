#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The contenders of `make lab-capture` (see Documentation/lab-capture.md) at work, in short and at a low rate: each
frame that was sent is received once, and none is lost by anybody's count."""

import os
import sys

from lana import check

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lab"))
# pylint: disable=wrong-import-position
import receive
from common import Missing
from rig import in_time

RATE, SECONDS = 2000, 0.1
SIZES = receive.SIZES[0], receive.SIZES[-1]
# Those that share the work by cores.
SPREAD = "V3 FANOUT", "AF_XDP", "LANA ring classify"


def fair(bench, receiver, size, cores):
    """A trial, and what must be true of it. Where the machine is busy for too long some may be lost: then once more."""
    trial = {}

    def attempt():
        trial.update(bench.trial(receiver, size, RATE, seconds=SECONDS))
        return trial["lost"] == 0, trial

    name = f"{receiver.name}, {size} bytes, {cores} cores"
    check(f"{name}: each frame is received", *in_time(attempt))
    check(f"{name}: as many were sent as were to be", abs(trial["sent"] - RATE * SECONDS) <= cores, trial)
    if receiver.counts:
        return
    wrong = {key: trial[key] for key in ("missing", "foreign", "kernel lost") if trial[key]}
    check(f"{name}: none is missing, foreign or lost in the kernel", not wrong, trial)
    check(f"{name}: bytes", trial["bytes"] == trial["sent"] * (size - 4), trial)
    ages = [trial["latency"][part] for part in ("least", "p50", "p90", "p99", "most")]
    check(f"{name}: latencies are in order", 0 < ages[0] and ages == sorted(ages), trial)
    check(f"{name}: buffers and the program have memory",
          trial["memory"]["kernel"] >= 1 << 20 and trial["memory"]["process"] > 0, trial)


def overload(bench):
    """More than a small buffer has room for, while nobody reads: what is lost is counted, in both ways the same."""
    receiver = next(one for one in receive.CONTENDERS if one.name == "recvfrom")
    command = receiver.command

    def asleep(*arguments):
        # Until the load is over it does not have the processor.
        return ["sh", "-c", 'exec chrt -i 0 "$@"', "sh", *command(*arguments)]

    receiver.command = asleep
    trial = bench.trial(receiver, receive.SIZES[-1], 20000, seconds=0.02, buffer=1 << 16)
    receiver.command = command
    check("a small buffer: frames are lost", trial["lost"] > 0, trial)
    check("a small buffer: what came and what was lost are what was sent",
          trial["received"] + trial["lost"] == trial["sent"] and trial["missing"] <= trial["lost"], trial)


def main():
    receive.prepare()
    for cores in 1, 2:
        bench = receive.Bench(list(range(cores)), False)
        for receiver in receive.CONTENDERS:
            if cores > 1 and receiver.name not in SPREAD:
                continue
            try:
                receiver.set_up()
                try:
                    for size in SIZES:
                        fair(bench, receiver, size, cores)
                finally:
                    receiver.take_down()
            except Missing as why:
                check(f"{receiver.name}: is there", False, why)
        if cores == 1:
            overload(bench)
        bench.close()


main()
print("end")

# SPDX-License-Identifier: GPL-2.0
"""What it costs to look: packets through the same blocks, which nobody looks at, or somebody traces or captures. It is
what the packets pay; who reads what was seen does so in time of his own."""

import subprocess

from common import BURST, INGRESS, WIRE, Missing, Wire
from sections.drop import chain

BLOCKS = 5
NOBODY = f"LANA, {BLOCKS} blocks"
# What the load is not.
NONE = ["--filter", "tcp port 1"]
SOME = ["--sample", "1000"]
# Stands for the device by which packets come.
NEAR = "DEV"


def watched(load, *command, ends=False, batched=False):
    """The blocks, and somebody who looks at their packets; or has done so."""
    one = chain(load, BLOCKS, batched=batched)
    command = [f"n{Wire.made}" if word == NEAR else word for word in command]
    who = subprocess.Popen(["fbctl", *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    said = who.stderr.readline()
    if "ing" not in said:
        who.kill()
        raise Missing(said.strip())
    if ends:
        who.terminate()
        who.wait()
    return one


def run(section):
    for name, load in ("ingress", INGRESS), ("wire", WIRE):
        section.offer(name, NOBODY, lambda: chain(load, BLOCKS))
        section.offer(name, "after a trace", lambda: watched(load, "trace", ends=True))
        section.offer(name, "a trace of a filter's, which takes none", lambda: watched(load, "trace", *NONE))
        section.offer(name, "a trace of one in 1,000", lambda: watched(load, "trace", "-j", *SOME))
        section.offer(name, "a capture of a filter's, which takes none",
                      lambda: watched(load, "capture", NEAR, "-w", "/dev/null", *NONE))
        section.offer(name, "a trace of 10,000 a second, at most", lambda: watched(load, "trace", "-j"))
        section.take_turns()
    section.offer("bursts", f"{NOBODY}, batched", lambda: chain(BURST, BLOCKS, batched=True))
    section.offer("bursts", "a trace of one in 1,000, batched", lambda: watched(BURST, "trace", "-j", *SOME, batched=True))
    section.offer("bursts", "a trace of one in 10, batched",
                  lambda: watched(BURST, "trace", "-j", "--sample", "10", batched=True))
    section.take_turns()

# SPDX-License-Identifier: GPL-2.0
"""Receive and drop for the frame sizes of RFC 2544, by chains of several lengths: figures 6.2 and 6.3 of the
thesis."""

from common import WIRE, contender
from sections.drop import LINUX, chain, linux

SIZES = [64, 128, 256, 512, 1024, 1280, 1518]  # with the checksum of Ethernet, which pktgen does not count
LENGTHS = [1, 2, 5, 10, 20, 50]


def run(section):
    who = [(LINUX, lambda: linux(WIRE))]
    who += [(f"LANA, {blocks} block{'s' * (blocks > 1)}", lambda n=blocks: chain(WIRE, n)) for blocks in LENGTHS]
    for name, make in who:
        one = make()
        for size in SIZES:
            section.offer("wire", name, lambda: contender(one.device, one.load, one.sink, size - 4), size)
    section.take_turns()

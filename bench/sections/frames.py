# SPDX-License-Identifier: GPL-2.0
"""Frames: packets that go no further than the driver of a device, or from one driver to another, before an skb is
made for them. BPF's machine makes them, and redirects them into a veth, whose other end receives them."""

import burst
import ebpf
from common import SMALLEST, Called, Room, Wire, batch, do, engine, floor, received

DROP, CHAIN, FORWARD = "drop", "chain", "forward"


def frames(wire, sink, size=SMALLEST):
    program = burst.load(burst.XDP, ebpf.redirect(wire.far))
    frame = burst.FRAME[:size].ljust(size, b"\0")
    return Called(wire.far, [], sink, burst.Burst(0, frame, program=program), size)


def place():
    Room()
    return Wire()


def hook(*devices):
    for device in devices:
        do("vlink", "ethernet", "hook", device, "--xdp")


def native(code):
    """A BPF program at the driver."""
    wire = place()
    ebpf.on_xdp(wire.near, "xdpdrv", code)
    return frames(wire, received(wire.near))


def least():
    """The fastest possible receive handler. A veth receives frames without a program while it has GRO; an skb is made for
    each."""
    wire = place()
    do("ethtool", "-K", wire.near, "gro", "on")
    floor(wire.near)
    return frames(wire, received(wire.near))


def lana(blocks):
    """As many blocks, one on top of the other; the engine drops what comes out at the top."""
    wire = place()
    hook(wire.near)
    names = [f"{wire.near}b{number}" for number in range(blocks)]
    batch(*[f"add {name} dummy" for name in names],
          *[f"bind {up} {low}" for up, low in zip(names, [wire.near, *names])])
    return frames(wire, engine())


def forward(setup):
    """The far end wants a program, too: it drops, so that no skb is made there; the device counts."""
    Room()
    source, target = Wire(), Wire()
    ebpf.on_xdp(target.far, "xdpdrv", ebpf.XDP_DROP)
    setup(source.near, target.near)
    return frames(source, received(target.far))


def redirect(source, target):
    ebpf.on_xdp(target, "xdpdrv", ebpf.XDP_DROP)
    ebpf.on_xdp(source, "xdpdrv", ebpf.redirect(target))


def lana_forward(source, target):
    hook(source, target)
    batch(f"add {source}b dummy", f"bind {source}b {source}", f"bind {target} {source}b")


def run(section):
    section.offer(DROP, "receive handler, freed at once", least)
    section.offer(DROP, "XDP native drop", lambda: native(ebpf.XDP_DROP))
    section.offer(DROP, "LANA, 1 block", lambda: lana(1))
    section.take_turns()
    for blocks in 1, 10, 50:
        section.offer(CHAIN, "LANA", lambda number=blocks: lana(number), blocks)
    section.take_turns()
    section.offer(FORWARD, "XDP native redirect", lambda: forward(redirect))
    section.offer(FORWARD, "LANA, eth - dummy - eth", lambda: forward(lana_forward))
    section.take_turns()

# SPDX-License-Identifier: GPL-2.0
"""Receive and drop: what each peer, and LANA with one block, takes for a packet that goes no further."""

import ebpf
from common import (BURST, INGRESS, LOADS, SMALLEST, WIRE, Room, Swallowed, Wire, batch, contender, do, engine, floor,
                    hook, martians, prove, stack)

# Linux's own two ways: for another host, which ends at the head of ip_rcv(), and for this one, which
# ends where its route is looked up: the device has no address, so that the packet's source is 0.0.0.0.
LINUX, LINUX_OWN = "Linux, (a) foreign MAC", "Linux, (b) own MAC, no address"


def place(load):
    """A new wire, in a room of its own, and the device that the load is given to."""
    Room()
    wire = Wire()
    if load is BURST:
        # A veth has what these packets need while a program is on it. They are past that already.
        ebpf.on_xdp(wire.near, "xdpdrv", ebpf.XDP_PASS)
    return wire, wire.far if load is WIRE else wire.near


def linux(load):
    wire, device = place(load)
    return contender(device, load, stack(wire.near))


def linux_own(load):
    wire, device = place(load)
    return contender(device, load + [f"dst_mac {wire.mac}"], martians)


def swallow(load, setup):
    """Who drops without telling: Linux sees nothing any more."""
    wire, device = place(load)
    prove(contender(device, load, stack(wire.near)))
    setup(wire.near)
    return contender(device, load, Swallowed(wire.near))


def tc(device):
    do("tc", "qdisc", "add", "dev", device, "clsact")
    do("tc", "filter", "add", "dev", device, "ingress", "matchall", "action", "drop")


def nft(device, text="drop", sets=""):
    do("nft", "-f", "-", text=f"""
        table netdev {device} {{
            {sets}
            chain in {{ type filter hook ingress device {device} priority 0; {text}; }}
        }}
    """)


def counted(device):
    """The least with counters of the engine, the device and a block, each with a call."""
    floor(f"{device}*3")


def chain(load, blocks, size=SMALLEST, *, batched=False):
    """LANA: as many blocks, one on top of the other; the engine drops what comes out at the top."""
    wire, device = place(load)
    hook(wire.near)
    names = [f"{wire.near}b{number}" for number in range(blocks)]
    below = [wire.near] + names
    batch(*[f"add {name} dummy" for name in names], *[f"bind {up} {low}" for up, low in zip(names, below)],
          *[f"set {wire.near} batch=on"] * batched)
    return contender(device, load, engine(), size)


def run(section):
    for name, load in LOADS:
        section.offer(name, LINUX, lambda: linux(load))
        section.offer(name, LINUX_OWN, lambda: linux_own(load))
        section.offer(name, "tc drop", lambda: swallow(load, tc))
        section.offer(name, "tc-bpf drop", lambda: swallow(load, lambda dev: ebpf.on_tc(dev, ebpf.TC_DROP)))
        if load is INGRESS:
            section.miss(name, "XDP generic drop", "it makes room in the packet, which may not be shared then: "
                         "the kernel would stop (see the load of owned packets)")
        else:
            section.offer(name, "XDP generic drop",
                          lambda: swallow(load, lambda dev: ebpf.on_xdp(dev, "xdpgeneric", ebpf.XDP_DROP)))
        if load is WIRE:
            section.offer(name, "XDP native drop",
                          lambda: swallow(load, lambda dev: ebpf.on_xdp(dev, "xdpdrv", ebpf.XDP_DROP)))
        else:
            section.miss(name, "XDP native drop", "a driver's own XDP is in front of where this load enters")
        section.offer(name, "nft drop", lambda: swallow(load, nft))
        section.offer(name, "the least, freed at once", lambda: swallow(load, floor))
        section.offer(name, "the least, counted as by LANA, freed", lambda: swallow(load, counted))
        section.offer(name, "LANA, 1 block", lambda: chain(load, 1))
        section.take_turns()

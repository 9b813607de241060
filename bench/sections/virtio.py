# SPDX-License-Identifier: GPL-2.0
"""Frames by a driver of hardware: virtio-net, which QEMU emulates (make bench-x86 only). The packet generator sends by
the other network card of the machine, 64 packets at a time, which QEMU hands over before the sender goes on. What is
measured is all that the processor does meanwhile: the sender, the interrupts, the driver, the program. The load alone
is the sender. There is one such card, so they come one after the other."""

import os
import time

import ebpf
import xdp
from bpfload import XDP
from common import FOREIGN, RX_PACKETS, Missing, Wire, batch, do, engine, floor, links, prepare, received, result, start
from sections.frames import CHAIN, DROP, FORWARD, NATIVE, TAIL_CALLS, hook

COUNT = 200000
LOAD = ["xmit_mode start_xmit", "clone_skb 1000000", "burst 64", f"dst_mac {FOREIGN}"]


def card(driver):
    for device in sorted(os.listdir("/sys/class/net")):
        link = f"/sys/class/net/{device}/device/driver"
        if os.path.exists(link) and os.path.basename(os.path.realpath(link)) == driver:
            return device
    raise Missing(f"no device of driver {driver}")


class Card:
    def __init__(self, section):
        self.section, self.near, self.far = section, card("virtio_net"), card("e1000e")

    @staticmethod
    def up(*device):
        do("ip", "link", "set", "up", "dev", *device)
        time.sleep(1)  # until there is a link

    def measure(self, load, name, sink=None, x=None):
        """Twice: the first time is for what is done once. Without a sink what was sent has come."""
        for count in COUNT // 100, COUNT:
            before = sink() if sink else 0
            prepare(self.far, LOAD, count)
            start()
            seconds, sent = result(self.far)
        time.sleep(0.1)  # until all has come
        came = sink() - before if sink else sent
        self.section.record(load, name, [came / seconds], x, sent=sent, lost=sent - came)

    def received(self):
        return links(self.near, RX_PACKETS)

    def program(self, load, name, code, sink=None, x=None):
        path = ebpf.pin(f"{load}-{name}-{x}".replace(" ", ""), XDP, code)
        do("ip", "link", "set", "dev", self.near, NATIVE, "pinned", path)
        self.measure(load, name, sink or self.received, x)
        do("ip", "link", "set", "dev", self.near, NATIVE, "off")

    def lana(self, load, name, sink, blocks, x=None, out=()):
        """As many blocks, one on top of the other, and the device that they lead to."""
        hook(self.near, *out)
        names = [f"b{number}" for number in range(blocks)]
        batch(*[f"add {one} dummy" for one in names],
              *[f"bind {up} {low}" for up, low in zip([*names, *out], [self.near, *names])])
        self.measure(load, name, sink, x)
        do("fbctl", "apply", "--empty", "/dev/null")


def run(section):
    try:
        on = Card(section)
    except Missing as why:
        return section.miss(DROP, "all", why)
    on.up(on.far)
    on.measure(DROP, "the load alone")
    on.up(on.near, "promisc", "on")
    on.program(DROP, "XDP native drop", ebpf.XDP_DROP)
    on.program(DROP, "XDP native drop, as xdp-bench", xdp.bench_drop())
    on.lana(DROP, "LANA, 1 block", engine(), 1)
    for blocks in 1, 10, 50:
        on.lana(CHAIN, "LANA", engine(), blocks, blocks)
    for steps in 1, 10, TAIL_CALLS:
        on.program(CHAIN, "XDP native, tail calls", ebpf.chain(steps, ebpf.XDP_DROP, XDP), x=steps)
    # On to a veth, whose other end drops.
    wire = Wire()
    ebpf.on_xdp(wire.far, NATIVE, ebpf.XDP_DROP)
    ebpf.on_xdp(wire.near, NATIVE, ebpf.XDP_DROP)
    sink = received(wire.far)
    on.program(FORWARD, "XDP native redirect", ebpf.redirect(wire.near), sink)
    on.program(FORWARD, "XDP native redirect, as xdp-bench", xdp.bench_redirect(ebpf.redirect(wire.near)), sink)
    on.program(FORWARD, "XDP native redirect-map, as xdp-bench", xdp.bench_redirect_map(wire.near), sink)
    do("ip", "link", "set", "dev", wire.near, NATIVE, "off")
    on.lana(FORWARD, "LANA, eth - dummy - eth", sink, 1, out=[wire.near])
    # For good, so at the end.
    floor(f"{on.near}!0")
    on.measure(DROP, "the least, dropped at once", on.received)

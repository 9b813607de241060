# SPDX-License-Identifier: GPL-2.0
"""Frames: packets that go no further than the driver of a device, or from one driver to another, before an skb is
made for them. BPF's machine makes them, and redirects them into a veth, whose other end receives them."""

import burst
import ebpf
import xdp
from bpfload import XDP
from common import FOREIGN, SMALLEST, Called, Missing, Room, Wire, batch, do, engine, floor, received, stack, write
from sections.echo import HERE, THERE, frame as echo_frame

DROP, CHAIN, FORWARD, ECHO = "drop", "chain", "forward", "echo"
NATIVE = "xdpdrv"
FRAME = burst.FRAME[:SMALLEST].ljust(SMALLEST, b"\0")
TAIL_CALLS = 33  # the most that the kernel makes


class Sent:
    """For the load alone: all that was sent has come."""

    def __init__(self, sender):
        self.sender = sender

    def __call__(self):
        return self.sender.sent


class Sender(burst.Burst):
    def __init__(self, frame, device, changed, program=None):
        program = program or xdp.sender(frame, device, changed)
        super().__init__(0, frame if changed is None else frame + b"\0", program=program)
        self.sent = 0

    def send(self, count, at_once=burst.AT_ONCE):
        super().send(count, at_once)
        self.sent += count


def frames(wire, sink, frame=FRAME, changed=None):
    """What the other end of a wire gets."""
    return Called(wire.far, [], sink, Sender(frame, wire.far, changed))


def alone(frame=FRAME, changed=None):
    """What the load itself takes: the frames are made, and dropped at once."""
    Room()
    sender = Sender(frame, None, changed)
    return Called("lo", [], Sent(sender), sender)


def place():
    Room()
    return Wire()


def hook(*devices):
    for device in devices:
        do("vlink", "ethernet", "hook", device, "--xdp", "--yes")


def without_program(wire):
    """A veth receives frames without a program while it has GRO; an skb is made for each."""
    do("ethtool", "-K", wire.near, "gro", "on")


# --- Drop, and a chain of blocks ---

def native(code):
    """A BPF program at the driver."""
    wire = place()
    ebpf.on_xdp(wire.near, NATIVE, code())
    return frames(wire, received(wire.near))


def least():
    """The fastest possible receive handler."""
    wire = place()
    without_program(wire)
    floor(wire.near)
    return frames(wire, received(wire.near))


def function(steps):
    """The least that can be done before there is an skb: a function of the kernel's drops the frame, after so many steps."""
    wire = place()
    floor(f"{wire.near}!{steps}")
    return frames(wire, received(wire.near))


def lana(blocks):
    """As many blocks, one on top of the other; the engine drops what comes out at the top."""
    wire = place()
    hook(wire.near)
    names = [f"{wire.near}b{number}" for number in range(blocks)]
    batch(*[f"add {name} dummy" for name in names],
          *[f"bind {up} {low}" for up, low in zip(names, [wire.near, *names])])
    return frames(wire, engine())


# --- Forwarding ---

def forward(setup):
    """The far end wants a program, too: it drops, so that no skb is made there; the device counts."""
    Room()
    source, target = Wire(), Wire()
    ebpf.on_xdp(target.far, NATIVE, ebpf.XDP_DROP)
    setup(source.near, target.near)
    return frames(source, received(target.far), changed=FRAME)


def redirect(make):
    """A veth takes frames while the other end has a program. This end has one, as LANA has."""
    def setup(source, target):
        ebpf.on_xdp(target, NATIVE, ebpf.XDP_DROP)
        ebpf.on_xdp(source, NATIVE, make(target))
    return setup


def function_forward(source, target):
    """The least that can be done: a function of the kernel's says by which device, after three steps."""
    ebpf.on_xdp(target, NATIVE, ebpf.XDP_DROP)
    floor(f"{source}={target}")


def lana_forward(source, target):
    hook(source, target)
    batch(f"add {source}b dummy", f"bind {source}b {source}", f"bind {target} {source}b")


# --- Echo ---

def messages(mac):
    """An echo request to a MAC address, and its answer."""
    return (bytes.fromhex(echo_frame(FOREIGN, mac, 8, (THERE, HERE))),
            bytes.fromhex(echo_frame(mac, FOREIGN, 0, (HERE, THERE))))


def requests(wire, sink):
    return frames(wire, sink, *messages(wire.mac))


def responders(setup):
    """Who sends frames back by the same device: the program at the far end drops them."""
    wire = place()
    ebpf.on_xdp(wire.far, NATIVE, ebpf.XDP_DROP)
    setup(wire)
    return requests(wire, received(wire.far))


def program(**options):
    def setup(wire):
        code = xdp.echo(wire.mac, b"\xc0\0\2\3", **options)
        request, answer = messages(wire.mac)
        if xdp.answered(code, request) != answer:
            raise RuntimeError("the XDP program gives a wrong answer")
        ebpf.on_xdp(wire.near, NATIVE, code)
    return lambda: responders(setup)


def mirror():
    """Sends each frame back as it is: the least that a program can do."""
    return responders(lambda wire: ebpf.on_xdp(wire.near, NATIVE, ebpf.XDP_TX))


def icmp_echo(wire):
    try:
        do("modprobe", "fb_icmp_echo")
    except Missing:
        raise Missing("there is no module fb_icmp_echo") from None
    hook(wire.near)
    batch("add echo icmp-echo", f"set echo addr+={HERE}", f"bind echo {wire.near}")


def kernel():
    """Its answers are skbs, and are dropped by the stack of the far end, at the head of ip_rcv()."""
    wire = place()
    without_program(wire)
    do("ip", "address", "add", HERE + "/24", "dev", wire.near)
    do("ip", "neighbour", "add", THERE, "lladdr", FOREIGN, "nud", "permanent", "dev", wire.near)
    for name, value in ("icmp_ratelimit", "0"), ("icmp_msgs_per_sec", "1000000000"):
        write("/proc/sys/net/ipv4/" + name, value)
    return requests(wire, stack(wire.far))


def run(section):
    section.offer(DROP, "the load alone", alone)
    section.offer(DROP, "receive handler, freed at once", least)
    section.offer(DROP, "the least, dropped at once", lambda: function(0))
    section.offer(DROP, "the least, counted three times", lambda: function(3))
    section.offer(DROP, "XDP native drop", lambda: native(lambda: ebpf.XDP_DROP))
    section.offer(DROP, "XDP native drop, as xdp-bench", lambda: native(xdp.bench_drop))
    section.offer(DROP, "LANA, 1 block", lambda: lana(1))
    section.take_turns()
    for blocks in 1, 2, 5, 10, 20, 50:
        section.offer(CHAIN, "LANA", lambda number=blocks: lana(number), blocks)
    for steps in 10, 50:
        section.offer(CHAIN, "the least", lambda number=steps: function(number), steps)
    for steps in 1, 2, 5, 10, 20, TAIL_CALLS:
        section.offer(CHAIN, "XDP native, tail calls",
                      lambda number=steps: native(lambda: ebpf.chain(number, ebpf.XDP_DROP, XDP)), steps)
    section.take_turns()
    section.offer(FORWARD, "the load alone", lambda: alone(changed=FRAME))
    section.offer(FORWARD, "the least, counted three times", lambda: forward(function_forward))
    section.offer(FORWARD, "XDP native redirect", lambda: forward(redirect(ebpf.redirect)))
    section.offer(FORWARD, "XDP native redirect, as xdp-bench",
                  lambda: forward(redirect(lambda to: xdp.bench_redirect(ebpf.redirect(to)))))
    section.offer(FORWARD, "XDP native redirect-map, as xdp-bench",
                  lambda: forward(redirect(xdp.bench_redirect_map)))
    section.offer(FORWARD, "LANA, eth - dummy - eth", lambda: forward(lana_forward))
    section.take_turns()
    section.offer(ECHO, "the load alone", lambda: alone(*messages("02:00:00:00:00:01")))
    section.offer(ECHO, "kernel ICMP", kernel)
    section.offer(ECHO, "XDP native, sent back as it is", mirror)
    section.offer(ECHO, "XDP program", program())
    section.offer(ECHO, "XDP program, checksums verified", program(checked=True))
    section.offer(ECHO, "LANA, icmp-echo", lambda: responders(icmp_echo))
    section.take_turns()

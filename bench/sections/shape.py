# SPDX-License-Identifier: GPL-2.0
"""Shape: what a limit costs that packets stay below, and one that makes them wait; and how well a rate is kept."""

import contextlib

import burst
import ebpf
from common import BURST, WIRE, Called, Missing, Room, Wire, batch, clock, contender, do, hook, stack
from sections import timing
from sections.forward import lana as dummy, mirred

BELOW, WAIT = "below the rate", "all wait"
# Waiting packets: 60 bytes each, so that a million and more go in a second.
FAST = "1gbit"
RATES = {"1mbit": 10 ** 6, "10mbit": 10 ** 7, "100mbit": 10 ** 8, "1gbit": 10 ** 9}
MANY = 100000


def tbf(rate, limit="100mb"):
    return lambda device: do("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", rate, "burst", "16kb", "limit", limit)


def htb(rate):
    def setup(device):
        do("tc", "qdisc", "add", "dev", device, "root", "handle", "1:", "htb", "default", "1")
        do("tc", "class", "add", "dev", device, "parent", "1:", "classid", "1:1", "htb", "rate", rate, "burst", "16kb",
           "cburst", "16kb")
        do("tc", "qdisc", "add", "dev", device, "parent", "1:1", "pfifo", "limit", str(MANY))
    return setup


def police(source, target):
    """At the ingress; what is below goes on."""
    do("tc", "qdisc", "add", "dev", source, "clsact")
    do("tc", "filter", "add", "dev", source, "ingress", "matchall", "action", "police", "rate", "90gbit", "burst", "16kb",
       "conform-exceed", "drop/pipe", "action", "mirred", "egress", "redirect", "dev", target)


def behind(qdisc):
    """A packet that is redirected to a device with a queueing discipline."""
    def setup(source, target):
        mirred(source, target, None)
        qdisc(target)
    return setup


def lana(block, *settings):
    def setup(source, target):
        hook(source, target)
        batch(f"add q {block}", *(f"set q {setting}" for setting in settings), f"bind q {source}", f"bind {target} q")
    return setup


def path(setup):
    Room()
    source, target = Wire(), Wire()
    setup(source.near, target.near)
    return source, target


def passed(setup):
    source, target = path(setup)
    return contender(source.far, WIRE, stack(target.far))


class Waiting(Called):
    """Bursts into a device; done once all of it has come out. While all wait the processor has nothing to do, and that is
    not counted."""

    def __init__(self, source, target):
        if clock.kind != "processor":
            raise Missing("the time that packets wait would count, too: this machine tells no time of its processor")
        # A veth has what these packets need while a program is on it. They are past that already.
        ebpf.on_xdp(source.near, "xdpdrv", ebpf.XDP_PASS)
        super().__init__(source.near, BURST, stack(target.far), burst.Burst(source.near, burst.FRAME[:60].ljust(60, b"\0")))

    def send(self, count):
        before, begun = self.sink(), clock()
        self.sender.send(count)
        timing.until(lambda: self.sink() >= before + count)
        return clock() - begun


def waiting(setup):
    return Waiting(*path(setup))


@contextlib.contextmanager
def room():
    """Has the receiver take as many packets at once as wait: else it drops what a queueing discipline sends in one go."""
    def backlog(packets):
        do("nsenter", "-t", "1", "-n", "sysctl", "-qw", f"net.core.netdev_max_backlog={packets}")
    backlog(MANY)
    yield
    backlog(1000)


def plain(source, target):
    mirred(source, target, None)


def bound(source, target):
    dummy(source, target, None)


def run(section):
    fast = "90gbit"
    for name, setup in [("mirred, no limit", plain), ("tc tbf", behind(tbf(fast))), ("tc htb", behind(htb(fast))),
                        ("tc police", police), ("LANA, dummy", bound), ("LANA, shape", lana("shape", f"rate={fast}")),
                        ("LANA, shape, police", lana("shape", f"rate={fast}", "mode=police"))]:
        section.offer(BELOW, name, lambda: passed(setup))
    section.take_turns()
    with room():
        for name, setup in [("mirred, no limit", plain), ("tc tbf", behind(tbf(FAST))), ("tc htb", behind(htb(FAST))),
                            ("LANA, dummy", bound), ("LANA, shape", lana("shape", f"limit={MANY}", f"rate={FAST}"))]:
            section.offer(WAIT, name, lambda: waiting(setup))
        section.take_turns()
    timing.rates(section, RATES, [
        ("tc tbf", lambda rate: path(behind(tbf(rate)))), ("tc htb", lambda rate: path(behind(htb(rate)))),
        ("LANA, shape", lambda rate: path(lana("shape", f"limit={MANY}", f"rate={rate}")))])

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The link and the stacks of the lab (see Documentation/lab-channel.md) at work, in short, in real time, and by a faster link:
the stack changes when the loss does, and a change loses no packet."""

import os
import socket
import sys
import time

from lana import check, end

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lab"))
# pylint: disable=wrong-import-position
import adaptive
import goodput
import link
import network
import weather

link.RATE, link.PACE, link.LATENCY, link.FAR = "50mbit", {True: "45mbit", False: "49mbit"}, "500us", "1ms"
link.QUEUE = "1mb"
# At this rate many packets are in the window, and the kernel's timers are late.
link.RELIABLE |= {"window": 512, "ack-delay": "2ms", "rto-min": "10ms"}
TICK, PORT = 0.01, 5002


def policy():
    """A loss that stays for a time changes the stack, and one between both bounds does not."""
    one, changes = adaptive.Policy(0.02, 0.005, 10), []
    losses = [0] * 30 + [0.5] * 9 + [0.01] + [0.02] * 20 + [0.01] * 40 + [0.004] * 20
    for second, loss in enumerate(losses):
        if one.measured(loss, second):
            changes.append((second, one.inside))
    check("the policy has two bounds, and waits", changes == [(50, True), (110, False)], changes)


class Datagrams:
    """What alice sends to bob: which datagrams have come, and how often."""

    def __init__(self):
        network.enter("bob")
        self.bob = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.bob.bind((link.HOSTS["bob"][0], PORT))
        self.bob.setblocking(False)
        network.enter("alice")
        self.alice = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.alice.connect((link.HOSTS["bob"][0], PORT))
        self.sent, self.came = 0, []

    def send(self, number):
        for _ in range(number):
            self.alice.send(self.sent.to_bytes(4, "big") + bytes(500))
            self.sent += 1

    def take(self):
        try:
            while True:
                self.came.append(int.from_bytes(self.bob.recv(2048)[:4], "big"))
        except BlockingIOError:
            pass

    def begin(self):
        """Answers from which one on."""
        self.take()
        return self.sent

    def missing(self, first):
        """Those from one on that have not come, and those that came twice. The last ones have some seconds."""
        until = time.monotonic() + 20
        while True:
            self.take()
            came = [number for number in self.came if number >= first]
            missing = self.sent - first - len(set(came))
            if not missing or time.monotonic() > until:
                return missing, len(came) - len(set(came))
            time.sleep(TICK)


def run(control, datagrams, until, seconds=20):
    """Ticks until something is so. Whether it came to be."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        control.tick(time.monotonic())
        datagrams.send(5)
        datagrams.take()
        if until():
            return True
        time.sleep(TICK)
    return False


def changes():
    wire = link.Link(True, 1)
    control = adaptive.Adaptive(adaptive.Policy(0.05, 0.005, 0.2))
    datagrams, stack = Datagrams(), control.stack
    first = datagrams.begin()
    measured = lambda: control.west.loss_out is not None and len(control.west.samples) == adaptive.SAMPLES
    check("keepalives pass, and tell of no loss", run(control, datagrams, measured) and not control.west.loss_out)
    check("without a loss the stack stays", not stack.inside and datagrams.missing(first) == (0, 0))
    # By hand first, and on a link without loss.
    hold, control.policy.hold, control.policy.inside = control.policy.hold, float("inf"), True
    stack.want(True)
    check("the stack changes", run(control, datagrams, lambda: stack.inside and not stack.steps))
    check("no datagram is lost by that, or comes twice", (found := datagrams.missing(first)) == (0, 0), found)
    wire.loss(10)
    first = datagrams.begin()
    run(control, datagrams, lambda: datagrams.sent - first >= 500)
    check("a tenth is lost, but no datagram", (found := datagrams.missing(first)) == (0, 0), found)
    check("keepalives are", control.west.loss_out > 0 and control.west.loss_in > 0, control.west.loss_out, control.west.loss_in)
    wire.loss(0)
    control.policy.hold, first = hold, datagrams.begin()
    check("on a clean link it changes back", run(control, datagrams, lambda: not stack.inside and not stack.steps))
    check("and no datagram is lost by that, or comes twice", (found := datagrams.missing(first)) == (0, 0), found)
    (west, east), = stack.counters
    check("some were sent again, and none given up",
          int(west["resent"]) > 0 and west["given-up"] == east["given-up"] == west["skipped"] == east["skipped"] == "0", west, east)
    wire.loss(20)
    check("it changes again, as the loss tells", run(control, datagrams, lambda: stack.inside and not stack.steps))


def transfer():
    """TCP, while nothing changes."""
    loop = goodput.Loop()
    goodput.Listener(loop)
    goodput.Flow(loop, 20000)
    until = time.monotonic() + 20
    while loop.bytes <= 50000 and time.monotonic() < until:
        loop.until(time.monotonic() + 0.1)
    check("TCP passes, too", loop.bytes > 50000, loop.bytes)


check("the course is the same each time", weather.course(1440, 5) == weather.course(1440, 5))
check("and another one by another seed", weather.course(1440, 5) != weather.course(1440, 6))
policy()
changes()
transfer()
end()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The link and the adaptive stack of the lab (see Documentation/lab-channel.md) at work, in short, in real time, and by a faster
link: the stack changes when the loss does, and packets come all the same."""

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


def run(datagrams, until, seconds=20):
    """Sends until something is so. Whether it came to be."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        datagrams.send(5)
        datagrams.take()
        if until():
            return True
        time.sleep(TICK)
    return False


def changes():
    wire = link.Link("adaptive", 1)
    channel = adaptive.Channel("--keepalive=20ms", "--adaptive-for=200ms")
    datagrams = Datagrams()
    settled = lambda inside: channel.look(0) == inside and channel.state == "up"
    first = datagrams.begin()
    check("messages pass, and tell of no loss", run(datagrams, lambda: settled(False) and channel.loss == (0, 0)), channel.loss)
    check("without a loss the stack stays", not channel.changes and (found := datagrams.missing(first)) == (0, 0), channel.changes, found)
    wire.loss(10)
    check("it changes, as the loss tells", run(datagrams, lambda: settled(True)), channel.blocks, channel.loss)
    first = datagrams.begin()
    run(datagrams, lambda: datagrams.sent - first >= 500)
    check("a tenth is lost, but no datagram", (found := datagrams.missing(first)) == (0, 0), found)
    check("the queue on top is slower, by a rule", slower(), link.counters("west", "pace"))
    wire.loss(0)
    first = datagrams.begin()
    check("on a clean link it changes back", run(datagrams, lambda: settled(False)), channel.blocks, channel.loss)
    check("and no datagram is lost by that, or comes twice", (found := datagrams.missing(first)) == (0, 0), found)
    check("the queue is as fast as before", run(datagrams, lambda: not slower()), link.counters("west", "pace"))
    counted = channel.end()
    check("some were sent again, and none given up", sum(int(block["resent"]) for block in counted) > 0 and
          all(block["given-up"] == block["skipped"] == "0" for block in counted), counted)


def slower():
    """Whether the queue sends as slowly as suits `reliable`."""
    return link.counters("west", "pace")["rate"] == link.PACE[True]


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
changes()
transfer()
end()

# SPDX-License-Identifier: GPL-2.0
"""The adaptive stack: `reliable` is in both ends while the link loses packets. Keepalives measure the loss; they pass beside
the stack, so they are lost as the link loses them."""

import collections
import ctypes
import socket
import struct

import link
import network

# Ethernet, an EtherType of channels, then: number, the highest that has come, how many have come.
ETHER_TYPE = 0xAD00
MESSAGE = struct.Struct("!6s6sHQQQ")
INTERVAL = 1.0
SAMPLES, LEAST = 64, 20


class Meter:
    """One end: sends keepalives, and measures the loss of both directions over the last ones."""

    def __init__(self, end):
        network.enter(end)
        # What blocks take does not reach other sockets than those for all packets. The filter lets only keepalives pass.
        code = ctypes.create_string_buffer(struct.pack("=" + "HBBI" * 4, 0x28, 0, 0, 12, 0x15, 0, 1, ETHER_TYPE,
                                                       6, 0, 0, 0xFFFF, 6, 0, 0, 0))
        self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.sock.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HP", 4, ctypes.addressof(code)))
        self.sock.bind(("out", 3))
        self.sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
        self.sock.setblocking(False)
        self.sent = self.highest = self.came = 0
        self.samples = collections.deque([((0, 0), (0, 0))], SAMPLES)
        self.loss_out = self.loss_in = None

    def leaves(self):
        self.sent += 1
        self.sock.send(MESSAGE.pack(b"\xff" * 6, b"\x02\0\0\0\0\x01", ETHER_TYPE, self.sent, self.highest, self.came))

    def comes(self):
        """Takes what has come. Answers the measured loss, if there is a new one: the higher one of both directions."""
        found = None
        while True:
            try:
                data = self.sock.recv(2048)
            except BlockingIOError:
                return found
            *_, self.highest, sent, arrived = MESSAGE.unpack_from(data)
            self.came += 1
            now = (sent, arrived), (self.highest, self.came)
            (self.loss_out, self.loss_in) = (
                1 - (came - came_then) / (left - left_then) if left - left_then >= LEAST else before
                for (left, came), (left_then, came_then), before in zip(now, self.samples[0], (self.loss_out, self.loss_in)))
            self.samples.append(now)
            if None not in (self.loss_out, self.loss_in):
                found = max(self.loss_out, self.loss_in)


class Policy:
    """In from a loss on, and out below a smaller one, if it stays so for a time."""

    def __init__(self, above=0.02, below=0.005, hold=10.0):
        self.above, self.below, self.hold = above, below, hold
        self.inside, self.since = False, None

    def measured(self, loss, now):
        """A new measurement. Whether the policy now says something else."""
        if not (loss < self.below if self.inside else loss >= self.above):
            self.since = None
            return False
        if self.since is None:
            self.since = now
        if now - self.since < self.hold:
            return False
        self.inside, self.since = not self.inside, None
        return True


class Stack:
    """The stack of both ends, and how it changes without a loss. A step takes a second, longer than a message to
    the other end and its answer."""

    def __init__(self):
        self.inside = self.wanted = False
        self.steps, self.counters = [], []

    def want(self, inside):
        """THE function that a channel daemon has, too: what the stack is to be. It changes in the next steps."""
        self.wanted = inside

    def step(self):
        """What comes next, if there is anything. Answers whether the stack is now another one."""
        if not self.steps and self.wanted != self.inside:
            self.steps = ([lambda: link.put_in("off"), lambda: link.send("on")] if self.wanted else
                          [lambda: link.send("off"), link.empty, self.out])
            self.inside = self.wanted
        if not self.steps:
            return False
        if self.steps[0]() is not False:
            self.steps.pop(0)
        return not self.steps

    def out(self):
        self.counters.append(link.take_out())


class Adaptive:
    """All of it. `tick` is called each INTERVAL."""

    def __init__(self, policy):
        self.west, self.east = (Meter(end) for end in link.ENDS)
        self.policy, self.stack, self.changes = policy, Stack(), []

    def tick(self, now):
        loss = self.west.comes()
        self.east.comes()
        if loss is not None and self.policy.measured(loss, now):
            self.stack.want(self.policy.inside)
        if self.stack.step():
            self.changes.append((round(now), self.stack.inside, round(self.west.loss_out, 3), round(self.west.loss_in, 3)))
        self.west.leaves()
        self.east.leaves()

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""goodput.py STACK MINUTES [SEED | LOSS%] [OPTION...]: in a booted kernel, makes the lab's link, and has alice send to bob by TCP
for so many minutes while the link loses packets as lab/weather.py says, or always the same share of them. STACK is plain, reliable or
adaptive; OPTIONs are more of those for `lanactl channel`. Prints JSON: among others, what bob has received in each minute."""

import json
import select
import socket
import sys
import time

import adaptive
import link
import network
import transfer
import weather

PORT = 5001
DATA = bytes(1 << 16)


class Flow:
    """Sends without end. If the connection ends all the same, there is another one."""

    def __init__(self, loop, port):
        self.loop, self.port = loop, port
        self.connect()

    def connect(self):
        network.enter("alice")
        self.sock = socket.socket()
        self.sock.setblocking(False)
        # No more waits here than the network can hold.
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 17)
        self.sock.bind((link.HOSTS["alice"][0], self.port))
        self.sock.connect_ex((link.HOSTS["bob"][0], PORT))
        self.loop.watch(self, select.EPOLLOUT)

    def ready(self):
        try:
            while True:
                self.sock.send(DATA)
        except BlockingIOError:
            pass
        except OSError:
            self.end()

    def end(self):
        self.loop.resent += transfer.tcp_info(self.sock, transfer.SENDER)["total_retrans"]
        self.loop.broken += 1
        self.loop.forget(self)
        self.port += 1
        self.connect()


class Listener:
    """Bob."""

    def __init__(self, loop):
        network.enter("bob")
        self.loop, self.sock = loop, socket.create_server((link.HOSTS["bob"][0], PORT))
        self.sock.setblocking(False)
        loop.watch(self, select.EPOLLIN)

    def ready(self):
        sock, _ = self.sock.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 8192)
        self.loop.watch(Receiver(self.loop, sock), select.EPOLLIN)


class Receiver:
    """Reads, and counts."""

    def __init__(self, loop, sock):
        self.loop, self.sock = loop, sock

    def ready(self):
        try:
            while size := self.sock.recv_into(transfer.IGNORED, 0, socket.MSG_TRUNC):
                self.loop.bytes += size
        except BlockingIOError:
            return
        except OSError:
            pass
        self.loop.forget(self)


class Loop(transfer.Loop):
    """Plays both hosts until a time."""

    def __init__(self):
        super().__init__()
        self.bytes = self.resent = self.broken = 0

    def until(self, then):
        while (left := then - time.monotonic()) > 0:
            for fd, _ in self.epoll.poll(left):
                if fd in self.watched:
                    self.watched[fd].ready()


def main(stack, minutes, loss=str(weather.SEED), *options):
    minutes = int(minutes)
    course = (weather.constant(minutes, float(loss[:-1])) if loss.endswith("%") else
              weather.course(minutes, int(loss)))
    wire = link.Link(stack, 1)
    channel = adaptive.Channel(*options) if stack == "adaptive" else None
    loop = Loop()
    Listener(loop)
    flow = Flow(loop, 20000)
    start, received, inside, percent = time.monotonic(), [], [], 0
    for minute, (_, wanted) in enumerate(course):
        if wanted != percent:
            wire.loss(wanted)
            percent = wanted
        before, seconds = loop.bytes, 0
        for second in range(60 if channel else 0):
            seconds += channel.look(60 * minute + second)
            loop.until(start + 60 * minute + second + 1)
        loop.until(start + 60 * minute + 60)
        received.append(loop.bytes - before)
        inside.append(seconds)
    resent = loop.resent + transfer.tcp_info(flow.sock, transfer.SENDER)["total_retrans"]
    result = {"stack": stack, "minutes": minutes, "bytes": received, "resent": resent, "broken": loop.broken,
              "course": course, "link": {name: link.counters("link", name) for name in ("there", "wire", "back")}}
    if channel:
        result |= {"changes": channel.changes, "inside": inside, "reliable": channel.end()}
    elif stack == "reliable":
        result["reliable"] = [link.counters(end, "stack") for end in link.ENDS]
    json.dump(result, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

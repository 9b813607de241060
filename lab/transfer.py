# SPDX-License-Identifier: GPL-2.0
"""Files sent by TCP, as many at once as there are streams. All hosts are played by this one process, which
does each of their sockets' work when there is some; a socket belongs to the namespace it was made in."""

import collections
import select
import socket
import struct
import time

import network

PORT = 22  # the one of scp
READ = select.EPOLLIN
WRITE = select.EPOLLOUT
DATA = memoryview(bytes(16 << 20))
IGNORED = bytearray(1 << 20)

# struct tcp_info of include/uapi/linux/tcp.h, to the last field that is wanted.
TCP_INFO = struct.Struct("=8B24I4Q6I4Q2I2Q3I")
# Where in it is what.
SENDER = {"reordering": 28, "total_retrans": 31, "data_segs_out": 41, "dsack_dups": 50, "reord_seen": 51}
RECEIVER = {"data_segs_in": 40, "rcv_ooopack": 52}

File = collections.namedtuple("File", "source destination size start seconds tcp")


def tcp_info(sock, wanted):
    fields = TCP_INFO.unpack(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO.size))
    return {name: fields[place] for name, place in wanted.items()}


class Sink:
    """Accepts at an address, and hands what it accepts to Receivers."""

    def __init__(self, loop, host, address):
        network.enter(host)
        self.loop, self.sock = loop, socket.create_server((address, PORT), backlog=64)
        self.sock.setblocking(False)
        loop.watch(self, READ)

    def ready(self):
        sock, (address, port) = self.sock.accept()
        sock.setblocking(False)
        # Woken for some data at once.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 32768)
        self.loop.watch(Receiver(self.loop, sock, (address, port)), READ)


class Receiver:
    """Reads one file, and forgets it."""

    def __init__(self, loop, sock, peer):
        self.loop, self.sock, self.peer = loop, sock, peer

    def ready(self):
        try:
            while self.sock.recv_into(IGNORED, 0, socket.MSG_TRUNC):
                pass
        except BlockingIOError:
            return
        # By the port: a gateway may have changed the address, and there are no two of one port.
        self.loop.received[self.peer[1]] = tcp_info(self.sock, RECEIVER)
        self.loop.forget(self)


class Stream:
    """Sends files from a source to an address, one after the other, each by a connection of its own. The
    ports are told, so that they are the same each time."""

    def __init__(self, loop, source, destination, port, sizes):
        self.loop, self.source, self.destination = loop, source, destination
        self.port, self.sizes = port, collections.deque(sizes)
        self.next()

    def next(self):
        if not self.sizes:
            self.loop.streams -= 1
            return
        network.enter(self.source)
        self.size = self.left = self.sizes.popleft()
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.peer = network.SOURCES[self.source][0], self.port
        self.port += 1
        self.sock.bind(self.peer)
        self.start = time.monotonic()
        self.sock.connect_ex((self.destination, PORT))
        self.loop.watch(self, WRITE)

    def ready(self):
        try:
            if self.left:
                self.left -= self.sock.send(DATA[:self.left])
                if not self.left:
                    self.sock.shutdown(socket.SHUT_WR)
                    self.loop.change(self, READ)
            elif not self.sock.recv(1):
                # The receiver has read all, and closed.
                self.done()
        except BlockingIOError:
            pass

    def done(self):
        seconds = time.monotonic() - self.start
        tcp = tcp_info(self.sock, SENDER) | self.loop.received.pop(self.peer[1])
        self.loop.files.append(File(self.source, self.destination, self.size, self.start, seconds, tcp))
        self.loop.forget(self)
        self.next()


class Loop:
    """Waits for what happens to sockets."""

    def __init__(self):
        self.epoll, self.watched = select.epoll(), {}
        self.files, self.received, self.streams = [], {}, 0

    def watch(self, one, events):
        self.watched[one.sock.fileno()] = one
        self.epoll.register(one.sock, events)

    def change(self, one, events):
        self.epoll.modify(one.sock, events)

    def forget(self, one):
        del self.watched[one.sock.fileno()]
        one.sock.close()

    def run(self):
        while self.streams:
            for fd, _ in self.epoll.poll():
                self.watched[fd].ready()


def transfer(sizes, port, hosts=None):
    """Each source sends files of these sizes to each of the four addresses, to all four at once. `sizes` is
    called for each stream. Answers the files, in the order in which they were done. `hosts` are others than the
    network's, with their addresses."""
    loop, hosts = Loop(), hosts or network.SINKS
    sinks = [Sink(loop, host, address) for host, addresses in hosts.items() for address in addresses]
    for source in network.SOURCES:
        for addresses in hosts.values():
            for address in addresses:
                loop.streams += 1
                Stream(loop, source, address, port, sizes())
                port += 100
    loop.run()
    for sink in sinks:
        loop.forget(sink)
    return loop.files

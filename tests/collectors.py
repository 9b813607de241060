# SPDX-License-Identifier: GPL-2.0
"""collectors.py tcp | sctp | icmp: the block `x`, a netflow between lan0 below and lan1 above, tells collectors of flows of alice:
by a connection, which these accept, end, refuse and do not read; or by datagrams, which routers do not pass on."""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

from flowrig import Block, Collector, Reader
from frames import alice, bob, ipv4
from lana import check, end
from rig import SLOW, Lana, Load, inside, tc

WAY = sys.argv[1]
PORT = 4739
SCTP = 132
# A kernel that looks for mistakes takes that much longer, and sends fewer packets meanwhile.
PATIENCE, MANY = (20, 1000) if SLOW < 50 else (180, 50)
lana = Lana()
block = Block(lana)
number = 0  # of the flow that comes next


class Connection(Reader):
    """What comes by a connection: messages, one behind the other. Each connection has its own templates and sequence numbers,
    which begin with 0."""

    def __init__(self, sock, may_read):
        super().__init__()
        self.sock, self.may_read, self.rest, self.over = sock, may_read, b"", None
        self.sequence = {10: 0}
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while self.over is None:
            self.may_read.wait()
            try:
                data = self.sock.recv(1 << 16)
            except OSError as error:
                self.over = error
                return
            if not data:
                self.over = "end"
            self.rest += data
            while len(self.rest) >= 4:
                version, size = struct.unpack_from("!HH", self.rest)
                if version != 10 or len(self.rest) < size:
                    break
                self.add(self.rest[:size])
                self.rest = self.rest[size:]

    @property
    def is_sound(self):
        """Whether templates came first, and nothing was wrong."""
        first = self.messages and struct.unpack_from("!H", self.messages[0], 16)[0]
        return first in (2, 3) and not self.faults and not self.rest


class Server:
    """A collector that is connected to."""

    def __init__(self, buffer=None):
        self.connections, self.may_read, self.buffer = [], threading.Event(), buffer
        self.may_read.set()
        self.listen()

    def listen(self):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM, SCTP if WAY == "sctp" else 0)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer)
        self.sock.bind(("127.0.0.1", PORT))
        self.sock.listen()
        self.thread = threading.Thread(target=self.run, args=(self.sock,), daemon=True)
        self.thread.start()

    def run(self, sock):
        while True:
            try:
                peer, _ = sock.accept()
            except OSError:
                return
            self.connections.append(Connection(peer, self.may_read))

    def deaf(self):
        """Nobody listens."""
        self.sock.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.sock.close()

    def hang_up(self):
        """Ends the connection."""
        self.connections[-1].sock.shutdown(socket.SHUT_RDWR)
        self.connections[-1].thread.join()
        self.connections[-1].sock.close()

    def close(self):
        self.deaf()
        for connection in self.connections:
            connection.may_read.set()
            connection.sock.close()

    def records(self):
        return [record for connection in self.connections for record in connection.records]

    def faults(self):
        return [(len(connection.messages), connection.faults[:2], connection.rest[:40].hex())
                for connection in self.connections if connection.messages and not connection.is_sound]

    def has(self, records):
        return until(lambda: len(self.records()) >= records)


def until(done, seconds=PATIENCE):
    """Waits until something is so."""
    end_of = time.monotonic() + seconds
    while not (so := done()) and time.monotonic() < end_of:
        time.sleep(0.02)
    return so


def send(count, size=20):
    """New flows, of a packet each, which pass: their ports."""
    global number  # pylint: disable=global-statement
    ports = [1000 + (number + at) % 60000 for at in range(count)]
    number += count
    for port in ports:
        alice.send(ipv4(17, struct.pack("!HHHH", port, 53, 8 + size, 0) + bytes(size)))
    for _ in ports:
        if bob.receive()[0] is None:
            raise OSError("nothing came")
    return ports


def told(records):
    """The ports of flows."""
    return sorted(record["sport"] for record in records)


def renew(**options):
    options = {"version": "ipfix", "collector_1": f"{WAY}:127.0.0.1:{PORT}"} | options
    block.renew(**options)


def connected():
    """Waits until the collector has had something: a flow that is told of."""
    ports = send(1)
    block.flush()
    return ports


def all_of_it():
    beside = Collector(2055)
    block.look = beside.take
    server = Server()
    renew(collector_2="127.0.0.1:2055", mtu=576, template_packets=3)
    ports = [port for _ in range(5) for port in [send(40), block.flush()][0]]
    now = block.counts()
    # The block before may have found the server, too.
    server.has(200)
    spoken = [connection for connection in server.connections if connection.messages]
    check("all flows come once, by messages that are sound", told(server.records()) == sorted(ports) and
          len(spoken) == 1 and not server.faults(), len(server.records()), len(spoken), server.faults(), now)
    connection = spoken[0]
    sums = connection.sums()
    check("packets and bytes are those that were sent", sums == (200, 200 * 48) == (now["packets"], now["bytes"]) and
          now["exported.packets"] == 200, sums, now)
    check("a collector by UDP gets the same", told(beside.records) == sorted(ports) and not beside.faults, len(beside.records),
          beside.faults)
    check("what is counted is what came", now["collector.1.messages"] == len(connection.messages) and
          now["collector.1.flows"] == 200 and now["collector.1.errors"] == 0 and
          now["collector.1.bytes"] == sum(map(len, connection.messages)), now, len(connection.messages))
    # A collector that says something is not listened to.
    connection.sock.send(bytes(5000))
    ports += send(30)
    renew(collector_2="127.0.0.1:2055")
    check("a block that goes sends what waits, and then ends the connection", until(lambda: connection.over) == "end" and
          told(connection.records) == sorted(ports) and connection.is_sound, connection.over, len(connection.records),
          server.faults())
    block.look = time.sleep
    beside.sock.close()
    server.close()


def comes_and_goes():
    server = Server()
    renew(template_packets=1000000)
    ports = []
    for _ in range(3):
        ports += connected()
        ports += send(20)
        block.flush()
        server.has(len(ports))
        server.hang_up()
    ports += send(20)
    now = block.flush()
    server.has(len(ports))
    sound = [connection.is_sound for connection in server.connections if connection.messages]
    check("a collector that ends the connection is connected to again, with templates first", told(server.records()) == sorted(ports)
          and sound == [True] * 4, sound, len(server.records()), len(ports), server.faults(), now)
    check("and each time this is an error", now["collector.1.errors"] == 3 and now["lost.unsent.flows"] == 0, now)
    server.deaf()
    server.hang_up()
    # The connection is found to be over, and nobody accepts another one. That is waited for for a second.
    send(1)
    block.flush()
    was = block.counts()
    send(50)
    now = block.flush()
    check("nobody listens: packets pass, and what is lost is counted", now["collector.1.error"] == 111 and
          now["collector.1.errors"] > was["collector.1.errors"] and
          now["lost.unsent.flows"] - was["lost.unsent.flows"] == now["lost.unsent.packets"] - was["lost.unsent.packets"] == 50 and
          now["collector.1.flows"] == was["collector.1.flows"] == len(ports), was, now)
    server.listen()
    until(lambda: len([connection for connection in server.connections if connection.over is None]), 60)
    ports += send(20)
    now = block.flush()
    check("when somebody listens again flows come again", server.has(len(ports)) and told(server.records()) == sorted(ports) and
          not server.faults(), len(server.records()), len(ports), server.faults(), now)
    block.set("collector.1", "")
    connection = server.connections[-1]
    check("who is no collector any more is told of the end", until(lambda: connection.over) == "end", connection.over)
    server.close()


def does_not_read():
    server = Server(buffer=32768)
    # Messages wait, and there are many: a flow that comes ends one that is there.
    renew(flows=1000, collector_1=f"{WAY}:127.0.0.1:{PORT}")
    connected()
    server.has(1)
    server.may_read.clear()
    before = tc("bob", "b0")[0]
    load = Load("alice").add("a0", 0, "udp_src_min 1", "udp_src_max 60000", "flag UDPSRC_RND", "min_pkt_size 60", "max_pkt_size 60",
                             "delay 50000")
    load.start()
    stuck = until(lambda: block.counts()["collector.1.error"] == 11 and block.counts()["lost.unsent.flows"] > MANY, 120)
    sent = sum(load.stop().values())
    passed = tc("bob", "b0")[0] - before
    now = block.counts()
    check("a collector that does not read holds no packet up", passed == sent == now["packets"] - 1, passed, sent, now)
    check("what it does not hear of is counted", stuck and now["collector.1.errors"] > 0 and
          now["exported.flows"] == now["collector.1.flows"] and now["lost.unsent.flows"] > 0, now)
    server.may_read.set()
    # All that there is room for again is told of. That a flow is lost before is likely.
    until(lambda: connected() and block.counts()["collector.1.flows"] > now["collector.1.flows"])
    now = block.flush()
    until(lambda: server.has(now["collector.1.flows"]), 60)
    # The messages between are missing, so their numbers do not follow.
    connection = server.connections[0]
    faults = [fault for fault in connection.faults if "sequence" not in fault]
    check("when it reads again, all messages that were sent are sound, each once", len(server.connections) == 1 and not faults and
          not connection.rest and now["collector.1.flows"] == len(connection.records) and
          now["collector.1.messages"] == len(connection.messages), faults, len(connection.records), len(connection.rest), now)
    check("and their numbers tell of what is missing", len(connection.faults) > 0, now)
    server.may_read.clear()
    load = Load("alice").add("a0", 0, "udp_src_min 1", "udp_src_max 60000", "flag UDPSRC_RND", "min_pkt_size 60", "max_pkt_size 60",
                             "delay 50000")
    load.start()
    was = now["lost.unsent.flows"]
    until(lambda: block.counts()["lost.unsent.flows"] > was, 120)
    load.stop()
    began = time.monotonic()
    renew()
    took = time.monotonic() - began
    # A connection that is stuck ends after a minute.
    check("a block goes without waiting for it", took < 30, took)
    server.may_read.set()
    check("what was sent before still comes, and then the end", until(lambda: connection.over) == "end" and not connection.rest or
          WAY == "sctp", connection.over, len(connection.rest))
    server.close()


def goes_with_much():
    """A block goes with more flows than its collector has room for, while others are added and removed."""
    server = Server(buffer=32768)
    renew(flows=65536, mtu=9000, key="addresses,ports,protocol,tos,interface,mac", inactive="1000s")
    connected()
    server.has(1)
    server.may_read.clear()
    load = Load("alice").add("a0", 0, "src_min 10.0.0.1", "src_max 10.0.3.232", "flag IPSRC_RND", "udp_src_min 1", "udp_src_max 1000",
                             "flag UDPSRC_RND", "min_pkt_size 60", "max_pkt_size 60")
    load.start()
    until(lambda: block.counts()["current"] > 16000, 60)
    load.stop()
    over, times = threading.Event(), []

    def changes():
        other = Lana()
        while not over.is_set():
            began = time.monotonic()
            block.do(other.add("e", "dummy"), other.remove("e"))
            times.append(time.monotonic() - began)

    thread = threading.Thread(target=changes)
    thread.start()
    began = time.monotonic()
    renew()
    took = time.monotonic() - began
    over.set()
    thread.join()
    check("a block that goes may wait for it, and nobody else does", took > 1.5 * max(times), took, max(times), len(times))
    server.may_read.set()
    server.close()


def icmp():
    """Datagrams to hosts behind a router, which sends errors of ICMP."""
    # That there is no way now is no error of a datagram: it may pass (RFC 1122, 4.1.3.3). That somebody forbids it is one.
    for kind, error, address in ("unreachable", 0, "203.0.113.9"), ("prohibit", 113, "203.0.113.10"):
        subprocess.run(["ip", "-n", "router", "route", "replace", kind, address], check=True)
        block.renew(version="ipfix", collector_1=f"{address}:2055")
        for _ in range(3):
            send(10)
            block.flush()
        now = block.counts()
        check(f"a router that says {kind}: error {error}, and messages are still sent", now["collector.1.error"] == error and
              (now["collector.1.errors"] > 0) == (error > 0) and now["collector.1.messages"] >= 3 and
              now["lost.unsent.flows"] == 0, now)
    out = inside("behind", Collector, 2055, "198.51.100.2")
    block.look = out.take
    block.renew(version="ipfix", mtu=1500, template_packets=1, collector_1="198.51.100.2:2055")
    want = []
    for turn in range(4):
        ports = send(200)
        want = want + ports if turn else []
        now = block.flush()
    got = set(told(out.records))
    check("a path that is narrower than mtu: that is told once, and messages come in pieces after that", set(want) <= got and
          now["collector.1.error"] == 90 and now["collector.1.errors"] in (1, 2) and now["lost.unsent.flows"] == 0, len(want),
          len(got), now)
    sizes = [len(message) for message in out.messages]
    check("though they are longer than the path is wide", max(sizes) > 600, sizes)
    out.forget()
    block.renew(version="ipfix", mtu=576, collector_1="198.51.100.2:2055")
    ports = send(200)
    now = block.flush()
    check("with mtu as wide as the path all come", told(out.records) == sorted(ports) and not out.faults and
          now["collector.1.errors"] == 0, len(out.records), out.faults, now)


if WAY == "icmp":
    icmp()
else:
    all_of_it()
    comes_and_goes()
    does_not_read()
    goes_with_much()
end()

# SPDX-License-Identifier: GPL-2.0
"""flowd.py: what alice and bob send each other, as the block `x` (a netflow between lan0 and lan1) tells of it, and as flowd
does: by AF_PACKET at lan0, with one thread and with two, and by a socket of LANA, `tap`, to which the block `t` (a tee) gives
what comes from alice. Each tells a collector of its own here."""

import json
import signal
import socket
import struct
import subprocess
import time

from flowrig import Block, Collector, Reader
from frames import ALICE, BOB, GSO_TCPV4, GSO_UDP_L4, alice, bob, vnet_hdr
from lana import check, end
from rig import Lana

UDP, TCP, ICMP, ICMPV6, GRE = 17, 6, 1, 58, 47
KEYS = ("src", "dst", "sport", "dport", "icmp", "protocol", "tos", "direction", "vlan", "postvlan", "inner")
PARTS = "addresses,ports,protocol,tos,interface,vlan"
SUPER = {8080, 8081}
LAN0 = socket.if_nametoindex("lan0")


def ip(protocol=UDP, src="192.0.2.1", dst="198.18.0.2", sport=1000, dport=53, size=20, tos=0, flags=0x10, place=0x4000):
    """A packet."""
    if protocol == TCP:
        data = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 1000, 0, 0)
    elif protocol == UDP:
        data = struct.pack("!HHHH", sport, dport, 8 + size, 0)
    elif protocol in (ICMP, ICMPV6):
        data = struct.pack("!HHI", 0x0800 if protocol == ICMP else 0x8000, 0, 7)
    else:
        data = bytes(8)
    data += bytes(size)
    if ":" in src:
        head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(data), protocol, 64)
        return head + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + data
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(data), 1, place, 64, protocol, 0)
    return head + socket.inet_aton(src) + socket.inet_aton(dst) + data


def frame(packet, tags=b"", macs=BOB + ALICE):
    kind = b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00"
    return (macs + tags + kind + packet).ljust(60, b"\0")


def tag(vid, tpid=0x8100):
    return struct.pack("!HH", tpid, vid)


def traffic():
    """Frames of alice, and of bob."""
    six = {"src": "2001:db8::1", "dst": "2001:db8::2"}
    there = [frame(ip(sport=1000 + number % 40, size=number * 3 % 1400)) for number in range(200)]
    there += [frame(ip(TCP, dport=80, flags=2)), frame(ip(TCP, dport=80, tos=0xB8)), frame(ip(ICMP)), frame(ip(GRE))]
    # The kernel spreads fragments without a look at ports.
    there += [frame(ip(sport=2000, place=place, size=800)) for place in (0x2000, 0x2064)]
    there += [frame(ip(**six, protocol=protocol, size=size)) for protocol in (UDP, TCP, ICMPV6) for size in (0, 500, 1400)]
    there += [frame(ip(), tag(100)), frame(ip(), tag(0xA065)), frame(ip(), tag(300, 0x88A8) + tag(200)), frame(ip(**six), tag(100))]
    # Not of IP, and malformed.
    there += [BOB + ALICE + b"\x08\x06" + bytes(46), frame(b"\x41" + ip()[1:])]
    back = [frame(ip(src="198.18.0.2", dst="192.0.2.1", sport=53, dport=1000 + number % 40, size=300), macs=ALICE + BOB)
            for number in range(100)]
    back += [frame(ip(src="198.18.0.2", dst="192.0.2.1"), tag(100), ALICE + BOB)]
    return there, back


def supers():
    """Super-packets, with what virtio says about them."""
    yield frame(ip(TCP, dport=8080, size=30000)), vnet_hdr(GSO_TCPV4, 54, 1448, 34, 16)
    yield frame(ip(TCP, dport=8080, size=2896)), vnet_hdr(GSO_TCPV4, 54, 1448, 34, 16)
    yield frame(ip(UDP, dport=8081, size=9001)), vnet_hdr(GSO_UDP_L4, 42, 1400, 34, 6)


def send():
    """Sends all: what virtio has for the frames of alice that are several."""
    there, back = traffic()
    for data in there:
        alice.send(data)
    for data in back:
        bob.send(data)
    for data, vnet in supers():
        alice.send(data, vnet)
    # Until the last one is there nobody is asked.
    last = frame(ip(dport=9))
    alice.send(last)
    while (came := bob.receive()[0]) != last:
        if came is None:
            raise OSError("the last frame did not come")


class Flowd:
    """The program, with a collector of its own."""

    port = 2060

    def __init__(self, *arguments):
        Flowd.port += 1
        self.collector = Collector(Flowd.port)
        command = ["flowd", "-j", "--collector", f"127.0.0.1:{Flowd.port}", *arguments]
        self.program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        ready = self.program.stderr.readline()
        if ready != "ready\n":
            raise OSError(ready)

    def ask(self):
        """Its counters now."""
        self.program.send_signal(signal.SIGUSR1)
        return json.loads(self.program.stdout.readline())

    def end(self, how=signal.SIGINT):
        """Ends it: its last counters, and all of its records."""
        if how:
            self.program.send_signal(how)
        output, self.errors = self.program.communicate(timeout=60)
        self.collector.take(0.02)
        return json.loads(output.splitlines()[-1])


def sums(records):
    """Packets and bytes by flow."""
    found = {}
    for record in records:
        key = tuple(record.get(name, 0) for name in KEYS)
        packets, octets = found.get(key, (0, 0))
        found[key] = packets + record["packets"], octets + record["bytes"]
    return found


def different(one, other):
    return [(key, one.get(key), other.get(key)) for key in sorted({*one, *other}) if one.get(key) != other.get(key)][:10]


def compare():
    """All see the same traffic."""
    told = Collector(2059)
    block.renew(collector_1="127.0.0.1:2059", version="ipfix", key=PARTS)
    settings = "version=ipfix", f"key={PARTS}"
    one, two = Flowd("-i", "lan0", *settings), Flowd("-i", "lan0", "--threads", "2", *settings)
    ring = Flowd("--lana", "tap", *settings)
    answer = lana.transact(("BIND", "tap", "t"))
    assert not answer.error, answer
    send()
    now = block.flush()
    told.take(0.05)
    for flowd, what in (one, "AF_PACKET, a thread"), (two, "AF_PACKET, two threads"), (ring, "a ring of LANA"):
        about = f"{what}: "
        said, records, want = flowd.end(), flowd.collector.records, told.records
        if flowd is ring:
            # It has what came from alice; and a super-packet is one packet.
            want = [record for record in want if record["direction"] == 0 and record["dport"] not in SUPER]
            records = [record for record in records if record["dport"] not in SUPER]
        want, have = sums(want), sums(records)
        check(about + "packets and bytes of each flow are those of the block", have == want and len(have) > 50 and
              not flowd.collector.faults, different(want, have), flowd.collector.faults[:3], said)
        check(about + "no flow is told of twice", len(records) == len(have), len(records), len(have),
              *[record for record in records if have[tuple(record.get(name, 0) for name in KEYS)][0] != record["packets"]])
        lost = said["lost-ring"], said["lost-packets"], said["unsent"]["flows"], said["unfit"]["flows"]
        check(about + "nothing is lost", lost == (0,) * 4 and flowd.program.returncode == 0 and not flowd.errors, said, flowd.errors)
        shares = [part["packets"] for part in said["rings"]]
        check(about + "each thread has its part", all(shares) and len(shares) == 1 + (flowd is two) and
              sum(shares) == said["packets"] + said["other"] + said["malformed"], said)
        sent, = said["collectors"]
        check(about + "what the collector was sent has come", (sent["messages"], sent["flows"], sent["bytes"], sent["errors"]) ==
              (len(flowd.collector.messages), len(flowd.collector.records), sum(map(len, flowd.collector.messages)), 0), sent)
        if flowd is not ring:
            keys = "packets", "bytes", "other", "malformed"
            check(about + "its counters are those of the block", [said[key] for key in keys] == [now[key] for key in keys] and
                  said["exported"]["packets"] == now["exported.packets"] and said["exported"]["bytes"] == now["exported.bytes"], said, now)
        devices = {(record["direction"], record["output" if record["direction"] else "input"]) for record in flowd.collector.records}
        check(about + "and the device", devices == {(0, LAN0), (1, LAN0)} - ({(1, LAN0)} if flowd is ring else set()), devices, LAN0)
    told.sock.close()


def some(count, size=20):
    """Frames of alice, and after them one of bob."""
    for number in range(count):
        alice.send(frame(ip(sport=3000 + number % 10, size=size)))
    bob.send(frame(ip(src="198.18.0.2", dst="192.0.2.1"), macs=ALICE + BOB))
    while alice.receive()[0] is None:
        pass


def life():
    """Flows end by their times; counters are there at any time; a number of packets can be the end."""
    flowd = Flowd("-i", "lan0", "version=ipfix", "inactive=200ms")
    began = time.time()
    some(100)
    until = time.monotonic() + 20
    while sum(record["packets"] for record in flowd.collector.records) < 101 and time.monotonic() < until:
        flowd.collector.take(0.05)
    records = flowd.collector.records
    check("flows end by time, without a further packet", sum(record["packets"] for record in records) == 101 and
          len(records) == 11 and {record["reason"] for record in records} == {1}, records)
    check("their times are right", all(began * 1000 - 5 <= record["start"] <= record["end"] <= time.time() * 1000
                                       for record in records), began, records)
    said = flowd.ask()
    check("SIGUSR1: the counters, of packets, flows and collectors", (said["packets"], said["flows"], said["exported"]["flows"],
          said["collectors"][0]["flows"], said["lost-ring"]) == (101, 11, 11, 11, 0), said)
    some(10)
    said = flowd.end(signal.SIGTERM)
    ended = flowd.collector.records[11:]
    check("SIGTERM: what is left is told of", (said["packets"], sum(record["packets"] for record in ended)) == (112, 11) and
          {record["reason"] for record in ended} <= {1, 4} and flowd.program.returncode == 0, said, ended)
    flowd = Flowd("-i", "lan0", "--threads", "2", "--count", "50", "direction=ingress")
    some(60)
    said = flowd.end(None)
    check("--count ends it", said["packets"] >= 50 and flowd.program.returncode == 0, said)
    flowd = Flowd("-i", "lan0", "--threads", "2", "direction=ingress")
    some(60)
    said = flowd.end()
    check("direction=ingress: nothing else is counted, with two threads, too", said["packets"] == 60, said)
    flowd = Flowd("-i", "lan0,lan1", "version=9")
    some(60)
    said = flowd.end()
    there = [(record["direction"], record["packets"]) for record in flowd.collector.records if record["sport"] == 3000]
    check("two devices: each tells of what passes by both", sorted(there) == [(0, 6), (1, 6)] and said["packets"] == 122, there, said)


def biflows():
    """Both directions of a connection come to the same thread."""
    flowd = Flowd("-i", "lan0", "--threads", "2", "version=ipfix", "biflow=on")
    for number in range(30):
        alice.send(frame(ip(sport=4000 + number)))
        bob.send(frame(ip(src="198.18.0.2", dst="192.0.2.1", sport=53, dport=4000 + number), macs=ALICE + BOB))
        while alice.receive()[0] is None or bob.receive()[0] is None:
            pass
    said = flowd.end()
    pairs = {(record["packets"], record["reverse.packets"]) for record in flowd.collector.records}
    check("two threads: both directions are in one record", pairs == {(1, 1)} and len(flowd.collector.records) == 30 and
          all(part["packets"] for part in said["rings"]), pairs, said)


def overload():
    """A ring that is too small, while the program stands still."""
    flowd = Flowd("-i", "lan0", "--buffer", "65536", "direction=ingress")
    flowd.program.send_signal(signal.SIGSTOP)
    some(1000, 400)
    flowd.program.send_signal(signal.SIGCONT)
    said = flowd.end()
    check("what the ring had no room for is counted", said["lost-ring"] > 0 and said["packets"] > 0 and
          said["packets"] + said["lost-ring"] == 1000 and said["rings"][0]["lost"] == said["lost-ring"], said)


def full():
    """More flows than there is room for, of which it may not tell as fast."""
    flowd = Flowd("-i", "lan0", "--threads", "2", "version=ipfix", "direction=ingress", "flows=256", "rate=50")
    for number in range(2000):
        alice.send(frame(ip(src=f"10.0.{number // 200}.{number % 200}")))
    some(0)
    check("it answers while it waits to tell of flows", flowd.ask()["packets"] > 0)
    said = flowd.end()
    told = sum(record["packets"] for record in flowd.collector.records)
    reasons = {record["reason"] for record in flowd.collector.records}
    check("flows end where there is no room", reasons == {4, 5} and said["flows"] >= 1200, reasons, said)
    check("and each packet is told of, or counted as lost", told + said["lost-packets"] + said["lost-ring"] == 2000 and
          said["exported"]["packets"] == told and said["lost-bytes"] == 48 * said["lost-packets"], told, said)


def connections():
    """A collector that is connected to, also after it has ended the connection."""
    with socket.create_server(("127.0.0.1", 4740)) as server:
        flowd = Flowd("-i", "lan0", "version=ipfix", "inactive=100ms", "--collector", "tcp:127.0.0.1:4740")
        readers = []
        for turn in range(2):
            some(20)
            peer, _ = server.accept()
            peer.settimeout(20)
            reader, data = Reader(), b""
            readers.append(reader)
            reader.sequence = {10: 0}
            # The first one is ended here, the second one there.
            if turn:
                flowd.program.send_signal(signal.SIGINT)
            while turn or sum(record["packets"] for record in reader.records) < 21:
                more = peer.recv(1 << 16)
                data += more
                while len(data) >= 4 and len(data) >= (size := struct.unpack_from("!H", data, 2)[0]):
                    reader.add(data[:size])
                    data = data[size:]
                if not more:
                    break
            peer.close()
        said = flowd.end(None)
        sums_ = [sum(record["packets"] for record in reader.records) for reader in readers]
        check("TCP: each connection has templates and sequence numbers of its own, and all flows", sums_ == [21, 21] and
              not any(reader.faults for reader in readers) and not data, sums_, [reader.faults for reader in readers], said)
        check("and a collector by UDP has the same", sum(record["packets"] for record in flowd.collector.records) == 42 and
              not flowd.collector.faults and said["unsent"]["flows"] == 0, flowd.collector.faults, said)


def loopback():
    flowd = Flowd("-i", "lo", "version=9")
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        for _ in range(10):
            sender.sendto(b"x", ("127.0.0.1", 2058))
    flowd.end()
    packets = [record["packets"] for record in flowd.collector.records if record["dport"] == 2058]
    check("a packet that passes the loopback counts once", packets == [10], flowd.collector.records)


lana = Lana()
block = Block(lana)
with socket.socket(type=socket.SOCK_DGRAM) as silent:
    silent.bind(("127.0.0.1", 2058))
    compare()
    life()
    biflows()
    overload()
    full()
    connections()
    loopback()
end()

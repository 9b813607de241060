# SPDX-License-Identifier: GPL-2.0
"""traffic.py FILE [SECONDS]: a capture of an hour of a small network, or of so many seconds, the same each time: elephants, mice,
queries, scans, fragments, tunnels of VLANs, connections that begin again. `flows()` says by which flows a NetFlow exporter of
usual timeouts should tell of it: a second opinion, written from RFC 3954 and what the options of the block say."""

import random
import socket
import struct
import sys
from collections import namedtuple

TCP, UDP, ICMP, ICMPV6, FRAGMENT = 6, 17, 1, 58, 44
FIN, SYN, RST, PUSH, ACK = 1, 2, 4, 8, 16
# Of each packet so many bytes are kept.
KEPT = 128
Packet = namedtuple("Packet", "time frame length key size flags")
Key = namedtuple("Key", "src dst sport dport protocol tos")


class Traffic:
    """Packets, each with what is known of it: its flow, and its bytes of IP."""

    def __init__(self, seconds, seed=1):
        self.random = random.Random(seed)
        self.seconds = seconds
        self.packets = []
        share = seconds / 3600
        for number in range(12):
            self.elephant(number)
        for _ in range(int(6000 * share)):
            self.mouse()
        for _ in range(int(5000 * share)):
            self.query()
        for number in range(max(int(4 * share), 1)):
            self.scan(number)
        for _ in range(int(400 * share) + 1):
            self.fragments()
        for _ in range(int(300 * share) + 1):
            self.restart()
        for number in range(20):
            self.pings(number)
        self.other()
        self.packets.sort(key=lambda packet: packet.time)

    def when(self, spare=30.0):
        """A time from which on that much is left."""
        return self.random.uniform(0, max(self.seconds - spare, 1))

    def host(self, six):
        number = self.random.randrange(1, 60_000)
        if six:
            return socket.inet_pton(socket.AF_INET6, f"2001:db8::{number:x}")
        return bytes([10, 1 + number % 3, number >> 8, number & 255])

    def packet(self, time, hosts, protocol, transport, size, tos=0, fragment=None, vlan=None, flags=0):
        """`transport` is the header, `size` how many bytes the packet of IP has; `fragment` the offset in units of 8, and
        whether more follow."""
        src, dst = hosts
        if len(src) == 4:
            part = 0x4000 if fragment is None else fragment[0] | 0x2000 * fragment[1]
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, tos, size, 7 if fragment else 0, part, 64, protocol, 0, src, dst)
            kind = 0x0800
        else:
            header = b"" if fragment is None else struct.pack("!BBHI", protocol, 0, fragment[0] << 3 | fragment[1], 7)
            ip = struct.pack("!IHBB16s16s", 6 << 28 | tos << 20, size - 40, FRAGMENT if header else protocol, 64, src, dst) + header
            kind = 0x86DD
        tag = b"" if vlan is None else struct.pack("!HH", 0x8100, vlan)
        frame = bytes(5) + b"\2" + bytes(5) + b"\1" + tag + struct.pack("!H", kind) + ip + transport
        length = 14 + len(tag) + size
        frame += bytes(max(min(length, KEPT) - len(frame), 0))
        ports = (0, 0)
        if fragment is None or fragment[0] == 0:
            ports = struct.unpack_from("!HH", transport) if protocol in (TCP, UDP) else (0, *struct.unpack_from("!H", transport))
        self.packets.append(Packet(round(time, 6), frame[:KEPT], length, Key(src, dst, *ports, protocol, tos), size, flags))

    def tcp(self, time, hosts, ports, flags, data=0, **more):
        header = struct.pack("!HHIIBBHHH", *ports, 0, 0, 5 << 4, flags, 1000, 0, 0)
        size = (20 if len(hosts[0]) == 4 else 40) + 20 + data
        self.packet(time, hosts, TCP, header, size, flags=flags, **more)

    def udp(self, time, hosts, ports, data, **more):
        header = struct.pack("!HHHH", *ports, 8 + data, 0)
        self.packet(time, hosts, UDP, header, (20 if len(hosts[0]) == 4 else 40) + 8 + data, **more)

    def elephant(self, number):
        """A transfer from the beginning to the end."""
        six, vlan = number % 3 == 2, 100 + number if number % 4 == 3 else None
        there, ports = (self.host(six), self.host(six)), (443, 40_000 + number)
        time = self.random.uniform(0, 1)
        while time < self.seconds:
            for _ in range(self.random.randrange(1, 12)):
                self.tcp(time, there, ports, ACK, 1448 if not six else 1428, vlan=vlan, tos=number % 2 * 0x28)
                time += 0.0003
            self.tcp(time, there[::-1], ports[::-1], ACK, vlan=vlan)
            # Some pauses are longer than any flow waits.
            time += self.random.choice([0.5, 0.7, 1.5, 4, 21])

    def connection(self, time, there, ports, pieces, ends=FIN):
        """A connection of TCP in full; when it is over."""
        back, answers = there[::-1], ports[::-1]
        turn = self.random.uniform(0.001, 0.2)
        self.tcp(time, there, ports, SYN)
        self.tcp(time + turn / 2, back, answers, SYN | ACK)
        self.tcp(time + turn, there, ports, ACK)
        for _ in range(pieces):
            time += turn
            self.tcp(time, there, ports, PUSH | ACK, self.random.randrange(1, 1400))
            self.tcp(time + turn / 2, back, answers, PUSH | ACK, self.random.randrange(1, 1400))
        time += turn
        if ends == FIN:
            self.tcp(time, there, ports, FIN | ACK)
            self.tcp(time + turn / 2, back, answers, FIN | ACK)
            self.tcp(time + turn, there, ports, ACK)
        elif ends:
            self.tcp(time, back, answers, RST)
        return time + turn

    def mouse(self):
        six = self.random.random() < 0.3
        there = (self.host(six), self.host(six))
        ports = (self.random.randrange(1024, 65536), self.random.choice([22, 25, 80, 443, 8080]))
        self.connection(self.when(), there, ports, self.random.randrange(5), self.random.choice([FIN, FIN, FIN, RST, 0]))

    def query(self):
        six, time = self.random.random() < 0.4, self.when()
        there, ports = (self.host(six), self.host(six)), (self.random.randrange(1024, 65536), 53)
        self.udp(time, there, ports, self.random.randrange(30, 60))
        self.udp(time + 0.02, there[::-1], ports[::-1], self.random.randrange(60, 1000))

    def scan(self, number):
        """One host asks many ports, most of which are closed."""
        there, time = (self.host(False), self.host(False)), self.when(60)
        for port in range(1, 1500):
            ports = (50_000 + number, port)
            self.tcp(time, there, ports, SYN)
            if port % 10:
                self.tcp(time + 0.002, there[::-1], ports[::-1], RST | ACK)
            time += 0.01

    def fragments(self):
        six, time = self.random.random() < 0.5, self.when()
        there = (self.host(six), self.host(six))
        ip = 48 if six else 20
        header = struct.pack("!HHHH", 5000, 5001, 8 + 3000, 0)
        self.packet(time, there, UDP, header, ip + 1400, fragment=(0, True))
        self.packet(time + 0.001, there, UDP, b"", ip + 1400, fragment=(175, True))
        self.packet(time + 0.002, there, UDP, b"", ip + 208, fragment=(350, False))

    def restart(self):
        """The same ports again: at once, while the end is waited for, and later."""
        there, time = (self.host(False), self.host(False)), self.when(60)
        ports = (self.random.randrange(1024, 65536), 80)
        for pause in (0.01, 0.6, 3, 20):
            time = self.connection(time, there, ports, 1, self.random.choice([FIN, RST])) + pause

    def pings(self, number):
        six = number % 2 == 1
        there, time = (self.host(six), self.host(six)), self.when(40)
        protocol, ask, answer = (ICMPV6, 128, 129) if six else (ICMP, 8, 0)
        size = (40 if six else 20) + 64
        for sequence in range(30):
            for hosts, kind, late in ((there, ask, 0), (there[::-1], answer, 0.01)):
                header = struct.pack("!BBHHH", kind, 0, 0, number, sequence)
                self.packet(time + late, hosts, protocol, header, size)
            time += 1

    def other(self):
        """What is not IP, and what is cut off."""
        arp = bytes([255] * 6 + [2, 0, 0, 0, 0, 1]) + struct.pack("!H", 0x0806) + bytes(46)
        for _ in range(10):
            self.packets.append(Packet(round(self.when(), 6), arp, 60, None, 0, 0))

    def save(self, file):
        with open(file, "wb") as out:
            out.write(struct.pack("=IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, KEPT, 1))
            for packet in self.packets:
                second = int(packet.time)
                micro = round((packet.time - second) * 1e6)
                out.write(struct.pack("=IIII", 1_700_000_000 + second, micro, len(packet.frame), packet.length) + packet.frame)

    def flows(self, active=1800.0, inactive=15.0, fin=1.0):
        """Flows, packets and bytes of each key."""
        start = self.packets[0].time
        milliseconds = lambda time: int(round((time - start) * 1e6)) // 1000  # noqa: E731
        ongoing, sums = {}, {}
        for packet in self.packets:
            if packet.key is None:
                continue
            now = milliseconds(packet.time)
            first, last, closing = ongoing.get(packet.key, (None, None, False))
            begins = first is None or now - last >= inactive * 1000 or now - first >= active * 1000 or closing and (
                now - last >= fin * 1000 or packet.flags & (SYN | ACK) == SYN)
            if begins:
                first, closing = now, False
            ongoing[packet.key] = first, now, closing or bool(packet.flags & (FIN | RST))
            total = sums.setdefault(packet.key, [0, 0, 0])
            total[0] += begins
            total[1] += 1
            total[2] += packet.size
        return sums


def main():
    traffic = Traffic(float(sys.argv[2]) if len(sys.argv) > 2 else 3600)
    traffic.save(sys.argv[1])
    sums = traffic.flows().values()
    print("flows %d packets %d bytes %d" % tuple(map(sum, zip(*sums))))


if __name__ == "__main__":
    main()

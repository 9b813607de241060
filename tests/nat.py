# SPDX-License-Identifier: GPL-2.0
"""nat.py skbs | frames: the block `x`, a nat between lan0 below and lan1 above, translates what bob sends out to alice, and
what alice sends in. What arrives is compared byte by byte with what the options say, with checksums that are summed up here."""

import socket
import struct
import sys
import time
from dataclasses import dataclass, field, replace

from frames import (ALICE, BOB, GSO_NONE, GSO_TCPV4, GSO_UDP_L4, alice, bob, checksum, difference, noise, vnet_hdr)
from lana import check, end
from rig import Lana

lana = Lana()
NOTHING = bytes(10)
ICMP, TCP, UDP, GRE, FRAGMENT, ICMPV6 = 1, 6, 17, 47, 44, 58
SYN, RST, ACK, FIN = 2, 4, 16, 1
WAY = sys.argv[1]
IN, OUT = (alice, bob, BOB + ALICE), (bob, alice, ALICE + BOB)


# --- Packets ---


@dataclass
class Packet:
    """A packet of IP: what it says, and its bytes."""
    src: str
    dst: str
    protocol: int = UDP
    sport: int = 5000
    dport: int = 53
    data: bytes = b"0123456789a"
    flags: int = ACK
    kind: tuple = (8, 0)
    more: dict = field(default_factory=dict)

    def but(self, **changes):
        return replace(self, **changes)

    def back(self):
        kind = (0, 0) if self.protocol == ICMP else self.kind
        return self.but(src=self.dst, dst=self.src, sport=self.dport, dport=self.sport, kind=kind)

    @property
    def version(self):
        return 6 if ":" in self.src else 4

    def addresses(self):
        family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        return [socket.inet_pton(family, address) for address in (self.src, self.dst)]

    def transport(self, partial=False):
        head, at = {TCP: lambda: (struct.pack("!HHIIBBHHH", self.sport, self.dport, 1, 1, 0x50, self.flags, 1000, 0, 0), 16),
                    UDP: lambda: (struct.pack("!HHHH", self.sport, self.dport, 8 + len(self.data), 0), 6),
                    ICMP: lambda: (struct.pack("!BBHHH", *self.kind, 0, self.ident(), 1), 2),
                    ICMPV6: lambda: (struct.pack("!BBHHH", *self.kind, 0, 7, 1), 2),
                    GRE: lambda: (bytes(4), None)}[self.protocol]()
        whole = head + self.data
        if at is None or "no_sum" in self.more:
            return whole
        pseudo = b"" if self.protocol == ICMP else \
            b"".join(self.addresses()) + struct.pack("!HH", self.protocol, len(whole) & 0xFFFF)
        if partial:
            value = checksum(pseudo)
        else:
            value = checksum(pseudo + whole) ^ 0xFFFF
            value = value or (0xFFFF if self.protocol == UDP else 0)
        return whole[:at] + struct.pack("!H", value) + whole[at + 2:]

    def ident(self):
        """A query has its identifier where it comes from, a reply where it goes to; errors have none."""
        return {8: self.sport, 0: self.dport}.get(self.kind[0], 0)

    def network(self, data, place=0x4000):
        """The header of IP, and data behind it."""
        if self.version == 6:
            head = struct.pack("!IHBB", 6 << 28, len(data), self.protocol, 64)
            return head + b"".join(self.addresses()) + data
        options = self.more.get("options", b"")
        head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(data),
                           self.more.get("id", 1), place, 64, self.protocol, 0)
        head += b"".join(self.addresses()) + options
        return head[:10] + struct.pack("!H", checksum(head) ^ 0xFFFF) + head[12:] + data

    def whole(self):
        """It, without Ethernet."""
        return self.network(self.transport())

    def frame(self, way, partial=False):
        return self.on(way, self.network(self.transport(partial)))

    def on(self, way, data):
        return way[2] + self.more.get("tags", b"") + (b"\x86\xdd" if self.version == 6 else b"\x08\x00") + data

    def vnet(self, kind=GSO_NONE, mss=0):
        start = len(self.frame(OUT)) - len(self.transport())
        return vnet_hdr(kind, start + {TCP: 20, UDP: 8}[self.protocol], mss, start, {TCP: 16, UDP: 6}[self.protocol])

    def fragments(self, way, size=480):
        data = self.transport()
        for at, part in (0, data[:size]), (size, data[size:]):
            yield self.on(way, self.network(part, at // 8 | (at == 0) << 13))


def tag(vid, tpid=0x8100):
    return struct.pack("!HH", tpid, vid)


# --- The block ---


class Block:
    """The block has either of two names: a new one takes the place of the old one."""
    name = "x"


def configure(**options):
    """A block with these options takes the place of the one before, without its sessions. With _ for the dot."""
    old, new = Block.name, "y" if Block.name == "x" else "x"
    operations = [("FB_SET", new, key.replace("_", "."), value) for key, value in options.items()]
    for answer in (lana.transact(("FB_NEW", new, "nat"), *operations), lana.replace(old, new, drop_state=True), lana.remove(old)):
        if answer.error:
            raise OSError(answer.error, str(answer))
    Block.name = new


def counts():
    found = lana.get(Block.name)
    options = {key: int(value) for key, value in found.options.items() if value.isdigit() and key != "sessions"}
    return options | {"drop." + reason: packets for reason, packets in found.drops.items()}


def changed(before):
    return {key: value - before.get(key, 0) for key, value in counts().items() if value != before.get(key, 0)}


def crosses(name, way, sent, want, vnet=NOTHING, to=None, kind=None, **more):
    """What is sent comes as it should, and is counted once."""
    was = counts()
    way[0].send(sent, vnet)
    came, said = (to or way[1]).receive()
    counted = changed(was)
    good = came == want and counted == ({"translated": 1} | more) and (kind is None or said[1] == kind)
    if not check(name, good, difference(want, came), counted, want.hex()[:300], (came or b"").hex()[:300]):
        while not alice.quiet() or not bob.quiet():
            pass


def drops(name, way, sent, reason="filtered", vnet=NOTHING, **more):
    """What is sent is dropped, for that reason, and counted."""
    was = counts()
    way[0].send(sent, vnet)
    until = time.monotonic() + 5
    while "drop." + reason not in changed(was) and time.monotonic() < until:
        time.sleep(0.01)
    counted = changed(was)
    check(name, counted == {"drop." + reason: 1} | more and way[1].receive(0)[0] is None, counted, sent.hex()[:200])


NEW = {"created": 1, "active": 1}


def sessions(*kinds):
    """Out, and back, packets of each kind; and somebody else who has the same port."""
    configure(source="192.0.2.100")
    for protocol, more in kinds:
        name = f"protocol {protocol} {' '.join(more)}".strip()
        sent = Packet("10.0.0.1", "198.18.0.2", protocol, more=more, flags=SYN, dport=0 if protocol == ICMP else 53)
        want = sent.but(src="192.0.2.100")
        can_wait = protocol != ICMP and not more.keys() & {"no_sum", "tags"}
        crosses(f"{name}: goes out by its own port", OUT, sent.frame(OUT), want.frame(OUT),
                **NEW if not more or protocol == ICMP and "options" not in more else {})
        crosses(f"{name}: and comes back", IN, want.back().frame(IN), sent.back().frame(IN))
        if can_wait and WAY == "skbs":
            crosses(f"{name}: a checksum for the device, out", OUT, sent.frame(OUT, True), want.frame(OUT, True), sent.vnet())
            crosses(f"{name}: and in", IN, want.back().frame(IN, True), sent.back().frame(IN, True), sent.vnet())
        padded = sent.frame(OUT) + bytes(9)
        crosses(f"{name}: padding stays", OUT, padded, want.frame(OUT) + bytes(9))
    for protocol in TCP, UDP, ICMP:
        sent = Packet("10.0.0.2", "198.18.0.2", protocol, flags=SYN, dport=0 if protocol == ICMP else 53)
        was = counts()
        bob.send(sent.frame(OUT))
        came, _ = alice.receive()
        port = struct.unpack("!H", came[38:40] if protocol == ICMP else came[34:36])[0]
        want = sent.but(src="192.0.2.100", sport=port)
        check(f"protocol {protocol}: another host gets another port, of the same parity",
              came == want.frame(OUT) and port != 5000 and port % 2 == 0 and changed(was) == NEW | {"translated": 1},
              port, changed(was), difference(want.frame(OUT), came))
        crosses(f"protocol {protocol}: and its answers", IN, want.back().frame(IN), sent.back().frame(IN))
        other = sent.but(dst="198.18.0.9")
        crosses(f"protocol {protocol}: the same for whoever else it speaks to", OUT, other.frame(OUT),
                other.but(src="192.0.2.100", sport=port).frame(OUT), **NEW)
        if protocol == UDP:
            third = want.but(dst="198.18.0.77").back()
            crosses("who else knows the port may send to it", IN, third.frame(IN), third.but(dst="10.0.0.2", dport=5000).frame(IN),
                    **NEW)


def super_packets():
    """Each segment will have what the whole has."""
    for protocol, kind in (TCP, GSO_TCPV4), (UDP, GSO_UDP_L4):
        sent = Packet("10.0.0.1", "198.18.0.3", protocol, data=noise(6000))
        want = sent.but(src="192.0.2.100")
        vnet = sent.vnet(kind, 1400)
        crosses(f"a super-packet of protocol {protocol}, out", OUT, sent.frame(OUT, True), want.frame(OUT, True), vnet, kind=kind,
                **NEW)
        crosses("and in", IN, want.back().frame(IN, True), sent.back().frame(IN, True), vnet, kind=kind)


def errors():
    """Messages about packets that have passed, from routers on either side."""
    configure(source="192.0.2.100", dest="10.0.0.9")
    for protocol in TCP, UDP, ICMP:
        sent = Packet("10.0.0.1", "198.18.0.2", protocol, flags=SYN, dport=0 if protocol == ICMP else 53, data=noise(61))
        # Not its own port, so that the port is seen to be translated.
        for host in "10.0.0.4", "10.0.0.1":
            bob.send(sent.but(src=host).frame(OUT))
            came, _ = alice.receive()
        port = struct.unpack("!H", came[38:40] if protocol == ICMP else came[34:36])[0]
        out = sent.but(src="192.0.2.100", sport=port)
        for kind in (3, 1), (3, 4), (11, 0), (12, 0):
            for size in (28, 60, 200) if kind == (11, 0) else (28,):
                error = Packet("203.0.113.1", "192.0.2.100", ICMP, kind=kind, data=out.whole()[:size])
                crosses(f"error {kind} about protocol {protocol}, which quotes {size} bytes", IN, error.frame(IN),
                        error.but(dst="10.0.0.1", data=sent.whole()[:size]).frame(IN))
        arrived = Packet("198.18.0.7", "192.0.2.100", protocol, dport=0 if protocol == ICMP else 777, data=noise(61))
        alice.send(arrived.frame(IN))
        bob.receive()
        error = Packet("10.77.0.1", "198.18.0.7", ICMP, kind=(3, 3), data=arrived.but(dst="10.0.0.9").whole()[:60])
        crosses(f"an error from inside about protocol {protocol}", OUT, error.frame(OUT),
                error.but(src="192.0.2.100", data=arrived.whole()[:60]).frame(OUT))
    error = Packet("203.0.113.1", "192.0.2.100", ICMP, kind=(3, 1), data=sent.but(src="192.0.2.100", sport=9).whole()[:28])
    drops("an error about nothing", IN, error.frame(IN), unsolicited=1)
    wrong = error.but(data=out.whole()[:28]).frame(IN)
    drops("an error with a wrong checksum", IN, wrong[:36] + bytes(2) + wrong[38:], "malformed")
    drops("an error that quotes too little", IN, error.but(data=out.whole()[:19]).frame(IN), "malformed")
    drops("a reply that nobody asked for", IN, Packet("198.18.0.7", "192.0.2.100", ICMP, dport=4711, kind=(0, 0)).frame(IN),
          unsolicited=1)


def fragments():
    """Later ones follow the first; out of order they go nowhere."""
    configure(source="192.0.2.100")
    for protocol, identification in (UDP, 1), (TCP, 2), (ICMP, 3):
        sent = Packet("10.0.0.1", "198.18.0.2", protocol, data=noise(1000), more={"id": identification}, flags=SYN,
                      dport=0 if protocol == ICMP else 53)
        want = sent.but(src="192.0.2.100")
        drops(f"protocol {protocol}: a later fragment alone", OUT, list(sent.fragments(OUT))[1], fragments=1)
        for number, (one, other) in enumerate(zip(sent.fragments(OUT), want.fragments(OUT))):
            crosses(f"protocol {protocol}: fragment {number}, out", OUT, one, other, **{} if number else NEW)
        for number, (one, other) in enumerate(zip(want.back().fragments(IN), sent.back().fragments(IN))):
            crosses(f"protocol {protocol}: fragment {number}, in", IN, one, other)


def others():
    """What is no business of the block's, and what it cannot translate."""
    configure(source="192.0.2.100")
    def untouched(name, way, frame):
        was = counts()
        way[0].send(frame)
        came, _ = way[1].receive()
        check(f"untouched: {name}", came == frame and changed(was) == {"untouched": 1}, difference(frame, came), changed(was))
    untouched("ARP", OUT, OUT[2] + bytes.fromhex("0806000108000604000102000000000ac000020100000000000000000000") + bytes(20))
    untouched("no IP", OUT, OUT[2] + b"\x88\xb5" + noise(80))
    untouched("IPv6", OUT, Packet("2001:db8::1", "2001:db8::2").frame(OUT))
    untouched("multicast", OUT, Packet("10.0.0.1", "224.0.0.251").frame(OUT))
    untouched("broadcast", OUT, Packet("0.0.0.0", "255.255.255.255").frame(OUT))
    untouched("to another address than those outside", IN, Packet("198.18.0.2", "192.0.2.101").frame(IN))
    untouched("a protocol without ports to another address", IN, Packet("198.18.0.2", "192.0.2.101", GRE).frame(IN))
    drops("a protocol without ports, out", OUT, Packet("10.0.0.1", "198.18.0.2", GRE).frame(OUT), unsupported=1)
    drops("and in", IN, Packet("198.18.0.2", "192.0.2.100", GRE).frame(IN), unsupported=1)
    for protocol in TCP, UDP, ICMP:
        drops(f"protocol {protocol}, unasked", IN, Packet("198.18.0.2", "192.0.2.100", protocol).frame(IN), unsolicited=1)
    drops("a reset out of nowhere", OUT, Packet("10.0.0.1", "198.18.0.2", TCP, flags=RST).frame(OUT), unsolicited=1)
    whole = Packet("10.0.0.1", "198.18.0.2", TCP).frame(OUT)
    for cut in 15, 33, 40, 53:
        drops(f"{cut} bytes of a packet", OUT, whole[:cut], "malformed")


def bounds():
    """Not more sessions than there may be, and not more than there are ports."""
    configure(source="192.0.2.100", sessions="2")
    def of(host, port=5000):
        sent = Packet(f"10.0.0.{host}", "198.18.0.2", sport=port)
        return sent, sent.but(src="192.0.2.100")
    for host in 1, 2:
        sent, want = of(host, 5000 + host)
        crosses(f"session {host}", OUT, sent.frame(OUT), want.frame(OUT), **NEW)
        if host == 1:
            crosses("and its answer", IN, want.back().frame(IN), sent.back().frame(IN))
    sent, want = of(3, 5003)
    crosses("one more: that without an answer goes", OUT, sent.frame(OUT), want.frame(OUT), created=1, evicted=1)
    gone = of(2, 5002)[1].back()
    drops("it is no more", IN, gone.frame(IN), unsolicited=1)
    crosses("when the new one was answered", IN, want.back().frame(IN), sent.back().frame(IN))
    drops("there is no room", OUT, of(4, 5004)[0].frame(OUT), "queue-full", full=1)
    # As long as its event may take.
    time.sleep(0.3)
    lana.set(Block.name, "sessions", "3")
    sent, want = of(4, 5004)
    crosses("until there may be more", OUT, sent.frame(OUT), want.frame(OUT), **NEW)
    sent, want = of(1, 5001)
    crosses("those before are still there", IN, want.back().frame(IN), sent.back().frame(IN))
    configure(source="192.0.2.100", ports="4000", filter="session", udp_timeout="1s")
    sent = Packet("10.0.0.1", "198.18.0.2")
    want = sent.but(src="192.0.2.100", sport=4000)
    crosses("a port of the range", OUT, sent.frame(OUT), want.frame(OUT), **NEW)
    drops("when all are taken", OUT, sent.but(src="10.0.0.2").frame(OUT), **{"no-port": 1})
    drops("filter=session: from elsewhere", IN, want.but(dport=99).back().frame(IN), unsolicited=1)
    crosses("filter=session: from where it was sent to", IN, want.back().frame(IN), sent.back().frame(IN))
    time.sleep(1.2)
    drops("after its time there is no session", IN, want.back().frame(IN), unsolicited=1)
    sent = sent.but(src="10.0.0.2")
    crosses("and the port is free", OUT, sent.frame(OUT), want.frame(OUT), **NEW)


def destinations():
    """To a server inside, and from inside to there by its address outside."""
    configure(dest="10.0.0.2:8080")
    for protocol in TCP, UDP:
        sent = Packet("198.18.0.2", "203.0.113.5", protocol, dport=80, flags=SYN)
        want = sent.but(dst="10.0.0.2", dport=8080)
        crosses(f"dest, protocol {protocol}", IN, sent.frame(IN), want.frame(IN), **NEW)
        crosses("and its answer", OUT, want.back().frame(OUT), sent.back().frame(OUT))
        drops("the same from the same to another port", IN, sent.but(dport=81).frame(IN), **{"no-port": 1})
    configure(dest="10.0.0.2")
    sent = Packet("198.18.0.2", "203.0.113.5", ICMP, dport=0, data=noise(56))
    want = sent.but(dst="10.0.0.2")
    crosses("dest, a ping", IN, sent.frame(IN), want.frame(IN), **NEW)
    crosses("and its answer", OUT, want.back().frame(OUT), sent.back().frame(OUT))
    configure(source="192.0.2.100", dest="10.0.0.2:8080", dest_port="80")
    sent = Packet("10.0.0.1", "192.0.2.100", TCP, dport=80, flags=SYN)
    want = sent.but(src="192.0.2.100", dst="10.0.0.2", dport=8080)
    crosses("from inside to an address outside of somebody inside", OUT, sent.frame(OUT), want.frame((0, 0, BOB + ALICE)), to=bob,
            created=2, active=2)
    crosses("and the answer", OUT, want.back().frame(OUT), sent.back().frame((0, 0, BOB + ALICE)), to=bob)


def maps():
    """Addresses one to one, whatever the packet."""
    configure(map="10.0.0.0/24=192.0.2.0/24")
    for protocol in TCP, UDP, ICMP, GRE:
        sent = Packet("10.0.0.77", "198.18.0.2", protocol, data=noise(900))
        want = sent.but(src="192.0.2.77")
        crosses(f"map, protocol {protocol}", OUT, sent.frame(OUT), want.frame(OUT))
        crosses("and back", IN, want.back().frame(IN), sent.back().frame(IN))
        for number, (one, other) in reversed(list(enumerate(zip(sent.fragments(OUT), want.fragments(OUT))))):
            crosses(f"fragment {number}", OUT, one, other)
        error = Packet("203.0.113.1", "192.0.2.77", ICMP, kind=(11, 0), data=want.whole()[:60])
        crosses("an error about it", IN, error.frame(IN), error.but(dst="10.0.0.77", data=sent.whole()[:60]).frame(IN))
    turned = Packet("10.0.0.77", "192.0.2.78")
    crosses("to somebody inside", OUT, turned.frame(OUT), turned.but(src="192.0.2.77", dst="10.0.0.78").frame((0, 0, BOB + ALICE)),
            to=bob)
    configure(map="fd00:1::/64=2001:db8:1::/64")
    six(("fd00:1::77", "2001:db8:1::77"), "map")
    configure(npt="fd01:203:405::/48=2001:db8:1::/48")
    six(("fd01:203:405:1::1234", "2001:db8:1:d550::1234"), "npt")
    drops("npt: an address that has none outside", OUT, Packet("fd01:203:405:ffff::1", "2001:db8:9::1").frame(OUT))


def six(pair, name):
    for protocol in TCP, UDP, ICMPV6:
        sent = Packet(pair[0], "2001:db8:9::1", protocol, kind=(128, 0), data=noise(101))
        want = sent.but(src=pair[1])
        crosses(f"{name}, protocol {protocol}", OUT, sent.frame(OUT), want.frame(OUT))
        crosses("and back", IN, want.back().frame(IN), sent.back().frame(IN))
        if protocol != ICMPV6 and WAY == "skbs":
            crosses("a checksum for the device", OUT, sent.frame(OUT, True), want.frame(OUT, True), sent.vnet())
        error = Packet("2001:db8:7::1", pair[1], ICMPV6, kind=(3, 0), data=want.whole()[:100])
        crosses("an error about it", IN, error.frame(IN), error.but(dst=pair[0], data=sent.whole()[:100]).frame(IN))
        came = Packet("2001:db8:9::1", pair[0], UDP)
        error = Packet(pair[0], "2001:db8:9::1", ICMPV6, kind=(1, 4), data=came.whole()[:60])
        crosses("an error from inside", OUT, error.frame(OUT),
                error.but(src=pair[1], data=came.but(dst=pair[1]).whole()[:60]).frame(OUT))


def main():
    plain = [(TCP, {}), (UDP, {}), (ICMP, {})]
    odd = [(UDP, {"no_sum": 1}), (TCP, {"options": b"\x01" * 12}), (UDP, {"tags": tag(10)}),
           (TCP, {"tags": tag(20, 0x88A8) + tag(10)})]
    sessions(*plain, *odd)
    if WAY == "skbs":
        super_packets()
    errors()
    fragments()
    others()
    bounds()
    destinations()
    maps()
    end()


if __name__ == "__main__":
    main()

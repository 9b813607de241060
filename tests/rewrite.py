# SPDX-License-Identifier: GPL-2.0
"""rewrite.py skbs | frames | talk: the block `r`, a rewrite between lan0 and lan1, changes what alice sends to bob. What
arrives is compared byte by byte with what the options say, with checksums that are summed up here. `talk`: datagrams of all
sizes go to a server of bob's behind other addresses and ports, and come back."""

import socket
import struct
import sys

from frames import (ALICE, BOB, CSUM, GSO_NONE, GSO_TCPV4, GSO_UDP_L4, Port, alice, bob, checksum, difference, drain, noise,
                    vnet_hdr)
from lana import check, end
from rig import SLOW, Lana, inside

lana = Lana()
NOTHING = bytes(10)
ICMP, TCP, UDP, ROUTING, FRAGMENT, ICMPV6, DESTINATION, SCTP, UDPLITE = 1, 6, 17, 43, 44, 58, 60, 132, 136
NEW = {"mac.source": "02:00:00:00:00:51", "mac.destination": "02:00:00:00:00:52", "port.source": "65535",
       "port.destination": "8080", "dscp": "46", "ttl": "9"}
NEW_V4 = {"source": "10.99.255.1", "destination": "10.99.0.254"}
NEW_V6 = {"source": "fd00::9a:ffff", "destination": "fd00:ffff::1"}


# --- Packets ---


class Packet:
    """A packet of IP with all that is to be known of it, so that it can be changed and sealed here."""

    def __init__(self, version, protocol, size=101, tags=b"", options=b"", extensions=(), no_sum=False):
        self.version, self.protocol, self.tags, self.no_sum = version, protocol, tags, no_sum
        self.ethernet = {"mac.destination": BOB, "mac.source": ALICE}
        self.ports = {"port.source": 9, "port.destination": 10} if protocol in (TCP, UDP) else {}
        self.ttl, self.options, self.extensions = 64, options, extensions
        # DSCP 10 and ECN.
        self.tos = 0x29
        # Nobody has these addresses, and answers.
        self.source, self.destination = ("198.18.0.1", "198.18.0.2") if version == 4 else ("2001:db8::1", "2001:db8::2")
        self.data = noise(size)

    def change(self, options):
        """What a block with these options makes of it."""
        for key, value in options.items():
            if key in self.ethernet:
                self.ethernet[key] = bytes.fromhex(value.replace(":", ""))
            elif key in self.ports:
                self.ports[key] = int(value)
            elif key == "ttl":
                self.ttl = self.ttl - 1 if value == "-1" else int(value)
            elif key == "dscp":
                self.tos = int(value) << 2 | self.tos & 3
            elif key in ("source", "destination") and (":" in value) == (self.version == 6):
                setattr(self, key, value)
        return self

    def address(self, text):
        return socket.inet_pton(socket.AF_INET6 if self.version == 6 else socket.AF_INET, text)

    def pseudo(self, length):
        """The sum of the pseudo-header; with a routing header it has the destination that is in there."""
        last = self.destination if ROUTING not in dict(self.extensions) else "2001:db8::ee"
        protocol = struct.pack("!HH", length & 0xFFFF, self.protocol)
        return checksum(self.address(self.source) + self.address(last) + protocol)

    def transport(self, partial):
        """Header and data of what IP carries, and where in there its checksum is."""
        ports = self.ports.values()
        head, at = {TCP: lambda: (struct.pack("!HHIIBBHHH", *ports, 1, 1, 0x50, 0x10, 1000, 0, 0), 16),
                    UDP: lambda: (struct.pack("!HHHH", *ports, 8 + len(self.data), 0), 6),
                    UDPLITE: lambda: (struct.pack("!HHHH", 9, 10, 0, 0), 6),
                    SCTP: lambda: (struct.pack("!HHII", 9, 10, 0, 7), None),
                    ICMP: lambda: (struct.pack("!BBHHH", 8, 0, 0, 7, 1), 2),
                    ICMPV6: lambda: (struct.pack("!BBHHH", 128, 0, 0, 7, 1), 2)}[self.protocol]()
        whole = head + self.data
        if at is None or self.no_sum:
            return whole
        has_pseudo = self.protocol != ICMP
        pseudo = self.pseudo(len(whole)) if has_pseudo else 0
        if partial:
            value = pseudo
        else:
            value = checksum(struct.pack("!H", pseudo) + whole) ^ 0xFFFF
            value = value or (0xFFFF if self.protocol == UDP else 0)
        return whole[:at] + struct.pack("!H", value) + whole[at + 2:]

    def head(self, length, place=0x4000, chain=b"", first=None):
        """The Ethernet and the IP header in front of so many bytes."""
        link = self.ethernet["mac.destination"] + self.ethernet["mac.source"] + self.tags
        if self.version == 6:
            head = struct.pack("!IHBB", 6 << 28 | self.tos << 20, length + len(chain), self.protocol if first is None else first, self.ttl)
            return link + b"\x86\xdd" + head + self.address(self.source) + self.address(self.destination) + chain
        head = struct.pack("!BBHHHBBH", 0x45 + len(self.options) // 4, self.tos, 20 + len(self.options) + length, 1, place,
                           self.ttl, self.protocol, 0)
        head += self.address(self.source) + self.address(self.destination) + self.options
        return link + b"\x08\x00" + head[:10] + struct.pack("!H", checksum(head) ^ 0xFFFF) + head[12:]

    def chain(self, *more):
        """Extension headers, and the kind of the first."""
        kinds = [kind for kind, _ in (*self.extensions, *more)] + [self.protocol]
        contents = [content for _, content in (*self.extensions, *more)]
        return b"".join(bytes([after]) + content for after, content in zip(kinds[1:], contents)), kinds[0]

    def bytes(self, partial=False):
        data = self.transport(partial)
        chain, first = self.chain()
        return self.head(len(data), chain=chain, first=first) + data

    def fragments(self, size):
        """The same in two parts."""
        data = self.transport(False)
        parts = [(0, data[:size]), (size, data[size:])]
        for at, part in parts:
            more = at == 0
            if self.version == 4:
                yield self.head(len(part), place=at // 8 | more << 13) + part
            else:
                chain, first = self.chain((FRAGMENT, struct.pack("!BHI", 0, at | more, 1)))
                yield self.head(len(part), chain=chain, first=first) + part

    def vnet(self, kind=GSO_NONE, mss=0):
        """What virtio says of it if a device is to fill in its checksum."""
        start = len(self.bytes()) - len(self.transport(False))
        head = {TCP: 20, UDP: 8}.get(self.protocol, 4)
        return vnet_hdr(kind, start + head, mss, start, {TCP: 16, UDP: 6, ICMPV6: 2}[self.protocol])


def tag(vid, tpid=0x8100, pcp=0):
    return struct.pack("!HH", tpid, pcp << 13 | vid)


# --- The block ---


class Block:
    """The options of r, of which only these are set, and how many packets it has counted."""

    def __init__(self):
        self.keys = []

    def set(self, **options):
        """With _ for the dot."""
        self.become({key.replace("_", "."): value for key, value in options.items()})

    def become(self, options):
        operations = [("FB_SET", "r", key, "") for key in self.keys if key not in options]
        operations += [("FB_SET", "r", key, value) for key, value in options.items()]
        answer = lana.transact(*operations)
        if answer.error:
            raise OSError(answer.error, str(answer))
        self.keys = list(options)

    @staticmethod
    def counts():
        options = lana.get("r").options
        return int(options["rewritten"]), int(options["untouched"])


block = Block()


def comes(name, sent, want, vnet=NOTHING, is_rewritten=True, kind=None):
    """What alice sends comes to bob as it should be, and is counted."""
    was = block.counts()
    alice.send(sent, vnet)
    came, said = bob.receive()
    counted = tuple(now - before for now, before in zip(block.counts(), was))
    good = (came, counted) == (want, (int(is_rewritten), int(not is_rewritten)))
    if kind is not None:
        good = good and said[1] == kind
    if not check(name, good, difference(want, came), counted, said and said.hex(), want.hex()[:300], (came or b"").hex()[:300]):
        drain()


def sets_for(version):
    """Options to try, with a name for each set."""
    new = NEW | (NEW_V4 if version == 4 else NEW_V6)
    for key, value in new.items():
        yield key, {key: value}
    yield "ttl=-1", {"ttl": "-1"}
    yield "all", new


def packets(frames):
    """Each option, and all together, for packets of each kind."""
    routing = bytes([2, 4, 1]) + bytes(4) + socket.inet_pton(socket.AF_INET6, "2001:db8::ee")
    nothing = bytes([0]) + bytes(6)
    kinds = [(4, TCP, {}), (4, UDP, {}), (4, ICMP, {}), (4, UDP, {"no_sum": True}), (4, TCP, {"options": b"\x01" * 12}),
             (4, UDP, {"tags": tag(10)}), (4, UDP, {"tags": tag(20, 0x88A8) + tag(10)}), (4, SCTP, {}), (4, UDPLITE, {}),
             (6, TCP, {}), (6, UDP, {}), (6, ICMPV6, {}),
             (6, TCP, {"extensions": [(0, nothing), (DESTINATION, nothing)], "tags": tag(10)}),
             (6, UDP, {"extensions": [(ROUTING, routing)]})]
    for number, (version, protocol, more) in enumerate(kinds):
        name = f"IPv{version}, protocol {protocol} {' '.join(more)}".strip()
        for label, options in sets_for(version):
            if SLOW >= 50 and label != "all" and number % 3:
                continue
            block.become(options)
            packet = Packet(version, protocol, **more)
            sent, vnet = packet.bytes(), packet.vnet() if protocol in (TCP, UDP, ICMPV6) and not packet.no_sum else None
            partial = packet.bytes(partial=True)
            want = packet.change(options)
            is_rewritten = label[:4] != "port" or bool(packet.ports)
            comes(f"{name}: {label}", sent, want.bytes(), is_rewritten=is_rewritten)
            # A frame has nothing that says that its checksum is to be filled in. The kernel's own checks of tagged packets
            # want their network header in its place.
            if vnet and not frames and not packet.tags:
                comes(f"{name}, checksum for the device: {label}", partial, want.bytes(partial=True), vnet, is_rewritten)


def parts():
    """Fragments: the first has the ports and the checksum, the later one has addresses."""
    for version in 4, 6:
        for protocol in UDP, TCP:
            for label, options in sets_for(version):
                block.become(options)
                packet = Packet(version, protocol, 1001)
                sent = list(packet.fragments(480))
                want = list(packet.change(options).fragments(480))
                for number, (data, after) in enumerate(zip(sent, want)):
                    is_rewritten = label[:4] != "port" or number == 0
                    comes(f"IPv{version}, protocol {protocol}, fragment {number + 1}: {label}", data, after,
                          is_rewritten=is_rewritten)


def super_packets():
    """Each segment will have what the whole has."""
    for version, protocol, kind in [(4, TCP, GSO_TCPV4), (6, TCP, 4), (4, UDP, GSO_UDP_L4), (6, UDP, GSO_UDP_L4)]:
        for label, options in sets_for(version):
            block.become(options)
            packet = Packet(version, protocol, 6000)
            sent, vnet = packet.bytes(partial=True), packet.vnet(kind, 1400)
            want = packet.change(options).bytes(partial=True)
            comes(f"IPv{version}, a super-packet of protocol {protocol}: {label}", sent, want, vnet, kind=kind)
        for vlan, before, after in VLANS:
            if before:
                continue
            block.set(vlan=vlan, ttl="9")
            packet = Packet(version, protocol, 6000)
            sent, vnet = packet.bytes(partial=True), packet.vnet(kind, 1400)
            packet.tags = after
            comes(f"IPv{version}, a super-packet of protocol {protocol}: vlan={vlan}", sent,
                  packet.change({"ttl": "9"}).bytes(partial=True), vnet, kind=kind)


S20, C10 = tag(20, 0x88A8), tag(10, pcp=5)
VLANS = [("100", b"", tag(100)), ("100", C10, tag(100, pcp=5)), ("100", S20 + C10, tag(100, 0x88A8) + C10),
         ("0", C10, tag(0, pcp=5)), ("4094", tag(4095), tag(4094)),
         ("push:7", b"", tag(7)), ("push:7", C10, tag(7) + C10), ("push:7", S20 + C10, tag(7) + S20 + C10),
         ("pop", b"", b""), ("pop", C10, b""), ("pop", S20 + C10, C10), ("pop", tag(1) + S20 + C10, S20 + C10)]


def tags(frames):
    """The outermost tag; the others, and what is behind them, stay as they are."""
    for vlan, before, after in VLANS:
        for label, more in ("", {}), (" and more", NEW | NEW_V4):
            block.become({"vlan": vlan} | more)
            packet = Packet(4, UDP, tags=before)
            sent = packet.bytes()
            packet.tags = after
            comes(f"vlan={vlan}{label}, {before.hex() or 'no tag'}", sent, packet.change(more).bytes(),
                  is_rewritten=bool(more) or before != after)
    block.set(vlan="push:7")
    # Linux drops shorter ones whose tag is among the bytes.
    for size in (16, 17, 18, 60, 1400) if frames else (14, 15, 17, 18, 60, 1400):
        data = (BOB + ALICE + b"\x88\xb5" + noise(size))[:size]
        comes(f"a tag for a frame of {size} bytes", data, data[:12] + tag(7) + data[12:])
    if frames:
        # Linux takes no tag out of these before the block sees them.
        block.set(vlan="pop")
        for cut in b"\x81\x00", b"\x81\x00\x00", b"\x81\x00\x00\x0a\x08":
            data = BOB + ALICE + cut
            was = block.counts()
            alice.send(data)
            bob.receive(0.2)
            check(f"{len(cut)} bytes of a tag are none", block.counts() == (was[0], was[1] + 1), was, block.counts())


def untouched():
    """What the options are not about, and what cannot be read."""
    whole = {4: Packet(4, TCP).bytes(), 6: Packet(6, UDP, extensions=[(0, bytes(7))]).bytes()}
    block.set(source="192.0.2.9", destination="2001:db8::9")
    arp = BOB + ALICE + bytes.fromhex("0806000108000604000102000000000ac000020100000000000000000000") + bytes(20)
    comes("ARP", arp, arp, is_rewritten=False)
    other = BOB + ALICE + b"\x88\xb5" + noise(80)
    comes("no IP", other, other, is_rewritten=False)
    block.set(**{key.replace(".", "_"): value for key, value in (NEW_V4 | {"ttl": "7", "port.source": "1"}).items()})
    for version in 4, 6:
        if version == 6:
            block.set(source=NEW_V6["source"], ttl="7", port_destination="1")
        for cut in {4: (14, 15, 20, 33, 34, 40, 53, 60), 6: (14, 40, 53, 54, 60, 64, 70)}[version]:
            data = whole[version][:cut]
            comes(f"IPv{version}, of which there are {cut} bytes", data, data, is_rewritten=False)
    packet = Packet(4, UDP, 10)
    block.set(source=NEW_V4["source"])
    for name, at, value in [("header length 4", 14, 0x44), ("header length 60", 14, 0x4F), ("version 5", 14, 0x55),
                            ("a total length beyond the end", 16, 9), ("a UDP length of 7", 39, 7)]:
        data = bytearray(packet.bytes())
        data[at] = value
        comes(name, bytes(data), bytes(data), is_rewritten=False)
    data = packet.bytes() + bytes(7)
    comes("padding stays as it is", data, packet.change({"source": NEW_V4["source"]}).bytes() + bytes(7))


def times_to_live():
    """A packet whose TTL would be 0 goes no further."""
    block.set(ttl="-1", source=NEW_V4["source"])
    for version in 4, 6:
        for ttl in 0, 1, 2, 255:
            packet = Packet(version, UDP)
            packet.ttl = ttl
            sent = packet.bytes()
            if ttl < 2:
                was, dropped = block.counts(), lana.get("r").drops.get("filtered", 0)
                alice.send(sent)
                came, _ = bob.receive(0.2)
                check(f"IPv{version}, TTL {ttl}: dropped, as filtered", came is None and block.counts() == was and
                      lana.get("r").drops["filtered"] == dropped + 1, came, block.counts(), lana.get("r").drops)
            else:
                want = packet.change({"ttl": "-1", "source": NEW_V4["source"]}).bytes()
                comes(f"IPv{version}, TTL {ttl}: {ttl - 1}", sent, want)


def directions():
    """What alice sends goes up."""
    sent = Packet(4, UDP).bytes()
    for direction, is_seen in ("ingress", True), ("egress", False), ("both", True):
        block.set(mac_source="02:00:00:00:00:51", direction=direction)
        want = sent[:6] + bytes.fromhex("020000000051") + sent[12:] if is_seen else sent
        was = block.counts()
        alice.send(sent)
        came, _ = bob.receive()
        check(f"direction={direction}", (came, block.counts()) == (want, (was[0] + is_seen, was[1])), difference(want, came))
    block.become({})
    comes("no option: nothing is changed", sent, sent, is_rewritten=False)


def shared():
    """Somebody else looks at each packet, as tcpdump does, and sees it as it was."""
    watch = Port("", "lan0")
    wanted = []
    for vlan, before, after in VLANS:
        block.become({"vlan": vlan} | NEW | NEW_V4)
        packet = Packet(4, TCP, tags=before)
        wanted.append(packet.bytes())
        packet.tags = after
        comes(f"shared with a packet socket: vlan={vlan}, {before.hex() or 'no tag'}", wanted[-1],
              packet.change(NEW | NEW_V4).bytes())
    seen = [watch.receive()[0] for _ in wanted]
    check("which sees all as they were", seen == wanted, *[difference(a, b) for a, b in zip(wanted, seen) if a != b][:3])
    watch.sock.close()


# --- Hosts ---


def talk():
    """Bob serves at 5002, and does not know that alice talks to another address, at 5001."""
    def server(family):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(("", 5002))
        sock.settimeout(10)
        return sock

    def client(family):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.settimeout(10)
        return sock

    for family, name, address in (socket.AF_INET, "IPv4", "192.0.2.3"), (socket.AF_INET6, "IPv6", "2001:db8::3"):
        serves, asks = inside("bob", server, family), inside("alice", client, family)
        for size in 1, 1000, 1473, 3000, 20000, 60001:
            data, came, back = noise(size), None, None
            try:
                asks.sendto(data, (address, 5001))
                came, peer = serves.recvfrom(1 << 16)
                serves.sendto(came, peer)
                back, peer = asks.recvfrom(1 << 16)
            except OSError as error:
                peer = error
            check(f"{name}: a datagram of {size} bytes goes there and back", came == back == data, peer)
            check(f"{name}: and comes from where it went to", peer[:2] == (address, 5001), peer)
        # A super-packet of three and a half datagrams (UDP_SEGMENT).
        asks.setsockopt(socket.IPPROTO_UDP, 103, 1000)
        data = noise(3500)
        asks.sendto(data, (address, 5001))
        check(f"{name}: datagrams in one super-packet", b"".join(serves.recv(1 << 16) for _ in range(4)) == data)


def main():
    way = sys.argv[1]
    if way == "talk":
        talk()
    else:
        packets(way == "frames")
        parts()
        tags(way == "frames")
        untouched()
        times_to_live()
        directions()
        if way == "skbs":
            super_packets()
            shared()
        block.become({})
    end()


main()

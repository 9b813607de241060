# SPDX-License-Identifier: GPL-2.0
"""fragments.py defrag | fragment: the block `x` between lan0 and lan1. Linux is the witness: what alice sends to bob through
the block she also sends to witness, whose kernel reassembles it, or cuts it.

defrag: fragments of all kinds, in all orders. What the block makes of them is what a raw socket of witness gets.
fragment: long datagrams. What the block makes of them is what Linux makes of them on its way by a device with that MTU."""

import random
import socket
import struct
import subprocess
import sys
import time

from frames import ALICE, BOB, GSO_TCPV4, Port, alice, bob, checksum, difference, noise, vnet_hdr
from lana import check, end
from rig import LONG, SLOW, Lana, inside

lana = Lana()
RANDOM = random.Random(7)
PROTOCOL = 253  # for experiments: no other socket wants it
WAY = sys.argv[2]
# The most that IP can have: a frame of a driver is in one page.
LONGEST = 9000 if WAY == "skbs" else 3000
UDP, FRAGMENT, DESTINATION = 17, 44, 60
V4, V6 = ("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")
witness = Port("alice", "a1")


def addresses(version):
    family = socket.AF_INET6 if version == 6 else socket.AF_INET
    return b"".join(socket.inet_pton(family, address) for address in (V6 if version == 6 else V4))


def ipv4(data, identification, place, tos=0, options=b"", protocol=PROTOCOL, ttl=64):
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, tos, 20 + len(options) + len(data), identification, place, ttl,
                       protocol, 0) + addresses(4) + options
    return head[:10] + struct.pack("!H", checksum(head) ^ 0xFFFF) + head[12:] + data


def ipv6(data, first, extensions=b"", tos=0):
    head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(extensions) + len(data), first, 64)
    return head + addresses(6) + extensions + data


def ethernet(packet, tags=b""):
    return BOB + ALICE + tags + (b"\x86\xdd" if packet[0] >> 4 == 6 else b"\x08\x00") + packet


def counts():
    found = lana.get("x")
    options = {key: int(value) for key, value in found.options.items() if value.isdigit()}
    return options | {"drop." + reason: packets for reason, packets in found.drops.items()}


def changed(before):
    return {key: value - before.get(key, 0) for key, value in counts().items() if value != before.get(key, 0)}


def raw(version):
    """What witness gets, whole."""
    if version == 4:
        sock = socket.socket(socket.AF_INET, socket.SOCK_RAW, PROTOCOL)
    else:
        sock = socket.socket(socket.AF_INET6, socket.SOCK_RAW, PROTOCOL)
    sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)
    sock.setblocking(False)
    return sock


def got(sock):
    try:
        return sock.recv(1 << 17)
    except BlockingIOError:
        return None


def before(receive, marker):
    """What came before the marker, which is the end of a packet."""
    found = []
    end_of_it = time.monotonic() + 10
    while time.monotonic() < end_of_it:
        came = receive()
        if came is None:
            continue
        if came.endswith(marker):
            return found
        found.append(came)
    return found + ["no marker"]


# --- defrag ---


def fragment(version, identification, data, at, to, **more):
    """The part of a datagram from one place to another."""
    last = more.pop("last", to >= len(data))
    part = data[at:to]
    if version == 4:
        place = more.pop("df", 0) << 14 | (not last) << 13 | at // 8
        return ipv4(part, identification, place, **more)
    header = bytes([PROTOCOL, 0]) + struct.pack("!HI", at | (not last), identification)
    return ipv6(part, FRAGMENT, header, more.get("tos", 0))


def story(version, identification):
    """Fragments of a datagram as somebody may send them: most are good, some are not."""
    size = RANDOM.choice([8, 16, 88, 504, 1000, 1400]) & ~7
    data = noise(RANDOM.randrange(1, min(6000 if size > 400 else 40 * size, LONGEST - 40)))
    cuts = list(range(0, len(data), size)) + [len(data)]
    parts = [(at, to, {}) for at, to in zip(cuts, cuts[1:])]
    if len(parts) < 2:
        parts = [(0, len(data), {})]
    odd = RANDOM.random()
    if odd < 0.1:
        parts.insert(RANDOM.randrange(len(parts)), RANDOM.choice(parts))  # twice
    elif odd < 0.2:
        at = RANDOM.randrange(0, len(data)) & ~7
        parts.insert(RANDOM.randrange(len(parts)), (at, min(len(data), at + RANDOM.choice([8, 24, size])), {"last": False}))
    elif odd < 0.25:
        parts.append((cuts[-2], cuts[-1] + 8, {}))
    elif odd < 0.3:
        at, to, _ = parts.pop()
        parts.append((at, max(at + 1, to - 3), {"last": True}))
        parts.append((at, to, {}))
    elif odd < 0.35:
        parts = [(at, to, {"tos": RANDOM.randrange(4)}) for at, to, _ in parts]
    elif odd < 0.4:
        parts.pop(RANDOM.randrange(len(parts)))
    elif odd < 0.45:
        at, to, _ = parts[0]
        parts[0] = (at, max(1, to - RANDOM.randrange(1, 8)), {"last": False})
    elif odd < 0.5 and version == 4:
        parts = [(at, to, {"df": RANDOM.randrange(2)}) for at, to, _ in parts]
    elif odd < 0.55:
        parts.append((cuts[-1] & ~7, cuts[-1] & ~7, {"last": False}))
    order = RANDOM.random()
    if order < 0.3:
        parts.reverse()
    elif order < 0.7:
        RANDOM.shuffle(parts)
    return [fragment(version, identification, data, at, to, **more) for at, to, more in parts]


def payload(packet):
    """What IPv6 carries, also in one fragment that is all (RFC 6946)."""
    return packet[62 if packet[20] == FRAGMENT else 54:]


def defrag():
    socks = {version: inside("witness", raw, version) for version in (4, 6)}
    stories = whole = 0
    wrong = []
    for number in range(3000 if LONG else max(60, 500 // SLOW)):
        version = RANDOM.choice([4, 4, 6])
        # Linux still has what waits of the other way.
        packets = story(version, number + (1 if WAY == "skbs" else 20001))
        marker = b"marker" + noise(8)
        last = ipv4(marker, 0, 0) if version == 4 else ipv6(marker, PROTOCOL)
        for packet in packets + [last]:
            alice.send(ethernet(packet))
            witness.send(ethernet(packet))
        stories += 1
        want = before(lambda sock=socks[version]: got(sock), marker)
        came = before(lambda: bob.receive(0.1)[0], marker)
        have = [packet[14:] if version == 4 else payload(packet) for packet in came]
        whole += len(want)
        if have != want or any(packet[:12] != BOB + ALICE for packet in came):
            wrong.append((number, version, [p[:48].hex() for p in packets][:6], len(have), len(want),
                          difference(want[0] if want else b"", have[0] if have else None)))
    check(f"{whole} of {stories} datagrams become what Linux makes of them", not wrong and stories // 3 < whole < stories,
          *wrong[:5])
    was = counts()
    check("all kinds were counted", all(was[key] for key in ("fragments", "reassembled", "duplicates", "overlaps", "invalid")), was)


def comes(name, sent, want, **more):
    """Of packets of alice another one comes to bob, or none; and it is counted."""
    was = counts()
    for data in sent:
        alice.send(data)
    came, _ = bob.receive(5 if want else 0.5)
    check(name, came == want and changed(was) == more and bob.quiet(), difference(want or b"", came), changed(was))


def defrag_rest():
    """What is no fragment, tags, and bounds."""
    lana.transact(("FB_NEW", "y", "defrag"))
    lana.replace("x", "y", drop_state=True)
    lana.remove("x")
    lana.transact(("FB_NEW", "x", "defrag"))
    lana.replace("y", "x")
    lana.remove("y")
    data = noise(2000)
    for tags in b"", b"\x81\x00\x00\x07", b"\x88\xa8\x00\x07\x81\x00\x00\x08":
        parts = [ethernet(fragment(4, 7, data, at, at + 1000), tags) for at in (0, 1000)]
        comes(f"tags {tags.hex() or 'none'} stay", parts, ethernet(ipv4(data, 7, 0), tags), fragments=2, reassembled=1)
    options = b"\x94\x04\x00\x00"
    parts = [ethernet(fragment(4, 7, data, at, at + 1000, options=options) + b"pad" * (at > 0)) for at in (1000, 0)]
    comes("options and padding", parts, ethernet(ipv4(data, 7, 0, options=options)), fragments=2, reassembled=1)
    for size, counted in (LONGEST - 20, {"reassembled": 1}), (65515, {"reassembled": 1}), (65516, {"invalid": 1, "drop.malformed": 1}):
        longest = noise(size)
        parts = [ethernet(fragment(4, 8, longest, at, min(len(longest), at + 1480))) for at in range(0, len(longest), 1480)]
        # The device takes no more than its MTU.
        want = ethernet(ipv4(longest, 8, 0)) if size == LONGEST - 20 else None
        comes(f"a datagram of {size} bytes", parts, want, fragments=len(parts), **counted)
    for name, packet in [("a whole packet", ipv4(data[:500], 1, 0)), ("don't fragment", ipv4(data[:500], 1, 0x4000)),
                         ("IPv6", ipv6(data[:500], PROTOCOL)),
                         ("a fragment that is all (RFC 6946)",
                          ipv6(data[:500], FRAGMENT, bytes([PROTOCOL, 0]) + struct.pack("!HI", 0, 9)))]:
        comes(name + " passes", [ethernet(packet)], ethernet(packet))
    one, other = (fragment(4, 9, data, at, at + 1000) for at in (0, 1000))
    alice.send(ethernet(one, b"\x81\x00\x00\x07"))
    alice.send(ethernet(other))
    check("different tags are of different datagrams", bob.quiet() and counts()["waiting"] == 2, counts())
    was = counts()
    alice.send(ethernet(other[:10] + b"xx" + other[12:]))
    until = time.monotonic() + 5
    while "drop.malformed" not in changed(was) and time.monotonic() < until:
        time.sleep(0.01)
    check("a wrong checksum of the header", changed(was) == {"fragments": 1, "invalid": 1, "drop.malformed": 1}, changed(was))
    lana.set("x", "datagrams", "2")
    was = counts()
    alice.send(ethernet(fragment(4, 10, data, 0, 1000)))
    while "drop.queue-full" not in changed(was) and time.monotonic() < until:
        time.sleep(0.01)
    check("one more than may wait", changed(was) == {"fragments": 1, "full": 1, "drop.queue-full": 1}, changed(was))
    lana.set("x", "datagrams", "5000")
    comes("the rest comes with another table", [ethernet(one)], ethernet(ipv4(data, 9, 0)), fragments=1, reassembled=1, waiting=-1,
          bytes=-(1000 + 128 + 128))
    lana.set("x", "timeout", "100ms")
    until = time.monotonic() + 5
    while counts()["waiting"] and time.monotonic() < until:
        time.sleep(0.05)
    alice.send(ethernet(fragment(4, 11, data, 0, 1000)))
    time.sleep(0.05)
    until = time.monotonic() + 5
    while counts()["waiting"] and time.monotonic() < until:
        time.sleep(0.05)
    check("what waits too long ends, without another packet", (counts()["waiting"], counts()["bytes"], counts()["timeouts"]) ==
          (0, 0, 2), counts())
    bounds()


def bounds():
    """How much there may be, in bytes and in stretches."""
    def comes_to(name, was, **more):
        until = time.monotonic() + 5
        while (have := changed(was)) != more and time.monotonic() < until:
            time.sleep(0.01)
        check(name, have == more, have)

    lana.set("x", "timeout", "60s")
    lana.set("x", "memory", "64kb")
    data = noise(2000)
    # A fragment costs 128 bytes more than its data, and so does its datagram: 52 of 1,256 bytes are 65,312.
    cost, most = 1000 + 128 + 128, 52
    was = counts()
    for number in range(most):
        alice.send(ethernet(fragment(4, 100 + number, data, 0, 1000)))
    comes_to("memory: as many as there is room for", was, fragments=most, waiting=most, bytes=most * cost)
    was = counts()
    alice.send(ethernet(fragment(4, 100 + most, data, 0, 1000)))
    comes_to("memory: one more is dropped", was, **{"fragments": 1, "full": 1, "drop.queue-full": 1})
    was = counts()
    alice.send(ethernet(fragment(4, 100, data, 1000, 2000)))
    comes_to("memory: also one that would make a datagram whole", was, **{"fragments": 1, "full": 1, "drop.queue-full": 1})
    lana.set("x", "memory", "128kb")
    comes("memory: and comes when there is more", [ethernet(fragment(4, 100, data, 1000, 2000))], ethernet(ipv4(data, 100, 0)),
          fragments=1, reassembled=1, waiting=-1, bytes=-cost)
    lana.set("x", "memory", "")
    # None of these continues the one before: 256 begin a stretch each.
    data, stretches = noise(8 * 2 * 257), 256
    was = counts()
    for at in range(stretches):
        alice.send(ethernet(fragment(4, 7, data, 16 * at, 16 * at + 8)))
    comes_to("256 stretches wait", was, fragments=stretches, waiting=1, bytes=128 + stretches * (8 + 128))
    was = counts()
    alice.send(ethernet(fragment(4, 7, data, 16 * stretches, 16 * stretches + 8)))
    comes_to("one more ends the datagram", was, **{"fragments": 1, "full": 1, "drop.queue-full": 1, "waiting": -1,
                                                   "bytes": -(128 + stretches * (8 + 128))})
    if WAY == "skbs":
        tcp = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x14, 1000, checksum(addresses(4) + struct.pack("!HH", 6, 2520)), 0)
        sent = ethernet(ipv4(tcp + noise(2500), 7, 0x4000, protocol=6))
        was = counts()
        alice.send(sent, vnet_hdr(GSO_TCPV4, 54, 1000, 34, 16))
        came, vnet = bob.receive()
        check("a super-packet passes, whole", came == sent and vnet[1] == GSO_TCPV4 and changed(was) == {}, difference(sent, came))
    # What is left here waits when the block goes.
    check("fragments wait", counts()["waiting"] == most - 1, counts())


# --- fragment ---


def parts_of(sock, count=None):
    """What came by then."""
    parts = []
    while count is None or len(parts) < count:
        came, _ = sock.receive(0.1 if count is None else 3)
        if came is None:
            break
        parts.append(came)
    return parts


def fragments():
    """Linux cuts what it forwards: alice sends to witness, who sends on by a device with the MTU."""
    beyond = Port("beyond", "v0")
    for mtu in 1500, 576, 1000, 1003, 68:
        lana.set("x", "mtu", str(mtu))
        inside("witness", write_mtu, mtu)
        cases = [(f"{size} bytes", dict(size=size)) for size in (mtu - 21, mtu - 20, mtu - 19, min(2 * mtu, LONGEST - 20), min(6000, LONGEST - 20) if mtu > 68 else 900)]
        cases += [("options", dict(size=2000 if mtu > 68 else 300, options=b"\x1e\x07\x04\x00\x00\x00\x00\x94\x04\x00\x00\x01")),
                  ("a fragment", dict(size=1999 if mtu > 68 else 199, place=0x2000 | 100)),
                  ("a last fragment", dict(size=1999 if mtu > 68 else 199, place=100)),
                  ("ECN", dict(size=2000 if mtu > 68 else 300, tos=2))]
        for name, case in cases:
            data = noise(case.pop("size"))
            sent = ipv4(data, 77, case.pop("place", 0), **case)
            # A router takes one off the TTL.
            to_router = bytearray(sent)
            to_router[8] = 65
            to_router[10:12] = bytes(2)
            length = (sent[0] & 15) * 4
            to_router[10:12] = struct.pack("!H", checksum(bytes(to_router[:length])) ^ 0xFFFF)
            was = counts()
            alice.send(ethernet(sent))
            witness.send(ethernet(bytes(to_router)))
            want = [part[14:] for part in parts_of(beyond)]
            have = parts_of(bob, len(want))
            is_cut = len(want) > 1
            counted = changed(was)
            good = [part[14:] for part in have] == want and all(part[:12] == BOB + ALICE for part in have) and bool(want)
            check(f"mtu={mtu}, {name}: as Linux cuts it, in {len(want)}",
                  good and counted == ({"cut": 1, "fragments": len(want)} if is_cut else {"fit": 1}) and bob.quiet(),
                  counted, len(have), *[difference(a, b) for a, b in zip(want, [p[14:] for p in have]) if a != b][:2])


def write_mtu(mtu):
    subprocess.run(["ip", "link", "set", "w1", "mtu", str(mtu)], check=True)


def fragments_rest():
    lana.set("x", "mtu", "1400")
    data = noise(1500)
    for tags in b"\x81\x00\x00\x07", b"\x88\xa8\x00\x07\x81\x00\x00\x08":
        alice.send(ethernet(ipv4(data, 5, 0), tags))
        have = parts_of(bob, 2)
        want = [ethernet(ipv4(data[:1376], 5, 0x2000), tags), ethernet(ipv4(data[1376:], 5, 172), tags)]
        check(f"tags {tags.hex()} stay", have == want, *[difference(a, b) for a, b in zip(want, have)])
    # A checksum that is left to the device is in the first fragment.
    data = noise(1480)
    pseudo = addresses(4) + struct.pack("!HH", UDP, 8 + len(data))
    udp = struct.pack("!HHH", 9, 10, 8 + len(data))
    partial = ipv4(udp + struct.pack("!H", checksum(pseudo)) + data, 6, 0, protocol=UDP)
    value = checksum(pseudo + udp + b"\0\0" + data) ^ 0xFFFF or 0xFFFF
    whole = udp + struct.pack("!H", value) + data
    if WAY == "skbs":
        alice.send(ethernet(partial), vnet_hdr(0, 42, 0, 34, 6))
        have = parts_of(bob, 2)
        want = [ethernet(ipv4(whole[:1376], 6, 0x2000, protocol=UDP)), ethernet(ipv4(whole[1376:], 6, 172, protocol=UDP))]
        check("a checksum for the device is filled in", have == want, *[difference(a, b) for a, b in zip(want, have)])
        # Segments that fit, and those that do not.
        for mss, fits in (1300, True), (1448, False):
            tcp = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x10, 1000, checksum(addresses(4) + struct.pack("!HH", 6, 6020)), 0)
            sent = ethernet(ipv4(tcp + noise(6000), 7, 0x4000, protocol=6))
            was = counts()
            alice.send(sent, vnet_hdr(GSO_TCPV4, 54, mss, 34, 16))
            came, _ = (bob if fits else alice).receive()
            check(f"a super-packet with segments of {mss} bytes {'passes' if fits else 'is refused'}",
                  (came == sent) == fits and changed(was) == ({"fit": 1} if fits else
                                                              {"refused": 1, "messages": 1, "drop.too-big": 1}), changed(was))
            # Bob resets what he knows nothing of.
            while not alice.quiet():
                pass
        # Who may cut them takes it apart first, as Linux does.
        beyond = Port("beyond", "v0")
        inside("witness", write_mtu, 1400)
        data = noise(6000)
        tcp = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x14, 1000, checksum(addresses(4) + struct.pack("!HH", 6, 6020)), 0)
        sent = ethernet(ipv4(tcp + data, 7, 0, protocol=6))
        to_router = ethernet(ipv4(tcp + data, 7, 0, protocol=6, ttl=65))
        was = counts()
        alice.send(sent, vnet_hdr(GSO_TCPV4, 54, 1448, 34, 16))
        witness.send(to_router, vnet_hdr(GSO_TCPV4, 54, 1448, 34, 16))
        want = [part[14:] for part in parts_of(beyond, 9)]
        have = [part[14:] for part in parts_of(bob, 9)]
        check("a super-packet that may be cut: its segments are, as Linux cuts them", have == want and len(want) == 9 and bob.quiet(),
              len(have), len(want), *[difference(a, b) for a, b in zip(want, have) if a != b][:2])
        check("each counts", changed(was) == {"cut": 4, "fragments": 8, "fit": 1}, changed(was))
    # Don't fragment.
    data = noise(1450)
    sent = ipv4(data, 5, 0x4000)
    for how in "icmp", "drop", "fragment":
        lana.set("x", "df", how)
        was = counts()
        alice.send(ethernet(sent))
        if how == "fragment":
            have = parts_of(bob, 2)
            want = [ethernet(ipv4(data[:1376], 5, 0x2000)), ethernet(ipv4(data[1376:], 5, 172))]
            check("df=fragment", have == want and changed(was) == {"cut": 1, "fragments": 2}, changed(was),
                  *[difference(a, b) for a, b in zip(want, have)])
            continue
        came, _ = alice.receive(3 if how == "icmp" else 0.1)
        quoted = struct.pack("!BBHHH", 3, 4, 0, 0, 1400) + sent[:548]
        quoted = quoted[:2] + struct.pack("!H", checksum(quoted) ^ 0xFFFF) + quoted[4:]
        head = struct.pack("!BBHHHBBH", 0x45, 0xC0, 20 + len(quoted), 0, 0, 64, 1, 0) + addresses(4)[4:] + addresses(4)[:4]
        head = head[:10] + struct.pack("!H", checksum(head) ^ 0xFFFF) + head[12:]
        want = ALICE + BOB + b"\x08\x00" + head + quoted if how == "icmp" else None
        check(f"df={how}", came == want and changed(was) == {"refused": 1, "drop.too-big": 1} | ({"messages": 1} if want else {}),
              changed(was), difference(want or b"", came))
    lana.set("x", "df", "icmp")
    lana.set("x", "icmp.rate", "0")
    was = counts()
    alice.send(ethernet(sent))
    check("icmp.rate=0: no message", alice.quiet() and changed(was) == {"refused": 1, "drop.too-big": 1}, changed(was))
    lana.set("x", "icmp.rate", "1000")
    # IPv6.
    data = noise(1460)
    sent = ipv6(data, PROTOCOL)
    was = counts()
    alice.send(ethernet(sent))
    came, _ = alice.receive()
    good = came and came[:14] == ALICE + BOB + b"\x86\xdd" and came[54:56] == b"\x02\x00" and \
        came[58:62] == struct.pack("!I", 1400) and came[62:] == sent[:1280 - 48] and \
        checksum(came[22:54] + struct.pack("!II", len(came) - 54, 58) + came[54:]) == 0xFFFF
    check("ipv6=icmp", good and changed(was) == {"refused": 1, "messages": 1, "drop.too-big": 1}, changed(was), came and came.hex())
    lana.set("x", "ipv6", "fragment")
    sock = inside("bob", raw, 6)
    alice.send(ethernet(sent))
    have = parts_of(bob, 2)
    until = time.monotonic() + 5
    while (came := got(sock)) is None and time.monotonic() < until:
        time.sleep(0.01)
    check("ipv6=fragment: Linux makes the datagram of them", came == data and [len(p) for p in have] == [14 + 1400, 14 + 48 + 108],
          [len(p) for p in have], difference(data, came))


# So that bob says nothing about protocols that he does not know.
silent = [inside("bob", raw, 4), inside("bob", raw, 6)]
lana.set("x", "direction", "ingress")
if sys.argv[1] == "defrag":
    defrag()
    defrag_rest()
else:
    fragments()
    fragments_rest()
end()

# SPDX-License-Identifier: GPL-2.0
"""reliable.py WAY: the block `r`, a reliable, is between lan0 (below) and lan1 (above). So what bob sends comes to alice with
a number, and what alice numbers comes to bob. Alice is the other end: what is on her wire is made, and looked at, by the
format that Documentation/blocks.md tells. What does not depend on the form of a packet is tested by skbs alone; LANA_LONG=1: by
frames, too."""

import struct
import sys
import time

from frames import ALICE, BOB, GSO_TCPV4, alice, bob, checksum, difference, ipv4, noise, pseudo, vnet_hdr
from lana import check, end
from rig import LONG, Lana, quiesce

WAY = sys.argv[1]
ALL = WAY == "skbs" or LONG
lana = Lana()
DATA, ACK, ASK, ANSWER, URGENT = 0, 1, 2, 3, 0x80
FIELDS = ("session", "token", "sequence", "first", "stamp", "acked", "ack", "echo")
NAMES = ("sent", "resent", "acknowledged", "given-up", "delivered", "out-of-order", "duplicate", "skipped", "stale", "clear",
         "pending", "pending-bytes", "waiting", "waiting-bytes", "control")
# No timer fires unasked.
for key, value in {"rto-min": "1s", "rto-max": "60s", "ack-delay": "100ms", "timeout": "600s"}.items():
    lana.set("r", key, value)


def counts():
    options = lana.get("r").options
    return {name: int(options[name]) for name in NAMES}


def drops(reason):
    return lana.get("r").drops.get(reason, 0)


class Header:
    """What is in front of a packet."""

    def __init__(self, frame):
        self.kind, self.version, self.what = struct.unpack_from("!HBB", frame, 12)
        for name, value in zip(FIELDS, struct.unpack_from("!8I", frame, 16)):
            setattr(self, name, value)
        self.plain = frame[:12] + frame[48:]
        self.urgent, self.what = bool(self.what & URGENT), self.what & 0x7F
        length = struct.unpack_from("!H", frame, 48)[0] if self.what == ACK else 0
        self.map = int.from_bytes(b"".join(frame[50:50 + length][i:i + 8] for i in range(0, length, 8)), "big") if length <= 8 else None


def numbered(frame, sequence, what=DATA, version=0x10, **fields):
    """A frame as the other end sends it. What is not told is what is right now."""
    fields = {"session": mine, "token": theirs, "sequence": sequence, "first": sequence, "stamp": int(time.monotonic() * 1e6), "acked": 0,
              "ack": 0, "echo": 0, **fields}
    return frame[:12] + struct.pack("!HBB8I", 0x88B5, version, what, *[fields[name] & 0xFFFFFFFF for name in FIELDS]) + frame[12:]


def control(what, body=b"\0\0", sequence=0, **fields):
    return numbered((BOB + ALICE + body).ljust(24, b"\0"), sequence, what, **fields)


def frame(size, to=BOB, by=ALICE, kind=b"\x08\x55"):
    return to + by + (kind + noise(size))[:size - 12]


def back(size, **more):
    """One that bob sends."""
    return frame(size, ALICE, BOB, **more)


def heard(what, name):
    """The next frame that comes to alice is of this kind: its header."""
    came, _ = alice.receive()
    header = Header(came) if came and len(came) >= 60 else None
    good = header and (header.kind, header.version, header.what) == (0x88B5, 0x10, what)
    check(name, good, came and came.hex())
    return header if good else Header(bytes(60))


# --- What it sends ---

mine, theirs = 0x11223344, 0
sent = [back(size) for size in (100, 14, 1514 - 36)]
bob.send(sent[0])
ask = heard(ASK, "who sends first asks the other end")
check("about a session, without a token", ask.session and not ask.token and alice.quiet(), vars(ask))
for packet in sent[1:]:
    bob.send(packet)
quiesce()
now = counts()
check("meanwhile packets are kept", (now["pending"], now["sent"]) == (3, 3) and alice.quiet(), now)
alice.send(control(ANSWER, token=0x77, acked=ask.session ^ 1))
alice.send(control(ANSWER, token=0, acked=ask.session))
quiesce()
check("an answer to another session, or without a token, is none", alice.quiet() and drops("malformed") == 1, drops("malformed"))
alice.send(control(ANSWER, token=0x77, acked=ask.session))
headers = [heard(DATA, f"packet {number} goes then") for number in range(3)]
check("in order, of the session, with the token", [(h.session, h.token, h.sequence) for h in headers] ==
      [(ask.session, 0x77, (headers[0].sequence + i) & 0xFFFFFFFF) for i in range(3)])
padded = sent[1].ljust(24, b"\0")
check("all their bytes are there", [h.plain for h in headers] == [sent[0], padded, sent[2]], [h.plain.hex() for h in headers])
check("nothing goes twice", alice.quiet() and counts()["resent"] == 0, counts())
first = headers[0].sequence


def acknowledge(ack, bits=0, **fields):
    body = struct.pack("!HQ", 8, bits) if bits else b"\0\0"
    alice.send(control(ACK, body, **{"session": 0, "token": 0, "acked": ask.session, "ack": ack, "echo": headers[-1].stamp, **fields}))
    quiesce()


for what, ack, fields in [("another session's", first + 3, {"acked": ask.session ^ 1}), ("of what was not sent", first + 4, {}),
                          ("of what is long over", first - 1, {})]:
    acknowledge(ack, **fields)
    check(f"an acknowledgement is ignored: {what}", counts()["pending"] == 3, counts())
acknowledge(first + 1)
now = counts()
check("one is acknowledged", (now["acknowledged"], now["pending"], now["pending-bytes"]) == (1, 2, 24 + len(sent[2])), now)
time.sleep(0.2)
bob.send(back(60))
headers.append(heard(DATA, "the next one"))
check("says what is not acknowledged yet", (headers[3].sequence, headers[3].first) == ((first + 3) & 0xFFFFFFFF, (first + 1) & 0xFFFFFFFF))
acknowledge(first + 1, 0b10)
again = heard(DATA, "what is missing before one that has come is sent again")
more = heard(DATA, "all of it")
check("these two, at once to be acknowledged", [(h.sequence, h.plain, h.urgent) for h in (again, more)] ==
      [(headers[1].sequence, padded, True), (headers[2].sequence, sent[2], True)], (vars(again), vars(more)))
acknowledge(first + 1, 0b10, echo=more.stamp)
check("but not again before they could have come", alice.quiet(), "")
acknowledge(first + 4)
now = counts()
check("all are acknowledged", (now["pending"], now["pending-bytes"], now["acknowledged"], now["resent"]) == (0, 0, 4, 2), now)

# A tag, a super-packet, a checksum.
tagged = back(300, kind=b"\x81\x00\x00\x07\x08\x55")
bob.send(tagged)
header = heard(DATA, "a packet with a VLAN tag")
check("has it inside", header.plain == tagged, header.plain.hex())
number = 5
if WAY == "skbs":
    data = b"0123456789" * 250
    head = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x10, 1000, pseudo(6, 20 + len(data)), 0)
    bob.send(ipv4(6, head + data), vnet_hdr(GSO_TCPV4, 54, 1000, 34, 16))
    parts = [heard(DATA, f"part {part} of a super-packet") for part in range(3)]
    check("which are all of it, in order", b"".join(part.plain[54:] for part in parts) == data)
    data = b"0123456789" * 50 + b"x"
    packet = ipv4(17, struct.pack("!HHHH", 9, 9, 8 + len(data), pseudo(17, 8 + len(data))) + data)
    bob.send(packet, vnet_hdr(0, 0, 0, 34, 6))
    header = heard(DATA, "a packet whose checksum is left to the device")
    check("has it", header.plain[:40] == packet[:40] and header.plain[42:] == packet[42:] and
          checksum(struct.pack("!H", pseudo(17, 8 + len(data))) + header.plain[34:]) == 0xFFFF)
    number += 4
acknowledge(first + number)
now = counts()
check("all of these are counted", (now["sent"], now["pending"]) == (number, 0), now)

# The window.
if ALL:
    for key, value in {"window": "3", "limit": "2048"}.items():
        lana.set("r", key, value)
    full = drops("queue-full")
    for size in (100, 100, 100, 100, 100):
        bob.send(back(size))
    headers += [heard(DATA, f"{part} of three within the window") for part in range(3)]
    quiesce()
    check("the others are dropped as queue-full", alice.quiet() and drops("queue-full") == full + 2, drops("queue-full"))
    check("the last one within it is to be acknowledged at once", [h.urgent for h in headers[-3:]] == [False, False, True])
    number += 3
    acknowledge(first + number)
    for size in (1400, 1000, 500):
        bob.send(back(size))
    headers.append(heard(DATA, "1400 bytes of 2048"))
    headers.append(heard(DATA, "500 bytes more"))
    quiesce()
    check("1000 are too many", alice.quiet() and drops("queue-full") == full + 3 and [len(h.plain) for h in headers[-2:]] == [1400, 500])
    number += 2
    acknowledge(first + number)
    for key in ("window", "limit"):
        lana.set("r", key, "")

# A timer, and an end of it.
if ALL:
    for key, value in {"retries": "2", "rto-min": "1ms", "rto-max": "20ms"}.items():
        lana.set("r", key, value)
    was = counts()
    bob.send(back(200))
    three = [heard(DATA, f"sent for time {time}") for time in range(1, 4)]
    check("the same packet", len({(h.sequence, h.plain) for h in three}) == 1 and len({h.stamp for h in three}) == 3)
    check("is not sent for ever", alice.receive(0.2)[0] is None)
    now = counts()
    check("it is given up", (now["resent"] - was["resent"], now["given-up"] - was["given-up"], now["pending"]) == (2, 1, 0), now)
    bob.send(back(200))
    bob.send(back(200))
    gone = heard(DATA, "one that does not come")
    come = heard(DATA, "one that does")
    check("the numbers go on, and the first one is not waited for", gone.first == gone.sequence == (three[0].sequence + 1) & 0xFFFFFFFF)
    acknowledge(gone.sequence, 0b1, echo=come.stamp)
    told = None
    for _ in range(12):
        told = Header(alice.receive()[0] or bytes(60))
        if told.what == ACK:
            break
    check("that a packet is given up is told, as others wait for it", told.what == ACK and told.urgent and
          told.first == (come.sequence + 1) & 0xFFFFFFFF, vars(told))
    acknowledge(come.sequence + 1)
    check("which ends it", counts()["pending"] == 0, counts())
    for key, value in {"retries": "", "rto-min": "1s", "rto-max": "60s"}.items():
        lana.set("r", key, value)
while not alice.quiet():
    pass

# --- What it receives ---

was = counts()
stale = drops("filtered")
alice.send(numbered(frame(100), 1000))
answer = heard(ANSWER, "who sends without a token gets an answer")
check("to the session, to the address that it came from", answer.acked == mine and answer.token and answer.plain[:12] == ALICE + BOB, vars(answer))
quiesce()
check("and the packet is dropped", bob.quiet() and (counts()["stale"], drops("filtered")) == (was["stale"] + 1, stale + 1), counts())
alice.send(control(ASK, token=0))
answer = heard(ANSWER, "who asks gets one, too")
theirs = answer.token


def arrives(name, packets, wanted):
    """These packets come to alice's end, and those go on to bob."""
    for packet in packets:
        alice.send(packet)
    for want in wanted:
        came, _ = bob.receive()
        check(name, came == want, difference(want, came))
    quiesce()
    check(f"{name}: no more", bob.receive(0)[0] is None)


packets = [frame(size) for size in (100, 24, 1514 - 36, 300, 301, 302, 303, 304, 305, 306, 307, 308)]
arrives("with the token a session begins", [numbered(packets[0], 1000)], packets[:1])
ack = heard(ACK, "it is acknowledged in a moment")
check("by what is expected next", (ack.acked, ack.ack, ack.map) == (mine, 1001, 0), vars(ack))
arrives("once", [numbered(packets[0], 1000, first=999)], [])
check("and what comes twice is acknowledged at once", heard(ACK, "a second acknowledgement").ack == 1001)
arrives("what comes too early waits", [numbered(packets[3], 1003, first=1001), numbered(packets[2], 1002, first=1001)], [])
acks = [heard(ACK, "and so it says") for _ in range(2)]
check("by a map of what has come", [(a.ack, a.map) for a in acks] == [(1001, 0b10), (1001, 0b11)], [vars(a) for a in acks])
now = counts()
check("they are counted", (now["waiting"], now["waiting-bytes"], now["out-of-order"]) ==
      (2, sum(map(len, packets[2:4])) + 72, 2), now)
arrives("twice too early", [numbered(packets[3], 1003, first=1001)], [])
heard(ACK, "is acknowledged")
arrives("they follow the one that is missing", [numbered(packets[1], 1001)], packets[1:4])
check("all are acknowledged", heard(ACK, "in a moment").ack == 1004)
arrives("what its sender does not send again is not waited for", [numbered(packets[5], 1006, first=1004),
        numbered(packets[4], 1007, first=1006)], [packets[5], packets[4]])
while (ack := heard(ACK, "acknowledged")).ack != 1008:
    pass
arrives("if told alone, too", [numbered(packets[6], 1009, first=1008), control(ACK | URGENT, sequence=1010, first=1010)], [packets[6]])
while (ack := heard(ACK, "acknowledged, too")).ack != 1010:
    pass
now = {name: counts()[name] - was[name] for name in NAMES}
check("all is counted", [now[name] for name in ("delivered", "duplicate", "out-of-order", "skipped", "stale", "waiting")] ==
      [7, 2, 4, 3, 1, 0], now)
full = drops("queue-full")
lana.set("r", "limit", "2048")
arrives("bytes are bounded", [numbered(frame(1400), 1011, first=1010), numbered(frame(1400), 1012, first=1010)], [])
quiesce()
check("what is beyond is dropped as queue-full", (drops("queue-full"), counts()["waiting"]) == (full + 1, 1), counts())
lana.set("r", "timeout", "100ms")
came, _ = bob.receive()
check("what waits does not wait for longer than that", came is not None and len(came) == 1400 and counts()["skipped"] - was["skipped"] == 4, counts())
lana.set("r", "limit", "")
lana.set("r", "timeout", "600s")
while not alice.quiet():
    pass

# A session that begins anew, and nothing of the one before.
before, old, mine, theirs = (mine, theirs), numbered(packets[7], 1012), 0x55667788, 0
was = counts()
alice.send(control(ASK))
theirs = heard(ANSWER, "another session").token
arrives("it has another token", [numbered(packets[8], 5)], packets[8:9])
check("which is another one", theirs != before[1])
arrives("nothing comes of the one before", [old], [])
check("that is counted", counts()["stale"] == was["stale"] + 1, counts())
while not alice.quiet():
    pass

# The other end has forgotten the session: what may have come there is given up.
if ALL:
    was = counts()
    bob.send(back(100))
    one = heard(DATA, "one more")
    alice.send(control(ANSWER, token=0x99, acked=one.session))
    quiesce()
    now = counts()
    check("what may have come there is not sent again", alice.quiet() and (now["given-up"] - was["given-up"], now["pending"]) == (1, 0), now)
    bob.send(back(100))
    other = heard(DATA, "what comes then")
    check("goes in another session", other.session != one.session and other.token == 0x99 and other.first == other.sequence, vars(other))
    headers.append(other)
    acknowledge(other.sequence + 1, acked=other.session)
    check("which is acknowledged", counts()["pending"] == 0, counts())

# --- What has no number, and what is malformed ---

was = counts()["clear"]
for what, packet in {"another EtherType": frame(100), "a VLAN tag outside": numbered(frame(100), 6)[:12] + b"\x81\0\0\7" + numbered(frame(100), 6)[12:],
                     "another version": numbered(frame(100), 6, version=1), "14 bytes": frame(14), "no more than the EtherType": frame(14, kind=b"\x88\xb5")}.items():
    arrives(f"{what} passes as it is", [packet], [packet])
check("these are counted", counts()["clear"] == was + 5, counts())
lana.set("r", "plain", "drop")
filtered = drops("filtered")
arrives("or is dropped", [frame(100)], [])
check("as filtered", (drops("filtered"), counts()["clear"]) == (filtered + 1, was + 6), counts())
lana.set("r", "plain", "pass")


def malformed(name, packet):
    before, until = drops("malformed"), time.monotonic() + 5
    alice.send(packet)
    while (now := drops("malformed")) == before and time.monotonic() < until:
        time.sleep(0.002)
    check(name, now == before + 1, now)


good = numbered(frame(100), 6)
for size in (15, 16, 17, 20, 47, 48, 49):
    malformed(f"only {size} bytes of one", good[:size])
malformed("an unknown kind", numbered(frame(100), 6, what=4))
malformed("no session", numbered(frame(100), 6, session=0))
malformed("one that is older than itself", numbered(frame(100), 6, first=7))
malformed("one that is too far ahead", numbered(frame(100), 6 + 1024, first=6))
malformed("who asks for no session", control(ASK, session=0))
malformed("a map of more than there is", control(ACK, b"\x00\x18" + bytes(16)))
malformed("a map of more than there can be", control(ACK, b"\x00\x88" + bytes(200)))
malformed("a map that is no number of words", control(ACK, b"\x00\x04" + bytes(20)))
check("nobody gets any of these", bob.quiet())
arrives("it goes on after all that", [numbered(packets[9], 6)], packets[9:10])
while not alice.quiet():
    pass

# --- Neither, on the way to the other end ---

lana.set("r", "send", "off")
was = counts()
packet = back(100)
bob.send(packet)
came, _ = alice.receive()
check("with send=off what goes down passes", came == packet and counts()["sent"] == was["sent"], counts())
arrives("and what has come with a number is still delivered", [numbered(packets[10], 7)], packets[10:11])
check("and acknowledged", heard(ACK, "an acknowledgement").ack == 8)
sys.exit(end())

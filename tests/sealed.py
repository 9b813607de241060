# SPDX-License-Identifier: GPL-2.0
"""sealed.py WAY: the block `k`, a crypt, is between lan0 (below) and lan1 (above). So what bob sends comes to alice
encrypted, and what alice encrypts comes to bob. What is on alice's wire is made, and looked at, by the format that
Documentation/blocks.md tells, with an AES-GCM of its own."""

import hashlib
import hmac
import struct
import subprocess
import sys
import time

from frames import ALICE, BOB, GSO_TCPV4, alice, bob, difference, noise, pseudo, tcp, udp, vnet_hdr
from gcm import Gcm
from lana import check, end
from rig import Lana, quiesce

WAY = sys.argv[1]
lana = Lana()
TX, RX = bytes(range(32)), bytes(range(100, 116))  # of the block: it encrypts by TX, and decrypts by RX
lana.set("k", "tx.key", "7:" + TX.hex())
lana.set("k", "rx.9.key", RX.hex())
REASONS = ("no-key", "spent", "clear", "forged", "replayed", "stale")


def gcm(key, number, session):
    """A session's: its key is derived."""
    return Gcm(hmac.new(key, b"LANA crypt 1" + bytes([number]) + session, hashlib.sha256).digest()[:len(key)])


class Peer:
    """Encrypts as a sender does."""

    def __init__(self, key, number, at, salt=b"saltsalt"):
        self.number, self.session = number, struct.pack("!Q", at) + salt
        self.gcm = gcm(key, number, self.session)

    def seal(self, frame, sequence, version=1, session=None):
        head = frame[:12] + struct.pack("!HBB", 0x88B5, version, self.number) + (session or self.session)
        head += struct.pack("!Q", sequence)
        return head + self.gcm.seal(bytes(4) + struct.pack("!Q", sequence), head, frame[12:])


def opened(frame):
    """What a frame of the block's was, and its number; the reason why it is none."""
    head, (kind, version, number) = frame[:40], struct.unpack_from("!HBB", frame, 12)
    if (kind, version, number) != (0x88B5, 1, 7):
        return f"{kind:#x} {version} {number}", 0
    sequence = struct.unpack_from("!Q", frame, 32)[0]
    data = gcm(TX, number, frame[16:32]).open(bytes(4) + frame[32:40], head, frame[40:])
    return (frame[:12] + data, sequence) if data is not None else ("a wrong tag", sequence)


def counts():
    options = lana.get("k").options
    return {name: int(options[name]) for name in ("encrypted", "decrypted", *REASONS)}


def frame(size, kind=b"\x08\x55", to=BOB, by=ALICE):
    return to + by + (kind + noise(size))[:size - 12]


# --- What it encrypts ---

last, session = 0, None
lengths = [14, 15, 16, 17, 28, 31, 32, 33, 59, 60, 61, 200, 1000, 1470, 1514]
for size in lengths:
    sent = frame(size, to=ALICE, by=BOB)
    bob.send(sent)
    came, _ = alice.receive()
    if size > 1470:
        # With 44 bytes more it is longer than the device's MTU and a tag.
        check(f"{size} bytes are too long", came is None or WAY == "never", came)
        continue
    plain, sequence = opened(came) if came else ("nothing", 0)
    padded = sent.ljust(16, b"\0")
    check(f"{size} bytes are encrypted", plain == padded and len(came) == len(padded) + 44,
          plain if isinstance(plain, str) else difference(padded, plain))
    check(f"{size} bytes: number {sequence} is the next one", sequence == last + 1 and session in (None, came[16:32]))
    last, session = sequence, came[16:32] if came else None
bits = struct.unpack("!Q", session[:8])[0]
check("the session began a moment ago", abs(time.time() - bits / 1e9) < 3600, bits)
tagged = frame(100, b"\x81\x00\x00\x07\x08\x55", to=ALICE, by=BOB)
bob.send(tagged)
came, _ = alice.receive()
check("a VLAN tag is encrypted, too", opened(came)[0] == tagged, came and came.hex())
if WAY == "skbs":
    # A checksum that is left to the device. Its field has the sum of the pseudo-header.
    sent = udp(101)
    bob.send(sent, vnet_hdr(0, 0, 0, 34, 6))
    came, _ = alice.receive()
    plain = opened(came)[0]
    sums = sum(struct.unpack(f"!{len(plain[34:]) // 2}H", plain[34:34 + 2 * (len(plain[34:]) // 2)])) + (plain[-1] << 8)
    total = sums + pseudo(17, len(plain) - 34)
    total = (total & 0xFFFF) + (total >> 16)
    check("a checksum is filled in before", (total & 0xFFFF) + (total >> 16) == 0xFFFF and plain[:40] == sent[:40], hex(total))
    # A super-packet of 3 segments.
    sent = tcp(2500)
    bob.send(sent, vnet_hdr(GSO_TCPV4, 54, 1000, 34, 16))
    parts = [alice.receive()[0] for _ in range(3)]
    plain = [opened(part)[0] for part in parts if part]
    check("a super-packet is taken apart", b"".join(part[54:] for part in plain) == sent[54:] and len(plain) == 3,
          [len(part) for part in plain])
    check("nothing more comes", alice.quiet())
before = counts()
check("all of these are counted", before["encrypted"] == len(lengths) + 1 + (4 if WAY == "skbs" else 0), before)
if WAY == "skbs":
    # With its head and its tag a packet would be longer than any can be.
    def mtu(value):
        subprocess.run(f"ip link set lan1 mtu {value}".split(), check=True)
        subprocess.run(f"ip -n bob link set b0 mtu {value}".split(), check=True)

    mtu(65535)
    for size, changes in (65549 - 44 + 1, {"too-big": 1}), (65549 - 44, {}):
        was, drops = counts()["encrypted"], dict(lana.get("k").drops)
        bob.send(frame(size, to=ALICE, by=BOB))
        quiesce()
        now = {reason: count - drops.get(reason, 0) for reason, count in lana.get("k").drops.items() if count != drops.get(reason, 0)}
        check(f"{size} bytes are {'too big' if changes else 'not too big'}", (now, counts()["encrypted"] - was) ==
              (changes, int(not changes)), now, counts())
    mtu(1500)

# --- What it decrypts ---

peer = Peer(RX, 9, 1000)
for sequence, size in enumerate((16, 17, 31, 32, 60, 200, 1000, 1470), 1):
    sent = frame(size)
    alice.send(peer.seal(sent, sequence))
    came, _ = bob.receive()
    check(f"{size} bytes are decrypted", came == sent, difference(sent, came))
sent = frame(100, b"\x81\x00\x00\x07\x08\x55")
alice.send(peer.seal(sent, 9))
came, _ = bob.receive()
check("with a VLAN tag", came == sent, difference(sent, came))


def dropped(name, reason, packet, drop="filtered"):
    """A packet is dropped for a reason, which is counted, and nothing comes to bob."""
    was, drops = counts(), lana.get("k").drops.get(drop, 0)
    alice.send(packet)
    quiesce()
    now = counts()
    rose = [key for key in now if now[key] != was[key]]
    check(name, rose == ([reason] if reason else []) and lana.get("k").drops.get(drop, 0) == drops + 1,
          f"{rose}, {lana.get('k').drops}")


good = peer.seal(frame(100), 10)
for at, what in ((0, "the destination"), (6, "the source"), (14 + 1, "the number of the key"), (16, "the time of the session"),
                 (31, "its salt"), (39, "the number"), (40, "the data"), (100, "the data's end"), (128, "the tag"), (143, "its end")):
    bad = bytearray(good)
    bad[at] ^= 1
    reason = "no-key" if at == 15 else "stale" if at == 31 else "forged"
    if at == 0:
        bad[at] ^= 3
    dropped(f"a bit of {what} is another one: {reason}", reason, bytes(bad))
dropped("a byte is missing", "forged", good[:-1])
dropped("a byte too many", "forged", good + b"\0")
alice.send(good)
check("the packet itself comes then", bob.receive()[0] is not None)
dropped("and not again", "replayed", good)
dropped("nor an earlier one", "replayed", peer.seal(frame(100), 3))
dropped("number 0 is of no packet", "replayed", peer.seal(frame(100), 0))
alice.send(peer.seal(frame(60), 2000))
check("numbers may be left out", bob.receive()[0] is not None)
alice.send(peer.seal(frame(60), 2000 - 1023))
check("1023 behind is in the window", bob.receive()[0] is not None)
dropped("1024 behind is not", "replayed", peer.seal(frame(60), 2000 - 1024))
dropped("a packet that is not encrypted", "clear", frame(100))
dropped("one inside of a VLAN", "clear", good[:12] + b"\x81\0\0\7" + good[12:])
dropped("of another version", None, peer.seal(frame(100), 3001, version=2), "malformed")
for size in (59, 41, 40, 39, 16, 15, 14):
    dropped(f"{size} bytes of one", None, good[:size], "malformed")
dropped("of a key that is not there", "no-key", Peer(RX, 8, 2000).seal(frame(100), 1))
dropped("of another key", "forged", Peer(TX, 9, 2000).seal(frame(100), 1))
later = Peer(RX, 9, 2000)
alice.send(later.seal(frame(100), 5))
check("a later session takes over", bob.receive()[0] is not None)
dropped("the one before is over", "stale", peer.seal(frame(100), 5000))
dropped("and its own packets come once", "replayed", later.seal(frame(100), 5))
dropped("a session of the same time", "stale", Peer(RX, 9, 2000, b"othersal").seal(frame(100), 6))
dropped("a session ends: no number is so large", "replayed", Peer(RX, 9, 3000).seal(frame(100), (1 << 40) + 1))

# --- Keys ---

lana.set("k", "rx.9.key", RX.hex())
dropped("a key that is set again forgets nothing", "replayed", later.seal(frame(100), 5))
alice.send(later.seal(frame(100), 8))
check("and goes on", bob.receive()[0] is not None)
lana.set("k", "tx.key", "7:" + TX.hex())
bob.send(frame(100, to=ALICE, by=BOB))
came, _ = alice.receive()
plain, sequence = opened(came)
check("but what encrypts begins a new session", sequence == 1 and session < came[16:32] and len(plain) == 100, sequence)
lana.set("k", "tx.key", "")
was = counts()
bob.send(frame(100, to=ALICE, by=BOB))
check("nothing leaves without a key", alice.quiet() and counts()["no-key"] == was["no-key"] + 1)
lana.set("k", "rx.9.key", "")
dropped("and nothing comes", "no-key", later.seal(frame(100), 9))
sys.exit(end())

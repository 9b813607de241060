# SPDX-License-Identifier: GPL-2.0
"""compress.py WAY: the block `c`, a compress, is between lan0 (below) and lan1 (above). So what bob sends comes to alice
compressed, and what alice compresses comes to bob. The witness is the zstd library of user space."""

import ctypes
import struct
import sys

from frames import ALICE, BOB, GSO_TCPV4, alice, bob, checksum, difference, ipv4, noise, pseudo, vnet_hdr
from lana import check, end
from rig import Lana, quiesce

WAY = sys.argv[1]
lana = Lana()
ZSTD = ctypes.CDLL("libzstd.so.1")
for function in (ZSTD.ZSTD_compress, ZSTD.ZSTD_decompress):
    function.restype = ctypes.c_size_t
ZSTD.ZSTD_compress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int]
ZSTD.ZSTD_decompress.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
NAMES = ("compressed", "plain", "bytes-in", "bytes-out", "decompressed", "passed", "corrupt")


def squeezed(data):
    room = ctypes.create_string_buffer(len(data) + 1000)
    done = ZSTD.ZSTD_compress(room, len(room), data, len(data), 3)
    return room.raw[:done]


def expanded(data, size):
    room = ctypes.create_string_buffer(size + 1)
    done = ZSTD.ZSTD_decompress(room, size, data, len(data))
    return room.raw[:done] if done <= size else f"error {done}"


def packed(frame, data=None, kind=1, zero=0, original=None, length=None):
    """A frame as the block sends it; with lies, where wanted."""
    if data is None:
        data = squeezed(frame[12:]) if kind else frame[12:]
    return frame[:12] + struct.pack("!HBBHH", 0x88B6, kind, zero, len(frame) - 12 if original is None else original,
                                    len(data) if length is None else length) + data


def unpacked(frame):
    """What a frame of the block's was."""
    kind, sort, zero, original, length = struct.unpack_from("!HBBHH", frame, 12)
    if (kind, sort, zero) != (0x88B6, 1, 0) or 20 + length != len(frame):
        return f"{kind:#x} {sort} {zero} {original} {length} of {len(frame)}"
    data = expanded(frame[20:], original)
    return data if isinstance(data, str) else frame[:12] + data


def counts():
    options = lana.get("c").options
    return {name: int(options[name]) for name in NAMES}


def text(size, kind=b"\x08\x55", to=BOB, by=ALICE):
    """A frame that can be compressed."""
    return to + by + (kind + b"GET /index.html HTTP/1.1\r\nHost: example.org\r\n" * (size // 40 + 1))[:size - 12]


# --- What it compresses ---

sum_in = sum_out = number = 0
for size in (128, 129, 200, 500, 1000, 1513, 1514):
    sent = text(size, to=ALICE, by=BOB)
    bob.send(sent)
    came, _ = alice.receive()
    plain = unpacked(came) if came else "nothing"
    check(f"{size} bytes are compressed", plain == sent and len(came) < size, plain if isinstance(plain, str) else "")
    sum_in, sum_out, number = sum_in + size, sum_out + len(came or ""), number + 1
tagged = text(300, b"\x81\x00\x00\x07\x08\x55", to=ALICE, by=BOB)
bob.send(tagged)
came, _ = alice.receive()
check("a VLAN tag, too", unpacked(came) == tagged)
sum_in, sum_out, number = sum_in + 300, sum_out + len(came), number + 1
for what, sent in {"short ones pass as they are": text(127, to=ALICE, by=BOB),
                   "so do those of 14 bytes": text(14, to=ALICE, by=BOB),
                   "and those of random bytes": ALICE + BOB + b"\x08\x55" + noise(1000),
                   "of the largest size": ALICE + BOB + b"\x08\x55" + noise(1500)}.items():
    bob.send(sent)
    came, _ = alice.receive()
    check(what, came == sent, difference(sent, came))
    sum_in, sum_out = sum_in + len(sent), sum_out + len(sent)
sent = packed(text(200, to=ALICE, by=BOB))
bob.send(sent)
came, _ = alice.receive()
check("what has the format is stored in it", came == packed(sent, kind=0), difference(packed(sent, kind=0), came))
sum_in, sum_out = sum_in + len(sent), sum_out + len(sent) + 8
now = counts()
check("all of these are counted", [now[name] for name in NAMES[:4]] == [number, 5, sum_in, sum_out], (now, number, sum_in, sum_out))
if WAY == "skbs":
    data = b"0123456789" * 250
    head = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x10, 1000, pseudo(6, 20 + len(data)), 0)
    bob.send(ipv4(6, head + data), vnet_hdr(GSO_TCPV4, 54, 1000, 34, 16))
    plain = [unpacked(alice.receive()[0] or bytes(20)) for _ in range(3)]
    check("a super-packet is taken apart", b"".join(part[54:] for part in plain if not isinstance(part, str)) == data, plain)
    check("nothing more comes", alice.quiet())
    # A checksum that is left to the device. Its field has the sum of the pseudo-header.
    data = b"0123456789" * 50 + b"x"
    sent = ipv4(17, struct.pack("!HHHH", 9, 9, 8 + len(data), pseudo(17, 8 + len(data))) + data)
    was = counts()["compressed"]
    bob.send(sent, vnet_hdr(0, 0, 0, 34, 6))
    plain = unpacked(alice.receive()[0] or bytes(20))
    check("a checksum is filled in before", counts()["compressed"] == was + 1 and plain[:40] == sent[:40] and plain[42:] == sent[42:]
          and checksum(struct.pack("!H", pseudo(17, 8 + len(data))) + plain[34:]) == 0xFFFF, plain)

# --- What it decompresses ---

was = counts()
good = 0
for size in (14, 30, 100, 500, 1514, 4000, 9018):
    sent = text(size)
    frame = packed(sent)
    alice.send(frame)
    came, _ = bob.receive() if size <= 1518 else (None, None)
    if size <= 1518:
        check(f"{size} bytes are decompressed", came == sent, difference(sent, came))
    good += 1
quiesce()
check("what is longer than the MTU is the device's to drop", lana.get("lan1").drops.get("too-big", 0) == 2, lana.get("lan1").drops)
for what, sent in {"stored": packed(text(100), kind=0), "with padding behind": packed(text(59)) + bytes(30),
                   "stored, with padding": packed(text(20), kind=0) + bytes(20),
                   "with a VLAN tag": packed(text(300, b"\x81\x00\x00\x07\x08\x55"))}.items():
    want = text(300, b"\x81\x00\x00\x07\x08\x55") if "VLAN" in what else text(100 if what == "stored" else 59 if "behind" in what else 20)
    alice.send(sent)
    came, _ = bob.receive()
    check(f"it decompresses what is {what}", came == want, difference(want, came))
    good += 1
for what, sent in {"another EtherType": text(400), "one within a VLAN": packed(text(300))[:12] + b"\x81\0\0\7" + packed(text(300))[12:]}.items():
    alice.send(sent)
    came, _ = bob.receive()
    check(f"{what} passes as it is", came == sent, difference(sent, came))
now = counts()
check("all of these are counted", [now[name] - was[name] for name in NAMES[4:]] == [good, 2, 0], (now, was, good))


def dropped(name, packet, reason="malformed", corrupt=0):
    """A packet is dropped for a reason, and nothing comes to bob."""
    drops, was = lana.get("c").drops.get(reason, 0), counts()["corrupt"]
    alice.send(packet)
    quiesce()
    rose = lana.get("c").drops.get(reason, 0) - drops, counts()["corrupt"] - was
    check(name, rose == (1, corrupt), f"{rose}, {lana.get('c').drops}")


frame = text(500)
data = squeezed(frame[12:])
for size in (14, 15, 16, 19, 20, 21):
    dropped(f"only {size} bytes of one", packed(frame)[:size])
dropped("one without its last byte", packed(frame)[:-1])
dropped("an unknown kind", packed(frame, kind=2))
dropped("a byte that is to be 0", packed(frame, zero=1))
dropped("stored, with two lengths", packed(frame, kind=0, original=480))
dropped("one that stands for nothing", packed(frame, original=0))
dropped("for less than an EtherType", packed(frame, original=1))
dropped("no data", packed(frame, data=b""))
dropped("more comes than it says", packed(frame, original=487), corrupt=1)
dropped("less comes than it says", packed(frame, original=489), corrupt=1)
dropped("a frame of zstd and a byte", packed(frame, data=data + b"\0"), corrupt=1)
dropped("one that is cut off", packed(frame, data=data[:-1]), corrupt=1)
dropped("no zstd", packed(frame, data=noise(100)), corrupt=1)
dropped("zeros", packed(frame, data=bytes(100)), corrupt=1)
# A block of RLE: 4 bytes of a header, then 128 KiB of one byte.
bomb = b"\x28\xb5\x2f\xfd\x00\x38" + struct.pack("<I", 1 | 1 << 1 | (128 << 10) << 3)[:3] + b"x"
dropped("a bomb", packed(frame, data=bomb), corrupt=1)
dropped("many of them", packed(frame, data=bomb * 100, original=9006), corrupt=1)
dropped("one byte beyond the limit", packed(frame, original=9007), "too-big")
dropped("far beyond it", packed(frame, original=65535), "too-big")
for at in range(len(data)):
    alice.send(packed(frame, data=data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1:]))
quiesce()
alice.send(packed(frame))
while (came := bob.receive()[0]) not in (None, frame):
    pass
check("it goes on after all that", came == frame)
sys.exit(end())

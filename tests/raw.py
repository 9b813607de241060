# SPDX-License-Identifier: GPL-2.0
"""raw.py: requests that no tool would send. Each is refused, and the kernel says what is wrong. The
graph has the blocks a (bound to lan0) and f (a bpf)."""

import errno
import os
import struct

from lana import C, NLA_F_NESTED, NLM_F_DUMP, Socket, attr, check, end

lana = Socket()
NAME, TYPE = C["LANA_A_FB_NAME"], C["LANA_A_FB_TYPE"]
OPTION = C["LANA_A_FB_OPTION"] | NLA_F_NESTED


def blocks():
    with open("/proc/net/lana/fblocks") as file:
        return file.read()


before = blocks()


def refused(name, answer, error, text="", offset=None, missing=None):
    """The answer is that error, its text has those words, and it points at that place."""
    good = answer.error == error and text in answer.text and blocks() == before
    good = good and (offset is None or answer.offset == offset)
    good = good and (missing is None or answer.missing == missing)
    check(name, good, answer)


FIRST = 20  # where the first attribute of a request is
good_name = attr(NAME, "x")
good_type = attr(TYPE, "dummy")

refused("an unknown attribute, number 200", lana.request("FB_NEW", attr(200, "x")),
        errno.EINVAL, "Unknown attribute", FIRST)
refused("an unknown attribute behind good ones",
        lana.request("FB_NEW", good_name + good_type + attr(200, "x")),
        errno.EINVAL, "Unknown attribute", FIRST + len(good_name + good_type))
refused("an attribute of answers only (idp)",
        lana.request("FB_NEW", good_name + good_type + attr("FB_IDP", struct.pack("I", 7))),
        errno.EINVAL, "Unknown attribute", FIRST + len(good_name + good_type))
refused("an attribute that another operation takes (option in fb-new)",
        lana.request("FB_NEW", good_name + good_type + attr(OPTION, b"")),
        errno.EINVAL, "Unknown attribute")
for cmd, given, missing in [
        ("FB_GET", b"", NAME), ("FB_NEW", good_name, TYPE), ("FB_NEW", good_type, NAME),
        ("FB_NEW", b"", NAME), ("FB_DEL", b"", NAME), ("FB_SET", attr(NAME, "f"), OPTION & 0xFFF),
        ("FB_SET", attr(OPTION, attr("OPTION_KEY", "k") + attr("OPTION_VALUE", "v")), NAME),
        ("BIND", attr("BINDING_UPPER", "f"), C["LANA_A_BINDING_LOWER"]),
        ("BIND", attr("BINDING_LOWER", "f"), C["LANA_A_BINDING_UPPER"]),
        ("UNBIND", attr("BINDING_UPPER", "f"), C["LANA_A_BINDING_LOWER"]),
        ("SUBSCRIBE", attr("SUBSCRIPTION_SUBSCRIBER", "f"), C["LANA_A_SUBSCRIPTION_PUBLISHER"]),
        ("UNSUBSCRIBE", b"", C["LANA_A_SUBSCRIPTION_SUBSCRIBER"]),
        ("VLINK_HOOK", attr("VLINK_SUBSYSTEM", "ethernet"), C["LANA_A_VLINK_IFNAME"]),
        ("VLINK_UNHOOK", attr("VLINK_IFNAME", "lan0"), C["LANA_A_VLINK_SUBSYSTEM"])]:
    name = cmd.lower().replace("_", "-")
    refused(f"{name} without attribute {missing}", lana.request(cmd, given),
            errno.EINVAL, missing=missing)
refused("an option without a key", lana.request(
    "FB_SET", attr(NAME, "f") + attr(OPTION, attr("OPTION_VALUE", "1"))), errno.EINVAL, "no key")
refused("an option without a value", lana.request(
    "FB_SET", attr(NAME, "f") + attr(OPTION, attr("OPTION_KEY", "program"))),
    errno.EINVAL, "no value")
refused("an option that is not marked as a nest", lana.request(
    "FB_SET", attr(NAME, "f") + attr("FB_OPTION", attr("OPTION_KEY", "k"))),
    errno.EINVAL, "NLA_F_NESTED")
refused("an unknown attribute in an option", lana.request(
    "FB_SET", attr(NAME, "f") + attr(OPTION, attr("OPTION_KEY", "k") + attr(77, "v"))),
    errno.EINVAL, "Unknown attribute")
refused("an option that is empty", lana.request(
    "FB_SET", attr(NAME, "f") + attr(OPTION, b"")), errno.EINVAL, "no key")
refused("an option's key that is not UTF-8", lana.request(
    "FB_SET", attr(NAME, "f") + attr(OPTION, attr("OPTION_KEY", b"\xff\0") + attr("OPTION_VALUE", "v"))),
    errno.EINVAL, "is not text")

refused("a name without its NUL", lana.request("FB_NEW", attr(NAME, b"xyz") + good_type),
        errno.EINVAL, offset=FIRST)
refused("a name of no bytes at all", lana.request("FB_NEW", attr(NAME, b"") + good_type),
        errno.EINVAL, offset=FIRST)
refused("a name of 256 bytes", lana.request("FB_NEW", attr(NAME, "n" * 256) + good_type),
        errno.EINVAL, offset=FIRST)
refused("a name that is not UTF-8", lana.request("FB_NEW", attr(NAME, b"\xff\xfe\0") + good_type),
        errno.EINVAL, "name '??' has characters")
refused("a number where a name is wanted",
        lana.request("FB_NEW", attr(NAME, struct.pack("I", 0x01010101)) + good_type),
        errno.EINVAL, offset=FIRST)
refused("an attribute that is longer than the message",
        lana.request("FB_NEW", struct.pack("HH", 200, NAME) + b"x\0\0\0"), errno.EINVAL)
refused("an attribute that is shorter than its own head",
        lana.request("FB_NEW", struct.pack("HH", 2, NAME) + b"x\0\0\0"), errno.EINVAL)
refused("bytes behind the last attribute",
        lana.request("FB_NEW", good_name + good_type + b"\1\0"), errno.EINVAL)
refused("an operation that does not exist", lana.request(99, good_name), errno.EOPNOTSUPP)
refused("an event as a request", lana.request("EVENT_NTF", b""), errno.EOPNOTSUPP)
refused("a dump of an operation that has none",
        lana.request("FB_NEW", good_name + good_type, NLM_F_DUMP), errno.EOPNOTSUPP)
refused("a single request to what can only be dumped", lana.request("TYPE_GET"), errno.EOPNOTSUPP)
refused("a subsystem that does not exist", lana.request(
    "VLINK_HOOK", attr("VLINK_SUBSYSTEM", "tokenring") + attr("VLINK_IFNAME", "lan0")),
    errno.ENOENT, "unknown vlink subsystem 'tokenring'", FIRST)
refused("a subsystem with an odd name", lana.request(
    "VLINK_HOOK", attr("VLINK_SUBSYSTEM", "a/b") + attr("VLINK_IFNAME", "lan0")),
    errno.EINVAL, "subsystem 'a/b' has characters", FIRST)

refused("a probe of a block that does not exist", lana.request("PROBE", attr("PROBE_FROM", "nobody")),
        errno.ENOENT, "no block 'nobody'", FIRST)
refused("a capture at a block that does not exist",
        lana.request("PROBE", attr("PROBE_AT", "f") + attr("PROBE_AT", "nobody")), errno.ENOENT, "no block 'nobody'")
refused("a probe that traces and captures",
        lana.request("PROBE", attr("PROBE_FROM", "f") + attr("PROBE_AT", "f")), errno.EINVAL,
        "a probe traces or captures", FIRST)
refused("a capture at 17 blocks", lana.request("PROBE", attr("PROBE_AT", "f") * 17), errno.E2BIG,
        "more than 16 blocks")
refused("a filter that ends in the middle of an instruction",
        lana.request("PROBE", attr("PROBE_FILTER", b"1234567")), errno.EINVAL, "no array of instructions", FIRST)
for what, program in [("of no instructions", b""), ("without an end", struct.pack("HBBI", 0x28, 0, 0, 12)),
                      ("that jumps behind its end", struct.pack("HBBIHBBI", 0x15, 9, 9, 0, 6, 0, 0, 0))]:
    refused(f"a filter {what}", lana.request("PROBE", attr("PROBE_FILTER", program)), errno.EINVAL,
            "the kernel refuses the filter's program", FIRST)
for name, bits in [("POINTS", 8), ("ENDS", 4)]:
    refused(f"a probe with unknown {name.lower()}",
            lana.request("PROBE", attr("PROBE_" + name, struct.pack("I", bits))), errno.EINVAL, offset=FIRST)
refused("a probe of more bytes than a message has",
        lana.request("PROBE", attr("PROBE_SNAPLEN", struct.pack("I", 65001))), errno.ERANGE, offset=FIRST)

# A socket has one probe, and they end with it.
probes = [Socket() for _ in range(4)]
check("four sockets have a probe each, one of them a second time",
      all(socket.request("PROBE").error == 0 for socket in [*probes, probes[0]]))
refused("a fifth", lana.request("PROBE"), errno.EBUSY, "4 probes already")
probes.pop().sock.close()
again = Socket()
check("a probe can be made as soon as a socket with one is closed", again.request("PROBE").error == 0)
for socket in [*probes, again]:
    socket.sock.close()

# The kernel looks at the last of two that are the same, as it does everywhere.
answer = lana.request("FB_DEL", attr(NAME, "f") + attr(NAME, "nonexistent"))
refused("a name that is given twice", answer, errno.ENOENT, "no block 'nonexistent'")

# The head says less, or more, than there is.
whole = lana.message("FB_NEW", good_name + good_type)
for cut in [3, 5, 8, len(good_type)]:
    part = bytearray(whole[:-cut])
    struct.pack_into("I", part, 0, len(part))
    answer = lana.send(bytes(part))
    check(f"a message cut short by {cut} bytes", answer.error == errno.EINVAL and blocks() == before,
          answer)
short = bytearray(whole[:18])
struct.pack_into("I", short, 0, 18)
refused("a message without the family's head", lana.send(bytes(short)), errno.EINVAL)
lana.sock.settimeout(0.3)
for what, message in [("that is shorter than a head", whole[:12]),
                      ("whose head announces more than there is", whole[:24]),
                      ("of no bytes", b"")]:
    try:
        answer = lana.send(message)
        good = answer.error != 0
    except OSError as error:
        good, answer = True, error
    check(f"a message {what} has no effect", good and blocks() == before, answer)
lana.sock.settimeout(10)

# Any bytes in place of the attributes: nothing of it may do more than fail.
seed = os.urandom(8)
state = int.from_bytes(seed, "big")
fell = set()
for number in range(500):
    payload = b""
    for _ in range(state % 4):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        size = state >> 33 & 31
        payload += attr((state >> 48) & 0x800F, (state.to_bytes(8, "big") * 5)[:size])
    state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
    answer = lana.request(1 + (state >> 40) % 14, payload)
    if answer.error == 0:
        fell.add((1 + (state >> 40) % 14, payload))
check("500 random requests are refused", not fell and blocks() == before, seed.hex(), fell)
end()

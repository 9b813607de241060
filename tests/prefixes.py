# SPDX-License-Identifier: GPL-2.0
"""prefixes.py: values of options that are longer than a message, by netlink; or, with the word `list COUNT`, prints so many
prefixes of IPv4, with a comma between two, of which one has 192.0.2.1."""

import random
import sys
import time

from lana import check, end
from rig import SLOW, Lana, Load

EINVAL, ENOENT = 22, 2
PART = 65000
NEEDLE = "192.0.2.0/24"


def prefixes(count, seed=1):
    """As in a table of the Internet, most are networks of 256 addresses. In order, each once."""
    rng, found = random.Random(seed), {(192 << 24 | 2 << 8, 24)}
    while len(found) < count:
        length = rng.choice([24] * 6 + [23, 22, 22, 21, 20, 19, 16, 32])
        found.add((rng.randrange(1 << 24, 223 << 24) & ~((1 << 32 - length) - 1), length))
    found = [pair for pair in found if not (192 << 24 | 2 << 8) & ~((1 << 32 - pair[1]) - 1) == pair[0] or pair[1] == 24]
    return [f"{a >> 24}.{a >> 16 & 255}.{a >> 8 & 255}.{a & 255}" + (f"/{length}" if length < 32 else "")
            for a, length in sorted(found)]


def parts(text, size=PART):
    return [text[at:at + size] for at in range(0, len(text), size)]


def setting(name, key, text, size=PART):
    """The operations that set an option in parts."""
    pieces = parts(text, size)
    return [("FB_SET", name, key, piece, *(["more"] if number < len(pieces) else []))
            for number, piece in enumerate(pieces, 1)]


def refused(lana, what, error, text, *ops):
    """Refuses, says why, and nothing is another than before."""
    before = lana.get("c").options, lana.get("c").sizes, lana.value("c", "prefixes.0"), lana.names()
    answer = lana.transact(*ops)
    check(f"{what}: refused", answer.error == error and text in answer.text, answer)
    after = lana.get("c").options, lana.get("c").sizes, lana.value("c", "prefixes.0"), lana.names()
    check(f"{what}: nothing has changed", before == after)


def wire():
    lana = Lana()
    lana.sock.setsockopt(1, 32, 64 << 20)  # SO_SNDBUFFORCE
    check("a block", not lana.add("c", "classify").error)
    text = ",".join(prefixes(20000))
    answer = lana.transact(*setting("c", "prefixes.0", text))
    check("a long value comes in parts", not answer.error, answer)
    block = lana.get("c")
    check("it is shown by its length", block.sizes == {"prefixes.0": len(text)} and not block.partial, block.sizes)
    check("and comes back in parts, to the byte", lana.value("c", "prefixes.0") == text)
    other = ",".join(prefixes(3000, 2))
    answer = lana.transact(("FB_NEW", "d", "dummy"), *setting("c", "prefixes.0", other, 17), ("FB_SET", "c", "default", "drop"))
    check("parts may end anywhere, and other operations stand around them",
          not answer.error and lana.value("c", "prefixes.0") == other and lana.get("c").options["default"] == "drop", answer)
    refused(lana, "a bad prefix in the middle", EINVAL, "'10.0.0.1/8' has bits behind its prefix",
            *setting("c", "prefixes.0", text + ",10.0.0.1/8," + text))
    refused(lana, "an operation behind it that fails", ENOENT, "'nobody'",
            *setting("c", "prefixes.0", text), ("FB_DEL", "nobody"))
    *most, _ = setting("c", "prefixes.0", text)
    refused(lana, "a value without its end", EINVAL, "the rest of option 'prefixes.0' of 'c' is missing", *most)
    refused(lana, "another operation in between", EINVAL, "the rest of option", *most, ("FB_NEW", "e", "dummy"))
    refused(lana, "another option in between", EINVAL, "the rest of option", *most, ("FB_SET", "c", "default", "1"))
    refused(lana, "the same of another block in between", EINVAL, "the rest of option", *most,
            ("FB_SET", "d", "prefixes.0", "::/0"))
    refused(lana, "an option that is no list", EINVAL, "rule.0: 'x' is not KEY=VALUE", *setting("c", "rule.0", " " * 70000 + "x -> 1"))
    answer = lana.do("FB_SET", "c", "prefixes.0", "::/0", "more")
    check("a part alone", answer.error == EINVAL and "the rest of option" in answer.text, answer)
    check("no such block", lana.value("x", "prefixes.0") == ENOENT)
    check("no such list", lana.value("c", "prefixes.1") == ENOENT)
    check("no list", lana.value("c", "default") == ENOENT)
    check("no such option", lana.value("c", "nothing") == ENOENT)
    check("an empty value takes it away", not lana.do("FB_SET", "c", "prefixes.0", "").error and not lana.get("c").sizes)
    for name in "cd":
        lana.remove(name)


def under_load():
    """A long list changes at full rate: each packet goes by an output that one of the lists names, none is lost."""
    lana = Lana()
    lana.sock.setsockopt(1, 32, 64 << 20)  # SO_SNDBUFFORCE
    ops = [("FB_NEW", "c", "classify"), ("FB_NEW", "in", "counter"), ("FB_NEW", "out", "counter"), ("BIND", "c", "lan0"),
           ("BIND", "out", "c"), ("BIND", "in", "c"), ("FB_SET", "c", "rule.0", "src=@0 -> 1")]
    check("a list for traffic", not lana.transact(*ops).error)
    lists = [",".join(prefixes(20000, seed) + ["192.0.2.1"]) for seed in (1, 2)]
    before = lana.blocks()["lan0"].packets
    load = Load("alice").add("a0", 0, mac="02:00:00:00:00:0b").start()
    for turn in range(max(40 // SLOW, 4)):
        answer = lana.transact(*setting("c", "prefixes.0", lists[turn % 2]))
        check("set under traffic", not answer.error, answer) if answer.error else None
    sent = sum(load.stop().values())
    deadline, last = time.monotonic() + 20, None
    while last != (last := lana.blocks()["lan0"].packets) and time.monotonic() < deadline:
        time.sleep(0.1)
    blocks = lana.blocks()
    entered = blocks["lan0"].packets - before
    check("set under traffic: each packet came out", blocks["in"].packets + blocks["out"].packets == entered >= sent > 0,
          blocks["in"].packets, blocks["out"].packets, entered, sent)
    lana.take_apart()


if sys.argv[1:2] == ["list"]:
    print(",".join(prefixes(int(sys.argv[2]))))
else:
    wire()
    under_load()
    end()

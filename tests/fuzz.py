# SPDX-License-Identifier: GPL-2.0
"""fuzz.py MESSAGES [--seed SEED] [--minutes MINUTES] [--only ROUND[:MESSAGE]]: sends what the
specification of the netlink family allows and, bent in one place or several, what it does not, at a small
graph that is at work; and meanwhile, in other processes, packets, reads and writes of procfs, dumps that
nobody reads, modules that come and go.

The messages are made in rounds of 500. Each begins with the same graph and a generator of its own, made
from the seed and the number of the round: so --only repeats one round, up to one message, which it shows.
Each ends with everything taken apart."""

import argparse
import errno
import os
import random
import socket
import struct
import subprocess
import sys
import time

from lana import (C, NLA_F_NESTED, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR, Answer, attrs,
                  check, end)
from rig import FINIT_MODULE, LIBC, PASS_ALL, SETTINGS, Lana, Load
from spec import Family

ROUND = 500
FAMILY = Family()
BLOCKS = ["t", "c", "f", "d", "e", "g", "h", "i", "j", "k", "o", "p", "q", "r", "s", "u", "v", "w", "n", "l", "x", "y", "z"]
DEVICES = ["lan0", "lan1", "lan2", "lan3"]
KINDS = ["tee", "tee", "counter", "bpf", "dummy", "icmp-echo", "multipath", "delay", "shape", "queue", "classify",
         "checksum", "defrag", "fragment", "nat", "netflow", "rewrite", "route", "switch", "compress", "crypt", "udp-tunnel", "reliable"]
MODULES = ["fb_eth", "fb_dummy", "fb_tee", "fb_counter", "fb_bpf", "fb_icmp_echo", "fb_multipath", "fb_delay", "fb_shape", "fb_queue",
           "fb_classify", "fb_checksum", "fb_defrag", "fb_fragment", "fb_nat", "fb_netflow",
           "fb_rewrite", "fb_switch", "fb_route", "fb_compress", "fb_crypt", "fb_udp_tunnel", "fb_reliable"]
DROP_ALL = "{ 0x6, 0, 0, 0 },"
PROGRAMS = [PASS_ALL, DROP_ALL, "", "1\n6 0 0 0", "1,6 0 0 65535,", "nonsense", "{ 0x28, 0, 0, 12 },",
            "{ 0x6, 0, 0, 0 }, # " + "x" * 3000, "4096\n" * 4096, "\xff\xfe", "{ 0x6 }" * 9000]
# Of the blocks below that have options: key and value.
BPF = [("program", value) for value in PROGRAMS] + [
    ("program", "pinned:/run/b/filter-arp"), ("program", "pinned:/run/b/xdp-drop"), ("program", "pinned:/run/b"),
    ("program", "pinned:/run/nothing"), ("program", "pinned:"), ("direction", "ingress"), ("direction", "both"), ("direction", "up"),
    ("direction", "")]
ANY = BPF + [pair for settings in SETTINGS.values() for pair in settings]
# The blocks x, y and z are of any type.
OPTIONS = {"f": BPF, "e": SETTINGS["icmp-echo"], "d": SETTINGS["multipath"],
           "h": SETTINGS["classify"], "i": SETTINGS["shape"], "j": SETTINGS["checksum"], "w": SETTINGS["queue"], "g": SETTINGS["udp-tunnel"],
           "x": ANY, "y": ANY, "z": ANY,
           "k": SETTINGS["crypt"], "o": SETTINGS["compress"], "p": SETTINGS["route"], "q": SETTINGS["defrag"], "r": SETTINGS["fragment"], "s": SETTINGS["nat"],
           "u": SETTINGS["rewrite"], "v": SETTINGS["switch"], "n": SETTINGS["netflow"], "l": SETTINGS["reliable"]}


# --- Messages, as trees of attributes ---


class Attribute:
    """A number with bytes or with further attributes; what is not None overrides what would be right."""

    def __init__(self, number, content, nested=False):
        self.number, self.content, self.nested = number, content, nested
        self.length = self.padding = None

    def encode(self):
        data = self.content
        if isinstance(data, list):
            data = b"".join(child.encode() for child in data)
        length = min(4 + len(data) if self.length is None else self.length, 0xFFFF)
        kind = self.number | (NLA_F_NESTED if self.nested else 0)
        padding = -len(data) % 4 if self.padding is None else self.padding
        return struct.pack("HH", length & 0xFFFF, kind & 0xFFFF) + data + b"\0" * padding

    def all(self):
        """Itself, and all within."""
        yield self
        if isinstance(self.content, list):
            for child in self.content:
                yield from child.all()


def text(rng, name, kind):
    """A string that fits an attribute of this name."""
    if kind == "type":
        pool = KINDS * 20 + ["eth", "nonsense", "../../etc", ""]
    elif name == "subsystem":
        pool = ["ethernet"] * 20 + ["tokenring", ""]
    elif name == "ifname":
        pool = DEVICES * 6 + ["lo", "nodev", "", "x" * 40]
    elif name == "key":
        pool = ["program"] * 12 + ["packets", "bytes", "instructions", "none", ""] + [key for key, _ in ANY]
    elif name == "value":
        pool = PROGRAMS * 3 + [value for _, value in ANY]
    else:
        pool = BLOCKS * 12 + DEVICES * 6
        pool += ["nobody", "", "a b", "a/b", ".", "x" * 31, "x" * 32, "x" * 255, "\xe4"]
    return rng.choice(pool).encode("latin-1") + b"\0"


def attribute(rng, of, name):
    """An attribute as the specification has it, of the set `of`."""
    given = FAMILY.sets[of][name]
    kind = given["type"]
    if kind == "nest":
        return Attribute(given["number"], content(rng, given["nested-attributes"]), True)
    if kind == "string":
        data = text(rng, name, "type" if name == "type" else of)
    elif kind == "flag":
        data = b""
    else:
        size = "I" if kind == "u32" or rng.random() < 0.5 else "Q"
        data = struct.pack(size, rng.choice([0, 1, 2, 0x7FFFFFFF]))
    return Attribute(given["number"], data)


def strings(of, **values):
    """The attributes of a set, by their names."""
    return [Attribute(FAMILY.sets[of][name.replace("_", "-")]["number"], value.encode() + b"\0")
            for name, value in values.items()]


def setting(pick, name):
    """An option of a block."""
    key, value = pick(OPTIONS[name])
    return strings("fb", name=name) + [
        Attribute(FAMILY.sets["fb"]["option"]["number"], strings("option", key=key, value=value), True)]


PAIRS = [("t", "lan0"), ("f", "t"), ("d", "t"), ("c", "f"), ("lan1", "d"), ("e", "c"), ("x", "t"), ("y", "x"),
         ("z", "t")]
PROMISING = {
    "fb-get": lambda pick: strings("fb", name=pick(BLOCKS)),
    "fb-new": lambda pick: strings("fb", name=pick("xyz"), type=pick(KINDS)),
    "fb-del": lambda pick: strings("fb", name=pick("xyz")),
    "fb-set": lambda pick: setting(pick, pick(list(OPTIONS))),
    "bind": lambda pick: (lambda pair: strings("binding", upper=pair[0], lower=pair[1]))(pick(PAIRS)),
    "subscribe": lambda pick: strings("subscription", subscriber=pick("exy"), publisher=pick("tcz")),
    "replace": lambda pick: strings("replacement", old=pick("cfdxyz"), new=pick("xyz")) + [
        Attribute(FAMILY.sets["replacement"]["drop-state"]["number"], b"")],
    # By the receive handler or by native XDP.
    "vlink-hook": lambda pick: strings("vlink", subsystem="ethernet", ifname=pick(["lan2", "lan3"])) + pick(
        [[], [Attribute(FAMILY.sets["vlink"]["xdp"]["number"], b"")]]),
    "probe": lambda pick: pick([[], strings("probe", **{"from": pick(BLOCKS)}), strings("probe", at=pick(BLOCKS)),
                                strings("probe", at=pick(BLOCKS)) + [
                                    Attribute(FAMILY.sets["probe"]["points"]["number"], struct.pack("I", 7))]]),
    "option-get": lambda pick: strings("fb", name=pick("z" + "tcf")) + [
        Attribute(FAMILY.sets["fb"]["option"]["number"], strings("option", key=pick(["prefixes.0", "ports.0", "rule.0"])), True)],
    "vlink-new": lambda pick: strings("vlink", subsystem="ethernet", ifname=pick(["virtual0", "virtual1"]),
                                      carrier=pick(["lan2", "lan3"])),
    "vlink-del": lambda pick: strings("vlink", subsystem="ethernet", ifname=pick(["virtual0", "virtual1"]))}
PROMISING.update({"unbind": PROMISING["bind"], "unsubscribe": PROMISING["subscribe"],
                  "vlink-unhook": lambda pick: strings("vlink", subsystem="ethernet", ifname=pick(["lan2", "lan3"]))})


def script(rng):
    """The operations of a transaction that succeeds: blocks are made, wired, replaced and removed."""
    x, y, z = rng.sample(["x", "y", "z"], 3)
    kind = rng.choice(KINDS)
    steps = [("fb-new", strings("fb", name=x, type=kind)),
             ("fb-new", strings("fb", name=y, type=rng.choice(KINDS))),
             ("bind", strings("binding", upper=x, lower=y)),
             ("subscribe", strings("subscription", subscriber=y, publisher=x)),
             ("fb-new", strings("fb", name=z, type=kind)),
             ("replace", strings("replacement", old=x, new=z)),
             ("fb-del", strings("fb", name=x)),
             ("unsubscribe", strings("subscription", subscriber=y, publisher=z)),
             ("unbind", strings("binding", upper=z, lower=y)),
             ("fb-del", strings("fb", name=y)),
             ("fb-del", strings("fb", name=z))]
    steps *= rng.choice([1, 1, 1, 1, 5])
    if rng.random() < 0.2:
        steps = steps[:rng.randrange(1, len(steps))]
    number = FAMILY.sets["transaction"]["op"]["number"]
    return [Attribute(number, [Attribute(FAMILY.sets["op"][name]["number"], inner, True)], True)
            for name, inner in steps]


def promising(rng, name):
    """The attributes of an operation, every other time, so that it has a good chance of being done."""
    return PROMISING[name](rng.choice) if name in PROMISING and rng.random() < 0.5 else None


# What a nest within an operation of a transaction wants.
WANTED = {"fb-new": ["name", "type"], "fb-del": ["name"], "fb-set": ["name", "option"]}


def content(rng, of, names=None):
    """All attributes of a set, or those of some names; a flag only now and then."""
    if of == "transaction" and rng.random() < 0.5:
        return script(rng)
    if of == "op":
        name = rng.choice(list(FAMILY.sets["op"]))
        given = FAMILY.sets["op"][name]
        inner = promising(rng, name) or content(rng, given["nested-attributes"], WANTED.get(name))
        return [Attribute(given["number"], inner, True)]
    found = []
    for name in names or FAMILY.sets[of]:
        given = FAMILY.sets[of][name]
        if given["type"] == "flag" and (rng.random() < 0.5 or of == "option"):
            continue
        count = 1
        if given.get("multi-attr"):
            count = rng.choice([0, 1, 1, 1, 2, 2, 3, 5, 8, 40])
        found += [attribute(rng, of, name) for _ in range(count)]
    return found


# A probe goes on and on: it has sockets of its own.
OPERATIONS = [(name, op) for name, op in FAMILY.operations.items() if ("do" in op or "dump" in op) and name != "probe"]


class Message:
    """A request: valid when it is made."""

    def __init__(self, rng, name=None):
        op = FAMILY.operations.get(name)
        if op is None:
            name, op = rng.choice(OPERATIONS)
        # What changes something, more often.
        if "admin-perm" not in op.get("flags", []) and rng.random() < 0.6:
            name, op = rng.choice(OPERATIONS)
        self.name, self.cmd = name, op["number"]
        self.flags = NLM_F_REQUEST | NLM_F_ACK
        self.version, self.reserved, self.length, self.tail, self.family = 1, 0, None, b"", None
        self.body, self.header_bent, self.bends = [], False, []
        if "dump" in op and ("do" not in op or rng.random() < 0.5):
            self.flags |= NLM_F_DUMP
        else:
            request = op["do"].get("request", {}).get("attributes", [])
            self.body = promising(rng, name) or content(rng, op["attribute-set"], request)

    def encode(self, family, seq):
        body = struct.pack("BBH", self.cmd, self.version, self.reserved)
        body += b"".join(child.encode() for child in self.body) + self.tail
        length = 16 + len(body) if self.length is None else self.length
        family = family if self.family is None else self.family
        return struct.pack("IHHII", length, family, self.flags, seq, 0) + body

    def bend(self, rng):
        """Makes it wrong in one place, which may make no difference."""
        nodes = [node for child in self.body for node in child.all()]
        ways = HEADER if not nodes or rng.random() < 0.12 else BENT
        way = rng.choice(ways)
        self.bends.append(way.__name__)
        if ways is HEADER:
            self.header_bent = True
            way(rng, self)
        else:
            parent, node = rng.choice([(self.body, node) for node in self.body] +
                                      [(n.content, child) for n in nodes if isinstance(n.content, list)
                                       for child in n.content])
            way(rng, parent, node)


def noise(rng, size):
    return rng.randbytes(size)


def other_number(rng, _parent, node):
    node.number = rng.choice([node.number + 1, node.number - 1, 0, 30, 0x3FFF, rng.randrange(0x4000)]) & 0x3FFF


def other_flags(rng, _parent, node):
    node.nested = not node.nested
    if rng.random() < 0.3:
        node.number |= 0x4000  # NLA_F_NET_BYTEORDER


def truncated(rng, _parent, node):
    data = b"".join(c.encode() for c in node.content) if isinstance(node.content, list) else node.content
    node.content = data[:rng.randrange(len(data))] if data else b""


def lying(rng, _parent, node):
    node.length = rng.choice([0, 1, 3, 4, 5, 8, 255, 4096, 0xFFFF, rng.randrange(0x10000)])


def unpadded(rng, _parent, node):
    node.padding = rng.choice([0, 1, 2, 3, 4, 8])


def doubled(rng, parent, node):
    for _ in range(rng.choice([1, 1, 1, 2, 10])):
        parent.insert(rng.randrange(len(parent) + 1), node)


def missing(_rng, parent, node):
    parent.remove(node)


def unknown(rng, parent, _node):
    parent.insert(rng.randrange(len(parent) + 1),
                  Attribute(rng.choice([40, 255, 0x3FFF, 0]), noise(rng, rng.choice([0, 1, 4, 8, 100]))))


def huge(rng, _parent, node):
    node.content = rng.choice([b"a", b"\0", b"\xff", b"{ 0x6, 0, 0, 0 },\n", b"6 0 0 0,"]) * \
        rng.choice([32, 256, 1000, 4000])
    if len(node.content) < 0xFFFB and rng.random() < 0.7:
        node.content += b"\0"
    node.content = node.content[:0xFFFB]


def empty(rng, _parent, node):
    node.content = rng.choice([b"", b"\0", []])


def no_text(rng, _parent, node):
    node.content = noise(rng, rng.choice([1, 2, 4, 8, 31, 32, 64])) + rng.choice([b"", b"\0"])


def nul_within(rng, _parent, node):
    data = node.content if isinstance(node.content, bytes) else b"ab"
    at = rng.randrange(len(data) + 1)
    node.content = data[:at] + b"\0" + data[at:]


def no_nul(_rng, _parent, node):
    if isinstance(node.content, bytes):
        node.content = node.content.rstrip(b"\0")


def nested_deep(rng, _parent, node):
    for _ in range(rng.choice([1, 2, 5, 30])):
        node.content = [Attribute(rng.choice([1, 2, 8, node.number]), node.content, rng.random() < 0.8)]


def any_nest(rng, _parent, node):
    node.content = content(rng, rng.choice(list(FAMILY.sets)))


def number_for_text(rng, _parent, node):
    node.content = struct.pack(rng.choice("BHIQ"), rng.choice([0, 1, 255]))


def moved(rng, parent, node):
    parent.remove(node)
    parent.insert(rng.randrange(len(parent) + 1), node)


BENT = [other_number, other_flags, truncated, lying, unpadded, doubled, missing, unknown, huge, empty, no_text,
        nul_within, no_nul, nested_deep, any_nest, number_for_text, moved]


def other_cmd(rng, message):
    message.cmd = rng.choice([0, 255, rng.randrange(256), rng.randrange(1, 20)])


def other_message_flags(rng, message):
    message.flags = rng.randrange(0x10000) | NLM_F_ACK


def dump_flag(_rng, message):
    message.flags ^= NLM_F_DUMP


def other_version(rng, message):
    message.version, message.reserved = rng.randrange(256), rng.randrange(0x10000)


def lying_length(rng, message):
    message.length = rng.choice([0, 4, 15, 16, 17, 19, 20, 21, 24, 100, 0xFFFF, 0xFFFFFFFF, 0x80000000])


def tail(rng, message):
    message.tail = noise(rng, rng.choice([1, 2, 3, 4, 8, 200]))


HEADER = [other_cmd, other_message_flags, dump_flag, other_version, lying_length, tail]


# --- The graph ---


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def ready(function, *args):
    """What must be done, once the type's module is there: somebody else unloads it, perhaps just now."""
    while (answer := function(*args)).error == errno.ENOENT:
        pass
    must(answer)


def build(lana, rng):
    """lan0 - t - f - c - e and d - lan1: packets pass."""
    for name, kind in [("t", "tee"), ("c", "counter"), ("f", "bpf"), ("d", "multipath"), ("e", "icmp-echo"), ("w", "queue"),
                       ("v", "switch"), ("u", "rewrite"), ("s", "nat"), ("n", "netflow"),
                       ("q", "defrag"), ("r", "fragment"), ("p", "route"), ("k", "crypt"), ("o", "compress"), ("g", "udp-tunnel"), ("l", "reliable"),
                       ("h", "classify"), ("i", "shape"), ("j", "checksum")]:
        ready(lana.add, name, kind)
    for name in ("lan0", "lan1"):
        ready(lambda name: lana.hook(name, xdp=rng.random() < 0.5), name)
    for upper, lower in [("t", "lan0"), ("f", "t"), ("d", "t"), ("c", "f"), ("e", "c"), ("w", "t"), ("v", "t"), ("q", "t"), ("r", "q"), ("s", "r"), ("u", "s"), ("p", "t"), ("p", "v"), ("k", "t"), ("o", "t"), ("g", "t"), ("l", "t"),
                         ("h", "t"), ("i", "h"), ("j", "h"), ("lan1", "d")]:
        must(lana.bind(upper, lower))
    must(lana.subscribe("e", "t"))


def take_apart(lana):
    """By what a dump says. What cannot be taken apart is told."""
    blocks = lana.blocks()
    name = {block.idp: block.name for block in blocks.values()}
    for block in blocks.values():
        for lower in block.down():
            must(lana.unbind(block.name, lower))
        for publisher in block.publishers:
            must(lana.unsubscribe(block.name, name[publisher]))
    for block in blocks.values():
        must(lana.unhook(block.ifname) if block.type == "eth" else lana.do("VLINK_DEL", block.ifname)
             if block.ifname else lana.remove(block.name))
    return lana.names()


def wrong(lana):
    """What contradicts itself in the graph, as a dump shows it."""
    blocks = lana.blocks()
    found = []
    idps = {block.idp: block for block in blocks.values()}
    if len(idps) != len(blocks):
        found.append("an IDP is there twice")
    subscribers = {}
    for block in blocks.values():
        for publisher in block.publishers:
            subscribers[publisher] = subscribers.get(publisher, 0) + 1
            if publisher not in idps:
                found.append(f"{block.name} is subscribed to {publisher}, which is not there")
    for block in blocks.values():
        refs = 1 + len(block.ports) + subscribers.get(block.idp, 0)
        if block.refcnt != refs:
            found.append(f"{block.name} has {block.refcnt} references, not {refs}")
        for direction, _, peer, name in block.ports:
            other = idps.get(peer)
            if other is None or other.name != name or \
                    not any(d != direction and p == block.idp for d, _, p, _ in other.ports):
                found.append(f"{block.name} is bound to {name} ({peer}), which does not know of it")
    return found


class Quarrel(Exception):
    """The kernel's answer is not as it should be."""


def exchange(lana, message, data):
    """Sends, and looks at what comes: the answer's error and text."""
    try:
        lana.sock.send(data)
    except OSError as error:
        return error.errno, "(not sent)"
    expected = struct.unpack_from("I", data, 8)[0]
    lana.sock.settimeout(0.2 if message.header_bent else 20)
    while True:
        try:
            got = lana.sock.recv(1 << 17)
        except TimeoutError:
            if message.header_bent:
                return 0, "(no answer)"
            raise Quarrel("no answer") from None
        at = 0
        while at + 16 <= len(got):
            length, kind, flags, seq, _ = struct.unpack_from("IHHII", got, at)
            part = got[at:at + length]
            at += (length + 3) & ~3
            if seq != expected:
                continue  # of a piece of a message that the kernel took for one
            if kind == NLMSG_DONE:
                if not message.flags & NLM_F_ACK:
                    return 0, ""
                return -struct.unpack_from("i", part, 16)[0], "(dump)"
            if kind == NLMSG_ERROR:
                answer = lana.ack(Answer(), part, flags)
                return answer.error, answer.text or (answer.missing is not None and "(missing)") or ""
            legible(message, part)


def legible(message, part):
    """What the kernel says of a block is as the specification has it."""
    of = FAMILY.operations.get(message.name, {}).get("attribute-set")
    if part[16] != message.cmd or of is None or message.header_bent:
        return
    known = {given["number"]: given for given in FAMILY.sets[of].values()}
    for number, value in attrs(part[20:]):
        given = known.get(number)
        if given is None:
            raise Quarrel(f"an attribute {number} in an answer to {message.name}")
        sizes = {"u32": [4], "uint": [4, 8], "flag": [0]}.get(given["type"])
        if sizes and len(value) not in sizes or given["type"] == "string" and value[-1:] != b"\0":
            raise Quarrel(f"attribute {given['name']} is {value!r}")


# --- What goes on meanwhile ---


def meanwhile(function, seed):
    """A process that does something until it is told to stop."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    rng = random.Random(f"{seed} {function.__name__}")
    try:
        while True:
            function(rng)
    except Exception as error:  # pylint: disable=broad-except
        print(f"not ok - meanwhile, {function.__name__}: {type(error).__name__}: {error}", flush=True)
        os._exit(1)


def module_churn(rng):
    """Modules of blocks come and go, where no block holds them."""
    name = rng.choice(MODULES)
    LIBC.delete_module(name.encode(), os.O_NONBLOCK)
    time.sleep(rng.random() / 50)
    if rng.random() < 0.7:
        path = f"{os.environ['LANA_MODULES']}/fb-modules/{name}.ko"
        file = os.open(path, os.O_RDONLY)
        LIBC.syscall(FINIT_MODULE, file, b"", 0)
        os.close(file)
    time.sleep(rng.random() / 50)


def procfs_churn(rng):
    """Files are read in odd pieces, and written with good and bad programs."""
    time.sleep(rng.random() / 100)
    files = ["fblocks", "ppe", "vlink"] + ["fblock/" + name for name in BLOCKS]
    path = "/proc/net/lana/" + rng.choice(files)
    writes = rng.random() < 0.4
    try:
        file = os.open(path, os.O_RDWR if writes else os.O_RDONLY)
    except OSError:
        time.sleep(0.001)
        return
    try:
        for _ in range(rng.randrange(5)):
            if writes and rng.random() < 0.6:
                data = rng.choice(PROGRAMS).encode("latin-1")
                os.write(file, rng.choice([data, data[:rng.randrange(len(data) + 1)], b"x" * 140000,
                                           noise(rng, 100), b"", data + b"\0" + data]))
            elif rng.random() < 0.3:
                os.lseek(file, rng.choice([0, 1, 7, 4096, 1 << 40]), os.SEEK_SET)
            else:
                os.read(file, rng.choice([1, 7, 100, 65536]))
    except OSError:
        pass
    os.close(file)


def dump_churn(rng):
    """Dumps that are read little by little, or not to the end."""
    time.sleep(rng.random() / 100)
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rng.choice([1, 2048, 8192, 65536]))
    sock.settimeout(0.2)
    try:
        for _ in range(rng.randrange(1, 4)):
            cmd = rng.choice(["FB_GET", "TYPE_GET", "PPE_GET", "VLINK_GET"])
            head = struct.pack("IHHII", 20, FAMILY_ID, NLM_F_REQUEST | NLM_F_DUMP, 1, 0)
            sock.send(head + struct.pack("BBH", C["LANA_CMD_" + cmd], 1, 0))
            for _ in range(rng.randrange(6)):
                sock.recv(rng.choice([1, 100, 4096, 65536]))
    except OSError:
        pass
    sock.close()


def probe_churn(rng):
    """Probes that are asked for rightly and wrongly, read or not, and end with their sockets."""
    time.sleep(rng.random() / 50)
    message = Message(rng, "probe")
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        nodes = [node for child in message.body for node in child.all()]
        if nodes:
            rng.choice(BENT)(rng, message.body, rng.choice(message.body))
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, rng.choice([1, 8192, 1 << 20]))
    sock.settimeout(0.05)
    try:
        for seq in range(rng.choice([1, 1, 2])):
            sock.send(message.encode(FAMILY_ID, seq))
            for _ in range(rng.choice([0, 1, 10, 100])):
                sock.recv(rng.choice([1, 1 << 17]))
    except OSError:
        pass
    sock.close()


def packet_churn(rng):
    """Frames of all sizes, from both sides."""
    for name in ["far0", "far1", "far2"]:
        sock = SOCKETS[name]
        for _ in range(rng.randrange(30)):
            size = rng.choice([14, 15, 60, 61, 100, 512, 1514])
            head = rng.choice([b"\xff", b"\2"]) * 12 + rng.choice([b"\x08\x00", b"\x81\x00", b"\x86\xdd"])
            try:
                sock.send(head + rng.randbytes(size - 14))
            except OSError:
                pass  # no room
    time.sleep(0.001)


SOCKETS = {}
FAMILY_ID = 0


# --- Rounds ---


class Totals:
    def __init__(self):
        self.messages = self.done = self.refused = self.rounds = 0
        self.by_name = {}

    def count(self, message, error):
        self.messages += 1
        self.done += not error
        self.refused += bool(error)
        one = self.by_name.setdefault(message.name, [0, 0])
        one[bool(error)] += 1


def refused_silently(message, error, text):
    """A refusal by LANA or by the kernel's parser comes with a sentence. By the netlink layer below it does
    not: no right, no memory, no such command."""
    return error and not text and not message.header_bent and \
        os.strerror(error) not in map(os.strerror, (1, 12, 95, 105))


def one_round(seed, number, totals, upto=None):
    """One round; what is wrong is raised."""
    lana = Lana()
    rng = random.Random(f"{seed} {number}")
    build(lana, rng)
    for count in range(ROUND if upto is None else upto + 1):
        message = Message(rng)
        for _ in range(rng.choice([0, 0, 0, 0, 1, 1, 1, 2, 5])):
            if message.body or rng.random() < 0.3:
                message.bend(rng)
        data = message.encode(lana.family, count + 1)
        if upto == count:
            print(f"# {message.name}, bent: {message.bends}\n# {data.hex()}", flush=True)
        if len(data) > 200000:
            continue  # more than a socket sends
        try:
            error, text = exchange(lana, message, data)
            if refused_silently(message, error, text):
                raise Quarrel(f"refused without a word: {os.strerror(error)}")
            if upto == count:
                print(f"# {os.strerror(error)}: {text}")
        except Quarrel as why:
            raise Quarrel(f"message {number}:{count} ({message.name}, bent: {message.bends}): {why}; "
                          f"{data.hex()[:2000]}") from None
        totals.count(message, error)
        if message.header_bent:
            lana.sock.close()  # who knows what is still to come
            lana = Lana()
        if count % 100 == 99:
            found = wrong(lana)
            if found:
                raise Quarrel(f"after message {number}:{count}: " + "; ".join(found))
    left = take_apart(lana)
    if left:
        raise Quarrel(f"after round {number} there is left: {left}")


def main():
    global FAMILY_ID  # pylint: disable=global-statement
    parser = argparse.ArgumentParser()
    parser.add_argument("messages", type=int)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--minutes", type=float, default=0)
    parser.add_argument("--only")
    args = parser.parse_args()
    FAMILY_ID = Lana().family
    print(f"# seed {args.seed}", flush=True)
    totals = Totals()
    only, upto = (None, None)
    if args.only:
        parts = args.only.split(":")
        only, upto = int(parts[0]), int(parts[1]) if len(parts) > 1 else None
    for name in ["far0", "far1", "far2"]:
        SOCKETS[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        SOCKETS[name].setblocking(False)
        SOCKETS[name].bind((name, 0))
    children = {}
    for function in [module_churn, procfs_churn, dump_churn, probe_churn, packet_churn]:
        children[meanwhile(function, args.seed)] = function.__name__
    load = Load().add("lan0", 0, "xmit_mode netif_receive", "delay 150000").start()
    deadline = time.monotonic() + args.minutes * 60
    why = ""
    try:
        while True:
            one_round(args.seed, totals.rounds if only is None else only, totals, upto)
            totals.rounds += 1
            if totals.rounds % 20 == 0:
                print(f"# round {totals.rounds}: {totals.messages} messages, {totals.done} done", flush=True)
                shown = subprocess.run(["fbctl", "-j", "show"], capture_output=True, check=False)
                if shown.returncode:
                    raise Quarrel(f"fbctl show: {shown.stderr}")
            if only is not None or totals.messages >= args.messages and time.monotonic() >= deadline:
                break
    except (Quarrel, OSError) as error:
        why = error
    # First who sends, too: `stop` waits until nothing is on its way.
    for pid in children:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    sent = load.stop()
    print(f"# seed {args.seed}: {totals.rounds} rounds, {totals.messages} messages, {totals.done} done, "
          f"{totals.refused} refused; {sum(sent.values())} packets")
    for name, (done, refused) in sorted(totals.by_name.items()):
        print(f"# {name}: {done} done, {refused} refused")
    check("whatever is sent, the kernel answers as it should, and everything can be taken apart", not why, why)
    check("there were packets all the time", sum(sent.values()) > 1000, sent)
    # So few messages do not hold everything.
    check("each operation was done and refused", only is not None or totals.messages < 1000 or
          all(done and (refused or "-get" in name) for name, (done, refused) in totals.by_name.items()),
          totals.by_name)
    end()


main()

# SPDX-License-Identifier: GPL-2.0
"""faults.py WHAT...: each allocation fails, one after the other, in each operation that there is; then the
operation was refused and nothing has changed, or it did without and is done whole.

The kernel counts for us: N in /proc/thread-self/fail-nth lets the Nth allocation of this thread fail, and
reading it says whether there were that many. WHAT: control, blocks, procfs, dumps, devices, namespaces, modules,
sockets, packets, ways. LANA_ONLY: a regular expression, for only some of the operations."""

import ctypes
import errno
import glob
import os
import re
import select
import socket
import struct
import sys
import time

from lana import GENL_ID_CTRL, NLM_F_DUMP, NLMSG_DONE, NLMSG_ERROR, attr, attrs, check, end
from rig import LIBC, LONG, PASS_ALL, Block, Lana, Leaks, Load, Route, number, read, write

DEBUGFS = "/sys/kernel/debug/"
FBLOCK = "/proc/net/lana/fblock/"
NTH = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
STEP = 1 if LONG else 5  # of what allocates often, mostly without LANA
SWEEP_MAX = 5000  # no operation allocates as often
BUFFER = bytearray(1 << 20)  # what comes is put here: no memory is wanted while an allocation is to fail

lana = route = None


class Lost(Exception):
    """The operation may have been done, but the answer got lost."""


def arm(count):
    os.write(NTH, b"%d" % count)


def disarm():
    """Whether there was an allocation to fail."""
    hit = os.pread(NTH, 16, 0).strip() == b"0"
    os.write(NTH, b"0")
    return hit


# --- The state ---


class State:
    """All that can be seen of the graph. `exact` must be the same when nothing was done; `same` also when
    something was done and taken back, or done once more: without numbers and addresses."""

    types = True  # what is loaded is part of it

    def __init__(self, quick=False):
        self.exact = [read("/proc/net/lana/fblocks")]
        self.found = self.exact if quick else None
        if quick:
            return
        dump = [m[20:] for m in lana.request("FB_GET", flags=NLM_F_DUMP).messages]
        types = [m[20:] for m in lana.request("TYPE_GET", flags=NLM_F_DUMP).messages] if State.types else []
        files = {file: read(FBLOCK + file) for file in sorted(os.listdir(FBLOCK))}
        flags = {path: read(path) for path in sorted(glob.glob("/sys/class/net/*/flags"))}
        self.exact += [read("/proc/net/lana/vlink"), files, flags, dump, types]

    @property
    def same(self):
        """Made when it is asked for: Python is slow where allocations can fail."""
        if self.found is None:
            _, vlink, files, flags, dump, types = self.exact
            blocks = [Block(data) for data in dump]
            name = {block.idp: block.name for block in blocks}
            self.found = [
                sorted(line.split()[1] for line in vlink.splitlines()), files, flags,
                sorted((b.name, b.type, b.refcnt, [(d, i, peer) for d, i, _, peer in b.ports],
                        sorted(name[idp] for idp in b.publishers), b.options) for b in blocks),
                sorted(types)]
        return self.found


def settled(quick, good):
    """The state, as soon as it is good; else as it is after some seconds. A block counts as one of its type
    until its last event is told, which a worker does."""
    deadline = time.monotonic() + 5
    while True:
        now = State(quick)
        if good(now) or time.monotonic() > deadline:
            return now
        time.sleep(0.02)


def resting(quick):
    """The state that has been the same for a while."""
    last = State(quick)
    while True:
        time.sleep(0.1)
        now = State(quick)
        if now.same == last.same:
            return now
        last = now


def difference(a, b):
    return "\n".join(f"{x!r}\nbecame {y!r}" for x, y in zip(a, b) if x != y)


# --- The sweep ---


def sweep(name, do, undo=None):
    """Lets each allocation of `do` fail in turn. It raises OSError when it was refused, Lost when nobody
    knows. `undo` takes back what it did; where there is none, it does nothing that shows."""
    if not re.search(os.environ.get("LANA_ONLY", ""), name):
        return
    quick = undo is None
    before = resting(quick)
    try:
        do()
    except OSError as error:
        check(f"{name}: works when no allocation fails", False, error)
        return
    after = resting(quick)
    if undo:
        undo()
    first, now = before, settled(quick, lambda now: now.same == before.same)
    good = check(f"{name}: can be done and taken back", now.same == before.same and
                 (quick or after.same != before.same), difference(before.same, now.same))
    refused = without = lost = 0
    before = now
    for count in range(1, SWEEP_MAX):
        outcome = "done"
        # Nothing that allocates between this and what is tested.
        arm(count)
        try:
            do()
        except Lost:
            outcome = "lost"
        except OSError as error:
            outcome = error
        hit = disarm()
        drain()
        if outcome == "lost":
            now = settled(quick, lambda now: now.same == after.same or now.exact == before.exact)
            outcome = "done" if now.same == after.same else "refused"
            lost += 1
        if outcome == "done":
            without += hit
            now = settled(quick, lambda now: now.same == after.same)
            wrong = now.same != after.same and difference(after.same, now.same)
            if undo:
                undo()
                before = settled(quick, lambda now: now.same == first.same)
        else:
            refused += 1
            now = settled(quick, lambda now: now.exact == before.exact)
            wrong = now.exact != before.exact and difference(before.exact, now.exact)
            wrong = wrong or not hit and "it was refused, although nothing failed"
        if wrong:
            good = check(f"{name}: allocation {count} fails", False, outcome, wrong)
            if now.same != before.same:
                break  # what follows would only follow from this
        if not hit:
            break
    print(f"# {name}: {count - 1} allocations, {refused} refused, {without} did without, "
          f"{lost} without an answer")
    if good:
        check(f"{name}: whichever allocation fails, it is done whole or not at all", count > 1, "none was hit")


# --- What is done ---


def once(message, to=None):
    """Sends a request that was made before. What went wrong is an OSError."""
    sock = (to or lana).sock
    sock.send(message)
    try:
        sock.recv_into(BUFFER)
    except OSError as error:
        raise Lost from error
    error = -struct.unpack_from("i", BUFFER, 16)[0]
    if error:
        raise OSError(error, os.strerror(error))


def drain():
    """An answer of which a part got lost leaves the rest."""
    for sock in lana.sock, route.sock:
        while select.select([sock], [], [], 0)[0]:
            try:
                sock.recv_into(BUFFER)
            except OSError:
                pass


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def request(kind, *args, **more):
    """A function that makes a request."""
    message = lana.message(kind, lana.op(kind, *args, **more))
    return lambda: once(message)


def transaction(*ops):
    message = lana.message("TRANSACT", lana.transaction(*ops))
    return lambda: once(message)


def all_of(*functions):
    return lambda: [function() for function in functions] and None


def base():
    """lan0 - t - c and f; d is subscribed to c; n and lan1 are alone. There are no blocks of type dummy."""
    for name, kind in [("t", "tee"), ("c", "counter"), ("f", "bpf"), ("d", "tee"), ("n", "counter")]:
        must(lana.add(name, kind))
    must(lana.hook("lan0"))
    must(lana.hook("lan1"))
    must(lana.set("f", "program", PASS_ALL))
    for upper, lower in [("t", "lan0"), ("c", "t"), ("f", "t")]:
        must(lana.bind(upper, lower))
    must(lana.subscribe("d", "c"))


def listen():
    """Somebody hears the events: so they are made, which can fail as well."""
    answer = lana.request(3, attr(2, "lana"), family=GENL_ID_CTRL)
    groups = dict(attrs(answer.messages[0][20:]))[7]
    group = dict(attrs(next(attrs(groups))[1]))
    listener = Lana()
    listener.sock.setsockopt(270, 1, number(group[2]))  # SOL_NETLINK, NETLINK_ADD_MEMBERSHIP
    listener.sock.setsockopt(270, 5, 1)  # NETLINK_NO_ENOBUFS
    return listener


def control():
    removal = lana.message("FB_DEL", lana.op("FB_DEL", "x"))
    for kind in ["tee", "counter", "bpf"]:
        sweep(f"fb-new of a {kind}", request("FB_NEW", "x", kind), request("FB_DEL", "x"))
    State.types = False  # a module that was loaded stays, also when there was no memory for the block
    sweep("fb-new that loads a module", request("FB_NEW", "x", "dummy"),
          lambda: once(removal) or unload("fb_dummy"))
    # From here on no request changes which modules there are.
    must(lana.add("x", "dummy"))
    must(lana.remove("x"))
    State.types = True
    sweep("fb-del", request("FB_DEL", "n"), request("FB_NEW", "n", "counter"))
    sweep("fb-set of a program", request("FB_SET", "f", "program", "{ 0x6, 0, 0, 0 },"),
          request("FB_SET", "f", "program", PASS_ALL))
    sweep("fb-set that takes a program away", request("FB_SET", "f", "program", ""),
          request("FB_SET", "f", "program", PASS_ALL))
    sweep("bind", request("BIND", "n", "t"), request("UNBIND", "n", "t"))
    sweep("bind to a device", request("BIND", "lan1", "f"), request("UNBIND", "lan1", "f"))
    sweep("unbind", request("UNBIND", "f", "t"), request("BIND", "f", "t"))
    sweep("subscribe", request("SUBSCRIBE", "n", "c"), request("UNSUBSCRIBE", "n", "c"))
    sweep("unsubscribe", request("UNSUBSCRIBE", "d", "c"), request("SUBSCRIBE", "d", "c"))
    sweep("replace, with the state", request("REPLACE", "c", "n"), request("REPLACE", "n", "c"))
    sweep("replace by another type", request("REPLACE", "f", "n", drop_state=True),
          all_of(request("REPLACE", "n", "f", drop_state=True),
                 request("FB_SET", "f", "program", PASS_ALL)))
    sweep("vlink-hook", request("VLINK_HOOK", "lan2"), request("VLINK_UNHOOK", "lan2"))
    must(lana.hook("lan2"))
    sweep("vlink-unhook", request("VLINK_UNHOOK", "lan2"), request("VLINK_HOOK", "lan2"))
    must(lana.unhook("lan2"))
    sweep("vlink-new", request("VLINK_NEW", "virtual0", "lan2"), request("VLINK_DEL", "virtual0"))
    must(lana.do("VLINK_NEW", "virtual0", "lan2"))
    sweep("vlink-del", request("VLINK_DEL", "virtual0"), request("VLINK_NEW", "virtual0", "lan2"))
    must(lana.do("VLINK_DEL", "virtual0"))
    sweep("a transaction that makes and binds",
          transaction(("FB_NEW", "x", "tee"), ("FB_NEW", "y", "bpf"), ("FB_SET", "y", "program", PASS_ALL),
                      ("BIND", "x", "f"), ("BIND", "y", "x"), ("SUBSCRIBE", "y", "c")),
          transaction(("UNSUBSCRIBE", "y", "c"), ("UNBIND", "y", "x"), ("UNBIND", "x", "f"),
                      ("FB_DEL", "y"), ("FB_DEL", "x")))
    sweep("a transaction that moves the way",
          transaction(("UNBIND", "c", "t"), ("BIND", "n", "t"), ("BIND", "c", "n")),
          transaction(("UNBIND", "c", "n"), ("UNBIND", "n", "t"), ("UNBIND", "f", "t"),
                      ("BIND", "c", "t"), ("BIND", "f", "t")))
    sweep("a transaction with devices",
          transaction(("VLINK_HOOK", "lan2"), ("UNBIND", "t", "lan0"), ("VLINK_UNHOOK", "lan0"),
                      ("BIND", "t", "lan2")),
          transaction(("UNBIND", "t", "lan2"), ("VLINK_UNHOOK", "lan2"), ("VLINK_HOOK", "lan0"),
                      ("BIND", "t", "lan0")))
    sweep("a transaction that replaces",
          transaction(("FB_NEW", "x", "counter"), ("REPLACE", "c", "x"), ("FB_DEL", "c")),
          transaction(("FB_NEW", "c", "counter"), ("REPLACE", "x", "c"), ("FB_DEL", "x")))
    many = [("FB_NEW", f"m{i}", "tee") for i in range(20)]
    sweep("a transaction of 40 operations",
          transaction(*many, *(("BIND", f"m{i + 1}", f"m{i}") for i in range(19)), ("BIND", "m0", "f")),
          transaction(("UNBIND", "m0", "f"), *(("UNBIND", f"m{i + 1}", f"m{i}") for i in range(19)),
                      *(("FB_DEL", name) for _, name, _ in many)))
    message = lana.message("TRANSACT", lana.transaction(
        ("FB_NEW", "x", "tee"), ("BIND", "x", "f"), ("VLINK_HOOK", "lan2"), ("REPLACE", "c", "n"),
        ("FB_DEL", "nobody")))

    def refused():
        try:
            once(message)
        except OSError:
            return
        raise OSError("done")

    sweep("a transaction whose last operation is refused", refused)


PREFIXES = ",".join(f"10.{n}.0.0/16" for n in range(40)) + ",2001:db8::/32"
ROUTES = ",".join(f"10.{n}.0.0/16 via 192.0.2.{1 + n % 3} -> 0" for n in range(40)) + ",2001:db8::/32 -> up"
# What is set of each type, and by what it is taken back.
BLOCKS = {
    "classify": [("rule.1", "proto=udp dport=9 src=@0 -> 1", "rule.1", ""), ("rule.2", 'bpf="1,6 0 0 1," -> 1', "rule.2", ""),
                 ("prefixes.0", PREFIXES, "prefixes.0", ""), ("default", "drop", "default", "")],
    "nat": [("source", "192.0.2.100", "source", ""), ("map", "10.0.0.0/24=192.0.2.0/24", "map", ""),
            ("sessions", "1000", "sessions", "")],
    "route": [("route.0", "10.0.0.0/8 via 192.0.2.1 -> 0", "route.0", ""), ("routes", ROUTES, "routes", ""),
              ("icmpv6", "2001:db8::1", "icmpv6", "")],
    "rewrite": [("source", "192.0.2.1", "source", ""), ("vlan", "push:7", "vlan", "")],
    "queue": [("rate", "1mbit", "rate", ""), ("drop", "codel", "drop", ""), ("limit", "10", "limit", "")],
    "shape": [("rate", "1mbit", "rate", ""), ("mode", "police", "mode", "")],
    "delay": [("latency", "1ms", "latency", ""), ("limit", "10", "limit", "")],
    "switch": [("limit", "100", "limit", ""), ("vlan", "on", "vlan", "")],
    "udp-tunnel": [("local", "127.0.0.1", "local", ""), ("port", "4789", "port", "")],
    "fragment": [("mtu", "1000", "mtu", "")],
    "defrag": [("memory", "64kb", "memory", ""), ("datagrams", "10", "datagrams", "")],
    "checksum": [("complete", "on", "complete", "")],
    "crypt": [("tx.key", "1:" + "01" * 15 + "00", "tx.key", ""), ("rx.2.key", "02" * 31 + "00", "rx.2.key", "")],
    "compress": [("level", "9", "level", ""), ("limit", "1000", "limit", "")],
    "reliable": [("window", "10", "window", ""), ("send", "off", "send", "")],
}


def blocks():
    """Each type: a block is made, set, replaced by one with other settings, and goes."""
    for kind, settings in BLOCKS.items():
        sweep(f"fb-new of a {kind}", request("FB_NEW", "x", kind), request("FB_DEL", "x"))
        must(lana.transact(("FB_NEW", "x", kind), ("FB_NEW", "y", kind), ("BIND", "x", "lan1")))
        for key, value, *back in settings:
            sweep(f"fb-set of {kind}, {key}", request("FB_SET", "x", key, value), request("FB_SET", "x", *back))
        must(lana.set("y", *settings[0][:2]))
        sweep(f"replace of a {kind}", request("REPLACE", "x", "y"),
              transaction(("REPLACE", "y", "x"), ("FB_SET", "y", *settings[0][:2])))
        must(lana.transact(("UNBIND", "x", "lan1"), ("FB_DEL", "x"), ("FB_DEL", "y")))
    must(lana.add("x", "classify"))
    must(lana.set("x", "prefixes.0", PREFIXES))
    sweep("prefixes are added", request("FB_SET", "x", "prefixes.0+", "192.0.2.0/24"), request("FB_SET", "x", "prefixes.0-", "192.0.2.0/24"))
    parts = [PREFIXES[at:at + 200] for at in range(0, len(PREFIXES), 200)]
    more = [["more"]] * (len(parts) - 1) + [[]]
    sweep("a value in parts", transaction(*[("FB_SET", "x", "prefixes.1", part, *how) for part, how in zip(parts, more)]),
          request("FB_SET", "x", "prefixes.1", ""))
    must(lana.remove("x"))


def sockets():
    """A socket is opened, named, used and closed: its block is there, or the call has failed."""
    sockaddr = struct.pack("=HHiHBB8s32s", 18, 0, 0, 0, 0, 0, b"", b"named")
    packet = bytes(100)

    def use():
        sock = socket.socket(18, socket.SOCK_RAW)
        try:
            if LIBC.bind(sock.fileno(), sockaddr, len(sockaddr)):
                raise OSError(ctypes.get_errno(), "bind")
            sock.setsockopt(300, 3, struct.pack("II", 4096, 0))  # LANA_RX_RING
            try:
                sock.send(packet)
            except OSError as error:
                if error.errno != errno.ENOTCONN:
                    raise
        finally:
            sock.close()

    sweep("a socket", use)


def procfs():
    path = FBLOCK + "f"

    # A program that says how long it is, and is loaded before the file is closed: then it is too late to fail.
    def put():
        file = os.open(path, os.O_WRONLY)
        try:
            os.write(file, b"1\n6 0 0 0\n")
        finally:
            os.close(file)

    sweep("writing a program", put, lambda: write(path, PASS_ALL))
    for name in ["fblocks", "ppe", "vlink", "fblock/c", "fblock/f"]:
        path = "/proc/net/lana/" + name
        want = read(path).encode()

        def look(path=path, want=want):
            file = os.open(path, os.O_RDONLY)
            try:
                size = os.readv(file, [BUFFER])
            finally:
                os.close(file)
            if BUFFER[:size] != want:
                raise ValueError(f"{path} says {bytes(BUFFER[:size])}")

        sweep(f"reading {name}", look)


def dump(message, want):
    """Takes a dump, with a socket of its own."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 2, 0))
        sock.send(message)
        count = 0
        while True:
            size = sock.recv_into(BUFFER, 4096)  # of several parts
            at = 0
            while at < size:
                length, kind = struct.unpack_from("IH", BUFFER, at)
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    error = -struct.unpack_from("i", BUFFER, at + 16)[0]
                    if error:
                        raise OSError(error, os.strerror(error))
                    if count != want:
                        raise ValueError(f"{count} in a dump, not {want}")
                    return
                count += 1
                at += (length + 3) & ~3
    finally:
        sock.close()


def dumps():
    for i in range(40):
        must(lana.add(f"more{i}", "tee"))
    for cmd in ["FB_GET", "TYPE_GET", "PPE_GET", "VLINK_GET"]:
        want = len(lana.request(cmd, flags=NLM_F_DUMP).messages)
        message = lana.message(cmd, b"", NLM_F_DUMP)
        sweep(f"{cmd.lower().replace('_', '-')}, a dump", lambda m=message, w=want: dump(m, w))
    for i in range(40):
        must(lana.remove(f"more{i}"))
    message = lana.message("FB_GET", lana.op("FB_DEL", "t"))

    def get():
        lana.sock.send(message)
        lana.sock.recv_into(BUFFER)
        if struct.unpack_from("H", BUFFER, 4)[0] == NLMSG_ERROR:
            raise OSError("nothing but an error")
        lana.sock.recv_into(BUFFER)  # the acknowledgement

    sweep("fb-get of one", get)


def devices():
    must(lana.bind("lan1", "f"))
    must(lana.subscribe("n", "lan1"))
    must(lana.subscribe("lan1", "c"))
    gone = route.link_message(route.DELLINK, "lan1")

    def again():
        must(route.add_veth("lan1", "far1"))
        must(route.up("lan1"))
        must(route.up("far1"))
        must(lana.hook("lan1"))
        must(lana.bind("lan1", "f"))
        must(lana.subscribe("n", "lan1"))
        must(lana.subscribe("lan1", "c"))

    again_state = State().same
    sweep("a hooked device is deleted", lambda: once(gone, route), again)
    message = lana.message("FB_GET", b"", NLM_F_DUMP)

    def gone_and_seen():
        """The block goes when somebody looks, who may have no memory for that."""
        once(gone, route)
        try:
            dump(message, len(before_gone) - 1)
        except (OSError, ValueError) as error:
            raise Lost from error

    before_gone = lana.blocks()
    sweep("a hooked device is deleted, and somebody looks", gone_and_seen, again)
    check("after all of that the graph is as it was", State().same == again_state,
          difference(again_state, State().same))
    down, up = (route.link_message(route.NEWLINK, "lan1", flag, 1) for flag in (0, 1))
    sweep("a hooked device is brought down", lambda: once(down, route), lambda: once(up, route))
    # (Moving it to another namespace: there Linux itself warns when an allocation fails.)
    there, back = (route.link_message(route.NEWLINK, name, index=socket.if_nametoindex("lan1"))
                   for name in ("lan9", "lan1"))
    sweep("a hooked device is renamed", lambda: once(there, route), lambda: once(back, route))
    must(lana.unsubscribe("lan1", "c"))
    must(lana.unsubscribe("n", "lan1"))
    must(lana.unbind("lan1", "f"))


def child(function):
    """Calls a function in a process of its own, with its own fail-nth: what it answers, a number."""
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        os._exit(function() & 0xFF)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def namespaces():
    """Each allocation of a new namespace: LANA's are among those of everybody else."""
    def attempt(count):
        def make():
            nth = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
            os.write(nth, b"%d" % count)
            failed = LIBC.unshare(0x40000000) != 0
            hit = os.pread(nth, 16, 0).strip() == b"0"
            os.write(nth, b"0")
            # A graph is there and works, or nothing is there.
            works = not failed and read("/proc/net/lana/fblocks") == "" and not Lana().add("x", "dummy").error
            return failed | hit << 1 | works << 2
        return child(make)

    before = State().same
    refused = without = bad = 0
    count = 1
    while True:
        result = attempt(count)
        failed, hit, works = result & 1, result >> 1 & 1, result >> 2 & 1
        refused += failed
        without += hit and not failed
        bad += failed == works
        if not hit or count > 20000:
            break
        count += 1 if LONG else 15
    print(f"# namespaces: {count} allocations, {refused} refused, {without} did without")
    check("a namespace is made whole or not at all, whichever allocation fails", not bad and refused, bad,
          refused)
    time.sleep(1)
    deadline = time.monotonic() + 30
    while State().same != before and time.monotonic() < deadline:
        time.sleep(0.2)
    check("those that were made have gone, with their blocks", State().same == before,
          difference(before, State().same))


def module(name):
    for folder in ["lana-core", "fb-modules"]:
        path = f"{os.environ['LANA_MODULES']}/{folder}/{name}.ko"
        if os.path.exists(path):
            with open(path, "rb") as file:
                return file.read()
    raise FileNotFoundError(name)


def unload(name):
    if LIBC.delete_module(name.encode(), os.O_NONBLOCK):
        raise OSError(ctypes.get_errno(), "delete_module " + name)


def modules():
    """Each allocation of loading a module. Nothing is loaded before, and after."""
    size, empty = ctypes.c_ulong(), ctypes.c_char_p(b"")
    for name in ["lana", "fb_dummy", "fb_eth", "fb_bpf", "fb_ethvlink", "fb_pflana"]:
        image, refused, without, bad = module(name), 0, 0, []
        size.value = len(image)
        for count in range(1, SWEEP_MAX, STEP):
            arm(count)
            failed = LIBC.init_module(image, size, empty) != 0
            hit = disarm()
            there = [os.path.exists("/sys/module/" + name)]
            there += [os.path.exists("/proc/net/lana")] if name == "lana" else []
            if failed in there:
                bad.append(count)
            if not failed:
                unload(name)
            refused += failed
            without += hit and not failed
            if not hit:
                break
        print(f"# loading {name}: {count - 1} allocations, of which each {STEP}th was tried: "
              f"{refused} refused, {without} did without")
        check(f"{name} is loaded whole or not at all, whichever allocation fails", not bad and refused, bad)
        if LIBC.init_module(image, size, empty):
            raise OSError(ctypes.get_errno(), "init_module " + name)
    for name in ["fb_pflana", "fb_ethvlink", "fb_bpf", "fb_eth", "fb_dummy", "lana"]:
        unload(name)


def packets():
    """Allocations in the packets' way fail, every fifth: what could not be copied is counted."""
    for uppers in ["f", "c"]:
        must(lana.unbind(uppers, "t"))
    must(lana.bind("n", "t"))
    must(lana.bind("c", "t"))
    # What is sent must be ours alone, and this generator's packets are not.
    must(lana.hook("lan2"))
    must(lana.bind("lan2", "n"))
    attribute = DEBUGFS + "failslab/"
    before, engine = lana.blocks(), lana.engine()
    load = Load().add("lan0", 0, "xmit_mode netif_receive", "burst 8")
    # Those that may not wait for memory, which packets' are.
    for key, value in [("ignore-gfp-wait", "Y"), ("times", "-1"), ("interval", "1"), ("probability", "20")]:
        write(attribute + key, value)
    load.start()
    time.sleep(1)
    sent = load.stop()["lan0"]
    write(attribute + "probability", "0")
    write(attribute + "ignore-gfp-wait", "N")
    now = lana.blocks()
    more = {name: block.packets - before[name].packets for name, block in now.items()}
    drops = {(name, reason): n - before[name].drops.get(reason, 0)
             for name, block in now.items() for reason, n in block.drops.items()}
    lost = drops.get(("lan2", "no-memory"), 0)
    uncopied = drops.get(("t", "no-memory"), 0)
    print(f"# {sent} packets, {lost} could not be made ours alone, {uncopied} could not be copied")
    check("allocations have failed in the packets' way", lost and uncopied, drops)
    check("every packet is counted", lana.engine()[0] - engine[0] == sent + more["c"], sent, more, drops)
    check("the way itself loses nothing", sent == more["t"] == more["n"] == more["lan2"], sent, more, drops)
    check("that which could not be copied is a drop of the tee: no-memory",
          more["c"] == more["t"] - uncopied, more, drops)
    must(lana.unbind("lan2", "n"))
    must(lana.unhook("lan2"))
    must(lana.unbind("n", "t"))
    must(lana.unbind("c", "t"))


# What changes, keeps or makes packets on their way up: settings, and whether one comes out for one that goes in.
WAYS = [
    ("rewrite", [("dscp", "5")], True), ("nat", [("map", "10.0.0.0/24=192.0.2.0/24")], True),
    ("compress", [("compress", "ingress")], True), ("crypt", [("encrypt", "ingress"), ("tx.key", "1:" + "01" * 15 + "00")], True),
    ("delay", [("latency", "10us"), ("limit", "100000")], True), ("shape", [("rate", "100mbit"), ("limit", "100000")], True),
    ("queue", [("rate", "100mbit"), ("limit", "100000")], True), ("fragment", [("mtu", "300")], False),
    ("route", [("routes", "0.0.0.0/0 -> 1")], True),
]


def ways():
    """The same on the way through each block that drops packets for want of memory: it counts each."""
    attribute = DEBUGFS + "failslab/"
    must(lana.unbind("t", "lan0"))
    for key, value in [("ignore-gfp-wait", "Y"), ("times", "-1"), ("interval", "1")]:
        write(attribute + key, value)
    for kind, settings, one_by_one in WAYS:
        ops = [("FB_NEW", "x", kind), ("FB_NEW", "out", "counter"), ("BIND", "x", "lan0")]
        # What a router forwards leaves below.
        ops += [("BIND", "x", "out") if kind == "route" else ("BIND", "out", "x")]
        must(lana.transact(*ops, *[("FB_SET", "x", *setting) for setting in settings]))
        load = Load().add("lan0", 0, "xmit_mode netif_receive", "burst 8", "src_min 192.0.2.1", "src_max 192.0.2.1",
                          mac=read("/sys/class/net/lan0/address").strip())
        write(attribute + "probability", "20")
        load.start()
        time.sleep(0.5)
        sent = load.stop()["lan0"]
        write(attribute + "probability", "0")
        deadline = time.monotonic() + 10
        while True:
            now = lana.blocks()
            x, out = now["x"], now["out"]
            dropped = sum(x.drops.values())
            if not one_by_one:
                out.packets = int(x.options["fit"]) + int(x.options["cut"])
            if sent == x.packets == out.packets + dropped or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        print(f"# {kind}: {sent} packets, {dropped} dropped: {x.drops}")
        check(f"{kind}: what there is no memory for is dropped, as no-memory", x.drops.get("no-memory"), x.drops)
        check(f"{kind}: each packet is counted", sent == x.packets == out.packets + dropped, sent, x.packets, out.packets, x.drops)
        must(lana.transact(("UNBIND", "x", "lan0"), ("UNBIND", *(("x", "out") if kind == "route" else ("out", "x"))),
                           ("FB_DEL", "x"), ("FB_DEL", "out")))
    write(attribute + "ignore-gfp-wait", "N")
    must(lana.bind("t", "lan0"))


# --- The kernel's log ---


class Log:
    """What the kernel says meanwhile. Where an allocation fails it may show how it came to that, which is no
    mistake; so it does not say it on the console."""

    MISTAKE = re.compile(r"cut here|WARNING: |BUG: |kernel BUG|Oops|UBSAN: |KASAN: |INFO: |refcount_t: "
                         r"|rust_kernel: panicked|list_(add|del) corruption")

    def __init__(self):
        self.printk = read("/proc/sys/kernel/printk")
        write("/proc/sys/kernel/printk", "3")
        self.file = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        os.lseek(self.file, 0, os.SEEK_END)

    def mistakes(self):
        found = []
        while True:
            try:
                record = os.read(self.file, 8192).decode(errors="replace")
            except BrokenPipeError:
                continue  # older ones were written over
            except BlockingIOError:
                return found
            if found or self.MISTAKE.search(record):
                found.append(record.splitlines()[0])

    def close(self):
        write("/proc/sys/kernel/printk", self.printk)
        os.close(self.file)


def main():
    global lana, route  # pylint: disable=global-statement
    for attribute, keys in [("failslab", {"ignore-gfp-wait": "N", "verbose": "0"}),
                            ("fail_page_alloc", {"ignore-gfp-wait": "N", "ignore-gfp-highmem": "N",
                                                 "min-order": "0", "verbose": "0"})]:
        for key, value in keys.items():
            path = DEBUGFS + attribute + "/" + key
            if os.path.exists(path):
                write(path, value)
    log = Log()
    leaks = Leaks()
    whats = sys.argv[1:]
    listener = None
    if whats != ["modules"]:
        lana, route = Lana(), Route()
        listener = listen()
        base()
    for what in whats:
        globals()[what]()
        found = log.mistakes()
        check(f"{what}: the kernel has nothing to say", not found, *found[:40])
    del listener
    leaks.check()
    log.close()
    end()


main()

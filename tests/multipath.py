# SPDX-License-Identifier: GPL-2.0
"""multipath.py: what alice sends by a0 comes to lan0, and is spread over o0, o1 and o2, whose other ends
are p0, p1 and p2 in the namespace of bob. Sessions are numbered; each packet carries its number, so that
bob knows by which links it comes. LANA_LONG=1: with more packets and sessions."""

import ctypes
import errno
import math
import socket
import struct
import subprocess
import threading
import time

from lana import check, end
from rig import LIBC, LONG, SLOW, Lana, Load, Route, inside, link, quiesce

COUNT = (100_000 if LONG else 20_000) // SLOW
LINKS = ["p0", "p1", "p2"]
OUTS = ["o0", "o1", "o2"]
STRATEGIES = ["route", "packet", "session", "bandwidth", "utilisation", "flowlet", "hash"]
SIZE, BATCH = 80, 250
ALICE, BOB = bytes.fromhex("02000000000a"), bytes.fromhex("02000000000b")
lana, route = Lana(), Route()


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def options(block="m"):
    return lana.get(block).options


# --- Sending and receiving ---------------------------------------------------------------------


class Sender:
    """Sends many packets with few system calls."""

    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    class Header(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                    ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                    ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("sent", ctypes.c_uint)]

    def __init__(self, namespace, device):
        self.sock = inside(namespace, socket.socket, socket.AF_PACKET, socket.SOCK_RAW)
        self.sock.setsockopt(socket.SOL_SOCKET, 32, 8 << 20)  # SO_SNDBUFFORCE
        self.sock.bind((device, 0))
        self.frames = ctypes.create_string_buffer(BATCH * SIZE)
        self.iovecs = (self.Iovec * BATCH)()
        self.headers = (self.Header * BATCH)()
        for n in range(BATCH):
            self.iovecs[n].base, self.iovecs[n].len = ctypes.addressof(self.frames) + n * SIZE, SIZE
            self.headers[n].iov, self.headers[n].iovlen = ctypes.addressof(self.iovecs[n]), 1

    def flush(self, count):
        sent = 0
        while sent < count:
            at = ctypes.byref(self.headers, sent * ctypes.sizeof(self.Header))
            done = LIBC.sendmmsg(self.sock.fileno(), at, count - sent, 0)
            if done < 0:
                if ctypes.get_errno() != errno.ENOBUFS:
                    raise OSError(ctypes.get_errno(), "sendmmsg")
                time.sleep(0.001)
                done = 0
            sent += done

    def sessions(self, numbers, six, each=None):
        """The first packet, or one more, of the sessions of these numbers."""
        frames, at = self.frames, 0
        template = SIX if six else FOUR
        for start in range(0, BATCH * SIZE, SIZE):
            frames[start:start + SIZE] = template
        # Destination and source port: the upper part of the number is in the one, the lower in the other.
        place, port = (14 + 36, 54) if six else (14 + 16, 34)
        pack = struct.pack_into
        for n in numbers:
            start = at * SIZE
            pack("!I", frames, start + place, 0x0A000000 + n)
            pack("!H", frames, start + port, n & 0xFFFF)
            pack("!I", frames, start + SIZE - 4, n)
            at += 1
            if at == BATCH:
                self.flush(at)
                at = 0
                if each:
                    each()
        self.flush(at)
        if each:
            each()


def ethernet(kind, rest):
    return (BOB + ALICE + struct.pack("!H", kind) + rest).ljust(SIZE, b"\0")


UDP = struct.pack("!HHHH", 1, 80, SIZE - 34, 0)
FOUR = ethernet(0x0800, struct.pack("!BBHHHBBH4s4s", 0x45, 0, SIZE - 14, 0, 0x4000, 64, 17, 0,
                                    b"\xc0\x00\x02\x01", b"\x0a\0\0\0") + UDP)
SIX = ethernet(0x86DD, struct.pack("!IHBB16s16s", 6 << 28, SIZE - 54, 17, 64, b"\xfd" + bytes(15),
                                   b"\xfd" + bytes(15)) + UDP)


class Receiver:
    """Knows by which links the packets of each session come."""

    def __init__(self):
        self.socks = [inside("bob", socket.socket, socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
                      for _ in LINKS]
        for sock, name in zip(self.socks, LINKS):
            sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
            sock.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
            sock.bind((name, 0))
            sock.setblocking(False)
        self.ways, self.count = {}, 0

    def drain(self):
        for number, sock in enumerate(self.socks):
            while True:
                try:
                    data = sock.recv(2048)
                except BlockingIOError:
                    break
                except OSError as error:
                    if error.errno != errno.ENETDOWN:  # told once when a device goes down
                        raise
                    continue
                if data[:6] == BOB:
                    session = int.from_bytes(data[SIZE - 4:SIZE], "big")
                    self.ways.setdefault(session, set()).add(number)
                    self.count += 1

    def forget(self):
        self.drain()
        self.ways, self.count = {}, 0

    def close(self):
        for sock in self.socks:
            sock.close()


sender = Sender("alice", "a0")


def ways(numbers, six, expect=None):
    """The link by which each of these sessions goes; -1 where there is more than one, or none."""
    receiver.forget()
    numbers = list(numbers)
    sender.sessions(numbers, six, receiver.drain)
    quiesce()
    receiver.drain()
    one = {n: receiver.ways.get(n, {-1}) for n in numbers}
    if expect is not None:
        check(expect, receiver.count == len(numbers), f"{receiver.count} of {len(numbers)}")
    return {n: way.copy().pop() if len(way) == 1 else -1 for n, way in one.items()}


def build(*settings):
    must(lana.add("m", "multipath"))
    must(lana.bind("lan0", "m"))
    for out in OUTS:
        must(lana.bind("m", out))
    change(*settings)


def change(*settings):
    ops = [("FB_SET", "m", *setting.split("=")) for setting in settings]
    if ops:
        must(lana.transact(*ops))


def take_apart(name="m"):
    for lower in lana.get(name).down():
        must(lana.unbind(name, lower))
    must(lana.unbind("lan0", name))
    must(lana.remove(name))


def received():
    quiesce()
    return [link("bob", name, "rx_packets") for name in LINKS]


def near(name, got, wanted, chance=False):
    """Each share is within 1% of what is wanted; where it is left to chance and there are few packets,
    within what that may do."""
    whole = sum(got)
    good = whole > 0
    for share, want in zip(got, wanted):
        want /= sum(wanted)
        margin = 0.01
        if chance and whole:
            margin = max(margin, 4 * math.sqrt(want * (1 - want) / whole))
        good = good and abs(share / whole - want) <= margin
    check(name, good, f"{got}, wanted {wanted}")


# --- The split ---------------------------------------------------------------------------------

WEIGHTS = [1, 2, 5]


def split():
    weights = [f"port.{n}.weight={weight}" for n, weight in enumerate(WEIGHTS)]
    capacities = [f"port.{n}.capacity={weight}mbit" for n, weight in enumerate(WEIGHTS)]
    for strategy in STRATEGIES:
        for six in (False, True):
            about = f"{strategy}, {'IPv6' if six else 'IPv4'}: "
            by_rate = strategy in ("bandwidth", "utilisation")
            build(f"strategy={strategy}", "sessions=131072")
            if strategy == "bandwidth":
                # Of links that are alike and never full the same is left where the same is used.
                wanted = [1, 1, 1]
                change("port.0.capacity=1gbit", "port.1.capacity=1gbit", "port.2.capacity=1gbit")
            else:
                wanted = WEIGHTS
                change(*(capacities if by_rate else weights))
            before = received()
            sender.sessions(range(COUNT), six)
            got = [now - then for now, then in zip(received(), before)]
            check(f"{about}all {COUNT} packets came", sum(got) == COUNT, got)
            near(f"{about}the split is within 1%", got, wanted, strategy == "hash")
            told = options()
            packets = [int(told[f"port.{n}.packets"]) for n in range(3)]
            lengths = [int(told[f"port.{n}.bytes"]) for n in range(3)]
            check(f"{about}the block has counted as much", packets == got, packets, got)
            check(f"{about}and each byte", lengths == [SIZE * n for n in got], lengths)
            if strategy in ("session", "route", "flowlet"):
                sessions = [int(told[f"port.{n}.sessions"]) for n in range(3)]
                # One in a few 100,000 is taken for another one.
                check(f"{about}each is remembered", sum(got) - 10 <= sum(sessions) <= sum(got), sessions, got)
            if not by_rate:
                shares = [float(told[f"port.{n}.{what}"][:-1]) for what in ("wanted", "given")
                          for n in range(3)]
                # By chance, five standard deviations.
                good = all(abs(a - b) < (max(3, 250 / COUNT ** 0.5) if strategy == "hash" else 0.1)
                           for a, b in zip(shares, shares[3:]))
                check(f"{about}it tells that what is given is what is wanted", good, shares)
            # Every second.
            deadline = time.monotonic() + 5
            while not sum(rates := [int(options()[f"port.{n}.rate"]) for n in range(3)]) \
                    and time.monotonic() < deadline:
                time.sleep(0.1)
            check(f"{about}it has measured what was sent", sum(rates) > 0, rates)
            take_apart()
    # What the thesis found: the slow one of unlike links is not used at all.
    build("strategy=bandwidth", "port.0.capacity=1mbit", "port.1.capacity=1gbit", "port.2.capacity=1gbit")
    before = received()
    sender.sessions(range(COUNT), False)
    got = [now - then for now, then in zip(received(), before)]
    check("bandwidth: where others have more left, the slow link gets none", got[0] == 0, got)
    near("bandwidth: and they the same", got[1:], [1, 1])
    take_apart()


# --- Measuring ---------------------------------------------------------------------------------


def rates():
    """All that is sent in an interval is told, once it is over."""
    names = ["rate", "pps", "last-rate", "last-pps"]
    build("strategy=packet", "interval=500ms", "average=500ms")
    sender.sessions(range(3000), False)
    quiesce()

    def told():
        now = options()
        return [sum(int(now[f"port.{n}.{name}"]) for n in range(3)) for name in names]

    def until(good):
        deadline = time.monotonic() + 10
        while not good(now := told()) and time.monotonic() < deadline:
            time.sleep(0.02)
        return now

    now = until(lambda now: now[0] > 0)
    check("rates: bits and packets belong together", now[0] > 0 and abs(now[0] / now[1] - SIZE * 8) < 8, now)
    check("rates: an average over an interval is the last one", now[:2] == now[2:], now)
    now = until(lambda now: not any(now))
    check("rates: after an interval of nothing nothing is left", now == [0] * 4, now)
    change("average=100s")
    sender.sessions(range(3000), False)
    quiesce()
    now = until(lambda now: now[0] > 0)
    check("rates: a longer average is less", 0 < now[0] < now[2] / 50 and 0 < now[1] < now[3] / 50, now)
    then = told()
    now = until(lambda now: not any(now[2:]))
    check("rates: and lasts, where the last interval has nothing", now[0] > then[0] / 2 > 0 == now[2] == now[3], now)
    take_apart()
    # By the last interval, too, the split is that of the capacities.
    build("strategy=utilisation", "usage=last", "interval=100ms", *(f"port.{n}.capacity={n + 1}mbit" for n in range(3)))
    before = received()
    sender.sessions(range(COUNT), False)
    got = [now - then for now, then in zip(received(), before)]
    near("rates: the last interval has the same split", got, [1, 2, 3])
    take_apart()


# --- Sessions ----------------------------------------------------------------------------------

FEW = max((3000 if LONG else 1000) // SLOW, 300)


def both(numbers):
    """The ways of the same sessions by IPv4 and by IPv6."""
    return [ways(numbers, six) for six in (False, True)]


def stick():
    build("strategy=session", "per=session", "port.0.weight=2")
    first = both(range(FEW))
    check("session: each session goes one way", all(-1 not in way.values() for way in first))
    check("session: and all ways are gone", all(set(way.values()) == {0, 1, 2} for way in first))
    for settings in (["port.0.weight=1", "port.1.weight=9"], ["strategy=flowlet", "gap=60000"],
                     ["strategy=bandwidth"], ["strategy=utilisation", "port.2.capacity=1mbit"],
                     ["strategy=packet"], ["strategy=hash"], ["strategy=route"], ["strategy=session"],
                     ["expiry=1000"], ["sessions=100000"], [f"sessions={FEW // 2}"], ["sessions="]):
        change(*settings)
        again = both(range(FEW))
        if settings[0] in ("strategy=packet", "strategy=hash", "strategy=route"):
            continue
        moved = sum(a[n] != b[n] for a, b in zip(first, again) for n in a)
        if settings == [f"sessions={FEW // 2}"]:
            # Some of them had no room, and go by their hash.
            check("a table with less room keeps what it can", moved < 2 * FEW, moved)
            first = again
            continue
        if settings == ["sessions="]:
            continue
        check(f"no session moves by {' '.join(settings)}", moved == 0, f"{moved} of {2 * FEW}")
    take_apart()

    build("strategy=route")
    first = both(range(FEW))
    again = both(range(FEW))
    check("route: each destination has its way", first == again)
    # Other ports of the same destinations.
    change("strategy=session")
    both(range(FEW))
    change("strategy=route")
    check("route: they are kept while another strategy is at work", both(range(FEW)) == first)
    take_apart()

    build("strategy=session", "expiry=1")
    first = both(range(FEW))
    time.sleep(2.5)
    both(range(FEW + 1))
    told = options()
    check("session: what expired begins anew, and is counted once",
          sum(int(told[f"port.{n}.sessions"]) for n in range(3)) <= 2 * (FEW + 1), told)
    take_apart()


def unreachable(n):
    """ICMP, port unreachable: alice's, about a packet that came to her in session n."""
    far, near_ = struct.pack("!I", 0x0A000000 + n), b"\xc0\x00\x02\x01"
    quoted = struct.pack("!BBHHHBBH4s4sHHHH", 0x45, 0, 36, 0, 0x4000, 64, 17, 0, far, near_, 80, n & 0xFFFF, 16, 0)
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 28 + len(quoted), 0, 0x4000, 64, 1, 0, near_, far)
    return ethernet(0x0800, head + struct.pack("!BBHI", 3, 3, 0, 0) + quoted)


def errors():
    """An ICMP error goes the way of the session that it is about."""
    for strategy in "session", "flowlet", "hash", "route":
        build(f"strategy={strategy}", "gap=60000")
        session = ways(range(FEW), False)
        receiver.drain()
        for n in range(FEW):
            sender.sock.send(unreachable(n))
        quiesce()
        error = {}
        for number, sock in enumerate(receiver.socks):
            for data in settled(sock):
                if data[23] == 1:
                    error[int.from_bytes(data[30:34], "big") - 0x0A000000] = number
        check(f"{strategy}: an ICMP error goes the way of its session", error == session,
              sum(error.get(n) != way for n, way in session.items()))
        check(f"{strategy}: and the sessions go more than one way", len(set(session.values())) > 1)
        take_apart()


def settled(sock):
    """What has come."""
    while True:
        try:
            yield sock.recv(2048)
        except BlockingIOError:
            return


def flowlets():
    build("strategy=flowlet", "gap=500")
    paths = []
    for _ in range(8):
        begun = time.monotonic()
        way = ways([*range(10)] * 3, False)
        # Else there may have been a gap between the three packets.
        if time.monotonic() - begun < 0.5:
            paths.append(way)
        time.sleep(0.6)
    slow = "" if len(paths) > 3 else " # SKIP this machine is too slow"
    check("flowlet: within its gap a session stays" + slow, all(-1 not in way.values() for way in paths), paths)
    moves = sum(a[n] != b[n] for a, b in zip(paths, paths[1:]) for n in range(10))
    check("flowlet: after a gap it may move, and many do" + slow, moves > 3 * len(paths) or slow, moves)
    check("flowlet: none of that reorders", all(options()[f"port.{n}.reordered"] == "0" for n in range(3)),
          options())
    take_apart()


# --- Ports that go and come --------------------------------------------------------------------


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def wait_link(number, state):
    deadline = time.monotonic() + 10
    while options()[f"port.{number}.link"] != state and time.monotonic() < deadline:
        time.sleep(0.01)


def leaves(name, go, back, first):
    """Port 1 goes, and comes back."""
    go()
    after = [ways(range(FEW), six, f"{name}: no packet is lost") for six in (False, True)]
    check(f"{name}: its sessions have moved at once", all(1 not in way.values() for way in after))
    others = [(way[n], then[n]) for way, then in zip(after, first) for n in way if then[n] != 1]
    check(f"{name}: no other has moved", all(a == b for a, b in others))
    moved = [[way[n] for n in way if then[n] == 1] for way, then in zip(after, first)]
    got = [sum(way.count(n) for way in moved) for n in (0, 2)]
    check(f"{name}: they go to the others by weight", abs(got[0] - 2 * got[1]) <= 5, got)
    back()
    check(f"{name}: where it is back, they stay where they are", both(range(FEW)) == after)
    new = ways(range(100_000, 100_000 + 4 * FEW), False)
    near(f"{name}: and it gets new ones by its weight", [list(new.values()).count(n) for n in range(3)],
         [2, 1, 1])


def ports():
    for name, go, back in [
            ("ip link set o1 down", lambda: ip("link", "set", "o1", "down"),
             lambda: (ip("link", "set", "o1", "up"), wait_link(1, "up"))),
            ("its link is cut", lambda: (ip("-n", "bob", "link", "set", "p1", "down"), wait_link(1, "down")),
             lambda: (ip("-n", "bob", "link", "set", "p1", "up"), wait_link(1, "up"))),
            ("port.1.state=down", lambda: change("port.1.state=down"), lambda: change("port.1.state=up"))]:
        build("strategy=session", "port.0.weight=2", "gap=60000")
        first = both(range(FEW))
        leaves(name, go, back, first)
        # Within a minute of the last packet before.
        reordered = [int(options()[f"port.{n}.reordered"]) for n in range(3)]
        check(f"{name}: it is told that packets may have been overtaken",
              reordered[0] > reordered[2] > 0 == reordered[1], reordered)
        take_apart()

    # Unbound: port 2 becomes port 1.
    build("strategy=session", "port.0.weight=2")
    first = both(range(FEW))
    must(lana.unbind("m", "o1"))
    after = both(range(FEW))
    good = [a[n] == b[n] if b[n] != 1 else a[n] in (0, 2) for a, b in zip(after, first) for n in a]
    check("unbind: its sessions have moved, and no other", all(good), good.count(False))
    must(lana.bind("m", "o1"))
    check("unbind: bound again it takes none away", both(range(FEW)) == after)

    # Another block, of the same type, in its place.
    must(lana.add("m2", "multipath"))
    must(lana.set("m2", "strategy", "flowlet"))
    must(lana.set("m2", "gap", "60000"))
    must(lana.set("m2", "port.1.weight", "3"))
    before = [options()[f"port.{n}.packets"] for n in range(3)]
    must(lana.replace("m", "m2"))
    check("replace: what was counted goes with it",
          [options("m2")[f"port.{n}.packets"] for n in range(3)] == before, before)
    check("replace: all sessions stay", both(range(FEW)) == after)
    check("replace: the new one has its own options",
          (options("m2")["strategy"], options("m2")["port.1.weight"]) == ("flowlet", "3"), options("m2"))
    take_apart("m2")
    must(lana.remove("m"))

    # hash: no more than the share of what goes.
    build("strategy=hash")
    first = both(range(FEW))
    must(lana.unbind("m", "o1"))
    after = both(range(FEW))
    moved = [(b[n], a[n]) for a, b in zip(after, first) for n in a if a[n] != b[n]]
    share = sum(list(way.values()).count(1) for way in first)
    check("hash: none moves but those of the port that goes",
          len(moved) == share and all(was == 1 for was, _ in moved), len(moved), share)
    must(lana.bind("m", "o1"))
    check("hash: and they come back with it", both(range(FEW)) == first)
    change("port.2.state=down")
    check("hash: it is the same by which way it goes", both(range(FEW)) == after)
    take_apart()

    # None is left.
    build("strategy=session")
    for n in range(3):
        change(f"port.{n}.state=down")
    ways(range(50), False)
    check("where no port is left packets are dropped and counted", lana.get("m").drops == {"device": 50},
          lana.get("m").drops)
    for out in OUTS:
        must(lana.unbind("m", out))
    ways(range(50), False)
    check("and where none is bound", lana.get("m").drops == {"device": 50, "unbound": 50}, lana.get("m").drops)
    take_apart()


# --- Fragments ---------------------------------------------------------------------------------


def part(n, six, place, more):
    """A part of a datagram of session n."""
    payload = struct.pack("!HHHH", n & 0xFFFF, 80, 999, 0) if place == 0 else bytes(8)
    if six:
        head = struct.pack("!BBHI", 17, 0, place << 3 | more, n) + payload
        rest = struct.pack("!IHBB16s16s", 6 << 28, SIZE - 54, 44, 64, b"\xfd" + bytes(15),
                           b"\xfd" + bytes(15)) + head
        frame = ethernet(0x86DD, rest)
    else:
        rest = struct.pack("!BBHHHBBH4s4s", 0x45, 0, SIZE - 14, n & 0xFFFF, more << 13 | place, 64, 17, 0,
                           b"\xc0\x00\x02\x01", b"\x0a\0\0\1") + payload
        frame = ethernet(0x0800, rest)
    return frame[:SIZE - 4] + struct.pack("!I", n)


def fragments():
    for strategy in ("session", "flowlet", "hash", "bandwidth", "utilisation"):
        build(f"strategy={strategy}", "per=session")
        for six in (False, True):
            receiver.forget()
            for n in range(FEW):
                for place, more in ((0, 1), (8, 1), (16, 1), (24, 0)):
                    sender.sock.send(part(n, six, place, more))
                receiver.drain()
            quiesce()
            receiver.drain()
            about = f"{strategy}, {'IPv6' if six else 'IPv4'}: "
            check(f"{about}all fragments came", receiver.count == 4 * FEW, receiver.count)
            check(f"{about}those of a datagram went one way",
                  all(len(way) == 1 for way in receiver.ways.values()))
            check(f"{about}all ways were gone", set().union(*receiver.ways.values()) == {0, 1, 2})
        for n in range(100):
            sender.sock.send(part(50_000 + n, False, 8, 1))
        quiesce()
        check(f"{strategy}: fragments whose first was not seen are counted", options()["orphans"] == "100",
              options()["orphans"])
        take_apart()


# --- A flood -----------------------------------------------------------------------------------


def flood():
    build("strategy=session", "sessions=1024")
    number = 400
    first = ways(range(number), False)
    check("flood: sessions are established", ways(range(number), False) == first)
    before = received()
    many = max(COUNT // 2, 10_000)
    sender.sessions(range(100_000, 100_000 + many), True)
    got = [now - then for now, then in zip(received(), before)]
    check("flood: each packet of it came", sum(got) == many, got)
    near("flood: it is spread", got, [1, 1, 1], True)
    told = options()
    check("flood: of new sessions some were forgotten for others, which is counted",
          int(told["evicted"]) > many // 2, told["evicted"])
    check("flood: no more are remembered than there is room for",
          sum(int(told[f"port.{n}.sessions"]) for n in range(3)) <= 2048, told)
    check("flood: no established session has moved", ways(range(number), False) == first)

    # Of sessions that are established themselves.
    for start in range(200_000, 210_000, BATCH):
        for _ in range(2):
            sender.sessions(range(start, start + BATCH), True)
    told = options()
    check("flood: what has no room is spread by its hash, which is counted",
          int(told["untracked"]) > 5000, told["untracked"])
    check("flood: and no established session has moved", ways(range(number), False) == first)
    take_apart()


# --- Changes under load ------------------------------------------------------------------------


def live():
    """All the time packets of many sessions pass, at full speed; none may be lost by a change."""
    build("strategy=session")
    must(lana.add("spare", "multipath"))
    load = Load("alice").add("a0", 0, "flag IPDST_RND", "dst_min 10.0.0.1", "dst_max 10.0.255.254",
                             "flag UDPSRC_RND", "udp_src_min 1000", "udp_src_max 60000", mac="02:00:00:00:00:0b")
    steps = [
        ("unbind and bind", [("UNBIND", "m", "o1")], [("BIND", "m", "o1")]),
        ("all ports in another order", [("UNBIND", "m", o) for o in OUTS] + [("BIND", "m", o) for o in OUTS[::-1]],
         [("UNBIND", "m", o) for o in OUTS[::-1]] + [("BIND", "m", o) for o in OUTS]),
        ("replace", [("REPLACE", "m", "spare")], [("REPLACE", "spare", "m")]),
        ("another block", [("FB_NEW", "n", "multipath"), ("UNBIND", "lan0", "m"), ("BIND", "lan0", "n"),
                           ("UNBIND", "m", "o0"), ("BIND", "n", "o0")],
         [("UNBIND", "lan0", "n"), ("UNBIND", "n", "o0"), ("FB_DEL", "n"), ("BIND", "lan0", "m"),
          ("BIND", "m", "o0")]),
        ("state", [("FB_SET", "m", "port.1.state", "down")], [("FB_SET", "m", "port.1.state", "")]),
        ("weights", [("FB_SET", "m", "port.1.weight", "7")], [("FB_SET", "m", "port.1.weight", "")]),
        ("the table", [("FB_SET", "m", "sessions", "1000")], [("FB_SET", "m", "sessions", "")]),
    ] + [(f"strategy {s}", [("FB_SET", "m", "strategy", s)], [("FB_SET", "m", "strategy", "")])
         for s in STRATEGIES]
    for name, there, back in steps:
        came, entered = received(), link("", "lan0", "rx_packets")
        load.start()
        rounds, failure = 0, None
        deadline = time.monotonic() + 0.3
        while (time.monotonic() < deadline or rounds < 4) and not failure:
            for ops in (there, back):
                answer = lana.transact(*ops)
                failure = failure or (answer if answer.error else None)
            rounds += 1
        load.stop()
        load.add("a0", 0, "flag IPDST_RND", "dst_min 10.0.0.1", "dst_max 10.0.255.254", "flag UDPSRC_RND",
                 "udp_src_min 1000", "udp_src_max 60000", mac="02:00:00:00:00:0b")
        got = sum(now - then for now, then in zip(received(), came))
        sent = link("", "lan0", "rx_packets") - entered
        check(f"{name}, again and again under load: every change is made", not failure, failure)
        check(f"{name}: and every packet came", got == sent > 0, f"{sent} sent, {got} came", lana.blocks()["m"].drops)
    load.forget()
    must(lana.remove("spare"))
    take_apart()

    # Devices and blocks go while packets come: what is on its way may be lost where it goes, and is counted.
    build("strategy=session")
    stop = threading.Event()

    def shake():
        while not stop.is_set():
            for up in (False, True):
                route.up("o1", up)
                time.sleep(0.02)

    thread = threading.Thread(target=shake)
    thread.start()
    sender.sessions(range(COUNT // 2), False)
    stop.set()
    thread.join()
    wait_link(1, "up")
    told = options()
    check("a device goes up and down under load: each packet was given to a port",
          sum(int(told[f"port.{n}.packets"]) for n in range(3)) == COUNT // 2, told)
    take_apart()


# --- Routes ------------------------------------------------------------------------------------


def routed(n, six, source, tos):
    """A packet to destination n; it carries the number of its route."""
    frame = bytearray(answer(n, six))
    if six:
        frame[14 + 8 + 15] = source
        struct.pack_into("!I", frame, 14, 6 << 28 | tos << 20)
    else:
        frame[14 + 12 + 3], frame[15] = source, tos
    struct.pack_into("!I", frame, SIZE - 4, n * 4 + (source - 1) * 2 + (tos > 3))
    return bytes(frame)


def routes():
    for key in "cache", "destination":
        build("strategy=route", f"route-key={key}")
        for six in (False, True):
            about = f"route, {key}, {'IPv6' if six else 'IPv4'}: "
            receiver.forget()
            for n in range(200):
                for source in 1, 2:
                    # With and without the bits of ECN.
                    for tos in 0, 3, 0x10, 0x13:
                        sender.sock.send(routed(n, six, source, tos))
                receiver.drain()
            quiesce()
            receiver.drain()
            check(f"{about}all came", receiver.count == 1600, receiver.count)
            check(f"{about}each route goes one way", [len(way) for way in receiver.ways.values()] == [1] * 800)
            same = sum(len(set().union(*(receiver.ways[4 * n + route] for route in range(4)))) == 1
                       for n in range(200))
            check(f"{about}source and TOS make a route, or do not", same == (200 if key == "destination" else 0), same)
        take_apart()


# --- Next hops ---------------------------------------------------------------------------------


def address_of(device):
    return bytes.fromhex(open(f"/sys/class/net/{device}/address", encoding="ascii").read().strip().replace(":", ""))


def got_from(frame):
    """What comes of a frame by each link; the kernel takes a tag out."""
    rest = frame[16:] if frame[12:14] == b"\x81\0" else frame[12:]
    receiver.forget()
    for sock in receiver.socks:
        list(settled(sock))
    sender.sock.send(frame)
    quiesce()
    return [data for sock in receiver.socks for data in settled(sock) if data[12:] == rest]


def hops():
    macs = [bytes.fromhex(f"0200000001{n:02x}") for n in range(3)]
    build("strategy=packet", *(f"port.{n}.mac={macs[n].hex(':')}" for n in range(2)))
    # The last one has none.
    wanted = [macs[n] + address_of(OUTS[n]) for n in range(2)] + [BOB + ALICE]
    tag = bytes.fromhex("81000005")
    for about, frame in [("IPv4", answer(1, False)), ("IPv6", answer(1, True)),
                         ("a tag", answer(1, False)[:12] + tag + answer(1, False)[12:])]:
        got = [data for _ in range(6) for data in got_from(frame)]
        check(f"mac: {about} is addressed to the next hop of its port",
              len(got) == 6 and {data[:12] for data in got} == set(wanted), [data.hex(" ") for data in got])
    for about, frame in [("a group", bytes.fromhex("01005e000001") + answer(1, False)[6:]),
                         ("ARP", answer(1, False)[:12] + b"\x08\x06" + answer(1, False)[14:])]:
        got = [data for _ in range(6) for data in got_from(frame)]
        check(f"mac: {about} keeps its addresses", got == [frame] * 6, [data.hex(" ") for data in got])
    change("port.1.mac=", "port.2.state=down")
    ip("link", "set", "o0", "address", "02:00:00:00:02:00")
    wanted = {macs[0] + bytes.fromhex("020000000200"), BOB + ALICE}
    got = {data[:12] for _ in range(4) for data in got_from(answer(1, False))}
    check("mac: the source is that of the device at this moment", got == wanted, [data.hex(" ") for data in got])
    must(lana.add("m2", "multipath"))
    must(lana.set("m2", "port.0.mac", "02:00:00:00:03:00"))
    must(lana.replace("m", "m2"))
    got = {data[:6].hex() for _ in range(4) for data in got_from(answer(1, False))}
    check("mac: it belongs to the block", "020000000300" in got and macs[0].hex() not in got, got)
    take_apart("m2")
    must(lana.remove("m"))


# --- Sessions that come in ---------------------------------------------------------------------


def answer(n, six):
    """What alice sends in session n."""
    frame = bytearray(SIX if six else FOUR)
    place, port = (14 + 36, 54) if six else (14 + 16, 34)
    struct.pack_into("!I", frame, place, 0x0A000000 + n)
    struct.pack_into("!H", frame, port, n & 0xFFFF)
    return bytes(frame)


def question(n, six):
    """What she gets."""
    frame, width, place = answer(n, six), 16 if six else 4, 14 + (8 if six else 12)
    port = 54 if six else 34
    head, near, far = frame[12:place], frame[place:place + width], frame[place + width:port]
    return ALICE + BOB + head + far + near + frame[port + 2:port + 4] + frame[port:port + 2] + frame[port + 4:]


def come(numbers, six, links):
    """The first packets of sessions come to alice, each by a link."""
    for n in numbers:
        links[n % len(links)].sock.send(question(n, six))
    quiesce()


def replies():
    links = [Sender("bob", name) for name in LINKS]
    numbers = range(FEW)
    right = {n: n % 3 for n in numbers}
    for strategy in "session", "flowlet", "bandwidth", "utilisation":
        build(f"strategy={strategy}", "per=session", "port.1.weight=9", "port.2.weight=0")
        for six in (False, True):
            about = f"{strategy}, {'IPv6' if six else 'IPv4'}: "
            before = link("alice", "a0", "rx_packets")
            come(numbers, six, links)
            got = link("alice", "a0", "rx_packets") - before
            check(f"{about}what comes in arrives", got >= FEW, got)
            for time_ in "first", "second":
                way = ways(numbers, six)
                wrong = sum(way[n] != right[n] for n in numbers)
                check(f"{about}each {time_} reply leaves by the link that its session came in by", wrong == 0,
                      f"{wrong} of {FEW} do not")
            # Later packets come by another link.
            come(numbers, six, links[1:] + links[:1])
            check(f"{about}and stays there", ways(numbers, six) == right)
        # One in a few 100,000 is taken for another one.
        learnt = int(options()["learnt"])
        check(f"{strategy}: each session is learnt, once", 2 * FEW - 10 <= learnt <= 2 * FEW, learnt)
        take_apart()

    build("strategy=session", "learn=off", "port.0.weight=0")
    come(numbers, False, links)
    way = ways(numbers, False)
    wrong = sum(way[n] != right[n] for n in numbers)
    check("learn=off: replies leave by turns", FEW // 2 < wrong and options()["learnt"] == "0", wrong)
    # Those that went out are known.
    change("learn=on")
    come(numbers, False, links)
    check("learn: a session that went out first is not learnt",
          ways(numbers, False) == way and options()["learnt"] == "0", options()["learnt"])
    take_apart()

    # Blocks below, devices that collect what they receive, and a port that shifts.
    build("strategy=session")
    must(lana.add("c", "counter"))
    must(lana.unbind("m", "o2"))
    must(lana.bind("m", "c"))
    must(lana.bind("c", "o2"))
    must(lana.set("o1", "batch", "on"))
    come(numbers, False, links)
    check("learn: through blocks and in batches", ways(numbers, False) == right)
    must(lana.unbind("m", "o0"))
    come(range(FEW, 2 * FEW), False, links[1:])
    way = ways(range(FEW, 2 * FEW), False)
    check("learn: by the links of ports that have shifted", all(way[n] == n % 2 + 1 for n in way))
    must(lana.set("o1", "batch", "off"))
    must(lana.unbind("c", "o2"))
    take_apart()
    must(lana.remove("c"))


split()
rates()
# Who looks at each packet makes it slow.
receiver = Receiver()
stick()
errors()
flowlets()
ports()
fragments()
replies()
hops()
routes()
flood()
receiver.close()
live()
end()

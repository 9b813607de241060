# SPDX-License-Identifier: GPL-2.0
"""switch.py WAY: what hosts send through the block s, frame by frame. Host n has the device e<n>, whose other end is the port
p<n> of the block; and w<n>, whose other end is a port of a Linux bridge, the witness. Each frame ends with a number, by which
it is known where it comes out. Port 4 is not bound below the block at first."""

import errno
import os
import random
import socket
import struct
import subprocess
import sys
import time

from lana import check, end
from rig import SLOW, Lana, Load, inside, quiesce, write

WAY = sys.argv[1]
HOSTS = 4
ALL = bytes([255] * 6)
MULTICAST = bytes.fromhex("01005e000001")
lana = Lana()


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def mac(n):
    return bytes([2, 0, 0, 0, 1, n])


def say(n):
    return ":".join(f"{byte:02x}" for byte in mac(n))


# --- Sending and receiving ---


class Side:
    """The devices of a name, one in each host."""

    def __init__(self, name, count):
        self.socks = [inside(f"h{n}", self.open, f"{name}{n}") for n in range(count)]

    @staticmethod
    def open(device):
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(263, 23, 1)  # PACKET_IGNORE_OUTGOING
        sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        sock.bind((device, 0))
        sock.setblocking(False)
        return sock

    def came(self):
        """The numbers of the frames that have come since it was asked last, by host."""
        found = [[] for _ in self.socks]
        for numbers, sock in zip(found, self.socks):
            while True:
                try:
                    frame = sock.recv(2048)
                except BlockingIOError:
                    break
                except OSError as error:
                    # The device was down.
                    if error.errno != errno.ENETDOWN:
                        raise
                    continue
                if frame[-8:-4] == b"LANA":
                    numbers.append(struct.unpack("!I", frame[-4:])[0])
        return found


ours, witness = Side("e", HOSTS + 1), Side("w", HOSTS)
number = 0


def frame(source, destination, *tags, size=60):
    global number
    number += 1
    tags = b"".join(struct.pack("!HH", kind, tag) for kind, tag in tags)
    head = destination + source + tags + b"\x88\xb5"
    return head.ljust(size - 8, b"\0") + b"LANA" + struct.pack("!I", number)


def settle():
    """Comes back when what was sent has come."""
    if WAY == "skbs" or SLOW < 50:
        quiesce()
    else:
        time.sleep(0.05)
        quiesce()


def sends(host, source, destination, *tags, copies=1):
    """The hosts that get a frame, each as often as it does."""
    ours.came()
    data = frame(source if isinstance(source, bytes) else mac(source),
                 destination if isinstance(destination, bytes) else mac(destination), *tags)
    for _ in range(copies):
        ours.socks[host].send(data)
    settle()
    return [n for n, numbers in enumerate(ours.came()) for got in numbers if got == number]


def option(key):
    return int(lana.get("s").options[key])


def table():
    """What the file in procfs shows: by address and VLAN the port."""
    with open("/proc/net/lana/fblock/s") as file:
        lines = [line.split() for line in file]
    return {(address, int(vlan)): port for address, vlan, port, _ in lines}


def change(**options):
    for key, value in options.items():
        must(lana.set("s", key.replace("_", "-"), value))


def counted(name, key, by, *what):
    """By how much a counter of the block grows."""
    before = option(key)
    value = what[0]()
    check(f"{WAY}: {name}", option(key) - before == by, f"{key} grew by {option(key) - before}, not {by}; {value}")
    return value


def is_(name, have, want):
    check(f"{WAY}: {name}", have == want, f"have {have}", f"want {want}")


# --- The tests ---


COUNTERS = ("learnt", "moved", "flooded", "full", "bad-source", "reserved")


def learning():
    before = [option(key) for key in COUNTERS]
    is_("an unknown address: to all others", sends(0, 0, 1), [1, 2, 3])
    is_("the source is known: to its port only", sends(1, 1, 0), [0])
    is_("and the other way", sends(0, 0, 1), [1])
    is_("the table", table(), {(say(0), 0): "p0", (say(1), 0): "p1"})
    is_("to all", sends(2, 2, ALL), [0, 1, 3])
    is_("to a group", sends(1, 1, MULTICAST), [0, 2, 3])
    dropped = lana.get("s").drops.get("filtered", 0)
    is_("to a station at the same port: nowhere", sends(0, 9, 0), [])
    is_("which is a drop", lana.get("s").drops["filtered"], dropped + 1)
    is_("counters", [option(key) - was for key, was in zip(COUNTERS, before)], [4, 0, 3, 0, 0, 0])
    is_("addresses", option("entries"), 4)
    is_("many copies of a frame", sends(0, 0, 1, copies=100), [1] * 100)
    is_("many that are flooded", sends(0, 0, 200, copies=70), [1] * 70 + [2] * 70 + [3] * 70)


def refused():
    counted("a source that is a group", "bad-source", 1, lambda: is_("goes nowhere", sends(0, MULTICAST, 1), []))
    counted("a source of zeros", "bad-source", 1, lambda: is_("goes nowhere, too", sends(0, bytes(6), 1), []))
    sends(0, 0, ALL)
    entries = option("entries")
    for last in (0, 3, 14, 15):
        to = bytes.fromhex("0180c20000") + bytes([last])
        counted(f"a link-local frame, {last}", "reserved", 1, lambda to=to: is_("is dropped", sends(0, 0, to), []))
    is_("the next address is a group as others are", sends(0, 0, bytes.fromhex("0180c2000010")), [1, 2, 3])
    change(link_local="on")
    is_("link-local=on: to all others", sends(0, 0, bytes.fromhex("0180c200000e")), [1, 2, 3])
    change(link_local="")
    is_("no other address was learnt", option("entries"), entries)


def moving():
    sends(0, 20, ALL)
    is_("a station", sends(3, 3, 20), [0])
    counted("moves", "moved", 1, lambda: sends(2, 20, ALL))
    is_("and is found at once", sends(3, 3, 20), [2])
    is_("where the table says", table()[say(20), 0], "p2")


def forgetting():
    change(flush="yes")
    is_("flush=yes: all are forgotten", (option("entries"), table()), (0, {}))
    time.sleep(0.05)
    sends(1, 1, ALL)
    is_("and learnt anew", sends(0, 0, 1), [1])
    change(ageing="300ms")
    sends(1, 1, ALL)
    time.sleep(0.5)
    is_("a station that is silent is forgotten", (option("entries"), sends(0, 0, 1)), (0, [1, 2, 3]))
    counted("and learnt again", "learnt", 1, lambda: sends(1, 1, ALL))
    change(ageing="")
    is_("ageing is 300 s unless set", sends(0, 0, 1), [1])
    change(ageing="0s")
    is_("ageing=0s: a hub", (sends(1, 1, 0), sends(0, 0, 1), option("entries")), ([0, 2, 3], [1, 2, 3], 0))
    change(ageing="")


def limits():
    change(flush="yes", limit="3")
    time.sleep(0.05)
    for n in (30, 31, 32):
        sends(0, n, ALL)
    counted("the table is full", "full", 2, lambda: (sends(0, 33, ALL), sends(1, 34, ALL)))
    is_("has as many as it may", sorted(address for address, _ in table()), [say(n) for n in (30, 31, 32)])
    is_("who is not learnt: to all others", sends(1, 30, 34), [0, 2, 3])
    is_("who is known may move", (table()[say(30), 0], sends(2, 35, 30)), ("p1", [1]))
    change(ageing="200ms")
    time.sleep(0.4)
    counted("who is forgotten makes room", "learnt", 1, lambda: sends(2, 35, ALL))
    change(ageing="", limit="65536")
    before = option("entries")
    is_("a larger table has what the smaller one had", table().get((say(35), 0)), "p2")
    for n in range(100, 140):
        ours.socks[3].send(frame(mac(n), ALL))
    settle()
    is_("and room", option("entries"), before + 40)
    change(limit="")


def vlans():
    for kind in (0x8100, 0x88A8):
        change(vlan="on", flush="yes")
        time.sleep(0.05)
        sends(0, 40, ALL, (kind, 10))
        sends(1, 40, ALL, (kind, 20 | 0xE000))
        sends(2, 40, ALL)
        is_(f"vlan=on, {kind:#x}: an address in each VLAN",
            (sends(3, 3, 40, (kind, 10)), sends(3, 3, 40, (kind, 20)), sends(3, 3, 40), sends(3, 3, 40, (kind, 30))),
            ([0], [1], [2], [0, 1, 2]))
        is_("shown so", {key: port for key, port in table().items() if key[0] == say(40)},
            {(say(40), 10): "p0", (say(40), 20): "p1", (say(40), 0): "p2"})
        is_("only the outer tag counts", sends(3, 3, 40, (kind, 10), (0x8100, 20)), [0])
        change(vlan="", flush="yes")
        time.sleep(0.05)
        sends(0, 40, ALL, (kind, 10))
        is_("vlan=off: one address for all", (sends(3, 3, 40, (kind, 20)), sends(3, 3, 40)), ([0], [0]))


def ports():
    for n in range(HOSTS):
        sends(n, n, ALL)
    subprocess.run("ip -n h1 link set e1 down".split(), check=True)
    wait = time.monotonic() + 10
    while (say(1), 0) in table() and time.monotonic() < wait:
        time.sleep(0.02)
    is_("a port goes down: who is behind it is forgotten", sorted(set(table().values())), ["p0", "p2", "p3"])
    is_("and looked for elsewhere", sends(0, 0, 1), [2, 3])
    sends(2, 1, ALL)
    is_("and found", sends(0, 0, 1), [2])
    subprocess.run("ip -n h1 link set e1 up".split(), check=True)
    while len(sends(0, 0, ALL)) < 3 and time.monotonic() < wait:
        pass
    is_("the port comes up", sends(1, 1, 0), [0])
    is_("and its station is there again", sends(0, 0, 1), [1])
    must(lana.unbind("s", "p1"))
    is_("a port is unbound: the others go on", (sends(0, 0, 3), sends(3, 3, 2), sends(2, 2, 1)), ([3], [2], [0, 3]))
    must(lana.bind("s", "p4"))
    must(lana.bind("s", "p1"))
    is_("others are bound", sends(0, 0, 1), [1, 2, 3, 4])
    is_("and learn", (sends(1, 1, 0), sends(4, 4, 1), sends(1, 1, 4), sends(0, 0, 1)), ([0], [1], [4], [1]))
    must(lana.unbind("s", "p4"))
    is_("who was behind a port that is gone", sends(0, 0, 4), [1, 2, 3])
    must(lana.bind("p4", "s"))
    is_("a device on top of the switch: a port as others", sends(0, 0, 4), [1, 2, 3, 4])
    is_("learns", (sends(4, 4, 0), sends(0, 0, 4), sends(4, 4, ALL)), ([0], [4], [0, 1, 2, 3]))
    is_("shown so", table()[say(4), 0], "above")
    is_("from above to above: nowhere", sends(4, 5, 4), [])
    must(lana.unbind("p4", "s"))
    is_("none is on top", (sends(0, 0, 4), sends(0, 0, 1)), ([1, 2, 3], [1]))


def nowhere():
    """A port without another one; more copies than may wait."""
    def drops():
        return {reason: count for reason, count in lana.get("s").drops.items() if count != dropped.get(reason, 0)}

    for n in range(1, HOSTS):
        must(lana.unbind("s", f"p{n}"))
    dropped = lana.get("s").drops
    counted("the only port", "flooded", 1, lambda: is_("floods nowhere", sends(0, 0, ALL), []))
    is_("which is a drop", drops(), {"unbound": dropped.get("unbound", 0) + 1})
    must(lana.unbind("s", "p0"))
    # 40 copies of a frame come up, and each is to go down 39 times: by the first port itself, by the others a copy. Of one
    # frame there may be so many copies, those of the tee too.
    count, room = 40, 1024 - 39
    must(lana.transact(("FB_NEW", "t", "tee"), ("BIND", "t", "p0")))
    for n in range(count):
        must(lana.transact(("FB_NEW", f"n{n}", "dummy"), ("BIND", f"n{n}", "t"), ("BIND", "s", f"n{n}")))
    dropped = lana.get("s").drops
    heard = len(sends(0, 0, ALL))
    # The ring of a veth that has a program has 256 places.
    is_("many copies: as many as may wait", heard if WAY != "frames" else count + room, count + room)
    is_("the others are drops", drops(), {"backlog": dropped.get("backlog", 0) + count - room // (count - 2)})
    for n in range(count):
        must(lana.transact(("UNBIND", "s", f"n{n}"), ("UNBIND", f"n{n}", "t"), ("FB_DEL", f"n{n}")))
    must(lana.transact(("UNBIND", "t", "p0"), ("FB_DEL", "t")))
    for n in range(HOSTS):
        must(lana.bind("s", f"p{n}"))


def offloads():
    """What is left to a device stays so in each copy: checksums, and segments."""
    def port(device):
        sock = Side.open(device)
        sock.setsockopt(263, 15, 1)  # PACKET_VNET_HDR
        return sock

    socks = [inside(f"h{n}", port, f"e{n}") for n in range(HOSTS)]
    for protocol, size, segment in (17, 100, 0), (6, 2500, 1000):
        data = os.urandom(size)
        if protocol == 17:
            data = struct.pack("!HHHH", 9, 9, 8 + size, 0) + data
        else:
            data = struct.pack("!HHIIBBHHH", 9, 9, 1, 1, 0x50, 0x10, 1000, 0, 0) + data
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(data), 1, 0x4000, 64, protocol, 0, bytes([198, 18, 0, 1]),
                           bytes([198, 18, 0, 2]))
        sent = mac(200) + mac(0) + b"\x08\x00" + head + data
        # The checksum, and segments of TCP of IPv4.
        vnet = struct.pack("BBHHHH", 1, bool(segment), 54 if segment else 42, segment, 34, 16 if segment else 6)
        socks[0].send(vnet + sent)
        settle()
        for n, sock in enumerate(socks):
            came = []
            while True:
                try:
                    frame_and_all = sock.recv(1 << 16)
                except BlockingIOError:
                    break
                if frame_and_all[10:] == sent and (frame_and_all[:2], frame_and_all[4:10]) == (vnet[:2], vnet[4:]):
                    came.append(n)
            is_(f"host {n} gets a {'super-packet' if segment else 'checksum for the device'} that is flooded", len(came), int(n > 0))


def replacing():
    sends(1, 1, ALL)
    before = table(), option("learnt")
    must(lana.transact(("FB_NEW", "s2", "switch")))
    must(lana.replace("s", "s2"))
    must(lana.remove("s"))
    must(lana.transact(("FB_NEW", "s", "switch")))
    must(lana.replace("s2", "s"))
    must(lana.remove("s2"))
    is_("a switch that replaces another one has its table", (table(), option("learnt")), before)
    is_("and uses it", sends(0, 0, 1), [1])
    must(lana.transact(("FB_NEW", "d", "tee")))
    must(lana.replace("s", "d"))
    must(lana.replace("d", "s"))
    must(lana.remove("d"))
    is_("after another type it learns anew", (sends(0, 0, 1), sends(1, 1, 0), sends(0, 0, 1)), ([1, 2, 3], [0], [1]))


def between():
    """Blocks between the switch and its devices: a port is what is right below."""
    must(lana.transact(("UNBIND", "s", "p1"), ("FB_NEW", "c", "counter"), ("BIND", "c", "p1"), ("BIND", "s", "c")))
    is_("a counter below the switch", (sends(0, 0, 1), sends(1, 1, 0), sends(0, 0, 1)), ([1, 2, 3], [0], [1]))
    is_("is the port", table()[say(1), 0], "c")
    must(lana.transact(("UNBIND", "s", "c"), ("UNBIND", "c", "p1"), ("FB_DEL", "c"), ("BIND", "s", "p1")))
    is_("and no more", (sends(1, 1, 0), sends(0, 0, 1)), ([0], [1]))


def beside():
    """The same frames through the block and through a Linux bridge: the same ones come out of the same ports."""
    rng = random.Random(int(os.environ.get("LANA_SEED", "1")))
    stations = [mac(n) for n in range(50, 58)]
    odd = [ALL, ALL, MULTICAST, bytes.fromhex("333300000001"), bytes.fromhex("0180c200000e"), bytes.fromhex("0180c2000020")]
    for tagged in (False, True):
        change(flush="yes", vlan="on" if tagged else "off")
        write("/sys/class/net/br0/bridge/vlan_filtering", "1" if tagged else "0")
        write("/sys/class/net/br0/bridge/flush", "1")
        time.sleep(0.05)
        ours.came()
        witness.came()
        first, count = number + 1, 200 if SLOW < 50 else 100
        sent, wrong = {}, []
        for _ in range(count):
            host = rng.randrange(HOSTS)
            # A station is mostly where it was.
            source = rng.choice(stations[2 * host:2 * host + 2] * 3 + stations)
            source = rng.choice([source] * 30 + [MULTICAST, bytes(6)])
            tags = [(0x8100, rng.choice([10, 20]))] if tagged and rng.random() < 0.7 else []
            data = frame(source, rng.choice(stations + odd), *tags, size=rng.choice([60, 64, 400, 1400]))
            sent[number] = host, data[:18].hex()
            # Each frame is through before the next one comes.
            for side in (witness, ours):
                side.socks[host].send(data)
            settle_briefly()
        settle()
        have, want = [[sorted(n for n in numbers if n >= first) for numbers in side.came()] for side in (ours, witness)]
        for host in range(HOSTS):
            wrong += [f"{n} of host {sent[n]}: host {host}" for n in set(have[host]) ^ set(want[host])]
        check(f"{WAY}: as a Linux bridge does, {'with VLANs' if tagged else 'without VLANs'}: "
              f"{count} frames", have[:HOSTS] == want and sum(map(len, want)) > count, *wrong[:10],
              sum(map(len, have)), sum(map(len, want)))
    change(vlan="")


def settle_briefly():
    if WAY != "skbs" or SLOW >= 50:
        time.sleep(0.002)


def load():
    """More stations than there is room for, from all hosts at once; meanwhile the block is set and replaced."""
    # A slow kernel has fewer packets, and less room.
    room = 1000 // SLOW
    change(limit=str(room))
    loads = [Load(f"h{n}").add(f"e{n}", n, f"src_mac 02:00:00:0{n}:00:00", "src_mac_count 700", "pkt_size 60",
                               "flag !TXSIZE_RND", f"delay {400_000 * SLOW}") for n in range(HOSTS)]
    for one in loads:
        one.start()
    until = time.monotonic() + 2 + SLOW / 10
    most = rounds = 0
    while time.monotonic() < until:
        must(lana.transact(("FB_NEW", "s2", "switch")))
        must(lana.set("s2", "limit", str(room)))
        must(lana.replace("s", "s2"))
        must(lana.remove("s"))
        must(lana.transact(("FB_NEW", "s", "switch")))
        must(lana.set("s", "limit", str(room)))
        must(lana.replace("s2", "s"))
        must(lana.remove("s2"))
        if rounds % 4 == 3:
            change(flush="yes")
        rounds += 1
        most = max(most, option("entries"))
    for one in loads:
        one.stop(wait=False)
    quiesce()
    shown = table()
    is_("the limit is kept under load", (most <= room, len(shown) <= room, len(shown) == option("entries")), (True, True, True))
    check(f"{WAY}: and reached", len(shown) > 0, len(shown), rounds)
    # Hosts may speak for themselves, too.
    own = [f"02:00:00:00:00:1{n}" for n in range(5)]
    wrong = [(address, port) for (address, _), port in shown.items()
             if address not in own and port != "p" + address.split(":")[3][1]]
    is_("each is where it is", wrong, [])
    check(f"{WAY}: the others are counted", option("full") > 0)


if WAY == "load":
    load()
    end()
    sys.exit()

os.sched_setaffinity(0, {0})
for test in (learning, refused, moving, forgetting, limits, vlans, ports, *([] if WAY == "frames" else [offloads]), nowhere,
             replacing, between, beside):
    change(flush="yes")
    time.sleep(0.03)
    test()
end()

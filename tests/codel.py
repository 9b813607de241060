# SPDX-License-Identifier: GPL-2.0
"""codel.py: the block queue, frame by frame: what goes in by lan0 comes out by lan1, at bob."""

import select
import socket
import struct
import time

from hold import ALICE, BOB, LATE, alice, build, change, counted, drops, frame, hear, lana, must, send
from lana import check, end
from pktfuzz import checksum
from rig import SLOW, Load, inside

# What CoDel is told here, so that the test does not take long.
CODEL = ["drop=codel", "target=20ms", "interval=50ms"]
# A link that takes a frame and is then busy for as long as anybody may take to send the others, however slow the machine.
BUSY = "rate=1kbit"


def link():
    """Rate, order, limits."""
    # A frame of 1,000 bytes takes 10 ms.
    build("queue", "rate=800kbit")
    begin = send(range(30), 1000)
    got = hear(0.5)
    waited = [at - begin for _, at in got]
    check("all come, in their order", [n for n, _ in got] == list(range(30)), got)
    check("the first one at once", waited[0] < LATE, waited)
    early = [n for n, at in enumerate(waited) if at < n * 0.01 - 0.0005]
    check("none before its time", not early, early, waited)
    check("the last one soon after it", waited[-1] < 0.29 + LATE, waited)
    before = counted("delayed")
    change(BUSY, "limit=10")
    send(range(30), 1000)
    check("beyond the limit they are dropped, and counted", drops() == {"queue-full": 19} and counted("waiting") == 10,
          drops(), counted("waiting"))
    change("rate=800kbit")
    got = hear(0.5)
    check("the last that come", [n for n, _ in got] == list(range(11)), got)
    check("what waited is counted", counted("delayed") == before + 10, before, counted("delayed"))
    change("limit=", "limit-bytes=5000", BUSY)
    send(range(30), 1000)
    check("so with a limit of bytes", counted("waiting-bytes") == 5000 and drops() == {"queue-full": 19 + 24},
          drops(), counted("waiting-bytes"))
    change("rate=800kbit")
    check("one that is empty again has no bytes", len(hear(0.5)) == 6 and counted("waiting-bytes") == 0)
    change("limit-bytes=", "burst=5000", BUSY)
    send(range(20), 1000)
    # The bucket is empty after five, and owes nothing: so it is for a sixth.
    check("a burst goes at once", [n for n, _ in hear(0.5)] == list(range(6)) and counted("waiting") == 14, counted("waiting"))
    begin = time.clock_gettime(time.CLOCK_REALTIME)
    change("burst=", "rate=800kbit")
    waited = [at - begin for _, at in hear(0.5)]
    # The options change one after the other, and the link takes a packet at each change.
    check("and the rest by the rate", len(waited) == 14 and waited[-1] - waited[1] >= 12 * 0.01 - 0.0005, waited)
    change(BUSY)
    send(range(10), 1000)
    check("a slow link takes the first", [n for n, _ in hear()] == [0] and counted("waiting") == 9)
    change("rate=800kbit")
    got = [n for n, _ in hear(0.5)]
    check("what waits for it waits no longer when it is faster", got == list(range(1, 10)), got)
    change("rate=1kbit")
    send(range(10), 1000)
    change("rate=")
    send(range(10, 20), 1000)
    got = [n for n, _ in hear(0.5)]
    check("nor when there is no rate, and none overtakes it", sorted(got) == list(range(20)) and got == sorted(got), got)
    before = counted("delayed")
    send(range(50), 1000)
    check("without a rate none waits", [n for n, _ in hear()] == list(range(50)) and counted("delayed") == before)
    change("rate=1kbit", "direction=ingress")
    send(range(5), 1000)
    check("a direction that it is not for passes", counted("waiting") == 4 and len(hear()) == 1)
    change("direction=egress", "rate=1kbit")
    hear()
    send(range(5), 1000)
    check("as these do", [n for n, _ in hear()] == list(range(5)))
    lana.take_apart()


def codel():
    """A queue that stands becomes shorter, as it drops from its head."""
    last = {}
    for kind, *settings in ["drop=tail"], ["drop=codel", "target=1ms", "interval=10ms"]:
        build("queue", BUSY, kind, *settings)
        send(range(400), 1000)
        begin = time.clock_gettime(time.CLOCK_REALTIME)
        # Now a frame takes a millisecond.
        change("rate=8mbit")
        came = dict(hear(0.5))
        lost = drops()
        check(f"{kind}: the others all come", 400 == len(came) + sum(lost.values()), len(came), lost)
        if kind == "drop=tail":
            check("drop=tail: a queue with room drops nothing", not lost and counted("dropped") == 0, lost)
        else:
            check("drop=codel: what it drops is counted", lost == {"filtered": counted("dropped")} and lost["filtered"] > 10,
                  lost, counted("dropped"))
            # The link takes what is behind a frame that is dropped at once.
            first = min(set(range(400)) - set(came))
            behind = min(at for number, at in came.items() if number > first) - begin
            check("drop=codel: nothing is dropped before the interval ends", behind >= 0.01, first, behind)
        last[kind] = max(came.values()) - begin
        lana.take_apart()
    check("drop=tail: packets wait for all that came before them", last["drop=tail"] > 0.39, last)
    # By the law: 150 or so of the 400 are dropped.
    check("drop=codel: they wait less", last["drop=codel"] < 0.8 * last["drop=tail"], last)
    build("queue", "rate=8mbit", *CODEL)
    send(range(40), 1000)
    check("drop=codel: a burst is not dropped", len(hear()) == 40 and not drops())
    lana.take_apart()


def ip_frame(kind, ecn, tags):
    """A frame of 1,000 bytes, of IPv4 or IPv6, with these bits of ECN."""
    ethernet = BOB + ALICE + tags
    if kind == 4:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0xB8 | ecn, 986, 7, 0x4000, 64, 253, 0, b"\xc6\x12\0\x01", b"\xc6\x12\0\x02")
        return ethernet + b"\x08\0" + head[:10] + struct.pack("!H", checksum(head)) + head[12:] + bytes(966)
    flow = 6 << 28 | (0xB8 | ecn) << 20 | 0xABCDE
    return ethernet + b"\x86\xdd" + struct.pack("!IHBB", flow, 946, 253, 64) + bytes(15) + b"\1" + bytes(15) + b"\2" + bytes(946)


def ecn():
    """Marks in place of drops, and nothing else changes."""

    def listener():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(1, 33, 1 << 26)  # SO_RCVBUFFORCE
        sock.setsockopt(263, 8, 1)  # PACKET_AUXDATA
        sock.bind(("b0", 0))
        return sock

    bob = inside("bob", listener)
    for kind, bits, tags in [(4, 2, b""), (4, 1, b"\x81\0\0\7"), (6, 2, b""), (6, 1, b""), (4, 0, b""), (4, 3, b""), (0, 0, b"")]:
        sent = ip_frame(kind, bits, tags) if kind else frame(1, 1000)
        marked = ip_frame(kind, 3, b"") if kind else None
        # A queue that stands at once.
        build("queue", BUSY, "drop=codel", "target=1us", "interval=1ms", "ecn=on")
        for _ in range(100):
            alice.send(sent)
        change("rate=8mbit")
        got = []
        while select.select([bob], [], [], 0.3)[0]:
            data = bob.recv(2000)
            got.append(data[:12] + data[12 + len(tags):] if data[12:14] == b"\x81\0" else data)
        what = f"IPv{kind}, ECN {bits}{', VLAN' * bool(tags)}" if kind else "not of IP"
        plain = sent[:12] + sent[12 + len(tags):]
        if bits == 0:
            check(f"{what}: dropped, not marked", counted("dropped") > 5 and counted("marked") == 0
                  and len(got) == 100 - counted("dropped") and set(got) == {plain}, counted("dropped"), len(got))
        else:
            count = got.count(marked)
            check(f"{what}: marked, not dropped", len(got) == 100 and not drops() and counted("marked") > 5
                  and count == (100 if bits == 3 else counted("marked")), len(got), count, counted("marked"), drops())
            check(f"{what}: nothing else changes", set(got) == {plain, marked}, set(got))
        lana.take_apart()
    bob.close()
    # Frames that are no IP came to the other socket, too.
    hear()


def replaced():
    """Set and replaced while packets wait."""
    build("queue", BUSY, *CODEL)
    send(range(50), 1000)
    must(lana.add("y", "queue"))
    must(lana.do("FB_SET", "y", "rate", "8mbit"))
    must(lana.replace("x", "y"))
    got = [n for n, _ in hear(0.5)]
    check("what waits passes to a block that replaces another one", got == list(range(50)), got)
    check("with the counters", int(lana.get("y").options["delayed"]) == 49, lana.get("y").options)
    must(lana.remove("x"))
    lana.take_apart()

    build("queue", "rate=1kbit")
    send(range(10), 1000)
    must(lana.add("y", "dummy"))
    must(lana.replace("x", "y", drop_state=True))
    send(range(10, 20), 1000)
    check("where the state is dropped, the others pass", sorted(n for n, _ in hear(0.5))[-10:] == list(range(10, 20)))
    lana.take_apart()


def under_load():
    """Set and replaced at full rate: what goes in comes out, or is a drop that is counted."""
    must(lana.transact(("FB_NEW", "x", "queue"), ("BIND", "x", "lan0"), ("BIND", "lan1", "x")))
    change("limit=1000", "rate=20mbit", *CODEL)
    blocks = lana.blocks()
    before, entered = blocks["lan1"].packets, blocks["lan0"].packets
    load = Load("alice").add("a0", 0, "delay 20000").start()
    now, other, lost = "x", "y", 0
    for turn in range(max(80 // SLOW, 4)):
        must(lana.do("FB_SET", now, "rate", ["20mbit", "1kbit", "", "300mbit"][turn % 4]))
        must(lana.do("FB_SET", now, "drop", ["codel", "tail"][turn % 2]))
        must(lana.add(other, "queue"))
        must(lana.do("FB_SET", other, "rate", "50mbit"))
        must(lana.replace(now, other))
        # What others do with it meanwhile has ended by now.
        lost += sum(lana.get(now).drops.values())
        must(lana.remove(now))
        now, other = other, now
    sent = sum(load.stop().values())
    must(lana.do("FB_SET", now, "rate", ""))
    deadline, last = time.monotonic() + 20, None
    while (last != (last := lana.blocks()["lan0"].packets) or int(lana.get(now).options["waiting"])) \
            and time.monotonic() < deadline:
        time.sleep(0.1)
    blocks = lana.blocks()
    lost += sum(blocks[now].drops.values())
    came, entered = blocks["lan1"].packets - before, blocks["lan0"].packets - entered
    check("set and replaced under load: all that came in goes out or is counted", came + lost == entered >= sent > 0 and came > 0,
          sent, entered, came, lost)
    check("and no byte is left over", blocks[now].options["waiting-bytes"] == "0", blocks[now].options)
    lana.take_apart()


def main():
    must(lana.hook("lan0"))
    must(lana.hook("lan1"))
    for part in link, codel, ecn, replaced, under_load:
        part()
    must(lana.unhook("lan0"))
    must(lana.hook("lan0", xdp=True))
    build("queue", "rate=800kbit")
    send(range(10), 1000)
    check("frames of a driver wait as skbs", [n for n, _ in hear(0.5)] == list(range(10)))
    lana.take_apart()
    must(lana.unhook("lan0"))
    must(lana.unhook("lan1"))
    end()


main()

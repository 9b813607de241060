# SPDX-License-Identifier: GPL-2.0
"""hold.py: blocks that have packets wait, frame by frame: what goes in by lan0 comes out by lan1, at bob. Each frame has
a number."""

import math
import select
import socket
import statistics
import struct
import time

import frames
from lana import check, end
from rig import SLOW, Lana, Load, inside, quiesce

BOB, ALICE = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000a")
lana = Lana()
# A machine that others use, too, may come late.
LATE = 0.05 * max(1, SLOW / 2)


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def listener():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x88B5))
    sock.setsockopt(1, 33, 1 << 26)  # SO_RCVBUFFORCE
    sock.setsockopt(1, 35, 1)  # SO_TIMESTAMPNS
    sock.bind(("b0", 0))
    return sock


def speaker():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("a0", 0))
    return sock


bob, alice = inside("bob", listener), inside("alice", speaker)


def frame(number, size=100):
    return (BOB + ALICE + b"\x88\xb5" + struct.pack("!I", number)).ljust(size, b"\0")


def send(numbers, size=100):
    """Sends frames of these numbers, at once; when the first was sent, by the clock of the packets' times."""
    begin = time.clock_gettime(time.CLOCK_REALTIME)
    for number in numbers:
        alice.send(frame(number, size))
    return begin


def hear(wait=0.3):
    """The frames that come, as long as one comes within this time: number and time of each."""
    found = []
    while select.select([bob], [], [], wait)[0]:
        data, extra, _, _ = bob.recvmsg(2000, 100)
        seconds, nanoseconds = struct.unpack("qq", extra[0][2])
        found.append((struct.unpack_from("!I", data, 14)[0], seconds + nanoseconds / 1e9))
    return found


def build(kind, *settings):
    """The block x between lan0 and lan1."""
    must(lana.transact(("FB_NEW", "x", kind), ("BIND", "x", "lan0"), ("BIND", "lan1", "x")))
    change(*settings)


def change(*settings):
    for setting in settings:
        must(lana.do("FB_SET", "x", *setting.split("=", 1)))


def counted(key):
    return int(lana.get("x").options[key])


def drops():
    return {reason: count for reason, count in lana.get("x").drops.items() if count}


def delay():
    """Latency, order, limit."""
    build("delay", "latency=200ms", "limit=50")
    begin = send(range(50))
    got = hear(1)
    check("delay: all come, in their order", [n for n, _ in got] == list(range(50)), got)
    waited = [at - begin for _, at in got]
    check("delay: none before its time", min(waited) >= 0.2, waited)
    check("delay: and soon after it", statistics.median(waited) < 0.2 + LATE, waited)
    send(range(80))
    check("delay: a queue that is full drops, and counts", drops() == {"queue-full": 30} and counted("waiting") == 50,
          drops(), counted("waiting"))
    change("limit=10")
    check("delay: those that wait go on when the limit is less", len(hear(1)) == 50 and counted("waiting") == 0)
    check("delay: what waited is counted", counted("delayed") == 100, counted("delayed"))
    send(range(5))
    change("latency=0ns")
    send(range(5, 10))
    check("delay: another latency is for what comes then", sorted(n for n, _ in hear(1)) == list(range(10)))
    lana.take_apart()


def chance():
    """Shares, and the same again of the same seed."""
    count = max(20000 // SLOW, 2000)
    lost = []
    for seed in (1, 1, 2):
        build("delay", "loss=10%", f"seed={seed}")
        send(range(count))
        got = {n for n, _ in hear()}
        lost.append(set(range(count)) - got)
        share = len(lost[-1]) / count
        check(f"delay: loss of a tenth, seed {seed}", abs(share - 0.1) < 4 * (0.09 / count) ** 0.5, share)
        check("delay: which is counted, and a drop by the block's rule",
              counted("lost") == len(lost[-1]) and drops() == {"filtered": len(lost[-1])}, drops(), counted("lost"))
        lana.take_apart()
    check("delay: the same seed, the same losses; another seed, others", lost[0] == lost[1] != lost[2])
    common = len({n - 1 for n in lost[0]} & lost[2])
    check("delay: which are not those of the first one, a packet further", common < len(lost[2]) / 2, common, len(lost[2]))
    build("delay", "loss=10%", "seed=1")
    for what in "at first", "when the seed is set again":
        send(range(count))
        check(f"delay: the same losses {what}", set(range(count)) - {n for n, _ in hear()} == lost[0])
        change("seed=1")
    must(lana.transact(("FB_NEW", "y", "delay"), ("FB_SET", "y", "loss", "10%"), ("FB_SET", "y", "seed", "1")))
    send(range(count // 2))
    got = {n for n, _ in hear()}
    must(lana.replace("x", "y"))
    send(range(count // 2, count))
    got |= {n for n, _ in hear()}
    check("delay: a block of the same seed goes on where the one was that it replaces", set(range(count)) - got == lost[0])
    lana.take_apart()
    build("delay", "duplicate=100%")
    send(range(100))
    got = [n for n, _ in hear()]
    check("delay: all are doubled", sorted(got) == sorted(2 * list(range(100))) and counted("duplicated") == 100, got)
    lana.take_apart()
    build("delay", "latency=100ms", "reorder=50%")
    send(range(200))
    got = [n for n, _ in hear(1)]
    split = counted("reordered")
    first, last = got[:split], got[split:]
    check("delay: half of them overtake the others", 60 < split < 140 and sorted(got) == list(range(200))
          and first == sorted(first) and last == sorted(last), got)
    lana.take_apart()
    build("delay", "latency=100ms", "jitter=50ms")
    begin = send(range(200))
    got = hear(1)
    waited = [at - begin for _, at in got]
    check("delay: with jitter all come, and in another order",
          sorted(n for n, _ in got) == list(range(200)) and [n for n, _ in got] != list(range(200)), got)
    check("delay: within the jitter", min(waited) >= 0.05 and statistics.median(waited) < 0.1 + LATE, waited)
    lana.take_apart()


def shape():
    """Rate, burst, policing."""
    # A frame of 1,000 bytes takes 10 ms.
    build("shape", "rate=800kbit", "burst=5000")
    begin = send(range(30), 1000)
    got = hear(1)
    waited = [at - begin for _, at in got]
    check("shape: all come, in their order", [n for n, _ in got] == list(range(30)), got)
    check("shape: a burst goes at once", waited[4] < LATE, waited)
    early = [n for n, at in enumerate(waited[5:], 1) if at < n * 0.01 - 0.0005]
    check("shape: no frame before its time", not early, waited)
    check("shape: the last one soon after it", waited[-1] < 0.25 + LATE, waited)
    check("shape: what waited is counted", counted("delayed") == 25, counted("delayed"))
    change("limit=10")
    time.sleep(0.1)
    begin = send(range(30), 1000)
    # While they are sent some go, one each 10 ms.
    gone = math.ceil((time.clock_gettime(time.CLOCK_REALTIME) - begin) / 0.01)
    check("shape: a queue that is full drops, and counts", 15 - gone <= drops().get("queue-full", 0) <= 16, (drops(), gone))
    hear(1)
    change("mode=police", "burst=5000")
    time.sleep(0.1)
    send(range(30), 1000)
    got = [n for n, _ in hear()]
    check("shape: policing lets a burst pass, and drops the rest", got[:5] == list(range(5)) and 5 <= len(got) <= 8,
          got)
    check("shape: which is counted", counted("policed") == 30 - len(got) == drops()["filtered"], drops())
    change("rate=")
    send(range(30), 1000)
    check("shape: without a rate all pass", [n for n, _ in hear()] == list(range(30)))
    lana.take_apart()


def adopted():
    """A bucket is taken over, so that nobody gains by a change; so are the counters."""
    # Ten frames of 1,000 bytes a second.
    setting = [("rate", "80kbit"), ("burst", "5000"), ("mode", "police")]
    build("shape", *(f"{key}={value}" for key, value in setting))
    begin, now, other, turns = time.monotonic(), "x", "y", 20
    for _ in range(turns):
        send(range(5), 1000)
        must(lana.transact(("FB_NEW", other, "shape"), *(("FB_SET", other, *pair) for pair in setting)))
        must(lana.replace(now, other))
        must(lana.remove(now))
        now, other = other, now
    took = time.monotonic() - begin
    got, policed = len(hear()), int(lana.get(now).options["policed"])
    check("shape: a block that replaces another one has its bucket", 5 <= got <= 6 + 10 * took, got, took)
    check("shape: and goes on counting", policed + got == 5 * turns, policed, got)
    must(lana.do("FB_SET", now, "mode", "shape"))
    time.sleep(1)
    send(range(7), 1000)
    must(lana.transact(("FB_NEW", other, "shape")))
    must(lana.replace(now, other))
    options = lana.get(other).options
    check("shape: what waited is counted there, too", options["delayed"] == "2" and options["waiting"] in "210", options)
    send(range(7, 10), 1000)
    got = [n for n, _ in hear(1)]
    check("shape: and goes on, though that block has no rate", sorted(got) == list(range(10)), got)
    lana.take_apart()


def races():
    """From all CPUs at once: each packet either waits, or is a drop."""
    for kind, *settings in ("delay", "limit=3", "latency=1ms"), ("shape", "limit=3", "rate=10mbit", "burst=0"):
        build(kind, *settings)
        load = Load("alice")
        for cpu in range(2):
            load.add(f"a0@{cpu}", cpu)
        load.start()
        time.sleep(0.5)
        load.stop()
        quiesce()
        block = lana.get("x")
        passed = block.packets - counted("delayed") - sum(block.drops.values())
        check(f"{kind}: at its limit, from all CPUs, what is dropped has not waited",
              block.drops["queue-full"] > 0 and (passed == 0 if kind == "delay" else passed >= 0), counted("delayed"), block.drops,
              block.packets)
        hear(0.1)
        lana.take_apart()


def odd(way):
    """Packets of all kinds come out as they went in."""
    frames.drain()
    tag, priority = b"\x81\x00\xa0\x0a", b"\x81\x00\xe0\x00"
    fragments = []
    for place in 0x2000, 3:
        head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 44, 7, place, 64, 17, 0, bytes([198, 18, 0, 1]), bytes([198, 18, 0, 2]))
        head = head[:10] + struct.pack("!H", frames.checksum(head) ^ 0xFFFF) + head[12:]
        fragments.append(frames.BOB + frames.ALICE + b"\x08\x00" + head + frames.noise(24))
    for kind, *settings in ("delay", "latency=2ms"), ("shape", "rate=800kbit", "burst=0"):
        build(kind, *settings)
        about = f"{way}: {kind}: "
        frames.passes(about + "VLAN tags", [frames.frame(100, tags) for tags in (tag, priority, b"\x88\xa8\x00\x14" + tag)])
        frames.passes(about + "fragments", fragments)
        if way == "skbs":
            frames.passes(about + "a checksum that is left to a device", [frames.udp(101)], [frames.vnet_hdr(0, 0, 0, 34, 6)])
            frames.passes(about + "a super-packet", [frames.tcp(2500)], [frames.vnet_hdr(frames.GSO_TCPV4, 54, 1000, 34, 16)])
        if kind == "delay":
            check(about + "each of these has waited", counted("delayed") == lana.get("x").packets, counted("delayed"))
        if kind == "shape" and way == "skbs":
            # The bucket takes all bytes of it: 2,554 bytes are 25 ms.
            time.sleep(0.1)
            begin = time.clock_gettime(time.CLOCK_REALTIME)
            frames.alice.send(frames.tcp(2500), frames.vnet_hdr(frames.GSO_TCPV4, 54, 1000, 34, 16))
            send([1])
            waits = [at - begin for n, at in hear() if n == 1]
            check(about + "a super-packet takes all its bytes", waits and 0.0255 <= waits[0] < 0.0265 + LATE, waits)
            for _ in range(2):
                frames.bob.receive(0.2)
        lana.take_apart()


def taking_turns():
    """A block is set and replaced while packets wait: none is lost."""
    build("delay", "latency=500ms")
    send(range(100))
    must(lana.add("y", "delay"))
    must(lana.do("FB_SET", "y", "latency", "50ms"))
    must(lana.do("FB_SET", "y", "limit", "2000"))
    must(lana.replace("x", "y"))
    send(range(100, 110))
    must(lana.do("FB_SET", "y", "limit", "3000"))
    got = [n for n, _ in hear(1)]
    check("what waits passes to a block that replaces another one, and to a larger queue",
          got == [*range(100, 110), *range(100)], got)
    must(lana.remove("x"))
    send(range(10))
    check("and the one that was replaced can go", [n for n, _ in hear()] == list(range(10)))
    lana.take_apart()

    build("delay", "latency=200ms")
    send(range(100))
    must(lana.add("y", "dummy"))
    must(lana.replace("x", "y", drop_state=True))
    check("where the state is dropped, a block of another type lets what waits go on",
          [n for n, _ in hear(1)] == list(range(100)))
    lana.take_apart()

    build("delay", "latency=100ms")
    send(range(50))
    must(lana.unbind("lan1", "x"))
    time.sleep(0.3)
    check("what has nowhere to go then is a drop", drops() == {"unbound": 50}, drops())
    lana.take_apart()


def under_load(kind, key, *values):
    """Set and replaced at full rate: what goes in comes out."""
    build(kind, "limit=100000", f"{key}={values[0]}")
    blocks = lana.blocks()
    before, entered, lost = blocks["lan1"].packets, blocks["lan0"].packets, lana.engine()[3]
    load = Load("alice").add("a0", 0, "delay 20000").start()
    now, other = "x", "y"
    for turn in range(max(200 // SLOW, 4)):
        must(lana.do("FB_SET", now, key, values[turn % len(values)]))
        must(lana.do("FB_SET", now, "limit", str(100000 - turn)))
        must(lana.add(other, kind))
        must(lana.do("FB_SET", other, "limit", "100000"))
        must(lana.do("FB_SET", other, key, values[turn % len(values)]))
        must(lana.replace(now, other))
        must(lana.remove(now))
        now, other = other, now
    sent = sum(load.stop().values())
    deadline = time.monotonic() + 20
    while int(lana.get(now).options["waiting"]) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.1)
    blocks = lana.blocks()
    came, entered = blocks["lan1"].packets - before, blocks["lan0"].packets - entered
    check(f"{kind}: set and replaced under load: all that came in goes out", came == entered >= sent > 0,
          sent, entered, came, lana.engine()[3] - lost, blocks[now].drops)
    lana.take_apart()


def drivers():
    """A driver's frames wait as skbs."""
    build("delay", "latency=50ms")
    send(range(40))
    got = [n for n, _ in hear(1)]
    check("frames of a driver wait as skbs", got == list(range(40)), got)
    lana.take_apart()


def main():
    must(lana.hook("lan0"))
    must(lana.hook("lan1"))
    for part in delay, chance, shape, adopted, races, taking_turns:
        part()
    odd("skbs")
    under_load("delay", "latency", "0ms", "1ms", "2ms", "3ms", "4ms")
    under_load("shape", "rate", "200mbit", "500mbit", "1gbit")
    must(lana.unhook("lan0"))
    must(lana.hook("lan0", xdp=True))
    drivers()
    odd("frames")
    must(lana.unhook("lan0"))
    must(lana.unhook("lan1"))
    end()


if __name__ == "__main__":
    main()

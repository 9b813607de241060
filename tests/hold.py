# SPDX-License-Identifier: GPL-2.0
"""hold.py: blocks that have packets wait, frame by frame: what goes in by lan0 comes out by lan1, at bob. Each frame has
a number."""

import select
import socket
import statistics
import struct
import time

from lana import check, end
from rig import SLOW, Lana, Load, inside

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
    check("delay: what waited is counted", counted("delayed") in (130, 100), counted("delayed"))
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
    send(range(30), 1000)
    check("shape: a queue that is full drops, and counts", 14 <= drops()["queue-full"] <= 16, drops())
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


def taking_turns():
    """A block is set and replaced while packets wait: none is lost."""
    build("delay", "latency=300ms")
    send(range(100))
    must(lana.add("y", "delay"))
    must(lana.do("FB_SET", "y", "latency", "1ms"))
    must(lana.replace("x", "y"))
    send(range(100, 110))
    got = [n for n, _ in hear(1)]
    check("what waits passes to a block that replaces another one", got == [*range(100, 110), *range(100)], got)
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


def under_load():
    """Set and replaced at full rate: what goes in comes out."""
    must(lana.transact(("FB_NEW", "x", "delay"), ("BIND", "x", "lan0"), ("BIND", "lan1", "x")))
    change("limit=100000", "latency=2ms")
    blocks = lana.blocks()
    before, entered, lost = blocks["lan1"].packets, blocks["lan0"].packets, lana.engine()[3]
    load = Load("alice").add("a0", 0, "delay 20000", mac="02:00:00:00:00:0b").start()
    now, other = "x", "y"
    for turn in range(max(400 // SLOW, 4)):
        must(lana.do("FB_SET", now, "latency", f"{turn % 5}ms"))
        must(lana.do("FB_SET", now, "limit", str(100000 - turn)))
        must(lana.add(other, "delay"))
        must(lana.do("FB_SET", other, "limit", "100000"))
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
    check("set and replaced under load: all that came in goes out", came == entered >= sent > 0,
          sent, entered, came, lana.engine()[3] - lost, blocks[now].drops)
    lana.take_apart()


def frames():
    """A driver's frames wait as skbs."""
    build("delay", "latency=50ms")
    send(range(40))
    got = [n for n, _ in hear(1)]
    check("frames of a driver wait as skbs", got == list(range(40)), got)
    lana.take_apart()


def main():
    must(lana.hook("lan0"))
    must(lana.hook("lan1"))
    for part in delay, chance, shape, taking_turns, under_load:
        part()
    must(lana.unhook("lan0"))
    must(lana.hook("lan0", xdp=True))
    frames()
    must(lana.unhook("lan0"))
    must(lana.unhook("lan1"))
    end()


if __name__ == "__main__":
    main()

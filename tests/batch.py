# SPDX-License-Identifier: GPL-2.0
"""batch.py: lan0 collects what it receives, and gets it as a driver hands it over, 64 frames in one go. What
goes on by lan1 and lan2 is received by bob, who looks at the numbers in the frames: which have come, and in
which order."""

import os
import select
import socket
import struct
import subprocess
import threading
import time

from bpfload import XDP, bpf, load
from burst import ARRAY, FRAME, MAP_CREATE, Burst, alternating
from lana import check, end
from rig import SLOW, Lana, Load, enter, inside, one_cpu, quiesce, read, write

COUNT = max(64 * 500 // SLOW, 64 * 10)
lana = Lana()


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def build(blocks, *bindings):
    """Blocks (name and type), and who is on top of whom."""
    for name, kind in blocks:
        must(lana.add(name, kind))
    for upper, lower in bindings:
        must(lana.bind(upper, lower))


class Ear:
    """What bob (or alice) receives by a device: the numbers in the frames, in the order in which they come."""

    def __init__(self, device, who="bob"):
        def listen():
            sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
            sock.setsockopt(1, 33, 1 << 28)  # SO_RCVBUFFORCE
            sock.bind((device, 0))
            return sock
        self.sock = inside(who, listen)

    def numbers(self):
        found = []
        while select.select([self.sock], [], [], 0.2)[0]:
            found.append(int.from_bytes(self.sock.recv(2000)[52:60], "big"))
        return found


def drops():
    return {(name, reason): count for name, block in lana.blocks().items() for reason, count in block.drops.items()
            if count}


def engine(column):
    """A column of /proc/net/lana/ppe, of all CPUs."""
    head, *lines = read("/proc/net/lana/ppe").splitlines()
    return sum(int(line.split()[head.split().index(column)]) for line in lines)


def settle():
    """Waits until what was sent has been received."""
    while engine("backlog"):
        time.sleep(0.01)
    quiesce()


class Frames:
    """Numbered frames to lan0, as many as a body of `with` wants, and what bob hears of them."""

    def __init__(self, name, count=COUNT):
        self.name, self.count = name, count

    def __enter__(self):
        self.ears = [Ear("b0"), Ear("b2")]
        self.before, self.blocks, self.calls = lana.blocks(), {}, engine("calls")
        burst = Burst("lan0", numbered=True)
        with one_cpu():
            burst.send(self.count)
        burst.close()
        settle()
        self.heard = [ear.numbers() for ear in self.ears]
        self.calls = engine("calls") - self.calls
        for name, block in lana.blocks().items():
            self.blocks[name] = tuple(a - b for a, b in zip(block.counted, self.before[name].counted))
        return self

    def __exit__(self, kind, *_):
        for ear in self.ears:
            ear.sock.close()
        if kind is None:
            check(f"{self.name}: each block has counted what came to it, packets and bytes",
                  all(size == len(FRAME) * packets for packets, size in self.blocks.values())
                  and self.blocks["lan0"][0] == self.count, self.blocks)
            check(f"{self.name}: nothing waits any more", engine("backlog") == 0)


ALL = list(range(1, COUNT + 1))
# A filter: the last of 60 bytes is odd.
ODD = "{ 0x30, 0, 0, 59 },\n{ 0x45, 0, 1, 0x1 },\n{ 0x6, 0, 0, 0xffffffff },\n{ 0x6, 0, 0, 0 },"


def chain():
    build([("a", "dummy"), ("b", "counter")], ("a", "lan0"), ("b", "a"), ("lan1", "b"))
    with Frames("a chain") as frames:
        check("a chain: all arrive, in the order in which they came", frames.heard == [ALL, []],
              [len(one) for one in frames.heard])
        check("a chain: each handler was called for each of them", frames.calls == 3 * COUNT, frames.calls)
        options = lana.blocks()["b"].options
        check("a chain: a block that takes the whole batch counts the same", options ==
              {"packets": str(COUNT), "bytes": str(60 * COUNT)}, options)
    lana.take_apart()


def some():
    """A filter drops those whose number is even."""
    build([("f", "bpf"), ("a", "dummy")], ("f", "lan0"), ("a", "f"), ("lan1", "a"))
    must(lana.set("f", "program", ODD))
    with Frames("a filter") as frames:
        check("a filter: every second one arrives, in order", frames.heard == [ALL[::2], []],
              [one[:10] for one in frames.heard])
        check("a filter: the others are its drops", drops() == {("f", "filtered"): COUNT // 2}, drops())
    lana.take_apart()


def tee():
    build([("t", "tee"), ("one", "dummy"), ("two", "dummy"), ("three", "counter")],
          ("t", "lan0"), ("one", "t"), ("two", "t"), ("three", "t"), ("lan1", "one"), ("lan2", "two"))
    with Frames("a tee") as frames:
        check("a tee: all arrive by both devices, in order", frames.heard == [ALL, ALL],
              [len(one) for one in frames.heard])
        check("a tee: and at its third port", frames.blocks["three"][0] == COUNT, frames.blocks)
        check("a tee: where a port is unbound, that is a drop there",
              drops() == {("three", "unbound"): COUNT}, drops())
    lana.take_apart()


def split():
    """By turns to one device and the other."""
    build([("m", "multipath"), ("one", "dummy"), ("two", "counter")],
          ("lan0", "m"), ("m", "one"), ("m", "two"), ("one", "lan1"), ("two", "lan2"))
    must(lana.set("m", "strategy", "packet"))
    with Frames("two ways") as frames:
        one, two = frames.heard
        check("two ways: each frame went one of them", sorted(one + two) == ALL, len(one), len(two))
        check("two ways: half of them each", len(one) == len(two), len(one), len(two))
        check("two ways: on each of them in order", one == sorted(one) and two == sorted(two))
        check("two ways: none was dropped", not drops(), drops())
    must(lana.set("m", "port.0.weight", "0"))
    with Frames("the other way") as frames:
        check("the other way: all together go by a port that is not the first", frames.heard == [[], ALL],
              [len(one) for one in frames.heard])
        check("the other way: none was dropped", not drops(), drops())
    lana.take_apart()


def sampled():
    """A batch that has none of the sample goes on as a batch, and counts for the sample."""
    build([("a", "dummy"), ("b", "counter")], ("a", "lan0"), ("b", "a"), ("lan1", "b"))
    with subprocess.Popen(["fbctl", "trace", "-e", "--sample", "100"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as tool:
        tool.stderr.readline()
        with Frames("a sample") as frames:
            check("a sample: all arrive, in the order in which they came", frames.heard == [ALL, []],
                  [len(one) for one in frames.heard])
            check("a sample: each handler was called for each of them", frames.calls == 3 * COUNT, frames.calls)
        tool.terminate()
        traced = tool.communicate()[0].count(b" cpu ")
    check("a sample: one of 100 is traced, whether it came in a batch or not", traced == COUNT // 100, traced, COUNT)
    lana.take_apart()


# An echo request, and its answer.
REQUEST = bytes.fromhex("020000000001 020000000098 0800 4500002e000000004001f6cac0000201c0000203"
                        "0800f7fd00010001").ljust(60, b"\0")
REPLY = bytes.fromhex("020000000098 020000000001 0800 4500002e000000004001f6cac0000203c0000201"
                      "0000fffd00010001").ljust(60, b"\0")


def answers():
    """Of two frames one is an echo request, which goes back, and one passes."""
    build([("e", "icmp-echo"), ("c", "counter")], ("e", "lan0"), ("c", "e"), ("lan1", "c"))
    must(lana.set("e", "addr", "192.0.2.3"))
    must(lana.set("e", "mac", "02:00:00:00:00:01"))
    other = REQUEST[:34] + bytes([13]) + REQUEST[35:]
    array = bpf(MAP_CREATE, struct.pack("IIII", ARRAY, 4, 8, 1))
    program = load(XDP, alternating(array, REQUEST, other, REPLY))
    for first in "another", "a request":
        burst, ears = Burst("lan0", REQUEST, program=program), [Ear("a0", "alice"), Ear("b0")]
        before = lana.blocks()
        with one_cpu():
            burst.send(COUNT - 1)
        settle()
        heard = [len(ear.numbers()) for ear in ears]
        after = lana.blocks()
        passed = after["c"].packets - before["c"].packets
        answered = int(after["e"].options["answered"]) - int(before["e"].options["answered"])
        half = [COUNT // 2, COUNT // 2 - 1] if first == "a request" else [COUNT // 2 - 1, COUNT // 2]
        check(f"requests among others, {first} first: each goes its way", [answered, passed] == half == heard,
              answered, passed, half, heard)
        for ear in ears:
            ear.sock.close()
    check("requests among others: none is dropped", not drops(), drops())
    os.close(program)
    os.close(array)
    lana.take_apart()


def shared():
    """Packets that cannot wait, as others have them too, in between."""
    build([("c", "counter")], ("c", "lan0"))
    load = Load().add("lan0", 0, "xmit_mode netif_receive", "burst 10", "count 2000").start()
    ear = Ear("b0")
    with subprocess.Popen(["ip", "netns", "exec", "alice", "tcpdump", "-q", "-n", "-i", "a0", "-w", "/dev/null"],
                          stderr=subprocess.DEVNULL) as dump:
        before = lana.blocks()["c"].packets
        burst = Burst("lan0")
        burst.send(COUNT)
        burst.close()
        sent = load.stop()["lan0"]
        dump.terminate()
    ear.sock.close()
    count = lana.blocks()["c"].packets
    check("packets that are shared, in between: all are counted", count == COUNT + sent, before, count, COUNT, sent)
    lana.take_apart()


def limits():
    """One frame on 255 ways to a tee, each copy on 8 ways on, one of them long: as in limits.sh."""
    names = [f"d{i}" for i in range(255)]
    long = [f"c{i}" for i in range(100)]
    build([("t", "tee"), ("u", "tee"), *((name, "dummy") for name in names + long + [f"e{i}" for i in range(7)])],
          ("t", "lan0"), *((name, "t") for name in names), *(("u", name) for name in names),
          *zip(long, ["u"] + long), *((f"e{i}", "u") for i in range(7)))
    packets, count = engine("packets"), 64 if SLOW == 1 else 8
    with Frames("too many copies", count) as frames:
        # One batch, which bounds the time in the softirq: not 64 times what a packet may alone.
        check("too many copies: the handlers are called as often as a batch may, at most",
              16384 < frames.calls <= 32768, frames.calls)
        made, lost = engine("packets") - packets, sum(drops().values())
        check("too many copies: no more are made than of single packets", made <= count + 16384, made)
        check("too many copies: what was not called any more is counted",
              {reason for _, reason in drops()} == {"hop-limit", "unbound"} and lost == made, lost, made)
    must(lana.set("lan0", "batch", "off"))
    start = time.monotonic()
    with Frames("too many copies, one by one", count) as frames:
        # The first two may call 16,384 handlers each, the others 2,048, and what is allowed again with time.
        bound = 2 * 16384 + count * 2048 + (time.monotonic() - start) * 1e6
        check("too many copies, one by one: what they call together is bounded",
              16384 < frames.calls <= bound, frames.calls, bound)
    must(lana.set("lan0", "batch", "on"))
    lana.take_apart()
    ways = [f"d{i}" for i in range(255)]
    build([("t", "tee"), *((name, "dummy") for name in ways)], ("t", "lan0"), *((name, "t") for name in ways))
    with Frames("as many copies of each as a tee has ports", 64) as frames:
        check("as many copies of each as a tee has ports: all are made",
              sum(frames.blocks[name][0] for name in ways) == 255 * 64, frames.blocks["t"])
        check("as many copies of each as a tee has ports: none is dropped by a limit",
              {reason for _, reason in drops()} == {"unbound"}, drops())
    lana.take_apart()
    long = [f"c{i}" for i in range(257)]
    build([(name, "dummy") for name in long], *zip(long, ["lan0"] + long))
    with Frames("too many blocks") as frames:
        check("too many blocks: dropped at the limit", drops() == {("c256", "hop-limit"): COUNT}, drops())
    lana.take_apart()


def crowd():
    """No more wait than net.core.netdev_max_backlog says, as with gro_cells."""
    build([("c", "counter")], ("c", "lan0"))
    limit = "/proc/sys/net/core/netdev_max_backlog"
    was, lost = read(limit), "/sys/class/net/lan0/statistics/rx_dropped"
    write(limit, "16")
    before, dropped = lana.blocks()["c"].packets, int(read(lost))
    burst = Burst("lan0")
    with one_cpu():
        burst.send(64)
    burst.close()
    settle()
    write(limit, was)
    came, dropped = lana.blocks()["c"].packets - before, int(read(lost)) - dropped
    check("more than may wait: the rest are dropped, and the device counts them",
          (came, dropped) == (16, 48), came, dropped)
    lana.take_apart()


def off_and_on():
    """Switched off and on while frames come; the order stays."""
    build([("a", "counter")], ("a", "lan0"), ("lan1", "a"))
    burst, ear = Burst("lan0", numbered=True), Ear("b0")
    stop, switched, failed = threading.Event(), 0, None

    def send():
        enter("")
        with one_cpu():
            while not stop.is_set():
                burst.send(640)
                time.sleep(0.001)

    thread = threading.Thread(target=send)
    before = lana.blocks()["a"].packets
    thread.start()
    while switched < 40 and not failed:
        for value in "off", "on":
            answer = lana.set("lan0", "batch", value)
            failed = failed or (answer if answer.error else None)
        switched += 1
        time.sleep(0.002)
    stop.set()
    thread.join()
    burst.close()
    settle()
    numbers = ear.numbers()
    ear.sock.close()
    count = lana.blocks()["a"].packets - before
    check("switched off and on while frames come: none is lost, and the order stays",
          not failed and numbers == list(range(1, count + 1)), failed, count, len(numbers))
    lana.take_apart()


# Of what is sent to bob none is to be lost in the queue of a CPU.
write("/proc/sys/net/core/netdev_max_backlog", "100000")
for name in "lan0", "lan1", "lan2":
    must(lana.hook(name))
must(lana.set("lan0", "batch", "on"))
for what in chain, some, tee, sampled, split, answers, shared, limits, crowd, off_and_on:
    what()
for name in "lan0", "lan1", "lan2":
    must(lana.unhook(name))
check("nothing is left", not lana.names(), lana.names())
end()

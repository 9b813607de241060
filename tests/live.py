# SPDX-License-Identifier: GPL-2.0
"""live.py [batch|xdp] WHAT...: changes the middle of a way from lan0 to bob, again and again, while packets of
many sizes pass at full speed; then every one of them must have passed, or been dropped for a reason that is
counted. WHAT: cuts, rebinds, replaces, moves. With `batch` lan0 gets packets as from a driver, many in one
go, and they go through the graph together. With `xdp` lan0 and lan1 are hooked by native XDP, as b0 of bob must be
for frames to get there: no skb is there between lan0 and b0. What finds no room on the wire to b0 is lost there, and
counted by the driver."""

import subprocess
import sys
import time

import burst
from lana import check, end
from rig import CPUS, FRAMES, LONG, PASS_ALL, SLOW, Lana, Load, inside, link, quiesce, tc, write

# How often: in the suite, and in the long form (LANA_LONG=1).
TIMES = {"cuts": (2500, 20000), "rebinds": (5000, 100000), "replaces": (1250, 10000), "moves": (1250, 10000)}
lana = Lana()
WHAT = sys.argv[1:]
MANY = 100  # packets in each test, at least
BATCH = WHAT[0] == "batch"
XDP = WHAT[0] == "xdp"
if BATCH or XDP:
    WHAT.pop(0)


def times(what):
    short, long = TIMES[what]
    # A kernel that looks for our mistakes makes few of them as it is.
    number = long if LONG else short // min(SLOW, 12)
    if XDP and not LONG and SLOW != 50:
        return number // 5  # a change waits for polls of the drivers
    # A change waits for the end of bursts on the other CPUs.
    return max(number // 10, min(number, 200)) if BATCH and CPUS > 1 else number


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def chain(*blocks):
    """Binds each on top of the one before it."""
    return [("BIND", upper, lower) for lower, upper in zip(blocks, blocks[1:])]


def unchain(*blocks):
    return [("UNBIND", upper, lower) for lower, upper in zip(blocks, blocks[1:])]


def requests(ops):
    return [(kind, lana.op(kind, *args)) for kind, *args in ops]


def together(*ops):
    return "TRANSACT", lana.transaction(*ops)


def build(*blocks):
    """lan0, the blocks (name and type), lan1; all bound to each other."""
    for name, kind in blocks:
        must(lana.add(name, kind))
    for _, upper, lower in chain("lan0", *(name for name, _ in blocks), "lan1"):
        must(lana.bind(upper, lower))


class Traffic:
    """Sends while its body runs, and knows then what became of the packets."""

    def __init__(self, name):
        self.name = name

    def __enter__(self):
        self.before = lana.blocks()
        self.received = tc("bob", "b0")
        self.wires = self.full()
        if BATCH:
            self.load = burst.Load("lan0", CPUS)
        else:
            self.load = Load("alice")
            for cpu in range(CPUS):
                self.load.add(f"a0@{cpu}", cpu, *FRAMES if XDP else [])
        self.load.start()
        self.started = time.monotonic()
        return self

    @staticmethod
    def full():
        """What found no room on the wire from lan1, or no memory at its end; the skbs that left by it; and those of which
        lan0's driver had no memory to make frames. The generator does not count what finds no room on the wire to lan0."""
        if not XDP:
            return 0, 0, 0
        return link("bob", "b0", "rx_drop"), tc("", "lan1", "egress")[0], link("", "lan0", "rx_drop")

    def __exit__(self, kind, *_):
        seconds = time.monotonic() - self.started
        if BATCH:
            self.sent = self.load.stop()
            quiesce()
        else:
            self.load.reach(MANY)
            self.sent = sum(self.load.stop().values())
        if kind is not None:
            return
        now = settled() if XDP else tc("bob", "b0")
        self.lost, skbs, unmade = (a - b for a, b in zip(self.full(), self.wires))
        # Of what is received, tc does not count the Ethernet header.
        packets = now[0] - self.received[0]
        self.arrived = packets, now[1] - self.received[1] + 14 * packets
        self.blocks, self.drops = {}, {}
        for name, block in lana.blocks().items():
            was = self.before.get(name)
            self.blocks[name] = tuple(a - b for a, b in zip(block.counted, was.counted if was else (0, 0)))
            for reason, count in block.drops.items():
                count -= was.drops.get(reason, 0) if was else 0
                if count:
                    self.drops[name, reason] = count
        print(f"# {self.name}: {self.sent} packets in {seconds:.1f} s, with {CPUS} CPUs")
        check(f"{self.name}: there was traffic all the time", self.sent >= MANY, self.sent)
        check(f"{self.name}: every packet sent has come to the graph", self.blocks["lan0"][0] == self.sent - unmade,
              self.sent, unmade, self.blocks)
        if XDP:
            made = {name: block.skbs for name, block in lana.blocks().items() if block.skbs}
            check(f"{self.name}: every packet was a frame to its end, none became an skb", not made and skbs == 0,
                  made, f"{skbs} skbs left by lan1")

    def passed(self, *same):
        """Packets and bytes: those that came, those of each of the blocks, those that arrived."""
        came = self.blocks["lan0"]
        check(f"{self.name}: all packets that came arrived, to the packet and the byte",
              self.arrived == came or self.lost and self.arrived[0] + self.lost == came[0],
              f"came {came}, arrived {self.arrived}, {self.lost} found no room on the wire", self.drops)
        for name in same:
            check(f"{self.name}: each of them was counted by {name}", self.blocks[name] == came,
                  f"came {came}", self.blocks)
        check(f"{self.name}: none was dropped", not self.drops, self.drops)

    def split(self, *branches):
        """Each packet passed all blocks of one of the branches and none of another one."""
        counts = [{self.blocks[name] for name in branch} for branch in branches]
        check(f"{self.name}: no packet has changed from one way to another",
              all(len(one) == 1 for one in counts), self.blocks)
        sums = tuple(sum(self.blocks[branch[0]][i] for branch in branches) for i in (0, 1))
        check(f"{self.name}: each packet went one of the ways", sums == self.blocks["lan0"], sums, self.blocks)
        # Where there is one CPU, changes that undo each other are made without a packet in between.
        check(f"{self.name}: each way was gone", CPUS == 1 or all(self.blocks[branch[0]][0] for branch in branches),
              self.blocks)


def repeat(name, count, there, back):
    """Makes `count` changes by requests that change something and change it back: each on its own, so that
    packets come in between, also where there is only one CPU, and eight at once. Of batches there are few: for two
    seconds at least."""
    one, other, many = lana.bulk(there), lana.bulk(back), lana.bulk(*[there, back] * 4)
    done, failure, rest = 0, None, time.monotonic() + 2 * BATCH
    while (done < count or time.monotonic() < rest) and not failure:
        failure = lana.failure(one) or lana.failure(other) or lana.failure(many)
        done += 10
    check(f"{name}: each of the {count} changes is made", not failure, failure)


def cuts():
    """The way is cut and mended, each by a request of its own: what comes in between is dropped where it
    is cut, and counted."""
    build(("first", "counter"), ("mid", "dummy"), ("last", "counter"))
    name = "cuts"
    with Traffic(name) as traffic:
        repeat(name, times(name), *requests(unchain("first", "mid") + chain("first", "mid")))
    print(f"# {traffic.drops}")
    came, drops = traffic.blocks["lan0"][0], traffic.drops.get(("first", "unbound"), 0)
    check("cuts: packets sent = packets arrived + packets dropped where it was cut",
          came == traffic.arrived[0] + traffic.lost + drops, f"{came}, {traffic.arrived}", traffic.drops)
    check("cuts: none was dropped elsewhere", set(traffic.drops) <= {("first", "unbound")}, traffic.drops)
    check("cuts: what passed the cut was counted behind it",
          traffic.blocks["mid"] == traffic.blocks["last"] and
          traffic.blocks["last"][0] == traffic.arrived[0] + traffic.lost and
          (traffic.lost or traffic.blocks["last"] == traffic.arrived), traffic.blocks, traffic.arrived, traffic.lost)
    lana.take_apart()


def rebinds():
    """The way goes over one block, then over another."""
    build(("first", "counter"), ("one", "dummy"), ("last", "counter"))
    must(lana.add("two", "dummy"))
    name = "rebinds"
    there = together(*unchain("first", "one", "last"), *chain("first", "two", "last"))
    back = together(*unchain("first", "two", "last"), *chain("first", "one", "last"))
    with Traffic(name) as traffic:
        repeat(name, times(name), there, back)
    traffic.passed("first", "last")
    traffic.split(["one"], ["two"])
    lana.take_apart()


def replaces():
    build(("first", "counter"), ("mid", "counter"), ("last", "counter"))
    ends = ["first", "last"]
    name = "replaces by a counter, with the state"
    # A new one each time; the old one is removed. What is in the middle keeps its IDP.
    idp = lana.blocks()["mid"].idp
    steps = []
    for old, new in [("mid", "other"), ("other", "mid")]:
        steps += [("FB_NEW", new, "counter"), ("REPLACE", old, new), ("FB_DEL", old)]
    bulk, done, failure = lana.bulk(*requests(steps)), 0, None
    with Traffic(name) as traffic:
        while done < times("replaces") and not failure:
            failure = lana.failure(bulk)
            done += 2
    check(f"{name}: each of the {times('replaces')} changes is made", not failure, failure)
    traffic.passed(*ends)
    mid = lana.blocks()["mid"]
    check(f"{name}: the last one has the count of them all", (mid.options["packets"], mid.options["bytes"]) ==
          tuple(map(str, traffic.blocks["lan0"])), mid.options, traffic.blocks)
    check(f"{name}: it has the IDP of the first", mid.idp == idp, mid.idp, idp)

    name = "replaces in turn, within transactions"
    must(lana.add("other", "counter"))
    with Traffic(name) as traffic:
        repeat(name, times("replaces"), together(("REPLACE", "mid", "other")),
               together(("REPLACE", "other", "mid")))
    traffic.passed(*ends)
    traffic.split(["mid"], ["other"])
    must(lana.remove("other"))

    name = "replaces by another type, without the state"
    must(lana.add("other", "bpf"))
    must(lana.set("other", "program", PASS_ALL))
    pair = [(kind, lana.op(kind, *args, drop_state=True))
            for kind, *args in [("REPLACE", "mid", "other"), ("REPLACE", "other", "mid")]]
    with Traffic(name) as traffic:
        repeat(name, times("replaces"), *pair)
    traffic.passed(*ends)
    traffic.split(["mid"], ["other"])
    lana.take_apart()


def moves():
    """From A, B, C to D, E, F: a packet that went through A and E, say, would be missing in B or too much
    in F."""
    ways = ["A", "B", "C"], ["D", "E", "F"]
    build(("first", "counter"), *((name, "dummy") for name in ways[0]), ("last", "counter"))
    for name in ways[1]:
        must(lana.add(name, "dummy"))

    def move(name, there, back):
        with Traffic(name) as traffic:
            repeat(name, times("moves"), there, back)
        traffic.passed("first", "last")
        traffic.split(*ways)

    old, new = (("first", *way, "last") for way in ways)
    move("moves, all bindings anew", together(*unchain(*old), *chain(*new)),
         together(*unchain(*new), *chain(*old)))
    # In either state any mix of the two would lead to the end.
    pairs = list(zip(*ways))
    move("moves, block by block", together(*(("REPLACE", a, b) for a, b in pairs)),
         together(*(("REPLACE", b, a) for a, b in pairs)))
    move("moves, crosswise",
         together(*unchain(*old), *chain("first", "D", "B"), *chain("E", "C"), *unchain("D", "B"),
                  *unchain("E", "C"), *chain("D", "E", "F", "last")),
         together(*unchain(*new), *chain(*old)))
    lana.take_apart()


def settled():
    """What bob has received, once nothing is on the way: NAPI of a veth has no queue that `quiesce` sees."""
    now = None
    while now != (now := tc("bob", "b0")):
        time.sleep(0.1)
    return now


if XDP:
    subprocess.run(["tc", "-batch", "-"], input="qdisc add dev lan1 clsact\nfilter add dev lan1 egress protocol all "
                   "matchall action ok\n", text=True, check=True)
    bob = inside("bob", Lana)
    must(bob.hook("b0", xdp=True))
    must(bob.set("b0", "unclaimed", "stack"))
must(lana.hook("lan0", xdp=XDP))
must(lana.hook("lan1", xdp=XDP))
if BATCH:
    must(lana.set("lan0", "batch", "on"))
    # None is to be lost on the way to bob.
    write("/proc/sys/net/core/netdev_max_backlog", "1000000")
for what in WHAT:
    globals()[what]()
quiesce()
must(lana.unhook("lan0"))
must(lana.unhook("lan1"))
if XDP:
    must(bob.unhook("b0"))
    bob.sock.close()
    subprocess.run(["tc", "qdisc", "del", "dev", "lan1", "clsact"], check=True)
check("nothing is left", not lana.names(), lana.names())
end()

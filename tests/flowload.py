# SPDX-License-Identifier: GPL-2.0
"""flowload.py changes | flood | sums | hotplug: packets at full speed by the block `x`, a netflow between lan0 below and lan1 above. It
is set, replaced and bound anew all the time; or each packet is a flow of its own, more than there is room for; or what is counted is read while tables go; or a CPU
goes and comes back. What the collector is told of is what has passed."""

import os
import random
import struct
import sys
import time

from flowrig import Block, Collector
from frames import alice, ipv4
from lana import Socket, attr, check, end
from rig import CPUS, LONG, SLOW, Lana, Load, quiesce, tc, write

WAY = sys.argv[1]
PORT = 2055
RANDOM = random.Random(os.environ.get("LANA_SEED", "1"))
# What can be set while all is still told of. Flows end by some.
SETTINGS = [("version", "5"), ("version", "9"), ("version", "ipfix"), ("key", ""), ("key", "addresses"), ("key", "ports,mac,vlan"),
            ("key", "addresses,ports,protocol,tos,interface,vlan,mac,label,mpls"), ("prefix4", "24"), ("prefix4", "0"),
            ("prefix4", ""), ("prefix6", "64"), ("biflow", "on"), ("biflow", "off"), ("direction", "both"), ("flows", "5000"),
            ("flows", "20000"), ("flows", ""), ("active", "1s"), ("active", ""), ("inactive", "100ms"), ("inactive", ""),
            ("tcp.fin", "0s"), ("template.time", "1s"), ("template.packets", "1"), ("template.packets", ""), ("mtu", "576"),
            ("mtu", "9000"), ("mtu", ""), ("domain", "7"), ("domain", ""), ("source", "127.0.0.1"), ("source", ""),
            ("rate", "1000000"), ("rate", ""), ("flush", "yes"), ("collector.2", "127.0.0.1:9"), ("collector.2", ""),
            ("sampling", "")]
lana = Lana()


class Sums(Collector):
    """Sums up what it is told of, and forgets the rest."""

    def __init__(self, port):
        self.told, self.flows = [0, 0], 0
        super().__init__(port)

    def add(self, data):
        super().add(data)
        self.told = [sum(pair) for pair in zip(self.told, self.sums())]
        self.flows += len(self.records)
        self.records.clear()
        self.options.clear()
        self.messages.clear()

    def follows(self, sequence, passed):
        # Another version is another stream.
        if sequence == 0:
            self.sequence.pop(self.version, None)
        super().follows(sequence, passed)


collector = Sums(PORT)
block = Block(lana, collector.take)


def load(*settings):
    """Packets by all CPUs."""
    packets = Load("alice")
    for cpu in range(CPUS):
        packets.add(f"a0@{cpu}", cpu, *settings, *["delay 100000"] * (SLOW == 50))
    return packets.start()


def equal(name, passed, lost=0):
    """What has passed is what was counted and told of, to the packet and the byte."""
    now = block.flush()
    while collector.take(0.2):
        pass
    counted = now["packets"], now["bytes"]
    told = tuple(collector.told)
    check(f"{name}: what has passed was counted", counted == tuple(passed), counted, passed, now)
    check(f"{name}: and told of", told == (now["exported.packets"], now["exported.bytes"]) and not collector.faults and
          tuple(map(sum, zip(told, (now["lost.full.packets"], now["lost.full.bytes"])))) == counted, told, collector.faults[:3], now)
    if not lost:
        check(f"{name}: nothing is lost", told == counted, told, now)
    return now


class Rewire:
    """Binds the block in one step with another one below it, or without."""

    def __init__(self):
        block.do(lana.add("d", "dummy"))
        self.has = False

    def turn(self):
        x, lower = block.name, "d" if self.has else "lan0"
        ops = [("UNBIND", x, lower), ("UNBIND", "lan1", x)]
        if self.has:
            ops += [("UNBIND", "d", "lan0"), ("BIND", x, "lan0")]
        else:
            ops += [("BIND", "d", "lan0"), ("BIND", x, "d")]
        block.do(lana.transact(*ops, ("BIND", "lan1", x)))
        self.has = not self.has


def changes():
    times = 1000 if LONG else max(200 // SLOW, 20)
    block.renew(collector_1=f"127.0.0.1:{PORT}", version="ipfix")
    before = tc("bob", "b0")
    rewire = Rewire()
    packets = load("udp_src_min 1000", "udp_src_max 1199", "flag UDPSRC_RND")
    counts = [0, 0, 0]
    for _ in range(times):
        what = RANDOM.randrange(3)
        counts[what] += 1
        if what == 0:
            block.set(*RANDOM.choice(SETTINGS))
        elif what == 1:
            options = dict(RANDOM.sample([(key.replace(".", "_"), value) for key, value in SETTINGS if key != "flush"], 4))
            block.renew(drop_state=False, **options | {"collector_1": f"127.0.0.1:{PORT}"})
        else:
            rewire.turn()
        collector.take()
    sent = sum(packets.stop().values())
    passed = [now - then for now, then in zip(tc("bob", "b0"), before)]
    print(f"# {counts} times set, replaced and bound anew, {sent} packets, {collector.flows} records")
    check("changes: packets pass all the time", passed[0] == sent, passed, sent)
    equal("changes", passed)


def flood():
    # The collector is slow, so not all flows that end can be told of.
    block.renew(collector_1=f"127.0.0.1:{PORT}", version="ipfix", flows=256, rate=500)
    before = tc("bob", "b0")
    packets = load("src_min 10.0.0.1", "src_max 10.255.255.254", "flag IPSRC_RND", "udp_src_min 1", "udp_src_max 65535",
                   "flag UDPSRC_RND")
    most = 0
    for _ in range(200 if LONG else 20 if SLOW < 50 else 5):
        collector.take(0.05)
        most = max(most, block.counts()["current"])
    sent = sum(packets.stop().values())
    passed = [now - then for now, then in zip(tc("bob", "b0"), before)]
    check("flood: packets pass all the time", passed[0] == sent, passed, sent)
    now = equal("flood", passed, lost=True)
    check("flood: there are not more flows than each CPU has room for", most <= 256 * CPUS and now["ended.full"] > 256, most, now)
    # What is usual goes on.
    was = now
    packets = load("udp_src_min 1000", "udp_src_max 1049", "flag UDPSRC_RND")
    sent = sum(packets.stop().values())
    now = block.flush()
    check("flood: afterwards all is told of again", now["packets"] - was["packets"] == sent and
          now["lost.full.packets"] == was["lost.full.packets"], sent, was, now)


def sums():
    """A change of `flows` makes other tables. The old ones go after some milliseconds, with what they have counted."""
    block.renew()
    packets = [ipv4(17, struct.pack("!HHHH", port, 53, 28, 0) + bytes(20)) for port in range(1000, 1020)]
    changes_ = [("FB_SET", block.name, "flows", str(256 + at % 2)) for at in range(41)]
    sock = Socket()
    get, begun = sock.message("FB_GET", attr("FB_NAME", block.name)), attr("OPTION_KEY", "begun")
    readings = []
    until = time.monotonic() + (30 if LONG else 5)
    while time.monotonic() < until:
        block.do(lana.transact(*changes_))
        for packet in packets:
            alice.send(packet)
        for _ in range(40):
            # Only this is looked at, so that there are many readings.
            text = b"".join(sock.send(get).messages).split(begun)[1]
            size, = struct.unpack_from("H", text)
            readings.append(int(text[4:size - 1]))
    less = [pair for pair in zip(readings, readings[1:]) if pair[0] > pair[1]]
    check("sums: what is counted never gets less", not less and readings[-1] > 0, len(readings), readings[-1], less[:5])


def hotplug():
    cpu = CPUS - 1
    online = f"/sys/devices/system/cpu/cpu{cpu}/online"
    write("/sys/class/net/lan0/queues/rx-0/rps_cpus", f"{(2 << cpu) - 1:x}")
    block.renew(collector_1=f"127.0.0.1:{PORT}", version="ipfix")

    def came():
        packets, size = lana.blocks()["lan0"].counted
        return packets, size - 14 * packets

    before = came()
    packets = load("udp_src_min 1", "udp_src_max 2000", "flag UDPSRC_RND", "delay 20000")
    times = 200 if LONG else 20
    for _ in range(times):
        for state in "01":
            write(online, state)
            collector.take(0.02)
    block.set("active", "1s")
    collector.take(1.5)
    write(online, "0")
    collector.take(0.2)
    packets.stop()
    quiesce()
    passed = [now - then for now, then in zip(came(), before)]
    equal(f"a CPU is off, after {times} times", passed)
    write(online, "1")
    check("it was not forgotten when it comes back", block.counts()["packets"] == passed[0], block.counts(), passed)


{"changes": changes, "flood": flood, "sums": sums, "hotplug": hotplug}[WAY]()
end()

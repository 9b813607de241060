# SPDX-License-Identifier: GPL-2.0
"""soak.py SECONDS SEED: packets at full rate on several devices, and everything about the graph changes at
random meanwhile; at the end every packet must be accounted for.

Here, to the packet (the devices q0, q1, ... are deleted and made again, but only when no packet is on the
way to them, since Linux does not count those that it drops then):

    alice: a0 <~~> lan0 - first - .. - last - lan1 <~~> b0 :bob      hooked all the time, from both sides
    g0: p0 <~~> q0, g1: p1 <~~> q1, ...                              hooked now and then, blocks at random

The generators know what they sent. tc counts what comes to each device, a packet socket what Linux gets of
it since the device is not hooked, the engine what enters the graph and what it drops, and the other ends
what comes out of it.

In a second process, without counting: namespaces with a graph of their own, whose devices are deleted,
moved, renamed, brought down or hooked in a loop while packets come, until the namespace itself is deleted.
A third one loads and unloads modules, a fourth one reads and writes all that there is to read."""

import ctypes
import errno
import os
import random
import socket
import struct
import subprocess
import sys
import time

import bpfload
import rig
from lana import check, end
from rig import (CPUS, FINIT_MODULE, LIBC, PASS_ALL, Lana, Leaks, Load, Route, inside, link, memory,
                 quiesce, read, tc, write)

SECONDS, SEED = float(sys.argv[1]), sys.argv[2]
MODULES = ["fb_eth", "fb_dummy", "fb_tee", "fb_counter", "fb_bpf", "fb_icmp_echo", "fb_multipath", "fb_delay",
           "fb_shape", "fb_queue", "fb_classify", "fb_checksum", "fb_defrag", "fb_fragment", "fb_nat", "fb_netflow", "fb_rewrite", "fb_switch", "fb_route",
           "fb_compress", "fb_crypt", "fb_udp_tunnel", "fb_reliable"]
# Not those that have somebody ask a host for its address, which answers: that would be counted, too.
SETTINGS = {kind: [(key, value) for key, value in settings if not key.endswith((".via", "probe")) and " via " not in value]
            for kind, settings in rig.SETTINGS.items()}
# Those of which each packet comes out at one place.
KINDS = ["dummy", "counter", "bpf", "icmp-echo", "multipath", "classify", "checksum", "rewrite", "nat", "netflow"]
DROP_ALL = "{ 0x6, 0, 0, 0 },"
ANY_SETTING = [("program", value) for value in (PASS_ALL, DROP_ALL, "", "nonsense")] + \
    3 * SETTINGS["eth"] + SETTINGS["icmp-echo"] + SETTINGS["multipath"] + SETTINGS["delay"] + SETTINGS["shape"] + SETTINGS["queue"] + \
    SETTINGS["classify"] + SETTINGS["checksum"] + SETTINGS["rewrite"] + SETTINGS["nat"] + SETTINGS["netflow"] + SETTINGS["defrag"] + SETTINGS["fragment"] + \
    SETTINGS["switch"] + SETTINGS["route"] + SETTINGS["compress"] + SETTINGS["crypt"] + SETTINGS["udp-tunnel"] + SETTINGS["reliable"]
QS = min(2 * CPUS, 4)


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))
    return answer


class Tally:
    """Operations by their kind: how many were done, how many refused."""

    def __init__(self):
        self.kinds = {}

    def __call__(self, kind, answer):
        """Counts an answer, or a number that is an error; says whether it was done."""
        error = answer if isinstance(answer, int) else answer.error
        self.kinds.setdefault(kind, [0, 0])[bool(error)] += 1
        return not error

    def show(self, who):
        for kind, (done, refused) in sorted(self.kinds.items()):
            print(f"# {who}: {kind}: {done} done, {refused} refused", flush=True)
        total = [sum(pair[i] for pair in self.kinds.values()) for i in (0, 1)]
        print(f"# {who}: {sum(total)} operations, {total[0]} done, {total[1]} refused", flush=True)


# --- Here, to the packet ---


class Gate:
    """A device q that is hooked now and then, and its other end p, which sends, in a namespace of its own."""

    def __init__(self, number, route):
        self.name, self.peer, self.namespace = f"q{number}", f"p{number}", f"g{number}"
        self.cpu, self.route = number % CPUS, route
        self.sent = self.passed = self.received = 0
        self.make()

    def make(self):
        with open(f"/run/netns/{self.namespace}") as netns:
            must(self.route.add_veth(self.name, self.peer, netns.fileno()))
        must(self.route.up(self.name))
        must(inside(self.namespace, lambda: Route().up(self.peer)))
        subprocess.run(["tc", "-batch", "-"], input=f"qdisc add dev {self.name} clsact\nfilter add dev "
                       f"{self.name} ingress protocol all matchall action ok\n", text=True, check=True)
        # Gets what Linux gets: a protocol's handlers come behind the receive handler.
        self.linux = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.linux.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        self.linux.bind((self.name, 0x0800))
        self.load = Load(self.namespace).add(self.peer, self.cpu).start()

    def count(self):
        """Reads the counter of the packet socket, before it is full."""
        packets, _ = struct.unpack("II", self.linux.getsockopt(263, 6, 8))  # PACKET_STATISTICS
        self.passed += packets

    def stop(self):
        """Stops sending. Packets are still on their way to here: tc tells when not."""
        sent = self.load.stop(wait=False)[self.peer]
        deadline = time.monotonic() + 60
        while (came := tc_here(self.name)) != sent and time.monotonic() < deadline:
            time.sleep(0.05)
        if came != sent:
            raise ValueError(f"{self.name}: sent {sent}, tc counted {came}")
        self.sent += sent

    def sum_up(self):
        """Counts what came out, once nobody sends to here any more."""
        self.count()
        # What finds no room at the other end is a drop of this one.
        self.received += link(self.namespace, self.peer, "rx_packets") + link("", self.name, "tx_drop")

    def remove(self):
        self.linux.close()
        must(self.route.remove(self.name))


def tc_here(device):
    text = subprocess.run(["tc", "-s", "filter", "show", "dev", device, "ingress"], capture_output=True,
                          text=True, check=True).stdout
    words = text.split()
    return int(words[words.index("Sent") + 3])


class Exact:
    """The graph here."""

    def __init__(self, rng):
        self.rng, self.tally = rng, Tally()
        self.lana, self.route = Lana(), Route()
        self.names = [f"s{i}" for i in range(10)]
        self.fresh = 0
        self.drops = {}  # of blocks that are gone from the way, by reason
        for name in ("first", "last", "x", "y"):
            must(self.lana.add(name, "counter"))
        for name in ("lan0", "lan1"):
            must(self.lana.hook(name))
        self.way = [self.new("dummy")]
        for upper, lower in self.pairs():
            must(self.lana.bind(upper, lower))
        self.engine = self.lana.engine()
        self.before = self.ends()
        self.loads = [Load("alice").add("a0", 0).start(), Load("bob").add("b0", 1).start()]
        self.gates = [Gate(number, self.route) for number in range(QS)]

    @staticmethod
    def ends():
        """What alice and bob have received: as the devices say, and as tc says."""
        return [link("alice", "a0", "rx_packets"), link("bob", "b0", "rx_packets"),
                tc("alice", "a0")[0], tc("bob", "b0")[0]]

    def pairs(self, way=None):
        """What is to be bound for a way, upper and lower."""
        whole = ["lan0", "first", *(way or self.way), "last", "lan1"]
        return [(upper, lower) for lower, upper in zip(whole, whole[1:])]

    def new(self, kind):
        """A block for the way."""
        self.fresh += 1
        name = f"w{self.fresh}"
        # Its module is loaded for it, and unloaded by somebody else, perhaps before it was made.
        while (answer := self.lana.add(name, kind)).error == errno.ENOENT:
            pass
        must(answer)
        return name

    def settle(self):
        """When this comes back no packet is any more where it could be before: a change waits for those that
        go by the wiring before the last one."""
        for _ in range(2):
            must(self.lana.bind("x", "y"))
            must(self.lana.unbind("x", "y"))

    def retire(self, *names):
        """Removes blocks that were taken out of the way; what they have dropped is remembered."""
        self.settle()
        for name in names:
            for reason, count in self.lana.get(name).drops.items():
                self.drops[reason] = self.drops.get(reason, 0) + count
            must(self.lana.remove(name))

    # Operations on the way.

    def move(self):
        """Another way, of other blocks, in one step."""
        way = [self.new(self.rng.choice(KINDS)) for _ in range(self.rng.randrange(1, 4))]
        ops = [("UNBIND", *pair) for pair in self.pairs() if pair not in self.pairs(way)]
        ops += [("BIND", *pair) for pair in self.pairs(way) if pair not in self.pairs()]
        if not self.tally("transact: move the way", self.lana.transact(*ops)):
            raise ValueError("the way was not moved")
        old, self.way = self.way, way
        self.retire(*old)

    def refuse(self):
        """The same, but the last operation is wrong: nothing happens."""
        ops = [("UNBIND", *pair) for pair in self.pairs()]
        ops += [("FB_NEW", "z", "dummy"), ("BIND", "z", "first"), ("FB_DEL", "nobody")]
        if self.tally("transact: refused at its end", self.lana.transact(*ops)):
            raise ValueError("a transaction with a missing block was done")

    def replace(self):
        """A block of the way by another one, of the same type or not."""
        at = self.rng.randrange(len(self.way))
        old = self.way[at]
        same = self.rng.random() < 0.5
        kind = self.lana.get(old).type if same else self.rng.choice(KINDS)
        new = self.new(kind)
        drop = kind != self.lana.get(old).type or self.rng.random() < 0.3
        what = "replace: " + ("without the state" if drop else "with the state")
        if not self.tally(what, self.lana.replace(old, new, drop_state=drop)):
            raise ValueError("a block of the way was not replaced")
        self.way[at] = new
        self.retire(old)

    def cut(self):
        """What comes meanwhile is dropped, and counted."""
        pair = self.rng.choice(self.pairs()[1:-1])
        self.tally("unbind: the way", must(self.lana.unbind(*pair)))
        self.tally("bind: the way", must(self.lana.bind(*pair)))

    def filter(self):
        """A program that drops all, for a moment."""
        for name in self.way:
            if self.lana.get(name).type == "bpf":
                self.tally("set: a program of the way", must(self.lana.set(name, "program", DROP_ALL)))
                self.tally("set: a program of the way", must(self.lana.set(name, "program", PASS_ALL)))

    def tune(self):
        """Options of the way and its ends, at random; what stops packets is taken back."""
        for name in ["lan0", *self.way, "lan1"]:
            kind = self.lana.get(name).type
            settings = SETTINGS.get(kind)
            if settings:
                key, value = self.rng.choice(settings)
                self.tally("set: an option of the way", self.lana.set(name, key, value))
                if key.startswith("port.0"):
                    self.tally("set: an option of the way", must(self.lana.set(name, key, "")))
                elif kind in ("classify", "nat"):
                    self.tally("set: an option of the way", self.lana.set(name, key, ""))

    # Operations beside it.

    def any(self):
        return self.rng.choice(self.names + [gate.name for gate in self.gates])

    def add(self):
        self.tally("add", self.lana.add(self.rng.choice(self.names), self.rng.choice(KINDS)))

    def rm(self):
        name = self.rng.choice(self.names)
        if self.rng.random() < 0.7:
            self.free(name)
        self.tally("rm", self.lana.remove(name))

    def bind(self):
        self.tally("bind", self.lana.bind(self.any(), self.any()))

    def unbind(self):
        name = self.any()
        answer = self.lana.request("FB_GET", self.lana.op("FB_DEL", name))
        down = [] if answer.error else self.lana.get(name).down()
        self.tally("unbind", self.lana.unbind(name, self.rng.choice(down or self.names)))

    def subscribe(self):
        self.tally("subscribe", self.lana.subscribe(self.any(), self.any()))

    def unsubscribe(self):
        self.tally("unsubscribe", self.lana.unsubscribe(self.any(), self.any()))

    def set(self):
        name = self.rng.choice(self.names)
        there = not self.lana.request("FB_GET", self.lana.op("FB_DEL", name)).error
        own = SETTINGS.get(self.lana.get(name).type) if there else None
        self.tally("set", self.lana.set(name, *self.rng.choice(own or ANY_SETTING)))

    def swap(self):
        old, new = self.rng.sample(self.names, 2)
        self.tally("replace", self.lana.replace(old, new, drop_state=self.rng.random() < 0.5))

    def transact(self):
        """Several operations at random: rarely all of them can be done."""
        ops = []
        for _ in range(self.rng.choice([1, 1, 2, 2, 3, 5])):
            one, other = self.any(), self.any()
            ops.append(self.rng.choice([("FB_NEW", self.rng.choice(self.names), "dummy"),
                                        ("FB_DEL", self.rng.choice(self.names)), ("BIND", one, other),
                                        ("UNBIND", one, other), ("SUBSCRIBE", one, other),
                                        ("UNSUBSCRIBE", one, other),
                                        ("VLINK_HOOK", self.rng.choice(self.gates).name),
                                        ("VLINK_UNHOOK", self.rng.choice(self.gates).name)]))
        self.tally("transact", self.lana.transact(*ops))

    def hook(self):
        self.tally("hook", self.lana.hook(self.rng.choice(self.gates).name))

    def unhook(self):
        name = self.rng.choice(self.gates).name
        if self.rng.random() < 0.5:
            self.free(name)
        self.tally("unhook", self.lana.unhook(name))

    def free(self, name):
        """Takes a block off all that is bound or subscribed to it."""
        if self.lana.request("FB_GET", self.lana.op("FB_DEL", name)).error:
            return
        block = self.lana.get(name)
        for direction, _, _, peer in block.ports:
            self.tally("unbind", must(self.lana.unbind(*((peer, name) if direction == 0 else (name, peer)))))
        for other in self.lana.blocks().values():
            if block.idp in other.publishers:
                self.tally("unsubscribe", must(self.lana.unsubscribe(other.name, name)))

    def device(self):
        """A device is deleted and made again. Its packets are stopped before, those that others send by it
        are not."""
        gate = self.rng.choice(self.gates)
        self.free(gate.name)
        self.settle()
        gate.stop()
        gate.sum_up()
        # It goes while it is hooked and bound, to what no packet comes by.
        self.tally("hook", self.lana.hook(gate.name))
        must(self.lana.bind("x", gate.name))
        gate.remove()
        self.tally("device delete", 0)
        gate.make()
        self.tally("device create", 0)

    def rename(self):
        gate = self.rng.choice(self.gates)
        self.tally("device rename", must(self.route.rename(gate.name, "other")))
        self.tally("device rename", must(self.route.rename("other", gate.name)))

    def watch(self):
        """Counters that would run over are read; what a dump shows must not contradict itself."""
        for gate in self.gates:
            gate.count()
        blocks = self.lana.blocks()
        idps = {block.idp: block for block in blocks.values()}
        subscribers = [idp for block in blocks.values() for idp in block.publishers]
        for block in blocks.values():
            refs = 1 + len(block.ports) + subscribers.count(block.idp)
            if block.refcnt != refs:
                raise ValueError(f"{block.name} has {block.refcnt} references, not {refs}")
            for direction, _, idp, name in block.ports:
                if not any(d != direction and i == block.idp for d, _, i, _ in idps[idp].ports):
                    raise ValueError(f"{name} does not know that {block.name} is bound to it")
        self.tally("dump", 0)

    OFTEN = [(move, 6), (refuse, 4), (replace, 10), (cut, 10), (filter, 3), (tune, 5), (add, 20), (rm, 15),
             (bind, 25), (unbind, 20), (subscribe, 10), (unsubscribe, 10), (set, 15), (swap, 10), (transact, 20),
             (hook, 10), (unhook, 10), (rename, 2), (watch, 1)]

    def run(self, deadline):
        functions, weights = zip(*self.OFTEN)
        devices = 0
        started = time.monotonic()
        while time.monotonic() < deadline:
            self.rng.choices(functions, weights)[0](self)
            # This takes its time.
            if time.monotonic() - started > 3 * devices:
                devices += 1
                self.device()

    def account(self):
        """Stops everything, and sums up."""
        sent = [load.stop(wait=False) for load in self.loads]
        for gate in self.gates:
            gate.stop()
        quiesce()
        for gate in self.gates:
            gate.sum_up()
        self.settle()
        engine = [now - was for now, was in zip(self.lana.engine(), self.engine)]
        blocks = self.lana.blocks()
        to_way = sent[0]["a0"] + sent[1]["b0"]
        ends = [now - was for now, was in zip(self.ends(), self.before)]
        from_way, witness = ends[:2], ends[2:]
        drops = dict(self.drops)
        for name in ("lan0", "lan1", "first", "last", *self.way):
            for reason, count in blocks[name].drops.items():
                drops[reason] = drops.get(reason, 0) + count
        to_gates, passed, from_gates = (sum(getattr(gate, what) for gate in self.gates)
                                        for what in ("sent", "passed", "received"))
        self.tally.show("here")
        print(f"# the way: {to_way} sent, {sum(from_way)} arrived, drops {drops}")
        print(f"# beside it: {to_gates} sent, {passed} passed to Linux, {from_gates} came out")
        print(f"# the engine: {engine[0]} packets, {engine[3]} drops")
        check("the way: packets sent = packets arrived + drops by reason, to the packet",
              to_way == sum(from_way) + sum(drops.values()), to_way, from_way, drops)
        # The last one is of a nat that has as many sessions as it may.
        check("the way: the drops are those of cuts and filters",
              set(drops) <= {"unbound", "filtered", "device", "queue-full"}, drops)
        check("the way: tc has counted the same", witness == from_way, witness, from_way)
        check("all devices: packets sent = packets in the graph + packets that Linux got",
              to_way + to_gates == engine[0] + passed, f"{to_way} + {to_gates}, {engine[0]} + {passed}")
        check("all devices: packets in the graph = packets that came out + drops",
              engine[0] == engine[3] + sum(from_way) + from_gates,
              f"{engine[0]}, {engine[3]} + {from_way} + {from_gates}")
        check("nothing waits in the engine",
              all(line.split()[5] == "0" for line in read("/proc/net/lana/ppe").splitlines()[1:]))
        return blocks

    def take_apart(self):
        blocks = self.account()
        name = {block.idp: block.name for block in blocks.values()}
        for block in blocks.values():
            for lower in block.down():
                must(self.lana.unbind(block.name, lower))
            for publisher in block.publishers:
                must(self.lana.unsubscribe(block.name, name[publisher]))
        for block in blocks.values():
            must(self.lana.unhook(block.ifname) if block.ifname else self.lana.remove(block.name))
        for gate in self.gates:
            gate.remove()
        check("everything can be taken apart", not self.lana.names(), self.lana.names())
        self.lana.sock.close()
        self.route.sock.close()


# --- In namespaces that come and go ---


WILD = ["add", "add", "add", "add", "rm", "bind", "bind", "bind", "bind", "unbind", "subscribe", "set",
        "replace", "transact", "hook", "xdp", "hook", "xdp", "unhook", "down", "rename", "delete", "loop", "move", "dump",
        "program", "mtu"]


def wild(rng, tally, number):
    """A namespace's life."""
    name, other = f"wild{number}", "gw"
    subprocess.run(["ip", "netns", "add", name], check=True)
    with open(f"/run/netns/{name}") as file, open("/run/netns/gw") as outside:
        route = inside(name, Route)
        lana = inside(name, Lana)
        program = bpfload.load(bpfload.XDP, bpfload.answer(2))
        tally("namespace create", 0)
        devices = [f"d{i}" for i in range(3)]

        def far(device):
            return f"far{device[1:]}x{number}"

        def make(device):
            if tally("device create", route.add_veth(device, far(device), outside.fileno())):
                route.up(device)
                inside(other, lambda: Route().up(far(device)))

        load = Load(other)
        for at, device in enumerate(devices):
            make(device)
            load.add(far(device), at)
        load.start()
        blocks = [f"b{i}" for i in range(8)]

        def any_of():
            return rng.choice(blocks + devices)

        for _ in range(rng.randrange(10, 150)):
            kind = rng.choice(WILD)
            if kind == "add":
                answer = lana.add(rng.choice(blocks), rng.choice(["tee", "tee", "delay", "shape", "queue", "classify", "checksum", "rewrite",
                                                                  "switch", "nat", "defrag", "fragment", "route",
                                                                  "compress", "crypt", "udp-tunnel", "reliable", *KINDS]))
            elif kind == "rm":
                answer = lana.remove(rng.choice(blocks))
            elif kind == "bind":
                answer = lana.bind(any_of(), any_of())
            elif kind == "unbind":
                answer = lana.unbind(any_of(), any_of())
            elif kind == "subscribe":
                answer = lana.subscribe(any_of(), any_of())
            elif kind == "set":
                answer = lana.set(any_of(), *rng.choice(ANY_SETTING))
            elif kind == "replace":
                answer = lana.replace(*rng.sample(blocks, 2), drop_state=rng.random() < 0.5)
            elif kind == "transact":
                answer = lana.transact(("FB_NEW", "t1", "tee"), ("FB_NEW", "t2", "counter"),
                                       ("BIND", "t1", any_of()), ("BIND", "t2", "t1"), ("UNBIND", "t2", "t1"),
                                       ("FB_DEL", "t2"), ("VLINK_HOOK", rng.choice(devices)))
                lana.transact(("UNBIND", "t1", any_of()), ("FB_DEL", "t1"))
            elif kind == "hook":
                answer = lana.hook(rng.choice(devices))
            elif kind == "xdp":
                answer = lana.hook(rng.choice(devices), xdp=True)
            elif kind == "unhook":
                answer = lana.unhook(rng.choice(devices))
            elif kind == "program":
                # One of somebody else, over ours, or instead of it.
                device = rng.choice(devices)
                answer = route.program(device, program)
                if rng.random() < 0.7:
                    route.program(device)
            elif kind == "mtu":
                answer = route.mtu(rng.choice(devices), rng.choice([1400, 1500, 9000]))
            elif kind == "down":
                device = rng.choice(devices)
                route.up(device, False)
                answer = route.up(device)
            elif kind == "rename":
                device = rng.choice(devices)
                try:
                    answer = inside(name, route.rename, device, "renamed")
                    inside(name, route.rename, "renamed", device)
                except OSError:
                    continue
            elif kind == "delete":
                if rng.random() < 0.7:
                    continue
                device = rng.choice(devices)
                answer = route.remove(device)
                make(device)
            elif kind == "loop":
                # Two devices that are wired to each other, and blocks between them: packets go round.
                answer = route.add_veth("l0", "l1")
                lana.transact(("FB_NEW", "l", "tee"), ("VLINK_HOOK", "l0"), ("VLINK_HOOK", "l1"),
                              ("BIND", "l", "l0"), ("BIND", "l1", "l"))
                route.up("l0")
                route.up("l1")
                inside(name, stir, "l0")
                if rng.random() < 0.5:
                    route.remove("l0")
                    lana.remove("l")
            elif kind == "move":
                device = rng.choice(devices)
                answer = route.move(device, outside.fileno())
                if not answer.error:
                    inside(other, back, device, file, rng.random() < 0.5)
            else:
                lana.names()
                answer = 0
            tally("wild " + kind if kind in ("down", "rename", "delete", "move", "loop", "program", "mtu") else kind, answer)
        if rng.random() < 0.5:
            lana.sock.close()  # else it keeps the namespace for a moment
        subprocess.run(["ip", "netns", "del", name], check=True)
        tally("namespace delete", 0)
        if rng.random() < 0.5:
            for _ in range(20):
                try:
                    lana.add(rng.choice(blocks), "dummy")
                except OSError:
                    break
    os.close(program)
    lana.sock.close()
    route.sock.close()
    load.halt()
    load.forget()


def stir(device):
    """A packet or two by a device of this namespace."""
    try:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((device, 0))
            sock.send(b"\xff" * 12 + b"\x08\x00" + b"\0" * 50)
    except OSError:
        pass


def back(device, file, xdp):
    """A device that was moved to here is hooked here, and goes back as it is."""
    there = Lana()
    there.hook(device, xdp=xdp)
    Route().move(device, file.fileno())
    there.sock.close()


def wild_process(rng, tally, stop):
    number = 0
    while not stop():
        number += 1
        wild(rng, tally, number)


def module_process(rng, tally, stop):
    while not stop():
        name = rng.choice(MODULES)
        tally("rmmod", LIBC.delete_module(name.encode(), os.O_NONBLOCK) and ctypes.get_errno())
        time.sleep(rng.random() / 20)
        file = os.open(f"{os.environ['LANA_MODULES']}/fb-modules/{name}.ko", os.O_RDONLY)
        tally("insmod", LIBC.syscall(FINIT_MODULE, file, b"", 0) and ctypes.get_errno())
        os.close(file)
        time.sleep(rng.random() / 20)


def reader_process(rng, tally, stop):
    """Files and dumps; and what is saved and applied must change nothing."""
    lana = Lana()
    while not stop():
        blocks = os.listdir("/proc/net/lana/fblock")
        for name in ["fblocks", "ppe", "vlink"] + ["fblock/" + name for name in blocks]:
            try:
                read("/proc/net/lana/" + name)
            except OSError:
                pass  # it has gone
            tally("procfs read", 0)
        lana.names()
        try:
            write(f"/proc/net/lana/fblock/s{rng.randrange(10)}", rng.choice([PASS_ALL, "nonsense"]))
            tally("procfs write", 0)
        except OSError as error:
            tally("procfs write", error.errno)
        time.sleep(0.05)


def process(function, seed, deadline):
    """Another process, which prints its tally at the end."""
    sys.stdout.flush()
    pid = os.fork()
    if pid:
        return pid
    tally, status = Tally(), 0
    try:
        function(random.Random(f"{seed} {function.__name__}"), tally, lambda: time.monotonic() > deadline)
    except Exception as error:  # pylint: disable=broad-except
        import traceback
        traceback.print_exc()
        print(f"not ok - {function.__name__}: {type(error).__name__}: {error}", flush=True)
        status = 1
    tally.show(function.__name__)
    os._exit(status)


def soak(seconds, seed):
    """One run, from nothing to nothing."""
    subprocess.run(["modprobe", "-a", "lana", *MODULES], check=True)
    os.setpriority(os.PRIO_PROCESS, 0, -10)  # there are many who send
    exact = Exact(random.Random(seed))
    deadline = time.monotonic() + seconds
    pids = [process(function, seed, deadline) for function in (wild_process, module_process, reader_process)]
    why = ""
    try:
        exact.run(deadline)
    except (OSError, ValueError) as error:
        why = error
    statuses = [os.waitpid(pid, 0)[1] for pid in pids]
    check("what must be done is done", not why, why)
    check("the other processes came to their end", not any(statuses), statuses)
    exact.take_apart()
    deadline = time.monotonic() + 60
    left = MODULES + ["lana"]
    while left and time.monotonic() < deadline:
        said = subprocess.run(["rmmod", *left], capture_output=True, check=False).stderr
        left = [name for name in left if os.path.exists("/sys/module/" + name)]
        time.sleep(0.2)
    check("all modules can be unloaded", not left, left, said)


def main():
    print(f"# seed {SEED}, {SECONDS:.0f} s, {CPUS} CPUs", flush=True)
    leaks = Leaks()
    # The first run fills caches.
    soak(min(SECONDS / 5, 30), SEED + " warm-up")
    before = memory()
    soak(SECONDS, SEED)
    after = memory()
    # What processes are made of is not ours.
    own = [name for name in after[0] if name not in ("vm_area_struct", "maple_node", "anon_vma",
                                                     "anon_vma_chain")]
    more = {name: after[0][name] - before[0].get(name, 0) for name in own}
    print("# slab objects more than before:",
          {name: count for name, count in more.items() if count > 20} or "none", flush=True)
    # There KASAN keeps what was freed for a while, and kmemleak has a record of each object: it finds what is lost.
    skip = " # SKIP kmemleak looks for that" if leaks.there else ""
    check("no slab cache has grown" + skip, skip or all(count < 200 for count in more.values()),
          {name: count for name, count in more.items() if count >= 200})
    for key, room in [("SUnreclaim", 1000), ("Percpu", 64), ("VmallocUsed", 64), ("KernelStack", 64)]:
        was, now = before[1][key], after[1][key]
        if key == "SUnreclaim" and skip:
            check(f"{key} of /proc/meminfo has not grown{skip}", True)
            continue
        check(f"{key} of /proc/meminfo has not grown", now <= was + room, f"{was} kB, then {now} kB")
    leaks.check()
    end()


main()

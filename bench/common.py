# SPDX-License-Identifier: GPL-2.0
"""What the sections share, in the booted kernel: wires, the packet generator, counting at the sink, and
contenders that take turns."""

import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import tty

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(1, TOP + "/tests")

import lana  # noqa: E402
import burst  # noqa: E402
import rig  # noqa: E402
from rig import read, write  # noqa: E402

FOREIGN = "02:00:00:00:00:99"  # nobody's address: Linux drops what is for it at the head of ip_rcv()
SMALLEST = 60  # bytes of a frame of 64, without its checksum
ROUNDS = max(int(os.environ.get("LANA_ROUNDS", "15")), 1)
SECONDS = float(os.environ.get("LANA_SECONDS", "0.1"))  # about how long each sends for a sample,
TURNS = 25  # in so many turns, where they are not as short as the scheduler makes them

# The loads (Documentation/performance.md).
INGRESS = ["xmit_mode netif_receive", "burst 1024"]
OWNED = ["xmit_mode netif_receive", "clone_skb 0", "burst 1", "flag !SHARED", "flag NO_TIMESTAMP"]
WIRE = ["xmit_mode start_xmit", "clone_skb 0", "burst 1", "flag !SHARED", "flag NO_TIMESTAMP"]
BURST = ["64 at once"]  # not pktgen's: see bursts(); a frame and its answer may follow, in hexadecimal digits
LOADS = [("ingress", INGRESS), ("ingress, owned", OWNED), ("wire", WIRE)]


class Missing(Exception):
    """A contender that this kernel cannot offer, and why."""


def do(*command, text=None):
    """Runs a program. One that fails, or is not there, makes the contender a missing one."""
    try:
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Missing(f"no program {command[0]} on this machine") from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines() or ["failed"]
        raise Missing(f"{' '.join(command)[:60]}: {said[0]}")
    return done.stdout


def batch(*lines):
    """Changes of the graph, in one transaction."""
    do("fbctl", "-b", "-", text="".join(line + "\n" for line in lines))


def hook(*devices):
    for device in devices:
        do("vlink", "ethernet", "hook", device, "--yes")


def floor(what):
    """Has bench/floor take the packets of a device: the least that a receive handler can do."""
    lane = os.environ["LANA_LANE"]
    if not os.path.exists("/sys/module/floor"):
        do("insmod", f"{TOP}/bench/floor/build/{lane}/floor.ko")
    write("/sys/module/floor/parameters/take", what)


# --- Rooms and devices -----------------------------------------------------------------------

class Room:
    """A network namespace, made and entered: with devices, a packet generator and a graph of its own. Each
    contender has one, so that all can stand side by side."""

    made = 0
    current = None

    def __init__(self):
        Room.made += 1
        self.name = f"room{Room.made}"
        do("ip", "netns", "add", self.name)
        self.enter()
        for place in "all", "default":
            write(f"/proc/sys/net/ipv6/conf/{place}/disable_ipv6", "1")

    def enter(self):
        rig.enter(self.name)
        Room.current = self


class Wire:
    """A veth pair: what `far` sends comes in at `near`. Nothing is offloaded."""

    made = 0

    def __init__(self):
        Wire.made += 1
        self.near, self.far = f"n{Wire.made}", f"f{Wire.made}"
        self.mac = f"02:00:00:00:{Wire.made:02x}:01"
        do("ip", "-batch", "-", text=f"""
            link add {self.near} address {self.mac} type veth peer name {self.far}
            link set {self.near} up promisc on
            link set {self.far} up
        """)
        for device in self.near, self.far:
            do("ethtool", "-K", device, "tx", "off", "rx", "off", "tso", "off", "gso", "off", "gro", "off")


def links(device, which):
    """What Linux counts at a device: an entry of rtnl_link_stats64, by netlink."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        body = struct.pack("BxHiII", 0, 0, socket.if_nametoindex(device), 0, 0)
        sock.send(struct.pack("IHHII", 16 + len(body), 18, 1, 0, 0) + body)  # RTM_GETLINK
        answer = sock.recv(1 << 16)
    return struct.unpack_from("Q", dict(lana.attrs(answer[32:]))[23], 8 * which)[0]  # IFLA_STATS64


RX_PACKETS, RX_OTHERHOST = 0, 24

# --- Sinks: how many packets have come to where they were to come ----------------------------

def stack(device):
    """Those which Linux drops at the head of ip_rcv(), since they are for another host."""
    return lambda: links(device, RX_OTHERHOST)


def received(device):
    return lambda: links(device, RX_PACKETS)


def martians():
    """Those which Linux drops since their source, 0.0.0.0, is none."""
    head, *lines = read("/proc/net/stat/rt_cache").splitlines()
    at = head.split().index("in_martian_src")
    return sum(int(line.split()[at], 16) for line in lines)


def engine(column="DROPS"):
    """What LANA's engine has counted in this namespace."""
    def count():
        head, *lines = read("/proc/net/lana/ppe").splitlines()
        at = [name.upper() for name in head.split()].index(column)
        return sum(int(line.split()[at]) for line in lines)
    return count


class Swallowed:
    """For who drops without counting: those that were sent and that Linux did not see. That Linux would
    have seen them is tried by `prove()` before the contender is set up."""

    def __init__(self, device):
        self.count, self.sent = stack(device), 0

    def __call__(self):
        return self.sent - self.count()


# --- Time ------------------------------------------------------------------------------------

class Clock:
    """Seconds of the processor that this kernel has used so far. The host knows them, and tells them by a
    serial line (bench/run.py): what other programs of the host take meanwhile does not count. Without
    that line the seconds of the clock on the wall."""

    LINE = "/dev/ttyS0"

    def __init__(self):
        self.line = None
        if "ssl0=" in read("/proc/cmdline"):
            self.line = os.open(self.LINE, os.O_RDWR | os.O_NOCTTY)
            tty.setraw(self.line)
        self.kind = "processor" if self.line else "wall"

    def __call__(self, cpus=None):
        """Of so many CPUs, or of all."""
        if self.line is None:
            return time.monotonic()
        answer = b""
        os.write(self.line, b"%d" % cpus if cpus else b"?")
        while not answer.endswith(b"\n"):
            answer += os.read(self.line, 64)
        return int(answer) / 1e9


clock = Clock()

# --- The packet generator --------------------------------------------------------------------

PKTGEN = "/proc/net/pktgen/"  # that of the room
RESULT = re.compile(r"Result: OK: \d+\(c(\d+)\+d\d+\) usec, (\d+) \(")


def prepare(device, settings, count, size=SMALLEST):
    """Tells the generator what to send. A room has one device that sends."""
    if not os.path.exists(PKTGEN + device):
        write(PKTGEN + "kpktgend_0", f"add_device {device}")
    for line in [f"count {count}", "delay 0", f"pkt_size {size}", "dst 192.0.2.2", f"dst_mac {FOREIGN}", *settings]:
        write(PKTGEN + device, line)


def start():
    """Who starts it waits for its end, and looks for that ten times a second only: so somebody else."""
    threading.Thread(target=write, args=(PKTGEN + "pgctrl", "start"), daemon=True).start()


def result(device):
    """Once it has ended: how many seconds its thread has had the processor, and how many packets it sent."""
    while not (found := RESULT.search(read(PKTGEN + device))):
        time.sleep(0.01)
    return int(found[1]) / 1e6, int(found[2])


# --- Contenders ------------------------------------------------------------------------------

class Contender:
    """Who takes part: what the packet generator's load is given to, and what counts the packets that came through."""

    together = True  # may send while others do

    def __init__(self, device, load, sink, size=SMALLEST):
        self.device, self.load, self.sink, self.size = device, list(load), sink, size
        self.count, self.lost, self.sent = 20000, 0, 0
        self.samples, self.room, self.before = [], Room.current, 0

    def begin(self):
        self.room.enter()
        self.before = self.sink()
        prepare(self.device, self.load, self.count, self.size)
        start()

    def turn(self):
        """Does what is not done by itself."""

    def end(self):
        """Packets a second that came to the sink."""
        self.room.enter()
        return self.rate(*result(self.device))

    def rate(self, seconds, sent):
        """The same, of so many that were sent in that time."""
        if isinstance(self.sink, Swallowed):
            self.sink.sent += sent
        came = self.sink() - self.before
        if came > sent:
            raise RuntimeError(f"{self.device}: {sent} packets were sent, and {came} came to the sink")
        self.sent, self.lost = self.sent + sent, self.lost + sent - came
        return came / max(seconds, 1e-6)

    def sample(self):
        return sample([self])[0]

    def warm_up(self):
        """Finds how many packets a sample takes. The first one may be too short for the clock to tell anything."""
        for _ in range(2):
            rate = self.sample()
            if rate <= 0:
                raise Missing(f"no packet came to the sink ({self.sent} were sent)")
            self.count = max(min(int(rate * SECONDS), 100 * self.count), 1000)
        self.lost = self.sent = 0


class Called(Contender):
    """A load that is a call of this program, which returns when all is sent: `sender.send(count)`."""

    cpus = None  # whose time counts: of so many, or of all

    def __init__(self, device, load, sink, sender, size=SMALLEST):
        super().__init__(device, load, sink, size)
        self.sender, self.overhead, self.seconds = sender, 0.0, 0.0

    def send(self, count):
        """Seconds."""
        before = clock(self.cpus)
        self.sender.send(count)
        return clock(self.cpus) - before

    def begin(self):
        self.room.enter()
        self.before, self.seconds = self.sink(), 0.0

    def turn(self):
        self.room.enter()
        self.seconds += self.send(self.count // TURNS) - self.overhead

    def end(self):
        self.room.enter()
        return self.rate(self.seconds, self.count // TURNS * TURNS)

    def warm_up(self):
        # The least: what else the kernel had to do meanwhile is not of the call.
        self.overhead = min(self.send(1) for _ in range(9))
        super().warm_up()


def bursts(device, load, sink, size=SMALLEST):
    """Packets that are received as from a driver: each on its own, 64 in one go."""
    frame, *answers = map(bytes.fromhex, load[1:] or [burst.FRAME[:size].ljust(size, b"\0").hex()])
    program = burst.load(burst.XDP, burst.renewing(frame, *answers)) if answers else None
    return Called(device, load, sink, burst.Burst(device, frame, program=program), size)


def contender(device, load, sink, size=SMALLEST):
    """One for either kind of load."""
    return (bursts if load[:1] == BURST else Contender)(device, load, sink, size)


def prove(one):
    """Linux sees what is sent to this one, as long as nobody is in its way."""
    one.count = 1000
    one.sample()
    if one.lost:
        raise Missing(f"{one.device}: Linux did not see the packets of the trial")


def groups(contenders):
    """Those who may take part in the same sample. A room has one packet generator. A kernel that can be preempted
    takes the processor away from it without telling."""
    found = []
    for one in contenders:
        for group in found:
            if (one.together and type(one) is type(group[0]) and one.room not in [other.room for other in group]
                    and "PREEMPT" not in os.uname().version):
                group.append(one)
                break
        else:
            found.append([one])
    return found


def sample(group):
    """What each of a group gets through. All of them send at the same time: the scheduler gives each the processor for
    ten milliseconds, by turns, and the packet generator tells how long each has had it. So what slows the machine
    down for a while slows them all down."""
    for one in group:
        one.begin()
    for _ in range(TURNS):
        for one in group:
            one.turn()
    return [one.end() for one in group]


class Section:
    """A part of the benchmarks: contenders by load, name and x, and what became of them."""

    def __init__(self, name):
        self.name, self.results, self.missing, self.values = name, [], [], {}
        self.waiting = []

    def say(self, words):
        print(f"# {self.name}: {words}", flush=True)

    def miss(self, load, name, why, x=None):
        self.missing.append({"load": load, "name": name, "x": x, "why": str(why)})
        self.say(f"missing: {load}: {name}{'' if x is None else f' at {x}'}: {why}")

    def offer(self, load, name, make, x=None):
        """`make` sets a contender up and answers it, or says why there is none."""
        try:
            contender = make()
            contender.warm_up()
        except (Missing, OSError) as why:
            return self.miss(load, name, why, x)
        self.waiting.append((load, name, x, contender))

    def take_turns(self):
        """All that were offered, one after the other, again and again."""
        begun = time.monotonic()
        for number in range(ROUNDS):
            for group in groups([contender for *_, contender in self.waiting]):
                for one, rate in zip(group, sample(group)):
                    one.samples.append(rate)
            self.say(f"round {number + 1} of {ROUNDS}, {len(self.waiting)} contenders, "
                     f"{time.monotonic() - begun:.0f} s")
        for load, name, x, contender in self.waiting:
            self.record(load, name, contender.samples, x, contender.size, sent=contender.sent, lost=contender.lost)
        self.waiting.clear()

    def record(self, load, name, samples, x=None, size=SMALLEST, unit="packets/s", **more):
        self.results.append({"load": load, "name": name, "x": x, "size": size, "unit": unit,
                             "samples": samples, **more})

    def whole(self):
        return {"section": self.name, "results": self.results, "missing": self.missing,
                "values": self.values, "clock": clock.kind}

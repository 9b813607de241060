# SPDX-License-Identifier: GPL-2.0
"""probe.py [xdp] SCENE...: what fbctl trace and fbctl capture show of packets from alice's a0, by way of lan0 and lan1, to
bob's b0. With `xdp` both are hooked by native XDP, as a0 and b0 must be."""

import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

from lana import check, end
from rig import CPUS, FRAMES, SLOW, Lana, Load, inside, link, one_cpu, quiesce, tc

WHAT = sys.argv[1:]
XDP = WHAT[0] == "xdp"
if XDP:
    WHAT.pop(0)
ALICE, BOB, LAN0 = (bytes.fromhex(mac) for mac in ("02000000000a", "02000000000b", "020000000001"))
HERE = tempfile.mkdtemp()
SECONDS = 20 if SLOW < 50 else 120
lana = Lana()


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


# --- Packets ---


def total(data):
    """The Internet checksum."""
    data += b"\0" * (len(data) % 2)
    value = sum(struct.unpack(f">{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xFFFF) + (value >> 16)
    return value ^ 0xFFFF


def ip(payload, protocol=17, to="192.0.2.9", mac=BOB, tags=b""):
    """A frame from alice; to an address that is nobody's, so that nobody answers."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), 7, 0, 64, protocol, 0,
                       socket.inet_aton("192.0.2.1"), socket.inet_aton(to))
    head = head[:10] + struct.pack(">H", total(head)) + head[12:]
    return mac + ALICE + tags + b"\x08\x00" + head + payload


def udp(port, payload, **more):
    return ip(struct.pack(">HHHH", 5000, port, 8 + len(payload), 0) + payload, **more)


def numbered(number, size=40):
    """A datagram with a number."""
    return udp(7, struct.pack(">I", number) + b"x" * size)


def ping(number):
    body = struct.pack(">BBHHH", 8, 0, 0, 99, number) + b"abcdefgh"
    body = body[:2] + struct.pack(">H", total(body)) + body[4:]
    return ip(body, protocol=1, to="192.0.2.3", mac=LAN0)


def wire(namespace, device):
    """A socket for whole frames."""
    def make():
        sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
        sock.bind((device, 0))
        sock.settimeout(0.5)
        return sock
    return inside(namespace, make)


class Numbers:
    """What bob receives of numbered datagrams."""

    def __enter__(self):
        self.sock = wire("bob", "b0")
        return self

    def __exit__(self, *_):
        self.sock.close()

    def read(self):
        """The numbers, in the order in which they have come, once there are no more."""
        quiesce()
        found = []
        while True:
            try:
                frame = self.sock.recv(1 << 16)
            except TimeoutError:
                return found
            if frame[:14] == BOB + ALICE + b"\x08\0" and frame[36:38] == b"\0\7":
                found.append(struct.unpack_from(">I", frame, 42)[0])


# --- The tools ---


class Tool:
    """fbctl trace or capture: begins once its probe is there."""

    def __init__(self, *args, stdout=subprocess.PIPE):
        self.process = subprocess.Popen(["fbctl", *args], stdout=stdout, stderr=subprocess.PIPE)
        self.first = self.process.stderr.readline().decode()

    def wait(self):
        """Waits for its end. What it has printed, and what it has said."""
        out, errors = self.process.communicate(timeout=SECONDS)
        self.status = self.process.returncode
        return (out or b"").decode(errors="replace"), errors.decode()

    def stop(self, number=signal.SIGINT):
        quiesce()
        time.sleep(0.1)
        self.process.send_signal(number)
        return self.wait()

    def documents(self, stop=True):
        """Each line of JSON, and the totals."""
        out, errors = self.stop() if stop else self.wait()
        return [json.loads(line) for line in out.splitlines()], errors


def traced(*args, frames, stop=True):
    """The documents of a trace while frames are sent by alice."""
    tool = Tool("-j", "trace", *args)
    for frame in frames:
        a0.send(frame)
    documents, errors = tool.documents(stop)
    return documents, errors, tool


def pcapng(data):
    """The interfaces, the packets (interface, time, bytes, length, options) and the counts of a file, by a reader of our own."""
    interfaces, packets, counts, at = [], [], [], 0

    def options(body):
        found = []
        while len(body) >= 4:
            code, length = struct.unpack_from("<HH", body)
            if code == 0:
                return dict(found)
            found.append((code, body[4:4 + length]))
            body = body[(4 + length + 3) & ~3:]
        return dict(found)

    while at < len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length % 4 or struct.unpack_from("<I", data, at + length - 4)[0] != length:
            raise ValueError(f"a block of {length} bytes at {at}")
        body = data[at + 8:at + length - 4]
        if kind == 0x0A0D0D0A:
            if at or struct.unpack_from("<I", body)[0] != 0x1A2B3C4D:
                raise ValueError("not one section")
        elif kind == 1:
            interfaces.append((struct.unpack_from("<HHI", body), options(body[8:])))
        elif kind == 6:
            interface, high, low, kept, length_was = struct.unpack_from("<IIIII", body)
            packets.append((interface, high << 32 | low, body[20:20 + kept], length_was, options(body[20 + (kept + 3 & ~3):])))
        elif kind == 5:
            counts.append((struct.unpack_from("<I", body)[0], options(body[12:])))
        else:
            raise ValueError(f"a block of type {kind}")
        at += length
    return interfaces, packets, counts


def pcap(data):
    """The packets of a file of tcpdump's: bytes and length."""
    packets, at = [], 24
    while at + 16 <= len(data):
        _, _, kept, length = struct.unpack_from("<IIII", data, at)
        packets.append((data[at + 16:at + 16 + kept], length))
        at += 16 + kept
    return packets


class Tcpdump:
    """A witness on a device: `packets` once its body has run."""

    def __init__(self, namespace, device, expression=""):
        self.args = namespace, device, expression
        self.file = f"{HERE}/witness"

    def __enter__(self):
        namespace, device, expression = self.args
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, "tcpdump", "-Z", "root", "-i", device, "-s", "0", "-B", "16384", "-U",
             "-w", self.file, *expression.split()], stderr=subprocess.PIPE)
        while b"listening" not in self.process.stderr.readline():
            pass
        return self

    def __exit__(self, *_):
        quiesce()
        # It gets packets in blocks, each after a second at most.
        time.sleep(1.2)
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=SECONDS)
        with open(self.file, "rb") as file:
            self.packets = pcap(file.read())


def blocks_of(document):
    return [hop["block"] for hop in document["hops"]]


# --- Scenes ---


def build():
    """lan0 below a tee, which has a counter, an icmp-echo and, by a filter that drops port 9, lan1."""
    for name, kind in [("copy", "tee"), ("count", "counter"), ("echo", "icmp-echo"), ("flt", "bpf")]:
        must(lana.add(name, kind))
    must(lana.set("echo", "addr", "192.0.2.3"))
    drop_port_9 = subprocess.run(["tcpdump", "-y", "EN10MB", "-ddd", "not udp port 9"], capture_output=True, text=True, check=True)
    must(lana.set("flt", "program", drop_port_9.stdout))
    for upper, lower in [("copy", "lan0"), ("count", "copy"), ("echo", "copy"), ("flt", "copy"), ("lan1", "flt")]:
        must(lana.bind(upper, lower))


def trace():
    build()
    documents, errors, tool = traced("--from", "lan0", frames=[udp(7, b"first"), udp(9, b"second"), ping(1)])
    shown = [(document["summary"], blocks_of(document)) for document in documents]
    check("trace: each packet is told", len(documents) == 3 and tool.status == 0, *shown, errors)
    check("trace: the totals", errors == "3 packets traced, 0 not traced\n", errors)
    if len(documents) != 3:
        lana.take_apart()
        return
    passed, dropped, pinged = documents
    hops = {hop["block"]: hop for hop in passed["hops"]}
    ways = [(hop["block"], hop["device"]) for hop in passed["hops"] if "device" in hop]
    check("trace: one device receives it, the other one sends it", ways == [("lan0", "rx"), ("lan1", "tx")], ways)
    check("trace: all blocks, a copy below the tee", blocks_of(passed)[:2] == ["lan0", "copy"] and
          set(hops) == {"lan0", "copy", "count", "echo", "flt", "lan1"}, json.dumps(passed))
    check("trace: the device that it left by", hops["lan1"]["end"] == "left", hops)
    check("trace: copies are counted", hops["copy"]["made"] == 2, hops["copy"])
    check("trace: each hop has the next", hops["lan0"]["next"] == "copy" and hops["flt"]["next"] == "lan1", hops)
    check("trace: how long each block took", all(0 <= hop["took"] < 10**9 for hop in passed["hops"]), hops)
    times = [[hop["time"] for hop in passed["hops"] if hop["packet"] == packet] for packet in range(3)]
    check("trace: time goes on", all(t == sorted(t) for t in times) and passed["hops"][0]["time"] < 10**9, times)
    check("trace: the packet in words", passed["summary"].endswith("192.0.2.1.5000 > 192.0.2.9.7: UDP, length 5"), passed["summary"])
    check("trace: the packet's bytes", passed["data"] == udp(7, b"first").hex() and passed["len"] == 47, passed)
    check("trace: frame or skb", passed["frame"] == XDP, passed)
    ends = {hop["block"]: (hop["end"], hop.get("reason")) for hop in dropped["hops"]}
    check("trace: why it was dropped", ends["flt"] == ("dropped", "filtered"), ends)
    answer = [hop for hop in pinged["hops"] if hop["block"] == "echo"]
    changes = [(c["offset"], len(c["old"]) // 2) for hop in answer for c in hop.get("change", [])]
    check("trace: an answer's changed bytes are there, or it is a packet that echo made",
          any(offset <= 34 < offset + size for offset, size in changes) or answer[0].get("made"), answer)
    check("trace: the answer leaves by the device it came from",
          any(hop["block"] == "lan0" and hop["end"] == "left" for hop in pinged["hops"]), json.dumps(pinged))

    tool = Tool("trace", "-c", "1")
    a0.send(udp(9, b"second"))
    out, errors = tool.wait()
    words = r"192\.0\.2\.1\.5000 > 192\.0\.2\.9\.9: UDP, length 6\n"
    hops = r"(  +\d+\.\d{3} us  .*  took  *[\d.]+ [mun]?s\n|  +packets made by copy:\n){6}"
    check("trace: as text", tool.status == 0 and "DROPPED: filtered" in out and "\x1b" not in out and
          re.fullmatch(r"1\. \d\d:\d\d:\d\d\.\d{6}Z IP " + words + hops, out), out, errors)
    shown = [(int(ns), line) for line in out.splitlines() for ns in re.findall(r"^ +(\d+)\.\d{3} us", line)]
    check("trace: in the order of time", shown == sorted(shown, key=lambda hop: hop[0]), out)
    tool = Tool("trace", "-c", "1", "-e")
    a0.send(udp(9, b"second"))
    out, errors = tool.wait()
    check("trace -e: the link layer, too", re.fullmatch(
        r"1\. \d\d:\d\d:\d\d\.\d{9}Z cpu \d+( frame)? 02:00:00:00:00:0a > 02:00:00:00:00:0b, ethertype IPv4 \(0x0800\), "
        r"length 48: " + words + hops, out), out, errors)
    for args, ports in [(["--filter", "udp port 7"], [7]), (["--drops", "--from", "flt"], [9]), (["--ok", "--from", "flt"], [7]),
                        (["--from", "flt"], [7, 9]), (["--filter", "ip6"], [])]:
        documents, errors, tool = traced(*args, frames=[udp(7, b"first"), udp(9, b"second")])
        found = [int(re.search(r"192\.0\.2\.9\.(\d+)", document["summary"])[1]) for document in documents]
        check("trace: " + " ".join(args), found == ports, found, errors)
    documents, _, _ = traced("--from", "flt", "-c", "2", frames=[udp(7, b"x")] * 3, stop=False)
    check("trace: no more than were asked for, from a block on",
          [blocks_of(document) for document in documents] == [["flt", "lan1"]] * 2, documents)
    documents, _, _ = traced("--sample", "10", frames=[udp(7, b"x")] * 100)
    check("trace: one of ten", 9 <= len(documents) <= 10 + CPUS, len(documents))
    before = lana.get("lan0").packets
    documents, errors, _ = traced("--rate", "5", frames=[udp(7, b"x")] * 100)
    came = lana.get("lan0").packets - before
    lost = sum(document["lost"] for document in documents)
    check("trace: no more than so many a second", 0 < len(documents) <= 5 * SECONDS and lost <= 100, len(documents), errors)
    check("trace: each packet is traced or lost, also behind the last one that was traced",
          errors == f"{len(documents)} packets traced, {100 - len(documents)} not traced\n", errors, came,
          [(d["time"], d["lost"]) for d in documents])
    lana.take_apart()


def held():
    """A packet that a block holds goes on with its number, from wherever it is traced, and its copies do."""
    for name, kind in [("copy", "tee"), ("wait", "delay"), ("count", "counter"), ("flt", "bpf")]:
        must(lana.add(name, kind))
    must(lana.set("wait", "latency", "20ms"))
    # Matched by what the packet is when it enters, and by none of what it is later: nothing is.
    must(lana.set("flt", "program", "{ 0x6, 0, 0, 0 },"))
    for upper, lower in [("copy", "lan0"), ("wait", "copy"), ("count", "copy"), ("flt", "wait")]:
        must(lana.bind(upper, lower))
    for args in [], ["--from", "lan0"], ["--from", "wait"], ["--filter", "udp port 7"]:
        name = " ".join(["held:", *args])
        documents, errors, tool = traced(*args, "-c", "2", frames=[udp(7, b"x"), udp(7, b"y"), udp(7, b"z")], stop=False)
        check(f"{name} two packets, in two parts each", [d["number"] for d in documents] == [1, 2, 1, 2] and tool.status == 0 and
              errors == "2 packets traced, 0 not traced\n", documents, errors)
        if len(documents) != 4:
            continue
        for first, later in zip(documents[:2], documents[2:]):
            ends = [(hop["block"], hop["end"], hop.get("reason")) for hop in first["hops"] if hop["block"] == "wait"]
            check(f"{name} the block holds it", ends == [("wait", "held", None)], first)
            number = [hop["held"] for hop in first["hops"] if "held" in hop]
            check(f"{name} by a number", number == [later["held"]] and "held" not in first, first, later)
            ends = [(hop["block"], hop["end"], hop.get("reason")) for hop in later["hops"]]
            check(f"{name} it goes on", ends == [("wait", "forwarded", None), ("flt", "dropped", "filtered")], later)
            check(f"{name} after its time", 20_000_000 <= later["time"] - first["time"] < SECONDS * 10**9, first, later)
    tool = Tool("trace", "-c", "1")
    a0.send(udp(7, b"x"))
    out, _ = tool.wait()
    check("held: as text", re.search(r"wait \(delay\) +up    held, goes on later", out) and
          re.search(r"(?m)^1\. \S+ released by wait after [\d.]+ m?s: IP 192\.0\.2\.1\.5000 > 192\.0\.2\.9\.7: UDP, length 1$", out), out)
    documents, _, _ = traced("--drops", "--from", "wait", "-c", "1", frames=[udp(7, b"x")], stop=False)
    check("held: a part of which something was dropped", [d["number"] for d in documents] == [1] and "held" in documents[0], documents)
    # What goes on does not count for the kernel's limits: a packet that is traced is traced to its end, the others are lost.
    tool = Tool("-j", "trace", "--rate", "5")
    frames = [udp(7, bytes([number])) for number in range(40)]
    for frame in frames:
        a0.send(frame)
    time.sleep(0.5)
    documents, errors = tool.documents()
    firsts = [d["number"] for d in documents if "held" not in d]
    laters = [d["number"] for d in documents if "held" in d]
    check("held: with a rate, all that is traced goes on", firsts == laters == [*range(1, len(firsts) + 1)] and firsts, firsts, laters)
    check("held: and each packet is traced or lost", errors == f"{len(firsts)} packets traced, {40 - len(firsts)} not traced\n", errors)
    # What was not traced does not go on.
    tool = Tool("-j", "trace", "--sample", "1000000", "--from", "wait")
    for _ in range(10):
        a0.send(udp(7, b"x"))
    time.sleep(0.1)
    check("held: what is left out stays out", tool.documents()[0] == [])
    lana.take_apart()


def points(*args, frames, more=0):
    """What a capture at all points tells: block, point and way, the port and the identity of the packet. Waits as long as
    that for packets that blocks hold."""
    tool = Tool("-j", "capture", *args, "--in", "--out", "--drops")
    for frame in frames:
        a0.send(frame)
    time.sleep(more)
    documents, _ = tool.documents()
    return [((d["block"], d["point"], d.get("device") or d["direction"]), d) for d in documents]


def once():
    """A packet that a block holds comes once and leaves once, and copies leave, too."""
    for name, kind in [("wait", "delay"), ("copy", "tee"), ("rate", "shape"), ("count", "counter"), ("more", "counter")]:
        must(lana.add(name, kind))
    must(lana.set("wait", "latency", "20ms"))
    for upper, lower in [("wait", "lan0"), ("copy", "wait"), ("rate", "copy"), ("count", "copy"), ("more", "copy"), ("lan1", "rate")]:
        must(lana.bind(upper, lower))
    must(lana.set("rate", "rate", "64kbit"))
    must(lana.set("rate", "burst", "100"))
    before = lana.blocks()
    frames = [udp(7, bytes([n]) * 60) for n in range(6)]
    told = points("wait", "copy", "rate", "lan0", "lan1", "more", frames=frames, more=0.5)
    after = lana.blocks()
    found = {}
    for place, document in told:
        found.setdefault(place, []).append(document)
    number = {place: len(documents) for place, documents in found.items()}
    for name in ("wait", "rate", "copy", "more"):
        came = after[name].packets - before[name].packets
        check(f"once: what {name} has counted comes to it", number.get((name, "in", "ingress")) == came == 6, number, came)
    for name, leave in [("wait", 6), ("rate", 6), ("copy", 18)]:
        check(f"once: {name} has packets leave", number.get((name, "out", "ingress")) == leave, number)
    check("once: what is held leaves when it goes on", all(
        out["time"] - came["time"] >= 20_000_000
        for came, out in zip(found[("wait", "in", "ingress")], found[("wait", "out", "ingress")])), found)
    check("once: one device receives, the other sends", [number.get((*place,)) for place in (
        ("lan0", "in", "rx"), ("lan0", "out", "rx"), ("lan1", "in", "tx"), ("lan1", "out", "tx"))] == [6] * 4, number)
    check("once: what finds nothing above is dropped", number.get(("more", "drops", "ingress")) == 6, number)
    sent = sorted(frame.hex() for frame in frames)
    copies = sorted(document["data"] for document in found[("copy", "out", "ingress")])
    nexts = {(document.get("port"), document.get("next")) for document in found[("copy", "out", "ingress")]}
    check("once: each copy has its port and the block there", len(nexts) == len({next for _, next in nexts}) > 1 and
          None not in {part for pair in nexts for part in pair}, nexts)
    check("once: only what goes on to a block has one", not any("port" in document for place, document in told
          if place[1] != "out" or place[0] == "lan1"), told)
    check("once: copies are whole", copies == sorted(sent * 3), copies)
    check("once: all others are as they were", sum(number.values()) == 6 * 14, number)
    must(lana.set("wait", "duplicate", "100%"))
    told = points("wait", frames=[udp(7, b"twice")], more=0.1)
    check("once: a duplicate leaves before its packet", [place[1] for place, _ in told] == ["in", "out", "out"], told)
    tool = Tool("-j", "capture", "wait", "--in", "-c", "2")
    for frame in frames[:2]:
        a0.send(frame)
        time.sleep(0.05)
    documents, _ = tool.documents(stop=False)
    check("once: -c counts packets", [d["data"] for d in documents] == [frame.hex() for frame in frames[:2]], documents)
    lana.take_apart()


def answers():
    """An answer leaves the way it goes."""
    build()
    told = points("echo", "copy", frames=[ping(1)])
    places = [place for place, _ in told if place[0] == "echo"]
    check("answers: it comes up and goes down", places == [("echo", "in", "ingress"), ("echo", "out", "egress")], told)
    lana.take_apart()


def capture():
    build()
    frames = [udp(7, b"first"), udp(9, b"second"), ping(1)]
    tool = Tool("capture", "lan0", "flt", "--in", "--out", "--drops", "-w", f"{HERE}/file")
    for frame in frames:
        a0.send(frame)
    _, errors = tool.stop()
    with open(f"{HERE}/file", "rb") as file:
        interfaces, packets, counts = pcapng(file.read())
    names = [(options[2].decode(), options[3].decode().split(":")[0]) for _, options in interfaces]
    check("capture: an interface for each point", names == [("lan0", "eth")] * 3 + [("flt", "bpf")] * 3, names)
    check("capture: nanoseconds, of Ethernet", all(head[0] == 1 and options[9] == b"\x09" for head, options in interfaces), interfaces)
    told = [(comment[1].decode(), comment[2], data) for _, _, data, _, comment in packets]
    comments = [comment for comment, _, _ in told]
    for what in ["lan0 in rx", "lan0 out rx", "lan0 in tx", "lan0 out tx", "flt in up", "flt out up", "flt drop up (filtered)"]:
        check(f"capture: {what}", what in comments, comments)
    way = {"up": b"\1\0\0\0", "rx": b"\1\0\0\0", "down": b"\2\0\0\0", "tx": b"\2\0\0\0"}
    check("capture: which way", all(flags == way[comment.split()[2]] for comment, flags, _ in told), told)
    came = [data for comment, _, data in told if comment == "lan0 in rx"]
    check("capture: what came in, byte for byte", came == frames, came)
    check("capture: what was dropped", [data for comment, _, data in told if "drop" in comment] == [frames[1]], told)
    now = time.time_ns()
    times = [packet[1] for packet in packets]
    check("capture: when", all(now - 60 * 10**9 < t < now for t in times) and times == sorted(times), times, now)
    received = sum(int.from_bytes(options[8], "little") for _, options in counts)
    check("capture: the counts at the end", len(counts) == 6 and received == len(packets), counts)
    check("capture: the totals", errors == f"{len(packets)} packets captured, 0 not captured\n", errors)

    tool = Tool("capture", "flt", "--drops", "-c", "1")
    a0.send(udp(9, b"second"))
    out, errors = tool.wait()
    check("capture: as text", re.fullmatch(r"\d\d:\d\d:\d\d\.\d{6}Z flt DROP up   \(filtered\) IP 192\.0\.2\.1\.5000 > .* UDP, length 6\n", out),
          out, errors)
    tool = Tool("capture", "flt", "--drops", "-c", "1", "-e")
    a0.send(udp(9, b"second"))
    out, errors = tool.wait()
    check("capture -e: the link layer, too", re.fullmatch(
        r"\d\d:\d\d:\d\d\.\d{9}Z flt DROP up   \(filtered\) 02:00:00:00:00:0a > .* UDP, length 6\n", out), out, errors)
    tool = Tool("-j", "capture", "lan0", "--snaplen", "20", "--filter", "udp port 7", "-c", "1")
    for frame in frames:
        a0.send(frame)
    documents, errors = tool.documents(stop=False)
    check("capture: as JSON, and cut", [(d["block"], d["point"], d["data"], d["len"]) for d in documents] ==
          [("lan0", "in", frames[0][:20].hex(), 47)], documents, errors)
    with open(f"{HERE}/pipe", "wb") as file:
        tool = Tool("capture", "lan0", "-w", "-", stdout=subprocess.PIPE)
        first = os.read(tool.process.stdout.fileno(), 1 << 16)
        a0.send(frames[0])
        first += os.read(tool.process.stdout.fileno(), 1 << 16)
        file.write(first)
    check("capture: a pipe has the heads at once, and each packet", [p[2] for p in pcapng(first)[1]] == [frames[0]], first)
    tool.stop()
    subprocess.run(["tcpdump", "-n", "-r", f"{HERE}/file", "-w", f"{HERE}/again"], capture_output=True, check=False)
    with open(f"{HERE}/pipe", "rb") as file:
        read = subprocess.run(["tcpdump", "-n", "-e", "-r", "-"], stdin=file, capture_output=True, text=True, check=False)
    check("capture: tcpdump reads it", "192.0.2.1.5000 > 192.0.2.9.7: UDP, length 5" in read.stdout, read)
    lana.take_apart()


def removed():
    build()
    tool = Tool("trace", "--from", "echo")
    other = Tool("capture", "echo", "lan0", "-w", f"{HERE}/file")
    must(lana.unbind("echo", "copy"))
    must(lana.remove("echo"))
    _, errors = tool.wait()
    check("a trace ends when its block is removed", tool.status == 0 and errors.splitlines()[0] == "fbctl: echo was removed", errors)
    a0.send(udp(7, b"later"))
    _, errors = other.stop()
    check("a capture goes on while one of its blocks is there", errors.splitlines() == ["fbctl: echo was removed", "1 packet captured, 0 not captured"],
          errors)
    lana.take_apart()


def closed():
    build()
    tool = Tool("trace")
    tool.process.stdout.close()
    tool.process.stdout = None
    _, errors = tool.wait()
    check("nobody reads: it ends, with the totals", tool.status == 0 and errors == "0 packets traced, 0 not traced\n", errors, tool.status)
    tool = Tool("capture", "lan0", "-w", "-")
    _, errors = tool.stop(signal.SIGTERM)
    check("SIGTERM ends it, too", tool.status == 0 and errors == "0 packets captured, 0 not captured\n", errors, tool.status)
    lana.take_apart()


def killed():
    build()
    works = 0
    for number in range(20):
        tool = Tool("-j", "trace", "--from", "lan0")
        a0.send(numbered(number))
        line = tool.process.stdout.readline()
        works += b"192.0.2.9.7" in line
        tool.process.kill()
        tool.process.communicate()
    check("killed 20 times, nothing stays", works == 20, works)
    tools = [Tool("trace"), Tool("capture", "lan0"), Tool("trace", "--from", "flt"), Tool("capture", "echo", "-w", f"{HERE}/file")]
    fifth = subprocess.run(["fbctl", "trace"], capture_output=True, text=True, timeout=SECONDS, check=False)
    check("a fifth probe is refused", fifth.returncode == 2 and len(fifth.stderr.splitlines()) == 1, fifth)
    for tool in tools:
        tool.process.kill()
        tool.process.communicate()
    documents, _, _ = traced(frames=[udp(7, b"x")])
    check("and works when the others are gone", len(documents) == 1, documents)
    lana.take_apart()


def same():
    """What a device has captured is what tcpdump has seen at the other end of its wire."""
    build()
    tags = [b"", b"\x81\0\x60\x05", b"\x88\xa8\0\x14\x81\0\0\x0a", b"\x88\xa8\xe0\x14"]
    frames = [udp(7, bytes([n]) * (n * 7 % 1400), tags=tags[n % 4]) for n in range(200)]
    frames += [ping(n) for n in range(50)] + [BOB + ALICE + b"\xac\x0a" + bytes(46), BOB + ALICE + b"\0\x05" + bytes(5)]
    with Tcpdump("alice", "a0") as witness:
        tool = Tool("capture", "lan0", "-w", f"{HERE}/file")
        for frame in frames:
            a0.send(frame)
            time.sleep(0.001)
        _, errors = tool.stop()
    with open(f"{HERE}/file", "rb") as file:
        _, packets, _ = pcapng(file.read())
    have = [(data, length) for _, _, data, length, _ in packets]
    check("a device's capture is that of tcpdump at the other end", have == witness.packets and len(have) >= len(frames),
          errors, len(have), len(witness.packets), [pair for pair in zip(have, witness.packets) if pair[0] != pair[1]][:3])
    lana.take_apart()


def big():
    """TCP, in packets that a driver is to cut."""
    must(lana.bind("lan1", "lan0"))
    subprocess.run(["ip", "-n", "alice", "neigh", "replace", "192.0.2.2", "lladdr", "02:00:00:00:00:0b", "dev", "a0"], check=True)
    server = inside("bob", socket.create_server, ("192.0.2.2", 8000))
    with Tcpdump("alice", "a0", "tcp") as witness:
        tool = Tool("capture", "lan0", "--filter", "tcp", "-w", f"{HERE}/file")
        client = inside("alice", socket.create_connection, ("192.0.2.2", 8000), 10)
        peer, _ = server.accept()
        data, got = os.urandom(1 << 20), b""
        pid = os.fork()
        if pid == 0:
            client.sendall(data)
            os._exit(0)
        while len(got) < len(data):
            got += peer.recv(1 << 16)
        os.waitpid(pid, 0)
        for sock in (client, peer, server):
            sock.close()
        time.sleep(0.2)
        _, errors = tool.stop()
    with open(f"{HERE}/file", "rb") as file:
        _, packets, _ = pcapng(file.read())
    have = sorted((data[:65000], length) for _, _, data, length, _ in packets)
    want = sorted((data[:65000], length) for data, length in witness.packets)
    check("TCP is not disturbed", got == data)
    check("super-packets are captured whole", have == want and max(length for _, length in have) > 1514,
          errors, len(have), len(want), max(length for _, length in have))
    must(lana.unbind("lan1", "lan0"))


def neutral():
    """Counters, and what arrives in which order, are the same with and without probes."""
    def run(*tools):
        build()
        tools = [Tool(*tool) for tool in tools]
        with Numbers() as numbers:
            for number in range(500):
                a0.send(numbered(number, number % 100))
            quiesce()
            arrived = numbers.read()
        for tool in tools:
            tool.stop()
        counted = {name: (block.packets, block.bytes, block.drops) for name, block in lana.blocks().items() if block.type != "eth"}
        lana.take_apart()
        return arrived, counted

    with one_cpu():
        plain = run()
        probed = run(["-j", "trace"], ["capture", "copy", "flt", "lan0", "--in", "--out", "--drops", "-w", f"{HERE}/file"],
                     ["trace", "--from", "flt", "--drops"], ["capture", "lan1", "count"])
    check("all arrive in order", plain[0] == list(range(500)), plain[0][:10], len(plain[0]))
    check("all arrive in order, with probes", probed[0] == plain[0], probed[0][:10], len(probed[0]))
    check("the blocks have counted the same", probed[1] == plain[1], plain[1], probed[1])
    with open(f"{HERE}/file", "rb") as file:
        _, packets, _ = pcapng(file.read())
    came = [struct.unpack_from(">I", data, 42)[0] for _, _, data, _, options in packets if options[1] == b"lan0 in rx"]
    check("and a capture has them all", came == plain[0], came[:10], len(came))


def replaces():
    """A capture at a block which is replaced again and again has every packet."""
    for name in ("mid", "spare"):
        must(lana.add(name, "counter"))
    must(lana.bind("mid", "lan0"))
    must(lana.bind("lan1", "mid"))
    count = 1000
    with one_cpu(), Numbers() as numbers:
        tool = Tool("capture", "mid", "-w", f"{HERE}/file")
        old, new = "mid", "spare"
        for number in range(count):
            a0.send(numbered(number))
            if number % (count // 100) == 0:
                must(lana.replace(old, new))
                old, new = new, old
        arrived = numbers.read()
        _, errors = tool.stop()
    with open(f"{HERE}/file", "rb") as file:
        _, packets, _ = pcapng(file.read())
    came = [struct.unpack_from(">I", data, 42)[0] for _, _, data, _, _ in packets]
    check("100 replaces: all arrive", arrived == list(range(count)), len(arrived))
    check("100 replaces: all are captured", came == list(range(count)), len(came), errors)
    check("100 replaces: none is lost", errors == f"{count} packets captured, 0 not captured\n", errors)
    names = {options[1] for *_, options in packets}
    check("100 replaces: by the names of the time", names == {b"mid in up", b"spare in up"}, names)
    must(lana.unbind("lan1", old))
    must(lana.unbind(old, "lan0"))
    must(lana.remove(old))
    must(lana.remove(new))


def load():
    """Under load a trace of few loses no packet of the traffic."""
    must(lana.add("mid", "counter"))
    must(lana.bind("mid", "lan0"))
    must(lana.bind("lan1", "mid"))
    for args in [["--sample", "1000", "--rate", "100"], ["--rate", "1000"]]:
        # What finds no room on the wire is lost there, and counted by the driver.
        before, received, lost = lana.get("mid").packets, tc("bob", "b0")[0], link("bob", "b0", "rx_drop")
        tool = Tool("-j", "trace", *args, stdout=subprocess.DEVNULL)
        generator = Load("alice").add("a0", 0, *FRAMES if XDP else [], mac="02:00:00:00:00:0b").start()
        time.sleep(2)
        sent = sum(generator.stop().values())
        _, errors = tool.stop()
        passed = lana.get("mid").packets - before
        arrived, lost = tc("bob", "b0")[0] - received, link("bob", "b0", "rx_drop") - lost
        name = " ".join(args)
        check(f"load, {name}: packets are traced", int(errors.split()[0]) > 0, errors)
        check(f"load, {name}: all arrive", passed == arrived + lost, sent, passed, arrived, lost, errors)
        if not XDP:
            check(f"load, {name}: all pass", sent == passed and not lost, sent, passed, lost)
    must(lana.unbind("lan1", "mid"))
    must(lana.unbind("mid", "lan0"))
    must(lana.remove("mid"))


if XDP:
    for device in ("lan0", "lan1"):
        must(lana.hook(device, xdp=True))
else:
    if "lan0" not in lana.names():
        must(lana.hook("lan0"))
    must(lana.hook("lan1"))
a0 = wire("alice", "a0")
for scene in WHAT:
    try:
        globals()[scene]()
    except Exception:  # pylint: disable=broad-except
        check(f"{scene}: comes to its end", False, traceback.format_exc())
        lana.take_apart()
for name in ("lan0", "lan1") if XDP else ("lan1",):
    must(lana.unhook(name))
end()

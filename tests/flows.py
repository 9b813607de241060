# SPDX-License-Identifier: GPL-2.0
"""flows.py shown | both | many COUNT BLOCK | meanwhile COUNT BLOCK PID: what `fbctl flows` and the file of a netflow tell.

`shown`, `both`: of the frames that alice and bob send each other by the block `x`; with biflow. `many`: the file, in parts, with COUNT flows.
`meanwhile`: the same again and again while the process PID lives."""

import json
import os
import re
import socket
import struct
import subprocess
import sys
import time
from ipaddress import ip_address, ip_network

from lana import check, end

UDP, TCP, ICMP = 17, 6, 1
FLAGS = "FSRPAUEC"
BLOCK = "x"


def fbctl(*words):
    return subprocess.run(["fbctl", *words], check=True, capture_output=True, text=True).stdout


def told(*words, block=BLOCK):
    return json.loads(fbctl("-j", "flows", block, *words))["flow"]


# --- What was sent ---


class Sent:
    """Frames, and the flows that they are."""

    def __init__(self):
        from frames import alice, bob
        # A flow that two CPUs see is one in the list, and two in the counter `current`.
        os.sched_setaffinity(0, {0})
        self.ports = {"ingress": (alice, bob), "egress": (bob, alice)}
        self.flows = {}

    def send(self, direction, src, dst, protocol, sport=0, dport=0, size=20, flags=0, vlan=0, tos=0, count=1):
        from frames import ALICE, BOB, checksum
        for _ in range(count):
            if protocol == TCP:
                data = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 1000, 0, 0) + bytes(size)
            elif protocol == UDP:
                data = struct.pack("!HHHH", sport, dport, 8 + size, 0) + bytes(size)
            else:
                data = struct.pack("!HHI", dport, 0, 7) + bytes(size)
            if ":" in src:
                head = struct.pack("!IHBB", 6 << 28 | tos << 20, len(data), protocol, 64)
                packet = head + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + data
            else:
                head = struct.pack("!BBHHHBBH4s4s", 0x45, tos, 20 + len(data), 1, 0x4000, 64, protocol, 0, socket.inet_aton(src),
                                   socket.inet_aton(dst))
                packet = head[:10] + struct.pack("!H", checksum(head) ^ 0xFFFF) + head[12:] + data
            macs = BOB + ALICE if direction == "ingress" else ALICE + BOB
            tag = struct.pack("!HH", 0x8100, vlan) if vlan else b""
            kind = b"\x86\xdd" if ":" in src else b"\x08\x00"
            out, into = self.ports[direction]
            out.send((macs + tag + kind + packet).ljust(60, b"\0"))
            if into.receive()[0] is None:
                raise OSError("nothing came")
            key = (direction, src, dst, protocol, sport, dport, tos, vlan)
            had = self.flows.get(key, (0, 0, 0))
            self.flows[key] = had[0] + 1, had[1] + len(packet), had[2] | flags


def key(flow):
    """What tells a flow from others, as JSON has it."""
    sport, dport = flow.get("source-port", 0), flow.get("destination-port", 0)
    if "icmp-type" in flow:
        dport = flow["icmp-type"] << 8 | flow["icmp-code"]
    return (flow["direction"], flow["source"], flow["destination"], flow["protocol-number"], sport, dport, flow["tos"], flow.get("vlan", 0))


def counts(flow):
    return flow["packets"], flow["bytes"], sum(1 << FLAGS.index(letter) for letter in flow.get("tcp-flags", ""))


def shown():
    sent = Sent()
    for number in range(1, 6):
        sent.send("ingress", "192.0.2.1", "198.18.0.2", UDP, 999 + number, 53, size=100 - number, count=number)
    sent.send("ingress", "192.0.2.1", "198.18.0.2", TCP, 40000, 443, flags=2)
    sent.send("ingress", "192.0.2.1", "198.18.0.2", TCP, 40000, 443, flags=0x18, size=900, count=2)
    sent.send("egress", "198.18.0.2", "192.0.2.1", TCP, 443, 40000, flags=0x12)
    sent.send("egress", "198.18.0.2", "192.0.2.1", TCP, 443, 40000, flags=0x11, size=1200, count=7)
    sent.send("ingress", "192.0.2.1", "198.18.0.2", ICMP, dport=0x0800, count=3)
    sent.send("egress", "198.18.0.2", "192.0.2.1", ICMP, dport=0x0000, count=2)
    sent.send("ingress", "2001:db8::1", "2001:db8:1:2:3:4:5:6", UDP, 5000, 53, tos=0xb8, count=4)
    sent.send("ingress", "192.0.2.9", "198.18.0.3", UDP, 6000, 123, vlan=77, count=2)
    have = {key(flow): counts(flow) for flow in told()}
    check("the flows are those that were sent, to the packet", have == sent.flows, "told:", have, "sent:", sent.flows)
    flows = told("-o", "bytes")
    check("the devices have names", {(flow.get("in"), flow.get("out")) for flow in flows} == {("lan0", None), ("lan1", "lan0")}, flows)
    counters = {one["key"]: one["value"] for one in json.loads(fbctl("-j", "flows", BLOCK))["fb"][0]["option"]}
    stats = json.loads(fbctl("-j", "stats", BLOCK))["fb"][0]["option"]
    check("the counters are those of the block", counters == {one["key"]: one["value"] for one in stats}, counters, stats)
    sums = [sum(counts(flow)[at] for flow in flows) for at in (0, 1)]
    check("and the sums of the flows", sums == [int(counters["packets"]), int(counters["bytes"])], sums, counters)

    order = [flow["bytes"] for flow in flows]
    check("sorted, the largest first", order == sorted(order, reverse=True), order)
    order = [flow["packets"] for flow in told("-o", "packets", "-r", "-c", "4")]
    check("or the smallest, and some of them", order == sorted(have[0] for have in sent.flows.values())[:4], order)
    order = [flow["age-seconds"] for flow in told("-o", "age")]
    check("by age", order == sorted(order, reverse=True) and order[0] < 1000, order)
    order = [(ip_address(flow["source"]).version, ip_address(flow["source"])) for flow in told("-o", "source")]
    check("by source", order == sorted(order), order)

    def selects(words, passes):
        have = {key(flow) for flow in told(*words.split())}
        want = {key for key in sent.flows if passes(*key)}
        check(f"the filter {words}", have == want and want, "told:", have, "want:", want)

    inside = lambda address, prefix: ip_address(address) in ip_network(prefix)
    selects("src=192.0.2.0/29", lambda way, src, *_: inside(src, "192.0.2.0/29"))
    selects("dst=2001:db8:1::/48", lambda way, src, dst, *_: inside(dst, "2001:db8:1::/48"))
    selects("host=198.18.0.2", lambda way, src, dst, *_: "198.18.0.2" in (src, dst))
    selects("proto=tcp", lambda way, src, dst, proto, *_: proto == TCP)
    selects("proto=icmp proto=6", lambda way, src, dst, proto, *_: proto in (ICMP, TCP))
    selects("port=53", lambda way, src, dst, proto, sport, dport, *_: proto != ICMP and 53 in (sport, dport))
    selects("sport=1001-1003", lambda way, src, dst, proto, sport, *_: 1001 <= sport <= 1003)
    selects("vlan=77", lambda *parts: parts[-1] == 77)
    selects("in=lan1", lambda way, *_: way == "egress")
    selects("out=lan0", lambda way, *_: way == "egress")
    words = "proto=udp src=192.0.2.1 dport=53"
    selects(words, lambda way, src, dst, proto, sport, dport, *_: (src, proto, dport) == ("192.0.2.1", UDP, 53))
    check("the same behind --filter", told("--filter", words)[0]["source"] == "192.0.2.1" and len(told("--filter", words)) == 5)
    text = fbctl("flows", BLOCK, "host=2001:db8::1")
    line = r"^udp +\[2001:db8::1\]:5000 +\[2001:db8:1:2:3:4:5:6\]:53 +4 +272 +\S+ +\S+ +lan0 +- +ingress +0xb8$"
    check("text has a line for a flow", re.search(line, text, re.M), text)
    text = fbctl("flows", BLOCK, "proto=tcp")
    check("and letters for flags", re.findall(r"^tcp +(\S+) .* ([A-Z]+) +lan", text, re.M) ==
          [("198.18.0.2:443", "ASF"), ("192.0.2.1:40000", "APS")], text)

    rates(sent)


def both_directions():
    fbctl("set", BLOCK, "biflow=on")
    # Those of before end.
    while told():
        time.sleep(0.05)
    both = Sent()
    both.send("ingress", "192.0.2.1", "198.18.0.2", TCP, 40000, 443, flags=2, count=2)
    both.send("egress", "198.18.0.2", "192.0.2.1", TCP, 443, 40000, flags=0x12, size=50, count=3)
    flow, = told()
    there, back = both.flows.values()
    letters = flow["reverse-tcp-flags"]
    have = counts(flow)[:2], (flow["reverse-packets"], flow["reverse-bytes"])
    check("a flow of both directions has both", have == (there[:2], back[:2]) and (flow["tcp-flags"], letters) == ("S", "AS"), flow)
    check("as text, too", re.search(rf" {there[0]} +{there[1]} +{back[0]} +{back[1]} .* S/AS ", fbctl("flows", BLOCK)), fbctl("flows", BLOCK))


def rates(sent):
    """Between two lines of --watch, packets are sent."""
    words = ["fbctl", "-j", "flows", BLOCK, "-w", "0.5", "-t", "3"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as tool:
        first = json.loads(tool.stdout.readline())
        before = {key(flow): flow["packets"] for flow in first["flow"]}
        sent.send("ingress", "192.0.2.1", "198.18.0.2", UDP, 1000, 53, size=99, count=20)
        sent.send("ingress", "192.0.2.1", "198.18.0.2", UDP, 7000, 53, size=99, count=10)
        good, came = True, 0
        for line in tool.stdout:
            reading = json.loads(line)
            for flow in reading["flow"]:
                more = flow["packets"] - before.get(key(flow), 0)
                good &= abs(flow["packets-per-second"] * reading["seconds"] - more) < 0.05
                came += more
            before = {key(flow): flow["packets"] for flow in reading["flow"]}
    check("rates are those of the interval", good and came == 30 and tool.returncode == 0, came, reading)
    text = fbctl("flows", BLOCK, "-b", "-w", "0.2", "-t", "2", "-o", "bits")
    check("-b prints text each time", len(re.findall(r"^fbctl flows - ", text, re.M)) == 2 and
          len(re.findall(r"^PROTO +SOURCE +DESTINATION +PACKETS/S +BITS/S +PACKETS ", text, re.M)) == 2, text)


# --- Many ---


def available():
    with open("/proc/meminfo") as file:
        return int(re.search(r"MemAvailable: +(\d+)", file.read())[1]) << 10


def read(block):
    """The lines of the file about what stays: each part as it comes."""
    rest, found = b"", []
    file = os.open(f"/proc/net/lana/fblock/{block}", os.O_RDONLY)
    while part := os.read(file, 1 << 20):
        lines = (rest + part).split(b"\n")
        rest = lines.pop()
        found += [line.split()[4:8] for line in lines if b" sport=7 " in line and b" packets=1 " in line]
    os.close(file)
    return found


def many(count, block):
    found = read(block)
    check("each flow is in the file, once", len(found) == count == len(set(map(tuple, found))), len(found))
    before = available()
    file = os.open(f"/proc/net/lana/fblock/{block}", os.O_RDONLY)
    size, longest, taken = 0, 0, 0
    while part := os.read(file, 1 << 20):
        size, longest = size + len(part), max(longest, len(part))
        taken = max(taken, before - available()) if size % 16 == 0 or size < 1 << 20 else taken
    check("a reader gets no more at once than there is a buffer for", longest <= 64 << 10 < size or count < 1000, longest, size)
    # Of few flows all that others do is more.
    check("the kernel takes a part of the memory that all would", taken < size // 4 or size < 4 << 20, taken, size)
    os.close(file)
    # Somebody who begins in the middle has what another one has that reads it all, but for what time changes.
    whole = open(f"/proc/net/lana/fblock/{block}", "rb").read()
    steady = lambda text: re.sub(rb"(age|idle)=\d+ms", b"", text)
    with open(f"/proc/net/lana/fblock/{block}", "rb", buffering=0) as file:
        head = file.read(1000)
        file.seek(500)
        again = file.read(500)
    check("a place in the file can be read again", steady(head[500:]) == steady(again) and whole.startswith(head[:8]), head, again)


def meanwhile(count, block, pid):
    turns, wrong = 0, []
    while True:
        is_last = not os.path.exists(f"/proc/{pid}")
        found = read(block)
        turns += 1
        if len(found) != count or len(set(map(tuple, found))) != count:
            wrong.append((turns, len(found), len(set(map(tuple, found)))))
        if is_last and turns > 2:
            break
    check("what stays is there each time, once, while others come and the block goes", not wrong, turns, wrong[:10])


if sys.argv[1] == "shown":
    shown()
elif sys.argv[1] == "both":
    both_directions()
elif sys.argv[1] == "many":
    many(int(sys.argv[2]), sys.argv[3])
else:
    meanwhile(int(sys.argv[2]), sys.argv[3], sys.argv[4])
end()

# SPDX-License-Identifier: GPL-2.0
"""netflow.py skbs | frames | collect FILE PORT: the block `x`, a netflow between lan0 below and lan1 above, tells a collector
here of what alice and bob send each other. Messages are read by what RFC 3954 and RFC 7011 say, and compared with what was sent.
`collect` writes what it has got to a file, for who ends it by a datagram `end`."""

import json
import os
import socket
import struct
import sys
import time
from collections import Counter

from flowrig import Block, Collector, Reader
from lana import check, end

UDP, TCP, ICMP, ICMPV6 = 17, 6, 1, 58


def collect(file, port):
    """Sums up what comes."""
    collector = Collector(int(port))
    with open(file, "w") as out:
        out.write("{}")
    while not collector.ended:
        collector.take(0.2)
    sums = collector.sums()
    with open(file, "w") as out:
        json.dump({"packets": sums[0], "bytes": sums[1], "faults": collector.faults[:3], "messages": len(collector.messages)}, out)


if sys.argv[1] == "collect":
    collect(*sys.argv[2:])
    sys.exit()

# pylint: disable=wrong-import-position
from frames import ALICE, BOB, GSO_TCPV4, alice, bob, checksum, vnet_hdr
from rig import CPUS, SLOW, Lana

lana = Lana()
WAY = sys.argv[1]
PORT = 2055
collector = Collector(PORT)


# Each CPU has flows of its own.
os.sched_setaffinity(0, {0})
# A kernel that looks for mistakes takes seconds for some packets.
PATIENCE = 1 if SLOW < 50 else 20
USUAL = {"collector_1": f"127.0.0.1:{PORT}"} | ({"inactive": "1000s"} if SLOW == 50 else {})
block = Block(lana, collector.take)
setting, counts, settled, flush = block.set, block.counts, block.settled, block.flush


def configure(**options):
    """A block with these options takes the place of the one before, without its flows. With _ for the dot."""
    block.renew(**USUAL | options)
    while collector.take(0.05):
        pass
    collector.forget()


# --- Packets ---


def packet(src="192.0.2.1", dst="198.18.0.2", protocol=UDP, sport=1000, dport=53, size=20, tos=0, flags=0, place=0x4000, label=0,
           icmp=0x0800):
    """A packet of IP."""
    if protocol == TCP:
        data = struct.pack("!HHIIBBHHH", sport, dport, 1, 1, 0x50, flags, 1000, 0, 0) + bytes(size)
    elif protocol in (ICMP, ICMPV6):
        data = struct.pack("!HHI", icmp, 0, 7) + bytes(size)
    else:
        data = struct.pack("!HHHH", sport, dport, 8 + size, 0) + bytes(size)
    if ":" in src:
        head = struct.pack("!IHBB", 6 << 28 | tos << 20 | label, len(data), protocol, 64)
        return head + socket.inet_pton(socket.AF_INET6, src) + socket.inet_pton(socket.AF_INET6, dst) + data
    head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(data), 1, place, 64, protocol, 0) + socket.inet_aton(src) + socket.inet_aton(dst)
    return head[:10] + struct.pack("!H", checksum(head) ^ 0xFFFF) + head[12:] + data


def frame(data, tags=b"", macs=BOB + ALICE):
    kind = b"\x86\xdd" if data[0] >> 4 == 6 else b"\x08\x00"
    return (macs + tags + kind + data).ljust(60, b"\0")


def send(port, *frames, vnet=None):
    other = bob if port is alice else alice
    for data in frames:
        if vnet:
            port.send(data, vnet)
        else:
            port.send(data)
    for _ in frames:
        if other.receive()[0] is None:
            raise OSError("nothing came")


def tag(vid):
    return struct.pack("!HH", 0x8100, vid)


def said(*keys):
    """What the collector was told: packets and bytes by these keys."""
    sums = {}
    for record in collector.records:
        key = tuple(record.get(name) for name in keys)
        packets, octets = sums.get(key, (0, 0))
        sums[key] = packets + record["packets"], octets + record["bytes"]
    return sums


def agrees(name, want, *keys):
    good = not collector.faults and said(*keys) == want
    check(name, good, collector.faults[:5], "said:", said(*keys), "sent:", want, counts())


def many(seed=0):
    """Frames of some flows, those of alice and those of bob; and what is to be told of them."""
    want, frames = {}, ([], [])
    flows = [dict(sport=1000 + seed), dict(sport=1001 + seed, tos=0xb8), dict(protocol=TCP, flags=0x12, dport=80),
             dict(protocol=ICMP, icmp=0x0800), dict(protocol=ICMP, icmp=0x0301), dict(src="192.0.2.77"), dict(dst="198.18.0.99"),
             dict(place=0x2000), dict(place=0x2010), dict(protocol=47)]
    for number, flow in enumerate(flows):
        for count in range(number + 1):
            size = 30 + 7 * count
            frames[0].append(frame(packet(size=size, **flow)))
            length = {TCP: 40, ICMP: 28}.get(flow.get("protocol"), 28) + size
            ports = (flow.get("sport", 1000), flow.get("dport", 53))
            if flow.get("protocol") == ICMP:
                ports = 0, flow["icmp"]
            elif flow.get("protocol") == 47 or flow.get("place") == 0x2010:
                ports = 0, 0
            key = (flow.get("src", "192.0.2.1"), flow.get("dst", "198.18.0.2"), *ports, flow.get("protocol", UDP), flow.get("tos", 0))
            packets, octets = want.get(key, (0, 0))
            want[key] = packets + 1, octets + length
    back = packet(src="198.18.0.2", dst="192.0.2.1", sport=53, dport=1000, size=400)
    frames[1].extend([frame(back, macs=ALICE + BOB)] * 5)
    want["198.18.0.2", "192.0.2.1", 53, 1000, UDP, 0] = 5, 5 * 428
    return frames, want


def send_many(seed=0):
    (out, back), want = many(seed)
    send(alice, *out)
    send(bob, *back)
    return want


KEYS = ("src", "dst", "sport", "dport", "protocol", "tos")


def versions():
    for version in "5", "9", "ipfix":
        configure(version=version, domain=77, sampling="")
        began = time.time()
        want = send_many()
        now = flush()
        agrees(f"version {version}: packets and bytes of each flow", want, *KEYS)
        check(f"version {version}: and all of them", now["exported.packets"] == now["packets"] == sum(p for p, _ in want.values()) and
              now["exported.bytes"] == now["bytes"] and now["begun"] == now["exported.flows"] == len(collector.records) and
              now["messages"] == now["collector.1.messages"] == len(collector.messages) and
              now["collector.1.flows"] == len(want) and now["ended.forced"] == len(want), now, len(collector.records), len(want))
        header = collector.header
        check(f"version {version}: the time is now", abs(header["seconds"] - began) < 60 and header["domain"] == 77, header, began)
        record = next(record for record in collector.records if record["protocol"] == TCP)
        lan0, lan1 = (socket.if_nametoindex(name) for name in ("lan0", "lan1"))
        back = next(record for record in collector.records if record["src"] == "198.18.0.2")
        check(f"version {version}: devices and flags", (record["flags"], record["input"], record["output"]) == (0x12, lan0, 0) and
              (back["input"], back["output"]) == (lan1, lan0), record, back)
        if version == "5":
            check("version 5: times are of the machine", 0 <= header["uptime"] - record["last"] < 60000 and
                  record["first"] <= record["last"], header, record)
        elif version == "9":
            check("version 9: directions", (record["direction"], back["direction"]) == (0, 1), record, back)
        else:
            check("IPFIX: times since 1970, reasons", record["start"] <= record["end"] and abs(record["end"] / 1000 - began) < 60 and
                  record["reason"] == 4 and back["direction"] == 1, record)
            icmp = [record["icmp"] for record in collector.records if record["protocol"] == ICMP]
            check("IPFIX: ICMP", sorted(icmp) == [0x0301, 0x0800], icmp)
        if version != "5":
            own = collector.options[-1]
            check(f"version {version}: what it says of itself", own[42] <= len(want) and own[166] == own[167] == own[168] == 0, own)


def keys():
    six = dict(src="2001:db8::1", dst="2001:db8::2")
    for version in "9", "ipfix":
        configure(version=version, key="addresses,ports,protocol,tos,interface,vlan,mac,label")
        plain = packet(**six, label=5, tos=0x20)
        tagged = frame(plain, tag(100) + tag(200))
        send(alice, frame(plain), frame(plain), frame(packet(**six, label=6, tos=0x20)), tagged)
        flush()
        want = {(5, 0): (2, 136), (6, 0): (1, 68), (5, 100): (1, 68)}
        agrees(f"version {version}: flow labels and VLANs", want, "label", "vlan")
        macs = {(record["smac"], record["dmac"]) for record in collector.records}
        check(f"version {version}: addresses of Ethernet", macs == {(ALICE.hex(":"), BOB.hex(":"))}, macs)
        if version == "ipfix":
            inner = {record["inner"] for record in collector.records if record["vlan"] == 100}
            check("the tag inside", inner == {200}, inner)
    configure(version="9", key="addresses", prefix4=24, prefix6=32)
    send_many()
    send(alice, frame(packet(**six)))
    flush()
    want = {("192.0.2.0", "198.18.0.0", 24): (55, sum(octets for key, (_, octets) in many()[1].items() if key[2] != 53)),
            ("198.18.0.0", "192.0.2.0", 24): (5, 5 * 428), ("2001:db8::", "2001:db8::", 32): (1, 68)}
    # Elements 29 and 30 are the prefixes of IPv6.
    for record in collector.records:
        record["smask"] = record.get("smask", record.get(29))
    agrees("flows between prefixes", want, "src", "dst", "smask")
    configure(version="ipfix", key="addresses,ports,protocol,mpls")
    labels = bytes.fromhex("00064040 000c9140")
    data = BOB + ALICE + b"\x88\x47" + labels + packet(size=30)
    send(alice, data)
    flush()
    agrees("behind labels of MPLS", {("192.0.2.1", 1000, 0x000640): (1, 58)}, "src", "sport", "mpls")
    configure(direction="ingress")
    want = {key: value for key, value in send_many().items() if key[0] != "198.18.0.2"}
    flush()
    agrees("packets of one direction", want, *KEYS)
    arp = BOB + ALICE + b"\x08\x06" + bytes.fromhex("0001080006040001") + bytes(38)
    bad = bytearray(frame(packet()))
    bad[14] = 0x41
    was = counts()
    send(alice, arp, bytes(bad))
    now = counts()
    check("what is of no flow is counted", (now["other"] - was["other"], now["malformed"] - was["malformed"],
                                            now["packets"] - was["packets"]) == (1, 1, 0), now)
    if WAY == "skbs":
        configure()
        head = struct.pack("!HHIIBBHHH", 1000, 80, 1, 1, 0x50, 0x10, 1000, 0, 0)
        data = packet(protocol=6, dport=80, size=3000, flags=0x10)
        assert data[20:40] == head
        send(alice, frame(data), vnet=vnet_hdr(GSO_TCPV4, 54, 1000, 34, 16))
        flush()
        agrees("a super-packet is those that it stands for", {(1000, 80): (3, 3 * 1040)}, "sport", "dport")


def biflows():
    there = packet(protocol=TCP, sport=4000, dport=80, flags=2, size=0)
    back = packet(src="198.18.0.2", dst="192.0.2.1", protocol=TCP, sport=80, dport=4000, flags=0x12, size=100)
    for version in "ipfix", "9":
        configure(version=version, biflow="on")
        send(alice, frame(there))
        send(bob, *[frame(back, macs=ALICE + BOB)] * 2)
        now = flush()
        if version == "ipfix":
            # Each CPU has flows of its own.
            sums = Counter()
            for record in collector.records:
                for key in ("packets", "bytes", "reverse.packets", "reverse.bytes"):
                    sums[key] += record[key]
            total = sums["packets"] + sums["reverse.packets"], sums["bytes"] + sums["reverse.bytes"]
            check("both directions are in one record", total == (3, 320) and not collector.faults and now["exported.packets"] == 3 and
                  (len(collector.records) > 1 or collector.records[0]["reverse.packets"] in (1, 2)), collector.records,
                  collector.faults)
        else:
            agrees("or in two, where the version has no such", {("192.0.2.1", 4000): (1, 40), ("198.18.0.2", 80): (2, 280)},
                   "src", "sport")


def ends():
    configure(version="ipfix", inactive="200ms", tcp_fin="100ms")
    send(alice, frame(packet(protocol=TCP, flags=2)), frame(packet(protocol=TCP, flags=0x11)), frame(packet()))
    now = settled()
    reasons = {(record["protocol"], record["reason"]) for record in collector.records}
    check("flows end by a FIN, and by time", reasons == {(TCP, 3), (UDP, 1)} and now["ended.closed"] == now["ended.inactive"] == 1,
          reasons, now)
    collector.records.clear()
    setting("active", "1s")
    setting("inactive", "10s")
    until = time.monotonic() + 1.5
    sent = 0
    while time.monotonic() < until:
        send(alice, frame(packet()))
        sent += 1
        time.sleep(0.02)
    now = flush()
    reasons = Counter(record["reason"] for record in collector.records)
    check("a flow that goes on is told of in parts", reasons[2] >= 1 and sum(record["packets"] for record in collector.records) == sent
          and now["ended.active"] >= 1, reasons, sent, now)


def collector_had(number):
    """How many records so many messages had."""
    reader = Reader()
    for message in collector.messages[:number]:
        reader.add(message)
    return len(reader.records)


def clock():
    """The clock is set while there are flows."""
    for version, hours in ("9", 5), ("ipfix", 5), ("ipfix", -5):
        configure(version=version, active="7200s", inactive="3600s")
        flows = [frame(packet(sport=2000 + number)) for number in range(20)]
        send(alice, *flows)
        began = time.monotonic()
        time.sleep(0.1)
        time.clock_settime(time.CLOCK_REALTIME, time.time() + 3600 * hours)
        try:
            send(alice, *flows)
            time.sleep(0.3)
            now, lasted = counts(), time.monotonic() - began
            check(f"version {version}: no flow ends when the clock is set by {hours} hours", now["current"] ==
                  now["begun"] and not collector.records, now)
            flush()
            agrees("and each is told of", {(2000 + number,): (2, 96) for number in range(20)}, "sport")
            # NetFlow 9 counts from when the machine began.
            first, last, most = ("start", "end", time.time()) if version == "ipfix" else (
                "first", "last", collector.header["uptime"] / 1000)
            times = [(record[first] / 1000, record[last] / 1000) for record in collector.records]
            lengths = [end - start for start, end in times]
            ago = time.monotonic() - began
            check("with the time that it took, up to now", all(0 <= length <= lasted for length in lengths) and
                  max(lengths) >= 0.05 and all(most - ago - 5 < end <= most + 1 for _, end in times) and
                  abs(collector.header["seconds"] - time.time()) < 60, times[:3], most, lasted, collector.header)
        finally:
            time.clock_settime(time.CLOCK_REALTIME, time.time() - 3600 * hours)


def templates():
    configure(version="9", template_packets=1000000, template_time=f"{PATIENCE}s")
    told = []
    for _ in range(3):
        collector.messages.clear()
        send(alice, frame(packet()))
        flush()
        # The first set of a message that tells of a template is not one of data.
        told.append(any(struct.unpack_from("!H", message, 20)[0] < 256 for message in collector.messages))
    check("templates are not told of each time", told[0] and not told[1], told)
    time.sleep(PATIENCE + 0.1)
    for turn in range(2):
        collector.messages.clear()
        send(alice, frame(packet()))
        flush()
        if any(struct.unpack_from("!H", message, 20)[0] < 256 for message in collector.messages):
            break
    check("but after a time", turn <= 1 and any(struct.unpack_from("!H", message, 20)[0] < 256 for message in collector.messages),
          [message.hex()[:60] for message in collector.messages])
    configure(version="9", mtu=576, template_packets=2)
    want = Counter()
    for number in range(40):
        send(alice, frame(packet(sport=2000 + number)))
        want[2000 + number,] = 1, 48
    flush()
    sizes = [len(message) for message in collector.messages]
    with_template = sum(struct.unpack_from("!H", message, 20)[0] < 256 for message in collector.messages)
    check("messages fit into the MTU, and templates come again after some", max(sizes) <= 576 - 28 and len(sizes) > 4 and
          with_template >= len(sizes) // 2, sizes, with_template)
    agrees("and all flows are in them", dict(want), "sport")
    # Who comes late has no template yet, or has lost it.
    for version, at in ("9", 20), ("ipfix", 16):
        configure(version=version, mtu=576, template_packets=3)
        send(alice, *[frame(packet(sport=2000 + number)) for number in range(100)])
        flush()
        late, messages = Reader(), collector.messages[1:]
        again = next(number for number, message in enumerate(messages) if struct.unpack_from("!H", message, at)[0] < 256)
        for message in messages:
            late.add(message)
        check(f"version {version}: who has lost the first template understands all from the next one on", again > 0 and
              len(late.faults) == again and len(late.messages) > again and
              len(late.records) == len(collector.records) - collector_had(again + 1), again, late.faults, len(late.records),
              len(collector.records))


def samples():
    for mode in "deterministic", "random":
        configure(version="ipfix", sampling=f"{mode}:10")
        frames, _ = many()
        send(alice, *frames[0] * 4)
        now = flush()
        packets = sum(record["packets"] for record in collector.records)
        check(f"{mode}: one of ten packets", packets == now["packets"] and abs(packets - 22) <= 3 and
              now["unsampled"] == 220 - packets, packets, now)
        told = [record for record in collector.options if 304 in record]
        check(f"{mode}: and so it is told", told and told[0][34] == 10 and told[0][304] == {"deterministic": 1, "random": 3}[mode],
              collector.options)
    configure(version="5", sampling="deterministic:10")
    send(alice, *frames[0])
    flush()
    check("in version 5, too", collector.header["sampling"] == 1 << 14 | 10, collector.header)
    configure(version="9", sampling="hash:2")
    send(alice, *[frame(packet(sport=2000 + number)) for number in range(100)] * 2)
    flush()
    told = said("sport")
    check("all packets of some flows", 20 < len(told) < 80 and set(told.values()) == {(2, 96)}, len(told), set(told.values()))


def collectors():
    second = Collector(PORT + 1)
    configure(version="9", collector_2=f"127.0.0.1:{PORT + 1}", collector_7=f"127.0.0.1:{PORT + 2}")
    for _ in range(3):
        want = send_many()
        flush()
    second.take(0.1)
    now = counts()
    total = sum(packets for packets, _ in want.values()) * 3
    check("each collector gets all", sum(record["packets"] for record in second.records) == total and not second.faults and
          sum(record["packets"] for record in collector.records) == total, second.faults, now)
    check("one that does not listen is told of", now["collector.7.errors"] >= 1 and now["collector.7.error"] == 111 and
          now["collector.2.errors"] == now["collector.1.errors"] == 0, now)
    check("what nobody listens to was still sent", now["lost.unsent.flows"] == 0, now)
    configure(version="9", collector_1="203.0.113.77:9")
    send_many()
    now = flush()
    check("without a route all is lost, and told", now["lost.unsent.packets"] == now["packets"] == total // 3 and
          now["exported.packets"] == 0 and now["collector.1.error"] == 101 and now["lost.unsent.bytes"] == now["bytes"], now)
    setting("collector.1", "")
    send_many()
    now = flush()
    check("and without a collector", now["lost.unsent.packets"] == now["packets"] == 2 * (total // 3), now)
    configure(version="5")
    send(alice, frame(packet(src="2001:db8::1", dst="2001:db8::2")), frame(packet()))
    now = flush()
    check("version 5 has no IPv6", now["lost.version.flows"] == now["lost.version.packets"] == 1 and now["exported.packets"] == 1 and
          now["lost.version.bytes"] == 68, now)
    configure(version="9", source="127.0.0.9")
    send_many()
    flush()
    check("messages have the source that was asked for", collector.sources == {"127.0.0.9"}, collector.sources)


def full():
    configure(version="ipfix", flows=256)
    total = 0
    for number in range(10):
        for index in range(3):
            send(alice, *[frame(packet(src=f"10.{number}.{index}.{host}", size=0)) for host in range(100)])
            total += 100
        # These are more than can wait. The worker may be slow here.
        until = time.monotonic() + 10
        while counts()["waiting"] and time.monotonic() < until:
            collector.take(0.01)
    now = flush()
    told = sum(record["packets"] for record in collector.records)
    check("a table that is full ends its oldest flows", now["ended.full"] > 500 and not collector.faults, now, collector.faults)
    check("and loses no packet that it does not tell of", told + now["lost.full.packets"] == now["packets"] == total and
          now["lost.full.bytes"] == 28 * now["lost.full.packets"], told, total, now)
    if CPUS > 1:
        configure(version="ipfix", flows=256)
        cpus = os.sched_getaffinity(0)
        for cpu in 0, 1:
            os.sched_setaffinity(0, {cpu})
            was = counts()
            for number in range(5 - 4 * cpu):
                send(alice, *[frame(packet(src=f"10.{cpu}.{number}.{host}", size=0)) for host in range(100)])
                time.sleep(0.05)
        os.sched_setaffinity(0, cpus)
        now = flush()
        check("a CPU whose flows fill the table leaves room for those of another", now["lost.full.packets"] ==
              was["lost.full.packets"] and was["ended.full"] > 0 and now["packets"] == 600, was, now)


def changes():
    configure(version="9")
    total = Counter()

    def some():
        for key, (packets, octets) in send_many().items():
            total[key] = tuple(map(sum, zip(total[key] or (0, 0), (packets, octets))))

    some()
    setting("active", "100s")
    some()
    check("flows stay when options change", counts()["exported.packets"] == 0 and counts()["current"] >= len(total), counts())
    block.renew(drop_state=False, **USUAL | {"version": "9"})
    check("and when the block is replaced", counts()["exported.packets"] == 0 and counts()["current"] >= len(total), counts())
    some()
    setting("flows", "1000")
    some()
    setting("key", "addresses,ports,protocol,tos,interface,vlan")
    some()
    setting("version", "ipfix")
    some()
    now = flush()
    agrees("and none is lost when there is another table, or another key or version", dict(total), *KEYS)
    check("the sums are equal", now["exported.packets"] == now["packets"] and now["exported.bytes"] == now["bytes"] and
          now["begun"] == sum(now[f"ended.{why}"] for why in ("inactive", "active", "closed", "forced", "full")), now)
    was = len(collector.records)
    sent = sum(packets for packets, _ in send_many().values())
    for answer in (lana.transact(("FB_NEW", "z", "dummy")), lana.replace(block.name, "z", drop_state=True), lana.remove(block.name)):
        assert not answer.error, answer
    collector.take(0.3)
    told = sum(record["packets"] for record in collector.records[was:])
    check("a block that goes tells of its flows first", told == sent, told, sent)


versions()
keys()
if WAY == "skbs":
    biflows()
    ends()
    clock()
    templates()
    samples()
    collectors()
    full()
changes()
end()

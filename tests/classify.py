# SPDX-License-Identifier: GPL-2.0
"""classify.py [hits]: what comes in by lan0 goes where the rules of a classify say. Each of its ports has a counter. `hits`:
only whether what a graph has counted until now fits together."""

import errno
import socket
import struct
import sys

import frames
from lana import check, end
from rig import FRAMES, SLOW, Lana, Load, inside, quiesce

BOB, ALICE = bytes.fromhex("02000000000b"), bytes.fromhex("02000000000a")
PORTS = 4
lana = Lana()


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def speaker():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sock.bind(("a0", 0))
    return sock


alice = inside("alice", speaker)


# --- Packets ---


def ethernet(ether_type, data, tags=()):
    tags = b"".join(struct.pack("!HH", *tag) for tag in tags)
    return (BOB + ALICE + tags + struct.pack("!H", ether_type) + data).ljust(60, b"\0")


def ipv4(protocol, data, source="192.0.2.1", destination="192.0.2.2", dscp=0, place=0, tags=()):
    head = struct.pack("!BBHHHBBH4s4s", 0x45, dscp << 2, 20 + len(data), 1, place, 64, protocol, 0,
                       socket.inet_aton(source), socket.inet_aton(destination))
    return ethernet(0x0800, head + data, tags)


def ipv6(protocol, data, source="2001:db8::1", destination="2001:db8::2", dscp=0):
    head = struct.pack("!IHBB", 6 << 28 | dscp << 22, len(data), protocol, 64)
    return ethernet(0x86DD, head + socket.inet_pton(socket.AF_INET6, source) +
                    socket.inet_pton(socket.AF_INET6, destination) + data)


def udp(sport=4000, dport=53):
    return struct.pack("!HHHH", sport, dport, 12, 0) + b"data"


def tcp(sport=4000, dport=80):
    return struct.pack("!HHIIBBHHH", sport, dport, 1, 0, 5 << 4, 2, 100, 0, 0)


def icmp(kind, code=0):
    return struct.pack("!BBHHH", kind, code, 0, 1, 1)


UDP, TCP, ICMP, ICMPV6 = 17, 6, 1, 58
EXTENDED = ipv6(0, bytes([60, 0]) + bytes(6) + bytes([UDP, 0]) + bytes(6) + udp())
PACKETS = {
    "udp": ipv4(UDP, udp()),
    "tcp": ipv4(TCP, tcp(), source="198.51.100.9", dscp=46),
    "ping": ipv4(ICMP, icmp(8)),
    "later": ipv4(UDP, udp(), place=1),
    "first": ipv4(UDP, udp(), place=0x2000),
    "bent": ipv4(UDP, struct.pack("!HHHH", 4000, 53, 7, 0)),
    "udp6": EXTENDED,
    "ping6": ipv6(ICMPV6, icmp(128, 3), source="2001:db8:5::1"),
    "arp": ethernet(0x0806, struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + bytes(20)),
    "tagged": ipv4(UDP, udp(), tags=[(0x8100, 10)]),
    "stacked": ipv4(UDP, udp(), tags=[(0x88A8, 20), (0x8100, 10)]),
    "other": ethernet(0x88B5, b"x"),
}
OF_V4 = ["udp", "tcp", "ping", "later", "first", "bent", "tagged", "stacked"]
PORT_53 = ["udp", "first", "udp6", "tagged", "stacked"]
KEYS = [
    ("ethertype=ipv4", OF_V4), ("ethertype=ipv6", ["udp6", "ping6"]), ("ethertype=arp", ["arp"]),
    ("ethertype=0x88b5", ["other"]), ("vlan=10", ["tagged"]), ("vlan=0-4095", ["tagged", "stacked"]),
    ("vlan=20", ["stacked"]), ("proto=udp", [name for name in OF_V4 if name not in ("tcp", "ping")] + ["udp6"]),
    ("proto=tcp", ["tcp"]), ("proto=58", ["ping6"]), ("src=198.51.100.0/24", ["tcp"]), ("src=0.0.0.0/0", OF_V4),
    ("dst=192.0.2.2", OF_V4), ("src=2001:db8::/48", ["udp6"]), ("dst=2001:db8::2", ["udp6", "ping6"]),
    ("sport=4000", PORT_53 + ["tcp"]), ("dport=53", PORT_53), ("dport=54-80", ["tcp"]), ("dscp=ef", ["tcp"]),
    ("icmp-type=8", ["ping"]), ("icmp-type=128/3", ["ping6"]), ("icmp-type=128/0", []),
    ("proto=udp dport=53 src=192.0.2.0/24 vlan=10", ["tagged"]), ("", list(PACKETS)),
    # ld #12; what is of IPv6.
    ('bpf="4,40 0 0 12,21 0 1 34525,6 0 0 1,6 0 0 0"', ["udp6", "ping6"]),
    ('dport=53 bpf="4,40 0 0 12,21 0 1 34525,6 0 0 1,6 0 0 0"', ["udp6"]),
]


# --- The graph ---


def build():
    """The block c on lan0, with a counter on each of its ports."""
    must(lana.transact(("FB_NEW", "c", "classify"), ("BIND", "c", "lan0"),
                       *(("FB_NEW", f"k{n}", "counter") for n in range(PORTS)),
                       *(("BIND", f"k{n}", "c") for n in range(PORTS))))


def change(**settings):
    for key, value in settings.items():
        must(lana.do("FB_SET", "c", key.replace("_", "."), value))


def arrived():
    """How many packets came to each port, and what the block's own counters say."""
    blocks = lana.blocks()
    return [blocks[f"k{n}"].packets for n in range(PORTS)]


def counted(key):
    return int(lana.get("c").options[key])


def came(frame):
    """The port by which a frame comes out."""
    before, dropped = arrived(), lana.get("c").drops
    alice.send(frame)
    quiesce()
    ports = [n for n, (was, now) in enumerate(zip(before, arrived())) if was != now]
    drops = lana.get("c").drops
    return ports[0] if ports else [reason for reason in drops if drops[reason] != dropped.get(reason, 0)][0]


def keys(way):
    """Each key, alone and with others."""
    build()
    for number, (rule, wanted) in enumerate(KEYS):
        change(rule_0=f"{rule} -> 1")
        before = counted("rule.0.packets")
        names = PACKETS if SLOW < 50 or number % 4 == 0 else wanted
        found = [name for name in names if came(PACKETS[name]) == 1]
        check(f"{way}: {rule or 'no key'}", set(found) == set(wanted) and
              (before, counted("rule.0.packets")) == (0, len(wanted)), found, wanted, lana.get("c").options)
    lana.take_apart()


def order():
    """The first rule wins; default; drop; hits, to the packet."""
    build()
    change(rule_20="dport=53 -> 2", rule_3="src=192.0.2.1 -> 1", rule_30="-> drop", default="3")
    check("the rule with the lowest number wins", came(PACKETS["udp"]) == 1)
    check("then the next one", came(PACKETS["udp6"]) == 2)
    check("a rule may drop", came(PACKETS["arp"]) == "filtered")
    change(rule_30="")
    check("what no rule matches goes by the default", came(PACKETS["arp"]) == 3)
    change(default="drop")
    check("or is dropped", came(PACKETS["arp"]) == "filtered")
    change(default="63")
    check("a port that leads nowhere is a drop", came(PACKETS["arp"]) == "unbound")
    check("hits", (counted("rule.3.packets"), counted("rule.20.packets"), counted("unmatched")) == (1, 1, 3),
          lana.get("c").options)
    change(rule_3="src=192.0.2.1 -> 1", rule_20="dport=53 -> 1")
    check("a rule that is set to what it was keeps its hits, another one begins anew",
          (counted("rule.3.packets"), counted("rule.20.packets")) == (1, 0))
    must(lana.add("d", "classify"))
    must(lana.do("FB_SET", "d", "rule.3", "src=192.0.2.1 -> 1"))
    must(lana.do("FB_SET", "d", "rule.4", "dport=53 -> 2"))
    must(lana.replace("c", "d"))
    options = lana.get("d").options
    check("a block that replaces it goes on counting", (options["rule.3.packets"], options["rule.4.packets"],
                                                         options["unmatched"]) == ("1", "0", "3"), options)
    check("by its own rules", "rule.20" not in options and "default" not in options, options)
    lana.take_apart()


def super_packets():
    """A super-packet is one packet: it goes whole by its rule, and is one hit."""
    build()
    change(rule_1="proto=tcp dport=9 dst=198.18.0.2 -> 1", rule_2="proto=tcp -> 2")
    before = arrived(), lana.blocks()["k1"].bytes
    frames.alice.send(frames.tcp(2500), frames.vnet_hdr(frames.GSO_TCPV4, 54, 1000, 34, 16))
    quiesce()
    grew = [now - was for was, now in zip(before[0], arrived())]
    size = lana.blocks()["k1"].bytes - before[1]
    check("a super-packet goes by one rule, whole", grew == [0, 1, 0, 0] and size == 2554, grew, size)
    check("and is one hit of it", (counted("rule.1.packets"), counted("rule.2.packets")) == (1, 0), lana.get("c").options)
    frames.alice.send(frames.udp(101), frames.vnet_hdr(0, 0, 0, 34, 6))
    quiesce()
    check("a checksum that is left to a device does not matter", (arrived()[0], counted("unmatched")) == (before[0][0] + 1, 1),
          arrived(), lana.get("c").options)
    lana.take_apart()


def lists():
    """Lists of prefixes, which rules name by number."""
    build()
    change(rule_1="src=@7 -> 1", rule_2="dst=@7 -> 2")
    check("a list that is not there is empty", came(PACKETS["udp"]) == 0)
    change(prefixes_7="198.51.100.0/24, 2001:db8:5::/48")
    check("a source in a list", [came(PACKETS[name]) for name in ("tcp", "ping6", "udp", "udp6", "arp")] == [1, 1, 0, 0, 0])
    change(prefixes_7="192.0.2.2\n2001:db8::2 192.0.2.2/32")
    check("another list of that number: a destination in it",
          [came(PACKETS[name]) for name in ("tcp", "ping6", "udp6", "arp")] == [2, 2, 2, 0])
    check("lists are shown in order, and in one form", lana.get("c").options["prefixes.7"] == "192.0.2.2,2001:db8::2")
    check("hits", (counted("rule.1.packets"), counted("rule.2.packets")) == (2, 3), lana.get("c").options)
    # As many as an option can hold: every other network of 198.18.0.0/15, and the one that the packets are from.
    many = ",".join(["192.0.2.1"] + [f"198.{18 + n // 128}.{n % 128 * 2}.0/24" for n in range(256)] +
                    [f"2001:db8:{n:x}::1" for n in range(0x1000, 0x1b00)])
    change(prefixes_7=many)
    check("a long list", came(PACKETS["udp"]) == 1)
    check("has all its prefixes", lana.value("c", "prefixes.7") == many and lana.get("c").sizes == {"prefixes.7": len(many)})
    # Ports have lists of their own, also of that number.
    change(rule_2="proto=udp dport=@7 -> 2")
    check("a list of ports that is not there is empty", came(PACKETS["udp6"]) == 0)
    change(ports_7="53 1000-2000,443\n52-53")
    check("a port in a list", [came(PACKETS[name]) for name in ("udp6", "udp", "tcp", "arp")] == [2, 1, 0, 0])
    check("ports are shown in order, and in one form", lana.get("c").options["ports.7"] == "52-53,443,1000-2000")
    must(lana.transact(("FB_SET", "c", "ports.7+", "54,2001"), ("FB_SET", "c", "ports.7-", "53,1500")))
    check("ports are added and removed",
          lana.get("c").options["ports.7"] == "52,54,443,1000-1499,1501-2001" and came(PACKETS["udp6"]) == 0)
    refused = lana.do("FB_SET", "c", "ports.7-", "1499-1501 52")
    check("what is not there cannot be removed", refused.error == errno.ENOENT and "'1500' is not" in refused.text, refused)
    change(ports_7="0-65535", rule_2="sport=@7 dport=@7 -> 2")
    check("all ports, at both ends", [came(PACKETS[name]) for name in ("udp6", "tcp", "ping6", "arp")] == [2, 2, 0, 0])
    change(ports_7="", rule_2="")
    change(prefixes_8="0.0.0.0/0", rule_1="src=@8 -> 3", rule_2="")
    check("rules can name other lists", [came(PACKETS[name]) for name in ("udp", "udp6")] == [3, 0])
    change(prefixes_8="")
    check("a list that is taken away is empty", came(PACKETS["udp"]) == 0 and "prefixes.8" not in lana.get("c").options)
    lana.take_apart()


def directions():
    """What goes down passes by port 0, unless direction says otherwise."""
    must(lana.transact(("FB_NEW", "c", "classify"), ("FB_NEW", "k0", "counter"), ("FB_NEW", "k1", "counter"),
                       ("BIND", "c", "k0"), ("BIND", "c", "k1"), ("BIND", "lan0", "c")))
    change(rule_0="proto=udp -> 1")
    for direction, wanted in ("ingress", [1, 0]), ("egress", [1, 1]), ("both", [1, 2]):
        change(direction=direction)
        alice.send(PACKETS["udp"])
        quiesce()
        blocks = lana.blocks()
        found = [blocks[name].packets for name in ("k0", "k1")]
        check(f"direction={direction}: what goes down", found == wanted, found)
    lana.take_apart()


def under_load(way):
    """Rules that change at full rate: each packet goes by an output that one of its rules names, none is lost."""
    build()
    change(rule_5="ethertype=ipv6 -> 3", rule_1="dport=9 -> 1", default="0", prefixes_4="0.0.0.0/0")
    before = lana.blocks()["lan0"].packets
    load = Load("alice").add("a0", 0, *(FRAMES if way == "frames" else []), mac="02:00:00:00:00:0b").start()
    for turn in range(max(600 // SLOW, 12)):
        change(prefixes_4=["0.0.0.0/0", "0.0.0.0/1,128.0.0.0/1,::/0"][turn % 2])
        change(rule_1=f"dport=9 src={'@4' if turn % 3 else '0.0.0.0/0'} -> {1 + turn % 2}")
        change(rule_2=f"proto=udp dport={turn}-65535 -> 2")
        change(rule_9="ethertype=arp -> 3")
        change(rule_9="")
        if turn % 5 == 0:
            must(lana.add("d", "classify"))
            for key, value in ("rule.5", "ethertype=ipv6 -> 3"), ("rule.1", "dport=9 -> 1"):
                must(lana.do("FB_SET", "d", key, value))
            must(lana.replace("c", "d"))
            must(lana.remove("c"))
            must(lana.transact(("FB_NEW", "c", "classify")))
            for key, value in ("rule.5", "ethertype=ipv6 -> 3"), ("rule.1", "dport=9 -> 1"):
                must(lana.do("FB_SET", "c", key, value))
            must(lana.replace("d", "c"))
            must(lana.remove("d"))
    load.stop()
    blocks = lana.blocks()
    ports = arrived()
    entered = blocks["lan0"].packets - before
    check(f"{way}: rules change under load: all that came in goes out", sum(ports) == entered >= 1, ports, entered,
          blocks["c"].drops)
    check(f"{way}: nothing by an output that no rule names for it", ports[0] == ports[3] == 0 and all(ports[1:3]), ports)
    check(f"{way}: nothing was dropped", not any(blocks["c"].drops.values()), blocks["c"].drops)
    lana.take_apart()


def hits():
    """After malformed packets: each is a hit of one rule or of none, and came out where that says."""
    blocks = lana.blocks()
    block, ports = blocks["c"], arrived()
    options = lana.get("c").options
    of_rules = {key.split(".")[1]: int(value) for key, value in options.items() if key.endswith(".packets")}
    unmatched, malformed = int(options["unmatched"]), int(options["malformed"])
    print("#", of_rules, unmatched, malformed, ports, block.drops)
    check("each packet is a hit of one rule, or of none", sum(of_rules.values()) + unmatched == block.packets > 0)
    check("some are malformed, and not all", 0 < malformed < block.packets)
    check("each rule has some", all(of_rules.values()) and unmatched)
    check("each came out where its rule says", ports == [
        unmatched, of_rules["1"] + of_rules["3"], of_rules["2"] + of_rules["4"], of_rules["0"]])
    check("or was dropped", block.drops.get("filtered") == of_rules["5"])
    end()


def main():
    must(lana.hook("lan0"))
    keys("skbs")
    order()
    super_packets()
    lists()
    directions()
    under_load("skbs")
    must(lana.unhook("lan0"))
    must(lana.hook("lan0", xdp=True))
    keys("frames")
    under_load("frames")
    must(lana.unhook("lan0"))
    end()


if sys.argv[1:] == ["hits"]:
    hits()
else:
    main()

# SPDX-License-Identifier: GPL-2.0
"""Classify: packets to random addresses or ports, which are looked up among many. All are dropped, whether they are found
or not, so that each contender drops as many."""

import ipaddress
import os
import tempfile

import ovs
from common import OWNED, batch, contender, do, engine, hook
from sections.drop import LINUX, linux, place, swallow

SIZES, MANY = [1, 100, 10000], 1000000
# A filter of tc or a flow of Open vSwitch takes a kilobyte and more; a kernel that is emulated takes hours to make so many.
FEW = {"tc flower": "a filter takes a kilobyte and more", "Open vSwitch": "a flow takes a kilobyte and more"}
FIRST = int(ipaddress.ip_address("10.0.0.0"))
PREFIXES, MIXED, PORTS = "prefixes of one length", "prefixes of 9 lengths", "ports"
SLOT = 512


def spread(size):
    """The load: destinations in all slots, evenly."""
    last = ipaddress.ip_address(FIRST + size * SLOT - 1)
    return [*OWNED, f"dst_min {ipaddress.ip_address(FIRST)}", f"dst_max {last}", "flag IPDST_RND"]


def ports(size):
    return [*OWNED, "udp_dst_min 1", f"udp_dst_max {size + 1}", "flag UDPDST_RND"]


def one_length(size):
    """Half of the packets are to one of them."""
    return [f"{ipaddress.ip_address(FIRST + slot * SLOT)}/24" for slot in range(size)]


def lengths(size):
    """One of nine packets is to one of them."""
    return [f"{ipaddress.ip_address(FIRST + slot * SLOT)}/{24 + slot % 9}" for slot in range(size)]


# --- Contenders: each is told a device, and the prefixes or ports ---

def nft(device, text):
    # Rather than the kernel, it is to be out of memory.
    do("prlimit", "--as=1200000000", "nft", "-f", "-", text=f"table netdev {device} {{\n{text}\n}}\n")


def nft_set(device, prefixes):
    nft(device, f"""
        set s {{ type ipv4_addr; flags interval; elements = {{ {", ".join(prefixes)} }}; }}
        chain in {{ type filter hook ingress device {device} priority 0; policy drop; ip daddr @s counter drop; }}
    """)


def nft_ports(device, numbers):
    nft(device, f"""
        set s {{ type inet_service; elements = {{ {", ".join(map(str, numbers))} }}; }}
        chain in {{ type filter hook ingress device {device} priority 0; policy drop; udp dport @s counter drop; }}
    """)


def nft_rules(device, numbers):
    rules = "\n".join(f"udp dport {number} counter drop" for number in numbers)
    nft(device, f"chain in {{ type filter hook ingress device {device} priority 0; policy drop;\n{rules}\n}}")


def flower(device, keys):
    do("tc", "qdisc", "add", "dev", device, "clsact")
    filters = [f"filter add dev {device} ingress protocol ip prio 1 flower {key} action drop" for key in keys]
    do("tc", "-batch", "-", text="\n".join([*filters, f"filter add dev {device} ingress prio 2 matchall action drop"]))


def flower_set(device, prefixes):
    flower(device, [f"dst_ip {prefix}" for prefix in prefixes])


def flower_ports(device, numbers):
    flower(device, [f"ip_proto udp dst_port {number}" for number in numbers])


def open_vswitch(device, flows):
    """What no flow matches it hands to its program. There is none, so that is a drop, too."""
    datapath = ovs.Datapath("o" + device)
    port = datapath.port(device)
    for flow in flows:
        datapath.drop(port, **flow)


def ovs_set(device, prefixes):
    open_vswitch(device, ({"prefix": ipaddress.ip_network(prefix)} for prefix in prefixes))


def ovs_ports(device, numbers):
    open_vswitch(device, ({"dport": number} for number in numbers))


def lana(load, *settings):
    wire, device = place(load)
    hook(wire.near)
    batch("add c classify", f"bind c {wire.near}", "set c default=drop", *(f"set c '{setting}'" for setting in settings))
    return contender(device, load, engine())


def lana_list(load, kind, members, rule):
    """In a list that a rule names."""
    with tempfile.NamedTemporaryFile("w") as file:
        file.write("\n".join(map(str, members)))
        file.flush()
        return lana(load, f"{kind}.0=@{file.name}", f"rule.0={rule}=@0 -> drop")


def lana_set(load, prefixes):
    return lana_list(load, "prefixes", prefixes, "dst")


def lana_ports(load, numbers):
    return lana_list(load, "ports", numbers, "proto=udp dport")


def lana_rules(load, numbers):
    return lana(load, *(f"rule.{number}=proto=udp dport={number} -> drop" for number in numbers))


def peer(load, setup, what):
    return swallow(load, lambda device: setup(device, what))


def run(section):
    many = [MANY] * (os.environ.get("LANA_LANE") == "uml-up")
    for name, make in (PREFIXES, one_length), (MIXED, lengths):
        for size in SIZES + many:
            load, prefixes = spread(size), make(size)
            section.offer(name, LINUX, lambda: linux(load), size)
            for who, setup in ("nft, set", nft_set), ("tc flower", flower_set), ("Open vSwitch", ovs_set):
                if size == MANY and who in FEW:
                    section.miss(name, who, FEW[who], size)
                else:
                    section.offer(name, who, lambda: peer(load, setup, prefixes), size)
            section.offer(name, "LANA, classify", lambda: lana_set(load, prefixes), size)
        section.take_turns()
    for size in SIZES:
        load, numbers = ports(size), range(1, size + 1)
        section.offer(PORTS, LINUX, lambda: linux(load), size)
        for who, setup in [("nft, set", nft_ports), ("nft, rules", nft_rules), ("tc flower", flower_ports),
                           ("Open vSwitch", ovs_ports)]:
            section.offer(PORTS, who, lambda: peer(load, setup, numbers), size)
        section.offer(PORTS, "LANA, classify", lambda: lana_ports(load, numbers), size)
        section.offer(PORTS, "LANA, rules", lambda: lana_rules(load, numbers), size)
    section.take_turns()

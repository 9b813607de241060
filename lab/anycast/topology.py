# SPDX-License-Identifier: GPL-2.0
"""The report's network, in namespaces of the running kernel. The router of each autonomous system (AS) has a namespace. So has
each of five hosts, which are behind a router:

                        AS1 ──────── AS3
                         │            │
                        AS2          AS5 ISP_B ── AS13 DINR_B ── dinrB 50.50.50.50
                         │            └────────── AS21 ENT_B ─── pcB 21.0.0.10
      AS11 ── ISP_A AS4 ─┤
    central   AS12 DINR_A ── dinrA 50.50.50.50
              AS20 ENT_A ─── pcA 20.0.0.10

A router's device has the name of the router at its other end, or `lan` towards a host. A host's device is `eth0`."""

import os
import sys

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
# pylint: disable=wrong-import-position
from network import enter, run, sysctl  # noqa: E402

NAMES = {1: "ISP_Z", 2: "ISP_Z", 3: "ISP_Z", 4: "ISP_A", 5: "ISP_B", 11: "CENTRAL", 12: "DINR_A", 13: "DINR_B",
         20: "ENT_A", 21: "ENT_B"}
# The links: both systems, and the last byte of their addresses in 172.16.0.N/30.
LINKS = ((1, 2, 1, 2), (1, 3, 5, 6), (3, 5, 9, 10), (2, 4, 13, 14), (4, 20, 17, 18), (5, 21, 21, 22), (4, 11, 25, 26),
         (4, 12, 29, 30), (5, 13, 33, 34))
SERVICE, PREFIX = "50.50.50.50", "50.0.0.0/8"
# The hosts: the system they are in, their address, and their router's.
HOSTS = {"pcA": (20, "20.0.0.10", "20.0.0.1"), "pcB": (21, "21.0.0.10", "21.0.0.1"),
         "central": (11, "11.0.0.10", "11.0.0.1"), "dinrA": (12, SERVICE, "50.0.0.1"), "dinrB": (13, SERVICE, "50.0.0.1")}
# The two sites: the host that answers, and the system that announces the service.
SITES = {"dinrA": 12, "dinrB": 13}


def address(number):
    return f"172.16.0.{number}"


def neighbours(system):
    """Yields the neighbours of a system: number, the system's own address on the link, the neighbour's address."""
    for one, other, near, far in LINKS:
        if one == system:
            yield other, address(near), address(far)
        elif other == system:
            yield one, address(far), address(near)


def prefix(system):
    """The prefix that a system announces."""
    return PREFIX if system in SITES.values() else f"{system}.0.0.0/8"


def place(system):
    """The namespace of a system."""
    return f"as{system}"


def build(latency=0):
    """Creates the network. `latency` is the delay of each link in each direction, in milliseconds."""
    links, inside, slow = [], {}, {}

    def wire(one, one_name, other, other_name):
        links.append(f"link add name {one_name} netns {one} type veth peer name {other_name} netns {other}")
        for namespace, name in ((one, one_name), (other, other_name)):
            inside[namespace].append(f"link set {name} up")
            if latency:
                slow[namespace].append(f"qdisc add dev {name} root netem delay {latency}ms limit 100000")

    for name in (*map(place, NAMES), *HOSTS):
        run("ip", "netns", "add", name)
        enter(name)
        sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        sysctl("net/ipv4/ip_forward", int(name not in HOSTS))
        # No limit for the ICMP errors that traceroute needs.
        sysctl("net/ipv4/icmp_ratelimit", 0)
        sysctl("net/ipv4/icmp_msgs_per_sec", 1000000)
        inside[name], slow[name] = ["link set lo up"], []
    for one, other, near, far in LINKS:
        wire(place(one), place(other), place(other), place(one))
        for system, neighbour, own in ((one, other, near), (other, one, far)):
            inside[place(system)] += [
                f"address add {address(own)}/30 dev {place(neighbour)}",
                # A segment is acknowledged at once: BIRD sends by Nagle's algorithm, and would wait 40 ms now and then.
                f"route replace {address(own & ~3)}/30 dev {place(neighbour)} proto kernel scope link src {address(own)} quickack 1"]
    for host, (system, own, gateway) in HOSTS.items():
        wire(place(system), "lan", host, "eth0")
        inside[place(system)].append(f"address add {gateway}/8 dev lan")
        if host not in SITES:
            inside[host] += [f"address add {own}/8 dev eth0", f"route add default via {gateway}"]
    enter("")
    run("ip", "-batch", "-", text="\n".join(links))
    for name, lines in inside.items():
        run("ip", "-netns", name, "-batch", "-", text="\n".join(lines))
        if slow[name]:
            run("tc", "-netns", name, "-batch", "-", text="\n".join(slow[name]))


def answer():
    """Binds an icmp-echo block for the service at both sites."""
    run("modprobe", "-a", "lana", "fb_eth", "fb_icmp_echo")
    for site in SITES:
        enter(site)
        run("vlink", "ethernet", "hook", "eth0")
        run("fbctl", "-b", "-", text=f"add echo icmp-echo\nset echo addr={SERVICE}\nset echo arp=on\nbind echo eth0\n")
    enter("")


def remove():
    """Removes the network, and the graphs in it."""
    enter("")
    for name in (*map(place, NAMES), *HOSTS):
        run("ip", "netns", "delete", name)

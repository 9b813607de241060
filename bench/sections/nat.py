# SPDX-License-Identifier: GPL-2.0
"""Addresses translated on the way from one device to another: UDP with checksums, of one session and of many, which is
counted at the far end. nftables translates where Linux routes, so LANA does it once as a bridge, and once with a route."""

from common import FOREIGN, WIRE, Room, Wire, batch, contender, do, hook, stack, write

SESSIONS = [1, 10000]
STATEFUL, STATELESS = "sessions", "without state"
INSIDE, OUTSIDE, THERE, GATEWAY = "10.0.0.1", "192.0.2.100", "198.51.100.2", "192.0.2.1"


def load(wire, sessions):
    """As many sessions as source ports, in any order."""
    return [*WIRE, f"dst_mac {wire.mac}", f"dst_min {THERE}", f"dst_max {THERE}", f"src_min {INSIDE}", f"src_max {INSIDE}",
            "udp_src_min 1024", f"udp_src_max {1024 + sessions}", *["flag UDPSRC_RND"] * (sessions > 1), "flag UDPCSUM",
            "udp_dst_min 53", "udp_dst_max 53"]


def gateway(setup, sessions=1, routed=True):
    """`setup` is told the two devices. Where Linux routes, they have addresses and a neighbour."""
    Room()
    source, target = Wire(), Wire()
    if routed:
        write("/proc/sys/net/ipv4/ip_forward", "1")
        do("ip", "-batch", "-", text=f"""
            address add 10.0.0.254/24 dev {source.near}
            address add {OUTSIDE}/24 dev {target.near}
            neighbour add {GATEWAY} lladdr {FOREIGN} nud permanent dev {target.near}
            neighbour add {INSIDE} lladdr {FOREIGN} nud permanent dev {source.near}
            route add default via {GATEWAY}
        """)
    setup(source.near, target.near)
    return contender(source.far, load(source, sessions), stack(target.far))


def forward(source, target):
    """What Linux's routing takes alone."""


def nft(source, target, flows=""):
    do("nft", "-f", "-", text=f"""
        table ip nat {{
            {flows}
            chain out {{ type nat hook postrouting priority srcnat; oifname "{target}" snat to {OUTSIDE}; }}
        }}
    """)


def flowtable(source, target):
    nft(source, target, f"""
        flowtable f {{ hook ingress priority 0; devices = {{ {source}, {target} }}; }}
        chain fast {{ type filter hook forward priority 0; flow add @f; }}
    """)


def nft_stateless(source, target):
    """As for a firewall without conntrack: the address is set, and the packet sent on."""
    do("nft", "-f", "-", text=f"""
        table netdev n {{
            chain in {{ type filter hook ingress device {source} priority 0; ip saddr set {OUTSIDE} fwd to {target}; }}
        }}
    """)


def tc_stateless(source, target):
    do("tc", "qdisc", "add", "dev", source, "clsact")
    do("tc", "filter", "add", "dev", source, "ingress", "protocol", "ip", "matchall", "action", "nat", "egress", INSIDE + "/32",
       OUTSIDE, "pipe", "action", "mirred", "egress", "redirect", "dev", target)


def lana(*settings):
    def setup(source, target):
        hook(source, target)
        batch("add n nat", f"bind n {target}", f"bind {source} n", *(f"set n {setting}" for setting in settings))
    return setup


def lana_routed(source, target):
    """The block route between the two devices, and nat between it and the outer one."""
    hook(source, target)
    batch("add n nat", "add r route", f"bind r {source}", f"bind n {target}", "bind r n",
          f"set n source={OUTSIDE}", f"set r route.0='10.0.0.0/24 -> 0'", f"set r route.1='0.0.0.0/0 via {GATEWAY} -> 1'")


def lana_route(source, target):
    hook(source, target)
    batch("add r route", f"bind r {source}", f"bind r {target}",
          f"set r route.0='10.0.0.0/24 -> 0'", f"set r route.1='0.0.0.0/0 via {GATEWAY} -> 1'")


def run(section):
    for sessions in SESSIONS:
        for name, setup, routed in [
                ("Linux routes, no NAT", forward, True), ("nft snat", nft, True), ("nft snat, flowtable", flowtable, True),
                ("LANA, route, no NAT", lana_route, True), ("LANA, nat", lana(f"source={OUTSIDE}"), False),
                ("LANA, route and nat", lana_routed, True)]:
            section.offer(STATEFUL, name, lambda: gateway(setup, sessions, routed), sessions)
        section.take_turns()
    for name, setup in [("nft netdev, saddr set, fwd", nft_stateless), ("tc nat, mirred redirect", tc_stateless),
                        ("LANA, nat, map", lana("map=10.0.0.0/24=192.0.2.0/24"))]:
        section.offer(STATELESS, name, lambda: gateway(setup, routed=False))
    section.take_turns()

# SPDX-License-Identifier: GPL-2.0
"""Forward: in by one device, out by another, and counted at the far end of that one's wire."""

import ebpf
import ovs
from common import FOREIGN, WIRE, Room, Wire, batch, contender, do, floor, hook, received, stack


def forward(setup, sink=stack):
    """`setup` has what comes in at one device leave by the other."""
    Room()
    source, target = Wire(), Wire()
    setup(source.near, target.near, target.far)
    return contender(source.far, WIRE, sink(target.far))


def bridge(source, target, _):
    """Where to is known; nothing is learned, or looked into."""
    name = "b" + source
    do("ip", "link", "add", name, "type", "bridge", "stp_state", "0", "mcast_snooping", "0")
    do("ip", "-batch", "-", text=f"""
        link set {source} master {name}
        link set {target} master {name}
        link set {name} up
    """)
    for device in source, target:
        do("bridge", "link", "set", "dev", device, "learning", "off", "flood", "off")
    do("bridge", "fdb", "add", FOREIGN, "dev", target, "master", "static")


def mirred(source, target, _):
    do("tc", "qdisc", "add", "dev", source, "clsact")
    do("tc", "filter", "add", "dev", source, "ingress", "matchall", "action", "mirred", "egress", "redirect",
       "dev", target)


def tc_bpf(source, target, _):
    ebpf.on_tc(source, ebpf.redirect(target))


def xdp_generic(source, target, _):
    ebpf.on_xdp(source, "xdpgeneric", ebpf.redirect(target))


def xdp_native(source, target, far):
    """The far end wants a program, too: it drops, so that no skb is made there; the device counts."""
    ebpf.on_xdp(far, "xdpdrv", ebpf.XDP_DROP)
    ebpf.on_xdp(target, "xdpdrv", ebpf.XDP_DROP)
    ebpf.on_xdp(source, "xdpdrv", ebpf.redirect(target))


def nft(source, target, rule):
    do("nft", "-f", "-", text=f"""
        table netdev {source} {{
            chain in {{ type filter hook ingress device {source} priority 0; {rule}; }}
        }}
    """)


def nft_fwd(source, target, _):
    nft(source, target, f"fwd to {target}")


def nft_dup(source, target, _):
    nft(source, target, f"dup to {target}; drop")


def open_vswitch(source, target, _):
    datapath = ovs.Datapath("o" + source)
    one, other = datapath.port(source), datapath.port(target)
    datapath.flow(one, other)
    datapath.flow(other, one)


def least(source, target, _):
    floor(f"{source}>{target}")


def lana(source, target, _):
    hook(source, target)
    batch(f"add {source}b dummy", f"bind {source}b {source}", f"bind {target} {source}b")


def run(section):
    for name, setup, sink in [
            ("bridge", bridge, stack), ("tc mirred redirect", mirred, stack), ("tc-bpf redirect", tc_bpf, stack),
            ("XDP generic redirect", xdp_generic, stack), ("XDP native redirect", xdp_native, received),
            ("nft fwd", nft_fwd, stack), ("nft dup, drop", nft_dup, stack),
            ("Open vSwitch", open_vswitch, stack), ("the least, sent on at once", least, stack),
            ("LANA, eth - dummy - eth", lana, stack)]:
        section.offer("wire", name, lambda: forward(setup, sink))
    section.take_turns()

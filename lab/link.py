# SPDX-License-Identifier: GPL-2.0
"""A slow, long and lossy link between two hosts, in namespaces of the kernel this runs in:

    alice a0 --- in west out --- l0 link l1 --- out east in --- b0 bob

`west` and `east` are the ends of the channel. Each has a graph: the stack is between its devices `in` and `out`. `link`
is the link: for each direction a queue that sends at the rate of the link, and a block `delay` for both, which loses
packets. Bob is far behind east: a second `delay` is for that. All neighbours are told: nobody asks for them."""

import json
import os
import sys

import network
from network import enter, neighbour, run

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests"))
# pylint: disable=wrong-import-position
import lana  # noqa: E402

# Of the link: bits a second, the time to the other end, and the bytes that wait in front of it.
RATE, LATENCY, QUEUE = "256kbit", "10ms", "32kb"
# The time from east to bob.
FAR = "240ms"
MTU = 1500
# What reliable adds to a packet.
HEADER = 36
# An end sends no faster, so that packets wait on top of the stack and not in the link: with reliable, 4 % less than the link can
# do, as numbers take 2.4 % and the rest is for what is sent again; without it, a little less, for the keepalives.
PACE = {True: "245kbit", False: "254kbit"}
HOSTS = {"alice": ("10.0.0.1", "02:00:00:00:00:0a", "a0"), "bob": ("10.0.0.2", "02:00:00:00:00:0b", "b0")}
ENDS = {"west": "02:00:00:00:00:01", "east": "02:00:00:00:00:02"}
NAMESPACES = (*HOSTS, *ENDS, "link")
# A window of what the link's queue and the link hold, and half of it more. An acknowledgement waits for a packet that takes it
# along: at this rate there is one each 47 ms. In a storm a packet may be lost ten times; the others wait for it.
RELIABLE = {"window": 32, "ack-delay": "60ms", "rto-min": "100ms", "rto-max": "10s", "retries": 60, "timeout": "600s"}


def batch(namespace, *lines):
    """One transaction in a namespace."""
    enter(namespace)
    run("fbctl", "-b", "-", text="\n".join(lines) + "\n")


class Link:
    """The network, with a stack: `plain`, `reliable`, or `adaptive`, which is nothing yet. A stack that may have `reliable` has a queue
    on top that paces, and leaves room for its header."""

    def __init__(self, stack, seed):
        header = 0 if stack == "plain" else HEADER
        for name in NAMESPACES:
            run("ip", "netns", "add", name)
            enter(name)
            network.sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        enter("")
        wires = (("alice", "a0", "west", "in"), ("west", "out", "link", "l0"), ("link", "l1", "east", "out"),
                 ("east", "in", "bob", "b0"))
        ups = {name: ["link set lo up"] for name in NAMESPACES}
        lines = []
        macs = {(place, device): f" address {mac}" for place, (_, mac, device) in HOSTS.items()}
        macs |= {(end, "out"): f" address {mac}" for end, mac in ENDS.items()}
        for one, name, other, peer in wires:
            lines.append(f"link add name {name} netns {one}{macs.get((one, name), '')} type veth "
                         f"peer name {peer} netns {other}{macs.get((other, peer), '')}")
            ups[one].append(f"link set dev {name} up gso_max_segs 1")
            ups[other].append(f"link set dev {peer} up gso_max_segs 1")
        for name, other in zip(HOSTS, reversed(HOSTS)):
            address, _, device = HOSTS[name]
            there, lladdr, _ = HOSTS[other]
            ups[name] += [f"link set dev {device} mtu {MTU - header}", f"address add {address}/24 dev {device}",
                          neighbour(there, lladdr, device)]
        run("ip", "-batch", "-", text="\n".join(lines))
        for name, text in ups.items():
            run("ip", "-netns", name, "-batch", "-", text="\n".join(text))
        run("modprobe", "lana")
        for name, devices in (*((end, ("in", "out")) for end in ENDS), ("link", ("l0", "l1"))):
            enter(name)
            for device in devices:
                run("vlink", "ethernet", "hook", device, "--yes")
        # What alice and bob reach first, and what is between that and the link.
        top, *below = {"plain": ["stack"], "reliable": ["pace", "stack"], "adaptive": ["pace"]}[stack]
        kinds = {"pace": ("queue", {"direction": "egress", "limit-bytes": QUEUE, "rate": PACE[stack == "reliable"]}),
                 "stack": ("reliable", RELIABLE) if stack == "reliable" else ("dummy", {})}
        blocks = [top, *below]
        queue = [f"rate={RATE}", f"limit-bytes={QUEUE}"]
        batch("link", "add there queue", "add wire delay", "add back queue", "bind there l0", "bind wire there", "bind back wire",
              "bind l1 back", *(f"set there {option}" for option in (*queue, "direction=ingress")),
              *(f"set back {option}" for option in (*queue, "direction=egress")), f"set wire latency={LATENCY}",
              f"set wire seed={seed}")
        for end in ENDS:
            batch(end, *(f"add {name} {kinds[name][0]}" for name in blocks),
                  *(f"set {name} {key}={value}" for name in blocks for key, value in kinds[name][1].items()),
                  *(f"bind {upper} {lower}" for upper, lower in zip(blocks, (*below, "out"))))
        batch("west", f"bind in {top}")
        batch("east", "add far delay", f"set far latency={FAR}", f"bind far {top}", "bind in far")
        enter("link")
        self.lana = lana.Socket()

    def loss(self, percent):
        """What the link loses from now on."""
        if (answer := self.lana.set("wire", "loss", f"{percent:g}%")).error:
            raise OSError(answer.error, str(answer))


def counters(namespace, block):
    """What a block counts, as its options show it."""
    enter(namespace)
    found, = json.loads(run("fbctl", "-j", "show", block))
    return {option["key"]: option["value"] for option in found["option"]}

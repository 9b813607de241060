# SPDX-License-Identifier: GPL-2.0
"""The lab's network, in namespaces of the kernel this runs in:

    srcA --\\                          /-- testa --\\          /-- dst1 (10.3.1.1, 10.3.1.2)
            lan -- in balancer up1..3 --- testb --- far --
    srcB --/                          \\-- testc --/          \\-- dst2 (10.3.2.1, 10.3.2.2)

`lan` and `far` are switches. What leaves the balancer by up1, up2 and up3 is shaped; so is what the
sources send, to what a network card of 100 Mbit/s does. Nothing else is, and no way takes any time but for
20 microseconds from `lan` to the balancer.

There is one address for what the sources take for their gateway, GATEWAY. The balancer's `in` has it, for
when the kernel routes; so has the far end of each uplink, for when LANA hands over the sources' frames as
they are. All neighbours are told: nobody asks for them.
"""

import ctypes
import json
import os
import subprocess

LIBC = ctypes.CDLL(None, use_errno=True)

GATEWAY = "02:00:00:00:00:01"
SOURCES = {"srcA": ("10.0.0.1", "02:00:00:00:00:0a"), "srcB": ("10.0.0.2", "02:00:00:00:00:0b")}
ROUTERS = ("testa", "testb", "testc")
SINKS = {"dst1": ("10.3.1.1", "10.3.1.2"), "dst2": ("10.3.2.1", "10.3.2.2")}
UPLINKS = ("up1", "up2", "up3")
# Of the way into an uplink: a packet waits no longer, or is dropped.
LATENCY = "100ms"
CARD = 100


def mac(place, number):
    """A hardware address: of the balancer on an uplink (place 1), of a router (2) or of a sink (3) on `far`."""
    return f"02:00:00:00:{place:02}:{number:02}"


def neighbour(address, lladdr, device):
    return f"neigh add {address} lladdr {lladdr} dev {device} nud permanent"


def enter(namespace):
    """This process goes to a namespace of `ip netns`, or to the first one."""
    with open(f"/run/netns/{namespace}" if namespace else "/proc/1/ns/net") as file:
        if LIBC.setns(file.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def run(*command, text=""):
    """A command's output; it must not fail."""
    return subprocess.run(command, input=text, check=True, stdout=subprocess.PIPE, text=True).stdout


def sysctl(name, value):
    """In the namespace this process is in."""
    with open(f"/proc/sys/{name}", "w") as file:
        file.write(str(value))


def shape(device, rate):
    """The line that shapes what leaves by a device, to Mbit/s."""
    return f"qdisc add dev {device} root tbf rate {rate}mbit burst 3200 latency {LATENCY}"


NAMESPACES = ("lan", "balancer", "far", *SOURCES, *ROUTERS, *SINKS)


class Variant:
    """What may differ from the thesis's network: routers more on each way, milliseconds that each way takes in either
    direction, and the MTU of sources and sinks."""

    def __init__(self, words=()):
        given = dict(word[2:].split("=") for word in words)
        self.hops, self.mtu = int(given.pop("hops", 0)), int(given.pop("mtu", 1500))
        self.latencies = [int(number) for number in given.pop("latency", "0,0,0").split(",")]
        if given:
            raise ValueError(f"no --{next(iter(given))}: --hops, --latency and --mtu")


def build(rates, bridged, variant=Variant()):
    """Makes the network, with uplinks of as many Mbit/s. Where it is `bridged`, answers reach the sources
    as frames made for these, else by the balancer's address."""
    links, inside, shaped = [], {}, {}

    def wire(one, other):
        """A link between two ends: their namespaces, names, and hardware addresses if these matter."""
        (one_ns, one_name, one_mac), (other_ns, other_name, other_mac) = one, other
        links.append(f"link add name {one_name} netns {one_ns}{one_mac and ' address ' + one_mac} type veth "
                     f"peer name {other_name} netns {other_ns}{other_mac and ' address ' + other_mac}")
        for namespace, name in ((one_ns, one_name), (other_ns, other_name)):
            bridge = " master br0" if namespace in ("lan", "far") else ""
            # No packets for the card to cut: each is one on the wire, as it is for the balancer.
            inside[namespace].append(f"link set dev {name} up gso_max_segs 1{bridge}")

    more = [f"{name}-{hop}" for name in ROUTERS for hop in range(1, variant.hops + 1)]
    for name in (*NAMESPACES, *more):
        run("ip", "netns", "add", name)
        enter(name)
        sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        sysctl("net/ipv4/ip_forward", int(name not in ("lan", "far")))
        inside[name], shaped[name] = ["link set lo up"], []
    for name in ("lan", "far"):
        inside[name].append("link add name br0 type bridge mcast_snooping 0")
        inside[name].append("link set br0 up")

    balancer = inside["balancer"]
    wire(("balancer", "in", GATEWAY), ("lan", "in", ""))
    balancer.append("address add 10.0.0.254/24 dev in")
    # As on a real wire, a packet that has left its host is no longer the sending socket's, which would else
    # notice how long the queue of an uplink is: on its way through a bridge only a delay sees to that.
    shaped["lan"].append("qdisc add dev in root netem delay 20us limit 10000")
    for name, (address, lladdr) in SOURCES.items():
        wire((name, "eth0", lladdr), ("lan", name, ""))
        inside[name] += [f"address add {address}/24 dev eth0", neighbour("10.0.0.254", GATEWAY, "eth0"),
                         "route add default via 10.0.0.254"]
        shaped[name].append(shape("eth0", CARD))
        balancer.append(neighbour(address, lladdr, "in"))
    for number, (name, uplink, rate) in enumerate(zip(ROUTERS, UPLINKS, rates), 1):
        wire(("balancer", uplink, mac(1, number)), (name, "up", GATEWAY))
        # Further routers stand between this one and `far`: the last one has its address there.
        chain = [name, *more[(number - 1) * variant.hops:number * variant.hops]]
        for place, (one, other) in enumerate(zip(chain, chain[1:])):
            left, right = mac(20 + number, 2 * place), mac(20 + number, 2 * place + 1)
            wire((one, "eth0", left), (other, "up", right))
            to = [f"10.2.0.1{sink}" for sink in range(1, len(SINKS) + 1)]
            inside[one] += [neighbour(address, right, "eth0") for address in to]
            inside[other] += [f"address add 10.4.{number}.{place + 1}/32 dev up", neighbour("10.4.0.1", left, "up"),
                              "route add 10.0.0.0/24 via 10.4.0.1 dev up onlink"]
        wire((chain[-1], "eth0", mac(2, number)), ("far", name, ""))
        shaped["balancer"].append(shape(uplink, rate))
        if latency := variant.latencies[number - 1]:
            shaped[name] += [f"qdisc add dev {device} root netem delay {latency}ms limit 100000" for device in ("up", "eth0")]
        balancer += [f"address add 10.1.{number}.1/24 dev {uplink}", neighbour(f"10.1.{number}.2", GATEWAY, uplink)]
        inside[name] += [f"address add 10.1.{number}.2/24 dev up", f"address add 10.2.0.{number}/24 dev eth0",
                         "route add 10.0.0.0/24 dev up"]
        inside[name] += [neighbour(address, lladdr if bridged else mac(1, number), "up")
                         for address, lladdr in SOURCES.values()]
        for sink in range(1, len(SINKS) + 1):
            for one in chain[1:]:
                inside[one].append(f"route add 10.3.{sink}.0/24 via 10.2.0.1{sink} dev eth0 onlink")
            inside[chain[-1]].append(neighbour(f"10.2.0.1{sink}", mac(3, sink), "eth0"))
            inside[name].append(f"route add 10.3.{sink}.0/24 via 10.2.0.1{sink}")
    for number, (name, addresses) in enumerate(SINKS.items(), 1):
        wire((name, "eth0", mac(3, number)), ("far", name, ""))
        inside[name] += [f"address add {address}/32 dev lo" for address in addresses]
        # Answers to dst1's senders take testa, to dst2's testb, whichever way the data came.
        inside[name] += [f"address add 10.2.0.1{number}/24 dev eth0",
                         neighbour(f"10.2.0.{number}", mac(2, number), "eth0"),
                         f"route add 10.0.0.0/24 via 10.2.0.{number}"]

    for name in (*SOURCES, *SINKS) if variant.mtu != 1500 else ():
        inside[name].append(f"link set dev eth0 mtu {variant.mtu}")
    run("ip", "-batch", "-", text="\n".join(links))
    for name in inside:
        run("ip", "-netns", name, "-batch", "-", text="\n".join(inside[name]))
        if shaped[name]:
            run("tc", "-netns", name, "-batch", "-", text="\n".join(shaped[name]))


def remove():
    """Removes the network, and the balancer's graph with it."""
    enter("")
    for name in NAMESPACES:
        run("ip", "netns", "delete", name)


def route(weights, policy, fields):
    """The kernel's own balancing: to where its hash of two addresses (policy 0) or of some fields (policy 3)
    falls."""
    enter("balancer")
    sysctl("net/ipv4/fib_multipath_hash_policy", policy)
    if fields:
        sysctl("net/ipv4/fib_multipath_hash_fields", fields)
    sysctl("net/ipv4/fib_multipath_hash_seed", 1)
    hops = [f"nexthop via 10.1.{number}.2 weight {weight}" for number, weight in enumerate(weights, 1)]
    run("ip", "route", "add", "10.3.0.0/16", *" ".join(hops).split())


def uplinks():
    """What each uplink has carried, and dropped before: bytes, packets, drops."""
    enter("balancer")
    found = json.loads(run("tc", "-statistics", "-json", "qdisc", "show"))
    sums = {one["dev"]: [one["bytes"], one["packets"], one["drops"]] for one in found if one["kind"] == "tbf"}
    return [sums[uplink] for uplink in UPLINKS]


def tcp_counters(namespaces):
    """The counters that nstat shows, summed over namespaces."""
    sums = {}
    for namespace in namespaces:
        enter(namespace)
        for name in ("snmp", "netstat"):
            with open(f"/proc/{os.getpid()}/net/{name}") as file:
                lines = [line.split() for line in file]
            for (kind, *keys), (_, *values) in zip(lines[::2], lines[1::2]):
                for key, value in zip(keys, values):
                    sums[kind[:-1] + key] = sums.get(kind[:-1] + key, 0) + int(value)
    return sums

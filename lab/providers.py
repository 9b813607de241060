#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""providers.py STRATEGY RATES WEIGHTS [--latency=A,B] [SIZE...]: the lab's second network, in which two providers serve two sources.
Each has a gateway of its own, which translates the sources' addresses to the one that it has:

    srcA --\\                        /-- gw1 (192.0.2.1) --\\       /-- dst1 (192.0.2.11, 192.0.2.12)
            lan -- in balancer up1..2                       far --
    srcB --/                        \\-- gw2 (192.0.2.2) --/       \\-- dst2 (192.0.2.21, 192.0.2.22)

What leaves by up1 and up2 is shaped to RATES, two numbers in Mbit/s with a comma between. First the sources send
files to the four addresses, as in the thesis. Then the other side fetches files from the sources by both gateways,
which hand these connections on: an answer that leaves by the other gateway has the wrong address, and is refused.
Nobody is told of neighbours: gateways are found by ARP. Prints JSON."""

import collections
import json
import socket
import sys
import time

import network
from network import enter, run, shape, sysctl
import strategies
import transfer

SOURCES = network.SOURCES
ROUTERS = ("gw1", "gw2")
UPLINKS = ("up1", "up2")
OUTSIDE = ("192.0.2.1", "192.0.2.2")
SINKS = {"dst1": ("192.0.2.11", "192.0.2.12"), "dst2": ("192.0.2.21", "192.0.2.22")}
NAMESPACES = ("lan", "balancer", "far", *SOURCES, *ROUTERS, *SINKS)
GATEWAY = "10.0.0.254"
# Each source's at the outside of both gateways.
SERVICES = {"srcA": 8001, "srcB": 8002}
LANA = ("route", "session", "hash", "bandwidth", "utilisation")
# What is not there by then does not come any more.
LIMIT = 60


def build(rates, bridged, latencies=(0, 0)):
    """Makes the network. Where it is `bridged` both gateways have the address that the sources take for theirs; else
    the balancer has it, and routes. `latencies` are milliseconds by a gateway, in either direction."""
    links, inside = [], collections.defaultdict(lambda: ["link set lo up"])

    def wire(one, other):
        links.append(f"link add name {one[1]} netns {one[0]} type veth peer name {other[1]} netns {other[0]}")
        for namespace, name in (one, other):
            bridge = " master br0" if namespace in ("lan", "far") else ""
            inside[namespace].append(f"link set dev {name} up gso_max_segs 1{bridge}")

    for name in NAMESPACES:
        run("ip", "netns", "add", name)
        enter(name)
        sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        sysctl("net/ipv4/ip_forward", int(name in ("balancer", *ROUTERS)))
        if name in ("lan", "far"):
            inside[name] += ["link add name br0 type bridge mcast_snooping 0", "link set br0 up"]
    wire(("balancer", "in"), ("lan", "in"))
    if not bridged:
        inside["balancer"].append(f"address add {GATEWAY}/24 dev in")
    for name, (address, _) in SOURCES.items():
        wire((name, "eth0"), ("lan", name))
        inside[name] += [f"address add {address}/24 dev eth0", f"route add default via {GATEWAY}"]
    for number, (name, uplink) in enumerate(zip(ROUTERS, UPLINKS), 1):
        wire(("balancer", uplink), (name, "up"))
        wire((name, "out"), ("far", name))
        inside[name].append(f"address add {OUTSIDE[number - 1]}/24 dev out")
        if bridged:
            inside[name].append(f"address add {GATEWAY}/24 dev up")
        else:
            inside[name] += [f"address add 10.1.{number}.2/24 dev up", f"route add 10.0.0.0/24 via 10.1.{number}.1"]
            inside["balancer"].append(f"address add 10.1.{number}.1/24 dev {uplink}")
    for name, addresses in SINKS.items():
        wire((name, "eth0"), ("far", name))
        inside[name] += [f"address add {address}/24 dev eth0" for address in addresses]

    run("ip", "-batch", "-", text="\n".join(links))
    for name in NAMESPACES:
        run("ip", "-netns", name, "-batch", "-", text="\n".join(inside[name]))
    for name, latency in zip(ROUTERS, latencies):
        for device in ("up", "out") if latency else ():
            run("tc", "-netns", name, "qdisc", "add", "dev", device, "root", "netem", "delay", f"{latency}ms", "limit", "100000")
    lines = [shape(uplink, rate) for uplink, rate in zip(UPLINKS, rates)]
    run("tc", "-netns", "balancer", "-batch", "-", text="\n".join(lines))
    run("tc", "-netns", "lan", "-batch", "-", text="qdisc add dev in root netem delay 20us limit 10000")
    forwards = "\n".join(f"tcp dport {port} dnat to {SOURCES[name][0]}" for name, port in SERVICES.items())
    for name in ROUTERS:
        enter(name)
        run("nft", "-f", "-", text=f"""table ip provider {{
            chain in {{ type nat hook prerouting priority dstnat
                iifname "out" jump services
            }}
            chain services {{
                {forwards}
            }}
            chain out {{ type nat hook postrouting priority srcnat
                oifname "out" masquerade
            }}
        }}""")


def remove():
    """Removes the network, and the balancer's graph with it."""
    enter("")
    for name in NAMESPACES:
        run("ip", "netns", "delete", name)


def settings(strategy, rates, weights):
    """What LANA's block is told. A session has one address outside: it is never split."""
    told = [f"strategy={strategy}", "route-key=destination", "per=session"]
    for number, (rate, weight) in enumerate(zip(rates, weights)):
        told += [f"port.{number}.via={GATEWAY}", f"port.{number}.weight={weight}", f"port.{number}.capacity={rate}mbit"]
    return told


def are_up():
    """Whether the gateways are found."""
    return run("fbctl", "-j", "show", "m").count('.link","value":"up"') == len(UPLINKS)


def start(strategy, rates, weights, latencies=(0, 0)):
    """Makes the network, and has a strategy balance it."""
    build(rates, strategy in LANA, latencies)
    enter("balancer")
    if strategy not in LANA:
        policy, fields = strategies.KERNEL[strategy]
        sysctl("net/ipv4/fib_multipath_hash_policy", policy)
        if fields:
            sysctl("net/ipv4/fib_multipath_hash_fields", fields)
        sysctl("net/ipv4/fib_multipath_hash_seed", 1)
        hops = [f"nexthop via 10.1.{number}.2 weight {weight}" for number, weight in enumerate(weights, 1)]
        run("ip", "route", "add", "default", *" ".join(hops).split())
        return
    run("modprobe", "lana")
    for device in ("in", *UPLINKS):
        run("vlink", "ethernet", "hook", device)
    run("fbctl", "add", "m", "multipath")
    run("fbctl", "bind", "in", "m")
    for uplink in UPLINKS:
        run("fbctl", "bind", "m", uplink)
    for setting in settings(strategy, rates, weights):
        run("fbctl", "set", "m", setting)
    while not are_up():
        time.sleep(0.01)


def uplinks():
    """What each uplink has carried: bytes, packets, drops."""
    enter("balancer")
    found = json.loads(run("tc", "-statistics", "-json", "qdisc", "show"))
    sums = {one["dev"]: [one["bytes"], one["packets"], one["drops"]] for one in found if one["kind"] == "tbf"}
    return [sums[uplink] for uplink in UPLINKS]


# --- Files that the other side fetches ---


class Server:
    """Accepts at a source, and sends a file to all that come."""

    def __init__(self, loop, host, port, size):
        enter(host)
        self.loop, self.size, self.sock = loop, size, socket.create_server((SOURCES[host][0], port), backlog=64)
        self.sock.setblocking(False)
        loop.watch(self, transfer.READ)

    def ready(self):
        sock, _ = self.sock.accept()
        sock.setblocking(False)
        self.loop.watch(Sender(self.loop, sock, self.size), transfer.WRITE)


class Sender:
    """Sends one file."""

    def __init__(self, loop, sock, size):
        self.loop, self.sock, self.left = loop, sock, size

    def ready(self):
        try:
            self.left -= self.sock.send(transfer.DATA[:self.left])
        except BlockingIOError:
            return
        except OSError:
            self.left = 0
        if not self.left:
            self.loop.forget(self)


class Fetcher:
    """Fetches files by a gateway, one after the other. The ports are told: one that also comes by the other gateway would
    be the same connection for the source."""

    def __init__(self, loop, host, to, port, size, count):
        self.loop, self.host, self.to, self.size, self.left = loop, host, to, size, count
        self.port = port
        self.next()

    def next(self):
        if not self.left:
            self.loop.streams -= 1
            return
        self.left -= 1
        enter(self.host)
        self.sock, self.got, self.start = socket.socket(), 0, time.monotonic()
        self.sock.setblocking(False)
        self.sock.bind((SINKS[self.host][0], self.port))
        self.port += 1
        self.sock.connect_ex(self.to)
        self.loop.watch(self, transfer.READ)

    def ready(self):
        try:
            while got := self.sock.recv_into(transfer.IGNORED, 0, socket.MSG_TRUNC):
                self.got += got
        except BlockingIOError:
            return
        except OSError:
            self.got = 0
        self.done(self.got == self.size)

    def done(self, arrived):
        self.loop.files.append((arrived, time.monotonic() - self.start))
        self.loop.forget(self)
        self.next()


def fetch(size, count, port):
    """Both sinks fetch files of a size from both sources by both gateways, as many each."""
    loop = transfer.Loop()
    servers = [Server(loop, host, port, size) for host, port in SERVICES.items()]
    for host in SINKS:
        for outside in OUTSIDE:
            for service in SERVICES.values():
                loop.streams += 1
                Fetcher(loop, host, (outside, service), port, size, count)
                port += 100
    while loop.streams:
        for fd, _ in loop.epoll.poll(1):
            if fd in loop.watched:
                loop.watched[fd].ready()
        late = time.monotonic() - LIMIT
        for one in [one for one in loop.watched.values() if isinstance(one, Fetcher) and one.start < late]:
            one.done(False)
    for one in list(loop.watched.values()):
        loop.forget(one)
    del servers
    return loop.files


def counted(what):
    """Does something, and tells how long it took, and what the uplinks have carried."""
    before, begin = uplinks(), time.monotonic()
    files = what()
    seconds = time.monotonic() - begin
    links = [[now - was for now, was in zip(*pair)] for pair in zip(uplinks(), before)]
    return files, {"seconds": seconds, "links": [dict(zip(("bytes", "packets", "drops"), link)) for link in links]}


def main(strategy, rates, weights, *words):
    rates, weights = ([int(number) for number in each.split(",")] for each in (rates, weights))
    latencies = [word.removeprefix("--latency=") for word in words if word.startswith("--")] or ["0,0"]
    sizes = [word for word in words if not word.startswith("--")]
    start(strategy, rates, weights, [int(number) for number in latencies[0].split(",")])
    sent, fetched = [], []
    for number, size in enumerate([int(size) for size in sizes] or (8, 64, 512, 1024)):
        files = [size << 10] * (20 if size < 1024 else 5)
        done, result = counted(lambda: transfer.transfer(lambda: files, 10000 + 1000 * number, SINKS))
        sent.append(result | {"size": size, "files": len(done)})
        done, result = counted(lambda: fetch(size << 10, len(files), 30000 + 1000 * number))
        fetched.append(result | {"size": size, "files": len(done), "arrived": sum(ok for ok, _ in done)})
    json.dump({"strategy": strategy, "rates": rates, "sent": sent, "fetched": fetched}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

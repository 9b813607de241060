#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""inside.py EXPERIMENT: runs one experiment in a booted kernel, and prints the results as JSON. EXPERIMENT is

  routes [ROUTER LATENCY]: the routes of all systems, the report's sender, and its traceroutes
  failover HEALTH [ROUTER LATENCY RATE REPETITIONS SEED]: a site fails, and comes back

ROUTER is the router of all systems: bird, frr or gobgp. With exabgp it is that of the sites, and the others have bird. LATENCY is
that of each link, in milliseconds. RATE is that of the client: requests a second. SEED makes other random moments."""

import json
import random
import re
import subprocess
import sys
import time

import topology
from health import CHOICES
from router import until
from routers import Routers
from topology import HOSTS, NAMES, SERVICE, SITES, enter, run
from trace import trace
from wire import Wire

TRACES = (("pcA", SERVICE), ("pcB", SERVICE), ("pcB", HOSTS["central"][1]))
# The client nearest to a site, and the neighbour that the site announces the service to.
NEAR = {"dinrA": ("pcA", 4), "dinrB": ("pcB", 5)}
# How a site fails, and how that is repaired: commands in the namespace of its host, with what they read behind `|`.
FAILURES = {
    "unbound": ("fbctl unbind echo eth0", "fbctl bind echo eth0"),
    "removed": ("fbctl -b -|unbind echo eth0\nrm echo\n",
                f"fbctl -b -|add echo icmp-echo\nset echo addr={SERVICE}\nset echo arp=on\nbind echo eth0\n"),
    "device down": ("ip link set eth0 down", "ip link set eth0 up"),
    "no answer": (f"fbctl set echo addr-={SERVICE}", f"fbctl set echo addr+={SERVICE}"),
}


def do(host, command):
    enter(host)
    words, _, text = command.partition("|")
    run(*words.split(), text=text)
    enter("")


def start(health, router, latency):
    health.latency = int(latency)
    topology.build(health.latency)
    topology.answer()
    routers = Routers(router, health)
    routers.converge()
    return routers


def answered():
    """How many requests the block at each site has answered."""
    found = {}
    for site in SITES:
        enter(site)
        found[site] = int(re.search(r"answered=(\d+)", run("fbctl", "show", "echo"))[1])
    enter("")
    return found


def send(site, count=1000, rate=1000):
    """Runs the report's sender at the client nearest to a site."""
    host, before = NEAR[site][0], answered()
    command = f"dinr-send --count {count} --rate {rate} {SERVICE}"
    enter(host)
    output = run(*command.split())
    after = answered()
    return {"host": host, "near": site, "count": count, "command": command, "output": output,
            "answered": {one: after[one] - before[one] for one in SITES}}


def look(routers, latency, count=1000):
    """Collects what the report shows."""
    # A first time, for ARP.
    for host, target in TRACES:
        trace(host, target)
    return {"router": routers.kind, "latency": latency,
            # JSON has keys of text.
            "routes": {str(system): router.routes() for system, router in routers.tables.items()},
            "senders": [send(site, count) for site in SITES],
            "traces": [{"host": host, "target": target, "hops": trace(host, target)} for host, target in TRACES]}


def routes(router="bird", latency="5"):
    routers = start(CHOICES["none"](), router, latency)
    found = look(routers, int(latency))
    routers.stop()
    return found


class Failover:
    """Lets sites fail while a client sends."""

    def __init__(self, routers, health, rate=100, seed=1):
        self.routers, self.health, self.rate = routers, health, rate
        self.wires = {site: Wire(system) for site, system in SITES.items()}
        self.chance = random.Random(seed)
        # Through all systems, there and back.
        hold = 10 * routers.hold
        self.found, self.settle = health.found + hold, health.settle + hold

    def announced(self, site):
        """True if the site's neighbour routes to the site."""
        return self.routers.best(NEAR[site][1]) == [SITES[site]]

    def first(self, site, what, since):
        """Milliseconds from a time to the site's first UPDATE of a kind, or None."""
        return next(((when - since) / 1e6 for when, told in self.wires[site].told() if told == what), None)

    def once(self, site, kind):
        """Lets a site fail and come back once."""
        fail, mend = FAILURES[kind]
        client, _ = NEAR[site]
        # At a random moment, of the check's rhythm and between two requests.
        before = self.health.before + self.chance.random() * max(self.health.period, 1 / self.rate)
        # Some requests after the failure, however slow the client is.
        count = int(before * self.rate) + max(int(self.found * self.rate), 5)
        self.wires[site].told()
        enter(client)
        settings = ["--rate", str(self.rate), "--count", str(count), "--wait", str(self.health.wait)]
        with subprocess.Popen(["dinr-send", "--json", *settings, SERVICE], stdout=subprocess.PIPE) as sender:
            enter("")
            time.sleep(before)
            failed = time.time_ns()
            do(site, fail)
            sent = json.loads(sender.stdout.read())
        withdrawn = self.first(site, "withdraw", failed)
        mended = time.time_ns()
        do(site, mend)
        until(lambda: self.announced(site), f"{site} does not come back")
        # Let the routes settle.
        time.sleep(self.settle)
        return {"site": site, "kind": kind, "before": before, "withdrawn": withdrawn, "announced": self.first(site, "announce", mended),
                **{key: sent[key] for key in ("sent", "answered", "twice", "gap", "last")}}


    def flap(self, site="dinrA", times=20):
        """A block that is taken off and bound again, ten times a second. Counts the site's UPDATEs, until it is announced again."""
        self.wires[site].told()
        for _ in range(times):
            for command in FAILURES["unbound"]:
                do(site, command)
                time.sleep(0.05)
        time.sleep(5)
        until(lambda: self.announced(site), f"{site} does not come back")
        told = [what for _, what in self.wires[site].told()]
        return {"times": times, **{what: told.count(what) for what in ("withdraw", "announce")}}


def failover(name, router="bird", latency="0", rate="100", repetitions="8", seed="1"):
    """Runs through all sites and ways to fail."""
    health = CHOICES[name]()
    routers = start(health, router, latency)
    health.start(routers)
    time.sleep(5)
    lab = Failover(routers, health, int(rate), int(seed))
    ways = [(site, kind) for kind in FAILURES for site in SITES]
    found = [lab.once(*ways[number % len(ways)]) for number in range(int(repetitions))]
    flaps = lab.flap()
    health.stop()
    routers.stop()
    return {"experiment": "failover", "flaps": flaps, "health": name, "router": router, "latency": int(latency), "rate": int(rate),
            "repetitions": found}


def main(experiment, *settings):
    json.dump({"routes": routes, "failover": failover}[experiment](*settings), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])

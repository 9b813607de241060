#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Health checks, which decide whether a site announces the service.

health.py ROUTER SYSTEM is a poller that works as `exabgp healthcheck` does. It pings the service each second. After three
failures in a row it has the router withdraw the service, after three successes announce it again.

health.py announce [PIPE] tells exabgp to announce the service, without a check. Then it passes on what comes by the pipe."""

import os
import re
import subprocess
import sys
import time

from exabgp import ROUTE
from router import WORK, until
from routers import KINDS
from topology import PREFIX, SERVICE, SITES, enter, place

INTERVAL, RISE, FALL = 1, 3, 3
PING = f"ping -n -q -c 1 -W 1 {SERVICE}"


def poll(router):
    """Polls until the process is killed."""
    up, count = True, 0
    while True:
        good = subprocess.run(PING.split(), stdout=subprocess.DEVNULL, check=False).returncode == 0
        count = 0 if good == up else count + 1
        if count == (FALL if up else RISE):
            up, count = good, 0
            router.switch(up)
        time.sleep(INTERVAL)


class Health:
    """No check: the site announces the service whatever happens. Other checks are derived from this class."""

    # The router announces the service only while the site's device has a carrier.
    check_link = False
    # How many seconds a client goes on after the failure: longer than the check needs to detect it.
    found = 1
    # The failure comes at a random moment of as many seconds: the check's rhythm, and the client's.
    period = 1
    # The client begins as many seconds before, and the routes have as many to settle after it.
    before, settle = 0.2, 0.5
    # How many milliseconds the client waits for its last answers.
    wait = 1000
    # Of each link, in milliseconds.
    latency = 0

    def __init__(self):
        self.programs = []

    def announcer(self, pipe):
        """The command that exabgp runs, whose output tells it what to announce. `pipe` is a path that is not yet there."""
        return f"{sys.executable} -S {__file__} announce"

    def start(self, routers):
        """Called when BGP has converged."""

    def stop(self):
        for program in self.programs:
            program.terminate()
            program.wait()


class Link(Health):
    """The router's own check: the carrier of the device to the responder."""

    check_link = True


class Poll(Health):
    """A poller for each site: `exabgp healthcheck` for exabgp, poll() for the others."""

    found = (INTERVAL + 1) * FALL + 1

    def announcer(self, pipe):
        return (f"{sys.executable} -m exabgp healthcheck --no-ack --cmd '{PING}' --interval {INTERVAL} --fast-interval {INTERVAL} "
                f"--rise {RISE} --fall {FALL} --timeout 2 --withdraw-on-down --no-ip-setup --ip {PREFIX}")

    def start(self, routers):
        for system in SITES.values():
            if not routers.all[system].has_poller:
                enter(place(system))
                self.programs.append(subprocess.Popen([sys.executable, "-S", __file__, routers.kind, str(system)]))
        enter("")


RULES = """
[probe.answers]
ping = "{service}"
netns = "{router}"
interval = "4ms"
timeout = "{timeout}ms"
window = 1

{announcement}

[[rule]]
name = "serves"
when = {{ all = [
    {{ block = "echo", is = "present" }},
    {{ bound = ["echo", "eth0"] }},
    {{ device = "eth0", is = "up" }},
    {{ not = {{ loss = "answers", above = 0.5 }} }},
] }}
for = "200ms"
then = [{announce}]
otherwise = [{withdraw}]
"""


class Lanad(Health):
    """LANA's daemon for each site, in the namespace of the host that answers. It sends probes from that of the router."""

    # 1,000 repetitions are to be short.
    found, before, settle, period, wait = 0.1, 0.05, 0.1, 0.1, 100
    # How many milliseconds an answer to a probe may take, apart from the link.
    patience = 4

    def announcer(self, pipe):
        os.mkfifo(pipe)
        return f"{super().announcer(pipe)} {pipe}"

    def start(self, routers):
        for host, system in SITES.items():
            router, path = place(system), f"{WORK}/lanad-{host}"
            announcement, announce, withdraw = routers.all[system].rule()
            with open(f"{path}.toml", "w") as file:
                file.write(RULES.format(service=SERVICE, router=router, timeout=self.patience + 2 * self.latency,
                                        announcement=announcement, announce=announce, withdraw=withdraw))
            with open(f"{path}.log", "w") as log:
                self.programs.append(subprocess.Popen(["lanad", "-n", host, "--config", f"{path}.toml", "--run", path], stderr=log))
        for host in SITES:
            until(lambda path=f"{WORK}/lanad-{host}": holds(path), f"lanad of {host} announces nothing")


def holds(path):
    """Whether the rule holds. It may be that lanad does not answer yet."""
    told = subprocess.run(["lanactl", "--run", path, "status"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
    return re.search("^serves +yes", told.stdout, re.MULTILINE)


# What `--health` names.
CHOICES = {"none": Health, "link": Link, "poll": Poll, "lanad": Lanad}


def announce(path=None):
    """Tells exabgp to announce the service, and then what comes by a pipe."""
    print(f"announce route {ROUTE}", flush=True)
    # It is open for writing, too, so it does not end with a writer.
    pipe = os.open(path, os.O_RDWR) if path else None
    while True:
        if pipe is None:
            time.sleep(1000)
        else:
            os.write(1, os.read(pipe, 4096))


def main(word, *more):
    if word == "announce":
        announce(*more)
    else:
        poll(KINDS[word](int(*more)))


if __name__ == "__main__":
    main(*sys.argv[1:])

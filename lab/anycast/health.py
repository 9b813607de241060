#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Who says whether a site is to announce the service.

As a program, health.py SYSTEM: a poller, as `exabgp healthcheck` is one, which tells BIRD. It looks each second whether the
service answers a ping, and after three answers or failures in turn has the site announce or withdraw it."""

import subprocess
import sys
import time

from routers import SERVICE as PROTOCOL
from routers import Bird
from topology import SERVICE, SITES, enter, place

INTERVAL, RISE, FALL = 1, 3, 3
PING = f"ping -n -q -c 1 -W 1 {SERVICE}"


def poll(system):
    """Asks and tells, until it is ended. exabgp's states: rising, up, falling, down."""
    bird, up, count = Bird(system), True, 0
    while True:
        good = subprocess.run(PING.split(), stdout=subprocess.DEVNULL, check=False).returncode == 0
        count = 0 if good == up else count + 1
        if count == (FALL if up else RISE):
            up, count = good, 0
            bird(f"{'enable' if up else 'disable'} {PROTOCOL}")
        time.sleep(INTERVAL)


class Health:
    """Nobody asks: what BIRD or exabgp was told at the beginning, it announces on."""

    # BIRD is told that it may see for itself whether the site's device has a carrier.
    check_link = False
    # In how many seconds all failures are found that are found at all.
    found = 1

    def __init__(self):
        self.programs = []

    def announcer(self, host):
        """What exabgp runs to learn what to announce."""
        return f"{sys.executable} -S {__file__} announce"

    def start(self, routers):
        """Once the routes are there."""

    def stop(self):
        for program in self.programs:
            program.terminate()
            program.wait()


class Link(Health):
    """What BIRD sees by itself: whether the device to the responder has a carrier."""

    check_link = True


class Poll(Health):
    """A poller for each site: the one above, or exabgp's own."""

    found = (INTERVAL + 1) * FALL + 1

    def announcer(self, host):
        return (f"{sys.executable} -m exabgp healthcheck --no-ack --cmd '{PING}' --interval {INTERVAL} --fast-interval {INTERVAL} "
                f"--rise {RISE} --fall {FALL} --timeout 2 --withdraw-on-down --no-ip-setup --ip 50.0.0.0/8")

    def start(self, routers):
        if routers.sites != "bird":
            return
        for system in SITES.values():
            enter(place(system))
            self.programs.append(subprocess.Popen([sys.executable, "-S", __file__, str(system)]))
        enter("")


# What `--health` names.
CHOICES = {"none": Health, "link": Link, "poll": Poll}


def main(word):
    if word == "announce":
        print("announce route 50.0.0.0/8 next-hop self", flush=True)
        while True:
            time.sleep(1000)
    poll(int(word))


if __name__ == "__main__":
    main(*sys.argv[1:])

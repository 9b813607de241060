#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Health checks, which decide whether a site announces the service.

health.py SYSTEM is a poller for BIRD that works as `exabgp healthcheck` does. It pings the service each second. After three
failures in a row it has BIRD withdraw the service, after three successes announce it again.

health.py announce tells exabgp to announce the service, without a check."""

import subprocess
import sys
import time

from routers import SERVICE as PROTOCOL
from routers import Bird
from topology import SERVICE, SITES, enter, place

INTERVAL, RISE, FALL = 1, 3, 3
PING = f"ping -n -q -c 1 -W 1 {SERVICE}"


def poll(system):
    """Polls until the process is killed."""
    bird, up, count = Bird(system), True, 0
    while True:
        good = subprocess.run(PING.split(), stdout=subprocess.DEVNULL, check=False).returncode == 0
        count = 0 if good == up else count + 1
        if count == (FALL if up else RISE):
            up, count = good, 0
            bird(f"{'enable' if up else 'disable'} {PROTOCOL}")
        time.sleep(INTERVAL)


class Health:
    """No check: the site announces the service whatever happens. Other checks are derived from this class."""

    # BIRD announces the service only while the site's device has a carrier.
    check_link = False
    # How many seconds a client goes on after the failure: longer than the check needs to detect it.
    found = 1

    def __init__(self):
        self.programs = []

    def announcer(self, host):
        """The command that exabgp runs, whose output tells it what to announce."""
        return f"{sys.executable} -S {__file__} announce"

    def start(self, routers):
        """Called when BGP has converged."""

    def stop(self):
        for program in self.programs:
            program.terminate()
            program.wait()


class Link(Health):
    """BIRD's own check: the carrier of the device to the responder."""

    check_link = True


class Poll(Health):
    """A poller for each site: poll() for BIRD, `exabgp healthcheck` for exabgp."""

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

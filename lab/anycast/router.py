# SPDX-License-Identifier: GPL-2.0
"""What the routers of the systems have in common. Each kind has a file of its own: bird.py, exabgp.py, frr.py, gobgp.py."""

import json
import os
import socket
import subprocess
import time

from topology import SITES, enter, neighbours, place, prefix, run

WORK = "/run/anycast"


def until(true, complaint, seconds=20, step=0.1):
    """Waits until `true()` is."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"anycast: {complaint} within {seconds} s")
        time.sleep(step)


class Router:
    """The router of a system. It announces the system's network to all neighbours, and passes on what these announce. Each kind
    is derived from this class."""

    # It has a routing table, so it can be the router of any system.
    has_table = True
    # It polls the service itself, if the health check is a poller.
    has_poller = False
    # How many seconds a change takes in each system.
    hold = 0

    def __init__(self, system):
        self.system, self.programs = system, []
        self.own, self.neighbours = prefix(system), list(neighbours(system))
        self.id = max((near for _, near, _ in self.neighbours), key=socket.inet_aton)
        self.path = f"{WORK}/{place(system)}"
        self.site = next((host for host, number in SITES.items() if number == system), None)

    def start(self, health):
        """Starts it, and waits until it answers. `health` is the health check, which can ask for what the router checks itself:
        with `check_link` a site announces its network only while its device to the host has a carrier."""
        raise NotImplementedError

    def routes(self, network=""):
        """The routes that it knows, of one network or of all: network, next hop, AS path, and whether it prefers the route. Its
        own has the next hop 0.0.0.0."""
        raise NotImplementedError

    def command(self, on):
        """The program, and its arguments, that announces the system's network or withdraws it."""
        raise NotImplementedError

    def switch(self, on):
        """Announces the system's network, or withdraws it. Another process may have started the router."""
        run(*self.command(on))

    def rule(self):
        """What is in lanad's configuration: an announcement, the action that announces the network, the one that withdraws it."""
        return "", *(f"{{ run = {json.dumps(self.command(on))} }}" for on in (True, False))

    def stop(self):
        for program in self.programs:
            program.terminate()
        for program in self.programs:
            program.wait()
        self.programs = []

    def spawn(self, *command, **more):
        """Starts a program in the system's namespace."""
        enter(place(self.system))
        with open(f"{self.path}.out", "a") as output:
            settings = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output} | more
            self.programs.append(subprocess.Popen(command, **settings))
        enter("")
        return self.programs[-1]

    def write(self, name, text):
        """Writes a file of the router's. Returns its path."""
        path = f"{self.path}{name}"
        with open(path, "w") as file:
            file.write(text)
        return path

# SPDX-License-Identifier: GPL-2.0
"""The routers of all systems."""

import json
import os

from bird import Bird
from exabgp import Exabgp
from frr import Frr
from gobgp import Gobgp
from router import WORK, until
from topology import NAMES, PREFIX, SITES, place, prefix, run

# What `--router` names.
KINDS = {"bird": Bird, "exabgp": Exabgp, "frr": Frr, "gobgp": Gobgp}


class Routers:
    """Starts all routers. `kind` is that of the two sites. The others have it, too, if they can."""

    def __init__(self, kind, health):
        os.makedirs(WORK, exist_ok=True)
        sites = KINDS[kind]
        self.kind, self.hold = kind, sites.hold
        others = sites if sites.has_table else Bird
        self.all = {system: (sites if system in SITES.values() else others)(system) for system in NAMES}
        self.tables = {system: router for system, router in self.all.items() if router.has_table}
        for router in self.all.values():
            router.start(health)

    def stop(self):
        for router in self.all.values():
            router.stop()

    def best(self, system, network=PREFIX):
        """The AS path of a system's best route, or None."""
        return next((route["path"] for route in self.tables[system].routes(network) if route["best"]), None)

    def knows(self, system, networks):
        """Whether a system has routes to networks, and has installed all but its own."""
        known = {route["network"] for route in self.tables[system].routes() if route["best"]}
        installed = {route["dst"] for route in json.loads(run("ip", "-netns", place(system), "-json", "route"))}
        return networks <= known and networks - {prefix(system)} <= installed

    def converge(self, seconds=60):
        """Waits until every system has a route to every network, and both ISPs have the route to their own site."""
        networks = {prefix(system) for system in NAMES}
        until(lambda: self.best(4) == [12] and self.best(5) == [13] and all(self.knows(system, networks) for system in self.tables),
              "BGP does not converge", seconds)

# SPDX-License-Identifier: GPL-2.0
"""ExaBGP, which announces what a program tells it."""

import os
import sys

from router import WORK, Router
from topology import PREFIX, place, run

ROUTE = f"{PREFIX} next-hop self"
CONFIGURATION = """
process announcer {{ run {command}; encoder text; }}
neighbor {far} {{
    router-id {near}; local-address {near}; local-as {system}; peer-as {other};
    family {{ ipv4 unicast; }}
    api {{ processes [ announcer ]; }}
}}
"""
SETTINGS = {"daemon.user": "root", "api.ack": "false", "api.cli": "false", "tcp.bind": "", "cache.attributes": "true",
            "log.all": "false"}


class Exabgp(Router):
    """ExaBGP at a site. It has no routing table, so the others have BIRD. The health check is the program that it asks."""

    has_table = False
    has_poller = True

    def __init__(self, system):
        super().__init__(system)
        # lanad writes to it.
        self.pipe = f"{WORK}/{self.site}.pipe"

    def start(self, health):
        (other, near, far), = self.neighbours
        path = self.write(".conf", CONFIGURATION.format(command=health.announcer(self.pipe), near=near, far=far, system=self.system,
                                                        other=other))
        run("ip", "-netns", place(self.system), "route", "add", "default", "via", far)
        settings = {f"exabgp.{name}": value for name, value in SETTINGS.items()} | {"exabgp.log.destination": f"{self.path}.log"}
        self.spawn(sys.executable, "-m", "exabgp", path, env=os.environ | settings)

    def rule(self):
        return (f'[announcement.service]\nexabgp = "{self.pipe}"\nroute = "{ROUTE}"', '{ announce = "service" }',
                '{ withdraw = "service" }')

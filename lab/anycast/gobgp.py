#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""gobgp.py SYSTEM: installs the best routes of a system's GoBGP in the kernel.

GoBGP leaves that to zebra, but its version knows FRR up to 8.2."""

import json
import subprocess
import sys

from router import Router, until
from topology import place, run

# An attribute of BGP is told by its number.
AS_PATH, NEXT_HOP = 2, 3
# Behind the kernel's own routes.
KERNEL = ["proto", "bgp", "metric", "20"]


def read(path):
    """A path of GoBGP's, as the lab has them."""
    attributes = {one["type"]: one for one in path["attrs"]}
    sequences = attributes[AS_PATH]["as_paths"] if AS_PATH in attributes else []
    return {"network": path["nlri"]["prefix"], "best": path.get("best", False),
            "path": [number for sequence in sequences for number in sequence["asns"]], "next": attributes[NEXT_HOP]["nexthop"]}


class Gobgp(Router):
    """GoBGP, with a program that installs its routes."""

    def gobgp(self, *words):
        return ["gobgp", "--target", f"unix://{self.path}.sock", *words]

    def configuration(self):
        text = f"""
            [global.config]
            as = {self.system}
            router-id = "{self.id}"
            [global.route-selection-options.config]
            external-compare-router-id = true
        """
        for other, near, far in self.neighbours:
            text += f"""
            [[neighbors]]
            [neighbors.config]
            neighbor-address = "{far}"
            peer-as = {other}
            [neighbors.transport.config]
            local-address = "{near}"
            [neighbors.timers.config]
            connect-retry = 1
            """
        return text

    def start(self, health):
        path = self.write(".toml", self.configuration())
        self.spawn("gobgpd", "--config-file", path, "--api-hosts", f"unix://{self.path}.sock", "--log-plain", "--pprof-disable")
        until(self.begins, f"gobgpd of {place(self.system)} does not start")
        self.spawn(sys.executable, "-S", __file__, str(self.system))

    def begins(self):
        """Announces the network as soon as gobgpd answers."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.run(self.command(True), check=False, **quiet).returncode == 0

    def command(self, on):
        return self.gobgp("global", "rib", "add" if on else "del", self.own)

    def routes(self, network=""):
        found = json.loads(run(*self.gobgp("global", "rib", "--json")))
        return [read(path) for name, paths in found.items() if network in ("", name) for path in paths]

    def follow(self):
        """Installs the best routes until GoBGP ends."""
        command = self.gobgp("monitor", "global", "rib", "--current", "--json")
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as told:
            for line in told.stdout:
                for path in json.loads(line):
                    network, hop = path["nlri"]["prefix"], read(path)["next"]
                    # Its own, which the device has.
                    gone = path.get("withdrawal") or hop == "0.0.0.0"
                    words = ["del", network] if gone else ["replace", network, "via", hop]
                    subprocess.run(["ip", "route", *words, *KERNEL], check=False)


if __name__ == "__main__":
    Gobgp(int(sys.argv[1])).follow()

# SPDX-License-Identifier: GPL-2.0
"""FRRouting: bgpd, zebra, which installs its routes, and mgmtd, which zebra wants."""

import json
import os

from router import Router, until
from topology import place, run

PROGRAMS = "/usr/lib/frr"
# Here each `--pathspace` has a directory for sockets.
RUN = "/run/frr"
SHIM = f"{RUN}/ppoll.so"


class Frr(Router):
    """FRR, with a directory for sockets and files of the system's own."""

    # bgpd lets changes gather for 50 ms before it chooses, and then tells others.
    hold = 0.05

    def __init__(self, system):
        super().__init__(system)
        self.path = f"{RUN}/{place(system)}"

    def configuration(self, check_link):
        lines = [f"router bgp {self.system}", f"bgp router-id {self.id}", "no bgp ebgp-requires-policy", "no bgp default ipv4-unicast",
                 # As other routers choose: by the neighbour, not by age.
                 "bgp bestpath compare-routerid",
                 # To announce it as long as the routing table has it, as the device's network: while there is a carrier.
                 f"{'' if check_link else 'no '}bgp network import-check"]
        for other, _, far in self.neighbours:
            lines += [f"neighbor {far} remote-as {other}", f"neighbor {far} timers connect 1",
                      # Nothing goes back to where it came from.
                      f"neighbor {far} sender-as-path-loop-detection"]
        lines += ["address-family ipv4 unicast", f"network {self.own}"]
        lines += [f"neighbor {far} activate" for _, _, far in self.neighbours]
        return "\n".join(lines) + "\n"

    def start(self, health):
        os.makedirs(self.path, exist_ok=True)
        if not os.path.exists(SHIM):
            run("gcc", "-O2", "-shared", "-fPIC", "-o", SHIM, f"{os.path.dirname(os.path.abspath(__file__))}/ppoll.c")
        # What vtysh reads first.
        self.write("/vtysh.conf", "")
        for name, text in (("mgmtd", None), ("zebra", ""), ("bgpd", self.configuration(health.check_link and self.site))):
            settings = [] if text is None else ["--config_file", self.write(f"/{name}.conf", text)]
            self.spawn(f"{PROGRAMS}/{name}", "--pathspace", place(self.system), "--user", "root", "--group", "root",
                       "--log", f"file:{self.path}/{name}.log", "--vty_port", "0", *settings, env=os.environ | {"LD_PRELOAD": SHIM})
            until(lambda path=f"{self.path}/{name}.vty": os.path.exists(path), f"{name} of {place(self.system)} does not start")

    def vtysh(self, *lines):
        words = ["vtysh", "--pathspace", place(self.system), "--config_dir", RUN, "-d", "bgpd"]
        return words + [word for line in lines for word in ("-c", line)]

    def command(self, on):
        return self.vtysh("configure terminal", f"router bgp {self.system}", "address-family ipv4 unicast",
                          f"{'' if on else 'no '}network {self.own}")

    def routes(self, network=""):
        found = json.loads(run(*self.vtysh("show bgp ipv4 unicast json")))["routes"]
        return [{"network": name, "best": route.get("bestpath", False), "path": [int(number) for number in route["path"].split()],
                 "next": route["nexthops"][0]["ip"]} for name, routes in found.items() if network in ("", name) for route in routes]

# SPDX-License-Identifier: GPL-2.0
"""The BGP speakers: BIRD in each system. The two sites can run ExaBGP instead."""

import os
import re
import socket
import subprocess
import sys
import time

from topology import NAMES, PREFIX, SITES, enter, neighbours, place, prefix, run

WORK = "/run/anycast"
# The protocol of BIRD's configuration that holds the site's own route.
SERVICE = "service"


class Refused(Exception):
    """BIRD refused a command."""


class Bird:
    """A connection to BIRD's control socket. A reply is a sequence of lines, each with a code of four digits. A `-` behind the
    code means that more lines follow. A line that begins with a blank has the code of the line before."""

    def __init__(self, system):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(f"{WORK}/{place(system)}.ctl")
        self.file = self.sock.makefile("r")
        self.answer()

    def answer(self):
        lines = []
        for line in self.file:
            code = line[:4] if line[:4].isdigit() else ""
            lines.append(line[5:].rstrip("\n") if code else line[1:].rstrip("\n"))
            if code and line[4] == " ":
                if code[0] in "89":
                    raise Refused(lines[-1])
                return lines
        raise Refused("BIRD is gone")

    def __call__(self, command):
        self.sock.sendall(command.encode() + b"\n")
        return self.answer()


def configuration(system, check_link):
    """The configuration of a system. It announces its own network to all neighbours, as in the report. With `check_link` a site
    announces the service only while its device has a carrier."""
    own = f'route {prefix(system)} via "lan"' if check_link and system in SITES.values() else f"route {prefix(system)} unreachable"
    text = f"""
        log "{WORK}/{place(system)}.log" all;
        router id {max((near for _, near, _ in neighbours(system)), key=socket.inet_aton)};
        protocol device {{ scan time 60; }}
        protocol static {SERVICE} {{ {"check link yes;" if check_link else ""} ipv4; {own}; }}
        protocol kernel {{
            scan time 600;
            ipv4 {{ import none; export where source = RTS_BGP; }};
        }}
    """
    for other, near, far in neighbours(system):
        text += f"""
        protocol bgp {place(other)} {{
            local {near} as {system};
            neighbor {far} as {other};
            connect delay time 1; connect retry time 1; error wait time 1, 2; startup hold time 10;
            ipv4 {{ import all; export where source ~ [RTS_BGP, RTS_STATIC]; }};
        }}
    """
    return text


EXABGP = """
process announcer {{ run {command}; encoder text; }}
neighbor {far} {{
    router-id {near}; local-address {near}; local-as {system}; peer-as {other};
    family {{ ipv4 unicast; }}
    api {{ processes [ announcer ]; }}
}}
"""


class Routers:
    """Starts all BGP speakers. `sites` is the program of the two sites: bird or exabgp. `announcer(host)` is the command that
    tells exabgp what to announce."""

    def __init__(self, sites="bird", announcer=None, check_link=False):
        os.makedirs(WORK, exist_ok=True)
        self.sites, self.announcer, self.check_link = sites, announcer, check_link
        self.programs, self.controls = [], {}
        for system in NAMES:
            if sites == "exabgp" and system in SITES.values():
                self.exabgp(system)
            else:
                self.bird(system)

    def start(self, system, command, **more):
        enter(place(system))
        with open(f"{WORK}/{place(system)}.out", "w") as output:
            self.programs.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, **more))
        enter("")

    def bird(self, system):
        path = f"{WORK}/{place(system)}"
        with open(f"{path}.conf", "w") as file:
            file.write(configuration(system, self.check_link))
        self.start(system, ["bird", "-f", "-c", f"{path}.conf", "-s", f"{path}.ctl", "-P", f"{path}.pid"])
        until(lambda: os.path.exists(f"{path}.ctl"), f"BIRD of {place(system)} does not start")
        self.controls[system] = Bird(system)

    def exabgp(self, system):
        host = next(host for host, number in SITES.items() if number == system)
        (other, near, far), = neighbours(system)
        path = f"{WORK}/{place(system)}.conf"
        with open(path, "w") as file:
            file.write(EXABGP.format(command=self.announcer(host), near=near, far=far, system=system, other=other))
        # ExaBGP does not install routes.
        run("ip", "-netns", place(system), "route", "add", "default", "via", far)
        settings = {"exabgp.daemon.user": "root", "exabgp.log.destination": f"{WORK}/{place(system)}.log",
                    "exabgp.api.ack": "false", "exabgp.api.cli": "false", "exabgp.tcp.bind": "", "exabgp.cache.attributes": "true",
                    "exabgp.log.all": "false"}
        self.start(system, [sys.executable, "-m", "exabgp", path], env=os.environ | settings)

    def stop(self):
        for program in self.programs:
            program.terminate()
        for program in self.programs:
            program.wait()
        for control in self.controls.values():
            control.sock.close()
        self.programs, self.controls = [], {}

    def routes(self, system, network=""):
        """The routes of a system: network, next hop, AS path, and whether BIRD prefers it."""
        found = []
        try:
            lines = self.controls[system](f"show route all {network}" if network else "show route all")
        except Refused:
            lines = []  # there is none
        for line in lines:
            if begin := re.match(r"(\S+/\d+)?\s+(?:unicast|unreachable) \[(\S+) .*?\] (\*?)", line):
                found.append({"network": begin[1] or found[-1]["network"], "from": begin[2], "best": bool(begin[3]),
                              "path": [], "next": "0.0.0.0"})
            elif match := re.match(r"\s*BGP.as_path: ?(.*)", line):
                found[-1]["path"] = [int(number) for number in match[1].split()]
            elif match := re.match(r"\s*BGP.next_hop: (\S+)", line):
                found[-1]["next"] = match[1]
        return found

    def best(self, system, network=PREFIX):
        """The AS path of a system's best route, or None."""
        return next((route["path"] for route in self.routes(system, network) if route["best"]), None)

    def converge(self, seconds=60):
        """Waits until every system has a route to every network, and both ISPs have the route to their own site."""
        networks = {prefix(system) for system in NAMES}
        until(lambda: self.best(4) == [12] and self.best(5) == [13] and all(
            networks <= {route["network"] for route in self.routes(system) if route["best"]} for system in self.controls),
            "BGP does not converge", seconds)


def until(true, complaint, seconds=20, step=0.1):
    """Waits until `true()` is."""
    end = time.monotonic() + seconds
    while not true():
        if time.monotonic() > end:
            raise SystemExit(f"anycast: {complaint} within {seconds} s")
        time.sleep(step)

# SPDX-License-Identifier: GPL-2.0
"""BIRD 2."""

import os
import re
import socket

from router import Router, until
from topology import place

# The protocol of the configuration that holds the system's own route.
PROTOCOL = "service"


class Refused(Exception):
    """BIRD refused a command."""


class Control:
    """A connection to BIRD's control socket. A reply is a sequence of lines, each with a code of four digits. A `-` behind the
    code means that more lines follow. A line that begins with a blank has the code of the line before."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(path)
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


class Bird(Router):
    """BIRD. Its own route is in a protocol, which is enabled and disabled."""

    def __init__(self, system):
        super().__init__(system)
        self.socket, self.control = f"{self.path}.ctl", None

    def configuration(self, check_link):
        way = 'via "lan"' if check_link else "unreachable"
        text = f"""
            log "{self.path}.log" all;
            router id {self.id};
            protocol device {{ scan time 60; }}
            protocol static {PROTOCOL} {{ {"check link yes;" if check_link else ""} ipv4; route {self.own} {way}; }}
            protocol kernel {{
                scan time 600;
                ipv4 {{ import none; export where source = RTS_BGP; }};
            }}
        """
        for other, near, far in self.neighbours:
            text += f"""
            protocol bgp {place(other)} {{
                local {near} as {self.system};
                neighbor {far} as {other};
                connect delay time 1; connect retry time 1; error wait time 1, 2; startup hold time 10;
                ipv4 {{ import all; export where source ~ [RTS_BGP, RTS_STATIC]; }};
            }}
            """
        return text

    def start(self, health):
        path = self.write(".conf", self.configuration(health.check_link and self.site))
        self.spawn("bird", "-f", "-c", path, "-s", self.socket, "-P", f"{self.path}.pid")
        until(lambda: os.path.exists(self.socket), f"BIRD of {place(self.system)} does not start")
        # It is up when it answers. So the routers come up one after the other, the same each time.
        self.ask("show status")

    def ask(self, command):
        self.control = self.control or Control(self.socket)
        return self.control(command)

    def routes(self, network=""):
        found = []
        try:
            lines = self.ask(f"show route all {network}" if network else "show route all")
        except Refused:
            lines = []  # there is none
        for line in lines:
            if begin := re.match(r"(\S+/\d+)?\s+(?:unicast|unreachable) \[.*?\] (\*?)", line):
                found.append({"network": begin[1] or found[-1]["network"], "best": bool(begin[2]),
                              "path": [], "next": "0.0.0.0"})
            elif match := re.match(r"\s*BGP.as_path: ?(.*)", line):
                found[-1]["path"] = [int(number) for number in match[1].split()]
            elif match := re.match(r"\s*BGP.next_hop: (\S+)", line):
                found[-1]["next"] = match[1]
        return found

    def switch(self, on):
        self.ask(f"{'enable' if on else 'disable'} {PROTOCOL}")

    def rule(self):
        return (f'[announcement.service]\nbird = "{self.socket}"\nprotocol = "{PROTOCOL}"', '{ announce = "service" }',
                '{ withdraw = "service" }')

    def stop(self):
        super().stop()
        if self.control:
            self.control.sock.close()

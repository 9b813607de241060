# SPDX-License-Identifier: GPL-2.0
"""The adaptive stack, as users have it: a lanad at each end, and a channel with --adaptive. lanad measures the loss, and decides."""

import json
import os
import socket
import subprocess
import time

import link
import network

# Where a lanad has its socket, state and log.
FOLDER = "/run/lana-{}"
# A queue above the channel sends no faster than what is in the channel can take.
RULES = """
[[rule]]
name = "pace"
when = {{ type = "reliable", is = "present" }}
then = [{{ set = ["pace", "rate", "{slower}"] }}]
otherwise = [{{ set = ["pace", "rate", "{faster}"] }}]
"""


class End:
    """One end: its lanad, and what the blocks `reliable` of its graph have counted."""

    def __init__(self, name):
        self.name, self.folder = name, FOLDER.format(name)
        os.mkdir(self.folder)
        with open(f"{self.folder}/toml", "w") as file:
            file.write(RULES.format(slower=link.PACE[True], faster=link.PACE[False]))
        with open(f"{self.folder}/key", "w") as file:
            file.write("01" * 32)
        with open(f"{self.folder}/log", "w") as log:
            self.lanad = subprocess.Popen(["lanad", "-n", name, "--config", f"{self.folder}/toml", "--run", self.folder], stderr=log)
        network.enter(name)
        self.lana, self.counted, self.file = link.lana.Socket(), {}, None

    def connect(self):
        """Whether lanad listens."""
        sock = socket.socket(socket.AF_UNIX)
        if sock.connect_ex(f"{self.folder}/lanad.sock"):
            return False
        self.file = sock.makefile("rw")
        return True

    def ask(self, request):
        """What lanad answers."""
        self.file.write(json.dumps(request) + "\n")
        self.file.flush()
        return json.loads(self.file.readline())

    def channel(self, other, *options):
        """Opens the channel."""
        network.run("lanactl", "--run", self.folder, "channel", "out", "--to", link.ENDS[other], "--key", f"{self.folder}/key",
                    "--top", "pace", *options)

    def count(self):
        """Notes the counters of blocks that may be gone the next time."""
        for name in self.lana.names():
            if name.endswith(".reliable") and (found := self.lana.options(name)):
                self.counted[name] = found


class Channel:
    """The channel between both ends. West decides."""

    def __init__(self, *options):
        self.west, self.east = self.ends = [End(name) for name in link.ENDS]
        for end in self.ends:
            while not end.connect():
                time.sleep(0.01)
        policy = "".join(f":{key}={value}" for key, value in link.RELIABLE.items())
        self.east.channel("west", *(option for option in options if option.startswith("--keepalive")))
        self.west.channel("east", "--want", "dummy", "--adaptive", "--adaptive-block", f"reliable{policy}", *options)
        self.changes = []
        self.status()

    def status(self):
        """The blocks of the channel, and what is measured."""
        found, = self.west.ask({"do": "status"})["channels"]
        self.state, self.blocks, self.loss = found["state"], found["blocks"], (found["loss_out"], found["loss_in"])

    def look(self, second):
        """Whether `reliable` is in the channel now. To be called each second."""
        before = self.blocks
        self.status()
        inside = "reliable" in self.blocks
        if self.blocks != before:
            self.changes.append((second, inside, *(share and round(share, 3) for share in self.loss)))
        if inside or self.state != "up":
            for end in self.ends:
                end.count()
        return inside

    def end(self):
        """Answers what has been counted."""
        for end in self.ends:
            end.count()
            end.lanad.terminate()
        return [counters for end in self.ends for counters in end.counted.values()]

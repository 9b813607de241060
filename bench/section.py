# SPDX-License-Identifier: GPL-2.0
"""section.py NAME: in a booted kernel, runs the section of bench/sections of that name, and leaves what it
measured in LANA_OUT/NAME.json."""

import importlib
import json
import os
import sys

from common import Section, do, write


def mitigations():
    """What this kernel does about its processor's mistakes, as far as it says so."""
    folder = "/sys/devices/system/cpu/vulnerabilities"
    if not os.path.isdir(folder):
        return {}
    return {name: open(f"{folder}/{name}").read().strip() for name in sorted(os.listdir(folder))}


def command_line():
    """The kernel's, but for what is the host's alone: its paths."""
    with open("/proc/cmdline") as file:
        return " ".join(word for word in file.read().split() if "/" not in word)


def main(name):
    for place in "all", "default":
        write(f"/proc/sys/net/ipv6/conf/{place}/disable_ipv6", "1")
    write("/proc/sys/kernel/printk", "1")
    do("modprobe", "-a", "lana", "fb_eth", "fb_dummy", "fb_pflana", "pktgen")
    cpus = "one CPU" if os.cpu_count() == 1 else f"{os.cpu_count()} CPUs"
    kernel = {"release": os.uname().release, "cpus": cpus, "command line": command_line(), "mitigations": mitigations(),
              "bpf jit": os.path.exists("/proc/sys/net/core/bpf_jit_enable")}
    section = Section(name)
    importlib.import_module("sections." + name).run(section)
    with open(f"{os.environ['LANA_OUT']}/{name}.json", "w") as file:
        json.dump(section.whole() | {"kernel": kernel}, file)


main(sys.argv[1])

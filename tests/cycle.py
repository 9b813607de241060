# SPDX-License-Identifier: GPL-2.0
"""cycle.py CYCLES: loads the modules, builds a graph, lets a packet pass, takes all apart and unloads
the modules, so many times; then no memory must have got lost. A first 20 cycles fill caches."""

import collections
import ctypes
import glob
import os
import re
import socket
import sys

import rig
from lana import Socket, attr, check, end

CYCLES = int(sys.argv[1])
WARM_UP = 20
MIDDLE = (WARM_UP + CYCLES) // 2
LIBC = ctypes.CDLL(None, use_errno=True)
# Who has memory, in /proc/meminfo; pages that wait for their CPU to use them again are in none of these.
KNOWN = ["MemFree", "Buffers", "Cached", "AnonPages", "Slab", "KernelStack", "PageTables", "VmallocUsed",
         "Percpu"]
MODULES = ["lana", "fb_eth", "fb_bpf", "fb_tee", "fb_counter", "fb_dummy"]


def image(name):
    path = glob.glob(f"{os.environ['LANA_MODULES']}/*/{name}.ko")[0]
    with open(path, "rb") as file:
        return file.read()


IMAGES = [(name, image(name)) for name in MODULES]


def syscall(name, what, *args):
    if getattr(LIBC, name)(*args) != 0:
        raise OSError(ctypes.get_errno(), what + ": " + os.strerror(ctypes.get_errno()))


def done(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def cycle(wire):
    for name, data in IMAGES:
        syscall("init_module", "init_module " + name, data, ctypes.c_ulong(len(data)), b"")
    lana = Socket()
    done(lana.hook("lan0"))
    for name in ["tee", "bpf", "counter", "dummy"]:
        done(lana.add(name, name))
    done(lana.set("bpf", "program", "{ 0x6, 0, 0, 0xffffffff },"))
    done(lana.subscribe("dummy", "lan0"))
    for upper, lower in [("tee", "lan0"), ("bpf", "tee"), ("dummy", "tee"), ("counter", "bpf")]:
        done(lana.bind(upper, lower))
    wire.send(b"\xff" * 12 + b"\x08\x00" + b"\0" * 46)
    with open("/proc/net/lana/fblock/counter") as file:
        counted = file.read()
    if counted != "1 60\n":
        raise ValueError("counted " + counted)
    for upper, lower in [("counter", "bpf"), ("dummy", "tee"), ("bpf", "tee"), ("tee", "lan0")]:
        done(lana.unbind(upper, lower))
    done(lana.unsubscribe("dummy", "lan0"))
    done(lana.unhook("lan0"))
    for name in ["tee", "bpf", "counter", "dummy"]:
        done(lana.remove(name))
    lana.sock.close()
    for name, _ in reversed(IMAGES):
        syscall("delete_module", "delete_module " + name, name.encode(), os.O_NONBLOCK)


def memory():
    """That of the rig, in which `unknown` is what nobody has."""
    slab, info, areas = rig.memory()
    with open("/proc/zoneinfo") as file:
        waiting = sum(int(line.split()[1]) for line in file if line.lstrip().startswith("count:"))
    info["unknown"] = info["MemTotal"] - 4 * waiting - sum(info[key] for key in KNOWN)
    return slab, info, areas


def main():
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    wire.bind(("far0", 0))
    # A kernel that tracks references keeps the last 128 to a namespace that were given back: as many as sockets that
    # were closed.
    for _ in range(200):
        socket.socket(socket.AF_UNIX).close()
    leaks = rig.Leaks()
    made = 0
    why = ""
    try:
        for made in range(CYCLES):
            if made == WARM_UP:
                before = memory()
            if made == MIDDLE:
                middle = memory()
            cycle(wire)
        made = CYCLES
    except (OSError, ValueError) as error:
        why = error
    if not check(f"all can be loaded, used and unloaded {CYCLES} times", made == CYCLES,
                 f"{made} times", why):
        end()
        return
    after = memory()

    # Less than one object in two cycles: one that is lost each time is found. Others take some, too, but not as
    # much in either half.
    room = (MIDDLE - WARM_UP) // 2
    more = {name: [now[0].get(name, 0) - less[0].get(name, 0) for less, now in ((before, middle), (middle, after))]
            for name in after[0]}
    more = {name: counts for name, counts in more.items() if min(counts) >= room}
    check("no slab object is lost in a cycle", not more, more)
    for key, room in [("SUnreclaim", 300), ("Percpu", 0), ("VmallocUsed", 64), ("KernelStack", 64)]:
        less, now = before[1][key], after[1][key]
        check(f"{key} of /proc/meminfo has not grown", now <= less + room, f"{less} kB, then {now} kB")
    pages = [seen[1]["unknown"] for seen in (before, middle, after)]
    check("no page is lost in a cycle",
          min(now - less for less, now in zip(pages, pages[1:])) < 2 * (MIDDLE - WARM_UP),
          f"pages that are nobody's: {pages} kB")
    # Stacks belong to whoever runs just now.
    extra = [area for area in (collections.Counter(after[2]) - collections.Counter(before[2])).elements()
             if not re.search("stack|copy_process|kernel_clone", area)]
    check("no module's memory is left", not extra, *extra)
    leaks.check()
    end()


main()

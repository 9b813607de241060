# SPDX-License-Identifier: GPL-2.0
"""run.py [--lanes] [SECTION...]: the benchmarks. Boots the performance kernel, or what a section wants in its place, once for each
section, lets the contenders take turns in it (bench/section.py), then reports (bench/report.py). Results in LANA_OUT.
--lanes prints the kernels that these sections want."""

import json
import os
import socket
import subprocess
import sys
import threading
import time

import report
from sections import LANES, NAMES

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.environ.setdefault("LANA_CACHE", os.path.expanduser("~/.cache/lana"))
OUT = os.environ.setdefault("LANA_OUT", TOP + "/build/bench")


def family(pid):
    """A process and all that it has started."""
    yield pid
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/children") as file:
            for child in file.read().split():
                yield from family(int(child))


def used(pid, image, cpus=None):
    """Nanoseconds of the processor that a kernel below `pid` has used, with the programs that run in it; or of its first CPUs,
    each of which is a thread."""
    total = 0
    for kernel in family(pid):
        if os.readlink(f"/proc/{kernel}/exe") == image:
            break
    for process in family(kernel):
        tasks = sorted(os.listdir(f"/proc/{process}/task"), key=int)
        for task in tasks[:cpus] if process == kernel else tasks:
            with open(f"/proc/{process}/task/{task}/schedstat") as file:
                total += int(file.read().split()[0])
    return total


def answer(line, pid, image):
    """Tells the kernel how much it has used, whenever it asks by its serial line: ?, or a number of CPUs."""
    while ask := line.recv(1):
        while True:
            try:
                line.send(b"%d\n" % used(pid, image, int(ask) if ask.isdigit() else None))
                break
            except OSError:  # a process has ended meanwhile: once more
                pass


def lane_of(section):
    return LANES.get(section, "uml-up")


def boot(section, memory):
    """Whether the section came to its end."""
    lane = lane_of(section)
    image = os.path.realpath(f"{CACHE}/kernel/{lane}/linux")
    here, there = socket.socketpair()
    command = [TOP + "/scripts/lana-vm", "--lane", lane, "--timeout", "1800", "--memory", memory, "--append", f"ssl0=fd:{there.fileno()}",
               "--", "python3", "-S", TOP + "/bench/section.py", section]
    with subprocess.Popen(command, pass_fds=[there.fileno()]) as vm:
        there.close()
        threading.Thread(target=answer, args=(here, vm.pid, image), daemon=True).start()
    return vm.returncode == 0


def main(wanted):
    unknown = [name for name in wanted if name not in ("--lanes", *NAMES)]
    if unknown:
        sys.exit(f"bench: no section {unknown[0]}; there are: {' '.join(NAMES)}")
    sections = [name for name in wanted if name in NAMES] or [name for name in NAMES if name not in LANES]
    if "--lanes" in wanted:
        print(*dict.fromkeys(map(lane_of, sections)))
        return
    os.makedirs(OUT, exist_ok=True)
    start, failed = time.monotonic(), []
    for name in os.listdir(OUT):  # of another run
        if name.endswith((".json", ".svg")):
            os.remove(f"{OUT}/{name}")
    for number, section in enumerate(sections, 1):
        print(f"# section {section}, {number} of {len(sections)}, after {time.monotonic() - start:.0f} s", flush=True)
        if not boot(section, NAMES[section]):
            failed.append(section)
    report.main(OUT, save=False)
    print(f"# The report, its plots and results.json are in {OUT}; all took {time.monotonic() - start:.0f} s")
    if failed:
        sys.exit(f"bench: came to no end: {' '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])

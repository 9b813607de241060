# SPDX-License-Identifier: GPL-2.0
"""x86.py [--save] [SECTION...]: how many instructions the kernel executes for a packet, on x86-64: in QEMU, whose clock
counts them (scripts/lana-vm --icount), first with retpolines, then without. The same on every machine and in
every run, but no time: it knows neither caches nor mispredicted branches. --save puts it into
Documentation/performance."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time

from report import PAGES, missing_table, table, value_table

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OUT = os.environ.get("LANA_OUT", TOP + "/build/bench-x86")
SECTIONS = ["drop", "frames", "virtio", "chain", "forward", "echo", "sockets", "classify", "nat", "netflow", "switch", "shape"]
FRAMES = ["frames", "virtio"]
# A name, and what tells the kernel so.
KERNELS = {"retpolines": "spectre_v2=retpoline", "without": "spectre_v2=off"}


def boot(section, kernel):
    """What the section found, or None where it came to no end."""
    folder = f"{OUT}/{kernel}"
    os.makedirs(folder, exist_ok=True)
    # Every round is the same: one will do, and a short one.
    environment = {**os.environ, "LANA_OUT": folder, "LANA_ROUNDS": "1", "LANA_SECONDS": "0.02"}
    command = [TOP + "/scripts/lana-vm", "--lane", "x86_64", "--icount", "--timeout", "900", "--append",
               KERNELS[kernel], "--", "python3", "-S", TOP + "/bench/section.py", section]
    if subprocess.run(command, env=environment, check=False).returncode:
        return None
    with open(f"{folder}/{section}.json") as file:
        return json.load(file)


def instructions(row):
    """For a packet: a nanosecond is an instruction."""
    return 1e9 / statistics.median(row["samples"])


def rows(found):
    """Who, and the instructions in each of the kernels."""
    for row in found["retpolines"]["results"]:
        key = [row[part] for part in ("load", "name", "x")]
        other = [r for r in found["without"]["results"] if [r[part] for part in ("load", "name", "x")] == key]
        if other:
            name = row["name"] + (f", {row['x']}" if row["x"] is not None else "")
            yield row["load"], name, row["x"], instructions(row), instructions(other[0])


def step(found):
    """What each further block takes."""
    for where, who, few in ("ingress", "LANA,", 1), ("bursts", "LANA, batched,", 10), ("chain", "LANA,", 10):
        blocks = {x: pair for load, name, x, *pair in rows(found) if load == where and name.startswith(who)}
        for kernel, pair in zip(KERNELS, zip(blocks[few], blocks[50])) if few in blocks and 50 in blocks else []:
            yield (f"Each further block, {few} to 50, {where}{who[4:-1]}, {kernel}: "
                   f"{(pair[1] - pair[0]) / (50 - few):.1f} instructions.\n")


# Who stands beside whom, where packets come as frames.
BESIDE = {"drop": ("LANA, 1 block", ["XDP native drop", "XDP native drop, as xdp-bench"]),
          "forward": ("LANA, eth - dummy - eth", ["XDP native redirect", "XDP native redirect, as xdp-bench",
                                                  "XDP native redirect-map, as xdp-bench"]),
          "echo": ("LANA, icmp-echo", ["XDP program", "XDP program, checksums verified", "kernel ICMP"])}


def ratios(found):
    """How many times the instructions of LANA a peer takes, the load taken off."""
    takes = {(load, name): pair for load, name, _, *pair in rows(found)}
    loads = [load for load, name in takes if name == "the load alone"]
    for load, (ours, peers) in BESIDE.items():
        # The load is the same for all, but where frames come again and are to be renewed.
        alone = takes.get((load, "the load alone")) or takes[loads[0], "the load alone"]
        for peer in peers:
            if (load, peer) in takes and (load, ours) in takes:
                pairs = zip(takes[load, peer], takes[load, ours], alone)
                yield [load, ours, peer, *[f"{(other - base) / (lana - base):.2f}" for other, lana, base in pairs]]


def main(wanted, save):
    begun, text, failed = time.monotonic(), [], []
    for section in wanted or SECTIONS:
        found = {}
        for kernel in KERNELS:
            print(f"# section {section}, {kernel}, after {time.monotonic() - begun:.0f} s", flush=True)
            found[kernel] = boot(section, kernel)
        if not all(found.values()):
            failed.append(section)
            continue
        for kernel, whole in found.items():
            told = whole["kernel"]
            if not text or section == (wanted or SECTIONS)[0]:
                bpf = "compiled" if told["bpf jit"] else "interpreted"
                text.append(f"{kernel}: Linux {told['release']}, x86-64; command line `{told['command line']}`; "
                            f"spectre_v2: {told['mitigations'].get('spectre_v2')}; BPF {bpf}.\n")
        text += [f"## {section}\n",
                 table(["load", "who", "retpolines", "without", "more"],
                       [[load, name, f"{one:.0f}", f"{other:.0f}", f"{one - other:.0f}"]
                        for load, name, _, one, other in rows(found)], 2), *step(found)]
        if found["retpolines"]["values"]:
            text.append(value_table(found["retpolines"]))
        if section in FRAMES:
            text.append(table(["load", "LANA", "peer, whose instructions / LANA's, the load taken off", "retpolines",
                               "without"], [*ratios(found)], 3))
        if found["retpolines"]["missing"]:
            text.append(missing_table(found["retpolines"]))
    with open(OUT + "/report.md", "w") as file:
        file.write("# One run of `make bench-x86`: instructions for a packet\n\n" + "\n".join(text))
    if save:
        os.makedirs(PAGES, exist_ok=True)
        shutil.copy(OUT + "/report.md", PAGES + "/x86.md")
    print("\n".join(text))
    print(f"# The report is in {OUT}; all took {time.monotonic() - begun:.0f} s")
    if failed:
        sys.exit(f"bench-x86: came to no end: {' '.join(failed)}")


if __name__ == "__main__":
    main([word for word in sys.argv[1:] if word != "--save"], "--save" in sys.argv)

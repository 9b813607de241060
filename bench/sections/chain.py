# SPDX-License-Identifier: GPL-2.0
"""A chain of steps: what each further block costs, and what the same modularity costs elsewhere."""

import ebpf
from common import BURST, INGRESS, WIRE, Missing, do, floor
from sections.drop import LINUX, chain, linux, swallow

BATCHED = "LANA, batched"
LEAST = "the least, counted, called, freed"
LENGTHS = [1, 2, 5, 10, 20, 50]
# What the kernel refuses, or ends a packet for.
TAIL_CALLS, GOTOS, JUMPS = 33, 16, 16


def least(load, steps):
    """What a chain takes at least that counts at each step and calls a function for it."""
    return swallow(load, lambda device: floor(f"{device}*{steps}"))


def tail_calls(load, steps):
    if steps - 1 > TAIL_CALLS:
        raise Missing(f"the kernel lets a program end after {TAIL_CALLS} tail calls")
    return swallow(load, lambda device: ebpf.on_tc(device, ebpf.chain(steps, ebpf.TC_DROP)))


def tc_chains(load, steps):
    """Chain 0 goes to 1, that to 2, and so on; the last one drops."""
    if steps - 1 > GOTOS:
        raise Missing(f"the kernel gives a packet up after {GOTOS} goto chain")

    def setup(device):
        do("tc", "qdisc", "add", "dev", device, "clsact")
        for step in reversed(range(steps)):
            action = ["drop"] if step == steps - 1 else ["goto", "chain", str(step + 1)]
            do("tc", "filter", "add", "dev", device, "ingress", "chain", str(step), "matchall", "action", *action)
    return swallow(load, setup)


def nft_chains(load, steps):
    """Each chain jumps to the next one; the last one drops. (With goto it is the same, also the limit.)"""
    if steps - 1 >= JUMPS:
        raise Missing(f"the kernel refuses more than {JUMPS - 1} jumps, or goto, one after the other")

    def setup(device):
        text = "".join(f"chain c{step} {{ {'drop' if step == steps - 1 else f'jump c{step + 1}'}; }}\n"
                       for step in reversed(range(1, steps)))
        do("nft", "-f", "-", text=f"""
            table netdev {device} {{
                {text}
                chain in {{
                    type filter hook ingress device {device} priority 0;
                    {'drop' if steps == 1 else 'jump c1'};
                }}
            }}
        """)
    return swallow(load, setup)


def run(section):
    section.miss("ingress", BATCHED, "these packets are shared, so that none can wait for others")
    for name, load in ("ingress", INGRESS), ("bursts", BURST), ("wire", WIRE):
        section.offer(name, LINUX, lambda: linux(load), 0)
        for steps in LENGTHS:
            section.offer(name, "LANA", lambda: chain(load, steps), steps)
            section.offer(name, LEAST, lambda: least(load, steps), steps)
            if load is not INGRESS:
                section.offer(name, BATCHED, lambda: chain(load, steps, batched=True), steps)
        section.take_turns()
    for steps in LENGTHS:
        section.offer("wire", "BPF tail calls", lambda: tail_calls(WIRE, steps), steps)
        section.offer("wire", "tc goto chain", lambda: tc_chains(WIRE, steps), steps)
        section.offer("wire", "nft jump", lambda: nft_chains(WIRE, steps), steps)
    section.take_turns()

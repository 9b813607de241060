# SPDX-License-Identifier: GPL-2.0
"""churn.py PACKETS: changes the graph lan0 - first - mid - last while PACKETS pass at full speed, in
each way there is; then every packet must be accounted for: counted at the end, or dropped for a
reason where it was."""

import json
import os
import subprocess
import sys

from lana import TOP, Socket, check, end

PACKETS = int(sys.argv[1])
PASS = "{ 0x6, 0, 0, 0xffffffff },"
lana = Socket()
errors = []


def do(answer):
    if answer.error:
        errors.append(str(answer))


def stats():
    """Packets and drops by reason, of each block; and the engine's."""
    text = subprocess.run(["fbctl", "-j", "stats"], capture_output=True, check=True).stdout
    whole = json.loads(text)
    blocks = {}
    for fb in whole["fb"]:
        drops = {drop["reason"]: drop["packets"] for drop in fb["stats"].get("drop", [])}
        blocks[fb["name"]] = (fb["stats"]["packets"], drops)
    return blocks, sum(cpu["packets"] for cpu in whole["ppe"]), sum(cpu["drops"] for cpu in whole["ppe"])


def sides():
    """Blocks beside the way come and go: nothing may be lost."""
    do(lana.add("side", "dummy"))
    do(lana.add("other", "bpf"))
    do(lana.bind("other", "side"))
    do(lana.subscribe("side", "first"))
    do(lana.subscribe("first", "side"))
    do(lana.set("other", "program", PASS))
    do(lana.unsubscribe("first", "side"))
    do(lana.unsubscribe("side", "first"))
    do(lana.unbind("other", "side"))
    do(lana.remove("side"))
    do(lana.remove("other"))


def branches():
    """A branch comes and goes at the tee: the way that is not changed loses nothing."""
    do(lana.add("branch", "counter"))
    do(lana.bind("branch", "mid"))
    do(lana.unbind("branch", "mid"))
    do(lana.remove("branch"))


def cut():
    """The way itself is cut and mended: what comes meanwhile is dropped, and counted."""
    do(lana.unbind("mid", "first"))
    do(lana.bind("mid", "first"))


def ends():
    """The end of the way is taken off and put back."""
    do(lana.unbind("last", "mid"))
    do(lana.bind("last", "mid"))


def under_load(change):
    """Sends, changes until all is sent, and says what became of the packets."""
    before = stats()
    load = subprocess.Popen(["ip", "netns", "exec", "alice", TOP + "/tests/pktgen", "a0", str(PACKETS)],
                            stdout=subprocess.DEVNULL)
    times = 0
    while load.poll() is None:
        change()
        times += 1
    after = stats()
    grown = {}
    for name, (packets, drops) in after[0].items():
        was = before[0].get(name, (0, {}))
        grown[name] = (packets - was[0], {r: n - was[1].get(r, 0) for r, n in drops.items()})
    return times, grown, after[1] - before[1], load.returncode


for change in [sides, branches, cut, ends]:
    what = change.__doc__.split(":")[0].rstrip(".")
    times, grown, engine, status = under_load(change)
    check(f"{what}, under load: each change is made", not errors and times > 3, f"{times} times", *errors[:5])
    errors.clear()
    came, arrived = grown["lan0"][0], grown["last"][0]
    check("all packets have come", came == PACKETS and status == 0, came, status)
    lost = {n: d.get("unbound", 0) for n, (_, d) in grown.items()}
    if change in (sides, branches):
        check("all packets arrive at the end", arrived == PACKETS, grown)
    else:
        # What is at the last block has arrived; that it goes no further is counted there.
        dropped = lost["first"] + lost["mid"]
        check("packets sent = packets arrived + packets dropped as unbound",
              arrived + dropped == PACKETS, f"{arrived} arrived, {dropped} dropped", grown)
    check("what arrived was dropped at the end, to the packet", lost["last"] == arrived, grown)
    check("no packet was dropped for another reason",
          not [d for _, d in grown.values() if any(n for r, n in d.items() if r != "unbound")], grown)

pid = os.getpid()
check("the graph is as it was", sorted(lana.names()) == ["first", "lan0", "last", "mid"], lana.names())
end()

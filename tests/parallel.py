# SPDX-License-Identifier: GPL-2.0
"""parallel.py: two CPUs, each with packets of its own device, which pass a block of their own, and then one that all
have in common. What the engine counts on a CPU must be what that CPU has sent: there is nothing that two of them
write to."""

import time

from lana import check, end
from rig import Lana, Load, quiesce, read

lana = Lana()


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def engine():
    """The packets that entered the graph, by CPU."""
    _, *lines = read("/proc/net/lana/ppe").splitlines()
    return {int(fields[0]): int(fields[1]) for fields in map(str.split, lines)}


sides = [("alice", "a0", "lan0", "left"), ("bob", "b0", "lan1", "right")]
must(lana.add("all", "multipath"))
for namespace, _, device, own in sides:
    must(lana.hook(device))
    must(lana.add(own, "counter"))
    must(lana.bind(own, device))
    must(lana.bind("all", own))
before = engine()
loads = [Load(namespace).add(device, cpu).start() for cpu, (namespace, device, _, _) in enumerate(sides)]
while min(load.sofar(load.devices[0]) for load in loads) < 2000:
    time.sleep(0.2)
sent = [sum(load.stop(wait=False).values()) for load in loads]
quiesce()
after, blocks = engine(), lana.blocks()
check("both CPUs have sent", all(count > 1000 for count in sent), sent)
check("each CPU counts what it sent", [after[cpu] - before[cpu] for cpu in (0, 1)] == sent, before, after, sent)
check("so do the blocks that only one of them comes to",
      [blocks[own].packets for _, _, _, own in sides] == sent, sent, [blocks[own].packets for _, _, _, own in sides])
check("a block that both come to has the sum", blocks["all"].packets == sum(sent), blocks["all"].packets, sent)
check("where all end, every packet is told as dropped", blocks["all"].drops == {"unbound": sum(sent)},
      blocks["all"].drops, sent)
for _, _, device, own in sides:
    must(lana.unbind("all", own))
    must(lana.unbind(own, device))
    must(lana.remove(own))
    must(lana.unhook(device))
must(lana.remove("all"))
end()

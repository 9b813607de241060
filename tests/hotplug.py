# SPDX-License-Identifier: GPL-2.0
"""hotplug.py TIMES [batch]: lan0 - first - one or two - last - lan1, with packets on all CPUs; the last CPU is
switched off and on again, so many times, while the way is rewired. The packets in its queues must not get
lost, nor what it has counted. With `batch` they go through the graph in batches, for which they wait in a queue of
their CPU."""

import os
import sys
import threading
import time

from lana import check, end
from rig import Lana, Load, link, quiesce, read, tc, write

TIMES = int(sys.argv[1])
CPU = os.cpu_count() - 1
ONLINE = f"/sys/devices/system/cpu/cpu{CPU}/online"
lana = Lana()


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def received():
    packets, size = tc("bob", "b0")
    return packets, size + 14 * packets  # tc does not count the Ethernet header of what is received


def dropped():
    """Packets that found no room in the queue of a CPU, which Linux drops before anybody sees them."""
    return sum(link(*device, "rx_drop") for device in [("", "lan0"), ("bob", "b0")])


for name, kind in [("first", "counter"), ("one", "dummy"), ("two", "dummy"), ("last", "counter")]:
    must(lana.add(name, kind))
for name in ("lan0", "lan1"):
    must(lana.hook(name))
    if "batch" in sys.argv:
        must(lana.set(name, "batch", "on"))
for upper, lower in [("first", "lan0"), ("one", "first"), ("last", "one"), ("lan1", "last")]:
    must(lana.bind(upper, lower))
# A CPU's packets are handed to the others, through their queues: also to one that is just going.
write("/proc/sys/net/core/netdev_max_backlog", "100000")
write("/sys/class/net/lan0/queues/rx-0/rps_cpus", f"{(2 << CPU) - 1:x}")
before, was = received(), dropped()

load = Load("alice")
for cpu in range(CPU + 1):
    # Of many flows, which are spread over the CPUs.
    load.add(f"a0@{cpu}", cpu, "udp_src_min 1", "udp_src_max 60000", "flag UDPSRC_RND", "delay 20000")
load.start()
stop = threading.Event()
failed = []
rewired = 0


def rewire():
    global rewired  # pylint: disable=global-statement
    mine = Lana()
    old, new = "one", "two"
    while not stop.is_set():
        answer = mine.transact(("UNBIND", old, "first"), ("UNBIND", "last", old), ("BIND", new, "first"),
                               ("BIND", "last", new))
        if answer.error:
            failed.append(answer)
            return
        old, new = new, old
        rewired += 1


thread = threading.Thread(target=rewire)
thread.start()
switched = 0
why = ""
try:
    for _ in range(TIMES):
        for state in "01":
            write(ONLINE, state)
            time.sleep(0.02)
        switched += 1
except OSError as error:
    why = error
with_cpu = lana.blocks()["first"].counted
write(ONLINE, "0")
without = lana.blocks()["first"].counted
time.sleep(0.1)
stop.set()
thread.join()
sent = sum(load.stop().values())
off = lana.blocks()
lines = len(read("/proc/net/lana/ppe").splitlines()) - 1
write(ONLINE, "1")
quiesce()
blocks = lana.blocks()
arrived = tuple(now - then for now, then in zip(received(), before))
lost = dropped() - was
print(f"# {switched} times off and on, {rewired} times rewired, {sent} packets")
check("a CPU is switched off and on again while packets pass", switched == TIMES, why)
check("the way is rewired meanwhile", rewired > TIMES and not failed, rewired, *failed)
check("what a CPU has counted is not forgotten when it goes", without >= with_cpu, with_cpu, without)
check("it is there as well when the CPU is back", blocks["first"].counted >= off["first"].counted)
check("ppe has a line of each CPU, also of one that is off", lines == CPU + 1, lines)
check("each packet that was sent came in", blocks["lan0"].packets == sent, f"{sent} sent",
      f"{blocks['lan0'].packets} came, {lost} found no room in the queue of a CPU")
check("each packet that came in went out, to the packet and the byte",
      arrived == blocks["lan0"].counted == blocks["last"].counted, arrived, blocks["lan0"].counted,
      blocks["last"].counted)
check("by one way or the other",
      blocks["one"].packets + blocks["two"].packets == blocks["lan0"].packets)
check("none was dropped", not any(block.drops for block in blocks.values()),
      *[(name, block.drops) for name, block in blocks.items()])
check("nothing waits in the engine",
      all(line.split()[5] == "0" for line in read("/proc/net/lana/ppe").splitlines()[1:]))
end()

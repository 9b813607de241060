# SPDX-License-Identifier: GPL-2.0
"""drivers.py: LANA and a driver that does what drivers may (tests/odd-device)."""

import socket
import time

from lana import check, end
from rig import CPUS, SLOW, Lana, Load, quiesce, read, write

PARAMETERS = "/sys/module/odd_device/parameters/"
lana = Lana()


def number(name):
    return int(read(PARAMETERS + name))


def stopped():
    """Two CPUs send by a device that has no queue of its own and stops after each frame: what comes while it is
    stopped must not reach the driver."""
    lana.add("t", "tee")
    for upper, lower in ("t", "lan0"), ("t", "lan1"), ("odd0", "t"):
        answer = lana.bind(upper, lower)
        check(f"{upper} on top of {lower}", not answer.error, answer)
    write(PARAMETERS + "stops", "1")
    load = Load()
    for cpu, name in enumerate(("lan0", "lan1")):
        load.add(name, cpu, "xmit_mode netif_receive", "pkt_size 60")
    before = number("frames")
    load.start()
    time.sleep(1 if SLOW == 2 else 4)
    sent = sum(load.stop().values())
    write(PARAMETERS + "stops", "0")
    got = number("frames") - before
    dropped = lana.blocks()["odd0"].drops.get("device", 0)
    check("a driver that stops its queue gets nothing until it goes on", number("late") == 0 and got > 10,
          number("late"), got)
    check("what comes meanwhile is a drop of its block", got + dropped == sent and dropped > 0, sent, got, dropped)
    lana.take_apart()


def reserves():
    """A frame from the reserves of memory does not wait at a socket."""
    sock = socket.socket(18, socket.SOCK_RAW)
    sock.settimeout(5)
    name = next(name for name in lana.names() if name.startswith("socket:"))
    lana.bind(name, "odd0")

    def dropped():
        lines = [line.split() for line in read("/proc/net/netstat").splitlines() if line.startswith("TcpExt:")]
        return int(dict(zip(*lines))["PFMemallocDrop"])

    before = dropped()
    write(PARAMETERS + "receive", "1")
    write(PARAMETERS + "receive", "0")
    got = len(sock.recv(100))
    quiesce()
    sock.setblocking(False)
    try:
        sock.recv(100)
        more = True
    except BlockingIOError:
        more = False
    check("an ordinary frame reaches a socket, one from the reserves of memory does not", got == 60 and not more,
          got, more)
    check("it is a drop of the socket's block, and counted as with packet sockets",
          lana.blocks()[name].drops == {"no-memory": 1} and dropped() == before + 1, lana.blocks()[name].drops, dropped())
    sock.close()


if CPUS > 1:
    stopped()
else:
    check("a driver that stops its queue gets nothing until it goes on # SKIP there is one CPU", True)
reserves()
end()

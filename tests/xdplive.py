# SPDX-License-Identifier: GPL-2.0
"""xdplive.py TIMES PROGRAM: lan0 and lan1 are hooked by native XDP, and alice sends by lan0 at full rate. Each of
these is done again and again meanwhile, and TIMES at least: another program in the place of ours (PROGRAM, a pinned
one) and back, other channels, another MTU, down and up, another namespace and back, the end of the device. After each
frames must pass as before."""

import subprocess
import sys
import time

from lana import check, end
from rig import CPUS, FRAMES, Lana, Leaks, Load, Route, inside, quiesce

TIMES, PROGRAM = int(sys.argv[1]), sys.argv[2]
lana, route, load = Lana(), Route(), None


def must(answer):
    if answer.error:
        raise OSError(answer.error, str(answer))


def feed():
    """The generator ends when its device has no carrier."""
    global load  # pylint: disable=global-statement
    if load and load.thread.is_alive() and all(load.known(cpu)[0] for cpu in range(CPUS)):
        return
    if load:
        load.halt()
        load.forget()
    load = Load("alice")
    for cpu in range(CPUS):
        load.add(f"a0@{cpu}", cpu, *FRAMES)
    load.start()


def ip(*words):
    """Says why not, or nothing."""
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=False).stderr


def passing():
    """Frames come to the block on top of lan0."""
    was, deadline = lana.get("c").packets, time.monotonic() + 10
    while lana.get("c").packets == was and time.monotonic() < deadline:
        time.sleep(0.01)
    return lana.get("c").packets != was


def again(name, change):
    """Makes a change again and again while frames come."""
    why, done = "", 0
    while done < TIMES and not why:
        feed()
        why, done = change(), done + 1
    check(f"{name}: {TIMES} times under load", not why, why)
    feed()
    check(f"{name}: frames pass afterwards", passing(), lana.get("c").ports, ip("-s", "link", "show", "lan0"),
          {device: load.sofar(device) for device in load.devices}, f"sending: {load.thread.is_alive()}")


def unhooked():
    must(lana.unbind("c", "lan0"))
    must(lana.unhook("lan0"))


def anew():
    unhooked()
    must(lana.hook("lan0", xdp=True))
    must(lana.bind("c", "lan0"))


def other_program():
    """Takes our place; it is taken away again, over our hook or after that was given back."""
    why = ip("link", "set", "lan0", "xdpdrv", "pinned", PROGRAM)
    must(lana.unbind("c", "lan0"))
    why = why or ip("link", "set", "lan0", "xdpdrv", "off")
    must(lana.unhook("lan0"))
    must(lana.hook("lan0", xdp=True))
    must(lana.bind("c", "lan0"))
    return why


def mtu():
    return ip("link", "set", "lan0", "mtu", "1400") or ip("link", "set", "lan0", "mtu", "1500")


def down():
    must(route.up("lan0", False))
    must(route.up("lan0"))


def entrances():
    """From frames to skbs and back."""
    unhooked()
    must(lana.hook("lan0"))
    must(lana.bind("c", "lan0"))
    anew()


def netns():
    """It is unhooked by that."""
    why = ip("link", "set", "lan0", "netns", "bob") or ip("-n", "bob", "link", "set", "lan0", "netns", "1")
    must(route.up("lan0"))
    must(lana.hook("lan0", xdp=True))
    must(lana.bind("c", "lan0"))
    return why


def channels(count):
    return subprocess.run(["ethtool", "-L", "lan0", "rx", str(count)], capture_output=True, text=True,
                          check=False).stderr


leaks = Leaks()
bob = inside("bob", Lana)
must(bob.hook("b0", xdp=True))
must(lana.add("c", "counter"))
must(lana.hook("lan0", xdp=True))
must(lana.hook("lan1", xdp=True))
must(lana.bind("c", "lan0"))
must(lana.bind("lan1", "c"))
again("hooked anew", anew)
again("another program, and back", other_program)
again("the other entrance, and back", entrances)
again("MTU", mtu)
again("down and up", down)
try:
    again("channels", lambda: channels(2) or channels(1))
except FileNotFoundError:
    check("channels # SKIP there is no ethtool", True)
again("another namespace, and back", netns)
check("no frame has become an skb", not any(block.skbs for block in lana.blocks().values()),
      {name: block.skbs for name, block in lana.blocks().items()})
# Under load, to its end: the sender's device goes with it.
feed()
must(route.remove("lan0"))
load.halt()
load.forget()
deadline = time.monotonic() + 20
while "lan0" in lana.names() and time.monotonic() < deadline:
    time.sleep(0.05)
check("a device that is removed under load is gone, and its block", "lan0" not in lana.names(), lana.names())
must(bob.unhook("b0"))
bob.sock.close()
quiesce()
lana.take_apart()
must(lana.unhook("lan1"))
leaks.check()
end()

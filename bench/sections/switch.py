# SPDX-License-Identifier: GPL-2.0
"""Switch: frames between stations behind two ports, of which each was heard before; and from many, which are learned."""

import socket
import struct

from common import FOREIGN, WIRE, Room, Wire, batch, contender, do, hook, stack
from sections.forward import bridge as told

STATIONS = [1, 1000]
PORTS = "two ports"
SENDER = "02:00:00:01:00:00"


def address(first, number):
    """The one that comes so many after the first, as the packet generator counts."""
    return (int(first.replace(":", ""), 16) + number).to_bytes(6, "big")


def speak(device, first, number):
    """As many stations behind a device are heard, by a frame to all each."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((device, 0))
        for station in range(number):
            sock.send(b"\xff" * 6 + address(first, station) + struct.pack("!H", 0x88B5) + bytes(46))


def stations(setup, number):
    """Frames from as many to as many others."""
    Room()
    source, target = Wire(), Wire()
    setup(source.near, target.near)
    speak(target.far, FOREIGN, number)
    speak(source.far, SENDER, number)
    load = [*WIRE, f"src_mac {SENDER}", f"src_mac_count {number}", f"dst_mac_count {number}",
            *["flag MACSRC_RND", "flag MACDST_RND"] * (number > 1)]
    return contender(source.far, load, stack(target.far))


def bridge(source, target):
    """As it is, but for STP, and multicasts."""
    name = "b" + source
    do("ip", "link", "add", name, "type", "bridge", "stp_state", "0", "mcast_snooping", "0", "ageing_time", "360000")
    do("ip", "-batch", "-", text=f"""
        link set {source} master {name}
        link set {target} master {name}
        link set {name} up
    """)


def lana(source, target):
    hook(source, target)
    batch("add s switch", "set s ageing=3600s", f"bind s {source}", f"bind s {target}")


def run(section):
    for number in STATIONS:
        if number == 1:
            section.offer(PORTS, "bridge, told, not learning", lambda: stations(lambda one, other: told(one, other, None), 1), 1)
        section.offer(PORTS, "bridge", lambda: stations(bridge, number), number)
        section.offer(PORTS, "LANA, switch", lambda: stations(lana, number), number)
    section.take_turns()

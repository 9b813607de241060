# SPDX-License-Identifier: GPL-2.0
"""twoways.py COUNT SEED MAC ADDRESS...: the same malformed frames (of pktfuzz.py) by a0 and by a2, behind which are
equal graphs: one gets skbs, the other one frames. What comes back must be the same, to the byte."""

import os
import select
import socket
import sys

from lana import check, end
from pktfuzz import Frames

COUNT, SEED, MAC = int(sys.argv[1]), sys.argv[2], bytes.fromhex(sys.argv[3].replace(":", ""))
AT_ONCE = 32


def port(device):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.setsockopt(263, 23, 1)  # SOL_PACKET, PACKET_IGNORE_OUTGOING
    sock.setsockopt(socket.SOL_SOCKET, 33, 8 << 20)  # SO_RCVBUFFORCE
    sock.bind((device, 0))
    return sock


def answers(sock, frames, wait):
    """What comes back, in order."""
    for frame in frames:
        try:
            sock.send(frame)
        except OSError:
            pass  # what no device would send
    came = []
    while select.select([sock], [], [], wait)[0]:
        came.append(sock.recv(1 << 16))
    return came


def tags(frame):
    """How many VLAN tags it begins with."""
    count, at = 0, 12
    while frame[at:at + 2] in (b"\x81\0", b"\x88\xa8"):
        count, at = count + 1, at + 4
    return count


def main():
    os.sched_setaffinity(0, {0})
    with open("/sys/class/net/a0/mtu") as file:
        frames = Frames(SEED, MAC, sys.argv[4:], int(file.read()))
    ports = port("a0"), port("a2")
    compared = sent = 0
    why = ""
    for _ in range(0, COUNT, AT_ONCE):
        # Linux takes the first tag out of an skb, so icmp-echo, which looks behind two, gets to a third.
        some = [frame for frame in (frames.frame() for _ in range(AT_ONCE)) if tags(frame) < 3]
        one, other = (answers(sock, some, 0.05) for sock in ports)
        if one != other:
            # Slowly, one by one: which one it is, and whether it was just late.
            for frame in some:
                one, other = (answers(sock, [frame], 0.5) for sock in ports)
                if one != other:
                    why = why or f"{len(frame)} bytes: {frame.hex()}\nskb: {[a.hex() for a in one]}\nframe: {[a.hex() for a in other]}"
        compared += len(one)
        sent += len(some)
    print(f"# {sent} frames, {compared} answers")
    check("a graph answers a frame as it answers an skb, to the byte", not why, why)
    # About one in 27, by the seed.
    check("many were answered", compared > COUNT // 100, compared)
    end()


main()

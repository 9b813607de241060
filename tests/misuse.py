# SPDX-License-Identifier: GPL-2.0
"""misuse.py DEVICE FAR: a block that delivers to the first socket there was, whatever becomes of that; with
fb_misuse_socket in the place of fb_pflana. DEVICE is hooked, FAR is the other end of its wire."""

import socket
import struct
import sys
import time

from lana import check, end
from rig import Lana

FAMILY, SOL, STATISTICS, RING, PAUSE = 18, 300, 2, 3, 4
FRAMES = 50
device, far = sys.argv[1:3]
lana = Lana()


def sockets():
    return [name for name, block in lana.blocks().items() if block.type == "misuse-socket"]


def open_socket():
    """A socket, and the name of its block."""
    before = sockets()
    sock = socket.socket(FAMILY, socket.SOCK_RAW)
    return sock, next(name for name in sockets() if name not in before)


first, gone = open_socket()
# Most of what comes is told of by the timer.
first.setsockopt(SOL, PAUSE, 100000)
first.setsockopt(SOL, RING, struct.pack("II", 1 << 16, 0))
second, stays = open_socket()
answer = lana.bind(stays, device)
check("the block of another socket is put on the device", not answer.error, answer)
wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
wire.bind((far, 0))


def send():
    for _ in range(FRAMES):
        wire.send(bytes.fromhex("020000000099020000000001 88b5") + bytes(50))


send()
packets, drops = struct.unpack("II", first.getsockopt(SOL, STATISTICS, 8)[:8])
check("what comes to that block is delivered to the kept socket", packets == FRAMES, packets, drops)
send()
first.close()
check("a socket that is closed while a block keeps it has no block any more", gone not in sockets(), sockets())
send()
drops = lana.get(stays).drops.get("unbound", 0)
check("what is delivered to it is dropped, and counted", drops == FRAMES, lana.get(stays).drops)
time.sleep(0.3)  # the timer's, were it there
many = [socket.socket(FAMILY, socket.SOCK_RAW) for _ in range(200)]
check("200 sockets have a block each", len(sockets()) == 201, len(sockets()))
while many:
    many.pop().close()
check("closed, they have none", sockets() == [stays], sockets())
second.close()
check("nor has the last one, bound as it is", not sockets(), sockets())
end()

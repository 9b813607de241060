# SPDX-License-Identifier: GPL-2.0
"""channelflood.py frames|UDP PID: namespace b floods the channel of tests/kernel/channel.sh in namespace a, whose lanad is PID, with odd
control messages: truncated, too long, random, changed, and old ones, in frames of eth1 and by UDP of ctl. The channel stays, and lanad
neither grows nor works without end."""

import json
import os
import random
import socket
import sys
import time

from lana import check, end

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../lab"))
# pylint: disable=wrong-import-position
import network

ETHER_TYPE, UDP_PORT = b"\xad\x00", 0xAC00
WAY, PID = sys.argv[1], int(sys.argv[2])
SECONDS, MOST = 1.0, 1400
chance = random.Random(1)


def ask():
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(5)
        sock.connect("run.a/lanad.sock")
        sock.sendall(b'{"do":"status"}\n')
        with sock.makefile() as answer:
            found = json.loads(answer.readline())["channels"]
    return {channel["name"]: (channel["state"], channel["blocks"]) for channel in found}


def memory():
    """KiB in memory."""
    with open(f"/proc/{PID}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def used():
    """Hundredths of a second of the CPU."""
    with open(f"/proc/{PID}/stat") as file:
        return sum(map(int, file.read().rsplit(")", 1)[1].split()[11:13]))


def odd(genuine):
    """A message that is wrong in one way, or an old one."""
    message = bytearray(chance.choice(genuine))
    way = chance.randrange(6)
    if way == 0:
        return message[:chance.randrange(len(message))]
    if way == 1:
        return message + chance.randbytes(chance.randrange(1, MOST + 86 - len(message)))
    if way == 2:
        return chance.randbytes(chance.randrange(MOST + 86))
    if way == 3:
        message[chance.randrange(len(message))] ^= 1 << chance.randrange(8)
    if way == 4:
        message[2:4] = chance.randbytes(2)  # its length
    return message


def listen(device):
    """Frames of a device of this namespace, in both directions."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    sock.bind((device, 3))
    sock.settimeout(0.2)
    return sock


def heard(sock, is_one, seconds=3):
    """Messages that pass by."""
    found, until = [], time.monotonic() + seconds
    while time.monotonic() < until and len(found) < 3:
        try:
            frame = sock.recv(2048)
        except TimeoutError:
            continue
        if message := is_one(frame):
            found.append(message)
    return found


def flood(name, genuine, send):
    """Sends as many as it can."""
    check(f"{name}: there are messages to begin with", len(genuine) >= 2, len(genuine))
    before, size, sent, until = ask(), memory(), 0, time.monotonic() + SECONDS
    while time.monotonic() < until:
        for _ in range(100):
            try:
                send(bytes(odd(genuine)))
                sent += 1
            except OSError:
                pass  # no room
    check(f"{name}: {sent} odd messages leave the channels as they are", (after := ask()) == before, before, after)
    check(f"{name}: lanad has not grown", (grown := memory() - size) < 4096, grown)
    busy = used()
    time.sleep(0.5)
    check(f"{name}: it rests afterwards", (busy := used() - busy) < 25, busy)


network.enter("b")
wire = listen("eth1" if WAY == "frames" else "ctl")
if WAY == "frames":
    addresses = bytes.fromhex("02000000000a02000000000b")
    flood("frames", heard(wire, lambda frame: frame[12:14] == ETHER_TYPE and frame[14:]),
          lambda message: wire.send(addresses + ETHER_TYPE + message))
else:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind(("198.51.100.2", UDP_PORT))
    port = UDP_PORT.to_bytes(2, "big")
    flood("UDP", heard(wire, lambda frame: frame[12:14] == b"\x08\0" and frame[23] == 17 and frame[36:38] == port and frame[42:]),
          lambda message: udp.sendto(message, ("198.51.100.1", UDP_PORT)))
end()

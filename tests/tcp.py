# SPDX-License-Identifier: GPL-2.0
"""tcp.py send HOST PORT BYTES | receive PORT [6]: a transfer by TCP, received by IPv4 or IPv6. Both print how much and its checksum."""

import socket
import sys
import time
import zlib


def send(host, port, size):
    deadline = time.time() + 20
    while True:
        try:
            sock = socket.create_connection((host, port), 20)
            break
        except ConnectionRefusedError:
            if time.time() > deadline:
                raise
            time.sleep(0.05)
    block = bytes(range(251)) * 1000
    crc = left = 0
    left = size
    while left:
        part = block[:left]
        sock.sendall(part)
        crc = zlib.crc32(part, crc)
        left -= len(part)
    sock.shutdown(socket.SHUT_WR)
    sock.recv(1)
    return size, crc


def receive(port, family):
    server = socket.create_server(("", port), family=family)
    server.settimeout(60)
    sock, _ = server.accept()
    sock.settimeout(60)
    crc = size = 0
    while True:
        data = sock.recv(1 << 18)
        if not data:
            return size, crc
        size += len(data)
        crc = zlib.crc32(data, crc)


if sys.argv[1] == "send":
    print(*send(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
else:
    print(*receive(int(sys.argv[2]), socket.AF_INET6 if sys.argv[3:] == ["6"] else socket.AF_INET))

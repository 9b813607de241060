#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""TCP, and what Linux says of it: the bytes that a connection has sent and retransmitted.

    tcpinfo.py listen ADDRESS PORT COUNT           takes so many connections, and reads them to their end
    tcpinfo.py send ADDRESS PORT COUNT BYTES       makes them, one after the other; prints both sums
"""

import socket
import struct
import sys

# struct tcp_info of include/uapi/linux/tcp.h: tcpi_bytes_sent, tcpi_bytes_retrans.
SENT, RETRANSMITTED = 200, 208


def listen(address, port, count):
    with socket.create_server((address, port), backlog=count) as server:
        for _ in range(count):
            connection, _ = server.accept()
            with connection:
                while connection.recv(1 << 16):
                    pass
                connection.sendall(b".")


def send(address, port, count, size):
    sums = [0, 0]
    for _ in range(count):
        with socket.create_connection((address, port), timeout=60) as connection:
            connection.sendall(bytes(size))
            connection.shutdown(socket.SHUT_WR)
            # All has arrived once it answers.
            connection.recv(1)
            info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 216)
            for index, place in enumerate((SENT, RETRANSMITTED)):
                sums[index] += struct.unpack_from("=Q", info, place)[0]
    print(*sums)


what, address, *numbers = sys.argv[1:]
{"listen": listen, "send": send}[what](address, *map(int, numbers))

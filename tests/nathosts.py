# SPDX-License-Identifier: GPL-2.0
"""nathosts.py ADDRESS: bob, whose address nobody outside knows, asks the router alice by UDP and TCP, and hosts beyond her. Alice
knows him as ADDRESS only. Prints what he and she see."""

import socket
import struct
import sys

from lana import check, end
from rig import inside

OUTSIDE = sys.argv[1]
IP_RECVERR = 11


def server(kind):
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("198.51.100.1", 5002))
    sock.settimeout(10)
    if kind == socket.SOCK_STREAM:
        sock.listen()
    return sock


def client(kind, port, ttl=None):
    sock = socket.socket(socket.AF_INET, kind)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind(("", port))
    sock.settimeout(10)
    if ttl:
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    return sock


def datagrams():
    serves, asks = inside("alice", server, socket.SOCK_DGRAM), inside("bob", client, socket.SOCK_DGRAM, 4321)
    for size in 1, 1400, 3000, 20000:
        data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
        came = back = peer = None
        try:
            asks.sendto(data, ("198.51.100.1", 5002))
            came, peer = serves.recvfrom(1 << 16)
            serves.sendto(came, peer)
            back, _ = asks.recvfrom(1 << 16)
        except OSError as error:
            peer = error
        check(f"a datagram of {size} bytes goes out and its answer comes in", came == back == data, peer)
        check("and comes from the address outside, by its own port", peer == (OUTSIDE, 4321), peer)


def streams():
    serves, asks = inside("alice", server, socket.SOCK_STREAM), inside("bob", client, socket.SOCK_STREAM, 4322)
    asks.connect(("198.51.100.1", 5002))
    sock, peer = serves.accept()
    sock.settimeout(10)
    check("a TCP connection comes from the address outside", peer == (OUTSIDE, 4322), peer)
    asks.sendall(b"a question")
    check("what is said arrives", sock.recv(100) == b"a question")
    sock.sendall(b"an answer")
    check("and the answer", asks.recv(100) == b"an answer")


def errors():
    """What a traceroute goes by: errors that the kernel finds the socket for, by the packet that they quote."""
    for ttl, destination, port, kind, code, router in [(1, "203.0.113.9", 33434, 11, 0, "192.0.2.1"),
                                                       (9, "198.51.100.1", 33435, 3, 3, "198.51.100.1"),
                                                       (2, "203.0.113.9", 33436, 3, 3, "203.0.113.9")]:
        sock = inside("bob", client, socket.SOCK_DGRAM, 4000 + ttl, ttl)
        sock.sendto(b"who is there", (destination, port))
        found = "nothing"
        try:
            sock.recv(1)
        except OSError as error:
            found = error
        try:
            _, more, _, name = sock.recvmsg(100, 1000, 0x2000)  # MSG_ERRQUEUE
            _, _, error_kind, error_code = struct.unpack_from("IBBB", more[0][2])
            found = (error_kind, error_code, socket.inet_ntoa(more[0][2][20:24]), name)
        except OSError:
            pass
        check(f"the ICMP error {kind}/{code} for TTL {ttl} finds its socket", found == (kind, code, router, (destination, port)),
              found)


datagrams()
streams()
errors()
end()

# SPDX-License-Identifier: GPL-2.0
"""The kernel's datapath of Open vSwitch, without its programs: a datapath, its ports, a flow for each
port (Documentation/netlink/specs/ovs_*.yaml of Linux)."""

import os
import socket
import struct

from lana import GENL_ID_CTRL, NLA_F_NESTED, Socket, attr, attrs
from common import Missing

NEW = 1  # a datapath, a port or a flow
DP_NAME, DP_UPCALL = 1, 2
PORT_NUMBER, PORT_TYPE, PORT_NAME, PORT_UPCALL, PORT_NETDEV = 1, 2, 3, 5, 1
FLOW_KEY, FLOW_ACTIONS, FLOW_MASK, ACTION_OUTPUT = 1, 2, 7, 1
IN_PORT, ETHERNET, ETHERTYPE, IPV4, UDP = 3, 4, 6, 7, 10


def u32(value):
    return struct.pack("I", value)


def nest(kind, *inner):
    return attr(kind | NLA_F_NESTED, b"".join(inner))


class Datapath:
    """Ports get their numbers in the order of `port()`, from 1."""

    def __init__(self, name):
        self.netlink, self.ports = Socket(), 0
        self.families = {}
        self.request("ovs_datapath", 0, attr(DP_NAME, name) + attr(DP_UPCALL, u32(0)))
        self.index = socket.if_nametoindex(name)

    def request(self, family, index, payload):
        if family not in self.families:
            answer = self.netlink.request(3, attr(2, family), family=GENL_ID_CTRL)
            if answer.error:
                raise Missing(f"this kernel has no {family}")
            self.families[family] = struct.unpack("H", dict(attrs(answer.messages[0][20:]))[1])[0]
        answer = self.netlink.request(NEW, struct.pack("i", index) + payload, family=self.families[family])
        if answer.error:
            raise Missing(f"{family}: {os.strerror(answer.error)} {answer.text}")

    def port(self, device):
        self.ports += 1
        self.request("ovs_vport", self.index, attr(PORT_NUMBER, u32(self.ports)) + attr(PORT_TYPE, u32(PORT_NETDEV))
                     + attr(PORT_NAME, device) + attr(PORT_UPCALL, u32(0)))
        return self.ports

    def flow(self, source, target):
        """All that comes in by one port leaves by the other. A type must be named to be masked out; this one
        wants no further keys."""
        def key(port, ethertype):
            return attr(IN_PORT, u32(port)) + attr(ETHERNET, bytes(12)) + attr(ETHERTYPE, ethertype)
        self.request("ovs_flow", self.index, nest(FLOW_KEY, key(source, b"\x88\xb5"))
                     + nest(FLOW_ACTIONS, attr(ACTION_OUTPUT, u32(target)))
                     + nest(FLOW_MASK, key(0xFFFFFFFF, b"\0\0")))

    def drop(self, port, prefix=None, dport=None):
        """UDP packets, or packets of IPv4 to a prefix, that come in by a port go no further."""
        address, mask, protocol = bytes(4), bytes(4), 17 if dport else 0
        if prefix is not None:
            address, mask = prefix.network_address.packed, prefix.netmask.packed

        def key(port, ethertype, address, protocol, ports):
            inner = [attr(IN_PORT, u32(port)) + attr(ETHERNET, bytes(12)) + attr(ETHERTYPE, ethertype)
                     + attr(IPV4, bytes(4) + address + bytes([protocol]) + bytes(3))]
            return inner + [attr(UDP, bytes(2) + ports)] * (dport is not None)
        ports = struct.pack("!H", dport or 0)
        exact = 0xFF if dport else 0
        self.request("ovs_flow", self.index, nest(FLOW_KEY, *key(port, b"\x08\0", address, protocol, ports))
                     + nest(FLOW_ACTIONS)
                     + nest(FLOW_MASK, *key(0xFFFFFFFF, b"\xff\xff", mask, exact, b"\xff\xff")))

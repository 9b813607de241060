# SPDX-License-Identifier: GPL-2.0
"""What the Python programs of the tests share: results, and raw generic netlink, by which requests
can be sent that no tool would send."""

import os
import re
import socket
import struct
import sys

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def check(name, good, *why):
    """A result, as `fold` of lib.sh reads it. What tells why is shown if it is a bad one."""
    print(("ok - " if good else "not ok - ") + name, flush=True)
    if not good:
        for line in "\n".join(str(w) for w in why).splitlines():
            print("# " + line, flush=True)
    return good


def end():
    """All checks were made."""
    print("end", flush=True)


def constants():
    """The numbers of the family, from the header that is made from its specification."""
    with open(TOP + "/include/uapi/linux/lana.h") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found = {}
    for body in re.findall(r"enum\s*\w*\s*{(.*?)}", text, flags=re.S):
        value = -1
        for entry in filter(None, (e.strip() for e in body.split(","))):
            name, _, given = (part.strip() for part in entry.partition("="))
            value = int(given, 0) if given.isdigit() else value + 1
            found[name] = value
    return found


C = constants()
NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLA_F_NESTED = 0x8000
GENL_ID_CTRL = 16


def attr(kind, data):
    """An attribute, padded. A str gets the NUL that the kernel wants."""
    if isinstance(kind, str):
        kind = C["LANA_A_" + kind]
    if isinstance(data, str):
        data = data.encode() + b"\0"
    length = 4 + len(data)
    return struct.pack("HH", length, kind) + data + b"\0" * (-length % 4)


def attrs(data):
    """Number and content of each attribute."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        yield kind & 0x3FFF, data[4:length]
        data = data[(length + 3) & ~3:]


class Answer:
    """What the kernel said to a request."""

    def __init__(self, error=0, text="", offset=None, missing=None):
        self.error, self.text, self.offset, self.missing = error, text, offset, missing
        self.messages = []

    def __str__(self):
        name = os.strerror(self.error) if self.error else "no error"
        return f"{name}; text {self.text!r}, offset {self.offset}, missing {self.missing}"


class Socket:
    """A generic netlink socket that knows the family."""

    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)
        self.sock.setsockopt(270, 11, 1)  # SOL_NETLINK, NETLINK_EXT_ACK
        self.sock.setsockopt(270, 12, 1)  # NETLINK_GET_STRICT_CHK
        self.sock.settimeout(10)
        self.sock.bind((0, 0))
        self.seq = 0
        self.family = None
        answer = self.request(3, attr(2, "lana"), family=GENL_ID_CTRL)
        for message in answer.messages:
            self.family = struct.unpack("H", dict(attrs(message[20:]))[1])[0]

    def message(self, cmd, payload, flags=0, family=None):
        """The bytes of a request."""
        self.seq += 1
        if isinstance(cmd, str):
            cmd = C["LANA_CMD_" + cmd]
        body = struct.pack("BBH", cmd, 1, 0) + payload
        flags |= NLM_F_REQUEST | NLM_F_ACK
        family = self.family if family is None else family
        return struct.pack("IHHII", 16 + len(body), family, flags, self.seq, 0) + body

    def request(self, cmd, payload=b"", flags=0, family=None):
        """Sends a request and waits for what the kernel says to it."""
        return self.send(self.message(cmd, payload, flags, family))

    def send(self, message):
        """Sends bytes, and waits for an answer."""
        self.sock.send(message)
        answer = Answer()
        while True:
            data = self.sock.recv(1 << 20)
            while len(data) >= 16:
                length, kind, flags, _, _ = struct.unpack_from("IHHII", data)
                if kind == NLMSG_DONE:
                    answer.error = -struct.unpack_from("i", data, 16)[0]
                    return answer
                if kind == NLMSG_ERROR:
                    return self.ack(answer, data[:length], flags)
                answer.messages.append(data[:length])
                data = data[(length + 3) & ~3:]

    @staticmethod
    def ack(answer, data, flags):
        error, length = struct.unpack_from("iI", data, 16)
        answer.error = -error
        if flags & 0x200:  # NLM_F_ACK_TLVS; without NLM_F_CAPPED the request is in between
            head = 36 if flags & 0x100 else 20 + ((length + 3) & ~3)
            found = dict(attrs(data[head:]))
            answer.text = found.get(1, b"\0")[:-1].decode()
            answer.offset = struct.unpack("I", found[2])[0] if 2 in found else None
            answer.missing = struct.unpack("I", found[5])[0] if 5 in found else None
        return answer

    # What most tests need.

    def add(self, name, kind):
        return self.request("FB_NEW", attr("FB_NAME", name) + attr("FB_TYPE", kind))

    def remove(self, name):
        return self.request("FB_DEL", attr("FB_NAME", name))

    def set(self, name, key, value):
        option = attr("OPTION_KEY", key) + attr("OPTION_VALUE", value)
        option = attr(C["LANA_A_FB_OPTION"] | NLA_F_NESTED, option)
        return self.request("FB_SET", attr("FB_NAME", name) + option)

    def bind(self, upper, lower, cmd="BIND"):
        pair = attr("BINDING_UPPER", upper) + attr("BINDING_LOWER", lower)
        return self.request(cmd, pair)

    def unbind(self, upper, lower):
        return self.bind(upper, lower, "UNBIND")

    def subscribe(self, subscriber, publisher, cmd="SUBSCRIBE"):
        pair = attr("SUBSCRIPTION_SUBSCRIBER", subscriber)
        return self.request(cmd, pair + attr("SUBSCRIPTION_PUBLISHER", publisher))

    def unsubscribe(self, subscriber, publisher):
        return self.subscribe(subscriber, publisher, "UNSUBSCRIBE")

    def hook(self, device, cmd="VLINK_HOOK", xdp=False):
        """With `xdp` its driver hands frames over, before there are skbs."""
        pair = attr("VLINK_SUBSYSTEM", "ethernet") + attr("VLINK_IFNAME", device)
        return self.request(cmd, pair + (attr("VLINK_XDP", b"") if xdp else b""))

    def unhook(self, device):
        return self.hook(device, "VLINK_UNHOOK")

    def dump(self):
        """The IDP and the name of each block, as a dump has them."""
        dump = self.request("FB_GET", flags=NLM_F_DUMP)
        blocks = (dict(attrs(message[20:])) for message in dump.messages)
        return [(int.from_bytes(b[C["LANA_A_FB_IDP"]], sys.byteorder),
                 b[C["LANA_A_FB_NAME"]][:-1].decode()) for b in blocks]

    def options(self, name):
        """The options of a block, as it shows them. None if it is not there."""
        found = self.request("FB_GET", attr("FB_NAME", name)).messages
        pairs = (dict(attrs(data)) for message in found for kind, data in attrs(message[20:]) if kind == C["LANA_A_FB_OPTION"])
        text = lambda data: data.rstrip(b"\0").decode()
        return {text(pair[C["LANA_A_OPTION_KEY"]]): text(pair[C["LANA_A_OPTION_VALUE"]]) for pair in pairs}

    def names(self):
        """The names of all blocks."""
        return [name for _, name in self.dump()]

# SPDX-License-Identifier: GPL-2.0
"""What the tests of the block netflow share: collectors that read messages by what RFC 3954 and RFC 7011 say, and the block."""

import select
import socket
import struct
import time

from rig import SLOW

REVERSE = 29305
NAMES = {1: "bytes", 2: "packets", 4: "protocol", 5: "tos", 6: "flags", 7: "sport", 8: "src", 9: "smask", 10: "input", 11: "dport",
         12: "dst", 13: "dmask", 14: "output", 21: "last", 22: "first", 27: "src", 28: "dst", 31: "label", 32: "icmp", 48: "sampler",
         56: "smac", 58: "vlan", 59: "postvlan", 60: "version", 61: "direction", 70: "mpls", 80: "dmac", 136: "reason",
         139: "icmp", 152: "start", 153: "end", 243: "vlan", 245: "inner", 254: "postvlan"}
ADDRESSES = {8, 12, 27, 28}


class Reader:
    """Reads messages, and keeps the records that are in them."""

    def __init__(self):
        self.forget()

    def forget(self):
        """What came so far."""
        self.templates, self.records, self.options, self.messages = {}, [], [], []
        self.sequence, self.faults = {}, []

    def add(self, data):
        """A message has come."""
        self.messages.append(data)
        try:
            self.read(data)
        except (struct.error, KeyError, IndexError) as error:
            self.faults.append(f"{error!r}: {data.hex()[:200]}")

    def sums(self):
        """Packets and bytes of all records."""
        return tuple(sum(record.get(key, 0) + record.get("reverse." + key, 0) for record in self.records)
                     for key in ("packets", "bytes"))

    def read(self, data):
        self.version, = struct.unpack_from("!H", data)
        {5: self.five, 9: self.nine, 10: self.ipfix}[self.version](data)

    def follows(self, sequence, passed):
        before = self.sequence.get(self.version, sequence)
        if before != sequence:
            self.faults.append(f"version {self.version}: sequence {sequence} after {before}")
        self.sequence[self.version] = (sequence + passed) & 0xFFFFFFFF

    def five(self, data):
        count, uptime, seconds, _, sequence, _, engine, sampling = struct.unpack_from("!HIIIIBBH", data, 2)
        if len(data) != 24 + 48 * count or count > 30:
            self.faults.append(f"version 5: {len(data)} bytes of {count} records")
        self.follows(sequence, count)
        self.header = {"seconds": seconds, "uptime": uptime, "domain": engine, "sampling": sampling}
        for at in range(24, len(data), 48):
            (src, dst, _, iif, oif, packets, octets, first, last, sport, dport, _, flags, protocol, tos, _, _, smask, dmask,
             _) = struct.unpack_from("!4s4s4sHHIIIIHHBBBBHHBBH", data, at)
            self.records.append({"src": socket.inet_ntoa(src), "dst": socket.inet_ntoa(dst), "sport": sport, "dport": dport,
                                 "protocol": protocol, "tos": tos, "flags": flags, "packets": packets, "bytes": octets,
                                 "first": first, "last": last, "input": iif, "output": oif, "smask": smask, "dmask": dmask})

    def nine(self, data):
        count, uptime, seconds, sequence, domain = struct.unpack_from("!HIIII", data, 2)
        self.follows(sequence, 1)
        self.header = {"seconds": seconds, "uptime": uptime, "domain": domain}
        found = sum(self.sets(data, 20, False))
        if found != count:
            self.faults.append(f"version 9: {found} records, {count} were told of")

    def ipfix(self, data):
        length, seconds, sequence, domain = struct.unpack_from("!HIII", data, 2)
        self.header = {"seconds": seconds, "domain": domain}
        if length != len(data):
            self.faults.append(f"IPFIX: {len(data)} bytes, {length} were told of")
        _, records = self.sets(data, 16, True)
        self.follows(sequence, records)

    def sets(self, data, at, is_ipfix):
        """How many templates there were, and how many records of data."""
        templates = records = 0
        while at < len(data):
            number, length = struct.unpack_from("!HH", data, at)
            body, at = data[at + 4:at + length], at + length
            if length <= 4 or at > len(data):
                raise IndexError(f"set of {length} bytes")
            if number < 256:
                templates += self.template(body, number in (1, 3), is_ipfix)
            else:
                records += self.data(number, body)
        return templates, records

    def template(self, body, is_options, is_ipfix):
        at = count = 0
        while at + 4 <= len(body):
            number, fields = struct.unpack_from("!HH", body, at)
            at += 4
            if is_options:
                other, = struct.unpack_from("!H", body, at)
                fields = fields if is_ipfix else (fields + other) // 4
                at += 2
            template = []
            for index in range(fields):
                element, size = struct.unpack_from("!HH", body, at)
                at, enterprise = at + 4, 0
                if is_ipfix and element & 0x8000:
                    enterprise, = struct.unpack_from("!I", body, at)
                    element, at = element & 0x7FFF, at + 4
                template.append((enterprise, -1 if is_options and index == 0 else element, size))
            self.templates[number] = (is_options, template)
            count += 1
        return count

    def data(self, number, body):
        is_options, template = self.templates[number]
        size, at, count = sum(size for _, _, size in template), 0, 0
        while at + size <= len(body):
            record = {}
            for enterprise, element, length in template:
                value, at = body[at:at + length], at + length
                name = element if is_options else NAMES.get(element, element)
                if enterprise == REVERSE:
                    name = f"reverse.{name}"
                if not is_options and element in ADDRESSES:
                    family = socket.AF_INET if length == 4 else socket.AF_INET6
                    record[name] = socket.inet_ntop(family, value)
                elif element in (56, 80):
                    record[name] = value.hex(":")
                else:
                    record[name] = int.from_bytes(value, "big")
            (self.options if is_options else self.records).append(record)
            count += 1
        return count


class Collector(Reader):
    """Who listens at a port of UDP."""

    def __init__(self, port, address="127.0.0.1"):
        super().__init__()
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.sock = socket.socket(family, socket.SOCK_DGRAM)
        self.sock.setsockopt(socket.SOL_SOCKET, 33, 16 << 20)  # SO_RCVBUFFORCE
        self.sock.bind((address, port))

    def forget(self):
        super().forget()
        self.ended, self.sources = False, set()

    def take(self, seconds=0.0):
        """Takes what has come, and what comes meanwhile. Whether there is still more a second later."""
        until = time.monotonic() + seconds
        while select.select([self.sock], [], [], max(until - time.monotonic(), 0))[0]:
            if time.monotonic() > until + 1:
                return True
            data, source = self.sock.recvfrom(1 << 16)
            if data == b"end":
                self.ended = True
                continue
            self.sources.add(source[0])
            self.add(data)
        return False


class Block:
    """A netflow, which has either of two names: a new one takes the place of the old one."""

    def __init__(self, lana, look=time.sleep):
        """`look` passes the time, in seconds."""
        self.lana, self.look = lana, look
        self.name = "y" if "y" in lana.blocks() else "x"

    def do(self, *answers):
        for answer in answers:
            if answer.error:
                raise OSError(answer.error, str(answer))

    def renew(self, drop_state=True, **options):
        """A block with these options takes the place of the one before, without its flows unless told so. With _ for the
        dot."""
        old, new = self.name, "y" if self.name == "x" else "x"
        operations = [("FB_SET", new, key.replace("_", "."), str(value)) for key, value in options.items()]
        self.do(self.lana.transact(("FB_NEW", new, "netflow"), *operations))
        self.do(self.lana.replace(old, new, drop_state=drop_state), self.lana.remove(old))
        self.name = new

    def set(self, key, value):
        self.do(self.lana.set(self.name, key, value))

    def counts(self):
        return {key: int(value) for key, value in self.lana.get(self.name).options.items() if value.isdigit()}

    def settled(self, seconds=10 if SLOW < 50 else 120):
        """Waits until no flow is left to be told of: what the block counts then."""
        until = time.monotonic() + seconds
        while (now := self.counts())["current"] + now["waiting"] and time.monotonic() < until:
            self.look(0.02)
        # What was counted was told before, and is there.
        while self.look(0.05):
            pass
        return self.counts()

    def flush(self):
        self.set("flush", "yes")
        return self.settled()

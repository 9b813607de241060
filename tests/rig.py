# SPDX-License-Identifier: GPL-2.0
"""What the tests under load share: the kernel's packet generator, run from here for as long as wanted;
netlink requests sent in bulk; what each block has counted."""

import contextlib
import ctypes
import glob
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time

from lana import C, NLA_F_NESTED, NLM_F_ACK, NLM_F_DUMP, Answer, Socket, attr, attrs, check

LIBC = ctypes.CDLL(None, use_errno=True)
# glibc has a function for the other calls about modules, but not for this one.
FINIT_MODULE = 273 if os.uname().machine == "aarch64" else 313
PASS_ALL = "{ 0x6, 0, 0, 0xffffffff },"
CPUS = os.cpu_count() or 1
LONG = bool(os.environ.get("LANA_LONG"))
# Options, good and bad ones, of blocks that have more than one; an empty value is as at first.
SETTINGS = {
    "eth": [("batch", "on"), ("batch", "on"), ("batch", "off"), ("batch", ""), ("batch", "maybe")],
    "delay": [
        ("latency", "1ms"), ("latency", "20us"), ("latency", "61s"), ("jitter", "500us"), ("jitter", ""), ("loss", "1%"),
        ("loss", "101%"), ("duplicate", "0.1%"), ("reorder", "5%"), ("limit", "10"), ("limit", "0"), ("limit", "100000"),
        ("seed", "7"), ("direction", "egress"), ("direction", "sideways"), ("latency", ""), ("loss", ""), ("duplicate", ""),
        ("reorder", ""), ("limit", ""), ("direction", "")],
    "shape": [
        ("rate", "100mbit"), ("rate", "1kbit"), ("rate", "fast"), ("burst", "1500"), ("burst", "65mb"), ("mode", "police"),
        ("mode", ""), ("limit", "10"), ("limit", ""), ("rate", ""), ("burst", "")],
    "queue": [
        ("rate", "100mbit"), ("rate", "1kbit"), ("rate", "fast"), ("burst", "1500"), ("drop", "codel"), ("drop", "head"), ("ecn", "on"),
        ("target", "1us"), ("target", "0ns"), ("interval", "10us"), ("interval", "61s"), ("limit", "10"), ("limit-bytes", "3000"),
        ("limit-bytes", "0"), ("direction", "egress"), ("rate", ""), ("burst", ""), ("drop", ""), ("ecn", ""), ("target", ""),
        ("interval", ""), ("limit", ""), ("limit-bytes", ""), ("direction", "")],
    "checksum": [("complete", "on"), ("complete", "maybe"), ("direction", "ingress"), ("direction", "up"), ("complete", ""),
                 ("direction", "")],
    "compress": [("level", "9"), ("level", "0"), ("least", "64"), ("least", "1"), ("limit", "1000"), ("limit", "1mb"),
                 ("compress", "ingress"), ("compress", "both"), ("level", ""), ("least", ""), ("limit", ""), ("compress", "")],
    "reliable": [
        ("number", "ingress"), ("number", "both"), ("send", "off"), ("send", "maybe"), ("plain", "drop"), ("plain", "up"), ("window", "1"),
        ("window", "1024"), ("window", "1025"), ("limit", "2kb"), ("limit", "65mb"), ("retries", "1"), ("retries", "0"), ("rto-min", "1ms"),
        ("rto-min", "0ns"), ("rto-max", "1ms"), ("rto-max", "61s"), ("ack-delay", "0ns"), ("ack-delay", "1s"), ("timeout", "100ms"),
        ("timeout", "1ms"), ("number", ""), ("send", ""), ("plain", ""), ("window", ""), ("limit", ""), ("retries", ""), ("rto-min", ""),
        ("rto-max", ""), ("ack-delay", ""), ("timeout", "")],
    "crypt": [
        ("tx.key", "1:" + "01" * 15 + "00"), ("tx.key", "2:" + "01" * 31 + "00"), ("tx.key", "1:01"), ("tx.key", "secret"),
        ("rx.1.key", "02" * 15 + "00"), ("rx.2.key", "02" * 31 + "00"), ("rx.255.key", "03" * 15 + "00"), ("rx.256.key", ""),
        ("rx.1.key", "01" * 15 + "00"), ("rx.1.key", "00" * 16), ("encrypt", "ingress"), ("encrypt", "both"), ("tx.key", ""),
        ("rx.1.key", ""), ("rx.2.key", ""), ("rx.255.key", ""), ("encrypt", "")],
    "classify": [
        ("rule.0", "-> 1"), ("rule.0", "proto=udp dport=9 -> 0"), ("rule.1", "ethertype=ipv4 src=192.0.2.0/24 -> drop"),
        ("rule.1", "vlan=1-9 -> 63"), ("rule.1", "bpf=\"1,6 0 0 1,\" -> 0"), ("rule.65535", "src=::/0 icmp-type=128 -> 0"),
        ("prefixes.0", ",".join(f"10.{n // 256}.{n % 256}.0/24" for n in range(700))), ("prefixes.0+", "2001:db8::/32,10.9.0.0/16"),
        ("prefixes.0-", "10.0.7.0/24 10.0.9.0/24"), ("prefixes.0-", "10.0.0.1/8"), ("prefixes.0+", ""), ("rule.3", "src=@0 -> 0"),
        ("ports.0", "9,1024-65535"), ("ports.0+", "0-100 7"), ("ports.0-", "50-60"), ("ports.0-", "55"), ("rule.4", "sport=@0 dport=@0 -> 1"),
        ("prefixes.0", ""), ("rule.65536", "-> 0"), ("rule.0", "udp"), ("rule.0", "bpf=\"1,7 9 9 9,\" -> 1"), ("rule.2", "-> 64"),
        ("default", "drop"), ("default", "1"), ("default", "-1"), ("direction", "both"), ("direction", "egress"),
        ("direction", "up"), ("rule.0", ""), ("rule.1", ""), ("rule.65535", ""), ("default", ""), ("direction", "")],
    "rewrite": [
        ("vlan", "100"), ("vlan", "push:7"), ("vlan", "pop"), ("vlan", "4095"), ("vlan", "push:"), ("mac.source", "02:00:00:00:00:51"),
        ("mac.source", "ff:ff:ff:ff:ff:ff"), ("mac.destination", "02:00:00:00:00:52"), ("mac.destination", "2"),
        ("source", "192.0.2.9"), ("source", "2001:db8::9"), ("source", "192.0.2.0/24"), ("destination", "198.51.100.1"),
        ("destination", "::1"), ("port.source", "1"), ("port.source", "0"), ("port.destination", "65535"), ("ttl", "-1"),
        ("dscp", "46"), ("dscp", "64"), ("dscp", ""), ("ttl", "255"), ("ttl", "0"), ("direction", "egress"), ("direction", "up"), ("vlan", ""), ("mac.source", ""),
        ("mac.destination", ""), ("source", ""), ("destination", ""), ("port.source", ""), ("port.destination", ""), ("ttl", ""),
        ("direction", "")],
    "defrag": [
        ("datagrams", "1"), ("datagrams", "5000"), ("datagrams", "0"), ("memory", "64kb"), ("memory", "1kb"), ("timeout", "100ms"),
        ("timeout", "1ms"), ("direction", "egress"), ("datagrams", ""), ("memory", ""), ("timeout", ""), ("direction", "")],
    "fragment": [
        ("mtu", "68"), ("mtu", "576"), ("mtu", "67"), ("df", "fragment"), ("df", "drop"), ("df", "on"), ("ipv6", "fragment"),
        ("ipv6", "drop"), ("icmp.rate", "0"), ("icmp.rate", "x"), ("direction", "ingress"), ("mtu", ""), ("df", ""), ("ipv6", ""),
        ("icmp.rate", ""), ("direction", "")],
    "nat": [
        ("source", "10.0.0.1-10.0.0.9"), ("source", "198.51.100.1"), ("source", "224.0.0.1"), ("ports", "4000-4003"), ("ports", "0"),
        ("dest", "192.0.2.9:7"), ("dest", "192.0.2.9"), ("dest", "192.0.2.9:"), ("dest.port", "9"), ("filter", "session"),
        ("filter", "none"), ("map", "192.0.2.0/24=198.51.100.0/24"), ("map", "2001:db8::/32=fd00::/32"), ("map", "192.0.2.0/24"),
        ("npt", "2001:db8::/48=fd00::/48"), ("npt", "2001:db8::/65=fd00::/65"), ("sessions", "1"), ("sessions", "5000"),
        ("sessions", "100000"), ("sessions", "0"), ("tcp.timeout", "1s"), ("tcp.transitory", "1s"), ("udp.timeout", "1s"),
        ("udp.timeout", "1ms"), ("icmp.timeout", "1s"), ("source", ""), ("ports", ""), ("dest", ""), ("dest.port", ""),
        ("filter", ""), ("map", ""), ("npt", ""), ("sessions", ""), ("udp.timeout", "")],
    "netflow": [
        ("version", "5"), ("version", "ipfix"), ("version", "7"), ("collector.1", "192.0.2.2:2055"), ("collector.2", "127.0.0.1:9"),
        ("collector.7", "[2001:db8::2]:4739"), ("collector.8", "192.0.2.2:2055"), ("collector.1", "x"), ("source", "192.0.2.3"),
        ("collector.3", "tcp:127.0.0.1:9"), ("collector.4", "tcp:192.0.2.2:4739"), ("collector.5", "sctp:127.0.0.1:9"),
        ("source", "2001:db8::3"), ("mtu", "576"), ("mtu", "10"), ("domain", "7"), ("key", "addresses,vlan,mac,label,mpls"),
        ("key", "nothing"), ("prefix4", "24"), ("prefix6", "64"), ("prefix6", "129"), ("biflow", "on"), ("direction", "egress"),
        ("sampling", "random:10"), ("sampling", "hash:2"), ("sampling", "some"), ("flows", "256"), ("flows", "5000"), ("flows", "1"),
        ("active", "1s"), ("inactive", "100ms"), ("tcp.fin", "0s"), ("template.time", "1s"), ("template.packets", "1"),
        ("rate", "100"), ("rate", "0"), ("flush", "yes"), ("flush", "no"), ("version", ""), ("collector.1", ""),
        ("collector.2", ""), ("collector.3", ""), ("collector.4", ""), ("collector.5", ""), ("collector.7", ""), ("source", ""), ("mtu", ""), ("domain", ""), ("key", ""), ("prefix4", ""),
        ("prefix6", ""), ("biflow", ""), ("direction", ""), ("sampling", ""), ("flows", ""), ("active", ""), ("inactive", ""),
        ("tcp.fin", ""), ("template.time", ""), ("template.packets", ""), ("rate", "")],
    "route": [
        ("route.0", "0.0.0.0/0 -> 0"), ("route.0", "0.0.0.0/0 via 192.0.2.2 -> 1"), ("route.1", "192.0.2.0/24 -> up"),
        ("route.1", "192.0.2.0/24 -> unreachable"), ("route.65535", "::/0 via fe80::1 -> 0"), ("route.2", "0.0.0.0/0 -> drop"),
        ("route.65536", "::/0 -> 0"), ("route.3", "::/0"), ("route.3", "::/0 -> 64"), ("route.0", ""), ("route.1", ""),
        ("route.65535", ""), ("icmp", "192.0.2.9"), ("icmp", "::1"), ("icmp", ""), ("icmpv6", "2001:db8::9"),
        ("icmpv6", "x"), ("icmpv6", ""), ("errors", "10"), ("errors", "-1"), ("errors", "")],
    "switch": [
        ("ageing", "20ms"), ("ageing", "0s"), ("ageing", "1000000s"), ("ageing", "forever"), ("ageing", ""), ("limit", "1"),
        ("limit", "65536"), ("limit", "65537"), ("limit", ""), ("vlan", "on"), ("vlan", "10"), ("vlan", ""), ("flush", "yes"),
        ("flush", "no"), ("link-local", "on"), ("link-local", "")],
    "udp-tunnel": [
        ("remote", "192.0.2.1"), ("remote", "2001:db8::1"), ("remote", "127.0.0.1"), ("remote", "fe80::1"), ("port", "4789"),
        ("port", "7777"), ("port", "0"), ("local", "192.0.2.3"), ("local", "2001:db8::3"), ("format", "vxlan"), ("format", "gre"),
        ("vni", "16777215"), ("vni", "16777216"), ("limit", "1"), ("limit", "100000"), ("limit", "0"), ("remote", ""), ("local", ""),
        ("port", ""), ("format", ""), ("vni", ""), ("limit", "")],
    "icmp-echo": [
        ("addr", "192.0.2.3,2001:db8::/64"), ("addr", "all"), ("addr", "192.0.2.3,"), ("addr+", "198.51.100.0/24"),
        ("addr+", "::1"), ("addr-", "192.0.2.3"), ("arp", "on"), ("arp", "maybe"), ("mac", "02:00:00:00:00:77"),
        ("mac", "ff:ff:ff:ff:ff:ff"), ("rate", "100/7"), ("rate", "-1"), ("rate-source", "10"),
        ("rate-source", "10000000/10000000"), ("addr", ""), ("arp", ""), ("mac", ""), ("rate", ""), ("rate-source", "")],
    "multipath": [
        *(("strategy", name) for name in ("route", "packet", "session", "bandwidth", "utilisation", "flowlet", "hash",
                                          "random", "")),
        ("per", "session"), ("per", ""), ("expiry", "1"), ("expiry", "0"), ("expiry", ""), ("gap", "1"), ("gap", ""),
        ("sessions", "64"), ("sessions", "200000"), ("sessions", "4194305"), ("sessions", ""), ("port.0.weight", "0"),
        ("port.0.weight", "1000"), ("port.1.weight", "999"), ("port.0.state", "down"), ("port.0.capacity", "10mbit"),
        ("port.0.capacity", "0"), ("port.63.weight", "3"), ("port.64.weight", "3"), ("port.0.weight", ""),
        ("port.0.state", ""), ("port.0.capacity", ""), ("port.63.weight", ""), ("learn", "off"), ("learn", ""),
        ("learn", "maybe"), ("route-key", "destination"), ("route-key", ""), ("interval", "100ms"), ("interval", "1ms"),
        ("interval", ""), ("average", "1s"), ("average", ""), ("usage", "last"), ("usage", ""),
        ("port.0.mac", "02:00:00:00:00:77"), ("port.1.mac", "ff:ff:ff:ff:ff:ff"), ("port.0.mac", ""),
        ("port.0.via", "192.0.2.1"), ("port.0.via", "fe80::1"), ("port.1.via", "224.0.0.1"), ("port.0.via", ""),
        ("ttl", "decrement"), ("ttl", ""), ("probe", "arp"), ("probe", "icmp"), ("port.0.source", "10.0.0.2"), ("port.0.source", ""), ("history", "100"), ("history", ""), ("strategy", "loss"), ("probe", ""), ("probe-interval", "100ms"),
        ("probe-interval", "1ms"), ("rise", "1"), ("fall", "1"), ("fall", "0"), ("rise", ""), ("fall", ""),
        ("key", "l3,symmetric"), ("key", "inner,vlan,label"), ("key", "l2"), ("key", ""), ("broadcast", "all"), ("broadcast", ""),
        ("measure", "device"), ("measure", "")]}
# A kernel that is emulated, or that looks for our mistakes, is slower.
SLOW = {"uml-up": 1, "uml": 2, "uml-debug": 50, "uml-kasan": 50}.get(os.environ.get("LANA_LANE", "uml"), 10)
# What a packet generator is told whose frames are received by native XDP. They are not shared with it: a driver would
# have to copy each. A kernel that looks for mistakes takes longer for a frame than the generator does: without a delay
# the driver's polls never end there, and nobody else runs.
FRAMES = ["flag !SHARED"] + ["delay 2000000"] * (SLOW == 50)


def enter(namespace):
    """This thread goes to a namespace of `ip netns`."""
    with open(f"/run/netns/{namespace}" if namespace else "/proc/1/ns/net") as file:
        if LIBC.setns(file.fileno(), 0x40000000):
            raise OSError(ctypes.get_errno(), f"setns {namespace}")


def inside(namespace, function, *args):
    """Calls a function in a namespace, and answers what it does."""
    result = []

    def run():
        try:
            enter(namespace)
            result.append(function(*args))
        except Exception as error:  # pylint: disable=broad-except
            result.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if isinstance(result[0], Exception):
        raise result[0]
    return result[0]


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


def read(path):
    with open(path) as file:
        return file.read()


class Load:
    """Packets at full speed from `start()` to `stop()`, by all devices of one namespace that are `add()`ed. To an address
    that nobody has: a host would answer some, and what it says would be counted, too."""

    PKTGEN = "/proc/thread-self/net/pktgen/"

    def __init__(self, namespace=""):
        self.namespace, self.devices, self.thread = namespace, [], None
        self.forget()

    def tell(self, file, *lines):
        for line in lines:
            inside(self.namespace, write, self.PKTGEN + file, line)

    def add(self, device, cpu, *settings, mac="02:00:00:00:00:0c"):
        """A device, by the generator of a CPU. A device can be added once for each CPU, as dev@CPU. Unless
        told otherwise to nobody, so that nobody answers."""
        self.tell(f"kpktgend_{cpu % CPUS}", f"add_device {device}")
        # Of many sizes, so that two packets that are taken for each other show in the bytes.
        self.tell(device, "count 0", "delay 0", "min_pkt_size 60", "max_pkt_size 1000",
                  "flag TXSIZE_RND", "dst 192.0.2.9", f"dst_mac {mac}", *settings)
        self.devices.append(device)
        return self

    def sofar(self, device):
        text = inside(self.namespace, read, self.PKTGEN + device)
        return int(re.search(r"pkts-sofar: (\d+)", text)[1])

    def run(self):
        enter(self.namespace)
        # Comes back when the last device has stopped.
        write(self.PKTGEN + "pgctrl", "start")

    def start(self):
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        # A generator does what it is told when it has a CPU, which may take a while; and who told it is told
        # that all is done when it has not begun. It must not be told anything else before.
        deadline = time.monotonic() + 60
        while not all(map(self.sofar, self.devices)) and time.monotonic() < deadline:
            time.sleep(0.01)
        return self

    def reach(self, count):
        """Goes on until as many are sent: on a machine that has others at work that may take longer than what they are
        sent for."""
        deadline = time.monotonic() + 60
        while sum(map(self.sofar, self.devices)) < count and time.monotonic() < deadline:
            time.sleep(0.01)

    def halt(self):
        """Ends it, also where devices have gone meanwhile."""
        while self.thread.is_alive() or any(self.known(cpu)[0] for cpu in range(CPUS)):
            self.tell("pgctrl", "stop")
            self.thread.join(0.5)

    def forget(self):
        """A generator does that when it has a CPU; told a second time it might remove what is added next."""
        for cpu in range(CPUS):
            if any(self.known(cpu)):
                self.tell(f"kpktgend_{cpu}", "rem_device_all")
            while any(self.known(cpu)):
                time.sleep(0.01)

    def known(self, cpu):
        """The devices of a generator: those that are sending, and the others."""
        text = inside(self.namespace, read, f"{self.PKTGEN}kpktgend_{cpu}")
        return [part.split() for part in re.search(r"Running:(.*)\nStopped:(.*)\n", text).groups()]

    def stop(self, wait=True):
        """Ends it, and answers how many packets were sent by each device; where there is no other traffic,
        once they have all been received."""
        self.halt()
        sent = {device: self.sofar(device) for device in self.devices}
        self.forget()
        if wait:
            quiesce()
        return sent


def quiesce():
    """Waits until no packet waits in the queue of a CPU: what was sent has been received."""
    def cpus():
        """Of each CPU the packets that it has processed, and those that wait."""
        lines = [line.split() for line in read("/proc/net/softnet_stat").splitlines()]
        return [(fields[0], int(fields[11], 16)) for fields in lines]

    was = None
    while was != (was := cpus()) or any(waiting for _, waiting in was):
        time.sleep(0.05)


@contextlib.contextmanager
def one_cpu():
    """This thread stays on a CPU. Each has a queue of its own for what was sent on it: else there is no order."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {0})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def in_time(attempt, tries=5):
    """Whether something is done in time, of a few times once: a machine that others use, too, may stand still
    meanwhile. `attempt` answers whether it was, and what to show if not."""
    while not (result := attempt())[0] and tries > 1:
        tries -= 1
    return result


def link(namespace, device, key):
    """One of a device's counters."""
    text = inside(namespace, read, "/proc/thread-self/net/dev")
    fields = re.search(rf"^ *{device}: *(.*)$", text, re.M)[1].split()
    return int(fields[["rx_bytes", "rx_packets", "rx_errs", "rx_drop", "", "", "", "", "tx_bytes",
                       "tx_packets", "tx_errs", "tx_drop"].index(key)])


def tc(namespace, device, direction="ingress"):
    """Packets and bytes that tc has counted: a witness who does not know LANA."""
    text = subprocess.run(["tc", *["-n", namespace] * bool(namespace), "-s", "-j", "filter", "show", "dev", device, direction],
                          capture_output=True, text=True, check=True).stdout
    for entry in json.loads(text):
        for action in entry.get("options", {}).get("actions", []):
            return action["stats"]["packets"], action["stats"]["bytes"]
    raise ValueError(text)


def number(data):
    return int.from_bytes(data, sys.byteorder)


def nest(kind, *content):
    return attr(C["LANA_A_" + kind] | NLA_F_NESTED, b"".join(content))


class Block:
    """A block as fb-get shows it."""

    def __init__(self, data):
        self.drops, self.options, self.ports, self.publishers = {}, {}, [], []
        self.sizes = {}  # of options whose values are left out
        self.packets = self.bytes = self.skbs = 0
        self.ifname, self.partial = None, False
        for kind, value in attrs(data):
            if kind == C["LANA_A_FB_NAME"]:
                self.name = value[:-1].decode()
            elif kind == C["LANA_A_FB_TYPE"]:
                self.type = value[:-1].decode()
            elif kind == C["LANA_A_FB_IDP"]:
                self.idp = number(value)
            elif kind == C["LANA_A_FB_REFCNT"]:
                self.refcnt = number(value)
            elif kind == C["LANA_A_FB_IFNAME"]:
                self.ifname = value[:-1].decode(errors="replace")
            elif kind == C["LANA_A_FB_PARTIAL"]:
                self.partial = True
            elif kind == C["LANA_A_FB_PUBLISHER"]:
                self.publishers.append(number(value))
            elif kind == C["LANA_A_FB_PORT"]:
                port = dict(attrs(value))
                self.ports.append((number(port[C["LANA_A_PORT_DIRECTION"]]),
                                   number(port[C["LANA_A_PORT_INDEX"]]),
                                   number(port[C["LANA_A_PORT_PEER"]]),
                                   port[C["LANA_A_PORT_PEER_NAME"]][:-1].decode()))
            elif kind == C["LANA_A_FB_OPTION"]:
                option = dict(attrs(value))
                self.options[option[C["LANA_A_OPTION_KEY"]][:-1].decode()] = \
                    option.get(C["LANA_A_OPTION_VALUE"], b"\0")[:-1].decode()
                if C["LANA_A_OPTION_SIZE"] in option:
                    self.sizes[option[C["LANA_A_OPTION_KEY"]][:-1].decode()] = number(option[C["LANA_A_OPTION_SIZE"]])
            elif kind == C["LANA_A_FB_STATS"]:
                self.stats(value)

    def stats(self, data):
        for kind, value in attrs(data):
            if kind == C["LANA_A_STATS_PACKETS"]:
                self.packets = number(value)
            elif kind == C["LANA_A_STATS_BYTES"]:
                self.bytes = number(value)
            elif kind == C["LANA_A_STATS_SKBS"]:
                self.skbs = number(value)
            elif kind == C["LANA_A_STATS_DROP"]:
                drop = dict(attrs(value))
                self.drops[REASONS[number(drop[C["LANA_A_DROP_REASON"]])]] = \
                    number(drop[C["LANA_A_DROP_PACKETS"]])

    @property
    def counted(self):
        return self.packets, self.bytes

    def up(self):
        """The names of the blocks on top of it."""
        return [name for direction, _, _, name in self.ports if direction == 0]

    def down(self):
        return [name for direction, _, _, name in self.ports if direction == 1]


REASONS = {value: name[len("LANA_DROP_REASON_"):].lower().replace("_", "-")
           for name, value in C.items() if name.startswith("LANA_DROP_REASON_")}


class Lana(Socket):
    """A socket with the operations that replace and combine, and with bulk."""

    def __init__(self):
        super().__init__()
        self.sock.settimeout(60)
        self.sock.setsockopt(1, 33, 8 << 20)  # SO_RCVBUFFORCE
        # An answer does not bring the request back: they are long here.
        self.sock.setsockopt(270, 10, 1)  # SOL_NETLINK, NETLINK_CAP_ACK

    @staticmethod
    def op(kind, *args, drop_state=False):
        """What an operation sends: its number and its attributes."""
        names = {"FB_NEW": ("FB_NAME", "FB_TYPE"), "FB_DEL": ("FB_NAME",),
                 "BIND": ("BINDING_UPPER", "BINDING_LOWER"),
                 "UNBIND": ("BINDING_UPPER", "BINDING_LOWER"),
                 "SUBSCRIBE": ("SUBSCRIPTION_SUBSCRIBER", "SUBSCRIPTION_PUBLISHER"),
                 "UNSUBSCRIBE": ("SUBSCRIPTION_SUBSCRIBER", "SUBSCRIPTION_PUBLISHER"),
                 "REPLACE": ("REPLACEMENT_OLD", "REPLACEMENT_NEW"),
                 "VLINK_HOOK": ("VLINK_IFNAME",), "VLINK_UNHOOK": ("VLINK_IFNAME",),
                 "VLINK_NEW": ("VLINK_IFNAME", "VLINK_CARRIER"), "VLINK_DEL": ("VLINK_IFNAME",)}
        if kind == "FB_SET":
            name, key, value, *more = args
            return attr("FB_NAME", name) + nest("FB_OPTION", attr("OPTION_KEY", key), attr("OPTION_VALUE", value),
                                                *[attr("OPTION_MORE", b"") for _ in more])
        data = b"".join(attr(name, arg) for name, arg in zip(names[kind], args))
        if kind.startswith("VLINK"):
            data = attr("VLINK_SUBSYSTEM", "ethernet") + data
        return data + (attr("REPLACEMENT_DROP_STATE", b"") if drop_state else b"")

    @classmethod
    def transaction(cls, *ops):
        """The attributes of a transaction; each op is a tuple: its kind and its arguments."""
        return b"".join(nest("TRANSACTION_OP", nest("OP_" + kind, cls.op(kind, *args)))
                        for kind, *args in ops)

    def do(self, kind, *args, **more):
        return self.request(kind, self.op(kind, *args, **more))

    def replace(self, old, new, drop_state=False):
        return self.do("REPLACE", old, new, drop_state=drop_state)

    def transact(self, *ops):
        return self.request("TRANSACT", self.transaction(*ops))

    def bulk(self, *requests):
        """The bytes of several requests (number and attributes each), of which only the last is answered,
        and those that fail; and the number that the last one has."""
        whole = b""
        for count, (cmd, payload) in enumerate(requests, 1):
            message = bytearray(self.message(cmd, payload))
            if count < len(requests):
                message[6] &= 0xFF ^ NLM_F_ACK
            whole += message
        return whole, self.seq

    def failure(self, bulk):
        """Sends what `bulk` made, as often as wanted. What the first failure said, or None."""
        message, last = bulk
        self.sock.send(message)
        failure = None
        while True:
            data = self.sock.recv(1 << 16)
            while len(data) >= 16:
                length, _, flags, seq, _ = struct.unpack_from("IHHII", data)
                answer = self.ack(Answer(), data[:length], flags)
                if answer.error:
                    failure = failure or answer
                if seq == last:
                    return failure
                data = data[(length + 3) & ~3:]

    def blocks(self):
        """All blocks, by their names."""
        dump = self.request("FB_GET", flags=NLM_F_DUMP)
        if dump.error:
            raise OSError(dump.error, str(dump))
        blocks = {b.name: b for b in (Block(m[20:]) for m in dump.messages)}
        return {name: self.get(name) if block.partial else block for name, block in blocks.items()}

    def take_apart(self):
        """Removes everything but the devices."""
        blocks = self.blocks()
        answers = [self.unbind(block.name, lower) for block in blocks.values() for lower in block.down()]
        answers += [self.remove(name) for name, block in blocks.items() if block.type != "eth"]
        for answer in answers:
            if answer.error:
                raise OSError(answer.error, str(answer))

    def get(self, name):
        """One block."""
        answer = self.request("FB_GET", attr("FB_NAME", name))
        if answer.error:
            raise OSError(answer.error, str(answer))
        return Block(answer.messages[0][20:])

    def value(self, name, key):
        """The value of an option that fits in no message, or the error."""
        option = nest("FB_OPTION", attr("OPTION_KEY", key))
        dump = self.request("OPTION_GET", attr("FB_NAME", name) + option, flags=NLM_F_DUMP)
        parts = [dict(attrs(dict(attrs(m[20:]))[C["LANA_A_FB_OPTION"]])) for m in dump.messages]
        return dump.error or b"".join(part[C["LANA_A_OPTION_VALUE"]][:-1] for part in parts).decode()

    def engine(self):
        """Packets, bytes, calls and drops of the engine, over all CPUs."""
        dump = self.request("PPE_GET", flags=NLM_F_DUMP)
        keys = ["LANA_A_PPE_" + key for key in ("PACKETS", "BYTES", "CALLS", "DROPS")]
        cpus = [dict(attrs(m[20:])) for m in dump.messages]
        return [sum(number(cpu[C[key]]) for cpu in cpus) for key in keys]


class Route(Socket):
    """Devices, by the same means."""

    NEWLINK, DELLINK, GETLINK = 16, 17, 18
    CREATE = 0x400 | 0x200  # NLM_F_CREATE, NLM_F_EXCL

    def __init__(self):  # pylint: disable=super-init-not-called
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.sock.setsockopt(270, 11, 1)  # SOL_NETLINK, NETLINK_EXT_ACK
        self.sock.settimeout(60)
        self.sock.bind((0, 0))
        self.seq = 0

    def link_message(self, kind, name="", flags=0, change=0, more=b"", extra=0, index=0):
        """A request about the device of that name (or to get it); `more` are further attributes."""
        self.seq += 1
        body = struct.pack("BxHiII", 0, 0, index, flags, change) + (attr(3, name) if name else b"") + more
        head = struct.pack("IHHII", 16 + len(body), kind, 1 | NLM_F_ACK | extra, self.seq, 0)
        return head + body

    def add(self, kind, name, more=b"", data=b""):
        """A device of a kind: dummy, veth, ..."""
        data = attr(2, data) if data else b""
        info = attr(18, attr(1, kind) + data)
        return self.send(self.link_message(self.NEWLINK, name, more=info + more, extra=self.CREATE))

    def add_veth(self, name, peer, netns=None):
        """A pair of devices, the other one in a namespace where told (a file descriptor)."""
        other = struct.pack("BxHiII", 0, 0, 0, 0, 0) + attr(3, peer)
        if netns is not None:
            other += attr(28, struct.pack("I", netns))
        return self.add("veth", name, data=attr(1, other))

    def remove(self, name):
        return self.send(self.link_message(self.DELLINK, name))

    def up(self, name, up=True):
        return self.send(self.link_message(self.NEWLINK, name, int(up), 1))

    def program(self, name, program=-1):
        """An XDP program for the driver (a file descriptor), or none."""
        more = attr(1, struct.pack("i", program)) + attr(3, struct.pack("I", 4))  # XDP_FLAGS_DRV_MODE
        return self.send(self.link_message(self.NEWLINK, name, more=attr(43 | NLA_F_NESTED, more)))

    def rename(self, name, new):
        return self.send(self.link_message(self.NEWLINK, new, index=socket.if_nametoindex(name)))

    def mtu(self, name, size):
        return self.send(self.link_message(self.NEWLINK, name, more=attr(4, struct.pack("I", size))))

    def move(self, name, netns):
        """To the namespace of a file descriptor."""
        return self.send(self.link_message(self.NEWLINK, name, more=attr(28, struct.pack("I", netns))))


# --- Memory ---


def memory():
    """Slab objects by cache, other memory in kB, and areas of vmalloc, once all that waits to be freed has
    been."""
    time.sleep(2)
    write("/proc/sys/vm/drop_caches", "3")
    for path in glob.glob("/sys/kernel/slab/*/shrink"):
        write(path, "1")
    time.sleep(1)
    with open("/proc/slabinfo") as file:
        slab = {f[0]: int(f[1]) for f in map(str.split, file.readlines()[2:])}
    with open("/proc/meminfo") as file:
        info = {f[0][:-1]: int(f[1]) for f in map(str.split, file)}
    with open("/proc/vmallocinfo") as file:
        areas = [line.split(None, 1)[1] for line in file if "unpurged" not in line]
    return slab, info, areas


class Leaks:
    """What kmemleak finds between the making of this and `check()`; nothing where it is not there."""

    PATH = "/sys/kernel/debug/kmemleak"

    def __init__(self):
        try:
            # What has changed since the scan before, or is new, is told by the second one: a test before this may have
            # lost something on purpose.
            write(self.PATH, "scan")
            write(self.PATH, "scan")
            write(self.PATH, "clear")
            self.there = True
        except OSError:
            self.there = False

    def check(self):
        name = "kmemleak finds nothing"
        if not self.there:
            check(name + " # SKIP it is not there, or not on", True)
            return
        time.sleep(6)  # younger ones are not told
        write(self.PATH, "scan")
        write(self.PATH, "scan")
        found = read(self.PATH)
        check(name, not found, found[:3000])

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""steering.py: measures receive packet steering (RPS), in a booted kernel with two CPUs. It sends echo requests of 256 sources
to a device with one queue, faster than they can be answered, with RPS on and off. Linux answers, or icmp-echo. Prints a line
of JSON for each trial.

CPU 0 makes the requests. CPU 1 polls the device, as the CPU that serves a card's interrupt. With RPS both CPUs answer: the kernel
chooses one by a hash of the addresses."""

import json
import os
import socket
import struct
import sys
import time

sys.path.append(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# pylint: disable=wrong-import-position,wrong-import-order
import load  # noqa: E402
import receive  # noqa: E402
from receive import FAR, NEAR, PAUSE, SECONDS  # noqa: E402
from bpfload import insn  # noqa: E402
from burst import writing  # noqa: E402
from common import batch, do, links, write, RX_PACKETS  # noqa: E402
from ebpf import CPU, DATA, DATA_END, REDIRECT, assemble, look_up  # noqa: E402
from trace import checksum  # noqa: E402

SERVICE, GATEWAY, MAC = "50.50.50.50", "50.0.0.1", "02:00:00:00:00:01"
IDLE = "idle0"
# The size of a frame on the wire, and the offsets of what changes: header checksum, last byte of the source.
SIZE, SUM_AT, SOURCE_AT = 64, 24, 29
RATE, TRIALS = 400000, 5
STEERED = {"off": "0", "on": "3"}


def request():
    """A frame from 20.0.0.0. Its IP identification is chosen so that the header's checksum is 0xefff minus the last byte of the
    source address."""
    mac = bytes.fromhex(MAC.replace(":", ""))
    message = bytearray(struct.pack("!BBHHH18x", 8, 0, 0, 1, 1))
    message[2:4] = checksum(bytes(message)).to_bytes(2)
    head = bytearray(struct.pack("!BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 1, 0, socket.inet_aton("20.0.0.0"),
                                 socket.inet_aton(SERVICE)))
    head[4:6] = (0x1000 + checksum(bytes(head))).to_bytes(4)[2:]
    head[10:12] = checksum(bytes(head)).to_bytes(2)
    assert head[10:12] == b"\xef\xff", head.hex()
    return mac + bytes.fromhex("020000000098 0800") + bytes(head) + bytes(message)


def program(state, device):
    """
        if (data + 60 > data_end || !(number = bpf_map_lookup_elem(&state, &cpu))) return XDP_DROP;
        *data = request; source = (*number)++ & 0xff; sum = 0xefff - source;
        return bpf_redirect(device, 0);
    The kernel recycles frames with the changes that the receiver has made, so the program writes all of it.
    """
    frame = request()
    return assemble(
        insn(0x61, 0x16, DATA), insn(0x61, 0x17, DATA_END),  # r6, r7
        insn(0xBF, 0x61), insn(0x07, 1, 0, len(frame)), (0x2D, 0x71, 0, "drop"),
        insn(0x85, 0, 0, CPU), insn(0x63, 0x0A, -4), look_up(state), (0x15, 0, 0, "drop"),
        *writing(6, frame, range(0, len(frame), 4)),
        insn(0x79, 0x09),  # r9 = number
        insn(0xBF, 0x91), insn(0x57, 1, 0, 0xFF), insn(0x73, 0x16, SOURCE_AT),
        insn(0xB7, 2, 0, 0xFF), insn(0x1F, 0x12), insn(0x73, 0x26, SUM_AT + 1),  # r2 = 0xff - r1
        insn(0x07, 9, 0, 1), insn(0x7B, 0x90),
        insn(0xB7, 1, 0, socket.if_nametoindex(device)), insn(0xB7, 2), insn(0x85, 0, 0, REDIRECT), insn(0x95),
        "drop", insn(0xB7, 0, 0, 1), insn(0x95))


def linux():
    do("ip", "-batch", "-", text=f"""
        address add {SERVICE}/8 dev {NEAR}
        neigh add {GATEWAY} lladdr 02:00:00:00:00:98 nud permanent dev {NEAR}
        route add 20.0.0.0/8 via {GATEWAY}
    """)
    write("/proc/sys/net/ipv4/ip_forward", "0")
    write("/proc/sys/net/ipv4/icmp_ratelimit", "0")
    write("/proc/sys/net/ipv4/icmp_msgs_per_sec", "1000000000")


def lana():
    do("ip", "address", "flush", "dev", NEAR)
    receive.hook(NEAR)
    batch("add echo icmp-echo", f"set echo addr={SERVICE}", f"bind echo {NEAR}")


def main():
    receive.prepare()
    do("modprobe", "fb_icmp_echo")
    do("ip", "-batch", "-", text=f"""
        link add {NEAR} address {MAC} numrxqueues 1 type veth peer name {FAR}
        link set {NEAR} up
        link set {FAR} up
        link add {IDLE} type veth peer name idle1
    """)
    do("ethtool", "-K", NEAR, "gro", "on")
    write(f"/sys/class/net/{NEAR}/threaded", "1")
    hogs, slow = load.Hogs([0, 1]), 2
    load.short_turns()
    requests = load.Load(FAR, [0], program, IDLE)
    (poll,) = receive.polls(NEAR, 1)
    receive.schedule(poll, 1)
    for name, ready in ("Linux", linux), ("icmp-echo", lana):
        ready()
        for steering, mask in STEERED.items():
            write(f"/sys/class/net/{NEAR}/queues/rx-0/rps_cpus", mask)
            for _ in range(TRIALS):
                before = links(FAR, RX_PACKETS)
                hogs.let(True)
                sent, took, _ = requests.send(SIZE, int(RATE * SECONDS), RATE / slow, PAUSE * slow)
                time.sleep(0.03 * slow)
                hogs.let(False)
                print(json.dumps({"who": name, "steering": steering, "rate": RATE, "sent": sent, "seconds": took / slow,
                                  "answered": links(FAR, RX_PACKETS) - before}), flush=True)
    hogs.close()
    requests.close()


if __name__ == "__main__":
    main()

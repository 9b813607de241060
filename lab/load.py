# SPDX-License-Identifier: GPL-2.0
"""A load for those who receive: numbered frames at a rate, which a veth receives as a card does.

The kernel's BPF machine makes them: an XDP program is run on live frames and redirects each into the other end of the
veth. A frame has its number and the time it left behind the header of UDP, and its sender in the last byte of the
source address: lab/receivers/src/tally.rs reads that. Each sender has a CPU of its own, where nothing else has
priority over it; what it sends comes in by the queue of the veth that has its number."""

import ctypes
import gc
import mmap
import os
import signal
import socket
import struct
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[1:1] = [TOP + "/tests", TOP + "/bench"]

# pylint: disable=wrong-import-position
import bpfload  # noqa: E402
from bpfload import LIBC, XDP, bpf, insn  # noqa: E402
from burst import LIVE, TEST_RUN  # noqa: E402
from ebpf import ARRAY, CPU, DATA, DATA_END, REDIRECT, assemble, look_up  # noqa: E402

MMAPABLE = 1 << 10
LINK_CREATE, ON_XDP, GENERIC = 28, 37, 2
KTIME = 5
# Flows differ in their source port. By this factor those of frames that follow one another are far apart.
PORT, FLOWS, APART = 0x4000, 256, 101
# More than that is not sent at once: a veth's queue has room for 256.
MOST = 192
SENDER_AT, PORT_AT, NUMBER_AT, TIME_AT = 29, 34, 42, 50
# For nobody, from 10.0.0.SENDER.
HEADER = bytes.fromhex("020000000099 020000000098 0800 4500") + bytes(26)


def frame(size, sender):
    """As long as on the wire, but for the checksum of Ethernet: UDP of IPv4, with the checksum of IPv4's header."""
    length = size - 4 - 14
    ip = bytearray(bytes.fromhex("4500") + length.to_bytes(2) + bytes.fromhex("00000000 4011 0000 0a000000 0a000102"))
    ip[15] = sender
    total = sum(struct.unpack(">10H", ip))
    total = (total & 0xFFFF) + (total >> 16)
    ip[10:12] = (~((total & 0xFFFF) + (total >> 16)) & 0xFFFF).to_bytes(2)
    udp = struct.pack(">HH", PORT, 9) + (length - 20).to_bytes(2) + bytes(2)
    return (HEADER[:14] + bytes(ip) + udp).ljust(size - 4, b"\0")


def program(state, device):
    """
        cpu = bpf_get_smp_processor_id();
        if (data + 58 > data_end || !(number = bpf_map_lookup_elem(&state, &cpu))) return XDP_DROP;
        udp->source = PORT + *number * APART % FLOWS;
        mark->number = (*number)++; mark->time = bpf_ktime_get_ns();
        return bpf_redirect(device, 0);
    """
    return assemble(
        insn(0x61, 0x16, DATA), insn(0x61, 0x17, DATA_END),  # r6, r7
        insn(0xBF, 0x61), insn(0x07, 1, 0, TIME_AT + 8), (0x2D, 0x71, 0, "drop"),
        insn(0x85, 0, 0, CPU), insn(0x63, 0x0A, -4), look_up(state), (0x15, 0, 0, "drop"), insn(0xBF, 0x08),  # r8 = the place of the number
        insn(0x85, 0, 0, KTIME),
        insn(0x79, 0x89),  # r9 = number
        insn(0xBF, 0x91), insn(0x27, 1, 0, APART), insn(0x73, 0x16, PORT_AT + 1),
        insn(0x7B, 0x96, NUMBER_AT), insn(0x7B, 0x06, TIME_AT),
        insn(0x07, 9, 0, 1), insn(0x7B, 0x98),
        insn(0xB7, 1, 0, socket.if_nametoindex(device)), insn(0xB7, 2), insn(0x85, 0, 0, REDIRECT), insn(0x95),
        "drop", insn(0xB7, 0, 0, 1), insn(0x95))


class Load:
    """Sends into a device, from one CPU or several: `cpus`, the first ones."""

    def __init__(self, device, cpus, make=program, idle=None):
        """`make` makes the program. It is to be on a device where nothing comes in: `idle`, or that one."""
        self.cpus = cpus
        self.map = bpf(0, struct.pack("IIIII", ARRAY, 4, 8, len(cpus), MMAPABLE))
        self.state = mmap.mmap(self.map, mmap.PAGESIZE)
        self.program = bpfload.load(XDP, make(self.map, device))
        # A program that is on no device is put into the kernel's code each time that it is
        # run, and that takes longer than a hundred frames.
        self.link = bpf(LINK_CREATE, struct.pack("IIII", self.program, socket.if_nametoindex(idle or device), ON_XDP, GENERIC))

    def close(self):
        self.state.close()
        for file in self.link, self.program, self.map:
            os.close(file)

    def work(self, cpu, size, count, rate, pause, start):
        """Sends so many at so many a second from a time on, with that pause between two times. Answers how long it took,
        and the nanoseconds of the processor."""
        os.sched_setaffinity(0, {cpu})
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
        gc.disable()
        data = frame(size, cpu)
        buffer, test = ctypes.create_string_buffer(data, len(data)), ctypes.create_string_buffer(128)
        layout = struct.Struct("IIIIQQIIIIQQIII")
        # Who is late does not send all at once what it has missed: a queue may have no room for that.
        most = min(int(1.5 * rate * pause) + 1, MOST)
        sent, due, clock = 0, start, time.monotonic
        while sent < count:
            time.sleep(max(due - clock(), pause / 4))
            now = min(int((clock() - start) * rate) + 1, count, sent + most) - sent
            if now > 0:
                layout.pack_into(test, 0, self.program, 0, len(data), 0, ctypes.addressof(buffer), 0, now, 0, 0, 0, 0, 0,
                                 LIVE, 0, now)
                if LIBC.syscall(321, TEST_RUN, test, 128) < 0:
                    raise OSError(ctypes.get_errno(), "BPF_PROG_TEST_RUN")
                sent += now
            due += pause
        return clock() - start, time.thread_time_ns()

    def send(self, size, count, rate, pause):
        """So many from all CPUs together: how many were sent, in how many seconds, and the nanoseconds of the
        processor. A process for each CPU, as one of Python does one thing at a time."""
        self.state[:8 * len(self.cpus)] = bytes(8 * len(self.cpus))
        start = time.monotonic() + 0.03 * len(self.cpus)
        senders = []
        for cpu in self.cpus:
            reader, writer = os.pipe()
            process = os.fork()
            if not process:
                try:
                    share = count // len(self.cpus), rate / len(self.cpus)
                    os.write(writer, struct.pack("dQ", *self.work(cpu, size, *share, pause, start)))
                    os._exit(0)
                finally:
                    os._exit(1)
            os.close(writer)
            senders.append((process, reader))
        took = used = 0
        for process, reader in senders:
            answer = os.read(reader, 16)
            os.close(reader)
            if os.waitpid(process, 0)[1]:
                raise OSError("a sender failed")
            seconds, nanoseconds = struct.unpack("dQ", answer)
            took, used = max(took, seconds), used + nanoseconds
        return sum(struct.unpack_from(f"{len(self.cpus)}Q", self.state)), took, used


def short_turns():
    """In an emulated machine whose clock counts instructions CPUs take turns, which end at the latest where a timer of
    the machine is due. So its clock of the time of day is told to tick 8192 times a second (MC146818: register A is the
    rate, B has a bit for it)."""
    with open("/dev/port", "r+b", buffering=0) as ports:
        def register(number, change):
            ports.seek(0x70)
            ports.write(bytes([number]))
            value = ports.read(1)[0]
            ports.seek(0x70)
            ports.write(bytes([number, change(value)]))

        register(0x0A, lambda value: value & 0xF0 | 3)
        register(0x0B, lambda value: value | 0x40)


class Hogs:
    """Programs that take what no other wants of each CPU, while they are let: where the clock counts the instructions of
    all CPUs, one that rested would leave its own to the other."""

    def __init__(self, cpus):
        self.processes = []
        for cpu in cpus:
            process = os.fork()
            if not process:
                os.sched_setaffinity(0, {cpu})
                os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
                os.kill(os.getpid(), signal.SIGSTOP)
                while True:
                    pass
            os.waitpid(process, os.WUNTRACED)
            self.processes.append(process)

    def let(self, run):
        for process in self.processes:
            os.kill(process, signal.SIGCONT if run else signal.SIGSTOP)

    def close(self):
        for process in self.processes:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)

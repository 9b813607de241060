# SPDX-License-Identifier: GPL-2.0
"""burst.py DEVICE COUNT [AT ONCE]: frames that a device receives as from a driver: each on its own, and as
many in one go as a driver would hand over (64). The kernel's BPF machine makes them: an XDP program that
passes frames is run on live ones. The number of the frame is in its last eight bytes."""

import ctypes
import os
import socket
import struct
import sys
import threading
import time

from bpfload import LIBC, XDP, answer, bpf, insn, load

MAP_CREATE, MAP_UPDATE, TEST_RUN, ARRAY, LIVE = 0, 2, 10, 2, 2
LOOKUP = 1
# UDP from and to nobody, in 60 bytes.
FRAME = bytes.fromhex("020000000099 020000000098 0800 4500002e00000000401100000a0000010a000002"
                      "00090009001a0000") + bytes(18)
AT_ONCE = 64


def numbering(array, length):
    """An XDP program that writes numbers, counted in an array of one, into the end of frames of that length."""
    return b"".join([
        insn(0x61, 0x16, 0), insn(0x61, 0x17, 4),  # r6, r7 = data, data_end
        insn(0xBF, 0x68), insn(0x07, 8, 0, length), insn(0x2D, 0x78, 13),  # if r6 + length > r7 goto end
        insn(0x62, 10, -4, 0), insn(0xBF, 0xA2), insn(0x07, 2, 0, -4),  # key 0
        insn(0x18, 0x11, 0, array), insn(0), insn(0x85, 0, 0, LOOKUP),
        insn(0x15, 0, 6, 0),  # none: goto end
        insn(0x79, 0x01, 0), insn(0x07, 1, 0, 1), insn(0x7B, 0x10, 0),  # r1 = ++*r0
        insn(0xDC, 1, 0, 64), insn(0x7B, 0x16, length - 8), insn(0xBF, 0),
        answer(2)])


def words(*frames):
    """Where the words are in which frames differ."""
    return [at for at in range(0, len(frames[0]) - 3, 4) if len({frame[at:at + 4] for frame in frames}) > 1]


def writing(register, frame, places):
    """Instructions that write these words of a frame to where a register points."""
    return [insn(0x62, register, at, int.from_bytes(frame[at:at + 4], "little", signed=True)) for at in places]


def renewing(frame, changed):
    """An XDP program that writes those words of a frame anew in which the other one differs: a frame comes again, as
    whoever had it has left it."""
    places = words(frame, changed)
    stores = writing(2, frame, places)
    return b"".join([
        insn(0x61, 0x12, 0), insn(0x61, 0x13, 4),  # r2, r3 = data, data_end
        insn(0xBF, 0x24), insn(0x07, 4, 0, places[-1] + 4), insn(0x2D, 0x34, len(stores)),  # if r4 > r3 goto end
        *stores, answer(2)])


def alternating(array, one, other, *changed):
    """An XDP program that makes one frame and the other by turns, of which there is a count in an array of one, from
    what may have become of either."""
    places = words(one, other, *changed)
    ones, others = writing(6, one, places), writing(6, other, places)
    make = [
        insn(0x62, 10, -4, 0), insn(0xBF, 0xA2), insn(0x07, 2, 0, -4),  # key 0
        insn(0x18, 0x11, 0, array), insn(0), insn(0x85, 0, 0, LOOKUP),
        insn(0x15, 0, 5 + len(ones) + len(others), 0),  # none: goto end
        insn(0x79, 0x01, 0), insn(0x07, 1, 0, 1), insn(0x7B, 0x10, 0),  # r1 = ++*r0
        insn(0x45, 1, len(ones) + 1, 1),  # if r1 is odd goto others
        *ones, insn(0x05, 0, len(others)), *others]  # goto end
    return b"".join([
        insn(0x61, 0x16, 0), insn(0x61, 0x17, 4),  # r6, r7 = data, data_end
        insn(0xBF, 0x68), insn(0x07, 8, 0, len(one)), insn(0x2D, 0x78, len(make)),  # if r6 + length > r7 goto end
        *make, answer(2)])


class Burst:
    """For one device of this thread's namespace. Its driver has to have XDP queues: a veth has them while an
    XDP program is on it. Or for none (0), where the program redirects the frames."""

    def __init__(self, device, frame=FRAME, numbered=False, program=None):
        self.device, self.frame = device, frame
        self.array, self.program = None, program
        if numbered:
            self.array = bpf(MAP_CREATE, struct.pack("IIII", ARRAY, 4, 8, 1))
            self.program = load(XDP, numbering(self.array, len(frame)))
        elif program is None:
            self.program = load(XDP, answer(2))

    def send(self, count, at_once=AT_ONCE):
        """Comes back when the device has received them."""
        frame = ctypes.create_string_buffer(self.frame, len(self.frame))
        context = struct.pack("IIIIII", 0, len(self.frame), 0, self.device and socket.if_nametoindex(self.device), 0, 0)
        context = ctypes.create_string_buffer(context, len(context))
        bpf(TEST_RUN, struct.pack("IIIIQQIIIIQQIII", self.program, 0, len(self.frame), 0, ctypes.addressof(frame), 0,
                                  count, 0, len(context), 0, ctypes.addressof(context), 0, LIVE, 0, at_once))

    def close(self):
        os.close(self.program)
        if self.array is not None:
            os.close(self.array)


class Load:
    """Frames of many sizes from `start()` to `stop()`, by a thread for each CPU. All by one program: for each that is
    run first the kernel changes its own code, and an emulated machine may not survive that while another CPU
    is at it."""

    def __init__(self, device, threads=1):
        self.device, self.sent, self.stopped = device, 0, threading.Event()
        self.lock, self.error, self.program = threading.Lock(), None, load(XDP, answer(2))
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(threads)]

    def run(self):
        bursts = [Burst(self.device, FRAME.ljust(size, b"\0"), program=self.program) for size in range(60, 1000, 187)]
        try:
            while not self.stopped.is_set():
                for at_once, burst in enumerate(bursts, AT_ONCE - 10):
                    burst.send(100, at_once)
                    with self.lock:
                        self.sent += 100
        except OSError as error:
            self.error = error

    def start(self):
        for thread in self.threads:
            thread.start()
        while not self.sent and not self.error:
            time.sleep(0.01)
        return self

    def stop(self):
        """How many were sent."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        os.close(self.program)
        if self.error:
            raise self.error
        return self.sent


def main(device, count, at_once=AT_ONCE):
    Burst(device).send(int(count), int(at_once))


if __name__ == "__main__":
    main(*sys.argv[1:])

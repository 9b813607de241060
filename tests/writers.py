# SPDX-License-Identifier: GPL-2.0
"""writers.py BLOCK INSTRUCTIONS: what is written to the file of a bpf block by programs of all kinds is one
program, loaded whole or not at all. INSTRUCTIONS is how long the one is that is written byte by byte."""

import errno
import os
import subprocess
import sys

from lana import check, end

NAME, COUNT = sys.argv[1], int(sys.argv[2])
PATH = "/proc/net/lana/fblock/" + NAME
LOAD, DROP, PASS = (0x28, 0, 0, 12), (0x6, 0, 0, 0), (0x6, 0, 0, 0xFFFFFFFF)


def long(program):
    """As `tcpdump -dd` prints it."""
    return "".join("{ 0x%x, %d, %d, 0x%08x },\n" % quad for quad in program).encode()


def short(program):
    """As `tcpdump -ddd` does."""
    return "".join([f"{len(program)}\n"] + ["%d %d %d %d\n" % quad for quad in program]).encode()


def commas(program):
    """As iptables takes it."""
    return short(program).replace(b"\n", b",")[:-1]


def loaded():
    with open(PATH, "rb") as file:
        return file.read()


def forget():
    """Another program than those that are tried."""
    with open(PATH, "wb", buffering=0) as file:
        file.write(long([LOAD, LOAD, DROP]))


OTHER = long([LOAD, LOAD, DROP])


def opened(flags=0):
    return os.open(PATH, os.O_WRONLY | flags)


def put(text, size, file):
    for at in range(0, len(text), size):
        piece = text[at:at + size]
        if os.write(file, piece) != len(piece):
            raise OSError("a part was taken")


def error(call, *args):
    """The error of a call, or 0."""
    try:
        call(*args)
    except OSError as e:
        return e.errno
    return 0


def written(text, size, flags=0):
    forget()
    file = opened(flags)
    put(text, size, file)
    os.close(file)
    return loaded()


# Jumps over each other, returns in between: some of its parts are programs, too.
hosts = [LOAD]
for number in range(10):
    hosts += [(0x15, 0, 1, number), (0x6, 0, 0, number), (0x20, 0, 0, 26)]
hosts += [DROP]
full = [LOAD] * 4095 + [PASS]
for form in long, short, commas:
    for size in 1, 7, 1024, 4096, 1 << 20:
        check(f"a program in pieces of {size}, {form.__name__}", written(form(hosts), size) == long(hosts), loaded())
    for size in 1024, 4096, 1 << 20:
        check(f"one of 4,096 instructions in pieces of {size}, {form.__name__}",
              written(form(full), size) == long(full))
    bytewise = full[-COUNT:]
    check(f"a long one byte by byte, {form.__name__}", written(form(bytewise), 1) == long(bytewise))
check("appending is writing", written(long(hosts), 1024, os.O_APPEND) == long(hosts))

# Nothing is loaded in between.
parts = [PASS, DROP, PASS, LOAD, DROP]
forget()
file = opened()
seen = set()
for quad in parts:
    os.write(file, long([quad]))
    seen.add(loaded())
check("a part of a program is not loaded, though it is one itself", seen == {OTHER}, seen)
os.close(file)
check("the whole is, when the file is closed", loaded() == long(parts), loaded())
file = opened()
os.write(file, short(hosts))
check("one that says how long it is, as soon as it is there", loaded() == long(hosts), loaded())
check("behind it there may be space", error(os.write, file, b" \n") == 0)
check("and nothing else", error(os.write, file, b"6 0 0 0\n") == errno.EINVAL)
os.close(file)
check("which changes nothing", loaded() == long(hosts))

# What is wrong.
for form in long, short:
    forget()
    text = form(hosts)
    bad = text[:700].replace(b"0", b"x", 400) + text[700:]
    for size in 16, 64, 1 << 20:
        file = opened()
        check(f"an error in the middle, in pieces of {size}, {form.__name__}",
              error(put, bad, size, file) == errno.EINVAL)
        check("nothing more is taken", error(os.write, file, text) == errno.EINVAL)
        os.lseek(file, 0, os.SEEK_SET)
        check("also not from the begin", error(os.write, file, text) == errno.EINVAL)
        os.close(file)
        check("and nothing is loaded", loaded() == OTHER)
for what, program in [
        ("a division by zero", [(0x34, 0, 0, 0), DROP]),
        ("no such instruction", [(0xFF, 0, 0, 0), DROP]),
        ("no such register", [(0x60, 0, 0, 16), DROP])]:
    for form in long, short:
        file = opened()
        check(f"what the kernel refuses fails at once: {what}, {form.__name__}",
              error(os.write, file, form(program)) == errno.EINVAL)
        os.close(file)
file = opened()
check("a jump out of a program that says how long it is",
      error(os.write, file, short([(0x15, 9, 9, 0), DROP])) == errno.EINVAL)
os.close(file)
file = opened()
check("more than a file takes", error(put, b" " * 1024 * 129, 1024, file) == errno.E2BIG)
os.close(file)
check("nothing of it is loaded", loaded() == OTHER)
for what, text in [("the middle of a line", long(hosts)[:-9]), ("a part of the lines", long(hosts[:20])),
                   ("less than it says", short(hosts)[:-3]), ("a comment alone", b"/* drop */\n")]:
    file = opened()
    check(f"closed behind {what}", error(os.write, file, text) == 0)
    os.close(file)
    log = subprocess.run(["dmesg"], capture_output=True, text=True, check=True).stdout.splitlines()
    check("nothing is loaded, and the log says so",
          loaded() == OTHER and log[-1].endswith(f"{NAME}: not set: closed in the middle of a value"), log[-1])

# Positions.
file = opened()
os.write(file, long([PASS]))
os.lseek(file, 0, os.SEEK_SET)
check("another program from the begin on is refused", error(os.write, file, long([DROP])) == errno.EINVAL)
os.close(file)
file = opened()
os.lseek(file, 7, os.SEEK_SET)
check("one with a gap, too", error(os.write, file, long([DROP])) == errno.EINVAL)
os.close(file)
file = opened()
check("procfs takes no position with a write", error(os.pwrite, file, long([DROP]), 0) == errno.ESPIPE)
os.close(file)
check("nothing is loaded", loaded() == OTHER)
half = len(long(hosts)) // 2

# Two at once, and two that share one.
forget()
one, other = opened(), opened()
for at in range(0, 4096, 100):
    os.write(one, long(hosts)[at:at + 100])
    os.write(other, long(full[-60:])[at:at + 100])
os.close(other)
check("two writers at once: what one has written is loaded when it closes", loaded() == long(full[-60:]))
os.close(one)
check("and what the other one has, when that does", loaded() == long(hosts))
forget()
file = opened()
os.write(file, long(hosts)[:half])
go, tell = os.pipe()
child = os.fork()
if child == 0:
    os.close(tell)
    os.read(go, 1)
    os.write(file, long(hosts)[half:])
    os._exit(0)
os.close(go)
os.close(file)
check("while a child has the file open nothing is loaded", loaded() == OTHER)
os.close(tell)
os.waitpid(child, 0)
check("when it ends, what both have written is", loaded() == long(hosts))
end()

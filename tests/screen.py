# SPDX-License-Identifier: GPL-2.0
"""screen.py COLUMNS ROWS KEYS COMMAND...: what a program shows on a terminal of that size.

Runs the program on a terminal of its own, types KEYS (each after a second, `.` is a second without one), and
prints the screen as it was last before the program left it. It knows what ratatui writes, lines of text, and no more."""

import fcntl
import os
import pty
import re
import select
import struct
import sys
import termios
import time


class Screen:
    """Cells, and a cursor."""

    def __init__(self, columns, rows):
        self.columns, self.rows, self.x, self.y = columns, rows, 0, 0
        self.cells = {}
        self.kept = []

    def text(self):
        lines = ("".join(self.cells.get((x, y), " ") for x in range(self.columns)) for y in range(self.rows))
        return [line.rstrip() for line in lines]

    def feed(self, data):
        for csi, final, char in re.findall(r"\x1b\[([?0-9;]*)([@-~])|(.)", data, re.S):
            if final == "H":
                y, x = ([int(n or 1) for n in csi.split(";")] + [1, 1])[:2] if csi else (1, 1)
                self.x, self.y = x - 1, y - 1
            elif final == "J":
                self.cells = {}
            elif final == "l" and csi == "?1049":
                self.kept = self.text()
            elif char == "\n":
                self.y += 1
            elif char == "\r":
                self.x = 0
            elif char and char >= " ":
                self.cells[self.x, self.y] = char
                self.x += 1


def main():
    columns, rows, keys, command = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:]
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        os.execvp(command[0], command)
    screen, output, due = Screen(columns, rows), b"", time.monotonic() + 1
    while True:
        if select.select([master], [], [], 0.05)[0]:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            output += data
        if keys and time.monotonic() >= due:
            if keys[0] != ".":
                os.write(master, keys[0].encode())
            keys, due = keys[1:], time.monotonic() + 1
    screen.feed(output.decode(errors="replace"))
    print("\n".join(screen.kept or screen.text()))
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


main()

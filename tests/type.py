# SPDX-License-Identifier: GPL-2.0
"""type.py COMMAND...: runs a command in a terminal, and types a line of the standard input each time it prompts
for one. Ends with its exit status."""

import os
import pty
import sys

child, terminal = pty.fork()
if child == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
seen = b""
while True:
    try:
        read = os.read(terminal, 4096)
    except OSError:  # Nobody has the other end any more.
        break
    os.write(1, read)
    seen = (seen + read)[-100:]
    if seen.endswith(b"# "):
        os.write(terminal, sys.stdin.buffer.readline())
        seen = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))

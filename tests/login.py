# SPDX-License-Identifier: GPL-2.0
"""login.py: somebody at alice is logged in here by a TCP connection through lan0, types commands, and is cut off by
one: what --confirm is for. Prints `ok - NAME` and `not ok - NAME`."""

import os
import socket
import subprocess
import sys

from lana import check, end

ADDRESS, PORT = "192.0.2.3", 2323
CLIENT = f"""
import socket, sys
with socket.create_connection(("{ADDRESS}", {PORT})) as server:
    print("connected", flush=True)
    for line in sys.stdin:
        server.sendall(line.encode())
        answer = b""
        while not answer.endswith(b"done\\n"):
            piece = server.recv(4096)
            if not piece:
                break
            answer += piece
        sys.stdout.write(answer.decode())
        sys.stdout.flush()
"""


def shell(listener):
    """The login: a shell whose streams are the connection, in a session of its own."""
    connection, _ = listener.accept()
    environment = {name: value for name, value in os.environ.items() if name != "SSH_CONNECTION"}
    return subprocess.Popen(["bash"], stdin=connection, stdout=connection, stderr=connection, env=environment,
                            start_new_session=True)


def main():
    """As the head of this file says."""
    listener = socket.create_server((ADDRESS, PORT))
    client = subprocess.Popen(["ip", "netns", "exec", "alice", sys.executable, "-S", "-c", CLIENT], text=True,
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    bash = shell(listener)
    client.stdout.readline()

    def typed(command):
        client.stdin.write(f"{command}; echo done\n")
        client.stdin.flush()
        lines = []
        for line in client.stdout:
            if line == "done\n":
                break
            lines.append(line)
        return "".join(lines)

    said = typed("vlink ethernet hook lan0")
    check("who is logged in by a device is told so", f"your TCP connection from 192.0.2.1" in said, said)
    check("and is still there", typed("echo here") == "here\n")
    # What it says cannot arrive before the change is taken back.
    said = typed("vlink ethernet hook lan0 --confirm 3; vlink show | grep -c lan0 >hooked")
    with open("hooked", encoding="ascii") as file:
        check("then the device was hooked", file.read() == "1\n")
    check("and the connection lives again once that was taken back", "fbctl confirm" in said, said)
    check("the device is Linux's again", typed("vlink show | grep -c lan0") == "0\n")
    typed("vlink ethernet hook lan0 unclaimed=stack")
    check("with unclaimed=stack it never ceased", typed("vlink show | grep -c lan0") == "1\n")
    typed("vlink ethernet unhook lan0")
    client.stdin.close()
    client.wait()
    bash.kill()
    bash.wait()
    end()


if __name__ == "__main__":
    main()

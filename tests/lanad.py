# SPDX-License-Identifier: GPL-2.0
"""lanad.py bird SOCKET: answers as BIRD's control socket does, and prints what it is told.
lanad.py notify: lanad tells systemd that it is ready and alive.
lanad.py kills: lanad is killed at random moments. The graph is what one of two files says, each time."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time

from lana import check, end

LONG = bool(os.environ.get("LANA_LONG"))


def bird(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        with listener.accept()[0] as one:
            one.sendall(b"0001 BIRD 2.17 ready.\n")
            for line in one.makefile():
                print(line.strip(), flush=True)
                word, _, name = line.strip().partition(" ")
                one.sendall(f"0010-{name}: {word}d\n0000 \n".encode() if name else b"9001 syntax error\n")


def start(**more):
    return subprocess.Popen(["lanad", "--config", "lanad.toml", "--run", "run"], stderr=subprocess.DEVNULL,
                            env={**os.environ, **more})


def notify():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.bind("notify")
    listener.settimeout(20)
    lanad = start(NOTIFY_SOCKET=os.path.abspath("notify"), WATCHDOG_USEC="100000")
    os.environ.pop("WATCHDOG_PID", None)
    heard = []
    while not {"READY=1", "WATCHDOG=1"} <= set(heard):
        heard += listener.recv(4096).decode().split("\n")
    check("systemd is told that lanad is ready, and that it lives", True)
    lanad.terminate()
    check("it ends when it is told to", lanad.wait(20) == 0, lanad.returncode)
    end()


def graph():
    text = subprocess.run(["fbctl", "save"], capture_output=True, check=True, text=True).stdout
    return "\n".join(line for line in text.splitlines() if not line.startswith("#"))


def version(number):
    """Graphs that have little in common: chains of other blocks in another order."""
    names = [f"b{(number * 7 + k) % 13}" for k in range(4 + number % 5)]
    chain = ["lan0"] + names
    bindings = ", ".join(f'["{upper}", "{lower}"]' for lower, upper in zip(chain, chain[1:]))
    kinds = ["counter", "dummy", "tee", "delay"]
    blocks = "".join(f'[blocks.{name}]\ntype = "{kinds[(number + k) % 4]}"\n' for k, name in enumerate(names))
    return f'bindings = [{bindings}]\n[devices.lan0]\nsubsystem = "ethernet"\n{blocks}'


def until(test, seconds=20):
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if test():
            return True
        time.sleep(0.01)
    return False


def write(text):
    with open("graph.new", "w") as file:
        file.write(text)
    os.rename("graph.new", "graph.toml")


def wait_for_graph(want):
    return until(lambda: graph() == want)


def kills():
    rounds = 10000 if LONG else 25
    chance = random.Random(20)
    wanted, took = {}, []
    for number in range(6):
        write(version(number))
        begun = time.monotonic()
        lanad = start()
        until(lambda: subprocess.run(["fbctl", "apply", "--dry-run", "graph.toml"], capture_output=True, text=True).stdout == "nothing to change\n")
        took.append(time.monotonic() - begun)
        lanad.kill()
        lanad.wait()
        wanted[number] = graph()
    span = sorted(took)[len(took) // 2]
    check("six files are six graphs", len(set(wanted.values())) == 6)
    before, mixed, unreadable, olds, news, users = wanted[5], [], [], 0, 0, 0
    for number in range(rounds):
        target = chance.randrange(6)
        write(version(target))
        lanad = start()
        moment = chance.uniform(0, 1.5 * span)
        user = chance.random() < 0.25
        if user:
            # Somebody changes the graph at the same time. Who is first, is not known.
            subprocess.run(["fbctl", "add", "user", "tee"], stderr=subprocess.DEVNULL)
        time.sleep(moment)
        lanad.send_signal(signal.SIGKILL)
        lanad.wait()
        if user:
            users += 1
            subprocess.run(["fbctl", "rm", "user"], stderr=subprocess.DEVNULL)
        now = graph()
        olds += now == before
        news += now == wanted[target]
        if now not in (before, wanted[target]):
            mixed.append((number, now))
        try:
            with open("run/lanad.state") as file:
                json.load(file)
        except (OSError, ValueError) as error:
            if not isinstance(error, FileNotFoundError):
                unreadable.append(error)
        before = now
    check(f"{rounds} kills: the graph is one of two versions", not mixed, *mixed[:2])
    check("both versions were seen", olds > 0 and news > 0, olds, news)
    check("somebody else changed it meanwhile", users > 0)
    check("what lanad keeps can be read each time", not unreadable, unreadable[:2])
    write(version(3))
    lanad = start()
    check("the next start goes on", wait_for_graph(wanted[3]), graph())
    lanad.terminate()
    lanad.wait()
    # Nothing is left of it.
    write("[blocks.last]\ntype = \"tee\"\n")
    subprocess.run(["fbctl", "apply", "--empty", "/dev/null"], stdout=subprocess.DEVNULL, check=True)
    end()


if sys.argv[1] == "bird":
    bird(sys.argv[2])
else:
    {"notify": notify, "kills": kills}[sys.argv[1]]()

# SPDX-License-Identifier: GPL-2.0
"""dump.py BLOCKS TIMES: there are blocks block1, block2, ...; a dump has each of them once, also while
others come and go, and also when it is read little by little."""

import subprocess
import sys
import threading

from lana import NLM_F_DUMP, Socket, check, end

COUNT, TIMES = int(sys.argv[1]), int(sys.argv[2])
expected = sorted(f"block{i}" for i in range(1, COUNT + 1))


def complete(names):
    return sorted(n for n in names if n.startswith("block")) == expected


blocks = Socket().dump()
check("a dump has every block once", complete(name for _, name in blocks), len(blocks))
check("it is in the order of the IDPs", blocks == sorted(blocks))

stop = threading.Event()
made = 0


def change():
    global made
    lana = Socket()
    while not stop.is_set():
        for i in range(20):
            lana.add(f"passing{i}", "dummy")
        lana.bind("passing1", "passing0")
        lana.bind("passing2", "block1000")
        lana.unbind("passing2", "block1000")
        lana.unbind("passing1", "passing0")
        for i in range(20):
            made += lana.remove(f"passing{i}").error == 0


changer = threading.Thread(target=change)
changer.start()
lana = Socket()
good = sum(complete(lana.names()) for _ in range(TIMES))
check("so it does while blocks come and go", good == TIMES, f"{good} of {TIMES} dumps")
text = subprocess.run(["fbctl", "-j", "show"], capture_output=True, text=True, check=False)
check("fbctl shows them all while blocks come and go", text.returncode == 0 and
      all(f'"name":"{name}"' in text.stdout for name in expected), text.stderr)
with open("/proc/net/lana/fblocks") as file:
    check("so does /proc/net/lana/fblocks", complete(line.split()[0] for line in file))
stop.set()
changer.join()
check("blocks did come and go meanwhile", made > 0, made)

# A receive buffer with room for little: the dump waits for its reader.
lana = Socket()
lana.sock.setsockopt(1, 8, 2048)  # SO_RCVBUF
check("a dump is whole with a small receive buffer", complete(lana.names()))
check("and a second one on the same socket", complete(lana.names()))
lana.sock.send(lana.message("FB_GET", b"", NLM_F_DUMP))
lana.sock.close()
check("a dump that nobody reads to its end does no harm", complete(Socket().names()))
end()

# SPDX-License-Identifier: GPL-2.0
"""ynl.py CLIENT SPEC: drives the family by the kernel's own client, a program that is run here again and
again (in this process, since starting Python takes long in an emulated machine)."""

import contextlib
import io
import json
import runpy
import select
import subprocess
import sys

from lana import check, end

CLIENT, SPEC = sys.argv[1:3]
COMMON = ["--spec", SPEC, "--no-schema", "--output-json"]
sys.path.insert(0, CLIENT.rsplit("/", 1)[0])


def ynl(*args):
    """Runs the client; its exit status and what it said."""
    out, status = io.StringIO(), 0
    sys.argv = [CLIENT, *COMMON, *args]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        try:
            runpy.run_path(CLIENT, run_name="__main__")
        except SystemExit as error:
            status = error.code or 0
    return status, out.getvalue()


def do(operation, /, **attributes):
    return ynl("--do", operation, "--json", json.dumps(attributes))


def dump(operation):
    status, text = ynl("--dump", operation)
    return json.loads(text) if status == 0 else text


def works(name, operation, /, **attributes):
    status, text = do(operation, **attributes)
    check(name, status == 0, text)


def fails(name, wanted, operation, /, **attributes):
    status, text = do(operation, **attributes)
    check(name, status != 0 and all(word in text for word in wanted), status, text)


events = subprocess.Popen(
    [sys.executable, "-u", CLIENT, *COMMON, "--subscribe", "events", "--duration", "600"],
    stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
# It listens once it tells of something.
for _ in range(100):
    do("fb-new", name="probe", type="dummy")
    do("fb-del", name="probe")
    if select.select([events.stdout], [], [], 0.3)[0]:
        break

works("ynl makes a block", "fb-new", name="a", type="dummy")
works("and another one", "fb-new", name="b", type="bpf")
works("ynl binds", "bind", upper="b", lower="a")
works("ynl subscribes", "subscribe", subscriber="a", publisher="b")
works("ynl sets an option", "fb-set", name="b",
      option=[{"key": "program", "value": "{ 0x6, 0, 0, 0x0 },"}])
works("ynl hooks a device", "vlink-hook", subsystem="ethernet", ifname="lan0")
text = subprocess.run(["fbctl", "-j", "show"], capture_output=True, text=True, check=False).stdout
check("fbctl sees all of it",
      [(fb["name"], fb["type"]) for fb in json.loads(text)][-3:] ==
      [("a", "dummy"), ("b", "bpf"), ("lan0", "eth")], text)

block = json.loads(do("fb-get", name="b")[1])
check("ynl shows a block", (block["name"], block["type"], block["refcnt"]) == ("b", "bpf", 3), block)
check("its ports, by the names of the specification", block["port"] ==
      [{"direction": "egress", "index": 0, "peer": block["idp"] - 1, "peer-name": "a"}], block)
check("its counters", block["stats"] == {"packets": 0, "bytes": 0}, block)
check("its options", {"key": "instructions", "value": "1"} in block["option"], block)
check("ynl dumps all blocks", [fb["name"] for fb in dump("fb-get")] == ["a", "b", "lan0"])
types = {kind["name"]: kind for kind in dump("type-get")}
check("ynl dumps the types", types["tee"]["mode"] == "dual" and types["eth"]["vlink"] == "ethernet", types)
check("ynl dumps the engine", dump("ppe-get")[0]["cpu"] == 0)
check("ynl dumps the devices", [d["ifname"] for d in dump("vlink-get")] == ["lan0"])

fails("ynl prints the text of an error: no such block", ["no block 'x'"], "fb-del", name="x")
fails("ynl prints the text of an error, and the attribute at fault",
      ["unknown type 'nonsense'", ".type"], "fb-new", name="x", type="nonsense")
fails("ynl prints what a block is bound to", ["'a' is bound to 'b'"], "fb-del", name="a")
fails("ynl names an attribute that is missing", ["type"], "fb-new", name="x")

works("ynl unsubscribes", "unsubscribe", subscriber="a", publisher="b")
works("ynl unbinds", "unbind", upper="b", lower="a")
works("ynl gives a device back", "vlink-unhook", subsystem="ethernet", ifname="lan0")
works("ynl removes a block", "fb-del", name="b")
works("and the other one", "fb-del", name="a")
check("nothing is left", dump("fb-get") == [])

events.terminate()
told = events.communicate(timeout=60)[0].decode()
for kind in ["added", "bound", "subscribed", "option-set", "unsubscribed", "unbound", "removed"]:
    check(f"ynl gets the event {kind}", f'"kind": "{kind}"' in told or f"'kind': '{kind}'" in told,
          told[-2000:])
end()

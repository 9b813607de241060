# SPDX-License-Identifier: GPL-2.0
"""web.py: what `fbctl web` answers to whom, asked as a browser does. There is a graph: the tee t on the device lan0, with b and a
on top; the device's other end is in the namespace far."""

import contextlib
import http.client
import json
import os
import re
import struct
import subprocess
import tempfile
import time
import urllib.parse

from lana import check, end


def fbctl(*words, text=None):
    """Runs it."""
    return subprocess.run(["fbctl", *words], input=text, capture_output=True, text=True, check=True).stdout


class Page:
    """A server of the page, and what it is asked."""

    def __init__(self, *options):
        command = ["fbctl", "web", "--listen", "0", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        url = self.process.stdout.readline().strip()
        self.host, _, self.token = url.removeprefix("http://").partition("/?token=")
        self.stream = None

    def ask(self, path, method="GET", token=None, host=None, body=None, **headers):
        """Status and text of an answer."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        names = {key.replace("_", "-"): value for key, value in headers.items()}
        if host is not None:
            names["Host"] = host
        if body is not None:
            names.setdefault("Content-Type", "application/json")
        given = self.token if token is None else token
        mark = "&" if "?" in path else "?"
        connection.request(method, f"{path}{mark}token={given}", body, names)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    def listen(self):
        """Opens the stream of events."""
        connection = http.client.HTTPConnection(self.host, timeout=30)
        connection.request("GET", f"/events?token={self.token}")
        self.stream = connection.getresponse()
        return self.stream.getheader("Content-Type")

    def hear(self, kind, wanted=lambda data: True):
        """The data of the next event of a kind that is as wanted."""
        until = time.monotonic() + 30
        while time.monotonic() < until:
            line = self.stream.readline().decode().strip()
            if line != f"event: {kind}":
                continue
            data = json.loads(self.stream.readline().decode().removeprefix("data: "))
            if wanted(data):
                return data
        raise TimeoutError(kind)

    def cpu(self):
        """Seconds that the server has spent on the CPU. By its clock: what ticks tell is not true of who is woken by
        them."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # clock_getcpuclockid()

    def close(self):
        """Ends it."""
        self.process.kill()
        self.process.wait()


def change(kind, upper, lower):
    """The body of a request for one change."""
    return json.dumps({"changes": [{"change": kind, "upper": upper, "lower": lower}]})


def guard(page):
    """Who is not answered."""
    ours = f"http://{page.host}"
    port = page.host.rpartition(":")[2]
    for name, wanted, more in (
        ("the page is there for who has the token", 200, {}),
        ("no token, no page", 401, {"token": ""}),
        ("a wrong one is refused", 401, {"token": "0" * 32}),
        ("a name that leads here is refused (DNS rebinding)", 403, {"host": f"evil.example:{port}"}),
        ("so is another port", 403, {"host": "127.0.0.1:1"}),
        ("localhost is fine", 200, {"host": f"localhost:{port}"}),
        ("our own origin is", 200, {"Origin": ours}),
        ("another origin is refused", 403, {"Origin": "http://evil.example"}),
        ("so is none that can be named", 403, {"Origin": "null"}),
        ("and what the browser calls cross-site", 403, {"Sec_Fetch_Site": "cross-site"}),
        ("other methods are refused", 405, {"method": "DELETE"}),
    ):
        status, text = page.ask("/", **more)
        check(name, status == wanted, status, text[:200])
    check("what is not there is not found", page.ask("/../etc/passwd")[0] == 404)
    check("a body as of a form is refused",
          page.ask("/change", "POST", body="changes=", Content_Type="text/plain")[0] == 400)
    check("a body that is too long, too", page.ask("/change", "POST", body="x" * 70000)[0] == 413)


def shape(whole):
    """The names of what is told of a graph, of its boxes, and of its lines."""
    return [sorted(part) for part in (whole, whole["boxes"][0], whole["lines"][0])]


def shows(page):
    """What is told."""
    status, text = page.ask("/")
    check("the page loads nothing from elsewhere", status == 200 and "http" not in text.replace("http-equiv", ""), text)
    check("its parts are there", [page.ask(f"/{part}")[0] for part in ("page.css", "page.js", "view.js", "packets.js", "about")] == [200] * 5)
    check("there is a stream of events", page.listen() == "text/event-stream")
    whole = page.hear("graph")
    names = {box["name"] for box in whole["boxes"]}
    check("it begins with the whole graph", names == {"lan0", "t", "a", "b"}, names)
    with open(f"{os.path.dirname(__file__)}/page/graph.json", encoding="utf-8") as file:
        recorded = json.load(file)["graph"]
    check("make test-page looks at what the server tells today", shape(recorded) == shape(whole), shape(recorded), shape(whole))
    fbctl("add", "fresh", "counter")
    told = page.hear("change", lambda data: any(box["name"] == "fresh" for box in data["boxes"]))
    check("a new block is told of", "added fresh" in " ".join(told["version"]["events"]), told["version"])
    fbctl("bind", "fresh", "a")
    told = page.hear("change", lambda data: data["lines"])
    check("a new binding, too", any(line["id"] == "fresh - a" for line in told["lines"]), told)
    check("in words", "fresh bound on top of a" in told["version"]["events"], told["version"])
    fbctl("unbind", "fresh", "a")
    told = page.hear("change", lambda data: data["gone_lines"])
    check("and one that has gone", told["gone_lines"] == ["fresh - a"], told)
    subprocess.run(["ip", "-n", "far", "link", "set", "far0", "down"], check=True)
    told = page.hear("change", lambda data: any("no-carrier" in box["class"] for box in data["boxes"]))
    check("a carrier that has gone", [box["name"] for box in told["boxes"]][:1] == ["lan0"], told)
    subprocess.run(["ip", "-n", "far", "link", "set", "far0", "up"], check=True)
    page.hear("change", lambda data: any("up" in box["class"] for box in data["boxes"]))
    with subprocess.Popen(["ip", "netns", "exec", "far", "python3", "-S", "-c", SENDER]):
        told = page.hear("rates", lambda data: any(figures["rate"] > 0 for figures in data))
        check("packets a second are told", all(figures["text"].endswith("/s") for figures in told if figures["rate"]), told)
        drops = page.hear("rates", lambda data: any(figures["loss"] for figures in data))
        check("so are drops, with the reason", "unbound" in json.dumps(drops), drops)
    page.hear("rates", lambda data: any(figures["text"] == "" for figures in data))
    check("and that it is quiet again", True)
    status, text = page.ask("/block?name=a")
    check("a block has its counters and options", status == 200 and json.loads(text)["stats"]["packets"] > 0, text)
    check("one that is not there is named", page.ask("/block?name=no") == (404, "no block 'no' (attribute 'name')\n"),
          page.ask("/block?name=no"))
    versions = json.loads(page.ask("/versions")[1])
    check("each version has a number", [v["number"] for v in versions] == list(range(1, len(versions) + 1)), versions)
    first = json.loads(page.ask("/version?number=1")[1])
    check("the first one can be seen again", {box["name"] for box in first["boxes"]} == names, first)
    check("who only shows changes nothing", page.ask("/change", "POST", body=change("bind", "fresh", "a"))[0] == 403)
    check("nor has it a preview", page.ask("/preview", "POST", body=change("bind", "fresh", "a"))[0] == 403)
    for path in ("/trace", "/capture"):
        status, text = page.ask(f"{path}?name=lan0&count=1&seconds=1")
        check(f"nor does it look into packets: {path}", status == 403 and "--packets" in text, status, text)
    check("nothing was changed", "fresh" not in json.dumps(json.loads(fbctl("-j", "graph"))["bindings"]))


SENDER = """
import socket, time
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("far0", 0))
for _ in range(200):
    s.send(b"\\xff" * 6 + b"\\x02" * 6 + b"\\x08\\x00" + bytes(46))
    time.sleep(0.005)
"""


def writes(page):
    """What a page that may write does."""
    page.listen()
    page.hear("graph")
    status, text = page.ask("/preview", "POST", body=change("bind", "fresh", "a"))
    preview = json.loads(text)
    check("a preview has the command", preview["commands"] == ["fbctl bind fresh a"], text)
    lines = {(preview["scene"]["boxes"][line["upper"]]["name"], preview["scene"]["boxes"][line["lower"]]["name"])
             for line in preview["scene"]["lines"]}
    check("and the picture as it would be", status == 200 and ("fresh", "a") in lines, lines)
    check("which changes nothing", "fresh" not in json.dumps(json.loads(fbctl("-j", "graph"))["bindings"]))
    status, text = page.ask("/change", "POST", body=change("bind", "fresh", "a"))
    check("a change is made", status == 200 and '"upper":"fresh"' in fbctl("-j", "graph"), text)
    page.hear("change", lambda data: any(line["id"] == "fresh - a" for line in data["lines"]))
    both = json.dumps({"changes": [{"change": "unbind", "upper": "fresh", "lower": "a"},
                                   {"change": "bind", "upper": "t", "lower": "lan0"}]})
    status, text = page.ask("/change", "POST", body=both)
    check("what the kernel refuses is told in its words", status == 409 and "lan0" in text, status, text)
    check("and nothing of that transaction was done", '"upper":"fresh"' in fbctl("-j", "graph"))
    check("nonsense is refused", page.ask("/change", "POST", body='{"changes":[{"change":"rm"}]}')[0] == 409)
    check("another origin changes nothing",
          page.ask("/change", "POST", body=change("unbind", "fresh", "a"), Origin="http://evil.example")[0] == 403)
    fbctl("unbind", "fresh", "a")


# An echo request, to nobody in particular.
PING = bytes.fromhex("ffffffffffff 02000000000a 0800 45000030000700004001f6c1c0000201c0000203 0800cf6900630001"
                     "6162636465666768696a6b6c6d6e6f7071727374")


def send(*frames):
    """Sends them from the other end of lan0."""
    code = f"""
import socket
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
s.bind(("far0", 0))
for frame in {list(frames)!r}:
    s.send(frame)
"""
    subprocess.run(["ip", "netns", "exec", "far", "python3", "-S", "-c", code], check=True)


class Look:
    """A trace or a capture, as it comes in."""

    def __init__(self, page, path, **query):
        self.connection = http.client.HTTPConnection(page.host, timeout=30)
        query = urllib.parse.urlencode({"seconds": 20, "token": page.token, **query})
        self.connection.request("GET", f"{path}?{query}")
        self.answer = self.connection.getresponse()
        self.status = self.answer.status

    def read(self):
        """All of it, once it has ended."""
        with contextlib.closing(self):
            return self.answer.read()

    def lines(self):
        """Its lines."""
        return [json.loads(line) for line in self.read().splitlines()]

    def close(self):
        """The page goes."""
        self.answer.close()
        self.connection.close()


def free_probes():
    """How many probes can be opened."""
    tools, free = [], 0
    for _ in range(5):
        tool = subprocess.Popen(["fbctl", "trace"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        tools.append(tool)
        free += "tracing" in tool.stderr.readline()
    for tool in tools:
        tool.terminate()
        tool.communicate()
    return free


def wait_for_probes(count):
    """Waits until so many are free. How many are."""
    for _ in range(40):
        free = free_probes()
        if free == count:
            break
        time.sleep(0.05)
    return free


def blocks(data):
    """Types and bodies of the blocks of a pcapng file."""
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        if struct.unpack_from("<I", data, length - 4)[0] != length:
            raise ValueError("two lengths of a block differ")
        found.append((kind, data[8:length - 4]))
        data = data[length:]
    return found


def captured(data):
    """The packets of a pcapng file."""
    packets = [body for kind, body in blocks(data) if kind == 6]
    return [body[20:20 + struct.unpack_from("<I", body, 12)[0]] for body in packets]


def looks(page):
    """Packets: traced, and captured."""
    check("it says that it may", json.loads(page.ask("/about")[1])["packets"])
    trace = Look(page, "/trace", name="lan0", count=1, filter="icmp")
    check("a trace begins before there are packets", trace.status == 200 and
          trace.answer.getheader("Content-Type") == "application/x-ndjson")
    send(b"\xff" * 6 + b"\2" * 6 + b"\x86\xdd" + bytes(50), PING)
    packet, last = trace.lines()
    hops = [(hop["depth"], hop["block"], hop["outcome"].split(",")[0]) for hop in packet["packet"]["hops"]]
    ends = {(depth, block, outcome) for depth, block, outcome in hops[2:]}
    check("it has the hops of a ping, which passes the filter", hops[:2] == [(0, "lan0 (eth)", "-> ingress 0 t"), hops[1]] and
          hops[1][1] == "t (tee)" and {hop[1:] for hop in ends} == {("a (counter)", "DROPPED: unbound"),
                                                                   ("b (dummy)", "DROPPED: unbound")}, hops)
    check("the copy of the tee stands below it", sorted(hop[0] for hop in ends) == [0, 1], hops)
    check("and what fbctl trace says of it", "192.0.2.1 > 192.0.2.3: ICMP echo request, id 99, seq 1" in
          packet["packet"]["head"], packet)
    check("each hop has a time", all(re.fullmatch(r"\d+ ns|[\d.]{3,4} [um]s", hop["took"]) for hop in packet["packet"]["hops"]))
    check("it ends with the packets", last == {"end": {"why": "limit", "packets": 1, "lost": 0}}, last)
    begin = time.monotonic()
    last = Look(page, "/trace", name="a", count=5, seconds=1).lines()[-1]
    check("or with the time", last["end"]["why"] == "signal" and 0.9 < time.monotonic() - begin < 15, last)
    frames = [b"\xff" * 6 + b"\2" * 6 + b"\x88\xb5" + bytes([n]) * (46 + 97 * n) for n in range(14)]
    capture = Look(page, "/capture", name="lan0", count=14, filter="ether proto 0x88b5")
    send(*frames)
    data = capture.read()
    check("a capture has what was sent, byte by byte", captured(data) == frames, len(captured(data)))
    check("and is whole", [kind for kind, _ in blocks(data)] == [0x0A0D0D0A, 1, *[6] * 14, 5])
    capture = Look(page, "/capture", name="t", count=9, seconds=2, points="in,out,drops", filter="ether proto 0x88b5")
    send(frames[1])
    data = capture.read()
    check("at other points", [kind for kind, _ in blocks(data)].count(1) == 3 and frames[1] in captured(data))
    fbctl("add", "going", "dummy")
    trace = Look(page, "/trace", name="going", count=1)
    fbctl("rm", "going")
    check("a block that goes ends it", trace.lines()[-1]["end"]["why"] == "removed")
    for query, wanted, why in (
        ({"count": 1001}, 400, "packets: 1 to 1000"),
        ({"count": "many"}, 400, "packets: 1 to 1000"),
        ({"seconds": 601}, 400, "seconds: 1 to 600"),
        ({"filter": "icmp or"}, 400, "tcpdump: "),
        ({"filter": "@/etc/passwd"}, 400, "a page has no files"),
        ({"name": "nothing"}, 404, "no block 'nothing'"),
        ({"token": "0" * 32}, 401, "the token is missing or wrong"),
    ):
        look = Look(page, "/trace", **{"name": "a", "count": 1, **query})
        text = look.read().decode()
        check(f"a trace with {query} is refused", look.status == wanted and why in text, look.status, text)
    look = Look(page, "/capture", name="a", count=100001)
    check("so is a capture of too many packets", look.status == 400 and b"1 to 100000" in look.read())
    check("all of these have given their probes back", wait_for_probes(4) == 4)
    open_ones = [Look(page, "/trace", name="a", count=9, seconds=600), Look(page, "/capture", name="a", count=9, seconds=600)]
    third = Look(page, "/trace", name="a", count=1)
    check("pages have two at a time", third.status == 503 and b"2 traces and captures already" in third.read(), third.status)
    check("others have the rest", wait_for_probes(2) == 2)
    open_ones[0].close()
    check("a page that goes closes its probe", wait_for_probes(3) == 3)
    open_ones[1].close()
    check("so it is with a capture", wait_for_probes(4) == 4)


def namespaces():
    """A page of another namespace is served in this one."""
    subprocess.run(["ip", "netns", "add", "red"], check=True)
    fbctl("-n", "red", "add", "inside", "dummy")
    with contextlib.closing(Page("-n", "red")) as page:
        page.listen()
        whole = page.hear("graph")
        check("-n shows the graph of another namespace here", whole["head"]["netns"] == "red" and
              [box["name"] for box in whole["boxes"]] == ["inside"], whole)
        check("a block is asked for there", page.ask("/block?name=inside")[0] == 200)
    subprocess.run(["ip", "netns", "del", "red"], check=True)


def wait_for_lines(path, count):
    """Waits until a file has so many lines. How many it has."""
    for _ in range(600):
        with contextlib.suppress(FileNotFoundError), open(path, encoding="ascii") as file:
            found = file.read().count("\n")
            if found >= count:
                return found
        time.sleep(0.05)
    raise TimeoutError(path)


def replay():
    """What `fbctl monitor --record` has written can be seen again."""
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/record"
        with subprocess.Popen(["fbctl", "monitor", "-r", path, "-c", "2"], stdout=subprocess.DEVNULL) as monitor:
            lines = wait_for_lines(path, 1)
            fbctl("add", "passing", "dummy")
            wait_for_lines(path, lines + 1)
            fbctl("rm", "passing")
            monitor.wait(30)
        with open(path, encoding="ascii") as file:
            written = [json.loads(line) for line in file]
        check("the graph is recorded at once, and again when it has changed",
              written[0]["events"] == [] and written[-1]["events"], written)
        with contextlib.closing(Page("--replay", path)) as page:
            page.listen()
            page.hear("graph")
            versions = json.loads(page.ask("/versions")[1])
            first = json.loads(page.ask("/version?number=1")[1])
            check("a page begins with what was recorded", len(versions) >= len(written) and
                  [v["time"] for v in versions[:len(written)]] == [v["time"] for v in written], versions)
            check("and shows it", {box["name"] for box in first["boxes"]} >= {"lan0", "t", "a", "b"}, first)
        with open(path, "a", encoding="ascii") as file:
            file.write("nonsense\n")
        done = subprocess.run(["fbctl", "web", "--replay", path], capture_output=True, text=True, check=False)
        check("a line that is none is named", done.returncode == 1 and
              done.stderr == f"fbctl: web: {path}:{len(written) + 1}: this is no version of a graph\n", done.stderr)
    done = subprocess.run(["fbctl", "monitor", "--record", "/no/such/file"], capture_output=True, text=True, check=False)
    check("a file that cannot be written, too", done.returncode == 1 and
          done.stderr == "fbctl: monitor: /no/such/file: No such file or directory\n", done.stderr)


def cost():
    """What it costs to look at a thousand blocks."""
    names = "".join(f"add n{i} counter\n" + (f"bind n{i} n{i - 1}\n" if i else "") for i in range(1000))
    fbctl("-b", "-", text=names)
    with contextlib.closing(Page()) as page:
        time.sleep(1)
        check("it costs nothing while nobody looks", page.cpu() < 0.2, page.cpu())
        page.listen()
        page.hear("graph")
        # The machine that emulates this one may be busy for a while, which our clock counts too.
        for _ in range(5):
            time.sleep(3)
            before, begin = page.cpu(), time.monotonic()
            time.sleep(5)
            share = (page.cpu() - before) / (time.monotonic() - begin)
            if share <= 0.03:
                break
        print(f"# {share:.1%} of a core for 1,000 blocks")
        check("a thousand blocks take at most 3 % of a core", share <= 0.03, share)
    fbctl("-b", "-", text="".join((f"unbind n{i} n{i - 1}\n" if i else "") + f"rm n{i}\n" for i in reversed(range(1000))))


def main():
    """All of it."""
    for test, options in ((guard, ()), (shows, ()), (writes, ("--write",)), (looks, ("--packets",))):
        with contextlib.closing(Page(*options)) as page:
            test(page)
    namespaces()
    replay()
    cost()
    end()


main()

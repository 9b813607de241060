# SPDX-License-Identifier: GPL-2.0
"""web.py: what `fbctl web` answers to whom, asked as a browser does. There is a graph: the tee t on the device lan0, with b and a
on top; the device's other end is in the namespace far."""

import contextlib
import http.client
import json
import subprocess
import tempfile
import time

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


def shows(page):
    """What is told."""
    status, text = page.ask("/")
    check("the page loads nothing from elsewhere", status == 200 and "http" not in text.replace("http-equiv", ""), text)
    check("its parts are there", [page.ask(f"/{part}")[0] for part in ("page.css", "page.js", "about")] == [200] * 3)
    check("there is a stream of events", page.listen() == "text/event-stream")
    whole = page.hear("graph")
    names = {box["name"] for box in whole["boxes"]}
    check("it begins with the whole graph", names == {"lan0", "t", "a", "b"}, names)
    fbctl("add", "fresh", "counter")
    told = page.hear("change", lambda data: any(box["name"] == "fresh" for box in data["boxes"]))
    check("a new block is told of", "added fresh" in " ".join(told["version"]["events"]), told["version"])
    fbctl("bind", "fresh", "a")
    told = page.hear("change", lambda data: data["lines"])
    check("a new binding, too", any(line["id"] == "fresh - a" for line in told["lines"]), told)
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
    for test, options in ((guard, ()), (shows, ()), (writes, ("--write",))):
        with contextlib.closing(Page(*options)) as page:
            test(page)
    namespaces()
    replay()
    cost()
    end()


main()

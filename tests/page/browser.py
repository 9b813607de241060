# SPDX-License-Identifier: GPL-2.0
"""A headless Chromium, driven through its DevTools protocol, and a server with the page of `fbctl web` and a recorded graph."""

import base64
import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import tempfile
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
SOURCES = TOP / "fbctl/src"
KINDS = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as fbctl web does, from a recording."""

    def log_message(self, *_):
        """Prints nothing."""

    def do_GET(self):
        """A part of the page, or a part of the recording."""
        recorded, (path, _, query) = self.server.recorded, self.path.partition("?")
        if path == "/events":
            return self.stream()
        if path == "/block":
            name = query.partition("name=")[2].partition("&")[0]
            if name not in recorded["block"]:
                return self.send_error(404)
            return self.give("application/json", json.dumps(recorded["block"][name]))
        if path == "/trace":
            return self.give("application/x-ndjson", "".join(line + "\n" for line in recorded["trace"]))
        if path in ("/about", "/versions"):
            return self.give("application/json", json.dumps(recorded[path[1:]]))
        name = path[1:] or "page.html"
        text = (SOURCES / "web" / name).read_text()
        if name == "page.css":
            text = (SOURCES / "picture/picture.css").read_text() + text
        return self.give(KINDS[name.rpartition(".")[2]], text)

    def give(self, kind, text):
        """Sends an answer."""
        data = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def stream(self):
        """Sends the graph, and keeps the stream open as long as the page does."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"event: graph\ndata: {json.dumps(self.server.recorded['graph'])}\n\n".encode())
        with contextlib.suppress(OSError):
            while True:
                time.sleep(0.2)
                self.wfile.write(b": alive\n\n")
                self.wfile.flush()


@contextlib.contextmanager
def served(path):
    """Serves the page with the recording of a file. Gives its URL."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.recorded = json.loads(pathlib.Path(path).read_text())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/?token=x"
    finally:
        server.shutdown()


class Browser:
    """Chromium with one tab. Commands go through a pair of pipes, as JSON that ends with a NUL."""

    def __init__(self, program):
        self.folder = tempfile.TemporaryDirectory()
        (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()
        options = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--hide-scrollbars",
                   "--disable-dev-shm-usage", f"--user-data-dir={self.folder.name}", "about:blank"]
        # Chromium reads commands from descriptor 3 and writes answers to 4.
        shell = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        self.process = subprocess.Popen(["/bin/sh", "-c", shell, program, *options], pass_fds=(theirs_in, theirs_out),
                                        stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.read, self.write = os.fdopen(ours_in, "rb"), os.fdopen(ours_out, "wb")
        self.number, self.session, self.rest = 0, None, b""
        target = next(t for t in self.call("Target.getTargets")["targetInfos"] if t["type"] == "page")
        self.session = self.call("Target.attachToTarget", targetId=target["targetId"], flatten=True)["sessionId"]

    def call(self, method, **params):
        """Sends a command. Gives its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while True:
            while b"\0" not in self.rest:
                data = self.read.read1(1 << 20)
                if not data:
                    raise EOFError("Chromium has ended")
                self.rest += data
            text, _, self.rest = self.rest.partition(b"\0")
            answer = json.loads(text)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(answer["error"])
                return answer["result"]

    def open(self, url, width, height):
        """Opens a page in a window of this size, and waits until the graph is drawn."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)
        self.call("Page.navigate", url=url)
        self.wait("document.querySelectorAll('#boxes > g').length > 0 && document.getElementById('state').textContent === 'live'")

    def run(self, code):
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(answer["exceptionDetails"])
        return answer["result"].get("value")

    def wait(self, code):
        """Waits until an expression is true."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with contextlib.suppress(RuntimeError):
                if self.run(code):
                    return
            time.sleep(0.05)
        raise TimeoutError(code)

    def tap(self, x, y):
        """Presses and releases the button of the mouse."""
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path):
        """Saves a PNG of the window."""
        data = self.call("Page.captureScreenshot", format="png")["data"]
        pathlib.Path(path).write_bytes(base64.b64decode(data))

    def close(self):
        """Ends it."""
        with contextlib.suppress(EOFError, OSError):
            self.session = None
            self.call("Browser.close")
        self.process.wait(30)
        self.folder.cleanup()

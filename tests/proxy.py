# SPDX-License-Identifier: GPL-2.0
"""proxy.py FROM TO: an HTTP proxy on a free port of 127.0.0.1, which it prints. What is asked of host FROM it
takes from host TO, so that who asks for FROM has gone through the proxy."""

import http.client
import http.server
import select
import socket
import sys
from urllib.parse import urlsplit

FROM, TO = sys.argv[1:]


class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self):
        url = urlsplit(self.path)
        host = TO if url.hostname == FROM else url.netloc
        upstream = http.client.HTTPConnection(host, timeout=60)
        path = url.path + ("?" + url.query if url.query else "")
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("host", "connection", "proxy-connection")}
        upstream.request("GET", path, headers=headers)
        answer = upstream.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date", "server"):
                self.send_header(name, value)
        self.end_headers()
        while data := answer.read(1 << 16):
            self.wfile.write(data)

    def do_CONNECT(self):
        host, port = self.path.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as upstream:
            self.send_response(200)
            self.end_headers()
            ways = {self.connection: upstream, upstream: self.connection}
            while True:
                for side in select.select(list(ways), [], [], 600)[0] or [None]:
                    data = side.recv(1 << 16) if side else b""
                    if not data:
                        return
                    ways[side].sendall(data)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
print(server.server_port, flush=True)
server.serve_forever()

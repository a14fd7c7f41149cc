"""A proxy that says what a server says in other ways: any server, of any contract.

Numbers, escapes, the order of members and of header fields are others each time, fields with slashes are added, and now
and then a request is answered 429 or 503 with Retry-After. `proxy` runs it in this process before the server at a URL.
"""

import json
import random
import select
import threading
import time
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from calendar_server import Server, Writer

SWITCHES = ("rewritten", "headers", "shuffled", "busy")
BUSY_EVERY, BUSY_SECONDS = 250, 0.3
TOO_BUSY = {"type": "about:blank", "title": "Busy", "status": 429, "detail": "Slow down."}
HOP_BY_HOP = frozenset(("connection", "content-length", "date", "keep-alive", "server", "transfer-encoding"))


class Spelling(Writer):
    """Writes values otherwise where every reader of JSON takes them as the same."""

    def spelling(self, text, name):
        """Return the text itself: what it means is the contract's."""
        del name
        return text


class Proxy:
    """Passes requests on. `switches` are those that are on."""

    def __init__(self, url, switches, seed):
        self.netloc, self.switches = urlsplit(url).netloc, frozenset(switches)
        self.rng, self.lock = random.Random(seed), threading.Lock()
        self.writer = Spelling(self.switches.__contains__, seed)
        self.requests, self.busy_until = 0, 0.0
        self.local = threading.local()
        self.connections = []

    def respond(self, method, target, headers, body):
        """Return status, header fields and body."""
        with self.lock:
            if (refusal := self.too_busy()) is not None:
                return refusal
        status, fields, content = self.fetched(method, target, headers, body)
        with self.lock:
            return status, self.worded(fields), self.written(fields, content)

    def too_busy(self):
        """Return a refusal for a while after every so many requests, else None."""
        self.requests += 1
        if "busy" not in self.switches:
            return None
        if self.requests % BUSY_EVERY == 0:
            self.busy_until = time.monotonic() + BUSY_SECONDS
        if time.monotonic() >= self.busy_until:
            return None
        status = self.rng.choice((429, 503))
        said = json.dumps({**TOO_BUSY, "status": status}).encode()
        return status, [("Retry-After", "1"), ("Content-Type", "application/problem+json")], said

    def fetched(self, method, target, headers, body):
        """Return the answer of the server."""
        connection = getattr(self.local, "connection", None)
        if connection is None:
            connection = self.local.connection = HTTPConnection(self.netloc, timeout=60)
            self.connections.append(connection)
        if connection.sock is not None and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # the server has closed it, since it was idle
        sent = {name: value for name, value in headers.items() if name.lower() not in {"host", "connection"}}
        connection.request(method, target, body or None, sent)
        response = connection.getresponse()
        return response.status, response.getheaders(), response.read()

    def worded(self, fields):
        """Return header fields in another order, with others between."""
        fields = [one for one in fields if one[0].lower() not in HOP_BY_HOP]
        if "headers" in self.switches:
            number = self.rng.randrange(10**6)
            fields = [("Access-Control-Allow-Origin", "https://my-app.example.com"), *fields]
            fields += [("X-Trace", f"/a/b/{number}"), ("Report-To", f"https://logs.example.com/{number}")]
        return fields

    def written(self, fields, content):
        """Return a JSON body in another form."""
        kind = next((value for name, value in fields if name.lower() == "content-type"), "")
        if "json" not in kind or not content:
            return content
        data = json.loads(content, parse_int=int, parse_float=float)
        return self.writer.text(data).encode()


def handler_of(proxy):
    """Return the class that answers for a proxy."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, fields, content = proxy.respond(self.command, self.path, self.headers, body)
            lines = [f"HTTP/1.1 {status} ", *(f"{name}: {value}" for name, value in fields)]
            lines += [f"Content-Length: {len(content)}"] if status not in {204, 304} else []
            self.wfile.write("\r\n".join([*lines, "", ""]).encode() + content)

        def __getattr__(self, name):
            if name.startswith("do_"):
                return self.answer
            raise AttributeError(name)

        def log_message(self, *args):
            """Say nothing."""

    return Handler


@contextmanager
def proxy(url, switches=SWITCHES, seed=0):
    """Yield the address of a proxy before a server, and end it."""
    behind = Proxy(url, switches, seed)
    server = Server(("127.0.0.1", 0), handler_of(behind))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        for connection in behind.connections:
            connection.close()

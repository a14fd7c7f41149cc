"""A right implementation of `events.yaml`, over HTTP and in real time, with bugs that are named one by one.

`starts-cut` and `price-cut` store another value, `dear` loses prices above 10, `long` cuts titles of five characters
and more, `rare` reads a price wrongly once, at the 6th read, `first` shows those of titles
wrongly that begin as the first three that differ did, `hasty` stores another price beside a refused item.
`stock` is no bug: there are three events of other people.
`control` are the parts of a control API that it has: `health`, `settings`, `scenarios`, `reset`, `clock`, `delete`.
"""

import json
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread

import orjson

from contracts.openapi.loading import load

DOCUMENT = Path(__file__).with_name("events.yaml")
CONTRACT = load(DOCUMENT)
ROOT = "/events-api/events"
RARE = 6
EVENT = CONTRACT.schemas.schema(CONTRACT.resources["events"].schema)
METHOD_NOT_ALLOWED = 405
METHODS = {"events": "GET, POST", "bulk": "POST"}


class Events:
    """The records and the clock; `calls` are the methods and paths of the requests so far."""

    def __init__(self, bugs=(), control=()):
        self.bugs, self.control = frozenset(bugs), frozenset(control)
        self.lock, self.calls = Lock(), []
        self.events, self.reads, self.number, self.ahead = {}, 0, 0, 0.0
        self.sandboxes = {}
        self.first_titles = []  # their first characters, which tell one environment of a campaign from another
        if "stock" in self.bugs:
            for title in ("First", "Second", "Third"):
                self.create({"title": title, "starts": "2026-01-01T00:00:00Z", "price": 5})

    def sandbox(self, name):
        return self if name == "default" else self.sandboxes.setdefault(name, Events(self.bugs))

    def create(self, event):
        """Store an event and return its key and the code of an error, one of them None."""
        if not EVENT.is_valid(event):
            return None, "INVALID"
        event = {name: value for name, value in event.items() if name != "id"}
        if any(one["title"] == event["title"] for one in self.events.values()):
            return None, "TAKEN"
        self.number += 1
        self.events[self.number] = event
        return self.number, None

    def stored(self, event):
        """Return an event as the bulk operation stores it."""
        event = dict(event)
        if "starts-cut" in self.bugs:
            event["starts"] = event["starts"][:10] + "T00:00:00Z"
        if "price-cut" in self.bugs:
            event["price"] = int(event["price"])
        if "dear" in self.bugs and event["price"] > 10:
            event["price"] = 0
        if "long" in self.bugs and len(event.get("note", "")) >= 5:
            event["note"] = event["note"][:4]
        return event

    def bulk(self, items):
        told = []
        for one in items:
            key, code = self.create(one.get("event") if isinstance(one, dict) else None)
            if key is not None:
                self.events[key] = self.stored(self.events[key])
                begin = self.events[key]["title"][:6]
                self.first_titles += [begin] if begin not in self.first_titles else []
            told.append({"ref": one.get("ref"), "ok": key is not None, **({"id": key} if key else {"code": code})})
        if "hasty" in self.bugs and not all(one["ok"] for one in told):
            for one in told:
                self.events.get(one.get("id"), {})["price"] = 999
        return (200 if all(one["ok"] for one in told) else 207), told

    def read(self, key):
        event = self.events.get(key)
        if event is None:
            return None
        self.reads += 1
        is_wrong = "rare" in self.bugs and self.reads == RARE
        return {**self.shown(key, event), **({"price": 999} if is_wrong else {})}

    def shown(self, key, event):
        is_wrong = "first" in self.bugs and event["title"][:6] in self.first_titles[:3]
        return {"id": key, **event, **({"price": 999} if is_wrong else {})}

    def answer(self, method, path, data):
        """Return status and body of a response."""
        self.calls.append((method, path))
        if path.startswith("/_sandbox"):
            return self.answer_control(method, path, data)
        if path.startswith("/@"):
            name, _, rest = path[2:].partition("/")
            return self.sandbox(name).answer(method, f"/{rest}", data)
        key = path.removeprefix(f"{ROOT}/")
        if path == f"{ROOT}/bulk" and method == "POST":
            return self.answer_bulk(data)
        return self.answer_all(method, data) if path == ROOT else self.answer_one(method, key)

    def answer_all(self, method, data):
        if method == "GET":
            return 200, [self.shown(key, event) for key, event in self.events.items()]
        key = self.create(data)[0] if method == "POST" else None
        return (201, {"id": key, **self.events[key]}) if key else (400 if method == "POST" else 405, None)

    def answer_bulk(self, data):
        bad = not isinstance(data, list) or not 1 <= len(data) <= 100
        refs = [] if bad else [one.get("ref") if isinstance(one, dict) else None for one in data]
        return self.bulk(data) if not bad and all(isinstance(ref, str) for ref in refs) else (400, None)

    def answer_one(self, method, key):
        number = int(key) if key.isascii() and key.isdecimal() else 0
        if method == "GET":
            event = self.read(number)
            return (200, event) if event is not None else (404, None)
        if method == "DELETE":
            return (204, None) if self.events.pop(number, None) is not None else (404, None)
        return 405, None

    def answer_control(self, method, path, data):
        name = path.rpartition("/")[2] if method != "DELETE" else "delete"
        part = "clock" if name == "advance" else name
        if part not in self.control:
            return 404, None
        if part == "clock":
            self.sandbox(path.split("/")[3]).ahead += float(re.fullmatch(r"PT([\d.]+)S|PT0S", data["by"])[1] or 0)
        if part == "reset":
            self.sandboxes.pop(path.split("/")[3], None)
        return 200, {"health": {"status": "ok"}, "scenarios": {"scenarios": []}}.get(part, {})


def handler_of(server):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                data = orjson.loads(raw) if raw else None
            except ValueError:
                data = None
            with server.lock:
                status, body = server.answer(self.command, self.path.partition("?")[0], data)
            content = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            if status == METHOD_NOT_ALLOWED:
                self.send_header("Allow", METHODS.get(self.path.partition("?")[0].rpartition("/")[2], "DELETE, GET"))
            if content:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Say nothing."""

    for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY"):
        setattr(Handler, f"do_{method}", Handler.do)
    return Handler


@contextmanager
def serving(*bugs, control=()):
    """Serve events on a free port, and give the URL of the API and the `Events`."""
    events = Events(bugs, control)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler_of(events)) as server:
        server.daemon_threads, server.handle_error = True, lambda *_: None  # a campaign that ends hangs up
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/events-api", events
        finally:
            server.shutdown()

"""A server that keeps specimens, right or with one bug in how it keeps values. Begin with `serve`.

`BUGS`, `LEEWAY` and `FORGIVEN` are its kinds. It shares no code with the sandbox: Python's own HTTP server, and
`jsonschema` for what is valid. Run it by hand with `python specimen_server.py [BUG]`.
"""

import json
import sys
import unicodedata
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Lock, Thread

import orjson
import yaml
from jsonschema import Draft202012Validator

CONTRACT = Path(__file__).parents[1] / "data" / "specimens.yaml"
SCHEMA = yaml.load(CONTRACT.read_text(), yaml.CSafeLoader)["components"]["schemas"]["Specimen"]
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def _texts(change):
    """Return a change of every text of a record."""

    def changed(value):
        if isinstance(value, dict):
            return {name: changed(one) for name, one in value.items()}
        if isinstance(value, list):
            return [changed(one) for one in value]
        return change(value) if isinstance(value, str) else value

    return changed


def _member(name, change):
    """Return a change of one member of a record."""
    return lambda record: {**record, name: change(record[name])} if name in record else record


def _wrapped(number):
    return (number + 2**31) % 2**32 - 2**31


def _sixteen_bits(text):
    return "".join(char if char <= "\uffff" else "?" for char in text)


def _instant(text):
    return datetime.fromisoformat(text.upper())  # RFC 3339 allows `t` and `z`


def _not_before_1970(text):
    return text if _instant(text) >= EARLIEST else "1970-01-01T00:00:00Z"


BUGS = {
    "int32": _member("count", _wrapped),
    "double": _member("whole", lambda number: int(float(number))),
    "unsigned": _member("count", abs),
    "cents": _member("price", lambda number: round(number, 2)),
    "digits-only": _member("price", lambda number: float(f"{number:.7g}")),
    "offset-ignored": _member("since", lambda text: f"{text[:19]}Z"),
    "whole-seconds": _member("since", lambda text: text[:19] + text[19:].lstrip(".0123456789")),
    "time-offset-ignored": _member("opens", lambda text: f"{text[:8]}Z"),
    "epoch-unsigned": _member("since", _not_before_1970),
    "latin1": _texts(lambda text: text.encode("latin-1", "replace").decode("latin-1")),
    "sixteen-bits": _texts(_sixteen_bits),
    "composed": _texts(lambda text: unicodedata.normalize("NFC", text)),
    "compatible": _texts(lambda text: unicodedata.normalize("NFKC", text)),
    "one-line": _texts(lambda text: " ".join(text.splitlines()) if len(text.splitlines()) > 1 else text),
    "no-controls": _texts(lambda text: "".join(char for char in text if char >= " " or char in "\t\r\n")),
    "escaped": _texts(lambda text: text.replace("&", "&amp;").replace("<", "&lt;")),
    "forty": _member("name", lambda text: text[:40]),
    "twenty-tags": _member("tags", lambda tags: tags[:20]),
    "sorted-tags": _member("tags", sorted),
    "five-labels": _member("labels", lambda labels: dict(list(labels.items())[:5])),
    "label-names": _member("labels", lambda labels: {name.replace(".", "_"): one for name, one in labels.items()}),
    "prefix-alone": _member("code", lambda _: "x-"),
}
"""What a server with a bug keeps of a record."""
LEEWAY = {
    "": lambda record: record,
    "notes-declared": _member("notes", lambda notes: {name: one for name, one in notes.items() if name == "first"}),
    "utc": _member("since", lambda text: _instant(text).astimezone(UTC).isoformat()),
}
"""What right servers keep of a record: members that are not declared may be dropped, an instant told in UTC."""
FORGIVEN = {
    "not-not": ("not",),
    "not-if": ("if", "then"),
    "not-dependent": ("dependentSchemas",),
}
"""The keywords that a server with another bug does not check."""


class Store:
    """The records, by key."""

    def __init__(self, bug):
        kept = {keyword: said for keyword, said in SCHEMA.items() if keyword not in FORGIVEN.get(bug, ())}
        self.judge = Draft202012Validator(kept, format_checker=Draft202012Validator.FORMAT_CHECKER)
        self.keep, self.records, self.keys, self.lock = ({**LEEWAY, **BUGS}).get(bug, LEEWAY[""]), {}, count(1), Lock()

    def create(self, record):
        """Return the new record, or what is wrong with it."""
        error = next(self.judge.iter_errors(record), None)
        if error is not None:
            return None, error.message[:100]
        key = f"s{next(self.keys)}"
        sent = {name: value for name, value in record.items() if name != "id"}
        self.records[key] = {**self.keep(sent), "id": key}
        return self.records[key], ""


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    store: Store

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        key = self.path.removeprefix("/specimens").strip("/")
        with self.store.lock:
            found = self.store.records.get(key) if key else list(self.store.records.values())
        self.reply(404, {"error": "not there"}) if found is None else self.reply(200, found)

    def do_DELETE(self):
        with self.store.lock:
            gone = self.store.records.pop(self.path.removeprefix("/specimens/"), None)
        self.reply(404, {"error": "not there"}) if gone is None else self.reply(204)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get_content_type() != "application/json" or self.headers.get("Content-Encoding"):
            return self.reply(400, {"error": "this is not JSON"})
        try:
            sent = orjson.loads(body)
        except ValueError:
            return self.reply(400, {"error": "no JSON"})
        with self.store.lock:
            if self.path == "/specimens/batch":
                return self.batch(sent)
            made, wrong = self.store.create(sent)
        return self.reply(201, made) if made else self.reply(400, {"error": wrong})

    def batch(self, sent):
        if not isinstance(sent, list) or not 1 <= len(sent) <= 100:
            return self.reply(400, {"error": "1 to 100 items are wanted"})
        results = []
        for n, one in enumerate(sent):
            made, wrong = self.store.create(one)
            said = {"status": 201, "id": made["id"]} if made else {"status": 400, "error": wrong}
            results.append({"index": n, **said})
        failed = any("error" in one for one in results)
        return self.reply(207 if failed else 200, {"results": results})

    def reply(self, status, data=None):
        body = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        if data is not None:
            self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serve(bug=""):
    """Serve specimens until the block ends; its value is the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"store": Store(bug)}))
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


if __name__ == "__main__":
    with serve(*sys.argv[1:]) as url:
        sys.stdout.write(f"{url}\n")
        sys.stdout.flush()
        input()

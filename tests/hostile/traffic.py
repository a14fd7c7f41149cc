"""Hostile and ordinary traffic from a seed: `calls` makes it, `send` plays it against a port and tells what it saw.

Each call goes to one of many sandboxes: malformed bodies, paths that nobody serves, huge header fields, framing that
is ambiguous, bodies that stop on their way, connections that end too early, control calls, and ordinary requests
among them. What it leaves behind is bounded: records have their ids from a fixed set, and sandboxes are reset.
"""

import gzip
import re
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from random import Random
from typing import Final

import orjson

GENERO: Final = "/genero/api/v1"
ONKEY: Final = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances"
COLLECTION: Final = "application/vnd.onkey.entitycollection+json"
JSON: Final = "application/json"
HANG_SECONDS: Final = 5.0
WORKERS: Final = 8
FAULTS_EVERY: Final = 50  # of so many sandboxes one has scenarios that ask for a 5xx
LARGE_SANDBOXES: Final = frozenset(f"s{n}" for n in range(0, 1000, 200))
LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~"
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_CLOSING: Final = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Bytes to send, in parts, and how many answers may come.

    A `kept` call is well framed and goes over a connection that is used again; any other has one of its own. A call
    that `drops` ends its connection and waits for no answer. `can_fail`: its sandbox has scenarios that ask for a 5xx.
    """

    parts: tuple[bytes, ...]
    answers: int = 1
    kept: bool = False
    drops: bool = False
    can_fail: bool = False


@dataclass(slots=True)
class Tally:
    """What was seen: the number of answers by status, and as texts what nobody asked for."""

    statuses: Counter[int] = field(default_factory=Counter)
    calls: int = 0
    hangs: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        """Add what another has seen."""
        self.statuses += other.statuses
        self.calls += other.calls
        self.hangs += other.hangs
        self.faults += other.faults


def send(port: int, *, calls: int, sandboxes: int = 990, seed: int | str = 7) -> Tally:
    """Send `calls` calls to `sandboxes` sandboxes of the server at `port`, over eight connections at a time."""

    def work(share: int) -> Tally:
        random, client = Random(f"{seed}/{share}"), _Client(port)
        with closing(client):
            for n in range(share, calls, WORKERS):
                client.play(make(random, n % sandboxes))
        return client.tally

    whole = Tally()
    with ThreadPoolExecutor(WORKERS) as pool:
        for one in pool.map(work, range(WORKERS)):
            whole.add(one)
    return whole


def make(random: Random, number: int) -> Call:
    """Return a call to the sandbox of that number."""
    kind = random.choices(list(KINDS), list(KINDS.values()))[0]
    call = kind(random, f"s{number}")
    fails = number % FAULTS_EVERY == 0
    return Call(parts=call.parts, answers=call.answers, kept=call.kept, drops=call.drops, can_fail=fails)


class _Client:
    """Plays calls; keeps one connection for those that are well framed."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.tally = Tally()
        self._kept: socket.socket | None = None

    def close(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.close()
        self._kept = None

    def play(self, call: Call) -> None:
        """Send a call and look at what comes back."""
        self.tally.calls += 1
        began = time.monotonic()
        try:
            received = self._exchange_kept(call) if call.kept else self._exchange(call)
        except TimeoutError:
            self.tally.hangs.append(f"{time.strftime('%X')}: no answer to {_shown(call)}")
            self.close()
            return
        except OSError:
            self.close()
            return
        if time.monotonic() - began > HANG_SECONDS:
            self.tally.hangs.append(f"{time.strftime('%X')}: late answer to {_shown(call)}")
        if not call.drops:
            self._look(call, received)

    def _look(self, call: Call, received: bytes) -> None:
        found = statuses(received, bodies=not call.parts[0].startswith(b"HEAD "))
        self.tally.statuses.update(found)
        if len(found) > call.answers:
            self.tally.faults.append(f"{len(found)} answers to {_shown(call)}")
        for status in found:
            if status >= 500 and not call.can_fail:
                self.tally.faults.append(f"{status} to {_shown(call)}: {received[-300:]!r}")

    def _exchange(self, call: Call) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=HANG_SECONDS) as connection:
            received = b""
            try:
                for part in call.parts:
                    connection.sendall(part)
                while not call.drops and (chunk := connection.recv(1 << 16)):
                    received += chunk
            except ConnectionError:
                pass  # refused in the middle: what came before counts
            return received

    def _exchange_kept(self, call: Call) -> bytes:
        if self._kept is None:
            self._kept = socket.create_connection(("127.0.0.1", self.port), timeout=HANG_SECONDS)
        self._kept.sendall(b"".join(call.parts))
        received = b""
        while len(statuses(received)) < call.answers:
            chunk = self._kept.recv(1 << 16)
            received += chunk
            if not chunk:
                self.close()
                break
        if _CLOSING.search(received):
            self.close()
        return received


def statuses(received: bytes, *, bodies: bool = True) -> list[int]:
    """Return the status of each whole answer but the interim ones; of what is no answer the status is 599."""
    found = []
    while received:
        head, ended, rest = received.partition(b"\r\n\r\n")
        if not ended:
            break
        if not re.match(rb"HTTP/1\.[01] \d{3} ", head):
            return [*found, 599]
        status = int(head[9:12])
        length = _LENGTH.search(head)
        size = int(length[1]) if bodies and length else 0
        if len(rest) < size:
            break
        received = rest[size:]
        found += [status] if status >= 200 else []
    return found


def message(method: str, path: str, body: bytes = b"", *, media: str = JSON, fields: str = "") -> bytes:
    """Return an HTTP/1.1 request after which the server closes."""
    return kept_message(method, path, body, media=media, fields=f"Connection: close\r\n{fields}")


def kept_message(method: str, path: str, body: bytes = b"", *, media: str = JSON, fields: str = "") -> bytes:
    """Return an HTTP/1.1 request after which the connection goes on."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {media}\r\n"
    return f"{head}{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _shown(call: Call) -> str:
    return f"{b''.join(call.parts)[:160]!r}"


def _text(random: Random, size: int) -> str:
    return "".join(random.choices(LETTERS, k=size))


def _customers(random: Random, count: int) -> bytes:
    return orjson.dumps([{"customerId": f"c{n}", "name": _text(random, 9)} for n in range(count)])


def _importances(random: Random, count: int) -> bytes:
    names = [f"{random.choice(LETTERS)}{n}" for n in range(count)]
    return orjson.dumps([{"userObjectId": name, "properties": {"code": name, "description": name}} for name in names])


def _broken(random: Random) -> tuple[bytes, str]:
    """Return a body that cannot be accepted, and header fields that belong to it."""
    body = _customers(random, random.choice((1, 10, 100, 1000)))
    return random.choice(
        (
            lambda: (random.randbytes(random.randrange(1, 60_000)), ""),
            lambda: (body[: random.randrange(len(body))], ""),
            lambda: (b"[" * random.randrange(1, 50_000), ""),
            lambda: (body.replace(b'"name"', b'"customerId"'), ""),
            lambda: (body.replace(b'"name":"', b'"name":7,"x":"'), ""),
            lambda: (orjson.dumps({_text(random, 30): _text(random, 30) for _ in range(500)}), ""),
            lambda: (gzip.compress(bytes(random.randrange(1 << 22)), 1), "Content-Encoding: gzip\r\n"),
            lambda: (random.randbytes(500), "Content-Encoding: gzip\r\n"),
            lambda: (gzip.compress(gzip.compress(bytes(1 << 20))), f"Content-Encoding: {'gzip, ' * 9}gzip\r\n"),
        )
    )()


def _malformed(random: Random, name: str) -> Call:
    body, fields = _broken(random)
    path, media = random.choice(((f"{GENERO}/customer/postJob", JSON), (f"{ONKEY}/batch", COLLECTION)))
    path = random.choice((path, path, "/tickets/import"))
    return Call(parts=(kept_message("POST", f"/@{name}{path}", body, media=media, fields=fields),), kept=True)


def _lost(random: Random, name: str) -> Call:
    depth = "/".join(_text(random, random.randrange(1, 2000)) for _ in range(random.randrange(1, 6)))
    mount = random.choice(("/genero/api/v1", "/onkey/api/tenants", "/_sandbox", "/tickets", ""))
    method = random.choice(("GET", "POST", "DELETE", "PATCH", _text(random, 12).upper()))
    path = f"/@{name}{mount}/{depth}?{_text(random, 40)}={_text(random, 400)}"
    return Call(parts=(message(method, path),))


def _inflated(random: Random, name: str) -> Call:
    fields = "".join(f"{_text(random, 20)}: {_text(random, random.randrange(12_000))}\r\n" for _ in range(8))
    token = f"Authorization: Bearer {_text(random, 4000)}\r\nSandbox: {name}\r\n"
    return Call(parts=(message("GET", f"{GENERO}/block/none", fields=token + fields),))


HIDDEN: Final = b"GET /_sandbox/hidden HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
AMBIGUOUS: Final = (
    "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n",
    "Transfer-Encoding: chunked\r\nContent-Length: 6\r\n",
    "Content-Length: 0\r\nContent-Length: 6\r\n",
    "Content-Length: 6, 6\r\n",
    "Content-Length: +6\r\n",
    "Content-Length: 0x6\r\n",
    "Content-Length: 6 6\r\n",
    "Content-Length : 6\r\n",
    "Transfer-Encoding : chunked\r\n",
    "Transfer-Encoding: xchunked\r\n",
    "Transfer-Encoding: chunked, identity\r\n",
    "Transfer-Encoding: chunked, chunked\r\n",
    "Transfer-Encoding:\r\n chunked\r\n",
    "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    "Transfer-Encoding:\x0bchunked\r\n",
    "X: y\nContent-Length: 6\r\n",
    "X: y\rContent-Length: 6\r\n",
    "X: y\r\n Content-Length: 6\r\n",
)
"""Header fields from which two readers could learn different lengths of a body (RFC 9112, sections 5 and 6)."""


def _ambiguous(random: Random, name: str) -> Call:
    """Hide a request behind a body whose length is not clear: it is answered by nobody."""
    head = f"POST /@{name}{GENERO}/customer/postJob HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    return Call(parts=(f"{head}{random.choice(AMBIGUOUS)}\r\n0\r\n\r\nG".encode() + HIDDEN,))


def _chunked(random: Random, name: str) -> Call:
    """Send a body in chunks: good ones, with extensions, or with a size that is none or too large."""
    body = _customers(random, random.choice((1, 10, 100)))
    half = random.randrange(1, len(body))
    extension = random.choice(("", ";a=b", f";{_text(random, 9000)}", ';a="\r\n"', "; ; ;"))
    size = random.choice((f"{half:x}", f"{half:X}", f"0{half:x}", "f" * 16, "f" * 40, "-1", "", f" {half:x}"))
    last = f"{len(body) - half:x}\r\n".encode() + body[half:] + b"\r\n0\r\n\r\n"
    head = f"POST /@{name}{GENERO}/customer/postJob HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    sent = f"{head}Content-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n{size}{extension}\r\n".encode()
    endless = size == "f" * 16  # a number that a length can have: the rest of the chunk is waited for
    return Call(parts=(sent + body[:half] + b"\r\n", last), drops=endless or random.random() < 0.2)


def _pipelined(random: Random, name: str) -> Call:
    count = random.randrange(2, 20)
    parts = tuple(ordinary(random, name).parts[0] for _ in range(count))
    return Call(parts=(b"".join(parts),), answers=count, kept=True)


def _slow(random: Random, name: str) -> Call:
    """Send a part of a body, and never the rest."""
    whole = message("POST", f"/@{name}{GENERO}/customer/postJob", _customers(random, 500))
    cuts = sorted(random.randrange(1, len(whole)) for _ in range(3))
    places = zip((0, *cuts), cuts, strict=False)
    return Call(parts=tuple(whole[begin:end] for begin, end in places), drops=True)


def _dropped(random: Random, name: str) -> Call:
    """Send a whole request, or its beginning, and do not wait for the answer."""
    whole = message("POST", f"/@{name}{ONKEY}/batch", _importances(random, 10), media=COLLECTION)
    return Call(parts=(whole[: random.choice((10, 60, 200, 2000, len(whole)))],), drops=True)


def _controlled(random: Random, name: str) -> Call:
    here = f"/_sandbox/sandboxes/{name}"
    faults = b'{"scenarios":["server-error"]}' if name.endswith("00") else b'{"scenarios":["one-item-fails"]}'
    method, path, body = random.choice(
        (
            ("GET", f"{here}/verdict", b""),
            ("GET", f"{here}/exchanges", b""),
            ("GET", f"{here}/exchanges/1", b""),
            ("GET", f"{here}/exchanges/1/as/curl", b""),
            ("GET", f"{here}/jobs", b""),
            ("GET", f"{here}/settings", b""),
            ("GET", f"{here}/entities/genero/customer", b""),
            ("PATCH", f"{here}/settings", b'{"conduct":"enforce","limits":{"depth":32}}'),
            ("PATCH", f"{here}/settings", b'{"nonsense":{"depth":[1e999]}}'),
            ("PUT", f"{here}/scenarios", b'{"scenarios":["one-item-fails","slow-job"]}'),
            ("PUT", f"{here}/scenarios", faults),
            ("PUT", f"{here}/scenarios", b'{"scenarios":[{"name":"x"}]}'),
            ("POST", f"{here}/clock/advance", b'{"by":"PT7M"}'),
            ("POST", f"{here}/clock/advance", b'{"by":"P31D"}'),
            ("POST", f"{here}/clock/advance", b'{"by":"P9999999999Y"}'),
            ("POST", f"{here}/reset", b"{}"),
            ("POST", f"{here}/reset", b'{"seed":7}'),
            ("DELETE", here, b""),
            ("GET", "/_sandbox/sandboxes/..%2f..%2fetc/verdict", b""),
            ("GET", "/metrics", b""),
            ("GET", "/_sandbox/scenarios", b""),
            ("GET", f"/_sandbox/{_text(random, 20)}", b""),
            ("POST", f"{here}/reconcile", _text(random, 50).encode()),
        )
    )
    if method == "DELETE" and random.random() < 0.9:
        method, path = "GET", f"{here}/clock"
    return Call(parts=(kept_message(method, path, body),), kept=True)


def ordinary(random: Random, name: str) -> Call:
    """Do what a client does: small batches, single records, lists, jobs, over both APIs and the plain document."""
    customer = f"{GENERO}/customer"
    method, path, body, media = random.choice(
        (
            ("POST", f"{customer}/postJob", _customers(random, 3), JSON),
            ("POST", f"{customer}/postJob", b'[{"customerId":"c1","name":7}]', JSON),
            ("GET", f"{customer}/c{random.randrange(9)}", b"", JSON),
            ("DELETE", f"{customer}/c{random.randrange(9)}", b"", JSON),
            ("GET", f"{customer}/jobStatus/{_text(random, 9)}", b"", JSON),
            ("POST", f"{ONKEY}/batch?mode=PerRecord", _importances(random, 3), COLLECTION),
            ("POST", f"{ONKEY}/batch?mode=AllOrNone", _importances(random, 3), COLLECTION),
            ("GET", ONKEY, b"", JSON),
            ("GET", f"{ONKEY}/{random.randrange(9)}", b"", JSON),
            ("GET", "/tickets", b"", JSON),
            ("GET", "/tickets/a", b"", JSON),
            ("POST", "/tickets", orjson.dumps({"subject": _text(random, 9), "priority": random.randrange(9)}), JSON),
            ("POST", "/tickets/import", b"[{},{}]", JSON),
            ("GET", "/agents/a/workload", b"", JSON),
        )
    )
    return Call(parts=(kept_message(method, f"/@{name}{path}", body, media=media),), kept=True)


def _large(random: Random, name: str) -> Call:
    count = 5000 if name in LARGE_SANDBOXES else 100
    body = _customers(random, count)
    return Call(parts=(kept_message("POST", f"/@{name}{GENERO}/customer/postJob", body),), kept=True)


KINDS: Final[dict[Callable[[Random, str], Call], int]] = {
    _malformed: 6,
    _lost: 3,
    _inflated: 2,
    _ambiguous: 3,
    _chunked: 3,
    _pipelined: 2,
    _slow: 1,
    _dropped: 2,
    _controlled: 8,
    ordinary: 30,
    _large: 1,
}

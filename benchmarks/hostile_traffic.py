"""Hostile traffic for the memory of a server, from a seed: `send` plays it against a port.

Each call goes to one of many sandboxes: malformed bodies, paths that nobody serves, huge header fields, bodies that
stop on their way, connections that end too early, control calls, and valid batches among them.
"""

import gzip
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from random import Random
from typing import Final

import orjson

GENERO: Final = "/genero/api/v1/customer/postJob"
ONKEY: Final = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch?mode=PerRecord"
COLLECTION: Final = "application/vnd.onkey.entitycollection+json"
JSON: Final = "application/json"
PATIENCE_SECONDS: Final = 10.0
WORKERS: Final = 8
LETTERS: Final = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_~"


def send(port: int, *, calls: int, sandboxes: int = 1000, seed: int = 7) -> None:
    """Send `calls` hostile calls to `sandboxes` sandboxes of the server at `port`, over eight connections at a time."""

    def work(share: int) -> None:
        random = Random(f"{seed}/{share}")
        for n in range(calls // WORKERS):
            kind = random.choices(list(KINDS), list(KINDS.values()))[0]
            name = f"s{(n * WORKERS + share) % sandboxes}"
            _deliver(port, kind(random, name))

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(work, range(WORKERS)))


def message(method: str, path: str, body: bytes = b"", *, media: str = JSON, fields: str = "") -> bytes:
    """Return an HTTP/1.1 request after which the server closes."""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: {media}\r\n"
    return f"{head}{fields}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _deliver(port: int, parts: Iterator[bytes]) -> None:
    """Send the parts of a call and read what comes back; an empty part ends the connection at once."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        for part in parts:
            if not part:
                return
            connection.sendall(part)
        while connection.recv(1 << 16):
            pass


def _text(random: Random, size: int) -> str:
    return "".join(random.choices(LETTERS, k=size))


def _customers(random: Random, count: int) -> bytes:
    return orjson.dumps([{"customerId": f"c{random.getrandbits(40)}", "name": _text(random, 20)} for _ in range(count)])


def _importances(random: Random, count: int) -> bytes:
    names = [_text(random, 12) for _ in range(count)]
    return orjson.dumps([{"userObjectId": name, "properties": {"code": name, "description": name}} for name in names])


def _broken(random: Random) -> tuple[bytes, str]:
    """Return a body that cannot be accepted, and header fields that belong to it."""
    body = _customers(random, random.choice((1, 10, 100, 1000)))
    return random.choice(
        (
            (random.randbytes(random.randrange(1, 60_000)), ""),
            (body[: random.randrange(len(body))], ""),
            (b"[" * random.randrange(1, 50_000), ""),
            (body.replace(b'"name"', b'"customerId"'), ""),
            (body.replace(b'"name":"', b'"name":7,"x":"'), ""),
            (orjson.dumps({_text(random, 30): _text(random, 30) for _ in range(500)}), ""),
            (gzip.compress(bytes(random.randrange(1 << 22))), "Content-Encoding: gzip\r\n"),
            (random.randbytes(500), "Content-Encoding: gzip\r\n"),
        )
    )


def _malformed(random: Random, name: str) -> Iterator[bytes]:
    body, fields = _broken(random)
    path, media = random.choice(((GENERO, JSON), (ONKEY, COLLECTION)))
    yield message("POST", f"/@{name}{path}", body, media=media, fields=fields)


def _lost(random: Random, name: str) -> Iterator[bytes]:
    depth = "/".join(_text(random, random.randrange(1, 2000)) for _ in range(random.randrange(1, 6)))
    mount = random.choice(("/genero/api/v1", "/onkey/api/tenants", "/_sandbox", ""))
    method = random.choice(("GET", "POST", "DELETE", "PATCH", _text(random, 12).upper()))
    yield message(method, f"/@{name}{mount}/{depth}?{_text(random, 40)}={_text(random, 400)}")


def _inflated(random: Random, name: str) -> Iterator[bytes]:
    fields = "".join(f"{_text(random, 20)}: {_text(random, random.randrange(12_000))}\r\n" for _ in range(8))
    token = f"Authorization: Bearer {_text(random, 4000)}\r\nSandbox: {name}\r\n"
    yield message("GET", "/genero/api/v1/block/none", fields=token + fields)


def _slow(random: Random, name: str) -> Iterator[bytes]:
    """Send a part of a body, and never the rest."""
    whole = message("POST", f"/@{name}{GENERO}", _customers(random, 2000))
    for _ in range(3):
        size = random.randrange(1, len(whole) // 4)
        yield whole[:size]
        whole = whole[size:]
    yield b""


def _dropped(random: Random, name: str) -> Iterator[bytes]:
    """Send a whole request, or its beginning, and do not wait for the answer."""
    whole = message("POST", f"/@{name}{ONKEY}", _importances(random, 10), media=COLLECTION)
    yield whole[: random.choice((10, 60, 200, 2000, len(whole)))]
    yield b""


def _controlled(random: Random, name: str) -> Iterator[bytes]:
    here = f"/_sandbox/sandboxes/{name}"
    method, path, body = random.choice(
        (
            ("GET", f"{here}/verdict", b""),
            ("GET", f"{here}/exchanges", b""),
            ("GET", f"{here}/jobs", b""),
            ("GET", f"{here}/settings", b""),
            ("PATCH", f"{here}/settings", b'{"conduct":"enforce","limits":{"depth":32}}'),
            ("PUT", f"{here}/scenarios", b'{"scenarios":["one-item-fails","slow-job"]}'),
            ("PUT", f"{here}/scenarios", b'{"scenarios":[{"name":"x"}]}'),
            ("POST", f"{here}/clock/advance", b'{"by":"PT7M"}'),
            ("GET", "/_sandbox/sandboxes", b""),
            ("GET", "/metrics", b""),
            ("GET", "/_sandbox/scenarios", b""),
        )
    )
    yield message(method, path, body)


def _valid(random: Random, name: str) -> Iterator[bytes]:
    yield message("POST", f"/@{name}{GENERO}", _customers(random, random.choice((1, 10, 100))))


KINDS: Final[dict[Callable[[Random, str], Iterator[bytes]], int]] = {
    _malformed: 6,
    _lost: 4,
    _inflated: 3,
    _slow: 1,
    _dropped: 2,
    _controlled: 2,
    _valid: 1,
}

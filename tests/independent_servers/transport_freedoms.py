"""Freedoms of transport that servers of both APIs can take, each a patch: HTTP leaves them to the server."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import random
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from aiohttp import web
from patching import around

BUSY_EVERY, PIECES = 29, 8
SAFE_INTEGER = 2**53
LISTS = ("Allow", "Vary")
"""Header fields that are lists, and may stand on several lines."""


def free_closing(server: Any) -> None:
    """Close the connection after each answer."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        reply.force_close()
        return reply


def free_interim(server: Any) -> None:
    """Send an interim answer, 103 Early Hints, ahead of each final one."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload; as=style\r\n\r\n"

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        if request.version >= (1, 1) and request.transport is not None:
            request.transport.write(hints)
        return reply


def takes_gzip(accepted: str) -> bool:
    """Say whether a value of Accept-Encoding takes gzip."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        coding, _, weight = part.replace(" ", "").partition(";q=")
        try:
            weights[coding] = float(weight or 1)
        except ValueError:
            return False
    return weights.get("gzip", weights.get("*", 0.0)) > 0


def free_gzip(server: Any) -> None:
    """Compress whatever has a body, where the client takes it."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        reply.headers["Vary"] = "Accept-Encoding"
        if reply.body and takes_gzip(request.headers.get("Accept-Encoding", "")):
            reply.body = gzip.compress(reply.body)
            reply.headers["Content-Encoding"] = "gzip"
        return reply


def free_trickle(server: Any) -> None:
    """Let every fifth call wait for 50 to 300 ms, and send every third body in small pieces."""
    chance, calls = random.Random(7), itertools.count(1)

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        call = next(calls)
        if call % 5 == 0:
            await asyncio.sleep(chance.uniform(0.05, 0.3))
        reply = await real(request)
        trickles = call % 3 == 0 and reply.body and request.method != "HEAD"
        return await trickled(request, reply) if trickles else reply


async def trickled(request: web.Request, reply: web.Response) -> web.StreamResponse:
    """Send an answer in a few pieces, cut wherever it happens."""
    body = bytes(reply.body)  # type: ignore[arg-type]  # the servers have no bodies but bytes
    stream = web.StreamResponse(status=reply.status, headers=reply.headers)
    stream.content_length = len(body)
    await stream.prepare(request)
    for start, end in itertools.pairwise(len(body) * piece // PIECES for piece in range(PIECES + 1)):
        await stream.write(body[start:end])
        await asyncio.sleep(0.015)
    await stream.write_eof()
    return stream


def too_busy(server: Any, refusal: Callable[[int], web.Response]) -> None:
    """Be too busy for every 29th call, with 503 and 429 by turns, and do nothing of it."""
    calls, turns = itertools.count(1), itertools.cycle(((503, "1"), (429, "0"), (503, "0"), (429, "1")))

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        if next(calls) % BUSY_EVERY:
            return await real(request)
        await request.read()
        status, wait = next(turns)
        reply = refusal(503 if request.path.endswith("/token") else status)
        reply.headers["Retry-After"] = wait
        return reply


def free_headers(server: Any) -> None:
    """Write names of header fields and media types in other cases, and lists of fields on several lines."""
    names = itertools.cycle((str.lower, str.upper))

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        reply.headers["Vary"] = "Origin, Accept"
        if reply.body:
            reply.headers["Content-Length"] = str(len(reply.body))
            kind, *parameters = reply.headers["Content-Type"].split(";")
            reply.headers["Content-Type"] = ";".join([kind.title(), *parameters])
        reply.headers.update({"Date": formatdate(usegmt=True), "Server": "any"})
        fields, cased = list(reply.headers.items()), next(names)
        reply.headers.clear()
        for name, value in fields:
            for line in value.split(", ") if name in LISTS else [value]:
                reply.headers.add(cased(name), line)
        return reply


def free_numbers(server: Any) -> None:
    """Write whole numbers as 2e2 and 5.0, and characters of texts and of names as escapes."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        if reply.body:
            reply.body = oddly(json.loads(reply.body)).encode()
        return reply


def oddly(value: Any) -> str:
    """Write a JSON value in an unusual way."""
    if isinstance(value, dict):
        return "{" + " ,\t".join(f"{odd_text(name)} : {oddly(one)}" for name, one in value.items()) + "\n}"
    if isinstance(value, list):
        return "[ " + ",\r\n".join(map(oddly, value)) + "]"
    if isinstance(value, str):
        return odd_text(value)
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < SAFE_INTEGER:
        return odd_number(value)
    return json.dumps(value)


def odd_text(text: str) -> str:
    """Write a text with escapes for its first character and for all but small letters and digits."""
    units = text.encode("utf-16-be", "surrogatepass")
    codes = [int.from_bytes(units[at : at + 2], "big") for at in range(0, len(units), 2)]
    plain = set(b"abcdefghijklmnopqrstuvwxyz0123456789 -")
    return '"' + "".join(chr(c) if at and c in plain else f"\\u{c:04X}" for at, c in enumerate(codes)) + '"'


def odd_number(number: int) -> str:
    """Write a whole number with an exponent or with a fraction."""
    digits = str(number).rstrip("0")
    zeros = len(str(number)) - len(digits)
    return f"{digits}E+{zeros}" if number and zeros else f"{number}.0"

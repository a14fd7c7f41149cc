"""What a scenario does to a reply on its way: delays, time-outs, broken connections, pieces."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp import web

from contracts.messages import Reply
from mockserver.sandbox import Sandbox
from mockserver.underway import Played

if TYPE_CHECKING:
    from mockserver.scenario.effects import Cut

Respond: TypeAlias = Callable[[Reply], web.Response]
RUBBISH: Final = 64  # bytes
LINGER: Final = struct.pack("ii", 1, 0)  # closing sends a reset, and nothing that is still to be sent


class ResetMeanwhileError(Exception):
    """The sandbox was reset or dropped while a call waited for its clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The connection of a reply. `gone` is set when the client gives up, `ending` when the server stops."""

    request: web.BaseRequest
    sandbox: Sandbox
    gone: asyncio.Event
    ending: asyncio.Event
    respond: Respond

    @property
    def limit(self) -> float:
        """Return how long a reply may be kept from the client, in seconds."""
        seconds: float = self.sandbox.settings["limits"]["timeoutSeconds"]
        return seconds

    def now(self) -> datetime:
        """Return the sandbox's time."""
        return self.sandbox.now(datetime.now(UTC))


async def deliver(line: Line, played: Played) -> web.StreamResponse:
    """Send the reply of a call as its scenario wants it, and do what was left for afterwards."""
    try:
        await _delay(line, played)
    except ResetMeanwhileError:
        return _closed(line)
    if played.cut is None:
        return line.respond(played.at_once(line.now()))
    reply = played.reply
    assert reply is not None  # noqa: S101 - what is cut is known before
    response = await CUTS.get(played.cut.kind, _dribble)(line, reply, played.cut)
    if played.rest is not None:
        played.rest(line.now())
    return response


async def _delay(line: Line, played: Played) -> None:
    if played.delay is None:
        return
    ends = (line.ending, line.gone) if played.rest is None else (line.ending,)  # what is left to be done is done
    if played.on_clock:
        await _until(line, line.now() + played.delay, *ends)
    else:
        await _pause(played.delay.total_seconds(), *ends)


async def _pause(seconds: float, *events: asyncio.Event) -> None:
    """Let real time pass, until one of the events happens."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _until(line: Line, instant: datetime, *ends: asyncio.Event) -> None:
    """Let the sandbox's time pass, until one of the events happens. Raises ResetMeanwhileError."""
    sandbox, loop, moved = line.sandbox, asyncio.get_running_loop(), asyncio.Event()
    era = sandbox.era

    def tell() -> None:
        loop.call_soon_threadsafe(moved.set)

    sandbox.waiting.add(tell)
    try:
        while _lives(sandbox, era) and (left := instant - line.now()) > timedelta(0):
            if any(event.is_set() for event in ends):
                break
            moved.clear()
            await _pause(_real_seconds(sandbox, left), moved, *ends)
    finally:
        sandbox.waiting.discard(tell)
    if not _lives(sandbox, era):
        raise ResetMeanwhileError


def _lives(sandbox: Sandbox, era: int) -> bool:
    """Tell whether a sandbox is still the one that it was."""
    return sandbox.era == era and not sandbox.gone


def _real_seconds(sandbox: Sandbox, left: timedelta) -> float:
    """Return how long a sandbox's time takes, at most a day, after which one may look again."""
    clock = sandbox.clock
    factor = {"frozen": 0.0, "system": 1.0}.get(clock.mode, clock.factor)
    return min(86_400.0, left.total_seconds() / factor) if factor > 0 else 86_400.0


def _closed(line: Line) -> web.Response:
    """Close the connection. The response that is returned meets a closed connection, and goes nowhere."""
    if line.request.transport is not None:
        line.request.transport.close()
    return web.Response()


def _write(line: Line, data: bytes) -> None:
    if line.request.transport is not None:
        line.request.transport.write(data)


def _head(response: web.Response, *framing: str) -> bytes:
    """Return a response's status line and header fields, with these in the place of its own framing."""
    fields = [f"{name}: {value}" for name, value in response.headers.items() if name.lower() != "content-length"]
    phrase = HTTPStatus(response.status).phrase if response.status in set(HTTPStatus) else ""
    return "\r\n".join([f"HTTP/1.1 {response.status} {phrase}", *fields, *framing, "", ""]).encode()


@cache
def _rubbish() -> bytes:
    return b"\x00" + Random("rubbish").randbytes(RUBBISH)  # no protocol begins so, and no size of a chunk


async def _timeout(line: Line, reply: Reply, cut: "Cut") -> web.Response:
    del reply, cut
    await _pause(line.limit, line.gone, line.ending)
    return _closed(line)


async def _empty(line: Line, reply: Reply, cut: "Cut") -> web.Response:
    del reply, cut
    return _closed(line)


async def _malformed(line: Line, reply: Reply, cut: "Cut") -> web.Response:
    del cut
    _write(line, _head(line.respond(reply), "Transfer-Encoding: chunked") + _rubbish())
    return _closed(line)


async def _random(line: Line, reply: Reply, cut: "Cut") -> web.Response:
    del reply, cut
    _write(line, _rubbish())
    return _closed(line)


async def _reset(line: Line, reply: Reply, cut: "Cut") -> web.Response:
    del reply, cut
    transport = line.request.transport
    if transport is not None:
        with socket.socket(fileno=socket.dup(transport.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
        transport.abort()
    return web.Response()


async def _truncate(line: Line, reply: Reply, cut: "Cut") -> web.Response:
    body = reply.body
    head = _head(line.respond(reply), f"Content-Length: {len(body)}")
    _write(line, head + body[: int(len(body) * cut.share)])
    return _closed(line)


async def _dribble(line: Line, reply: Reply, cut: "Cut") -> web.StreamResponse:
    whole = line.respond(reply)
    response = web.StreamResponse(status=whole.status, headers=whole.headers)
    response.content_length = len(reply.body)
    try:
        await response.prepare(line.request)
        for piece in _pieces(reply.body, cut.chunks):
            await _pause(cut.over.total_seconds() / cut.chunks, line.ending, line.gone)
            await response.write(piece)
    except ConnectionError:
        return _closed(line)
    return response


def _pieces(body: bytes, chunks: int) -> Iterator[bytes]:
    ends = [len(body) * n // chunks for n in range(chunks + 1)]
    return (body[begin:end] for begin, end in pairwise(ends))


CUTS: Final[dict[str, Callable[[Line, Reply, "Cut"], Awaitable[web.StreamResponse]]]] = {
    "timeout": _timeout,
    "EMPTY_RESPONSE": _empty,
    "MALFORMED_RESPONSE_CHUNK": _malformed,
    "RANDOM_DATA_THEN_CLOSE": _random,
    "CONNECTION_RESET_BY_PEER": _reset,
    "truncate": _truncate,
    "dribble": _dribble,
}

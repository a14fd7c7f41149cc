"""Deliver a response as its scenario asks (`deliver`): delays, time-outs, broken connections, chunks; and streams.

The faults and their names are WireMock's, https://wiremock.org/docs/simulating-faults/.
"""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from itertools import pairwise
from random import Random
from typing import TYPE_CHECKING, Final, TypeAlias

from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response as AiohttpResponse
from aiohttp.web_response import StreamResponse

from contracts.messages import Response
from mockserver.engine.scenario_execution import Continuation, DeferredResponse
from mockserver.journal.delivery import Delivery
from mockserver.journal.journal import Receipt
from mockserver.sandbox.live_events import EventReader, Listeners, LiveResponse, server_sent_event
from mockserver.sandbox.sandboxes import Sandbox

if TYPE_CHECKING:
    from mockserver.scenarios.model import WireFault


Respond: TypeAlias = Callable[[Response], AiohttpResponse]
GARBAGE_BYTES: Final = 64  # bytes
GONE: Final = Delivery("client-gone", None)
WAITING: Final = Delivery("waiting")
LINGER_RESET: Final = struct.pack("ii", 1, 0)  # closing sends a reset, and nothing that is still to be sent


class SandboxResetError(Exception):
    """The sandbox was reset or dropped while a request waited for its clock."""


@dataclass(slots=True)
class SentBytes:
    """How many bytes of a body have been sent."""

    sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientConnection:
    """The connection of a response. `gone` is set when the client disconnects, `ending` when the server stops.

    `turn` waits for the sandbox's other calls that run in slices. `receipt` tells the journal what became of it, which
    is `planned` unless the client goes; `watch` gets that of a response that is still to be sent.
    """

    request: BaseRequest
    sandbox: Sandbox
    gone: asyncio.Event
    ending: asyncio.Event
    respond: Respond
    turn: Callable[[], AbstractAsyncContextManager[None]]
    receipt: Receipt
    planned: Delivery | None
    watch: Callable[[Receipt], None]
    progress: SentBytes = field(default_factory=SentBytes)

    @property
    def limit(self) -> float:
        """Return the maximum delay of a response, in seconds."""
        seconds: float = self.sandbox.settings["limits"]["timeoutSeconds"]
        return seconds

    def now(self) -> datetime:
        """Return the sandbox's time."""
        return self.sandbox.now(datetime.now(UTC))


async def deliver(connection: ClientConnection, played: DeferredResponse) -> StreamResponse:
    """Send a response with its scenario's delay and fault, then run the rest of the request.

    The journal has it as waiting; it is told what the client got in the end: what the scenario made of it, unless the
    client had gone.
    """
    receipt, planned = connection.receipt, connection.planned
    try:
        await _delay(connection, played)
    except SandboxResetError:
        return _close(connection)
    if played.wire_fault is None:
        async with connection.turn():
            response, late = _carried_out(connection, played.complete)
        receipt.tell(planned)
        connection.watch(late if late.n else receipt)
        return connection.respond(response)
    cut = played.response
    assert cut is not None  # noqa: S101 - what is cut is known before
    outgoing = await FAULTS.get(played.wire_fault.kind, _dribble)(connection, cut, played.wire_fault)
    is_lost = connection.gone.is_set() and connection.progress.sent < len(cut.body)
    if played.continuation is not None:
        async with connection.turn():
            _, receipt = _carried_out(connection, played.continuation)
        planned = receipt.planned
    receipt.tell(Delivery("client-gone", connection.progress.sent) if is_lost else planned)
    return outgoing


def _carried_out(connection: ClientConnection, rest: Continuation) -> tuple[Response, Receipt]:
    """Carry out the rest of a request; return its response, and the receipt of what was recorded meanwhile."""
    journal = connection.sandbox.journal
    last = journal.last
    return rest(connection.now()), Receipt.since(journal, last)


async def _delay(connection: ClientConnection, played: DeferredResponse) -> None:
    if played.delay is None:
        return
    # with work left to do, a client that disconnects does not end the wait
    ends = (connection.ending, connection.gone) if played.continuation is None else (connection.ending,)
    if played.on_clock:
        await _wait_until(connection, connection.now() + played.delay, *ends)
    else:
        await _wait(played.delay.total_seconds(), *ends)


async def _wait(seconds: float, *events: asyncio.Event) -> None:
    """Wait for real seconds, or until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _wait_until(connection: ClientConnection, instant: datetime, *ends: asyncio.Event) -> None:
    """Wait until an instant of the sandbox's clock, or until one of the events is set. Raises SandboxResetError."""
    sandbox, loop, moved = connection.sandbox, asyncio.get_running_loop(), asyncio.Event()
    era = sandbox.reset_count

    def tell() -> None:
        loop.call_soon_threadsafe(moved.set)

    sandbox.clock_listeners.add(tell)
    try:
        while _is_unchanged(sandbox, era) and (left := instant - connection.now()) > timedelta(0):
            if any(event.is_set() for event in ends):
                break
            moved.clear()
            await _wait(_real_seconds(sandbox, left), moved, *ends)
    finally:
        sandbox.clock_listeners.discard(tell)
    if not _is_unchanged(sandbox, era):
        raise SandboxResetError


def _is_unchanged(sandbox: Sandbox, era: int) -> bool:
    """Return whether a sandbox has been neither reset nor dropped since `era`."""
    return sandbox.reset_count == era and not sandbox.is_dropped


def _real_seconds(sandbox: Sandbox, left: timedelta) -> float:
    """Return how many real seconds a span of the sandbox's clock lasts, at most a day."""
    clock = sandbox.clock
    factor = {"frozen": 0.0, "system": 1.0}.get(clock.mode, clock.factor)
    return min(86_400.0, left.total_seconds() / factor) if factor > 0 else 86_400.0


def _close(connection: ClientConnection) -> AiohttpResponse:
    """Close the connection; the returned response is never sent."""
    if connection.request.transport is not None:
        connection.request.transport.close()
    return AiohttpResponse()


def _write(connection: ClientConnection, data: bytes) -> None:
    if connection.request.transport is not None:
        connection.request.transport.write(data)


def _head(outgoing: AiohttpResponse, *framing: str) -> bytes:
    """Return a response's status line and field lines, with `framing` in the place of Content-Length."""
    fields = [f"{name}: {value}" for name, value in outgoing.headers.items() if name.lower() != "content-length"]
    phrase = HTTPStatus(outgoing.status).phrase if outgoing.status in set(HTTPStatus) else ""
    return "\r\n".join([f"HTTP/1.1 {outgoing.status} {phrase}", *fields, *framing, "", ""]).encode()


@cache
def _garbage() -> bytes:
    return b"\x00" + Random("rubbish").randbytes(GARBAGE_BYTES)  # no protocol begins so, and no size of a chunk


async def _timeout(connection: ClientConnection, response: Response, cut: "WireFault") -> AiohttpResponse:
    del response, cut
    await _wait(connection.limit, connection.gone, connection.ending)
    return _close(connection)


async def _empty_response(connection: ClientConnection, response: Response, cut: "WireFault") -> AiohttpResponse:
    del response, cut
    return _close(connection)


async def _malformed(connection: ClientConnection, response: Response, cut: "WireFault") -> AiohttpResponse:
    del cut
    _write(connection, _head(connection.respond(response), "Transfer-Encoding: chunked") + _garbage())
    return _close(connection)


async def _random(connection: ClientConnection, response: Response, cut: "WireFault") -> AiohttpResponse:
    del response, cut
    _write(connection, _garbage())
    return _close(connection)


async def _reset(connection: ClientConnection, response: Response, cut: "WireFault") -> AiohttpResponse:
    del response, cut
    transport = connection.request.transport
    if transport is not None:
        with socket.socket(fileno=socket.dup(transport.get_extra_info("socket").fileno())) as same:
            same.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
        transport.abort()
    return AiohttpResponse()


async def _truncate(connection: ClientConnection, response: Response, cut: "WireFault") -> AiohttpResponse:
    body = response.body
    head = _head(connection.respond(response), f"Content-Length: {len(body)}")
    _write(connection, head + body[: int(len(body) * cut.fraction)])
    return _close(connection)


async def _dribble(connection: ClientConnection, response: Response, cut: "WireFault") -> StreamResponse:
    whole = connection.respond(response)
    outgoing = StreamResponse(status=whole.status, headers=whole.headers)
    outgoing.content_length = len(response.body)
    try:
        await outgoing.prepare(connection.request)
        for piece in _pieces(response.body, cut.chunks):
            await _wait(cut.duration.total_seconds() / cut.chunks, connection.ending, connection.gone)
            await outgoing.write(piece)
            connection.progress.sent += len(piece)
    except ConnectionError:
        return _close(connection)
    return outgoing


def _pieces(body: bytes, chunks: int) -> Iterator[bytes]:
    ends = [len(body) * n // chunks for n in range(chunks + 1)]
    return (body[begin:end] for begin, end in pairwise(ends))


FAULTS: Final[dict[str, Callable[[ClientConnection, Response, "WireFault"], Awaitable[StreamResponse]]]] = {
    "timeout": _timeout,
    "EMPTY_RESPONSE": _empty_response,
    "MALFORMED_RESPONSE_CHUNK": _malformed,
    "RANDOM_DATA_THEN_CLOSE": _random,
    "CONNECTION_RESET_BY_PEER": _reset,
    "truncate": _truncate,
    "dribble": _dribble,
}


HEARTBEAT_SECONDS: Final = 15.0  # between signs of life, which also find out that nobody reads any more
HEARTBEAT: Final = b": still here\n\n"
CLOSE_TIMEOUT_SECONDS: Final = 1.0  # for a reader who has fallen behind when the server ends


async def stream(
    request: BaseRequest, live: LiveResponse, outgoing: StreamResponse, *ends: asyncio.Event
) -> StreamResponse:
    """Send server-sent events until one of the events `ends` is set or the client disconnects."""
    outgoing.force_close()
    with suppress(ConnectionError):
        await outgoing.prepare(request)
        await outgoing.write(live.body)
        await _until_closed(asyncio.ensure_future(_write_events(outgoing, live.reader)), ends)
        async with asyncio.timeout(CLOSE_TIMEOUT_SECONDS):
            await outgoing.write_eof()
    return outgoing


async def _until_closed(pump: "asyncio.Future[None]", ends: tuple[asyncio.Event, ...]) -> None:
    waits = [pump, *(asyncio.ensure_future(_wait_for(end)) for end in ends)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        with suppress(ConnectionError, asyncio.CancelledError):
            await pump


async def _wait_for(end: asyncio.Event) -> None:
    await end.wait()


async def _write_events(outgoing: StreamResponse, reader: EventReader) -> None:
    changed = asyncio.Event()
    notify = _from_any_thread(changed)
    told_by: Listeners = ()  # another sandbox's once one was made of that name
    try:
        while not reader.sandbox.is_dropped:
            changed.clear()
            told_by = _listen(notify, told_by, reader.sources)
            if events := reader.read(datetime.now(UTC)):
                await outgoing.write(events)
                continue
            try:
                async with asyncio.timeout(HEARTBEAT_SECONDS):
                    await changed.wait()
            except TimeoutError:
                await outgoing.write(HEARTBEAT)
        await outgoing.write(server_sent_event("dropped", {}))
    finally:
        for listeners in told_by:
            listeners.discard(notify)


def _listen(notify: Callable[[], object], before: Listeners, now: Listeners) -> Listeners:
    for listeners in before:
        listeners.discard(notify)
    for listeners in now:
        listeners.add(notify)
    return now


def _from_any_thread(event: asyncio.Event) -> Callable[[], object]:
    loop = asyncio.get_running_loop()
    return lambda: loop.call_soon_threadsafe(event.set)

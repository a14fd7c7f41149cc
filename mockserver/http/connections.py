"""Bound a server's connections: `GuardedConnection` knows when one is overdue, `GuardedServer` ends those that are.

Overdue is a connection on which the head of a request has begun, or the first one was never sent, and does not come, or
whose client reads nothing of its response. Where the process may open no more files, the connection idle longest goes.
"""

import asyncio
import sys
from http import HTTPStatus
from typing import Final

from aiohttp.http_exceptions import BadHttpMessage
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion10, HttpVersion11
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo
from aiohttp.web_server import Server

VERSIONS: Final = (HttpVersion11, HttpVersion10)
UNREAD_SECONDS: Final = 120.0  # for a client that reads nothing of what it is sent
SWEEP_SECONDS: Final = 5.0  # between two looks at all connections
RESERVED_FILES: Final = 64  # that are no connections: the listening socket, spooled bodies, contracts
ENDED_SHARE: Final = 16  # of as many connections as there may be, one is ended when there is no room


class GuardedConnection(RequestHandler):
    """A connection that can tell whether it is idle, and whether it is overdue."""

    __slots__ = ("_head_since", "_unsent_bytes", "_unsent_since")
    _head_since: float | None
    _unsent_bytes: int
    _unsent_since: float

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the head of the first request from now on."""
        self._head_since = self._loop.time()
        self._unsent_bytes, self._unsent_since = 0, 0.0
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Take what was received; a request without a version, or with another than is served, cannot be read."""
        super().data_received(data)
        for n, (message, _) in enumerate(self._messages):
            if isinstance(message, RawRequestMessage) and message.version not in VERSIONS:
                fault = BadHttpMessage("its version is not served; begin with a line such as GET / HTTP/1.1")
                self._messages[n] = _ErrInfo(HTTPStatus.BAD_REQUEST, fault, fault.message), EMPTY_PAYLOAD

    def note_head(self, *, was_other: bool) -> None:
        """Note that bytes were received; `was_other`: they ended a request, or belong to the body of one."""
        if was_other or self._messages:
            self._head_since = None
        elif self._head_since is None:
            self._head_since = self._loop.time()

    @property
    def is_idle(self) -> bool:
        """Tell whether no request is being served."""
        return self._waiter is not None and not self._waiter.done() and not self._messages

    @property
    def last_used(self) -> float:
        """Return a number that grows with the time of the last request."""
        return self._next_keepalive_close_time

    def is_overdue(self, now: float, head_seconds: float) -> bool:
        """Tell whether the head of a request, or the reading of a response, takes too long. Ask every few seconds."""
        transport = self.transport
        if self._paused and transport is not None:
            unsent = transport.get_write_buffer_size()
            if unsent != self._unsent_bytes:
                self._unsent_bytes, self._unsent_since = unsent, now
            return now - self._unsent_since > UNREAD_SECONDS
        self._unsent_bytes = 0
        return self._head_since is not None and self.is_idle and now - self._head_since > head_seconds

    def end(self) -> None:
        """Close the connection at once, whatever is unsent."""
        transport = self.transport
        self.force_close()
        if transport is not None:
            transport.abort()


class GuardedServer(Server):
    """A server that ends overdue connections, and idle ones when it has no room for another."""

    head_seconds: float
    most_connections = sys.maxsize
    _sweep: asyncio.TimerHandle | None = None

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Make room for a connection, and look at all of them from time to time."""
        super().connection_made(handler, transport)
        if len(self._connections) > self.most_connections:
            self._make_room()
        if self._sweep is None:
            self._sweep_later()

    def _guarded(self) -> list[GuardedConnection]:
        return [one for one in self._connections if isinstance(one, GuardedConnection)]

    def _make_room(self) -> None:
        """End the connections idle longest; without an idle one, the newest, which was not served yet."""
        every = self._guarded()
        idle = sorted((one for one in every if one.is_idle), key=lambda one: one.last_used)
        for one in idle[: 1 + self.most_connections // ENDED_SHARE] or every[-1:]:
            one.end()

    def _sweep_later(self) -> None:
        self._sweep = self._loop.call_later(min(SWEEP_SECONDS, self.head_seconds), self._end_overdue)

    def _end_overdue(self) -> None:
        now, self._sweep = self._loop.time(), None
        for one in self._guarded():
            if one.is_overdue(now, self.head_seconds):
                one.end()
        if self._connections:
            self._sweep_later()


def most_connections() -> int:
    """Return how many connections the process may have, by its limit of open files."""
    try:
        import resource  # noqa: PLC0415 - not on Windows
    except ImportError:
        return sys.maxsize
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == resource.RLIM_INFINITY else max(soft // 2, soft - RESERVED_FILES)

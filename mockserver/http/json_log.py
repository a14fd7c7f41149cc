"""Structured logs: one JSON object a line, for `serve --log-format json`. Begin with `JsonLog`.

Times are RFC 3339 in UTC. No line has a query, a header field or a body: that is where secrets are.
"""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from secrets import token_hex
from time import perf_counter
from traceback import format_exception
from typing import Final

import orjson

from contracts.messages import Headers, Response
from mockserver.control.routes import CONTROL_NAME, instant
from mockserver.engine.scenario_execution import DeferredResponse
from mockserver.http.request_reading import read_target
from mockserver.http.service import Destination

MAX_PATH_CHARS: Final = 500
REQUEST_ID: Final = re.compile(r"[\w.:/+=@-]{1,128}", re.ASCII)
TRACE_PARENT: Final = re.compile(r"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*")
"""W3C Trace Context, section 3.2: version, trace id, parent id and flags."""


class JsonLog:
    """Writes events with `write`, which gets one line at a time.

    A request's id is its `X-Request-ID`, or the trace id of its `traceparent`, where these are well-formed; else the
    server's own: eight random digits of this run and the number of the request. Nothing that is sent has it.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._run = token_hex(4)
        self._requests = 0

    def event(self, level: str, event: str, **members: object) -> None:
        """Write one event."""
        line = {"time": instant(datetime.now(UTC)), "level": level, "event": event, **members}
        self._write(orjson.dumps(line, default=str).decode())

    def say(self, text: str, level: str = "info") -> None:
        """Write what is for people."""
        self.event(level, "message", message=text)

    def follow(
        self, place: Destination, method: str, headers: Headers, started: float, played: DeferredResponse
    ) -> DeferredResponse:
        """Return `played`, whose request is written once its response is known; it `started` then (`perf_counter`)."""
        mount = "" if place.api.name == CONTROL_NAME else place.api.mount
        asked = {"sandbox": place.sandbox.name or None, "api": place.api.name, "method": method}
        path = f"{place.prefix}{mount}{place.target.path}"
        fault = {} if played.wire_fault is None else {"wireFault": played.wire_fault.kind}

        def tell(response: Response) -> Response:
            spent = round((perf_counter() - started) * 1000, 3)
            more = {"durationMs": spent, "requestId": self._id(headers), **fault}
            self.event("info", "request", **asked, path=_shown(path), status=response.status, **more)
            return response

        if played.response is not None:
            tell(played.response)
            return played
        return played.map_response(tell)

    def refused(self, method: str, raw: str, headers: Headers, response: Response) -> None:
        """Write a request that reaches no sandbox; `raw` is its target."""
        target = read_target(raw)
        asked = {"sandbox": None, "api": None, "method": method, "path": _shown(f"{target.prefix}{target.path}")}
        more = {"durationMs": 0.0, "requestId": self._id(headers)}
        self.event("info", "request", **asked, status=response.status, **more)

    def unreadable(self, status: int) -> None:
        """Write that something came which is no HTTP, or that a request could not be answered."""
        self.event("warning", "unreadable-request", status=status, requestId=self._next_id())

    def _id(self, headers: Headers) -> str:
        return _given_id(headers) or self._next_id()

    def _next_id(self) -> str:
        self._requests += 1
        return f"{self._run}-{self._requests}"


def _shown(path: str) -> str:
    return path[:MAX_PATH_CHARS].encode("utf-8", "replace").decode()


def _given_id(headers: Headers) -> str:
    """Return the id that a client gave its request, "" for none that is well-formed."""
    given = headers.get("X-Request-ID")
    if REQUEST_ID.fullmatch(given):
        return given
    traced = TRACE_PARENT.fullmatch(headers.get("traceparent"))
    return "" if traced is None else traced[1]


class JsonHandler(logging.Handler):
    """Writes the records of Python's logging as events `log`; an exception with its traceback."""

    def __init__(self, log: JsonLog) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        raised = record.exc_info[1] if record.exc_info else None
        more = {} if raised is None else {"exception": "".join(format_exception(raised))}
        self._log.event(record.levelname.lower(), "log", logger=record.name, message=record.getMessage(), **more)


@contextmanager
def logging_to(log: JsonLog) -> Iterator[None]:
    """Write what any library logs as events, until the block ends."""
    handler, root = JsonHandler(log), logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)

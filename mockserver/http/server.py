"""Adapt aiohttp to the service: its requests in, its responses out. Begin with `HttpServer`."""

import asyncio
import logging
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response as AiohttpResponse
from aiohttp.web_response import StreamResponse
from aiohttp.web_server import Server

from contracts.messages import Headers, Response
from mockserver import VERSION
from mockserver.api.model import Refusal, problem
from mockserver.engine.scenario_execution import DeferredResponse
from mockserver.http.request_reading import BODY_TIMEOUT_SECONDS, read_body
from mockserver.http.service import Destination, Service
from mockserver.http.wire_faults import ClientConnection, deliver, stream
from mockserver.sandbox.sandboxes import LiveResponse

SERVER_FIELD: Final = f"bulkproof/{VERSION}"
MAX_LINE_BYTES: Final = 16 * 1024  # of a request line; On Key's batch reads carry a thousand ids in it
MAX_FIELD_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 128
LINGER_SECONDS: Final = 3.0  # for a client that still sends what was refused, so that it can read why
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_log: Final = logging.getLogger("bulkproof")


class HttpServer(Server):
    """The connections of one server. `active_requests` is the number of requests being answered."""

    def __init__(self, service: Service, *, body_seconds: float = BODY_TIMEOUT_SECONDS) -> None:
        super().__init__(self._answer)
        self.service = service
        self.body_seconds = body_seconds
        self.active_requests = 0
        self.closing = False
        self.idle = asyncio.Event()
        self.ending = asyncio.Event()

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return ServerProtocol(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # aiohttp's own way to say that there is none
            auto_decompress=False,
            lingering_time=LINGER_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
        )

    async def finish(self, seconds: float) -> None:
        """Finish the requests under way, then close every connection; after `seconds` they are aborted."""
        self.closing = True
        self.ending.set()
        if self.active_requests:
            self.idle.clear()
            try:
                await asyncio.wait_for(self.idle.wait(), seconds)
            except TimeoutError:
                _log.warning("Cut off %d unfinished requests", self.active_requests)
        self.pre_shutdown()
        await self.shutdown(1.0)

    async def _answer(self, request: BaseRequest) -> StreamResponse:
        self.active_requests += 1
        try:
            return await self._response(request)
        finally:
            self.active_requests -= 1
            if self.closing and not self.active_requests:
                self.idle.set()

    async def _response(self, request: BaseRequest) -> StreamResponse:
        headers = _headers(request)
        real = datetime.now(UTC)
        place = self.service.find(request.raw_path, headers, real)
        if isinstance(place, Response):
            return self._response_of(request, place, real)
        expects = headers.get("Expect")
        if expects and expects.lower() != "100-continue":
            detail = f"The expectation '{expects[:80]}' cannot be met; only 100-continue can."
            body: bytes | Refusal = Refusal(status=HTTPStatus.EXPECTATION_FAILED, kind="malformed", detail=detail)
        else:
            body = await read_body(request, headers, limit=place.body_limit, seconds=self.body_seconds)
            real = datetime.now(UTC)
        played = self.service.play(place, request.method, headers, body, real)
        if isinstance(played.response, LiveResponse):
            return await self._stream(request, played.response, real)
        if played.response is not None and played.is_plain:
            return self._response_of(request, played.response, place.sandbox.now(real))
        return await self._deliver(request, place, played)

    async def _deliver(self, request: BaseRequest, place: Destination, played: DeferredResponse) -> StreamResponse:
        """Send a response with the delays and faults of its scenario."""

        def respond(response: Response) -> AiohttpResponse:
            return self._response_of(request, response, place.sandbox.now(datetime.now(UTC)))

        protocol = request.protocol
        gone = protocol.gone() if isinstance(protocol, ServerProtocol) else asyncio.Event()
        connection = ClientConnection(
            request=request, sandbox=place.sandbox, gone=gone, ending=self.ending, respond=respond
        )
        return await deliver(connection, played)

    async def _stream(self, request: BaseRequest, live: LiveResponse, at: datetime) -> StreamResponse:
        """Send a streaming response until the client disconnects or the server stops."""
        protocol = request.protocol
        gone = protocol.gone() if isinstance(protocol, ServerProtocol) else asyncio.Event()
        outgoing = StreamResponse(status=live.status, headers=_fields(live, at))
        return await stream(request, live, outgoing, gone, self.ending)

    def _response_of(self, request: BaseRequest, response: Response, at: datetime) -> AiohttpResponse:
        outgoing = _response(response, at)
        if self.closing or not request.content.is_eof() or request.content.exception() is not None:
            outgoing.force_close()
        return outgoing


class ServerProtocol(RequestHandler):
    """A connection that answers malformed requests with problem documents (RFC 9457), and does not log them."""

    __slots__ = ("_gone",)

    def gone(self) -> asyncio.Event:
        """Return the event that is set once the client has disconnected."""
        self._gone = asyncio.Event()
        if not self.connected:
            self._gone.set()
        return self._gone

    def connection_lost(self, exc: BaseException | None) -> None:
        """Set `gone`, and drop a request that has not been started."""
        if hasattr(self, "_gone"):
            self._gone.set()
        if self._messages and self._current_request is None and self._task_handler is not None:
            self._task_handler.cancel()  # it would take the request up without a connection, which aiohttp cannot
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; a new message inside an unfinished body makes that body malformed."""
        super().data_received(data)
        request = self._current_request
        if self._messages and request is not None and not request.content.is_eof():
            request.content.set_exception(RequestPayloadError("its transfer coding is broken"))

    def handle_error(
        self,
        request: BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> StreamResponse:
        """Return the response to a malformed request or an internal error; the connection is closed."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("An answer has been begun already.")
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("Internal error while handling a request", exc_info=exc)
        outgoing = _response(problem(_unreadable(status, exc)), datetime.now(UTC))
        outgoing.force_close()
        return outgoing


def _unreadable(status: int, exc: BaseException | None) -> Refusal:
    if isinstance(exc, LineTooLong):
        detail = f"A header field or the request line is longer than {MAX_FIELD_BYTES} bytes."
        return Refusal(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, kind="too-big", detail=detail)
    if status == HTTPStatus.BAD_REQUEST:
        why = str(getattr(exc, "message", "") or exc or "").partition("\n")[0].strip(" :.")
        detail = f"The request is no valid HTTP: {_printable(why[:200]) or 'it cannot be read'}."
        return Refusal(status=status, kind="malformed", detail=detail)
    return Refusal(status=status, kind="fault", detail="Internal error of Bulkproof; see the server's log.")


def _headers(request: BaseRequest) -> Headers:
    pairs = [(name, value if value.isascii() else _text(value)) for name, value in request.headers.items()]
    return Headers(pairs)


def _text(value: str) -> str:
    """Return a field's value as text: UTF-8, else Latin-1."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _response(response: Response, at: datetime) -> AiohttpResponse:
    return AiohttpResponse(status=response.status, headers=_fields(response, at), body=response.body)


def _fields(response: Response, at: datetime) -> list[tuple[str, Any]]:
    fields: list[tuple[str, Any]] = [
        (name, value if value.isprintable() else _printable(value)) for name, value in response.headers.pairs
    ]
    fields.append(("Date", _http_date(int(at.timestamp()))))
    fields.append(("Server", SERVER_FIELD))
    return fields


def _printable(value: str) -> str:
    return _CONTROLS.sub(" ", value).encode("utf-8", "replace").decode()


@lru_cache(maxsize=16)
def _http_date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)

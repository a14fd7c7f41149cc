"""Adapt aiohttp to the service: its requests in, its responses out. Begin with `HttpServer`.

A request that has arrived whole is served where its bytes are received (`ServerProtocol.data_received`), and what is
sent at once is written there; every other response is sent by aiohttp's task of the connection.
"""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from time import perf_counter
from typing import Final, NamedTuple

from aiohttp.http_exceptions import LineTooLong
from aiohttp.http_parser import RawRequestMessage
from aiohttp.http_writer import HttpVersion11
from aiohttp.streams import StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError
from aiohttp.web_request import BaseRequest
from aiohttp.web_response import Response as AiohttpResponse
from aiohttp.web_response import StreamResponse

from contracts.messages import Headers, Response
from mockserver.api.model import Refusal, problem
from mockserver.control.access import is_loopback
from mockserver.domain.slices import SlicedWork
from mockserver.engine.scenario_execution import DeferredResponse
from mockserver.http.connections import GuardedConnection, GuardedServer, most_connections
from mockserver.http.json_log import JsonLog
from mockserver.http.request_reading import BODY_TIMEOUT_SECONDS, arrived_body, read_body
from mockserver.http.response_writing import outgoing_response, printable, response_fields, whole_message
from mockserver.http.service import Destination, Service
from mockserver.http.wire_faults import GONE, WAITING, ClientConnection, deliver, stream
from mockserver.journal.delivery import Delivery
from mockserver.journal.journal import Receipt
from mockserver.sandbox.live_events import LiveResponse

MAX_LINE_BYTES: Final = 16 * 1024  # of a request line; On Key's batch reads carry a thousand ids in it
MAX_FIELD_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 128
LINGER_SECONDS: Final = 3.0  # for a client that still sends what was refused, so that it can read why
LOCAL_ONLY: Final = Refusal(
    status=HTTPStatus.FORBIDDEN,
    kind="forbidden",
    detail="The control API answers clients on its own machine only. Start the server with --control-token TOKEN to "
    "call it from elsewhere.",
)
_log: Final = logging.getLogger("bulkproof")


class HttpServer(GuardedServer):
    """The connections of one server. `active_requests` is the number of requests being answered.

    With `local_control` the control API answers clients on this machine only. `log` gets every request. The head of a
    request and its body may each take `body_seconds`.
    """

    def __init__(
        self,
        service: Service,
        *,
        body_seconds: float = BODY_TIMEOUT_SECONDS,
        local_control: bool = False,
        log: JsonLog | None = None,
    ) -> None:
        super().__init__(self._answer)
        self.service = service
        self.json_log = log
        self.local_control = local_control
        self.body_seconds = self.head_seconds = body_seconds
        self.most_connections = most_connections()
        self.active_requests = 0
        self.closing = False
        self.idle = asyncio.Event()
        self.ending = asyncio.Event()

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return ServerProtocol(self)

    async def finish(self, seconds: float) -> None:
        """Finish the requests under way, then close every connection; after `seconds` they are aborted."""
        self.closing = True
        self.service.impediments["stopping"] = "The server is stopping."
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
        protocol = request.protocol
        served = protocol.take_served() if isinstance(protocol, ServerProtocol) else None
        if served is None:
            served = await self._serve(request)
        place, played, at, receipt, planned = served
        if isinstance(played.response, LiveResponse):
            return await self._stream(request, played.response, at)
        if played.response is not None and played.is_plain:
            if isinstance(protocol, ServerProtocol):
                protocol.watched = receipt
            return self._response_of(request, played.response, at)
        assert place is not None  # noqa: S101 - what is sent from nowhere is sent at once
        assert receipt is not None  # noqa: S101 - as above
        return await self._deliver(request, place, played, receipt, planned)

    async def _serve(self, request: BaseRequest) -> "Served":
        """Serve a request once its body has arrived, or without one where that is refused before."""
        headers, real = _headers(request.headers.items()), datetime.now(UTC)
        place = self.service.find(request.raw_path, headers, real, request.method)
        if not isinstance(place, Response) and self._is_remote_control(place, request.remote):
            place = problem(LOCAL_ONLY)
        if isinstance(place, Response):
            return self._refused(request.method, request.raw_path, headers, place, real)
        expects = headers.get("Expect")
        if expects and expects.lower() != "100-continue":
            detail = f"The expectation '{expects[:80]}' cannot be met; only 100-continue can."
            body: bytes | Refusal = Refusal(status=HTTPStatus.EXPECTATION_FAILED, kind="malformed", detail=detail)
        else:
            body = await read_body(request, headers, limit=place.body_limit, seconds=self.body_seconds)
            real = datetime.now(UTC)
        size = 0 if isinstance(body, Refusal) else len(body)
        if self.service.is_free(place, request.method) and not self.service.takes_long(place, size, real):
            return self._play(place, request.method, headers, body, real)
        async with self.service.turn(place):
            real = datetime.now(UTC)
            work = SlicedWork(partial(self._play, place, request.method, headers, body, real))
            while not work.step():  # noqa: ASYNC110 - there is nothing to wait for
                await asyncio.sleep(0)
            return work.result

    def _is_remote_control(self, place: Destination, client: str | None) -> bool:
        return self.local_control and place.is_guarded and not is_loopback(client or "")

    def serve_arrived(self, message: RawRequestMessage, content: StreamReader) -> "Served | None":
        """Serve a request that has arrived whole; None where more than its bytes has to be read first."""
        headers, real = _headers(message.headers.items()), datetime.now(UTC)
        if "Expect" in headers or "Content-Encoding" in headers:
            return None
        place = self.service.find(message.path, headers, real, message.method)
        if isinstance(place, Response):
            return self._refused(message.method, message.path, headers, place, real)
        if self.local_control and place.is_guarded:
            return None  # the client's address is looked at
        if not self.service.is_free(place, message.method) or self.service.takes_long(place, content.total_bytes, real):
            return None
        return self._play(place, message.method, headers, arrived_body(content, headers, place.body_limit), real)

    def _play(
        self, place: Destination, method: str, headers: Headers, body: bytes | Refusal, real: datetime
    ) -> "Served":
        started = 0.0 if self.json_log is None else perf_counter()
        journal = place.sandbox.journal
        last = journal.last
        played = self.service.play(place, method, headers, body, real)
        if self.json_log is not None:
            played = self.json_log.follow(place, method, headers, started, played)
        at = real if isinstance(played.response, LiveResponse) else place.sandbox.now(real)
        receipt = Receipt.since(journal, last)
        planned = None if played.is_plain else receipt.planned
        if not played.is_plain:
            receipt.tell(WAITING)  # now, so that nobody reads of a response that is still to be sent
        return Served(place, played, at, receipt, planned)

    def _refused(self, method: str, raw: str, headers: Headers, response: Response, real: datetime) -> "Served":
        """Return the response to a request that reaches no sandbox."""
        if self.json_log is not None:
            self.json_log.refused(method, raw, headers, response)
        return Served(None, DeferredResponse(response=response), real)

    async def _deliver(
        self,
        request: BaseRequest,
        place: Destination,
        played: DeferredResponse,
        receipt: Receipt,
        planned: Delivery | None,
    ) -> StreamResponse:
        """Send a response with the delays and faults of its scenario."""

        def respond(response: Response) -> AiohttpResponse:
            return self._response_of(request, response, place.sandbox.now(datetime.now(UTC)))

        def watch(receipt: Receipt) -> None:
            if isinstance(protocol, ServerProtocol):
                protocol.watched = receipt

        protocol = request.protocol
        gone = protocol.gone() if isinstance(protocol, ServerProtocol) else asyncio.Event()
        connection = ClientConnection(
            request=request,
            sandbox=place.sandbox,
            gone=gone,
            ending=self.ending,
            respond=respond,
            turn=partial(self.service.turn, place),
            receipt=receipt,
            planned=planned,
            watch=watch,
        )
        return await deliver(connection, played)

    async def _stream(self, request: BaseRequest, live: LiveResponse, at: datetime) -> StreamResponse:
        """Send a streaming response until the client disconnects or the server stops."""
        protocol = request.protocol
        gone = protocol.gone() if isinstance(protocol, ServerProtocol) else asyncio.Event()
        outgoing = StreamResponse(status=live.status, headers=response_fields(live, at))
        return await stream(request, live, outgoing, gone, self.ending)

    def _response_of(self, request: BaseRequest, response: Response, at: datetime) -> AiohttpResponse:
        outgoing = outgoing_response(response, at)
        if self.closing or not request.content.is_eof() or request.content.exception() is not None:
            outgoing.force_close()
        return outgoing


class Served(NamedTuple):
    """A request that was served: where, None for nowhere, the time of its response, and who is told of its sending.

    `planned` is what a scenario makes of a response that is still to be sent.
    """

    place: Destination | None
    played: DeferredResponse
    at: datetime
    receipt: Receipt | None = None
    planned: Delivery | None = None


class ServerProtocol(GuardedConnection):
    """A connection that answers malformed requests with problem documents (RFC 9457), and does not log them."""

    __slots__ = ("_gone", "_served", "_server", "watched")

    def __init__(self, server: HttpServer) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # aiohttp's own way to say that there is none
            auto_decompress=False,
            lingering_time=LINGER_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
        )
        self._server = server
        self._served: Served | None = None
        self.watched: Receipt | None = None  # of the response that is being sent

    def take_served(self) -> Served | None:
        """Return the request that was served already and now is to be answered, None when there is none."""
        served, self._served = self._served, None
        return served

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
        if self._served is not None and self._served.receipt is not None:
            self._served.receipt.tell(GONE)
        if self._messages and self._current_request is None and self._task_handler is not None:
            self._task_handler.cancel()  # it would take the request up without a connection, which aiohttp cannot
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse received bytes; serve and answer what has arrived whole, and wake aiohttp's task for the rest.

        A new message inside an unfinished body makes that body malformed.
        """
        waiter = self._waiter
        if waiter is None or waiter.done() or self._messages:
            request = self._current_request
            was_body = request is not None and not request.content.is_eof()
            super().data_received(data)
            if self._messages and request is not None and not request.content.is_eof():
                request.content.set_exception(RequestPayloadError("its transfer coding is broken"))
            self.note_head(was_other=was_body)
            return
        self._parse(data, waiter)
        self.note_head(was_other=bool(self._messages))
        while self._messages and self._answer_first():
            if self._buffer_paused and not self._messages:
                self._parse(b"", waiter)  # what the parser held back as its queue was full
        if self._buffer_paused and not self._messages:
            self._resume_reading_for_buffer()
        if self._messages:
            waiter.set_result(None)

    def _parse(self, data: bytes, waiter: asyncio.Future[None]) -> None:
        self._waiter = None  # so that aiohttp's task, which waits for a request, sleeps on
        super().data_received(data)
        self._waiter = waiter

    def _answer_first(self) -> bool:
        """Serve the first message and answer it; false where aiohttp's task has to answer it."""
        message, content = self._messages[0]
        if (
            not isinstance(message, RawRequestMessage)
            or not content.is_eof()
            or content.exception() is not None
            or message.version != HttpVersion11
            or message.should_close
            or message.upgrade
            or self._paused
            or self._server.closing
        ):
            return False
        self._served = served = self._server.serve_arrived(message, content)
        response = None if served is None or not served.played.is_plain else served.played.response
        if served is None or response is None or isinstance(response, LiveResponse) or self._parser is None:
            return False
        sent, transport = whole_message(message.method, response, served.at), self.transport
        if sent is None or transport is None or transport.is_closing():
            return False
        self._served = None
        self._messages.popleft()
        self._parser.message_consumed()
        self._server.requests_count += 1
        self._next_keepalive_close_time = self._loop.time() + self._keepalive_timeout
        transport.write(sent)
        return True

    async def finish_response(
        self, request: BaseRequest, resp: StreamResponse, start_time: float | None
    ) -> tuple[StreamResponse, bool]:
        """Send a response; the journal is told when the client had gone before all of it was sent."""
        outgoing, is_lost = await super().finish_response(request, resp, start_time)
        if is_lost and self.watched is not None:
            self.watched.tell(GONE)
        self.watched = None
        return outgoing, is_lost

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
        if self._server.json_log is not None:
            self._server.json_log.unreadable(status)
        outgoing = outgoing_response(problem(_unreadable(status, exc)), datetime.now(UTC))
        outgoing.force_close()
        return outgoing


def _unreadable(status: int, exc: BaseException | None) -> Refusal:
    if isinstance(exc, LineTooLong):
        detail = f"A header field or the request line is longer than {MAX_FIELD_BYTES} bytes."
        return Refusal(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, kind="too-big", detail=detail)
    if status == HTTPStatus.BAD_REQUEST:
        why = str(getattr(exc, "message", "") or exc or "").partition("\n")[0].strip(" :.")
        detail = f"The request is no valid HTTP: {printable(why[:200]) or 'it cannot be read'}."
        return Refusal(status=status, kind="malformed", detail=detail)
    return Refusal(status=status, kind="fault", detail="Internal error of Bulkproof; see the server's log.")


def _headers(fields: Iterable[tuple[str, str]]) -> Headers:
    return Headers([(name, value if value.isascii() else _text(value)) for name, value in fields])


def _text(value: str) -> str:
    """Return a field's value as text: UTF-8, else Latin-1."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value

"""The rim: aiohttp's requests in, replies out. Nothing here knows what is served."""

import asyncio
import logging
import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import LineTooLong
from aiohttp.web_protocol import RequestHandler

from contracts.messages import Headers, Reply
from mockserver.live import LiveReply
from mockserver.problems import problem
from mockserver.turn import Refusal
from mockserver.underway import Played
from mockserver.version import VERSION
from mockserver.web.body import SECONDS, read_body
from mockserver.web.service import Place, Service
from mockserver.web.streaming import stream
from mockserver.web.wire import Line, deliver

SERVER: Final = f"bulkproof/{VERSION}"
LINE_BYTES: Final = 16 * 1024  # of a request line; On Key's batch reads carry a thousand ids in it
FIELD_BYTES: Final = 16 * 1024
FIELDS: Final = 128
LINGER_SECONDS: Final = 3.0  # for a client that still sends what was refused, so that it can read why
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")
_log: Final = logging.getLogger("bulkproof")


class Rim(web.Server):
    """The connections of one server. `busy` is how many requests are being answered."""

    def __init__(self, service: Service, *, body_seconds: float = SECONDS) -> None:
        super().__init__(self._answer)
        self.service = service
        self.body_seconds = body_seconds
        self.busy = 0
        self.closing = False
        self.idle = asyncio.Event()
        self.ending = asyncio.Event()

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return Protocol(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type] # aiohttp's own way to say that there is none
            auto_decompress=False,
            lingering_time=LINGER_SECONDS,
            max_line_size=LINE_BYTES,
            max_field_size=FIELD_BYTES,
            max_headers=FIELDS,
        )

    async def finish(self, seconds: float) -> None:
        """Answer what is being asked, then close every connection; what takes longer than `seconds` is cut off."""
        self.closing = True
        self.ending.set()
        if self.busy:
            self.idle.clear()
            try:
                await asyncio.wait_for(self.idle.wait(), seconds)
            except TimeoutError:
                _log.warning("Cut off %d unfinished requests", self.busy)
        self.pre_shutdown()
        await self.shutdown(1.0)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.busy += 1
        try:
            return await self._reply(request)
        finally:
            self.busy -= 1
            if self.closing and not self.busy:
                self.idle.set()

    async def _reply(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = _headers(request)
        real = datetime.now(UTC)
        place = self.service.find(request.raw_path, headers, real)
        if isinstance(place, Reply):
            return self._sent(request, place, real)
        expects = headers.get("Expect")
        if expects and expects.lower() != "100-continue":
            detail = f"The expectation '{expects[:80]}' cannot be met; only 100-continue can."
            body: bytes | Refusal = Refusal(status=HTTPStatus.EXPECTATION_FAILED, kind="malformed", detail=detail)
        else:
            body = await read_body(request, headers, limit=place.body_limit, seconds=self.body_seconds)
            real = datetime.now(UTC)
        played = self.service.play(place, request.method, headers, body, real)
        if isinstance(played.reply, LiveReply):
            return await self._streamed(request, played.reply, real)
        if played.reply is not None and played.is_plain:
            return self._sent(request, played.reply, place.sandbox.now(real))
        return await self._delivered(request, place, played)

    async def _delivered(self, request: web.BaseRequest, place: Place, played: Played) -> web.StreamResponse:
        """Send a reply to which something happens on its way."""

        def respond(reply: Reply) -> web.Response:
            return self._sent(request, reply, place.sandbox.now(datetime.now(UTC)))

        protocol = request.protocol
        gone = protocol.gone() if isinstance(protocol, Protocol) else asyncio.Event()
        line = Line(request=request, sandbox=place.sandbox, gone=gone, ending=self.ending, respond=respond)
        return await deliver(line, played)

    async def _streamed(self, request: web.BaseRequest, live: LiveReply, at: datetime) -> web.StreamResponse:
        """Send a reply that goes on until the client goes or the server ends."""
        protocol = request.protocol
        gone = protocol.gone() if isinstance(protocol, Protocol) else asyncio.Event()
        response = web.StreamResponse(status=live.status, headers=_fields(live, at))
        return await stream(request, live, response, gone, self.ending)

    def _sent(self, request: web.BaseRequest, reply: Reply, at: datetime) -> web.Response:
        response = _response(reply, at)
        if self.closing or not request.content.is_eof() or request.content.exception() is not None:
            response.force_close()
        return response


class Protocol(RequestHandler):
    """A connection whose unreadable requests are answered with problem documents, and fill no log."""

    __slots__ = ("_gone",)

    def gone(self) -> asyncio.Event:
        """Return what is set when the client gives up, or has done so."""
        self._gone = asyncio.Event()
        if not self.connected:
            self._gone.set()
        return self._gone

    def connection_lost(self, exc: BaseException | None) -> None:
        """Tell whoever waits for it that the client gave up; a request that nobody has taken up yet goes with it."""
        if hasattr(self, "_gone"):
            self._gone.set()
        if self._messages and self._current_request is None and self._task_handler is not None:
            self._task_handler.cancel()  # it would take the request up without a connection, which aiohttp cannot
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take in what arrived; a message that follows an unfinished body means that the body is broken."""
        super().data_received(data)
        request = self._current_request
        if self._messages and request is not None and not request.content.is_eof():
            request.content.set_exception(web.RequestPayloadError("its transfer coding is broken"))

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = HTTPStatus.INTERNAL_SERVER_ERROR,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return the answer to a request that is no HTTP, or that met a fault of ours; the connection ends with it."""
        del message
        if request.writer.output_size > 0:
            raise ConnectionError("An answer has been begun already.")
        if status == HTTPStatus.INTERNAL_SERVER_ERROR:
            _log.error("Internal error while handling a request", exc_info=exc)
        response = _response(problem(_unreadable(status, exc)), datetime.now(UTC))
        response.force_close()
        return response


def _unreadable(status: int, exc: BaseException | None) -> Refusal:
    if isinstance(exc, LineTooLong):
        detail = f"A header field or the request line is longer than {FIELD_BYTES} bytes."
        return Refusal(status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, kind="too-big", detail=detail)
    if status == HTTPStatus.BAD_REQUEST:
        why = str(getattr(exc, "message", "") or exc or "").partition("\n")[0].strip(" :.")
        detail = f"The request is no valid HTTP: {_printable(why[:200]) or 'it cannot be read'}."
        return Refusal(status=status, kind="malformed", detail=detail)
    return Refusal(status=status, kind="fault", detail="Internal error of Bulkproof; see the server's log.")


def _headers(request: web.BaseRequest) -> Headers:
    pairs = [(name, value if value.isascii() else _text(value)) for name, value in request.headers.items()]
    return Headers(pairs)


def _text(value: str) -> str:
    """Return a header's value; bytes that are not UTF-8 are read as Latin-1."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogateescape").decode("latin-1")
    return value


def _response(reply: Reply, at: datetime) -> web.Response:
    return web.Response(status=reply.status, headers=_fields(reply, at), body=reply.body)


def _fields(reply: Reply, at: datetime) -> list[tuple[str, Any]]:
    fields: list[tuple[str, Any]] = [
        (name, value if value.isprintable() else _printable(value)) for name, value in reply.headers.pairs
    ]
    fields.append(("Date", _http_date(int(at.timestamp()))))
    fields.append(("Server", SERVER))
    return fields


def _printable(value: str) -> str:
    return _CONTROLS.sub(" ", value).encode("utf-8", "replace").decode()


@lru_cache(maxsize=16)
def _http_date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)

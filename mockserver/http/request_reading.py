"""Read a request: its target (`read_target`), and its body, limited in size and time, decoded (`read_body`).

Targets follow RFC 9112, section 3.2; content codings RFC 9110, section 8.4.1.
"""

import asyncio
import re
import zlib
from dataclasses import replace
from http import HTTPStatus
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import quote, unquote_plus, unquote_to_bytes

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestPayloadError
from aiohttp.web_request import BaseRequest

from contracts.messages import Headers, Request
from mockserver.api.model import Refusal

CONTROL_PATH: Final = "/_sandbox"
METRICS_PATH: Final = "/metrics"
SANDBOXES_PATH: Final = f"{CONTROL_PATH}/sandboxes"
SNAPSHOT_PATH: Final = re.compile(f"{SANDBOXES_PATH}/[^/]+/snapshot")
MAX_SNAPSHOT_BYTES: Final = 64 * 1024 * 1024  # of a snapshot that is put: some 300,000 records, read in one go
SNAPSHOT_TOO_BIG: Final = (
    f"A snapshot of more than {MAX_SNAPSHOT_BYTES // 1024**2} MiB cannot be put. Start a server with it: "
    "bulkproof serve --snapshot FILE."
)
BODY_TIMEOUT_SECONDS: Final = 30.0  # a body that takes longer to arrive is given up
CONTENT_CODINGS: Final = ("gzip", "deflate")
_UTF_8: Final = frozenset(("utf-8", "utf8", "us-ascii", "ascii"))
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)
_GZIP_OR_ZLIB: Final = 47  # zlib's number for: look at the header which of the two it is
BodyResult: TypeAlias = bytes | Refusal


def is_control_path(path: str) -> bool:
    """Tell whether a path is the control API's."""
    return path == METRICS_PATH or (
        path.startswith(CONTROL_PATH) and path[len(CONTROL_PATH) : len(CONTROL_PATH) + 1] in {"", "/"}
    )


class IncomingCall(NamedTuple):
    """A call of an API by its name: the request, and why it could not be read, None when it could."""

    api: str
    request: Request
    refusal: Refusal | None


async def read_body(
    request: BaseRequest, headers: Headers, *, limit: int, seconds: float = BODY_TIMEOUT_SECONDS
) -> BodyResult:
    """Return the body decoded to UTF-8, at most `limit` bytes, or a Refusal: too large, too slow, not decodable."""
    content = request.content
    if content.is_eof() and content.exception() is None and "Content-Encoding" not in headers:
        return arrived_body(content, headers, limit)
    length = request.content_length
    if length is not None and length > limit:
        return _too_big(limit)
    received = await _received(request, headers, limit, seconds)
    return received if isinstance(received, Refusal) else _decoded_body(headers, received, limit)


def arrived_body(content: StreamReader, headers: Headers, limit: int) -> BodyResult:
    """Return a body without a content coding that has arrived whole, as `read_body` does."""
    body = content.read_nowait(-1)
    return _too_big(limit) if len(body) > limit else _as_utf_8(headers.get("Content-Type"), body)


async def _received(request: BaseRequest, headers: Headers, limit: int, seconds: float) -> BodyResult:
    content, expects = request.content, headers.get("Expect")
    if expects.lower() == "100-continue" and not content.is_eof():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0
    try:
        async with asyncio.timeout(seconds):
            return await _gathered(content, limit)
    except TimeoutError:
        detail = f"The body did not arrive within {seconds:g} seconds."
        return Refusal(status=HTTPStatus.REQUEST_TIMEOUT, kind="too-slow", detail=detail)
    except (RequestPayloadError, HttpProcessingError, OSError) as error:
        content.feed_eof()
        return _malformed(f"The body did not arrive whole: {_first_line(error)}.")
    except RuntimeError as error:  # aiohttp's word for a connection that ended before the request was taken up
        if request.protocol.connected:
            raise
        content.feed_eof()
        return _malformed(f"The body did not arrive whole: {_first_line(error)}.")


async def _gathered(content: StreamReader, limit: int) -> BodyResult:
    chunks, size = [], 0
    while chunk := await content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            return _too_big(limit)
    return b"".join(chunks)


def _decoded_body(headers: Headers, body: bytes, limit: int) -> BodyResult:
    for coding in reversed(headers.get("Content-Encoding").lower().split(",")):
        name = coding.strip()
        if name in {"", "identity"} or not body:
            continue
        if name.removeprefix("x-") not in CONTENT_CODINGS:
            return _unknown_coding(name)
        inflated = _inflated(body, limit)
        if isinstance(inflated, Refusal):
            return inflated
        body = inflated
    return _as_utf_8(headers.get("Content-Type"), body)


def _inflated(body: bytes, limit: int) -> BodyResult:
    raw = not (body.startswith(b"\x1f\x8b") or (body[0] & 0x0F == zlib.DEFLATED and int.from_bytes(body[:2]) % 31 == 0))
    parts, size = [], 0
    try:
        while body:
            inflater = zlib.decompressobj(-zlib.MAX_WBITS if raw else _GZIP_OR_ZLIB)
            parts.append(inflater.decompress(body, limit + 1 - size))
            size += len(parts[-1])
            if size > limit:
                return _too_big(limit)
            if not inflater.eof:
                return _malformed("The compressed body ends too early.")
            body = inflater.unused_data
    except zlib.error:
        return _malformed("The body is not compressed as its Content-Encoding says.")
    return b"".join(parts)


def _as_utf_8(content_type: str, body: bytes) -> BodyResult:
    if "charset" not in content_type.lower() or not body:
        return body
    found = _CHARSET.search(content_type)
    if found is None or found[1].lower() in _UTF_8:
        return body
    detail = f"The charset '{found[1][:40]}' is not read; send UTF-8."
    return Refusal(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, kind="charset", detail=detail)


def _too_big(limit: int) -> Refusal:
    detail = f"The body is larger than {limit} bytes, the limit that is set (limits.bodyBytes)."
    return Refusal(status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE, kind="too-big", detail=detail)


def _unknown_coding(name: str) -> Refusal:
    detail = f"The Content-Encoding '{name[:40]}' is not read; send {' or '.join(CONTENT_CODINGS)}, or none."
    headers = Headers((("Accept-Encoding", ", ".join(CONTENT_CODINGS)),))
    return Refusal(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, kind="media-type", detail=detail, headers=headers)


def _malformed(detail: str) -> Refusal:
    return Refusal(status=HTTPStatus.BAD_REQUEST, kind="malformed", detail=detail)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["the connection ended"])[0][:200].rstrip(".:")


_ORIGIN: Final = re.compile(r"https?://[^/?#]*", re.IGNORECASE)
_BAD_ESCAPE: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
SANDBOX_PREFIX: Final = "/@"


class RequestTarget(NamedTuple):
    """A parsed request target.

    `sandbox` is None when the path names none. `fault` describes what is malformed, "" for a valid target; a malformed
    target has no query.
    """

    sandbox: str | None
    path: str
    query: tuple[tuple[str, str], ...] = ()
    fault: str = ""

    @property
    def prefix(self) -> str:
        """Return the part before the API's path: `/@name`, or "" when no sandbox is named."""
        return "" if self.sandbox is None else f"{SANDBOX_PREFIX}{self.sandbox}"


def read_target(raw: str) -> RequestTarget:
    """Parse a request target in origin form or absolute form."""
    if not raw.startswith("/"):
        origin = _ORIGIN.match(raw)
        if origin is None:
            return RequestTarget(None, "/", fault="The request target must be a path that begins with '/'.")
        raw = raw[origin.end() :]
        raw = raw if raw.startswith("/") else f"/{raw}"
    path, mark, query = raw.partition("#")[0].partition("?")
    sandbox = None
    if path.startswith(SANDBOX_PREFIX):
        sandbox, _, path = path[len(SANDBOX_PREFIX) :].partition("/")
        path = f"/{path}"
    if raw.isascii() and "%" not in raw:
        return RequestTarget(sandbox, path, _pairs(query) if mark else ())
    return _encoded(sandbox, path, query)


def _encoded(sandbox: str | None, path: str, query: str) -> RequestTarget:
    if not (path.isascii() and query.isascii()):
        encoded = quote(path, safe="/%", errors="replace")
        return RequestTarget(
            sandbox, encoded, fault="The request target must be ASCII; percent-encode other characters."
        )
    bad = _BAD_ESCAPE.search(path) or _BAD_ESCAPE.search(query)
    if bad is not None:
        after = bad.string[bad.start() : bad.start() + 3]
        return RequestTarget(
            sandbox, path, fault=f"'{after}' in the request target is no percent-encoded byte; write % as %25."
        )
    try:
        unquote_to_bytes(path).decode()
        return RequestTarget(sandbox, path, _pairs(query) if query else ())
    except UnicodeDecodeError:
        return RequestTarget(sandbox, path, fault="The request target's percent-encoded bytes are not UTF-8.")


def _pairs(query: str) -> tuple[tuple[str, str], ...]:
    pairs = (part.partition("=") for part in query.split("&") if part)
    return tuple([(_decoded(name), _decoded(value)) for name, _, value in pairs])


def _decoded(text: str) -> str:
    return unquote_plus(text, errors="strict") if "%" in text or "+" in text else text


def incoming_call(
    api: str, target: RequestTarget, method: str, headers: Headers, body: BodyResult, *, prefix: str, scheme: str
) -> IncomingCall:
    """Return a call of an API; it is refused where its target or its body could not be read."""
    refusal = body if isinstance(body, Refusal) else None
    if refusal is not None and refusal.kind == "too-big" and SNAPSHOT_PATH.fullmatch(target.path):
        refusal = replace(refusal, detail=SNAPSHOT_TOO_BIG)
    if target.fault:
        refusal = Refusal(status=HTTPStatus.BAD_REQUEST, kind="malformed", detail=target.fault)
    request = Request(
        method=method,
        path=target.path,
        query=target.query,
        headers=headers,
        body=b"" if isinstance(body, Refusal) else body,
        prefix=prefix,
        scheme=scheme,
    )
    return IncomingCall(api, request, refusal)

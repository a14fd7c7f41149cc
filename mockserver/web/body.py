"""Reading the body of a request: bounded in size and time, inflated, UTF-8; or the refusal that says why not."""

import asyncio
import re
import zlib
from http import HTTPStatus
from typing import Final, TypeAlias

from aiohttp import StreamReader
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web import BaseRequest, RequestPayloadError

from contracts.messages import Headers
from mockserver.turn import Refusal

SECONDS: Final = 30.0  # a body that takes longer to arrive is given up
ENCODINGS: Final = ("gzip", "deflate")
_UTF_8: Final = frozenset(("utf-8", "utf8", "us-ascii", "ascii"))
_CHARSET: Final = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]*)", re.IGNORECASE)
_GZIP_OR_ZLIB: Final = 47  # zlib's number for: look at the header which of the two it is
Read: TypeAlias = bytes | Refusal


async def read_body(request: BaseRequest, headers: Headers, *, limit: int, seconds: float = SECONDS) -> Read:
    """Return the body, at most `limit` bytes once inflated, or why there is none to be had."""
    content = request.content
    if content.is_eof() and content.exception() is None and "Content-Encoding" not in headers:
        body = content.read_nowait(-1)
        return _too_big(limit) if len(body) > limit else _in_utf_8(headers.get("Content-Type"), body)
    length = request.content_length
    if length is not None and length > limit:
        return _too_big(limit)
    received = await _received(request, headers, limit, seconds)
    return received if isinstance(received, Refusal) else _plain(headers, received, limit)


async def _received(request: BaseRequest, headers: Headers, limit: int, seconds: float) -> Read:
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


async def _gathered(content: StreamReader, limit: int) -> Read:
    chunks, size = [], 0
    while chunk := await content.readany():
        chunks.append(chunk)
        size += len(chunk)
        if size > limit:
            return _too_big(limit)
    return b"".join(chunks)


def _plain(headers: Headers, body: bytes, limit: int) -> Read:
    for coding in reversed(headers.get("Content-Encoding").lower().split(",")):
        name = coding.strip()
        if name in {"", "identity"} or not body:
            continue
        if name.removeprefix("x-") not in ENCODINGS:
            return _unknown_coding(name)
        inflated = _inflated(body, limit)
        if isinstance(inflated, Refusal):
            return inflated
        body = inflated
    return _in_utf_8(headers.get("Content-Type"), body)


def _inflated(body: bytes, limit: int) -> Read:
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


def _in_utf_8(content_type: str, body: bytes) -> Read:
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
    detail = f"The Content-Encoding '{name[:40]}' is not read; send {' or '.join(ENCODINGS)}, or none."
    headers = Headers((("Accept-Encoding", ", ".join(ENCODINGS)),))
    return Refusal(status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE, kind="media-type", detail=detail, headers=headers)


def _malformed(detail: str) -> Refusal:
    return Refusal(status=HTTPStatus.BAD_REQUEST, kind="malformed", detail=detail)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or ["the connection ended"])[0][:200].rstrip(".:")


__all__ = ["SECONDS", "read_body"]

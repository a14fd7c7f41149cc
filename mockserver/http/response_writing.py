"""Write responses: as aiohttp's, or as the bytes that aiohttp would write (`whole_message`)."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from aiohttp.web_response import REASON_PHRASES
from aiohttp.web_response import Response as AiohttpResponse

from contracts.messages import Response
from mockserver import VERSION

SERVER_FIELD: Final = f"bulkproof/{VERSION}"
BODILESS_METHODS: Final = frozenset(("HEAD", "CONNECT"))
BODILESS_STATUSES: Final = frozenset((204, 304, *range(100, 200)))
FRAMING_FIELDS: Final = ("Content-Length", "Transfer-Encoding", "Connection")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]+")


def outgoing_response(response: Response, at: datetime) -> AiohttpResponse:
    """Return a response as aiohttp's; `at` is the time in its field `Date`."""
    return AiohttpResponse(status=response.status, headers=response_fields(response, at), body=response.body)


def response_fields(response: Response, at: datetime) -> list[tuple[str, str]]:
    """Return the header fields of a response, with what every response has."""
    return [
        *(
            (name, value if value.isprintable() else printable(value))
            for name, value in response.headers.pairs
            if name.isprintable()
        ),
        ("Date", _http_date(int(at.timestamp()))),
        ("Server", SERVER_FIELD),
    ]


def whole_message(method: str, response: Response, at: datetime) -> bytes | None:
    """Return the bytes of a response, as aiohttp writes them; None for one that it frames in another way."""
    headers, body = response.headers, response.body
    plain = method not in BODILESS_METHODS and response.status not in BODILESS_STATUSES
    if not plain or any(name in headers for name in FRAMING_FIELDS) or (body and "Content-Type" not in headers):
        return None
    lines = [f"{name}: {value}\r\n" for name, value in response_fields(response, at)]
    text = f"{_status_line(response.status)}{''.join(lines)}Content-Length: {len(body)}\r\n\r\n"
    return text.encode() + body


@lru_cache(maxsize=128)
def _status_line(status: int) -> str:
    return f"HTTP/1.1 {status} {REASON_PHRASES.get(status, '')}\r\n"


def printable(value: str) -> str:
    """Return a text that can stand in a header field."""
    return _CONTROLS.sub(" ", value).encode("utf-8", "replace").decode()


@lru_cache(maxsize=16)
def _http_date(seconds: int) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)

"""HTTP messages as values: `Request`, `Response`, and the `Exchange` of both (RFC 9110)."""

from collections.abc import Iterable, Iterator, KeysView
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import lru_cache
from typing import Final, Literal

import orjson


class Absent(Enum):
    """The type of `ABSENT`: there is no JSON value, which differs from `null`."""

    ABSENT = "absent"

    def __bool__(self) -> Literal[False]:
        return False


ABSENT: Final = Absent.ABSENT
FORM_MEDIA_TYPE: Final = "application/x-www-form-urlencoded"
MULTIPART_MEDIA_TYPE: Final = "multipart/form-data"
RETRY_LATER: Final = frozenset((429, 503))  # statuses that with Retry-After refuse a request for now


class Headers:
    """HTTP header fields in order; names are compared without regard to case (RFC 9110, 5.1). Immutable."""

    __slots__ = ("_first", "pairs")

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self.pairs: Final = tuple(pairs)
        first: dict[str, str] = {}
        for name, value in self.pairs:
            first.setdefault(name.lower(), value)
        self._first: Final = first

    def get(self, name: str, default: str = "") -> str:
        """Return the first value of `name`, or `default`."""
        return self._first.get(name.lower(), default)

    def get_all(self, name: str) -> tuple[str, ...]:
        """Return every value of `name` in order."""
        folded = name.lower()
        return tuple(value for key, value in self.pairs if key.lower() == folded)

    @property
    def names(self) -> KeysView[str]:
        """Return the names, in lower case."""
        return self._first.keys()

    def with_(self, *pairs: tuple[str, str]) -> "Headers":
        """Return a copy with each given field; earlier fields of the same name are removed."""
        gone = {name.lower() for name, _ in pairs}
        kept = self.pairs if gone.isdisjoint(self._first) else self.without(*gone).pairs
        return Headers((*kept, *pairs))

    def without(self, *names: str) -> "Headers":
        """Return a copy without the fields of these names."""
        gone = {name.lower() for name in names}
        return Headers(pair for pair in self.pairs if pair[0].lower() not in gone)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._first

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.pairs == other.pairs

    def __hash__(self) -> int:
        return hash(self.pairs)

    def __repr__(self) -> str:
        return f"Headers({list(self.pairs)!r})"


def essence(content_type: str) -> str:
    """Return the essence of a media type (WHATWG MIME Sniffing): `Text/CSV; charset=x` gives `text/csv`."""
    return content_type.partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """An HTTP request.

    `path` is percent-encoded, begins with `/` and is relative to the API's mount (the server URL of its contract);
    `query` holds decoded pairs in order; `body` is b"" when there is none. `prefix` stood before the mount: `/@name`.
    `scheme` is `http` or `https`.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    prefix: str = ""
    scheme: str = "http"

    def parameter(self, name: str, default: str = "") -> str:
        """Return the first value of the query parameter `name`, or `default`."""
        return next((value for key, value in self.query if key == name), default)

    def with_body(self, body: bytes) -> "Request":
        """Return a copy with another body."""
        return Request(
            method=self.method,
            path=self.path,
            query=self.query,
            headers=self.headers,
            body=body,
            prefix=self.prefix,
            scheme=self.scheme,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An HTTP response. `data` is the JSON value of `body`, `ABSENT` when the body is empty or not JSON."""

    status: int
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""
    data: object = ABSENT

    @classmethod
    def of(
        cls, status: int, data: object, *, media_type: str = "application/json", headers: Headers | None = None
    ) -> "Response":
        """Return a JSON response; `data` is `ABSENT` for one without a body."""
        if data is ABSENT:
            return cls(status=status, headers=headers or Headers())
        given = headers.with_(("Content-Type", media_type)) if headers else _content_type(media_type)
        return cls(status=status, headers=given, body=orjson.dumps(data), data=data)

    @property
    def asks_to_wait(self) -> bool:
        """Whether it refuses a request for now: 429 or 503 with Retry-After (RFC 6585, section 4; RFC 9110, 10.2.3)."""
        return self.status in RETRY_LATER and bool(self.headers.get("Retry-After").strip())

    def with_headers(self, *pairs: tuple[str, str]) -> "Response":
        """Return a copy with each given header field; earlier fields of the same name are removed."""
        return Response(status=self.status, headers=self.headers.with_(*pairs), body=self.body, data=self.data)


@lru_cache(maxsize=256)
def _content_type(media_type: str) -> Headers:
    return Headers((("Content-Type", media_type),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A request with its response, numbered from 1 in order of arrival; `operation` is None when no path matched."""

    n: int
    at: datetime
    api: str
    operation: str | None
    request: Request
    response: Response


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeHistory:
    """Exchanges with one implementation, in the order of their requests."""

    exchanges: tuple[Exchange, ...] = ()

"""How single values are written in a snapshot, and read: instants, durations, bytes, numbers that JSON has not.

Begin with `FORMS`. What cannot be written or read is a `SnapshotError`, with its place.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from math import isfinite
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from contracts.errors import MisuseError
from contracts.messages import ABSENT, Absent, Response
from contracts.syntax.text import format_duration, parse_duration, short, type_name, with_article


class SnapshotError(MisuseError):
    """A snapshot that cannot be written or restored; `where` is a JSON Pointer into it."""


NONE_TYPE: Final = type(None)
SCALARS: Final = frozenset((str, int, float, bool, NONE_TYPE))
INT64: Final = range(-(2**63), 2**64)
FIRST_INSTANT: Final = datetime(1000, 1, 1, tzinfo=UTC)
LAST_INSTANT: Final = datetime(9500, 1, 1, tzinfo=UTC)  # a clock ends in 9000, and what begins then may last a century
LARGEST: Final = 2**53 - 1  # of what is counted
LONGEST: Final = timedelta(days=100_000)
STATUSES: Final = range(200, 600)
FIELD_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, section 5.6.2
Read: TypeAlias = Callable[[Any], Any]
Content: TypeAlias = Callable[[bytes], Any]


class Form(NamedTuple):
    """How values of a class are written; `tag` says which it is where no annotation does. `read` raises ValueError."""

    tag: str
    write: Callable[[Any], Any]
    read: Read
    meant: str


@lru_cache(maxsize=4096)
def instant_text(at: datetime) -> str:
    """Return an instant as RFC 3339 text. Raises ValueError for one without a time zone."""
    text = at.isoformat()
    if at.tzinfo is None:
        raise ValueError(f"the instant {text} has no time zone")
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


@lru_cache(maxsize=4096)
def instant_of(text: str) -> datetime:
    """Return the instant of RFC 3339 text. Raises ValueError."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(text)
    return at


def require_in_range(value: object, at: str) -> None:
    """Require that instants and numbers can be counted on from, and durations added. Raises SnapshotError."""
    if isinstance(value, datetime) and not FIRST_INSTANT <= value <= LAST_INSTANT:
        raise SnapshotError("it must be an instant of the years 1000 to 9499.", where=at)
    if isinstance(value, int) and abs(value) > LARGEST:
        raise SnapshotError(f"it must be a number of at most {LARGEST}.", where=at)
    if isinstance(value, timedelta) and abs(value) > LONGEST:
        raise SnapshotError(f"it must be a duration of at most {LONGEST.days} days.", where=at)


def require_sendable(response: Response, at: str) -> None:
    """Require that a response can be sent: a status from 200 to 599, fields on one line. Raises SnapshotError."""
    if response.status not in STATUSES:
        raise SnapshotError(f"it must be a status code from 200 to 599, not {response.status}.", where=f"{at}/status")
    for name, value in response.headers.pairs:
        if not FIELD_NAME.fullmatch(name) or not value.isprintable() or not is_json_scalar(value):
            raise SnapshotError(f"{short(f'{name}: {value}')} is no header field.", where=f"{at}/headers")


def _duration_text(length: timedelta) -> str:
    return f"-{format_duration(-length)}" if length < timedelta(0) else format_duration(length)


def _duration(text: str) -> timedelta:
    return -parse_duration(text[1:]) if text.startswith("-") else parse_duration(text)


def _base64(content: bytes) -> str:
    return b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return b64decode(text, validate=True)


def content_form(content: bytes) -> dict[str, Any]:
    """Return bytes as `json` where they are JSON that is written the same again, else as `text`, else as `base64`."""
    if not content:
        return {"text": ""}
    try:
        value = orjson.loads(content)
        if orjson.dumps(value) == content:
            return {"json": value}
    except ValueError:
        pass
    return quick_content_form(content)


def quick_content_form(content: bytes) -> dict[str, Any]:
    """Return bytes as `text`, else as `base64`: in a twentieth of the time, for what nobody reads."""
    try:
        return {"text": content.decode()}
    except ValueError:
        return {"base64": _base64(content)}


def content_of(form: Mapping[str, Any]) -> bytes:
    """Return the bytes of a form. Raises ValueError."""
    ((kind, value),) = form.items()
    if kind == "json":
        return orjson.dumps(value)
    if kind == "text":
        return str(value).encode()
    if kind == "base64":
        return _bytes(value)
    raise ValueError(kind)


FORMS: Final[Mapping[type, Form]] = {
    Absent: Form("$absent", lambda _: True, lambda _: ABSENT, "true"),
    bytes: Form("$bytes", content_form, content_of, "an object with the member json, text or base64"),
    datetime: Form("$instant", instant_text, instant_of, "an instant such as 2026-01-01T00:00:00Z"),
    Decimal: Form("$decimal", str, Decimal, "a decimal number as a string"),
    float: Form("$float", repr, float, "inf, -inf or nan"),
    int: Form("$integer", str, int, "an integer as a string"),
    str: Form(
        "$text",
        lambda text: _base64(text.encode("utf-8", "surrogatepass")),
        lambda text: _bytes(text).decode("utf-8", "surrogatepass"),
        "text as UTF-8 in base64",
    ),
    timedelta: Form("$duration", _duration_text, _duration, "a duration such as PT5M"),
}


def write_form(value: Any, form: Form, at: str) -> Any:
    """Return how a value is written; `at` is its place. Raises SnapshotError."""
    try:
        return form.write(value)
    except ValueError as error:
        raise SnapshotError(f"{error}.", where=at) from None


def read_form(data: Any, form: Form, at: str, *, is_own: bool = True) -> Any:
    """Return the value that is written in a form, of another's document one in range. Raises SnapshotError."""
    try:
        value = form.read(data)
    except (ArithmeticError, AttributeError, TypeError, ValueError):
        raise wrong(data, form.meant, at) from None
    if not is_own:
        require_in_range(value, at)
    return value


def is_json_scalar(value: Any) -> bool:
    """Tell whether a text or a number can be written as JSON: no lone surrogate, infinity or huge integer."""
    if type(value) is str:
        return value.isascii() or not any("\ud800" <= one <= "\udfff" for one in value)
    if type(value) is int:
        return value in INT64
    return type(value) is not float or isfinite(value)


def wrong(data: Any, meant: str, at: str) -> SnapshotError:
    """Return the error that a place must have something else."""
    got = with_article(type_name(data)) if isinstance(data, dict | list) else short(data)
    return SnapshotError(f"it must be {meant}, not {got}.", where=at)


def unwritable(value: object, at: str) -> SnapshotError:
    """Return the error that a value has no written form."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    cure = "Keep JSON values, tuples, sets, bytes and instants, or name its class in the Api's `memory_types`."
    return SnapshotError(f"a value of {kind} cannot be written.", where=at, cure=cure)

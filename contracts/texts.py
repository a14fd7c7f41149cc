"""Short renderings of JSON values for sentences."""

from collections.abc import Iterable
from typing import Final

import orjson

DIGITS: Final = 20  # of the largest number of 64 bits; Python itself refuses to read more than a few thousand
MAX: Final = 80  # characters; a rendering never carries a whole body
TYPES: Final = ((bool, "boolean"), (str, "string"), (int, "integer"), (float, "number"), (dict, "object"))


def whole(text: str) -> int | None:
    """Return the number that ASCII digits write, None for any other text and for more than 20 digits."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= DIGITS else None


def type_name(value: object) -> str:
    """Return JSON Schema's name for the type of a JSON value."""
    if value is None:
        return "null"
    return next((name for kind, name in TYPES if isinstance(value, kind)), "array")


def short(value: object) -> str:
    """Return a JSON value as text of at most 80 characters; arrays and objects only by their size."""
    if isinstance(value, dict):
        return f"an object of {_count(len(value), 'member')}"
    if isinstance(value, list | tuple):
        return f"an array of {_count(len(value), 'element')}"
    if isinstance(value, str):
        return _quoted(value)
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else orjson.dumps(value).decode()


def listed(words: Iterable[str], joint: str = "and") -> str:
    """Return `a, b and c`."""
    *first, last = [*words] or [""]
    return f"{', '.join(first)} {joint} {last}" if first else last


def clipped(text: str, limit: int = MAX) -> str:
    """Return at most `limit` characters of a text, an ellipsis at its end when it was cut."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def _quoted(text: str) -> str:
    body = orjson.dumps(text[:MAX].encode("utf-8", "replace").decode()).decode()
    return body if len(body) <= MAX and len(text) <= MAX else f'{body[: MAX - 2].rstrip(chr(92))}…"'


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"

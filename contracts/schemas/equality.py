"""Compare JSON values: `equal` as JSON Schema does, `equivalent` also across spellings of one value.

A server may return a value in another spelling than it received: `+00:00` for `Z` (RFC 3339), `PT60M` for `PT1H` (RFC
3339, appendix A), a URI with its host in lower case (RFC 3986, section 6.2.2), a UUID in upper case (RFC 9562).
"""

import re
from collections.abc import Callable, Hashable, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from ipaddress import IPv6Address
from typing import Final
from urllib.parse import urlsplit

from contracts.messages import ABSENT
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import pointer_of

DAY_S: Final = 86_400
TIME_OF_DAY: Final = r"(\d\d):(\d\d):(\d\d(?:[.]\d+)?)(?:([Zz])|([+-])(\d\d):(\d\d))"
TIME: Final = re.compile(TIME_OF_DAY)
DATE_TIME: Final = re.compile(rf"(\d{{4}}-\d\d-\d\d)[Tt ]{TIME_OF_DAY}")
DURATION: Final = re.compile(
    r"P(?:(\d+)W|(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:[.]\d+)?)S)?)?)"
)
ESCAPED: Final = re.compile(r"%([0-9A-Fa-f]{2})")
UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
PORTS: Final = {"http": 80, "https": 443}


def equal(one: object, other: object) -> bool:
    """Say whether two JSON values are equal: `1` equals `1.0`, `true` does not equal `1`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def equivalent(schema: Schema | None, one: object, other: object) -> bool:
    """Say whether two instances of a schema are equal, or spellings of the same value by their `format`.

    ABSENT equals null. Without a schema the values must be equal.
    """
    one, other = (None if value is ABSENT else value for value in (one, other))
    if equal(one, other):
        return True
    if schema is None:
        return False
    if isinstance(one, str) and isinstance(other, str):
        return any(_is_same_text(form.raw.get("format"), one, other) for form in schema.forms())
    if isinstance(one, dict) and isinstance(other, dict):
        names = one.keys() | other.keys()
        return all(equivalent(schema.member(name), one.get(name), other.get(name)) for name in names)
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        items = schema.items()
        return all(equivalent(items, *pair) for pair in zip(one, other, strict=True))
    return False


def difference_at(schema: Schema | None, one: object, other: object) -> str:
    """Return the JSON Pointer of the one declared member in which two values differ, `*` for elements; else ""."""
    inner: set[str] = set()
    if schema is not None and isinstance(one, dict) and isinstance(other, dict):
        for name in one.keys() | other.keys():
            pair, member = (one.get(name), other.get(name)), schema.member(name)
            if not equivalent(member, *pair):
                inner.add(f"{pointer_of((name,))}{difference_at(member, *pair)}" if name in schema.members() else "")
    elif schema is not None and isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        items = schema.items()
        inner = {
            f"/*{difference_at(items, *pair)}" for pair in zip(one, other, strict=True) if not equivalent(items, *pair)
        }
    return inner.pop() if len(inner) == 1 else ""


def _is_same_text(named: object, one: str, other: str) -> bool:
    meaning = CANONICAL_VALUES.get(named) if isinstance(named, str) else None
    if meaning is None:
        return False
    try:
        return meaning(one) == meaning(other)
    except ValueError:
        return False


def _instant(text: str) -> Hashable:
    found = DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day = datetime.strptime(found[1], "%Y-%m-%d").replace(tzinfo=UTC)
    return day.toordinal() * DAY_S + _seconds(found.groups()[1:])


def _time_of_day(text: str) -> Hashable:
    found = TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return _seconds(found.groups()) % DAY_S


def _seconds(clock: tuple[str | None, ...]) -> Fraction:
    """Return the seconds since midnight UTC of the groups of `TIME_OF_DAY`; a leap second counts as one more."""
    hour, minute, second, _, sign, *offset = clock
    hours, minutes = (int(part or 0) for part in offset)
    ahead = (hours * 60 + minutes) * (-60 if sign == "-" else 60)
    return int(hour or 0) * 3600 + int(minute or 0) * 60 + Fraction(second or 0) - ahead


def _duration(text: str) -> Hashable:
    """Return a duration as months and seconds: a year has 12 months, a day 24 hours; months have no fixed length."""
    found = DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise ValueError(text)
    weeks, years, months, days, hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    return years * 12 + months, (weeks * 7 + days) * DAY_S + hours * 3600 + minutes * 60 + seconds


def _uri(text: str) -> Hashable:
    parts = urlsplit(text)
    host, port = (parts.hostname or "").lower(), parts.port
    user = parts.netloc.rpartition("@")[0]
    path = _without_dots(_unescaped(parts.path)) if parts.netloc else _unescaped(parts.path)
    return (
        parts.scheme.lower(),
        user,
        host,
        None if port == PORTS.get(parts.scheme.lower()) else port,
        path or ("/" if parts.netloc else ""),
        _unescaped(parts.query),
        _unescaped(parts.fragment),
        "?" in text,
        "#" in text,
    )


def _unescaped(text: str) -> str:
    """Return a part of a URI with unreserved characters decoded, and other escapes in upper case."""

    def plain(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return character if character in UNRESERVED else found[0].upper()

    return ESCAPED.sub(plain, text)


def _without_dots(path: str) -> str:
    """Return an absolute path without `.` and `..` (RFC 3986, section 5.2.4)."""
    kept: list[str] = []
    *inner, last = path.split("/")[1:] or [""]
    for part in (*inner, last):
        if part == "..":
            kept = kept[:-1]
        elif part != ".":
            kept.append(part)
    ends = "/" if last in {".", ".."} and kept else ""
    return "/" + "/".join(kept) + ends


CANONICAL_VALUES: Final[Mapping[str, Callable[[str], Hashable]]] = {
    "date-time": _instant,
    "duration": _duration,
    "hostname": str.lower,
    "ipv6": IPv6Address,
    "iri": _uri,
    "iri-reference": _uri,
    "time": _time_of_day,
    "uri": _uri,
    "uri-reference": _uri,
    "uuid": str.lower,
}
"""Functions from a string to a value that its spellings share, by `format`; ValueError for a string not of the format.
"""

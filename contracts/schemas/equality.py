"""Compare JSON values: `equal` as JSON Schema does, `equivalent` also across spellings of one value.

A server may return a value in another spelling than it received: `+00:00` for `Z` (RFC 3339), `PT60M` for `PT1H` (RFC
3339, appendix A), a URI with its host in lower case (RFC 3986, section 6.2.2), a UUID in upper case (RFC 9562), `1.0`
for `1`. `canonical` gives all spellings of a value one form, `declared_part` and `stored_part` without what no schema
declares, `key_text` that of a key.
"""

import re
from collections.abc import Callable, Iterable, Mapping
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
UUID_TEXT: Final = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
UUID_SIZE: Final = 36
MAX_EXACT: Final = 2.0**53  # above it a double is not one integer alone


def equal(one: object, other: object) -> bool:
    """Say whether two JSON values are equal: `1` equals `1.0`, `true` does not equal `1`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and one == other


def equivalent(schema: Schema | None, one: object, other: object) -> bool:
    """Say whether two instances of a schema are equal, or spellings of the same value by their `format`.

    ABSENT equals null. Without a schema the values must be equal. Of an object whose members are declared only those
    count that both sides may send: none that is `readOnly` or `writeOnly`, and none that is not declared.
    """
    one, other = (None if value is ABSENT else value for value in (one, other))
    if equal(one, other):
        return True
    if schema is None:
        return False
    if isinstance(one, str) and isinstance(other, str):
        return equal(canonical(schema, one), canonical(schema, other))
    if isinstance(one, dict) and isinstance(other, dict):
        known = _shared_members(schema, one.keys() | other.keys())
        return all(equivalent(inner, one.get(name), other.get(name)) for name, inner in known.items())
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        items = schema.items()
        return all(equivalent(items, *pair) for pair in zip(one, other, strict=True))
    return False


def difference_at(schema: Schema | None, one: object, other: object) -> str:
    """Return the JSON Pointer of the one declared member in which two values differ, `*` for elements; else ""."""
    inner: set[str] = set()
    if schema is not None and isinstance(one, dict) and isinstance(other, dict):
        for name, member in _shared_members(schema, one.keys() | other.keys()).items():
            pair = one.get(name), other.get(name)
            if not equivalent(member, *pair):
                inner.add(f"{pointer_of((name,))}{difference_at(member, *pair)}" if name in schema.members() else "")
    elif schema is not None and isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        items = schema.items()
        inner = {
            f"/*{difference_at(items, *pair)}" for pair in zip(one, other, strict=True) if not equivalent(items, *pair)
        }
    return inner.pop() if len(inner) == 1 else ""


def _members(schema: Schema, names: Iterable[str]) -> dict[str, Schema | None]:
    """Return the schemas of the declared ones among the names of members; all of them where none is declared."""
    found = {name: schema.member(name) for name in names}
    return {name: one for name, one in found.items() if one is not None} if schema.members() else found


def _shared_members(schema: Schema, names: Iterable[str]) -> dict[str, Schema | None]:
    """Return the schemas of those members that both sides may send."""
    return {
        name: one
        for name, one in _members(schema, names).items()
        if one is None or not (one.raw.get("readOnly") or one.raw.get("writeOnly"))
    }


def canonical(schema: Schema | None, value: object) -> object:
    """Return an instance of a schema with every text in the canonical spelling of its `format`, and `1` for `1.0`."""
    if isinstance(value, dict):
        return {name: canonical(None if schema is None else schema.member(name), one) for name, one in value.items()}
    if isinstance(value, list):
        items = None if schema is None else schema.items()
        return [canonical(items, one) for one in value]
    if isinstance(value, str):
        return value if schema is None else _canonical_text(schema, value)
    return with_integers(value) if isinstance(value, float) else value


def _canonical_text(schema: Schema, text: str) -> str:
    for form in schema.forms():
        named = form.raw.get("format")
        meaning = CANONICAL_VALUES.get(named) if isinstance(named, str) else None
        try:
            if meaning is not None:
                return str(meaning(text))
        except ValueError:
            continue
    return text


def declared_part(schema: Schema | None, value: object, *, is_ordered: bool = True) -> object:
    """Return the canonical form of what a schema declares of an answer, null for what it says nothing of.

    Unless it `is_ordered` the order of elements does not count.
    """
    return _declared((schema,) if schema is not None else (), value, is_ordered=is_ordered)


def _declared(schemas: tuple[Schema, ...], value: object, *, is_ordered: bool) -> object:
    """Return the canonical form of what any of the schemas declares; a member may stand in several of them."""
    if not schemas:
        return None
    if isinstance(value, dict):
        inner = {name: tuple(one for schema in schemas for one in schema.declarations(name)) for name in sorted(value)}
        if any(schema.members() for schema in schemas):
            inner = {name: some for name, some in inner.items() if some}
        return {name: _declared(some, value[name], is_ordered=is_ordered) for name, some in inner.items()}
    if isinstance(value, list):
        items = tuple(one for schema in schemas if (one := schema.items()) is not None)
        found = [_declared(items, one, is_ordered=is_ordered) for one in value]
        return found if is_ordered else sorted(found, key=repr)
    return canonical(schemas[0], value)


def stored_part(schema: Schema | None, value: object) -> object:
    """Return the canonical form of what clients have written of a record, or of a part of one.

    Members that are not declared beside declared ones, and those that are `readOnly`, are left out at any depth.
    """
    if schema is None:
        return canonical(None, value)
    if isinstance(value, dict):
        known = _members(schema, value)
        written = {name: one for name, one in known.items() if one is None or not one.raw.get("readOnly")}
        return {name: stored_part(inner, value[name]) for name, inner in written.items()}
    if isinstance(value, list):
        return [stored_part(schema.items(), one) for one in value]
    return canonical(schema, value)


def has_spellings(schema: Schema) -> bool:
    """Say whether a text of this schema may have several spellings."""
    return any(form.raw.get("format") in CANONICAL_VALUES for form in schema.forms())


def with_integers(value: object) -> object:
    """Return a JSON value in which integers are integers, also where they were written as `1.0` or `1e0`."""
    if isinstance(value, dict):
        return {name: with_integers(one) for name, one in value.items()}
    if isinstance(value, list):
        return [with_integers(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < MAX_EXACT else value


def key_text(key: object) -> str:
    """Return a record's key, or an item's, as text in its canonical spelling: a UUID in lower case, `7` for `7.0`."""
    if type(key) is str and len(key) != UUID_SIZE:
        return key
    text = str(with_integers(key) if isinstance(key, float) else key)
    return text.lower() if len(text) == UUID_SIZE and UUID_TEXT.fullmatch(text) else text


def _instant(text: str) -> str:
    found = DATE_TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day = datetime.strptime(found[1], "%Y-%m-%d").replace(tzinfo=UTC)
    return f"{day.toordinal() * DAY_S + _seconds(found.groups()[1:])} s"


def _time_of_day(text: str) -> str:
    found = TIME.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return f"{_seconds(found.groups()) % DAY_S} s"


def _seconds(clock: tuple[str | None, ...]) -> Fraction:
    """Return the seconds since midnight UTC of the groups of `TIME_OF_DAY`; a leap second counts as one more."""
    hour, minute, second, _, sign, *offset = clock
    hours, minutes = (int(part or 0) for part in offset)
    ahead = (hours * 60 + minutes) * (-60 if sign == "-" else 60)
    return int(hour or 0) * 3600 + int(minute or 0) * 60 + Fraction(second or 0) - ahead


def _duration(text: str) -> str:
    """Return a duration as months and seconds: a year has 12 months, a day 24 hours; months have no fixed length."""
    found = DURATION.fullmatch(text)
    if found is None or text.endswith(("P", "T")):
        raise ValueError(text)
    weeks, years, months, days, hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    return f"{years * 12 + months} months {(weeks * 7 + days) * DAY_S + hours * 3600 + minutes * 60 + seconds} s"


def _uri(text: str) -> str:
    parts = urlsplit(text)
    scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower(), parts.port
    user = parts.netloc.rpartition("@")[0]
    at = f"{user}@{host}" if user else host
    authority = at if port in {None, PORTS.get(scheme)} else f"{at}:{port}"
    path = _without_dots(_unescaped(parts.path)) if parts.netloc else _unescaped(parts.path)
    head = f"{scheme}:" if scheme else ""
    head += f"//{authority}{path or '/'}" if parts.netloc else path
    query = f"?{_unescaped(parts.query)}" if "?" in text else ""
    return head + query + (f"#{_unescaped(parts.fragment)}" if "#" in text else "")


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


CANONICAL_VALUES: Final[Mapping[str, Callable[[str], object]]] = {
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
"""Functions from a string to what its spellings share, by `format`; ValueError for a string not of the format."""

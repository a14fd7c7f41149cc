"""Strict and fast reading of JSON bodies; what JSON Schema could not judge is refused with line and column."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal, TypeAlias

import orjson

from contracts.jsonscan import first_flaw
from contracts.texts import short

Kind: TypeAlias = Literal["bom", "depth", "duplicate", "empty", "encoding", "number", "surrogate", "syntax"]
STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
KEYS: Final = re.compile(rf"({STRING})(\s*:)?|[{{}}]", re.DOTALL)
NUMBERS: Final = re.compile(rf"{STRING}|(-?\d+)(?![\d.eE])|[-\d][\d.eE+-]*", re.DOTALL)
TRAILING: Final = re.compile(rf"{STRING}|[\[{{]\s*,|,(?=\s*[\]}}])", re.DOTALL)
DIGITS_AS_ZERO: Final = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else byte for byte in range(256))  # noqa: PLR2004 - ASCII
SURE: Final = 18  # so many digits always fit 64 bits, and more than LONGEST never do
LONGEST: Final = 21
DEEPEST: Final = 200  # levels that may be allowed: orjson writes 254, and what is reported of a body wraps it
SMALLEST: Final = -(2**63)
LARGEST: Final = 2**64 - 1
BOM: Final = b"\xef\xbb\xbf"
DETAILS: Final[Mapping[Kind, str]] = {
    "bom": "The body begins with a byte order mark; send plain UTF-8.",
    "empty": "The body is empty; JSON was expected.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFault:
    """Why a body is not taken as JSON: where (from 1; columns count characters), in one sentence, and of which kind."""

    line: int
    column: int
    detail: str
    kind: Kind


def read_json(body: bytes, *, max_depth: int = 64, lenient: bool = False) -> object | JsonFault:
    """Return the JSON value of `body`, or a JsonFault; nothing is raised.

    Refused: an empty body, a byte order mark, anything but UTF-8, nesting of more than `max_depth` arrays and objects,
    a key twice in one object, NaN and Infinity, numbers beyond double, integers beyond 64 bits, lone surrogates.
    `lenient` takes a comma before a closing bracket.
    """
    if body.startswith(BOM):
        return _at_start("bom")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        mended = _without_trailing_commas(body) if lenient else body
        return _refused(body, error, max_depth) if mended == body else read_json(mended, max_depth=max_depth)
    return _checked(body, value, max_depth)


def _checked(body: bytes, value: object, max_depth: int) -> object:
    try:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:  # deeper than orjson writes
        text = b""
    if _is_deep(text, value, max_depth):
        return _flawed(body.decode(), max_depth)
    if _may_have_big_integer(body) and (fault := _big_integer(body.decode())):
        return fault
    if _may_repeat_key(body, text) and (fault := _repeated_key(body.decode())):
        return fault
    return value


def is_deeper(value: object, levels: int) -> bool:
    """Tell whether a JSON value is nested deeper than so many levels."""
    return _is_deep(b"", value, levels)


def _is_deep(text: bytes, value: object, max_depth: int) -> bool:
    """Say whether a value is nested deeper than allowed; `text` is the same as indented JSON, b"" when there is none.

    No string has a line feed of its own, so that a deep value shows as a line indented far.
    """
    if text and b"\n" + b"  " * max_depth not in text:
        return False
    level: list[object] = [value] if isinstance(value, dict | list) else []
    for _ in range(max_depth):
        if not level:
            return False
        level = _inside(level)
    return bool(level)


def _inside(level: list[object]) -> list[object]:
    """Return the containers directly inside these containers."""
    objects = [one for one in level if type(one) is dict]
    arrays = [one for one in level if type(one) is list]
    kinds = set(map(type, chain.from_iterable(map(dict.values, objects))))
    kinds.update(map(type, chain.from_iterable(arrays)))
    if dict not in kinds and list not in kinds:
        return []
    inner = chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(arrays))
    return [one for one in inner if type(one) is dict or type(one) is list]


def _may_have_big_integer(body: bytes) -> bool:
    """Say whether there are more digits in a row than 64 bits always hold; every fourth byte tells first."""
    return b"0000" in body[::4].translate(DIGITS_AS_ZERO) and b"0" * (SURE + 1) in body.translate(DIGITS_AS_ZERO)


def _may_repeat_key(body: bytes, text: bytes) -> bool:
    """Say whether a key may have been lost: then there are fewer colons in the value's own text than in the body."""
    return body.count(b":") != text.count(b":") or (b"\\" in body and b"\\u003" in body)


def _refused(body: bytes, error: orjson.JSONDecodeError, max_depth: int) -> JsonFault:
    """Return what is wrong with a body that orjson does not take; what it says changes with its version."""
    if not body.strip(b" \t\n\r"):
        return _at_start("empty")
    try:
        text = body.decode()
    except UnicodeDecodeError as bad:
        before = body[: bad.start].decode()
        return _fault(before, len(before), "encoding", f"Byte {bad.start} is not UTF-8.")
    return _flawed(text, max_depth, otherwise=error.pos)


def _flawed(text: str, max_depth: int, *, otherwise: int = 0) -> JsonFault:
    flaw = first_flaw(text, max_depth)
    if flaw is None:  # JSON by RFC 8259 that orjson, for reasons of its own, does not take
        return _fault(text, otherwise, "syntax", "This cannot be read as JSON.")
    return _fault(text, flaw.position, flaw.kind, flaw.detail)


def _at_start(kind: Kind) -> JsonFault:
    return JsonFault(line=1, column=1, detail=DETAILS[kind], kind=kind)


def _fault(text: str, position: int, kind: Kind, detail: str) -> JsonFault:
    column = position - text.rfind("\n", 0, position)
    return JsonFault(line=text.count("\n", 0, position) + 1, column=column, detail=detail, kind=kind)


def _big_integer(text: str) -> JsonFault | None:
    for found in NUMBERS.finditer(text):
        digits = found[1]
        if digits and len(digits) > SURE and (len(digits) > LONGEST or not SMALLEST <= int(digits) <= LARGEST):
            return _fault(text, found.start(), "number", "An integer does not fit 64 bits.")
    return None


def _repeated_key(text: str) -> JsonFault | None:
    objects: list[set[str]] = []
    for found in KEYS.finditer(text):
        if found[0] == "{":
            objects.append(set())
        elif found[0] == "}":
            objects.pop()
        elif found[2]:
            key = orjson.loads(found[1])
            if key in objects[-1]:
                return _fault(text, found.start(), "duplicate", f"The key {short(key)} occurs twice in one object.")
            objects[-1].add(key)
    return None


def _without_trailing_commas(body: bytes) -> bytes:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return body
    return TRAILING.sub(lambda found: " " if found[0] == "," else found[0], text).encode()

"""Strict and fast parsing of JSON (RFC 8259); a refused body is reported with line, column and reason.

Begin with `read_json`. orjson parses; the additional checks follow I-JSON (RFC 7493): no duplicate keys, no lone
surrogates, no numbers beyond double precision.
"""

import math
import re
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, reduce
from itertools import chain
from threading import local
from typing import Any, Final, Literal, NamedTuple, TypeAlias

import orjson

from contracts.syntax.text import short

State: TypeAlias = Literal["value", "first element", "element", "first key", "key", "colon", "after", "end"]
Found: TypeAlias = "Flaw | int"

SPACE: Final = re.compile(r"[ \t\n\r]*")
STRING_TOKEN: Final = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
EXPONENT: Final = re.compile(r"[eE][-+]?")
LITERALS: Final = {"t": "true", "f": "false", "n": "null"}
OPENING: Final[dict[str, State]] = {"[": "first element", "{": "first key"}
CLOSING: Final = {"[": "]", "{": "}"}
ESCAPE_START: Final = re.compile(r"(?:\\(?:u[0-9a-fA-F]{0,3})?)?")  # what may become the other half of a pair
HIGH: Final = range(0xD800, 0xDC00)
LOW: Final = range(0xDC00, 0xE000)
EXPECTED: Final[dict[State, str]] = {
    "value": "expected a JSON value",
    "first element": "expected a JSON value",
    "element": "expected a JSON value",
    "key": "expected a string key",
    "first key": "expected a string key",
    "colon": "expected ':' after key",
}


class Flaw(NamedTuple):
    """What is wrong, and at which character, counted from 0."""

    position: int
    kind: Literal["depth", "number", "surrogate", "syntax"]
    detail: str


def first_flaw(text: str, max_depth: int) -> Flaw | None:
    """Return the first place where `text` is not JSON nested at most `max_depth` deep; None when there is none."""
    return _Scan(text, max_depth).run()


class _Scan:
    """One pass over a text: the expected token, and the open arrays and objects."""

    def __init__(self, text: str, max_depth: int) -> None:
        self._text, self._max_depth = text, max_depth
        self._state: State = "value"
        self._open: list[str] = []
        self._comma = 0

    def run(self) -> Flaw | None:
        at = _past_space(self._text, 0)
        while at < len(self._text):
            found = self._step(at, self._text[at])
            if isinstance(found, Flaw):
                return found
            at = _past_space(self._text, found)
        return None if self._state == "end" else _cut_short(self._text)

    def _step(self, at: int, sign: str) -> Found:
        """Consume one token. Return its end, or what is wrong with it."""
        if self._state == "value" or (self._state in {"first element", "element"} and sign != "]"):
            return self._value(at, sign)
        if self._state in {"first key", "key"} and sign == '"':
            return self._then("colon", _string(self._text, at))
        if self._state == "colon" and sign == ":":
            return self._then("value", at + 1)
        if self._state == "after" and sign == ",":
            self._comma = at
            return self._then("element" if self._open[-1] == "[" else "key", at + 1)
        return self._close(at, sign)

    def _value(self, at: int, sign: str) -> Found:
        if sign not in OPENING:
            read = READERS.get(sign)
            return self._then("after" if self._open else "end", read(self._text, at) if read else self._wrong(at))
        if len(self._open) >= self._max_depth:
            return Flaw(at, "depth", f"Arrays and objects are nested more than {self._max_depth} deep.")
        self._open.append(sign)
        return self._then(OPENING[sign], at + 1)

    def _close(self, at: int, sign: str) -> Found:
        if not self._open or sign != CLOSING[self._open[-1]] or self._state == "colon":
            return self._wrong(at)
        if self._state in {"element", "key"}:
            return Flaw(self._comma, "syntax", "Trailing comma is not allowed.")
        self._open.pop()
        return self._then("after" if self._open else "end", at + 1)

    def _then(self, state: State, found: Found) -> Found:
        self._state = state
        return found

    def _wrong(self, at: int) -> Flaw:
        if self._state == "end":
            return Flaw(at, "syntax", "Unexpected content after document.")
        expected = EXPECTED.get(self._state) or f"expected ',' or '{CLOSING[self._open[-1]]}'"
        return Flaw(at, "syntax", f"Unexpected character, {expected}.")


def _past_space(text: str, at: int) -> int:
    found = SPACE.match(text, at)
    return found.end() if found else at


def _cut_short(text: str) -> Flaw:
    return Flaw(len(text), "syntax", "Unexpected end of data.")


def _string(text: str, at: int) -> Found:
    found = STRING_TOKEN.match(text, at)
    end = found.end() if found else at
    if "\\u" in text[at:end] and (lone := _lone_surrogate(text, at, end)):
        is_last = lone.position + len("\\uD800") == end and int(text[end - 4 : end], 16) in HIGH
        return _cut_short(text) if is_last and ESCAPE_START.fullmatch(text, end) else lone
    if text[end : end + 1] == '"':
        return end + 1
    if text[end : end + 1] != "\\":
        ends = end == len(text)
        return _cut_short(text) if ends else Flaw(end, "syntax", "Unexpected control character in string.")
    return _cut_short(text) if end + 1 == len(text) else Flaw(end, "syntax", "Invalid escaped sequence in string.")


def _lone_surrogate(text: str, at: int, end: int) -> Flaw | None:
    """Return the first escape of a surrogate without its other half."""
    high = -1
    for found in ESCAPE.finditer(text, at, end):
        code = int(found[1], 16) if found[1] else 0
        is_pair = code in LOW and high >= 0 and found.start() == high + len("\\uD800")
        if high >= 0 and not is_pair:
            break
        if code in LOW and not is_pair:
            high = found.start()
            break
        high = found.start() if code in HIGH else -1
    return Flaw(high, "surrogate", "A string has a lone surrogate, which is no character.") if high >= 0 else None


def _number(text: str, at: int) -> Found:
    found = NUMBER.match(text, at)
    if found is None:
        return _digit(text, at + 1, "sign")
    end, sign = found.end(), text[found.end() : found.end() + 1]
    if sign.isdecimal() and sign.isascii():
        return Flaw(at, "syntax", "Number with leading zero is not allowed.")
    if sign == "." and "." not in found[0] and "e" not in found[0].lower():
        return _digit(text, end + 1, "decimal point")
    if (exponent := EXPONENT.match(text, end)) and "e" not in found[0].lower():
        return _digit(text, exponent.end(), "exponent sign")
    if math.isinf(float(found[0])):
        return Flaw(at, "number", "Number is infinity when parsed as double.")
    return end


def _digit(text: str, at: int, after: str) -> Flaw:
    return _cut_short(text) if at >= len(text) else Flaw(at, "syntax", f"No digit after {after}.")


def _literal(text: str, at: int) -> Found:
    word = LITERALS[text[at]]
    if text.startswith(word, at):
        return at + len(word)
    is_cut = word.startswith(text[at:])
    return _cut_short(text) if is_cut else Flaw(at, "syntax", f"Invalid literal, expected '{word}'.")


READERS: Final[dict[str, Callable[[str, int], Found]]] = {
    '"': _string,
    **dict.fromkeys("-0123456789", _number),
    **dict.fromkeys(LITERALS, _literal),
}


Kind: TypeAlias = Literal["bom", "depth", "duplicate", "empty", "encoding", "number", "surrogate", "syntax"]
STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
KEYS: Final = re.compile(rf"({STRING})(\s*:)?|[{{}}]", re.DOTALL)
NUMBERS: Final = re.compile(rf"{STRING}|(-?\d+)(?![\d.eE])|[-\d][\d.eE+-]*", re.DOTALL)
TRAILING: Final = re.compile(rf"{STRING}|[\[{{]\s*,|,(?=\s*[\]}}])", re.DOTALL)
DIGITS_AS_ZERO: Final = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else byte for byte in range(256))  # noqa: PLR2004 - ASCII
SAFE_DIGITS: Final = 18  # fit 64 bits; more than MAX_INTEGER_CHARS never do
MAX_INTEGER_CHARS: Final = 21
MAX_BODY_DEPTH: Final = 200  # levels; orjson writes 254, and reports wrap the body
MIN_INTEGER: Final = -(2**63)
MAX_INTEGER: Final = 2**64 - 1
MAX_LEVELS_TRIED: Final = 2048  # orjson reads 1024
BOM: Final = b"\xef\xbb\xbf"
DETAILS: Final[Mapping[Kind, str]] = {
    "bom": "The body begins with a byte order mark; send plain UTF-8.",
    "empty": "The body is empty; JSON was expected.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFault:
    """Why a body was refused: line and column from 1 (columns count characters), a sentence, and its kind."""

    line: int
    column: int
    detail: str
    kind: Kind


def read_json(body: bytes, *, max_depth: int = 64, lenient: bool = False) -> object | JsonFault:
    """Return the JSON value of `body`, or a JsonFault; nothing is raised.

    Refused: an empty body, a byte order mark, anything but UTF-8, nesting of more than `max_depth` arrays and objects,
    duplicate keys, NaN and Infinity, numbers beyond double, integers beyond 64 bits, lone surrogates. `lenient` accepts
    a comma before a closing bracket.
    """
    if body.startswith(BOM):
        return _at_start("bom")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        mended = _without_trailing_commas(body) if lenient else body
        return _decode_fault(body, error, max_depth) if mended == body else read_json(mended, max_depth=max_depth)
    return _checked(body, value, max_depth)


def _checked(body: bytes, value: object, max_depth: int) -> object:
    """Return a value that orjson has read, or what it lets pass.

    A body that is what orjson writes of the value has lost nothing: most bodies are, and need no more checks.
    """
    levels = max(0, _most_levels_written() - max_depth)
    text = _written(value, levels)
    if not text and is_deeper(value, max_depth):
        return _syntax_fault(body.decode(), max_depth)
    if len(text) == len(body) + 2 * levels and text.startswith(body, levels):
        return value
    if _may_have_big_integer(body) and (fault := _big_integer(body.decode())):
        return fault
    if _may_repeat_key(body, text) and (fault := _repeated_key(body.decode())):
        return fault
    return value


def _written(value: object, levels: int) -> bytes:
    """Return a value as compact JSON inside so many arrays that orjson writes no deeper one, b"" for a deeper one."""
    outer, inner = _arrays(levels)
    inner.append(value)
    try:
        return orjson.dumps(outer if levels else value)
    except orjson.JSONEncodeError:
        return b""
    finally:
        inner.clear()


@cache
def _most_levels_written() -> int:
    """Return how many arrays inside one another orjson writes; it counts objects alike."""

    def is_refused(levels: int) -> bool:
        try:
            return not orjson.dumps(_arrays(levels)[0])
        except orjson.JSONEncodeError:
            return True

    return bisect_left(range(1, MAX_LEVELS_TRIED), 1, key=is_refused)


def _arrays(levels: int) -> tuple[list[object], list[object]]:
    """Return the outermost and the innermost, which is empty, of so many arrays inside one another, a thread's own."""
    kept: dict[Any, tuple[list[object], list[object]]] = vars(_ARRAYS)
    if levels not in kept:
        inner: list[object] = []
        kept[levels] = reduce(lambda array, _: [array], range(levels - 1), inner), inner
    return kept[levels]


_ARRAYS: Final = local()


def is_deeper(value: object, levels: int) -> bool:
    """Say whether a JSON value is nested deeper than this many levels."""
    level: list[object] = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        if not level:
            return False
        level = _inside(level)
    return bool(level)


def _inside(level: list[object]) -> list[object]:
    """Return the arrays and objects directly inside these."""
    objects = [one for one in level if type(one) is dict]
    arrays = [one for one in level if type(one) is list]
    kinds = set(map(type, chain.from_iterable(map(dict.values, objects))))
    kinds.update(map(type, chain.from_iterable(arrays)))
    if dict not in kinds and list not in kinds:
        return []
    inner = chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(arrays))
    return [one for one in inner if type(one) is dict or type(one) is list]


def _may_have_big_integer(body: bytes) -> bool:
    """Say whether more digits follow one another than 64 bits always hold; every fourth byte is tested first."""
    return b"0000" in body[::4].translate(DIGITS_AS_ZERO) and b"0" * (SAFE_DIGITS + 1) in body.translate(DIGITS_AS_ZERO)


def _may_repeat_key(body: bytes, text: bytes) -> bool:
    """Say whether a key may have been lost: the value's own text has fewer colons than the body."""
    return body.count(b":") != text.count(b":") or (b"\\" in body and b"\\u003" in body)


def _decode_fault(body: bytes, error: orjson.JSONDecodeError, max_depth: int) -> JsonFault:
    """Return what is wrong with a body that orjson refuses, independently of orjson's version."""
    if not body.strip(b" \t\n\r"):
        return _at_start("empty")
    try:
        text = body.decode()
    except UnicodeDecodeError as bad:
        before = body[: bad.start].decode()
        return _fault(before, len(before), "encoding", f"Byte {bad.start} is not UTF-8.")
    return _syntax_fault(text, max_depth, otherwise=error.pos)


def _syntax_fault(text: str, max_depth: int, *, otherwise: int = 0) -> JsonFault:
    flaw = first_flaw(text, max_depth)
    if flaw is None:  # JSON by RFC 8259 that orjson refuses
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
        if (
            digits
            and len(digits) > SAFE_DIGITS
            and (len(digits) > MAX_INTEGER_CHARS or not MIN_INTEGER <= int(digits) <= MAX_INTEGER)
        ):
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

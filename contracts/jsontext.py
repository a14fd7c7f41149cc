"""Strict and fast reading of JSON bodies; what JSON Schema could not judge is refused with line and column."""

import re
from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import Final, Literal, TypeAlias

import orjson

Kind: TypeAlias = Literal["bom", "depth", "duplicate", "empty", "encoding", "number", "surrogate", "syntax"]
STRING: Final = r'"[^"\\]*(?:\\.[^"\\]*)*"'
KEYS: Final = re.compile(rf"({STRING})(\s*:)?|[{{}}]", re.DOTALL)
BRACKETS: Final = re.compile(rf"{STRING}|[\[\]{{}}]", re.DOTALL)
NUMBERS: Final = re.compile(rf"{STRING}|(-?\d+)(?![\d.eE])|[-\d][\d.eE+-]*", re.DOTALL)
TRAILING: Final = re.compile(rf"{STRING}|[\[{{]\s*,|,(?=\s*[\]}}])", re.DOTALL)
DIGITS_AS_ZERO: Final = bytes(ord("0") if chr(byte).isdecimal() and byte < 128 else byte for byte in range(256))  # noqa: PLR2004 - ASCII
LONGEST_SURE: Final = 18  # digits that always fit 64 bits
SMALLEST: Final = -(2**63)
LARGEST: Final = 2**64 - 1
KINDS: Final[tuple[tuple[str, Kind], ...]] = (
    ("surrogate", "surrogate"),
    ("infinity", "number"),
    ("byte order mark", "bom"),
    ("empty", "empty"),
    ("depth limit", "depth"),
)
DETAILS: Final = {
    "bom": "The body begins with a byte order mark; send plain UTF-8.",
    "empty": "The body is empty; JSON was expected.",
    "surrogate": "A string has a lone surrogate, which is no character.",
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
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        mended = _without_trailing_commas(body) if lenient else body
        return _refused(body, error, max_depth) if mended == body else read_json(mended, max_depth=max_depth)
    return _checked(body, value, max_depth)


def _checked(body: bytes, value: object, max_depth: int) -> object:
    members, has_float = 0, isinstance(value, float)
    level: list[object] = [value]
    depth = 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        if depth > max_depth:
            return _too_deep(body.decode(), max_depth)
        counted, level, found_float = _below(level)
        members += counted
        has_float = has_float or found_float
    if has_float and b"0" * (LONGEST_SURE + 1) in body.translate(DIGITS_AS_ZERO) and (fault := _big_integer(body.decode())):
        return fault
    return _repeated_key(body.decode()) or value if _may_repeat(body, value, members) else value


def _below(level: list[object]) -> tuple[int, list[object], bool]:
    """Return how many object members are directly in these containers, the containers inside them, and if a float is."""
    objects = [one for one in level if type(one) is dict]
    arrays = [one for one in level if type(one) is list]
    kinds = set(map(type, chain.from_iterable(map(dict.values, objects))))
    kinds.update(map(type, chain.from_iterable(arrays)))
    inside: list[object] = []
    if dict in kinds or list in kinds:
        inside = [one for one in chain(chain.from_iterable(map(dict.values, objects)), chain.from_iterable(arrays)) if type(one) in (dict, list)]
    return sum(map(len, objects)), inside, float in kinds

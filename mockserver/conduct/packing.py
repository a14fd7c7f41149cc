"""Lists made small: texts as a JSON array, marks as 64-bit numbers."""

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

MARK: Final = "q"
LINED: Final = orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2
OPENING: Final = b"[\n  {\n"  # of a list of objects in such a text; then what stands between two of them, and its end
BETWEEN: Final = b"\n  },\n  {\n"
CLOSING: Final = b"\n  }\n]"


def pack(words: Iterable[str]) -> bytes:
    """Return texts as bytes, none as b""."""
    listed = list(words)
    if not listed:
        return b""
    try:
        packed = orjson.dumps(listed)
    except TypeError:  # a lone surrogate
        packed = orjson.dumps([word.encode("utf-8", "backslashreplace").decode() for word in listed])
    return bytes(memoryview(packed))  # orjson's own bytes hold room to grow


def unpack(packed: bytes) -> list[str]:
    """Return packed texts."""
    found: list[str] = orjson.loads(packed) if packed else []
    return found


def marks_of(values: Iterable[object], salt: int) -> bytes:
    """Return a mark of each JSON value: the same when the content is, whatever the order of members, in one process."""
    listed = list(values)
    return array(MARK, [hash(one) ^ salt for one in _texts(listed)]).tobytes()


def _texts(values: list[object]) -> Iterable[bytes]:
    """Return a text of each value, cut from that of all where they are objects: no string in it has a line feed."""
    try:
        pieces = orjson.dumps(values, option=LINED)[len(OPENING) : -len(CLOSING)].split(BETWEEN)
    except TypeError:
        pieces = []
    return pieces if len(pieces) == len(values) and values[0] else map(_text, values)


def _text(value: object) -> bytes:
    if not isinstance(value, dict) or not value:
        return dumped(value)
    try:
        return orjson.dumps([value], option=LINED)[len(OPENING) : -len(CLOSING)]
    except TypeError:
        return dumped(value)


def marks_in(packed: bytes) -> Sequence[int]:
    """Return packed marks."""
    found = array(MARK)
    found.frombytes(packed)
    return found


def dumped(value: object) -> bytes:
    """Return a JSON value as bytes, members sorted; what orjson does not take (huge numbers, lone surrogates) too."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(value, sort_keys=True, default=str).encode()

"""Lists made small: texts as a JSON array, marks as 64-bit numbers."""

import json
from array import array
from collections.abc import Iterable, Sequence
from typing import Final

import orjson

MARK: Final = "q"


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
    try:
        return array(MARK, [hash(orjson.dumps(one, option=orjson.OPT_SORT_KEYS)) ^ salt for one in listed]).tobytes()
    except TypeError:
        return array(MARK, [hash(dumped(one)) ^ salt for one in listed]).tobytes()


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

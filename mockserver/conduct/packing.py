"""Lists made small: texts as a JSON array, marks as 64-bit numbers."""

import json
from array import array
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Final

import orjson

MARK: Final = "q"
IN_ORDER: Final = partial(orjson.dumps, option=orjson.OPT_SORT_KEYS)


def pack(words: Iterable[object]) -> bytes:
    """Return texts, or what stands for a text, as bytes; none as b""."""
    listed = words if isinstance(words, list) else list(words)
    if not listed:
        return b""
    try:
        packed = orjson.dumps(listed)
    except TypeError:  # a lone surrogate, a huge number
        packed = orjson.dumps([str(word).encode("utf-8", "backslashreplace").decode() for word in listed])
    return bytes(memoryview(packed))  # orjson's own bytes hold room to grow


def unpack(packed: bytes) -> list[str]:
    """Return packed texts."""
    return list(map(str, orjson.loads(packed))) if packed else []


def marks_of(values: Sequence[object], salt: int) -> bytes:
    """Return a mark of each JSON value: the same when the content is, whatever the order of members, in one process."""
    try:
        marks = array(MARK, map(hash, map(IN_ORDER, values)))
    except TypeError:
        marks = array(MARK, map(hash, map(dumped, values)))
    return _salted(marks, array(MARK, [salt]) * len(marks))


def _salted(marks: "array[int]", salt: "array[int]") -> bytes:
    """Return marks with every bit changed that is set in their salt, all in one go."""
    both = int.from_bytes(marks.tobytes()) ^ int.from_bytes(salt.tobytes())
    return both.to_bytes(len(marks) * marks.itemsize)


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

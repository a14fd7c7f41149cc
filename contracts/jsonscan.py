"""The first fault of a text that is no JSON (RFC 8259), found without the parser that refused it.

A parser's own words, positions and limits change from version to version; these do not.
"""

import math
import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple, TypeAlias

State: TypeAlias = Literal["value", "first element", "element", "first key", "key", "colon", "after", "end"]
Found: TypeAlias = "Flaw | int"

SPACE: Final = re.compile(r"[ \t\n\r]*")
STRING: Final = re.compile(r'"[^"\\\x00-\x1f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*)*')
ESCAPE: Final = re.compile(r"\\(?:u([0-9a-fA-F]{4})|.)")
NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
EXPONENT: Final = re.compile(r"[eE][-+]?")
LITERALS: Final = {"t": "true", "f": "false", "n": "null"}
OPENING: Final[dict[str, State]] = {"[": "first element", "{": "first key"}
CLOSING: Final = {"[": "]", "{": "}"}
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
    """Return the first place where `text` stops being JSON nested at most `max_depth` deep; None when it is JSON."""
    return _Scan(text, max_depth).run()


class _Scan:
    """One pass over a text: what may come next, and the arrays and objects that are open."""

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
        """Take one token. Return where it ends, or what is wrong with it."""
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
    found = STRING.match(text, at)
    end = found.end() if found else at
    if "\\u" in text[at:end] and (lone := _lone_surrogate(text, at, end)):
        return lone
    if text[end : end + 1] == '"':
        return end + 1
    if text[end : end + 1] != "\\":
        ends = end == len(text)
        return _cut_short(text) if ends else Flaw(end, "syntax", "Unexpected control character in string.")
    return _cut_short(text) if end + 1 == len(text) else Flaw(end, "syntax", "Invalid escaped sequence in string.")


def _lone_surrogate(text: str, at: int, end: int) -> Flaw | None:
    """Return the first escape that is half of a pair, the other half missing."""
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

__all__ = ["Flaw", "first_flaw"]

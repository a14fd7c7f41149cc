"""What is mended in the text of a document: integers beyond 64 bits, and keys of JSON that occur twice.

Begin with `Notes`, which collects what was mended.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Final

from contracts.syntax.json_text import MAX_INTEGER, MIN_INTEGER
from contracts.syntax.text import pointer_of

MAX_DIGITS: Final = 600  # of an integer; the lowest limit that Python can be configured to is 640


class BigInteger(float):
    """An integer beyond 64 bits, as the nearest number of double precision, until `settle_numbers` finds its place."""

    __slots__ = ()


class Notes:
    """What was mended in a text: pairs of a fact and what was done, and whether there are big integers."""

    def __init__(self) -> None:
        self.facts: list[tuple[str, str]] = []
        self.has_big_integers = False

    def big_integer(self, text: str) -> BigInteger:
        """Return an integer beyond 64 bits."""
        self.has_big_integers = True
        number = int(text, 0) if text[:2] in {"0o", "0x"} else float(text)
        return BigInteger(max(-sys.float_info.max, min(number, sys.float_info.max)))


def parse_flawed_json(text: str, notes: Notes) -> object:
    """Return the value of JSON whose only flaws are big numbers and keys that occur twice."""

    def member_pairs(pairs: list[tuple[str, object]]) -> dict[str, object]:
        found = dict(pairs)
        if len(found) < len(pairs):
            repeated = [name for name, times in Counter(name for name, _ in pairs).items() if times > 1]
            notes.facts.extend(
                (f"the key {name!r} occurs twice in one object.", "The last one counts.") for name in repeated
            )
        return found

    def integer(digits: str) -> object:
        is_big = len(digits) > MAX_DIGITS or not MIN_INTEGER <= int(digits) <= MAX_INTEGER
        return notes.big_integer(digits) if is_big else int(digits)

    def number(text: str) -> float:
        return max(-sys.float_info.max, min(float(text), sys.float_info.max))

    return json.loads(text, object_pairs_hook=member_pairs, parse_int=integer, parse_float=number)


def settle_numbers(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str, str]]:
    """Make plain numbers of big integers; yield the pointer of each, and what was done."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in members:
        if type(one) is BigInteger:
            value[key] = float(one)  # type: ignore[index] # a dictionary or list
            yield pointer_of((*at, key)), f"It is read as {float(one)!r}."
        elif type(one) in {dict, list}:
            yield from settle_numbers(one, (*at, key))

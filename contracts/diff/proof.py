"""Proving that one schema takes whatever another takes."""

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias, cast

from jsonschema_rs import ReferencingError, canonicalize, dereference

from contracts.diff.spots import ANYTHING
from contracts.keywords import children
from contracts.pointers import look_up
from contracts.schemas import PATTERNS, Schema

LARGEST: Final = 3_000  # schemas in one another: with more a proof takes longer than a second
Contained: TypeAlias = Literal["yes", "no", "unknown"]


class Proofs:
    """Answers about containment, each found once."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[Schema, Schema], Contained] = {}

    def covers(self, wide: Schema, narrow: Schema) -> Contained:
        """Say whether every value of `narrow` fits `wide`; `unknown` when that cannot be decided."""
        pair = (wide, narrow)
        if pair not in self._known:
            self._known[pair] = _covers(wide, narrow)
        return self._known[pair]


def _covers(wide: Schema, narrow: Schema) -> Contained:
    if wide is ANYTHING:
        return "yes"
    wholes = [one.standalone() for one in (wide, narrow)]
    if any(_size(one, one, (), LARGEST) > LARGEST for one in wholes):
        return "unknown"
    try:
        one, other = (
            canonicalize(dereference(whole), validate_formats=True, pattern_options=PATTERNS, offline=True)
            for whole in wholes
        )
    except (ReferencingError, ValueError):
        return "unknown"
    return cast("Contained", one.covers(other).value)


def _size(schema: object, whole: Mapping[str, object], seen: tuple[str, ...], most: int) -> int:
    """Return how many schemas there are when references are replaced by what they lead to; no further than `most`."""
    size = 1
    if not isinstance(schema, Mapping):
        return size
    ref = schema.get("$ref")
    if isinstance(ref, str) and ref not in seen:
        size += _size(look_up(whole, ref.removeprefix("#")), whole, (*seen, ref), most)
    for tokens, one in children(schema):
        if size > most:
            break
        if tokens[0] != "$defs":
            size += _size(one, whole, seen, most - size)
    return size

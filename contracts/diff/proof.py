"""Proving that one schema takes whatever another takes."""

from typing import Literal, TypeAlias, cast

from jsonschema_rs import ReferencingError, canonicalize, dereference

from contracts.diff.spots import ANYTHING
from contracts.schemas import PATTERNS, Schema

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
    try:
        one, other = (
            canonicalize(dereference(each.standalone()), validate_formats=True, pattern_options=PATTERNS, offline=True)
            for each in (wide, narrow)
        )
    except (ReferencingError, ValueError):
        return "unknown"
    return cast("Contained", one.covers(other).value)

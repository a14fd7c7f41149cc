"""Asking jsonschema-rs: every value that leaves a generator was found valid by the validator that judges the servers."""

from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from contracts.schemas import SchemaSet, compiled
from generators.values.node import Draw
from generators.values.unsatisfiable import UnsatisfiableError

TRIES = 200


def judge(schema: Mapping[str, object] | bool, schemas: SchemaSet) -> Callable[[object], bool]:
    """Return the predicate of a schema that stands in no document; its references lead into `schemas`."""
    made = SchemaSet({**schemas.documents, "made:": schema})
    return compiled(made.standalone("made:#")).is_valid


@cache
def matches(pattern: str) -> Callable[[object], bool]:
    """Return the predicate of a regular expression. Raises ValueError when it is none."""
    return compiled({"pattern": pattern}).is_valid


def checked(draw: Draw, is_valid: Callable[[object], bool], where: str, keyword: str, *, tries: int = TRIES) -> Draw:
    """Return `draw` repeated until its value is valid. Raises UnsatisfiableError after `tries`."""

    def draw_checked(rng: Random, fuel: int) -> object:
        for _ in range(tries):
            value = draw(rng, fuel)
            if is_valid(value):
                return value
        raise UnsatisfiableError(where, keyword, f"none of {tries} candidates is valid")

    return draw_checked

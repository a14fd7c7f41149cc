"""Asking jsonschema-rs: no value leaves a generator that the validator which judges the servers has not found valid."""

from collections.abc import Callable, Mapping
from functools import cache
from random import Random

from contracts.schemas import SchemaSet, compiled
from generators.values.node import Draw
from generators.values.unsatisfiable import UnsatisfiableError

TRIES = 200


def judge(schema: object, schemas: SchemaSet) -> Callable[[object], bool]:
    """Return the predicate of a schema, `true` and `false` among them, whose references lead into `schemas`."""
    return compiled(schemas.enclosed(schema if isinstance(schema, Mapping) else {} if schema else {"not": {}})).is_valid


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

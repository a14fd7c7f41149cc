"""Schemas for the values that show an edit: valid on one side, with what the other side refuses at the edit's place."""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final, TypeAlias

from contracts.diff import Clue
from contracts.keywords import rewritten
from contracts.schemas import Schema
from generators.values import UnsatisfiableError, compile_schema

Raw: TypeAlias = Mapping[str, Any]
OTHER: Final = "t"  # begins the names of the refusing side's definitions, where the accepting side's have an "s"


def directed(accepting: Schema, refusing: Schema, clue: Clue) -> dict[str, object]:
    """Return a schema of values that fit `accepting` and have what `clue` says that `refusing` refuses."""
    known = clue.within.within is accepting.within
    inside = _placed(clue, {"$ref": clue.within.ref} if known else {})
    accepted = accepting.within.enclosed({"allOf": [{"$ref": accepting.ref}, inside]})
    refused = _renamed(refusing.within.enclosed(_placed(clue, clue.breach)))
    definitions = {**_definitions(accepted), **_definitions(refused)}
    return {"allOf": [accepted, refused], "$defs": definitions}


def _definitions(schema: dict[str, object]) -> dict[str, object]:
    found: Any = schema.pop("$defs", {})
    return dict(found)


def _renamed(schema: dict[str, object]) -> dict[str, object]:
    def other(ref: str) -> str:
        return ref.replace("#/$defs/s", f"#/$defs/{OTHER}", 1)

    whole = rewritten(schema, other)
    if "$defs" in whole:
        whole["$defs"] = {f"{OTHER}{name[1:]}": one for name, one in _definitions(whole).items()}
    return whole


def _placed(clue: Clue, schema: Raw) -> Raw:
    """Return a schema of values that hold, at the clue's place, a value of `schema`."""
    for keyword, *more in reversed(clue.steps):
        wrap = WRAPS.get(keyword)
        schema = wrap(more, schema) if wrap is not None else schema
    return schema


def _member(name: str, schema: Raw) -> Raw:
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def _by_pattern(pattern: str, schema: Raw) -> Raw:
    try:
        name = compile_schema({"type": "string", "pattern": pattern}).draw(Random(0))
    except UnsatisfiableError:
        return {}
    return _member(str(name), schema)


def _element(n: int, schema: Raw) -> Raw:
    return {"type": "array", "minItems": n + 1, "prefixItems": [*({} for _ in range(n)), schema]}


WRAPS: Final[Mapping[str, Callable[[list[str], Raw], Raw]]] = {
    "properties": lambda more, schema: _member(more[0], schema),
    "additionalProperties": lambda more, schema: _member(more[0], schema),
    "patternProperties": lambda more, schema: _by_pattern(more[0], schema),
    "dependentSchemas": lambda more, schema: {"allOf": [{"type": "object", "required": [more[0]]}, schema]},
    "propertyNames": lambda _, schema: {"type": "object", "minProperties": 1, "propertyNames": schema},
    "items": lambda _, schema: _element(0, schema),
    "prefixItems": lambda more, schema: _element(int(more[0]), schema),
    "contains": lambda _, schema: {"type": "array", "contains": schema},
}

"""Where a value can be broken: every keyword in force for some part of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from contracts.schemas import Schema
from generators.values.judging import matches


@dataclass(frozen=True, slots=True)
class Site:
    """A keyword in force: what it says, the part of the value that it speaks of, and the way there."""

    keyword: str
    said: Any
    schema: Mapping[str, Any]
    value: Any
    tokens: tuple[str | int, ...]


def sites(schema: Schema, value: object, tokens: tuple[str | int, ...] = ()) -> Iterator[Site]:
    """Yield each keyword in force for `value` and its parts; `value` is valid."""
    raw = schema.raw
    yield from (Site(keyword, said, raw, value, tokens) for keyword, said in raw.items())
    for part in _in_force(schema, raw, value):
        yield from sites(part, value, tokens)
    for token, part, one in _inside(schema, raw, value):
        yield from sites(part, one, (*tokens, token))


def _in_force(schema: Schema, raw: Mapping[str, Any], value: object) -> Iterator[Schema]:
    if "$ref" in raw:
        yield schema.within.schema(str(raw["$ref"]))
    yield from schema.parts("allOf")
    for keyword in ("anyOf", "oneOf"):
        yield from (part for part in schema.parts(keyword) if part.is_valid(value))
    if "if" in raw:
        branch = "then" if schema.inside("if").is_valid(value) else "else"
        yield from (schema.inside(branch),) if branch in raw else ()
    for name in raw.get("dependentSchemas", ()):
        if isinstance(value, dict) and name in value:
            yield schema.inside("dependentSchemas", name)


def _inside(schema: Schema, raw: Mapping[str, Any], value: object) -> Iterator[tuple[str | int, Schema, object]]:
    if isinstance(value, dict):
        for name, one in value.items():
            yield from ((name, part, one) for part in _of_member(schema, raw, name))
    elif isinstance(value, list):
        first = schema.parts("prefixItems")
        yield from ((n, part, one) for n, (part, one) in enumerate(zip(first, value, strict=False)))
        if isinstance(raw.get("items"), Mapping):
            rest = schema.inside("items")
            yield from ((n, rest, value[n]) for n in range(len(first), len(value)))


def _of_member(schema: Schema, raw: Mapping[str, Any], name: str) -> Iterator[Schema]:
    found = name in raw.get("properties", ())
    if found:
        yield schema.inside("properties", name)
    for pattern in raw.get("patternProperties", ()):
        if matches(pattern)(name):
            found = True
            yield schema.inside("patternProperties", pattern)
    if not found and isinstance(raw.get("additionalProperties"), Mapping):
        yield schema.inside("additionalProperties")

"""One schema without `$ref` and `allOf`, and the alternatives that remain in it."""

from collections.abc import Mapping
from typing import Any, Final

from contracts.keywords import is_annotation
from contracts.schemas import SchemaSet
from generators.values.merging import Flat, merged
from generators.values.unsatisfiable import ContradictionError

SILENT: Final = frozenset(("$id", "$defs", "definitions", "$anchor", "$dynamicAnchor", "$vocabulary", "discriminator"))
TYPES: Final = ("string", "integer", "number", "boolean", "null", "object", "array")
UNEVALUATED: Final = ("unevaluatedItems", "unevaluatedProperties")
OPPOSITES: Final = {
    "minimum": "exclusiveMaximum",
    "maximum": "exclusiveMinimum",
    "exclusiveMinimum": "maximum",
    "exclusiveMaximum": "minimum",
}
STEPS: Final = {
    "minLength": ("maxLength", -1),
    "maxLength": ("minLength", 1),
    "minItems": ("maxItems", -1),
    "maxItems": ("minItems", 1),
    "minProperties": ("maxProperties", -1),
    "maxProperties": ("minProperties", 1),
}


def flattened(schema: object, schemas: SchemaSet, seen: tuple[str, ...] = ()) -> Flat:
    """Return a schema with its `$ref` and `allOf` merged in. Raises ContradictionError."""
    if not isinstance(schema, Mapping):
        if schema is False:
            raise ContradictionError("false", "the schema is false")
        return {}
    flat = _own(schema)
    for part in schema.get("allOf", ()):
        flat = merged(flat, flattened(part, schemas, seen))
    if "$ref" in schema:
        flat = merged(flat, flattened(target(schema["$ref"], schemas, seen), schemas, (*seen, schema["$ref"])))
    return flat


def _own(schema: Mapping[str, Any]) -> Flat:
    flat = {name: value for name, value in schema.items() if name == "examples" or _speaks(name)}
    if "const" in flat:
        const = [flat.pop("const")]
        flat = merged(flat, {"enum": const})
    return flat


def _speaks(keyword: str) -> bool:
    return keyword not in SILENT and keyword not in ("$ref", "allOf") and not is_annotation(keyword)


def target(ref: str, schemas: SchemaSet, seen: tuple[str, ...] = ()) -> object:
    """Return the schema that `ref` names. Raises ContradictionError when there is none, or when `ref` was `seen`."""
    if ref in seen:
        raise ContradictionError("$ref", f"{ref} refers only to itself")
    try:
        return schemas.value(ref)
    except LookupError:
        raise ContradictionError("$ref", f"there is nothing at {ref}") from None


def alternatives(flat: Flat, schemas: SchemaSet) -> tuple[str, list[object]] | None:
    """Return the first keyword that leaves a choice, with one schema for each way; None when none does."""
    for n, unit in enumerate((flat, *flat.get("allOf", ()))):
        for keyword, ways in _CHOICES.items():
            if keyword in unit:
                rest = _without(flat, unit, n, keyword)
                outer: Flat = {name: rest.pop(name) for name in UNEVALUATED if name in rest}
                return keyword, [{"allOf": [rest, way], **outer} for way in ways(unit, schemas)]
    return None


def _without(flat: Flat, unit: Flat, n: int, keyword: str) -> Flat:
    drop = ("if", "then", "else") if keyword == "if" else (keyword,)
    remains = {name: value for name, value in unit.items() if name not in drop}
    if n == 0:
        return remains
    left = [*flat["allOf"][: n - 1], *([remains] if remains else []), *flat["allOf"][n:]]
    outer = {name: value for name, value in flat.items() if name != "allOf"}
    return {**outer, "allOf": left} if left else outer


def _conditional(unit: Flat, _: SchemaSet) -> list[object]:
    test = unit["if"]
    return [{"allOf": [test, unit.get("then", True)]}, {"allOf": [{"not": test}, unit.get("else", True)]}]


def _dependent(unit: Flat, _: SchemaSet) -> list[object]:
    name, schema = next(iter(unit["dependentSchemas"].items()))
    others = {key: value for key, value in unit["dependentSchemas"].items() if key != name}
    more: list[object] = [{"dependentSchemas": others}] if others else []
    present = {"allOf": [{"required": [name]}, schema, *more]}
    return [present, {"allOf": [{"properties": {name: False}}, *more]}]


def _negations(unit: Flat, schemas: SchemaSet) -> list[object]:
    return negations(unit["not"], schemas)


def negations(schema: object, schemas: SchemaSet) -> list[object]:
    """Return schemas that together guide to values which `schema` excludes; `true` among them means: try, and see."""
    if not isinstance(schema, Mapping):
        return [schema is False]
    found: list[object] = []
    for keyword, value in schema.items():
        for way in _opposed(keyword, value, schemas):
            if way not in found:
                found.append(way)
    return found or [False]


def _opposed(keyword: str, value: Any, schemas: SchemaSet) -> list[object]:
    if keyword in OPPOSITES:
        return [{OPPOSITES[keyword]: value}]
    if keyword in STEPS:
        opposite, by = STEPS[keyword]
        return [{opposite: value + by}] if value + by >= 0 else []
    if keyword in _NEGATE:
        return list(_NEGATE[keyword](value))
    if keyword == "$ref":
        return negations(target(value, schemas), schemas)
    return [] if is_annotation(keyword) or keyword in SILENT else [True]


def _other_types(value: str | list[str]) -> list[object]:
    given = [value] if isinstance(value, str) else value
    others = [name for name in TYPES if name not in given and not (name == "integer" and "number" in given)]
    return [{"type": others}] if others else [False]


def _other_members(value: Mapping[str, object]) -> list[object]:
    return [{"properties": {name: {"not": schema}}, "required": [name]} for name, schema in value.items()]


_NEGATE: Final[Mapping[str, Any]] = {
    "not": lambda value: [value],
    "type": _other_types,
    "properties": _other_members,
    "required": lambda value: [{"properties": {name: False}} for name in value],
    "anyOf": lambda value: [{"allOf": [{"not": one} for one in value]}],
    "allOf": lambda value: [{"not": one} for one in value],
}
_CHOICES: Final[Mapping[str, Any]] = {
    "anyOf": lambda unit, _: unit["anyOf"],
    "oneOf": lambda unit, _: unit["oneOf"],
    "if": _conditional,
    "dependentSchemas": _dependent,
    "not": _negations,
}

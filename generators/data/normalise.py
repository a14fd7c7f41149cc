"""Normalise a schema: resolve `$ref`, merge `allOf`, list the alternatives that remain.

Begin with `flatten` and `alternatives`.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from fractions import Fraction
from math import lcm
from typing import Any, Final, TypeAlias

from contracts.schemas.equality import equal
from contracts.schemas.keywords import REFERENCES, is_annotation
from contracts.schemas.schema_set import SchemaSet
from contracts.syntax.text import as_list
from generators.data.plan import pattern_predicate
from generators.errors import ContradictionError

Flat: TypeAlias = dict[str, Any]

KEYWORD_GROUPS: Final = {"if": ("if", "then", "else"), "contains": ("contains", "minContains", "maxContains")}
OBJECT: Final = ("properties", "patternProperties", "additionalProperties")
ARRAY: Final = ("prefixItems", "items")


def conjunction(one: object, other: object) -> object:
    """Return the conjunction of two schemas, unmerged."""
    if one == other or other is True or other == {}:
        return one
    if one is True or one == {}:
        return other
    if one is False or other is False:
        return False
    parts: list[object] = []
    for part in (*_parts(one), *_parts(other)):
        if part not in parts:
            parts.append(part)
    return {"allOf": parts}


def _parts(schema: object) -> list[object]:
    if isinstance(schema, Mapping) and set(schema) == {"allOf"}:
        return list(schema["allOf"])
    return [schema]


def _types(one: object, other: object) -> object:
    left, right = (value if isinstance(value, list) else [value] for value in (one, other))
    found = [name for name in left if name in right or (name == "integer" and "number" in right)]
    found += [name for name in right if name == "integer" and "number" in left and name not in found]
    if not found:
        raise ContradictionError("type", f"{one} and {other} exclude each other")
    return found


def _enum(one: list[object], other: list[object]) -> object:
    found = [value for value in one if any(equal(value, expected) for expected in other)]
    if not found:
        raise ContradictionError("enum", "the enumerations have nothing in common")
    return found


def _multiple(one: float, other: float) -> object:
    left, right = (Fraction(str(value)) for value in (one, other))
    over = lcm(left.denominator, right.denominator)
    found = Fraction(lcm(int(left * over), int(right * over)), over)
    return int(found) if found.denominator == 1 else float(found)


def _named(one: Mapping[str, object], other: Mapping[str, object]) -> object:
    return {name: conjunction(one.get(name, True), other.get(name, True)) for name in (*one, *other)}


def _lists(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> object:
    return {name: [*dict.fromkeys((*one.get(name, ()), *other.get(name, ())))] for name in (*one, *other)}


MERGERS: Final[Mapping[str, Callable[[Any, Any], object]]] = {
    "type": _types,
    "enum": _enum,
    "multipleOf": _multiple,
    "examples": lambda one, other: [*one, *other],
    "default": lambda one, _other: one,
    "required": lambda one, other: [*dict.fromkeys((*one, *other))],
    "uniqueItems": lambda one, other: one or other,
    "propertyNames": conjunction,
    "unevaluatedItems": conjunction,
    "unevaluatedProperties": conjunction,
    "dependentRequired": _lists,
    "dependentSchemas": _named,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}


def merge(one: Flat, other: Flat) -> Flat:
    """Return the merged keywords of two schemas. Raises ContradictionError when no value satisfies both."""
    flat = dict(one)
    left_over = [*one.get("allOf", ()), *other.get("allOf", ())]
    for keyword, value in other.items():
        if keyword in (*OBJECT, *ARRAY, "allOf", "then", "else", "minContains", "maxContains"):
            continue
        unit = {name: other[name] for name in KEYWORD_GROUPS.get(keyword, (keyword,)) if name in other}
        if keyword not in flat:
            flat |= unit
        elif keyword in MERGERS:
            flat[keyword] = MERGERS[keyword](flat[keyword], value)
        elif any(flat.get(name) != argument for name, argument in unit.items()):
            left_over.append(unit)
    flat |= _members(one, other) | _elements(one, other)
    return {**flat, "allOf": [*_distinct(left_over)]} if left_over else flat


def _distinct(values: list[object]) -> list[object]:
    return [value for n, value in enumerate(values) if value not in values[:n]]


def _members(one: Flat, other: Flat) -> Flat:
    names = (*one.get("properties", {}), *other.get("properties", {}))
    patterns = (*one.get("patternProperties", {}), *other.get("patternProperties", {}))
    flat: Flat = {}
    if names:
        flat["properties"] = {name: conjunction(_member(one, name), _member(other, name)) for name in names}
    if patterns:
        flat["patternProperties"] = {name: conjunction(_pattern(one, name), _pattern(other, name)) for name in patterns}
    if "additionalProperties" in one or "additionalProperties" in other:
        flat["additionalProperties"] = conjunction(
            one.get("additionalProperties", True), other.get("additionalProperties", True)
        )
    return flat


def _member(side: Flat, name: str) -> object:
    properties = side.get("properties", {})
    if name in properties:
        return properties[name]
    exempt = any(pattern_predicate(pattern)(name) for pattern in side.get("patternProperties", {}))
    return True if exempt else side.get("additionalProperties", True)


def _pattern(side: Flat, pattern: str) -> object:
    return side.get("patternProperties", {}).get(pattern, side.get("additionalProperties", True))


def _elements(one: Flat, other: Flat) -> Flat:
    length = max(len(side.get("prefixItems", ())) for side in (one, other))
    flat: Flat = {}
    if length:
        flat["prefixItems"] = [conjunction(_element(one, n), _element(other, n)) for n in range(length)]
    if "items" in one or "items" in other:
        flat["items"] = conjunction(one.get("items", True), other.get("items", True))
    return flat


def _element(side: Flat, n: int) -> object:
    prefix = side.get("prefixItems", ())
    return prefix[n] if n < len(prefix) else side.get("items", True)


IGNORED_KEYWORDS: Final = frozenset(
    ("$id", "$defs", "definitions", "$anchor", "$dynamicAnchor", "$vocabulary", "discriminator")
)
MAX_FORM_DEPTH: Final = 20
TYPES: Final = ("string", "integer", "number", "boolean", "null", "object", "array")
UNEVALUATED: Final = ("unevaluatedItems", "unevaluatedProperties")
BOUND_OPPOSITES: Final = {
    "minimum": "exclusiveMaximum",
    "maximum": "exclusiveMinimum",
    "exclusiveMinimum": "maximum",
    "exclusiveMaximum": "minimum",
}
LENGTH_OPPOSITES: Final = {
    "minLength": ("maxLength", -1),
    "maxLength": ("minLength", 1),
    "minItems": ("maxItems", -1),
    "maxItems": ("minItems", 1),
    "minProperties": ("maxProperties", -1),
    "maxProperties": ("minProperties", 1),
}


def flatten(schema: object, schemas: SchemaSet, seen: tuple[str, ...] = ()) -> Flat:
    """Return a schema with its `$ref` and `allOf` merged. Raises ContradictionError."""
    if not isinstance(schema, Mapping):
        if schema is False:
            raise ContradictionError("false", "the schema is false")
        return {}
    flat = _own_keywords(schema)
    for part in schema.get("allOf", ()):
        flat = merge(flat, flatten(part, schemas, seen))
    for ref in (str(schema[keyword]) for keyword in REFERENCES if keyword in schema):
        flat = merge(flat, flatten(resolve(ref, schemas, seen), schemas, (*seen, ref)))
    return flat


def _own_keywords(schema: Mapping[str, Any]) -> Flat:
    flat = {name: value for name, value in schema.items() if name == "default" or _is_assertion(name)}
    shown = _examples(schema)
    if shown:
        flat["examples"] = shown
    if "const" in flat:
        const = [flat.pop("const")]
        flat = merge(flat, {"enum": const})
    return flat


def _examples(schema: Mapping[str, Any]) -> list[object]:
    return [*as_list(schema.get("examples")), *([schema["example"]] if "example" in schema else ())]


def shown_values(schema: Mapping[str, Any]) -> list[object]:
    """Return the values that a schema gives as examples, then its default."""
    return [*_examples(schema), *([schema["default"]] if "default" in schema else ())]


FORM: Final = ("type", "format", "properties", "required", "items", "additionalProperties")


def form_of(schema: Mapping[str, Any], schemas: SchemaSet, depth: int = 0) -> Flat:
    """Return what gives the values of a schema their form, of it and of the parts that apply too.

    Where these exclude each other the first counts. For schemas that have no value.
    """
    form: Flat = {name: schema[name] for name in FORM if name in schema}
    for part in _parts_in_place(schema, schemas) if depth < MAX_FORM_DEPTH else ():
        inner = form_of(part, schemas, depth + 1)
        required = dict.fromkeys((*form.get("required", ()), *inner.get("required", ())))
        properties = {**inner.get("properties", {}), **form.get("properties", {})}
        form = {**inner, **form} | ({"properties": properties} if properties else {})
        form |= {"required": [*required]} if required else {}
    kinds = form.get("type")
    if isinstance(kinds, list):
        form["type"] = next((kind for kind in kinds if kind != "null"), "null")
    return form


def _parts_in_place(schema: Mapping[str, Any], schemas: SchemaSet) -> Iterator[Mapping[str, Any]]:
    if "$ref" in schema:
        with suppress(ContradictionError):
            yield from filter(_is_mapping, [resolve(schema["$ref"], schemas)])
    yield from filter(_is_mapping, schema.get("allOf", ()))
    for keyword in ("anyOf", "oneOf"):
        yield from filter(_is_mapping, schema.get(keyword, ())[:1])


def _is_mapping(value: object) -> bool:
    return isinstance(value, Mapping)


def _is_assertion(keyword: str) -> bool:
    return keyword not in IGNORED_KEYWORDS and keyword not in (*REFERENCES, "allOf") and not is_annotation(keyword)


def resolve(ref: str, schemas: SchemaSet, seen: tuple[str, ...] = ()) -> object:
    """Return the schema at `ref`. Raises ContradictionError when there is none, or when `ref` is in `seen`."""
    if ref in seen:
        raise ContradictionError("$ref", f"{ref} refers only to itself")
    try:
        return schemas.value(ref)
    except LookupError:
        raise ContradictionError("$ref", f"there is nothing at {ref}") from None


def alternatives(flat: Flat, schemas: SchemaSet) -> tuple[str, list[object]] | None:
    """Return the first keyword that leaves alternatives, with one schema for each; None when there is none."""
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
    """Return schemas that guide to values which `schema` refuses; `true` means that candidates must be tried."""
    if not isinstance(schema, Mapping):
        return [schema is False]
    found: list[object] = []
    for keyword, value in schema.items():
        for way in _opposed(keyword, value, schemas):
            if way not in found:
                found.append(way)
    return found or [False]


def _opposed(keyword: str, value: Any, schemas: SchemaSet) -> list[object]:
    if keyword in BOUND_OPPOSITES:
        return [{BOUND_OPPOSITES[keyword]: value}]
    if keyword in LENGTH_OPPOSITES:
        opposite, by = LENGTH_OPPOSITES[keyword]
        return [{opposite: value + by}] if value + by >= 0 else []
    if keyword in _NEGATE:
        return list(_NEGATE[keyword](value))
    if keyword == "$ref":
        return negations(resolve(value, schemas), schemas)
    return [] if is_annotation(keyword) or keyword in IGNORED_KEYWORDS else [True]


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

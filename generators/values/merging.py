"""The conjunction of two schemas as one schema; what cannot be said so stays under `allOf`."""

from collections.abc import Callable, Mapping
from fractions import Fraction
from math import lcm
from typing import Any, Final, TypeAlias

from generators.values.judging import matches
from generators.values.unsatisfiable import ContradictionError

Flat: TypeAlias = dict[str, Any]

UNITS: Final = {"if": ("if", "then", "else"), "contains": ("contains", "minContains", "maxContains")}
OBJECT: Final = ("properties", "patternProperties", "additionalProperties")
ARRAY: Final = ("prefixItems", "items")


def both(one: object, other: object) -> object:
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
    found = [value for value in one if any(_same(value, wanted) for wanted in other)]
    if not found:
        raise ContradictionError("enum", "the enumerations have nothing in common")
    return found


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _multiple(one: float, other: float) -> object:
    left, right = (Fraction(str(value)) for value in (one, other))
    over = lcm(left.denominator, right.denominator)
    found = Fraction(lcm(int(left * over), int(right * over)), over)
    return int(found) if found.denominator == 1 else float(found)


def _named(one: Mapping[str, object], other: Mapping[str, object]) -> object:
    return {name: both(one.get(name, True), other.get(name, True)) for name in (*one, *other)}


def _lists(one: Mapping[str, list[str]], other: Mapping[str, list[str]]) -> object:
    return {name: [*dict.fromkeys((*one.get(name, ()), *other.get(name, ())))] for name in (*one, *other)}


COMBINE: Final[Mapping[str, Callable[[Any, Any], object]]] = {
    "type": _types,
    "enum": _enum,
    "multipleOf": _multiple,
    "examples": lambda one, other: [*one, *other],
    "required": lambda one, other: [*dict.fromkeys((*one, *other))],
    "uniqueItems": lambda one, other: one or other,
    "propertyNames": both,
    "unevaluatedItems": both,
    "unevaluatedProperties": both,
    "dependentRequired": _lists,
    "dependentSchemas": _named,
    **dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max),
    **dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min),
}


def merged(one: Flat, other: Flat) -> Flat:
    """Return what both say. Raises ContradictionError when no value can keep both."""
    flat = dict(one)
    left_over = [*one.get("allOf", ()), *other.get("allOf", ())]
    for keyword, value in other.items():
        if keyword in (*OBJECT, *ARRAY, "allOf", "then", "else", "minContains", "maxContains"):
            continue
        unit = {name: other[name] for name in UNITS.get(keyword, (keyword,)) if name in other}
        if keyword not in flat:
            flat |= unit
        elif keyword in COMBINE:
            flat[keyword] = COMBINE[keyword](flat[keyword], value)
        elif any(flat.get(name) != said for name, said in unit.items()):
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
        flat["properties"] = {name: both(_member(one, name), _member(other, name)) for name in names}
    if patterns:
        flat["patternProperties"] = {name: both(_pattern(one, name), _pattern(other, name)) for name in patterns}
    if "additionalProperties" in one or "additionalProperties" in other:
        flat["additionalProperties"] = both(
            one.get("additionalProperties", True), other.get("additionalProperties", True)
        )
    return flat


def _member(side: Flat, name: str) -> object:
    properties = side.get("properties", {})
    if name in properties:
        return properties[name]
    exempt = any(matches(pattern)(name) for pattern in side.get("patternProperties", {}))
    return True if exempt else side.get("additionalProperties", True)


def _pattern(side: Flat, pattern: str) -> object:
    return side.get("patternProperties", {}).get(pattern, side.get("additionalProperties", True))


def _elements(one: Flat, other: Flat) -> Flat:
    length = max(len(side.get("prefixItems", ())) for side in (one, other))
    flat: Flat = {}
    if length:
        flat["prefixItems"] = [both(_element(one, n), _element(other, n)) for n in range(length)]
    if "items" in one or "items" in other:
        flat["items"] = both(one.get("items", True), other.get("items", True))
    return flat


def _element(side: Flat, n: int) -> object:
    prefix = side.get("prefixItems", ())
    return prefix[n] if n < len(prefix) else side.get("items", True)

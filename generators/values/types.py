"""Which JSON types a schema leaves open, and how each is planned."""

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from generators.values.arrays import plan_array
from generators.values.choosing import one_of
from generators.values.flattening import TYPES
from generators.values.merging import Flat
from generators.values.node import Plan, Planner
from generators.values.numbers import plan_integer, plan_number
from generators.values.objects import plan_object
from generators.values.strings import plan_string

TypePlan: TypeAlias = Callable[[Planner, Flat, str, str], Plan]


def _constant(*values: object) -> TypePlan:
    return lambda _planner, _flat, _where, _kind: Plan(build=lambda: one_of(values))


TYPE_PLANS: Final[Mapping[str, TypePlan]] = {
    "string": plan_string,
    "integer": plan_integer,
    "number": plan_number,
    "boolean": _constant(False, True),  # noqa: FBT003 - the two JSON values
    "null": _constant(None),
    "object": plan_object,
    "array": plan_array,
}
SPEAKS_OF: Final[Mapping[str, str]] = {
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(
        ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"), "array"
    ),
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties", "propertyNames", "required"), "object"),
    **dict.fromkeys(("minProperties", "maxProperties", "dependentRequired", "unevaluatedProperties"), "object"),
}
ANYTHING: Final = ("string", "integer", "number", "boolean", "null")


def types_of(flat: Flat) -> list[str]:
    """Return the types to generate: those that `type` allows, of these those that the other keywords speak of."""
    given = flat.get("type", TYPES)
    allowed = [given] if isinstance(given, str) else list(given)
    if "number" in allowed and "integer" in allowed:
        allowed.remove("integer")
    if "type" in flat:
        return allowed
    spoken = {SPEAKS_OF[keyword] for keyword in flat if keyword in SPEAKS_OF}
    return [name for name in allowed if name in spoken] or list(ANYTHING)

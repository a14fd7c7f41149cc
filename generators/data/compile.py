"""Compile a JSON Schema to a generator of valid values: one value, or any slice of a seed's sequence.

Begin with `compile_schema`. A schema is normalised (`normalise`), planned as a graph (`plan`), and built into closures;
every value is validated by jsonschema-rs.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from random import Random
from typing import Final, TypeAlias

from jsonschema_rs import ValidationError

from contracts.messages import ABSENT
from contracts.schemas.faker_names import KEYWORD as FAKER_KEYWORD
from contracts.schemas.faker_names import provider_of
from contracts.schemas.schema_set import Schema, SchemaSet, is_pure_reference
from contracts.syntax.text import as_mapping, pointer_of
from generators.data.arrays import plan_array
from generators.data.formats import faked, kind_of
from generators.data.normalise import TYPES, Flat, alternatives, flatten, form_of, resolve, shown_values
from generators.data.objects import plan_object
from generators.data.plan import (
    ENDLESS,
    LEAST_LENIENT_FUEL,
    MALFORMED,
    Draw,
    DrawPlan,
    Planner,
    PlanNode,
    Predicate,
    ValueProfile,
    compile_predicate,
    draw_one_of,
    plan_choice,
)
from generators.data.scalars import plan_integer, plan_number, plan_string
from generators.errors import ContradictionError, UnsatisfiableError

TypePlan: TypeAlias = Callable[[Planner, Flat, str, str], DrawPlan]


def _constant(*values: object) -> TypePlan:
    return lambda _planner, _flat, _where, _kind: DrawPlan(build=lambda: draw_one_of(values))


TYPE_PLANS: Final[Mapping[str, TypePlan]] = {
    "string": plan_string,
    "integer": plan_integer,
    "number": plan_number,
    "boolean": _constant(False, True),  # noqa: FBT003 - the two JSON values
    "null": _constant(None),
    "object": plan_object,
    "array": plan_array,
}
KEYWORD_TYPE: Final[Mapping[str, str]] = {
    **dict.fromkeys(("minLength", "maxLength", "pattern", "format", "contentEncoding", "contentMediaType"), "string"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"), "number"),
    **dict.fromkeys(
        ("items", "prefixItems", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"), "array"
    ),
    **dict.fromkeys(("properties", "patternProperties", "additionalProperties", "propertyNames", "required"), "object"),
    **dict.fromkeys(("minProperties", "maxProperties", "dependentRequired", "unevaluatedProperties"), "object"),
}
CONTAINERS: Final = frozenset(("object", "array"))
EMPTY_VALUES: Final[Mapping[object, object]] = {
    "object": {},
    "array": [],
    "string": "",
    "integer": 0,
    "number": 0,
    "boolean": False,
}
DEFAULT_TYPES: Final = ("string", "integer", "number", "boolean", "null")
RARE_TYPES: Final = ("null", "array", "object")  # where a schema leaves the type open


def generated_types(flat: Flat, *, is_wide: bool = False) -> list[str]:
    """Return the types to generate: those that `type` permits, else those that the other keywords apply to.

    Where none applies these are all types for a wide profile, else all scalar ones.
    """
    given = flat.get("type", TYPES)
    allowed = [given] if isinstance(given, str) else list(given)
    if "number" in allowed and "integer" in allowed:
        allowed.remove("integer")
    if "type" in flat:
        return allowed
    relevant = {KEYWORD_TYPE[keyword] for keyword in flat if keyword in KEYWORD_TYPE}
    return [name for name in allowed if name in relevant] or (allowed if is_wide else list(DEFAULT_TYPES))


FREQUENT_WEIGHT: Final = 4
CHECKED_KEYWORDS: Final = (
    "oneOf",
    "if",
    "not",
    "dependentSchemas",
    "allOf",
    "unevaluatedProperties",
    "unevaluatedItems",
)


@dataclass(slots=True, kw_only=True)
class Compiler:
    """Plans the schemas of one set, each when it is first needed.

    `edges` is the share (0 to 1) of boundary values. `typical` values take the
    examples and defaults that schemas give, the first of alternatives, and every optional member. A `lenient` compiler
    has a value for each schema, though none may be valid.
    """

    schemas: SchemaSet
    edges: float
    profile: ValueProfile
    typical: bool = False
    lenient: bool = False
    _memo: dict[str, PlanNode] = field(default_factory=dict)
    _varied: "Compiler | None" = None

    @property
    def is_wide(self) -> bool:
        """Whether values are spread over all that a schema allows."""
        return self.profile in {"fuzz", "wide"}

    def plan(self, schema: object, where: str, kind: str = "") -> PlanNode:
        """Return the node of a schema, one for each content; it is planned when it is needed."""
        key = f"{kind}\n{_content_key(schema)}"
        node = self._memo.get(key)
        if node is None:
            fallback = partial(_stand_in, self, schema, (where, kind)) if self.lenient else None
            make = partial(self._planned, schema, where, kind)
            varied = partial(self.varied().plan, schema, where, kind) if self.typical else None
            node = self._memo[key] = PlanNode(where=where, make=make, fallback=fallback, varied=varied)
        return node

    def predicate(self, schema: object) -> Predicate:
        """Return the predicate of a schema; to a lenient compiler a schema that cannot be used allows everything."""
        is_valid = compile_predicate(schema, self.schemas)
        return _forgiving(is_valid) if self.lenient else is_valid

    def varied(self) -> "Compiler":
        """Return the compiler of values that differ from one another."""
        if self._varied is None:
            self._varied = replace(self, typical=False, _memo={}) if self.typical else self
        return self._varied

    def _planned(self, schema: object, where: str, kind: str) -> DrawPlan:
        if isinstance(schema, Mapping) and is_pure_reference(schema):
            ref = str(schema["$ref"])
            shown = self._shown(schema, schema)
            return shown or plan_choice((self.plan(resolve(ref, self.schemas), ref, kind),))
        flat = flatten(schema, self.schemas)
        plan = self._shown(flat, schema) or self._faked(schema) or self._made(flat, schema, where, kind)
        return replace(plan, check=self.predicate(schema)) if plan.risk else plan

    def _shown(self, flat: Mapping[str, object], schema: object) -> DrawPlan | None:
        """Return the plan of the first valid example or default that the schema gives, None when there is none."""
        given = shown_values(flat) if self.typical else []
        if not given:
            return None
        is_valid = self.predicate(schema)
        value = next((value for value in given if is_valid(value)), ABSENT)
        return None if value is ABSENT else DrawPlan(build=lambda: draw_one_of([value]))

    def _faked(self, schema: object) -> DrawPlan | None:
        """Return the plan of what the schema names as `x-faker`, None where it names nothing that fits it."""
        name = schema.get(FAKER_KEYWORD) if isinstance(schema, Mapping) and not self.is_wide else None
        provider = provider_of(name)
        values = [] if provider is None else [*filter(self.predicate(schema), faked(provider))]
        return DrawPlan(build=lambda: draw_one_of(values)) if values else None

    def _made(self, flat: Flat, schema: object, where: str, kind: str) -> DrawPlan:
        if "enum" in flat:
            return self._enumerated(flat, schema)
        chosen = alternatives(flat, self.schemas)
        if chosen is None:
            return self._typed(flat, where, kind)
        self._probe(flat, where)
        keyword, ways = chosen
        picks = tuple(self.plan(way, where, kind) for way in ways)
        if not picks:
            raise ContradictionError("anyOf", "it lists nothing")
        return plan_choice(picks, risk=_risk(flat) if keyword == "anyOf" else keyword)

    def _probe(self, flat: Flat, where: str) -> None:
        """Raise UnsatisfiableError when a required member has no value, such as the discriminator of another branch."""
        for name in flat.get("required", ()):
            schema = flat.get("properties", {}).get(name, True)
            node = self.plan(schema, f"{where}/properties/{name}") if "enum" in flatten(schema, self.schemas) else None
            if node is not None and not node.possible() and node.failed is not None:
                raise node.failed

    def _enumerated(self, flat: Flat, schema: object) -> DrawPlan:
        values = [*filter(self.predicate(schema), flat["enum"])]
        if not values:
            raise ContradictionError("enum", "the other keywords exclude every value of it")
        values = [next((value for value in values if value is not None), None)] if self.typical else values
        return DrawPlan(build=lambda: draw_one_of(values))

    def _typed(self, flat: Flat, where: str, kind: str) -> DrawPlan:
        names = generated_types(flat, is_wide=self.is_wide)
        if len(names) > 1:
            rare = RARE_TYPES if "type" not in flat else ("null",)
            often = [name for name in names for _ in range(1 if name in rare else FREQUENT_WEIGHT)]
            often.sort(key=lambda name: name == "null")
            picks = tuple(self.plan({**flat, "type": name}, where, kind) for name in often)
            return plan_choice(picks, inner=not CONTAINERS.isdisjoint(names))
        plan = TYPE_PLANS[names[0]](self, flat, where, kind)
        return replace(plan, risk=plan.risk or _risk(flat))


def _content_key(schema: object) -> str:
    if isinstance(schema, Mapping) and len(schema) == 1 and "$ref" in schema:
        return str(schema["$ref"])
    return json.dumps(schema, sort_keys=True)


def _forgiving(is_valid: Predicate) -> Predicate:
    def is_valid_or_unknown(value: object) -> bool:
        try:
            return is_valid(value)
        except (ValueError, LookupError):
            return True

    return is_valid_or_unknown


def _stand_in(compiler: Compiler, schema: object, at: tuple[str, str], rng: Random, fuel: int) -> object:
    """Draw what stands for a value of a schema that has none: one of the same form, else an empty one of its type."""
    told = as_mapping(schema)
    try:
        given = [*shown_values(told), *told.get("enum", ())]
        form = form_of(told, compiler.schemas)
    except MALFORMED:
        return None
    if given or form == told or fuel < LEAST_LENIENT_FUEL:
        return given[0] if given else deepcopy(EMPTY_VALUES.get(str(form.get("type")), None))
    return compiler.plan(form, *at).link()(rng, fuel)


def _risk(flat: Flat) -> str:
    return next((keyword for keyword in CHECKED_KEYWORDS if keyword in flat), "")


SchemaLike: TypeAlias = Schema | Mapping[str, object] | bool
"""A schema of a contract, or one as plain JSON."""

VALUES_PER_SEED: Final = 64  # seeding costs as much as drawing one value
MAX_FUEL: Final = 1000  # approximate maximum of optional objects and arrays in a value
MAX_DRAWS: Final = 50
COMPILE_SAMPLE: Final = 16  # values drawn when compiling, to report unsatisfiable schemas at once
DEFAULT_EDGE_SHARES: Final[Mapping[ValueProfile, float]] = {"plain": 0.03, "realistic": 0.03, "fuzz": 0.1, "wide": 0.1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generator:
    """A compiled schema. Every value that it returns was validated by jsonschema-rs."""

    schema: Schema
    _draw: Draw = field(repr=False)
    _is_valid: Callable[[object], bool] = field(repr=False)

    def draw(self, rng: Random) -> object:
        """Return one value. Raises UnsatisfiableError when none of `MAX_DRAWS` candidates is valid."""
        for _ in range(MAX_DRAWS):
            value = self._draw(rng, MAX_FUEL)
            if self._is_valid(value):
                return value
        raise UnsatisfiableError(self.schema.ref, "schema", f"none of {MAX_DRAWS} candidates is valid")

    def generate(self, seed: int) -> object:
        """Return the first value of a seed."""
        return next(self.stream(seed, 1))

    def stream(self, seed: int, n: int, *, start: int = 0) -> Iterator[object]:
        """Yield `n` values of the seed's sequence, from number `start`; each depends on seed and number alone."""
        skipped = start % VALUES_PER_SEED
        return islice(self._row(seed, start // VALUES_PER_SEED), skipped, skipped + n)

    def _row(self, seed: int, block: int) -> Iterator[object]:
        rng = Random()
        while True:
            rng.seed(f"{seed}/{block}")
            for _ in range(VALUES_PER_SEED):
                yield self.draw(rng)
            block += 1


def compile_schema(
    schema: SchemaLike,
    *,
    name: str = "",
    edges: float | None = None,
    profile: ValueProfile = "realistic",
) -> Generator:
    """Compile a schema of a contract, or a plain one whose `$ref`s stay inside it.

    `name` is the property whose value it is, "" when there is none. `edges` is the share (0 to 1) of strings and
    numbers from the ends of their range, None for that of the profile. Raises UnsatisfiableError.
    """
    bound = _bind(schema)
    share = DEFAULT_EDGE_SHARES[profile] if edges is None else edges
    compiler = compiler_of(bound.within, edges=share, profile=profile)
    root = compiler.plan(bound.raw, bound.ref, kind_of(name))
    if not root.possible():
        raise root.failed or UnsatisfiableError(bound.ref, "$ref", ENDLESS)
    return _drawn_once(Generator(schema=bound, _draw=root.closure(), _is_valid=bound.validator.is_valid))


def compiler_of(
    schemas: SchemaSet, *, edges: float, profile: ValueProfile, typical: bool = False, lenient: bool = False
) -> Compiler:
    """Return the compiler of the schemas of a contract, the same object for the same arguments."""
    return schemas.once(
        (Compiler, edges, profile, typical, lenient),
        lambda: Compiler(schemas=schemas, edges=edges, profile=profile, typical=typical, lenient=lenient),
    )


def generator_of(
    schema: Schema, name: str = "", edges: float | None = None, profile: ValueProfile = "realistic"
) -> Generator:
    """Return the compiled schema, the same object for the same arguments. Raises UnsatisfiableError."""
    key = (Generator, schema.ref, name, edges, profile)
    return schema.within.once(key, lambda: compile_schema(schema, name=name, edges=edges, profile=profile))


def _bind(schema: SchemaLike) -> Schema:
    """Return a plain schema bound to a set of its own; raises UnsatisfiableError when it is not a valid schema."""
    try:
        bound = schema if isinstance(schema, Schema) else SchemaSet({"": schema}).schema("#")
        bound.validator  # noqa: B018 - compiles it
    except LookupError as error:
        raise UnsatisfiableError("#", "$ref", f"{error.args[0]} leads to no schema") from None
    except ValidationError as error:
        *tokens, keyword = error.instance_path or ["schema"]
        raise UnsatisfiableError(
            f"#{pointer_of(tokens)}", str(keyword), f"this is no JSON Schema that can be used, {error.message}"
        ) from None
    return bound


def _drawn_once(generator: Generator) -> Generator:
    for _ in generator.stream(0, COMPILE_SAMPLE):
        pass
    return generator


def generate(schema: SchemaLike, seed: int) -> object:
    """Return the first value of a seed."""
    return compile_schema(schema).generate(seed)


def stream(schema: SchemaLike, seed: int, n: int, *, start: int = 0) -> Iterator[object]:
    """Yield `n` values of a seed's sequence, from number `start`, without storing them."""
    return compile_schema(schema).stream(seed, n, start=start)

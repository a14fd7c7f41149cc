"""Compile a JSON Schema to a generator of valid values: one value, or any slice of a seed's sequence.

Begin with `compile_schema`. A schema is normalised (`normalise`), planned as a graph (`plan`), and built into closures;
every value is validated by jsonschema-rs.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import islice
from random import Random
from typing import Final, TypeAlias

from jsonschema_rs import ValidationError

from contracts.schemas.schema_set import Schema, SchemaSet, is_pure_reference
from contracts.syntax.text import pointer_of
from generators.data.containers import plan_array, plan_object
from generators.data.formats import kind_of
from generators.data.normalise import TYPES, Flat, alternatives, flatten, resolve
from generators.data.plan import (
    Draw,
    DrawPlan,
    Edge,
    Planner,
    PlanNode,
    compile_predicate,
    draw_one_of,
    draw_valid,
    plan_choice,
    settle_heights,
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
DEFAULT_TYPES: Final = ("string", "integer", "number", "boolean", "null")


def generated_types(flat: Flat) -> list[str]:
    """Return the types to generate: those that `type` permits, else those that the other keywords apply to."""
    given = flat.get("type", TYPES)
    allowed = [given] if isinstance(given, str) else list(given)
    if "number" in allowed and "integer" in allowed:
        allowed.remove("integer")
    if "type" in flat:
        return allowed
    relevant = {KEYWORD_TYPE[keyword] for keyword in flat if keyword in KEYWORD_TYPE}
    return [name for name in allowed if name in relevant] or list(DEFAULT_TYPES)


MAX_BREADTH: Final = 128  # combinations of `anyOf`, `if` and others; beyond, the first satisfiable one is used
MAX_DEPTH: Final = 100
NON_NULL_WEIGHT: Final = 4
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
    """Plans the schemas of one set.

    `edges` is the share (0 to 1) of boundary values, `realistic` permits text from Faker.
    """

    schemas: SchemaSet
    edges: float
    realistic: bool
    order: list[PlanNode] = field(default_factory=list)
    _memo: dict[str, PlanNode] = field(default_factory=dict)
    _depth: int = 0

    def plan(self, schema: object, where: str, kind: str = "") -> Edge:
        """Plan a schema, once for each content. Raises UnsatisfiableError."""
        return self._plan(schema, where, kind, 1)

    def predicate(self, schema: object) -> Callable[[object], bool]:
        """Return the predicate of a schema."""
        return compile_predicate(schema, self.schemas)

    def _plan(self, schema: object, where: str, kind: str, breadth: int) -> Edge:
        key = f"{kind}\n{json.dumps(schema, sort_keys=True)}"
        node = self._memo.get(key)
        if node is None:
            node = self._memo[key] = PlanNode(where=where)
            self._fill(node, schema, kind, breadth)
        if node.failed is not None:
            raise node.failed
        return Edge(node, back=not node.done)

    def _fill(self, node: PlanNode, schema: object, kind: str, breadth: int) -> None:
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise ContradictionError("$ref", f"the schemas nest more than {MAX_DEPTH} deep")  # noqa: TRY301 - one way out
            plan = self._planned(schema, node.where, kind, breadth)
            self._finish(node, plan, schema)
        except ContradictionError as contradiction:
            node.failed = contradiction.at(node.where)
        except UnsatisfiableError as error:
            node.failed = error
        finally:
            self._depth -= 1

    def _finish(self, node: PlanNode, plan: DrawPlan, schema: object) -> None:
        node.needs, node.picks, node.build, node.done = plan.needs, plan.picks, plan.build, True
        node.inner = plan.inner
        if plan.risk:
            is_valid = self.predicate(schema)
            node.build = lambda: draw_valid(plan.build(), is_valid, node.where, plan.risk)
        self.order.append(node)

    def _planned(self, schema: object, where: str, kind: str, breadth: int) -> DrawPlan:
        if isinstance(schema, Mapping) and is_pure_reference(schema):
            ref = str(schema["$ref"])
            return plan_choice((self._plan(resolve(ref, self.schemas), ref, kind, breadth),))
        flat = flatten(schema, self.schemas)
        if "enum" in flat:
            return self._enumerated(flat, schema)
        chosen = alternatives(flat, self.schemas)
        if chosen is not None:
            self._probe(flat, where)
            return self._chosen(flat, chosen, where, kind, breadth)
        return self._typed(flat, where, kind)

    def _probe(self, flat: Flat, where: str) -> None:
        """Raise UnsatisfiableError when a required member has no value, such as the discriminator of another branch."""
        for name in flat.get("required", ()):
            schema = flat.get("properties", {}).get(name, True)
            if "enum" in flatten(schema, self.schemas):
                self.plan(schema, f"{where}/properties/{name}")

    def _enumerated(self, flat: Flat, schema: object) -> DrawPlan:
        values = [*filter(self.predicate(schema), flat["enum"])]
        if not values:
            raise ContradictionError("enum", "the other keywords exclude every value of it")
        return DrawPlan(build=lambda: draw_one_of(values))

    def _chosen(self, flat: Flat, chosen: tuple[str, list[object]], where: str, kind: str, breadth: int) -> DrawPlan:
        keyword, ways = chosen
        breadth *= len(ways)
        picks = self._satisfiable(ways, where, kind, breadth)
        return plan_choice(picks, risk=_risk(flat) if keyword == "anyOf" else keyword)

    def _typed(self, flat: Flat, where: str, kind: str) -> DrawPlan:
        names = generated_types(flat)
        if len(names) > 1:
            often = [name for name in names for _ in range(1 if name == "null" else NON_NULL_WEIGHT)]
            return plan_choice(self._satisfiable([{**flat, "type": name} for name in often], where, kind, 1))
        plan = TYPE_PLANS[names[0]](self, flat, where, kind)
        return replace(plan, risk=plan.risk or _risk(flat))

    def _satisfiable(self, ways: list[object], where: str, kind: str, breadth: int) -> tuple[Edge, ...]:
        found: list[Edge] = []
        failed: UnsatisfiableError | None = None
        for schema in ways:
            try:
                found.append(self._plan(schema, where, kind, breadth))
            except UnsatisfiableError as error:
                failed = failed or error
            if found and breadth > MAX_BREADTH:
                break
        if not found:
            raise failed or UnsatisfiableError(where, "anyOf", "it lists nothing")
        return tuple(found)


def _risk(flat: Flat) -> str:
    return next((keyword for keyword in CHECKED_KEYWORDS if keyword in flat), "")


SchemaLike: TypeAlias = Schema | Mapping[str, object] | bool
"""A schema of a contract, or one as plain JSON."""

VALUES_PER_SEED: Final = 64  # seeding costs as much as drawing one value
MAX_FUEL: Final = 1000  # approximate maximum of optional objects and arrays in a value
MAX_DRAWS: Final = 50
COMPILE_SAMPLE: Final = 16  # values drawn when compiling, to report unsatisfiable schemas at once
DEFAULT_EDGE_SHARE: Final = 0.03


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
    edges: float = DEFAULT_EDGE_SHARE,
    realistic: bool = True,
) -> Generator:
    """Compile a schema of a contract, or a plain one whose `$ref`s stay inside it.

    `name` is the property whose value it is, "" when there is none. `edges` is the share (0 to 1) of strings and
    numbers from the ends of their range. `realistic` takes text from Faker by the property's name; without Faker the
    text is random. Raises UnsatisfiableError.
    """
    bound = _bind(schema)
    compiler = Compiler(schemas=bound.within, edges=edges, realistic=realistic)
    root = compiler.plan(bound.raw, bound.ref, kind_of(name))
    settle_heights(compiler.order)
    for node in compiler.order:
        if node.build is not None and node.height < float("inf"):
            node.draw = node.build()
    if not root.finite:
        raise UnsatisfiableError(bound.ref, "$ref", "every value would have to hold another one without end")
    return _drawn_once(Generator(schema=bound, _draw=root.link(), _is_valid=bound.is_valid))


@lru_cache(maxsize=1000)
def generator_of(schema: Schema, name: str = "", edges: float = DEFAULT_EDGE_SHARE) -> Generator:
    """Return the compiled schema, the same object for the same arguments. Raises UnsatisfiableError."""
    return compile_schema(schema, name=name, edges=edges)


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

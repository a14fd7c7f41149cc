"""Plan arrays and objects. Begin with `plan_array` and `plan_object`."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, takewhile
from random import Random
from typing import Final

from generators.data.formats import kind_of
from generators.data.normalise import Flat, conjunction
from generators.data.plan import Draw, DrawPlan, Planner, PlanNode, pattern_predicate
from generators.errors import ContradictionError, UnsatisfiableError

MAX_EXTRA_ELEMENTS: Final = 4  # elements beyond the required ones
MAX_ELEMENT_TRIES: Final = 100
UNBOUNDED_ELEMENTS: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayShape:
    """The parts of an array: `prefix`, then `contained` (as many as `contains` needs) mixed with `rest`.

    `least` and `most` limit its length, `more` is how many elements are added to the least at most.
    """

    where: str
    prefix: tuple[PlanNode, ...]
    contained: tuple[PlanNode, ...]
    rest: PlanNode | None
    least: int
    most: int
    more: int
    unique: bool
    lenient: bool


@dataclass(frozen=True, slots=True)
class ArraySite:
    """An array schema to plan, its place, and the kind of text in its elements."""

    planner: Planner
    flat: Flat
    where: str
    kind: str

    def plan(self, schema: object, step: str) -> PlanNode:
        """Return the node of a schema of elements, which differ where they must."""
        planner = self.planner.varied() if self.flat.get("uniqueItems") else self.planner
        return planner.plan(schema, f"{self.where}/{step}", self.kind)

    @property
    def every(self) -> object:
        """Return the schema of the elements after `prefixItems`."""
        return self.flat.get("items", self.flat.get("unevaluatedItems", True))

    @property
    def count(self) -> int:
        """Return the number of elements that `contains` requires."""
        return int(self.flat.get("minContains", 1)) if "contains" in self.flat else 0


def plan_array(planner: Planner, flat: Flat, where: str, kind: str) -> DrawPlan:
    """Plan arrays. Raises ContradictionError and UnsatisfiableError."""
    site = ArraySite(planner, flat, where, kind)
    most = flat.get("maxItems", UNBOUNDED_ELEMENTS)
    prefix = tuple(site.plan(schema, f"prefixItems/{n}") for n, schema in enumerate(flat.get("prefixItems", ())[:most]))
    contained = _contained(site)[: most - len(prefix)] if site.count else ()
    prefix = _with_contained(site, prefix, site.count - len(contained))
    least = max(flat.get("minItems", 0), len(prefix) + len(contained) if site.count else 0)
    if least > most:
        raise ContradictionError("minItems", f"{least} elements are needed, {most} can be")
    shape = ArrayShape(
        where=where,
        prefix=prefix,
        contained=contained,
        rest=_rest(site) if most > len(prefix) else None,
        least=least,
        most=most,
        more=(0 if least else 1) if planner.typical else MAX_EXTRA_ELEMENTS,
        unique=flat.get("uniqueItems", False),
        lenient=planner.lenient,
    )
    risk = "contains" if "contains" in flat else ""
    return DrawPlan(build=lambda: _array_builder(shape), needs=_needs(shape), inner=True, risk=risk)


def _rest(site: ArraySite) -> PlanNode:
    """Return the node of the elements after `prefixItems`."""
    every = conjunction(site.every, {"not": site.flat["contains"]}) if "maxContains" in site.flat else site.every
    return site.plan(every, "items")


def _contained(site: ArraySite) -> tuple[PlanNode, ...]:
    """Return the nodes of the elements for `contains`, after those of `prefixItems`."""
    node = site.plan(conjunction(site.every, site.flat["contains"]), "contains")
    return () if "prefixItems" in site.flat and not node.possible() else (node,) * site.count


def _with_contained(site: ArraySite, prefix: tuple[PlanNode, ...], count: int) -> tuple[PlanNode, ...]:
    """Return the elements of `prefixItems`, the first `count` that can be made valid for `contains`."""
    found = list(prefix)
    for n, schema in enumerate(site.flat.get("prefixItems", ())[: len(prefix)] if count > 0 else ()):
        node = site.plan(conjunction(schema, site.flat["contains"]), "contains")
        if count > 0 and node.possible():
            found[n] = node
            count -= 1
    if count > 0:
        raise ContradictionError("contains", "there is no room for what it asks for")
    return tuple(found)


def _needs(shape: ArrayShape) -> tuple[PlanNode, ...]:
    rest = (shape.rest,) if shape.rest and shape.least > len(shape.prefix) + len(shape.contained) else ()
    return (*shape.prefix[: shape.least], *shape.contained, *rest)


def _array_builder(shape: ArrayShape) -> Draw:
    """Return what draws arrays; they end before the first element that cannot be."""
    forced = shape.least if shape.lenient else 0
    able = [node for _, node in takewhile(lambda pair: pair[0] < forced or pair[1].possible(), enumerate(shape.prefix))]
    prefix = [node.link() for node in able]
    contained = [node.link() for node in shape.contained]
    least, fixed = shape.least, len(prefix) + len(contained)
    is_open = shape.rest is not None and len(able) == len(shape.prefix) and (forced > fixed or shape.rest.possible())
    rest = shape.rest.link(max(1, shape.more, least)) if is_open and shape.rest else None
    most = min(shape.most, max(least, fixed) + shape.more) if rest else min(shape.most, fixed)

    def lay(rng: Random, fuel: int) -> list[Draw]:
        length = least if fuel <= 0 else most if shape.more == 1 else least + int(rng.random() * (most - least + 1))
        tail = [*contained, *([rest] * (length - fixed) if rest else ())]
        if contained:
            rng.shuffle(tail)
        return [*prefix[:length], *tail]

    if shape.unique:
        return lambda rng, fuel: _distinct_elements(lay(rng, fuel), rng, fuel, shape)
    return lambda rng, fuel: [draw(rng, fuel) for draw in lay(rng, fuel)]


def _distinct_elements(draws: list[Draw], rng: Random, fuel: int, shape: ArrayShape) -> list[object]:
    values: list[object] = []
    seen: set[str] = set()
    for draw in draws:
        for _ in range(MAX_ELEMENT_TRIES):
            value = draw(rng, fuel)
            if (key := _equality_key(value)) not in seen:
                seen.add(key)
                values.append(value)
                break
        else:
            if len(values) < shape.least and not shape.lenient:
                raise UnsatisfiableError(
                    shape.where, "uniqueItems", f"only {len(values)} different elements were found"
                )
            break
    return values


def _equality_key(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


OPTIONAL_MEMBER_SHARE: Final = 0.7  # share of objects that have an optional member
MAX_EXTRA_MEMBERS: Final = 3  # undeclared members of an open map
MAX_NAME_TRIES: Final = 100
UNBOUNDED_MEMBERS: Final = 1 << 40
DEFAULT_NAMES: Final = {"type": "string", "pattern": "^[a-z]{3,10}$"}
UNSENT: Final = ({"readOnly": True}, {"writeOnly": True})  # members of the other side: `contracts.schemas.directions`
CHECKED_OBJECT_KEYWORDS: Final = (
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "minProperties",
    "maxProperties",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectShape:
    """The parts of an object. `extras` are pairs of nodes: the names of further members, and their values.

    `least` and `most` limit the number of members, `more` is how many further ones are added. `share` (0 to 1) of the
    objects have an optional member.
    """

    where: str
    members: Mapping[str, PlanNode]
    required: frozenset[str]
    extras: tuple[tuple[PlanNode, PlanNode], ...]
    more: int
    least: int
    most: int
    follows: Mapping[str, list[str]]
    share: float
    lenient: bool


def plan_object(planner: Planner, flat: Flat, where: str, _kind: str) -> DrawPlan:
    """Plan objects. Raises ContradictionError and UnsatisfiableError."""
    required = frozenset(flat.get("required", ()))
    is_map = isinstance(flat.get("additionalProperties"), Mapping) or "patternProperties" in flat
    members = dict(_members(planner, flat, where))
    least, most = max(flat.get("minProperties", 0), len(required)), flat.get("maxProperties", UNBOUNDED_MEMBERS)
    if least > most:
        raise ContradictionError("maxProperties", f"{least} members are needed, {most} can be")
    shape = ObjectShape(
        where=where,
        members=members,
        required=required,
        extras=tuple(_extras(planner, flat, where)) if is_map or least > len(required) else (),
        more=0 if not is_map else 1 if planner.typical else MAX_EXTRA_MEMBERS,
        least=least,
        most=most,
        follows=flat.get("dependentRequired", {}),
        share=1.0 if planner.typical else OPTIONAL_MEMBER_SHARE,
        lenient=planner.lenient,
    )
    risk = next((keyword for keyword in CHECKED_OBJECT_KEYWORDS if keyword in flat), "")
    needs = tuple(members[name] for name in members if name in required)
    return DrawPlan(build=lambda: _object_builder(shape), needs=needs, inner=True, risk=risk)


def _members(planner: Planner, flat: Flat, where: str) -> Iterator[tuple[str, PlanNode]]:
    declared, required = flat.get("properties", {}), flat.get("required", ())
    is_name = planner.predicate(flat.get("propertyNames", True))
    if not all(map(is_name, required)):
        raise ContradictionError("propertyNames", "it excludes the name of a required member")
    followers = chain.from_iterable(flat.get("dependentRequired", {}).values())
    for name in dict.fromkeys((*declared, *required, *followers)):
        if declared.get(name) in UNSENT and name not in required:
            continue
        schema = member_schema(flat, name) if is_name(name) else False
        yield name, planner.plan(schema, f"{where}/properties/{name}", kind_of(name))


def member_schema(flat: Flat, name: str) -> object:
    """Return the conjunction of the schemas that apply to a member of that name."""
    schema, found = flat.get("properties", {}).get(name, True), name in flat.get("properties", {})
    for pattern, subschema in flat.get("patternProperties", {}).items():
        if pattern_predicate(pattern)(name):
            schema, found = conjunction(schema, subschema), True
    return schema if found else _open_schema(flat)


def _open_schema(flat: Flat) -> object:
    return flat.get("additionalProperties", flat.get("unevaluatedProperties", True))


def _extras(planner: Planner, flat: Flat, where: str) -> Iterator[tuple[PlanNode, PlanNode]]:
    names, open_schema = flat.get("propertyNames"), _open_schema(flat)
    patterns = flat.get("patternProperties", {})
    ways = [
        ({"type": "string", "pattern": pattern}, f"patternProperties/{pattern}", patterns[pattern])
        for pattern in patterns
    ]
    ways.append(({"type": "string"} if names else DEFAULT_NAMES, "additionalProperties", open_schema))
    for name, keyword, value in ways:
        named = planner.plan(conjunction(name, names if names is not None else True), f"{where}/propertyNames")
        yield named, planner.plan(value, f"{where}/{keyword}")


def _object_builder(shape: ObjectShape) -> Draw:
    """Return what draws objects, without the optional members that cannot be.

    Raises ContradictionError when too few members remain.
    """
    able = {name: node for name, node in shape.members.items() if name in shape.required or node.possible()}
    extras = [(name, value) for name, value in shape.extras if name.possible() and value.possible()]
    if shape.least > len(able) and not extras and not shape.lenient:
        raise ContradictionError("minProperties", f"{shape.least} members are needed, {len(able)} can be")
    share = max(1, sum(node.inner for node in able.values()) + shape.more)
    draws = [(name, node.link(share), name in shape.required) for name, node in able.items()]
    if extras or shape.follows or shape.least > len(shape.required) or shape.most < len(draws):
        linked = [(name.link(), value.link(share)) for name, value in extras]
        return _bounded_members(shape, {name: draw for name, draw, _ in draws}, linked)
    if all(needed for _, _, needed in draws):
        plain = [(name, draw) for name, draw, _ in draws]
        return lambda rng, fuel: {name: draw(rng, fuel) for name, draw in plain}

    def draw(rng: Random, fuel: int) -> object:
        made = {}
        for name, draw_member, needed in draws:
            if needed:
                made[name] = draw_member(rng, fuel)
            elif fuel > 0 and rng.random() < shape.share:
                try:
                    made[name] = draw_member(rng, fuel)
                except UnsatisfiableError:
                    continue
        return made

    return draw


def _bounded_members(shape: ObjectShape, member_draws: Mapping[str, Draw], extras: list[tuple[Draw, Draw]]) -> Draw:
    optional = [name for name in member_draws if name not in shape.required]

    def draw(rng: Random, fuel: int) -> object:
        chosen = _chosen_names(shape, optional, rng, fuel)
        value = {name: draw_member(rng, fuel) for name, draw_member in member_draws.items() if name in chosen}
        missing = shape.least - len(value)
        if fuel > 0 and shape.more:
            missing = max(missing, min(int(rng.random() * (shape.more + 1)), shape.most - len(value)))
        if missing > 0 and extras:
            further = (extras[int(rng.random() * len(extras))] for _ in range(MAX_NAME_TRIES + missing))
            named = ((str(name(rng, fuel)), draw_member) for name, draw_member in further)
            _extend(
                value,
                missing,
                ((name, draw_member(rng, fuel)) for name, draw_member in named if name not in shape.members),
                shape,
            )
        return value

    return draw


def _chosen_names(shape: ObjectShape, optional: list[str], rng: Random, fuel: int) -> set[str]:
    order = rng.sample(optional, len(optional))
    desired = sum(rng.random() < shape.share for _ in order) if fuel > 0 else 0
    room = min(max(desired, shape.least - len(shape.required)), shape.most - len(shape.required))
    chosen = {*shape.required, *order[:room]}
    waiting = list(chosen)
    while waiting:
        new = [name for name in shape.follows.get(waiting.pop(), ()) if name not in chosen]
        chosen.update(new)
        waiting += new
    return chosen


def _extend(value: dict[str, object], missing: int, further: Iterator[tuple[str, object]], shape: ObjectShape) -> None:
    goal = len(value) + missing
    for name, one in further:
        value[name] = one
        if len(value) == goal:
            return
    if len(value) < shape.least and not shape.lenient:
        raise UnsatisfiableError(
            shape.where, "minProperties", f"only {len(value)} members with different names were found"
        )

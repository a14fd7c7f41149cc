"""Plan arrays and objects. Begin with `plan_array` and `plan_object`."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final

from generators.data.formats import kind_of
from generators.data.normalise import Flat, conjunction
from generators.data.plan import Draw, DrawPlan, Edge, Planner, pattern_predicate
from generators.errors import ContradictionError, UnsatisfiableError

MAX_EXTRA_ELEMENTS: Final = 4  # elements beyond the required ones
MAX_ELEMENT_TRIES: Final = 100
UNBOUNDED_ELEMENTS: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayShape:
    """The parts of an array: `prefix`, then `contained` (as many as `contains` needs) mixed with `rest`.

    `least` and `most` limit its length.
    """

    where: str
    prefix: tuple[Edge, ...]
    contained: tuple[Edge, ...]
    rest: Edge | None
    least: int
    most: int
    unique: bool


@dataclass(frozen=True, slots=True)
class ArraySite:
    """An array schema to plan, its place, and the kind of text in its elements."""

    planner: Planner
    flat: Flat
    where: str
    kind: str

    def plan(self, schema: object, step: str) -> Edge:
        """Plan a schema of elements. Raises UnsatisfiableError."""
        return self.planner.plan(schema, f"{self.where}/{step}", self.kind)

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
    prefix, most = _prefix(site, flat.get("maxItems", UNBOUNDED_ELEMENTS))
    rest, most = _rest(site, len(prefix), most)
    contained = _contained(site)[: most - len(prefix)] if site.count else ()
    prefix = _with_contained(site, prefix, site.count - len(contained))
    least = max(flat.get("minItems", 0), len(prefix) + len(contained) if site.count else 0)
    if least > most:
        raise ContradictionError("minItems", f"{least} elements are needed, {most} can be")
    unique = flat.get("uniqueItems", False)
    shape = ArrayShape(
        where=where, prefix=prefix, contained=contained, rest=rest, least=least, most=most, unique=unique
    )
    risk = "contains" if "contains" in flat else ""
    return DrawPlan(build=lambda: _array_builder(shape), needs=_needs(shape), inner=True, risk=risk)


def _prefix(site: ArraySite, most: int) -> tuple[tuple[Edge, ...], int]:
    """Plan the elements of `prefixItems`; the array ends before the first unsatisfiable one."""
    found: list[Edge] = []
    for n, schema in enumerate(site.flat.get("prefixItems", ())[:most]):
        try:
            found.append(site.plan(schema, f"prefixItems/{n}"))
        except UnsatisfiableError:
            if site.flat.get("minItems", 0) > n:
                raise
            return tuple(found), n
    return tuple(found), most


def _rest(site: ArraySite, start: int, most: int) -> tuple[Edge | None, int]:
    """Plan the elements after `prefixItems`; None, and a shorter array, when they are unsatisfiable."""
    if most <= start:
        return None, most
    every = conjunction(site.every, {"not": site.flat["contains"]}) if "maxContains" in site.flat else site.every
    try:
        return site.plan(every, "items"), most
    except UnsatisfiableError:
        most = min(most, start + site.count)
        if site.flat.get("minItems", 0) > most:
            raise
        return None, most


def _contained(site: ArraySite) -> tuple[Edge, ...]:
    """Plan the elements for `contains`, after those of `prefixItems`."""
    try:
        return (site.plan(conjunction(site.every, site.flat["contains"]), "contains"),) * site.count
    except UnsatisfiableError:
        if "prefixItems" in site.flat:
            return ()
        raise


def _with_contained(site: ArraySite, prefix: tuple[Edge, ...], count: int) -> tuple[Edge, ...]:
    """Return the elements of `prefixItems`, the first `count` that can be made valid for `contains`."""
    found = list(prefix)
    for n, schema in enumerate(site.flat.get("prefixItems", ())[: len(prefix)]):
        if count > 0:
            with suppress(UnsatisfiableError):
                found[n] = site.plan(conjunction(schema, site.flat["contains"]), "contains")
                count -= 1
    if count > 0:
        raise ContradictionError("contains", "there is no room for what it asks for")
    return tuple(found)


def _needs(shape: ArrayShape) -> tuple[Edge, ...]:
    rest = (shape.rest,) if shape.rest and shape.least > len(shape.prefix) + len(shape.contained) else ()
    return (*shape.prefix[: shape.least], *shape.contained, *rest)


def _array_builder(shape: ArrayShape) -> Draw:
    prefix = [edge.link() for edge in shape.prefix if edge.finite]
    contained = [edge.link() for edge in shape.contained]
    rest = (
        shape.rest.link(max(1, MAX_EXTRA_ELEMENTS // max(1, shape.least)))
        if shape.rest and shape.rest.finite and len(prefix) == len(shape.prefix)
        else None
    )
    least, fixed = shape.least, len(prefix) + len(contained)
    most = min(shape.most, max(least, fixed) + MAX_EXTRA_ELEMENTS) if rest else min(shape.most, fixed)

    def lay(rng: Random, fuel: int) -> list[Draw]:
        length = least if fuel <= 0 else least + int(rng.random() * (most - least + 1))
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
            if len(values) < shape.least:
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
CHECKED_OBJECT_KEYWORDS: Final = (
    "patternProperties",
    "propertyNames",
    "dependentRequired",
    "minProperties",
    "maxProperties",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectShape:
    """The parts of an object. `extras` are pairs of edges: the names of further members, and their values.

    `least` and `most` limit the number of members, `more` is how many further ones are added.
    """

    where: str
    members: Mapping[str, Edge]
    required: frozenset[str]
    extras: tuple[tuple[Edge, Edge], ...]
    more: int
    least: int
    most: int
    follows: Mapping[str, list[str]]


def plan_object(planner: Planner, flat: Flat, where: str, _kind: str) -> DrawPlan:
    """Plan objects. Raises ContradictionError and UnsatisfiableError."""
    required = frozenset(flat.get("required", ()))
    is_map = isinstance(flat.get("additionalProperties"), Mapping) or "patternProperties" in flat
    members = dict(_members(planner, flat, where))
    least, most = max(flat.get("minProperties", 0), len(required)), flat.get("maxProperties", UNBOUNDED_MEMBERS)
    if least > most:
        raise ContradictionError("maxProperties", f"{least} members are needed, {most} can be")
    extras = tuple(_extras(planner, flat, where)) if is_map or least > len(members) else ()
    if least > len(members) and not extras:
        raise ContradictionError("minProperties", f"{least} members are needed, {len(members)} can be")
    shape = ObjectShape(
        where=where,
        members=members,
        required=required,
        extras=extras,
        more=MAX_EXTRA_MEMBERS if is_map else 0,
        least=least,
        most=most,
        follows=flat.get("dependentRequired", {}),
    )
    risk = next((keyword for keyword in CHECKED_OBJECT_KEYWORDS if keyword in flat), "")
    needs = tuple(members[name] for name in required)
    return DrawPlan(build=lambda: _object_builder(shape), needs=needs, inner=True, risk=risk)


def _members(planner: Planner, flat: Flat, where: str) -> Iterator[tuple[str, Edge]]:
    declared, required = flat.get("properties", {}), flat.get("required", ())
    is_name = planner.predicate(flat.get("propertyNames", True))
    if not all(map(is_name, required)):
        raise ContradictionError("propertyNames", "it excludes the name of a required member")
    followers = chain.from_iterable(flat.get("dependentRequired", {}).values())
    for name in dict.fromkeys((*declared, *required, *followers)):
        try:
            schema = member_schema(flat, name) if is_name(name) else False
            yield name, planner.plan(schema, f"{where}/properties/{name}", kind_of(name))
        except UnsatisfiableError:
            if name in required:
                raise


def member_schema(flat: Flat, name: str) -> object:
    """Return the conjunction of the schemas that apply to a member of that name."""
    schema, found = flat.get("properties", {}).get(name, True), name in flat.get("properties", {})
    for pattern, subschema in flat.get("patternProperties", {}).items():
        if pattern_predicate(pattern)(name):
            schema, found = conjunction(schema, subschema), True
    return schema if found else _open_schema(flat)


def _open_schema(flat: Flat) -> object:
    return flat.get("additionalProperties", flat.get("unevaluatedProperties", True))


def _extras(planner: Planner, flat: Flat, where: str) -> Iterator[tuple[Edge, Edge]]:
    names, open_schema = flat.get("propertyNames"), _open_schema(flat)
    patterns = flat.get("patternProperties", {})
    ways = [
        ({"type": "string", "pattern": pattern}, f"patternProperties/{pattern}", patterns[pattern])
        for pattern in patterns
    ]
    ways.append(({"type": "string"} if names else DEFAULT_NAMES, "additionalProperties", open_schema))
    for name, keyword, value in ways:
        try:
            name_edge = planner.plan(conjunction(name, names if names is not None else True), f"{where}/propertyNames")
            yield name_edge, planner.plan(value, f"{where}/{keyword}")
        except UnsatisfiableError:
            continue


def _object_builder(shape: ObjectShape) -> Draw:
    finite = {name: edge for name, edge in shape.members.items() if edge.finite}
    share = max(1, sum(edge.inner for edge in finite.values()) + shape.more)
    member_draws = [(name, edge.link(share), name in shape.required) for name, edge in finite.items()]
    if shape.extras or shape.follows or shape.least > len(shape.required) or shape.most < len(member_draws):
        return _bounded_members(shape, {name: draw for name, draw, _ in member_draws}, share)
    if all(needed for _, _, needed in member_draws):
        plain = [(name, draw) for name, draw, _ in member_draws]
        return lambda rng, fuel: {name: draw(rng, fuel) for name, draw in plain}
    return lambda rng, fuel: {
        name: draw(rng, fuel)
        for name, draw, needed in member_draws
        if needed or (fuel > 0 and rng.random() < OPTIONAL_MEMBER_SHARE)
    }


def _bounded_members(shape: ObjectShape, member_draws: Mapping[str, Draw], share: int) -> Draw:
    optional = [name for name in member_draws if name not in shape.required]
    extras = [(name.link(), value.link(share)) for name, value in shape.extras if name.finite and value.finite]

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
    desired = sum(rng.random() < OPTIONAL_MEMBER_SHARE for _ in order) if fuel > 0 else 0
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
    if len(value) < shape.least:
        raise UnsatisfiableError(
            shape.where, "minProperties", f"only {len(value)} members with different names were found"
        )

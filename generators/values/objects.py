"""Objects: declared members, and others where the schema names them by pattern or asks for more."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final

from generators.values.judging import matches
from generators.values.merging import Flat, both
from generators.values.node import Draw, Edge, Plan, Planner
from generators.values.pools import kind_of
from generators.values.unsatisfiable import ContradictionError, UnsatisfiableError

OPTIONAL: Final = 0.7  # the share of objects that have a member which they need not have
MORE: Final = 3  # how many further members an open map has at most
TRIES: Final = 100
ENDLESS: Final = 1 << 40
ANY_NAME: Final = {"type": "string", "pattern": "^[a-z]{3,10}$"}
RISKY: Final = ("patternProperties", "propertyNames", "dependentRequired", "minProperties", "maxProperties")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an object is made of. `extras` are pairs: what further members' names are drawn from, and their values."""

    where: str
    members: Mapping[str, Edge]
    required: frozenset[str]
    extras: tuple[tuple[Edge, Edge], ...]
    more: int
    least: int
    most: int
    follows: Mapping[str, list[str]]


def plan_object(planner: Planner, flat: Flat, where: str, _kind: str) -> Plan:
    """Plan objects."""
    required = frozenset(flat.get("required", ()))
    is_map = isinstance(flat.get("additionalProperties"), Mapping) or "patternProperties" in flat
    members = dict(_members(planner, flat, where))
    least, most = max(flat.get("minProperties", 0), len(required)), flat.get("maxProperties", ENDLESS)
    if least > most:
        raise ContradictionError("maxProperties", f"{least} members are needed, {most} can be")
    extras = tuple(_extras(planner, flat, where)) if is_map or least > len(members) else ()
    if least > len(members) and not extras:
        raise ContradictionError("minProperties", f"{least} members are needed, {len(members)} can be")
    shape = Shape(
        where=where,
        members=members,
        required=required,
        extras=extras,
        more=MORE if is_map else 0,
        least=least,
        most=most,
        follows=flat.get("dependentRequired", {}),
    )
    risk = next((keyword for keyword in RISKY if keyword in flat), "")
    needs = tuple(members[name] for name in required)
    return Plan(build=lambda: _builder(shape), needs=needs, inner=True, risk=risk)


def _members(planner: Planner, flat: Flat, where: str) -> Iterator[tuple[str, Edge]]:
    declared, required = flat.get("properties", {}), flat.get("required", ())
    is_name = planner.judge(flat.get("propertyNames", True))
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
    """Return the schema that a member of that name has to keep."""
    schema, found = flat.get("properties", {}).get(name, True), name in flat.get("properties", {})
    for pattern, said in flat.get("patternProperties", {}).items():
        if matches(pattern)(name):
            schema, found = both(schema, said), True
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
    ways.append(({"type": "string"} if names else ANY_NAME, "additionalProperties", open_schema))
    for name, keyword, value in ways:
        try:
            name_edge = planner.plan(both(name, names if names is not None else True), f"{where}/propertyNames")
            yield name_edge, planner.plan(value, f"{where}/{keyword}")
        except UnsatisfiableError:
            continue


def _builder(shape: Shape) -> Draw:
    finite = {name: edge for name, edge in shape.members.items() if edge.finite}
    share = max(1, sum(edge.inner for edge in finite.values()) + shape.more)
    gives = [(name, edge.link(share), name in shape.required) for name, edge in finite.items()]
    if shape.extras or shape.follows or shape.least > len(shape.required) or shape.most < len(gives):
        return _careful(shape, {name: draw for name, draw, _ in gives}, share)
    if all(needed for _, _, needed in gives):
        plain = [(name, draw) for name, draw, _ in gives]
        return lambda rng, fuel: {name: draw(rng, fuel) for name, draw in plain}
    return lambda rng, fuel: {
        name: draw(rng, fuel) for name, draw, needed in gives if needed or (fuel > 0 and rng.random() < OPTIONAL)
    }


def _careful(shape: Shape, gives: Mapping[str, Draw], share: int) -> Draw:
    optional = [name for name in gives if name not in shape.required]
    extras = [(name.link(), value.link(share)) for name, value in shape.extras if name.finite and value.finite]

    def draw(rng: Random, fuel: int) -> object:
        chosen = _chosen(shape, optional, rng, fuel)
        value = {name: give(rng, fuel) for name, give in gives.items() if name in chosen}
        wanted = shape.least - len(value)
        if fuel > 0 and shape.more:
            wanted = max(wanted, min(int(rng.random() * (shape.more + 1)), shape.most - len(value)))
        if wanted > 0 and extras:
            further = (extras[int(rng.random() * len(extras))] for _ in range(TRIES + wanted))
            named = ((str(name(rng, fuel)), give) for name, give in further)
            _extend(
                value, wanted, ((name, give(rng, fuel)) for name, give in named if name not in shape.members), shape
            )
        return value

    return draw


def _chosen(shape: Shape, optional: list[str], rng: Random, fuel: int) -> set[str]:
    order = rng.sample(optional, len(optional))
    wished = sum(rng.random() < OPTIONAL for _ in order) if fuel > 0 else 0
    room = min(max(wished, shape.least - len(shape.required)), shape.most - len(shape.required))
    chosen = {*shape.required, *order[:room]}
    waiting = list(chosen)
    while waiting:
        new = [name for name in shape.follows.get(waiting.pop(), ()) if name not in chosen]
        chosen.update(new)
        waiting += new
    return chosen


def _extend(value: dict[str, object], wanted: int, further: Iterator[tuple[str, object]], shape: Shape) -> None:
    goal = len(value) + wanted
    for name, one in further:
        value[name] = one
        if len(value) == goal:
            return
    if len(value) < shape.least:
        raise UnsatisfiableError(
            shape.where, "minProperties", f"only {len(value)} members with different names were found"
        )

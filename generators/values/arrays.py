"""Arrays: leading elements, what they must contain, the rest; all different where they must be."""

import json
from dataclasses import dataclass
from random import Random
from typing import Final

from generators.values.merging import Flat, both
from generators.values.node import Draw, Edge, Plan, Planner
from generators.values.unsatisfiable import ContradictionError, UnsatisfiableError

MORE: Final = 4  # how many elements more than need be an array has at most
TRIES: Final = 100
ENDLESS: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an array is made of: leading elements, then `wanted` (as many as `contains` asks for) among the `rest`."""

    where: str
    prefix: tuple[Edge, ...]
    wanted: tuple[Edge, ...]
    rest: Edge | None
    least: int
    most: int
    unique: bool


def plan_array(planner: Planner, flat: Flat, where: str, kind: str) -> Plan:
    """Plan arrays."""
    least, most = flat.get("minItems", 0), flat.get("maxItems", ENDLESS)
    prefix, most = _prefix(planner, flat, where, kind, most)
    rest, most = _rest(planner, flat, where, kind, len(prefix), most)
    count = flat.get("minContains", 1) if "contains" in flat else 0
    wanted = _wanted(planner, flat, where, kind)[: most - len(prefix)] if count else ()
    prefix = _containing(planner, flat, where, kind, prefix, count - len(wanted))
    least = max(least, len(prefix) + len(wanted) if count else 0)
    if least > most:
        raise ContradictionError("minItems", f"{least} elements are needed, {most} can be")
    unique = flat.get("uniqueItems", False)
    shape = Shape(where=where, prefix=prefix, wanted=wanted, rest=rest, least=least, most=most, unique=unique)
    return Plan(
        build=lambda: _builder(shape), needs=_needs(shape), risk="contains" if count or "maxContains" in flat else ""
    )


def _every(flat: Flat) -> object:
    return flat.get("items", flat.get("unevaluatedItems", True))


def _prefix(planner: Planner, flat: Flat, where: str, kind: str, most: int) -> tuple[tuple[Edge, ...], int]:
    """Plan the leading elements; one that cannot be ends the array before it."""
    found: list[Edge] = []
    for n, schema in enumerate(flat.get("prefixItems", ())[:most]):
        try:
            found.append(planner.plan(schema, f"{where}/prefixItems/{n}", kind))
        except UnsatisfiableError:
            if flat.get("minItems", 0) > n:
                raise
            return tuple(found), n
    return tuple(found), most


def _wanted(planner: Planner, flat: Flat, where: str, kind: str) -> tuple[Edge, ...]:
    """Plan what `contains` asks for, behind the leading elements."""
    try:
        edge = planner.plan(both(_every(flat), flat["contains"]), f"{where}/contains", kind)
    except UnsatisfiableError:
        if not flat.get("prefixItems"):
            raise
        return ()
    return (edge,) * flat.get("minContains", 1)


def _containing(
    planner: Planner, flat: Flat, where: str, kind: str, prefix: tuple[Edge, ...], count: int
) -> tuple[Edge, ...]:
    """Make leading elements, from the first on, what `contains` asks for, until `count` are."""
    found: list[Edge] = []
    for edge, schema in zip(prefix, flat.get("prefixItems", ()), strict=False):
        try:
            found.append(planner.plan(both(schema, flat["contains"]), f"{where}/contains", kind) if count > 0 else edge)
        except UnsatisfiableError:
            found.append(edge)
        else:
            count -= 1
    if count > 0:
        raise ContradictionError("contains", "there is no room for what it asks for")
    return tuple(found)


def _rest(planner: Planner, flat: Flat, where: str, kind: str, start: int, most: int) -> tuple[Edge | None, int]:
    """Plan the elements after the leading ones; when there can be none, the array is no longer than those."""
    if most <= start:
        return None, most
    every = _every(flat)
    if "maxContains" in flat:
        every = both(every, {"not": flat["contains"]})
    try:
        return planner.plan(every, f"{where}/items", kind), most
    except UnsatisfiableError:
        most = min(most, start + (flat.get("minContains", 1) if "contains" in flat else 0))
        if flat.get("minItems", 0) > most:
            raise
        return None, most


def _needs(shape: Shape) -> tuple[Edge, ...]:
    rest = (shape.rest,) if shape.rest and shape.least > len(shape.prefix) + len(shape.wanted) else ()
    return (*shape.prefix[: shape.least], *shape.wanted, *rest)


def _builder(shape: Shape) -> Draw:
    prefix = [edge.link() for edge in shape.prefix if edge.finite]
    wanted = [edge.link() for edge in shape.wanted]
    rest = shape.rest.link() if shape.rest and shape.rest.finite and len(prefix) == len(shape.prefix) else None
    least, fixed = shape.least, len(prefix) + len(wanted)
    most = min(shape.most, max(least, fixed) + MORE) if rest else min(shape.most, fixed)

    def lay(rng: Random, fuel: int) -> list[Draw]:
        length = least if fuel <= 0 else least + int(rng.random() * (most - least + 1))
        tail = [*wanted, *([rest] * (length - fixed) if rest else ())]
        if wanted:
            rng.shuffle(tail)
        return [*prefix[:length], *tail]

    if shape.unique:
        return lambda rng, fuel: _distinct(lay(rng, fuel), rng, fuel, shape)
    return lambda rng, fuel: [draw(rng, fuel) for draw in lay(rng, fuel)]


def _distinct(draws: list[Draw], rng: Random, fuel: int, shape: Shape) -> list[object]:
    values: list[object] = []
    seen: set[str] = set()
    for draw in draws:
        for _ in range(TRIES):
            value = draw(rng, fuel)
            if (key := _key(value)) not in seen:
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


def _key(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)

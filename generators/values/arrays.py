"""Arrays: leading elements, what they must contain, the rest; all different where they must be."""

import json
from contextlib import suppress
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


@dataclass(frozen=True, slots=True)
class Site:
    """An array schema being planned, where it stands, and what its elements are called."""

    planner: Planner
    flat: Flat
    where: str
    kind: str

    def plan(self, schema: object, step: str) -> Edge:
        """Plan a schema of elements. Raises UnsatisfiableError."""
        return self.planner.plan(schema, f"{self.where}/{step}", self.kind)

    @property
    def every(self) -> object:
        """The schema of the elements after the leading ones."""
        return self.flat.get("items", self.flat.get("unevaluatedItems", True))

    @property
    def count(self) -> int:
        """How many elements `contains` asks for."""
        return int(self.flat.get("minContains", 1)) if "contains" in self.flat else 0


def plan_array(planner: Planner, flat: Flat, where: str, kind: str) -> Plan:
    """Plan arrays."""
    site = Site(planner, flat, where, kind)
    prefix, most = _prefix(site, flat.get("maxItems", ENDLESS))
    rest, most = _rest(site, len(prefix), most)
    wanted = _wanted(site)[: most - len(prefix)] if site.count else ()
    prefix = _containing(site, prefix, site.count - len(wanted))
    least = max(flat.get("minItems", 0), len(prefix) + len(wanted) if site.count else 0)
    if least > most:
        raise ContradictionError("minItems", f"{least} elements are needed, {most} can be")
    unique = flat.get("uniqueItems", False)
    shape = Shape(where=where, prefix=prefix, wanted=wanted, rest=rest, least=least, most=most, unique=unique)
    risk = "contains" if "contains" in flat else ""
    return Plan(build=lambda: _builder(shape), needs=_needs(shape), inner=True, risk=risk)


def _prefix(site: Site, most: int) -> tuple[tuple[Edge, ...], int]:
    """Plan the leading elements; one that cannot be ends the array before it."""
    found: list[Edge] = []
    for n, schema in enumerate(site.flat.get("prefixItems", ())[:most]):
        try:
            found.append(site.plan(schema, f"prefixItems/{n}"))
        except UnsatisfiableError:
            if site.flat.get("minItems", 0) > n:
                raise
            return tuple(found), n
    return tuple(found), most


def _rest(site: Site, start: int, most: int) -> tuple[Edge | None, int]:
    """Plan the elements after the leading ones; when there can be none, the array is no longer than those."""
    if most <= start:
        return None, most
    every = both(site.every, {"not": site.flat["contains"]}) if "maxContains" in site.flat else site.every
    try:
        return site.plan(every, "items"), most
    except UnsatisfiableError:
        most = min(most, start + site.count)
        if site.flat.get("minItems", 0) > most:
            raise
        return None, most


def _wanted(site: Site) -> tuple[Edge, ...]:
    """Plan what `contains` asks for, behind the leading elements."""
    try:
        return (site.plan(both(site.every, site.flat["contains"]), "contains"),) * site.count
    except UnsatisfiableError:
        if "prefixItems" in site.flat:
            return ()
        raise


def _containing(site: Site, prefix: tuple[Edge, ...], count: int) -> tuple[Edge, ...]:
    """Make leading elements, from the first on, what `contains` asks for, until `count` are."""
    found = list(prefix)
    for n, schema in enumerate(site.flat.get("prefixItems", ())[: len(prefix)]):
        if count > 0:
            with suppress(UnsatisfiableError):
                found[n] = site.plan(both(schema, site.flat["contains"]), "contains")
                count -= 1
    if count > 0:
        raise ContradictionError("contains", "there is no room for what it asks for")
    return tuple(found)


def _needs(shape: Shape) -> tuple[Edge, ...]:
    rest = (shape.rest,) if shape.rest and shape.least > len(shape.prefix) + len(shape.wanted) else ()
    return (*shape.prefix[: shape.least], *shape.wanted, *rest)


def _builder(shape: Shape) -> Draw:
    prefix = [edge.link() for edge in shape.prefix if edge.finite]
    wanted = [edge.link() for edge in shape.wanted]
    rest = (
        shape.rest.link(max(1, MORE // max(1, shape.least)))
        if shape.rest and shape.rest.finite and len(prefix) == len(shape.prefix)
        else None
    )
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

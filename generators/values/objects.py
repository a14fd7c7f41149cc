"""Objects: declared members, and others where the schema names them by pattern or asks for more."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """Further members: what their names are drawn from, and their values."""

    name: Edge
    value: Edge


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What an object is made of."""

    where: str
    members: Mapping[str, Edge]
    required: frozenset[str]
    extras: tuple[Extra, ...]
    follows: Mapping[str, list[str]]
    least: int
    most: int | None
    wanted: int
    """How many further members there may be although none is needed."""


def plan_object(planner: Planner, flat: Flat, where: str, _kind: str) -> Plan:
    """Plan objects."""
    required = frozenset(flat.get("required", ()))
    members = _members(planner, flat, where, required)
    least, most = flat.get("minProperties", 0), flat.get("maxProperties")
    if most is not None and max(least, len(required)) > most:
        raise ContradictionError("maxProperties", f"{max(least, len(required))} members are needed")
    wanted = 0 if "properties" in flat and not flat.get("patternProperties") else MORE
    extras = _extras(planner, flat, where) if wanted or least > len(members) else ()
    if least > len(members) and not extras:
        raise ContradictionError("minProperties", f"{least} members are needed, {len(members)} are possible")
    shape = Shape(
        where=where,
        members=members,
        required=required,
        extras=extras,
        follows=flat.get("dependentRequired", {}),
        least=least,
        most=most,
        wanted=wanted if _is_map(flat) else 0,
    )
    needs = tuple(members[name] for name in required)
    return Plan(build=lambda: _builder(shape), needs=needs, risk=_risk(flat, shape))


def _is_map(flat: Flat) -> bool:
    return isinstance(flat.get("additionalProperties"), Mapping) or "patternProperties" in flat


def _risk(flat: Flat, shape: Shape) -> str:
    risky = ("patternProperties", "propertyNames", "dependentRequired", "maxProperties")
    return next((keyword for keyword in risky if keyword in flat), "minProperties" if shape.least else "")


def _members(planner: Planner, flat: Flat, where: str, required: frozenset[str]) -> dict[str, Edge]:
    found: dict[str, Edge] = {}
    names = [*flat.get("properties", {}), *(name for name in flat.get("required", ()) if name not in flat.get("properties", {}))]
    for name in names:
        schema = _member(flat, name)
        try:
            found[name] = planner.plan(schema, f"{where}/properties/{name}", kind_of(name))
        except UnsatisfiableError:
            if name in required:
                raise
    return found

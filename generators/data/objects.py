"""Plan objects. Begin with `plan_object`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from random import Random
from typing import Final

from generators.data.formats import kind_of
from generators.data.normalise import Flat, conjunction
from generators.data.plan import Draw, DrawPlan, Planner, PlanNode, ValueProfile, pattern_predicate
from generators.data.scalars import NAMES
from generators.data.wide_scalars import log_size
from generators.errors import ContradictionError, UnsatisfiableError

OPTIONAL_MEMBER_SHARE: Final = 0.7  # share of objects that have an optional member
MAX_EXTRA_MEMBERS: Final = 3  # undeclared members of an open map
WIDE_EXTRA_MEMBERS: Final = 8  # the same in a wide profile
MAX_WIDE_MEMBERS: Final = 100  # a greater maxProperties is not tested
OPEN_KEYWORDS: Final = ("additionalProperties", "unevaluatedProperties")
WIDE_EXTRA_SHARE: Final = 0.3  # share of objects with undeclared members, where a wide profile has them
MAX_NAME_TRIES: Final = 100
UNBOUNDED_MEMBERS: Final = 1 << 40
DEFAULT_NAMES: Final = {"type": "string", "pattern": "^[a-z]{3,10}$"}
WIDE_NAMES: Final = {
    "type": "string",
    "pattern": "^(([a-z]{1,12}[-_./ ]?){1,3}[0-9]?|[a-z\u00e4\u00e9\u0434\u540d]{1,40})$",
    "maxLength": 40,
}
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

    `least` and `most` limit the number of members, `more` is how many further ones are added, in `extra_share` (0 to 1)
    of the objects. `share` of the objects have an optional member.
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
    extra_share: float
    lenient: bool


def plan_object(planner: Planner, flat: Flat, where: str, _kind: str) -> DrawPlan:
    """Plan objects. Raises ContradictionError and UnsatisfiableError."""
    required = frozenset(flat.get("required", ()))
    is_map = isinstance(flat.get("additionalProperties"), Mapping) or "patternProperties" in flat
    is_map = is_map or (planner.is_wide and _is_open(flat, planner.profile))
    members = dict(_members(planner, flat, where))
    least, most = max(flat.get("minProperties", 0), len(required)), flat.get("maxProperties", UNBOUNDED_MEMBERS)
    if least > most:
        raise ContradictionError("maxProperties", f"{least} members are needed, {most} can be")
    shape = ObjectShape(
        where=where,
        members=members,
        required=required,
        extras=tuple(_extras(planner, flat, where)) if is_map or least > len(required) else (),
        more=0 if not is_map else 1 if planner.typical else _more_members(planner, flat),
        extra_share=WIDE_EXTRA_SHARE if planner.is_wide and "properties" in flat else 1.0,
        least=least,
        most=most,
        follows=flat.get("dependentRequired", {}),
        share=1.0 if planner.typical else OPTIONAL_MEMBER_SHARE,
        lenient=planner.lenient,
    )
    risk = next((keyword for keyword in CHECKED_OBJECT_KEYWORDS if keyword in flat), "")
    needs = tuple(members[name] for name in members if name in required)
    return DrawPlan(build=lambda: _object_builder(shape), needs=needs, inner=True, risk=risk)


def _is_open(flat: Flat, profile: ValueProfile) -> bool:
    """Say whether objects have undeclared members: where the schema mentions them, and if `wide` where it is silent."""
    told = next((flat[keyword] for keyword in OPEN_KEYWORDS if keyword in flat), None)
    return told is not False and (told is not None or profile == "wide" or "properties" not in flat)


def _more_members(planner: Planner, flat: Flat) -> int:
    if not planner.is_wide:
        return MAX_EXTRA_MEMBERS
    return max(WIDE_EXTRA_MEMBERS, min(MAX_WIDE_MEMBERS, int(flat.get("maxProperties", 0))))


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
    usual = WIDE_NAMES if planner.is_wide else DEFAULT_NAMES
    ways.append(({"type": "string"} if names else usual, "additionalProperties", open_schema))
    for name, keyword, value in ways:
        named = planner.plan(conjunction(name, names if names is not None else True), f"{where}/propertyNames", NAMES)
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
        if fuel > 0 and shape.more and (shape.extra_share == 1 or rng.random() < shape.extra_share):
            count = (
                int(rng.random() * (shape.more + 1)) if shape.more <= MAX_EXTRA_MEMBERS else log_size(rng, shape.more)
            )
            missing = max(missing, min(count, shape.most - len(value)))
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

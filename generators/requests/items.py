"""Items of a bulk operation: put together from a payload and what stands beside it, where the declaration has them."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Final, Literal, TypeAlias

from contracts.bulk import Bulk
from contracts.parameters import types_of
from contracts.pointers import pointer_of, tokens_of
from contracts.schemas import Schema
from generators.locations import is_outside
from generators.requests.names import Names
from generators.values import generator_of

FILLINGS: Final = 8
Part: TypeAlias = Literal["target", "key", "version", "action", "resource", "group", "awaited"]


def filled(value: Any, schema: Schema | None, rng: Random) -> Any:
    """Return an object with the members that its schema asks for and that it lacks. Raises UnsatisfiableError."""
    for _ in range(FILLINGS if schema is not None and isinstance(value, dict) else 0):
        error = next(iter(schema.validator.iter_errors(value)), None)  # type: ignore[union-attr] # asked above
        if error is None or error.kind.name != "required" or error.instance_path:
            break
        name = error.kind.as_dict()["property"]
        member = schema.member(name)  # type: ignore[union-attr] # the same
        value = {**value, name: generator_of(member, name).draw(rng) if member is not None else None}
    return value


def step_members(payload: Schema | None) -> Collection[str]:
    """Return what a payload that lists changes says of each: `path`, `value`, maybe `op`; nothing for another form."""
    step = payload.items() if payload is not None and "array" in types_of(payload) else None
    members = step.members().keys() if step is not None else set[str]()
    return members if {"path", "value"} <= members else ()


def as_written(members: Mapping[str, Any], steps: Collection[str]) -> object:
    """Return members as a payload has them: as they are, or as a list of changes with these `step_members`."""
    if not steps:
        return dict(members)
    if "op" in steps:
        return [{"op": "replace", "path": f"/{name}", "value": value} for name, value in members.items()]
    return [{"path": name, "value": value} for name, value in members.items()]


class Wrapper:
    """Puts items of one operation together.

    `element` is the schema of an item, `payload_schema` that of a payload; None where there is none.
    """

    __slots__ = ("_bulk", "_key", "_own", "_parts", "_places", "_steps", "element", "payload_schema")

    def __init__(self, bulk: Bulk, body: Schema | None) -> None:
        self._bulk, effect = bulk, bulk.effect
        self.element = _element(body, bulk)
        self._own = effect.payload not in bulk.items.shared
        holder = self.element if self._own else body
        self.payload_schema = holder.at(effect.payload) if holder is not None else None
        self._steps = step_members(self.payload_schema)
        self._key = self.element.at(bulk.key.at) if self.element is not None and bulk.key.at else None
        self._places: dict[str, Place] = {}
        declared: dict[Part, str | None] = {
            "target": next(iter(effect.target), None),
            "key": bulk.key.at if bulk.key.by == "client" else None,
            "version": effect.version,
            "action": effect.action.source,
            "resource": effect.resource.source if effect.resource is not None else None,
            "group": bulk.order.group_by or bulk.unit.group,
            "awaited": bulk.order.depends_on,
        }
        self._parts = {part: self._place(at) for part, at in declared.items() if at and not is_outside(at)}

    @property
    def lists_changes(self) -> bool:
        """Whether a payload is a list of changes, not the members themselves."""
        return bool(self._steps)

    def payload(self, members: Mapping[str, Any]) -> object:
        """Return members as the payload is written: themselves, or as a list of changes by path."""
        return as_written(members, self._steps)

    def pointer(self, members: Mapping[str, Any], inner: str) -> str:
        """Return where in an item, or in the body where all share it, stands what `inner` points at in the members."""
        at = self._bulk.effect.payload
        if not self._steps:
            return f"{at}{inner}"
        name, *rest = tokens_of(inner)
        return f"{at}{pointer_of([[*members].index(name), 'value', *rest])}"

    def item(self, payload: object, parts: Mapping[Part, object], rng: Random, *, drops: bool = False) -> object:
        """Return the item of a payload, None for none, and of what stands beside it; members that it lacks are drawn.

        A part that is None is not said. `drops` puts the declared tombstone in. Raises UnsatisfiableError.
        """
        at, own = self._bulk.effect.payload, self._own and payload is not None
        item: Any = payload if own and not at else {}
        if own and at:
            self._place(at).put(item, payload)
        for at, value in self._bulk.effect.tombstone.items() if drops else ():
            self._place(at).put(item, value)
        said = [
            (self._parts[part], value) for part, value in parts.items() if value is not None and part in self._parts
        ]
        for place, value in said:
            place.put(item, value)
        if self.fits(item):
            return item
        for place, value in said:
            place.put(item, place.fitting(value))
        return filled(item, self.element, rng)

    def fits(self, item: object) -> bool:
        """Say whether an item keeps the request's schema."""
        return self.element is None or self.element.is_valid(item)

    def fresh_key(self, action: str, names: Names, slot: str, rng: Random) -> object:
        """Return a key for an item that the caller chooses it for, None for another. Raises ImpossibleError."""
        key = self._bulk.key
        chosen = key.by == "client" and key.at is not None and (not key.only_for or action in key.only_for)
        return names.fit(self._key, slot, rng) if chosen else None

    def _place(self, location: str) -> "Place":
        ready = self._places.get(location)
        if ready is None:
            schema = self.element.at(location) if self.element is not None else None
            is_valid = schema.validator.is_valid if schema is not None else None
            ready = self._places[location] = Place(tokens_of(location), is_valid)
        return ready


@dataclass(frozen=True, slots=True)
class Place:
    """A place in items, and what its schema takes."""

    tokens: tuple[str, ...]
    is_valid: Callable[[object], bool] | None

    def put(self, item: dict[str, Any], value: object) -> None:
        """Write a value there."""
        for token in self.tokens[:-1]:
            item = item.setdefault(token, {})
        item[self.tokens[-1]] = value

    def fitting(self, value: object) -> object:
        """Return a number as text, digits as a number, and a list as its first element where only that fits."""
        if self.is_valid is None or self.is_valid(value):
            return value
        digits = isinstance(value, str) and value.isdecimal()
        others = value[:1] if isinstance(value, list) else [int(str(value)) if digits else str(value)]
        return next(filter(self.is_valid, others), value)


def _element(body: Schema | None, bulk: Bulk) -> Schema | None:
    """Return the schema of one item: an element of the list, or any member of the map."""
    for place in (bulk.items.at, *bulk.items.also_at):
        found = body.at(place) if body is not None else None
        if found is not None and bulk.items.groups is not None:
            group = found.items()
            found = group.at(bulk.items.groups) if group is not None else None
        one = None if found is None else found.member("") if bulk.items.shape == "map" else found.items()
        if one is not None:
            return one
    return None

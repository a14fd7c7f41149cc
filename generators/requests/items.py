"""Encode items of a bulk operation: the payload and the values beside it, each at the location that `x-bulk` declares.

Begin with `ItemEncoder`.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, Literal, TypeAlias

from contracts.bulk.model import Bulk, Location
from contracts.exchange.locations import find, find_all, is_outside
from contracts.openapi.model import Operation
from contracts.openapi.parameters import types_of
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, pointer_of, tokens_of
from generators.data.compile import generator_of
from generators.requests.calls import body_examples
from generators.requests.known_records import Names

MAX_FILLED_MEMBERS: Final = 8
WRAPPER: Final = "/~member"  # where an item's only member, with all else in it, is the word of what it wants
Part: TypeAlias = Literal["target", "key", "version", "action", "resource", "group", "awaited"]


def fill_required(value: Any, schema: Schema | None, rng: Random, spared: Collection[str] = ()) -> Any:
    """Return an object with its missing required members drawn, at most 8 of them, none `spared`.

    Raises UnsatisfiableError.
    """
    if schema is None or not isinstance(value, dict):
        return value
    for _ in range(MAX_FILLED_MEMBERS):
        error = next((one for one in schema.validator.iter_errors(value) if _missing(one) not in spared), None)
        name = _missing(error)
        if not name:
            break
        member = schema.within.once((fill_required, schema.ref, name), partial(schema.member, name))
        value = {**value, name: generator_of(member, name).draw(rng) if member is not None else None}
    return value


def _missing(error: Any) -> str:
    """Return the member that an object itself lacks, "" for another error."""
    is_missing = error is not None and error.kind.name == "required" and not error.instance_path
    return str(error.kind.as_dict()["property"]) if is_missing else ""


def change_members(payload: Schema | None) -> Collection[str]:
    """Return the member names of a payload that lists changes: `path`, `value`, maybe `op`; none for other payloads."""
    step = payload.items() if payload is not None and "array" in types_of(payload) else None
    members = step.members().keys() if step is not None else set[str]()
    return members if {"path", "value"} <= members else ()


def encode_members(members: Mapping[str, Any], steps: Collection[str]) -> object:
    """Return members as a payload: an object, or a list of changes whose entries have `steps` as members (RFC 6902)."""
    if not steps:
        return dict(members)
    if "op" in steps:
        return [{"op": "replace", "path": f"/{name}", "value": value} for name, value in members.items()]
    return [{"path": name, "value": value} for name, value in members.items()]


def own_key_member(bulk: Bulk) -> str | None:
    """Return the member of a record that is its item's own key too, None where the key stands apart."""
    at = bulk.key.at or ""
    is_member = bulk.key.by == "client" and not (bulk.effect.payload or bulk.effect.http) and at.count("/") == 1
    return tokens_of(at)[0] if is_member else None


@dataclass(slots=True, kw_only=True)  # there is one for each item: a frozen one takes three times as long to make
class ItemContent:
    """What an item states; a part that is None is not sent.

    `members` are the members that it sets, `target` is the record's key, `version` the version that it expects,
    `key` the item's own key, and `awaited` are the keys of the items that it depends on. `incomplete` says that a
    member is left out on purpose.
    """

    action: str
    members: Mapping[str, Any] | None
    target: object = None
    version: object = None
    key: object = None
    group: object = None
    awaited: Sequence[object] = ()
    incomplete: bool = False

    @property
    def values(self) -> Mapping[str, Any]:
        """The members that it sets; empty when it has no payload."""
        return self.members if self.members is not None else {}


def says_version(bulk: Bulk, action: str) -> bool:
    """Say whether an item with an action has a place for a version; in a wrapper it may be in others alone."""
    at, choice = bulk.effect.version, bulk.effect.action
    if at is None or choice.source != WRAPPER or is_outside(at):
        return at is not None
    return choice.words.get(tokens_of(at)[0]) == action


class ItemEncoder:
    """Encodes the items of one operation.

    `element` is the schema of an item, `payload_schema` that of a payload; None when the contract has none.
    """

    __slots__ = (
        "_bulk",
        "_has_own_payload",
        "_is_target",
        "_key",
        "_locations",
        "_parts",
        "_steps",
        "_targets",
        "_wraps",
        "element",
        "payload_schema",
    )

    def __init__(self, bulk: Bulk, body: Schema | None) -> None:
        self._bulk, effect = bulk, bulk.effect
        self.element = element_schema(body, bulk)
        self._has_own_payload = effect.payload not in bulk.items.shared
        holder = self.element if self._has_own_payload else body
        self.payload_schema = holder.at(effect.payload) if holder is not None else None
        self._steps = change_members(self.payload_schema)
        self._key = self.element.at(bulk.key.at) if self.element is not None and bulk.key.at else None
        self._locations: dict[str, ItemLocation] = {}
        declared: dict[Part, str | None] = {
            "target": next(iter(effect.target), None),
            "key": bulk.key.at if bulk.key.by == "client" and bulk.key.at not in effect.target else None,
            "version": effect.version,
            "action": effect.action.source,
            "resource": effect.resource.source if effect.resource is not None else None,
            "group": bulk.order.group_by or bulk.unit.group,
            "awaited": bulk.order.depends_on,
        }
        self._wraps = effect.action.source == WRAPPER
        inside = {part: at for part, at in declared.items() if at and not is_outside(at) and at != WRAPPER}
        self._parts = {part: self._location(at) for part, at in inside.items()}
        self._targets = {tokens_of(at)[0]: self._location(at) for at in reversed(effect.target) if tokens_of(at)}
        self._is_target = next(iter(effect.target), None) == ""  # an item is the key of its record, and no more

    @property
    def lists_changes(self) -> bool:
        """Whether a payload is a list of changes instead of the members themselves."""
        return bool(self._steps)

    def payload(self, members: Mapping[str, Any]) -> object:
        """Return members as a payload: an object, or a list of changes by path."""
        return encode_members(members, self._steps)

    def pointer(self, members: Mapping[str, Any], inner: str) -> str:
        """Return the JSON Pointer in the item, or in the body for a shared payload, of `inner` in the members."""
        at = self._bulk.effect.http.get("body", self._bulk.effect.payload)
        if not self._steps:
            return f"{at}{inner}"
        name, *rest = tokens_of(inner)
        return f"{at}{pointer_of([[*members].index(name), 'value', *rest])}"

    def item(
        self,
        payload: object,
        parts: Mapping[Part, object],
        rng: Random,
        *,
        action: str = "",
        request: Mapping[Location, object] | None = None,
        spared: Collection[str] = (),
    ) -> object:
        """Return an item with this payload (None for none) and these parts; required members it lacks are drawn.

        None of the `spared` ones is. A part that is None is not sent. A deletion has the declared tombstone. `request`
        are the members of an item that is an HTTP request. Raises UnsatisfiableError.
        """
        effect, target = self._bulk.effect, parts.get("target")
        if self._is_target and target is not None:
            return target if self.fits(target) else self._location("").coerce(target)
        at, own = effect.payload_of.get(action, effect.payload), self._has_own_payload and payload is not None
        item: Any = payload if own and not at else {}
        if own and at:
            self._location(at).put(item, payload)
        for at, value in effect.tombstone.items() if action == "delete" else ():
            self._location(at).put(item, value)
        present = self._present(parts)
        for place, value in present:
            place.put(item, value)
        if self._wraps:
            item = {str(parts["action"]): item.get(parts["action"], {})}
        for at, value in (request or {}).items():
            self._location(at).put(item, value)
        if self.fits(item):
            return item
        for place, value in present:
            place.put(item, place.coerce(value))
        return fill_required(item, self.element, rng, spared)

    def _present(self, parts: Mapping[Part, object]) -> list[tuple["ItemLocation", object]]:
        """Return the location and the value of each part that is stated; in a wrapper only what stands in it."""
        own, word = self._parts, str(parts.get("action"))
        if self._wraps:
            places: dict[Part, ItemLocation] = {**own}
            places |= {"target": self._targets[word]} if word in self._targets else {}
            own = {part: place for part, place in places.items() if place.tokens[0] == word}
        return [(own[part], value) for part, value in parts.items() if value is not None and part in own]

    def fits(self, item: object) -> bool:
        """Return whether an item is valid against the request's schema."""
        return self.element is None or self.element.is_valid(item)

    def fresh_key(self, action: str, names: Names, slot: str) -> object:
        """Return a new item key where the client chooses one, else None. Raises NotApplicableError."""
        key = self._bulk.key
        is_own = key.at is not None and key.at not in self._bulk.effect.target  # else it is that of the record
        chosen = key.by == "client" and is_own and (not key.only_for or action in key.only_for)
        return names.fresh_value(self._key, slot) if chosen else None

    def _location(self, location: str) -> "ItemLocation":
        ready = self._locations.get(location)
        if ready is None:
            schema = self.element.at(location) if self.element is not None else None
            is_valid = schema.validator.is_valid if schema is not None else None
            ready = self._locations[location] = ItemLocation(tokens_of(location), is_valid)
        return ready


@dataclass(frozen=True, slots=True)
class ItemLocation:
    """A location in an item, and the validity check of its schema."""

    tokens: tuple[str, ...]
    is_valid: Callable[[object], bool] | None

    def put(self, item: dict[str, Any], value: object) -> None:
        """Set the value there; what is drawn in the way and is no object is replaced by one."""
        for token in self.tokens[:-1]:
            inner = item.get(token)
            item[token] = inner if isinstance(inner, dict) else {}
            item = item[token]
        item[self.tokens[-1]] = value

    def coerce(self, value: object) -> object:
        """Return the value, or if invalid its valid form: a number as text, digits as number, a list as its element."""
        if self.is_valid is None or self.is_valid(value):
            return value
        digits = isinstance(value, str) and value.isdecimal()
        others = value[:1] if isinstance(value, list) else [int(str(value)) if digits else str(value)]
        return next(filter(self.is_valid, others), value)


def element_schema(body: Schema | None, bulk: Bulk) -> Schema | None:
    """Return the schema of one item: an element of the array, or any member of the map."""
    for place in bulk.items.places:
        found = body.at(place) if body is not None else None
        if found is not None and bulk.items.groups is not None:
            group = found.items()
            found = group.at(bulk.items.groups) if group is not None else None
        one = None if found is None else found.member("") if bulk.items.shape == "map" else found.items()
        if one is not None:
            return one
    return None


def example_members(operation: Operation) -> Sequence[str]:
    """Return the members that the request examples of a bulk operation set."""
    bulk = operation.bulk
    if bulk is None:
        return ()
    names: dict[str, None] = {}
    for example in body_examples(operation):
        for at in bulk.items.places:
            for payload in _payloads(example, at, bulk.effect.payload, shared=bulk.effect.payload in bulk.items.shared):
                names |= dict.fromkeys(_member_names(payload))
    return list(names)


def _payloads(example: object, at: Location, payload: Location, *, shared: bool) -> Iterator[object]:
    if shared:
        yield find(example, payload)
    for items in find_all(example, at):
        for raw in items if isinstance(items, list) else items.values() if isinstance(items, dict) else ():
            yield find(raw, payload)


def _member_names(payload: object) -> list[str]:
    if isinstance(payload, dict):
        return list(payload)
    return [str(one["path"]).removeprefix("/") for one in as_list(payload) if isinstance(one, dict) and "path" in one]

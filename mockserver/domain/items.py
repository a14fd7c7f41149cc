"""Taking the items of a bulk request apart, as its `x-bulk` declares."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import count, repeat
from typing import TYPE_CHECKING, Any, TypeAlias

from contracts.bulk import Bulk, Choice, Resource
from contracts.keys import KeyKind
from contracts.messages import ABSENT
from contracts.pointers import pointer_of
from contracts.preconditions import IF_MATCH, Version, condition, version_of
from mockserver.domain.places import chooser, column, is_outside, locate, reader
from mockserver.domain.values import Item

if TYPE_CHECKING:
    from mockserver.turn import Turn

Raws: TypeAlias = Sequence[tuple[object, object]]
Chosen: TypeAlias = Callable[[object], str | None]
Read: TypeAlias = Callable[[object], object]


class Dismantler:
    """Takes requests of one operation apart. `fallback` is the resource when the declaration names none.

    `keys` are the kinds of the resources' keys by name.
    """

    __slots__ = (
        "_action",
        "_bulk",
        "_fallback",
        "_group",
        "_key",
        "_keys",
        "_payload",
        "_resource",
        "_resources",
        "_targets",
        "_tomb",
        "_version",
    )

    def __init__(
        self, bulk: Bulk, resources: Mapping[str, Resource], fallback: str | None, keys: Mapping[str, KeyKind]
    ) -> None:
        effect = bulk.effect
        self._keys = keys
        self._bulk, self._resources, self._fallback = bulk, resources, fallback
        self._payload = reader(effect.payload)
        self._version = None if effect.version is None or is_outside(effect.version) else reader(effect.version)
        group = bulk.order.group_by or bulk.unit.group
        self._group = None if group is None else reader(group)
        self._key = None if bulk.key.at is None else reader(bulk.key.at)
        self._targets = tuple(reader(place) for place in effect.target if not is_outside(place))
        self._action = chooser(effect.action)
        self._resource = chooser(effect.resource or Choice(constant=fallback or ""))
        self._tomb = tuple((reader(at), value) for at, value in effect.tombstone.items())

    def collection(self, turn: "Turn") -> Raws:
        """Return the raw items, each with its name in a map, its place in the list, or its group's place."""
        items = self._bulk.items
        found = self._found(turn)
        if isinstance(found, dict):
            return list(found.items())
        if items.groups is not None:
            return self._grouped(found, items.groups)
        return list(enumerate(found))

    def raws(self, turn: "Turn") -> Sequence[object]:
        """Return the raw items alone."""
        found = self._found(turn)
        if isinstance(found, dict):
            return list(found.values())
        groups = self._bulk.items.groups
        return found if groups is None else [raw for _, raw in self._grouped(found, groups)]

    def _grouped(self, found: list[Any], at: str) -> Raws:
        """Return the members of all groups, each with its group's place; what has no list at `at` is no group."""
        listed = map(reader(at), found)
        return [(n, raw) for n, group in enumerate(listed) if isinstance(group, list) for raw in group]

    def _found(self, turn: "Turn") -> "dict[str, object] | list[Any]":
        """Return what stands where the items should, an empty list when nothing fitting does."""
        items = self._bulk.items
        wanted = dict if items.shape == "map" else list
        for place in (items.at, *items.also_at):
            found = locate(turn, place)
            if isinstance(found, wanted):
                return found
        return []

    def size(self, turn: "Turn") -> int:
        """Return how many items there are."""
        return len(self.raws(turn))

    def resource(self, turn: "Turn", raw: object) -> Resource | None:
        """Return the resource that an item speaks of, None when the word for it is unknown."""
        return self._resources.get(self._word(turn, self._bulk.effect.resource, self._resource, raw) or "")

    def keys(self, turn: "Turn") -> list[object]:
        """Return each item's own key, `ABSENT` where it has none."""
        if self._key is None:
            return self.targets(turn)
        if self._bulk.items.shape == "map" and not self._bulk.key.at:
            return [name for name, _ in self.collection(turn)]
        return column(self._bulk.key.at or "", self.raws(turn))

    def targets(self, turn: "Turn") -> list[object]:
        """Return the record that each item names, `ABSENT` where it names none."""
        resource = self.resource(turn, None) if self._is_fixed(self._bulk.effect.resource) else None
        if resource is not None and not self._targets and not self._bulk.effect.payload:
            return self._typed(resource, column(pointer_of((resource.key,)), self.raws(turn)))
        return [item.target for item in self.items(turn)]

    def items(self, turn: "Turn") -> list[Item]:
        """Return the items in the order of the request. The body has been checked against the contract."""
        effect = self._bulk.effect
        resource = self.resource(turn, None) if self._is_fixed(effect.resource) else None
        action = self._action(self._given(turn, effect.action, None)) if self._is_fixed(effect.action) else None
        if resource is not None and action is not None and self._is_plain(resource):
            return self._plain(self.raws(turn), resource, action)
        make = self._maker(turn, resource, action)
        return [item for n, (name, raw) in enumerate(self.collection(turn)) if (item := make(n, name, raw)) is not None]

    def _is_plain(self, resource: Resource) -> bool:
        """Tell whether an item is no more than a payload with a key: the common case, which is worth doing quickly."""
        bulk = self._bulk
        listed = bulk.items.shape == "array" and bulk.items.groups is None and not bulk.items.shared
        bare = self._bulk.effect.version is None and self._group is None and not bulk.effect.target
        settled = not self._tomb or resource.tombstone is not None
        named = resource.assigned or not bulk.effect.payload
        return listed and bare and settled and named and bulk.key.by in {"client", "target"}

    def _plain(self, raws: Sequence[object], resource: Resource, action: str) -> list[Item]:
        payload, own = self._bulk.effect.payload, pointer_of((resource.key,))
        keys = column(own if self._bulk.key.at is None else self._bulk.key.at, raws)
        named = [None if key is ABSENT else key for key in keys] if ABSENT in keys else keys
        aims: Iterable[object] = repeat(ABSENT) if payload else self._typed(resource, column(own, raws))
        payloads = column(payload, raws) if payload else raws
        parts = zip(count(), named, repeat(action), repeat(resource), aims, payloads, repeat(None), repeat(None), raws)
        return list(map(tuple.__new__, repeat(Item), parts))

    def _typed(self, resource: Resource, targets: list[object]) -> list[object]:
        kind = self._keys[resource.name]
        return list(map(kind.typed, targets)) if kind.is_number else targets

    def _maker(
        self, turn: "Turn", fixed: Resource | None, settled: str | None
    ) -> Callable[[int, object, object], Item | None]:
        """Return what makes an item of a raw one; what all items share is found once."""
        payload_of, version_at, group_of, tomb = self._payload, self._version, self._group, self._tomb
        key_of, by, targets = self._key, self._bulk.key.by, self._targets
        whole = not self._bulk.effect.payload
        shared = (
            locate(turn, self._bulk.effect.payload) if self._bulk.effect.payload in self._bulk.items.shared else ABSENT
        )
        named = self._bulk.items.shape == "map" and self._bulk.key.at == ""
        told = by == "target" and named and not targets
        aim, seen = self._aimed(turn), self._seen(turn)
        kinds = {name: kind for name, kind in self._keys.items() if kind.is_number}
        grouped = self._bulk.items.groups is not None

        def make(n: int, name: object, raw: object) -> Item | None:
            resource = fixed or self.resource(turn, raw)
            action = settled or self._action(self._given(turn, self._bulk.effect.action, raw))
            if resource is None or action is None:
                return None
            if tomb and resource.tombstone is None and all(read(raw) == value for read, value in tomb):
                action = "delete"
            payload = raw if whole else payload_of(raw)
            if payload is ABSENT:
                payload = shared
            target = _target(targets, raw, payload, resource) if targets or whole or not resource.assigned else ABSENT
            if told or aim is not ABSENT:
                target = name if told else aim
            if resource.name in kinds:
                target = kinds[resource.name].typed(target)
            if by in _COUNTED:
                key: object = n
            else:
                key = name if named else target if key_of is None else key_of(raw)
            group = name if grouped else None if group_of is None else _or_none(group_of(raw))
            version = seen if version_at is None else version_of(version_at(raw))
            return Item(
                n, key if isinstance(key, str | int) else None, action, resource, target, payload, version, group, raw
            )

        return make

    def _aimed(self, turn: "Turn") -> object:
        """Return the record that the call names for all items, outside its body."""
        places = (locate(turn, at) for at in self._bulk.effect.target if is_outside(at))
        return next((found for found in places if found is not ABSENT), ABSENT)

    def _seen(self, turn: "Turn") -> Version | None:
        """Return the version that the call names for all items, outside its body."""
        at = self._bulk.effect.version
        if at is None or not is_outside(at):
            return None
        given = condition(turn.operation, turn.call.headers, IF_MATCH) if turn.operation and _is_if_match(at) else None
        return given or version_of(locate(turn, at))

    def unread(self, turn: "Turn") -> int | None:
        """Return the place of the first item whose kind or action is a word that means nothing, None when none is."""
        effect = self._bulk.effect
        fixed = self._is_fixed(effect.resource) and self._is_fixed(effect.action)
        for n, raw in enumerate([None] if fixed else self.raws(turn)):
            if self.resource(turn, raw) is None or self._action(self._given(turn, effect.action, raw)) is None:
                return n
        return None

    def _is_fixed(self, choice: Choice | None) -> bool:
        return choice is None or not choice.source or is_outside(choice.source)

    def _word(self, turn: "Turn", choice: Choice | None, chosen: Chosen, raw: object) -> str | None:
        return chosen(ABSENT if choice is None else self._given(turn, choice, raw))

    def _given(self, turn: "Turn", choice: Choice, raw: object) -> object:
        if not choice.source:
            return ABSENT
        return locate(turn, choice.source) if is_outside(choice.source) else reader(choice.source)(raw)


_COUNTED = frozenset({"index", "order"})


def _target(targets: tuple[Read, ...], raw: object, payload: object, resource: Resource) -> object:
    for read in targets:
        found = read(raw)
        if found is not ABSENT:
            return found
    if targets:
        return ABSENT
    return payload.get(resource.key, ABSENT) if isinstance(payload, dict) else ABSENT


def _or_none(value: object) -> object:
    return None if value is ABSENT else value


def _is_if_match(location: str) -> bool:
    return location.lower() == f"header:{IF_MATCH}".lower()

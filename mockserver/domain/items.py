"""Taking the items of a bulk request apart, as its `x-bulk` declares."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from contracts.bulk import Bulk, Resource
from contracts.messages import ABSENT
from mockserver.domain.places import choose, is_outside, locate, reader
from mockserver.domain.values import Item
from mockserver.stores import Key

if TYPE_CHECKING:
    from mockserver.turn import Turn


class Dismantler:
    """Takes requests of one operation apart. `fallback` is the resource when the declaration names none."""

    __slots__ = ("_bulk", "_fallback", "_group", "_payload", "_resources", "_shared", "_version")

    def __init__(self, bulk: Bulk, resources: Mapping[str, Resource], fallback: str | None) -> None:
        self._bulk, self._resources, self._fallback = bulk, resources, fallback
        self._payload = reader(bulk.effect.payload)
        self._version = None if bulk.effect.version is None else reader(bulk.effect.version)
        group = bulk.order.group_by or bulk.unit.group
        self._group = None if group is None else reader(group)
        self._shared = bulk.effect.payload in bulk.items.shared

    def collection(self, turn: "Turn") -> list[tuple[object, object]]:
        """Return the raw items, each with its name in a map or its place in the list; empty when there is none."""
        places = (self._bulk.items.at, *self._bulk.items.also_at)
        found = [value for place in places if _fits(value := locate(turn, place), self._bulk.items.shape)]
        if not found:
            return []
        if isinstance(found[0], dict):
            return list(found[0].items())
        if self._bulk.items.groups is not None:
            return [(n, raw) for n, group in enumerate(found[0]) for raw in group]  # type: ignore[arg-type,var-annotated] # a list of lists
        return list(enumerate(found[0]))  # type: ignore[call-overload] # _fits says that it is a list

    def resource(self, turn: "Turn", raw: object) -> Resource | None:
        """Return the resource that an item speaks of, None when the word for it is unknown."""
        choice = self._bulk.effect.resource
        if choice is None:
            return self._resources.get(self._fallback or "")
        name = choose(choice, _given(turn, raw, choice.source))
        return self._resources.get(name or "")

    def action(self, turn: "Turn", raw: object) -> str | None:
        """Return what an item wants done, None when the word for it is unknown."""
        tombstone = self._bulk.effect.tombstone
        if tombstone and all(reader(at)(raw) == value for at, value in tombstone.items()):
            return "delete"
        return choose(self._bulk.effect.action, _given(turn, raw, self._bulk.effect.action.source))

    def items(self, turn: "Turn") -> list[Item]:
        """Return the items in the order of the request. The body has been checked against the contract."""
        pairs = self.collection(turn)
        effect = self._bulk.effect
        if not pairs:
            return []
        fixed = effect.resource is None or is_outside(effect.resource.source) or not effect.resource.source
        resource = self.resource(turn, None) if fixed else None
        if fixed and resource is not None and self._plain(resource):
            return self._upright(turn, pairs, resource)
        return [item for n, (name, raw) in enumerate(pairs) if (item := self._item(turn, n, name, raw)) is not None]

    def _plain(self, resource: Resource) -> bool:
        """Tell whether an item is nothing but the record, named by its own key: the common case, done without detours."""
        effect, key = self._bulk.effect, self._bulk.key
        own = {resource.key, f"/{resource.key}"}
        named = key.by == "target" and (key.at is None or key.at in own)
        inside = not effect.payload and self._version is None and self._group is None and not self._shared
        settled = not effect.action.source and (not effect.tombstone or resource.tombstone is not None)
        return named and inside and settled and set(effect.target) <= own and self._bulk.items.shape == "array"

    def _upright(self, turn: "Turn", pairs: list[tuple[object, object]], resource: Resource) -> list[Item]:
        del turn
        member, action = resource.key, self._bulk.effect.action.constant
        return [
            Item(n, raw[member], action, resource, raw[member], raw, None, None, raw)  # type: ignore[index,call-overload] # checked
            for n, (_, raw) in enumerate(pairs)
        ]

    def _item(self, turn: "Turn", index: int, name: object, raw: object) -> Item | None:
        resource, action = self.resource(turn, raw), self.action(turn, raw)
        if resource is None or action is None:
            return None
        if resource.tombstone is not None and self._bulk.effect.tombstone and action == "delete":
            action = self._bulk.effect.action.constant or action
        payload = self._payload(raw)
        if payload is ABSENT and self._shared:
            payload = locate(turn, self._bulk.effect.payload)
        target = self._target(turn, raw, payload, resource)
        group = name if self._bulk.items.groups is not None else ABSENT if self._group is None else self._group(raw)
        key = self._key(index, name, raw, target)
        return Item(
            index,
            key,
            action,
            resource,
            target,
            payload,
            self._version_of(raw),
            None if group is ABSENT else group,
            raw,
        )

    def _target(self, turn: "Turn", raw: object, payload: object, resource: Resource) -> object:
        for place in self._bulk.effect.target:
            found = _given(turn, raw, place)
            if found is not ABSENT:
                return found
        if self._bulk.effect.target:
            return ABSENT
        return payload.get(resource.key, ABSENT) if isinstance(payload, dict) else ABSENT

    def _key(self, index: int, name: object, raw: object, target: object) -> Key | None:
        declared = self._bulk.key
        if declared.by in {"index", "order"}:
            return index
        if declared.at == "" and self._bulk.items.shape == "map":
            found = name
        else:
            found = target if declared.at is None else reader(declared.at)(raw)
        return found if isinstance(found, str | int) else None

    def _version_of(self, raw: object) -> int | None:
        found = ABSENT if self._version is None else self._version(raw)
        if isinstance(found, str) and found.isascii() and found.isdigit():
            return int(found)
        return found if isinstance(found, int) else None


def _given(turn: "Turn", raw: object, place: str) -> object:
    return locate(turn, place) if is_outside(place) else reader(place)(raw)


def _fits(value: object, shape: str) -> bool:
    return isinstance(value, dict if shape == "map" else list)

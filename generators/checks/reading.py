"""What a bulk call asks for: its items, their unit and order, its targets, and whether it is to become a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from contracts.bulk import Bulk
from contracts.inference import fallback_resource
from contracts.messages import ABSENT
from contracts.model import Contract, Operation
from contracts.pointers import pointer_of, tokens_of
from contracts.texts import whole
from generators.locations import Sent, choose, is_outside, locate, look, wished


@dataclass(frozen=True, slots=True, kw_only=True)
class SentItem:
    """One item of a bulk call. What the call does not say is ABSENT, a word that is not declared is None."""

    index: int
    key: object
    action: str | None
    resource: str | None
    target: object
    payload: object
    version: object
    group: object
    raw: object


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkCall:
    """A bulk call taken apart. `unit` is `whole`, `item`, `group`, or None when the caller chose another word.

    `targets` are those of a fan-out in order, each once; None when the operation has none.
    """

    operation: Operation
    bulk: Bulk
    sent: Sent
    items: tuple[SentItem, ...]
    unit: str | None
    grouped: bool
    as_job: bool
    targets: tuple[str, ...] | None


def read_call(contract: Contract, sent: Sent) -> BulkCall | None:
    """Return a bulk call taken apart, None when it has no collection of items or is no bulk call."""
    bulk = sent.operation.bulk
    collection = None if bulk is None else _collection(bulk, sent)
    if bulk is None or collection is None:
        return None
    unit, reader = bulk.unit.of, _Reader(contract, bulk, sent)
    return BulkCall(
        operation=sent.operation,
        bulk=bulk,
        sent=sent,
        items=tuple(reader.item(n, name, raw) for n, (name, raw) in enumerate(collection)),
        unit=choose(unit, locate(sent, unit.source) if unit.source else ABSENT),
        grouped=bulk.order.run == "grouped" and _said(sent, bulk.order.when),
        as_job=bulk.job is not None and any(wished(sent, wish) for wish in bulk.job.when),
        targets=_targets(bulk, sent),
    )


def _collection(bulk: Bulk, sent: Sent) -> list[tuple[object, object]] | None:
    """Return the raw items, each with its name in a map, its group in a list of lists, or its place in a list."""
    wanted = dict if bulk.items.shape == "map" else list
    places = (bulk.items.at, *bulk.items.also_at)
    found: Any = next((value for at in places if isinstance(value := locate(sent, at), wanted)), None)
    if found is None:
        return None
    if bulk.items.shape == "map":
        return list(found.items())
    if bulk.items.groups is None:
        return list(enumerate(found))
    lists = [look(element, bulk.items.groups) for element in found]
    return [(n, raw) for n, group in enumerate(lists) if isinstance(group, list) for raw in group]


def _said(sent: Sent, when: str | None) -> bool:
    if when is None:
        return True
    return wished(sent, when) if "=" in when else locate(sent, when) in (True, "true")


def _targets(bulk: Bulk, sent: Sent) -> tuple[str, ...] | None:
    if bulk.items.fan_out is None:
        return None
    named = locate(sent, bulk.items.fan_out.over)
    return tuple(dict.fromkeys(map(str, named))) if isinstance(named, list) else ()


class _Reader:
    """Reads the items of one call."""

    def __init__(self, contract: Contract, bulk: Bulk, sent: Sent) -> None:
        self._contract, self._bulk, self._sent = contract, bulk, sent
        self._grouping = bulk.order.group_by or bulk.unit.group

    def item(self, index: int, name: object, raw: object) -> SentItem:
        """Return one item; `name` is its name in a map, its group in a list of lists, or its place."""
        effect = self._bulk.effect
        resource, payload = self._resource(raw), self._payload(raw)
        target = self._target(raw, payload, resource)
        return SentItem(
            index=index,
            key=self._key(index, name, raw, target),
            action=self._action(raw),
            resource=resource,
            target=target,
            payload=payload,
            version=ABSENT if effect.version is None else look(raw, effect.version),
            group=self._group(name, raw),
            raw=raw,
        )

    def _group(self, name: object, raw: object) -> object:
        if self._bulk.items.groups is not None:
            return name
        return ABSENT if self._grouping is None else look(raw, self._grouping)

    def _resource(self, raw: object) -> str | None:
        choice = self._bulk.effect.resource
        if choice is None:
            return fallback_resource(self._contract, self._sent.operation)
        name = choose(choice, self._given(raw, choice.source) if choice.source else ABSENT)
        return name if name in self._contract.resources else None

    def _payload(self, raw: object) -> object:
        at = self._bulk.effect.payload
        own = look(raw, at)
        return locate(self._sent, at) if own is ABSENT and at in self._bulk.items.shared else own

    def _action(self, raw: object) -> str | None:
        stone, choice = self._bulk.effect.tombstone, self._bulk.effect.action
        if stone and all(look(raw, at) == value for at, value in stone.items()):
            return "delete"
        return choose(choice, self._given(raw, choice.source) if choice.source else ABSENT)

    def _target(self, raw: object, payload: object, resource: str | None) -> object:
        if self._bulk.effect.target:
            found = (self._given(raw, at) for at in self._bulk.effect.target)
            return next((one for one in found if one is not ABSENT), ABSENT)
        own = self._contract.resources.get(resource or "")
        return payload.get(own.key, ABSENT) if own is not None and isinstance(payload, Mapping) else ABSENT

    def _key(self, index: int, name: object, raw: object, target: object) -> object:
        declared = self._bulk.key
        if declared.by in {"index", "order"}:
            return index
        if declared.at == "" and self._bulk.items.shape == "map":
            return name
        return target if declared.at is None else look(raw, declared.at)

    def _given(self, raw: object, location: str) -> object:
        return locate(self._sent, location) if is_outside(location) else look(raw, location)


class KeyRing:
    """Finds the items that an outcome's key means: exactly, else as text, else as a number, if unambiguous."""

    def __init__(self, items: Sequence[SentItem]) -> None:
        self._exact: dict[object, list[int]] = {}
        for item in items:
            if isinstance(item.key, str | int | float):
                self._exact.setdefault(item.key, []).append(item.index)
        self._nameless = {str(one.index): (one.index,) for one in items if not isinstance(one.key, str | int)}
        self._text = self._by(str)
        self._number = self._by(_as_number)

    def _by(self, form: Any) -> dict[object, list[int]]:
        found: dict[object, list[list[int]]] = {}
        for key, places in self._exact.items():
            found.setdefault(form(key), []).append(places)
        return {name: places[0] for name, places in found.items() if len(places) == 1 and name is not None}

    def find(self, key: object) -> Sequence[int]:
        """Return the places of the items whose key is `key`, none when it is no key of the request."""
        if not isinstance(key, str | int | float):
            return ()
        return self._exact.get(key) or self._text.get(str(key)) or self._number.get(_as_number(key)) or ()

    def find_named(self, name: object) -> Sequence[int]:
        """Return the places of the items that a name in a map means: by key, else by place where there is no key."""
        return self.find(name) or self._nameless.get(str(name), ())


def _as_number(key: object) -> float | int | None:
    try:
        number = float(str(key))
    except ValueError:
        return None
    exact = whole(str(key))
    return number if exact is None else exact


def place_in_items(bulk: Bulk, key: object) -> object:
    """Return the index that a JSON Pointer into the request means, `key` itself when it is none."""
    if not isinstance(key, str):
        return key
    for at in (bulk.items.at, *bulk.items.also_at):
        head = tokens_of(at)
        tokens = tokens_of(key)
        index = whole(tokens[len(head)]) if len(tokens) > len(head) else None
        if key.startswith(pointer_of(head) + "/") and index is not None:
            return index
    return key

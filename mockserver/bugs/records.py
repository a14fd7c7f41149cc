"""Bugs in what an item does to its record: versions, nulls, deletions, texts, and what is no longer checked."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from contracts.bulk import Resource
from mockserver.api import Perform
from mockserver.bugs.breaking import Break, Outcomes, by_index, rehearsed, running, trial, without
from mockserver.domain.records import Keeper
from mockserver.domain.units import place_of
from mockserver.domain.values import Item, Outcome
from mockserver.guard import Batch
from mockserver.served import served, share
from mockserver.stores import Record
from mockserver.stores.memory import Overlay
from mockserver.turn import Turn

Change: TypeAlias = Callable[[Item], Item]
Spoil: TypeAlias = Callable[[Turn, Record, Record, Outcome], Record]
TEXT: Final = 20  # characters that are left of a text
LIMITS: Final = frozenset(("length", "schema"))  # kinds of faults: the value has the right type


def sending(change: Change) -> Break:
    """Run other items than those that were sent, and tell their outcomes as those of the items sent."""

    def run(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
        return _changed(doing, turn, batch, scope, change)

    return running(run)


def _changed(doing: Perform, turn: Turn, batch: Batch, scope: str, change: Change) -> Outcomes:
    changed = list(map(change, batch.items))
    pairs = {item.index: (item, other) for item, other in zip(batch.items, changed, strict=True)}
    return [_as_sent(one, *pairs[one.item.index]) for one in doing(turn, replace(batch, items=changed), scope)]


def _as_sent(outcome: Outcome, sent: Item, ran: Item) -> Outcome:
    """Return the outcome of an item that ran in the place of another, as that of the other."""
    found = outcome.item.target  # of an item that names its record in other ways than by its key, the record's own
    return outcome._replace(item=sent if found == ran.target else sent._replace(target=found))


def storing(spoil: Spoil) -> Break:
    """Store something else than a change amounts to: `spoil` gets the record before and after, and the outcome."""

    def run(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
        with trial(turn.world, counting=True) as over:
            outcomes = list(doing(turn, batch, scope))
        spoilt = _spoil(turn, over, outcomes, spoil)
        over.commit()
        return spoilt

    return running(run)


def _spoil(turn: Turn, over: Overlay, outcomes: list[Outcome], spoil: Spoil) -> list[Outcome]:
    of = {(one.item.resource.name, one.record.key): one for one in outcomes if one.record is not None}
    stored: dict[tuple[str, object], Record] = {}
    for collection, record in [*over.changed()]:
        place = (collection.resource, record.key)
        before, outcome = over.base.get(collection, record.key), of.get(place)
        if before is not None and outcome is not None:
            stored[place] = spoil(turn, before, record, outcome)
            over.put(collection, stored[place])
    return [one._replace(record=_told(one, stored)) for one in outcomes]


def _told(outcome: Outcome, stored: Mapping[tuple[str, object], Record]) -> Record | None:
    record = outcome.record
    if record is None or outcome.action == "delete":
        return record
    return stored.get((outcome.item.resource.name, record.key), record)


def any_version(item: Item) -> Item:
    """Leave out which version the caller has seen."""
    return item._replace(version=None)


def same_version(turn: Turn, before: Record, after: Record, outcome: Outcome) -> Record:
    """Leave the version as it was."""
    del turn
    return after if outcome.item.resource.version is None else after._replace(version=before.version)


def next_but_one(turn: Turn, before: Record, after: Record, outcome: Outcome) -> Record:
    """Move the version once more."""
    del turn
    moved = outcome.item.resource.version is not None and after.version != before.version
    return after._replace(version=after.version + 1) if moved else after


def only_named(turn: Turn, before: Record, after: Record, outcome: Outcome) -> Record:
    """Drop the optional members that a change does not name."""
    if outcome.action != "update" or after.deleted != before.deleted:
        return after
    item, resource = outcome.item, outcome.item.resource
    name_of = served(turn.api).keepers[resource.name].payloads.name
    kept = {resource.key, *resource.required, *resource.defaults, *map(name_of, turn.api.hooks.changes(item))}
    return after._replace(body={name: value for name, value in after.body.items() if name in kept})


def without_nulls(item: Item) -> Item:
    """Leave out what is to be cleared."""
    payload = item.payload
    if isinstance(payload, dict):
        return item._replace(payload={name: value for name, value in payload.items() if value is not None})
    if isinstance(payload, list):
        return item._replace(payload=[one for one in payload if one.get("value") is not None])
    return item


def undeleted(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Put back what was deleted."""
    with trial(turn.world, counting=True) as over:
        outcomes = doing(turn, batch, scope)
    for collection, key in [*over.dropped()]:
        record = over.base.get(collection, key)
        if record is not None:
            over.put(collection, record)
    for collection, record in [*over.changed()]:
        before = over.base.get(collection, record.key)
        if record.deleted and before is not None and not before.deleted:
            over.put(collection, before)
    over.commit()
    return outcomes


def with_texts(change: Callable[[str], str], *, named: bool = False) -> Change:
    """Return what changes the texts of a payload: those of keys and unique members, or all others."""

    def changed(item: Item) -> Item:
        members = _naming(item.resource)
        target = change(item.target) if named and isinstance(item.target, str) else item.target
        return item._replace(target=target, payload=_mapped(item.payload, change, members, named=named))

    return changed


def _naming(resource: Resource) -> set[str]:
    unique = {member for index in resource.unique for member in index}
    return {resource.key, *unique, *resource.references}


def _mapped(payload: Any, change: Callable[[str], str], members: set[str], *, named: bool) -> Any:
    if isinstance(payload, dict):
        return {
            name: change(value) if isinstance(value, str) and (name in members) is named else value
            for name, value in payload.items()
        }
    if isinstance(payload, list) and not named:
        return [
            {**one, "value": change(value)} if isinstance(value := one.get("value"), str) else one for one in payload
        ]
    return payload


def unlimited(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Apply items whose values break nothing but limits."""
    bad = {place: one for place, one in by_index(rehearsed(doing, turn, batch, scope)).items() if _is_beyond(one)}
    if bad and batch.unit != "item":
        return doing(turn, batch, scope)
    names = frozenset(item.resource.name for item in batch.items)
    outcomes = doing(turn, without(replace(batch, valid=names), set(bad)), scope)
    return sorted((*outcomes, *bad.values()), key=place_of)


def _is_beyond(outcome: Outcome) -> bool:
    """Tell whether an item failed for more than a limit."""
    return outcome.result == "failed" and not {fault.kind for fault in outcome.faults} <= LIMITS


def repeatable(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Look for nothing that must be unique."""
    proper, ready = turn.api, served(turn.api)
    keepers = {name: _unbound(keeper) for name, keeper in ready.keepers.items()}
    turn.api = share(replace(proper), replace(ready, keepers=keepers))
    try:
        return doing(turn, batch, scope)
    finally:
        turn.api = proper


def _unbound(keeper: Keeper) -> Keeper:
    return Keeper(replace(keeper.resource, unique=()), keeper.payloads.schema, keeper.referrers, keeper.keys)


def without_references(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Apply items without the references that lead nowhere."""
    faulty = by_index(rehearsed(doing, turn, batch, scope))

    def change(item: Item) -> Item:
        faults = faulty[item.index].faults
        if not faults or any(fault.kind != "reference" for fault in faults):
            return item
        astray = {member for fault in faults for member in fault.members}
        return item._replace(payload=_left(item.payload, astray))

    return _changed(doing, turn, batch, scope, change)


def _left(payload: Any, astray: set[str]) -> Any:
    if isinstance(payload, dict):
        return {name: value for name, value in payload.items() if name not in astray}
    return payload


def items_bleed(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Let items have what they leave out from the item before them."""
    before: dict[str, Any] = {}

    def change(item: Item) -> Item:
        nonlocal before
        if not isinstance(item.payload, dict) or batch.plan.bulk.order.run != "any":
            return item
        barred = {*_naming(item.resource), item.resource.tombstone}
        found = {**{name: value for name, value in before.items() if name not in barred}, **item.payload}
        before = item.payload
        return item._replace(payload=found)

    return _changed(doing, turn, batch, scope, change)


BREAKS: Final[Mapping[str, Break]] = {
    "case-folded": sending(with_texts(str.lower, named=True)),
    "deletion-ignored": running(undeleted),
    "items-bleed": running(items_bleed),
    "limits-unchecked": running(unlimited),
    "null-ignored": sending(without_nulls),
    "reference-dropped": running(without_references),
    "text-cut": sending(with_texts(lambda text: text[:TEXT])),
    "text-trimmed": sending(with_texts(str.strip)),
    "uniqueness-unchecked": running(repeatable),
    "update-replaces": storing(only_named),
    "version-ignored": sending(any_version),
    "version-leaps": storing(next_but_one),
    "version-stays": storing(same_version),
}

"""Mutants of what an item does to its record: versions, nulls, deletions, texts, and checks that are left out."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeAlias

from contracts.bulk.model import Resource
from mockserver.api.model import Batch, Perform, RequestContext
from mockserver.bulk.prepared_api import prepared, share_prepared
from mockserver.bulk.record_service import RecordRules
from mockserver.domain.values import Item, Outcome, index_of
from mockserver.mutants.hooks import BrokenHooks, Outcomes, by_index, dry_run, mutate_batch, overlay_store, without
from mockserver.stores.interface import Record
from mockserver.stores.memory import Overlay

ItemChange: TypeAlias = Callable[[Item], Item]
RecordChange: TypeAlias = Callable[[RequestContext, Record, Record, Outcome], Record]
CUT_TEXT_CHARS: Final = 20  # characters that are left of a text
LIMIT_KINDS: Final = frozenset(("length", "schema"))  # kinds of faults: the value has the right type


def mutate_items(change: ItemChange) -> BrokenHooks:
    """Run changed items instead of the sent ones, and report their outcomes as those of the sent items."""

    def run(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
        return _changed(handler, context, batch, scope, change)

    return mutate_batch(run)


def _changed(handler: Perform, context: RequestContext, batch: Batch, scope: str, change: ItemChange) -> Outcomes:
    changed = list(map(change, batch.items))
    pairs = {item.index: (item, other) for item, other in zip(batch.items, changed, strict=True)}
    return [_as_sent(one, *pairs[one.item.index]) for one in handler(context, replace(batch, items=changed), scope)]


def _as_sent(outcome: Outcome, sent: Item, ran: Item) -> Outcome:
    """Return the outcome of a changed item as that of the item sent."""
    found = outcome.item.target  # of an item that names its record in other ways than by its key, the record's own
    return outcome._replace(item=sent if found == ran.target else sent._replace(target=found))


def mutate_records(spoil: RecordChange) -> BrokenHooks:
    """Store changed records: `spoil` gets the record before and after, and the outcome."""

    def run(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
        with overlay_store(context.api_state, counting=True) as over:
            outcomes = list(handler(context, batch, scope))
        spoilt = _change_records(context, over, outcomes, spoil)
        over.commit()
        return spoilt

    return mutate_batch(run)


def _change_records(
    context: RequestContext, over: Overlay, outcomes: list[Outcome], spoil: RecordChange
) -> list[Outcome]:
    of = {(one.item.resource.name, one.record.key): one for one in outcomes if one.record is not None}
    stored: dict[tuple[str, object], Record] = {}
    for collection, record in [*over.changed()]:
        place = (collection.resource, record.key)
        before, outcome = over.base.get(collection, record.key), of.get(place)
        if before is not None and outcome is not None:
            stored[place] = spoil(context, before, record, outcome)
            over.put(collection, stored[place])
    return [one._replace(record=_stored_record(one, stored)) for one in outcomes]


def _stored_record(outcome: Outcome, stored: Mapping[tuple[str, object], Record]) -> Record | None:
    record = outcome.record
    if record is None or outcome.action == "delete":
        return record
    return stored.get((outcome.item.resource.name, record.key), record)


def ignore_version(item: Item) -> Item:
    """Ignore the expected version."""
    return item._replace(version=None)


def keep_version(context: RequestContext, before: Record, after: Record, outcome: Outcome) -> Record:
    """Keep the version unchanged."""
    del context
    return after if outcome.item.resource.version is None else after._replace(version=before.version)


def skip_version(context: RequestContext, before: Record, after: Record, outcome: Outcome) -> Record:
    """Increment the version twice."""
    del context
    moved = outcome.item.resource.version is not None and after.version != before.version
    return after._replace(version=after.version + 1) if moved else after


def drop_unnamed_members(context: RequestContext, before: Record, after: Record, outcome: Outcome) -> Record:
    """Drop the optional members that an update does not name."""
    if outcome.action != "update" or after.deleted != before.deleted:
        return after
    item, resource = outcome.item, outcome.item.resource
    name_of = prepared(context.api).record_rules[resource.name].payloads.canonical_name
    kept = {
        resource.key,
        *resource.required,
        *resource.defaults,
        *map(name_of, context.api.hooks.changed_members(resource, (item.payload,))[0]),
    }
    return after._replace(body={name: value for name, value in after.body.items() if name in kept})


def without_nulls(item: Item) -> Item:
    """Ignore members that are null."""
    payload = item.payload
    if isinstance(payload, dict):
        return item._replace(payload={name: value for name, value in payload.items() if value is not None})
    if isinstance(payload, list):
        return item._replace(payload=[one for one in payload if one.get("value") is not None])
    return item


def restore_deleted(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Restore deleted records."""
    with overlay_store(context.api_state, counting=True) as over:
        outcomes = handler(context, batch, scope)
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


def with_texts(change: Callable[[str], str], *, named: bool = False) -> ItemChange:
    """Return a function that changes the strings of a payload: keys and unique members if `named`, else the others."""

    def changed(item: Item) -> Item:
        members = _key_members(item.resource)
        target = change(item.target) if named and isinstance(item.target, str) else item.target
        return item._replace(target=target, payload=_mapped(item.payload, change, members, named=named))

    return changed


def _key_members(resource: Resource) -> set[str]:
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


def skip_limits(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Apply items whose values only exceed limits."""
    bad = {
        place: one
        for place, one in by_index(dry_run(handler, context, batch, scope)).items()
        if _exceeds_more_than_limits(one)
    }
    if bad and batch.unit != "item":
        return handler(context, batch, scope)
    names = frozenset(item.resource.name for item in batch.items)
    outcomes = handler(context, without(replace(batch, valid=names), set(bad)), scope)
    return sorted((*outcomes, *bad.values()), key=index_of)


def _exceeds_more_than_limits(outcome: Outcome) -> bool:
    """Return whether an item failed for more than a limit."""
    return outcome.result == "failed" and not {fault.kind for fault in outcome.faults} <= LIMIT_KINDS


def skip_uniqueness(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Skip the check of unique members."""
    proper, ready = context.api, prepared(context.api)
    record_rules = {name: _without_unique(rules) for name, rules in ready.record_rules.items()}
    context.api = share_prepared(replace(proper), replace(ready, record_rules=record_rules))
    try:
        return handler(context, batch, scope)
    finally:
        context.api = proper


def _without_unique(rules: RecordRules) -> RecordRules:
    return RecordRules(replace(rules.resource, unique=()), rules.payloads.schema, rules.referrers, rules.keys)


def without_references(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Apply items without their dangling references."""
    faulty = by_index(dry_run(handler, context, batch, scope))

    def change(item: Item) -> Item:
        faults = faulty[item.index].faults
        if not faults or any(fault.kind != "reference" for fault in faults):
            return item
        astray = {member for fault in faults for member in fault.members}
        return item._replace(payload=_without_members(item.payload, astray))

    return _changed(handler, context, batch, scope, change)


def _without_members(payload: Any, astray: set[str]) -> Any:
    if isinstance(payload, dict):
        return {name: value for name, value in payload.items() if name not in astray}
    return payload


def fill_from_previous(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Fill members that an item leaves out from the item before it."""
    before: dict[str, Any] = {}

    def change(item: Item) -> Item:
        nonlocal before
        if not isinstance(item.payload, dict) or batch.bulk.order.run != "any":
            return item
        barred = {*_key_members(item.resource), item.resource.tombstone}
        found = {**{name: value for name, value in before.items() if name not in barred}, **item.payload}
        before = item.payload
        return item._replace(payload=found)

    return _changed(handler, context, batch, scope, change)


BREAKS: Final[Mapping[str, BrokenHooks]] = {
    "case-folded": mutate_items(with_texts(str.lower, named=True)),
    "deletion-ignored": mutate_batch(restore_deleted),
    "items-bleed": mutate_batch(fill_from_previous),
    "limits-unchecked": mutate_batch(skip_limits),
    "null-ignored": mutate_items(without_nulls),
    "reference-dropped": mutate_batch(without_references),
    "text-cut": mutate_items(with_texts(lambda text: text[:CUT_TEXT_CHARS])),
    "text-trimmed": mutate_items(with_texts(str.strip)),
    "uniqueness-unchecked": mutate_batch(skip_uniqueness),
    "update-replaces": mutate_records(drop_unnamed_members),
    "version-ignored": mutate_items(ignore_version),
    "version-leaps": mutate_records(skip_version),
    "version-stays": mutate_records(keep_version),
}

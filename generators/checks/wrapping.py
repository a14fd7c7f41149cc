"""Putting what an item wants into the form that a bulk operation gives to items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from contracts.bulk import Bulk, Choice
from contracts.messages import ABSENT
from contracts.model import Operation
from contracts.schemas import Schema
from generators.checks.calls import body_schema, json_media
from generators.checks.findings import ImpossibleError
from generators.checks.intents import Intent
from generators.checks.locations import is_outside, look, put
from generators.checks.names import Names
from generators.checks.payloads import Members, as_written
from generators.checks.venues import Spot, word_for
from generators.checks.waiting import pattern_of
from generators.values import UnsatisfiableError, compile_schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an item is to say: members of its record, the record that it names, the version that it knows, its own key.

    `awaited` are the keys of the items that it waits for.
    """

    members: Members
    target: object = ABSENT
    version: object = ABSENT
    key: object = ABSENT
    awaited: Sequence[object] = ()


def bulk_of(operation: Operation) -> Bulk:
    """Return an operation's `x-bulk`. Raises ImpossibleError when it has none."""
    if operation.bulk is None:
        raise ImpossibleError(f"{operation.id} has no x-bulk")
    return operation.bulk


def unspoken(operation: Operation) -> str | None:
    """Return why requests of a bulk operation are not composed here, None when they are."""
    bulk = bulk_of(operation)
    inner = (bulk.items.at, bulk.effect.action.source, bulk.effect.payload, *bulk.effect.target)
    if json_media(operation) is None:
        return "its request body is no JSON"
    if bulk.items.shape not in {"array", "map"}:
        return f"items as {bulk.items.shape} are not composed"
    if bulk.items.groups is not None:
        return "a list of lists is not composed"
    if bulk.effect.http:
        return "items that are HTTP requests themselves are not composed"
    if any("/~" in at or at.startswith(("csv:", "part:")) for at in inner):
        return "its items are found in ways that are not composed"
    return None


def item_schema(spot: Spot) -> Schema | None:
    """Return the schema of one item."""
    name = ("item", spot.operation.id)
    if name not in spot.bench.memory:
        spot.bench.memory[name] = _item_schema(spot.operation)
    found = spot.bench.memory[name]
    return found if isinstance(found, Schema) else None


def _item_schema(operation: Operation) -> Schema | None:
    bulk, schema = bulk_of(operation), body_schema(operation)
    for at in (bulk.items.at, *bulk.items.also_at) if schema is not None else ():
        collection = schema.at(at) if schema is not None else None
        found = None if collection is None else collection.items() or collection.member("*")
        if found is not None:
            return found
    return None


def client_key(spot: Spot, names: Names, slot: str, intent: Intent, rng: Random) -> object:
    """Return the key that the caller chooses for an item, ABSENT when it chooses none."""
    key = spot.bulk.key
    if key.by != "client" or key.at is None or (key.only_for and intent.action not in key.only_for):
        return ABSENT
    schema = item_schema(spot)
    return names.fit(schema.at(key.at) if schema is not None and key.at else None, f"k{slot}", rng)


def wrapped(spot: Spot, intent: Intent, content: Content, rng: Random) -> Any:
    """Return an item as it stands in the request. Raises ImpossibleError."""
    bulk, effect = spot.bulk, spot.bulk.effect
    raw = _with_content(spot, intent, content)
    if effect.target and content.target is not ABSENT:
        raw = put(raw, effect.target[0], content.target)
    elif not effect.target and content.target is not ABSENT and effect.payload not in bulk.items.shared:
        raw = put(raw, f"{effect.payload}/{spot.resource.key}", content.target)
    if intent.action == "delete" and effect.tombstone:
        for at, value in effect.tombstone.items():
            raw = put(raw, at, value)
    said = [(effect.version, content.version), (bulk.key.at or None, content.key)]
    said += [(bulk.order.group_by or bulk.unit.group, ABSENT if intent.group is None else str(intent.group))]
    said += [(bulk.order.depends_on, list(content.awaited) if content.awaited else ABSENT)]
    said += [(at, word) for at, word in _words(spot, intent)]
    for place, thing in said:
        if place is not None and thing is not ABSENT and not is_outside(place):
            raw = put(raw, place, thing)
    return _completed(raw, item_schema(spot), rng)


def _with_content(spot: Spot, intent: Intent, content: Content) -> Any:
    bulk = spot.bulk
    effect = bulk.effect
    bare = intent.action == "delete" or effect.payload in bulk.items.shared
    if bare:
        return {}
    members = content.members
    pattern = bulk.order.reference if pattern_of(bulk.order.reference) is not None else None
    if content.awaited and bulk.order.depends_on is None and pattern is not None:
        member = next(iter(spot.resource.references), None)
        if member is None:
            raise ImpossibleError(f"a {spot.resource.name} has no member that could refer to another item")
        members = {**members, member: pattern.replace("{key}", str(content.awaited[0]))}
    return put({}, effect.payload, as_written(spot.operation, effect.payload, members, items_at=bulk.items.at))


def _words(spot: Spot, intent: Intent) -> list[tuple[str, str]]:
    """Return the words inside an item that say what it wants, with their places."""
    effect = spot.bulk.effect
    found: list[tuple[str, str]] = []
    if effect.action.source and not is_outside(effect.action.source):
        found.append((effect.action.source, _word(effect.action, intent.action)))
    if effect.resource is not None and effect.resource.source and not is_outside(effect.resource.source):
        word = word_for(spot.operation, effect.resource, spot.resource.name)
        found.append((effect.resource.source, word or spot.resource.name))
    return found


def _word(choice: Choice, meant: str) -> str:
    return next((word for word, meaning in choice.words.items() if meaning == meant), meant)


def _completed(raw: Any, schema: Schema | None, rng: Random) -> Any:
    """Return an item with members drawn that its schema requires and nothing has set."""
    if schema is None or not isinstance(raw, dict) or schema.is_valid(raw):
        return raw
    needed = schema.raw.get("required", ())
    missing = [name for name in (needed if isinstance(needed, list) else ()) if name not in raw]
    drawn = {name: _drawn(inner, rng) for name in missing if (inner := schema.member(name)) is not None}
    return {**raw, **drawn} if drawn else raw


def _drawn(schema: Schema, rng: Random) -> object:
    try:
        return compile_schema(schema, edges=0.0).draw(rng)
    except UnsatisfiableError as error:
        raise ImpossibleError(f"an item needs a member that cannot be made: {error}") from None


def fits(spot: Spot, intent: Intent, raw: object, schema: Schema | None) -> bool:
    """Say whether an item may be sent without the whole request being refused for it. `schema` is the record's."""
    bulk = spot.bulk
    structure = item_schema(spot)
    if structure is not None and not structure.is_valid(raw):
        return False
    record = look(raw, bulk.effect.payload) if not bulk.effect.payload else None
    is_record = isinstance(record, Mapping) and (intent.action != "delete" or bool(bulk.effect.tombstone))
    judged = "malformedItem" in bulk.guard.refuse and is_record
    return not judged or schema is None or schema.is_valid(record)

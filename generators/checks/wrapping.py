"""Putting what an item wants into the form that a bulk operation gives to items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from contracts.bulk import Bulk
from contracts.messages import ABSENT
from contracts.model import Operation
from contracts.schemas import Schema
from generators.checks.intents import Intent
from generators.checks.payloads import Members
from generators.checks.venues import Spot
from generators.checks.waiting import pattern_of
from generators.impossible import ImpossibleError
from generators.locations import look
from generators.requests.calls import body_schema
from generators.requests.envelopes import unmade
from generators.requests.items import Part, Wrapper
from generators.requests.names import Names
from generators.requests.words import word_for


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
    grouped = bulk_of(operation).items.groups is not None
    return unmade(operation) or ("a list of lists is not composed" if grouped else None)


def wrapper_of(spot: Spot) -> Wrapper:
    """Return what puts the items of an operation together."""
    name = ("wrapper", spot.operation.id)
    found = spot.bench.memory.get(name)
    if not isinstance(found, Wrapper):
        found = spot.bench.memory[name] = Wrapper(spot.bulk, body_schema(spot.operation))
    return found


def client_key(spot: Spot, names: Names, slot: str, intent: Intent, rng: Random) -> object:
    """Return the key that the caller chooses for an item, ABSENT when it chooses none."""
    key = wrapper_of(spot).fresh_key(intent.action, names, f"k{slot}", rng)
    return ABSENT if key is None else key


def wrapped(spot: Spot, intent: Intent, content: Content, rng: Random) -> Any:
    """Return an item as it stands in the request. Raises ImpossibleError."""
    effect, wrapper = spot.bulk.effect, wrapper_of(spot)
    own = effect.payload not in spot.bulk.items.shared
    bare = intent.action == "delete" or not own
    members = {} if bare else _referring(spot, content)
    if own and not effect.target and content.target is not ABSENT:
        members = {**members, spot.resource.key: content.target}
    said: dict[Part, object] = {
        "target": content.target,
        "key": content.key,
        "version": content.version,
        "action": word_for(spot.operation, effect.action, intent.action, wrapper.element),
        "group": ABSENT if intent.group is None else str(intent.group),
        "awaited": list(content.awaited) or ABSENT,
    }
    if effect.resource is not None:
        said["resource"] = word_for(spot.operation, effect.resource, spot.resource.name, wrapper.element)
    said = {part: value for part, value in said.items() if value is not ABSENT}
    payload = None if bare and not members else wrapper.payload(members)
    return wrapper.item(payload, said, rng, drops=intent.action == "delete")


def _referring(spot: Spot, content: Content) -> Members:
    """Return an item's members, where items refer to those they wait for inside a text with such a text."""
    order = spot.bulk.order
    pattern = order.reference if pattern_of(order.reference) is not None else None
    if not content.awaited or order.depends_on is not None or pattern is None:
        return content.members
    member = next(iter(spot.resource.references), None)
    if member is None:
        raise ImpossibleError(f"a {spot.resource.name} has no member that could refer to another item")
    return {**content.members, member: pattern.replace("{key}", str(content.awaited[0]))}


def fits(spot: Spot, intent: Intent, raw: object, schema: Schema | None) -> bool:
    """Say whether an item may be sent without the whole request being refused for it. `schema` is the record's."""
    bulk = spot.bulk
    if not wrapper_of(spot).fits(raw):
        return False
    record = look(raw, bulk.effect.payload) if not bulk.effect.payload else None
    is_record = isinstance(record, Mapping) and (intent.action != "delete" or bool(bulk.effect.tombstone))
    judged = "malformedItem" in bulk.guard.refuse and is_record
    return not judged or schema is None or schema.is_valid(record)

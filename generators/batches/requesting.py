"""The rest of a bulk request around its items: path, unit, order, targets, idempotency key, the wish for a job."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from contracts.bulk import Bulk
from contracts.messages import Call
from contracts.model import Operation
from contracts.schemas import Schema
from generators.batches.making import Making, generator_of
from generators.batches.profiles import Profile
from generators.batches.words import Word, words_of
from generators.checks.calls import CallDraft, body_schema, draft
from generators.checks.locations import look, put

NO_UNIT: Final = "NoSuchUnit"
ENVELOPED: Final = 0.25  # the share of bodies in another of the forms that are accepted
UNSAID: Final = 0.2  # the share of callers that leave the unit to its default
TARGETS: Final = 3
FILLINGS: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request around its items, and what was chosen for it."""

    call: Call
    body: object
    unit: str | None
    grouped: bool
    deferred: bool
    targets: Mapping[str, bool]


def requested(
    operation: Operation,
    values: Mapping[str, str],
    making: Making,
    profile: Profile,
    *,
    body: tuple[object, object],
) -> Request:
    """Return a request. `body` is the collection of items, and the payload that all of them share or None."""
    assert operation.bulk is not None  # noqa: S101 - asked before
    made, bulk = draft(operation, values), operation.bulk
    at = bulk.items.also_at[0] if bulk.items.also_at and making.rng.random() < ENVELOPED else bulk.items.at
    collection, shared = body
    made.put(at, collection)
    if shared is not None:
        made.put(bulk.effect.payload, shared)
    unit = _unit(made, bulk, making, profile)
    grouped = _order(made, bulk, making, profile)
    deferred = _job(made, bulk, making, profile)
    targets = _targets(made, operation, making, profile)
    if bulk.guard.idempotency is not None and bulk.guard.idempotency.scope == "request":
        made.put(bulk.guard.idempotency.key, making.names.fit(None, making.slot(), making.rng))
    made.data = filled(made.data, body_schema(operation), making)
    return Request(call=made.call(), body=made.data, unit=unit, grouped=grouped, deferred=deferred, targets=targets)


def filled(value: Any, schema: Schema | None, making: Making) -> Any:
    """Return an object with the members that its schema asks for and that it lacks."""
    for _ in range(FILLINGS if schema is not None and isinstance(value, dict) else 0):
        error = next(iter(schema.validator.iter_errors(value)), None)  # type: ignore[union-attr] # asked above
        if error is None or error.kind.name != "required" or error.instance_path:
            break
        name = error.kind.as_dict()["property"]
        member = schema.member(name)  # type: ignore[union-attr] # the same
        value = {**value, name: generator_of(member, name).draw(making.rng) if member is not None else None}
    return value


def collected(items: Sequence[object], names: Sequence[str], bulk: Bulk, making: Making) -> object:
    """Return the collection of items: a list, a map of `names` to them, or a list of lists."""
    if bulk.items.shape == "map":
        return dict(zip(names, items, strict=True))
    if bulk.items.groups is None:
        return list(items)
    groups, start = [], 0
    while start < len(items):
        stop = start + 1 + int(making.rng.random() * 3)
        groups.append(put({}, bulk.items.groups, list(items[start:stop])))
        start = stop
    return groups


def _unit(made: CallDraft, bulk: Bulk, making: Making, profile: Profile) -> str | None:
    choice, rng = bulk.unit.of, making.rng
    if not choice.source:
        return choice.constant
    if rng.random() < profile.bad_unit:
        made.put(choice.source, NO_UNIT)
        return None
    words = [word for word in words_of(choice, None) if not profile.units or word.meaning in profile.units]
    by_default = [word for word in words if word.written == choice.default]
    if by_default and rng.random() < UNSAID:
        return by_default[0].meaning
    chosen: Word = making.one_of(words or words_of(choice, None))
    made.put(choice.source, chosen.written)
    return chosen.meaning


def _order(made: CallDraft, bulk: Bulk, making: Making, profile: Profile) -> bool:
    if bulk.order.run != "grouped" or bulk.order.when is None:
        return bulk.order.run == "grouped"
    if making.rng.random() >= profile.grouped:
        return False
    made.wish(bulk.order.when)
    return True


def _job(made: CallDraft, bulk: Bulk, making: Making, profile: Profile) -> bool:
    if bulk.job is None or "always" in bulk.job.when:
        return bulk.job is not None
    if making.rng.random() >= profile.deferred:
        return False
    made.wish(making.one_of(bulk.job.when))
    return True


def _targets(made: CallDraft, operation: Operation, making: Making, profile: Profile) -> dict[str, bool]:
    fan_out = operation.bulk.items.fan_out if operation.bulk else None
    if fan_out is None:
        return {}
    known = making.known.targets or _exemplary(operation, fan_out.over)
    count = min(len(known), 1 + int(making.rng.random() * TARGETS))
    named = dict.fromkeys(making.rng.sample(known, count), True)
    while making.rng.random() < profile.unknown_target:
        named[str(making.names.fit(None, making.slot(), making.rng))] = False
    targets = list(named)
    making.rng.shuffle(targets)
    made.put(fan_out.over, targets)
    return {target: named[target] for target in targets}


def _exemplary(operation: Operation, over: str) -> tuple[str, ...]:
    """Return the first target of each example: the later ones may be there to show what is wrong."""
    examples = (
        [value for media in operation.body.content for value in media.examples.values()] if operation.body else []
    )
    lists = [found for found in (look(example, over) for example in examples) if isinstance(found, list) and found]
    return tuple(dict.fromkeys(str(found[0]) for found in lists))

"""The rest of a bulk request around its items: path, unit, order, targets, idempotency key, the wish for a job."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from contracts.bulk import Bulk, Location
from contracts.model import Operation
from generators.batches.making import Making
from generators.batches.planned import PlannedBatch, PlannedItem
from generators.batches.profiles import Profile
from generators.locations import look, put
from generators.requests.calls import body_schema, examples_of
from generators.requests.envelopes import enveloped
from generators.requests.words import UNITS, Word, place_schema, words_of

NO_UNIT: Final = "NoSuchUnit"
ENVELOPED: Final = 0.25  # the share of bodies in another of the forms that are accepted
UNSAID: Final = 0.2  # the share of callers that leave the unit to its default
TARGETS: Final = 3


def requested(
    operation: Operation,
    values: Mapping[str, str],
    making: Making,
    profile: Profile,
    *,
    items: Sequence[PlannedItem],
    keys: Sequence[str],
    shared: object,
    seed: int,
) -> PlannedBatch:
    """Return the batch of these items.

    `values` are those of parameters by name, `keys` name the items of a map, `shared` is the payload that all of them
    have or ABSENT.
    """
    assert operation.bulk is not None  # noqa: S101 - asked before
    bulk, rng = operation.bulk, making.rng
    at = bulk.items.also_at[0] if bulk.items.also_at and rng.random() < ENVELOPED else None
    raws = [item.value for item in items]
    raws = raws if bulk.items.groups is None else _grouped(raws, bulk.items.groups, rng)
    said: dict[Location, object] = {}
    wishes: list[str] = []
    unit = _unit(said, operation, making, profile)
    grouped = _order(wishes, bulk, making, profile)
    deferred = _job(wishes, bulk, making, profile)
    targets = _targets(said, operation, making, profile)
    if bulk.guard.idempotency is not None and bulk.guard.idempotency.scope == "request":
        said[bulk.guard.idempotency.key] = making.names.fit(None, making.slot(), rng)
    made = enveloped(operation, values, raws, rng, keys=keys, at=at, shared=shared, said=said, wishes=wishes)
    return PlannedBatch(
        operation=operation.id,
        call=made.call(),
        body=made.data,
        items=tuple(items),
        profile=profile.name,
        seed=seed,
        unit=unit,
        grouped=grouped,
        deferred=deferred,
        refusals=_refusals(bulk, items, unit),
        targets=targets,
    )


def _refusals(bulk: Bulk, items: Sequence[PlannedItem], unit: str | None) -> tuple[str, ...]:
    """Return the words of the guard that speak of this request."""
    intents = {item.intent for item in items}
    broken = {"malformed"} if bulk.effect.payload else {"malformed", "invalid"}
    twice = "duplicateKey" if bulk.key.by == "client" else "duplicateTarget"
    said = {
        "empty": not items,
        "tooMany": bulk.items.max is not None and len(items) > bulk.items.max,
        twice: "duplicate" in intents,
        "malformedItem": bool(intents & broken),
        "badMode": unit is None,
    }
    return tuple(word for word, holds in said.items() if holds and word in bulk.guard.refuse)


def _grouped(items: Sequence[object], at: Location, rng: Random) -> list[object]:
    """Return items as a list of lists, one to three in each."""
    groups, start = [], 0
    while start < len(items):
        stop = start + 1 + int(rng.random() * 3)
        groups.append(put({}, at, list(items[start:stop])))
        start = stop
    return groups


def _unit(said: dict[Location, object], operation: Operation, making: Making, profile: Profile) -> str | None:
    assert operation.bulk is not None  # noqa: S101 - asked before
    choice, rng = operation.bulk.unit.of, making.rng
    if not choice.source:
        return choice.constant
    if rng.random() < profile.bad_unit:
        said[choice.source] = NO_UNIT
        return None
    every = words_of(choice, place_schema(operation, body_schema(operation), choice.source), UNITS)
    words = [word for word in every if not profile.units or word.meaning in profile.units]
    by_default = [word for word in words if word.written == choice.default]
    if by_default and rng.random() < UNSAID:
        return by_default[0].meaning
    chosen: Word = making.one_of(words or every)
    said[choice.source] = chosen.written
    return chosen.meaning


def _order(wishes: list[str], bulk: Bulk, making: Making, profile: Profile) -> bool:
    if bulk.order.run != "grouped" or bulk.order.when is None:
        return bulk.order.run == "grouped"
    if making.rng.random() >= profile.grouped:
        return False
    wishes.append(bulk.order.when)
    return True


def _job(wishes: list[str], bulk: Bulk, making: Making, profile: Profile) -> bool:
    if bulk.job is None or "always" in bulk.job.when:
        return bulk.job is not None
    if making.rng.random() >= profile.deferred:
        return False
    wishes.append(making.one_of(bulk.job.when))
    return True


def _targets(said: dict[Location, object], operation: Operation, making: Making, profile: Profile) -> dict[str, bool]:
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
    said[fan_out.over] = targets
    return {target: named[target] for target in targets}


def _exemplary(operation: Operation, over: str) -> tuple[str, ...]:
    """Return the first target of each example: the later ones may be there to show what is wrong."""
    lists = (look(example, over) for example in examples_of(operation))
    return tuple(dict.fromkeys(str(found[0]) for found in lists if isinstance(found, list) and found))

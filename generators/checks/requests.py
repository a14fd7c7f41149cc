"""A bulk request composed: items in their place, and what the caller says about unit, order, job and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from contracts.bulk import Bulk, Choice, Location
from contracts.messages import ABSENT
from contracts.model import Operation
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError
from generators.locations import is_outside, look
from generators.requests.calls import CallDraft, body_schema
from generators.requests.envelopes import enveloped, framed
from generators.requests.words import UNITS, word_for


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What one bulk request is to say. `unit` None leaves the caller's choice unsaid, and so does `grouped` None.

    `keys` name the items of a map. `shared` is the payload that all items have. `more` sets values at locations.
    """

    items: Sequence[Any]
    actions: tuple[str, ...] = ()
    unit: str | None = None
    grouped: bool | None = None
    as_job: str | None = None
    targets: Sequence[str] = ()
    keys: Sequence[object] = ()
    shared: Any = ABSENT
    more: Mapping[str, object] = field(default_factory=dict)


def request(spot: Spot, wanted: Request) -> CallDraft:
    """Return the call. Raises ImpossibleError when the declaration has no room for what is wanted."""
    operation, bulk, fan_out = spot.operation, spot.bulk, spot.bulk.items.fan_out
    grouped = [bulk.order.when] if wanted.grouped and bulk.order.when is not None else []
    targets = {fan_out.over: list(wanted.targets)} if fan_out is not None and wanted.targets else {}
    if fan_out is not None and not targets and look(framed(operation, bulk.items.at), fan_out.over) in (ABSENT, []):
        raise ImpossibleError(f"no target is known: neither an example nor the caller names one at {fan_out.over}")
    return enveloped(
        operation,
        {**spot.bench.given, **spot.place.values},
        wanted.items,
        spot.bench.rng("request"),
        keys=wanted.keys,
        shared=wanted.shared,
        said={**_chosen(spot, wanted), **targets, **wanted.more},
        wishes=[*grouped, *([wanted.as_job] if wanted.as_job is not None else [])],
    )


def _chosen(spot: Spot, wanted: Request) -> dict[Location, object]:
    """Return the words that say what the caller chooses for the request as a whole, by location."""
    effect, actions = spot.bulk.effect, set(wanted.actions)
    said: list[tuple[Choice, str]] = [(spot.bulk.unit.of, wanted.unit)] if wanted.unit is not None else []
    if is_outside(effect.action.source):
        if len(actions) > 1:
            raise ImpossibleError("one request has one action")
        said += [(effect.action, action) for action in actions]
    if effect.resource is not None and is_outside(effect.resource.source):
        said.append((effect.resource, spot.resource.name))
    return {choice.source: _word(spot.operation, choice, meaning) for choice, meaning in said if choice.source}


def _word(operation: Operation, choice: Choice, meaning: str) -> str:
    word = word_for(operation, choice, meaning, body_schema(operation))
    if word is None:
        raise ImpossibleError(f"the caller cannot choose '{meaning}'")
    return word


def units_of(bulk: Bulk) -> tuple[str, ...]:
    """Return the units that a request can have."""
    choice = bulk.unit.of
    if not choice.source:
        return (choice.constant,)
    meant = set(choice.words.values()) if choice.words else set(UNITS)
    return tuple(unit for unit in UNITS if unit in meant)


def wish_of(bulk: Bulk) -> str | None:
    """Return how a caller asks for a job, None when it cannot choose."""
    wishes = bulk.job.when if bulk.job is not None else ()
    return None if not wishes or "always" in wishes else wishes[0]


def stops(bulk: Bulk) -> bool:
    """Say whether a failure keeps the items after it from being run, without the caller asking for it."""
    return isinstance(bulk.unit.stop_after, int) and bulk.unit.stop_after > 0

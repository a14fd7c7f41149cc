"""A bulk request composed: items in their place, and what the caller says about unit, order, job and targets."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from contracts.bulk import Bulk, Choice
from contracts.messages import ABSENT
from contracts.model import Operation
from generators.checks.calls import CallDraft, body_schema, draft, json_media
from generators.checks.findings import ImpossibleError
from generators.checks.locations import is_outside, look
from generators.checks.venues import Spot, word_for


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
    bulk = spot.bulk
    made = draft(spot.operation, {**spot.bench.given, **spot.place.values})
    made.data = _frame(spot.operation, bulk)
    _choose_outside(made, spot, wanted)
    if bulk.items.shape == "map":
        made.put(bulk.items.at, dict(zip(map(str, wanted.keys), wanted.items, strict=True)))
    else:
        made.put(bulk.items.at, list(wanted.items))
    if wanted.shared is not ABSENT:
        made.put(bulk.effect.payload, wanted.shared)
    if wanted.targets and bulk.items.fan_out is not None:
        made.put(bulk.items.fan_out.over, list(wanted.targets))
    for location, value in wanted.more.items():
        made.put(location, value)
    fan_out = bulk.items.fan_out
    if fan_out is not None and look(made.data, fan_out.over) in (ABSENT, []):
        raise ImpossibleError(f"no target is known: neither an example nor the caller names one at {fan_out.over}")
    return made


def _frame(operation: Operation, bulk: Bulk) -> Any:
    """Return what stands around the items: the rest of the first example that has them where they are put."""
    wanted = dict if bulk.items.shape == "map" else list
    media = json_media(operation)
    for example in media.examples.values() if media is not None and bulk.items.at else ():
        if isinstance(look(example, bulk.items.at), wanted):
            return deepcopy(example)
    schema = body_schema(operation)
    return ABSENT if not bulk.items.at or schema is None else {}


def _choose_outside(made: CallDraft, spot: Spot, wanted: Request) -> None:
    """Say what the caller chooses for the request as a whole."""
    bulk = spot.bulk
    if wanted.unit is not None and bulk.unit.of.source:
        made.put(bulk.unit.of.source, word_of(bulk.unit.of, wanted.unit))
    if wanted.grouped and bulk.order.when is not None:
        location, _, word = bulk.order.when.partition("=")
        made.put(location, word or "true")
    if wanted.as_job is not None:
        made.wish(wanted.as_job)
    effect = bulk.effect
    if effect.action.source and is_outside(effect.action.source):
        if len(set(wanted.actions)) > 1:
            raise ImpossibleError("one request has one action")
        made.put(effect.action.source, word_of(effect.action, wanted.actions[0]))
    if effect.resource is not None and effect.resource.source and is_outside(effect.resource.source):
        name = spot.resource.name
        made.put(effect.resource.source, word_for(spot.operation, effect.resource, name) or name)


def word_of(choice: Choice, meant: str) -> str:
    """Return the caller's word for what a choice means. Raises ImpossibleError when there is none."""
    if not choice.words:
        return meant
    found = next((word for word, meaning in choice.words.items() if meaning == meant), None)
    if found is None:
        raise ImpossibleError(f"the caller cannot choose '{meant}'")
    return found


def units_of(bulk: Bulk) -> tuple[str, ...]:
    """Return the units that a request can have."""
    choice = bulk.unit.of
    known = ("item", "whole", "group")
    if not choice.source:
        return (choice.constant,)
    meant = set(choice.words.values()) if choice.words else set(known)
    return tuple(unit for unit in known if unit in meant)


def wish_of(bulk: Bulk) -> str | None:
    """Return how a caller asks for a job, None when it cannot choose."""
    wishes = bulk.job.when if bulk.job is not None else ()
    return None if not wishes or "always" in wishes else wishes[0]


def stops(bulk: Bulk) -> bool:
    """Say whether a failure keeps the items after it from being run, without the caller asking for it."""
    return isinstance(bulk.unit.stop_after, int) and bulk.unit.stop_after > 0

"""A bulk request around its items: the rest of its body, and what the caller says and wishes for the whole."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from contracts.bulk import Location
from contracts.messages import ABSENT
from contracts.model import Operation
from contracts.pointers import tokens_of
from generators.locations import look
from generators.requests.calls import CallDraft, body_schema, draft, examples_of, json_media
from generators.requests.items import filled


def unmade(operation: Operation) -> str | None:
    """Return why requests of a bulk operation cannot be made, None when they can."""
    assert operation.bulk is not None  # noqa: S101 - asked before
    bulk = operation.bulk
    inner = (bulk.items.at, bulk.effect.action.source, bulk.effect.payload, *bulk.effect.target)
    if json_media(operation) is None:
        return "its request body is no JSON"
    if bulk.items.shape not in {"array", "map"}:
        return f"items as {bulk.items.shape} are not composed"
    if bulk.effect.http:
        return "items that are HTTP requests themselves are not composed"
    if any("/~" in at or at.startswith(("csv:", "part:")) for at in inner):
        return "its items are found in ways that are not composed"
    return None


def enveloped(
    operation: Operation,
    values: Mapping[str, str],
    items: Sequence[object],
    rng: Random,
    *,
    keys: Sequence[object] = (),
    at: Location | None = None,
    shared: object = ABSENT,
    said: Mapping[Location, object],
    wishes: Sequence[str] = (),
) -> CallDraft:
    """Return the call of a bulk operation with these items; what else its body needs is an example's, or drawn.

    `keys` name the items of a map, `at` is where they stand, `shared` the payload that all have. `said` are values by
    location, `wishes` such as `query:async=true`. Raises ImpossibleError.
    """
    assert operation.bulk is not None  # noqa: S101 - asked before
    made, bulk = draft(operation, values), operation.bulk
    at = bulk.items.at if at is None else at
    by_key = bulk.items.shape == "map"
    made.data = framed(operation, at)
    made.put(at, dict(zip(map(str, keys), items, strict=True)) if by_key else list(items))
    if shared is not ABSENT:
        made.put(bulk.effect.payload, shared)
    for location, value in said.items():
        made.put(location, value)
    for wish in wishes:
        made.wish(wish)
    made.data = filled(made.data, body_schema(operation), rng)
    return made


def framed(operation: Operation, at: Location) -> Any:
    """Return the first example that has items there, without what the caller may choose; an empty body else."""
    assert operation.bulk is not None  # noqa: S101 - asked before
    bulk = operation.bulk
    wanted = dict if bulk.items.shape == "map" else list
    example: Any = next((one for one in examples_of(operation) if isinstance(look(one, at), wanted)), {}) if at else {}
    places = (bulk.unit.of.source, bulk.order.when, bulk.unit.stop_after, *(bulk.job.when if bulk.job else ()))
    places += (bulk.guard.idempotency.key if bulk.guard.idempotency else None,)
    chosen = {tokens_of(str(one).partition("=")[0])[:1] for one in places if str(one).startswith("/")}
    return {name: value for name, value in example.items() if (name,) not in chosen}

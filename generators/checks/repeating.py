"""Laws on sending again: idempotent and unprocessed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from contracts.bulk import Idempotency
from contracts.messages import ABSENT, Exchange
from generators.checks.findings import Finding
from generators.checks.jobs import OK
from generators.checks.looking import keys_told, pictures, stored
from generators.checks.mixing import goods
from generators.checks.pictures import Picture
from generators.checks.requests import units_of
from generators.checks.stage import Stage
from generators.checks.staging import staged
from generators.checks.trials import ROUNDS, Ask, Ran, finding, perform, send
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError
from generators.locations import put, told

SIZE: Final = 4
CROWD: Final = 100


def idempotent(spot: Spot) -> Iterator[Finding]:
    """Send a request twice with one idempotency key, then another request with that key."""
    declared = spot.bulk.guard.idempotency
    assert declared is not None  # noqa: S101 - the law applies
    intents = goods(spot, SIZE)
    stage = _keyed(staged(spot, intents), declared)
    ask = Ask(unit=units_of(spot.bulk)[0], more=_more(stage, declared))
    first = perform(stage, ask)
    if first.refused:
        raise ImpossibleError(f"the whole request was refused ({first.status})")
    before = stored(first)
    again = send(stage, ask)
    yield from _replayed(declared, first, again)
    yield from _done_twice(first, before, again)
    if declared.scope == "request":
        yield from _mismatch(staged(spot, intents), declared, ask)


def _more(stage: Stage, declared: Idempotency) -> dict[str, object]:
    return {declared.key: stage.names.text("once")} if declared.scope == "request" else {}


def _keyed(stage: Stage, declared: Idempotency) -> Stage:
    """Return the stage with a key in each item, where items have keys of their own."""
    if declared.scope == "item":
        if not declared.key:
            raise ImpossibleError("an item's idempotency key is its name in the request")
        for n, piece in enumerate(stage.pieces):
            raw = put(piece.raw, declared.key, stage.names.text(f"once{n}"))
            stage.pieces[n] = replace(piece, raw=raw)
    return stage


def _replayed(declared: Idempotency, first: Ran, again: Exchange) -> Iterator[Finding]:
    before, after = first.view.exchange.reply, again.reply
    if declared.scope == "item":
        return
    if after.status != before.status:
        says = f"the same request with the same key is answered with {after.status}, after {before.status}"
        yield finding("idempotent", "replay has another status", says, first, again)
    elif declared.replay == "same-reply" and after.data != before.data:
        says = "the same request with the same key gets a different response"
        yield finding("idempotent", "replay is another reply", says, first, again)


def _done_twice(first: Ran, before: dict[int, Picture], again: Exchange) -> Iterator[Finding]:
    after = pictures(first.stage, keys_told(first))
    for slot, one in after.items():
        if one.present is None or before[slot].present is None:
            continue
        if one.like(first.stage.names) != before[slot].like(first.stage.names) or one.copies > before[slot].copies:
            says = f"the same request with the same key was processed again, as item {slot} shows"
            yield finding("idempotent", "done twice", says, first, again, before[slot], one)
            return


def _mismatch(other: Stage, declared: Idempotency, ask: Ask) -> Iterator[Finding]:
    """Send other items under the key of the first request."""
    exchange = send(other, ask)
    status = exchange.reply.status
    if status in OK:
        says = f"another request with a key that was used is not refused ({status})"
        yield finding("idempotent", "other content is accepted", says, exchange)
    elif isinstance(declared.mismatch, int) and status != declared.mismatch:
        says = f"another request with a key that was used is refused with {status}, but {declared.mismatch} is declared"
        yield finding("idempotent", f"other content refused with {status}", says, exchange)


def unprocessed(spot: Spot) -> Iterator[Finding]:
    """Send many items, and again what was not processed, until nothing is left."""
    bulk = spot.bulk
    size = min(bulk.items.max or CROWD, CROWD)
    stage = staged(spot, [_plain(spot)] * size)
    exchange = send(stage, Ask(unit=units_of(bulk)[0]))
    if exchange.reply.status not in OK:
        raise ImpossibleError(f"{size} items were refused ({exchange.reply.status})")
    left = _left(stage, exchange)
    if not left:
        raise ImpossibleError(f"all of {size} items were processed at once")
    yield from _until_done(stage, exchange, left)


def _plain(spot: Spot) -> Any:
    kinds = goods(spot, SIZE)
    return next((one for one in kinds if not one.existing), kinds[0])


def _left(stage: Stage, exchange: Exchange) -> Any:
    at = stage.spot.bulk.guard.unprocessed
    found = told(exchange.reply, at) if at is not None else ABSENT
    return found if isinstance(found, list | dict) else []


def _until_done(stage: Stage, first: Exchange, left: Any) -> Iterator[Finding]:
    last = first
    for _ in range(ROUNDS):
        if not left:
            break
        last = send(_of_left(stage, left), Ask(unit=units_of(stage.spot.bulk)[0]))
        left = _left(stage, last)
    if left:
        says = f"after {ROUNDS} rounds {len(left)} items are still reported as not processed"
        yield finding("unprocessed", "does not converge", says, first, last)
        return
    after = pictures(stage, {})
    lost = [slot for slot, one in after.items() if one.present is False]
    if lost:
        says = f"every item is reported as processed, but item {lost[0]} was never applied"
        yield finding("unprocessed", "lost on the way", says, first, last, after[lost[0]])


def _of_left(stage: Stage, left: Any) -> Stage:
    """Return a stage of the items that are left, as they were handed back."""
    raws = list(left.values()) if isinstance(left, dict) else left
    rows = enumerate(zip(stage.pieces, raws, strict=False))
    return replace(stage, pieces=[replace(piece, slot=n, raw=raw) for n, (piece, raw) in rows])

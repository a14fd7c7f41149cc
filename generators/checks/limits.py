"""Laws on what refuses a whole request: boundary and duplicate. What is refused leaves no trace."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from contracts.bulk import Bulk
from contracts.messages import ABSENT, Exchange
from generators.checks.findings import Finding
from generators.checks.following import view_of
from generators.checks.intents import Intent
from generators.checks.jobs import OK
from generators.checks.looking import before, pictures, stored
from generators.checks.mixing import goods
from generators.checks.pictures import Picture
from generators.checks.requests import units_of
from generators.checks.stage import Piece, Stage
from generators.checks.staging import staged
from generators.checks.trials import Ask, finding, perform, send
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError
from generators.locations import look, put

LARGEST: Final = 20_000  # a larger maximum is not tried out
SEVERAL: Final = 3
NO_WORD: Final = "Neither"


def boundary(spot: Spot) -> Iterator[Finding]:
    """Send the most items that are allowed, one more, and none."""
    items = spot.bulk.items
    if items.min > 0:
        yield from _none(spot)
    if items.max is not None and items.max > LARGEST:
        raise ImpossibleError(f"{items.max} items are more than are sent here")
    if items.max is not None:
        yield from _most(spot, items.max)


def _none(spot: Spot) -> Iterator[Finding]:
    stage = staged(spot, [])
    if spot.bulk.effect.payload in spot.bulk.items.shared:
        stage.shared = staged(spot, goods(spot, 1)).shared
    exchange = send(stage, Ask(unit=units_of(spot.bulk)[0]))
    yield from _refusal("boundary", "empty", "a request without items", stage, exchange)


def _most(spot: Spot, most: int) -> Iterator[Finding]:
    intent, unit = _cheapest(spot), units_of(spot.bulk)[0]
    stage = staged(spot, [intent] * (most + 1))
    sample = sorted({0, most // 2, most - 1})
    was = before(stage, sample)
    over = send(stage, Ask(unit=unit))
    yield from _refusal("boundary", "tooMany", f"a request of {most + 1} items", stage, over)
    yield from _traces("boundary", stage, was, sample, over)
    done = perform(stage, Ask(unit=unit, order=range(most)))
    if done.refused:
        says = f"{most} items are allowed, but the request is refused ({done.status})"
        yield finding("boundary", "most are refused", says, done)
        return
    after = stored(done, slots=[slot for slot in sample if done.result(slot) == "done"])
    lost = [slot for slot, one in after.items() if one.present is (intent.action == "delete")]
    if lost:
        says = f"of {most} items that are reported as done, item {lost[0]} was not applied"
        yield finding("boundary", "told as done and not carried out", says, done, after[lost[0]])


def _cheapest(spot: Spot) -> Intent:
    """Return a good intent of which thousands can be made: one that creates, if any."""
    kinds = goods(spot, 1) + goods(spot, 8)
    return next((one for one in kinds if not one.existing), kinds[0])


def _refusal(law: str, word: str, what: str, stage: Stage, exchange: Exchange) -> Iterator[Finding]:
    """Yield when what must be refused was not, or with another status than the declared one."""
    declared = stage.spot.bulk.guard.refuse.get(word)
    status = exchange.reply.status
    if not _is_refused(stage, exchange):
        yield finding(law, f"{word} is accepted", f"{what} is not refused ({status})", exchange)
    elif isinstance(declared, int) and status != declared:
        says = f"{what} is refused with {status}, but {declared} is declared"
        yield finding(law, f"{word} refused with {status}", says, exchange)


def _is_refused(stage: Stage, exchange: Exchange) -> bool:
    if exchange.reply.status in OK:
        return False
    try:
        return view_of(stage.spot.bench, exchange).kind == "refused"
    except ImpossibleError:
        return True


def _traces(
    law: str, stage: Stage, was: Mapping[int, Picture], slots: Sequence[int], exchange: Exchange
) -> Iterator[Finding]:
    """Yield what a refused request left behind."""
    if exchange.reply.status in OK:
        return
    after = pictures(stage, {}, slots=slots, probe=law == "duplicate")
    for slot in slots:
        intent = stage.pieces[slot].intent
        if after[slot].present is not None and was[slot].like(stage.names) != after[slot].like(stage.names):
            says = f"the request was refused, but item {slot} ({intent}) changed the stored state"
            yield finding(law, "a refused request leaves a trace", says, exchange, after[slot])


def duplicate(spot: Spot) -> Iterator[Finding]:
    """Send a key or a target twice, an item that is none, and a word for the unit that is none."""
    refuse = spot.bulk.guard.refuse
    if "badMode" in refuse:
        yield from _bad_mode(spot)
    for word, spoil in _SPOIL.items():
        if word in refuse:
            yield from _spoilt(spot, word, spoil)


def _bad_mode(spot: Spot) -> Iterator[Finding]:
    """Ask for a unit by a word that is none."""
    source = spot.bulk.unit.of.source
    if not source:
        return
    stage = staged(spot, goods(spot, SEVERAL))
    was = before(stage)
    exchange = send(stage, Ask(more={source: NO_WORD}))
    yield from _refusal("duplicate", "badMode", "a request with an unknown mode", stage, exchange)
    yield from _traces("duplicate", stage, was, range(SEVERAL), exchange)


def _spoilt(spot: Spot, word: str, spoil: Any) -> Iterator[Finding]:
    for unit in units_of(spot.bulk):
        stage = staged(spot, goods(spot, 1) * SEVERAL)
        stage.pieces[-1] = spoil(stage, stage.pieces[0], stage.pieces[-1])
        was = before(stage)
        exchange = send(stage, Ask(unit=unit))
        yield from _refusal("duplicate", word, _WHAT[word], stage, exchange)
        yield from _traces("duplicate", stage, was, range(SEVERAL - 1), exchange)


def _same_key(stage: Stage, first: Piece, last: Piece) -> Piece:
    return _with(last, stage.spot.bulk.key.at or "", first.content.key)


def _same_target(stage: Stage, first: Piece, last: Piece) -> Piece:
    bulk = stage.spot.bulk
    at = bulk.effect.target[0] if bulk.effect.target else f"{bulk.effect.payload}/{stage.spot.resource.key}"
    return _with(last, at, look(first.raw, at))


def _malformed(stage: Stage, first: Piece, last: Piece) -> Piece:
    del stage, first
    return replace(last, raw=7)


def _with(piece: Piece, at: str, value: object) -> Piece:
    if value is ABSENT:
        raise ImpossibleError("its items have no such key")
    return replace(piece, raw=put(piece.raw, at, value))


_SPOIL: Final = {"duplicateKey": _same_key, "duplicateTarget": _same_target, "malformedItem": _malformed}
_WHAT: Final = {
    "duplicateKey": "a request with one key twice",
    "duplicateTarget": "a request with one target twice",
    "malformedItem": "a request with a malformed item",
}


def refuses_duplicates(bulk: Bulk) -> bool:
    """Say whether a declaration refuses anything that the law looks at."""
    return any(word in bulk.guard.refuse for word in (*_SPOIL, "badMode"))

"""The law that an item is judged as the single-record call that it is like: singular."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from contracts.messages import ABSENT, Exchange
from contracts.model import Operation
from generators.checks.findings import Finding
from generators.checks.intents import Intent
from generators.checks.jobs import OK
from generators.checks.looking import pictures, stored
from generators.checks.mixing import batched, over, together
from generators.checks.records import key_of_created, written
from generators.checks.requests import units_of
from generators.checks.stage import Piece, Stage
from generators.checks.staging import flavoured, repertoire, staged
from generators.checks.trials import Ask, Ran, finding, perform, unlike_pictures
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError

TIMES: Final = 2  # how often each peculiar content is tried


def singular(spot: Spot) -> Iterator[Finding]:
    """Send every kind of item in bulk, and each alone through the call that it is like."""
    plain, odd, broken = ([one for one in some if _like(spot, one) is not None] for some in _intents(spot))
    if not plain:
        raise ImpossibleError("the call that items are like does none of the actions that could be tried")
    most = together(spot)
    sets = [*batched(plain, most), *batched(odd, most), *([one] for one in broken)]
    yield from over(sets, partial(_at_once, spot))


def _intents(spot: Spot) -> tuple[Sequence[Intent], Sequence[Intent], Sequence[Intent]]:
    """Return plain intents, ones with peculiar contents, and ones for which a whole request may be refused."""
    (right, wrong), (odd, broken) = repertoire(spot), flavoured(spot)
    timeless = not any(_names_version(one) for one in _likes(spot))
    shared = spot.bulk.effect.payload in spot.bulk.items.shared
    known = [one for one in wrong if not (timeless and one.defect == "stale")]
    return [*right, *known], () if shared else odd * TIMES, broken


def _at_once(spot: Spot, intents: Sequence[Intent]) -> Iterator[Finding]:
    unit = units_of(spot.bulk)[0]
    many = perform(staged(spot, intents, fitting=False), Ask(unit=unit))
    stage = staged(spot, intents, fitting=False)
    calls = [_sent_alone(stage, piece) for piece in stage.pieces]
    told = {slot: key for slot, (_, key) in enumerate(calls) if key is not ABSENT}
    for slot, (exchange, _) in enumerate(calls):
        verdict = "done" if exchange.reply.status in OK else "failed"
        result = "failed" if many.refused else many.result(slot)
        if result not in {verdict, "untold"}:
            says = f"item {slot} ({intents[slot]}) is {result} in bulk and {verdict} alone ({exchange.reply.status})"
            yield finding("singular", f"verdict on {intents[slot]} differs", says, many, exchange)
    yield from _states(many, stage, told, intents, [exchange for exchange, _ in calls])


def _states(
    many: Ran, stage: Stage, told: dict[int, object], intents: Sequence[Intent], calls: Sequence[Exchange]
) -> Iterator[Finding]:
    slots = range(len(intents))
    bulk, alone = stored(many, probe=True), pictures(stage, told, probe=True)
    for slot, what in unlike_pictures(bulk, many.stage.names, alone, stage.names, slots):
        says = f"the record of item {slot} ({intents[slot]}) is not the same in bulk and alone: {what}"
        shape = f"state after {intents[slot]} differs"
        yield finding("singular", shape, says, many, bulk[slot], calls[slot], alone[slot])


def _like(spot: Spot, intent: Intent) -> Operation | None:
    """Return the single-record operation that an item is like."""
    wanted = "upsert" if intent.action == "delete" and spot.bulk.effect.tombstone else intent.action
    return next((one for one in _likes(spot) if one.record is not None and one.record.action.constant == wanted), None)


def _likes(spot: Spot) -> list[Operation]:
    named = (spot.bench.contract.operation(name) for name in spot.bulk.effect.like)
    return [one for one in named if one is not None and one.record is not None]


def _names_version(operation: Operation) -> bool:
    return operation.record is not None and operation.record.version is not None


def _sent_alone(stage: Stage, piece: Piece) -> tuple[Exchange, object]:
    """Send one item through the call that it is like; return the exchange and the key of what it created, if any."""
    bulk, intent = stage.spot.bulk, piece.intent
    like = _like(stage.spot, intent)
    assert like is not None  # noqa: S101 - others were left out
    members = {**stage.shared_members, **piece.content.members}
    target = piece.content.target
    if intent.action == "delete" and bulk.effect.tombstone:
        stones = {at.removeprefix("/"): value for at, value in bulk.effect.tombstone.items()}
        members = {stage.spot.resource.key: target, **stones}
    action = like.record.action.constant if like.record is not None else intent.action
    made = written(stage.spot.place, action, members, key=target, version=piece.content.version)
    exchange = stage.spot.bench.send(made.call())
    if exchange.reply.status not in OK or target is not ABSENT:
        return exchange, ABSENT
    return exchange, key_of_created(stage.spot.bench, stage.spot.place, exchange, members, stage.names)

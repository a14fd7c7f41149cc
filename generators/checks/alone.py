"""The law that an item is judged as the single-record call that it is like: singular."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from contracts.messages import ABSENT, Exchange
from contracts.model import Operation
from generators.checks.bench import Bench
from generators.checks.findings import Finding, ImpossibleError
from generators.checks.intents import Intent
from generators.checks.jobs import OK
from generators.checks.mixing import at_a_place
from generators.checks.records import key_of_created, written
from generators.checks.requests import units_of
from generators.checks.staging import Piece, Stage, repertoire, staged
from generators.checks.trials import Ask, Ran, finding, perform, pictures, stored, unlike_pictures
from generators.checks.venues import Venue
from generators.checks.wrapping import bulk_of

EDGES = 3  # items filled from the ends of their ranges


def singular(bench: Bench, operation: Operation) -> Sequence[Finding]:
    """Send every kind of item in bulk, and each alone through the call that it is like."""

    def trial(place: Venue) -> list[Finding]:
        intents = [one for one in _intents(bench, operation, place) if _like(bench, operation, one) is not None]
        if not intents:
            raise ImpossibleError("the call that items are like does none of the actions that could be tried")
        if units_of(bulk_of(operation))[0] == "item":
            return list(_all_at_once(bench, operation, place, intents))
        return [one for intent in intents for one in _all_at_once(bench, operation, place, [intent])]

    return at_a_place(bench, operation, trial)


def _intents(bench: Bench, operation: Operation, place: Venue) -> list[Intent]:
    right, wrong = repertoire(bench, operation, place)
    edges = [replace(one, edge=True) for one in right if not one.existing]
    shared = bulk_of(operation).effect.payload in bulk_of(operation).items.shared
    return [*right, *wrong, *([] if shared else edges * EDGES)]


def _all_at_once(bench: Bench, operation: Operation, place: Venue, intents: Sequence[Intent]) -> Iterator[Finding]:
    unit = units_of(bulk_of(operation))[0]
    many = perform(staged(bench, operation, place, intents), Ask(unit=unit))
    stage = staged(bench, operation, place, intents)
    calls = [_sent_alone(stage, piece) for piece in stage.pieces]
    told = {slot: key for slot, (_, key) in enumerate(calls) if key is not ABSENT}
    for slot, (exchange, _) in enumerate(calls):
        verdict = "done" if exchange.reply.status in OK else "failed"
        result = many.outcomes[slot].result if slot in many.outcomes else "failed"
        if result not in {verdict, "untold"}:
            says = f"item {slot} ({intents[slot]}) is {result} in bulk and {verdict} alone ({exchange.reply.status})"
            yield finding("singular", f"verdict on {intents[slot]} differs", says, many, exchange)
    yield from _states(many, stage, told, intents, [exchange for exchange, _ in calls])


def _states(
    many: Ran, stage: Stage, told: dict[int, object], intents: Sequence[Intent], calls: Sequence[Exchange]
) -> Iterator[Finding]:
    slots = range(len(intents))
    bulk, alone = stored(many), pictures(stage, told)
    for slot, what in unlike_pictures(bulk, many.stage.names, alone, stage.names, slots):
        says = f"the record of item {slot} ({intents[slot]}) is not the same in bulk and alone: {what}"
        shape = f"state after {intents[slot]} differs"
        yield finding("singular", shape, says, many, bulk[slot], calls[slot], alone[slot])


def _like(bench: Bench, operation: Operation, intent: Intent) -> Operation | None:
    """Return the single-record operation that an item is like."""
    wanted = "upsert" if intent.action == "delete" and bulk_of(operation).effect.tombstone else intent.action
    named = (bench.contract.operation(name) for name in bulk_of(operation).effect.like)
    likes = [one for one in named if one is not None and one.record is not None]
    return next((one for one in likes if one.record is not None and one.record.action.constant == wanted), None)


def _sent_alone(stage: Stage, piece: Piece) -> tuple[Exchange, object]:
    """Send one item through the call that it is like; return the exchange and the key of what it created, if any."""
    bulk, intent = bulk_of(stage.operation), piece.intent
    like = _like(stage.bench, stage.operation, intent)
    assert like is not None  # noqa: S101 - others were left out
    members = {**stage.shared_members, **piece.content.members}
    target = piece.content.target
    if intent.action == "delete" and bulk.effect.tombstone:
        stones = {at.removeprefix("/"): value for at, value in bulk.effect.tombstone.items()}
        members = {stage.place.resource.key: target, **stones}
    action = like.record.action.constant if like.record is not None else intent.action
    made = written(stage.place, action, members, key=target, version=piece.content.version)
    exchange = stage.bench.send(made.call())
    if exchange.reply.status not in OK or target is not ABSENT:
        return exchange, ABSENT
    return exchange, key_of_created(stage.bench, stage.place, exchange, members, stage.names)

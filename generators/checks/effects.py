"""A check beside the laws: what is told as done can be read back, and what is told as failed left no trace."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from contracts.messages import ABSENT
from contracts.texts import short
from generators.checks.findings import Finding
from generators.checks.intents import Intent
from generators.checks.looking import before, stored
from generators.checks.mixing import batched, over, together
from generators.checks.payloads import member_schemas
from generators.checks.pictures import Picture
from generators.checks.requests import units_of
from generators.checks.stage import Piece, Stage
from generators.checks.staging import flavoured, repertoire, staged
from generators.checks.trials import Ask, Ran, finding, perform
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError

CHECK: Final = "effect"
MUST_FAIL: Final = frozenset(("invalid", "required", "taken", "unknown"))
REWRITTEN: Final = frozenset(("date-time", "duration", "time", "uri"))  # formats with several ways to write the same


def effect(spot: Spot) -> Iterator[Finding]:
    """Send every kind of item, and hold what is stored then against what was sent and told."""
    (right, wrong), (odd, _) = repertoire(spot), flavoured(spot)
    shared = spot.bulk.effect.payload in spot.bulk.items.shared
    if not right:
        raise ImpossibleError(f"no item could be made that {spot.operation.id} should carry out")
    most = together(spot)
    sets = [*batched([*right, *wrong, *right], most), *batched(() if shared else odd, most)]
    yield from over(sets, partial(_held, spot))


def _held(spot: Spot, intents: Sequence[Intent]) -> Iterator[Finding]:
    stage = staged(spot, intents)
    was = before(stage)
    done = perform(stage, Ask(unit=units_of(spot.bulk)[0]))
    after = stored(done)
    for piece in stage.pieces:
        one, other, result = was[piece.slot], after[piece.slot], done.result(piece.slot)
        if other.present is None or one.present is None:
            continue
        if done.refused or result == "failed":
            yield from _traceless(stage, piece, done, one, other)
        elif result == "done":
            yield from _done(stage, piece, done, one, other)


def _traceless(stage: Stage, piece: Piece, done: Ran, was: Picture, after: Picture) -> Iterator[Finding]:
    if was.like(stage.names) != after.like(stage.names):
        says = f"item {piece.slot} ({piece.intent}) is reported as failed, but it changed the stored state"
        yield finding(CHECK, f"failed {piece.intent.action} leaves a trace", says, done, was, after)


def _done(stage: Stage, piece: Piece, done: Ran, was: Picture, after: Picture) -> Iterator[Finding]:
    intent = piece.intent
    if intent.defect in MUST_FAIL:
        says = f"item {piece.slot} ({intent}) is reported as done"
        yield finding(CHECK, f"{intent} is done", says, done, after)
    elif after.present is (intent.action == "delete"):
        where = "still there" if after.present else "not there"
        says = f"item {piece.slot} ({intent}) is reported as done, but the record is {where}"
        yield finding(CHECK, f"{intent.action} is not carried out", says, done, was, after)
    elif intent.action != "delete" and after.members is not None:
        for name, wanted in _expected(stage, piece, was).items():
            got = after.members.get(name)
            if got != wanted:
                says = f"item {piece.slot} ({intent}) is done, and '{name}' reads {short(got)}, not {short(wanted)}"
                yield finding(CHECK, f"{intent.action} stores something else", says, done, was, after)
                return


def _expected(stage: Stage, piece: Piece, was: Picture) -> Mapping[str, Any]:
    """Return members with what they must read as: what was sent, else what was there, else a declared default."""
    resource = stage.spot.resource
    schemas = member_schemas(stage.spot.bench, resource) or {}
    sent = {**stage.shared_members, **piece.content.members}
    kept = dict(was.members or {}) if piece.intent.action != "replace" else {}
    defaults = {} if was.present else resource.defaults
    skipped = {resource.key, resource.version}
    return {
        name: value
        for name, value in {**defaults, **kept, **sent}.items()
        if name not in skipped and value is not ABSENT and _reads_as_sent(value, schemas, name)
    }


def _reads_as_sent(value: object, schemas: Mapping[str, Any], name: str) -> bool:
    schema = schemas.get(name)
    return not isinstance(value, dict | list) and (schema is None or schema.raw.get("format") not in REWRITTEN)

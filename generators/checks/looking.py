"""Reading back what became of the records of a trial."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from contracts.messages import ABSENT
from generators.checks.following import named_like
from generators.checks.jobs import OK
from generators.checks.payloads import marker_of
from generators.checks.pictures import UNKNOWN, Picture, find, read
from generators.checks.records import written
from generators.checks.stage import Piece, Stage
from generators.checks.trials import Ran
from generators.checks.venues import Venue
from generators.impossible import ImpossibleError


def stored(
    done: Ran, *, target: str | None = None, slots: Sequence[int] | None = None, probe: bool = False
) -> dict[int, Picture]:
    """Return what is stored of the record of each slot after a trial."""
    return pictures(done.stage, keys_told(done, target), target=target, slots=slots, probe=probe)


def keys_told(done: Ran, target: str | None = None) -> dict[int, object]:
    """Return the keys that the server told for records that it named, by slot."""
    outcomes = done.outcomes if target is None else done.by_target.get(target, {})
    return {slot: one.id for slot, one in outcomes.items() if one.result == "done" and isinstance(one.id, str | int)}


def pictures(
    stage: Stage,
    told: Mapping[int, object],
    *,
    target: str | None = None,
    slots: Sequence[int] | None = None,
    probe: bool = False,
) -> dict[int, Picture]:
    """Return what is stored of the record of each slot; UNKNOWN where nothing can tell.

    `told` are keys that the server told. `probe` finds out what neither key nor list can tell by creating the record
    once more, which only works once, and only where something of it must be unique.
    """
    wanted = list(range(len(stage.pieces))) if slots is None else list(slots)
    place = _at_target(stage, target)
    if place is None:
        return dict.fromkeys(wanted, UNKNOWN)
    own = {slot: stage.pieces[slot].key for slot in wanted}
    keys = {slot: key if key is not ABSENT else told.get(slot, ABSENT) for slot, key in own.items()}
    bench = stage.spot.bench
    found = {slot: read(bench, place, key) for slot, key in keys.items() if key is not ABSENT}
    lost = [slot for slot in wanted if slot not in found]
    sought = find(bench, place, [_marker(stage, stage.pieces[slot]) for slot in lost])
    for slot, one in zip(lost, sought, strict=True):
        found[slot] = _probed(stage, stage.pieces[slot]) if probe and one is UNKNOWN else one
    return found


def before(stage: Stage, slots: Sequence[int] | None = None) -> dict[int, Picture]:
    """Return what is stored before a trial: records that were set up as they are read, and no others."""
    wanted = stage.pieces if slots is None else [stage.pieces[slot] for slot in slots]
    met = [piece for piece in wanted if piece.intent.needs_record or piece.intent.defect == "taken"]
    there = [piece.slot for piece in met if piece.key is not ABSENT]
    return {**{piece.slot: Picture(present=False) for piece in wanted}, **pictures(stage, {}, slots=there)}


def _marker(stage: Stage, piece: Piece) -> object:
    """Return what a record can be told by in a list, None when it shares that with another one."""
    shares = piece.intent.defect == "taken" or piece.intent.twin is not None
    return None if shares else marker_of(piece.content.members, stage.names)


def _probed(stage: Stage, piece: Piece) -> Picture:
    """Find out whether a record is there by creating it: what must be unique is then refused."""
    place, members = stage.spot.place, piece.content.members
    unique = [set(group) for group in place.resource.unique]
    alone = not piece.intent.defect and piece.intent.twin is None and any(group <= members.keys() for group in unique)
    if piece.intent.existing or not alone or "create" not in place.acts:
        return UNKNOWN
    try:
        exchange = stage.spot.bench.send(written(place, "create", members).call())
    except ImpossibleError:
        return UNKNOWN
    return Picture(present=exchange.reply.status not in OK, exchange=exchange)


def _at_target(stage: Stage, target: str | None) -> Venue | None:
    """Return the place where the records of one target of a fan-out are read, None when no parameter names it."""
    fan_out, place = stage.spot.bulk.items.fan_out, stage.spot.place
    if fan_out is None or target is None:
        return place
    acts = place.acts.values()
    named = {name: value for act in acts for name, value in named_like(act, fan_out.over, target).items()}
    return replace(place, values={**place.values, **named}) if named else None

"""Intents made real for one trial: records set up, fresh names given, items written."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contracts.messages import ABSENT
from generators.checks.intents import Intent, candidates
from generators.checks.payloads import Members, changed_members, schema_of
from generators.checks.records import Known, bumped, fresh_members, make
from generators.checks.spoiling import filled, spoilt
from generators.checks.stage import Piece, Stage
from generators.checks.venues import Spot
from generators.checks.wrapping import Content, client_key, fits, wrapped, wrapper_of
from generators.impossible import ImpossibleError

SHARED: Final = "shared"
BREAKABLE: Final = ("type", "minLength", "maxLength", "format", "pattern", "enum", "minimum", "maximum")


def staged(spot: Spot, intents: Sequence[Intent], *, fitting: bool = True) -> Stage:
    """Make intents real: equal intents give trials that differ in their fresh names alone. Raises ImpossibleError.

    `fitting` allows only items for which the whole request is not refused.
    """
    stage = Stage(spot=spot, names=spot.bench.names())
    known = _set_up(stage, intents)
    bulk = spot.bulk
    if bulk.effect.payload in bulk.items.shared:
        members = changed_members(spot, stage.names, SHARED, stage.rng(SHARED))
        stage.shared = wrapper_of(spot).payload(members)
        stage.shared_members = members
    for slot, intent in enumerate(intents):
        stage.pieces.append(_piece(stage, slot, intent, known[slot], fitting=fitting))
    return stage


def _set_up(stage: Stage, intents: Sequence[Intent]) -> list[Known | None]:
    """Make the records that must be there before, and return the one of each slot."""
    bench, place, names = stage.spot.bench, stage.spot.place, stage.names
    wanted = [n for n, one in enumerate(intents) if (one.needs_record and one.twin is None) or one.defect == "taken"]
    members = [fresh_members(bench, place, names, f"e{n}", stage.rng(f"e{n}")) for n in wanted]
    for at, n in enumerate(wanted):
        if intents[n].flavour == "cleared":
            members[at] = filled(stage, members[at], stage.rng(f"f{n}"))
    made = dict(zip(wanted, make(bench, place, members, names) if members else (), strict=True))
    for n in wanted:
        if intents[n].defect == "stale":
            bumped(stage.spot, made[n], names, str(n))
    known = [made.get(n) for n in range(len(intents))]
    return [known[one.twin] if one.twin is not None else own for one, own in zip(intents, known, strict=True)]


def _piece(stage: Stage, slot: int, intent: Intent, known: Known | None, *, fitting: bool) -> Piece:
    content = _content(stage, slot, intent, known)
    raw = wrapped(stage.spot, intent, content, stage.rng(f"raw{slot}"))
    if fitting and not fits(stage.spot, intent, raw, schema_of(stage.spot.bench, stage.spot.resource)):
        raise ImpossibleError(f"no item could be made for '{intent}' that the contract takes")
    own = known if intent.needs_record else None
    return Piece(slot=slot, intent=intent, content=content, raw=raw, known=own)


def _content(stage: Stage, slot: int, intent: Intent, known: Known | None) -> Content:
    spot, names = stage.spot, stage.names
    key = client_key(spot, names, str(slot), intent, stage.rng(f"k{slot}"))
    awaited = [_own_key(stage, one) for one in intent.awaits]
    if intent.existing:
        target = known.key if known is not None and intent.defect != "unknown" else _unknown(stage, slot)
        version = _version(stage, known)
        members = _changes(stage, slot, intent, known) if intent.action != "delete" else {}
        return Content(members=members, target=target, version=version, key=key, awaited=awaited)
    members = _new(stage, slot, intent, known)
    target = ABSENT if spot.resource.assigned else members.get(spot.resource.key, ABSENT)
    return Content(members=members, target=target, key=key, awaited=awaited)


def _own_key(stage: Stage, slot: int) -> object:
    key, piece = stage.spot.bulk.key, stage.pieces[slot]
    if key.by == "client":
        return piece.content.key
    return slot if key.by in {"index", "order"} else piece.content.target


def _unknown(stage: Stage, slot: int) -> object:
    """Return a key that names no record, as the item's schema takes it."""
    bulk, resource = stage.spot.bulk, stage.spot.resource
    structure, record = wrapper_of(stage.spot).element, schema_of(stage.spot.bench, resource)
    schema = None
    if structure is not None and bulk.effect.target:
        schema = structure.at(bulk.effect.target[0])
    elif record is not None:
        schema = record.member(resource.key)
    return stage.names.fit(schema, f"x{slot}", stage.rng(f"x{slot}"))


def _version(stage: Stage, known: Known | None) -> object:
    if stage.spot.bulk.effect.version is None:
        return ABSENT
    return known.version if known is not None and known.version is not ABSENT else 1


def _changes(stage: Stage, slot: int, intent: Intent, known: Known | None) -> Members:
    bulk, resource, rng = stage.spot.bulk, stage.spot.resource, stage.rng(f"c{slot}")
    if bulk.effect.payload in bulk.items.shared:
        return {}
    members = changed_members(stage.spot, stage.names, str(slot), rng)
    if intent.action == "replace" and known is not None:
        members = {**known.members, **members}
    if intent.action == "upsert" and known is not None and not resource.assigned:
        members = {resource.key: known.key, **members}
    return spoilt(stage, slot, intent, members, rng)


def _new(stage: Stage, slot: int, intent: Intent, known: Known | None) -> Members:
    spot, resource, rng = stage.spot, stage.spot.resource, stage.rng(slot)
    members = fresh_members(spot.bench, spot.place, stage.names, str(slot), rng, edge=intent.flavour == "edge")
    shared = known.members if known is not None else None
    if intent.twin is not None and shared is None:
        shared = stage.pieces[intent.twin].content.members
    if shared is not None:
        group = next((one for one in resource.unique if not set(one) & set(resource.references)), None)
        own = group or (() if resource.assigned or intent.action == "upsert" else (resource.key,))
        if not own:
            raise ImpossibleError(f"nothing of a {resource.name} must be unique")
        members |= {name: shared[name] for name in own if name in shared}
    return spoilt(stage, slot, intent, members, rng)


def repertoire(spot: Spot) -> tuple[tuple[Intent, ...], tuple[Intent, ...]]:
    """Return the good intents and the defective ones for which items can be made here."""
    name = ("repertoire", spot.operation.id, spot.place)
    known = spot.bench.memory.get(name)
    if isinstance(known, tuple):
        return known
    possible = [one for one in candidates(spot.bulk) if _can_be_made(spot, one)]
    found = (tuple(one for one in possible if not one.defect), tuple(one for one in possible if one.defect))
    spot.bench.memory[name] = found
    return found


def flavoured(spot: Spot) -> tuple[tuple[Intent, ...], tuple[Intent, ...]]:
    """Return good intents with peculiar contents, and ones that break one keyword each, whatever is refused for it."""
    name = ("flavoured", spot.operation.id, spot.place)
    known = spot.bench.memory.get(name)
    if isinstance(known, tuple):
        return known
    right, _ = repertoire(spot)
    writing = [one for one in right if one.action != "delete"]
    odd = [replace(one, flavour=word) for one in writing for word in _flavours(one)]
    bad = [replace(one, defect="invalid", keyword=word) for one in writing for word in BREAKABLE]
    found = (
        tuple(one for one in odd if _can_be_made(spot, one)),
        tuple(one for one in bad if _can_be_made(spot, one, fitting=False)),
    )
    spot.bench.memory[name] = found
    return found


def _flavours(intent: Intent) -> Sequence[str]:
    return ("padded", "cleared", "wide") if intent.existing else ("edge", "padded")


def _can_be_made(spot: Spot, intent: Intent, *, fitting: bool = True) -> bool:
    try:
        staged(spot, [intent], fitting=fitting)
    except ImpossibleError:
        return False
    return True

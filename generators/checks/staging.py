"""Intents made real for one trial: records set up, fresh names given, items written."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from contracts.messages import ABSENT
from generators.checks.findings import ImpossibleError
from generators.checks.intents import Intent, candidates
from generators.checks.names import Names
from generators.checks.payloads import Members, as_written, changed_members, schema_of
from generators.checks.records import Known, bumped, fresh_members, make
from generators.checks.venues import Spot
from generators.checks.wrapping import Content, client_key, fits, item_schema, wrapped

SHARED: Final = "shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One item made real. `known` is the record that was set up for it, `content` what it says, `raw` how."""

    slot: int
    intent: Intent
    content: Content
    raw: Any
    known: Known | None = None

    @property
    def key(self) -> object:
        """The key of the record that it acts on, ABSENT when the server is to name it."""
        return self.known.key if self.known is not None else self.content.target


@dataclass(slots=True)
class Stage:
    """One trial ready to be sent. `shared` is the payload of all its items as written, ABSENT when each has its own."""

    spot: Spot
    names: Names
    pieces: list[Piece] = field(default_factory=list)
    shared: Any = ABSENT
    shared_members: Members = field(default_factory=dict)

    def rng(self, slot: object) -> Random:
        """Return the random source of a slot: the same in every trial."""
        return self.spot.bench.rng(self.spot.operation.id, slot)


def staged(spot: Spot, intents: Sequence[Intent]) -> Stage:
    """Make intents real: equal intents give trials that differ in their fresh names alone. Raises ImpossibleError."""
    stage = Stage(spot=spot, names=spot.bench.names())
    known = _set_up(stage, intents)
    bulk = spot.bulk
    if bulk.effect.payload in bulk.items.shared:
        members = changed_members(spot, stage.names, SHARED, stage.rng(SHARED))
        stage.shared = as_written(spot.operation, bulk.effect.payload, members, items_at=None)
        stage.shared_members = members
    for slot, intent in enumerate(intents):
        stage.pieces.append(_piece(stage, slot, intent, known[slot]))
    return stage


def _set_up(stage: Stage, intents: Sequence[Intent]) -> list[Known | None]:
    """Make the records that must be there before, and return the one of each slot."""
    bench, place, names = stage.spot.bench, stage.spot.place, stage.names
    wanted = [n for n, one in enumerate(intents) if (one.needs_record and one.twin is None) or one.defect == "taken"]
    members = [fresh_members(bench, place, names, f"e{n}", stage.rng(f"e{n}")) for n in wanted]
    made = dict(zip(wanted, make(bench, place, members, names) if members else (), strict=True))
    for n in wanted:
        if intents[n].defect == "stale":
            bumped(stage.spot, made[n], names, str(n))
    known = [made.get(n) for n in range(len(intents))]
    return [known[one.twin] if one.twin is not None else own for one, own in zip(intents, known, strict=True)]


def _piece(stage: Stage, slot: int, intent: Intent, known: Known | None) -> Piece:
    content = _content(stage, slot, intent, known)
    raw = wrapped(stage.spot, intent, content, stage.rng(f"raw{slot}"))
    if not fits(stage.spot, intent, raw, schema_of(stage.spot.bench, stage.spot.resource)):
        raise ImpossibleError(f"no item could be made for '{intent}' that the contract takes")
    own = known if intent.needs_record else None
    return Piece(slot=slot, intent=intent, content=content, raw=raw, known=own)


def _content(stage: Stage, slot: int, intent: Intent, known: Known | None) -> Content:
    spot, names = stage.spot, stage.names
    key = client_key(spot.operation, names, str(slot), intent, stage.rng(f"k{slot}"))
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
    structure, record = item_schema(stage.spot.operation), schema_of(stage.spot.bench, resource)
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
    return _spoilt(stage, slot, intent, members, rng)


def _new(stage: Stage, slot: int, intent: Intent, known: Known | None) -> Members:
    spot, resource, rng = stage.spot, stage.spot.resource, stage.rng(slot)
    members = fresh_members(spot.bench, spot.place, stage.names, str(slot), rng, edge=intent.edge)
    shared = known.members if known is not None else None
    if intent.twin is not None and shared is None:
        shared = stage.pieces[intent.twin].content.members
    if shared is not None:
        group = next((one for one in resource.unique if not set(one) & set(resource.references)), None)
        own = group or (() if resource.assigned or intent.action == "upsert" else (resource.key,))
        if not own:
            raise ImpossibleError(f"nothing of a {resource.name} must be unique")
        members |= {name: shared[name] for name in own if name in shared}
    return _spoilt(stage, slot, intent, members, rng)


def _spoilt(stage: Stage, slot: int, intent: Intent, members: Members, rng: Random) -> Members:
    """Return the members with the one defect that the intent asks for in them."""
    resource = stage.spot.resource
    schema = schema_of(stage.spot.bench, resource)
    if intent.defect == "required":
        plain = [name for name in resource.required if name in members and members[name] not in stage.names.given]
        lacking = plain or [name for name in resource.required if name in members]
        if not lacking:
            raise ImpossibleError(f"a new {resource.name} needs no member")
        return {name: value for name, value in members.items() if name != lacking[0]}
    if intent.defect == "reference":
        name = next(iter(resource.references), None)
        if name is None:
            raise ImpossibleError(f"a {resource.name} refers to nothing")
        inner = schema.member(name) if schema is not None else None
        return {**members, name: stage.names.fit(inner, f"x{slot}", rng)}
    return _invalid(stage, members, rng) if intent.defect == "invalid" else members


def _invalid(stage: Stage, members: Members, rng: Random) -> Members:
    """Return the members with one of them breaking the schema, keys and unique ones left alone."""
    from generators.mutations import invalid_variants  # noqa: PLC0415 - only this needs it

    resource = stage.spot.resource
    schema = schema_of(stage.spot.bench, resource)
    if schema is None:
        raise ImpossibleError(f"a {resource.name} has no schema to break")
    kept = {resource.key, *(name for group in resource.unique for name in group)}
    for mutation in invalid_variants(schema, members, rng, keywords=("type", "minLength", "maxLength", "enum")):
        value = mutation.value
        if isinstance(value, dict) and value.keys() == members.keys():
            changed = [name for name in members if value[name] is not members[name] and value[name] != members[name]]
            if changed and not kept & set(changed) and value[changed[0]] is not None:
                return value
    raise ImpossibleError(f"no member of a {resource.name} could be made invalid")


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


def _can_be_made(spot: Spot, intent: Intent) -> bool:
    try:
        staged(spot, [intent])
    except ImpossibleError:
        return False
    return True

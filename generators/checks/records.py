"""Records for experiments to act on: made through single-record calls, or many at once through a bulk call."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from contracts import preconditions
from contracts.bulk import Location
from contracts.messages import ABSENT, Exchange, History
from contracts.model import Operation
from contracts.preconditions import CONDITIONS
from generators.checks.bench import Bench
from generators.checks.intents import Intent, actions_of
from generators.checks.jobs import OK, last_variable, route_of
from generators.checks.payloads import Members, changed_members, marker_of, new_members
from generators.checks.pictures import Picture, find, read, single
from generators.checks.requests import Request, request
from generators.checks.venues import Spot, Venue, venue, venues
from generators.checks.views import views
from generators.checks.wrapping import Content, bulk_of, client_key, unspoken, wrapped
from generators.impossible import ImpossibleError
from generators.locations import is_outside, look, put
from generators.requests.calls import CallDraft, body_schema
from generators.requests.items import as_written, step_members
from generators.requests.names import Names

MANY: Final = 24  # from here on records are made by a bulk call where there is one
READ: Final = 64  # records whose version is read one by one


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A record that is there: its key, its version (ABSENT where it has none) and what was written."""

    key: object
    version: object
    members: Members


def parents_of(bench: Bench, place: Venue, names: Names, slot: str, *, all_of: bool = False) -> Members:
    """Return keys for the references of a new record: those that it must have, or all; the records are made."""
    resource = place.resource
    wanted = [name for name in resource.references if all_of or name in resource.required]
    return {name: _parent(bench, resource.references[name], names, f"{slot}p{n}") for n, name in enumerate(wanted)}


def _parent(bench: Bench, name: str, names: Names, slot: str) -> object:
    place = next(iter(venue(bench, name)), None)
    if place is None:
        raise ImpossibleError(f"a {name} to refer to cannot be made")
    members = fresh_members(bench, place, names, slot, bench.rng("parent", name))
    return make(bench, place, [members], names)[0].key


def fresh_members(
    bench: Bench, place: Venue, names: Names, slot: str, rng: Random, *, edge: bool = False, all_of: bool = False
) -> Members:
    """Return members of a new record, its references to records made for it."""
    parents = parents_of(bench, place, names, slot, all_of=all_of)
    return new_members(bench, place.resource, names, slot, rng, parents=parents, edge=edge)


def make(bench: Bench, place: Venue, members: Sequence[Members], names: Names) -> list[Known]:
    """Make records and return them. Raises ImpossibleError when there is no way that works."""
    ways: list[Callable[[], list[object] | None]] = [
        lambda: _one_by_one(bench, place, members, names),
        lambda: _at_once(bench, place, members, names),
    ]
    for way in reversed(ways) if len(members) >= MANY else ways:
        keys = way()
        if keys is not None:
            return _known(bench, place, keys, members)
    raise ImpossibleError(f"no {place.resource.name} could be made to act on")


def _known(bench: Bench, place: Venue, keys: Sequence[object], members: Sequence[Members]) -> list[Known]:
    if place.resource.version is None:
        return [Known(key=key, version=ABSENT, members=one) for key, one in zip(keys, members, strict=True)]
    seen = [read(bench, place, key) for key in keys[:READ]]
    versions = [one.version for one in seen] + [seen[0].version] * (len(keys) - len(seen))
    shown = [one.key if one.key is not ABSENT else key for one, key in zip(seen, keys, strict=False)]
    named = [*shown, *keys[len(shown) :]]
    rows = zip(named, versions, members, strict=True)
    return [Known(key=key, version=version, members=one) for key, version, one in rows]


def _one_by_one(bench: Bench, place: Venue, members: Sequence[Members], names: Names) -> list[object] | None:
    action = next((name for name in ("create", "upsert", "replace") if _can_create(place, name)), None)
    if action is None:
        return None
    keys: list[object] = []
    for one in members:
        exchange = bench.send(written(place, action, one, key=one.get(place.resource.key, ABSENT)).call())
        key = key_of_created(bench, place, exchange, one, names)
        if exchange.reply.status not in OK or key is ABSENT:
            return None
        keys.append(key)
    return keys


def _can_create(place: Venue, action: str) -> bool:
    return action in place.acts and (action == "create" or not place.resource.assigned)


def written(
    place: Venue, action: str, members: Members, *, key: object = ABSENT, version: object = ABSENT
) -> CallDraft:
    """Return the single-record call that writes, or deletes, one record."""
    made = single(place, action, key=key)
    operation, record = made.operation, made.operation.record
    if record is None:
        return made
    if operation.body is None:
        return _seen(made, record.version, version) if is_outside(record.version or "") else made
    schema = body_schema(operation)
    steps = step_members(schema.at(record.payload) if schema is not None else None)
    content = {} if action == "delete" else as_written(members, steps)
    made.data = put({}, record.payload, content)
    return _seen(made, record.version, version)


def _seen(made: CallDraft, at: Location | None, version: object) -> CallDraft:
    """Return a call that says which version the caller has seen: as an entity tag where that is a precondition."""
    if at is None or version is ABSENT:
        return made
    where, _, name = at.partition(":")
    is_condition = where == "header" and name.lower() in {one.lower() for one in CONDITIONS}
    made.put(at, preconditions.written(made.operation, name, version) if is_condition else version)
    return made


def key_of_created(bench: Bench, place: Venue, exchange: Exchange, members: Members, names: Names) -> object:
    """Return the key of a record that a call made: its own, or what the reply's body, its headers, or a list say."""
    resource = place.resource
    if not resource.assigned:
        return members.get(resource.key, ABSENT)
    told = look(exchange.reply.data, f"/{resource.key}")
    if told is not ABSENT and not isinstance(told, dict | list):
        return told
    reader = place.acts.get("read")
    for _, value in exchange.reply.headers:
        route = route_of(bench.contract, bench.router, value) if "/" in value else None
        if route is not None and reader is not None and route.operation.id == reader.id:
            return route.variables[last_variable(reader) or ""]
    found = find(bench, place, [marker_of(members, names)])[0]
    return found.key if found.present else ABSENT


def _at_once(bench: Bench, place: Venue, members: Sequence[Members], names: Names) -> list[object] | None:
    """Make records by a bulk call that tells their keys, or whose items have keys of their own."""
    for operation in bench.contract.operations:
        if operation.bulk is None or unspoken(operation) is not None or not _makes(bench, operation, place):
            continue
        keys: list[object] = []
        size = min(operation.bulk.items.max or len(members), len(members))
        for start in range(0, len(members), size):
            some = _posted(
                Spot(bench=bench, operation=operation, place=place), members[start : start + size], names, start
            )
            if some is None:
                break
            keys += some
        if len(keys) == len(members):
            return keys
    return None


def _makes(bench: Bench, operation: Operation, place: Venue) -> bool:
    bulk = bulk_of(operation)
    told = bulk.reply.outcomes is not None and (bulk.reply.outcomes.id is not None or not place.resource.assigned)
    at_once = bulk.job is None or "always" not in bulk.job.when
    makes = bool({"create", "upsert"} & set(actions_of(bulk)))
    return told and at_once and makes and bulk.items.fan_out is None and place in venues(bench, operation)


def _posted(spot: Spot, members: Sequence[Members], names: Names, start: int) -> list[object] | None:
    action = next(name for name in actions_of(spot.bulk) if name in {"create", "upsert"})
    intent, rng, own_key = Intent(action=action), spot.bench.rng("made"), spot.resource.key
    keys = [client_key(spot, names, f"s{start + n}", intent, rng) for n in range(len(members))]
    contents = [
        Content(members=one, target=one.get(own_key, ABSENT), key=key) for one, key in zip(members, keys, strict=True)
    ]
    raws = [wrapped(spot, intent, content, rng) for content in contents]
    named = [n if key is ABSENT else key for n, key in enumerate(keys, start)]
    exchange = spot.bench.send(request(spot, Request(items=raws, actions=(action,), keys=named)).call())
    view = next(views(History(exchanges=(exchange,)), spot.bench.contract, router=spot.bench.router), None)
    outcomes = view.tellings[0].outcomes if view is not None and view.tellings else ()
    if len(outcomes) != len(members) or any(one.result != "done" for one in outcomes):
        return None
    own = [one.get(own_key, ABSENT) for one in members]
    return [one.id if one.id is not ABSENT else key for one, key in zip(outcomes, own, strict=True)]


def bumped(spot: Spot, known: Known, names: Names, slot: str) -> Known:
    """Change a record once, so that the version that was known is stale; return it as it is now."""
    bench, place, rng = spot.bench, spot.place, spot.bench.rng("bump", slot)
    action = next((name for name in ("update", "upsert", "replace") if name in place.acts), None)
    if action is None:
        raise ImpossibleError(f"no call changes one {place.resource.name}, so that its version would move")
    changes = changed_members(spot, names, f"b{slot}", rng)
    members = {**known.members, **changes} if action == "replace" else changes
    exchange = bench.send(written(place, action, members, key=known.key, version=known.version).call())
    after: Picture = read(bench, place, known.key)
    if exchange.reply.status not in OK or after.version == known.version:
        raise ImpossibleError(f"changing one {place.resource.name} did not move its version")
    return replace(known, version=after.version)

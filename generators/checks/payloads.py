"""Contents for records: new ones that fit, changes that show, and the same with one thing wrong."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import Any

from contracts.bulk import Location, Resource
from contracts.model import Operation
from contracts.schemas import Schema
from generators.checks.bench import Bench
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError
from generators.locations import look, look_all
from generators.requests.calls import examples_of
from generators.requests.members import draw_member, draw_members
from generators.requests.names import Names

Members = dict[str, Any]


def schema_of(bench: Bench, resource: Resource) -> Schema | None:
    """Return the schema of a resource's payload."""
    return None if resource.schema is None else bench.contract.schemas.schema(resource.schema)


def new_members(
    bench: Bench, resource: Resource, names: Names, slot: str, rng: Random, *, parents: Mapping[str, object], edge: bool
) -> Members:
    """Return members of a new record that fit; its key and what must be unique are fresh.

    `parents` are keys for references. `edge` takes texts and numbers from the ends of their ranges.
    """
    schema, known = schema_of(bench, resource), member_schemas(bench, resource) or {}
    drawn = draw_members(schema, known, resource.required, rng, edges=1.0 if edge else 0.0)
    kept = {*writable(bench, resource), *resource.required} - resource.references.keys()
    members = {name: value for name, value in drawn.items() if name in kept}
    members |= {name: key for name, key in parents.items() if schema is None or schema.member(name) is not None}
    members |= _fresh(resource, schema, names, slot, rng)
    return _fitting(resource, schema, members)


def _fresh(resource: Resource, schema: Schema | None, names: Names, slot: str, rng: Random) -> Members:
    """Return the members that no other record may have the same."""
    wanted = [resource.key] if not resource.assigned else []
    own = [[name for name in group if name not in resource.references] for group in resource.unique]
    wanted += [group[0] for group in own if group and not set(group) & set(wanted)]
    if not wanted and (marker := _marker(resource, schema)) is not None:
        wanted = [marker]
    return {
        name: names.fit(schema.member(name) if schema is not None else None, slot if n == 0 else f"{slot}m{n}", rng)
        for n, name in enumerate(dict.fromkeys(wanted))
    }


def _marker(resource: Resource, schema: Schema | None) -> str | None:
    """Return a member for text by which a record can be recognised."""
    members = schema.members() if schema is not None else {}
    fitting = [name for name, one in members.items() if name not in resource.references and one.is_valid("b00000000n0")]
    return next((name for name in (*resource.required, *fitting) if name in fitting), None)


def marker_of(members: Mapping[str, object], names: Names) -> object:
    """Return the fresh value in a record's members, by which it is found in a list; None when there is none."""
    return next((value for value in members.values() if _is_in(value, names)), None)


def _is_in(value: object, names: Names) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value in names.given


def drawn_member(bench: Bench, resource: Resource, name: str, rng: Random) -> object:
    """Return a value for a member of a record, not null if that can be."""
    return draw_member(member_schemas(bench, resource) or {}, name, rng, needed=True, edges=0.0)


def _fitting(resource: Resource, schema: Schema | None, members: Members) -> Members:
    """Return the members, optional ones left out until they fit together."""
    kept = {resource.key, *resource.required, *(name for group in resource.unique for name in group)}
    optional = [name for name in members if name not in kept]
    while schema is not None and not schema.is_valid(members):
        if not optional:
            raise ImpossibleError(f"no {resource.name} could be made that fits its schema")
        members.pop(optional.pop())
    return members


def member_schemas(bench: Bench, resource: Resource) -> Mapping[str, Schema] | None:
    """Return the schemas of a record's members, None when the resource has no schema."""
    if resource.schema is None:
        return None
    known = bench.memory.get(("members", resource.name))
    if not isinstance(known, dict):
        schema = schema_of(bench, resource)
        known = bench.memory["members", resource.name] = schema.members() if schema is not None else {}
    return known


def writable(bench: Bench, resource: Resource) -> Sequence[str]:
    """Return the members that an experiment fills in as it likes: no keys, references, tombstones or versions."""
    taken = {resource.key, resource.tombstone, resource.version, *resource.references}
    return [name for name in member_schemas(bench, resource) or () if name not in taken]


def changed_members(spot: Spot, names: Names, slot: str, rng: Random) -> Members:
    """Return members that differ from what any record has: those that the operation's own examples change, if any."""
    bench, resource = spot.bench, spot.resource
    schema = schema_of(bench, resource)
    unique = {name for group in resource.unique for name in group}
    open_ = [name for name in writable(bench, resource) if name not in unique]
    shown = [name for name in example_members(spot.operation) if name in open_]
    for name in dict.fromkeys((*shown, *([] if shown else open_))):
        inner = schema.member(name) if schema is not None else None
        if inner is None or inner.is_valid(names.text(f"c{slot}")):
            return {name: names.keep(names.text(f"c{slot}"), f"c{slot}")}
    if not open_:
        raise ImpossibleError(f"a {resource.name} has no member that can be changed freely")
    return {(shown or open_)[0]: drawn_member(bench, resource, (shown or open_)[0], rng)}


def example_members(operation: Operation) -> Sequence[str]:
    """Return the members that the request examples of a bulk operation write."""
    bulk = operation.bulk
    if bulk is None:
        return ()
    names: dict[str, None] = {}
    for example in examples_of(operation):
        for at in (bulk.items.at, *bulk.items.also_at):
            for payload in _payloads(example, at, bulk.effect.payload, shared=bulk.effect.payload in bulk.items.shared):
                names |= dict.fromkeys(_written(payload))
    return list(names)


def _payloads(example: object, at: Location, payload: Location, *, shared: bool) -> Iterator[object]:
    if shared:
        yield look(example, payload)
    for items in look_all(example, at):
        for raw in items if isinstance(items, list) else items.values() if isinstance(items, dict) else ():
            yield look(raw, payload)


def _written(payload: object) -> list[str]:
    if isinstance(payload, dict):
        return list(payload)
    steps = payload if isinstance(payload, list) else []
    return [str(one["path"]).removeprefix("/") for one in steps if isinstance(one, dict) and "path" in one]

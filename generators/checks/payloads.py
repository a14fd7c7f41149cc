"""Contents for records: new ones that fit, changes that show, and the same with one thing wrong."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import Any, Final

from contracts.bulk import Location, Resource
from contracts.model import Operation
from contracts.parameters import types_of
from contracts.schemas import Schema
from generators.checks.bench import Bench
from generators.checks.calls import body_schema, json_media
from generators.checks.findings import ImpossibleError
from generators.checks.locations import look, look_all
from generators.checks.names import Names
from generators.checks.venues import Spot
from generators.values import Generator, UnsatisfiableError, compile_schema

Members = dict[str, Any]
DRAWS: Final = 20


def schema_of(bench: Bench, resource: Resource) -> Schema | None:
    """Return the schema of a resource's payload."""
    return None if resource.schema is None else bench.contract.schemas.schema(resource.schema)


def new_members(
    bench: Bench, resource: Resource, names: Names, slot: str, rng: Random, *, parents: Mapping[str, object], edge: bool
) -> Members:
    """Return members of a new record that fit; its key and what must be unique are fresh.

    `parents` are keys for references. `edge` takes texts and numbers from the ends of their ranges.
    """
    schema = schema_of(bench, resource)
    drawn = _drawn(resource, schema, rng, edge=edge)
    members = {name: value for name, value in drawn.items() if name in writable(bench, resource)}
    for name in resource.required:
        if name not in members and name not in resource.references:
            members[name] = drawn_member(bench, resource, name, rng)
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


def _drawn(resource: Resource, schema: Schema | None, rng: Random, *, edge: bool) -> Members:
    if schema is None:
        return {}
    value = _generator(resource, schema, edge=edge).draw(rng)
    return dict(value) if isinstance(value, dict) else {}


def _generator(resource: Resource, schema: Schema, *, edge: bool) -> Generator:
    try:
        return _compiled(schema, 1.0 if edge else 0.0)
    except UnsatisfiableError as error:
        raise ImpossibleError(f"no {resource.name} can be made: {error}") from None


@lru_cache(maxsize=1000)
def _compiled(schema: Schema, edges: float) -> Generator:
    return compile_schema(schema, edges=edges)


def drawn_member(bench: Bench, resource: Resource, name: str, rng: Random) -> object:
    """Return a value for a member of a record, not null if that can be."""
    schema = schema_of(bench, resource)
    inner = schema.member(name) if schema is not None else None
    if inner is None:
        return "text"
    drawn = (_compiled(inner, 0.0).draw(rng) for _ in range(DRAWS))
    return next((value for value in drawn if value is not None), None)


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
    media, bulk = json_media(operation), operation.bulk
    if media is None or bulk is None:
        return ()
    names: dict[str, None] = {}
    for example in media.examples.values():
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


def as_written(operation: Operation, at: Location, members: Mapping[str, object], *, items_at: Location | None) -> Any:
    """Return changes as an operation wants them at a location: members, or a list of steps with `path` and `value`.

    `items_at` is where the items are when the location is inside an item.
    """
    step = _step_members(_schema_at(operation, at, items_at))
    if not step:
        return dict(members)
    if "op" in step:
        return [{"op": "replace", "path": f"/{name}", "value": value} for name, value in members.items()]
    return [{"path": name, "value": value} for name, value in members.items()]


def _step_members(schema: Schema | None) -> Mapping[str, Schema]:
    element = schema.items() if schema is not None and "array" in types_of(schema) else None
    members = element.members() if element is not None else {}
    return members if {"path", "value"} <= members.keys() else {}


def _schema_at(operation: Operation, at: Location, items_at: Location | None) -> Schema | None:
    schema = body_schema(operation)
    if schema is not None and items_at is not None:
        collection = schema.at(items_at)
        schema = collection.items() if collection is not None else None
    return schema.at(at) if schema is not None else None

"""Stored records as On Key shows them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, TypeAlias
from urllib.parse import quote

from contracts.bulk import Resource
from contracts.messages import ABSENT
from mockserver.apis.onkey.kinds import Kind, Steps, kinds_of, pascal, stamp
from mockserver.stores import Key, Record
from mockserver.turn import Run, Turn

Entity: TypeAlias = dict[str, object]
Link: TypeAlias = dict[str, str]

OWN: Final = frozenset((("id",), ("version",)))


def render(run: Run, resource: Resource, record: Record) -> object:
    """Return a record as an entity without links."""
    return entity(kinds_of(run.api).by_name[resource.name], record)


def entity(kind: Kind, record: Record) -> Entity:
    """Return a record as an entity with all its properties, unset ones as null."""
    body = record.body
    properties: dict[str, object] = {name: body.get(name) for name in kind.shown}
    properties |= {"createdOn": stamp(record.created), "modifiedOn": stamp(record.modified)}
    return made(kind.name, record.key, record.version, properties)


def made(name: str, key: Key, version: int, properties: Mapping[str, object]) -> Entity:
    """Return an entity of any class."""
    return {"class": name, "id": key, "version": version, "properties": properties}


def linked(turn: Turn, kind: Kind, entities: Iterable[Entity]) -> list[Entity]:
    """Return entities as the call wants them: with their links when it asks for hypermedia."""
    if turn.query.get("includeHypermedia", ABSENT) in {ABSENT, "false"}:
        return list(entities)
    base = f"{base_of(turn)}/modules/{kind.module}/{kind.plural}"
    return [{**one, "links": _links(kind, base, str(one["id"]))} for one in entities]


def base_of(turn: Turn) -> str:
    """Return the address of the call's data set, relative and without a leading slash."""
    client, connection = (quote(turn.variables[name], safe="") for name in ("client", "connection"))
    return f"api/tenants/{client}/{connection}"


def _links(kind: Kind, base: str, key: str) -> list[Link]:
    """Return what can be done with an entity; a match update only where its kind has one."""
    own = f"{base}/{key}"
    links = [_link("self", "GET", own), _link("update", "PATCH", own), _link("delete", "DELETE", own)]
    return [*links, _link("matchUpdate", "PATCH", f"{base}/matchbatch")] if kind.match else links


def _link(rel: str, method: str, href: str) -> Link:
    return {"href": href, "method": method, "rel": rel}


def name_of(steps: Steps) -> str:
    """Return the name under which a selected property is shown: `resourceId`, `code` gives `resourceCode`."""
    joins = [member.removesuffix("Id") for member in steps[:-1]]
    first, *rest = [*joins, steps[-1]]
    return first + "".join(map(pascal, rest))


def selection(kind: Kind, record: Record, values: Mapping[Steps, object]) -> Entity:
    """Return a record as an entity with some properties; id and version are always there."""
    shown = {name_of(steps): json_of(value) for steps, value in values.items() if steps not in OWN}
    return made(kind.name, record.key, record.version, shown)


def json_of(value: object) -> object:
    """Return a value as JSON has it."""
    return stamp(value) if isinstance(value, datetime) else value

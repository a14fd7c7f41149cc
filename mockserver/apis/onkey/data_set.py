"""The records of one data set, read through references and schema converters, and shown as entities."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple, TypeAlias
from urllib.parse import quote

from contracts.bulk.model import Resource
from contracts.messages import ABSENT
from contracts.syntax.text import closest
from mockserver.api.model import ItemRun, RequestContext
from mockserver.apis.onkey.resource_types import (
    ObjectType,
    ObjectTypes,
    Steps,
    key_of,
    object_types_of,
    pascal,
    stamp,
    value_of,
)
from mockserver.domain.values import ItemFault, Resolution
from mockserver.engine.declared_records import run_of
from mockserver.stores.interface import Collection, Key, Record, View

WantedValues: TypeAlias = Sequence[tuple[Steps, object]]
NO_ID = -1  # no record's id


class DataSet(NamedTuple):
    """The records of one scope in a view of the store."""

    kinds: ObjectTypes
    view: View
    scope: str

    def get(self, kind: ObjectType, key: Key) -> Record | None:
        """Return the record of that id, None when there is none."""
        return self.view.get(Collection(self.scope, kind.name), key)

    def scan(self, kind: ObjectType) -> Iterable[Record]:
        """Yield every record of a kind."""
        return self.view.scan(Collection(self.scope, kind.name))

    def value(self, kind: ObjectType, record: Record, steps: Steps) -> object:
        """Return the value at the end of `steps` from a record, None where a reference is not set."""
        for member in steps[:-1]:
            kind = self.kinds.by_name[kind.resource.references[member]]
            key: Any = record.body.get(member)
            found = None if key is None else self.get(kind, key)
            if found is None:
                return None
            record = found
        return value_of(record, steps[-1])

    def matching(self, kind: ObjectType, wanted: WantedValues) -> list[Record]:
        """Return the records of a kind that have every wanted value."""
        return [one for one in self._candidates(kind, wanted) if self._fits(kind, one, wanted)]

    def _fits(self, kind: ObjectType, record: Record, wanted: WantedValues) -> bool:
        return all(is_same(self.value(kind, record, steps), value) for steps, value in wanted)

    def _candidates(self, kind: ObjectType, wanted: WantedValues) -> Iterable[Record]:
        """Return the records to search: by id or index where the wanted values allow it, else all."""
        known = {steps[0]: value for steps, value in wanted if len(steps) == 1 and value is not None}
        known |= self._joined(kind, wanted)
        if "id" in known:
            keys: Iterable[Any] = (known["id"],)
        else:
            indexes = (*kind.resource.unique, *((member,) for member in kind.resource.references))
            index = next((one for one in indexes if known.keys() >= set(one)), None)
            if index is None:
                return self.scan(kind)
            keys = self.view.find(Collection(self.scope, kind.name), index, tuple(known[member] for member in index))
        return [record for key in keys if (record := self.get(kind, key)) is not None]

    def _joined(self, kind: ObjectType, wanted: WantedValues) -> dict[str, object]:
        """Return the values of references that follow from wanted values of the records they point to."""
        found: dict[str, object] = {}
        for member, target in kind.resource.references.items():
            inner = [(steps[1:], value) for steps, value in wanted if steps[0] == member and len(steps) > 1]
            if inner and all(value is not None for _, value in inner):
                records = self.matching(self.kinds.by_name[target], inner)
                if len(records) <= 1:
                    found[member] = records[0].key if records else NO_ID
        return found


def is_same(stored: object, given: object) -> bool:
    """Return whether a stored value equals a JSON value, type included: `true` is not 1."""
    if isinstance(stored, datetime):
        return stamp(stored) == given
    return stored == given and isinstance(stored, bool) == isinstance(given, bool)


def data_set(context: RequestContext) -> DataSet:
    """Return the data set of the request, with its initial records."""
    run_of(context)
    return DataSet(object_types_of(context.api), context.api_state.store, context.scope)


CODE: Final = "code"


def resolve(run: ItemRun, view: View, resource: Resource, member: str, value: object) -> Resolution:
    """Return the id of a reference: an id as a number or digits, or a converter that matches one record."""
    if type(value) is int:
        return Resolution(value)
    if isinstance(value, dict):
        kinds = object_types_of(run.api)
        kind = kinds.by_name[resource.references.get(member, resource.name)]
        found = look_up(DataSet(kinds, view, run.scope), kind, value)
        return found if found.fault is None else Resolution(None, found.fault._replace(members=(member,)))
    key = key_of(value)
    return Resolution(key, None if key is not None else ItemFault("type", (member,), value, {"expected": "integer"}))


def look_up(data: DataSet, kind: ObjectType, converter: Mapping[str, Any]) -> Resolution:
    """Return the only record of a kind that a `ReferenceLookup` matches, or the fault."""
    custom = str(converter.get("type", CODE)).lower() != CODE
    given = converter["properties"] if custom else {CODE: converter["code"]}
    wanted: list[tuple[Steps, object]] = []
    for path, value in given.items():
        steps = data.kinds.steps(kind, path)
        if steps is None:
            return Resolution(None, _unknown(kind, path))
        wanted.append((steps, _id(value) if data.kinds.type_of(kind, steps) == "integer" else value))
    found = data.matching(kind, wanted)
    if len(found) == 1:
        return Resolution(found[0].key)
    return Resolution(
        None, ItemFault("ambiguous", (), converter, {"count": len(found)}) if found else ItemFault("reference")
    )


def _id(value: object) -> object:
    key = key_of(value)
    return value if key is None else key


def _unknown(kind: ObjectType, path: str) -> ItemFault:
    own = path.rpartition("->")[2]
    known = closest(own, kind.members.values())
    facts = {"kind": kind.name, "path": kind.path("_".join(map(pascal, own.split("_"))))}
    return ItemFault("unknown", (), path, {**facts, "closest": kind.path(known)} if known else facts)


Entity: TypeAlias = dict[str, object]
Link: TypeAlias = dict[str, str]

OWN: Final = frozenset((("id",), ("version",)))


def render(run: ItemRun, resource: Resource, record: Record) -> object:
    """Return a record as an entity without links."""
    return entity(object_types_of(run.api).by_name[resource.name], record)


def entity(kind: ObjectType, record: Record) -> Entity:
    """Return a record as an entity with all its properties, unset ones as null."""
    body = record.body
    properties: dict[str, object] = {name: body.get(name) for name in kind.shown}
    properties |= {"createdOn": stamp(record.created), "modifiedOn": stamp(record.modified)}
    return entity_of(kind.name, record.key, record.version, properties)


def entity_of(name: str, key: Key, version: int, properties: Mapping[str, object]) -> Entity:
    """Return an entity of any class."""
    return {"class": name, "id": key, "version": version, "properties": properties}


def with_links(context: RequestContext, kind: ObjectType, entities: Iterable[Entity]) -> list[Entity]:
    """Return entities with their links when the request asks for hypermedia, else as they are."""
    if context.query.get("includeHypermedia", ABSENT) in {ABSENT, "false"}:
        return list(entities)
    base = f"{base_of(context)}/modules/{kind.module}/{kind.plural}"
    return [{**one, "links": _links(kind, base, str(one["id"]))} for one in entities]


def base_of(context: RequestContext) -> str:
    """Return the relative URL of the request's data set, without a leading slash."""
    client, connection = (quote(context.variables[name], safe="") for name in ("client", "connection"))
    return f"api/tenants/{client}/{connection}"


def _links(kind: ObjectType, base: str, key: str) -> list[Link]:
    """Return the links of an entity; a match update only where its kind has one."""
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


def selection(kind: ObjectType, record: Record, values: Mapping[Steps, object]) -> Entity:
    """Return a record as an entity with some properties; id and version are always included."""
    shown = {name_of(steps): json_of(value) for steps, value in values.items() if steps not in OWN}
    return entity_of(kind.name, record.key, record.version, shown)


def json_of(value: object) -> object:
    """Return a value as JSON: instants as text, the rest unchanged."""
    return stamp(value) if isinstance(value, datetime) else value

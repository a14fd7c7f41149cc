"""On Key's names of resources and properties; request bodies in the contract's spelling of names (`canonical_body`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from contracts.bulk.model import Resource
from contracts.openapi.model import Contract
from mockserver.api.model import RequestContext
from mockserver.stores.interface import Record

if TYPE_CHECKING:
    from mockserver.api.model import Api


Steps: TypeAlias = tuple[str, ...]
OWN: Final = {"id": "integer", "version": "integer"}
STAMPS: Final = {"createdOn": "instant", "modifiedOn": "instant"}
MAX_ID_DIGITS: Final = 19  # of 2^63, below which ids are
MAX_STEPS: Final = 8  # how many references a path may follow, and one property


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectType:
    """A resource with its On Key names.

    `members` maps a name in lower case to the name as written, `types` maps that to its type. `written` are the
    properties that a client may set, `match` those that a match update may set, `shown` those of an entity, in order.
    """

    resource: Resource
    module: str
    plural: str
    match: frozenset[str]
    members: Mapping[str, str]
    types: Mapping[str, str]
    written: frozenset[str]
    shown: tuple[str, ...]

    @property
    def name(self) -> str:
        """The `objectType`."""
        return self.resource.name

    def member(self, given: str) -> str:
        """Return the property of a name or a path such as `Resource->Code`; unchanged when it is unknown."""
        own = given.lower().removeprefix(f"{self.name.lower()}->")
        return self.members.get(own, given)

    def path(self, member: str) -> str:
        """Return the path of a property: `description` gives `AssetImportance->Description`."""
        return f"{self.name}->{pascal(member)}"


@dataclass(frozen=True, slots=True)
class ObjectTypes:
    """The object types of a contract, by `objectType` and by location in the URL."""

    by_name: Mapping[str, ObjectType]
    by_place: Mapping[tuple[str, str], ObjectType]

    def at(self, module: str, plural: str) -> ObjectType | None:
        """Return the object type served at `modules/{module}/{plural}`, without regard to case."""
        return self.by_place.get((module.lower(), plural.lower()))

    def steps(self, kind: ObjectType, given: str) -> Steps | None:
        """Return the members that a name or a path goes through, None for an unknown property.

        A name is such as `resourceCode`, a path such as `ResourceTrade->Resource_Code`; both may join several times.
        """
        owner, arrow, path = given.lower().rpartition("->")
        if arrow and owner != kind.name.lower():
            return None
        return self._walk(kind, path, MAX_STEPS)

    def _walk(self, kind: ObjectType, path: str, left: int) -> Steps | None:
        if path in kind.members:
            return (kind.members[path],)
        if not left:
            return None
        for member, target in kind.resource.references.items():
            join = member.removesuffix("Id").lower()
            rest = path.removeprefix(join).removeprefix("_")
            if path.startswith(join) and (found := self._walk(self.by_name[target], rest, left - 1)) is not None:
                return (member, *found)
        return None

    def type_of(self, kind: ObjectType, steps: Steps) -> str:
        """Return the type of the property at the end of `steps`."""
        for member in steps[:-1]:
            kind = self.by_name[kind.resource.references[member]]
        return kind.types[steps[-1]]


def value_of(record: Record, member: str) -> object:
    """Return a member of a record: one that the server maintains, or a property; unset ones are None."""
    own: Mapping[str, object] = {
        "id": record.key,
        "version": record.version,
        "createdOn": record.created,
        "modifiedOn": record.modified,
    }
    return own[member] if member in own else record.body.get(member)


def stamp(instant: datetime) -> str:
    """Return an instant in UTC in On Key's format, with seven digits of a second."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond:06d}0Z"


def pascal(name: str) -> str:
    """Return a name with a capital first: `resourceId` gives `ResourceId`."""
    return name[:1].upper() + name[1:]


_OBJECT_TYPES: "WeakKeyDictionary[Api, ObjectTypes]" = WeakKeyDictionary()


def object_types_of(api: "Api") -> ObjectTypes:
    """Return the object types of an API's contract; they are cached."""
    ready = _OBJECT_TYPES.get(api)
    if ready is None:
        ready = _OBJECT_TYPES[api] = _kinds(api.contract)
    return ready


def _kinds(contract: Contract) -> ObjectTypes:
    kinds = [_kind(contract, resource) for resource in contract.resources.values()]
    return ObjectTypes({kind.name: kind for kind in kinds}, {(kind.module, kind.plural): kind for kind in kinds})


def _kind(contract: Contract, resource: Resource) -> ObjectType:
    written = () if resource.schema is None else contract.schemas.schema(resource.schema).members()
    types = {name: _type(contract, resource, name) for name in written} | STAMPS
    extras: Mapping[str, Any] = resource.extras
    return ObjectType(
        resource=resource,
        module=extras["x-module"],
        plural=extras["x-plural"],
        match=frozenset(extras["x-match-update"]),
        members={name.lower(): name for name in (*types, *OWN)},
        types={**types, **OWN},
        written=frozenset(written),
        shown=tuple(sorted(types)),
    )


def _type(contract: Contract, resource: Resource, member: str) -> str:
    if member in resource.references:
        return "integer"
    words = contract.schemas.schema(f"{resource.schema}/properties/{member}").raw["type"]
    return words if isinstance(words, str) else words[0]  # type: ignore[index] # a list of words, null last


def key_of(value: object) -> int | None:
    """Return the id of a number or a string of digits, None for anything else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value.lstrip("0")) <= MAX_ID_DIGITS:
        value = int(value.lstrip("0") or "0")
    return value if type(value) is int and 0 <= value < 1 << 63 else None


NUMBERS: Final = ("id", "version")
CONVERTER: Final = ("converter", "type", "code", "properties")


def canonical_body(context: RequestContext, data: Any) -> object:
    """Return the body with names, ids and versions as the contract writes them; what matches no shape is unchanged."""
    operation = "" if context.operation is None else context.operation.id
    if operation in {"import", "importByPatch"} and isinstance(data, list):
        return [_imported(one) for one in data]
    if operation in {"batchUpdate", "batchDelete"} and isinstance(data, list):
        return [_numbered(one) for one in data]
    if operation == "matchUpdate" and isinstance(data, dict) and isinstance(data.get("records"), list):
        return {**data, "records": [_numbered(one) for one in data["records"]]}
    return _numbered(data) if operation in {"update", "delete"} else data


def _numbered(record: Any, names: tuple[str, ...] = NUMBERS) -> Any:
    """Return a record with ids and versions as numbers where they are valid."""
    if not isinstance(record, dict) or all(type(record.get(name, 0)) is int for name in names):
        return record
    keys = {name: key_of(record[name]) for name in names if name in record}
    return {**record, **{name: key for name, key in keys.items() if key is not None}}


def _imported(record: Any) -> Any:
    """Return a record of an import with its id, version and converters as the contract writes them."""
    if not isinstance(record, dict):
        return record
    named = _numbered(record, ("Id", "version"))
    values = named.get("properties")
    converters = _converters(values) if isinstance(values, dict) else {}
    if isinstance(named.get("Id"), dict):
        named = {**named, "Id": _named(named["Id"], CONVERTER)}
    return {**named, "properties": {**values, **converters}} if converters else named


def _converters(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _named(value, CONVERTER) for name, value in values.items() if type(value) is dict}


def _named(given: Mapping[str, Any], names: tuple[str, ...]) -> Mapping[str, Any]:
    """Return members under the contract's names; of two spellings of one name the exact one wins."""
    if given.keys() <= set(names):
        return given
    folded = {name.lower(): name for name in names}
    named: dict[str, Any] = {}
    for name, value in given.items():
        own = folded.get(name.lower(), name)
        named[name if own in given or own in named else own] = value
    return named

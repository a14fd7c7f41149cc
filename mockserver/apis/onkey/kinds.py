"""What On Key calls its resources and their properties: names and paths, read without regard to case."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from weakref import WeakKeyDictionary

from contracts.bulk import Resource
from contracts.model import Contract
from mockserver.stores import Record

if TYPE_CHECKING:
    from mockserver.api import Api

Steps: TypeAlias = tuple[str, ...]
OWN: Final = {"id": "integer", "version": "integer"}
STAMPS: Final = {"createdOn": "instant", "modifiedOn": "instant"}
DIGITS: Final = 19  # of 2^63, below which ids are
MAX_STEPS: Final = 8  # how many references a path may follow, and one property


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A resource as On Key sees it.

    `members` maps a name in lower case to the name as written, `types` that to its type word. `written` are the
    properties that a caller may set, `match` those that a match update may, `shown` lists those of an entity.
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
        """The objectType."""
        return self.resource.name

    def member(self, given: str) -> str:
        """Return the property that a name or a path such as `Resource->Code` means, as given when it means none."""
        own = given.lower().removeprefix(f"{self.name.lower()}->")
        return self.members.get(own, given)

    def path(self, member: str) -> str:
        """Return the path of a property: `description` gives `AssetImportance->Description`."""
        return f"{self.name}->{pascal(member)}"


@dataclass(frozen=True, slots=True)
class Kinds:
    """Every kind of a contract, by objectType and by its place in the URL."""

    by_name: Mapping[str, Kind]
    by_place: Mapping[tuple[str, str], Kind]

    def at(self, module: str, plural: str) -> Kind | None:
        """Return the kind that is served at `modules/{module}/{plural}`, without regard to case."""
        return self.by_place.get((module.lower(), plural.lower()))

    def steps(self, kind: Kind, given: str) -> Steps | None:
        """Return the members that a name or a path leads through, None when there is no such property.

        A name is such as `resourceCode`, a path such as `ResourceTrade->Resource_Code`; both may join several times.
        """
        owner, arrow, path = given.lower().rpartition("->")
        if arrow and owner != kind.name.lower():
            return None
        return self._walk(kind, path, MAX_STEPS)

    def _walk(self, kind: Kind, path: str, left: int) -> Steps | None:
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

    def type_of(self, kind: Kind, steps: Steps) -> str:
        """Return the type word of the property at the end of `steps`."""
        for member in steps[:-1]:
            kind = self.by_name[kind.resource.references[member]]
        return kind.types[steps[-1]]


def value_of(record: Record, member: str) -> object:
    """Return a member of a record: one that the server keeps, or a property; unset ones are None."""
    own: Mapping[str, object] = {
        "id": record.key,
        "version": record.version,
        "createdOn": record.created,
        "modifiedOn": record.modified,
    }
    return own[member] if member in own else record.body.get(member)


def stamp(instant: datetime) -> str:
    """Return an instant in UTC as On Key writes it, with seven digits of a second."""
    return f"{instant:%Y-%m-%dT%H:%M:%S}.{instant.microsecond:06d}0Z"


def pascal(name: str) -> str:
    """Return a name with a capital first: `resourceId` gives `ResourceId`."""
    return name[:1].upper() + name[1:]


_READY: "WeakKeyDictionary[Api, Kinds]" = WeakKeyDictionary()


def kinds_of(api: "Api") -> Kinds:
    """Return the kinds that the resources of an API's contract are; they are made once."""
    ready = _READY.get(api)
    if ready is None:
        ready = _READY[api] = _kinds(api.contract)
    return ready


def _kinds(contract: Contract) -> Kinds:
    kinds = [_kind(contract, resource) for resource in contract.resources.values()]
    return Kinds({kind.name: kind for kind in kinds}, {(kind.module, kind.plural): kind for kind in kinds})


def _kind(contract: Contract, resource: Resource) -> Kind:
    written = () if resource.schema is None else contract.schemas.schema(resource.schema).members()
    types = {name: _type(contract, resource, name) for name in written} | STAMPS
    extras: Mapping[str, Any] = resource.extras
    return Kind(
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
    """Return the id that a number or a string of digits is, None for anything else and for what no id can be."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value.lstrip("0")) <= DIGITS:
        value = int(value.lstrip("0") or "0")
    return value if type(value) is int and 0 <= value < 1 << 63 else None

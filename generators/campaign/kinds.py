"""The kinds of record of a contract, with what judging needs of them again and again found once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from contracts.bulk import Resource
from contracts.model import Contract
from contracts.parameters import types_of
from contracts.schemas import Schema
from contracts.texts import whole

WRITING = frozenset(("create", "upsert", "replace"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One resource. `members` are those of its payload's schema, `checks` say which values of each are valid.

    `names` are the members' by their names in small letters where case does not count. `shown` are the members that
    reading shows, `places` where they stand. A closed kind has no other members.
    """

    resource: Resource
    schema: Schema | None
    members: frozenset[str]
    checks: Mapping[str, Callable[[object], bool]]
    names: Mapping[str, str]
    shown: tuple[str, ...]
    places: tuple[str, ...]
    is_closed: bool
    has_numbers: bool

    def is_valid(self, members: Mapping[str, object]) -> bool:
        """Say whether members make a payload that fits."""
        return self.schema is None or self.schema.is_valid(dict(members))

    def takes(self, name: str, value: object) -> bool:
        """Say whether a member fits by itself."""
        return self.checks[name](value) if name in self.checks else not self.is_closed

    def key(self, key: str | int) -> str | int:
        """Return a key in the type in which records show it."""
        number = whole(key) if self.has_numbers and isinstance(key, str) else None
        return key if number is None else number


class Kinds(dict[str, Kind]):
    """All kinds of a contract by name."""

    def __init__(self, contract: Contract) -> None:
        super().__init__({name: _kind(contract, resource) for name, resource in contract.resources.items()})
        self.contract = contract
        self.routes = {one.id: one for one in contract.operations}


def _kind(contract: Contract, resource: Resource) -> Kind:
    schema = None if resource.schema is None else contract.schemas.schema(resource.schema)
    members = schema.members() if schema is not None else {}
    own = {resource.key, resource.version, resource.tombstone}
    shown = [name for name, one in members.items() if name not in own and not one.raw.get("writeOnly")]
    acts = [one.record for one in contract.operations if one.record is not None]
    return Kind(
        resource=resource,
        schema=schema,
        members=frozenset(members),
        checks={name: one.is_valid for name, one in members.items()},
        names={name.lower(): name for name in members} if resource.ignore_case else {},
        shown=tuple(shown),
        places=tuple(dict.fromkeys(act.payload for act in acts if act.payload and act.action.constant in WRITING)),
        is_closed=schema is not None and schema.raw.get("additionalProperties") is False,
        has_numbers=_has_numbers(contract, resource),
    )


def _has_numbers(contract: Contract, resource: Resource) -> bool:
    """Say whether records show their key as a number."""
    readers = [one for one in contract.operations if one.record is not None and one.record.action.constant == "read"]
    bodies = [
        media.schema
        for one in readers
        for status, response in one.responses.items()
        if status.startswith("2")
        for media in response.content
        if media.schema is not None
    ]
    shown = [one for schema in bodies if (one := schema.member(resource.key)) is not None]
    return any({"integer", "number"} & types_of(one) for one in shown)

"""What kind of value the keys of a resource are: its schema says, wherever a key is written as text.

A key stands as text in a path, a query, a header, and as a name in a map; in JSON it has its own type.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from contracts.bulk import Resource
from contracts.model import Contract, Operation
from contracts.parameters import INTEGER, types_of
from contracts.schemas import Schema

NUMBERS = frozenset(("integer", "number"))
SAYING = ("create", "replace", "upsert", "read", "update")  # whose answers show a record


@dataclass(frozen=True, slots=True)
class KeyKind:
    """The schema of a resource's keys, None when the contract has none."""

    schema: Schema | None = None

    @property
    def is_number(self) -> bool:
        """Tell whether keys are numbers and never texts."""
        types = types_of(self.schema)
        return bool(types & NUMBERS) and "string" not in types

    @property
    def is_text(self) -> bool:
        """Tell whether keys are texts and never numbers."""
        types = types_of(self.schema)
        return "string" in types and not types & NUMBERS

    def typed(self, value: object) -> object:
        """Return a key in the type that the schema wants: `"5"` is 5 where keys are numbers, 5 is `"5"` where texts."""
        if self.is_number and isinstance(value, str) and INTEGER.fullmatch(value):
            return int(value)
        if self.is_number and isinstance(value, float) and value.is_integer():
            return int(value)
        return str(value) if self.is_text and type(value) is int else value

    def spellings(self, key: str | int) -> tuple[str | int, ...]:
        """Return what stands for a key in members of other types: 5 is also written `"5"` where keys have one type."""
        if isinstance(key, int):
            return (key, str(key)) if self.is_number else (key,)
        return (key, int(key)) if self.is_text and INTEGER.fullmatch(key) else (key,)

    def fits(self, value: object) -> bool:
        """Tell whether a value can be a key."""
        return self.schema is None or self.schema.is_valid(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of a resource: their kind, and that of the keys in each member that refers to a resource.

    They `are_given` where a single-record call may make a record under the key that it names.
    """

    kind: KeyKind
    referred: Mapping[str, KeyKind]
    are_given: bool


def keys_of(contract: Contract, resource: Resource) -> Keys:
    """Return what a contract says of the keys of a resource."""
    referred = {member: key_kind(contract, contract.resources[name]) for member, name in resource.references.items()}
    given = any(_makes(one) for one in _acts(contract, resource))
    return Keys(kind=key_kind(contract, resource), referred=referred, are_given=given)


def _acts(contract: Contract, resource: Resource) -> list[Operation]:
    return [one for one in contract.operations if one.record and one.record.resource.constant == resource.name]


def _makes(operation: Operation) -> bool:
    """Tell whether a call that names a record makes it where it is not there."""
    act = operation.record
    if act is None or act.key is None:
        return False
    return act.action.constant == "upsert" or (act.action.constant == "replace" and "201" in operation.responses)


def key_kind(contract: Contract, resource: Resource) -> KeyKind:
    """Return the kind of a resource's keys: as its payload has it, else as answers show it, else as a path names it."""
    return KeyKind(next((one for one in _schemas(contract, resource) if types_of(one)), None))


def _schemas(contract: Contract, resource: Resource) -> Iterator[Schema]:
    payload = contract.schemas.schema(resource.schema) if resource.schema is not None else None
    own = payload.member(resource.key) if payload is not None else None
    if own is not None:
        yield own
    acts = _acts(contract, resource)
    for one in acts:
        yield from _shown(one, resource.key)
    for one in acts:
        yield from _named(one)


def _shown(operation: Operation, key: str) -> Iterator[Schema]:
    """Yield the schema of the key in the answers of an operation that shows one record."""
    if operation.record is None or operation.record.action.constant not in SAYING:
        return
    for status in ("200", "201"):
        response = operation.responses.get(status)
        for media in response.content if response is not None else ():
            member = media.schema.member(key) if media.schema is not None else None
            if member is not None:
                yield member


def _named(operation: Operation) -> Iterator[Schema]:
    """Yield the schema of the parameter that names the record."""
    where, _, name = (operation.record.key or "" if operation.record else "").partition(":")
    for one in operation.parameters:
        if (one.where, one.name) == (where, name) and one.schema is not None:
            yield one.schema

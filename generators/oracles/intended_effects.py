"""Read the effects that a request intends on records, with the record types and lookups that this needs.

Begin with `effect_of_item` and `effect_of_request`.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from contracts.bulk.model import Resource
from contracts.bulk.normalisation import stored_forms
from contracts.exchange.bulk_request import BulkItem, has_stray_key, target_parameters
from contracts.exchange.locations import ParsedRequest, chosen_by, find, is_outside, locate
from contracts.exchange.outcomes import RepresentationReader, representation_reader
from contracts.exchange.preconditions import EntityTagList, Version, is_if_match, read_version
from contracts.exchange.raw_items import record_content
from contracts.messages import ABSENT
from contracts.openapi.inference import representation_schema, settable_members
from contracts.openapi.model import Contract, Operation
from contracts.openapi.representations import shown_alike
from contracts.schemas.equality import canonical, difference_at, equivalent, has_spellings, key_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import is_text_or_integer, pointer_of, short
from generators.oracles.state_model import RecordSet, RecordState, StateModel
from generators.requests.calls import lookup_members

Settable: TypeAlias = Mapping[str, Sequence[str]]
"""The members that an operation may write, by resource; of others it may write all."""
MARKING_ACTIONS: Final = frozenset(("replace", "update", "upsert"))  # may mark a record as deleted
NO_LIMITS: Final[Settable] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordType:
    """One resource with the schemas of its members.

    `names` maps lower-case names to members where case is ignored. `readable` are the members that clients write and
    reading shows. One that `is_closed` allows no other members. Texts of `spelled` members have several spellings.
    Where it `keeps`, a deleted record may stay in another state.
    """

    resource: Resource
    schema: Schema | None
    members: frozenset[str]
    schemas: Mapping[str, Schema]
    names: Mapping[str, str]
    readable: tuple[str, ...]
    reader: RepresentationReader
    is_closed: bool
    spelled: frozenset[str] = frozenset()
    keeps: bool = False

    @property
    def known_members(self) -> frozenset[str] | None:
        """The names of the members, None when the contract has no schema."""
        return None if self.schema is None else self.members

    def is_valid(self, members: Mapping[str, object]) -> bool:
        """Return whether members are a valid payload."""
        return self.schema is None or self.schema.is_valid(self._inside(members))

    def is_wrong_together(self, members: Mapping[str, object], key: object) -> bool:
        """Return whether the members of a whole record, with its key, break the schema by what they have."""
        whole = {**({} if key is ABSENT else {self.resource.key: key}), **members}
        return self.schema is not None and self.schema.error_of_whole(self._inside(whole)) is not None

    def _inside(self, members: Mapping[str, object]) -> dict[str, object]:
        """Return members without a key that the schema has no member for: it stands beside them."""
        beside = set() if self.resource.assigned else {self.resource.key}.difference(self.members)
        return {name: value for name, value in members.items() if name not in beside}

    def accepts(self, name: str, value: object) -> bool:
        """Return whether a value is valid for a member by itself."""
        is_beside = (name == self.resource.key and not self.resource.assigned) or not self.is_closed
        return self.schemas[name].is_valid(value) if name in self.schemas else is_beside

    def missing(self, members: Mapping[str, object]) -> list[str]:
        """Return the required members that are absent, or null where null is no value of theirs."""
        return [
            name
            for name in self.resource.required
            if members.get(name) is None and not (name in members and name in self.schemas and self.accepts(name, None))
        ]

    def is_equivalent(self, name: str, one: object, other: object) -> bool:
        """Return whether two values of a member are equal in any of their notations: a key also as its text."""
        if name in self.resource.references and is_text_or_integer(one) and is_text_or_integer(other):
            return key_text(one) == key_text(other)
        return (one == other and type(one) is str) or equivalent(self.schemas.get(name), one, other)

    def reads_as(self, name: str, written: object, read: object) -> bool:
        """Return whether a member that was written as one value may be read as another one, in any notation."""
        if name not in self.resource.normalize:
            return self.is_equivalent(name, written, read)
        forms = stored_forms(self.resource.normalize, name, written, self.accepts)
        return any(self.is_equivalent(name, form, read) for form in forms)

    def storing_note(self, name: str, written: object) -> str:
        """Return, as the end of a sentence, how a member is stored that was written as a value, "" for as it is."""
        form = stored_forms(self.resource.normalize, name, written)[0]
        return "" if form == written else f", which is stored as {short(form)}"

    def is_exact(self, members: Mapping[str, object]) -> bool:
        """Return whether members are valid, or not, whatever their values are normalised to."""
        rules = self.resource.normalize
        forms = [(name, value, stored_forms(rules, name, value)) for name, value in members.items() if name in rules]
        return not forms or all(
            self.accepts(name, one) == self.accepts(name, value) for name, value, found in forms for one in found
        )

    def pointer(self, name: str, one: object, other: object) -> str:
        """Return the JSON Pointer of what differs between two values of a member."""
        return f"{pointer_of((name,))}{difference_at(self.schemas.get(name), one, other)}"

    def as_written(self, written: Mapping[str, object], read: Mapping[str, object]) -> dict[str, object]:
        """Return the members that read as they were written, in the notation in which they were written."""
        same = self.is_equivalent
        return {name: value for name, value in written.items() if name in read and same(name, value, read[name])}

    def canonical(self, name: str, value: object) -> object:
        """Return a value of a member in the one form that all of its notations share."""
        schema = self.schemas.get(name)
        return canonical(schema, value) if name in self.spelled or isinstance(value, float | dict | list) else value

    def key(self, key: str | int) -> str | int:
        """Return a key in the type in which records show it, and in its canonical spelling."""
        number = self.reader.numeric_key(key)
        if number is not None:
            return number
        return key_text(key) if isinstance(key, str) else key


class RecordTypes(dict[str, RecordType]):
    """The record types of a contract by name."""

    def __init__(self, contract: Contract) -> None:
        super().__init__({name: _resource_type(contract, resource) for name, resource in contract.resources.items()})
        self.contract = contract
        self.routes = {one.id: one for one in contract.operations}
        self.settable = {one.id: settable_members(contract, one) for one in contract.operations if one.bulk is not None}
        self._scopes = {one.id: _scoping(contract, one) for one in contract.operations}

    def scope_of(self, sent: ParsedRequest, target: str | None = None) -> str:
        """Return the data set that a request addresses; `target` is one target of a fan-out."""
        return scope_of(self.contract, sent, target, self._scopes[sent.operation.id])

    def canonical(self, resource: str, name: str, value: object) -> object:
        """Return a value of a resource's member in the one form that all of its notations share."""
        return self[resource].canonical(name, value) if resource in self else value


def _resource_type(contract: Contract, resource: Resource) -> RecordType:
    schema = None if resource.schema is None else contract.schemas.schema(resource.schema).request
    members = schema.members() if schema is not None else {}
    own = {resource.key, resource.version, resource.tombstone} | (schema.unsent if schema is not None else frozenset())
    own |= {name for name, one in members.items() if one.raw.get("writeOnly")}
    known = shown_alike(members, representation_schema(contract, resource)) if resource.inferred else members
    return RecordType(
        resource=resource,
        schema=schema,
        members=frozenset(members),
        schemas=members,
        names={name.lower(): name for name in members} if resource.ignore_case else {},
        readable=tuple(name for name in members if name in known and name not in own),
        reader=representation_reader(resource, contract.operations),
        is_closed=schema is not None and schema.raw.get("additionalProperties") is False,
        spelled=frozenset(name for name, one in members.items() if has_spellings(one)),
        keeps=contract.keeps_deleted(resource.name),
    )


@dataclass(slots=True, kw_only=True)  # there is one for each item: a frozen one takes three times as long to make
class IntendedEffect:
    """One effect on one record. `key` is ABSENT when no record is named, `version` None when none is stated.

    `members` are the values to write, None when they cannot be read; `settable` those that it may write, None for all.
    A `partial` effect keeps others; one that `creates` makes a record with a key that no record has; one that
    `is_marked` deletes by a member.
    """

    action: str
    where: RecordSet
    record_type: RecordType
    key: object
    members: Mapping[str, object] | None
    version: Version | None = None
    partial: bool = False
    creates: bool = False
    settable: Sequence[str] | None = None
    is_marked: bool = False

    @property
    def resource(self) -> Resource:
        """The contract's declaration of the resource."""
        return self.record_type.resource


def effect_of_item(
    record_types: RecordTypes, item: BulkItem, scope: str, settable: Settable = NO_LIMITS
) -> IntendedEffect | None:
    """Return the effect of an item of a bulk request in a data set, None when it cannot be read."""
    record_type = record_types.get(item.resource or "")
    if record_type is None or item.action is None:
        return None
    members = written_members(item.payload, record_type)
    is_marked = (members or {}).get(record_type.resource.tombstone or "") is True
    if item.action == "delete":  # what is written beside may still be wrong
        members = _written_beside(record_type, members or {}) if _fit_each(record_type, members or {}) else None
    elif members is not None and has_stray_key(record_type.resource, record_type.members, members, item.target):
        members = None  # which of two keys counts is not said
    return IntendedEffect(
        action=item.action,
        where=RecordSet(scope, record_type.resource.name),
        record_type=record_type,
        key=item.target,
        members=members,
        version=read_version(item.version),
        partial=item.action == "update",
        settable=settable.get(record_type.resource.name),
        is_marked=is_marked,
    )


def effect_of_request(record_types: RecordTypes, sent: ParsedRequest) -> IntendedEffect | None:
    """Return the effect of a single-record request, None when it has none or cannot be read."""
    act = sent.operation.record
    record_type = None if act is None else record_types.get(chosen_by(sent, act.resource) or "")
    if act is None or record_type is None:
        return None
    resource, data = record_type.resource, sent.data
    payload = record_content(act, {} if data is ABSENT else find(data, act.payload), record_type.schema)
    members = {} if act.action.constant in {"read", "delete", "list"} else written_members(payload, record_type)
    key = locate(sent, act.key) if act.key is not None else ABSENT
    if key is ABSENT and members is not None:
        key = members.get(resource.key, ABSENT)
    if members is not None and key_text(members.get(resource.key, key)) != key_text(key):
        members = None  # which of two keys counts is not said
    version = read_version(locate(sent, act.version)) if act.version is not None else None
    stone, action = resource.tombstone, act.action.constant
    if stone is not None and members is not None and members.get(stone) is True and action in MARKING_ACTIONS:
        is_complete = action != "replace" or not record_type.missing(members)
        action, members = "delete", {} if is_complete and _fit_each(record_type, members) else None
    return IntendedEffect(
        action=action,
        where=RecordSet(record_types.scope_of(sent), resource.name),
        record_type=record_type,
        key=key,
        members=members,
        version=None if isinstance(version, EntityTagList) and is_if_match(act.version or "") else version,
        partial=action == "update",
        creates=action == "replace" and "201" in sent.operation.responses,
    )


def written_members(payload: object, record_type: RecordType) -> Mapping[str, object] | None:
    """Return the members that a payload writes, itself or by a list of changes; None for another form."""
    if isinstance(payload, dict):
        return _canonical(payload, record_type)
    if not isinstance(payload, list):
        return {} if payload is ABSENT else None
    steps: list[Any] = payload
    if not all(isinstance(one, dict) and isinstance(one.get("path"), str) and "value" in one for one in steps):
        return None
    if any(one.get("op", "replace") not in {"add", "replace"} for one in steps):
        return None
    names = [str(one["path"]).removeprefix("/") for one in steps]
    if any("/" in name or "->" in name for name in names):
        return None
    return _canonical(dict(zip(names, (one["value"] for one in steps), strict=True)), record_type)


def _fit_each(record_type: RecordType, members: Mapping[str, object]) -> bool:
    return all(record_type.accepts(name, value) for name, value in members.items())


def _written_beside(record_type: RecordType, members: Mapping[str, object]) -> Mapping[str, object]:
    """Return the members that a deletion writes: those beside the one that marks a record as deleted, if one does."""
    resource = record_type.resource
    own = {resource.key, resource.tombstone}
    return {} if resource.tombstone is None else {name: value for name, value in members.items() if name not in own}


def _canonical(members: dict[str, object], record_type: RecordType) -> Mapping[str, object]:
    """Return the members under the names of the schema, where case is ignored."""
    if not record_type.names:
        return members
    return {record_type.names.get(name.lower(), name): value for name, value in members.items()}


Scoping = tuple[set[str], tuple[str, ...]]


def scope_of(contract: Contract, sent: ParsedRequest, target: str | None = None, scoping: Scoping | None = None) -> str:
    """Return the data set that a request addresses; `target` is one target of a fan-out."""
    skipped, tenants = scoping or _scoping(contract, sent.operation)
    plain = "&".join(
        f"{name}={value.lower() if contract.ignore_case else value}"
        for name, value in sent.variables.items()
        if name not in skipped
    )
    if target is None:
        target = next((value for one in tenants for name, value in sent.request.query if name == one), "")
    return f"{plain}/{target}"


def _scoping(contract: Contract, operation: Operation) -> Scoping:
    """Return the path variables of an operation that name no data set, and the query parameters that name a tenant.

    The variables are those of a resource or a record, and those of a resource's `x-` members.
    """
    record, bulk = operation.record, operation.bulk
    choices = [record.resource if record is not None else None, bulk.effect.resource if bulk is not None else None]
    found = {one.source.partition(":")[2] for one in choices if one is not None and is_outside(one.source)}
    if record is not None and record.key is not None:
        found.add(record.key.partition(":")[2])
    found |= {name.removeprefix("x-") for one in contract.resources.values() for name in one.extras}
    over = [one.bulk.items.fan_out.over for one in contract.operations if one.bulk and one.bulk.items.fan_out]
    return found, tuple(name for one in over for name in target_parameters(operation, one, ""))


LookupResult = tuple[RecordSet, str, frozenset[str]]
"""A record that was looked up, and the members that it was looked up by."""


def resolve_lookups(state_model: StateModel, effects: Sequence[IntendedEffect | None]) -> list[IntendedEffect | None]:
    """Return the effects of one request with keys instead of lookups, where the record is certain."""
    found = [None if effect is None else _resolve_effect(state_model, effect) for effect in effects]
    if all(one is None or not one[1] for one in found):
        return list(effects)
    anyone = {one[0].where for one in found if one is not None and isinstance(one[0].key, Mapping)}
    meant = {(where, key) for one in found if one is not None for where, key, _ in one[1]}
    some = [one[0] for one in found if one is not None and (one[0].where, key_text(one[0].key)) in meant]
    written = Counter(name for effect in some for name in _written_members(effect))
    return [
        one[0] if one is not None and not any(_may_change(one, anyone, written)) else effect
        for effect, one in zip(effects, found, strict=True)
    ]


def _written_members(effect: IntendedEffect) -> Iterator[tuple[RecordSet, str, str]]:
    return ((effect.where, key_text(effect.key), name) for name in effect.members or ())


def _may_change(
    found: tuple[IntendedEffect, list[LookupResult]],
    anyone: Collection[RecordSet],
    written: Mapping[tuple[RecordSet, str, str], int],
) -> Iterator[bool]:
    """Yield for each lookup whether another item of the request may change what it matches."""
    own = set(_written_members(found[0]))
    for where, key, names in found[1]:
        yield where in anyone
        yield from (written[where, key, name] > ((where, key, name) in own) for name in names)


def _resolve_effect(state_model: StateModel, effect: IntendedEffect) -> tuple[IntendedEffect, list[LookupResult]]:
    """Return an effect with keys instead of lookups, and the lookup results."""
    means: list[LookupResult] = []

    def key_of(where: RecordSet, value: object, *, unique: bool = False) -> object:
        meant = _find_by_lookup(state_model, where, value, unique=unique)
        if meant is None:
            return value
        means.append((where, key_text(meant[0]), meant[1]))
        return meant[0]

    key = key_of(effect.where, effect.key, unique=True) if isinstance(effect.key, Mapping) else effect.key
    members = effect.members
    if members is not None and any(isinstance(members.get(name), Mapping) for name in effect.resource.references):
        named = effect.resource.references.items()
        referred = {name: RecordSet(effect.where.scope, record_type) for name, record_type in named}
        members = {
            name: key_of(referred[name], value) if name in referred and isinstance(value, Mapping) else value
            for name, value in members.items()
        }
    return (replace(effect, key=key, members=members) if means else effect), means


def _find_by_lookup(
    state_model: StateModel, where: RecordSet, value: object, *, unique: bool = False
) -> tuple[str | int, frozenset[str]] | None:
    resource = state_model.resources.get(where.resource)
    members = lookup_members(resource, value, unique=unique) if resource is not None else None
    if resource is None or not members:
        return None
    for names in resource.unique:
        if set(names) <= set(members):
            holders = list(state_model.holders(where, names, members))
            sure = [one for one in holders if one.present and one.is_known and _has(one, members)]
            return (sure[0].key, frozenset(members)) if len(holders) == len(sure) == 1 else None
    return None


def _has(record: RecordState, members: Mapping[str, object]) -> bool:
    """Return whether a record certainly has these members."""
    own = record.members
    return all(type(own.get(name)) is type(value) and own[name] == value for name, value in members.items())

"""Infer what is not declared from method and path: single-record operations, resources, the types of keys.

Begin with `with_inferred_records` and `with_inferred_resources`; `keys_of` reads the types of a resource's keys.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from contracts.bulk.model import Choice, RecordAct, Resource
from contracts.openapi.model import Contract, Operation, is_json
from contracts.openapi.parameters import INTEGER, types_of
from contracts.openapi.representations import find_key, key_names, page_of, shows_deleted, shows_the_same
from contracts.openapi.routing import VARIABLES, last_variable
from contracts.schemas.keywords import is_annotation
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, tokens_of

COLLECTION_ACTIONS: Final = {"GET": "list", "POST": "create"}
ITEM_ACTIONS: Final = {"GET": "read", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
BELOW_RECORD: Final = re.compile(r"(.*\{[^{}]*\})[:/][^{}/]+")
CAPITAL_LETTER: Final = re.compile(r"(?<!^)([A-Z])")


def with_inferred_records(
    operations: tuple[Operation, ...], *, reserved: Collection[str] = ()
) -> tuple[Operation, ...]:
    """Return the operations, those on a collection or an item without `x-record` with an inferred one.

    Paths below a `reserved` word have no records.
    """
    others = _job_operations(operations) | {
        one.id for one in operations if reserved and _parent_segment(one.path) in reserved
    }
    items = {one.path for one in operations if _item_variable(one.path) and one.id not in others}
    collections = {path.rpartition("/")[0] for path in items}
    names = _resource_names(operations, collections)
    acts = {
        one.id: replace(one.record, keeps=shows_deleted(one, operations))
        if one.record
        else _inferred(one, names, operations)
        for one in operations
        if not one.bulk and one.id not in others
    }
    return tuple(replace(one, record=acts.get(one.id, one.record)) for one in operations)


def _resource_names(operations: Iterable[Operation], collections: Iterable[str]) -> dict[str, str]:
    """Return the name of the resource of each collection path: its last segment.

    In a document without any `x-bulk` and `x-record` only the first collection of that name has it, others their path.
    """
    is_plain = not any(one.record or one.bulk for one in operations)
    names: dict[str, str] = {}
    for path in sorted(collections, key=lambda one: (one.count("/"), one)):
        last = path.rpartition("/")[2]
        names[path] = path if is_plain and last in names.values() else last
    return names


def _parent_segment(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _job_operations(operations: Iterable[Operation]) -> set[str]:
    """Return the ids of the operations on jobs."""
    jobs = [one.bulk.job for one in operations if one.bulk and one.bulk.job]
    return {name for job in jobs for name in (job.open, job.start, *job.operations) if name}


INFERRED_MEMBERS: Final = ("schema", "key", "required")  # of an entry of `x-resources` that does not say them


def with_inferred_resources(
    declared: Mapping[str, Resource], operations: Iterable[Operation], said: Mapping[str, Collection[str]]
) -> dict[str, Resource]:
    """Return the declared resources, and one for each name that only single-record operations have.

    `said` are the members of each entry of `x-resources`; what an entry does not say is inferred.
    """
    acting: dict[str, list[Operation]] = {}
    for one in operations:
        if one.record and one.record.resource.constant:
            acting.setdefault(one.record.resource.constant, []).append(one)
    versions = _versions(operations)
    named = named_resources(operations, acting)
    inferred = {
        name: replace(_resource(name, acts, versions), inferred=name not in named) for name, acts in acting.items()
    }
    whole = {**inferred, **{name: _completed(one, inferred.get(name), said[name]) for name, one in declared.items()}}
    return {name: _with_likely(whole[name], acting.get(name, ())) for name in {**declared, **inferred}}


def _completed(declared: Resource, inferred: Resource | None, said: Collection[str]) -> Resource:
    """Return a declared resource with what its entry does not say."""
    if inferred is None:
        return declared
    more: dict[str, Any] = {name: getattr(inferred, name) for name in INFERRED_MEMBERS if name not in said}
    return replace(declared, **more)


def _with_likely(resource: Resource, acts: Sequence[Operation]) -> Resource:
    """Return a resource with the members that may be unique: texts that a create needs, if 409 has no other reason."""
    payload = _payload(next((one for one in acts if _creates(one)), None))
    conflicts = any(_creates(one) and "409" in one.responses for one in acts)
    if not conflicts or payload is None or not resource.assigned or resource.unique or resource.version is not None:
        return resource
    texts = [name for name, one in payload.members().items() if types_of(one) == {"string"} and "enum" not in one.raw]
    own = [name for name in texts if name not in resource.references]
    needed = {*resource.required, *as_list(payload.request.raw.get("required"))}
    return replace(resource, likely=tuple(name for name in own if name in needed) or tuple(own))


def _creates(operation: Operation) -> bool:
    return operation.record is not None and operation.record.action.constant == "create"


def named_resources(operations: Iterable[Operation], known: Collection[str]) -> set[str]:
    """Return the resources that an `x-record` or an `x-bulk` names, or may name."""
    by_id = {one.id: one for one in operations}
    choices = [one.record.resource for one in by_id.values() if one.record and not one.record.inferred]
    named: set[str] = set()
    for one in by_id.values():
        if one.bulk is None:
            continue
        likes = [by_id[name].record for name in one.bulk.effect.like if name in by_id]
        choices += [act.resource for act in likes if act is not None]
        if one.bulk.effect.http:
            named.update(known)  # its items may be for any of the operations
        elif one.bulk.effect.resource is not None:
            choices.append(one.bulk.effect.resource)
        else:
            named.update(known if len(known) == 1 else set(known) & set(one.path.split("/")))
    for choice in choices:
        named.update({choice.constant} if choice.constant else choice.words.values() or known)
    return named


def _item_variable(path: str) -> str | None:
    """Return the variable of an item path: `/pets/{id}` gives `id`; None for other paths."""
    above, _, last = path.rpartition("/")
    is_item = last.startswith("{") and last.endswith("}") and last.count("{") == 1
    parent = above.rpartition("/")[2]
    return last[1:-1] if is_item and parent and "{" not in parent else None


def _inferred(operation: Operation, names: Mapping[str, str], operations: Iterable[Operation]) -> RecordAct | None:
    variable = _item_variable(operation.path)
    if variable and operation.method in ITEM_ACTIONS:
        name = names[operation.path.rpartition("/")[0]]
        act = _act(ITEM_ACTIONS[operation.method], name, key=f"path:{variable}")
        return replace(act, keeps=shows_deleted(operation, operations))
    if operation.path in names and operation.method in COLLECTION_ACTIONS:
        act = _act(COLLECTION_ACTIONS[operation.method], names[operation.path])
        return replace(act, page=page_of(operation))
    return None


def _act(action: str, name: str, key: str | None = None) -> RecordAct:
    return RecordAct(action=Choice(constant=action), resource=Choice(constant=name), key=key, inferred=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordAction:
    """An operation one word below a record, such as `/orders/{id}/close`, and the `reading` of that record.

    `act` is a reading by the path of the operation, which `shows` the record or something else.
    """

    reading: Operation
    act: RecordAct
    shows: bool


def record_actions(contract: Contract) -> dict[str, RecordAction]:
    """Return the operations on records of which nothing says what they do, by operationId."""
    acts = [(one, one.record) for one in contract.operations if one.record and one.method == "GET"]
    reads = {VARIABLES.sub("{}", one.path): (one, act) for one, act in acts if act.action.constant == "read"}
    found: dict[str, RecordAction] = {}
    for one in contract.operations:
        below = None if one.record or one.bulk or one.reads else BELOW_RECORD.fullmatch(one.path)
        reading, act = reads.get(VARIABLES.sub("{}", below[1]), (None, None)) if below else (None, None)
        if reading is not None and act is not None and act.key == f"path:{last_variable(reading.path)}":
            own = replace(act, key=f"path:{last_variable(one.path)}")
            found[one.id] = RecordAction(reading=reading, act=own, shows=shows_the_same(one, reading))
    return found


def _versions(operations: Iterable[Operation]) -> dict[str, str]:
    """Return the version members of bulk operations, by the operationIds in `effect.like`."""
    return {
        like: tokens_of(one.bulk.effect.version)[-1]
        for one in operations
        if one.bulk and one.bulk.effect.version and one.bulk.effect.version.startswith("/")
        for like in one.bulk.effect.like
    }


def _resource(name: str, acts: list[Operation], versions: Mapping[str, str]) -> Resource:
    payload = next((schema for schema in map(_payload, _writers(acts)) if schema), None)
    members = payload.members() if payload else {}
    variables = [one.record.key.removeprefix("path:") for one in acts if one.record and one.record.key]
    key = next((one for one in variables if one in members), None) or _shown_key(name, acts, variables)
    required = payload.request.raw.get("required", ()) if payload else ()
    creates = any(one.record and one.record.action.constant == "create" for one in acts)
    return Resource(
        name=name,
        schema=payload.ref if payload else None,
        key=key,
        assigned=creates and isinstance(required, list | tuple) and key not in required,
        version=next((versions[one.id] for one in acts if one.id in versions), None),
        required=tuple(one for one in required if one != key) if isinstance(required, list | tuple) else (),
    )


def _shown_key(name: str, acts: Iterable[Operation], variables: Sequence[str]) -> str:
    """Return the member that is the key of the records that are shown, `id` where that is not clear."""
    names = tuple(key_names(next(iter(variables), None), name))
    acting = [(one, one.record) for one in acts if one.record and one.record.action.constant in REPRESENTING_ACTIONS]
    content = [(one.response(status), act.reply) for one, act in acting for status in (200, 201)]
    media = [(shown.media("application/json"), at) for shown, at in content if shown is not None]
    bodies = (one.schema.response.at(at) for one, at in media if one is not None and one.schema is not None)
    return next((key for one in bodies if one is not None and (key := find_key(one, names))), "id")


def _writers(acts: list[Operation]) -> list[Operation]:
    order = ("create", "replace")
    writing = [one for one in acts if one.record and one.record.action.constant in order]
    return sorted(writing, key=lambda one: order.index(one.record.action.constant if one.record else ""))


def _payload(operation: Operation | None) -> Schema | None:
    if operation is None:
        return None
    media = operation.body.media("application/json") if operation.body else None
    media = media or next(iter(operation.body.content), None) if operation.body else None
    if media is None or media.schema is None:
        return None
    pointer = operation.record.payload if operation.record else ""
    return media.schema.at(pointer) if pointer.startswith("/") else media.schema


def fallback_resource(contract: Contract, operation: Operation) -> str | None:
    """Return the resource of an `x-bulk` without one: that of its `like` operation, else that of the path."""
    likes = map(contract.operation, operation.bulk.effect.like if operation.bulk is not None else ())
    named = [one.record.resource.constant for one in likes if one is not None and one.record is not None]
    segments = operation.path.split("/")
    choices = [*named, *(name for name in contract.resources if name in segments)]
    choices += contract.resources if len(contract.resources) == 1 else ()
    return next((name for name in choices if name in contract.resources), None)


NUMERIC_TYPES = frozenset(("integer", "number"))
ANY_TYPE = frozenset(("*/*", "application/*"))
REPRESENTING_ACTIONS = ("create", "replace", "upsert", "update", "read")  # their responses contain the record


@dataclass(frozen=True)
class KeyType:
    """The type of a resource's keys, read from their schema; None when the contract has none."""

    schema: Schema | None = None

    @cached_property
    def is_number(self) -> bool:
        """Return whether keys are numbers and never strings."""
        types = types_of(self.schema)
        return bool(types & NUMERIC_TYPES) and "string" not in types

    @cached_property
    def is_text(self) -> bool:
        """Return whether keys are strings and never numbers."""
        types = types_of(self.schema)
        return "string" in types and not types & NUMERIC_TYPES

    def typed(self, value: object) -> object:
        """Return a key in the schema's type: `"5"` as 5 where keys are numbers, 5 as `"5"` where they are strings."""
        if self.is_number and isinstance(value, str) and INTEGER.fullmatch(value):
            return int(value)
        if self.is_number and isinstance(value, float) and value.is_integer():
            return int(value)
        return str(value) if self.is_text and type(value) is int else value

    def spellings(self, key: str | int) -> tuple[str | int, ...]:
        """Return the values that equal a key in members of another type: 5 and `"5"` where keys have only one type."""
        if isinstance(key, int):
            return (key, str(key)) if self.is_number else (key,)
        return (key, int(key)) if self.is_text and INTEGER.fullmatch(key) else (key,)

    def fits(self, value: object) -> bool:
        """Say whether a value can be a key."""
        return self.schema is None or self.schema.is_valid(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceKeys:
    """The keys of a resource: their type, and that of the keys in each member that refers to a resource.

    `are_given`: a single-record request may create a record under the key in its path.
    """

    kind: KeyType
    referred: Mapping[str, KeyType]
    are_given: bool


def keys_of(contract: Contract, resource: Resource) -> ResourceKeys:
    """Return the types of the keys of a resource."""
    referred = {member: key_type(contract, contract.resources[name]) for member, name in resource.references.items()}
    given = any(_creates_by_key(one) for one in contract.acting_on(resource.name))
    return ResourceKeys(kind=key_type(contract, resource), referred=referred, are_given=given)


def _creates_by_key(operation: Operation) -> bool:
    """Say whether a request to a missing record creates it."""
    act = operation.record
    if act is None or act.key is None:
        return False
    return act.action.constant == "upsert" or (act.action.constant == "replace" and "201" in operation.responses)


def key_type(contract: Contract, resource: Resource) -> KeyType:
    """Return the type of a resource's keys: from its payload, else from responses, else from a path parameter."""
    return KeyType(next((one for one in _key_schemas(contract, resource) if types_of(one)), None))


def _key_schemas(contract: Contract, resource: Resource) -> Iterator[Schema]:
    payload = contract.schemas.schema(resource.schema) if resource.schema is not None else None
    own = payload.member(resource.key) if payload is not None and not resource.payload else None
    if own is not None:
        yield own
    acts = contract.acting_on(resource.name)
    for one in acts:
        yield from _response_key_schemas(one, resource.key)
    for one in acts:
        yield from _parameter_key_schemas(one)


def _response_key_schemas(operation: Operation, key: str) -> Iterator[Schema]:
    """Yield the schemas of the key in the responses of an operation that returns one record."""
    if operation.record is None or operation.record.action.constant not in REPRESENTING_ACTIONS:
        return
    for status in ("200", "201"):
        response = operation.responses.get(status)
        for media in response.content if response is not None else ():
            member = media.schema.member(key) if media.schema is not None else None
            if member is not None:
                yield member


def _parameter_key_schemas(operation: Operation) -> Iterator[Schema]:
    """Yield the schema of the parameter that identifies the record."""
    where, _, name = (operation.record.key or "" if operation.record else "").partition(":")
    for one in operation.parameters:
        if (one.where, one.name) == (where, name) and one.schema is not None:
            yield one.schema


def told_key_schemas(contract: Contract, resource: Resource) -> tuple[Schema, ...]:
    """Return the schemas of keys that no payload has: of parameters that name new records, else of keys as shown.

    Parameters count where they say more than a type, responses where the server makes the keys.
    """
    if resource.assigned:
        shown = key_type(contract, resource).schema
        return () if shown is None else (shown,)
    acts = contract.acting_on(resource.name)
    making = [one for one in acts if one.record is not None and one.record.action.constant == "create"]
    found = [schema for one in making for schema in _parameter_key_schemas(one)]
    return tuple(schema for schema in found if any(not is_annotation(word) for word in schema.raw.keys() - {"type"}))


def settable_members(contract: Contract, operation: Operation) -> dict[str, tuple[str, ...]]:
    """Return the members that a bulk operation may set, by resource, from the resource's `x-OPERATION` lists.

    A resource without such a list is not in the result: all of its members may be set.
    """
    name = "x-" + CAPITAL_LETTER.sub(r"-\1", operation.id).lower()
    lists = {resource.name: resource.extras.get(name) for resource in contract.resources.values()}
    return {one: tuple(map(str, members)) for one, members in lists.items() if isinstance(members, list)}


def representation_schema(contract: Contract, resource: Resource) -> Schema | None:
    """Return the schema of a record in the response that shows one, None when no response has a schema."""
    for action in REPRESENTING_ACTIONS[::-1]:
        for one in contract.acting_on(resource.name):
            act = one.record
            if act is None or act.action.constant != action:
                continue
            responses = (one.responses.get(status) for status in ("200", "201"))
            content = [media for two in responses if two is not None for media in two.content]
            schema = next(
                (media.schema for media in content if is_json(media.media_range) or media.media_range in ANY_TYPE), None
            )
            if schema is not None:
                return schema.at(act.reply)
    return None

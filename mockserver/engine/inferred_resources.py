"""Infer how the operations of a resource show its records, from their response schemas: `inferred_resource`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final
from weakref import WeakKeyDictionary

from contracts.bulk.model import RecordAct
from contracts.messages import Headers
from contracts.openapi.inference import KeyType
from contracts.openapi.model import Contract, DeclaredResponse, MediaType, Operation, is_json
from contracts.openapi.representations import Shown, find_key, key_names, records_inside, shown_list, shown_record
from contracts.openapi.routing import last_segment_variable
from contracts.schemas.schema_set import Schema
from mockserver.api.model import Api
from mockserver.engine.document_responses import STATUSES_WITHOUT_CONTENT, concrete_media_type, success_status


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordReply:
    """How an operation on an inferred resource answers: the status, and where its body shows records if it does."""

    status: int
    media: MediaType | None = None
    shown: Shown | None = None

    @property
    def body(self) -> Schema | None:
        """Return the schema of the body."""
        return None if self.media is None or self.media.schema is None else self.media.schema.response


@dataclass(frozen=True, slots=True, kw_only=True)
class InferredResource:
    """An inferred resource: its key member, the type of keys, and the replies of its operations, by operationId."""

    name: str
    key: str
    kind: KeyType
    replies: Mapping[str, RecordReply]

    def records(self) -> Iterator[Schema]:
        """Yield the schemas of a record in all replies."""
        yield from (one.shown.record for one in self.replies.values() if one.shown is not None)


_KNOWN: "WeakKeyDictionary[Api, dict[str, InferredResource | None]]" = WeakKeyDictionary()


def inferred_resource(api: Api, name: str) -> InferredResource | None:
    """Return what is inferred of a resource, None where its operations show no records; computed on first use."""
    known = _KNOWN.setdefault(api, {})
    if name not in known:
        known[name] = _infer(api.contract, name)
    return known[name]


def _infer(contract: Contract, name: str) -> InferredResource | None:
    acts = [(one, one.record) for one in contract.operations if one.record and one.record.resource.constant == name]
    acts.sort(key=lambda pair: PRIORITY.index(pair[1].action.constant))
    variables = [last_segment_variable(one.path) for one, act in acts if act.key is not None]
    last = name.rpartition("/")[2]
    names = list(key_names(next(iter(variables), None), last))
    bodies = [(one, act, _reply(one, act)) for one, act in acts]
    records = [one for *_, reply in bodies if reply.body is not None for one in records_inside(reply.body, last)]
    key = next((found for one in records if (found := find_key(one, names)) is not None), None)
    if key is None:
        key = None if any(one.members() for one in records) else "id"
    if key is None:
        return None
    replies = {one.id: with_place(reply, act, key, last) for one, act, reply in bodies}
    if any(act.action.constant == "read" and replies[one.id].shown is None for one, act in acts):
        return None
    schemas = (one.shown.record.member(key) for one in replies.values() if one.shown is not None)
    return InferredResource(name=name, key=key, kind=KeyType(next(filter(None, schemas), None)), replies=replies)


HEADER_EXPRESSION: Final = "$response.header."


def keeps_state(api: Api, operation: Operation) -> bool:
    """Tell whether an operation with an inferred record is served with state, and not by the document alone.

    A list has to show its records, a creation its record or where it is. The others can keep what they do not show.
    """
    assert operation.record is not None  # noqa: S101 - the caller has looked
    found, action = inferred_resource(api, operation.record.resource.constant), operation.record.action.constant
    if found is None or action not in {"create", "list"} or found.replies[operation.id].shown is not None:
        return found is not None
    return action == "create" and bool(address_fields(api, operation, found.replies[operation.id].status))


def address_fields(api: Api, operation: Operation, status: int) -> list[str]:
    """Return the names of the header fields of a response that tell where a new record is.

    They are Location and others that tell the address, and those whose value is the key: by `x-tells`, or in a declared
    link to its reading.
    """
    declared, act = operation.response(status), operation.record
    if declared is None or act is None:
        return []
    names = [one.name for one in declared.headers if one.tells or one.name.lower() == "location"]
    for link in declared.links:
        target = api.contract.linked(link)
        if target is not None and target.record is not None and target.record.resource == act.resource:
            variable = last_segment_variable(target.path)
            told = str(link.parameters.get(variable or "", link.parameters.get(f"path.{variable}")))
            names += [told.removeprefix(HEADER_EXPRESSION)] if told.startswith(HEADER_EXPRESSION) else []
    return names


def address_headers(api: Api, operation: Operation, status: int, url: str, key: object) -> Headers:
    """Return the header fields that tell where a new record is: its URL, or its key."""
    declared = operation.response(status)
    told = {one.name.lower(): one.tells for one in (() if declared is None else declared.headers)}
    names = address_fields(api, operation, status)
    is_url = {name: name.lower() == "location" or told.get(name.lower()) == "address" for name in names}
    return Headers((name, url if is_url[name] else str(key)) for name in dict.fromkeys(names))


PRIORITY: Final = ("read", "create", "replace", "update", "list", "delete")


def _reply(operation: Operation, act: RecordAct) -> RecordReply:
    """Return the reply of success of an operation, with its JSON media type."""
    status = 201 if act.action.constant == "create" and "201" in operation.responses else success_status(operation)
    declared = operation.response(status)
    return RecordReply(status=status, media=None if status in STATUSES_WITHOUT_CONTENT else json_media(declared))


def json_media(declared: DeclaredResponse | None) -> MediaType | None:
    """Return the first JSON media type of a response, None when it has none."""
    content = () if declared is None else declared.content
    return next((one for one in content if is_json(concrete_media_type(one))), None)


def with_place(reply: RecordReply, act: RecordAct, key: str, resource: str) -> RecordReply:
    """Return a reply with the place where its body shows records, if it does."""
    if reply.body is None or act.action.constant == "delete":
        return reply
    find = shown_list if act.action.constant == "list" else shown_record
    return replace(reply, shown=find(reply.body, key, resource))

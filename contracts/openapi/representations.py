"""Find where a body has a record, or a list of records, and which member is its key: `shown_record`, `shown_list`.

`with_inferred_places` does so for the inferred operations on resources that `x-bulk` or `x-record` names; `page_of`
finds how a list is paged.

Responses differ: a record alone, `{"data": {...}}`, `{"pet": {...}}`; a list alone, `{"items": [...], "total": 3}`,
`{"data": {"pets": [...]}}`. What is found is a guess by names and types, made only where it is clear.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts.bulk.lists import Pagination
from contracts.bulk.model import Location, RecordAct, Resource
from contracts.openapi.model import MediaType, Operation, Parameter, is_json
from contracts.openapi.parameters import types_of
from contracts.schemas.keywords import is_annotation
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import escape

RECORD_ENVELOPES: Final = (
    "data",
    "result",
    "item",
    "record",
    "entity",
    "object",
    "response",
    "payload",
    "body",
    "resource",
)
LIST_ENVELOPES: Final = (
    *("data", "items", "results", "records", "value", "values", "entries", "list", "objects", "content", "rows"),
    *("elements", "result", "resources", "entities", "nodes", "hits", "docs", "documents", "edges"),
)
OUTER_ENVELOPES: Final = ("data", "result", "response", "_embedded", "embedded", "payload", "body")
USUAL_KEYS: Final = ("id", "_id", "uuid", "guid", "key")
COUNTS: Final = frozenset(
    ("total", "totalcount", "count", "totalitems", "totalresults", "totalrecords", "totalelements")
)
ROLES: Final[Mapping[str, frozenset[str]]] = {
    "skip": frozenset(("offset", "skip")),
    "take": frozenset(("limit", "maxresults", "pagelimit", "pagesize", "perpage", "take", "top")),
    "page": frozenset(("page", "pageno", "pagenum", "pagenumber")),
    "cursor": frozenset(
        ("continuation", "continuationtoken", "cursor", "marker", "nexttoken", "pagecursor", "pagetoken", "startcursor")
    ),
    "after": frozenset(("after", "pageafter", "startingafter")),  # the key of a record
}  # of query parameters, by their folded names
SIZE_BESIDE_PAGE: Final = frozenset(("count", "size"))  # the page size where a page number is asked for too
ENVELOPES: Final = frozenset(
    ("cursors", "links", "meta", "metadata", "next", "page", "pageinfo", "pagination", "paging", "responsemetadata")
)  # objects that have members about the page
TOTAL_HEADERS: Final = ("x-total-count", "x-total", "total-count")
SELECTING: Final = frozenset(
    ("q", "query", "search", "filter", "where", "sort", "sortby", "order", "orderby", "fields", "select", "expand")
)  # query parameters that do not page, by their folded names
MORE_FLAGS: Final = frozenset(("hasmore", "more", "hasnext", "hasnextpage", "incomplete"))
PLURALS: Final = (("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("s", ""))
SCALARS: Final = frozenset(("string", "integer", "number"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Where a body has a record or a list of records (`at`, a JSON Pointer), and the schema of a record."""

    at: str
    record: Schema


def fold(name: str) -> str:
    """Return a name in lower case without separators: `petId` and `pet_id` are `petid`."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


def singular(name: str) -> str:
    """Return the singular of a folded English plural, as far as endings tell."""
    return next(
        (name[: -len(end)] + stem for end, stem in PLURALS if name.endswith(end) and len(name) > len(end)), name
    )


def key_names(variable: str | None, resource: str) -> Iterator[str]:
    """Yield the folded names that the key of a record may have, the likeliest first.

    `variable` is the path variable that names a record of the resource.
    """
    one = singular(fold(resource))
    if variable is not None:
        folded = fold(variable)
        yield folded
        if folded.startswith(one):
            yield folded[len(one) :]
    yield from (fold(name) for name in USUAL_KEYS)
    yield from (f"{one}{name}" for name in ("id", "uuid", "key", "name"))
    if variable is not None:
        yield from (name for name in ("id", "name", "key", "code", "slug", "number") if fold(variable).endswith(name))


def find_key(record: Schema, names: Iterable[str]) -> str | None:
    """Return the member that is the key of a record with this schema, None when it has none."""
    members = {fold(name): name for name in reversed(record.members())}
    found = (members[name] for name in names if name in members)
    return next((name for name in found if _can_be_key(record.member(name))), None)


def _can_be_key(schema: Schema | None) -> bool:
    types = types_of(schema)
    return not types or bool(types & SCALARS)


def _is_object(schema: Schema | None) -> bool:
    if schema is None:
        return False
    types = types_of(schema)
    return "object" in types or (not types and bool(schema.members()))


def _named(members: Iterable[str], envelopes: Sequence[str], resource: str) -> list[str]:
    """Return the members that name an envelope or the resource, the likeliest first."""
    wanted = [fold(resource), singular(fold(resource)), *envelopes]
    known = {fold(name): name for name in members}
    return [known[name] for name in dict.fromkeys(map(fold, wanted)) if name in known]


def shown_record(body: Schema, key: str, resource: str) -> Shown | None:
    """Return where a body has one record with the member `key`, None when that is not clear."""
    members = body.members()
    if not members:
        return Shown(at="", record=body) if types_of(body) <= {"object", "null"} else None
    if "array" in types_of(body):
        return None
    if key in members:
        return Shown(at="", record=body)
    names = _named(members, RECORD_ENVELOPES, resource) or (list(members) if len(members) == 1 else [])
    for name in names:
        inner = members[name]
        if _is_object(inner) and key in inner.members():
            return Shown(at=f"/{escape(name)}", record=inner)
    return None


def shown_list(body: Schema, key: str, resource: str, *, depth: int = 1) -> Shown | None:
    """Return where a body has a list of records with the member `key`, None when that is not clear."""
    if "array" in types_of(body):
        items = body.items()
        return Shown(at="", record=items) if items is not None and _fits_in_list(items, key) else None
    members = body.members()
    lists = {name: one for name, one in members.items() if "array" in types_of(one) and "object" not in types_of(one)}
    names = _named(lists, LIST_ENVELOPES, resource) or (list(lists) if len(lists) == 1 else [])
    for name in names:
        items = lists[name].items()
        if items is not None and _fits_in_list(items, key):
            return Shown(at=f"/{escape(name)}", record=items)
    for name in _named(members, OUTER_ENVELOPES, resource) if depth else ():
        if _is_object(members[name]):
            inner = shown_list(members[name], key, resource, depth=depth - 1)
            if inner is not None:
                return Shown(at=f"/{escape(name)}{inner.at}", record=inner.record)
    return None


def _fits_in_list(items: Schema, key: str) -> bool:
    members = items.members()
    return key in members or (not members and types_of(items) <= {"object"})


def records_inside(body: Schema, resource: str, *, depth: int = 1) -> Iterator[Schema]:
    """Yield the schemas in a body that may be those of a record: the body, its envelopes' content, lists' elements."""
    if "array" in types_of(body):
        items = body.items()
        if items is not None:
            yield items
        return
    yield body
    members = body.members()
    for name in _named(members, (*RECORD_ENVELOPES, *LIST_ENVELOPES, *OUTER_ENVELOPES), resource) or list(members)[:1]:
        inner = members[name]
        if _is_object(inner):
            yield from records_inside(inner, resource, depth=depth - 1) if depth else (inner,)
        elif "array" in types_of(inner) and (items := inner.items()) is not None:
            yield items


def with_inferred_places(
    operations: tuple[Operation, ...], declared: Mapping[str, Resource], named: Collection[str]
) -> tuple[Operation, ...]:
    """Return the operations, those inferred on a named resource with the envelopes of their requests and responses."""
    return tuple(
        replace(one, record=_placed(one, one.record, declared.get(one.record.resource.constant)))
        if one.record and one.record.inferred and one.record.resource.constant in named
        else one
        for one in operations
    )


def _placed(operation: Operation, act: RecordAct, declared: Resource | None) -> RecordAct:
    """Return what a single-record operation does, with where its request and its response have the record."""
    name = act.resource.constant
    body = _json_schema(operation.body.content) if operation.body is not None else None
    payload = "" if body is None else _envelope(body.request, name)
    statuses = sorted(status for status in operation.responses if status.startswith("2"))
    shown = _json_schema(operation.responses[statuses[0]].content) if statuses else None
    if shown is None or act.action.constant == "delete":
        return replace(act, payload=payload)
    variable = act.key.removeprefix("path:") if act.key is not None else None
    names = (fold(declared.key),) if declared is not None else tuple(key_names(variable, name))
    keys = (find_key(one, names) for one in records_inside(shown.response, name))
    key = next((one for one in keys if one is not None), None)
    find = shown_list if act.action.constant == "list" else shown_record
    place = None if key is None else find(shown.response, key, name)
    return replace(act, payload=payload, reply="" if place is None else place.at)


def _json_schema(content: Iterable[MediaType]) -> Schema | None:
    return next((one.schema for one in content if is_json(one.media_range)), None)


def _envelope(body: Schema, resource: str) -> str:
    """Return where a request has the members of a record: in its only member, if that names an envelope or it."""
    members = body.members()
    names = _named(members, RECORD_ENVELOPES, resource) if len(members) == 1 else []
    return next((f"/{escape(name)}" for name in names if _is_object(members[name])), "")


def page_roles(parameters: Iterable[Parameter]) -> dict[str, Parameter]:
    """Return the parameters that ask for a part of a list, by their role."""
    scalars = {fold(one.name): one for one in parameters if not types_of(one.schema) & {"array", "object"}}
    roles = {role: scalars[name] for role, names in ROLES.items() for name in scalars if name in names}
    if "page" in roles and "take" not in roles:
        size = next((scalars[name] for name in scalars if name in SIZE_BESIDE_PAGE), None)
        roles |= {"take": size} if size is not None else {}
    return roles


def page_of(operation: Operation) -> Pagination:
    """Return where an operation reads which page is wanted, and where its response has the total, by usual names.

    A page number is known only where its schema says that pages begin at 1.
    """
    query = [one for one in operation.parameters if one.where == "query"]
    roles = page_roles(query)
    at = {role: f"query:{one.name}" for role, one in roles.items()}
    number = at.get("page") if "skip" not in at and _begins_at_one(roles.get("page")) else None
    default = _raw(roles.get("take")).get("default")
    is_known = "skip" in at or number is not None
    return Pagination(
        skip=at.get("skip"),
        take=at.get("take"),
        number=number,
        default=default if type(default) is int else None,
        total=_total(operation),
        otherwise=not is_known and (bool(roles.keys() - {"take"}) or _may_be_paged(operation, query)),
    )


def _raw(parameter: Parameter | None) -> Mapping[str, object]:
    return parameter.schema.raw if parameter is not None and parameter.schema is not None else {}


def _begins_at_one(page: Parameter | None) -> bool:
    limits = [_raw(page).get(name) for name in ("minimum", "default")]
    return 1 in limits and 0 not in limits


def _list_body(operation: Operation) -> Schema | None:
    answered = operation.response(200)
    shown = _json_schema(answered.content) if answered is not None else None
    return None if shown is None else shown.response


def _beside_list(body: Schema | None) -> Iterator[tuple[Location, Schema]]:
    """Yield what a body says of the page: its members, and those of its envelopes."""
    for name, one in body.members().items() if body is not None else ():
        yield f"/{escape(name)}", one
        if fold(name) in ENVELOPES:
            yield from ((f"/{escape(name)}/{escape(inner)}", member) for inner, member in one.members().items())


def _total(operation: Operation) -> Location | None:
    """Return where a response has the number of all records; a mere `count` may be that of one page."""
    answered = operation.response(200)
    headers = [one.name for one in answered.headers] if answered else []
    told = [f"header:{one}" for one in headers if one.lower() in TOTAL_HEADERS]
    for at, one in _beside_list(_list_body(operation)):
        if fold(at.rpartition("/")[2]) in COUNTS - {"count"} and "integer" in types_of(one):
            told.append(at)
    return next(iter(told), None)


def _may_be_paged(operation: Operation, query: Iterable[Parameter]) -> bool:
    """Return whether a list may be paged by other parameters, or by what its response says of the next page."""
    body, answered = _list_body(operation), operation.response(200)
    words = [fold(at.rpartition("/")[2]) for at, _ in _beside_list(body)]
    if any(one in MORE_FLAGS or one.startswith("next") for one in words):
        return True
    if any(one.name.lower() == "link" for one in (answered.headers if answered else ())):
        return True
    members = {fold(name) for one in (records_inside(body, "") if body else ()) for name in one.members()}
    return any(_may_page(one) for one in query if fold(one.name) not in members)


def _may_page(parameter: Parameter) -> bool:
    """Return whether a parameter may ask for a part of a list: no usual name and no schema says that it selects."""
    name, role = fold(parameter.name), ROLES["take"]
    selects = "enum" in _raw(parameter) or "boolean" in types_of(parameter.schema)
    return not selects and name not in SELECTING and name not in role


def is_cursor(name: str) -> bool:
    """Return whether a member of a response with this name leads to another page."""
    return fold(name).startswith("next") or fold(name) in ROLES["cursor"]


def shows_deleted(operation: Operation, operations: Iterable[Operation]) -> bool:
    """Return whether a DELETE is declared to answer what a read does: it may leave the record, in another state."""
    reads = [one for one in operations if one.method == "GET" and one.path == operation.path]
    return operation.method == "DELETE" and any(shows_the_same(operation, one) for one in reads)


def shows_the_same(operation: Operation, other: Operation) -> bool:
    """Return whether two operations are declared to answer their successes with one schema."""
    shown = _success_schema(operation)
    return bool(shown) and shown == _success_schema(other)


def _success_schema(operation: Operation) -> Mapping[str, object]:
    """Return the schema of what an operation answers with its first status of success, none where it has none."""
    statuses = sorted(status for status in operation.responses if status.startswith("2"))
    shown = _json_schema(operation.responses[statuses[0]].content) if statuses else None
    return {} if shown is None else shown.raw


def shown_alike(members: Mapping[str, Schema], representation: Schema | None) -> Collection[str]:
    """Return those of the members in requests that a response with a record has in the same form.

    They are all of them where the response declares no members.
    """
    shown = representation.response.members() if representation is not None else {}
    alike = [name for name, one in members.items() if name in shown and _form(one) == _form(shown[name])]
    return alike if shown else members


def _form(schema: Schema) -> Mapping[str, object]:
    return {word: value for word, value in schema.raw.items() if not is_annotation(word)}


def is_closed_to(schema: Schema, name: str) -> bool:
    """Say whether an object has no member of a name, nor others than those that it declares."""
    return schema.raw.get("additionalProperties") is False and name not in schema.members()


def takes_key(operation: Operation | None, resource: Resource) -> bool:
    """Say whether a creation can be told the key of its record; one that has no place for it has keys of the server."""
    act = None if operation is None else operation.record
    if operation is None or act is None or act.action.constant != "create" or act.key or operation.body is None:
        return True
    bodies = (media.schema.at(act.payload) for media in operation.body.content if media.schema is not None)
    return not any(body is not None and is_closed_to(body, resource.key) for body in bodies)

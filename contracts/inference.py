"""What method and path say where nothing is declared: single-record operations, and the resources they speak of."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import Final

from contracts.bulk import Choice, Page, RecordAct, Resource
from contracts.model import Contract, Operation
from contracts.pointers import tokens_of
from contracts.schemas import Schema

COLLECTION: Final = {"GET": "list", "POST": "create"}
ITEM: Final = {"GET": "read", "PUT": "replace", "PATCH": "update", "DELETE": "delete"}
SKIP: Final = ("skip", "offset", "$skip")
TAKE: Final = ("take", "limit", "$top", "top", "page_size", "pageSize")
TOTAL: Final = ("x-total-count", "x-total", "total-count")


def with_records(operations: tuple[Operation, ...], *, reserved: Collection[str] = ()) -> tuple[Operation, ...]:
    """Return the operations, each plain collection or item operation without `x-record` with what its path says.

    Below a `reserved` word there are no records.
    """
    others = _of_jobs(operations) | {one.id for one in operations if reserved and _above(one.path) in reserved}
    items = {one.path for one in operations if _variable(one.path) and one.id not in others}
    collections = {path.rpartition("/")[0] for path in items}
    return tuple(
        one if one.record or one.bulk or one.id in others else replace(one, record=_inferred(one, collections))
        for one in operations
    )


def _above(path: str) -> str:
    return path.rpartition("/")[0].rpartition("/")[2]


def _of_jobs(operations: Iterable[Operation]) -> set[str]:
    """Return the operations that speak of jobs, not of records."""
    jobs = [one.bulk.job for one in operations if one.bulk and one.bulk.job]
    named = {name for job in jobs for name in (job.poll, job.start, job.cancel, *job.results)}
    return {name for name in named if name}


def with_inferred(declared: Mapping[str, Resource], operations: Iterable[Operation]) -> dict[str, Resource]:
    """Return the declared resources, and one for each name that only a single-record operation speaks of."""
    acting: dict[str, list[Operation]] = {}
    for one in operations:
        if one.record and one.record.resource.constant:
            acting.setdefault(one.record.resource.constant, []).append(one)
    versions = _versions(operations)
    made = {name: _resource(name, acts, versions) for name, acts in acting.items() if name not in declared}
    return {**declared, **made}


def _variable(path: str) -> str | None:
    """Return the variable of an item path: `/pets/{id}` gives `id`, and what ends in no lone variable gives None."""
    above, _, last = path.rpartition("/")
    is_item = last.startswith("{") and last.endswith("}") and last.count("{") == 1
    parent = above.rpartition("/")[2]
    return last[1:-1] if is_item and parent and "{" not in parent else None


def _inferred(operation: Operation, collections: set[str]) -> RecordAct | None:
    variable = _variable(operation.path)
    if variable and operation.method in ITEM:
        return _act(ITEM[operation.method], _above(operation.path), key=f"path:{variable}")
    if operation.path in collections and operation.method in COLLECTION:
        name = operation.path.rpartition("/")[2]
        return replace(_act(COLLECTION[operation.method], name), page=_page(operation))
    return None


def _act(action: str, name: str, key: str | None = None) -> RecordAct:
    return RecordAct(action=Choice(constant=action), resource=Choice(constant=name), key=key)


def _page(operation: Operation) -> Page:
    names = [one.name for one in operation.parameters if one.where == "query"]
    answered = operation.response(200)
    headers = [one.name for one in answered.headers] if answered else []
    return Page(skip=_query(SKIP, names), take=_query(TAKE, names), total=_total(headers))


def _query(known: tuple[str, ...], names: list[str]) -> str | None:
    return next((f"query:{one}" for one in known if one in names), None)


def _total(headers: list[str]) -> str | None:
    return next((f"header:{one}" for one in headers if one.lower() in TOTAL), None)


def _versions(operations: Iterable[Operation]) -> dict[str, str]:
    """Return the version member that bulk operations name, by the operationIds that they are like."""
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
    key = next((one for one in variables if one in members), "id")
    required = payload.raw.get("required", ()) if payload else ()
    creates = any(one.record and one.record.action.constant == "create" for one in acts)
    return Resource(
        name=name,
        schema=payload.ref if payload else None,
        key=key,
        assigned=creates and isinstance(required, list | tuple) and key not in required,
        version=next((versions[one.id] for one in acts if one.id in versions), None),
        required=tuple(one for one in required if one != key) if isinstance(required, list | tuple) else (),
    )


def _writers(acts: list[Operation]) -> list[Operation]:
    order = ("create", "replace")
    writing = [one for one in acts if one.record and one.record.action.constant in order]
    return sorted(writing, key=lambda one: order.index(one.record.action.constant if one.record else ""))


def _payload(operation: Operation) -> Schema | None:
    media = operation.body.media("application/json") if operation.body else None
    media = media or next(iter(operation.body.content), None) if operation.body else None
    if media is None or media.schema is None:
        return None
    pointer = operation.record.payload if operation.record else ""
    return media.schema.at(pointer) if pointer.startswith("/") else media.schema


def fallback_resource(contract: Contract, operation: Operation) -> str | None:
    """Return the resource where an `x-bulk` names none: that of the `like` operation, else the path's."""
    likes = map(contract.operation, operation.bulk.effect.like if operation.bulk is not None else ())
    named = [one.record.resource.constant for one in likes if one is not None and one.record is not None]
    segments = operation.path.split("/")
    choices = [*named, *(name for name in contract.resources if name in segments)]
    choices += contract.resources if len(contract.resources) == 1 else ()
    return next((name for name in choices if name in contract.resources), None)

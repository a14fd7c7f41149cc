"""Evidence of bulk operations in schemas: collections of objects, outcomes of items, jobs that are polled.

Begin with `collection_of`, `outcomes_of` and `poll_of`; names that APIs commonly use are in the tables.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.openapi.model import Contract, MediaType, Operation, is_json
from contracts.openapi.parameters import types_of
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import pointer_of

KEY_NAMES: Final = (
    "clientReference",
    "clientId",
    "externalId",
    "reference",
    "referenceId",
    "correlationId",
    "requestId",
)
STATUS_NAMES: Final = ("status", "statusCode", "status_code", "httpStatus", "code")
SUCCESS_NAMES: Final = ("success", "succeeded", "ok", "isSuccess")
ERROR_NAMES: Final = ("error", "errors", "errorMessage", "error_message", "message", "reason")
FAILED_LISTS: Final = (
    "errors",
    "failed",
    "failures",
    "Failed",
    "failed_items",
    "failedItems",
    "rejected",
    "unprocessed",
)
HANDLE_NAMES: Final = (
    "jobId",
    "job_id",
    "operationId",
    "taskId",
    "task_id",
    "batchId",
    "batch_id",
    "importId",
    "id",
    "name",
)
HANDLE_HEADERS: Final = ("operation-location", "location", "content-location")
STATE_NAMES: Final = ("status", "state", "done", "jobStatus", "processing_status")
STATE_WORDS: Final = {
    "queued": (
        "queued",
        "pending",
        "created",
        "new",
        "waiting",
        "submitted",
        "accepted",
        "scheduled",
        "notstarted",
        "open",
    ),
    "running": ("running", "processing", "inprogress", "started", "active", "executing", "working", "importing"),
    "done": ("done", "completed", "complete", "finished", "succeeded", "success", "ended", "processed", "ok"),
    "doneWithErrors": (
        "completedwitherrors",
        "partial",
        "partiallycompleted",
        "completedwithfailures",
        "partialsuccess",
    ),
    "failed": ("failed", "error", "errored", "failure"),
    "cancelled": ("cancelled", "canceled", "aborted", "stopped", "terminated", "killed"),
    "expired": ("expired", "timedout"),
}
GUESSED_STATES: Final = {"pending": "queued", "processing": "running", "completed": "done", "failed": "failed"}
NO_COLLECTIONS: Final = frozenset(
    ("attributes", "errors", "filters", "headers", "labels", "metadata", "parameters", "tags")
)
JOB_WORDS: Final = ("job", "batch", "operation", "task", "status", "import", "bulk")
ACCEPTED: Final = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemCollection:
    """Where a value has objects: a location, their schema, array or map, and the limits of their number."""

    at: str
    item: Schema
    shape: str
    limits: Mapping[str, int]


def json_schema(content: tuple[MediaType, ...]) -> Schema | None:
    """Return the schema of the first JSON media type, None when there is none."""
    return next((one.schema for one in content if is_json(one.media_range) and one.schema is not None), None)


def collection_of(schema: Schema) -> ItemCollection | None:
    """Return the collection of objects in a body: the body itself, or its only member of that kind."""
    own = _objects(schema, "")
    if own is not None:
        return own
    found = [
        one
        for name, member in schema.members().items()
        if name.lower() not in NO_COLLECTIONS and (one := _objects(member, pointer_of((name,)))) is not None
    ]
    required = schema.raw.get("required")
    needed = [one for one in found if isinstance(required, list) and one.at[1:] in required]
    return found[0] if len(found) == 1 else needed[0] if len(needed) == 1 else None


def _objects(schema: Schema, at: str) -> ItemCollection | None:
    item = schema.items() if "array" in types_of(schema) or "items" in schema.raw else None
    if item is None or not is_object(item):
        return None
    raw: Any = {key: value for form in schema.forms() for key, value in form.raw.items()}
    given = {"min": raw.get("minItems"), "max": raw.get("maxItems")}
    limits = {name: one for name, one in given.items() if isinstance(one, int) and one > 0}
    return ItemCollection(at=at, item=item, shape="array", limits=limits)


def is_object(schema: Schema) -> bool:
    """Say whether values of a schema are objects."""
    return "object" in types_of(schema) or bool(schema.members())


def outcomes_of(item: Schema, answer: Schema) -> dict[str, Any] | None:
    """Return where and how a response reports outcomes, None where it has no list of objects."""
    found = _objects(answer, "")
    lists = {
        name: one
        for name, member in answer.members().items()
        if (one := _objects(member, pointer_of((name,)))) is not None
    }
    failed = next((lists.pop(name) for name in FAILED_LISTS if name in lists and len(lists) > 1), None)
    main = found or next(iter(lists.values()), None)
    if main is None:
        return None
    outcomes: dict[str, Any] = {"at": main.at, "as": "array", "covers": "all"}
    entry = main.item.members()
    if failed is not None:
        outcomes |= {"failedAt": failed.at, "covers": "split"}
        entry = {**entry, **failed.item.members()}
    else:
        outcomes |= {"inOrder": True, **_failure(entry)}
    key = next((name for name in _keys(item) if name in entry), None)
    index = next((name for name in ("index", "item_index", "position") if name in entry), None)
    error = next((name for name in ERROR_NAMES if name in entry), None)
    outcomes |= {"key": pointer_of((key or index or "",))} if key or index else {}
    outcomes |= {"id": "/id"} if "id" in entry and key != "id" else {}
    return outcomes | ({"error": _error_place(entry[error], error)} if error else {})


def _failure(members: Mapping[str, Schema]) -> dict[str, Any]:
    """Return how an entry says that its item failed: by a status, a mark, or an error."""
    status = next((one for one in STATUS_NAMES if one in members and "integer" in types_of(members[one])), None)
    mark = next((one for one in SUCCESS_NAMES if one in members and "boolean" in types_of(members[one])), None)
    error = next((one for one in ERROR_NAMES[:4] if one in members), None)
    if status is not None:
        return {"failedIf": {"at": pointer_of((status,)), "not": "2xx"}}
    if mark is not None:
        return {"failedIf": {"at": pointer_of((mark,)), "is": False}}
    return {"failedIf": {"at": pointer_of((error,)), "exists": True}} if error else {}


def _error_place(schema: Schema, name: str) -> str:
    text = next((one for one in ("message", "detail", "description", "code") if one in schema.members()), None)
    if "array" in types_of(schema):
        inner = schema.items()
        inner_text = next((one for one in ("message", "detail", "code") if inner and one in inner.members()), None)
        return pointer_of((name, 0, inner_text)) if inner_text else pointer_of((name, 0))
    return pointer_of((name, text)) if text else pointer_of((name,))


def names_of(item: Schema) -> list[str]:
    """Return the names of an object's members: declared, or required."""
    required = [one for form in item.forms() if isinstance(one := form.raw.get("required"), list)]
    return [*dict.fromkeys((*item.members(), *(name for names in required for name in names)))]


def _keys(item: Schema) -> Iterator[str]:
    lower = {name.replace("_", "").lower(): name for name in names_of(item)}
    yield from (lower[one.lower()] for one in (*KEY_NAMES, "id") if one.lower() in lower)


def poll_of(
    contract: Contract, operation: Operation, answer: Schema | None, status: int
) -> tuple[Operation, str] | None:
    """Return the operation that polls a job and the handle's location, None where nothing tells of a job."""
    declared = operation.response(status)
    names = {one.name.lower(): one.name for one in declared.headers} if declared is not None else {}
    header = next((f"header:{names[one]}" for one in HANDLE_HEADERS if one in names), None)
    members = answer.members() if answer is not None else {}
    handle = next((pointer_of((one,)) for one in HANDLE_NAMES if one in members), None)
    is_told = status == ACCEPTED or (handle is not None and any(one in members for one in STATE_NAMES))
    if not is_told or (handle is None and header is None):
        return None
    below = f"{operation.path}/{{"
    found = [
        one for one in contract.operations if one.method == "GET" and one.path.endswith("}") and one.id != operation.id
    ]
    near = [one for one in found if one.path.startswith(below) and "/" not in one.path[len(below) :]]
    other = [one for one in found if _tells_of_job(one) and one.path.split("/")[:2] == operation.path.split("/")[:2]]
    polls = near or other
    return (polls[0], header or handle or "") if len(polls) == 1 and state_of(polls[0]) else None


def _tells_of_job(operation: Operation) -> bool:
    segments = [one.lower() for one in operation.path.split("/") if not one.startswith("{")]
    return any(word in segments[-1] for word in JOB_WORDS) if segments else False


def state_of(poll: Operation) -> tuple[str, dict[str, str]] | None:
    """Return the member that says the state of a job, and the meaning of its words."""
    declared = poll.response(200)
    schema = json_schema(declared.content) if declared is not None else None
    members = schema.members() if schema is not None else {}
    name = next((one for one in STATE_NAMES if one in members), None)
    if name is None:
        return None
    if "boolean" in types_of(members[name]):
        return pointer_of((name,)), {"false": "running", "true": "done"}
    words: Any = next((form.raw["enum"] for form in members[name].forms() if "enum" in form.raw), ())
    known = {str(word): state for word in words if (state := _state(str(word))) is not None}
    return pointer_of((name,)), known if "done" in known.values() else GUESSED_STATES


def _state(word: str) -> str | None:
    letters = "".join(one for one in word.lower() if one.isalpha())
    return next((state for state, words in STATE_WORDS.items() if letters in words), None)

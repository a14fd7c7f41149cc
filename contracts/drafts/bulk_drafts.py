"""Find likely bulk operations of a document: `find_drafts` drafts an `x-bulk` for each, `undeclared_note` names them.

What is drafted is read from names and schemas; each draft says why, and what to check.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from contracts.bulk.names import BULK_SEGMENT, collection_path, tells_of_bulk, tells_of_reading
from contracts.drafts.bulk_evidence import (
    GUESSED_STATES,
    ItemCollection,
    collection_of,
    is_object,
    json_schema,
    names_of,
    outcomes_of,
    poll_of,
    state_of,
)
from contracts.openapi.model import Contract, Operation
from contracts.openapi.parameters import types_of
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import listed, pointer_of

METHODS: Final = frozenset(("POST", "PUT", "PATCH", "DELETE"))
ACTION_WORDS: Final = {
    "upsert": "upsert",
    "update": "update",
    "replace": "replace",
    "delete": "delete",
    "remove": "delete",
    "archive": "delete",
}
ACTIONS_OF_METHODS: Final = {"PUT": "replace", "PATCH": "update", "DELETE": "delete"}
MIN_POINTS: Final = 2  # of evidence, for an operation that has a collection of objects
MULTI_STATUS: Final = 207
MAX_ENVELOPE: Final = 3  # members of an item that holds a record and what is said of it


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkDraft:
    """A declaration drafted for one operation: the `x-bulk` object, why, and what to check.

    `resource` is the name of a resource that has to be added, with the reference of its schema, None for any object.
    """

    operation: Operation
    bulk: Mapping[str, Any]
    reasons: tuple[str, ...]
    checks: tuple[str, ...]
    resource: str | None = None
    schema: str | None = None


def find_drafts(contract: Contract) -> tuple[BulkDraft, ...]:
    """Return a draft for each likely bulk operation without `x-bulk`, in the document's order."""
    drafts = (_draft(contract, one) for one in contract.operations if one.bulk is None and one.method in METHODS)
    return tuple(one for one in drafts if one is not None)


def undeclared_note(contract: Contract, document: str) -> str:
    """Return a line about likely bulk operations of a document that declares none, "" where there are none."""
    if any(one.bulk is not None for one in contract.operations):
        return ""
    names = [one.operation.id for one in find_drafts(contract)]
    look = "looks like a bulk operation" if len(names) == 1 else "look like bulk operations"
    says = f"{listed(names)} {look}, which no x-bulk declares; for a draft: bulkproof init {document}\n"
    return says if names else ""


def _draft(contract: Contract, operation: Operation) -> BulkDraft | None:
    body = json_schema(operation.body.content) if operation.body else None
    found = None if body is None else collection_of(body)
    if found is None or tells_of_reading(operation.path) or tells_of_reading(operation.id):
        return None
    status = _success(operation)
    declared = operation.response(status)
    answer = json_schema(declared.content) if declared is not None else None
    outcomes = None if answer is None else outcomes_of(found.item, answer)
    poll = poll_of(contract, operation, answer, status)
    reasons = [*_reasons(operation, outcomes, poll)]
    if sum(points for points, _ in reasons) < MIN_POINTS:
        return None
    return _written(
        contract,
        operation,
        _Facts(collection=found, status=status, outcomes=outcomes, poll=poll, answer=answer),
        reasons,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What was found: items, status of success, outcomes and their failures, the operation that polls a job."""

    collection: ItemCollection
    status: int
    outcomes: Mapping[str, Any] | None
    poll: tuple[Operation, str] | None
    answer: Schema | None


def _success(operation: Operation) -> int:
    """Return 207 where it is declared, else the lowest status of success."""
    known = sorted(int(one) for one in operation.responses if one.isdecimal() and one.startswith("2"))
    return MULTI_STATUS if MULTI_STATUS in known else next(iter(known), 200)


def _reasons(operation: Operation, outcomes: Mapping[str, Any] | None, poll: object) -> Iterator[tuple[int, str]]:
    """Yield the evidence for a bulk operation, with its points."""
    if BULK_SEGMENT.search(operation.path) or tells_of_bulk(operation.path.rpartition("/")[2]):
        yield 2, "its path says so"
    elif tells_of_bulk(operation.id):
        yield 2, "its operationId says so"
    if "207" in operation.responses:
        yield 2, "it declares 207"
    if outcomes is not None and ("failedIf" in outcomes or "failedAt" in outcomes):
        yield (
            1 if "exists" in outcomes.get("failedIf", ()) else 2,
            "its response has an entry with success or failure for each item",
        )
    if poll is not None:
        yield 1, "its response is a job that can be polled"


def _written(contract: Contract, operation: Operation, facts: _Facts, reasons: list[tuple[int, str]]) -> BulkDraft:
    item, outcomes = facts.collection.item, facts.outcomes
    checks: list[str] = []
    effect, resource, schema = _effect(contract, operation, item, checks)
    judged = outcomes is not None and ("failedIf" in outcomes or "failedAt" in outcomes)
    is_untold = facts.status == MULTI_STATUS and outcomes is None  # the status alone says that items may differ
    bulk: dict[str, Any] = {
        "items": {"at": facts.collection.at, **facts.collection.limits},
        "effect": effect,
        "key": _key(effect, outcomes, item),
        "unit": {"of": "item" if judged or facts.poll or is_untold else "whole"},
        "order": {"run": "listed"},
        "reply": _reply(operation, facts),
    }
    if facts.poll is not None:
        bulk["job"] = _job(facts.poll)
        checks.append("whether every request becomes a job, and what the words of its state mean")
        if "error" in bulk["job"]:
            checks.append("where the job says that it failed: job.error, or job.outcomes for each item")
    elif not judged:
        checks.append("how a failure of one item is told: it is taken that all fail together")
    if "max" not in facts.collection.limits:
        checks.append("how many items there may be: items.max, and guard.refuse.tooMany")
    return BulkDraft(
        operation=operation,
        bulk=bulk,
        reasons=tuple(words for _, words in reasons),
        checks=tuple(checks),
        resource=resource,
        schema=schema,
    )


def _effect(
    contract: Contract, operation: Operation, item: Schema, checks: list[str]
) -> tuple[dict[str, Any], str | None, str | None]:
    members = item.members()
    lower = {name.lower(): name for name in members}
    url = next((lower[one] for one in ("url", "path", "relative_url", "relativeurl") if one in lower), None)
    if "method" in lower and url is not None:
        body = next((lower[one] for one in ("body", "data", "payload") if one in lower), None)
        places = {"method": pointer_of((lower["method"],)), "url": pointer_of((url,))}
        places |= {"body": pointer_of((body,))} if body else {}
        return {"action": {"from": places["method"], "map": {}}, "http": places}, None, None
    action = _action(operation)
    effect: dict[str, Any] = {"action": action}
    inner = [name for name, one in members.items() if is_object(one) and "array" not in types_of(one)]
    if len(inner) == 1 and len(members) <= MAX_ENVELOPE:  # an envelope: the content, and what is said of it
        effect["payload"] = pointer_of((inner[0],))
        checks.append(f"whether the content of an item is its member '{inner[0]}'")
    if action != "create" and "id" in members:
        effect["target"] = ["/id"]
    like = _like(contract, operation, action)
    if like is not None:
        return {**effect, "like": like.id}, None, None
    named = _resource_name(operation.path)
    if named in contract.resources:
        return {**effect, "resource": named}, None, None
    content = members[inner[0]] if "payload" in effect else item
    checks.append(
        f"which records it changes: '{named}' is the path's name for them; name effect.like where there is one"
    )
    return {**effect, "resource": named}, named, content.ref


def _action(operation: Operation) -> str:
    text = f"{operation.path.rpartition('/')[2]} {operation.id}".lower()
    found = next((action for word, action in ACTION_WORDS.items() if word in text), None)
    return found or ACTIONS_OF_METHODS.get(operation.method, "create")


def _like(contract: Contract, operation: Operation, action: str) -> Operation | None:
    """Return the operation on one record of the collection above the path with the same action, where there is one."""
    above = collection_path(operation.path)
    one_below = [one for one in contract.operations if one.path.startswith(f"{above}/{{") and one.path.endswith("}")]
    near = [one for one in contract.operations if one.path == above and one.id != operation.id] + [
        one for one in one_below if "/" not in one.path[len(above) + 1 :]
    ]
    return next((one for one in near if one.bulk is None and one.record and one.record.action.constant == action), None)


def _resource_name(path: str) -> str:
    segments = [one for one in collection_path(path).split("/") if one and "{" not in one]
    name = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in (segments or ["items"])[-1])
    return name.strip("-") or "items"


def _key(effect: Mapping[str, Any], outcomes: Mapping[str, Any] | None, item: Schema) -> dict[str, Any]:
    key = outcomes.get("key", "") if outcomes is not None else ""
    if key[1:] in names_of(item):
        return {"by": "target" if [key] == effect.get("target") else "client", "at": key}
    return {"by": "index"} if key else {"by": "order"}


def _reply(operation: Operation, facts: _Facts) -> dict[str, Any]:
    status = {"accepted": facts.status} if facts.poll else {}
    refused = next((int(one) for one in ("400", "422", "409") if one in operation.responses), 400)
    known = sorted(int(one) for one in operation.responses if one.isdecimal() and one.startswith("2"))
    all_ok = next(iter(known), facts.status)
    if not facts.poll:
        status = {"allOk": all_ok, "someFailed": facts.status, "allFailed": facts.status, "wholeFailed": refused}
    reply: dict[str, Any] = {"status": status}
    if facts.outcomes is not None and not facts.poll:
        judged = "failedIf" in facts.outcomes or "failedAt" in facts.outcomes
        reply["outcomes"] = {**facts.outcomes} if judged else {**facts.outcomes, "covers": "unless-failed"}
    return reply


def _job(poll: tuple[Operation, str]) -> dict[str, Any]:
    operation, handle = poll
    at, words = state_of(operation) or ("/status", GUESSED_STATES)
    tells = not {"doneWithErrors", "failed"}.isdisjoint(words.values())
    return {
        **({} if tells else {"error": "/error"}),
        "when": "always",
        "handle": handle,
        "poll": operation.id,
        "results": "here",
        "state": {"at": at, "map": words},
    }

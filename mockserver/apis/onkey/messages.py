"""On Key's messages: outcomes of items with the vendor's codes and texts, and notifications that refuse a request."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from contracts.messages import Headers, Response
from contracts.openapi.validation import Violation
from mockserver.api.model import Entries, ItemRun, Refusal, RequestContext, problem
from mockserver.apis.onkey.data_set import base_of
from mockserver.apis.onkey.resource_types import ObjectType, object_types_of
from mockserver.bulk.execution import serve_bulk
from mockserver.domain.columns import DoneOutcomes, item_column, resources_of
from mockserver.domain.values import ItemFault, Outcome
from mockserver.stores.interface import Key

Message: TypeAlias = dict[str, object]

DONE: Final = {
    "create": ("Core_Data_RecordCreated", "Record successfully created"),
    "update": ("Core_Data_RecordUpdated", "Record successfully updated"),
    "delete": ("Sandbox_RecordDeleted", "Record successfully deleted"),
}
LENGTH: Final = (
    "Core_LengthValidator",
    "{{{path}}} must be between {min} and {max} characters. You entered {length} characters",
)
REQUIRED: Final = ("Core_Resources_SystemRequiredPropertyMissing", "{{{path}}} should not be missing or null")
NOT_NULL: Final = ("Core_NotNullValidator", "{{{path}}} must not be empty.")
TYPE: Final = ("Sandbox_TypeMismatch", "{{{path}}} must be a {expected}")
FAILED: Final[Mapping[str, tuple[str, str]]] = {
    "length": LENGTH,
    "type": TYPE,
    "schema": TYPE,
    "converter": TYPE,
    "unknown": ("Sandbox_UnknownProperty", "{{{path}}} is not a property of {kind}{closest}"),
    "duplicate": ("Sandbox_DuplicateValue", "{{{path}}} must be unique. '{value}' is in use"),
    "not-found": ("Sandbox_RecordNotFound", "{kind} with id {id} was not found"),
    "version": ("Sandbox_VersionConflict", "{kind} with id {id} is at version {current}. You sent version {value}"),
    "reference": ("Sandbox_ReferenceNotFound", "{{{path}}} refers to no record"),
    "ambiguous": ("Sandbox_ReferenceAmbiguous", "{{{path}}} refers to {count} records"),
    "referenced": ("Sandbox_RecordReferenced", "{kind} with id {id} is referenced by {count} records"),
    "choice": ("Sandbox_NotMatchUpdatable", "{{{path}}} is not available for match update"),
}
MAX_TEXT_CHARS: Final = 200  # characters of a name that somebody made up
REJECTED: Final = ("Sandbox_BusinessRule", "The record was rejected")


def entries(run: ItemRun) -> Entries:
    """Return the function that gives the messages of outcomes: one when done, one for each fault when failed."""
    operation = run.operation
    echoed = operation is not None and operation.bulk is not None and operation.bulk.key.by == "client"

    def messages_of(outcome: Outcome) -> Sequence[Message]:
        item, result, action, _, record = outcome
        if result != "done" or record is None:
            return _failures(run, outcome, item.key if echoed else None)
        return _done((action,), item.resource.name, (record.key,), (item.key if echoed else None,))

    def messages(outcomes: Sequence[Outcome]) -> Sequence[Sequence[Message]]:
        if not isinstance(outcomes, DoneOutcomes):
            return list(map(messages_of, outcomes))
        items, keys = outcomes.items, [record.key for record in outcomes.records]
        users = item_column(items, "key") if echoed else [None] * len(keys)
        (name,) = resources_of(items)
        return list(zip(_done(outcomes.actions, name, keys, users)))

    return messages


def _done(actions: Sequence[str], kind: str, keys: Sequence[Key], users: Sequence[object]) -> Sequence[Message]:
    """Return the messages of records of one kind that were written."""
    said: list[Message] = [
        {
            "code": code,
            "message": text,
            "objectId": str(key),
            "objectType": kind,
            "severity": "information",
            "userObjectId": user,
        }
        for (code, text), key, user in zip(map(DONE.__getitem__, actions), keys, users, strict=True)
    ]
    if set(map(type, users)) != {str}:
        for one in said:
            if type(one["userObjectId"]) is not str:
                del one["userObjectId"]
    return said


def _failures(run: ItemRun, outcome: Outcome, user: object) -> Sequence[Message]:
    """Return a message for each fault."""
    kind = object_types_of(run.api).by_name[outcome.item.resource.name]
    return [_failure(kind, run, outcome, fault, user if isinstance(user, str) else None) for fault in outcome.faults]


def message(code: str, text: str, severity: str, **members: object) -> Message:
    """Return a message, members in alphabetical order, without those that are None."""
    given: Message = {"code": code, "message": text, "severity": severity, **members}
    return {name: given[name] for name in sorted(given) if given[name] is not None}


def _failure(kind: ObjectType, run: ItemRun, outcome: Outcome, fault: ItemFault, user: str | None) -> Message:
    code, text = _code_and_text(kind, run, outcome, fault)
    return message(
        code,
        text,
        "error",
        objectId=_object_id(outcome),
        objectType=kind.name,
        properties=[_path(kind, fault, member) for member in fault.members] or None,
        userObjectId=user,
    )


def _code_and_text(kind: ObjectType, run: ItemRun, outcome: Outcome, fault: ItemFault) -> tuple[str, str]:
    """Return the code and the text of a fault."""
    facts = fault.facts
    if fault.kind not in FAILED and fault.kind != "missing":
        return str(facts.get("code") or REJECTED[0]), str(facts.get("message") or REJECTED[1])
    code, text = _missing(run, outcome, fault) if fault.kind == "missing" else FAILED[fault.kind]
    return code, text.format_map({"length": 0, **facts, **_facts(kind, outcome, fault)})


def _missing(run: ItemRun, outcome: Outcome, fault: ItemFault) -> tuple[str, str]:
    """Return the message of a required property that is null or missing: the vendor's two modes differ."""
    if fault.facts.get("expected") != "string":
        return NOT_NULL
    return REQUIRED if run.unit == "whole" and outcome.action == "create" else LENGTH


def _facts(kind: ObjectType, outcome: Outcome, fault: ItemFault) -> Mapping[str, object]:
    closest = fault.facts.get("closest")
    values = fault.value if isinstance(fault.value, tuple) else (fault.value,)
    return {
        "kind": fault.facts.get("kind", kind.name),
        "path": _path(kind, fault, fault.members[0]) if fault.members else kind.name,
        "id": outcome.item.target,
        "closest": f". The closest is {{{_path(kind, ItemFault(''), str(closest))}}}" if closest else "",
        "value": ", ".join(map(str, values)),
    }


def _path(kind: ObjectType, fault: ItemFault, member: str) -> str:
    """Return the path of a member at fault; a fault of a converter carries its own path."""
    own = str(fault.facts.get("path", member))[:MAX_TEXT_CHARS]
    return own if "->" in own else kind.path(own)


def _object_id(outcome: Outcome) -> str | None:
    """Return the id of the stored record of an outcome, None when there is none."""
    target = outcome.item.target
    return str(target) if outcome.action in {"update", "delete"} and type(target) is int else None


NOTIFICATION: Final = "application/vnd.onkey.notification+json"
INVALID: Final = "Sandbox_InvalidRequest"
POINTERS: Final = {"media-type": "Content-Type", "charset": "Content-Type", "unauthenticated": "Authorization"}
COLLECTION_PATH: Final = re.compile(
    r"/api/tenants/[^/]+/[^/]+/modules/(?P<module>[^/]+)/(?P<plural>[^/]+)(?P<rest>/.*)?", re.IGNORECASE
)
MATCH_PATH: Final = "/matchbatch"


def refuse(context: RequestContext, refusal: Refusal) -> Response:
    """Return the notification that refuses a request."""
    if refusal.status >= 500:  # noqa: PLR2004 - an internal error
        return problem(refusal)
    if refusal.kind == "no-method" and (astray := unserved(context)):
        refusal = Refusal(status=404, kind="no-path", detail=astray)
    return notification(refusal.status, _messages(refusal), refusal.headers)


def notification(status: int, messages: Sequence[Message], headers: Headers | None = None) -> Response:
    """Return a response with messages."""
    return Response.of(status, {"messages": list(messages)}, media_type=NOTIFICATION, headers=headers)


def invalid(
    context: RequestContext, where: str, detail: str, *, status: int = 400, got: str = "", hint: str = ""
) -> Response:
    """Return the refusal of a request for its value at `where`, a JSON Pointer or a parameter's name.

    `got` is the unknown word there, `hint` the closest known one.
    """
    pointer, name = (where, "body") if where.startswith("/") else ("", where)
    violation = Violation(where=name, pointer=pointer, rule="onkey", expected="", got=got, hint=hint, detail=detail)
    context.violations = (violation,)
    kind = "conflict" if status == 409 else "invalid"  # noqa: PLR2004 - HTTP's own number
    refusal = Refusal(status=status, kind=kind, detail=detail, violations=(violation,), total=1)
    return context.refuse(refusal)


def not_found(name: str, key: int) -> Response:
    """Return a 404 response for the id of a record or task."""
    code, text = FAILED["not-found"]
    reported = message(code, text.format(kind=name, id=key), "error", objectId=str(key), objectType=name)
    return notification(404, [reported])


def unserved(context: RequestContext) -> str:
    """Return why a path of known shape has no resource, "" when it has one."""
    found = COLLECTION_PATH.fullmatch(unquote(context.request.path))
    if found is None or found["module"].lower() == "system":
        return ""
    kind = object_types_of(context.api).at(found["module"], found["plural"])
    if kind is None:
        return f"There is no resource '{found['plural'][:80]}' in the module '{found['module'][:80]}'."
    return f"{kind.name} has no match update." if not kind.match and (found["rest"] or "").lower() == MATCH_PATH else ""


def _messages(refusal: Refusal) -> list[Message]:
    if not refusal.violations:
        return [_message(_placed(refusal), POINTERS.get(refusal.kind, ""))]
    return [_message(_counted(one), _pointer(one)) for one in refusal.violations]


def _message(text: str, pointer: str) -> Message:
    return message(INVALID, text, "error", pointer=pointer)


def _placed(refusal: Refusal) -> str:
    """Return the details of a refusal, with line and column of malformed JSON."""
    place = f" (line {refusal.line}, column {refusal.column})" if refusal.line else ""
    return f"{refusal.detail.rstrip('.')}{place}."


def _counted(violation: Violation) -> str:
    more = violation.items - 1
    return f"{violation.detail.rstrip('.')}; the same for {more} more." if more > 0 else violation.detail


def _pointer(violation: Violation) -> str:
    """Return the location of a violation: a pointer into the body, else the parameter's name."""
    return violation.pointer if violation.where == "body" else violation.where.rpartition(":")[2]


IGNORED: Final = message(
    "Sandbox_GroupOrderIgnored",
    "groupOrder was ignored and the records ran in the order of the request. Put ordered=true in the query to use it",
    "warning",
)


def imported(context: RequestContext) -> Response:
    """Serve an import; warn that groups were ignored when `ordered` is absent."""
    response = serve_bulk(context)
    if response.status != 200 or "ordered" in context.query:  # noqa: PLR2004 - HTTP's own number
        return response
    body: Any = response.data
    records: Any = context.data
    if all(record.get("groupOrder") is None for record in records):
        return response
    return notification(200, [*body["messages"], IGNORED], response.headers)


def finish(context: RequestContext, response: Response) -> Response:
    """Add the trace that every response has, and id and URL of a task that was created."""
    ids = context.api_state.ids
    headers = [("OnKey-Trace-Context", f"{ids.hex('trace', 32)}_{ids.hex('span', 16)}")]
    if response.status == 202 and context.jobs:  # noqa: PLR2004 - HTTP's own number
        task = context.jobs[0].id
        location = f"{base_of(context)}/modules/system/backgroundtasks/{task}"
        headers += [("OnKey-Request-Id", task), ("OnKey-Request-Location", location)]
    return response.with_headers(*headers)

"""What On Key says of records: outcomes as messages, their codes and texts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

from mockserver.apis.onkey.kinds import Kind, kinds_of
from mockserver.domain.values import Fault, Outcome
from mockserver.turn import Run

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
    "match": ("Sandbox_NotMatchUpdatable", "{{{path}}} is not available for match update"),
}
LONGEST: Final = 200  # characters of a name that somebody made up
UNRULED: Final = ("Sandbox_BusinessRule", "The record was rejected")


def entries(run: Run) -> Callable[[Outcome], Sequence[Message]]:
    """Return what gives the messages of an outcome: one when it is done, one for each fault when it failed."""
    operation = run.operation
    echoed = operation is not None and operation.bulk is not None and operation.bulk.key.by == "client"

    def said(outcome: Outcome) -> Sequence[Message]:
        item, result, action, _, record = outcome
        if result != "done" or record is None:
            return _failures(run, outcome, item.key if echoed else None)
        code, text = DONE[action]
        done: Message = {
            "code": code,
            "message": text,
            "objectId": str(record.key),
            "objectType": item.resource.name,
            "severity": "information",
        }
        if echoed and item.key.__class__ is str:
            done["userObjectId"] = item.key
        return (done,)

    return said


def _failures(run: Run, outcome: Outcome, user: object) -> Sequence[Message]:
    """Return a message for each fault; of a property that a match update may not set nothing else is told."""
    kind, faults = kinds_of(run.api).by_name[outcome.item.resource.name], outcome.faults
    barred = {fault.members for fault in faults if fault.kind == "match"}
    told = [fault for fault in faults if fault.kind == "match" or fault.members not in barred] if barred else faults
    return [_failure(kind, run, outcome, fault, user if isinstance(user, str) else None) for fault in told]


def message(code: str, text: str, severity: str, **members: object) -> Message:
    """Return a message with its members in alphabetical order; those that are None are left out."""
    given: Message = {"code": code, "message": text, "severity": severity, **members}
    return {name: given[name] for name in sorted(given) if given[name] is not None}


def _failure(kind: Kind, run: Run, outcome: Outcome, fault: Fault, user: str | None) -> Message:
    code, text = _said(kind, run, outcome, fault)
    return message(
        code,
        text,
        "error",
        objectId=_object_id(outcome),
        objectType=kind.name,
        properties=[_path(kind, fault, member) for member in fault.members] or None,
        userObjectId=user,
    )


def _said(kind: Kind, run: Run, outcome: Outcome, fault: Fault) -> tuple[str, str]:
    """Return the code and the text of a fault."""
    facts = fault.facts
    if fault.kind not in FAILED and fault.kind != "missing":
        return str(facts.get("code") or UNRULED[0]), str(facts.get("message") or UNRULED[1])
    code, text = _missing(run, outcome, fault) if fault.kind == "missing" else FAILED[fault.kind]
    return code, text.format_map({"length": 0, **facts, **_facts(kind, outcome, fault)})


def _missing(run: Run, outcome: Outcome, fault: Fault) -> tuple[str, str]:
    """Return how a required property that is null or missing is told: the vendor's two modes differ."""
    if fault.facts.get("expected") != "string":
        return NOT_NULL
    return REQUIRED if run.unit == "whole" and outcome.action == "create" else LENGTH


def _facts(kind: Kind, outcome: Outcome, fault: Fault) -> Mapping[str, object]:
    closest = fault.facts.get("closest")
    values = fault.value if isinstance(fault.value, tuple) else (fault.value,)
    return {
        "kind": fault.facts.get("kind", kind.name),
        "path": _path(kind, fault, fault.members[0]) if fault.members else kind.name,
        "id": outcome.item.target,
        "closest": f". The closest is {{{_path(kind, Fault(''), str(closest))}}}" if closest else "",
        "value": ", ".join(map(str, values)),
    }


def _path(kind: Kind, fault: Fault, member: str) -> str:
    """Return the path of a member at fault; a fault of a converter knows a path of its own."""
    own = str(fault.facts.get("path", member))[:LONGEST]
    return own if "->" in own else kind.path(own)


def _object_id(outcome: Outcome) -> str | None:
    """Return the id of the stored record that an outcome speaks of, None when there is none or none could be named."""
    target = outcome.item.target
    return str(target) if outcome.action in {"update", "delete"} and type(target) is int else None

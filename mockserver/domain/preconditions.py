"""Preconditions of a call: whether it may be carried out as the record is now (RFC 9110, 13; RFC 6585, 3)."""

from collections.abc import Callable, Sequence
from typing import Final

from contracts.bulk import Bulk
from contracts.messages import Headers, Reply
from contracts.model import Operation
from contracts.preconditions import CONDITIONS, IF_MATCH, IF_NONE_MATCH, condition, etag
from mockserver.domain.values import Item
from mockserver.stores import Record
from mockserver.turn import Refusal, Turn

NEEDY: Final = frozenset(("update", "replace", "delete"))  # actions that are refused where there is no record
REQUIRED = 428
FAILED = 412
UNMODIFIED = 304


def malformed(turn: Turn, operation: Operation) -> Refusal | None:
    """Refuse a call whose precondition cannot be read."""
    for name in CONDITIONS:
        headers = turn.call.headers
        if name in headers and condition(operation, headers, name) is None:
            given = ", ".join(headers.get_all(name))[:80]
            detail = f"{name} must be entity tags in double quotes, separated by commas, or *; got '{given}'."
            return Refusal(status=400, kind="invalid", detail=detail)
    return None


def missing(turn: Turn, operation: Operation) -> Refusal | None:
    """Refuse a call without a precondition where the operation declares that answer: 428."""
    if str(REQUIRED) not in operation.responses or any(name in turn.call.headers for name in CONDITIONS):
        return None
    return required(f"{operation.id} needs a precondition: send the record's entity tag in {IF_MATCH}.")


def of_items(turn: Turn, operation: Operation, bulk: Bulk, items: Callable[[], Sequence[Item]]) -> Refusal | None:
    """Refuse a bulk call whose precondition is malformed, or missing where the operation declares that answer.

    Its preconditions are the header fields that it declares, or else the versions in its items.
    """
    fields = {one.name.lower() for one in operation.parameters if one.where == "header"}
    version = (bulk.effect.version or "").lower()
    if any(name.lower() in fields or version == f"header:{name.lower()}" for name in CONDITIONS):
        return malformed(turn, operation) or missing(turn, operation)
    if str(REQUIRED) not in operation.responses or not version:
        return None
    bad = next((one for one in items() if one.version is None and one.action in NEEDY), None)
    if bad is None:
        return None
    return required(f"{operation.id} needs the version of each record; item {bad.index} has none at {version}.")


def required(detail: str) -> Refusal:
    """Refuse a call that has no precondition and needs one."""
    return Refusal(status=REQUIRED, kind="precondition", detail=detail)


def unmatched(turn: Turn, operation: Operation, record: Record | None) -> Refusal | None:
    """Refuse a call whose If-Match is false for the record as it is stored; None is one that is not there."""
    named = condition(operation, turn.call.headers, IF_MATCH)
    version = None if record is None else record.version
    if named is None or named.matches(version):
        return None
    found = "there is no such record" if version is None else f'its entity tag is "{version}"'
    return Refusal(status=FAILED, kind="precondition", detail=f"{IF_MATCH} is {str(named)[:80]}, but {found}.")


def is_known(turn: Turn, operation: Operation, record: Record | None) -> bool:
    """Tell whether If-None-Match names the record as it is stored, so that the call must not be carried out."""
    named = condition(operation, turn.call.headers, IF_NONE_MATCH)
    return named is not None and named.matches(None if record is None else record.version, weakly=True)


def unwanted(turn: Turn) -> Refusal:
    """Refuse a call that was to be carried out only if the record was not there, or was another."""
    given = ", ".join(turn.call.headers.get_all(IF_NONE_MATCH))[:80]
    return Refusal(
        status=FAILED, kind="precondition", detail=f"{IF_NONE_MATCH} is {given}, but there is such a record."
    )


def tagged(operation: Operation, status: int, record: Record) -> Headers:
    """Return the ETag field of an answer that shows a record, where the operation declares one."""
    response = operation.response(status)
    declared = response.headers if response is not None else ()
    found = next((one for one in declared if one.name.lower() == "etag"), None)
    return Headers() if found is None else Headers((("ETag", etag(found.schema, record.version)),))


def unmodified(headers: Headers) -> Reply:
    """Answer that the caller has the record as it is."""
    return Reply(status=UNMODIFIED, headers=headers)

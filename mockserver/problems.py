"""RFC 9457 problem documents: the shape of every error of our own surface, and the default of a served API's."""

from http import HTTPStatus

from contracts.messages import Reply
from contracts.validation import Violation
from mockserver.turn import Refusal

MEDIA_TYPE = "application/problem+json"
STATUSES = frozenset(map(int, HTTPStatus))


def problem(refusal: Refusal) -> Reply:
    """Return the problem document that says `refusal`."""
    body: dict[str, object] = {
        "type": "about:blank",
        "title": phrase(refusal.status),
        "status": refusal.status,
        "detail": refusal.detail,
    }
    if refusal.violations:
        body["errors"] = [_error(one) for one in refusal.violations]
        body["total"] = refusal.total or sum(one.items for one in refusal.violations)
    if refusal.line:
        body |= {"line": refusal.line, "column": refusal.column}
    return Reply.of(refusal.status, body, media_type=MEDIA_TYPE, headers=refusal.headers)


def phrase(status: int) -> str:
    """Return the words that HTTP has for a status; a scenario may answer with one that it has none for."""
    return HTTPStatus(status).phrase if status in STATUSES else f"Status {status}"


def _error(violation: Violation) -> dict[str, object]:
    error: dict[str, object] = {
        "pointer": violation.pointer,
        "rule": violation.rule,
        "detail": violation.detail,
        "items": violation.items,
    }
    return error | ({"in": violation.where} if violation.where != "body" else {})

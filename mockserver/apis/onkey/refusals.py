"""Refusing a whole call as On Key does everything else: with a notification."""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote

from contracts.messages import Headers, Reply
from contracts.validation import Violation
from mockserver.apis.onkey.kinds import kinds_of
from mockserver.apis.onkey.messages import FAILED, Message, message
from mockserver.problems import problem
from mockserver.turn import Refusal, Turn

NOTIFICATION: Final = "application/vnd.onkey.notification+json"
INVALID: Final = "Sandbox_InvalidRequest"
POINTERS: Final = {"media-type": "Content-Type", "charset": "Content-Type", "unauthenticated": "Authorization"}
PLACE: Final = re.compile(
    r"/api/tenants/[^/]+/[^/]+/modules/(?P<module>[^/]+)/(?P<plural>[^/]+)(?P<rest>/.*)?", re.IGNORECASE
)
MATCH: Final = "/matchbatch"


def refuse(turn: Turn, refusal: Refusal) -> Reply:
    """Return the notification that says why a call is refused."""
    if refusal.status >= 500:  # noqa: PLR2004 - our own fault, said as such
        return problem(refusal)
    if refusal.kind == "no-method" and (astray := unserved(turn)):
        refusal = Refusal(status=404, kind="no-path", detail=astray)
    return notification(refusal.status, _messages(refusal), refusal.headers)


def notification(status: int, messages: Sequence[Message], headers: Headers | None = None) -> Reply:
    """Return a reply of messages."""
    return Reply.of(status, {"messages": list(messages)}, media_type=NOTIFICATION, headers=headers)


def invalid(turn: Turn, where: str, detail: str, *, status: int = 400, got: str = "", hint: str = "") -> Reply:
    """Refuse a call for what it says at `where`, a JSON Pointer or a parameter's name.

    `got` is the word that is not known there, `hint` the closest that is.
    """
    pointer, name = (where, "body") if where.startswith("/") else ("", where)
    violation = Violation(
        side="call", where=name, pointer=pointer, rule="onkey", expected="", got=got, hint=hint, detail=detail
    )
    turn.violations = (violation,)
    kind = "conflict" if status == 409 else "invalid"  # noqa: PLR2004 - HTTP's own number
    refusal = Refusal(status=status, kind=kind, detail=detail, violations=(violation,), total=1)
    return turn.api.hooks.refuse(turn, refusal)


def not_found(name: str, key: int) -> Reply:
    """Answer that there is no record or task of that id."""
    code, text = FAILED["not-found"]
    told = message(code, text.format(kind=name, id=key), "error", objectId=str(key), objectType=name)
    return notification(404, [told])


def unserved(turn: Turn) -> str:
    """Return why the path of a call leads nowhere though its shape is known, "" when it leads somewhere."""
    found = PLACE.fullmatch(unquote(turn.call.path))
    if found is None or found["module"].lower() == "system":
        return ""
    kind = kinds_of(turn.api).at(found["module"], found["plural"])
    if kind is None:
        return f"There is no resource '{found['plural'][:80]}' in the module '{found['module'][:80]}'."
    return f"{kind.name} has no match update." if not kind.match and (found["rest"] or "").lower() == MATCH else ""


def _messages(refusal: Refusal) -> list[Message]:
    if not refusal.violations:
        return [_message(_placed(refusal), POINTERS.get(refusal.kind, ""))]
    return [_message(_counted(one), _pointer(one)) for one in refusal.violations]


def _message(text: str, pointer: str) -> Message:
    return message(INVALID, text, "error", pointer=pointer)


def _placed(refusal: Refusal) -> str:
    """Return what is wrong, with line and column where the JSON is."""
    place = f" (line {refusal.line}, column {refusal.column})" if refusal.line else ""
    return f"{refusal.detail.rstrip('.')}{place}."


def _counted(violation: Violation) -> str:
    more = violation.items - 1
    return f"{violation.detail.rstrip('.')}; the same for {more} more." if more > 0 else violation.detail


def _pointer(violation: Violation) -> str:
    """Return where it is: a pointer into the body, else the parameter's name."""
    return violation.pointer if violation.where == "body" else violation.where.rpartition(":")[2]

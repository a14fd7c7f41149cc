"""Reading a call: parameters by their styles, the body by its media type, both held against the contract."""

from urllib.parse import parse_qsl

from contracts.bulk import Bulk
from contracts.jsontext import JsonFault, read_json
from contracts.media import is_json
from contracts.messages import ABSENT, Headers, essence
from contracts.model import Operation
from contracts.preconditions import CONDITIONS
from contracts.validation import Report, Violation, check_value, parse_parameters
from mockserver.domain.preconditions import required
from mockserver.guard import counted, malformed
from mockserver.served import served
from mockserver.turn import Refusal, Turn

FORM = "application/x-www-form-urlencoded"


def check_parameters(turn: Turn) -> Refusal | None:
    """Parse the parameters into the turn; a path that does not fit its schema names nothing: 404."""
    operation = _operation(turn)
    values, violations = parse_parameters(operation, turn.call, turn.variables)
    turn.query = {name: value for (where, name), value in values.items() if where == "query"}
    if not violations:
        return None
    turn.violations = violations
    astray = [one for one in violations if one.where.startswith("path:")]
    if astray:
        allow = served(turn.api).router.allowed(turn.call.path)
        if allow:
            return no_method(turn.call.method, allow)
        return Refusal(status=404, kind="no-path", detail=astray[0].detail, violations=astray, total=len(astray))
    if "428" in operation.responses and any(_is_precondition(one) for one in violations):
        return required(violations[0].detail)
    detail = "; ".join(one.detail for one in violations[:3])
    return Refusal(
        status=_status(operation), kind="invalid", detail=detail, violations=violations, total=len(violations)
    )


def _is_precondition(violation: Violation) -> bool:
    """Tell whether it is a precondition that is missing (RFC 6585, 3)."""
    where, _, name = violation.where.partition(":")
    known = {one.lower() for one in CONDITIONS}
    return (where, violation.rule) == ("header", "required") and name.lower() in known


def no_method(method: str, allow: tuple[str, ...]) -> Refusal:
    """Refuse a method that a path does not have, and name those that it has."""
    headers = Headers((("Allow", ", ".join(allow)),))
    return Refusal(status=405, kind="no-method", detail=f"{method} is not allowed here.", headers=headers)


def read_body(turn: Turn) -> Refusal | None:
    """Read the body into the turn, as the declared media type says."""
    operation, call = _operation(turn), turn.call
    if operation.body is None or (not call.body and not operation.body.required):
        return None
    content_type = call.headers.get("Content-Type")
    refusal = _unreadable(operation, content_type)
    if refusal is not None:
        return refusal
    if is_json(essence(content_type)):
        return _read_json(turn)
    turn.data = _text(content_type, call.body)
    return None


def data_again(turn: Turn) -> object:
    """Return the value of a body that was read before; the limits and the strictness of today are not asked."""
    call = turn.call
    kind = essence(call.headers.get("Content-Type"))
    if kind and not is_json(kind):
        return _text(kind, call.body)
    read = read_json(call.body, max_depth=len(call.body), lenient=True)
    return ABSENT if isinstance(read, JsonFault) else turn.api.hooks.canon(turn, read)


def _text(content_type: str, body: bytes) -> object:
    """Return the fields of a form, else the text."""
    text = body.decode("utf-8", "replace")
    return dict(parse_qsl(text, keep_blank_values=True)) if essence(content_type) == FORM else text


def _operation(turn: Turn) -> Operation:
    assert turn.operation is not None  # noqa: S101 - the engine has routed the call
    return turn.operation


def _unreadable(operation: Operation, content_type: str) -> Refusal | None:
    assert operation.body is not None  # noqa: S101 - the caller has looked
    known = " or ".join(one.media_range for one in operation.body.content)
    if operation.body.media(content_type) is None:
        given = content_type[:80] or "no Content-Type"
        return Refusal(status=415, kind="media-type", detail=f"The body must be {known}; got {given}.")
    return None


def _read_json(turn: Turn) -> Refusal | None:
    settings = turn.world.settings
    read = read_json(turn.call.body, max_depth=settings["limits"]["depth"], lenient=settings["lenientJson"])
    if isinstance(read, JsonFault):
        kind = "too-deep" if read.kind == "depth" else "malformed"
        return Refusal(status=400, kind=kind, detail=read.detail, line=read.line, column=read.column)
    turn.data = turn.api.hooks.canon(turn, read)
    return None


def check_body(turn: Turn) -> Refusal | None:
    """Hold the body against its schema, a bulk call's size first."""
    operation = _operation(turn)
    if operation.body is None or turn.data is ABSENT:
        return None
    plan = served(turn.api).plans.get(operation.id)
    if plan is not None:
        refusal = counted(turn, plan) or malformed(turn, plan)
        if refusal is not None:
            turn.violations = refusal.violations
            return refusal
    media = operation.body.media(turn.call.headers.get("Content-Type"))
    if media is None or media.schema is None:
        return None
    items = None if operation.bulk is None else operation.bulk.items
    report = check_value(media.schema, turn.data, items_at=() if items is None else (items.at, *items.also_at))
    return _refused(turn, operation, report) if report else None


def _refused(turn: Turn, operation: Operation, report: Report) -> Refusal:
    turn.violations = report.violations
    first = report.violations[0]
    more = f" This is the first of {report.total} faults." if report.total > 1 else ""
    status = _status(operation) if operation.bulk is None else _bulk_status(operation.bulk, _status(operation))
    return Refusal(
        status=status, kind="invalid", detail=f"{first.detail}{more}", violations=report.violations, total=report.total
    )


def _bulk_status(bulk: Bulk, otherwise: int) -> int:
    declared = bulk.guard.refuse.get("malformedItem", otherwise)
    return declared if isinstance(declared, int) else otherwise


def _status(operation: Operation) -> int:
    """Return what the operation answers to a call that does not fit: 400, or 422 where only that is declared."""
    return 422 if "422" in operation.responses and "400" not in operation.responses else 400

"""The stages of a request: route, authenticate, parse, validate, call the handler, validate the response, record.

Main entries: `validate_request`, which runs `STAGES`, `call_handler` and `finish_and_record`. Status codes follow RFC
9110 (404, 405, 415, 422) and RFC 6585 (428).
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from http import HTTPStatus

from contracts.bulk.model import Bulk
from contracts.exchange.item_text import is_text, read_item_text
from contracts.exchange.preconditions import CONDITIONS
from contracts.messages import ABSENT, Headers, Request, Response, essence
from contracts.openapi.model import NoRoute, Operation, is_json
from contracts.openapi.parameters import types_of
from contracts.openapi.validation import Report, Violation, parse_parameters, validate_response, validate_value
from contracts.schemas.schema_set import Schema
from contracts.syntax.json_text import JsonFault, read_json
from mockserver.api.model import Api, Refusal, RequestContext, problem
from mockserver.bulk.guards import check_malformed_items, check_size, precondition_required
from mockserver.bulk.items import body_text
from mockserver.bulk.job_endpoints import run_due_jobs
from mockserver.bulk.outcome_rendering import violations_of
from mockserver.bulk.prepared_api import prepared
from mockserver.engine.handlers import handler_for
from mockserver.sandbox.sandboxes import Sandbox


def check_parameters(context: RequestContext) -> Refusal | None:
    """Parse the parameters into the context; a path parameter that violates its schema is refused with 404."""
    operation = _operation(context)
    values, violations = parse_parameters(operation, context.request, context.variables)
    context.query = {name: value for (where, name), value in values.items() if where == "query"}
    if not violations:
        return None
    context.violations = violations
    astray = [one for one in violations if one.where.startswith("path:")]
    if astray:
        allow = prepared(context.api).router.allowed(context.request.path)
        if allow:
            return method_not_allowed(context.request.method, allow)
        return Refusal(status=404, kind="no-path", detail=astray[0].detail, violations=astray, total=len(astray))
    if "428" in operation.responses and any(_is_precondition(one) for one in violations):
        return precondition_required(violations[0].detail)
    detail = "; ".join(one.detail for one in violations[:3])
    return Refusal(
        status=_status(operation), kind="invalid", detail=detail, violations=violations, total=len(violations)
    )


def _is_precondition(violation: Violation) -> bool:
    """Tell whether it is a precondition that is missing (RFC 6585, 3)."""
    where, _, name = violation.where.partition(":")
    known = {one.lower() for one in CONDITIONS}
    return (where, violation.rule) == ("header", "required") and name.lower() in known


def method_not_allowed(method: str, allow: tuple[str, ...]) -> Refusal:
    """Refuse a method that a path does not have; `Allow` lists those that it has (RFC 9110, section 15.5.6)."""
    headers = Headers((("Allow", ", ".join(allow)),))
    return Refusal(status=405, kind="no-method", detail=f"{method} is not allowed here.", headers=headers)


def read_body(context: RequestContext) -> Refusal | None:
    """Parse the body into the context, according to its declared media type."""
    operation, request = _operation(context), context.request
    if operation.body is None or (not request.body and not operation.body.required):
        return None
    content_type = request.headers.get("Content-Type")
    refusal = _check_media_type(operation, content_type)
    if refusal is not None:
        return refusal
    if operation.bulk is not None and is_text(operation.bulk):
        return _read_items(context, operation.bulk)
    if is_json(essence(content_type)):
        return _read_json(context)
    context.data = body_text(content_type, request.body)
    return None


def _operation(context: RequestContext) -> Operation:
    assert context.operation is not None  # noqa: S101 - the engine has routed the call
    return context.operation


def _check_media_type(operation: Operation, content_type: str) -> Refusal | None:
    assert operation.body is not None  # noqa: S101 - the caller has looked
    known = " or ".join(one.media_range for one in operation.body.content)
    if operation.body.media(content_type) is None:
        given = content_type[:80] or "no Content-Type"
        return Refusal(status=415, kind="media-type", detail=f"The body must be {known}; got {given}.")
    return None


def _read_json(context: RequestContext) -> Refusal | None:
    settings = context.api_state.settings
    read = read_json(context.request.body, max_depth=settings["limits"]["depth"], lenient=settings["lenientJson"])
    if isinstance(read, JsonFault):
        return _unreadable(read)
    context.data = context.api.hooks.canonicalise(context, read)
    return None


def _unreadable(fault: JsonFault) -> Refusal:
    kind = "too-deep" if fault.kind == "depth" else "malformed"
    return Refusal(status=400, kind=kind, detail=fault.detail, line=fault.line, column=fault.column)


def _read_items(context: RequestContext, bulk: Bulk) -> Refusal | None:
    """Parse the lines, rows or parts of a bulk request into the context."""
    settings, request = context.api_state.settings, context.request
    most, lenient = settings["limits"]["depth"], settings["lenientJson"]
    read = read_item_text(bulk, request.headers.get("Content-Type"), request.body, max_depth=most, lenient=lenient)
    if isinstance(read, JsonFault):
        return _unreadable(read)
    context.data = read
    return None


def check_body(context: RequestContext) -> Refusal | None:
    """Validate the body against its schema, a bulk request's number of items first."""
    operation = _operation(context)
    if operation.body is None or context.data is ABSENT:
        return None
    plan = prepared(context.api).plans.get(operation.id)
    if plan is not None:
        refusal = check_size(context, plan) or check_malformed_items(context, plan)
        if refusal is not None:
            context.violations = refusal.violations
            return refusal
    media = operation.body.media(context.request.headers.get("Content-Type"))
    if media is None or media.schema is None:
        return None
    items = None if operation.bulk is None else operation.bulk.items
    value = context.request.body.decode("utf-8", "replace") if _is_text(operation, media.schema) else context.data
    report = validate_value(media.schema.request, value, items_at=() if items is None else items.places)
    return _refused(context, operation, report) if report else None


def _is_text(operation: Operation, schema: Schema) -> bool:
    """Tell whether a schema describes the text of lines, rows or parts, and not the list of their values."""
    return is_text(operation.bulk) and "string" in types_of(schema)


def _refused(context: RequestContext, operation: Operation, report: Report) -> Refusal:
    context.violations = report.violations
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


Stage = Callable[[RequestContext], Refusal | None]


def make_context(sandbox: Sandbox, api: Api, request: Request, now: datetime) -> RequestContext:
    """Return the context of a request as of `now`, after running the jobs due by then."""
    api_state = sandbox.api_state(api, now)
    run_due_jobs(api, api_state, now)
    api_state.drop_expired(now)
    return RequestContext(api=api, api_state=api_state, request=request, now=now)


def validate_request(context: RequestContext) -> Refusal | None:
    """Run the stages; return why the request is refused, None when the handler may be called."""
    for stage in STAGES:
        refusal = stage(context)
        if refusal is not None:
            return refusal
    return None


def call_handler(context: RequestContext) -> Response:
    """Call the operation's handler and return its response; what it writes is taken back if that is not valid."""
    assert context.operation is not None  # noqa: S101 - the first stage has seen to it
    context.api_state.begin()
    try:
        return handler_for(prepared(context.api), context.operation.id)(context)
    except BaseException:
        context.api_state.roll_back()
        raise


def finish_response(context: RequestContext, response: Response) -> Response:
    """Return the final response: with the API's last changes, validated against the contract.

    What was written is kept, unless the reply breaks the contract.
    """
    last = _validate_response(context, context.api.hooks.finish(context, response))
    context.api_state.commit()
    return last


def finish_and_record(sandbox: Sandbox, context: RequestContext, response: Response) -> Response:
    """Return the final response, and record the exchange in the journal."""
    last = finish_response(context, response)
    if last.status >= HTTPStatus.BAD_REQUEST and context.outcomes and not context.violations:
        context.violations = _item_violations(context)
    sandbox.journal.record(context, last)
    return last


def _item_violations(context: RequestContext) -> Sequence[Violation]:
    """Return what is wrong with the items of a request that was refused for them, where it has a list of items."""
    bulk = None if context.operation is None else context.operation.bulk
    if bulk is None or bulk.items.shape == "map" or bulk.items.groups is not None:
        return ()
    return violations_of(context.outcomes, bulk.items.at, bulk.effect.payload)


def route(context: RequestContext) -> Refusal | None:
    """Set the operation of the request, or refuse it: 404 for an unknown path, 405 for an unknown method."""
    found = prepared(context.api).router.match(context.request.method, context.request.path)
    if not isinstance(found, NoRoute):
        context.operation, context.variables = found.operation, found.variables
        return None
    if found.allow is None:
        return Refusal(
            status=404, kind="no-path", detail=f"{context.api.contract.title} has no path {context.request.path[:200]}."
        )
    return method_not_allowed(context.request.method, found.allow)


def _admit(context: RequestContext) -> Refusal | None:
    return context.api.hooks.authenticate(context)


def _scope(context: RequestContext) -> Refusal | None:
    named = context.api.hooks.scope(context)
    if isinstance(named, Refusal):
        return named
    context.scope = named
    return None


STAGES: tuple[Stage, ...] = (route, _admit, check_parameters, _scope, read_body, check_body)


def _validate_response(context: RequestContext, response: Response) -> Response:
    """Return the reply, or a problem document that says how it breaks the contract, unless somebody asked for that.

    What the document itself answers is not looked at: it fits, or a warning says why it does not.
    """
    if context.answer_origin in _OF_THE_DOCUMENT and context.decision is None:
        return response
    if context.operation is None or (response.data is ABSENT and not response.body and response.status in _EMPTY):
        return response
    if response.status >= HTTPStatus.BAD_REQUEST and context.operation.response(response.status) is None:
        return response  # a refusal that every server may give, such as 415, and that few contracts declare
    broken = validate_response(context.operation, response).violations
    if not broken:
        return response
    context.violations = (*context.violations, *broken)
    if context.api.bugs or (context.decision is not None and context.decision.is_requested):
        return response
    context.api_state.roll_back()
    context.outcomes, context.jobs = (), ()
    detail = f"The sandbox's own reply ({response.status}) breaks the contract of {context.operation.id}."
    return problem(Refusal(status=500, kind="broken-contract", detail=detail, violations=broken))


_EMPTY = frozenset({204, 304})
_OF_THE_DOCUMENT = frozenset({"example", "generated", "problem"})

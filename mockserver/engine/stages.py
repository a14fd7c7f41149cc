"""The stages of a request: route, authenticate, parse, validate, call the handler, validate the response, record.

Main entries: `validate_request`, which runs `STAGES`, `call_handler` and `finish_and_record`. Status codes follow RFC
9110 (404, 405, 415, 422) and RFC 6585 (428).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus

from contracts.bulk.model import Bulk
from contracts.exchange.preconditions import CONDITIONS
from contracts.messages import ABSENT, Headers, Request, Response
from contracts.openapi.model import NoRoute, Operation
from contracts.openapi.validation import Violation, parse_parameters, validate_response
from mockserver.api.model import Api, Refusal, RequestContext, problem
from mockserver.bulk.guards import mode_refusal, precondition_required
from mockserver.bulk.job_endpoints import run_due_jobs
from mockserver.bulk.limits import check_call_quotas, count_call
from mockserver.bulk.outcome_rendering import violations_of
from mockserver.bulk.prepared_api import MAX_KEPT, MAX_KEPT_CHARS, prepared
from mockserver.domain.slices import breathe
from mockserver.engine import conventions
from mockserver.engine.document_responses import answer_from_document
from mockserver.engine.handlers import handler_for
from mockserver.engine.request_bodies import check_body, invalid_status, read_body
from mockserver.sandbox.sandboxes import Sandbox


def check_parameters(context: RequestContext) -> Refusal | None:
    """Parse the parameters into the context.

    A path parameter that violates its schema is refused with 405 where other methods accept it, else with 404; in a
    plain document like any other violation; the key of a record with 404 where that is declared, and their status not.
    """
    operation = context.routed
    violations = _read_parameters(context, operation)
    if context.api.plain and context.api_state.settings["strict"]:
        violations += conventions.undeclared(context)
    if not violations:
        return None
    bulk = operation.bulk
    if context.api.plain and bulk is not None and _is_of_mode(bulk, violations):
        return mode_refusal(context, bulk)
    astray = [one for one in violations if one.where.startswith("path:")]
    if astray and (allow := prepared(context.api).router.allowed(context.request.path)):
        return method_not_allowed(context.request.method, allow)
    if not context.api.plain:
        context.violations = violations
        if astray:
            return Refusal(status=404, kind="no-path", detail=astray[0].detail, violations=astray, total=len(astray))
    if "428" in operation.responses and any(_is_precondition(one) for one in violations):
        context.violations = violations
        return precondition_required(violations[0].detail)
    detail = "; ".join(one.detail for one in violations[:3])
    status, kind = invalid_status(context), "invalid"
    key = None if operation.record is None else operation.record.key
    names_nothing = any(one.where == key for one in astray) and operation.response(HTTPStatus.NOT_FOUND) is not None
    if names_nothing and operation.response(status) is None:
        status, kind = HTTPStatus.NOT_FOUND.value, "not-found"
    refusal = Refusal(status=status, kind=kind, detail=detail, violations=violations, total=len(violations))
    return conventions.invalid(context, refusal) if context.api.plain else refusal


def _is_of_mode(bulk: Bulk, violations: Sequence[Violation]) -> bool:
    """Tell whether nothing but the parameter with the unit is wrong, and a guard says how that is refused."""
    return "badMode" in bulk.guard.refuse and {one.where for one in violations} == {bulk.unit.of.source}


def _read_parameters(context: RequestContext, operation: Operation) -> tuple[Violation, ...]:
    """Set the query parameters of a call, and return what is wrong with any; of a valid call they are kept."""
    request, ready = context.request, prepared(context.api)
    outside = [one for one in operation.parameters if one.where in {"header", "cookie"}]
    fields = [request.headers.get_all(one.name if one.where == "header" else "Cookie") for one in outside]
    seen = (operation.id, request.path, request.query, *fields)
    known = ready.queries.get(seen)
    if known is not None:
        context.query = known
        return ()
    values, violations = parse_parameters(operation, request, context.variables)
    context.query = {name: value for (where, name), value in values.items() if where == "query"}
    if not violations and _is_kept(seen, context.query):
        if len(ready.queries) >= MAX_KEPT:
            ready.queries.clear()
        ready.queries[seen] = context.query
    return violations


def _is_kept(seen: tuple[object, ...], query: Mapping[str, object]) -> bool:
    return len(str(seen)) <= MAX_KEPT_CHARS and not any(isinstance(one, list | dict) for one in query.values())


def _is_precondition(violation: Violation) -> bool:
    """Tell whether it is a precondition that is missing (RFC 6585, 3)."""
    where, _, name = violation.where.partition(":")
    known = {one.lower() for one in CONDITIONS}
    return (where, violation.rule) == ("header", "required") and name.lower() in known


def method_not_allowed(method: str, allow: tuple[str, ...]) -> Refusal:
    """Refuse a method that a path does not have; `Allow` lists those that it has (RFC 9110, section 15.5.6)."""
    headers = Headers((("Allow", ", ".join(allow)),))
    return Refusal(status=405, kind="no-method", detail=f"{method} is not allowed here.", headers=headers)


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
        breathe()
    return None


def find_scope(context: RequestContext) -> Refusal | None:
    """Set the operation, client, parameters and scope of a request, or refuse it; nothing is counted."""
    stages: tuple[Stage, ...] = (route, _admit, check_parameters, _scope)
    return next((refusal for stage in stages if (refusal := stage(context)) is not None), None)


def respond(context: RequestContext, refusal: Refusal | None) -> Response:
    """Return the handler's response to a request, or that of the refusal where there is one."""
    return call_handler(context) if refusal is None else context.refuse(refusal)


def call_handler(context: RequestContext) -> Response:
    """Call the operation's handler and return its response; what it writes is taken back if that is not valid."""
    operation = context.routed
    response = answer_from_document(context) if context.excused else _handle(context, operation)
    if operation.quota and response.status < HTTPStatus.BAD_REQUEST:
        count_call(context)
    return response


def _handle(context: RequestContext, operation: Operation) -> Response:
    context.api_state.begin()
    try:
        return handler_for(prepared(context.api), operation.id)(context)
    except BaseException:
        context.api_state.roll_back()
        raise


def finish_response(context: RequestContext, response: Response) -> Response:
    """Return the final response: with the API's last changes, validated against the contract.

    What was written is kept, unless the reply breaks the contract.
    """
    last = _validate_response(context, context.api.hooks.finish(context, response))
    if context.api_state.store.undo:
        context.writes = (*context.writes, *context.api_state.store.undo)
    context.api_state.commit()
    return conventions.with_conventions(context, last) if context.api.plain else last


def finish_and_record(sandbox: Sandbox, context: RequestContext, response: Response) -> Response:
    """Return the final response, and record the exchange in the journal."""
    breathe()
    last = finish_response(context, response)
    breathe()
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
    router, request = prepared(context.api).router, context.request
    found = router.match(request.method, request.path, request)
    if isinstance(found, NoRoute) and context.api.plain and request.method == "HEAD":
        found = router.match("GET", request.path, request)
    if not isinstance(found, NoRoute):
        context.operation, context.variables = found.operation, found.variables
        return conventions.unknown_server(context) if context.api.plain and request.query else None
    if found.allow is not None:
        return method_not_allowed(request.method, found.allow)
    lacking = conventions.empty_variable(router, request.method, request.path) if context.api.plain else None
    if lacking is not None:
        context.operation, refusal = lacking
        context.violations = refusal.violations
        return refusal
    return Refusal(status=404, kind="no-path", detail=f"{context.api.contract.title} has no path {request.path[:200]}.")


def _admit(context: RequestContext) -> Refusal | None:
    return context.api.hooks.authenticate(context)


def _scope(context: RequestContext) -> Refusal | None:
    named = context.api.hooks.scope(context)
    if isinstance(named, Refusal):
        return named
    context.scope = named
    return None


def _check_quota(context: RequestContext) -> Refusal | None:
    """Refuse a request too many; behaviours of an API's own ask for themselves."""
    operation = context.routed
    return check_call_quotas(context) if operation.quota and operation.id not in context.api.behaviours else None


def _check_acceptable(context: RequestContext) -> Refusal | None:
    return conventions.unacceptable(context) if context.api.plain else None


STAGES: tuple[Stage, ...] = (
    route,
    _admit,
    check_parameters,
    _scope,
    read_body,
    check_body,
    _check_acceptable,
    _check_quota,
)


def _validate_response(context: RequestContext, response: Response) -> Response:
    """Return the reply, or a problem document that says how it breaks the contract, unless somebody asked for that.

    What the document itself answers fits, or carries a warning; it is sent even so, unless the setting `errors` is on.
    """
    errors = context.api.plain and context.api_state.settings["errors"]
    lenient = context.answer_origin in _OF_THE_DOCUMENT and not errors
    if lenient and context.decision is None and not context.answer_warning:
        return response
    if context.operation is None or (response.data is ABSENT and not response.body and response.status in _EMPTY):
        return response
    if response.status >= HTTPStatus.BAD_REQUEST and context.operation.response(response.status) is None:
        return response  # a refusal that every server may give, such as 415, and that few contracts declare
    broken = validate_response(context.operation, response).violations
    if not broken:
        return response
    context.violations = (*context.violations, *broken)
    is_requested = context.decision is not None and context.decision.is_requested and not errors
    if context.api.bugs or lenient or is_requested:
        return response
    return _broken_reply(context, context.operation, response, broken)


def _broken_reply(
    context: RequestContext, operation: Operation, response: Response, broken: Sequence[Violation]
) -> Response:
    """Take back what was written; answer from the document what was only inferred, else say what is broken."""
    context.api_state.roll_back()
    context.outcomes, context.jobs = (), ()
    act, own = operation.record, operation.id in context.api.behaviours
    if context.api.plain and act is not None and act.inferred and not own:
        context.violations = ()
        return context.api.hooks.finish(context, answer_from_document(context))
    detail = f"The sandbox's own reply ({response.status}) breaks the contract of {operation.id}."
    return problem(Refusal(status=500, kind="broken-contract", detail=detail, violations=broken))


_EMPTY = frozenset({204, 304})
_OF_THE_DOCUMENT = frozenset({"example", "generated", "problem"})

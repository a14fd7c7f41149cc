"""The conventions of document mock servers, by which a plain document is served; most are Prism's.

`invalid` decides about a request that does not fit, `unacceptable` about its `Accept`; `with_conventions` adds to a
response what was wrong with the request, and what is deprecated. Status codes follow RFC 9110.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from contracts.messages import Request, Response
from contracts.openapi.model import NoRoute, Operation, best_accepted, is_accepted_as_well, is_json
from contracts.openapi.parameters import undeclared_query
from contracts.openapi.routing import VARIABLES, Router
from contracts.openapi.security import key_places
from contracts.schemas.patterns import linear_regex
from contracts.schemas.violations import Violation
from contracts.syntax.text import clipped, listed, tokens_of
from mockserver.api.model import Refusal, RequestContext
from mockserver.bulk.prepared_api import MAX_KEPT, MAX_KEPT_CHARS, prepared
from mockserver.engine.body_formats import printable_ascii

SERVER_PREFERENCE: Final = "__server"
PREFERENCE_PREFIX: Final = "__"  # of names in the query that speak to the mock server
VIOLATIONS_HEADER: Final = "Bulkproof-Violations"
PRISM_HEADER: Final = "sl-violations"
MAX_HEADER_CHARS: Final = 4000  # of each of the two; clients and proxies refuse long ones
WARNINGS: Final = frozenset(("deprecated", "undeclared"))  # rules whose breach is no error


def has_preferences(request: Request) -> bool:
    """Tell whether a request may have preferences (`mockserver.engine.scenario_selection` reads them); a fast check."""
    return "Prefer" in request.headers or (
        request.query != () and any(name.startswith(PREFERENCE_PREFIX) for name, _ in request.query)
    )


def invalid_status(operation: Operation) -> int:
    """Return the status for a request that does not fit: 422, or 400 where only that is declared."""
    return 400 if "422" not in operation.responses and "400" in operation.responses else 422


def invalid(context: RequestContext, refusal: Refusal) -> Refusal | None:
    """Return the refusal of a request that does not fit; None where it is answered in spite of that.

    The settings say which: `validateRequests` is `error`, `warn` (the response says what was wrong) or `off`.
    """
    mode = context.api_state.settings["validateRequests"]
    if mode == "off":
        context.excused = True
        return None
    context.violations = (*context.violations, *refusal.violations)
    context.excused = mode == "warn"
    return None if context.excused else refusal


def violation(where: str, rule: str, detail: str, *, expected: str = "", pointer: str = "") -> Violation:
    """Return a violation of a request that no schema tells of."""
    return Violation(where=where, pointer=pointer, rule=rule, expected=expected, got="nothing", detail=detail)


def unacceptable(context: RequestContext) -> Refusal | None:
    """Refuse a request whose `Accept` excludes every declared media type of success (RFC 9110, section 15.5.7)."""
    accept, operation = context.request.headers.get("Accept"), context.operation
    if not accept or operation is None:
        return None
    accepted = prepared(context.api).accepted
    if (operation.id, accept) in accepted:
        return None
    declared = [one for status, one in operation.responses.items() if status.startswith("2")]
    first = min(declared, key=lambda one: one.status, default=operation.responses.get("default"))
    if first is None or not first.content:
        return None
    best = best_accepted(first.content, accept)
    if best is not None:
        in_json = [one.media_range for one in first.content if is_json(one.media_range) or "*" in one.media_range]
        if operation.record is not None and in_json and best.media_range not in in_json:
            is_as_good = any(is_accepted_as_well(one, best.media_range, accept) for one in in_json)
            context.excused = context.excused or not is_as_good  # other notations than JSON are the document's
        elif len(accepted) < MAX_KEPT and len(accept) <= MAX_KEPT_CHARS:
            accepted.add((operation.id, accept))
        return None
    known = " or ".join(one.media_range for one in first.content)
    return Refusal(status=406, kind="not-acceptable", detail=f"The answer is {known}; Accept is {accept[:200]}.")


def empty_variable(router: Router, method: str, path: str) -> tuple[Operation, Refusal] | None:
    """Return the operation of a path with an empty variable, and the refusal; None where there is none.

    It names nothing: that is 404 where the operation declares it.
    """
    segments = path.split("/")
    if "" not in segments[1:]:
        return None
    found = router.match(method, "/".join([segments[0], *(one or "-" for one in segments[1:])]))
    if isinstance(found, NoRoute):
        return None
    places = zip(found.operation.path.split("/")[1:], segments[1:], strict=True)
    name = next((part.strip("{}") for part, given in places if not given and part.startswith("{")), None)
    if name is None:
        return None
    detail = f"The path parameter '{name}' is missing."
    lacking = violation(f"path:{name}", "required", detail, expected="a value")
    status = 404 if "404" in found.operation.responses else invalid_status(found.operation)
    return found.operation, Refusal(status=status, kind="invalid", detail=detail, violations=(lacking,), total=1)


def unknown_server(context: RequestContext) -> Refusal | None:
    """Refuse a request whose `__server` is no server of the document; the variables of a server take any value."""
    given = context.request.parameter(SERVER_PREFERENCE).rstrip("/")
    if not given:
        return None
    servers: Any = context.api.contract.document.get("servers", ())
    known = [str(one["url"]) for one in servers if isinstance(one, Mapping) and "url" in one]
    for url in known:
        pieces = VARIABLES.split(url.rstrip("/"))[::2]
        if sum(map(len, pieces)) <= len(given) and linear_regex(f"^{'[^/]*'.join(map(re.escape, pieces))}$")(given):
            return None
    detail = f"{given[:200]} is no server of the document. It has {listed(known) or 'none'}."
    return Refusal(status=404, kind="no-path", detail=detail)


def undeclared(context: RequestContext) -> tuple[Violation, ...]:
    """Return the query parameters of a request that the operation does not declare."""
    operation = context.operation
    if operation is None or not context.request.query:
        return ()
    known = {name for where, name in key_places(context.api.contract, operation) if where == "query"}
    known.update(name for name, _ in operation.selectors)
    return tuple(
        violation(f"query:{name}", "undeclared", f"'{clipped(name, 80)}' is no parameter of {operation.id}.")
        for name in undeclared_query(operation, context.request)
        if name not in known and not name.startswith(PREFERENCE_PREFIX)
    )


def with_conventions(context: RequestContext, response: Response) -> Response:
    """Return a response with header fields for violations, and for what is deprecated."""
    operation = context.operation
    if operation is None or not (
        context.violations or operation.deprecated or operation.parameters or context.request.query
    ):
        return response
    found = [*context.violations, *_warnings(context, operation)]
    pairs = [("Deprecation", "true")] if operation.deprecated else []
    if found:
        pairs += [(VIOLATIONS_HEADER, _in_words(found)), (PRISM_HEADER, _as_json(found))]
    return response.with_headers(*pairs) if pairs else response


def _warnings(context: RequestContext, operation: Operation) -> Iterator[Violation]:
    known = {one.where for one in context.violations}
    yield from (one for one in undeclared(context) if one.where not in known)
    request = context.request
    for one in operation.parameters:
        if one.deprecated and (
            (one.where == "query" and any(name == one.name for name, _ in request.query))
            or (one.where == "header" and one.name in request.headers)
        ):
            yield violation(f"{one.where}:{one.name}", "deprecated", f"'{one.name}' is deprecated.")


def _in_words(found: Sequence[Violation]) -> str:
    said = "; ".join(f"{one.where}{one.pointer} {one.detail}" for one in found)
    return clipped(printable_ascii(said), MAX_HEADER_CHARS)


def _as_json(found: Sequence[Violation]) -> str:
    """Return violations as Prism writes them, as many as the header holds."""
    written: list[str] = []
    for one in found:
        text = json.dumps(_for_prism(one), separators=(",", ":"))
        if sum(map(len, written)) + len(text) > MAX_HEADER_CHARS:
            break
        written.append(text)
    return f"[{','.join(written)}]"


def _for_prism(one: Violation) -> dict[str, object]:
    side = "request" if one.side == "call" else "response"
    severity = "Warning" if one.rule in WARNINGS else "Error"
    location = [side, *one.where.split(":", 1), *tokens_of(one.pointer)]
    return {"location": location, "severity": severity, "code": one.rule, "message": one.detail}

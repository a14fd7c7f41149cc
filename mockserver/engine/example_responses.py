"""Responses that replace the handler's: a given body, an example of the contract, or one generated from its schema.

Main entry: `make_response`. The preferences `code`, `example` and `dynamic` are Prism's.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.model import MediaType, Operation, is_json
from contracts.openapi.security import challenge
from contracts.syntax.text import did_you_mean, listed
from mockserver.api.model import PROBLEM_MEDIA_TYPE, Refusal, RequestContext, reason_phrase
from mockserver.engine.document_responses import (
    STATUSES_WITHOUT_CONTENT,
    Example,
    chosen_media,
    concrete_media_type,
    document_response,
    example_response,
    examples_of,
    generated_response,
    success_status,
    with_declared_headers,
)
from mockserver.scenarios.building import fill_in
from mockserver.scenarios.model import ResponseEffect

FIRST_ERROR_STATUS: Final = 400
UNAUTHORIZED: Final = 401
HEADERS_BY_STATUS: Final = {
    UNAUTHORIZED: (("WWW-Authenticate", "Bearer"),),
    429: (("Retry-After", "1"),),
}  # what HTTP has such answers say


def make_response(context: RequestContext, effect: ResponseEffect) -> Response:
    """Return the response that a scenario, or the request's own preference, specifies."""
    made = MAKERS[effect.source](context, effect)
    if isinstance(made, Refusal):
        return _refuse(context, made)
    if made.status in STATUSES_WITHOUT_CONTENT:
        made = Response(status=made.status)
    return with_declared_headers(context, made)


def _refuse(context: RequestContext, refusal: Refusal) -> Response:
    """Refuse what was asked for, or with a status of failure refuse the call as was asked for."""
    if refusal.kind != "scenario" and context.decision is not None:
        context.decision = replace(context.decision, applied_preferences=())
    return context.refuse(refusal)


def _from_body(context: RequestContext, effect: ResponseEffect) -> Response:
    status = effect.status or success_status(context.operation)
    decision = context.decision
    chosen: Sequence[object] = () if decision is None else [one.raw for one in decision.chosen]
    body = fill_in(effect.body, chosen or _raw_items(context))
    if isinstance(body, str) and not is_json(_media_type_for(context, status)):
        return Response(
            status=status, headers=Headers((("Content-Type", _media_type_for(context, status)),)), body=body.encode()
        )
    return Response.of(status, body, media_type=_media_type_for(context, status))


def _raw_items(context: RequestContext) -> Sequence[object]:
    """Return the items of the call as they were sent; the whole body is the only one of a call that has none."""
    from mockserver.bulk.prepared_api import plan_of  # noqa: PLC0415 - only answers that speak of items need them

    plan = plan_of(context)
    if plan is not None:
        return [raw for _, raw in plan.item_reader.collection(context)]
    return () if context.data is ABSENT else (context.data,)


def _from_example(context: RequestContext, effect: ResponseEffect) -> Response | Refusal:
    every = list(examples_of(context.operation))
    found = [one for one in every if one.name == effect.example and effect.status in {None, one.status}]
    if found:
        first = next((one for one in found if _is_chosen(context, one)), found[0])
        return example_response(context, first._replace(status=effect.status or first.status))
    names = dict.fromkeys(one.name for one in every if effect.status in {None, one.status})
    hint = did_you_mean(effect.example, names) or (f"There are {listed(names)}." if names else "There are none.")
    return _unknown(context, f"There is no example '{effect.example[:80]}' here. {hint}")


def _is_chosen(context: RequestContext, example: Example) -> bool:
    media = _declared_media(context, example.status)
    return media is not None and media.media_range == example.media.media_range


def _unknown(context: RequestContext, detail: str) -> Refusal:
    """Refuse what the contract does not have: 404 for a plain document, as Prism does."""
    return Refusal(status=404 if context.api.plain else FIRST_ERROR_STATUS, kind="invalid", detail=detail)


def _from_schema(context: RequestContext, effect: ResponseEffect) -> Response | Refusal:
    status = effect.status or success_status(context.operation)
    media = _declared_media(context, status)
    if media is None or media.schema is None or status in STATUSES_WITHOUT_CONTENT:
        return _without_content(context, status)
    number = context.api_state.ids.random("made-up").getrandbits(32)
    asked = None if context.decision is None else context.decision.seed
    return generated_response(context, status, media, seed=number if asked is None else asked)


def _from_status(context: RequestContext, effect: ResponseEffect) -> Response | Refusal:
    """Return what the document says with the status: an example first; of a failure without one, a refusal."""
    status = effect.status or success_status(context.operation)
    media = _declared_media(context, status)
    is_own = context.operation is not None and (context.api.plain or str(status) in context.operation.responses)
    if media is not None and (status < FIRST_ERROR_STATUS or (media.examples and is_own)):
        return document_response(context, status)
    return _without_content(context, status)


def _refusal_for(context: RequestContext, status: int) -> Refusal:
    name = "" if context.decision is None else context.decision.scenario
    headers = Headers(HEADERS_BY_STATUS.get(status, ()))
    if status == UNAUTHORIZED and context.api.plain and context.operation is not None:
        asked = challenge(context.api.contract, context.operation)
        headers = headers.with_(("WWW-Authenticate", asked)) if asked else headers
    return Refusal(
        headers=headers,
        status=status,
        kind="scenario",
        detail=f"{reason_phrase(status)}{f', by the scenario {name}' if name else ''}.",
    )


def _without_content(context: RequestContext, status: int) -> Response | Refusal:
    operation: Operation | None = context.operation
    is_preferred = context.api.plain and context.decision is not None and not context.decision.scenario
    is_unknown = operation is not None and operation.responses and operation.response(status) is None
    if is_unknown and (status < FIRST_ERROR_STATUS or is_preferred):
        known = listed(operation.responses if operation is not None else ())
        return _unknown(context, f"The contract has no answer {status} here; it has {known}.")
    return _refusal_for(context, status) if status >= FIRST_ERROR_STATUS else Response(status=status)


def _declared_media(context: RequestContext, status: int) -> MediaType | None:
    return chosen_media(context, None if context.operation is None else context.operation.response(status))


def _media_type_for(context: RequestContext, status: int) -> str:
    media = _declared_media(context, status)
    if media is not None:
        return concrete_media_type(media)
    return PROBLEM_MEDIA_TYPE if status >= FIRST_ERROR_STATUS else "application/json"


MAKERS: Final = {"": _from_status, "given": _from_body, "example": _from_example, "generate": _from_schema}

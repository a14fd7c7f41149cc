"""Responses that replace the handler's: a given body, an example of the contract, or one generated from its schema.

Main entry: `make_response`. The preferences `code`, `example` and `dynamic` are Prism's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.model import DeclaredResponse, MediaType, Operation, is_json
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import did_you_mean, listed
from mockserver.api.model import PROBLEM_MEDIA_TYPE, Refusal, RequestContext, reason_phrase
from mockserver.scenarios.building import fill_in
from mockserver.scenarios.model import ResponseEffect

if TYPE_CHECKING:
    from collections.abc import Sequence

STATUSES_WITHOUT_CONTENT: Final = frozenset((204, 304))
FIRST_ERROR_STATUS: Final = 400
HEADERS_BY_STATUS: Final = {
    401: (("WWW-Authenticate", "Bearer"),),
    429: (("Retry-After", "1"),),
}  # what HTTP has such answers say
DEFAULT_HEADER_VALUES: Final[Mapping[str, str]] = {
    "retry-after": "1",
    "www-authenticate": "Bearer",
}  # where a contract demands them


class Example(NamedTuple):
    """An example of a response, with its status code and media type."""

    status: int
    media: MediaType
    name: str
    value: object


def make_response(context: RequestContext, effect: ResponseEffect) -> Response:
    """Return the response that a scenario, or the request's own preference, specifies."""
    made = MAKERS[effect.source](context, effect)
    if isinstance(made, Refusal):
        return _refuse(context, made)
    if made.status in STATUSES_WITHOUT_CONTENT:
        return Response(status=made.status)
    return _with_required_headers(context, made)


def _refuse(context: RequestContext, refusal: Refusal) -> Response:
    """Refuse what was asked for, or with a status of failure refuse the call as was asked for."""
    if refusal.kind != "scenario" and context.decision is not None:
        context.decision = replace(context.decision, applied_preferences=())
    return context.api.hooks.refuse(context, refusal)


def _from_body(context: RequestContext, effect: ResponseEffect) -> Response:
    status = effect.status or _success_status(context.operation)
    decision = context.decision
    chosen: Sequence[object] = () if decision is None else [one.raw for one in decision.chosen]
    body = fill_in(effect.body, chosen or _raw_items(context))
    if isinstance(body, str) and not is_json(_media_type_for(context, status)):
        return Response(
            status=status, headers=Headers((("Content-Type", _media_type_for(context, status)),)), body=body.encode()
        )
    return Response.of(status, body, media_type=_media_type_for(context, status))


def _raw_items(context: RequestContext) -> "Sequence[object]":
    """Return the items of the call as they were sent; the whole body is the only one of a call that has none."""
    from mockserver.bulk.prepared_api import prepared  # noqa: PLC0415 - only answers that speak of items need them

    plan = None if context.operation is None else prepared(context.api).plans.get(context.operation.id)
    if plan is not None:
        return [raw for _, raw in plan.item_reader.collection(context)]
    return () if context.data is ABSENT else (context.data,)


def _from_example(context: RequestContext, effect: ResponseEffect) -> Response | Refusal:
    every = list(_examples(context.operation))
    found = [one for one in every if one.name == effect.example and effect.status in {None, one.status}]
    if found:
        return _render_example(context, found[0], found[0].status if effect.status is None else effect.status)
    names = dict.fromkeys(one.name for one in every if effect.status in {None, one.status})
    hint = did_you_mean(effect.example, names) or (f"There are {listed(names)}." if names else "There are none.")
    return Refusal(
        status=FIRST_ERROR_STATUS, kind="invalid", detail=f"There is no example '{effect.example[:80]}' here. {hint}"
    )


def _from_schema(context: RequestContext, effect: ResponseEffect) -> Response | Refusal:
    status = effect.status or _success_status(context.operation)
    media = _declared_media(context.operation, status)
    if media is None or media.schema is None or status in STATUSES_WITHOUT_CONTENT:
        return _without_content(context, status)
    return Response.of(status, _generated_value(context, media.schema), media_type=_concrete_media_type(media))


def _from_status(context: RequestContext, effect: ResponseEffect) -> Response | Refusal:
    """Return the first example that there is for the status, else what the API says with such a status."""
    status = effect.status or _success_status(context.operation)
    shown = next((one for one in _examples(context.operation) if one.status == status), None)
    if shown is not None:
        return _render_example(context, shown, status)
    if status < FIRST_ERROR_STATUS:
        return _from_schema(context, effect)
    return _refusal_for(context, status)


def _refusal_for(context: RequestContext, status: int) -> Refusal:
    name = "" if context.decision is None else context.decision.scenario
    return Refusal(
        headers=Headers(HEADERS_BY_STATUS.get(status, ())),
        status=status,
        kind="scenario",
        detail=f"{reason_phrase(status)}{f', by the scenario {name}' if name else ''}.",
    )


def _without_content(context: RequestContext, status: int) -> Response | Refusal:
    known = {} if context.operation is None else context.operation.responses
    if (
        status < FIRST_ERROR_STATUS
        and known
        and (context.operation is None or context.operation.response(status) is None)
    ):
        detail = f"The contract has no answer {status} here; it has {listed(known)}."
        return Refusal(status=FIRST_ERROR_STATUS, kind="invalid", detail=detail)
    return _refusal_for(context, status) if status >= FIRST_ERROR_STATUS else Response(status=status)


def _render_example(context: RequestContext, example: Example, status: int) -> Response:
    del context
    value, media_type = example.value, _concrete_media_type(example.media)
    if isinstance(value, str) and not is_json(media_type):
        return Response(status=status, headers=Headers((("Content-Type", media_type),)), body=value.encode())
    return Response.of(status, value, media_type=media_type)


def _examples(operation: Operation | None) -> Iterator[Example]:
    """Yield every example of an operation's answers; those of a class of statuses stand under its first."""
    for documented in () if operation is None else operation.responses.values():
        status = _status_number(documented)
        for media in documented.content if status is not None else ():
            yield from (Example(status or 0, media, name, value) for name, value in media.examples.items())


def _status_number(documented: DeclaredResponse) -> int | None:
    first = documented.status[:1]
    if documented.status.isdigit():
        return int(documented.status)
    return int(first) * 100 if first.isdigit() else None


def _success_status(operation: Operation | None) -> int:
    """Return the first status of success that is declared, 200 when there is none."""
    every = [] if operation is None else [_status_number(one) for one in operation.responses.values()]
    return min((one for one in every if one is not None and one // 100 == 2), default=200)  # noqa: PLR2004 - HTTP's class


def _declared_media(operation: Operation | None, status: int) -> MediaType | None:
    documented = None if operation is None else operation.response(status)
    return documented.content[0] if documented is not None and documented.content else None


def _concrete_media_type(media: MediaType) -> str:
    return "application/json" if "*" in media.media_range else media.media_range


def _media_type_for(context: RequestContext, status: int) -> str:
    media = _declared_media(context.operation, status)
    if media is not None:
        return _concrete_media_type(media)
    return PROBLEM_MEDIA_TYPE if status >= FIRST_ERROR_STATUS else "application/json"


def _with_required_headers(context: RequestContext, response: Response) -> Response:
    """Return the reply with the headers that the contract demands of its status."""
    documented = None if context.operation is None else context.operation.response(response.status)
    lacking = [one for one in (documented.headers if documented is not None else ()) if one.required]
    pairs = [
        (one.name, DEFAULT_HEADER_VALUES.get(one.name.lower()) or _generated_header(context, one.schema))
        for one in lacking
        if one.name not in response.headers and one.name.lower() != "content-type"
    ]
    return Response(
        status=response.status, headers=response.headers.with_(*pairs), body=response.body, data=response.data
    )


def _generated_header(context: RequestContext, schema: Schema | None) -> str:
    value = "" if schema is None else _generated_value(context, schema)
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _generated_value(context: RequestContext, schema: Schema) -> Any:
    """Return a value that fits a schema: by the seed that the call names, else by the sandbox's."""
    from generators.data.compile import compile_schema  # noqa: PLC0415 - made-up answers are rare

    named = None if context.decision is None else context.decision.seed
    seed = context.api_state.ids.random("made-up").getrandbits(32) if named is None else named
    return compile_schema(schema, edges=0.0, realistic=False).generate(seed)


MAKERS: Final = {"": _from_status, "given": _from_body, "example": _from_example, "generate": _from_schema}

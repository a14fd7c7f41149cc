"""Render a refusal in the error body that the document declares. Begin with `error_response`."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from contracts.messages import ABSENT, Response
from contracts.openapi.model import NoRoute, Operation, Route
from contracts.openapi.parameters import types_of
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import clipped
from mockserver.api.model import PROBLEM_MEDIA_TYPE, Refusal, RequestContext, problem
from mockserver.bulk.prepared_api import prepared
from mockserver.engine.document_responses import (
    chosen_media,
    concrete_media_type,
    document_response,
    with_body,
    with_declared_headers,
)

TEXT_MEMBERS: Final = frozenset(
    (
        *(
            "message",
            "detail",
            "details",
            "error",
            "errors",
            "title",
            "description",
            "reason",
            "msg",
            "text",
            "summary",
        ),
        *("errormessage", "errordescription", "developermessage", "usermessage", "fault", "faultstring"),
    )
)  # members of error bodies that say what is wrong, in lower case and without separators
CODE_MEMBERS: Final = frozenset(
    ("status", "code", "statuscode", "errorcode", "httpstatus", "httpcode", "httpstatuscode")
)
MAX_ERROR_DEPTH: Final = 3
NOT_ALLOWED: Final = "405"


def error_response(context: RequestContext, refusal: Refusal) -> Response:
    """Answer a refusal: with a problem document where the operation allows one, else with its own error body."""
    context.answer_origin, context.answer_warning = "problem", ""
    beside = _beside(context) if refusal.kind == "no-method" and context.operation is None else None
    if beside is not None:
        return error_response(replace(context, operation=beside), refusal)
    answer = problem(refusal)
    documented = None if context.operation is None else context.operation.response(refusal.status)
    if documented is None or not documented.content:
        return answer
    declared = documented.media(PROBLEM_MEDIA_TYPE)
    if declared is not None and (declared.schema is None or declared.schema.is_valid(answer.data)):
        return with_declared_headers(context, answer)
    response = document_response(context, refusal.status)
    media = chosen_media(context, documented)
    if media is not None and media.schema is not None and context.answer_origin == "generated":
        value = with_detail(media.schema.response, response.data, refusal)
        response = with_body(context, refusal.status, value, concrete_media_type(media), media.schema)
    return Response(
        status=refusal.status,
        headers=response.headers.with_(*refusal.headers),
        body=response.body,
        data=response.data,
    )


def _beside(context: RequestContext) -> Operation | None:
    """Return an operation of the path that declares how a method is refused which the path does not have."""
    router, path = prepared(context.api).router, context.request.path
    found = router.match(context.request.method, path)
    routes = [router.match(method, path) for method in (found.allow or ())] if isinstance(found, NoRoute) else []
    operations = [one.operation for one in routes if isinstance(one, Route)]
    return next((one for one in operations if NOT_ALLOWED in one.responses), None)


def with_detail(schema: Schema, value: object, refusal: Refusal) -> object:
    """Return an error body with the refusal's detail in its text members, and the status in its code members."""
    if isinstance(value, str) or value is ABSENT:
        return next((one for one in (refusal.detail, value) if schema.is_valid(one)), refusal.detail)
    changed: Any = value
    for path, own in _error_members(schema, value, (), MAX_ERROR_DEPTH):
        for said in _candidates(path[-1], own, refusal):
            attempt = _replaced(changed, path, said)
            if schema.is_valid(attempt):
                changed = attempt
                break
    return changed


def _folded(name: object) -> str:
    return str(name).lower().replace("_", "").replace("-", "").replace(" ", "")


def _error_members(
    schema: Schema | None, value: object, path: tuple[str | int, ...], depth: int
) -> Iterator[tuple[tuple[str | int, ...], Schema | None]]:
    """Yield the paths of the members that say what is wrong, declared or there, with their schemas."""
    if isinstance(value, list) and value and schema is not None:
        yield from _error_members(schema.items(), value[0], (*path, 0), depth)
    if isinstance(value, list) and path and not isinstance(path[-1], int):
        yield (*path, 0), None if schema is None else schema.items()
    if not isinstance(value, dict) or depth == 0:
        return
    declared = schema.members() if schema is not None else {}
    for name in {**declared, **value}:
        own = declared.get(name)
        if isinstance(value.get(name), dict | list):
            yield from _error_members(own, value[name], (*path, name), depth - 1)
        elif _folded(name) in TEXT_MEMBERS | CODE_MEMBERS:
            yield (*path, name), own


def _candidates(name: str | int, own: Schema | None, refusal: Refusal) -> tuple[object, ...]:
    if _folded(name) in CODE_MEMBERS:
        return (
            (refusal.status, str(refusal.status))
            if own is None or "string" not in types_of(own)
            else (str(refusal.status),)
        )
    return (refusal.detail, clipped(refusal.detail, 80), [refusal.detail])


def _replaced(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    """Return a copy of a value with another one at a path."""
    if not path:
        return new
    first, *rest = path
    if isinstance(value, dict):
        return {**value, first: _replaced(value.get(first), tuple(rest), new)}
    if isinstance(value, list) and isinstance(first, int):
        inner = _replaced(value[first] if first < len(value) else None, tuple(rest), new)
        return [*value[:first], inner, *value[first + 1 :]]
    return value

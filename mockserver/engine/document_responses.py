"""Answer an operation from the document alone: its example, else a generated value, with all declared headers.

Main entry: `answer_from_document`, the handler of what nothing else serves. The parts serve refusals too
(`mockserver.engine.error_responses`), and `Prefer` and scenarios (`mockserver.engine.example_responses`).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.model import (
    DeclaredResponse,
    HeaderField,
    MediaType,
    Operation,
    best_accepted,
    is_accepted_as_well,
    is_json,
)
from contracts.openapi.parameters import read_text, types_of
from contracts.schemas.schema_set import Schema
from contracts.syntax.json_text import JsonFault, read_json
from contracts.syntax.text import as_list, clipped
from mockserver.api.model import Refusal, RequestContext
from mockserver.bulk.prepared_api import MAX_KEPT, MAX_KEPT_CHARS, prepared
from mockserver.engine.body_formats import header_text, printable_ascii, write_body

STATUSES_WITHOUT_CONTENT: Final = frozenset((204, 205, 304))
SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
ANSWER_HEADER: Final = "Bulkproof-Answer"
EMPTY_TEXT: Final = b" "  # the least of a body that a document declares: one without content would be missing
HTTP_DATE: Final = "%a, %d %b %Y %H:%M:%S GMT"
HEADER_VALUES: Final[Mapping[str, str]] = {
    "access-control-allow-headers": "*",
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-origin": "*",
    "cache-control": "no-cache",
    "content-disposition": "attachment",
    "content-language": "en",
    "etag": '"1"',
    "retry-after": "1",
    "set-cookie": "session=1; Path=/",
    "vary": "Accept",
    "www-authenticate": "Bearer",
}  # what header fields of HTTP hold where their schema says only that they are text
RANGES: Final[Mapping[str, str]] = {
    "audio": "audio/mpeg",
    "font": "font/woff2",
    "image": "image/png",
    "text": "text/plain",
    "video": "video/mp4",
}  # the media type to answer with where the document declares a range such as `image/*`
DATE_HEADERS: Final = frozenset(("date", "expires", "last-modified"))
PATH_HEADERS: Final = frozenset(("location", "content-location"))
FRAMING_HEADERS: Final = frozenset(
    ("connection", "content-encoding", "content-length", "content-type", "keep-alive", "trailer", "transfer-encoding")
)  # those that say how the message itself is sent
MAX_WARNING_CHARS: Final = 200


class Example(NamedTuple):
    """An example of a response, with its status code and media type."""

    status: int
    media: MediaType
    name: str
    value: object


def answer_from_document(context: RequestContext) -> Response:
    """Answer with the lowest declared status of success: an example of it, else a value generated from its schema."""
    operation = context.operation
    status = success_status(operation)
    if operation is not None and operation.response(status) is None:
        context.answer_warning = "the document declares no answer of success"
    return document_response(context, status)


def document_response(context: RequestContext, status: int) -> Response:
    """Return what the document says with a status: an example, else a generated value, else no body.

    An example that fits, of an answer without header fields, is the same for every call with the same `Accept`: it is
    made once.
    """
    if context.operation is None or _is_dynamic(context):
        return _new_document_response(context, status)
    examples, accept = prepared(context.api).examples, context.request.headers.get("Accept")
    key = (context.operation.id, status, accept, context.in_json)
    if key in examples:
        context.answer_origin = "example"
        return examples[key]
    made = _new_document_response(context, status)
    documented = context.operation.response(status)
    is_whole = context.answer_origin == "example" and not context.answer_warning
    is_same = is_whole and documented is not None and not documented.headers
    if is_same and len(examples) < MAX_KEPT and len(accept) <= MAX_KEPT_CHARS:
        examples[key] = made
    return made


def _new_document_response(context: RequestContext, status: int) -> Response:
    documented = None if context.operation is None else context.operation.response(status)
    media = chosen_media(context, documented)
    context.answer_origin = "generated"
    if media is None or status in STATUSES_WITHOUT_CONTENT:
        return with_declared_headers(context, Response(status=status))
    is_dynamic = media.schema is not None and _is_dynamic(context)
    if media.examples and not is_dynamic:
        return example_response(context, Example(status, media, *_best_example(media)), mends=True)
    shown = ABSENT if is_dynamic else schema_example(media.schema)
    if shown is not ABSENT:
        return example_response(context, Example(status, media, "example", shown))
    return generated_response(context, status, media)


def _is_dynamic(context: RequestContext) -> bool:
    """Say whether answers are generated in spite of examples: by the setting, unless the call prefers otherwise."""
    if not context.api.plain or not context.api_state.settings["dynamic"]:
        return False
    from mockserver.engine.scenario_selection import read_preferences  # noqa: PLC0415 - few answers are generated

    wanted = read_preferences(context.request)
    return isinstance(wanted, Refusal) or wanted.dynamic is not False


def _best_example(media: MediaType) -> tuple[str, object]:
    """Return the name and the value of the first example that fits its schema, else of the first."""
    schema, examples = media.schema, list(media.examples.items())
    return next((one for one in examples if schema is None or schema.is_valid(one[1])), examples[0])


def example_response(context: RequestContext, example: Example, *, mends: bool = False) -> Response:
    """Return an example; where it breaks its own schema, a warning says so.

    With `mends` such an example is made to fit: the parts that are wrong are converted or replaced, what is missing is
    added, the rest stays as it is. With the setting `errors` none is, since that setting asks to be told.
    """
    schema, media_type = response_schema(example.media), concrete_media_type(example.media)
    value, reason = _judged_example(example.value, schema, is_json(media_type))
    if reason and mends and schema is not None and not context.api_state.settings["errors"]:
        value = _mended(context, schema, value)
    context.answer_origin = "example"
    context.answer_warning = reason or context.answer_warning
    return with_body(context, example.status, value, media_type, schema)


def _mended(context: RequestContext, schema: Schema, example: object) -> object:
    """Return an example made to fit its schema, or as it is where that cannot be."""
    from generators.data.completion import fitted  # noqa: PLC0415 - few examples are wrong

    value = fitted(schema, example, f"{context.api_state.ids.seed}/example", context.now, replaces=True)
    return value if schema.is_valid(value) else example


def generated_response(context: RequestContext, status: int, media: MediaType, *, seed: int | None = None) -> Response:
    """Return a value generated from the media type's schema."""
    context.answer_origin = "generated"
    schema = response_schema(media)
    value = "" if schema is None else generated_value(context, schema, status, seed=seed)
    return with_body(context, status, value, concrete_media_type(media), schema)


def response_schema(media: MediaType) -> Schema | None:
    """Return the schema of what a response carries: without members that are sent in requests alone."""
    return None if media.schema is None else media.schema.response


def with_body(context: RequestContext, status: int, value: object, media_type: str, schema: Schema | None) -> Response:
    """Return a response with a value as its body, written in the media type, and all declared headers."""
    headers = Headers((("Content-Type", media_type),))
    body = write_body(value, media_type, schema) or EMPTY_TEXT
    data = value if is_json(media_type) else ABSENT
    return with_declared_headers(context, Response(status=status, headers=headers, body=body, data=data))


def _judged_example(value: object, schema: Schema | None, json: bool) -> tuple[object, str]:  # noqa: FBT001 - an inner step
    """Return an example, JSON in a string parsed where the schema wants that, and how it breaks its schema or ""."""
    if schema is None or not json or schema.is_valid(value):
        return value, ""
    if isinstance(value, str) and "string" not in types_of(schema):
        parsed = read_json(value.encode())
        if not isinstance(parsed, JsonFault):
            return parsed, "" if schema.is_valid(parsed) else _fault_of(schema, parsed)
    return value, _fault_of(schema, value)


def _fault_of(schema: Schema, value: object) -> str:
    from contracts.openapi.validation import validate_value  # noqa: PLC0415 - only what is wrong is explained

    first = next(iter(validate_value(schema, value, side="reply", most=1)), None)
    return "the example breaks its schema" + ("" if first is None else f": {first.pointer} {first.detail}")


def schema_example(schema: Schema | None) -> object:
    """Return the example in a schema if it is valid, else ABSENT."""
    if schema is None:
        return ABSENT
    given = as_list(schema.raw.get("examples"))
    if "example" in schema.raw:
        given = [*given, schema.raw["example"]]
    return next((one for one in given if schema.is_valid(one)), ABSENT)


def chosen_media(context: RequestContext, documented: DeclaredResponse | None) -> MediaType | None:
    """Return the media type to answer with, its schema as responses have it.

    `Accept` decides; without it, or where it accepts none, JSON comes first, then one with an example.
    """
    content = () if documented is None else documented.content
    accept = context.request.headers.get("Accept") if context.api.plain else ""
    chosen = best_accepted(content, accept) if accept else None
    ranked = sorted(content, key=lambda one: (not is_json(concrete_media_type(one)), not one.examples))
    chosen = chosen or next(iter(ranked), None)
    if (
        context.in_json
        and chosen is not None
        and is_accepted_as_well(ranked[0].media_range, chosen.media_range, accept)
    ):
        chosen = ranked[0]
    return None if chosen is None else replace(chosen, schema=chosen.schema and chosen.schema.response)


def concrete_media_type(media: MediaType) -> str:
    """Return the media type of an answer; for a range one that is in it."""
    if "*" not in media.media_range:
        return media.media_range
    return RANGES.get(media.media_range.partition("/")[0], "application/json")


def success_status(operation: Operation | None) -> int:
    """Return the lowest declared status of success, the first of a class or 200 for `default` and for none.

    An operation that declares only redirections has the lowest of these.
    """
    return _success_status(() if operation is None else tuple(operation.responses))


@lru_cache(maxsize=1000)
def _success_status(declared: tuple[str, ...]) -> int:
    for first in "23":
        found = [one for one in declared if one.startswith(first)]
        if found:
            return int(min(found).replace("XX", "00"))  # a number sorts before its class
        if "default" in declared:
            break
    return 200


def status_number(documented: DeclaredResponse) -> int | None:
    """Return the status of a declared response, the first of a class; None for `default`."""
    first = documented.status[:1]
    if documented.status.isdigit():
        return int(documented.status)
    return int(first) * 100 if first.isdigit() else None


def examples_of(operation: Operation | None) -> Iterator[Example]:
    """Yield every example of an operation's answers; those of a class of statuses stand under its first."""
    for documented in () if operation is None else operation.responses.values():
        status = status_number(documented)
        for media in documented.content if status is not None else ():
            yield from (Example(status or 0, media, name, value) for name, value in media.examples.items())


def with_declared_headers(context: RequestContext, response: Response, *, required: bool = False) -> Response:
    """Return the response with every header field that the document declares of its status, or requires."""
    documented = None if context.operation is None else context.operation.response(response.status)
    if documented is None or not documented.headers:
        return response
    wanted = [one for one in documented.headers if one.required or not required]
    lacking = [one for one in wanted if one.name not in response.headers]
    pairs = [
        (one.name, _header(context, one, response.status)) for one in lacking if one.name.lower() not in FRAMING_HEADERS
    ]
    headers = response.headers.with_(*pairs)
    return Response(status=response.status, headers=headers, body=response.body, data=response.data)


def _header(context: RequestContext, declared: HeaderField, status: int) -> str:
    """Return the first plausible value that fits: an example, HTTP's own, a generated one, else one character."""
    name, schema = declared.name.lower(), declared.schema
    given = [*declared.examples.values(), schema_example(schema), _http_value(context, name)]
    for value in given:
        if value is not ABSENT and value != "" and _is_header(text := header_text(value), schema):
            return text
    made = header_text(generated_value(context, schema, status)) if schema is not None else "string"
    return next((one for one in (made, "string", "1") if _is_header(one, schema)), "1")


def _http_value(context: RequestContext, name: str) -> str:
    if name in PATH_HEADERS:
        return context.api.mount.rstrip("/") + context.request.path
    if name in DATE_HEADERS:
        return context.now.strftime(HTTP_DATE)
    return f'<{context.request.path}>; rel="self"' if name == "link" else HEADER_VALUES.get(name, "")


def _is_header(text: str, schema: Schema | None) -> bool:
    return text.isascii() and text.isprintable() and (schema is None or schema.is_valid(read_text(text, schema)))


def generated_value(context: RequestContext, schema: Schema, status: int, *, seed: int | None = None) -> Any:
    """Return a value for a schema; the same call gets the same one if it is safe (RFC 9110, section 9.2.1).

    A value by a `seed` is drawn at random; without one it is typical, and its seed the call's own or the sandbox's.
    What does not keep its schema has a warning.
    """
    from generators.data.best_effort import made_of  # noqa: PLC0415 - a server may never make a value up

    made = made_of(schema.response, seed_of(context, status) if seed is None else seed, typical=seed is None)
    if made.warning:
        context.answer_warning = clipped(f"no valid value: {made.warning}", MAX_WARNING_CHARS)
    return made.value


def seed_of(context: RequestContext, status: int) -> int:
    """Return the seed of a made-up answer: the call's own, that of a safe call, or the next of the operation.

    A refusal has that of its operation and status, so that it does not tell what is there. With the setting `dynamic`
    safe calls and refusals get the next one too.
    """
    named = None if context.decision is None else context.decision.seed
    if named is not None:
        return named
    request, ids = context.request, context.api_state.ids
    about = request.path if context.operation is None else context.operation.id
    if status >= HTTPStatus.BAD_REQUEST and not _is_dynamic(context):
        return ids.fixed(f"made-up/{about}/{status}")
    if request.method in SAFE_METHODS and not _is_dynamic(context):
        return ids.fixed(f"made-up/{about}/{request.path}/{request.query}")
    return ids.random(f"made-up/{about}").getrandbits(32)


def answer_header(context: RequestContext) -> tuple[str, str]:
    """Return the header field that says where an answer comes from, and what is wrong with it."""
    if not context.answer_warning:
        return ANSWER_HEADER, context.answer_origin
    quoted = clipped(printable_ascii(context.answer_warning), MAX_WARNING_CHARS).replace("\\", "/").replace('"', "'")
    return ANSWER_HEADER, f'{context.answer_origin}; warning="{quoted}"'

"""Read and validate the body of a request: JSON, forms, text, and the items of bulk requests that are text.

Main entries: the stages `read_body` and `check_body`. Status codes follow RFC 9110 (400, 415, 422).
"""

from dataclasses import replace
from typing import Final

from contracts.bulk.model import Bulk
from contracts.exchange.item_text import is_text, read_item_text, row_schema, typed_rows
from contracts.exchange.locations import put
from contracts.messages import ABSENT, essence
from contracts.openapi.forms import MalformedFormError, boundary_of, is_form, read_form, reserved_fields
from contracts.openapi.model import Body, MediaType, Operation, is_json
from contracts.openapi.parameters import coerce, describes_text, types_of
from contracts.openapi.validation import Report, validate_items, validate_value
from contracts.schemas.schema_set import Schema
from contracts.syntax.json_text import JsonFault, read_json
from contracts.syntax.text import escape, look_up
from mockserver.api.model import Refusal, RequestContext
from mockserver.bulk.guards import check_malformed_items, check_size
from mockserver.bulk.items import body_text, canonical_body
from mockserver.bulk.prepared_api import BulkPlan, plan_of
from mockserver.domain.values import ItemEffect
from mockserver.engine import conventions

MAX_TEXTS: Final = 3  # faults told of one item
FEWER_ITEMS: Final = frozenset(("minItems", "minProperties"))  # what a list without its bad items may break


def read_body(context: RequestContext) -> Refusal | None:
    """Parse the body into the context, according to its declared media type."""
    operation, request = context.routed, context.request
    if operation.body is None or (not request.body and not operation.body.required):
        return None
    if context.api.plain and not request.body and not _may_be_empty(operation):
        return _unfit(context, _missing_body())
    content_type = _content_type(context, operation.body)
    media = operation.body.media(content_type)
    if media is None:
        refusal = _wrong_media_type(operation.body, content_type)
        return conventions.invalid(context, refusal) if context.api.plain else refusal
    if operation.bulk is not None and is_text(operation.bulk):
        return _read_items(context, operation.bulk)
    return _unfit(context, _read_value(context, content_type, media))


def _may_be_empty(operation: Operation) -> bool:
    """Say whether a body without content is a list of no items, whose refusal is declared."""
    bulk = operation.bulk
    return bulk is not None and bulk.items.shape in {"lines", "line-pairs"} and "empty" in bulk.guard.refuse


def _content_type(context: RequestContext, body: Body) -> str:
    """Return the media type of a request's body: in a plain document the first declared one, where it has none."""
    given = context.request.headers.get("Content-Type")
    return given or (body.content[0].media_range if context.api.plain and body.content else "")


def _read_value(context: RequestContext, content_type: str, media: MediaType) -> Refusal | None:
    if is_json(essence(content_type)) or (context.api.plain and "*" in content_type):
        return _read_json(context)
    if context.api.plain and is_form(content_type):
        return _read_form(context, content_type, media)
    context.data = body_text(content_type, context.request.body)
    if context.api.plain:
        context.data = coerce(context.data, media.schema)
        context.excused = context.routed.bulk is None and not describes_text(media.schema)
    return None


def _missing_body() -> Refusal:
    lacking = conventions.violation("body", "required", "The body is missing.", expected="a body")
    return Refusal(status=422, kind="invalid", detail=lacking.detail, violations=(lacking,), total=1)


def _unfit(context: RequestContext, refusal: Refusal | None) -> Refusal | None:
    """Return the refusal of a body that cannot be read, for a plain document with a status that it declares."""
    if refusal is None or not context.api.plain:
        return refusal
    declared = context.routed.responses
    other = 400 if refusal.status == 422 else 422  # noqa: PLR2004 - HTTP's own numbers
    if str(refusal.status) not in declared and str(other) in declared:
        refusal = replace(refusal, status=other)
    return conventions.invalid(context, refusal)


def _read_form(context: RequestContext, content_type: str, media: MediaType) -> Refusal | None:
    body = context.request.body
    try:
        context.data = read_form(content_type, body, media)
    except MalformedFormError as error:
        return Refusal(status=400, kind="malformed", detail=str(error))
    names = reserved_fields(body, media) if media.encoding and not boundary_of(content_type) else ()
    if not names:
        return None
    found = tuple(
        conventions.violation("body", "allowReserved", f"'{one}' has reserved characters.", pointer=f"/{one}")
        for one in names
    )
    return Refusal(status=422, kind="invalid", detail=found[0].detail, violations=found, total=len(found))


def _wrong_media_type(body: Body, content_type: str) -> Refusal:
    known = " or ".join(one.media_range for one in body.content)
    detail = f"The body must be {known}; got {content_type[:80] or 'no Content-Type'}."
    return Refusal(status=415, kind="media-type", detail=detail)


def _read_json(context: RequestContext) -> Refusal | None:
    settings = context.api_state.settings
    read = read_json(context.request.body, max_depth=settings["limits"]["depth"], lenient=settings["lenientJson"])
    if isinstance(read, JsonFault):
        return _unreadable(read)
    context.data = canonical_body(context, read)
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
    schema = row_schema(context.routed, request.headers.get("Content-Type"))
    context.data = typed_rows(read, schema) if bulk.items.shape == "rows" else read
    return None


def check_body(context: RequestContext) -> Refusal | None:
    """Validate the body against its schema, a bulk request's number of items first."""
    operation = context.routed
    if operation.body is None or context.data is ABSENT:
        return None
    plan = plan_of(context)
    if plan is not None:
        refusal = check_size(context, plan) or check_malformed_items(context, plan)
        if refusal is not None:
            context.violations = refusal.violations
            return refusal
    media = operation.body.media(_content_type(context, operation.body))
    if media is None or media.schema is None or context.excused:
        return None
    items = None if operation.bulk is None else operation.bulk.items
    value = _as_sent(context, media.schema) if is_text(operation.bulk) else context.data
    report = validate_value(media.schema.request, value, items_at=() if items is None else items.places)
    if report and plan is not None and _left_to_items(context, plan, media.schema.request, report):
        return None
    return _refused(context, operation, report) if report else None


def _left_to_items(context: RequestContext, plan: BulkPlan, schema: Schema, broken: Report) -> bool:
    """Say whether only items break the body's schema, and let each of them fail by itself, where that can be told.

    So it is in a plain document whose operation reports outcomes and does not refuse such requests (`malformedItem`).
    An item whose key breaks the schema could not be named by its outcome: it refuses the request.
    """
    bulk, at = plan.bulk, plan.item_reader.location(context)
    reports = bulk.reply.outcomes is not None or (bulk.job is not None and bulk.job.outcomes is not None)
    plain = context.api.plain and bulk.items.shape in {"array", "map"} and not bulk.effect.http
    if not plain or not reports or at is None or bulk.items.groups or "malformedItem" in bulk.guard.refuse:
        return False
    if not all(one.pointer.startswith(f"{at}/") for one in broken.violations):
        return False
    effects, good = {}, []
    for n, (name, raw) in enumerate(plan.item_reader.collection(context)):
        element = schema.at(f"{at}/{n if bulk.items.shape == 'array' else escape(str(name))}")
        report = None if element is None else validate_items(element, [raw])
        if report and any(_breaks(element, raw, place) for place in (bulk.key.at, *bulk.effect.target) if place):
            return False
        if report:
            text = " ".join(one.detail for one in report.violations[:MAX_TEXTS])
            effects[n] = ItemEffect(kind="invalid", message=text, code=report.violations[0].rule)
        else:
            good.append((name, raw))
    rest = dict(good) if bulk.items.shape == "map" else [raw for _, raw in good]
    others = validate_value(schema, put(context.data, at, rest)).violations
    if not effects or any(one.pointer != at or one.rule not in FEWER_ITEMS for one in others):
        return False
    context.item_effects = effects
    return True


def _breaks(element: Schema | None, raw: object, place: str) -> bool:
    """Say whether what an item has at a place breaks the schema of that place."""
    schema, given = None if element is None else element.at(place), look_up(raw, place)
    return schema is not None and given is not ABSENT and not schema.is_valid(given)


def _as_sent(context: RequestContext, schema: Schema) -> object:
    """Return a body of lines, rows or parts as its schema describes it: its text, else the list of its values."""
    text = context.request.body.decode("utf-8", "replace")
    if "string" in types_of(schema):
        return text
    if not isinstance(context.data, dict):
        return context.data
    listed = [name for name, part in context.data.items() if isinstance(part, list)]
    return {**context.data, **{name: text for name in listed if "string" in types_of(schema.member(name))}}


def _refused(context: RequestContext, operation: Operation, report: Report) -> Refusal | None:
    if not context.api.plain:
        context.violations = report.violations
    first = report.violations[0]
    more = f" This is the first of {report.total} faults." if report.total > 1 else ""
    status = invalid_status(context)
    if operation.bulk is not None:
        status = _bulk_status(operation.bulk, status)
    refusal = Refusal(
        status=status, kind="invalid", detail=f"{first.detail}{more}", violations=report.violations, total=report.total
    )
    return conventions.invalid(context, refusal) if context.api.plain else refusal


def _bulk_status(bulk: Bulk, otherwise: int) -> int:
    declared = bulk.guard.refuse.get("malformedItem", otherwise)
    return declared if isinstance(declared, int) else otherwise


def invalid_status(context: RequestContext) -> int:
    """Return what the operation answers to a call that does not fit: 400, or 422 where only that is declared."""
    operation = context.routed
    if context.api.plain:
        return conventions.invalid_status(operation)
    return 422 if "422" in operation.responses and "400" not in operation.responses else 400

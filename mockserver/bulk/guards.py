"""Checks of a bulk request before any item is applied: its declared guards (`admit`) and its preconditions.

Preconditions follow RFC 9110, section 13 (If-Match, If-None-Match) and RFC 6585, section 3 (428).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import orjson

from contracts.bulk.model import Bulk, Resource
from contracts.exchange.locations import chosen_by, condition_holds, expresses_preference, is_outside, locate
from contracts.exchange.preconditions import CONDITIONS, IF_MATCH, IF_NONE_MATCH, etag_value, read_precondition
from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.model import Operation
from contracts.openapi.validation import Violation, validate_items
from contracts.syntax.text import closest, did_you_mean, listed, look_up, parse_digits
from mockserver.api.model import Batch, Refusal, RequestContext
from mockserver.bulk.prepared_api import BulkPlan, prepared
from mockserver.domain.columns import ItemColumns, resources_of
from mockserver.domain.values import Item, ItemEffect
from mockserver.stores.interface import Record
from mockserver.stores.memory import hashable


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """An admitted request: its number of items, and the unit that the client chose."""

    plan: BulkPlan
    size: int
    unit: str


def check_size(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    """Refuse a list with fewer items than the minimum or more than the maximum."""
    items, size = plan.bulk.items, plan.item_reader.size(context)
    if plan.item_reader.location(context) is None:
        return None
    most = max_items_of(context, plan)
    if size < items.min:
        return size_refusal(context, plan, "empty" if size == 0 else "tooFew", items.min, size)
    if most is not None and size > most:
        return size_refusal(context, plan, "tooMany", most, size)
    return _check_bytes(context, plan)


def max_items_of(context: RequestContext, plan: BulkPlan) -> int | None:
    """Return the maximum number of items of a request, None without a limit."""
    limits = (plan.bulk.items.max, context.api.hooks.max_items(context))
    return min((limit for limit in limits if limit is not None), default=None)


def _check_bytes(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    """Refuse a body or an item that is too big, where the contract refuses such; an item counts as compact JSON."""
    items, sent = plan.bulk.items, len(context.request.body)
    if "tooBig" not in plan.bulk.guard.refuse:
        return None
    if items.max_bytes is not None and sent > items.max_bytes:
        return _bytes_refusal(plan, items.max_bytes, sent, "The body", "")
    if items.max_item_bytes is None:
        return None
    place = plan.item_reader.location(context) or ""
    for n, raw in enumerate(plan.item_reader.raws(context)):
        size = len(orjson.dumps(raw))
        if size > items.max_item_bytes:
            return _bytes_refusal(plan, items.max_item_bytes, size, f"Item {n}", f"{place}/{n}")
    return None


def _bytes_refusal(plan: BulkPlan, limit: int, size: int, what: str, pointer: str) -> Refusal:
    detail = f"{what} must have at most {limit} bytes; it has {size}."
    violation = Violation(
        pointer=pointer,
        rule="maxBytes",
        expected=f"at most {limit} bytes",
        got=f"{size} bytes",
        detail=detail,
    )
    return _refusal(plan.bulk, "tooBig", detail, violation)


def admit(context: RequestContext, plan: BulkPlan) -> Admission | Refusal:
    """Admit a request whose body conforms to the contract, or return why it is refused."""
    unit = chosen_by(context, plan.bulk.unit.of)
    if unit is None:
        return mode_refusal(context, plan.bulk)
    refusal = _check_stop(context, plan) or _check_words(context, plan) or _check_duplicates(context, plan)
    return refusal or Admission(plan=plan, size=plan.item_reader.size(context), unit=unit)


def make_batch(context: RequestContext, plan: BulkPlan, unit: str) -> Batch:
    """Return the items of an admitted request as a batch."""
    items = plan.item_reader.items(context)
    grouped = plan.bulk.order.run == "grouped" and condition_holds(context, plan.bulk.order.when)
    return Batch(
        operation=plan.operation,
        bulk=plan.bulk,
        items=items,
        unit=unit,
        grouped=grouped,
        valid=_valid_resources(context, plan, items),
        stop_after=stop_limit(context, plan.bulk) or 0,
    )


def stop_limit(context: RequestContext, bulk: Bulk) -> int | None:
    """Return the number of failures after which a request stops, 0 for any number, None where it says no number.

    A condition on the request, such as a preference to continue, is one failure where it is not met.
    """
    declared = bulk.unit.stop_after
    if isinstance(declared, int):
        return declared
    if "=" in declared:
        return 0 if expresses_preference(context, declared) else 1
    given = locate(context, declared)
    if given is ABSENT or given is None:
        return 0
    number = parse_digits(str(int(given) if isinstance(given, bool) else given))
    return None if number is None else int(number)


def _check_stop(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    if stop_limit(context, plan.bulk) is not None:
        return None
    place = str(plan.bulk.unit.stop_after)
    detail = f"{place} must be a number of failures, 0 or more; got '{str(locate(context, place))[:80]}'."
    return Refusal(status=400, kind="badMode", detail=detail)


def _refusal(plan_bulk: Bulk, kind: str, detail: str, violation: Violation) -> Refusal:
    declared = plan_bulk.guard.refuse.get(kind, 400)
    status, told = (declared, detail) if isinstance(declared, int) else (400, f"{declared}: {detail}")
    return Refusal(status=status, kind=kind, detail=told, violations=(violation,), total=1)


def mode_refusal(context: RequestContext, bulk: Bulk) -> Refusal:
    """Return the refusal of a request that names no unit that there is."""
    source = bulk.unit.of.source
    given = locate(context, source) if source else ABSENT
    known = " or ".join(bulk.unit.of.words)
    suggestion = did_you_mean(str(given), bulk.unit.of.words)
    where, _, name = source.rpartition(":")
    violation = Violation(
        where=source if where else "body",
        pointer="" if where else source,
        rule="enum",
        expected=known,
        got=str(given)[:80],
        hint=closest(str(given), bulk.unit.of.words),
        detail=f"{name} must be {known}. {suggestion}".rstrip(),
    )
    detail = f"{name} must be {known}; got '{str(given)[:80]}'. {suggestion}".rstrip()
    return _refusal(bulk, "badMode", detail, violation)


def size_refusal(context: RequestContext, plan: BulkPlan, kind: str, limit: int, size: int) -> Refusal:
    """Return the refusal of a request of `size` items, which are more or fewer than the limit."""
    rule, word = ("maxItems", "at most") if kind == "tooMany" else ("minItems", "at least")
    detail = f"The {'map' if plan.bulk.items.shape == 'map' else 'list'} must have {word} {limit} items; it has {size}."
    violation = Violation(
        pointer=plan.item_reader.location(context) or "",
        rule=rule,
        expected=f"{word} {limit} items",
        got=f"{size} items",
        detail=detail,
    )
    return _refusal(plan.bulk, kind, detail, violation)


def check_malformed_items(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    """Refuse items that violate the resource's schema, where an item is the record and the contract refuses such."""
    effect, refuse = plan.bulk.effect, plan.bulk.guard.refuse
    if effect.payload or effect.payload_of or effect.action.constant == "delete" or "malformedItem" not in refuse:
        return None
    raws = plan.item_reader.raws(context)
    resource = plan.item_reader.resource(context, None)
    schema = None if resource is None else prepared(context.api).record_rules[resource.name].payloads.schema
    if schema is None:
        return None
    report = validate_items(schema, raws, at=plan.item_reader.location(context) or "")
    if not report:
        return _check_named(context, plan, resource) if context.api.plain and resource is not None else None
    status = refuse["malformedItem"]
    return Refusal(
        status=status if isinstance(status, int) else 400,
        kind="malformedItem",
        detail=f"{report.bad_items} of {len(raws)} items cannot be interpreted.",
        violations=report.violations,
        total=report.total,
    )


def _check_named(context: RequestContext, plan: BulkPlan, resource: Resource) -> Refusal | None:
    """Refuse an item without the key of its record where clients choose keys and no outcome could name it."""
    told = plan.bulk.reply.outcomes
    if resource.assigned or told is None or told.shape == "map" or (told.covers == "all" and told.in_order):
        return None
    index = next((n for n, one in enumerate(plan.item_reader.targets(context)) if one is ABSENT or one is None), None)
    if index is None:
        return None
    detail, at = f"{resource.key} is required.", f"{plan.item_reader.location(context) or ''}/{index}"
    lacking = Violation(
        pointer=at,
        rule="required",
        expected=f"member '{resource.key}'",
        got="nothing",
        detail=detail,
        field=resource.key,
    )
    return _refusal(plan.bulk, "malformedItem", f"An item cannot be interpreted: {detail}", lacking)


def _check_words(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    """Refuse a list with an item whose kind or action is an unknown word."""
    index = plan.item_reader.unread(context)
    if index is None:
        return None
    effect, raws = plan.bulk.effect, plan.item_reader.raws(context)
    raw = raws[index] if index < len(raws) else None
    resource = plan.item_reader.resource(context, raw)
    choice = effect.resource if resource is None else effect.action
    source = "" if choice is None else choice.source
    given = ABSENT if not source else locate(context, source) if is_outside(source) else look_up(raw, source)
    known = tuple(choice.words) if choice is not None else ()
    what, got = "kind of record" if resource is None else "action", "nothing" if given is ABSENT else str(given)[:80]
    violation = Violation(
        where=source if is_outside(source) else "body",
        pointer="" if is_outside(source) else f"{plan.item_reader.location(context) or ''}/{index}{source}",
        rule="enum",
        expected=listed(known, "or"),
        got=got,
        hint=closest(got, known),
        detail=f"'{got}' is no {what} that is known here. {did_you_mean(got, known)}".rstrip(),
    )
    return _refusal(plan.bulk, "malformedItem", violation.detail, violation)


def _check_duplicates(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    """Refuse a list that names one key or target twice, where the contract refuses it."""
    for kind, keys in (("duplicateKey", plan.item_reader.keys), ("duplicateTarget", plan.item_reader.targets)):
        if kind in plan.bulk.guard.refuse:
            named = keys(context)
            found = None if _all_differ(named) else _first_duplicate(context, plan, list(map(hashable, named)), kind)
            if found is not None:
                return found
    return None


def _all_differ(values: Sequence[object]) -> bool:
    """Tell whether values differ, False also where that is not quickly known."""
    try:
        return len(set(values)) == len(values)
    except TypeError:  # an array or object
        return False


def _first_duplicate(context: RequestContext, plan: BulkPlan, keys: Sequence[object], kind: str) -> Refusal | None:
    seen: set[object] = set()
    nothing = hashable(ABSENT)
    for index, key in enumerate(keys):
        if key in seen and key != nothing:
            return _duplicate_refusal(context, plan, index, str(key)[:80], kind)
        seen.add(key)
    return None


def _duplicate_refusal(context: RequestContext, plan: BulkPlan, index: int, key: str, kind: str) -> Refusal:
    resource = plan.item_reader.resource(context, plan.item_reader.collection(context)[index][1])
    own = f"/{resource.key}" if resource is not None else ""
    member = plan.bulk.key.at if kind == "duplicateKey" and plan.bulk.key.at else own
    detail = f"'{key}' occurs more than once in the list."
    violation = Violation(
        pointer=f"{plan.item_reader.location(context) or ''}/{index}{member}",
        rule="uniqueItems",
        expected="each key once",
        got=key,
        detail=detail,
    )
    return _refusal(plan.bulk, kind, detail, violation)


def _valid_resources(context: RequestContext, plan: BulkPlan, items: Sequence[Item]) -> frozenset[str]:
    """Return the names of the resources whose payloads are all valid; those are not validated again."""
    if plan.bulk.effect.http:
        return frozenset()
    resources = resources_of(items)
    if not plan.bulk.effect.payload and "malformedItem" in plan.bulk.guard.refuse:
        return frozenset(resources)
    record_rules, changes = prepared(context.api).record_rules, context.api.hooks.changed_members
    effects, fit = context.item_effects or {}, set()
    for name, resource in resources.items():
        payloads: Sequence[object]
        if isinstance(items, ItemColumns) and not effects:
            payloads = items.payload if items.action != "delete" else ()
        else:
            own = [item for item in items if item.resource.name == name and item.action != "delete"]
            payloads = [item.payload for item in own if not _is_made_invalid(effects.get(item.index))]
        if record_rules[name].payloads.all_valid(changes(resource, payloads)):
            fit.add(name)
    return frozenset(fit)


def _is_made_invalid(effect: ItemEffect | None) -> bool:
    return effect is not None and effect.kind == "invalid"


ACTIONS_ON_EXISTING: Final = frozenset(
    ("update", "replace", "delete")
)  # actions that are refused where there is no record
PRECONDITION_REQUIRED = 428
PRECONDITION_FAILED = 412
NOT_MODIFIED = 304


def check_precondition_syntax(context: RequestContext, operation: Operation) -> Refusal | None:
    """Refuse a request whose precondition cannot be parsed: 400."""
    for name in CONDITIONS:
        headers = context.request.headers
        if name in headers and read_precondition(operation, headers, name) is None:
            given = ", ".join(headers.get_all(name))[:80]
            detail = f"{name} must be entity tags in double quotes, separated by commas, or *; got '{given}'."
            return Refusal(status=400, kind="invalid", detail=detail)
    return None


def check_precondition_given(context: RequestContext, operation: Operation) -> Refusal | None:
    """Refuse a request without a precondition where the operation declares 428."""
    if str(PRECONDITION_REQUIRED) not in operation.responses or any(
        name in context.request.headers for name in CONDITIONS
    ):
        return None
    return precondition_required(f"{operation.id} needs a precondition: send the record's entity tag in {IF_MATCH}.")


def check_item_preconditions(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    """Refuse a bulk request whose precondition is malformed, or missing where the operation declares 428.

    Its preconditions are the header fields that it declares, or else the versions in its items.
    """
    operation, version = plan.operation, plan.bulk.effect.version
    if plan.has_condition_fields:
        return check_precondition_syntax(context, operation) or check_precondition_given(context, operation)
    if str(PRECONDITION_REQUIRED) not in operation.responses or not version:
        return None
    items = plan.item_reader.items(context)
    bad = next((one for one in items if one.version is None and one.action in ACTIONS_ON_EXISTING), None)
    if bad is None:
        return None
    return precondition_required(
        f"{operation.id} needs the version of each record; item {bad.index} has none at {version}."
    )


def precondition_required(detail: str) -> Refusal:
    """Return the refusal of a request that lacks a required precondition: 428."""
    return Refusal(status=PRECONDITION_REQUIRED, kind="precondition", detail=detail)


def check_if_match(context: RequestContext, operation: Operation, record: Record | None) -> Refusal | None:
    """Refuse a request whose If-Match is false for the stored record, None when there is none: 412."""
    named = read_precondition(operation, context.request.headers, IF_MATCH)
    version = None if record is None else record.version
    if named is None or named.matches(version):
        return None
    found = "there is no such record" if version is None else f'its entity tag is "{version}"'
    return Refusal(
        status=PRECONDITION_FAILED, kind="precondition", detail=f"{IF_MATCH} is {str(named)[:80]}, but {found}."
    )


def matches_if_none_match(context: RequestContext, operation: Operation, record: Record | None) -> bool:
    """Tell whether If-None-Match matches the stored record, by weak comparison: then the method is not applied."""
    named = read_precondition(operation, context.request.headers, IF_NONE_MATCH)
    return named is not None and named.matches(None if record is None else record.version, weakly=True)


def if_none_match_failed(context: RequestContext) -> Refusal:
    """Return the refusal of a write whose If-None-Match is false: 412."""
    given = ", ".join(context.request.headers.get_all(IF_NONE_MATCH))[:80]
    return Refusal(
        status=PRECONDITION_FAILED,
        kind="precondition",
        detail=f"{IF_NONE_MATCH} is {given}, but there is such a record.",
    )


def etag_headers(operation: Operation, status: int, record: Record) -> Headers:
    """Return the ETag field of a response with a record, empty where the operation declares none."""
    response = operation.response(status)
    declared = response.headers if response is not None else ()
    found = next((one for one in declared if one.name.lower() == "etag"), None)
    return Headers() if found is None else Headers((("ETag", etag_value(found.schema, record.version)),))


def not_modified(headers: Headers) -> Response:
    """Return a 304 response: the client has the current representation."""
    return Response(status=NOT_MODIFIED, headers=headers)

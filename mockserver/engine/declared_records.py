"""Serve single records of declared resources: `serve_record`, and `serve_action` for what acts on one.

Preconditions and entity tags follow RFC 9110, sections 8.8 and 13; status codes its section 15.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from contracts.bulk.model import Location, RecordAct
from contracts.exchange.locations import chosen_by, is_outside, locate, put_at
from contracts.exchange.preconditions import Version, is_if_match, read_version
from contracts.exchange.raw_items import record_content
from contracts.messages import ABSENT, Headers, Response
from contracts.openapi.inference import RecordAction
from contracts.openapi.model import Operation
from contracts.openapi.parameters import INTEGER
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_mapping, look_up
from mockserver.api.model import ItemRun, Refusal, RequestContext, json_response
from mockserver.bulk.execution import populate_scope
from mockserver.bulk.guards import (
    ACTIONS_ON_EXISTING,
    check_if_match,
    check_precondition_given,
    check_precondition_syntax,
    etag_headers,
    if_none_match_failed,
    matches_if_none_match,
    not_modified,
)
from mockserver.bulk.outcome_entries import record_path
from mockserver.bulk.outcome_rendering import http_status, message_of
from mockserver.bulk.prepared_api import prepared
from mockserver.bulk.record_service import RecordRules, failed_outcome
from mockserver.bulk.set_members import completed, put_members, request_facts
from mockserver.bulk.units import with_item_effects
from mockserver.domain.values import Item, ItemFault, Outcome
from mockserver.engine.document_responses import (
    answer_from_document,
    document_response,
    success_status,
)
from mockserver.engine.inferred_lists import asked_list, list_body, list_headers, told_by_names
from mockserver.engine.inferred_resources import address_headers
from mockserver.engine.lists import list_window, records_of
from mockserver.stores.interface import Collection, Record
from mockserver.stores.memory import Overlay

NOT_FOUND: Final = 404
KEY_FAULTS: Final = frozenset(("not-found", "version"))  # kinds of faults that are not those of a content


def serve_record(context: RequestContext) -> Response:
    """Serve a single-record operation: list, read, create, update, replace, upsert or delete."""
    operation = context.routed
    act = operation.record
    assert act is not None  # noqa: S101 - the engine calls this for such an operation only
    rules = rules_of(context, act)
    if rules is None:
        return context.refuse(Refusal(status=404, kind="not-found", detail="No such kind of record."))
    refusal = (
        check_precondition_syntax(context, operation)
        or check_precondition_given(context, operation)
        or _check_key_type(context, rules, act)
    )
    if refusal is not None:
        return context.refuse(refusal)
    run = run_of(context)
    action = act.action.constant
    if action == "list":
        return _serve_list(context, run, rules, act)
    if action == "read":
        return _serve_read(context, run, rules, act)
    return _serve_write(context, run, rules, act)


def serve_action(context: RequestContext, action: RecordAction) -> Response:
    """Serve an operation that acts on a record: it shows the record as it is, or what the document says.

    Where there is no such record the answer is 404, if the operation declares that.
    """
    run, rules = run_of(context), rules_of(context, action.act)
    record = None if rules is None else stored_record(context, rules, _key(context, rules, action.act))
    if rules is not None and record is None and context.routed.response(404) is not None:
        return _not_found(context, rules, action.act)
    if rules is None or record is None or not action.shows:
        return answer_from_document(context)
    status, shown = success_status(context.routed), context.api.hooks.render(run, rules.resource, record)
    return _shown(context, action.act, status, shown, etag_headers(context.routed, status, record))


def _check_key_type(context: RequestContext, rules: RecordRules, act: RecordAct) -> Refusal | None:
    """Refuse a call whose path, query or header names what cannot be a key."""
    key = _key(context, rules, act)
    if key is ABSENT or not is_outside(act.key or "") or rules.keys.kind.fits(key):
        return None
    detail = f"'{str(key)[:80]}' cannot be the {rules.resource.key} of a record of {rules.resource.name}."
    status = declared_status(context.routed, (404, 400, 422))
    return Refusal(status=status, kind="not-found" if status == NOT_FOUND else "invalid", detail=detail)


def declared_status(operation: Operation, choices: Sequence[int]) -> int:
    """Return the first of these status codes that an operation declares, by number or class; else the first."""
    declared = operation.responses
    known = (one for one in choices if str(one) in declared or f"{one // 100}XX" in declared)
    return next(known, choices[0])


def rules_of(context: RequestContext, act: RecordAct) -> RecordRules | None:
    """Return the rules of the resource that a request names, None when it is unknown."""
    name = chosen_by(context, act.resource)
    return prepared(context.api).record_rules.get(name or "")


def run_of(context: RequestContext) -> ItemRun:
    """Return a run of one record in the request's scope, which has its initial records."""
    run = ItemRun(
        api=context.api,
        api_state=context.api_state,
        scope=context.scope,
        now=context.now,
        unit="item",
        operation=context.operation,
        client=context.client,
    )
    populate_scope(run)
    return run


def item_of(context: RequestContext, rules: RecordRules, act: RecordAct) -> Item:
    """Return the single item of a single-record request."""
    found = look_up(context.data, act.payload) if context.data is not ABSENT else {}
    payload, target = record_content(act, found, rules.payloads.schema), _key(context, rules, act)
    if target is ABSENT and isinstance(payload, dict):
        target = payload.get(rules.resource.key, ABSENT)
    elif isinstance(payload, dict) and act.key is not None and rules.payloads.may_have_key:
        payload = {rules.resource.key: target, **payload}
    action, version = _action(context, rules, act, target), _version(context, act)
    return Item(0, None, action, rules.resource, target, payload, version, None, context.data)


def _version(context: RequestContext, act: RecordAct) -> Version | None:
    """Return the version that the call names; If-Match is looked at before, as the precondition that it is."""
    if act.version is None or is_if_match(act.version):
        return None
    return read_version(locate(context, act.version))


def _action(context: RequestContext, rules: RecordRules, act: RecordAct, target: object) -> str:
    """Return what the call wants done: a replacement may create where the operation declares 201."""
    creates = act.action.constant == "replace" and "201" in context.routed.responses
    return "create" if creates and stored_record(context, rules, target) is None else act.action.constant


def stored_record(context: RequestContext, rules: RecordRules, key: object) -> Record | None:
    """Return the record of that key in the request's scope, None when there is none or it is deleted."""
    if not isinstance(key, str | int):
        return None
    record = context.api_state.store.get(Collection(context.scope, rules.resource.name), key)
    return None if record is None or record.deleted else record


def _key(context: RequestContext, rules: RecordRules, act: RecordAct) -> object:
    """Return the key that the call names, in the type that its schema says.

    Where that says none, digits name a number if a record has it and none has them as text.
    """
    if act.key is None:
        return ABSENT
    given = rules.keys.kind.typed(locate(context, act.key))
    unsure = is_outside(act.key) and not rules.keys.kind.is_text
    if unsure and isinstance(given, str) and INTEGER.fullmatch(given):
        collection = Collection(context.scope, rules.resource.name)
        named = (
            stored_record(context, rules, given) is None
            and context.api_state.store.get(collection, int(given)) is not None
        )
        return int(given) if named else given
    return given


def _serve_read(context: RequestContext, run: ItemRun, rules: RecordRules, act: RecordAct) -> Response:
    record = stored_record(context, rules, _key(context, rules, act))
    if record is None:
        return _not_found(context, rules, act)
    operation = context.routed
    refusal = check_if_match(context, operation, record)
    if refusal is not None:
        return context.refuse(refusal)
    headers = etag_headers(operation, 200, record)
    if headers and matches_if_none_match(context, operation, record):
        return not_modified(headers)
    return _shown(context, act, 200, context.api.hooks.render(run, rules.resource, record), headers)


def _not_found(context: RequestContext, rules: RecordRules, act: RecordAct) -> Response:
    detail = f"No record of {rules.resource.name} has the key {str(locate(context, act.key or ''))[:80]}."
    return context.refuse(Refusal(status=404, kind="not-found", detail=detail))


def _serve_write(context: RequestContext, run: ItemRun, rules: RecordRules, act: RecordAct) -> Response:
    item = item_of(context, rules, act)
    refusal = _check_key_in_body(context, rules, act, item) or _check_preconditions(context, rules, act, item)
    if refusal is not None:
        return context.refuse(refusal)
    outcome = _apply_item(context, run, rules, item)
    context.outcomes = (outcome,)
    if outcome.failed:
        return _failed_response(context, act, outcome)
    return _written_response(context, run, rules, act, outcome)


def _check_key_in_body(context: RequestContext, rules: RecordRules, act: RecordAct, item: Item) -> Refusal | None:
    """Refuse a body whose key is not the one that the call names: in its payload, and with `same_key` beside it."""
    own, places = rules.resource.key, [item.payload, *([context.data] if act.same_key else [])]
    shown = [one[own] for one in places if isinstance(one, dict) and one.get(own) is not None]
    wrong = next((key for key in shown if item.target not in (key, rules.keys.kind.typed(key))), None)
    if act.key is None or wrong is None:
        return None
    named = f"'{str(item.target)[:80]}', which {act.key} names"
    detail = f"{own} in the body must be {named}, or be left out; got '{str(wrong)[:80]}'."
    return Refusal(status=declared_status(context.routed, (400, 409, 422)), kind="invalid", detail=detail)


def _check_preconditions(context: RequestContext, rules: RecordRules, act: RecordAct, item: Item) -> Refusal | None:
    """Refuse a write whose precondition is false; what would be refused for want of a record is not looked at."""
    record = stored_record(context, rules, item.target)
    if (act.key is None and item.action == "create") or (record is None and item.action in ACTIONS_ON_EXISTING):
        return None
    operation = context.routed
    refusal = check_if_match(context, operation, record)
    if refusal is None and matches_if_none_match(context, operation, record):
        refusal = if_none_match_failed(context)
    if refusal is not None:
        current = None if record is None else record.version
        context.outcomes = (
            failed_outcome(item, ItemFault("version", (), facts={"current": current, "key": item.target})),
        )
    return refusal


def _apply_item(context: RequestContext, run: ItemRun, rules: RecordRules, item: Item) -> Outcome:
    """Apply the record, as a scenario wants it if one does."""
    store = context.api_state.store
    if context.item_effects is None:
        return rules.bind(run, store).apply(item)
    return with_item_effects(
        context.item_effects, rules.bind(run, store).apply, lambda one: rules.bind(run, Overlay(store)).apply(one)
    )(item)


def _failed_response(context: RequestContext, act: RecordAct, outcome: Outcome) -> Response:
    status, fault = http_status(outcome), next(iter(outcome.faults), None)
    known = context.routed.responses
    if str(status) not in known and "default" not in known and f"{status // 100}XX" not in known:
        status = declared_status(context.routed, (400, 409, 422))
    if act.invalid is not None and fault is not None and fault.kind not in KEY_FAULTS and "status" not in fault.facts:
        status = act.invalid
    kind = "not-found" if status == 404 else "invalid"  # noqa: PLR2004 - HTTP's own number
    return context.refuse(Refusal(status=status, kind=kind, detail=f"{message_of(outcome)}."))


def _written_response(
    context: RequestContext, run: ItemRun, rules: RecordRules, act: RecordAct, outcome: Outcome
) -> Response:
    assert outcome.record is not None  # noqa: S101 - a done item has a record
    statuses = context.routed.responses
    if outcome.action == "delete":
        return Response(status=204) if "204" in statuses else _deleted_response(context)
    status = 201 if outcome.action == "create" and "201" in statuses else 200
    shown = context.api.hooks.render(run, rules.resource, outcome.record)
    headers = etag_headers(context.routed, status, outcome.record)
    if outcome.action == "create":
        url = _address(context, run, act, outcome)
        headers = headers.with_(*address_headers(context.api, context.routed, status, url, outcome.record.key))
    return _shown(context, act, status, shown, headers)


def _address(context: RequestContext, run: ItemRun, act: RecordAct, outcome: Outcome) -> str:
    """Return the URL at which a new record is read; below that of the call where no path says it."""
    assert outcome.record is not None  # noqa: S101 - a done item has a record
    path, own = record_path(run, outcome), f"{context.api.mount.rstrip('/')}{context.request.path}"
    if isinstance(path, str) and "{" not in path:
        return path
    return own if act.key is not None else f"{own}/{outcome.record.key}"


def _deleted_response(context: RequestContext) -> Response:
    """Return what a plain document declares for a deletion; 200 without a body elsewhere."""
    status = success_status(context.operation)
    declared = None if context.operation is None else context.operation.response(status)
    if not context.api.plain or declared is None or not declared.content:
        return Response(status=200 if declared is None else status)
    return document_response(context, status)


def _shown(
    context: RequestContext,
    act: RecordAct,
    status: int,
    shown: object,
    headers: Headers,
    *,
    beside: Mapping[Location, object] = {},
) -> Response:
    """Return a response with a record, or a list of them with what stands `beside`, where the operation declares it."""
    body: dict[str, object] = {}
    if not act.reply:
        full = completed(context, status, shown, context.now, f"record/{context.routed.id}")
        return json_response(context, status, full, headers)
    put_at(body, act.reply, shown)
    for at, value in beside.items():
        put_at(body, at, value)
    put_members(body, act.set_members, request_facts(context) if act.set_members else {})
    full = completed(context, status, body, context.now, f"record/{context.routed.id}")
    return json_response(context, status, full, headers)


def _serve_list(context: RequestContext, run: ItemRun, rules: RecordRules, act: RecordAct) -> Response:
    if act.inferred and context.api.plain and (body := list_body(context)) is not None:
        return _serve_asked(context, run, rules, act, body)
    window = list_window(context, act, rules.resource)
    if isinstance(window, Response):
        return window
    told = {act.page.total: window.total, act.page.next: window.next}
    fields = {at: value for at, value in told.items() if at is not None and value is not None}
    outside = [(at.partition(":")[2], str(value)) for at, value in fields.items() if at.startswith("header:")]
    beside = {at: value for at, value in fields.items() if not is_outside(at)}
    shown = [context.api.hooks.render(run, rules.resource, one) for one in window.records]
    others, links = told_by_names(context, act, window)
    return _shown(context, act, 200, shown, Headers((*outside, *links)), beside=others | beside)


def _serve_asked(context: RequestContext, run: ItemRun, rules: RecordRules, act: RecordAct, body: Schema) -> Response:
    """Respond with the part of a list that parameters with usual names ask for."""
    listed = body.at(act.reply)
    record = None if listed is None else listed.items()

    def shown(one: Record) -> Mapping[str, object]:
        return as_mapping(context.api.hooks.render(run, rules.resource, one))

    asked = asked_list(context, context.routed, record, records_of(context, rules.resource), shown)
    fields = list_headers(context.routed, 200, asked, act.page.total)
    beside = dict(asked.members(body, act.reply))
    if act.page.total is not None and not is_outside(act.page.total):
        beside[act.page.total] = asked.facts["total"]
    return _shown(context, act, 200, list(map(shown, asked.records)), fields, beside=beside)

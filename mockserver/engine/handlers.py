"""Handlers of operations: `handler_for` selects one; reads of several records and results of jobs are served here."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from contracts.exchange.locations import chosen_by, put_at
from contracts.messages import Response
from contracts.openapi.model import is_json
from contracts.openapi.representations import page_of
from mockserver.api.model import Refusal, RequestContext, json_response
from mockserver.bulk.execution import serve_bulk
from mockserver.bulk.idempotency import serve_bulk_idempotently
from mockserver.bulk.job_endpoints import results_of, serve_cancel, serve_open, serve_poll, serve_start
from mockserver.bulk.prepared_api import PreparedApi, prepared
from mockserver.bulk.set_members import completed
from mockserver.engine.declared_records import run_of, serve_action, serve_record
from mockserver.engine.document_responses import answer_from_document, chosen_media, with_body
from mockserver.engine.inferred_lists import list_body, serve_several, totals
from mockserver.engine.inferred_records import serve_inferred, serve_inferred_action
from mockserver.engine.lists import number_at


def serve_reads(context: RequestContext) -> Response:
    """Serve a read of several records."""
    declared, known = context.routed.reads, prepared(context.api).record_rules
    rules = None if declared is None else known.get(chosen_by(context, declared.resource) or "")
    if declared is None or rules is None or rules.resource.inferred:
        return answer_from_document(context)
    return serve_several(context, run_of(context), rules, declared)


def serve_results(context: RequestContext) -> Response:
    """Respond with the outcomes of a job, a page of them where the operation has parameters for that."""
    found = results_of(context)
    if isinstance(found, Refusal):
        return context.refuse(found)
    declared, entries = found
    operation = context.routed
    page, total = page_of(operation), len(entries)
    if isinstance(entries, list):
        skip = number_at(context, page.skip, 0)
        entries = entries[skip : skip + number_at(context, page.take, len(entries))]
    media = chosen_media(context, operation.response(200))
    if media is not None and not is_json(media.media_range.replace("*/*", "application/json")):
        return with_body(context, 200, entries, media.media_range, media.schema)
    body: object = entries
    if declared.at:
        body = {}
        put_at(body, declared.at, entries)
        for place in totals(list_body(context), declared.at):
            put_at(body, place, total)
    return json_response(context, 200, completed(context, 200, body, context.jobs[0].posted, context.jobs[0].id))


Handler: TypeAlias = Callable[[RequestContext], Response]


def handler_for(ready: PreparedApi, operation_id: str) -> Handler:
    """Return the handler of an operation: the API's own, else what its declarations say, else the document's answer."""
    own = ready.api.behaviours.get(operation_id)
    if own is not None:
        return own
    if operation_id in ready.plans:
        return serve_bulk if ready.plans[operation_id].bulk.guard.idempotency is None else serve_bulk_idempotently
    roles: tuple[tuple[Mapping[str, object], Handler], ...] = (
        (ready.polls, serve_poll),
        (ready.opens, serve_open),
        (ready.starts, serve_start),
        (ready.cancels, serve_cancel),
        (ready.results, serve_results),
    )
    about_job = next((handler for named, handler in roles if operation_id in named), None)
    return about_job or _record_handler(ready, operation_id)


def _record_handler(ready: PreparedApi, operation_id: str) -> Handler:
    operation = ready.api.contract.operation(operation_id)
    if operation is not None and operation.reads is not None and ready.api.plain:
        return serve_reads
    action = ready.actions.get(operation_id)
    act = action.act if action is not None else operation.record if operation is not None else None
    if act is None:
        return answer_from_document
    resource = ready.api.contract.resources.get(act.resource.constant)
    is_inferred = ready.api.plain and act.inferred and resource is not None and resource.inferred
    if action is not None:
        return partial(serve_inferred_action if is_inferred else serve_action, action=action)
    return serve_inferred if is_inferred else serve_record

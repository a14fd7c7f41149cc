"""Mutants of request parsing and guards: invalid requests are accepted, or valid ones refused."""

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from functools import partial
from typing import Any, Final

import orjson

from contracts.bulk.model import Bulk, Choice
from contracts.exchange.bulk_request import becomes_job
from contracts.exchange.locations import locate, put_at
from contracts.messages import ABSENT, Response
from contracts.syntax.text import look_up
from mockserver.api.model import Api, Batch, Behaviour, Hooks, Perform, Refusal, RequestContext, problem
from mockserver.bulk.execution import run_batch, targets
from mockserver.bulk.guards import admit, make_batch, max_items_of, size_refusal
from mockserver.bulk.prepared_api import BulkPlan, plan_of, prepared, share_prepared
from mockserver.engine import default_hooks
from mockserver.engine.handlers import handler_for
from mockserver.engine.scenario_execution import copied_state
from mockserver.engine.stages import call_handler, validate_request
from mockserver.mutants.hooks import (
    BrokenHooks,
    Note,
    Outcomes,
    Refuse,
    are_alike,
    edit_data,
    mutate_batch,
    mutate_response,
    overlay_store,
    replace_handling,
    replace_refusal,
    with_value,
)


def item_count(context: RequestContext, plan: BulkPlan) -> int:
    """Return the number of items of a request."""
    return len(plan.item_reader.collection(context))


def handle_relaxed(context: RequestContext, plan: BulkPlan, change: Callable[[Bulk], Bulk], **hooks: Any) -> Response:
    """Handle a request under a changed bulk declaration, and with other hooks."""
    ready = prepared(context.api)
    bulk = change(plan.bulk)
    plans = {**ready.plans, plan.operation.id: replace(plan, bulk=bulk, operation=replace(plan.operation, bulk=bulk))}
    context.api = share_prepared(_with(context.api, context.api.hooks, hooks), replace(ready, plans=plans))
    context.violations = ()
    return handler_for(prepared(context.api), plan.operation.id)(context)


def _with(api: Api, own: Hooks, hooks: dict[str, Any]) -> Api:
    return replace(api, hooks=replace(own, **hooks))


def with_items(context: RequestContext, plan: BulkPlan, kept: Sequence[int]) -> RequestContext:
    """Return a copy of the request with only the items at the indices `kept`."""
    place = plan.item_reader.location(context) or ""
    found: Any = locate(context, place)
    names = list(found) if isinstance(found, dict) else []
    some: Any = {names[n]: found[names[n]] for n in kept} if names else [found[n] for n in kept]
    if place == "":
        data = some
    else:
        data = deepcopy(context.data)
        put_at(data, place, some)  # type: ignore[arg-type] # an array inside a body is in an object
    return replace(context, data=data, request=context.request.with_body(orjson.dumps(data)))


def apply_to_all_targets(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Apply the batch to every other scope that is in use, too."""
    outcomes = handler(context, batch, scope)
    if batch.bulk.items.fan_out is not None:
        for other in sorted(context.api_state.populated - {scope}):
            handler(context, batch, other)
    return outcomes


def omit_target(context: RequestContext, response: Response) -> Response:
    """Leave the last served target out of the response of a fan-out."""
    bulk = None if context.operation is None else context.operation.bulk
    fan_out = None if bulk is None else bulk.items.fan_out
    succeeded: Any = ABSENT if fan_out is None else look_up(response.data, fan_out.succeeded)
    if fan_out is None or not isinstance(succeeded, dict) or len(succeeded) < 2:  # noqa: PLR2004 - several
        return response
    fewer, at = dict(list(succeeded.items())[:-1]), fan_out.succeeded
    return edit_data(response, lambda data: with_value(data, at, fewer))


DUPLICATE_KINDS: Final = ("duplicateKey", "duplicateTarget")


def _without_refusals(bulk: Bulk, *kinds: str) -> Bulk:
    refuse = {kind: status for kind, status in bulk.guard.refuse.items() if kind not in kinds}
    return replace(bulk, guard=replace(bulk.guard, refuse=refuse))


def accept_duplicates(handler: Refuse, context: RequestContext, refusal: Refusal) -> Response | None:
    """Handle a request that names a key or target twice."""
    plan = plan_of(context)
    if plan is None or refusal.kind not in DUPLICATE_KINDS:
        return None
    return handle_relaxed(context, plan, lambda bulk: _without_refusals(bulk, *DUPLICATE_KINDS), refuse=handler)


def accept_one_more(handler: Refuse, context: RequestContext, refusal: Refusal) -> Response | None:
    """Handle a request with one item more than the maximum."""
    plan = plan_of(context)
    if plan is None or refusal.kind != "tooMany" or item_count(context, plan) - 1 != max_items_of(context, plan):
        return None
    return handle_relaxed(context, plan, _unchanged, refuse=handler)


def accept_nothing(handler: Refuse, context: RequestContext, refusal: Refusal) -> Response | None:
    """Handle a request without items."""
    plan = plan_of(context)
    return (
        None if plan is None or refusal.kind != "empty" else handle_relaxed(context, plan, _unchanged, refuse=handler)
    )


def _unchanged(bulk: Bulk) -> Bulk:
    return bulk


def drop_malformed(handler: Refuse, context: RequestContext, refusal: Refusal) -> Response | None:
    """Handle the valid items of a request, and leave the malformed ones out of the response."""
    plan = plan_of(context)
    good = [] if plan is None or refusal.kind != "malformedItem" else _interpretable(context, plan)
    if plan is None or not good:
        return None
    fewer = with_items(context, plan, good)
    context.data, context.request = fewer.data, fewer.request
    return handle_relaxed(context, plan, _unchanged, refuse=handler)


def _interpretable(context: RequestContext, plan: BulkPlan) -> list[int]:
    """Return the indices of the items that match their resource's schema."""
    resource = plan.item_reader.resource(context, None)
    schema = None if resource is None else prepared(context.api).record_rules[resource.name].payloads.schema
    raws = [raw for _, raw in plan.item_reader.collection(context)]
    return [n for n, raw in enumerate(raws) if schema is not None and schema.is_valid(raw)]


def accept_mode(handler: Refuse, context: RequestContext, refusal: Refusal) -> Response | None:
    """Handle a request with an unknown mode in the default mode."""
    plan = plan_of(context)
    source = "" if plan is None else plan.bulk.unit.of.source
    where, _, name = source.partition(":")
    if refusal.kind != "badMode" and {one.where for one in refusal.violations} != {source}:
        return None
    if where != "query":
        return None
    context.request = replace(context.request, query=tuple(pair for pair in context.request.query if pair[0] != name))
    context.violations = ()
    again = validate_request(context)
    return call_handler(context) if again is None else handler(context, again)


def accept_another_job(handler: Refuse, context: RequestContext, refusal: Refusal) -> Response | None:
    """Create a job beyond the limit of active jobs."""
    plan = plan_of(context)
    job = None if plan is None else plan.bulk.job
    if (
        plan is None
        or job is None
        or job.active is None
        or refusal.kind != "conflict"
        or not _is_full(context, job.active.max)
    ):
        return None
    free = replace(job, active=None)
    return handle_relaxed(
        context, plan, lambda bulk: replace(bulk, job=free), refuse=handler, check_conduct=default_hooks.conduct
    )


def _is_full(context: RequestContext, most: int) -> bool:
    return len(context.api_state.jobs.unfinished) >= most


def leave_traces(kinds: tuple[str, ...], handler: Refuse, context: RequestContext, refusal: Refusal) -> Response | None:
    """Apply the first item of a request that is refused."""
    plan = plan_of(context)
    if plan is None or refusal.kind not in kinds or not item_count(context, plan):
        return None
    first = with_items(context, plan, [0])
    if not _fits(first) or isinstance(admit(first, plan), Refusal):
        return None
    batch = make_batch(first, plan, "item")
    done = [one.result == "done" for scope in _scopes(first, plan) for one in run_batch(first, batch, scope)]
    return handler(context, refusal) if any(done) else None


def _fits(context: RequestContext) -> bool:
    """Return whether the body of a request matches its schema."""
    body = None if context.operation is None else context.operation.body
    media = None if body is None else body.media(context.request.headers.get("Content-Type"))
    return media is None or media.schema is None or media.schema.is_valid(context.data)


def _scopes(context: RequestContext, plan: BulkPlan) -> list[str]:
    fan_out = plan.bulk.items.fan_out
    if fan_out is None:
        return [context.scope]
    return [target.scope for target in targets(context, fan_out).values() if not target.problems]


def refuse_maximum(handler: Behaviour, context: RequestContext) -> Response | None:
    """Refuse a list of the maximum length."""
    del handler
    plan = plan_of(context)
    if plan is None or item_count(context, plan) != max_items_of(context, plan):
        return None
    size = item_count(context, plan)
    return context.refuse(size_refusal(context, plan, "tooMany", size - 1, size))


def crash_on_one(handler: Behaviour, context: RequestContext) -> Response | None:
    """Answer 500 to a list of one item."""
    del handler
    plan = plan_of(context)
    return problem(CRASH_REFUSAL) if plan is not None and item_count(context, plan) == 1 else None


def run_other_mode(note: Note, handler: Behaviour) -> Behaviour:
    """Run requests that name no mode in the other one; noted when the response or the stored records differ."""

    def behave(context: RequestContext) -> Response:
        plan = plan_of(context)
        unit = None if plan is None else _other_unit(context, plan)
        if plan is None or unit is None:
            return handler(context)
        rehearsal = replace(context, api_state=copied_state(context.api_state))
        proper: tuple[Response, Any] = handler(rehearsal), rehearsal.api_state.store
        with overlay_store(context.api_state, counting=True) as store:
            response = handle_relaxed(context, plan, lambda bulk: _in_mode(bulk, unit))
        store.commit()
        if response != proper[0] or not are_alike(store, proper[1]):
            note(context)
        return response

    return behave


def _other_unit(context: RequestContext, plan: BulkPlan) -> str | None:
    """Return the unit of the mode that is not the default, None when the request names its mode."""
    of = plan.bulk.unit.of
    if not of.source or _is_given(context, of.source) or becomes_job(plan.bulk, context):
        return None
    usual = of.words.get(of.default or "")
    return next((unit for unit in of.words.values() if unit != usual), None)


def _is_given(context: RequestContext, source: str) -> bool:
    """Return whether the request sets a value there, defaults aside."""
    where, _, name = source.partition(":")
    if where == "query":
        return any(given == name for given, _ in context.request.query)
    return locate(context, source) is not ABSENT


def _in_mode(bulk: Bulk, unit: str) -> Bulk:
    return replace(bulk, unit=replace(bulk.unit, of=Choice(constant=unit)))


def ignore_idempotency(handler: Behaviour, context: RequestContext) -> Response | None:
    """Forget a used idempotency key, so that the request is handled again."""
    plan = plan_of(context)
    declared = None if plan is None else plan.bulk.guard.idempotency
    if plan is None or declared is None:
        return None
    key = (plan.operation.id, context.scope, context.client, str(locate(context, declared.key)))
    memory: MutableMapping[Any, Any] = context.api_state.memory.get("idempotency", {})
    if key not in memory:
        return None
    with _set_aside(memory, key):
        return handler(context)


@contextmanager
def _set_aside(memory: MutableMapping[Any, Any], key: object) -> Iterator[None]:
    kept = memory.pop(key)
    yield
    memory.setdefault(key, kept)


CRASH_REFUSAL: Final = Refusal(status=500, kind="fault", detail="Internal server error.")
BREAKS: Final[Mapping[str, BrokenHooks]] = {
    "active-limit-ignored": replace_refusal(accept_another_job),
    "crash-on-one": replace_handling(crash_on_one),
    "duplicate-accepted": replace_refusal(accept_duplicates),
    "empty-accepted": replace_refusal(accept_nothing),
    "idempotency-ignored": replace_handling(ignore_idempotency),
    "malformed-dropped": replace_refusal(drop_malformed),
    "maximum-refused": replace_handling(refuse_maximum),
    "mode-unchecked": replace_refusal(accept_mode),
    "overlong-accepted": replace_refusal(accept_one_more),
    "overlong-leaves-traces": replace_refusal(partial(leave_traces, ("tooMany",))),
    "refusal-leaves-traces": replace_refusal(partial(leave_traces, DUPLICATE_KINDS)),
    "target-leaks": mutate_batch(apply_to_all_targets),
    "target-missing": mutate_response(omit_target),
    "wrong-default-mode": BrokenHooks(behave=run_other_mode),
}

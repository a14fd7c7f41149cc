"""Serve a bulk request: at once or as jobs, for one scope or for each target of a fan-out. Main entry: `serve_bulk`."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

from contracts.bulk.model import Bulk, BulkJob, FanOut
from contracts.exchange.bulk_request import becomes_job
from contracts.exchange.item_text import write_response_parts
from contracts.exchange.locations import is_outside, locate, put_at
from contracts.exchange.raw_items import taken_items
from contracts.messages import Headers, Response
from contracts.openapi.routing import expand, last_variable
from contracts.syntax.text import as_list
from mockserver.api.model import Batch, ItemRun, Refusal, RequestContext, json_response
from mockserver.bulk.guards import Admission, admit, check_item_preconditions, make_batch
from mockserver.bulk.http_items import serve_http_item
from mockserver.bulk.job_status import job_response
from mockserver.bulk.limits import check_active_jobs, check_quotas, count_in_quotas, leave_over_quota
from mockserver.bulk.outcome_rendering import body_of, outcome_class, status_of
from mockserver.bulk.prepared_api import BulkPlan, prepared
from mockserver.bulk.set_members import REQUEST_VALUES, completed, request_facts, request_values
from mockserver.bulk.units import run_items, with_job_effect
from mockserver.domain.jobs import IS_OPEN, Job, schedule
from mockserver.domain.values import FanOutTarget, Item, Outcome, is_unprocessed

UNKNOWN_JOB: Final = Refusal(status=404, kind="not-found", detail="No job has this id.")


def serve_bulk(context: RequestContext) -> Response:
    """Serve a bulk request that conforms to the contract."""
    plan = prepared(context.api).plans[context.routed.id]
    unmet = check_item_preconditions(context, plan)
    admission = unmet or check_quotas(context, plan) or admit(context, plan)
    if isinstance(admission, Refusal):
        context.violations = admission.violations
        return context.refuse(admission)
    count_in_quotas(context, plan)
    if plan.bulk.job is not None and becomes_job(plan.bulk, context):
        return accept_jobs(context, admission, plan.bulk.job)
    leave_over_quota(context, plan)
    batch = make_batch(context, plan, admission.unit)
    if plan.bulk.items.fan_out is not None:
        return _serve_fan_out(context, batch, plan.bulk.items.fan_out)
    return reply_of(context, plan, batch, run_batch(context, batch, context.scope))


def reply_of(context: RequestContext, plan: BulkPlan, batch: Batch, outcomes: Sequence[Outcome]) -> Response:
    """Return the response that reports the outcomes of a request."""
    status = status_of(plan.bulk.reply.status, outcome_class(outcomes, batch.unit))
    facts = request_facts(context) if plan.bulk.reply.set_members else {}
    body = body_of(run_of(context, batch, context.scope), plan.bulk, plan.bulk.reply.outcomes, outcomes, facts)
    left = frozenset(one.item.index for one in outcomes if is_unprocessed(one)) if context.item_effects else None
    if left and plan.bulk.guard.unprocessed is not None:
        put_at(body, plan.bulk.guard.unprocessed, taken_items(plan.bulk, context, left))
    declared = plan.bulk.reply.outcomes
    if declared is not None and declared.shape == "parts":
        media, text = write_response_parts(body)
        return Response(status=status, headers=Headers((("Content-Type", media),)), body=text, data=body)
    full = completed(context, status, body, context.now, f"reply/{context.api_state.ids.count('reply')}")
    return json_response(context, status, full)


def run_of(context: RequestContext, batch: Batch, scope: str) -> ItemRun:
    """Return the run of a batch in one scope."""
    return ItemRun(
        api=context.api,
        api_state=context.api_state,
        scope=scope,
        now=context.now,
        unit=batch.unit,
        operation=batch.operation,
        client=context.client,
        valid=batch.valid,
        item_effects=context.item_effects,
        stop_after=batch.stop_after,
        **_about_items(context, batch),
    )


def _about_items(context: RequestContext, batch: Batch) -> dict[str, Any]:
    """Return what a run needs for items that are HTTP requests, or refer to one another."""
    bulk = batch.bulk
    if not bulk.effect.http and bulk.order.reference is None:
        return {}
    ready = prepared(context.api)
    item_reader = ready.plans[batch.operation.id].item_reader
    reread: Callable[[Item, object], Item] = partial(item_reader.reread, context)
    if not bulk.effect.http:
        return {"reread_item": reread}
    return {"reread_item": reread, "serve_item": partial(serve_http_item, context, bulk, ready.router)}


def run_batch(context: RequestContext, batch: Batch, scope: str) -> Sequence[Outcome]:
    """Apply a batch to a scope, by the API's own hook where it has one, and set the context's outcomes."""
    return (context.api.hooks.perform or apply_batch)(context, batch, scope)


def apply_batch(context: RequestContext, batch: Batch, scope: str) -> Sequence[Outcome]:
    """Apply a batch to a scope in its units and order, and set the context's outcomes."""
    run = run_of(context, batch, scope)
    populate_scope(run)
    record_rules = prepared(context.api).record_rules
    bulk, store, grouped = batch.bulk, context.api_state.store, batch.grouped
    if context.half_commit is None:
        outcomes = run_items(run, bulk, batch.items, store, record_rules, grouped=grouped)
    else:

        def half(items: Sequence[Item], broken: frozenset[object]) -> list[Outcome]:
            return list(run_items(replace(run, failed_keys=broken), bulk, items, store, record_rules, grouped=grouped))

        outcomes = context.half_commit.apply(scope, batch.unit, batch.items, half, grouped=grouped)
    context.outcomes = outcomes
    return outcomes


def populate_scope(run: ItemRun) -> None:
    """Write the initial records of the run's scope, once."""
    if run.scope not in run.api_state.populated:
        run.api_state.populated.add(run.scope)
        store = run.api_state.store
        undo, store.undo = store.undo, None  # initial records stay when the request that met the scope is taken back
        run.api.hooks.populate(run, store)
        store.undo = undo


def targets(context: RequestContext, declared: FanOut) -> dict[str, FanOutTarget]:
    """Return the fan-out targets that a request names, resolved, by name; duplicates count once."""
    return {
        str(name): _scenario_target(context, str(name)) or context.api.hooks.target(context, name)
        for name in as_list(locate(context, declared.over))
    }


def _scenario_target(context: RequestContext, name: str) -> FanOutTarget | None:
    """Return a target that a scenario makes unknown, or gives a problem; None when no scenario does."""
    tenant_effect = None if context.decision is None else context.decision.effects.tenants
    if tenant_effect is None:
        return None
    text = context.api.hooks.unknown_target(name) if tenant_effect.is_unknown(name) else tenant_effect.problem(name)
    return None if text is None else FanOutTarget(name, (text,))


def _serve_fan_out(context: RequestContext, batch: Batch, declared: FanOut) -> Response:
    """Apply the batch to each target at once, and respond with the results by target."""
    every: list[Outcome] = []

    def run_in(scope: str) -> object:
        outcomes = run_batch(context, batch, scope)
        every.extend(outcomes)
        return body_of(run_of(context, batch, scope), batch.bulk, batch.bulk.reply.outcomes, outcomes)

    response = _by_target(context, batch.bulk, declared, run_in)
    context.outcomes = every
    return response


def _by_target(context: RequestContext, bulk: Bulk, declared: FanOut, serve: Callable[[str], object]) -> Response:
    """Respond with what `serve` returns for the scope of each target, and with the problems of those that have some."""
    succeeded: dict[str, Any] = {}
    failed: dict[str, Any] = {}
    context.targets = targets(context, declared)
    for name, target in context.targets.items():
        if target.problems:
            failed[name] = list(target.problems)
        else:
            succeeded[name] = serve(target.scope)
    body: dict[str, Any] = {}
    put_at(body, declared.succeeded, succeeded)
    put_at(body, declared.failed, failed)
    word = "allOk" if not failed else "someFailed" if succeeded else "allFailed"
    statuses = bulk.reply.status
    if word == "allOk" and "accepted" in statuses and bulk.job is not None:
        word = "accepted"
    return json_response(context, status_of(statuses, word), body)


def accept_jobs(context: RequestContext, admission: Admission, declared: BulkJob) -> Response:
    """Make the jobs of a request, and respond with their handles."""
    refusal = context.api.hooks.check_conduct(context, admission.size) or check_active_jobs(
        context, admission.plan.bulk, declared
    )
    if refusal is not None:
        return context.refuse(refusal)
    if declared.open is not None:
        return _fill_job(context, admission, declared)
    fan_out = admission.plan.bulk.items.fan_out
    if fan_out is None:
        job = _job(context, admission, declared, context.scope)
        context.jobs = (job,)
        return _accepted_response(context, admission.plan, declared, job)
    jobs: list[Job] = []

    def make_job(scope: str) -> object:
        jobs.append(_job(context, admission, declared, scope))
        return jobs[-1].id

    response = _by_target(context, admission.plan.bulk, fan_out, make_job)
    context.jobs = jobs
    return response


def _job(context: RequestContext, admission: Admission, declared: BulkJob, scope: str) -> Job:
    """Make a job and register it with the API's state."""
    api_state = context.api_state
    begins, due = schedule(declared, admission.size, context.now)
    job = Job(
        id=context.api.hooks.job_id(context, admission.size),
        operation=admission.plan.operation.id,
        scope=scope,
        client=context.client,
        posted=context.now,
        begins=begins,
        due=due,
        items=admission.size,
        variables=context.variables,
        query=context.query,
        request=context.request.with_body(b""),
        spooled_body=context.spool_body(),
        unit=admission.unit,
        arrival=api_state.jobs.arrivals,
        retention=declared.keep,
    )
    if declared.set_members or declared.set_in_state:
        taken = request_values((declared.set_members, declared.set_in_state), request_facts(context))
        job = replace(job, extra={REQUEST_VALUES: taken})
    if context.decision is not None or context.item_effects is not None:
        planned = None if context.decision is None else context.decision.effects.job
        job = with_job_effect(job, planned, context.item_effects)
    register_job(context, job)
    return job


def register_job(context: RequestContext, job: Job) -> None:
    """Add a new job to the API's state; it is withdrawn when its request is rolled back."""
    jobs = context.api_state.jobs
    jobs.arrivals += 1
    jobs.add(job, context.api.hooks.precedence(job))
    context.api_state.on_roll_back(lambda: jobs.withdraw(job))


def _fill_job(context: RequestContext, admission: Admission, declared: BulkJob) -> Response:
    """Give an open job its items; it begins at once where no operation starts it."""
    operation, jobs = admission.plan.operation, context.api_state.jobs
    job = jobs.jobs.get(context.variables.get(last_variable(operation.path) or "", ""))
    if job is None or job.scope != context.scope or job.operation != operation.id:
        return context.refuse(UNKNOWN_JOB)
    if not job.extra.get(IS_OPEN) or job.spooled_body is not None or job.cancelled is not None:
        refusal = Refusal(status=409, kind="conflict", detail="The job is not open, or has its items.")
        return context.refuse(refusal)
    filled = replace(
        job,
        items=admission.size,
        variables=context.variables,
        request=context.request.with_body(b""),
        spooled_body=context.spool_body(),
        unit=admission.unit,
    )
    context.api_state.on_roll_back(lambda: jobs.jobs.__setitem__(job.id, job))
    jobs.jobs[job.id] = filled
    context.jobs = (filled,)
    if declared.start is None:
        start_job(context, declared, filled)
    status = status_of(admission.plan.bulk.reply.status, "accepted")
    response = operation.response(status)
    if response is None or not response.content:
        return Response(status=status)
    return job_response(context, status, context.jobs[0], accepted=True)


def start_job(context: RequestContext, declared: BulkJob, job: Job) -> Job:
    """Set a filled job going, and return it with its plan."""
    begins, due = schedule(declared, job.items, context.now)
    extra = {name: one for name, one in job.extra.items() if name != IS_OPEN}
    started = replace(job, begins=begins, due=due, extra=extra)
    context.api_state.jobs.start(started, context.api.hooks.precedence(started))
    context.jobs = (started,)
    return started


def _accepted_response(context: RequestContext, plan: BulkPlan, declared: BulkJob, job: Job) -> Response:
    status = status_of(plan.bulk.reply.status, "accepted") if "accepted" in plan.bulk.reply.status else 202
    if is_outside(declared.handle):
        name = declared.handle.partition(":")[2]
        shown = context.routed.response(status)
        has_body = shown is not None and bool(shown.content)
        response = job_response(context, status, job, accepted=True) if has_body else Response(status=status)
        return response.with_headers((name, poll_path(context, declared.poll, job)))
    return job_response(context, status, job, accepted=True)


def poll_path(context: RequestContext, poll: str, job: Job) -> str:
    """Return the path to poll a job: that of the poll operation, with the job's id as its last path parameter."""
    operation = context.api.contract.operation(poll)
    assert operation is not None  # noqa: S101 - the contract was checked when it was loaded
    return context.api.mount + expand(operation.path, {**job.variables, last_variable(operation.path) or "": job.id})

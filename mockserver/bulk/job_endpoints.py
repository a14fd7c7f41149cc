"""Run jobs that are due (`run_due_jobs`), and serve their operations: `serve_poll` and `serve_cancel`.

A job that meets an internal error ends in its failed state with a result for every item.
What they say of a job is in `job_status`.
"""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Final

from contracts.bulk.model import Bulk, Outcomes, Resource
from contracts.exchange.locations import locate
from contracts.messages import ABSENT, Response
from contracts.openapi.routing import variables_of
from contracts.syntax.text import text_of
from mockserver.api.model import Api, ApiState, Batch, Refusal, RequestContext
from mockserver.bulk.execution import UNKNOWN_JOB, register_job, run_batch, run_of, start_job
from mockserver.bulk.guards import make_batch
from mockserver.bulk.items import reread_body
from mockserver.bulk.job_status import job_response, told_result
from mockserver.bulk.outcome_entries import declared_entry
from mockserver.bulk.outcome_rendering import (
    message_of,
    name_of,
    outcome_class,
    render_entries,
    reported_outcomes,
    split_entries,
    status_of,
)
from mockserver.bulk.prepared_api import BulkPlan, prepared
from mockserver.bulk.set_members import REQUEST_VALUES, request_facts, request_values
from mockserver.bulk.units import item_effects_of
from mockserver.domain.columns import result_words, undone
from mockserver.domain.jobs import IS_OPEN, Job, JobResult, is_final, retention_end
from mockserver.domain.slices import breathe
from mockserver.domain.values import Item, ItemFault, Outcome

INTERNAL_FAULT_TEXT: Final = (
    "Bulkproof made a mistake here, which the server's log shows; whether this item was applied is not known."
)


def broken_result(context: RequestContext, job: Job) -> JobResult:
    """Return the result of a job that met an internal error: every item failed. `context` is its restored request."""
    plan = prepared(context.api).plans[job.operation]
    fault = ItemFault("scenario", facts={"message": INTERNAL_FAULT_TEXT})
    outcomes = [Outcome(item, "failed", item.action, (fault,)) for item in _items(context, plan, job)]
    context.outcomes = outcomes
    declared = plan.bulk.job.outcomes if plan.bulk.job is not None else None
    entries, failed = (None, None) if declared is None else _entries(context, plan, job, declared, outcomes)
    return JobResult(
        done=0,
        failed=job.items,
        not_run=0,
        status=500,
        entries=entries,
        failed_entries=failed,
        outcomes=outcomes if declared is None else (),
        is_internal_fault=True,
    )


def _items(context: RequestContext, plan: BulkPlan, job: Job) -> Sequence[Item]:
    """Return the items of the body, or as many nameless ones where it cannot be read."""
    try:
        found = plan.item_reader.items(context)
    except Exception:  # noqa: BLE001 - the fault has been logged; this is what can be said of it
        found = []
    if len(found) == job.items:
        return found
    resource = next(iter(context.api.contract.resources.values()), Resource(name="", key=""))
    return [Item(n, None, "update", resource, ABSENT, {}, None, None, {}) for n in range(job.items)]


def _entries(
    context: RequestContext, plan: BulkPlan, job: Job, declared: Outcomes, outcomes: Sequence[Outcome]
) -> tuple[object, object]:
    """Return the entries in the API's own shape, in the declared one where the API cannot say them."""
    batch = Batch(operation=plan.operation, bulk=plan.bulk, items=(), unit=job.unit, grouped=False, valid=frozenset())
    run = run_of(context, batch, job.scope)
    try:
        return split_entries(run, declared, outcomes)
    except Exception:  # noqa: BLE001 - the fault is logged, and the job has results all the same
        _log.debug("The results of the job %s cannot be rendered in the API's own shape", job.id, exc_info=True)
    if declared.shape == "map":
        return {name_of(one.item): declared_entry(run, one) for one in outcomes}, None
    return [declared_entry(run, one) for one in outcomes], None


BUGS_OF_REQUEST = "bugs"  # in a job's `extra`: the planted bugs that the call had
BUGS_OBSERVED = "fired"  # beside them: those that made a difference when the job ran
_log: Final = logging.getLogger("bulkproof")


def run_due_jobs(api: Api, api_state: ApiState, now: datetime) -> list[Job]:
    """Run every job due by `now`, each as of its due instant and in the order of the queue; return them.

    A job that meets an internal error fails, and the error is logged; other jobs and the current request go on.
    """
    ran: list[Job] = []
    while (job := api_state.jobs.pop_due(now)) is not None:
        try:
            _run(api, api_state, job)
        except Exception:  # noqa: BLE001 - the last resort: a job ends in its failed state, and the fault is logged
            _log.exception("The job %s of %s %s met a fault of Bulkproof's own", job.id, api.name, job.operation)
            result, outcomes = _failed_result(api, api_state, job)
            _end(api_state, job, result, outcomes)
        ran.append(job)
        breathe()
    return ran


def _run(maker: Api, api_state: ApiState, job: Job) -> None:
    assert job.due is not None  # noqa: S101 - only jobs with a due instant stand on the agenda
    assert job.spooled_body is not None  # noqa: S101 - it goes when the job has run, and a job runs once
    api = _with_bugs_of(maker, job)
    context, batch = restore_request(api, api_state, job)
    breathe()
    outcomes = run_batch(context, batch, job.scope)
    breathe()
    declared = batch.bulk.job.outcomes if batch.bulk.job is not None else None
    whole_failed = outcome_class(outcomes, job.unit) == "wholeFailed"
    rolled_back = batch.bulk.unit.rolled_back
    reported = (
        outcomes
        if declared is None
        else reported_outcomes(declared, outcomes, whole_failed=whole_failed, rolled_back=rolled_back)
    )
    extra = {**job.extra, BUGS_OBSERVED: tuple(context.bugs)} if context.bugs else job.extra
    _end(api_state, replace(job, extra=extra), _result(context, batch, job, outcomes, reported), outcomes)


def _end(api_state: ApiState, job: Job, result: JobResult, outcomes: Sequence[Outcome]) -> None:
    api_state.jobs.results[job.id] = result
    api_state.jobs.end(job)
    if api_state.on_job_end is not None:
        api_state.on_job_end(job, outcomes)


def _result(
    context: RequestContext, batch: Batch, job: Job, outcomes: Sequence[Outcome], reported: Sequence[Outcome]
) -> JobResult:
    """Return the result of a job with these outcomes, of which some are `reported`."""
    counts = result_words(outcomes)
    declared = batch.bulk.job.outcomes if batch.bulk.job is not None else None
    here = declared is not None
    run = run_of(context, batch, job.scope)
    idle = (
        [one for one in undone(reported) if one.result == "not-run"] if job_results_apart(batch.bulk, "notRun") else []
    )
    reported = [one for one in reported if one.result != "not-run"] if idle else reported
    if declared is not None and job_results_apart(batch.bulk):
        declared = replace(declared, failed_at=FAILURES_APART)
    entries, failed_entries = (None, None) if declared is None else split_entries(run, declared, reported)
    return JobResult(
        done=counts.count("done"),
        failed=counts.count("failed"),
        not_run=counts.count("not-run"),
        status=status_of(batch.bulk.reply.status, outcome_class(outcomes, job.unit)),
        entries=entries,
        failed_entries=failed_entries,
        not_run_entries=None if declared is None or not idle else render_entries(run, declared, idle),
        error=_whole_failure(job, outcomes) if batch.bulk.job is not None and batch.bulk.job.error is not None else "",
        outcomes=() if here else outcomes,
    )


def _whole_failure(job: Job, outcomes: Sequence[Outcome]) -> str:
    """Return why a job failed whose items stand or fall together, "" when it did not."""
    failed = next((one for one in outcomes if one.failed), None) if job.unit == "whole" else None
    return "" if failed is None else message_of(failed)


FAILURES_APART: Final = "/~failures"  # stands for another response: where an operation of its own returns failures


def job_results_apart(bulk: Bulk, result: str = "failed") -> bool:
    """Tell whether failures, or what was not run, are returned by an operation of their own."""
    return bulk.job is not None and result in bulk.job.results_of.values()


def _failed_result(api: Api, api_state: ApiState, job: Job) -> tuple[JobResult, Sequence[Outcome]]:
    """Return the result of a job that could not be carried out, with its items named as far as they can be read."""
    if job.operation not in prepared(api).plans:
        return JobResult(done=0, failed=job.items, not_run=0, status=500, entries=None, is_internal_fault=True), ()
    context = _context(api, api_state, job)
    with suppress(Exception):  # it has been logged, and is why the job failed
        context.data = _data(context, job)
    return broken_result(context, job), context.outcomes


def restore_request(api: Api, api_state: ApiState, job: Job) -> tuple[RequestContext, Batch]:
    """Return the context of the request that made a job, as of the instant at which the job runs, and its items."""
    plan = prepared(api).plans[job.operation]
    context = _context(api, api_state, job)
    context.data = _data(context, job)
    breathe()
    batch = make_batch(context, plan, job.unit)
    context.item_effects = item_effects_of(job, batch.items) if job.extra else None
    return context, batch


def reread(api: Api, api_state: ApiState, job: Job) -> Batch:
    """Return the items of a job that waits, read as when it runs. Raises what that raises."""
    return restore_request(_with_bugs_of(api, job), api_state, job)[1]


def _with_bugs_of(api: Api, job: Job) -> Api:
    """Return the API as it was for the call that made the job: a scenario may have planted a bug in it."""
    names = [name for name in job.extra.get(BUGS_OF_REQUEST, ()) if name not in api.bugs]
    if not names:
        return api
    return api.plant(api, *names)


def _context(api: Api, api_state: ApiState, job: Job) -> RequestContext:
    """Return the call that made the job, without its body, as of the instant at which it runs."""
    operation = prepared(api).plans[job.operation].operation
    context = RequestContext(
        api=api, api_state=api_state, request=job.request, now=job.due or job.posted, operation=operation
    )
    context.variables, context.query, context.client, context.scope = job.variables, job.query, job.client, job.scope
    context.jobs = (job,)
    return context


def _data(context: RequestContext, job: Job) -> object:
    """Return the body of the request that made the job. Raises ValueError when it cannot be read again."""
    context.request = context.request.with_body(b"" if job.spooled_body is None else job.spooled_body.read())
    data = reread_body(context)
    if data is ABSENT:
        raise ValueError("The body that the job waits with cannot be read again.")
    return data


def serve_poll(context: RequestContext) -> Response:
    """Respond with the state of a job."""
    job = find_job(context)
    if job is None:
        return context.refuse(UNKNOWN_JOB)
    context.jobs = (job,)
    refusal = context.api.hooks.check_conduct(context, 0)
    if refusal is not None:
        return context.refuse(refusal)
    return job_response(context, 200, job)


def serve_cancel(context: RequestContext) -> Response:
    """Cancel an unfinished job; 409 for one that has ended."""
    job = find_job(context)
    if job is None:
        return context.refuse(UNKNOWN_JOB)
    if is_final(job, context.now):
        return context.refuse(Refusal(status=409, kind="conflict", detail="The job has ended."))
    jobs = context.api_state.jobs
    if _lists_what_was_not_run(prepared(context.api).plans[job.operation].bulk) and job.spooled_body is not None:
        restored, batch = restore_request(context.api, context.api_state, job)
        idle = [Outcome(item, "not-run", item.action, ()) for item in batch.items]
        jobs.results[job.id] = _result(restored, batch, job, idle, idle)
    cancelled = replace(job, cancelled=context.now, spooled_body=None)
    jobs.replace(cancelled)

    def take_back() -> None:
        jobs.restore(job)
        jobs.results.pop(job.id, None)

    context.api_state.on_roll_back(take_back)
    context.jobs = (cancelled,)
    if context.operation is not None and "204" in context.operation.responses:
        return Response(status=204)
    return job_response(context, 200, cancelled)


def _lists_what_was_not_run(bulk: Bulk) -> bool:
    """Tell whether a cancelled job has an outcome for each of its items."""
    outcomes = None if bulk.job is None else bulk.job.outcomes
    return (outcomes is not None and bool(outcomes.set_not_run)) or job_results_apart(bulk, "notRun")


def serve_open(context: RequestContext) -> Response:
    """Make a job that another operation fills, and respond with its status."""
    plan, api_state = prepared(context.api).opens[context.routed.id][0], context.api_state
    declared = plan.bulk.job
    assert declared is not None  # noqa: S101 - it names this operation
    taken = request_values((declared.set_members, declared.set_in_state), request_facts(context))
    job = Job(
        id=context.api.hooks.job_id(context, 0),
        operation=plan.operation.id,
        scope=context.scope,
        client=context.client,
        posted=context.now,
        begins=context.now,
        due=None,
        items=0,
        variables=context.variables,
        query=context.query,
        spooled_body=None,
        unit="item",
        arrival=api_state.jobs.arrivals,
        retention=declared.keep,
        extra={IS_OPEN: True, REQUEST_VALUES: taken},
    )
    register_job(context, job)
    context.jobs = (job,)
    status = min((int(one) for one in context.routed.responses if one in {"200", "201", "202"}), default=200)
    return job_response(context, status, job)


def serve_start(context: RequestContext) -> Response:
    """Set an open job going, or cancel it where the request has that for its state."""
    job = find_job(context)
    declared = None if job is None else prepared(context.api).plans[job.operation].bulk.job
    if job is None or declared is None:
        return context.refuse(UNKNOWN_JOB)
    if declared.words.get(text_of(locate(context, declared.state_at))) == "cancelled":
        return serve_cancel(context)
    if not job.extra.get(IS_OPEN) or job.spooled_body is None or job.cancelled is not None:
        detail = "The job has no items yet." if job.extra.get(IS_OPEN) else "The job is not open."
        return context.refuse(Refusal(status=409, kind="conflict", detail=detail))
    return job_response(context, 200, start_job(context, declared, job))


def results_of(context: RequestContext) -> tuple[Outcomes, Sequence[object] | Mapping[str, object]] | Refusal:
    """Return how the outcomes of a job are reported by the operation at hand, and the entries; none until it ends."""
    job = find_job(context)
    declared = None if job is None else prepared(context.api).plans[job.operation].bulk.job
    if job is None or declared is None:
        return UNKNOWN_JOB
    context.jobs = (job,)
    outcomes = declared.outcomes or Outcomes(at="")
    result = told_result(context, job)
    which = declared.results_of.get(context.routed.id)
    found = None if result is None else result.entries_of(which)
    if found is None:
        return outcomes, {} if outcomes.shape == "map" else []
    return outcomes, found  # type: ignore[return-value] # entries are rendered as a list or a map


def find_job(context: RequestContext) -> Job | None:
    """Return the job that the path names; None when it is unknown, of another client, or past its retention."""
    operation = context.routed
    names = variables_of(operation.path)
    ready, jobs = prepared(context.api), context.api_state.jobs.jobs
    job = jobs.get(context.variables[names[-1]]) if names else None
    if job is None and operation.id in ready.results:
        job = next((jobs[str(one)] for one in context.query.values() if str(one) in jobs), None)
    plans = ready.polls.get(operation.id, ()) + ready.cancels.get(operation.id, ())
    plans += ready.results.get(operation.id, ()) + ready.starts.get(operation.id, ())
    if job is None or (plans and job.operation not in {plan.operation.id for plan in plans}):
        return None
    shared = [name for name in names[:-1] if name in job.variables]
    same = all(_folded(context, job.variables[name]) == _folded(context, context.variables[name]) for name in shared)
    if not (same and context.api.hooks.may_see_job(context, job)) or _expired(job, context.now):
        return None
    context.bugs.extend(name for name in job.extra.get(BUGS_OBSERVED, ()) if name not in context.bugs)
    return job


def _folded(context: RequestContext, word: str) -> str:
    return word.lower() if context.api.contract.ignore_case else word


def _expired(job: Job, now: datetime) -> bool:
    until = [at for at in (retention_end(job), job.forget_at) if at is not None]
    return bool(until) and min(until) <= now

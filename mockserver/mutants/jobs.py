"""Mutants of jobs: states that go back, wrong counters, effects that come too early or in spite of a cancellation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from contracts.bulk.model import BulkJob
from contracts.messages import ABSENT, Response
from contracts.openapi.routing import last_variable
from contracts.syntax.text import look_up
from mockserver.api.model import Batch, Behaviour, Perform, RequestContext
from mockserver.bulk.execution import UNKNOWN_JOB, run_batch
from mockserver.bulk.job_endpoints import restore_request
from mockserver.bulk.job_status import state_word
from mockserver.bulk.prepared_api import BulkPlan, prepared
from mockserver.domain.jobs import Job, JobRegistry, JobResult, is_final
from mockserver.domain.values import Outcome
from mockserver.mutants.hooks import (
    BrokenHooks,
    Note,
    edit_data,
    mutate_response,
    replace_handling,
    value_setter,
    with_value,
)

SUCCESS_STATUS: Final = 200


class PolledJob(NamedTuple):
    """A job as a successful poll reported it."""

    job: Job
    declared: BulkJob
    result: JobResult | None
    ended: bool


def polled_job(context: RequestContext, response: Response) -> PolledJob | None:
    """Return the job that a poll reported, None for any other request."""
    plans = () if context.operation is None else prepared(context.api).polls.get(context.operation.id, ())
    if response.status != SUCCESS_STATUS or len(context.jobs) != 1 or not plans:
        return None
    return _polled_job(context, context.jobs[0], plans)


def _polled_job(context: RequestContext, job: Job, plans: Sequence[BulkPlan]) -> PolledJob | None:
    fitting = [plan.bulk.job for plan in plans if plan.operation.id == job.operation and plan.bulk.job is not None]
    if not fitting:
        return None
    ended = is_final(job, context.now) and job.cancelled is None
    return PolledJob(job, fitting[0], context.api_state.jobs.results.get(job.id), ended)


def count_report(context: RequestContext, what: str, job: Job) -> int:
    """Count a report of a job under `what`, and return the number of reports before it."""
    counts: dict[str, int] = context.api_state.memory.setdefault(f"bugs/{what}", {})
    before = counts.get(job.id, 0)
    counts[job.id] = before + 1
    return before


def go_back(context: RequestContext, response: Response) -> Response:
    """Report a finished job as running, every second time."""
    found = polled_job(context, response)
    if found is None or not found.ended or count_report(context, "told", found.job) % 2 == 0:
        return response
    return edit_data(response, value_setter(found.declared.state_at, state_word(found.declared, "running")))


def forget(context: RequestContext, response: Response) -> Response:
    """Report a finished job only once, then answer 404."""
    found = polled_job(context, response)
    if found is None or not found.ended or count_report(context, "told", found.job) == 0:
        return response
    gone = context.refuse(UNKNOWN_JOB)
    return replace(gone, headers=response.headers.with_(*gone.headers))


def count_short(context: RequestContext, response: Response) -> Response:
    """Report one processed item less at the end."""
    return _edit_final_counters(context, response, lambda number: max(0, number - 1))


def count_over(context: RequestContext, response: Response) -> Response:
    """Report one processed item more at the end."""
    return _edit_final_counters(context, response, lambda number: number + 1)


def _edit_final_counters(
    context: RequestContext, response: Response, change: Callable[[int], object], *names: str
) -> Response:
    """Change the counters of a finished job."""
    found = polled_job(context, response)
    if found is None or not found.ended:
        return response
    for name in names or ("processed",):
        place = found.declared.progress.get(name)
        number = ABSENT if place is None else look_up(response.data, place)
        if place is not None and type(number) is int:
            response = edit_data(response, value_setter(place, change(number)))
    return response


def count_as_text(context: RequestContext, response: Response) -> Response:
    """Write the counters of a finished job as strings."""
    return _edit_final_counters(context, response, str, "posted", "processed", "done", "failed")


def count_down(
    note: Note, handler: Callable[[RequestContext, Response], Response]
) -> Callable[[RequestContext, Response], Response]:
    """Report all items as processed at the first poll of a running job, and the lower true number later."""

    def finish(context: RequestContext, response: Response) -> Response:
        proper = handler(context, response)
        found = polled_job(context, proper)
        place = None if found is None else found.declared.progress.get("processed")
        if found is None or place is None or found.job.cancelled is not None:
            return proper
        reported: dict[str, int] = context.api_state.memory.setdefault("bugs/processed", {})
        number = look_up(proper.data, place)
        if found.job.id not in reported and not found.ended and type(number) is int:
            reported[found.job.id] = found.job.items
            if number < found.job.items:
                note(context)
            return edit_data(proper, value_setter(place, found.job.items))
        if type(number) is int and number < reported.get(found.job.id, 0):
            note(context)
        return proper

    return finish


def hide_errors(context: RequestContext, response: Response) -> Response:
    """Report the state of a job without errors."""
    found = polled_job(context, response)
    if found is None or not found.ended:
        return response
    return edit_data(response, value_setter(found.declared.state_at, state_word(found.declared, "done")))


def change_results(context: RequestContext, response: Response) -> Response:
    """Leave out one outcome when a finished job's results are requested again."""
    job, at = _results(context, response)
    if job is None or count_report(context, "results", job) == 0:
        return response
    return edit_data(response, lambda data: _shortened(data, at))


def _results(context: RequestContext, response: Response) -> tuple[Job | None, str]:
    """Return the finished job whose outcomes the response reports, and their location."""
    if (
        response.status != SUCCESS_STATUS
        or len(context.jobs) != 1
        or context.operation is None
        or context.operation.bulk is not None
    ):
        return None, ""
    job, ready = context.jobs[0], prepared(context.api)
    plan = ready.plans.get(job.operation)
    declared = None if plan is None else plan.bulk.job
    reported = None if declared is None else declared.outcomes
    if declared is None or reported is None or not is_final(job, context.now) or job.cancelled is not None:
        return None, ""
    here = (
        context.operation.id == declared.poll
        if declared.results in {(), ("here",)}
        else context.operation.id in declared.results
    )
    return (job, reported.at) if here else (None, "")


def _shortened(data: Any, at: str) -> Any:
    if at.startswith("/*/"):
        return data[:-1]
    reported = look_up(data, at)
    if isinstance(reported, list):
        return with_value(data, at, reported[:-1])
    if isinstance(reported, dict):
        return with_value(data, at, dict(list(reported.items())[:-1]))
    return data


def report_newest(handler: Behaviour, context: RequestContext) -> Response | None:
    """Report the job that was created last instead of the requested one."""
    if context.operation is None or context.operation.id not in prepared(context.api).polls or not context.variables:
        return None
    name = last_variable(context.operation.path) or ""
    jobs = context.api_state.jobs.jobs
    own = jobs.get(context.variables[name])
    last = None if own is None else next((one for one in reversed(jobs.values()) if _is_similar(one, own)), None)
    if own is None or last is None or last.id == own.id:
        return None
    context.variables = {**context.variables, name: last.id}
    return handler(context)


def _is_similar(one: Job, other: Job) -> bool:
    return one.operation == other.operation and one.scope == other.scope and one.variables == other.variables


def cancel_nothing(note: Note, handler: Behaviour) -> Behaviour:
    """Report a job as cancelled, and let it run."""

    def behave(context: RequestContext) -> Response:
        book = context.api_state.jobs
        before = (
            dict(book.jobs)
            if context.operation is not None and context.operation.id in prepared(context.api).cancels
            else {}
        )
        response = handler(context)
        for job in context.jobs:
            own = before.get(job.id)
            if own is not None and own.cancelled is None and job.cancelled is not None:
                _revive(book, own, context.api.hooks.precedence(own))
                note(context)
        return response

    return behave


def _revive(book: JobRegistry, job: Job, precedence: int) -> None:
    book.due_queue = [one for one in book.due_queue if one[3] != job.id]
    book.due_queue.sort()
    book.add(job, precedence)


def act_early(note: Note, handler: Behaviour) -> Behaviour:
    """Apply the items of a job at its creation, and report them when the job has ended."""

    def behave(context: RequestContext) -> Response:
        before = context.api_state.jobs.arrivals
        response = handler(context)
        for job in context.jobs:
            if job.arrival >= before and job.due is not None:
                outcomes = _run_early(context, job)
                if any(one.result == "done" for one in outcomes):
                    note(context)
        return response

    return behave


def _run_early(context: RequestContext, job: Job) -> Sequence[Outcome]:
    early, batch = restore_request(context.api, context.api_state, job)
    early.now = context.now
    outcomes = run_batch(early, batch, job.scope)
    context.api_state.memory.setdefault("bugs/early", {})[job.id] = outcomes
    return outcomes


def report_late(note: Note, handler: Perform) -> Perform:
    """Report for a job the outcomes of its early run."""
    del note

    def perform_late(context: RequestContext, batch: Batch, scope: str) -> Sequence[Outcome]:
        early: dict[str, Sequence[Outcome]] = context.api_state.memory.get("bugs/early", {})
        if context.jobs and context.jobs[0].id in early:
            context.outcomes = early[context.jobs[0].id]
            return context.outcomes
        return handler(context, batch, scope)

    return perform_late


BREAKS: Final[Mapping[str, BrokenHooks]] = {
    "cancel-ignored": BrokenHooks(behave=cancel_nothing),
    "job-acts-early": BrokenHooks(behave=act_early, perform=report_late),
    "job-errors-hidden": mutate_response(hide_errors),
    "job-forgotten": mutate_response(forget),
    "job-goes-backwards": mutate_response(go_back),
    "jobs-mixed-up": replace_handling(report_newest),
    "numbers-as-text": mutate_response(count_as_text),
    "processed-falls": BrokenHooks(finish=count_down),
    "processed-over": mutate_response(count_over),
    "processed-short": mutate_response(count_short),
    "results-change": mutate_response(change_results),
}

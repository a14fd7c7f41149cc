"""Laws that the polls and results of one job decide: its states, times, counters, steps and results.

Begin with `job_moves` and `job_progress`.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from contracts.bulk.jobs import is_legal_transition
from contracts.bulk.model import BulkJob
from contracts.exchange.bulk_exchange import BulkExchange, OutcomeReport
from contracts.exchange.job_traces import SUCCESS_STATUS, JobPoll, JobTrace
from contracts.exchange.locations import find, holds, read_response
from contracts.exchange.outcomes import raw_entries
from contracts.messages import ABSENT, Exchange
from contracts.syntax.text import short
from generators.client.session import UnendedJob
from generators.oracles.findings import Finding, new_finding
from generators.oracles.response_laws import comparable_reply, view_finding

MIN_JOB_RETENTION: Final = timedelta(minutes=1)  # of a finished job, where none is declared
CONFLICT: Final = 409  # of a call with the state of what it is about
STOPPED: Final = frozenset(("cancelled", "expired"))
TIMES: Final = ("created", "started", "ended")  # of a job, in their order


def job_moves(view: BulkExchange) -> Iterator[Finding]:
    """Yield undeclared job states and transitions that are not allowed."""
    for trace in view.traces:
        unknown = next((one for one in trace.polls if one.state is None), None)
        if unknown is not None:
            says = f"the state {short(unknown.word)} is none of the declared words"
            yield view_finding("job-moves", view, "undeclared word", says, unknown.exchange)
        known = [one for one in trace.polls if one.state is not None]
        for before, after in pairwise(known):
            if not is_legal_transition(before.state or "", after.state or ""):
                says = f"the job went from {short(before.word)} to {short(after.word)}"
                shape = f"{before.state} to {after.state}"
                yield view_finding("job-moves", view, shape, says, before.exchange, after.exchange)
        yield from _lost_job(view, trace)
        yield from _late_cancel(view, trace)
        yield from _times(view, trace)


def unended(job: UnendedJob) -> Finding:
    """Return the finding that a job has not ended long after others of its size have."""
    says = f"a job had not ended after {job.waited.total_seconds():.0f} s, although others of its size took much less"
    return new_finding("job-moves", job.post.operation or "", "does not end", says, [job.post, job.poll])


def _late_cancel(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    """Yield a job that was done before it was cancelled with success, although that is declared to be a conflict."""
    cancel = trace.contract.operation(trace.declared.cancel or "") if trace.contract is not None else None
    if cancel is None or str(CONFLICT) not in cancel.responses or trace.end is None or trace.end.state in STOPPED:
        return
    late = next((one for one in trace.cancels if one.n > trace.end.exchange.n), None)
    if late is not None and late.response.status in SUCCESS_STATUS:
        says = f"the job, which had ended ({short(trace.end.word)}), is cancelled with {late.response.status}"
        yield view_finding("job-moves", view, "cancelled after its end", says, trace.end.exchange, late)


def _times(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    """Yield times of a job that change once they are told, or are not in their order."""
    told: dict[str, tuple[object, JobPoll]] = {}
    for poll in trace.polls:
        found = {name: read_response(poll.exchange.response, at) for name, at in trace.declared.times.items()}
        for name, value in found.items():
            if value is ABSENT or value is None:
                continue
            before = told.setdefault(name, (value, poll))
            if before[0] != value:
                says = f"the job was {name} at {short(before[0])}, and later at {short(value)}"
                yield view_finding("job-moves", view, f"time {name} changes", says, before[1].exchange, poll.exchange)
                return
        known = [(name, time) for name in TIMES if (time := _time(found.get(name))) is not None]
        for (one, first), (other, second) in pairwise(known):
            if second < first:
                says = f"the job was {other} before it was {one}: {short(found[other])} and {short(found[one])}"
                yield view_finding("job-moves", view, f"{other} before {one}", says, poll.exchange)
                return


def _time(value: object) -> float | None:
    """Return an instant in seconds, or a number as it is; None for what is neither."""
    if isinstance(value, str):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            return None
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _lost_job(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    """Yield a job that the server no longer knows although it must."""
    for exchange in trace.gone:
        end = trace.end
        ended = end is not None and end.exchange.n < exchange.n
        if not ended or _is_kept(trace.declared, end, exchange):
            says = f"the job {short(trace.handle)} is not known ({exchange.response.status}) although it was accepted"
            yield view_finding("job-moves", view, "job is not known", says, exchange)
            return


def job_progress(view: BulkExchange) -> Iterator[Finding]:
    """Yield counters that fall, exceed the posted count or never reach it, and results that change."""
    for trace in view.traces:
        yield from _job_numbers(view, trace)
        yield from _final_count(view, trace)
        yield from _changed_results(view, trace)
        yield from _early_results(view, trace)
        yield from _steps(view, trace)
    for report in view.reports:
        yield from _job_failed_if(view, report)


def _early_results(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    """Yield outcomes that a job tells although it tells, then or later, that it has processed nothing."""
    declared, idle = trace.declared.outcomes, [one for one in trace.polls if one.progress.get("processed") == 0]
    if declared is None or not idle:
        return
    here = trace.declared.results in {(), ("here",)}
    for asked in [one.exchange for one in idle] if here else trace.results:
        last = idle[-1]
        if (last.exchange.n >= asked.n or last.is_final) and any(
            True for _ in raw_entries(declared, asked.response.data) or ()
        ):
            says = f"outcomes are told although the job tells that it has processed nothing ({short(last.word)})"
            yield view_finding("job-progress", view, "results of nothing", says, asked, last.exchange)
            return


def _steps(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    """Yield lists of steps that contradict the number of units, and steps that contradict their outcomes."""
    declared, places = trace.declared.outcomes, trace.declared.steps
    if declared is None or not places:
        return
    counts = [one.progress["posted"] for one in trace.polls if "posted" in one.progress]
    for asked in trace.results:
        steps = find(asked.response.data, places["at"])
        if not isinstance(steps, list):
            continue
        if counts and len(steps) != counts[-1]:
            says = f"the job counts {counts[-1]} steps, but lists {len(steps)}"
            yield view_finding("job-progress", view, "other number of steps", says, trace.polls[-1].exchange, asked)
            return
        units = {"whole": 1, "item": len(view.request.items)}.get(view.request.unit or "", len(steps))
        if len(steps) != units:
            says = f"the job lists {len(steps)} steps of {units} units"
            yield view_finding("job-progress", view, "steps are no units", says, asked)
            return
        test = trace.declared.step_failed_if
        for step in steps if test is not None else ():
            told = find(step, places["outcomes"])
            failed = any(_fails(trace.declared, one) for one in told) if isinstance(told, list) else False
            if test is not None and holds(test, step) is not failed:
                says = f"a step {'with' if failed else 'without'} failures says otherwise at {test.at}"
                yield view_finding("job-progress", view, "step contradicts its outcomes", says, asked)
                return
        yield from _contradicted_end(view, trace, steps, asked)


def _contradicted_end(view: BulkExchange, trace: JobTrace, steps: list[object], asked: Exchange) -> Iterator[Finding]:
    """Yield the end of a job without failures that lists a step with some."""
    of_job, of_step, end = trace.declared.failed_if, trace.declared.step_failed_if, trace.end
    if of_job is None or of_step is None or end is None:
        return
    if any(holds(of_step, one) for one in steps) and not holds(of_job, end.exchange.response.data):
        says = f"a step of the job failed, but it says otherwise at {of_job.at}"
        yield view_finding("job-progress", view, "job contradicts its steps", says, end.exchange, asked)


def _fails(declared: BulkJob, entry: object) -> bool:
    test = declared.outcomes.failed_if if declared.outcomes is not None else None
    return test is not None and holds(test, entry)


def _job_failed_if(view: BulkExchange, report: OutcomeReport) -> Iterator[Finding]:
    """Yield a finished job that contradicts its outcomes on whether an item failed."""
    trace = report.trace
    test = None if trace is None else trace.declared.failed_if
    if trace is None or test is None or "untold" in {one.result for one in report.outcomes}:
        return
    failed = any(one.result == "failed" for one in report.outcomes)
    for poll in (one for one in trace.polls if one.is_final):
        if holds(test, poll.exchange.response.data) is not failed:
            says = f"{'an item' if failed else 'no item'} of the job failed, but it says otherwise at {test.at}"
            yield view_finding(
                "job-progress", view, "job contradicts its outcomes", says, poll.exchange, *report.evidence
            )
            return


def _job_numbers(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    for before, after in pairwise(trace.polls):
        if _difference(before, after, "posted") != 0:
            says = f"posted was {before.progress['posted']} and became {after.progress['posted']}"
            yield view_finding("job-progress", view, "posted changes", says, before.exchange, after.exchange)
        if _difference(before, after, "processed") < 0:
            says = f"processed was {before.progress['processed']} and fell to {after.progress['processed']}"
            yield view_finding("job-progress", view, "processed falls", says, before.exchange, after.exchange)
        if before.is_final and _difference(before, after, "processed") > 0:
            counted = [one.progress["processed"] for one in (before, after)]
            says = f"a job that had ended with {counted[0]} processed went on to {counted[1]}"
            yield view_finding("job-progress", view, "processed after its end", says, before.exchange, after.exchange)
    for poll in trace.polls:
        posted, processed = poll.progress.get("posted"), poll.progress.get("processed")
        if posted is not None and processed is not None and processed > posted:
            says = f"{processed} are processed of {posted} posted"
            yield view_finding("job-progress", view, "processed passes posted", says, poll.exchange)


def _difference(before: JobPoll, after: JobPoll, name: str) -> int:
    if name not in before.progress or name not in after.progress:
        return 0
    return after.progress[name] - before.progress[name]


def _final_count(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    end = trace.end
    if end is None or end.state not in {"done", "doneWithErrors"}:
        return
    posted, processed = end.progress.get("posted"), end.progress.get("processed")
    if posted is not None and processed is not None and processed < posted:
        says = f"the job has ended with {processed} processed of {posted} posted"
        yield view_finding("job-progress", view, "ends before all is processed", says, end.exchange)


def _changed_results(view: BulkExchange, trace: JobTrace) -> Iterator[Finding]:
    """Yield results of a finished job that change within its retention time."""
    end, declared = trace.end, trace.declared
    if end is None or declared.outcomes is None:
        return
    here = declared.results in {(), ("here",)}
    asked = [one.exchange for one in trace.polls if one.is_final] if here else trace.results
    kept = [one for one in asked if one.n >= end.exchange.n and _is_kept(declared, end, one)]
    for name, query in dict.fromkeys((one.operation, one.request.query) for one in kept):
        same = [one for one in kept if (one.operation, one.request.query) == (name, query)]
        asked_for = None if trace.contract is None else trace.contract.operation(name or "")
        for one, other in pairwise(same) if asked_for is not None else ():
            told = [one.response, other.response]
            if told[0].status == told[1].status and told[0].body == told[1].body:
                continue
            before, after = (comparable_reply(view, answer, declared.outcomes, asked_for) for answer in told)
            if before != after:
                says = "the results of the finished job changed"
                yield view_finding("job-progress", view, "results change", says, one, other)
                return


def _is_kept(declared: BulkJob, end: JobPoll | None, asked: Exchange) -> bool:
    return end is None or asked.at < end.exchange.at + (declared.keep or MIN_JOB_RETENTION)

"""Laws on the life of jobs, seen through their polls: job-moves and job-progress."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise
from typing import Final

from contracts.bulk import BulkJob
from contracts.lifecycle import may_move
from contracts.messages import Exchange
from contracts.texts import short
from generators.checks.findings import Finding
from generators.checks.jobs import Poll, Trace
from generators.checks.outcome_laws import found
from generators.checks.views import View
from generators.locations import look_all

AT_LEAST: Final = timedelta(minutes=1)  # how long a job is known after its end where nothing is declared


def job_moves(view: View) -> Iterator[Finding]:
    """Yield where a job's state is no declared word, or moves as no job may."""
    for trace in view.traces:
        unknown = next((one for one in trace.polls if one.state is None), None)
        if unknown is not None:
            says = f"the state {short(unknown.word)} is none of the declared words"
            yield found("job-moves", view, "undeclared word", says, unknown.exchange)
        known = [one for one in trace.polls if one.state is not None]
        for before, after in pairwise(known):
            if not may_move(before.state or "", after.state or ""):
                says = f"the job went from {short(before.word)} to {short(after.word)}"
                shape = f"{before.state} to {after.state}"
                yield found("job-moves", view, shape, says, before.exchange, after.exchange)
        yield from _lost(view, trace)


def _lost(view: View, trace: Trace) -> Iterator[Finding]:
    """Yield where a job that must still be known is not."""
    for exchange in trace.gone:
        end = trace.end
        ended = end is not None and end.exchange.n < exchange.n
        if not ended or _is_kept(trace.declared, end, exchange):
            says = f"the job {short(trace.handle)} is not known ({exchange.reply.status}) although it was accepted"
            yield found("job-moves", view, "job is not known", says, exchange)
            return


def job_progress(view: View) -> Iterator[Finding]:
    """Yield where a job's numbers fall, pass what was posted, or do not arrive; or where its results change."""
    for trace in view.traces:
        yield from _numbers(view, trace)
        yield from _arrival(view, trace)
        yield from _constancy(view, trace)


def _numbers(view: View, trace: Trace) -> Iterator[Finding]:
    for before, after in pairwise(trace.polls):
        if _moved(before, after, "posted") != 0:
            says = f"posted was {before.progress['posted']} and became {after.progress['posted']}"
            yield found("job-progress", view, "posted changes", says, before.exchange, after.exchange)
        if _moved(before, after, "processed") < 0:
            says = f"processed was {before.progress['processed']} and fell to {after.progress['processed']}"
            yield found("job-progress", view, "processed falls", says, before.exchange, after.exchange)
    for poll in trace.polls:
        posted, processed = poll.progress.get("posted"), poll.progress.get("processed")
        if posted is not None and processed is not None and processed > posted:
            says = f"{processed} are processed of {posted} posted"
            yield found("job-progress", view, "processed passes posted", says, poll.exchange)


def _moved(before: Poll, after: Poll, name: str) -> int:
    if name not in before.progress or name not in after.progress:
        return 0
    return after.progress[name] - before.progress[name]


def _arrival(view: View, trace: Trace) -> Iterator[Finding]:
    end = trace.end
    if end is None or end.state not in {"done", "doneWithErrors"}:
        return
    posted, processed = end.progress.get("posted"), end.progress.get("processed")
    if posted is not None and processed is not None and processed < posted:
        says = f"the job has ended with {processed} processed of {posted} posted"
        yield found("job-progress", view, "ends before all is processed", says, end.exchange)


def _constancy(view: View, trace: Trace) -> Iterator[Finding]:
    """Yield where what a finished job tells changes before it may be forgotten."""
    end, declared = trace.end, trace.declared
    if end is None or declared.outcomes is None:
        return
    here = declared.results in {(), ("here",)}
    asked = [one.exchange for one in trace.polls if one.is_final] if here else trace.results
    kept = [one for one in asked if one.n >= end.exchange.n and _is_kept(declared, end, one)]
    told = [list(look_all(one.reply.data, declared.outcomes.at)) for one in kept]
    for n, (before, after) in enumerate(pairwise(told)):
        if before != after:
            says = "the results of the finished job changed"
            yield found("job-progress", view, "results change", says, kept[n], kept[n + 1])
            return


def _is_kept(declared: BulkJob, end: Poll | None, asked: Exchange) -> bool:
    return end is None or asked.at < end.exchange.at + (declared.keep or AT_LEAST)

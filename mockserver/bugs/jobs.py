"""Bugs in the life of jobs: states that go back, numbers that lie, effects that come too early or in spite of all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from contracts.bulk import BulkJob
from contracts.messages import ABSENT, Reply
from contracts.pointers import look_up
from contracts.templates import last_variable
from mockserver.api import Behaviour, Perform
from mockserver.behaviours.bulk import perform
from mockserver.behaviours.polls import resumed, word_for
from mockserver.bugs.breaking import Break, Note, answering, instead
from mockserver.bugs.edits import edited, placed, setting
from mockserver.domain.jobs import Job, JobBook, Result, is_final
from mockserver.domain.values import Outcome
from mockserver.guard import Batch
from mockserver.served import BulkPlan, served
from mockserver.turn import Refusal, Turn

SUCCESS: Final = 200


class Life(NamedTuple):
    """A job as a successful poll told of it."""

    job: Job
    declared: BulkJob
    result: Result | None
    ended: bool


def life(turn: Turn, reply: Reply) -> Life | None:
    """Return the job that a poll has told of, None for any other call."""
    plans = () if turn.operation is None else served(turn.api).polls.get(turn.operation.id, ())
    if reply.status != SUCCESS or len(turn.jobs) != 1 or not plans:
        return None
    return _life(turn, turn.jobs[0], plans)


def _life(turn: Turn, job: Job, plans: Sequence[BulkPlan]) -> Life | None:
    fitting = [plan.bulk.job for plan in plans if plan.operation.id == job.operation and plan.bulk.job is not None]
    if not fitting:
        return None
    ended = is_final(job, turn.now) and job.cancelled is None
    return Life(job, fitting[0], turn.world.jobs.results.get(job.id), ended)


def times(turn: Turn, what: str, job: Job) -> int:
    """Count how often something was told of a job, and return the number before."""
    counts: dict[str, int] = turn.world.memory.setdefault(f"bugs/{what}", {})
    before = counts.get(job.id, 0)
    counts[job.id] = before + 1
    return before


def go_back(turn: Turn, reply: Reply) -> Reply:
    """Say that a finished job is running, every second time."""
    found = life(turn, reply)
    if found is None or not found.ended or times(turn, "told", found.job) % 2 == 0:
        return reply
    return edited(reply, setting(found.declared.state_at, word_for(found.declared, "running")))


def forget(turn: Turn, reply: Reply) -> Reply:
    """Know a finished job only once."""
    found = life(turn, reply)
    if found is None or not found.ended or times(turn, "told", found.job) == 0:
        return reply
    gone = turn.api.hooks.refuse(turn, Refusal(status=404, kind="not-found", detail="No job has this id."))
    return replace(gone, headers=reply.headers.with_(*gone.headers))


def count_short(turn: Turn, reply: Reply) -> Reply:
    """Leave one item unprocessed at the end."""
    return _at_end(turn, reply, lambda number: max(0, number - 1))


def count_over(turn: Turn, reply: Reply) -> Reply:
    """Process one item more than there were."""
    return _at_end(turn, reply, lambda number: number + 1)


def _at_end(turn: Turn, reply: Reply, change: Callable[[int], object], *names: str) -> Reply:
    """Change the counters of a finished job."""
    found = life(turn, reply)
    if found is None or not found.ended:
        return reply
    for name in names or ("processed",):
        place = found.declared.progress.get(name)
        number = ABSENT if place is None else look_up(reply.data, place)
        if place is not None and type(number) is int:
            reply = edited(reply, setting(place, change(number)))
    return reply


def count_as_text(turn: Turn, reply: Reply) -> Reply:
    """Write the counters of a finished job as texts."""
    return _at_end(turn, reply, str, "posted", "processed", "done", "failed")


def fall(note: Note, doing: Callable[[Turn, Reply], Reply]) -> Callable[[Turn, Reply], Reply]:
    """Tell too many processed items the first time that a running job is asked for, and fewer after that."""

    def finish(turn: Turn, reply: Reply) -> Reply:
        proper = doing(turn, reply)
        found = life(turn, proper)
        place = None if found is None else found.declared.progress.get("processed")
        if found is None or place is None or found.job.cancelled is not None:
            return proper
        said: dict[str, int] = turn.world.memory.setdefault("bugs/processed", {})
        number = look_up(proper.data, place)
        if found.job.id not in said and not found.ended and type(number) is int:
            said[found.job.id] = found.job.items
            if number < found.job.items:
                note(turn)
            return edited(proper, setting(place, found.job.items))
        if type(number) is int and number < said.get(found.job.id, 0):
            note(turn)
        return proper

    return finish


def hide_errors(turn: Turn, reply: Reply) -> Reply:
    """End in the word for a job without errors."""
    found = life(turn, reply)
    if found is None or not found.ended:
        return reply
    return edited(reply, setting(found.declared.state_at, word_for(found.declared, "done")))


def change_results(turn: Turn, reply: Reply) -> Reply:
    """Tell one outcome less when a finished job's results are asked for again."""
    job, at = _results(turn, reply)
    if job is None or times(turn, "results", job) == 0:
        return reply
    return edited(reply, lambda data: _shortened(data, at))


def _results(turn: Turn, reply: Reply) -> tuple[Job | None, str]:
    """Return the finished job whose outcomes an answer tells, and where."""
    if reply.status != SUCCESS or len(turn.jobs) != 1 or turn.operation is None or turn.operation.bulk is not None:
        return None, ""
    job, ready = turn.jobs[0], served(turn.api)
    plan = ready.plans.get(job.operation)
    declared = None if plan is None else plan.bulk.job
    told = None if declared is None else declared.outcomes
    if declared is None or told is None or not is_final(job, turn.now) or job.cancelled is not None:
        return None, ""
    here = (
        turn.operation.id == declared.poll
        if declared.results in {(), ("here",)}
        else turn.operation.id in declared.results
    )
    return (job, told.at) if here else (None, "")


def _shortened(data: Any, at: str) -> Any:
    if at.startswith("/*/"):
        return data[:-1]
    told = look_up(data, at)
    if isinstance(told, list):
        return placed(data, at, told[:-1])
    if isinstance(told, dict):
        return placed(data, at, dict(list(told.items())[:-1]))
    return data


def mix_up(doing: Behaviour, turn: Turn) -> Reply | None:
    """Speak of the job that was made last, whichever is asked for."""
    if turn.operation is None or turn.operation.id not in served(turn.api).polls or not turn.variables:
        return None
    name = last_variable(turn.operation.path) or ""
    jobs = turn.world.jobs.jobs
    own = jobs.get(turn.variables[name])
    last = None if own is None else next((one for one in reversed(jobs.values()) if _is_like(one, own)), None)
    if own is None or last is None or last.id == own.id:
        return None
    turn.variables = {**turn.variables, name: last.id}
    return doing(turn)


def _is_like(one: Job, other: Job) -> bool:
    return one.operation == other.operation and one.scope == other.scope and one.variables == other.variables


def cancel_nothing(note: Note, doing: Behaviour) -> Behaviour:
    """Say that a job is cancelled, and let it run."""

    def behave(turn: Turn) -> Reply:
        book = turn.world.jobs
        before = dict(book.jobs) if turn.operation is not None and turn.operation.id in served(turn.api).cancels else {}
        reply = doing(turn)
        for job in turn.jobs:
            own = before.get(job.id)
            if own is not None and own.cancelled is None and job.cancelled is not None:
                _revive(book, own, turn.api.hooks.precedence(own))
                note(turn)
        return reply

    return behave


def _revive(book: JobBook, job: Job, precedence: int) -> None:
    book.agenda = [one for one in book.agenda if one[3] != job.id]
    book.agenda.sort()
    book.add(job, precedence)


def act_early(note: Note, doing: Behaviour) -> Behaviour:
    """Do at once what a job is to do, and tell of it when the job has ended."""

    def behave(turn: Turn) -> Reply:
        before = turn.world.jobs.arrivals
        reply = doing(turn)
        for job in turn.jobs:
            if job.arrival >= before and job.due is not None:
                outcomes = _done_early(turn, job)
                if any(one.result == "done" for one in outcomes):
                    note(turn)
        return reply

    return behave


def _done_early(turn: Turn, job: Job) -> Sequence[Outcome]:
    early, batch = resumed(turn.api, turn.world, job)
    early.now = turn.now
    outcomes = perform(early, batch, job.scope)
    turn.world.memory.setdefault("bugs/early", {})[job.id] = outcomes
    return outcomes


def told_late(note: Note, doing: Perform) -> Perform:
    """Tell of a job what it did early."""
    del note

    def perform_late(turn: Turn, batch: Batch, scope: str) -> Sequence[Outcome]:
        early: dict[str, Sequence[Outcome]] = turn.world.memory.get("bugs/early", {})
        if turn.jobs and turn.jobs[0].id in early:
            turn.outcomes = early[turn.jobs[0].id]
            return turn.outcomes
        return doing(turn, batch, scope)

    return perform_late


BREAKS: Final[Mapping[str, Break]] = {
    "cancel-ignored": Break(behave=cancel_nothing),
    "job-acts-early": Break(behave=act_early, perform=told_late),
    "job-errors-hidden": answering(hide_errors),
    "job-forgotten": answering(forget),
    "job-goes-backwards": answering(go_back),
    "jobs-mixed-up": instead(mix_up),
    "numbers-as-text": answering(count_as_text),
    "processed-falls": Break(finish=fall),
    "processed-over": answering(count_over),
    "processed-short": answering(count_short),
    "results-change": answering(change_results),
}

"""Serving the life of a job: running what is due, polling, cancelling."""

import logging
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from contracts.bulk import BulkJob
from contracts.messages import ABSENT, Reply
from contracts.templates import variables_of
from mockserver.api import Api
from mockserver.behaviours.bulk import perform, run_of
from mockserver.behaviours.failing import broken_result
from mockserver.domain.bending import acts_of
from mockserver.domain.jobs import Job, Result, is_final, leaves, processed, state
from mockserver.domain.places import is_outside, put_at
from mockserver.domain.replies import collected, outcome_class, status_of
from mockserver.guard import Batch, opened
from mockserver.reading import data_again
from mockserver.replying import reply_with
from mockserver.served import BulkPlan, served
from mockserver.turn import Refusal, Turn
from mockserver.world import World

BUGS = "bugs"  # in a job's `extra`: the planted bugs that the call had
FIRED = "fired"  # beside them: those that made a difference when the job ran
FALLBACK = {
    "queued": "running",
    "failed": "doneWithErrors",
    "doneWithErrors": "done",
    "open": "queued",
    "expired": "failed",
}
_log: Final = logging.getLogger("bulkproof")


def settle(api: Api, world: World, now: datetime) -> list[Job]:
    """Run every job that is due by `now`, each as of its own due instant and in plan order; return them.

    A job that meets a fault of the sandbox's own fails and says so; the others, and the call at hand, do not.
    """
    ran: list[Job] = []
    while (job := world.jobs.pop_due(now)) is not None:
        try:
            _run(api, world, job)
        except Exception:  # noqa: BLE001 - the last resort: a job ends in its failed state, and the fault is logged
            _log.exception("The job %s of %s %s met a fault of Bulkproof's own", job.id, api.name, job.operation)
            world.jobs.results[job.id] = _broken(api, world, job)
            world.jobs.end(job)
        ran.append(job)
    return ran


def _run(maker: Api, world: World, job: Job) -> None:
    assert job.due is not None  # noqa: S101 - only jobs with a due instant stand on the agenda
    assert job.parcel is not None  # noqa: S101 - it goes when the job has run, and a job runs once
    api = _with_its_bugs(maker, job)
    turn, batch = resumed(api, world, job)
    plan = batch.plan
    outcomes = perform(turn, batch, job.scope)
    counts = [outcome.result for outcome in outcomes]
    declared = plan.bulk.job.outcomes if plan.bulk.job is not None else None
    here = declared is not None
    run = run_of(turn, batch, job.scope)
    spoken = (
        [one for one in outcomes if one.result == "failed"]
        if here and declared is not None and declared.covers == "failed"
        else outcomes
    )
    world.jobs.results[job.id] = Result(
        done=counts.count("done"),
        failed=counts.count("failed"),
        not_run=counts.count("not-run"),
        status=status_of(plan.bulk.reply.status, outcome_class(outcomes, job.unit)),
        entries=collected(run, declared, spoken) if declared is not None else None,
        outcomes=() if here else outcomes,
    )
    extra = {**job.extra, FIRED: tuple(turn.bugs)} if turn.bugs else job.extra
    world.jobs.end(replace(job, extra=extra))


def _broken(api: Api, world: World, job: Job) -> Result:
    """Return the result of a job that could not be carried out, with its items named as far as they can be read."""
    if job.operation not in served(api).plans:
        return Result(done=0, failed=job.items, not_run=0, status=500, entries=None, broken=True)
    turn = _turn(api, world, job)
    with suppress(Exception):  # it has been logged, and is why the job failed
        turn.data = _data(turn, job)
    return broken_result(turn, job)


def resumed(api: Api, world: World, job: Job) -> tuple[Turn, Batch]:
    """Return the call that made a job, as of the instant at which the job runs, and its items."""
    plan = served(api).plans[job.operation]
    turn = _turn(api, world, job)
    turn.data = _data(turn, job)
    batch = opened(turn, plan, job.unit)
    turn.acts = acts_of(job, batch.items) if job.extra else None
    return turn, batch


def _with_its_bugs(api: Api, job: Job) -> Api:
    """Return the API as it was for the call that made the job: a scenario may have planted a bug in it."""
    names = [name for name in job.extra.get(BUGS, ()) if name not in api.bugs]
    if not names:
        return api
    from mockserver.bugs import planted  # noqa: PLC0415 - only where a bug is

    return planted(api, *names)


def _turn(api: Api, world: World, job: Job) -> Turn:
    """Return the call that made the job, without its body, as of the instant at which it runs."""
    operation = served(api).plans[job.operation].operation
    turn = Turn(api=api, world=world, call=job.call, now=job.due or job.posted, operation=operation)
    turn.variables, turn.query, turn.client, turn.scope = job.variables, job.query, job.client, job.scope
    turn.jobs = (job,)
    return turn


def _data(turn: Turn, job: Job) -> object:
    """Return the body of the call that made the job, and which the turn keeps. Raises ValueError: it is not as it was."""
    turn.call = replace(turn.call, body=b"" if job.parcel is None else job.parcel.read())
    data = data_again(turn)
    if data is ABSENT:
        raise ValueError("The body that the job waits with cannot be read again.")
    return data


def poll(turn: Turn) -> Reply:
    """Answer in which state a job is."""
    job = asked_for(turn)
    if job is None:
        return turn.api.hooks.refuse(turn, _unknown(turn))
    turn.jobs = (job,)
    refusal = turn.api.hooks.conduct(turn, 0)
    if refusal is not None:
        return turn.api.hooks.refuse(turn, refusal)
    return reply_with(turn, 200, status_body(turn, job))


def cancel(turn: Turn) -> Reply:
    """End an unfinished job; 409 for one that has ended."""
    job = asked_for(turn)
    if job is None:
        return turn.api.hooks.refuse(turn, _unknown(turn))
    if is_final(job, turn.now):
        return turn.api.hooks.refuse(turn, Refusal(status=409, kind="conflict", detail="The job has ended."))
    cancelled = replace(job, cancelled=turn.now, parcel=None)
    turn.world.jobs.change(cancelled)
    turn.jobs = (cancelled,)
    if turn.operation is not None and "204" in turn.operation.responses:
        return Reply(status=204)
    return reply_with(turn, 200, status_body(turn, cancelled))


def asked_for(turn: Turn) -> Job | None:
    """Return the job that the path names, None when it is unknown, foreign, or past its retention."""
    operation = turn.operation
    assert operation is not None  # noqa: S101 - the engine calls this for a routed call only
    names = variables_of(operation.path)
    job = turn.world.jobs.jobs.get(turn.variables[names[-1]]) if names else None
    ready = served(turn.api)
    plans = ready.polls.get(operation.id, ()) + ready.cancels.get(operation.id, ())
    if job is None or (plans and job.operation not in {plan.operation.id for plan in plans}):
        return None
    shared = [name for name in names[:-1] if name in job.variables]
    same = all(_folded(turn, job.variables[name]) == _folded(turn, turn.variables[name]) for name in shared)
    if not (same and turn.api.hooks.sees(turn, job)) or _expired(job, turn.now):
        return None
    turn.bugs.extend(name for name in job.extra.get(FIRED, ()) if name not in turn.bugs)
    return job


def _folded(turn: Turn, word: str) -> str:
    return word.lower() if turn.api.contract.ignore_case else word


def _expired(job: Job, now: datetime) -> bool:
    until = [at for at in (leaves(job), job.forgotten) if at is not None]
    return bool(until) and min(until) <= now


def _unknown(turn: Turn) -> Refusal:
    del turn
    return Refusal(status=404, kind="not-found", detail="No job has this id.")


def plan_of(turn: Turn, job: Job) -> BulkPlan:
    """Return the plan of the operation that made a job."""
    return served(turn.api).plans[job.operation]


def status_body(turn: Turn, job: Job) -> dict[str, Any]:
    """Return a job's status as its operation declares it."""
    declared = _declared(turn, job)
    result = turn.world.jobs.results.get(job.id)
    body: dict[str, Any] = {}
    if not is_outside(declared.handle):
        put_at(body, declared.handle, job.id)
    put_at(body, declared.state_at, word_for(declared, state(job, result, turn.now)))
    for name, place in declared.progress.items():
        put_at(body, place, _progress(name, job, result, turn.now))
    if declared.outcomes is not None:
        nothing: object = {} if declared.outcomes.shape == "map" else []
        put_at(body, declared.outcomes.at, nothing if result is None or result.entries is None else result.entries)
    return body


def _declared(turn: Turn, job: Job) -> BulkJob:
    """Return the declaration that shapes the poll's answer: a fan-out's handles are told in its own reply alone."""
    plans = served(turn.api).polls.get(turn.operation.id, ()) if turn.operation is not None else ()
    plain = [one.bulk.job for one in plans if one.bulk.items.fan_out is None and one.bulk.job is not None]
    own = plan_of(turn, job).bulk.job
    assert own is not None  # noqa: S101 - it has made a job
    return plain[0] if plain and plan_of(turn, job).bulk.items.fan_out is not None else own


def word_for(declared: BulkJob, wanted: str) -> str:
    """Return the API's word for a class of state, or for the nearest class that it has a word for."""
    words = {state_class: word for word, state_class in reversed(list(declared.words.items()))}
    while wanted not in words and wanted in FALLBACK:
        wanted = FALLBACK[wanted]
    return str(words.get(wanted, wanted))


def _progress(name: str, job: Job, result: Result | None, now: datetime) -> int:
    if name in {"processed", "done", "failed"} and not is_final(job, now):
        return processed(job, now) if name != "failed" else 0
    if name == "failed":
        return 0 if result is None else result.failed
    if name == "done":
        return 0 if result is None else result.done
    return processed(job, now) if name == "processed" else job.items

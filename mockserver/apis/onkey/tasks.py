"""Background tasks: asynchronous requests as entities, with a step for each thing that falls or stands on its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

from contracts.messages import Reply
from mockserver.apis.onkey.entities import Entity, made
from mockserver.apis.onkey.kinds import key_of, stamp
from mockserver.apis.onkey.listing import BAD_ID
from mockserver.apis.onkey.messages import Message
from mockserver.apis.onkey.refusals import invalid, not_found
from mockserver.behaviours.polls import asked_for
from mockserver.domain.jobs import Job, is_final, plan, processed, state
from mockserver.replying import reply_with
from mockserver.turn import Turn

TASK: Final = "BackgroundTask"
STEP: Final = "BackgroundTaskStep"
STATUS: Final[Mapping[str, str]] = {
    "queued": "Queued",
    "running": "Executing",
    "done": "Completed",
    "doneWithErrors": "Completed",
    "failed": "Completed",
    "cancelled": "Cancelled",
}


def read_task(turn: Turn) -> Reply:
    """Answer a task."""
    job = _asked_for(turn)
    return job if isinstance(job, Reply) else reply_with(turn, 200, _task(turn, job))


def list_steps(turn: Turn) -> Reply:
    """Answer the steps of a task, all of them from the start."""
    job = _asked_for(turn)
    return job if isinstance(job, Reply) else reply_with(turn, 200, _steps(turn, job))


def cancel_task(turn: Turn) -> Reply:
    """Cancel a task that has not ended: nothing of it will be applied."""
    job = _asked_for(turn)
    if isinstance(job, Reply):
        return job
    if is_final(job, turn.now):
        return invalid(turn, "id", f"Task {job.id} has ended and cannot be cancelled.", status=409)
    cancelled = replace(job, cancelled=turn.now, parcel=None)
    turn.world.jobs.change(cancelled)
    turn.jobs = (cancelled,)
    return reply_with(turn, 200, _task(turn, cancelled))


def _asked_for(turn: Turn) -> Job | Reply:
    key = key_of(turn.variables["id"])
    if key is None:
        return invalid(turn, "id", BAD_ID)
    turn.variables = {**turn.variables, "id": str(key)}
    job = asked_for(turn)
    if job is None:
        return not_found(TASK, key)
    turn.jobs = (job,)
    return job


def _task(turn: Turn, job: Job) -> Entity:
    """Return a task as an entity; its version rises by one with each change of its status."""
    result = turn.world.jobs.results.get(job.id)
    moves = [(at, word) for at, word in plan(job) if at <= turn.now]
    begun = [at for at, word in moves if word == "running"]
    ended = bool(moves) and moves[-1][1] == "done"
    properties = {
        "completedOn": stamp(moves[-1][0]) if ended else None,
        "completedStepCount": _completed(job, turn.now),
        "createdOn": stamp(job.posted),
        "isValid": result is None or not result.failed,
        "modifiedOn": stamp(moves[-1][0]),
        "startedOn": stamp(begun[0]) if begun else None,
        "status": STATUS[state(job, result, turn.now)],
        "stepCount": _count(job),
    }
    return made(TASK, int(job.id), len(moves), properties)


def _count(job: Job) -> int:
    return job.items if job.unit == "item" else 1


def _completed(job: Job, now: datetime) -> int:
    """Return how many steps have completed: those of a cancelled task never do."""
    if job.cancelled is not None:
        return 0
    done = processed(job, now)
    return done if job.unit == "item" else int(done == job.items)


def _steps(turn: Turn, job: Job) -> list[Entity]:
    result = turn.world.jobs.results.get(job.id)
    said = cast("list[list[Message]]", result.entries) if result is not None else [[] for _ in range(job.items)]
    if job.unit != "item":
        said = [[message for messages in said for message in messages]]
    changed = job.posted if result is None or job.due is None else job.due
    return [_step(job, int(job.id) + n, changed, messages) for n, messages in enumerate(said, 1)]


def _step(job: Job, key: int, changed: datetime, messages: Sequence[Message]) -> Entity:
    valid = all(message["severity"] != "error" for message in messages)
    properties = {
        "createdOn": stamp(job.posted),
        "isValid": valid,
        "messages": messages,
        "modifiedOn": stamp(changed),
    }
    return made(STEP, key, 1 if changed == job.posted else 2, properties)

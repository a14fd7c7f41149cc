"""Background tasks: asynchronous requests as entities, with a step for each part that can fail alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, cast

from contracts.messages import Response
from mockserver.api.model import RequestContext, json_response
from mockserver.apis.onkey.data_set import Entity, entity_of
from mockserver.apis.onkey.lists import BAD_ID_TEXT
from mockserver.apis.onkey.messages import Message, invalid, not_found
from mockserver.apis.onkey.resource_types import key_of, stamp
from mockserver.bulk.job_endpoints import find_job
from mockserver.bulk.job_status import told_result
from mockserver.domain.jobs import Job, is_final, job_state, processed_items, state_changes

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


def read_task(context: RequestContext) -> Response:
    """Return a task."""
    job = _asked_for(context)
    return job if isinstance(job, Response) else json_response(context, 200, _task(context, job))


def list_steps(context: RequestContext) -> Response:
    """Return the steps of a task; all exist from the start."""
    job = _asked_for(context)
    return job if isinstance(job, Response) else json_response(context, 200, _steps(context, job))


def cancel_task(context: RequestContext) -> Response:
    """Cancel an unfinished task: nothing of it is applied."""
    job = _asked_for(context)
    if isinstance(job, Response):
        return job
    if is_final(job, context.now):
        return invalid(context, "id", f"Task {job.id} has ended and cannot be cancelled.", status=409)
    cancelled = replace(job, cancelled=context.now, spooled_body=None)
    context.api_state.jobs.replace(cancelled)
    context.jobs = (cancelled,)
    return json_response(context, 200, _task(context, cancelled))


def _asked_for(context: RequestContext) -> Job | Response:
    key = key_of(context.variables["id"])
    if key is None:
        return invalid(context, "id", BAD_ID_TEXT)
    context.variables = {**context.variables, "id": str(key)}
    job = find_job(context)
    if job is None:
        return not_found(TASK, key)
    context.jobs = (job,)
    return job


def _task(context: RequestContext, job: Job) -> Entity:
    """Return a task as an entity; its version rises by one with each change of its status."""
    result = told_result(context, job)
    moves = [(at, word) for at, word in state_changes(job) if at <= context.now] or [(job.posted, "queued")]
    begun = [at for at, word in moves if word == "running"]
    ended = bool(moves) and moves[-1][1] == "done"
    properties = {
        "completedOn": stamp(moves[-1][0]) if ended else None,
        "completedStepCount": _completed(job, context.now),
        "createdOn": stamp(job.posted),
        "isValid": result is None or not result.failed,
        "modifiedOn": stamp(moves[-1][0]),
        "startedOn": stamp(begun[0]) if begun else None,
        "status": STATUS[job_state(job, result, context.now)],
        "stepCount": _count(job),
    }
    return entity_of(TASK, int(job.id), len(moves), properties)


def _count(job: Job) -> int:
    return job.items if job.unit == "item" else 1


def _completed(job: Job, now: datetime) -> int:
    """Return how many steps have completed: those of a cancelled task never do."""
    if job.cancelled is not None:
        return 0
    done = processed_items(job, now)
    return done if job.unit == "item" else int(done == job.items)


def _steps(context: RequestContext, job: Job) -> list[Entity]:
    result = told_result(context, job)
    by_step = cast("list[list[Message]]", result.entries) if result is not None else [[] for _ in range(job.items)]
    if job.unit != "item":
        by_step = [[message for messages in by_step for message in messages]]
    changed = job.posted if result is None or job.due is None else job.due
    return [_step(job, int(job.id) + n, changed, messages) for n, messages in enumerate(by_step, 1)]


def _step(job: Job, key: int, changed: datetime, messages: Sequence[Message]) -> Entity:
    valid = all(message["severity"] != "error" for message in messages)
    properties = {
        "createdOn": stamp(job.posted),
        "isValid": valid,
        "messages": messages,
        "modifiedOn": stamp(changed),
    }
    return entity_of(STEP, key, 1 if changed == job.posted else 2, properties)

"""Render what is told of a job: handle, state, progress, outcomes and further members. Main entry: `status_body`.

`mockserver.domain.jobs.job_state` computes a job's state; `state_word` translates it into the API's word.
"""

from datetime import datetime
from typing import Any, Final

from contracts.bulk.model import BulkJob, Location, Outcomes, OutcomeTest
from contracts.exchange.locations import holds, is_outside, put, put_at
from contracts.messages import ABSENT, Response
from contracts.openapi.parameters import types_of
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, tokens_of
from mockserver.api.model import RequestContext, json_response
from mockserver.bulk.outcome_rendering import status_of
from mockserver.bulk.prepared_api import prepared
from mockserver.bulk.set_members import Facts, completed, evaluate, job_facts
from mockserver.domain.jobs import Job, JobResult, is_final, job_state, processed_items

NEAREST_STATE: Final = {
    "queued": "running",
    "failed": "doneWithErrors",
    "doneWithErrors": "done",
    "open": "queued",
    "expired": "failed",
    "cancelled": "failed",
}


def told_result(context: RequestContext, job: Job) -> JobResult | None:
    """Return the result of a job that has ended, else None: a clock that was set back may stand before the end."""
    return context.api_state.jobs.results.get(job.id) if is_final(job, context.now) else None


def job_response(context: RequestContext, status: int, job: Job, *, accepted: bool = False) -> Response:
    """Return a response that tells of a job; `accepted` for that to the request that made it."""
    body = completed(context, status, status_body(context, job, accepted=accepted), job.posted, f"job/{job.id}")
    return json_response(context, status, body)


def status_body(context: RequestContext, job: Job, *, accepted: bool = False) -> Any:
    """Return a job's status as its operation declares it; `accepted` for the response to the request that made it.

    That has of the poll's members those that its own schema has, and the handle alone where an API has its own ways.
    """
    declared = _declared(context, job)
    if accepted and not context.api.plain:
        return _with_handle(declared, declared.handle, job)
    result = told_result(context, job)
    state = job_state(job, result, context.now)
    members: dict[Location, object] = {declared.state_at: state_word(declared, state)}
    for name, place in declared.progress.items():
        members[place] = _progress(name, job, result, context.now)
    if declared.outcomes is not None and (not context.api.plain or declared.results in {(), ("here",)}):
        members |= _outcome_members(declared.outcomes, result)
    if declared.error is not None and result is not None and result.error:
        members[declared.error] = result.error
    test = declared.failed_if if context.api.plain and is_final(job, context.now) else None
    if test is not None and test.at not in members:
        failed = 0 if result is None else result.failed
        members[test.at] = _failure_mark(test, failed, _schema_at(context, test.at))
    facts = job_facts(job, state, context.now)
    sets = {**declared.set_members, **declared.set_in_state.get(_stated(declared, state), {})}
    members |= _told_times(context, declared, facts)
    members |= {place: evaluate(value, facts) for place, value in sets.items()}
    body = _with_handle(declared, _handle_at(declared, accepted=accepted), job)
    for place, value in members.items():
        if value is not ABSENT and not is_outside(place) and (not accepted or _has(context, declared, place)):
            put_at(body, place, value)
    return body


TIMES: Final = {"created": "$job.posted", "started": "$job.begun", "ended": "$job.ended"}


def _told_times(context: RequestContext, declared: BulkJob, facts: Facts) -> dict[Location, object]:
    """Return the times of a job where they are told: as seconds where they are numbers, and null where that may be."""
    told: dict[Location, object] = {}
    for name, place in declared.times.items() if context.api.plain else ():
        schema = _schema_at(context, place)
        is_number = not types_of(schema).isdisjoint(("integer", "number"))
        at = evaluate(f"{TIMES[name]}.epoch" if is_number else TIMES[name], facts)
        if at is not None or (schema is not None and schema.is_valid(None)):
            told[place] = at
    return told


def _schema_at(context: RequestContext, place: Location) -> Schema | None:
    """Return the schema of a member of the response, None where none is declared."""
    response = None if context.operation is None else context.operation.response(200)
    media = None if response is None else response.media("application/json")
    schema = None if media is None or media.schema is None else media.schema.response
    return None if schema is None else schema.at(place)


def _failure_mark(test: OutcomeTest, failed: int, schema: Schema | None) -> object:
    """Return a value that meets a test exactly when something failed, and that its schema allows; ABSENT for none."""
    words = () if schema is None else as_list(schema.raw.get("enum"))
    texts = f"{failed} items failed" if failed != 1 else "1 item failed", "ok"
    least = (None, ABSENT) if test.word == "exists" or test.value is None else (ABSENT, None)
    other = (not test.value,) if isinstance(test.value, bool) else ()
    options = (test.value, *other, *words, *texts, failed, 200, 500)
    options = (*(texts if test.word == "exists" else ()), *options)
    given = [one for one in (*options, *least) if schema is None or one is ABSENT or schema.is_valid(one)]
    shown = ({} if one is ABSENT else put({}, test.at, one) for one in given)
    return next((one for one, body in zip(given, shown, strict=True) if holds(test, body) is (failed > 0)), ABSENT)


def _with_handle(declared: BulkJob, at: Location, job: Job) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if not is_outside(at):
        put_at(body, at, handle_text(declared, job))
    return body


def _handle_at(declared: BulkJob, *, accepted: bool) -> Location:
    """Return where a body has the handle; that of a header has the id where the poll does."""
    is_own = accepted and not is_outside(declared.handle)
    return declared.handle if is_own else declared.id_at or declared.handle


def handle_text(declared: BulkJob, job: Job) -> str:
    """Return a job's handle as a body has it: its id, or the declared text with that in it."""
    return (
        job.id
        if declared.handle_as is None or is_outside(declared.handle)
        else declared.handle_as.replace("{id}", job.id)
    )


def _has(context: RequestContext, declared: BulkJob, place: Location) -> bool:
    """Tell whether the response to a request that makes a job has a member of the poll's.

    Where its schema says nothing, it has them all if it has the handle where the poll has it.
    """
    if context.operation is None or context.operation.bulk is None:
        return False
    response = context.operation.response(status_of(context.operation.bulk.reply.status, "accepted"))
    media = None if response is None else response.media("application/json")
    if media is None or media.schema is None or not media.schema.members():
        return declared.id_at is None
    return _may_have(media.schema, place)


def _may_have(schema: Schema, place: Location) -> bool:
    """Tell whether a schema has a member there, or an object that says nothing against it."""
    inner: Schema = schema
    for token in tokens_of(place):
        after = inner.member(token) or (inner.items() if token.isdecimal() else None)
        if after is None:
            return inner.raw.get("additionalProperties") is True or not inner.members()
        inner = after
    return True


def _outcome_members(declared: Outcomes, result: JobResult | None) -> dict[Location, object]:
    nothing: object = {} if declared.shape == "map" else []
    entries = nothing if result is None or result.entries is None else result.entries
    apart = declared.failed_at is not None and declared.failed_at != declared.at
    failed = nothing if result is None or result.failed_entries is None else result.failed_entries
    return {declared.at: entries} | ({declared.failed_at or "": failed} if apart else {})


def _stated(declared: BulkJob, wanted: str) -> str:
    """Return the state, or the nearest one that has members of its own."""
    while wanted not in declared.set_in_state and wanted in NEAREST_STATE:
        wanted = NEAREST_STATE[wanted]
    return wanted


def _declared(context: RequestContext, job: Job) -> BulkJob:
    """Return the declaration that shapes the poll's answer: a fan-out's handles are told in its own reply alone."""
    bulk = prepared(context.api).plans[job.operation].bulk
    assert bulk.job is not None  # noqa: S101 - it has made a job
    if bulk.items.fan_out is None or context.operation is None:
        return bulk.job
    plans = prepared(context.api).polls.get(context.operation.id, ())
    plain = (one.bulk.job for one in plans if one.bulk.items.fan_out is None and one.bulk.job is not None)
    return next(plain, bulk.job)


def state_word(declared: BulkJob, wanted: str) -> str | int | bool:
    """Return the API's word for a class of state, or for the nearest class that it has a word for.

    It is a boolean or a number in a body where all words are.
    """
    words = {state_class: word for word, state_class in reversed(list(declared.words.items()))}
    while wanted not in words and wanted in NEAREST_STATE:
        wanted = NEAREST_STATE[wanted]
    word = str(words.get(wanted, wanted))
    if is_outside(declared.state_at):
        return word
    if set(declared.words) <= {"true", "false"}:
        return word == "true"
    return int(word) if all(one.isdecimal() for one in declared.words) else word


def _progress(name: str, job: Job, result: JobResult | None, now: datetime) -> int:
    if name in {"processed", "done", "failed"} and not is_final(job, now):
        return processed_items(job, now) if name != "failed" else 0
    if name == "failed":
        return 0 if result is None else result.failed
    if name in {"done", "notRun"}:
        return 0 if result is None else result.done if name == "done" else result.not_run
    return processed_items(job, now) if name == "processed" else job.items

"""Whether an API can go on from a state that anybody may have written: `rehearse` asks for all that it has to tell.

What a snapshot says has the form of its schema already; whether an API can tell it is a question for its own handlers
and its contract. Each job is polled before and after its end, each body that waits is read, each record is shown, as
calls do it, on a copy. What would be an internal error later is refused now, with its place.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final, TypeAlias, TypeVar

import orjson

from contracts.bulk.model import Resource
from contracts.messages import Request
from contracts.openapi.model import Operation, is_json
from contracts.openapi.routing import last_variable
from contracts.openapi.validation import validate_response, validate_value
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import escape, short
from mockserver.api.model import Api, ApiState, ItemRun, RequestContext
from mockserver.bulk.idempotency import IdempotencyRecord
from mockserver.bulk.item_keys import MEMORY
from mockserver.bulk.job_endpoints import reread
from mockserver.bulk.prepared_api import PreparedApi, prepared
from mockserver.domain.jobs import IS_OPEN, Job
from mockserver.domain.slices import breathe
from mockserver.domain.values import Outcome
from mockserver.engine.handlers import handler_for
from mockserver.engine.scenario_execution import copied_state
from mockserver.engine.stages import finish_response
from mockserver.sandbox.value_forms import SnapshotError
from mockserver.stores.interface import Collection, Record

T = TypeVar("T")
Key: TypeAlias = tuple[str, ...]  # of what is kept for a repeated call
SHOWN_AT_ONCE: Final = 500  # records
SERVER_ERROR: Final = 500


def rehearse(api: Api, state: ApiState, now: datetime) -> None:
    """Raise SnapshotError for a job, a record or a kept response because of which a later call would fail."""
    at, copy = f"/apis/{escape(api.name)}", copied_state(state)
    copy.settings = {**state.settings, "auth": "open", "conduct": "observe"}
    for collection in state.store.collections():
        _show_records(api, copy, collection, now, f"{at}/records")
    for job in state.jobs.jobs.values():
        breathe()
        _rehearse_job(api, copy, job, now, at)
    repeated: dict[Key, IdempotencyRecord] = state.memory.get("idempotency", {})
    for key, kept in repeated.items():
        _require_answer(api, key, kept, f"{at}/memory/idempotency")
    told: list[tuple[str, Key, Sequence[Outcome]]]
    told = [(MEMORY, key, (one.outcome,)) for key, one in state.memory.get(MEMORY, {}).items()]
    told += [("idempotency", key, one.outcomes) for key, one in repeated.items()]
    for kind, key, outcomes in told:
        run = ItemRun(api=api, api_state=copy, scope="", now=now)
        _tell_outcomes(run, (key, outcomes), f"{at}/memory/{escape(kind)}")


def _attempt(act: Callable[[], T], what: str, at: str) -> T:
    """Return what `act` returns. Raises SnapshotError: it raised anything, which is told in a few words."""
    try:
        return act()
    except SnapshotError:
        raise
    except Exception as error:  # noqa: BLE001 - what anybody wrote may break a hook of an API in any way
        words = " ".join(str(error).split())[:160].rstrip(".")
        raise SnapshotError(f"{what} ({type(error).__name__}: {words}).", where=at) from None


def _rehearse_job(api: Api, state: ApiState, job: Job, now: datetime, at: str) -> None:
    place, jobs = f"{at}/jobs/{escape(job.id)}", state.jobs
    if job.id in jobs.unfinished:
        waits = job.spooled_body is not None
        if not waits and not job.extra.get(IS_OPEN):
            raise SnapshotError("the job has not ended, and no body waits.", where=f"{place}/body")
        if waits:
            batch = _attempt(lambda: reread(api, state, job), "the job cannot be run", place)
            if len(batch.items) != job.items:
                fact = f"the body has {len(batch.items)} items, and the job says {job.items}."
                raise SnapshotError(fact, where=f"{place}/items")
    elif job.cancelled is None and job.id not in jobs.results:
        raise SnapshotError("the job has ended, and has no result.", where=place)
    place = f"{at}/results/{escape(job.id)}" if job.id in jobs.results else place
    ready, end = prepared(api), job.cancelled or job.due
    for operation in _reading(ready, job):
        for moment in {one: None for one in (job.posted, job.begins, now, end) if one is not None}:
            _poll(api, state, (job, operation), moment, place)


def _reading(ready: PreparedApi, job: Job) -> Iterator[Operation]:
    """Yield the operations that tell of a job."""
    for named in (ready.polls, ready.results):
        for name, plans in named.items():
            operation = ready.api.contract.operation(name)
            if operation is not None and any(plan.operation.id == job.operation for plan in plans):
                yield operation


def _poll(api: Api, state: ApiState, polled: tuple[Job, Operation], now: datetime, at: str) -> None:
    job, operation = polled
    variables = {**job.variables, last_variable(operation.path) or "": job.id}
    context = RequestContext(
        api=api,
        api_state=state,
        request=Request(method=operation.method, path=operation.path),
        now=now,
        operation=operation,
        variables=variables,
        client=job.client,
        scope=job.scope,
    )
    what = f"{operation.id} cannot tell of the job"
    response = _attempt(lambda: finish_response(context, handler_for(prepared(api), operation.id)(context)), what, at)
    if response.status >= SERVER_ERROR:
        broken = next((one.detail for one in context.violations), "it would be an internal error").rstrip(".")
        raise SnapshotError(f"{what}: {broken}.", where=at)


def _show_records(api: Api, state: ApiState, collection: Collection, now: datetime, at: str) -> None:
    """Show the records of a collection, as an operation that reads or lists them does."""
    resource = api.contract.resources[collection.resource]
    run, schema = ItemRun(api=api, api_state=state, scope=collection.scope, now=now), _shown_schema(api, resource)
    place, rows = f"{at}/{escape(collection.scope)}/{escape(collection.resource)}", state.store.scan(collection)
    first = 0
    while some := list(islice(rows, SHOWN_AT_ONCE)):
        shown = _attempt(lambda some=some: _shown(run, resource, some), "a record cannot be shown", place)  # type: ignore[misc] # of this turn
        live = [n for n, record in enumerate(some) if not record.deleted]
        if schema is not None and not schema.are_valid([shown[n] for n in live]):
            n = next(n for n in live if not schema.is_valid(shown[n]))
            broken = validate_value(schema, shown[n]).violations[0].detail.rstrip(".")
            raise SnapshotError(f"the record cannot be shown: {broken}.", where=f"{place}/{first + n}")
        first += len(some)
        breathe()


def _shown(run: ItemRun, resource: Resource, records: Sequence[Record]) -> list[object]:
    return [run.api.hooks.render(run, resource, record) for record in records]


def _shown_schema(api: Api, resource: Resource) -> Schema | None:
    """Return the schema of a record in the response that reads or lists it; None where none says, or all will do."""
    if resource.inferred:  # then the document answers instead
        return None
    for operation in api.contract.operations:
        act, declared = operation.record, operation.response(200)
        if act is None or declared is None or act.action.constant not in {"read", "list"}:
            continue
        words = act.resource.words.values()
        if resource.name not in {act.resource.constant, *words} and (act.resource.constant or words):
            continue
        media = next((one for one in declared.content if is_json(one.media_range) and one.schema is not None), None)
        found = None if media is None or media.schema is None else media.schema.at(act.reply)
        found = found.items() if found is not None and act.action.constant == "list" else found
        if found is not None:
            return found.response
    return None


def _kept_of(api: Api, key: Key, at: str) -> Operation:
    """Return the operation of a call that has left something under a key of its own."""
    operation = api.contract.operation(key[0] if key else "")
    if operation is None or operation.bulk is None:
        raise SnapshotError(f"the contract has no bulk operation {short(key[0] if key else '')}.", where=at)
    return operation


def _require_answer(api: Api, key: Key, kept: IdempotencyRecord, at: str) -> None:
    """Require that a response that is kept for a repeated request may be sent."""
    operation = _kept_of(api, key, at)
    if operation.response(kept.response.status) is None and kept.response.status < SERVER_ERROR:
        return
    what = f"a response of {operation.id} cannot be sent"
    broken = _attempt(lambda: validate_response(operation, kept.response).violations, what, at)
    if broken:
        raise SnapshotError(f"{what}: {broken[0].detail}", where=at)


def _tell_outcomes(plain: ItemRun, kept: tuple[Key, Sequence[Outcome]], at: str) -> None:
    """Render outcomes that are kept, as the answer to a repeated call does it."""
    key, outcomes = kept
    operation = _kept_of(plain.api, key, at)
    run = replace(plain, scope=key[1] if len(key) > 1 else "", operation=operation)
    what = f"{operation.id} cannot tell what came of an item"
    _attempt(lambda: orjson.dumps(run.api.hooks.entries(run)(outcomes)), what, at)

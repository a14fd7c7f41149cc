"""Control requests about state: records, jobs, snapshots; comparing a client's records with the stored ones."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any, Final, NamedTuple

from contracts.bulk.model import Resource
from contracts.messages import ABSENT, Response
from contracts.syntax.text import escape, is_text_or_integer, look_up, names_hint
from mockserver.api.model import Api, ApiState, ItemRun, RequestContext
from mockserver.bulk.execution import populate_scope
from mockserver.control.exchanges import require_shown
from mockserver.control.routes import ControlContext, RefusedError, instant
from mockserver.engine.rehearsal import rehearse
from mockserver.sandbox.clock_control import JobView, jobs_of
from mockserver.sandbox.sandboxes import Sandbox
from mockserver.sandbox.snapshot import restore, schema, snapshot_of
from mockserver.sandbox.value_forms import SnapshotError
from mockserver.stores.interface import Collection, Key, Record, key_order
from mockserver.stores.memory import MemoryStore, Table
from mockserver.verdicts.history import ObservedJob, history_of
from mockserver.verdicts.polling import early_polls


def list_jobs(control: ControlContext, context: RequestContext) -> Response:
    """List every job of the sandbox with its planned times."""
    sandbox = control.settled_sandbox(context)
    now = sandbox.now(context.now)
    sandbox.drop_expired(now)
    conduct = _conduct(sandbox) if context.query.get("polls") else None
    jobs = [
        {
            "id": view.job.id,
            "api": view.api.name,
            "operation": view.job.operation,
            "tenant": view.job.scope,
            "client": view.job.client,
            "state": view.state(now),
            "posted": instant(view.job.posted),
            "due": None if view.job.due is None else instant(view.job.due),
            "plan": _plan(view),
            "items": view.job.items,
            **({} if conduct is None else _lane(view, now, conduct.get(view.job.id))),
            **({} if conduct is None else {"outcomes": _tally(sandbox, view)}),
        }
        for view in jobs_of(sandbox)
    ]
    return Response.of(200, {"jobs": jobs})


def _tally(sandbox: Sandbox, view: JobView) -> dict[str, int] | None:
    """Return the number of items by outcome, None before the job has run."""
    result = sandbox.api_states[view.api.name].jobs.results.get(view.job.id)
    return None if result is None else {"done": result.done, "failed": result.failed, "notRun": result.not_run}


def _plan(view: JobView) -> list[dict[str, str]]:
    return [{"at": instant(at), "state": word} for at, word in view.changes()]


def _conduct(sandbox: Sandbox) -> dict[str, ObservedJob]:
    """Return the jobs that the journal knows of, by their ids."""
    found: dict[str, ObservedJob] = {}
    for name, api_state in sandbox.api_states.items():
        if api_state.jobs.jobs:
            entries = (entry for entry in sandbox.journal.after(0, sandbox.journal.last) if entry.api == name)
            history = history_of(sandbox.template.apis[name].contract, entries)
            found |= {job.id: job for job in (*history.jobs, *history.lost_jobs)}
    return found


def _lane(view: JobView, now: datetime, observed: ObservedJob | None) -> dict[str, object]:
    """Return what a picture of a job needs: its stage, where that changed, and what its client did."""
    job = view.job
    end = job.cancelled or (job.due if job.due is not None and job.due <= now else None)
    early = {} if observed is None else early_polls(observed)
    polls = () if observed is None else observed.polls
    return {
        "stage": view.stage(now),
        "begins": instant(job.begins),
        "ended": None if end is None else instant(end),
        "exchange": None if observed is None or observed.post is None else observed.post.n,
        "polls": [{"n": one.n, "at": instant(one.at), "tooSoon": early.get(one.n, "")} for one in polls],
    }


def get_snapshot(control: ControlContext, context: RequestContext) -> Response:
    """Return the whole state of the sandbox, after all that is due has run."""
    sandbox = control.settled_sandbox(context)
    try:
        return Response.of(200, snapshot_of(sandbox, context.now, journal=bool(context.query.get("journal"))))
    except SnapshotError as error:
        raise RefusedError(str(error), HTTPStatus.CONFLICT) from None


def put_snapshot(control: ControlContext, context: RequestContext) -> Response:
    """Replace the whole state of the sandbox by that of a snapshot. Raises RefusedError, and changes nothing."""
    sandbox = control.sandbox(context)
    try:
        look = partial(require_shown, control, context.api)
        restore(sandbox, context.data, context.now, rehearse=rehearse, look=look)
    except SnapshotError as error:
        raise RefusedError(str(error)) from None
    return Response.of(200, {"name": sandbox.name, "seed": sandbox.seed})


def get_snapshot_schema(control: ControlContext, context: RequestContext) -> Response:
    """Return the JSON Schema of snapshots."""
    del control, context
    return Response.of(200, schema(), media_type="application/schema+json")


def list_entities(control: ControlContext, context: RequestContext) -> Response:
    """Return the records of one resource in one scope, tenant or data set; with `key`, those that have it in theirs."""
    api, query = control.api(context), context.query
    kind = kind_of(api, context.variables["kind"])
    run = run_in(control, context, api, query.get("tenant", query.get("dataset")))
    wanted, records = str(query.get("key", "")).casefold(), run.api_state.store.scan(Collection(run.scope, kind))
    found = sorted((one for one in records if wanted in str(one.key).casefold()), key=key_order)
    first, limit = query.get("offset"), query.get("limit")
    begin = first if isinstance(first, int) else 0
    part = found[begin : begin + limit] if isinstance(limit, int) else found[begin:]
    return Response.of(200, {"entities": list(_entities(run, kind, part)), "total": len(found)})


def list_collections(control: ControlContext, context: RequestContext) -> Response:
    """List what records are stored, by API, kind and scope, with how many; all that is due has run."""
    return Response.of(200, {"collections": list(_collections(control.settled_sandbox(context)))})


def _collections(sandbox: Sandbox) -> Iterator[dict[str, object]]:
    for name, api_state in sandbox.api_states.items():
        resources = sandbox.template.apis[name].contract.resources
        for collection, table in sorted(tables_of(api_state).items()):
            if table.size and collection.resource in resources:
                is_deleted = Counter(record.deleted for record in table.records())
                yield {
                    "api": name,
                    "kind": collection.resource,
                    "tenant": collection.scope,
                    "key": resources[collection.resource].key,
                    "records": is_deleted[False],
                    "deleted": is_deleted[True],
                }


def run_in(control: ControlContext, context: RequestContext, api: Api, scope: object) -> ItemRun:
    """Return an item run in a scope of the sandbox that the path names, after all that is due has run.

    `scope` may be None when only one is in use. Raises RefusedError.
    """
    sandbox = control.settled_sandbox(context)
    now = sandbox.now(context.now)
    api_state = sandbox.api_state(api, now)
    run = ItemRun(api=api, api_state=api_state, scope=_scope(api_state, scope), now=now)
    populate_scope(run)
    return run


def tables_of(api_state: ApiState) -> Mapping[Collection, Table]:
    """Return the stored records by collection; between two calls a store is never an overlay."""
    store = api_state.store
    return store.tables if isinstance(store, MemoryStore) else {}


def _entities(run: ItemRun, kind: str, records: Iterable[Record]) -> Iterator[dict[str, object]]:
    resource, render = run.api.contract.resources[kind], run.api.hooks.render
    for record in records:
        body = render(run, resource, record)
        yield {"key": record.key, "version": record.version, "deleted": record.deleted, "body": body}


def kind_of(api: Api, name: str) -> str:
    """Return the resource of that name, without regard to case. Raises RefusedError."""
    known = api.contract.resources
    found = name if name in known else next((one for one in known if one.casefold() == name.casefold()), None)
    if found is None:
        hint = names_hint(name, known, "It has")
        detail = f"{api.contract.title} has no kind of record '{name[:80]}'. {hint}"
        raise RefusedError(detail, HTTPStatus.NOT_FOUND)
    return found


def _scope(api_state: ApiState, given: object) -> str:
    """Return the scope of that name, else the only one in use. Raises RefusedError."""
    known = sorted(api_state.populated | {collection.scope for collection in api_state.store.collections()})
    if isinstance(given, str):
        return next((one for one in known if one.casefold() == given.casefold()), given)
    if len(known) == 1:
        return known[0]
    which = f"There are: {', '.join(known)}" if known else "None has been used yet"
    raise RefusedError(f"Which data set? Name it as tenant or dataset. {which}."[:500])


NUMBER_TYPES: Final = (int, float)


class Difference(NamedTuple):
    """One place at which the client's record and the stored one differ; `stored` is None when it is missing."""

    pointer: str
    believed: object
    stored: object


def reconcile(control: ControlContext, context: RequestContext) -> Response:
    """Compare the client's records with the stored ones: lost, phantom, different and the same."""
    wanted: Any = context.data
    api = control.named(wanted["api"])
    resource = api.contract.resources[kind_of(api, wanted["kind"])]
    run = run_in(control, context, api, wanted.get("tenant", wanted.get("dataset")))
    stored = {str(one.key): one for one in run.api_state.store.scan(Collection(run.scope, resource.name))}
    believed = _by_key(resource, wanted["records"])
    return Response.of(200, _compared(run, resource, believed, stored))


def _by_key(resource: Resource, records: list[dict[str, Any]]) -> dict[str, tuple[Key, dict[str, Any]]]:
    """Return the client's records by key as text. Raises RefusedError: a record without a key, or a key twice."""
    found: dict[str, tuple[Key, dict[str, Any]]] = {}
    for n, record in enumerate(records):
        key = record.get(resource.key)
        if not is_text_or_integer(key):
            detail = f"/records/{n}: it has no key; give its '{resource.key}' as the API shows it."
            raise RefusedError(detail)
        if str(key) in found:
            detail = f"/records/{n}: the key '{str(key)[:80]}' was there before; name each record once."
            raise RefusedError(detail)
        found[str(key)] = key, record
    return found


def _compared(
    run: ItemRun,
    resource: Resource,
    believed: Mapping[str, tuple[Key, dict[str, Any]]],
    stored: Mapping[str, Record],
) -> dict[str, Any]:
    lost: list[Key] = []
    different: list[dict[str, Any]] = []
    same = 0
    for name, (key, record) in believed.items():
        found = stored.get(name)
        if found is None or found.deleted:
            gone = _is_deleted(resource, record)
            same += gone
            lost += [] if gone else [key]
            continue
        differences = list(_differences(record, run.api.hooks.render(run, resource, found), resource.key))
        different += [{"key": found.key, **one._asdict()} for one in differences]
        same += not differences
    phantom = [one.key for name, one in stored.items() if name not in believed and not one.deleted]
    return {"lost": lost, "phantom": sorted(phantom, key=str), "different": different, "same": same}


def _is_deleted(resource: Resource, record: Mapping[str, Any]) -> bool:
    """Return whether the client takes a record for deleted."""
    return resource.tombstone is not None and record.get(resource.tombstone) is True


def _differences(record: Mapping[str, Any], shown: object, key: str) -> Iterator[Difference]:
    """Yield the members sent by the client that differ from the stored record; the key is left out."""
    for name, value in record.items():
        if name != key:
            yield from _compare(f"/{escape(name)}", value, look_up(shown, f"/{escape(name)}"))


def _compare(pointer: str, believed: object, stored: object) -> Iterator[Difference]:
    if isinstance(believed, dict) and isinstance(stored, dict):
        for name, value in believed.items():
            yield from _compare(f"{pointer}/{escape(name)}", value, stored.get(name, ABSENT))
    elif isinstance(believed, list) and isinstance(stored, list) and len(believed) == len(stored):
        for n, (one, other) in enumerate(zip(believed, stored, strict=True)):
            yield from _compare(f"{pointer}/{n}", one, other)
    elif not _is_equal(believed, stored):
        yield Difference(pointer, believed, None if stored is ABSENT else stored)


def _is_equal(one: object, other: object) -> bool:
    """Return whether two JSON values are equal: `1` is `1.0`, and `true` is not `1`."""
    numbers = isinstance(one, NUMBER_TYPES) and isinstance(other, NUMBER_TYPES)
    return one == other and isinstance(one, bool) is isinstance(other, bool) and (numbers or type(one) is type(other))

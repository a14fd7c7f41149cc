"""The state of one API in a sandbox as JSON, a part of a snapshot: `api_form` writes it, `restored_api` reads it.

Records are plain JSON; jobs, and what hooks keep, are written by their types (`mockserver.sandbox.value_codec`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from heapq import heapify
from math import isfinite
from operator import itemgetter
from typing import Any, Final

from contracts.syntax.text import did_you_mean, escape, listed, short
from mockserver.api.model import Api, ApiState
from mockserver.bulk.idempotency import IdempotencyRecord
from mockserver.bulk.item_keys import KeptItem
from mockserver.bulk.job_endpoints import BUGS_OBSERVED, BUGS_OF_REQUEST
from mockserver.bulk.prepared_api import prepared
from mockserver.bulk.set_members import REQUEST_VALUES
from mockserver.bulk.units import ITEM_EFFECTS_KEY, ITEM_ERRORS_KEY
from mockserver.domain.clock_and_ids import IdSource
from mockserver.domain.jobs import IS_OPEN, Job, JobRegistry
from mockserver.domain.slices import breathe
from mockserver.domain.values import ItemEffect, Outcome
from mockserver.sandbox.value_codec import ValueCodec, members_of
from mockserver.sandbox.value_forms import Content, SnapshotError, instant_of, instant_text, require_in_range
from mockserver.stores.interface import Collection, Key, Record, View, key_order
from mockserver.stores.memory import MemoryStore
from mockserver.stores.spooled_bodies import Spool

RECORDS_STEP: Final = 500  # records between two places where work may pause
PLAIN: Final = frozenset((str, int, float, bool, type(None)))
MEMORY_TYPES: Final[Mapping[str, Any]] = {
    "idempotency": dict[tuple[str, ...], IdempotencyRecord],
    "idempotency/items": dict[tuple[str, ...], KeptItem],
    "imagined": dict[tuple[Collection, Key], bool],
    "quota": dict[tuple[str, str, timedelta, str], list[tuple[datetime, int]]],
    "bugs/early": dict[str, Sequence[Outcome]],
}
"""What is kept in `ApiState.memory` for every API, by kind."""
EXTRA_TYPES: Final[Mapping[str, Any]] = {
    IS_OPEN: bool,
    ITEM_EFFECTS_KEY: dict[int, ItemEffect],
    ITEM_ERRORS_KEY: dict[str, str],
    REQUEST_VALUES: dict[str, object],
}
"""What is kept in a job's `extra`, beside the names of planted bugs."""
EXPIRING: Final = list[tuple[datetime, int, str, object]]
OF_JOBS: Final = tuple(one.said for one in members_of(JobRegistry))


def api_form(api: Api, state: ApiState, content: Content) -> dict[str, Any]:
    """Return the state of an API as JSON; `content` writes bytes. Raises SnapshotError."""
    at, codec = f"/apis/{escape(api.name)}", ValueCodec(api.contract.resources, state.spool, content=content)
    types = {**MEMORY_TYPES, **api.memory_types}
    jobs = state.jobs
    registry = replace(
        jobs,
        due_queue=sorted(one for one in jobs.due_queue if one[3] in jobs.unfinished),
        expiry_queue=sorted(jobs.expiry_queue),
    )
    form = {
        "counters": dict(sorted(state.ids.counters.items())),
        "populated": sorted(state.populated),
        "records": _records(state.store, f"{at}/records"),
        **codec.write(registry, JobRegistry, at),
        "memory": {
            kind: codec.write(value, types.get(kind, object), f"{at}/memory/{escape(kind)}")
            for kind, value in state.memory.items()
        },
        "expiring": codec.write(sorted(state.expiring, key=itemgetter(0, 1)), EXPIRING, f"{at}/expiring"),
        "remembered": state.remember_count,
    }
    return {"created": instant_text(state.created), **{name: one for name, one in form.items() if one}}


def _records(store: View, at: str) -> dict[str, dict[str, list[Any]]]:
    """Return the records by scope and resource, in the order of their keys."""
    found: dict[str, dict[str, list[Any]]] = {}
    for collection in sorted(store.collections()):
        rows = sorted(store.scan(collection), key=key_order)
        place = f"{at}/{escape(collection.scope)}/{escape(collection.resource)}"
        found.setdefault(collection.scope, {})[collection.resource] = _rows(rows, place)
    return found


def _rows(rows: list[Record], at: str) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for n, (key, version, deleted, body, created, modified) in enumerate(rows):
        if not n % RECORDS_STEP:
            breathe()
        if not _is_json(body):
            raise SnapshotError(
                "the record has a value that is not JSON.",
                where=f"{at}/{n}/body",
                cure="Store texts, numbers, true, false, null, lists and dicts.",
            )
        row = {"key": key, "version": version, "created": instant_text(created), "modified": instant_text(modified)}
        written.append({**row, "deleted": True, "body": body} if deleted else {**row, "body": body})
    return written


def _is_json(value: Any) -> bool:
    """Tell whether a value is a JSON value."""
    kind = type(value)
    if kind is float:
        return isfinite(value)
    if kind in PLAIN:
        return True
    if kind is dict:
        inner, is_fit = value.values(), set(map(type, value)) <= {str}
    else:
        inner, is_fit = value, kind is list
    if not is_fit:
        return False
    kinds = set(map(type, inner))
    return (kinds <= PLAIN and float not in kinds) or all(map(_is_json, inner))


def restored_api(
    api: Api, form: Mapping[str, Any], ids: IdSource, settings: dict[str, Any], spool: Spool, *, is_own: bool
) -> ApiState:
    """Return the state that `api_form` has written; `ids` has the seed. Raises SnapshotError.

    Whether the contract allows it is another question: see `require_fit`.
    """
    at, codec = f"/apis/{escape(api.name)}", ValueCodec(api.contract.resources, spool, is_own=is_own)
    types = {**MEMORY_TYPES, **api.memory_types}
    expiring = codec.read(form.get("expiring", []), EXPIRING, f"{at}/expiring")
    _require_keys(expiring, f"{at}/expiring")
    heapify(expiring)
    return ApiState(
        store=_restored_store(api, form.get("records", {}), f"{at}/records"),
        ids=replace(ids, counters=dict(form.get("counters", {}))),
        settings=settings,
        jobs=_restored_jobs(codec, {name: form[name] for name in OF_JOBS if name in form}, at),
        memory={
            kind: codec.read(value, types.get(kind, object), f"{at}/memory/{escape(kind)}")
            for kind, value in form.get("memory", {}).items()
        },
        populated=set(form.get("populated", ())),
        spool=spool,
        created=_instant(form["created"], f"{at}/created"),
        expiring=expiring,
        remember_count=form.get("remembered", 0),
    )


def _require_keys(expiring: Sequence[tuple[datetime, int, str, object]], at: str) -> None:
    for n, (_, _, kind, key) in enumerate(expiring):
        try:
            hash(key)
        except TypeError:
            raise SnapshotError(f"it must be a key of '{kind[:80]}' in `memory`.", where=f"{at}/{n}/3") from None


def _instant(text: str, at: str) -> datetime:
    try:
        found = instant_of(text)
    except ValueError:
        raise SnapshotError("it must be an instant such as 2026-01-01T00:00:00Z.", where=at) from None
    require_in_range(found, at)
    return found


def _restored_jobs(codec: ValueCodec, form: Any, at: str) -> JobRegistry:
    registry: JobRegistry = codec.read(form, JobRegistry, at)
    for name, job in registry.jobs.items():
        place = f"{at}/jobs/{escape(name)}"
        if job.id != name:
            raise SnapshotError(f"the job must have the id '{name[:80]}'.", where=f"{place}/id")
        _require_extra(codec, form["jobs"][name].get("extra", {}), job, f"{place}/extra")
    queues = {
        "dueQueue": [one[3] for one in registry.due_queue],
        "unfinished": registry.unfinished,
        "results": registry.results,
    }
    for word, names in queues.items():
        unknown = next((name for name in names if name not in registry.jobs), None)
        if unknown is not None:
            raise SnapshotError(f"there is no job '{unknown[:80]}'.", where=f"{at}/{word}")
    _require_due(registry, at)
    heapify(registry.due_queue)
    heapify(registry.expiry_queue)
    return registry


def _require_extra(codec: ValueCodec, form: Mapping[str, Any], job: Job, at: str) -> None:
    for name in EXTRA_TYPES.keys() & form.keys():
        codec.read(form[name], EXTRA_TYPES[name], f"{at}/{name}")
    for name in (BUGS_OF_REQUEST, BUGS_OBSERVED):
        names = job.extra.get(name, ())
        if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
            raise SnapshotError("it must be an array of strings.", where=f"{at}/{name}")


def _require_due(registry: JobRegistry, at: str) -> None:
    """Require that the queue has each job that waits for its end, and when that is."""
    queued = {one[3]: one[0] for one in registry.due_queue}
    for name in registry.unfinished:
        due = registry.jobs[name].due
        if queued.get(name) != due:
            told = "it has no end" if due is None else f"it is due at {instant_text(due)}"
            raise SnapshotError(f"of the job '{name[:80]}' the queue must say that {told}.", where=f"{at}/dueQueue")


def _restored_store(api: Api, form: Mapping[str, Any], at: str) -> MemoryStore:
    store = MemoryStore(prepared(api).indexes)
    for scope, kinds in form.items():
        for kind, rows in kinds.items():
            place = f"{at}/{escape(scope)}/{escape(kind)}"
            records = _restored_rows(rows, place)
            store.table(Collection(scope, kind))
            for first in range(0, len(records), RECORDS_STEP):
                some = records[first : first + RECORDS_STEP]
                store.put_all(Collection(scope, kind), some, [None] * len(some))
                breathe()
    return store


def require_fit(api: Api, state: ApiState) -> None:
    """Raise SnapshotError for a job or a record that the contract does not allow."""
    at, plans = f"/apis/{escape(api.name)}", prepared(api).plans
    for name, job in state.jobs.jobs.items():
        if job.operation not in plans:
            cure = f"It has {listed(plans)}." if plans else ""
            fact = f"the contract has no bulk operation '{job.operation[:80]}'."
            raise SnapshotError(fact, where=f"{at}/jobs/{escape(name)}/operation", cure=cure)
    for scope, kind in state.store.collections():
        records = tuple(state.store.scan(Collection(scope, kind)))
        _require_fitting_records(api, kind, records, f"{at}/records/{escape(scope)}/{escape(kind)}")


def _require_fitting_records(api: Api, kind: str, records: Sequence[Record], at: str) -> None:
    """Raise SnapshotError for a resource that the contract has not, and for a record that its schema does not allow."""
    rules = prepared(api).record_rules
    if kind not in rules:
        cure = did_you_mean(kind, rules) or f"It has {listed(rules)}."
        raise SnapshotError(f"the contract has no resource '{kind[:80]}'.", where=at, cure=cure)
    payloads = rules[kind].payloads
    members = {} if payloads.schema is None else payloads.schema.members()
    for name in set[str]().union(*[record.body for record in records]):
        breathe()
        some = [n for n, record in enumerate(records) if name in record.body]
        member = members.get(name)
        if member is None and payloads.is_closed:
            raise SnapshotError(f"{kind} has no member '{name[:80]}'.", where=f"{at}/{some[0]}/body/{escape(name)}")
        if member is not None and not member.are_valid([records[n].body[name] for n in some]):
            fits = member.validator.is_valid
            n = next(n for n in some if not fits(records[n].body[name]))
            fact = f"{short(records[n].body[name])} does not fit the schema of {kind}."
            raise SnapshotError(fact, where=f"{at}/{n}/body/{escape(name)}")
    required = frozenset(rules[kind].resource.required)
    for n, record in enumerate(records):
        if not required <= record.body.keys():
            word = min(required - record.body.keys())
            raise SnapshotError(f"'{word}' is missing.", where=f"{at}/{n}/body", cure="Add it.")


def _restored_rows(rows: list[dict[str, Any]], at: str) -> list[Record]:
    records: list[Record] = []
    keys: set[Key] = set()
    for n, row in enumerate(rows):
        if not n % RECORDS_STEP:
            breathe()
        try:
            born, changed = instant_of(row["created"]), instant_of(row["modified"])
        except ValueError:
            raise SnapshotError("its times must be such as 2026-01-01T00:00:00Z.", where=f"{at}/{n}") from None
        require_in_range(min(born, changed), f"{at}/{n}")
        require_in_range(max(born, changed), f"{at}/{n}")
        keys.add(row["key"])
        if len(keys) == n:
            raise SnapshotError(f"the key {short(row['key'])} was there before.", where=f"{at}/{n}/key")
        records.append(Record(row["key"], row["version"], row.get("deleted", False), row["body"], born, changed))
    return records

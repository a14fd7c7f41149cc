"""A sandbox's whole state as one JSON document: `snapshot_of` writes it, `restore` puts it into a sandbox.

The document is the fixture that users keep in a repository, and the checkpoint of a durable store; its form is
published in `snapshot.schema.json`. After `restore(snapshot_of(sandbox))` every call is answered as before, byte for
byte. The same state gives the same document. Its clock goes on from the instant of the snapshot.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from heapq import heapify
from math import isfinite
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from contracts.errors import ScenarioError
from contracts.openapi.validation import validate_value
from contracts.schemas.published import PublishedSchema
from contracts.schemas.schema_set import SchemaSet
from contracts.syntax.json_text import JsonFault, read_json
from contracts.syntax.text import did_you_mean, escape, format_duration, listed, parse_iso_duration
from mockserver.api.model import Api, ApiState
from mockserver.bulk.idempotency import IdempotencyRecord
from mockserver.bulk.item_keys import KeptItem
from mockserver.bulk.prepared_api import prepared
from mockserver.domain.clock_and_ids import IdSource, VirtualClock
from mockserver.domain.jobs import JobRegistry
from mockserver.domain.slices import breathe
from mockserver.domain.values import Outcome
from mockserver.sandbox.sandboxes import (
    MAX_INSTANT,
    MAX_SNAPSHOT_DEPTH,
    MIN_INSTANT,
    Sandbox,
    default_settings,
    settings_schema,
)
from mockserver.sandbox.value_codec import ValueCodec, members_of
from mockserver.sandbox.value_forms import SnapshotError, instant_of, instant_text
from mockserver.scenarios.loading import load
from mockserver.stores.interface import Collection, Key, Record, key_order
from mockserver.stores.memory import MemoryStore
from mockserver.stores.spooled_bodies import Spool

if TYPE_CHECKING:
    from mockserver.scenarios.model import Scenario

FORMAT: Final = 1  # the version of the document's form
SCHEMA_FILE: Final = Path(__file__).parent / "snapshot.schema.json"
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
EXPIRING: Final = list[tuple[datetime, int, str, object]]
OF_JOBS: Final = tuple(one.said for one in members_of(JobRegistry))


@cache
def schema() -> Mapping[str, Any]:
    """Return the published JSON Schema (2020-12) of snapshots."""
    found: Mapping[str, Any] = orjson.loads(SCHEMA_FILE.read_bytes())
    return found


def snapshot_of(sandbox: Sandbox, real: datetime, *, journal: bool = False) -> dict[str, Any]:
    """Return the state of a sandbox at the real time `real`, as JSON; with its journal, for later verdicts.

    Raises SnapshotError: something in it has no written form, such as a value that a plug-in keeps.
    """
    document: dict[str, Any] = {
        "format": FORMAT,
        "sandbox": sandbox.name,
        "seed": sandbox.seed,
        "clock": _clock(sandbox, real),
        "settings": _settings(sandbox),
        "scenarios": _scenarios(sandbox),
        "apis": {name: _api(sandbox.template.apis[name], state) for name, state in sandbox.api_states.items()},
    }
    if journal:
        from mockserver.sandbox.journal_snapshot import journal_form  # noqa: PLC0415 - fixtures have no journal

        document["journal"] = journal_form(sandbox)
    return document


def snapshot_text(document: Mapping[str, Any]) -> bytes:
    """Return a snapshot as it is kept in a repository: indented, and with a final line feed."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def read_snapshot(file: Path) -> dict[str, Any]:
    """Return the document of a file. Raises SnapshotError when it cannot be read, or is no JSON object."""
    try:
        found = read_json(file.read_bytes(), max_depth=MAX_SNAPSHOT_DEPTH)
    except OSError as error:
        raise SnapshotError(f"cannot be read: {error.strerror}.", where=str(file)) from None
    if isinstance(found, JsonFault):
        place = f"{file}, line {found.line}, column {found.column}"
        raise SnapshotError(f"{found.detail.rstrip('.')}.", where=place)
    if not isinstance(found, dict):
        raise SnapshotError("it must be a snapshot, a JSON object.", where=str(file))
    return found


def _clock(sandbox: Sandbox, real: datetime) -> dict[str, Any]:
    """Return the clock: its time `at` some instant, and the real time `elapsed` since then, where that matters."""
    clock = sandbox.clock
    form: dict[str, Any] = {"mode": clock.mode, "factor": clock.factor, "at": instant_text(sandbox.now(real))}
    if clock.mode == "scaled" and clock.real != real:  # its rounding depends on when it was set
        form |= {"at": instant_text(clock.at), "elapsed": format_duration(real - clock.real)}
    return form


def _settings(sandbox: Sandbox) -> dict[str, Any]:
    """Return the settings; those of an API are left out where they are its defaults."""
    usual = {api.name: api.settings for api in sandbox.apis}
    return {name: value for name, value in sandbox.settings.items() if usual.get(name) != value}


def _scenarios(sandbox: Sandbox) -> dict[str, Any]:
    player = sandbox.player
    return {
        "active": [dict(one.document) for one in player.scenarios],
        "counters": dict(sorted(player.counters.items())),
        "played": [
            {
                "scenario": name,
                "rule": n,
                "matched": player.times_matched.get((name, n), 0),
                "applied": player.times_applied.get((name, n), 0),
            }
            for name, n in sorted({*player.times_matched, *player.times_applied})
        ],
    }


def _api(api: Api, state: ApiState) -> dict[str, Any]:
    at, codec = f"/apis/{escape(api.name)}", ValueCodec(api.contract.resources, state.spool)
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


def _records(store: Any, at: str) -> dict[str, dict[str, list[Any]]]:
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


def restore(sandbox: Sandbox, document: object, real: datetime) -> None:
    """Put the state of a snapshot into a sandbox; its clock goes on at the real time `real`.

    What the sandbox was before is gone, its journal too. Raises SnapshotError, and changes nothing, for a document that
    is no snapshot of this format, or does not fit the served APIs.
    """
    given = _valid(document)
    apis = sandbox.template.apis
    for name in given["apis"]:
        if name not in apis:
            cure = did_you_mean(name, apis) or f"Served: {listed(apis)}."
            raise SnapshotError(f"no API '{name[:80]}' is served.", where=f"/apis/{escape(name)}", cure=cure)
    clock = _restored_clock(given["clock"], real)
    settings = _restored_settings(sandbox, given["settings"])
    scenarios = _restored_scenarios(given["scenarios"]["active"])
    states = {
        name: _restored_api(apis[name], one, IdSource(seed=given["seed"]), settings, sandbox.template.spool)
        for name, one in given["apis"].items()
    }
    entries = None
    if "journal" in given:
        from mockserver.sandbox.journal_snapshot import restored_entries  # noqa: PLC0415 - fixtures have no journal

        entries = restored_entries(given["journal"], sandbox.template, settings)
    sandbox.reset(real, seed=given["seed"])
    sandbox.clock = clock
    sandbox.api_states = states
    if sandbox.is_playing or any(given["scenarios"].values()):
        _play_on(sandbox, scenarios, given["scenarios"])
    sandbox.apply_settings(settings)
    if entries is not None:
        sandbox.journal.restore(entries, given["journal"]["last"])
    sandbox.notify_clock_change()


def _valid(document: object) -> Any:
    """Return a document that has the form of a snapshot. Raises SnapshotError for its first fault."""
    if isinstance(document, Mapping) and document.get("format", FORMAT) != FORMAT:
        raise SnapshotError(
            f"the format {str(document['format'])[:40]} is not known; it must be {FORMAT}.",
            where="/format",
            cure="Export the snapshot again, with this version of Bulkproof.",
        )
    fault = next(_published().faults(document, shown=""), None)
    if fault is not None:
        raise SnapshotError(fault.fact, where=fault.pointer or "snapshot", cure=fault.cure)
    return document


@cache
def _published() -> PublishedSchema:
    return PublishedSchema(schema())


def _restored_clock(form: Mapping[str, Any], real: datetime) -> VirtualClock:
    try:
        at, elapsed = instant_of(form["at"]), parse_iso_duration(form.get("elapsed", "PT0S"))
        clock = VirtualClock(mode=form["mode"], at=at, real=real - elapsed, factor=form["factor"])
        now = clock.now(real)
    except (ValueError, OverflowError):
        now = None
    if now is None or not MIN_INSTANT <= now <= MAX_INSTANT:
        raise SnapshotError("the clock has no time from 1970 to 9000.", where="/clock")
    return clock


def _restored_settings(sandbox: Sandbox, form: Mapping[str, Any]) -> dict[str, Any]:
    usual = {api.name: dict(api.settings) for api in sandbox.apis if api.settings}
    whole = {name: {**usual[name], **value} if name in usual else value for name, value in form.items()}
    settings = {**default_settings(sandbox.apis), **whole}
    report = validate_value(SchemaSet({"settings:": settings_schema(sandbox.apis)}).schema("settings:#"), settings)
    if report:
        first = report.violations[0]
        raise SnapshotError(first.detail, where=f"/settings{first.pointer}")
    return settings


def _restored_scenarios(active: Iterable[object]) -> "list[Scenario]":
    found: list[Scenario] = []
    for n, document in enumerate(active):
        try:
            found.append(load(document, shown=""))
        except ScenarioError as error:
            fault = error.faults[0]
            raise SnapshotError(fault.fact, where=f"/scenarios/active/{n}{fault.pointer}", cure=fault.cure) from None
    return found


def _play_on(sandbox: Sandbox, scenarios: "list[Scenario]", form: Mapping[str, Any]) -> None:
    player = sandbox.player
    player.activate(scenarios)
    player.counters = dict(form["counters"])
    for one in form["played"]:
        place = one["scenario"], one["rule"]
        for counts, times in ((player.times_matched, one["matched"]), (player.times_applied, one["applied"])):
            if times:
                counts[place] = times


def _restored_api(api: Api, form: Mapping[str, Any], ids: IdSource, settings: dict[str, Any], spool: Spool) -> ApiState:
    at, codec = f"/apis/{escape(api.name)}", ValueCodec(api.contract.resources, spool)
    types = {**MEMORY_TYPES, **api.memory_types}
    expiring = codec.read(form.get("expiring", []), EXPIRING, f"{at}/expiring")
    heapify(expiring)
    return ApiState(
        store=_restored_store(api, form.get("records", {}), f"{at}/records"),
        ids=replace(ids, counters=dict(form.get("counters", {}))),
        settings=settings,
        jobs=_restored_jobs(api, codec, {name: form[name] for name in OF_JOBS if name in form}, at),
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


def _instant(text: str, at: str) -> datetime:
    try:
        return instant_of(text)
    except ValueError:
        raise SnapshotError("it must be an instant such as 2026-01-01T00:00:00Z.", where=at) from None


def _restored_jobs(api: Api, codec: ValueCodec, form: Any, at: str) -> JobRegistry:
    registry: JobRegistry = codec.read(form, JobRegistry, at)
    plans = prepared(api).plans
    for name, job in registry.jobs.items():
        place = f"{at}/jobs/{escape(name)}"
        if job.id != name:
            raise SnapshotError(f"the job must have the id '{name[:80]}'.", where=f"{place}/id")
        if job.operation not in plans:
            cure = f"It has {listed(plans)}." if plans else ""
            fact = f"the contract has no bulk operation '{job.operation[:80]}'."
            raise SnapshotError(fact, where=f"{place}/operation", cure=cure)
    queues = {
        "dueQueue": [one[3] for one in registry.due_queue],
        "unfinished": registry.unfinished,
        "results": registry.results,
    }
    for word, names in queues.items():
        unknown = next((name for name in names if name not in registry.jobs), None)
        if unknown is not None:
            raise SnapshotError(f"there is no job '{unknown[:80]}'.", where=f"{at}/{word}")
    heapify(registry.due_queue)
    heapify(registry.expiry_queue)
    return registry


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


def _restored_rows(rows: list[dict[str, Any]], at: str) -> list[Record]:
    records: list[Record] = []
    keys: set[Key] = set()
    for n, row in enumerate(rows):
        if not n % RECORDS_STEP:
            breathe()
        try:
            born, changed = instant_of(row["created"]), instant_of(row["modified"])
        except ValueError:
            raise SnapshotError("it must have instants such as 2026-01-01T00:00:00Z.", where=f"{at}/{n}") from None
        keys.add(row["key"])
        if len(keys) == n:
            raise SnapshotError(f"the key {row['key']!r} was there before.", where=f"{at}/{n}/key")
        records.append(Record(row["key"], row["version"], row.get("deleted", False), row["body"], born, changed))
    return records

"""A sandbox's whole state as one JSON document: `snapshot_of` writes it, `restore` puts it into a sandbox.

The document is the fixture that users keep in a repository, and the checkpoint of a durable store; its form is
published in `snapshot.schema.json`. After `restore(snapshot_of(sandbox))` every call is answered as before, byte for
byte. The same state gives the same document. Its clock goes on from the instant of the snapshot.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from contracts.errors import ScenarioError
from contracts.openapi.validation import validate_value
from contracts.schemas.published import PublishedSchema
from contracts.schemas.schema_set import SchemaSet
from contracts.syntax.json_text import JsonFault, read_json
from contracts.syntax.text import did_you_mean, escape, format_duration, listed, parse_duration
from mockserver.api.model import Api, ApiState
from mockserver.domain.clock_and_ids import IdSource, VirtualClock
from mockserver.domain.slices import breathe
from mockserver.journal.journal import JournalEntry
from mockserver.journal.stored_messages import HIDDEN, is_secret, redact_header, redact_query
from mockserver.sandbox.api_snapshot import api_form, require_fit, restored_api
from mockserver.sandbox.sandboxes import (
    MAX_INSTANT,
    MAX_SNAPSHOT_DEPTH,
    MIN_INSTANT,
    Sandbox,
    settings_schema,
    with_defaults,
)
from mockserver.sandbox.value_forms import Content, SnapshotError, content_form, instant_of, instant_text
from mockserver.scenarios.loading import load

if TYPE_CHECKING:
    from mockserver.scenarios.model import Scenario

FORMAT: Final = 1  # the version of the document's form
Rehearse: TypeAlias = Callable[[Api, ApiState, datetime], None]
Look: TypeAlias = Callable[[JournalEntry], None]
TOKENS: Final = "tokens"  # in the memory of APIs that issue some
SCHEMA_FILE: Final = Path(__file__).parent / "snapshot.schema.json"


@cache
def schema() -> Mapping[str, Any]:
    """Return the published JSON Schema (2020-12) of snapshots."""
    found: Mapping[str, Any] = orjson.loads(SCHEMA_FILE.read_bytes())
    return found


def snapshot_of(
    sandbox: Sandbox, real: datetime, *, journal: bool = False, content: Content = content_form
) -> dict[str, Any]:
    """Return the state of a sandbox at the real time `real`, as JSON; with its journal, for later verdicts.

    `content` writes bodies: `content_form` as they are read best, `quick_content_form` in the least time.
    Raises SnapshotError: something in it has no written form, such as a value that a plug-in keeps.
    """
    document: dict[str, Any] = {
        "format": FORMAT,
        "sandbox": sandbox.name,
        "seed": sandbox.seed,
        "clock": _clock(sandbox, real),
        "settings": _settings(sandbox),
        "scenarios": _scenarios(sandbox),
        "apis": {
            name: api_form(sandbox.template.apis[name], state, content) for name, state in sandbox.api_states.items()
        },
    }
    if journal:
        from mockserver.sandbox.journal_snapshot import journal_form  # noqa: PLC0415 - fixtures have no journal

        document["journal"] = journal_form(sandbox, content)
    return document


def snapshot_text(document: Mapping[str, Any]) -> bytes:
    """Return a snapshot as it is kept in a repository: indented, and with a final line feed."""
    return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def without_tokens(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a snapshot without tokens, and with the credentials hidden in header fields and queries of its jobs.

    Clients have to ask for tokens again. Bodies are as they are, and what hooks keep under other names than `tokens`.
    """
    changed = {**document, "apis": {name: _without_tokens(api) for name, api in document["apis"].items()}}
    if "journal" in document:  # its exchanges are without, but for what they are to be read again with
        exchanges = [_without_parameters(one) for one in document["journal"]["exchanges"]]
        changed["journal"] = {**document["journal"], "exchanges": exchanges}
    return changed


def _without_parameters(exchange: Mapping[str, Any]) -> dict[str, Any]:
    if "toRead" not in exchange:
        return dict(exchange)
    query = {name: HIDDEN if is_secret(name) else value for name, value in exchange["toRead"].get("query", {}).items()}
    return {**exchange, "toRead": {**exchange["toRead"], "query": query}}


def _without_tokens(api: Mapping[str, Any]) -> dict[str, Any]:
    memory = {kind: kept for kind, kept in api.get("memory", {}).items() if kind != TOKENS}
    expiring = [one for one in api.get("expiring", ()) if one[2] != TOKENS]
    jobs = {name: _without_credentials(job) for name, job in api.get("jobs", {}).items()}
    rest = {name: one for name, one in api.items() if name not in {"memory", "expiring", "jobs"}}
    found = {"jobs": jobs, "memory": memory, "expiring": expiring}
    return {**rest, **{name: one for name, one in found.items() if one}}


def _without_credentials(job: Mapping[str, Any]) -> dict[str, Any]:
    request = dict(job.get("request", {}))
    if "headers" in request:
        request["headers"] = [[name, redact_header(name, value)] for name, value in request["headers"]]
    if "query" in request:
        request["query"] = [list(pair) for pair in redact_query(request["query"])]
    return {**job, "request": request} if request else dict(job)


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


def restore(
    sandbox: Sandbox,
    document: object,
    real: datetime,
    *,
    is_own: bool = False,
    rehearse: Rehearse | None = None,
    look: Look | None = None,
) -> None:
    """Put the state of a snapshot into a sandbox; its clock goes on at the real time `real`.

    What the sandbox was before is gone, its journal too. A snapshot that this server has made itself (`is_own`) may
    have what the contract does not allow, such as records of a contract before. Raises SnapshotError, and changes
    nothing, for a document that is no snapshot of this format, or does not fit the served APIs. `rehearse` raises it
    for the state of an API that it cannot go on from, `look` anything for an exchange that cannot be shown.
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
        name: restored_api(
            apis[name], one, IdSource(seed=given["seed"]), settings, sandbox.template.spool, is_own=is_own
        )
        for name, one in given["apis"].items()
    }
    if not is_own:
        for name, state in states.items():
            require_fit(apis[name], state)
            if rehearse is not None:
                rehearse(apis[name], state, clock.now(real))
    _move_jobs(states.values(), given["sandbox"], sandbox.name)
    entries = _restored_journal(sandbox, given, settings, look, is_own=is_own)
    sandbox.reset(real, seed=given["seed"])
    sandbox.clock = clock
    sandbox.adopt(states)
    if sandbox.is_playing or any(given["scenarios"].values()):
        _play_on(sandbox, scenarios, given["scenarios"])
    sandbox.apply_settings(settings)
    if entries is not None:
        sandbox.journal.restore(entries, given["journal"]["last"])
    sandbox.notify_clock_change()
    if sandbox.template.on_restore is not None:
        sandbox.template.on_restore(sandbox, document)


def _restored_journal(
    sandbox: Sandbox, given: Mapping[str, Any], settings: dict[str, Any], look: Look | None, *, is_own: bool
) -> "list[JournalEntry] | None":
    """Return the exchanges of a snapshot, None where it has no journal."""
    if "journal" not in given:
        return None
    from mockserver.sandbox.journal_snapshot import restored_entries  # noqa: PLC0415 - fixtures have no journal

    entries = restored_entries(given["journal"], sandbox.template, settings, is_own=is_own)
    for n, entry in enumerate(entries if look is not None else ()):
        breathe()
        try:
            look(entry)  # type: ignore[misc] # there is none to look at without it
        except Exception as error:  # noqa: BLE001 - what anybody wrote may break a view in any way
            words = " ".join(str(error).split())[:160].rstrip(".")
            raise SnapshotError(f"it cannot be shown: {words}.", where=f"/journal/exchanges/{n}") from None
    return entries


def _move_jobs(states: Iterable[ApiState], was: str, now: str) -> None:
    """Let jobs refer to the sandbox that they are in now, where their requests named the one that they were in."""
    for state in states:
        for name, job in state.jobs.jobs.items():
            if was != now and job.request.prefix == f"/@{was}":
                state.jobs.jobs[name] = replace(job, request=replace(job.request, prefix=f"/@{now}"))


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
        at, elapsed = instant_of(form["at"]), parse_duration(form.get("elapsed", "PT0S"))
        clock = VirtualClock(mode=form["mode"], at=at, real=real - elapsed, factor=form["factor"])
        now = clock.now(real)
    except (ValueError, OverflowError):
        now = None
    if now is None or not MIN_INSTANT <= now <= MAX_INSTANT:
        raise SnapshotError("the clock has no time from 1970 to 9000.", where="/clock")
    return clock


def _restored_settings(sandbox: Sandbox, form: Mapping[str, Any]) -> dict[str, Any]:
    usual = {api.name: api.settings for api in sandbox.apis if api.settings}
    settings = with_defaults({**usual, **form}, sandbox.template.settings)
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

"""What a planted bug that survived did (`witness_of`): the exchange, the difference, and a test that notices it.

The requests of the run are sent again to two fresh sandboxes, one with the bug and one without, at the same instants.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from textwrap import indent
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import orjson

from contracts.messages import ABSENT, Headers, Request, Response
from contracts.syntax.text import clipped, format_duration, short
from mockserver.api.model import Api
from mockserver.bugs.catalogue import Bug
from mockserver.engine import pipeline
from mockserver.http.lifecycle import Running
from mockserver.journal.journal import JournalEntry
from mockserver.mutants.planting import planted
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate
from mockserver.sandbox.snapshot import restore
from mockserver.scenarios.model import Scenario
from mockserver.stores.interface import Collection
from mockserver.verdicts.history import header_of

READ_METHODS: Final = frozenset(("GET", "HEAD"))
MAX_DIFFERENCES: Final = 3  # that are shown
MIN_WAIT: Final = timedelta(seconds=1)  # between two requests of a test, that its clock is advanced by
MAX_EARLIER: Final = 5  # requests before the exchange that a test repeats
MAX_BODY_CHARS: Final = 600  # of a request that a test repeats
MAX_VALUE_CHARS: Final = 300  # of a value that is shown
NO_NAME: Final = re.compile(r"\W+", re.ASCII)
HELPER: Final = """import json
from urllib.error import HTTPError
from urllib.request import Request, urlopen


def send(url, method, body=None, media="application/json"):
    data = None if body is None else json.dumps(body).encode()
    try:
        reply = urlopen(Request(url, data, {"Content-Type": media}, method=method))
    except HTTPError as error:
        reply = error
    with reply:
        return reply.status, json.loads(reply.read() or "null")
"""


@dataclass(slots=True)
class SandboxRecord:
    """The exchanges of one sandbox, with what its set-up was at the last of them.

    `life` is its name with the number of its resets; `snapshot` is what it began with, None for nothing.
    """

    name: str
    seed: int
    settings: dict[str, Any]
    life: tuple[str, int] = ("", 0)
    snapshot: object = None
    scenarios: tuple[Scenario, ...] = ()
    entries: list[JournalEntry] = field(default_factory=list)

    def is_marked(self, bug: str) -> bool:
        """Tell whether the bug changed any of the exchanges."""
        traces = (one.scenario_trace for one in self.entries)
        return any(trace is not None and f"bug:{bug}" in trace.rules for trace in traces)


class RunRecorder:
    """Records what a run sends, by sandbox; `tell` is called with each exchange. Sandboxes may be dropped meanwhile."""

    def __init__(self) -> None:
        self.running: Running | None = None
        self._records: dict[int, SandboxRecord] = {}
        self._snapshots: dict[tuple[str, int], object] = {}

    def watch(self, running: Running) -> None:
        """Take down what the sandboxes of a server are given and asked."""
        self.running, sandboxes = running, running.service.sandboxes
        sandboxes.template = replace(sandboxes.template, on_restore=self._keep)

    def _keep(self, sandbox: Sandbox, snapshot: object) -> None:
        self._snapshots[sandbox.name, sandbox.reset_count] = snapshot

    def tell(self, entry: JournalEntry) -> None:
        """Add an exchange; it is the last of the sandbox that was used last."""
        found = None if self.running is None else self.running.service.sandboxes.that_recorded(entry)
        if found is None:
            return
        life = found.name, found.reset_count
        record = self._records.get(id(found))
        if record is None or record.life != life or entry.n == 1:
            begun = SandboxRecord(found.name, found.seed, found.settings, life, self._snapshots.get(life))
            record = self._records[id(found)] = begun
        record.seed, record.settings = found.seed, found.settings
        record.scenarios = found.player.scenarios if found.is_playing else ()
        record.entries.append(entry)

    def marked(self, bug: str) -> SandboxRecord | None:
        """Return the shortest record with an exchange that the bug changed, None where there is none."""
        found = [one for one in self._records.values() if one.is_marked(bug)]
        return min(found, key=lambda one: len(one.entries), default=None)


class AnswerDifference(NamedTuple):
    """Where the answer with the bug differs from the right one: as Python subscripts, and the two values."""

    place: str
    right: object
    wrong: object


class BugEffect(NamedTuple):
    """How a bug shows: sentences about what differs, and assertions that fail with it."""

    differences: Sequence[str]
    checks: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """What a survivor did: the exchange, its two answers, what differs in them or in what is stored, and a test."""

    exchange: str
    answer: str
    right_answer: str
    differences: tuple[str, ...]
    test: str

    @property
    def lines(self) -> Iterator[str]:
        """Yield the witness in lines."""
        yield f"request  {self.exchange}"
        yield f"answer   {self.answer}"
        if self.right_answer != self.answer:
            yield f"right    {self.right_answer}"
        yield from (f"differs  {one}" for one in self.differences)
        if self.test:
            yield "a test that notices it:"
            yield indent(self.test, "    ")


def witness_of(bug: Bug, apis: Sequence[Api], record: SandboxRecord, template: SandboxTemplate) -> Witness | None:
    """Return what a bug did to the exchanges of a sandbox; None where it does not show when they are repeated."""
    by_name = {api.name: api for api in apis}
    replays = [_replayed(record, served, template) for served in (by_name, _with_bug(by_name, bug))]
    (right, right_box), (wrong, wrong_box) = replays
    n = next((n for n, (one, other) in enumerate(zip(right, wrong, strict=True)) if _differ(one, other)), None)
    if n is not None:
        found = [*_differences(right[n], wrong[n])]
        checks = [f"assert {one.place} == {_python(one.right)}" for one in found[:1]]
        return _witness(bug, record, n, (right[n], wrong[n]), BugEffect([_said(one) for one in found], checks))
    stored = next(_stored_differences(right_box, wrong_box), None)
    if stored is None:
        return None
    writes = [k for k, one in enumerate(record.entries) if one.method not in READ_METHODS]
    n = writes[-1] if writes else len(record.entries) - 1
    return _witness(bug, record, n, (right[n], wrong[n]), stored)


def _with_bug(apis: Mapping[str, Api], bug: Bug) -> dict[str, Api]:
    return {name: planted(api, bug.name) for name, api in apis.items()}


def _replayed(
    record: SandboxRecord, apis: Mapping[str, Api], template: SandboxTemplate
) -> tuple[list[Response], Sandbox]:
    """Return the responses of a fresh sandbox to the requests of a record, and the sandbox after them."""
    plain = replace(template, apis=apis, on_exchange=lambda _: None, seed=record.seed)
    sandbox = Sandbox("witness", plain, record.entries[0].at)
    if record.snapshot is not None:
        restore(sandbox, record.snapshot, record.entries[0].at)
    sandbox.apply_settings({**record.settings, "auth": "open"} if _are_hidden(record.entries) else record.settings)
    if record.scenarios and record.snapshot is None:
        sandbox.player.activate(record.scenarios)
    responses = [pipeline.handle(sandbox, apis[one.api], _request(one), one.at) for one in record.entries]
    pipeline.run_due_jobs(sandbox, record.entries[-1].at)
    return responses, sandbox


def _are_hidden(entries: Iterable[JournalEntry]) -> bool:
    """Tell whether a request had credentials, which the journal hides: it is sent again without them."""
    return any("\nauthorization: " in f"\n{entry.request.headers.lower()}" for entry in entries)


def _request(entry: JournalEntry) -> Request:
    lines = (line.partition(": ") for line in entry.request.headers.split("\n") if line)
    headers = Headers((name, value) for name, _, value in lines if name.lower() != "authorization")
    body = entry.request.content
    return Request(method=entry.method, path=entry.path, query=entry.query, headers=headers, body=body)


def _differ(right: Response, wrong: Response) -> bool:
    return (right.status, right.body) != (wrong.status, wrong.body)


def _json(response: Response) -> object:
    try:
        return orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return response.body.decode("utf-8", "replace")


def _differences(right: Response, wrong: Response) -> Iterator[AnswerDifference]:
    if right.status != wrong.status:
        yield AnswerDifference("status", right.status, wrong.status)
    yield from _inside("answer", _json(right), _json(wrong))


def _inside(place: str, right: object, wrong: object) -> Iterator[AnswerDifference]:
    """Yield the members and elements that differ, of lists of different lengths the lengths."""
    if isinstance(right, dict) and isinstance(wrong, dict):
        for name in [*right, *(name for name in wrong if name not in right)]:
            if right.get(name, ABSENT) != wrong.get(name, ABSENT):
                yield from _inside(f"{place}[{name!r}]", right.get(name, ABSENT), wrong.get(name, ABSENT))
    elif isinstance(right, list) and isinstance(wrong, list) and len(right) != len(wrong):
        yield AnswerDifference(f"len({place})", len(right), len(wrong))
    elif isinstance(right, list) and isinstance(wrong, list):
        for n, (one, other) in enumerate(zip(right, wrong, strict=True)):
            if one != other:
                yield from _inside(f"{place}[{n}]", one, other)
    elif right is ABSENT:
        yield AnswerDifference(place.rpartition("[")[0] + f".get({place.rpartition('[')[2][:-1]})", None, wrong)
    else:
        yield AnswerDifference(place, right, wrong)


def _said(one: AnswerDifference) -> str:
    shown = [clipped(_python(value), MAX_VALUE_CHARS) for value in (one.wrong, one.right)]
    return f"{one.place}: {shown[0]} instead of {shown[1]}"


def _python(value: object) -> str:
    return "absent" if value is ABSENT else repr(value)


def _stored_differences(right: Sandbox, wrong: Sandbox) -> Iterator[BugEffect]:
    """Yield how each record that is not stored as it must be shows."""
    for name, state in right.api_states.items():
        other = wrong.api_states[name].store if name in wrong.api_states else None
        kinds = sorted({*state.store.collections(), *(() if other is None else other.collections())})
        scopes = {kind.scope for kind in kinds}
        for kind in kinds:
            tenant = f", tenant={kind.scope!r}" if len(scopes) > 1 else ""
            stored = f"bulkproof.{_attribute(name)}.stored({kind.resource!r}{tenant})"
            good, bad = (_records(store, kind) for store in (state.store, other))
            for key in sorted({*good, *bad}, key=str):
                pair = good.get(key), bad.get(key)
                if pair[0] != pair[1]:
                    yield BugEffect([_stored_text(kind, key, *pair)], [_stored_check(stored, key, *pair)])


def _records(store: Any, kind: Collection) -> dict[object, Any]:
    """Return content and version of the living records, by key."""
    return {} if store is None else {one.key: (one.body, one.version) for one in store.scan(kind) if not one.deleted}


def _stored_text(kind: Collection, key: object, good: Any, bad: Any) -> str:
    def shown(found: Any) -> str:
        return "is not there" if found is None else f"is {clipped(repr(found[0]), MAX_VALUE_CHARS)}, version {found[1]}"

    return f"stored {kind.resource} {short(key)} {shown(bad)}; it must be that it {shown(good)}"


def _stored_check(stored: str, key: object, good: Any, bad: Any) -> str:
    if good is None:
        return f"assert {key!r} not in {stored}"
    if bad is None:
        return f"assert {key!r} in {stored}"
    if good[1] != bad[1]:
        return f"assert {stored}.version({key!r}) == {good[1]}"
    name = next(one for one in {**good[0], **bad[0]} if good[0].get(one) != bad[0].get(one))
    return f"assert {stored}.get({key!r}).get({name!r}) == {good[0].get(name)!r}"


def _attribute(name: str) -> str:
    return name if name.isidentifier() else f"api({name!r})"


def _witness(bug: Bug, record: SandboxRecord, n: int, answers: tuple[Response, Response], shown: BugEffect) -> Witness:
    entry = record.entries[n]
    return Witness(
        exchange=f"{entry.method} {_target(entry)} of {entry.api}, request {entry.n} of sandbox '{record.name}'",
        answer=_answer_text(answers[1]),
        right_answer=_answer_text(answers[0]),
        differences=tuple(shown.differences[:MAX_DIFFERENCES]),
        test=_test(bug, record.entries[: n + 1], shown.checks, begins_empty=record.snapshot is None),
    )


def _answer_text(response: Response) -> str:
    return f"{response.status} {clipped(response.body.decode('utf-8', 'replace'), MAX_VALUE_CHARS)}".strip()


def _target(entry: JournalEntry) -> str:
    return f"{entry.path}{f'?{urlencode(entry.query)}' if entry.query else ''}"


def _test(bug: Bug, entries: Sequence[JournalEntry], checks: Sequence[str], *, begins_empty: bool) -> str:
    """Return a test with the fixture `bulkproof` that fails with the bug; of long or many requests the checks alone.

    So it is where the sandbox did not begin empty: the snapshot is the user's.
    """
    kept = [one for one in entries[:-1] if one.method not in READ_METHODS] + [entries[-1]]
    sends = [_send(one) for one in kept]
    name = f"def test_{NO_NAME.sub('_', bug.name)}_is_noticed(bulkproof):"
    if not begins_empty or len(kept) > MAX_EARLIER + 1 or not all(sends):
        found = f"bulkproof.exchanges[{len(entries) - 1}]"
        lines = ["...  # what your test sends", f"status, answer = {found}.status, {found}.response", *checks]
        return "\n".join([name, *(f"    {line}" for line in lines)])
    waits = [after.at - before.at for before, after in pairwise(kept)]
    waits = [wait if wait >= MIN_WAIT else timedelta(0) for wait in waits]
    lines = ["bulkproof.clock.freeze()"] if any(waits) else []
    for wait, send in zip([timedelta(0), *waits], sends, strict=True):
        lines += [f"bulkproof.clock.advance({format_duration(wait)!r})"] if wait else []
        lines.append(send)
    lines[-1] = f"status, answer = {lines[-1]}"
    return "\n".join([name, *(f"    {line}" for line in (*lines, *checks))])


def _send(entry: JournalEntry) -> str:
    """Return the call that sends a request, "" for one that is too long or no JSON."""
    body, media = entry.request.content, header_of(entry.request, "Content-Type")
    if len(body) > MAX_BODY_CHARS or entry.request.digest:
        return ""
    try:
        value = f", {orjson.loads(body)!r}" if body else ""
    except orjson.JSONDecodeError:
        return ""
    kind = f", {media!r}" if body and media != "application/json" else ""
    return f"send(bulkproof.{_attribute(entry.api)}.url + {_target(entry)!r}, {entry.method!r}{value}{kind})"


def helper_text(witnesses: Iterable[Witness]) -> str:
    """Return the function that the tests use, "" where none does."""
    return HELPER if any("send(" in one.test for one in witnesses) else ""

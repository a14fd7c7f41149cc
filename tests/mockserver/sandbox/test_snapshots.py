"""Snapshots: what is restored answers as the original does, and is written as it was."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import cycle
from pathlib import Path
from typing import Any

import orjson
import pytest
from case_inside import REAL, api_of
from case_run import Answer, Pairs, new_sandbox, run_case
from case_text import read_cases
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sampling import ALL, mostly_slow, some

from contracts.messages import Headers
from mockserver.api.model import Api
from mockserver.apis.genero import api as genero_api
from mockserver.apis.onkey import api as onkey_api
from mockserver.apis.sources import find_sources
from mockserver.bugs.catalogue import bugs_for
from mockserver.domain.slices import Pausing
from mockserver.http.service import Options, Service
from mockserver.sandbox.journal_snapshot import journal_form
from mockserver.sandbox.snapshot import restore, schema, snapshot_of, snapshot_text

CASES_FOLDER = Path(__file__).parents[2] / "cases"
CASES = [case for file in sorted(CASES_FOLDER.glob("**/*.case")) for case in read_cases(file) if not case.needs_socket]
SHOWN = ("exchanges", "verdict", "jobs", "scenarios", "settings", "clock")
JSON_HEADERS: Pairs = (("Content-Type", "application/json"),)
IMPORT_HEADERS: Pairs = (("Content-Type", "application/vnd.onkey.entityimportcollection+json"),)
FORM_HEADERS: Pairs = (("Content-Type", "application/x-www-form-urlencoded"),)
CREDENTIALS = "grant_type=client_credentials&client_id=multi&client_secret=sandbox"


@dataclass
class Twins:
    """Two servers that get the same calls; the sandbox of one is written and restored before each of them.

    After each call they show the same of one thing in turn, or of all with `BULKPROOF_TEST_ALL=1`.
    """

    apis: list[Api]
    name: str = "one"
    options: Mapping[str, Any] = field(default_factory=lambda: {"mode": "frozen"})
    real: datetime = REAL

    def __post_init__(self) -> None:
        self._turns = cycle(SHOWN)
        self.services = [Service(self.apis, Options(**self.options), REAL) for _ in range(2)]

    def __call__(self, method: str, target: str, headers: Pairs = (), body: bytes = b"") -> Answer:
        """Answer as both servers do. Raises AssertionError where they differ."""
        self.swap()
        reply = self._both(method, target, headers, body)
        if method != "DELETE":
            shown = SHOWN if ALL else [next(self._turns)]
            told = [self._both("GET", f"/_sandbox/sandboxes/{self.name}/{what}") for what in shown]
            assert {one.status for one in told} == {200}
        return reply

    def swap(self) -> str:
        """Put the snapshot of one of the sandboxes into the other, and return its text."""
        original, other = (service.sandboxes.use(self.name, self.real) for service in self.services)
        text = snapshot_text(snapshot_of(original, self.real, journal=True))
        place = f"/_sandbox/sandboxes/{self.name}/snapshot"
        put = self.services[1].handle("PUT", place, Headers(JSON_HEADERS), text, self.real)
        assert put.status == 200, put.body
        assert snapshot_text(snapshot_of(other, self.real, journal=True)) == text
        return text.decode()

    def _both(self, method: str, target: str, headers: Pairs = (), body: bytes = b"") -> Answer:
        first, second = (
            Answer(status=reply.status, headers=reply.headers.pairs, body=reply.body)
            for reply in [one.handle(method, target, Headers(headers), body, self.real) for one in self.services]
        )
        assert first == second
        return first


@pytest.mark.parametrize("case", mostly_slow(CASES, lambda n, _: n % 20 == 0), ids=lambda case: case.id)
def test_a_restored_sandbox_answers_as_the_original(case):
    """At any point of a case: each reply, the journal, and the verdict are the same."""
    api, name = api_of(case), new_sandbox()
    run_case(case, Twins([api], name), api.mount, sandbox=name)


PETS = """
openapi: 3.1.0
info: {title: Pets, version: "1"}
components:
  schemas:
    Pet:
      type: object
      properties: {id: {type: integer}, name: {type: string}, born: {type: string, format: date-time}}
  requestBodies:
    Pet: {content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
  responses:
    Pet: {description: one, content: {application/json: {schema: {$ref: "#/components/schemas/Pet"}}}}
    Pets:
      description: all
      content: {application/json: {schema: {type: array, items: {$ref: "#/components/schemas/Pet"}}}}
paths:
  /pets:
    get: {responses: {"200": {$ref: "#/components/responses/Pets"}}}
    post:
      requestBody: {$ref: "#/components/requestBodies/Pet"}
      responses: {"201": {$ref: "#/components/responses/Pet"}}
  /pets/{petId}:
    parameters: [{name: petId, in: path, required: true, schema: {type: integer}}]
    get: {responses: {"200": {$ref: "#/components/responses/Pet"}}}
    patch:
      requestBody: {$ref: "#/components/requestBodies/Pet"}
      responses: {"200": {$ref: "#/components/responses/Pet"}}
    delete: {responses: {"204": {description: gone}}}
"""


@pytest.fixture(scope="module")
def apis(tmp_path_factory) -> list[Api]:
    """Return both bundled APIs, and a plain document."""
    pets = tmp_path_factory.mktemp("pets") / "pets.yaml"
    pets.write_text(PETS)
    return [source.load() for source in find_sources(("genero", "onkey", str(pets)))]


BLOCKS = st.lists(
    st.fixed_dictionaries(
        {"blockId": st.sampled_from("abc"), "name": st.sampled_from(["A", "Ünicode", "x" * 40])},
        optional={"deleted": st.booleans()},
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one["blockId"],
)
TRADES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"action": st.just("Insert"), "properties": st.sampled_from([{"code": "A"}, {"code": "B"}])}
        ),
        st.fixed_dictionaries(
            {
                "action": st.sampled_from(["Merge", "Delete"]),
                "id": st.sampled_from([5000001003, {"converter": "ReferenceLookup", "code": "A"}]),
            },
            optional={"properties": st.just({"description": "d"}), "version": st.integers(1, 2)},
        ),
    ),
    min_size=1,
    max_size=3,
).map(lambda some: [{"entityType": "Trade", "userObjectId": str(n), **one} for n, one in enumerate(some)])
SYSTEM = "/onkey/api/tenants/contoso/sandbox/modules/system"
SCENARIOS = st.lists(
    st.sampled_from(
        [
            "never-ends",
            {"name": "second", "rules": [{"when": {"nth": [2, 5]}, "then": {"status": 503}, "times": 2}]},
            {"name": "chance", "rules": [{"when": {"chance": 0.5}, "then": {"delay": "1s", "count": "seen"}}]},
            {"name": "fails", "rules": [{"items": {"first": 1}, "then": {"fail": {"message": "No."}}, "times": 3}]},
            {"name": "long", "rules": [{"then": {"duration": "PT40M", "progress": "linear"}, "times": 1}]},
            {"name": "errors", "rules": [{"then": {"errors": {"a": "Not this one."}}, "times": 1}]},
            {"name": "backwards", "rules": [{"then": {"bug": "job-goes-backwards"}}]},
        ]
    ),
    max_size=3,
    unique_by=str,
)
NOTHING = st.none()


def step(method: str, paths: list[str], bodies: st.SearchStrategy[Any] = NOTHING) -> st.SearchStrategy[Any]:
    """Return calls of one method; a path without a slash before it is a control call's."""
    return st.tuples(st.just(method), st.sampled_from(paths), bodies)


BLOCK = "/genero/api/v1/block"
JOBS = st.one_of(
    step("POST", [f"{BLOCK}/postJob"], BLOCKS),
    step(
        "POST",
        [f"{BLOCK}/multitenant/postJob"],
        BLOCKS.map(lambda some: {"generoTenantIds": ["publicapitest", "publicapitest2"], "data": some}),
    ),
    step("POST", [f"{SYSTEM}/imports?mode=PerRecord&async=true", f"{SYSTEM}/imports?async=true"], TRADES),
)
TASK = f"{SYSTEM}/backgroundtasks/LAST"
POLLS = step("GET", [f"{BLOCK}/jobStatus/LAST", f"{TASK}/steps", TASK])
CALLS = st.one_of(
    step("PUT", [f"{BLOCK}/a"], st.just({"blockId": "a", "name": "P"})),
    step("GET", [BLOCK, f"{BLOCK}/a", "/onkey/api/tenants/contoso/sandbox/modules/res/trades"]),
    step("POST", ["/genero/oauth/token"], st.just(CREDENTIALS)),
    step("POST", [f"{SYSTEM}/imports?mode=PerRecord"], TRADES),
    step("DELETE", [TASK, "/pets/1", "/pets/7"]),
    step("GET", ["/pets", "/pets/1", "/pets/7"]),
    step("POST", ["/pets"], st.sampled_from([{"name": "Rex"}, {"name": "Bello"}, {"name": 5}])),
    step("PATCH", ["/pets/1", "/pets/7"], st.just({"name": "Max"})),
)
CLOCKS = st.one_of(
    step("POST", ["clock/advance"], st.sampled_from([{"by": "PT1S"}, {"by": "P40D"}, {"to": "idle"}])),
    step("POST", ["clock/advance"], st.just({"to": "next-event"})),
    step("PUT", ["clock"], st.sampled_from([{"mode": "scaled", "factor": 7.3}, {"mode": "frozen"}])),
    step("PUT", ["clock"], st.sampled_from([{"mode": "system"}, {"now": "2027-01-01T00:00:00.5Z"}])),
    st.tuples(st.just("wait"), st.just(""), st.timedeltas(timedelta(0), timedelta(seconds=9))),
)
SETUPS = st.one_of(
    step("PUT", ["scenarios"], st.fixed_dictionaries({"scenarios": SCENARIOS})),
    step("PATCH", ["settings"], st.sampled_from([{"conduct": "enforce"}, {"genero": {"maxItems": 2}}])),
    step("PATCH", ["settings"], st.just({"limits": {"journalExchanges": 3}})),
    step("POST", ["reset"], st.just({"seed": 5})),
)
EPISODES = st.one_of(
    st.tuples(JOBS, POLLS, CLOCKS, POLLS), st.tuples(CALLS, CALLS), st.tuples(CLOCKS), st.tuples(SETUPS)
)
HISTORIES = st.lists(EPISODES, min_size=1, max_size=6).map(lambda some: [one for episode in some for one in episode])
ID = re.compile(r"([0-9a-f]{8}-[0-9a-f-]{27}|\b[0-9]{16}\b)")


def play_steps(twins: Twins, steps: list[tuple[str, str, Any]]) -> None:
    """Make calls one after the other; LAST in a path is the last id that was told."""
    last = "none"
    for method, path, body in steps:
        if method == "wait":
            twins.real += body
            continue
        place = f"/@{twins.name}" if path.startswith("/") else f"/_sandbox/sandboxes/{twins.name}/"
        headers = FORM_HEADERS if isinstance(body, str) else IMPORT_HEADERS if "/imports" in path else JSON_HEADERS
        sent = b"" if body is None else body.encode() if isinstance(body, str) else json.dumps(body).encode()
        answer = twins(method, place + path.replace("LAST", last), headers if sent else (), sent)
        told = ID.search(answer.body.decode()) or ID.search(str(answer.headers))
        last = told[1] if told else last
    twins.swap()


@pytest.mark.slow
@given(HISTORIES)
def test_any_history_goes_on_after_a_restore(apis, steps):
    """Calls, jobs that wait and that ended, half-played scenarios, clocks of every mode: at every point."""
    play_steps(Twins(apis), steps)


TRADE = {"entityType": "Trade", "action": "Insert", "userObjectId": "1", "properties": {"code": "A"}}
SECOND = {"name": "second", "rules": [{"when": {"nth": 2}, "then": {"count": "seen", "delay": "1s"}}]}
HISTORY: list[tuple[str, str, Any]] = [
    ("PUT", "scenarios", {"scenarios": [SECOND, "never-ends"]}),
    ("POST", f"{BLOCK}/postJob", [{"blockId": "a", "name": "A"}]),
    ("POST", f"{BLOCK}/postJob", [{"blockId": "b", "name": "B"}, {"blockId": "c"}]),
    ("GET", f"{BLOCK}/jobStatus/LAST", None),
    ("PUT", "scenarios", {"scenarios": ["partial-success"]}),
    ("POST", f"{BLOCK}/postJob", [{"blockId": "d", "name": "D"}, {"blockId": "e", "name": "E"}]),
    ("POST", "clock/advance", {"by": "PT6M"}),
    ("GET", f"{BLOCK}/jobStatus/LAST", None),
    ("POST", "/genero/oauth/token", CREDENTIALS),
    ("POST", f"{SYSTEM}/imports?mode=PerRecord", [TRADE]),
    ("PATCH", "/pets/7", {"name": "Max"}),
    ("POST", "/pets", {"name": "Rex"}),
    ("PUT", "scenarios", {"scenarios": [SECOND]}),
    ("POST", f"{BLOCK}/postJob", [{"blockId": "f", "name": "F"}]),
    ("PATCH", "settings", {"conduct": "enforce"}),
]


@pytest.fixture(scope="module")
def history(apis) -> tuple[Twins, dict[str, Any]]:
    """Return twins with a history, and their snapshot."""
    twins = Twins(apis)
    play_steps(twins, HISTORY)
    return twins, json.loads(twins.swap())


def test_the_journal_is_left_out_where_nobody_asks_for_it(history):
    """All else is the same; the numbers of exchanges begin again."""
    twins, document = history
    original, other = (service.sandboxes.use(twins.name, REAL) for service in twins.services)
    without = snapshot_of(original, REAL)
    assert {**without, "journal": document["journal"]} == document
    restore(other, without, REAL)
    assert (len(other.journal), other.journal.last) == (0, 0)
    assert snapshot_of(other, REAL) == without


def test_a_journal_that_loses_exchanges_meanwhile_is_written_whole(apis, monkeypatch):
    """Others are served while it is written, and their exchanges may take its place."""
    twins = Twins(apis)
    play_steps(twins, HISTORY)
    sandbox = twins.services[0].sandboxes.use(twins.name, REAL)
    whole = journal_form(sandbox)
    monkeypatch.setattr(Pausing, "pause", lambda: sandbox.journal.shed(0))
    assert journal_form(sandbox) == whole
    assert (len(sandbox.journal), len(whole["exchanges"])) == (0, whole["last"])


def test_a_snapshot_does_not_change_with_what_comes_after_it(apis):
    """It is a value: calls after it leave it as it was, those of a sandbox that it was put into too."""
    twins = Twins(apis)
    play_steps(twins, HISTORY)
    document = snapshot_of(twins.services[0].sandboxes.use(twins.name, REAL), REAL, journal=True)
    text = snapshot_text(document)
    restore(twins.services[1].sandboxes.use(twins.name, REAL), document, REAL)
    play_steps(twins, [("POST", "clock/advance", {"by": "P1D"}), *HISTORY])
    assert snapshot_text(document) == text


def test_a_snapshot_keeps_to_the_published_schema(history):
    """And every part of it is there."""
    _, document = history
    assert list(Draft202012Validator(schema()).iter_errors(document)) == []
    assert set(document) == set(schema()["properties"])
    assert set(document["apis"]) == {"genero", "onkey", "pets"}
    genero = document["apis"]["genero"]
    assert genero["jobs"]
    assert genero["results"]
    assert genero["memory"]["tokens"]
    assert genero["dueQueue"]
    assert document["apis"]["pets"]["memory"]["imagined"]
    assert document["scenarios"]["played"]
    record = document["apis"]["genero"]["records"]["publicapitest"]["block"][0]
    assert record == {
        "key": "b",
        "version": 1,
        "created": "2026-01-01T00:00:02.002000Z",
        "modified": "2026-01-01T00:00:02.002000Z",
        "body": {"blockId": "b", "name": "B", "deleted": False},
    }


BUGS = sorted(bug.name for bug in bugs_for([genero_api().contract, onkey_api().contract]))
BUGGY: list[tuple[str, str, Any]] = [
    ("POST", f"{BLOCK}/postJob", [{"blockId": "a", "name": "A"}, {"blockId": "b"}, {"blockId": "c", "name": "C"}]),
    ("GET", f"{BLOCK}/jobStatus/LAST", None),
    ("POST", "clock/advance", {"by": "PT1S"}),
    ("GET", f"{BLOCK}/jobStatus/LAST", None),
    ("POST", "clock/advance", {"to": "idle"}),
    *[("GET", f"{BLOCK}/jobStatus/LAST", None)] * 3,
    ("POST", f"{SYSTEM}/imports?mode=PerRecord&async=true", [TRADE, TRADE, {**TRADE, "properties": {}}]),
    ("GET", f"{TASK}/steps", None),
    ("DELETE", TASK, None),
    ("POST", "clock/advance", {"to": "idle"}),
    *[("GET", f"{TASK}/steps", None)] * 3,
    ("PUT", f"{BLOCK}/a", {"blockId": "a", "name": "Z"}),
    ("GET", BLOCK, None),
]


KEEPING = {"cancel-ignored", "job-acts-early", "job-goes-backwards", "processed-falls"}


@pytest.mark.parametrize("name", mostly_slow(sorted(KEEPING.union(some(BUGS, 20))), lambda _, name: name in KEEPING))
def test_a_planted_bug_goes_on_after_a_restore(apis, name):
    """The outcomes of a job that acted early, and how often it was told, are there after a restore, and all else."""
    planted = {"scenarios": [{"name": "planted", "rules": [{"then": {"bug": name}}]}]}
    play_steps(Twins(apis), [("PUT", "scenarios", planted), *BUGGY])


def test_another_sandbox_may_take_the_state(apis):
    """Its links lead into itself."""
    twins = Twins(apis)
    play_steps(twins, HISTORY)
    service = twins.services[0]
    original, other = (service.sandboxes.use(name, REAL) for name in (twins.name, "other"))
    document = json.loads(twins.swap())
    restore(other, document, REAL)
    text = snapshot_text(snapshot_of(other, REAL, journal=True)).decode()
    assert text.replace('"sandbox": "other"', '"sandbox": "one"').replace("/@other", "/@one") == twins.swap()
    assert "/@one" not in text
    assert original.name == "one"


SCRIPT = """
import sys, orjson
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service
from mockserver.sandbox.snapshot import restore, snapshot_of, snapshot_text
from contracts.messages import Headers
from datetime import datetime, UTC
real = datetime(2026, 1, 1, tzinfo=UTC)
service = Service([source.load() for source in find_sources(("genero", "onkey"))], Options(mode="frozen"), real)
sandbox = service.sandboxes.use("one", real)
restore(sandbox, orjson.loads(sys.stdin.buffer.read()), real)
body = orjson.dumps([{"blockId": "s", "name": "password"}] * 2)
fields = Headers([("Content-Type", "application/json")])
for _ in range(2):
    service.handle("POST", "/@one/genero/api/v1/block/postJob", fields, body, real)
sys.stdout.buffer.write(snapshot_text(snapshot_of(sandbox, real, journal=True)))
sys.stdout.buffer.write(service.handle("GET", "/_sandbox/sandboxes/one/verdict", Headers(), b"", real).body)
"""


@pytest.mark.slow
def test_it_is_the_same_in_every_process():
    """Hashes of texts differ between processes; nothing in a snapshot, or in a verdict on it, depends on them."""
    twins = Twins([source.load() for source in find_sources(("genero", "onkey"))])
    play_steps(twins, [one for one in HISTORY if "/pets" not in one[1]])
    told = twins.swap().encode()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONHASHSEED": seed}
        told, was = (
            subprocess.run([sys.executable, "-c", SCRIPT], input=told, env=env, capture_output=True, check=True).stdout,
            told,
        )
        told, _, verdict = told.rpartition(b"}\n")
        told += b"}\n"
        assert told != was
    fresh = Twins(twins.apis)
    restore(fresh.services[0].sandboxes.use("one", REAL), orjson.loads(told), REAL)
    assert fresh.services[0].handle("GET", "/_sandbox/sandboxes/one/verdict", Headers(), b"", REAL).body == verdict

"""Every planted bug, exercised on small APIs: it fires, it shows, and what is healthy does not change."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import NamedTuple
from urllib.parse import urlencode

import pytest
from sampling import ALL

from contracts.messages import Headers
from contracts.syntax.text import format_duration
from generators.client.environments import SANDBOX_PREFIX, Environment
from generators.client.session import Budget
from generators.fuzz.schedule import DEEP, WIDE
from generators.fuzz.shards import TaskRun
from generators.fuzz.targets import discover_targets
from generators.fuzz.tasks import run_sequence
from generators.oracles.oracle import OracleFactory
from mockserver.apis.sources import find_sources
from mockserver.bugs.catalogue import BUGS
from mockserver.bugs.requirements import REQUIREMENTS
from mockserver.http.service import Options, Service
from mockserver.mutants.planting import BREAKS, planted

TESTS = Path(__file__).parents[2]
BUG_BY_NAME = {bug.name: bug for bug in BUGS}
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = ("Content-Type", "application/json")
LAWS = {
    "active", "async-is-sync", "atomic", "boundary", "broken-reference", "conduct", "count", "counts", "duplicate",
    "fan-out", "grouped", "idempotent", "isolated", "job-moves", "job-progress", "key", "listing", "outcome-order",
    "permuted", "schema", "singular", "split", "stale-version", "status-class", "text",
}  # fmt: skip


class Played(NamedTuple):
    """What one call came to: the journal's rules, the status, the headers and the body."""

    rules: tuple[str, ...]
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class Stage:
    """A sandbox in this process that is called in a row; `exchanges` are what was answered."""

    def __init__(self, api, fired):
        self.service = Service([api], Options(mode="frozen", settings=SETTINGS.get(api.name, {})), REAL)
        self.api, self.fired = api, fired
        self.exchanges = []

    def send(self, method, path, body=None, **headers):
        """Call the API; return the JSON value of the answer, None when it is none."""
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        data = b"" if body is None else json.dumps(body).encode()
        target = path if path.startswith("/_sandbox") else self.api.mount + path
        fields += [JSON] if data else []
        reply = self.service.handle(method, target, Headers(fields), data, REAL)
        if not path.startswith("/_sandbox"):
            journal = self.service.sandboxes.use("default", REAL).journal
            staged = journal.get(journal.last).scenario_trace
            rules = () if staged is None else staged.rules
            self.exchanges.append(Played(rules, reply.status, reply.headers.pairs, reply.body))
        return reply.data or {}

    def wait(self, by):
        """Let time pass in the sandbox."""
        self.send("POST", "/_sandbox/sandboxes/default/clock/advance", {"by": by})


SETTINGS = {"genero": {"conduct": "enforce"}}


def books(stage):
    """Play a library's day: singles, bulk calls of each unit, groups, jobs, several libraries."""
    send = stage.send
    one, two, bad = {"isbn": "1", "title": "One"}, {"isbn": "2", "title": "Two", "pages": 2}, {"isbn": "3"}
    send("POST", "/books/bulk-each", [one, bad, two, {"isbn": "1", "title": "Again"}, {"isbn": "4", "title": "Four"}])
    send(
        "POST",
        "/books/bulk-each",
        [{"isbn": f"n{n}", "title": "  A title of more than twenty characters"} for n in range(10)],
    )
    send("POST", "/books/bulk-each", [{"isbn": f"o{n}", "title": "T"} for n in range(11)])
    send("POST", "/books/bulk-each", [])
    send(
        "POST",
        "/books/bulk-each",
        [{"isbn": "Xyz", "title": "Case", "pages": 0}, {"isbn": "12345678901234", "title": ""}],
    )
    send("POST", "/books/bulk-whole", [{"isbn": "w1", "title": "W"}, bad, {"isbn": "w2", "title": "W"}])
    send("POST", "/books/bulk-choice", [{"isbn": "c1", "title": "C"}, bad, {"isbn": "c2", "title": "C"}])
    send("POST", "/books/bulk-each", [{"isbn": "Solo", "title": "Solo"}])
    send("GET", "/books")
    own = send("POST", "/books", {"isbn": "u", "title": "U", "pages": 3}).get("id", "u")
    update = {"id": own, "version": 1, "set": {"title": "  Uno"}}
    send("POST", "/books/bulk-update", [update, {**update, "set": {"title": "Eins"}}, {"id": "x", "set": {}}])
    send("GET", f"/books/{own}")
    add = {"do": "add", "book": {"isbn": "g", "title": "G"}}
    send("POST", "/books/bulk-grouped?ordered=true", [{"ref": "b", "step": 10, **add}, {"ref": "a", "step": 2, **add}])
    send(
        "POST",
        "/books/bulk-grouped",
        [{"ref": "a", "step": 1, **add}, {"ref": "a", "step": 2, "do": "add", "book": {"isbn": "h", "title": "H"}}],
    )
    job = send(
        "POST", "/books/jobs", [{"isbn": "j1", "title": "J", "pages": 1}, {"isbn": "j2", "title": "K"}, bad]
    ).get("job")
    send("GET", "/books")
    stage.wait("PT11S")
    send("GET", f"/books/jobs/{job}")
    send("GET", f"/books/jobs/{job}")
    stage.wait("PT5S")
    for _ in range(3):
        send("GET", f"/books/jobs/{job}")
    send("GET", "/books")
    stopped = send("POST", "/books/jobs", [{"isbn": "k1", "title": "K"}]).get("job")
    send("DELETE", f"/books/jobs/{stopped}")
    send("GET", f"/books/jobs/{job}")
    stage.wait("PT1M")
    send("GET", f"/books/jobs/{stopped}")
    send("POST", "/libraries/books", {"libraries": ["north"], "books": [one]})
    send("POST", "/libraries/books", {"libraries": ["north", "south"], "books": [two, bad]})
    send("POST", "/libraries/books", {"libraries": ["south"], "books": [{"isbn": "s", "title": "South"}]})
    send("GET", "/books")


def parcels(stage):
    """Play a depot's day: parcels put, changed, cleared and removed, in one go, by plan, and as runs."""
    send = stage.send
    send("POST", "/depots", {"code": "D", "town": "Delft"})
    full = {"label": "A", "note": "fragile", "weight": 3, "depot": "D"}
    send(
        "POST",
        "/parcels/batch",
        [{"code": "p", **full}, {"code": "q", "label": "B"}, {"code": "r", "label": "C", "depot": "gone"}],
    )
    send("POST", "/parcels/batch?mode=all", [{"code": "s", "label": "S"}, {"code": "t"}])
    send("POST", "/parcels/batch?mode=some", [{"code": "m", "label": "M"}])
    send("POST", "/parcels/batch", [{"code": "d", "label": "E"}, {"code": "d", "label": "F"}])
    send("POST", "/parcels/batch", [{"code": "v", "label": "V"}, {"code": 5}])
    send("POST", "/parcels/batch", [{"code": f"many-{n}", "label": f"Many {n}"} for n in range(20)])
    send("POST", "/parcels/batch", [{"code": f"more-{n}", "label": f"More {n}"} for n in range(21)])
    send("POST", "/parcels/batch", [{"code": "x"}, {"code": "y"}])
    send("GET", "/parcels")
    send("POST", "/parcels/batch", [{"code": "p", "note": None}, {"code": "q", "removed": True}])
    send("GET", "/parcels/p")
    send("GET", "/parcels/q")
    plan = [
        {"ref": "1", "do": "change", "code": "p", "version": 1, "parcel": {"label": "Late"}},
        {"ref": "2", "do": "change", "code": "p", "parcel": {"weight": 9}, "after": "1"},
        {"ref": "3", "do": "put", "code": "long", "parcel": {"label": "x" * 41}},
    ]
    send("POST", "/parcels/plan", plan)
    send("GET", "/parcels/p")
    again = {"Idempotency_Key": "k"}
    send("POST", "/parcels/batch", [{"code": "i", "label": "I"}], **again)
    send("POST", "/parcels/batch", [{"code": "i", "label": "I"}], **again)
    send("GET", "/parcels/i")
    later = {"Prefer": "respond-async"}
    send("POST", "/parcels/batch", [{"code": "a1", "label": "A1"}, {"code": "a2", "label": "A2"}], **later)
    run = next((value for name, value in stage.exchanges[-1].headers if name == "Location"), "").rpartition("/")[2]
    send("POST", "/parcels/batch", [{"code": "b1", "label": "B1"}], **later)
    stage.wait("PT30S")
    send("GET", f"/runs/{run}")
    send("GET", "/parcels/a2")
    send("GET", f"/runs/{run}")


def genero(stage):
    """Play a client that polls too soon, where the vendor's code of conduct is enforced."""
    job = stage.send("POST", "/api/v1/block/postJob", [{"blockId": "1", "name": "One"}]).get("correlationId")
    stage.send("GET", f"/api/v1/block/jobStatus/{job}")


PLAYS = {
    str(TESTS / "cases/contract_only/books.yaml"): books,
    str(TESTS / "mockserver/data/parcels.yaml"): parcels,
    "genero": genero,
}


@cache
def api_of(name):
    return find_sources((name,))[0].load()


@cache
def play(name, *bugs):
    """Return what was answered to a play, and the bugs that fired."""
    fired = set()
    stage = Stage(planted(api_of(name), *bugs, fired=fired.add), fired)
    PLAYS[name](stage)
    return stage.exchanges, fired


healthy = cache(lambda name: play(name)[0])


def test_the_table_and_what_is_done_agree():
    """Each row of the table is done by one break, has a law, and needs words that are known."""
    assert set(BREAKS) == set(BUG_BY_NAME)
    assert len(BUGS) == len(BUG_BY_NAME) >= 30
    for bug in BUGS:
        assert bug.law in LAWS
        assert set(bug.needs) <= set(REQUIREMENTS)
        assert bug.description.endswith(".")


@pytest.mark.parametrize("name", PLAYS)
def test_nothing_fires_where_no_bug_is(name):
    """A healthy sandbox plays the same twice, breaks no contract, and its journal names no bug."""
    assert healthy(name) == play.__wrapped__(name)[0]
    assert not any(one.rules or one.status >= 500 for one in healthy(name))


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_fires_and_shows(bug):
    """On an API that declares what it needs, a bug fires, changes what is answered, and the journal names it."""
    played = {name: play(name, bug.name) for name in PLAYS if bug.fits(api_of(name).contract)}
    firing = {name: exchanges for name, (exchanges, fired) in played.items() if fired == {bug.name}}
    assert firing
    assert any(shows(exchanges, healthy(name)) for name, exchanges in firing.items())
    for exchanges in firing.values():
        assert {rule for one in exchanges for rule in one.rules} == {f"bug:{bug.name}"}


def shows(exchanges, proper):
    """Tell whether what is answered differs, and not before the journal first names a bug."""
    differ = [n for n, (one, other) in enumerate(zip(exchanges, proper, strict=True)) if one[1:] != other[1:]]
    named = [n for n, one in enumerate(exchanges) if one.rules]
    return bool(differ) and named[0] <= differ[0]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_bug_that_does_not_fire_changes_nothing(bug):
    """Where a bug makes no difference, all is answered as without it."""
    for name in PLAYS:
        exchanges, fired = play(name, bug.name)
        assert fired or exchanges == healthy(name)


class Recorder:
    """A client of a sandbox in this process, which keeps what was sent, and for how long it was waited."""

    controlled = True

    def __init__(self, api):
        self.api, self.service = api, Service([api], Options(mode="frozen"), REAL)
        self.sent, self.answers = [], []

    def send(self, request):
        query = f"?{urlencode(request.query)}" if request.query else ""
        target = f"{self.api.mount}{request.path}{query}"
        answer = self.service.handle(request.method, target, request.headers, request.body, REAL)
        self.sent.append(request)
        self.answers.append(answer)
        return answer

    def advance(self, by):
        body = json.dumps({"by": format_duration(by)}).encode()
        self.service.handle("POST", "/_sandbox/sandboxes/default/clock/advance", Headers((JSON,)), body, REAL)
        self.sent.append(by)
        self.answers.append(None)

    def now(self):
        return self.service.sandboxes.use("default", REAL).now(REAL)


SHORT = [replace(style, actions=12) for style in (DEEP, DEEP, DEEP, DEEP, DEEP, DEEP, WIDE, WIDE)]


@cache
def fuzzed(name, seed):
    """Return the client of a short sequence that the fuzzer plays against a healthy sandbox."""
    client, contract = Recorder(api_of(name)), api_of(name).contract
    run = TaskRun(
        OracleFactory(contract=contract),
        Environment(client=client, name_prefix=SANDBOX_PREFIX),
        seed=seed,
        budget=Budget(),
        given={},
        on_finding=[].append,
        uses_model=False,
    )
    rng = Random(seed)
    run_sequence(run, discover_targets(run.session).narrow(rng, lambda _: 0), SHORT[seed], rng)
    return client


def played_until_fired(name, bug, seed):
    """Yield what a variant and the healthy sandbox answer to the fuzzer's requests, until the bug fires."""
    fired, healthy_client = set(), fuzzed(name, seed)
    client = Recorder(planted(api_of(name), bug, fired=fired.add))
    for sent, proper in zip(healthy_client.sent, healthy_client.answers, strict=True):
        if isinstance(sent, timedelta):
            client.advance(sent)
            continue
        answer = client.send(sent)
        if fired:
            return
        yield (answer.status, answer.headers, answer.body), (proper.status, proper.headers, proper.body)


@pytest.mark.parametrize("name", ["genero", "onkey"])
@pytest.mark.parametrize(
    "bug", [pytest.param(one.name, marks=[] if one.name == "wrong-default-mode" else pytest.mark.slow) for one in BUGS]
)
def test_all_is_answered_as_without_a_bug_until_it_fires(name, bug):
    """Whatever a bug changes is noted with the first request that shows it, or before.

    A bug meets every other sequence, and the next one the rest; `BULKPROOF_TEST_ALL=1` lets each meet all.
    """
    seeds = range(len(SHORT)) if ALL else range(list(BUG_BY_NAME).index(bug) % 2, len(SHORT), 2)
    for seed in seeds if BUG_BY_NAME[bug].fits(api_of(name).contract) else ():
        for n, (answer, proper) in enumerate(played_until_fired(name, bug, seed)):
            assert answer == proper, (seed, n)


def test_planting_is_done_once_and_adds_up():
    """The same bug twice is one; several live in one API; one that nobody knows is not planted."""
    api = api_of("genero")
    both = planted(api, "outcome-lost", "job-forgotten")
    assert planted(api, "outcome-lost", "job-forgotten") is both
    assert planted(both, "job-forgotten") is both
    assert (both.bugs, api.bugs) == (("outcome-lost", "job-forgotten"), ())
    with pytest.raises(KeyError):
        planted(api, "nonsense")

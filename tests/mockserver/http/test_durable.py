"""A durable server answers as one in memory does, byte for byte, through restarts with and without notice."""

import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import cache
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from sampling import ALL

from contracts.messages import Headers
from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.http.recovery import open_service
from mockserver.http.service import Options, Service

DATA = Path(__file__).parent / "data"
BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
NOW = datetime(2026, 3, 1, tzinfo=UTC)
JSON = "application/json"
COLLECTION = "application/vnd.onkey.entitycollection+json"
BATCH = "/onkey/api/tenants/contoso/sandbox/modules/risk/assetimportances/batch"
TRADES = "/onkey/api/tenants/contoso/sandbox/modules/res/trades"
CODES = st.sampled_from("ABCDE")
CLOCKS = ({"mode": "scaled", "factor": 7.3}, {"mode": "frozen"}, {"mode": "system"}, {"mode": "scaled", "factor": 60})
HOLDING = (
    {"then": {"delay": "3s", "at": "before-commit"}, "when": {"method": "POST"}, "times": 1},
    {"then": {"delay": "1m", "on": "clock", "at": "before-commit"}, "when": {"method": "POST"}, "times": 1},
    {"then": {"delay": "3s", "at": "during-commit"}, "when": {"method": "POST"}, "times": 1},
    {"then": {"dribble": {"chunks": 2, "over_ms": 9}, "at": "before-commit"}, "when": {"method": "POST"}, "times": 1},
)
SCENARIOS = (
    {"then": {"delay": "3s"}, "times": 2},
    *HOLDING,
    {"then": {"fault": "CONNECTION_RESET_BY_PEER", "at": "during-commit"}, "when": {"method": "POST"}, "times": 3},
    {"then": {"status": 503}, "when": {"chance": 0.3}},
    {"items": {"ratio": 0.4}, "then": {"fail": {"message": "no"}}},
    {"then": {"duration": "PT20M", "progress": "stepped"}},
)
EXAMPLES = 100 if ALL else 20
LOOKS = ("jobs", "exchanges", "clock", "settings", "scenarios", "verdict")


@cache
def apis():
    files = (DATA / "things.yaml", DATA / "pets.yaml", BOOKS)
    return tuple(source.load() for source in find_sources([*BUNDLED, *map(str, files)]))


def blocks(codes):
    return [{"blockId": code, "name": f"{code} {n}" * (60 if n else 1)} for n, code in enumerate(codes)]


def records(codes):
    return [{"userObjectId": f"r{n}", "properties": {"code": code, "description": "D"}} for n, code in enumerate(codes)]


def boxes(codes):
    return [{"id": code, "name": f"{n}"} for n, code in enumerate(codes)]


def books(codes):
    return [{"isbn": code, "title": f"Title {n}"} for n, code in enumerate(codes)]


POSTS = {
    "/genero/api/v1/block/postJob": (blocks, JSON),
    "/genero/api/v1/block": (blocks, JSON),
    f"{BATCH}?mode=PerRecord": (records, COLLECTION),
    f"{BATCH}?mode=AllOrNone": (records, COLLECTION),
    f"{BATCH}?mode=AllOrNone&async=true": (records, COLLECTION),
    "/things/boxes": (boxes, JSON),
    "/things/boxes/jobs": (boxes, JSON),
    "/books-api/books/bulk-once": (books, JSON),
    "/books-api/books/bulk-whole": (books, JSON),
}
READS = (
    "/genero/api/v1/block",
    "/genero/api/v1/block/A",
    "/genero/api/v1/no/such",
    TRADES,
    "/things/boxes/A",
    "/books-api/books",
    "/pets-api/pets",
    "/pets-api/pets/1",
)


class SideBySide(RuleBasedStateMachine):
    """The same calls to a server in memory and to a durable one; `held` are the calls that scenarios hold in both."""

    def __init__(self):
        super().__init__()
        self.folder = TemporaryDirectory()
        self.path = Path(self.folder.name) / "sandbox.db"
        self.now, self.held, self.polls = NOW, [], defaultdict(list)
        self.options = Options(mode="scaled", factor=2.0)  # so that the instant of its creation shows in a sandbox
        self.memory = Service(apis(), self.options, NOW)
        self.durable = self.opened()

    def opened(self):
        return open_service(apis(), self.options, self.path, self.now, sync="normal")

    def teardown(self):
        self.look("a")
        self.look("b")
        self.durable.log.file.close()
        self.folder.cleanup()

    def call(self, method, target, body=b"", media=JSON, **headers):
        """Send one call to both; return its response, None when a scenario holds it."""
        fields = Headers((("Content-Type", media), ("Authorization", "Bearer sandbox"), *headers.items()))
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        self.now += timedelta(milliseconds=17)
        services = (self.memory, self.durable)
        places = [service.find(target, fields, self.now) for service in services]
        self.now += timedelta(milliseconds=3)  # until the body has arrived
        pair = [
            (place.sandbox, service.play(place, method, fields, body, self.now), place.sandbox.reset_count)
            for service, place in zip(services, places, strict=True)
        ]
        (one, first, era), (other, second, its_era) = pair
        assert first._replace(continuation=None) == second._replace(continuation=None)
        assert (first.continuation is None) == (second.continuation is None)
        if first.continuation is not None:
            self.held.append(((one, first, era), (other, second, its_era)))
            return None
        assert second.response.status < HTTPStatus.INTERNAL_SERVER_ERROR or b"Internal" not in second.response.body
        return first.response

    def control(self, method, path, body=b""):
        return self.call(method, f"/_sandbox/sandboxes/{path}", body)

    def look(self, name):
        """Compare everything that can be seen of a sandbox."""
        for what in LOOKS:
            self.control("GET", f"{name}/{what}")
        sandbox = self.memory.sandboxes.get(name)
        for entry in () if sandbox is None else sandbox.journal.after(0, 10_000):
            self.control("GET", f"{name}/exchanges/{entry.n}")
        self.control("GET", f"{name}/entities/genero/block?tenant=publicapitest")
        self.control("GET", f"{name}/entities/onkey/AssetImportance?dataset=contoso/sandbox")

    sandboxes = st.sampled_from("ab")

    @rule(name=sandboxes, path=st.sampled_from(sorted(POSTS)), codes=st.lists(CODES, max_size=6))
    def post(self, name, path, codes):
        make, media = POSTS[path]
        key = {"Idempotency-Key": f"k{len(codes)}"} if "once" in path else {}
        response = self.call("POST", f"/@{name}{path}", make(codes), media, **key)
        if response is not None:
            place = response.headers.get("Location") or response.headers.get("OnKey-Request-Location")
            self.polls[name] += [f"/onkey/{place}" if place.startswith("api/") else place] if place else []
            found = response.data if isinstance(response.data, dict) else {}
            self.polls[name] += [f"/genero/api/v1/jobs/{found['correlationId']}"] if "correlationId" in found else []

    @rule(name=sandboxes, path=st.sampled_from(READS))
    def read(self, name, path):
        self.call("GET", f"/@{name}{path}")

    @rule(name=sandboxes, n=st.integers(0, 9))
    def poll(self, name, n):
        known = self.polls[name]
        if known:
            path = known[n % len(known)]
            self.call("GET", path if path.startswith("/@") else f"/@{name}{path}")

    @rule(name=sandboxes, key=st.integers(1, 3), method=st.sampled_from(["GET", "PUT", "PATCH", "DELETE", "POST"]))
    def document(self, name, key, method):
        path = "/pets-api/pets" if method == "POST" else f"/pets-api/pets/{key}"
        self.call(method, f"/@{name}{path}", {"id": key, "name": f"Pet {key}"} if method[0] == "P" else b"")

    @rule(name=sandboxes, code=CODES)
    def malformed(self, name, code):
        self.call("POST", f"/@{name}/genero/api/v1/block?x=%zz", f'{{"{code}'.encode())
        self.call("POST", f"/@{name}/things/boxes", f'{{"{code}'.encode())

    @rule(name=sandboxes, clock=st.sampled_from(CLOCKS))
    def set_clock(self, name, clock):
        self.control("PUT", f"{name}/clock", clock)

    @rule(name=sandboxes, to=st.sampled_from([{"to": "idle"}, {"to": "next-event"}, {"by": "PT2S"}, {"by": "P3D"}]))
    def advance(self, name, to):
        self.control("POST", f"{name}/clock/advance", to)

    @rule(seconds=st.sampled_from([0.001, 0.9, 33, 4000]))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    @rule(name=sandboxes, rules=st.lists(st.sampled_from(SCENARIOS), max_size=2))
    def scenarios(self, name, rules):
        self.play(name, rules)

    def play(self, name, rules):
        scenarios = [{"name": f"s{n}", "rules": [one]} for n, one in enumerate(rules)]
        response = self.control("PUT", f"{name}/scenarios", {"scenarios": scenarios})
        assert response.status == HTTPStatus.OK, response.body

    @rule(
        name=sandboxes,
        one=st.sampled_from(HOLDING),
        path=st.sampled_from(sorted(POSTS)),
        code=CODES,
        twice=st.booleans(),
    )
    def hold(self, name, one, path, code, *, twice):
        """Let a scenario hold a call, with another one before it is completed, or not."""
        self.play(name, [one])
        self.post(name, path, [code])
        if twice:
            self.post(name, path, [code])

    @rule(name=sandboxes, conduct=st.sampled_from(["observe", "enforce"]), most=st.integers(2, 9))
    def settings(self, name, conduct, most):
        self.control("PATCH", f"{name}/settings", {"conduct": conduct, "limits": {"journalExchanges": most}})

    @rule(name=sandboxes, seed=st.integers(0, 3))
    def reset(self, name, seed):
        self.control("POST", f"{name}/reset", {"seed": seed, "settings": {"strict": bool(seed % 2)}})

    @rule(name=sandboxes)
    def drop(self, name):
        self.control("DELETE", name)

    @rule(name=sandboxes, what=st.sampled_from([*LOOKS, "entities/genero/block", "exchanges/1"]))
    def control_read(self, name, what):
        self.control("GET", f"{name}/{what}")

    @rule(name=sandboxes)
    def other_control_calls(self, name):
        self.control("PUT", f"{name}/scenarios", {"scenarios": ["no such"]})
        self.control("PATCH", f"{name}/settings", {"no": "such"})
        self.control("DELETE", f"{name}/exchanges")

    @precondition(lambda self: self.held)
    @rule(n=st.integers(0, 9))
    def complete(self, n):
        self._complete(self.held.pop(n % len(self.held)))

    def _complete(self, pair):
        (one, first, era), (other, second, its_era) = pair
        assert (one.reset_count == era) == (other.reset_count == its_era)
        if first.on_clock and (one.is_dropped or one.reset_count != era):
            return
        assert first.complete(one.now(self.now)) == second.complete(other.now(self.now))

    @rule()
    def look_at_all(self):
        self.look("a")

    @rule(name=sandboxes)
    def checkpoint(self, name):
        sandbox = self.durable.sandboxes.get(name)
        if sandbox is not None and not self.held:
            self.durable.log.checkpoint(sandbox)

    @rule()
    def stop_and_start(self):
        while self.held:
            self._complete(self.held.pop(0))
        self.durable.log.checkpoint_all()
        assert self.durable.log.file.is_empty
        self.durable.log.close()
        self.durable = self.opened()

    @rule()
    def crash_and_start(self):
        """Whatever was answered is there; what a scenario held is completed where it was answered, else given up."""
        for one, _ in self.held:
            if one[1].response is not None:
                sandbox, first, era = one
                if not sandbox.is_dropped and not (first.on_clock and sandbox.reset_count != era):
                    first.complete(sandbox.now(self.now))
        self.held.clear()
        self.durable.log.file.close()
        self.durable = self.opened()


@pytest.mark.slow
def test_memory_and_file_agree():
    """One history of calls, control calls, scenarios, waits, restarts and crashes; every answer is the same."""
    run_state_machine_as_test(
        SideBySide,
        settings=settings(max_examples=EXAMPLES, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow]),
    )


@pytest.mark.parametrize(
    "path",
    [
        "/things/boxes",
        pytest.param("/things/boxes/jobs", marks=pytest.mark.slow),
        pytest.param(f"{BATCH}?mode=AllOrNone", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("holding", HOLDING, ids=["delay", "clock", "half", "dribble"])
def test_held_calls_survive(holding, path):
    """A call that a scenario holds is there after a crash, before and after its completion, as far as it was told."""
    for steps in ("", "complete", "advance complete", "complete checkpoint", "reset complete", "drop complete"):
        machine = SideBySide()
        machine.hold("a", holding, path, "A", twice=True)
        for step in steps.split():
            {
                "complete": lambda one: one.held and one.complete(0),
                "advance": lambda one: one.advance("a", {"by": "P3D"}),
                "checkpoint": lambda one: one.checkpoint("a"),
                "reset": lambda one: one.reset("a", 1),
                "drop": lambda one: one.drop("a"),
            }[step](machine)
        machine.crash_and_start()
        machine.look("a")
        machine.crash_and_start()
        machine.teardown()

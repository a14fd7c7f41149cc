"""What is over is dropped: a long-lived sandbox holds what still counts, and nothing else."""

import gc
from datetime import UTC, datetime
from pathlib import Path
from weakref import ref

import orjson
import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.domain import jobs
from mockserver.http.service import Options, Service

TREES = Path(__file__).parents[1] / "data" / "trees.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MANY = 1000
LARGE = [{"id": "a", "pad": "x" * 100_000}]  # over what is kept in memory


class Door:
    """A service that is spoken to without sockets."""

    def __init__(self):
        apis = [source.load() for source in find_sources((str(TREES), "genero", "onkey"))]
        self.service = Service(apis, Options(mode="frozen"), REAL)

    @property
    def sandbox(self):
        return self.service.sandboxes.use("default", REAL)

    def api_state(self, name="trees"):
        return self.sandbox.api_states[name]

    def send(self, method, target, body=None, **headers):
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        fields = {"Content-Type": "application/json", **headers}
        return self.service.handle(method, target, Headers(tuple(fields.items())), data, REAL)

    def control(self, method, what, body=None):
        reply = self.send(method, f"/_sandbox/sandboxes/default/{what}", body)
        assert reply.status in {200, 204}, reply.body
        return orjson.loads(reply.body) if reply.body else None

    def advance(self, by):
        return self.control("POST", "clock/advance", {"by": by})


@pytest.fixture
def transport():
    return Door()


def held(api_state):
    """Return how much a world holds of jobs and of what is noted about them."""
    book = api_state.jobs
    lasting = sum(len(kept) for kept in api_state.memory.values() if isinstance(kept, dict))
    parts = (
        book.jobs,
        book.results,
        book.due_queue,
        book.unfinished,
        book.expiry_queue,
        book.without_expiry,
        api_state.expiring,
    )
    return sum(map(len, parts)) + lasting


@pytest.mark.slow
@pytest.mark.parametrize("cancel", [False, True])
def test_jobs_past_their_time_vanish(transport, cancel):
    """Neither they nor what was noted of them stays; they are unknown from that very instant."""
    for n in range(MANY):
        reply = transport.send("POST", "/trees/trees/jobs", [{"id": f"t{n % 7}"}])
        assert reply.status == 202
        if cancel:
            assert transport.send("DELETE", reply.headers.get("Location")).status == 204
    address = reply.headers.get("Location")
    transport.advance("PT59M" if cancel else "PT1H")
    assert len(transport.control("GET", "jobs")["jobs"]) == MANY
    assert transport.send("GET", address).status == 200
    transport.advance("PT1M")
    assert transport.send("GET", address).status == 404
    assert transport.control("GET", "jobs")["jobs"] == []
    assert held(transport.api_state()) == 0


def test_events_tell_of_jobs_that_end_and_are_forgotten_in_one_step(transport):
    """A clock that jumps far still says what happened on the way."""
    transport.send("POST", "/trees/trees/jobs", [{"id": "a"}])
    says = [event["says"] for event in transport.advance("P1D")["events"]]
    assert says[-1] == "trees sendTrees: FINE"
    assert transport.control("GET", "jobs")["jobs"] == []
    assert transport.send("GET", "/trees/trees/a").status == 200


def test_genero_forgets_jobs_and_polls_after_thirty_days(transport):
    """As its contract says."""
    for n in range(20):
        told = orjson.loads(
            transport.send(
                "POST", "/genero/api/v1/block/postJob", [{"blockId": f"b{n}", "name": "n", "deleted": False}]
            ).body
        )
        transport.advance("PT5M")
        assert transport.send("GET", f"/genero/api/v1/block/jobStatus/{told['correlationId']}").status == 200
    transport.advance("P30D")
    assert transport.send("GET", f"/genero/api/v1/block/jobStatus/{told['correlationId']}").status == 404
    api_state = transport.api_state("genero")
    assert (len(api_state.jobs.jobs), len(api_state.jobs.results), len(api_state.memory["polls"])) == (0, 0, 0)


def test_of_jobs_without_a_declared_time_the_newest_stay(transport, monkeypatch):
    """Their number is bounded; unfinished ones are never dropped."""
    monkeypatch.setattr(jobs, "MAX_ENDED_JOBS", 100)
    replies = [transport.send("POST", "/trees/trees/lasting-jobs", [{"id": f"t{n}"}]) for n in range(300)]
    addresses = [reply.headers.get("Location") for reply in replies]
    assert all(transport.send("GET", one).status == 200 for one in addresses)
    transport.advance("PT1M")
    assert [transport.send("GET", one).status for one in addresses] == [404] * 200 + [200] * 100
    assert len(transport.api_state().jobs.results) == 100


def test_a_job_that_a_scenario_forgets_early_is_carried_out_and_dropped(transport):
    """It is unknown from that instant, does its work, and leaves nothing."""
    rule = {"when": {"operation": "sendTrees"}, "then": {"gone-after": "PT5S"}}
    transport.control(
        "PUT", "scenarios", {"scenarios": [{"name": "gone", "summary": "Forgets early.", "rules": [rule]}]}
    )
    address = transport.send("POST", "/trees/trees/jobs", [{"id": "a"}]).headers.get("Location")
    assert transport.send("GET", address).status == 200
    transport.advance("PT5S")
    assert transport.send("GET", address).status == 404
    transport.advance("PT1M")
    assert transport.send("GET", "/trees/trees/a").status == 200
    assert held(transport.api_state()) == 0


def test_idempotency_keys_past_their_time_are_dropped(transport):
    """A key is good for its hour; then the request is carried out again."""
    for n in range(MANY):
        assert transport.send("POST", "/trees/trees/batch", [{"id": "a"}], **{"Idempotency-Key": f"k{n}"}).status == 200
    assert len(transport.api_state().memory["idempotency"]) == MANY
    assert transport.send("POST", "/trees/trees/batch", [{"id": "b"}], **{"Idempotency-Key": "k0"}).status == 400
    transport.advance("PT1H")
    assert held(transport.api_state()) == 0
    assert transport.send("POST", "/trees/trees/batch", [{"id": "b"}], **{"Idempotency-Key": "k0"}).status == 200
    assert len(transport.api_state().memory["idempotency"]) == 1


def test_tokens_past_their_time_are_dropped(transport):
    """Those of both vendors; what remains is what quotas count."""
    asked = b"grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"
    for _ in range(MANY):
        assert transport.send("POST", "/onkey/connect/token", asked, **FORM).status == 200
    asked = b"grant_type=client_credentials&client_id=single&client_secret=sandbox"
    for _ in range(5):
        assert transport.send("POST", "/genero/oauth/token", asked, **FORM).status == 200
    transport.advance("P31D")
    assert held(transport.api_state("onkey")) == 0
    assert transport.api_state("genero").memory["tokens"] == {}
    assert len(transport.api_state("genero").memory["quota"]) <= 2


def spooled(transport):
    """Return a weak reference to the file in which the body of the newest job waits."""
    book = transport.api_state().jobs
    spooled_body = book.jobs[next(reversed(book.jobs))].spooled_body
    assert spooled_body is not None
    return ref(spooled_body.spool_file)


ENDS = {
    "run": lambda transport, _: (transport.advance("PT1M"), transport.control("DELETE", "exchanges")),
    "cancelled": lambda transport, at: (transport.send("DELETE", at), transport.control("DELETE", "exchanges")),
    "sandbox reset": lambda transport, _: transport.control("POST", "reset"),
    "sandbox dropped": lambda transport, _: transport.service.sandboxes.drop("default"),
}


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("number", [1, 3])
def test_a_spooled_body_is_deleted_with_what_waited_for_it(transport, end, number):
    """At once, and not when somebody collects garbage: the job's end, and the journal's, which may ask for it."""
    gc.collect()
    gc.disable()
    try:
        addresses = [transport.send("POST", "/trees/trees/jobs", LARGE).headers.get("Location") for _ in range(number)]
        file = spooled(transport)
        assert file() is not None
        for address in addresses:
            ENDS[end](transport, address)
        assert file() is None
    finally:
        gc.enable()


def test_dropping_costs_what_is_dropped(transport):
    """A call looks at no job that stays: nothing is scanned."""
    for n in range(50):
        transport.send("POST", "/trees/trees/jobs", [{"id": f"t{n}"}])
        transport.advance("PT1S")

    class Unscanned(dict):
        def __iter__(self):
            raise AssertionError

        values = items = keys = __iter__

    book = transport.api_state().jobs
    book.jobs, book.results = Unscanned(book.jobs), Unscanned(book.results)
    assert transport.send("GET", "/trees/trees/t0").status == 200
    assert len(book.jobs) == 50

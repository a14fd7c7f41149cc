"""What is over is dropped: a long-lived sandbox holds what still counts, and nothing else."""

import gc
from datetime import UTC, datetime
from pathlib import Path
from weakref import ref

import orjson
import pytest

from contracts.messages import Headers
from mockserver.domain import jobs
from mockserver.sources import find_sources
from mockserver.web.service import Options, Service

TREES = Path(__file__).parent / "toys" / "trees.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
MANY = 3000
LARGE = [{"id": "a", "pad": "x" * 100_000}]  # over what is kept in memory


class Door:
    """A service that is spoken to without sockets."""

    def __init__(self):
        apis = [source.load() for source in find_sources((str(TREES), "genero", "onkey"))]
        self.service = Service(apis, Options(mode="frozen"), REAL)

    @property
    def sandbox(self):
        return self.service.sandboxes.use("default", REAL)

    def world(self, name="trees"):
        return self.sandbox.worlds[name]

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
def door():
    return Door()


def held(world):
    """Return how much a world holds of jobs and of what is noted about them."""
    book = world.jobs
    lasting = sum(len(kept) for kept in world.memory.values() if isinstance(kept, dict))
    parts = (book.jobs, book.results, book.agenda, book.unfinished, book.leaving, book.lasting, world.expiring)
    return sum(map(len, parts)) + lasting


@pytest.mark.parametrize("cancel", [False, True])
def test_jobs_past_their_time_vanish(door, cancel):
    """Neither they nor what was noted of them stays; they are unknown from that very instant."""
    for n in range(MANY):
        reply = door.send("POST", "/trees/trees/jobs", [{"id": f"t{n % 7}"}])
        assert reply.status == 202
        if cancel:
            assert door.send("DELETE", reply.headers.get("Location")).status == 204
    address = reply.headers.get("Location")
    door.advance("PT59M" if cancel else "PT1H")
    assert len(door.control("GET", "jobs")["jobs"]) == MANY
    assert door.send("GET", address).status == 200
    door.advance("PT1M")
    assert door.send("GET", address).status == 404
    assert door.control("GET", "jobs")["jobs"] == []
    assert held(door.world()) == 0


def test_events_tell_of_jobs_that_end_and_are_forgotten_in_one_step(door):
    """A clock that jumps far still says what happened on the way."""
    door.send("POST", "/trees/trees/jobs", [{"id": "a"}])
    says = [event["says"] for event in door.advance("P1D")["events"]]
    assert says[-1] == "trees sendTrees: FINE"
    assert door.control("GET", "jobs")["jobs"] == []
    assert door.send("GET", "/trees/trees/a").status == 200


def test_genero_forgets_jobs_and_polls_after_thirty_days(door):
    """As its contract says."""
    for n in range(20):
        told = orjson.loads(
            door.send(
                "POST", "/genero/api/v1/block/postJob", [{"blockId": f"b{n}", "name": "n", "deleted": False}]
            ).body
        )
        door.advance("PT5M")
        assert door.send("GET", f"/genero/api/v1/block/jobStatus/{told['correlationId']}").status == 200
    door.advance("P30D")
    assert door.send("GET", f"/genero/api/v1/block/jobStatus/{told['correlationId']}").status == 404
    world = door.world("genero")
    assert (len(world.jobs.jobs), len(world.jobs.results), len(world.memory["polls"])) == (0, 0, 0)


def test_of_jobs_without_a_declared_time_the_newest_stay(door, monkeypatch):
    """Their number is bounded; unfinished ones are never dropped."""
    monkeypatch.setattr(jobs, "UNDECLARED", 100)
    replies = [door.send("POST", "/trees/trees/lasting-jobs", [{"id": f"t{n}"}]) for n in range(300)]
    addresses = [reply.headers.get("Location") for reply in replies]
    assert all(door.send("GET", one).status == 200 for one in addresses)
    door.advance("PT1M")
    assert [door.send("GET", one).status for one in addresses] == [404] * 200 + [200] * 100
    assert len(door.world().jobs.results) == 100


def test_a_job_that_a_scenario_forgets_early_is_carried_out_and_dropped(door):
    """It is unknown from that instant, does its work, and leaves nothing."""
    rule = {"when": {"operation": "sendTrees"}, "then": {"gone-after": "PT5S"}}
    door.control("PUT", "scenarios", {"scenarios": [{"name": "gone", "summary": "Forgets early.", "rules": [rule]}]})
    address = door.send("POST", "/trees/trees/jobs", [{"id": "a"}]).headers.get("Location")
    assert door.send("GET", address).status == 200
    door.advance("PT5S")
    assert door.send("GET", address).status == 404
    door.advance("PT1M")
    assert door.send("GET", "/trees/trees/a").status == 200
    assert held(door.world()) == 0


def test_idempotency_keys_past_their_time_are_dropped(door):
    """A key is good for its hour; then the request is carried out again."""
    for n in range(MANY):
        assert door.send("POST", "/trees/trees/batch", [{"id": "a"}], **{"Idempotency-Key": f"k{n}"}).status == 200
    assert len(door.world().memory["idempotency"]) == MANY
    assert door.send("POST", "/trees/trees/batch", [{"id": "b"}], **{"Idempotency-Key": "k0"}).status == 400
    door.advance("PT1H")
    assert held(door.world()) == 0
    assert door.send("POST", "/trees/trees/batch", [{"id": "b"}], **{"Idempotency-Key": "k0"}).status == 200
    assert len(door.world().memory["idempotency"]) == 1


def test_tokens_past_their_time_are_dropped(door):
    """Those of both vendors; what remains is what quotas count."""
    asked = b"grant_type=client_credentials&client_id=sandbox&client_secret=sandbox"
    for _ in range(MANY):
        assert door.send("POST", "/onkey/connect/token", asked, **FORM).status == 200
    asked = b"grant_type=client_credentials&client_id=single&client_secret=sandbox"
    for _ in range(5):
        assert door.send("POST", "/genero/oauth/token", asked, **FORM).status == 200
    door.advance("P31D")
    assert held(door.world("onkey")) == 0
    assert door.world("genero").memory["tokens"] == {}
    assert len(door.world("genero").memory["fetches"]) <= 2


def spooled(door):
    """Return a weak reference to the file in which the body of the newest job waits."""
    book = door.world().jobs
    parcel = book.jobs[next(reversed(book.jobs))].parcel
    assert parcel is not None
    return ref(parcel.segment)


ENDS = {
    "run": lambda door, _: door.advance("PT1M"),
    "cancelled": lambda door, address: door.send("DELETE", address),
    "sandbox reset": lambda door, _: door.control("POST", "reset"),
    "sandbox dropped": lambda door, _: door.service.sandboxes.drop("default"),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("number", [1, 3])
def test_a_spooled_body_is_deleted_with_what_waited_for_it(door, end, number):
    """At once, and not when somebody collects garbage."""
    gc.collect()
    gc.disable()
    try:
        addresses = [door.send("POST", "/trees/trees/jobs", LARGE).headers.get("Location") for _ in range(number)]
        file = spooled(door)
        assert file() is not None
        for address in addresses:
            ENDS[end](door, address)
        assert file() is None
    finally:
        gc.enable()


def test_dropping_costs_what_is_dropped(door):
    """A call looks at no job that stays: nothing is scanned."""
    for n in range(50):
        door.send("POST", "/trees/trees/jobs", [{"id": f"t{n}"}])
        door.advance("PT1S")

    class Unscanned(dict):
        def __iter__(self):
            raise AssertionError

        values = items = keys = __iter__

    book = door.world().jobs
    book.jobs, book.results = Unscanned(book.jobs), Unscanned(book.results)
    assert door.send("GET", "/trees/trees/t0").status == 200
    assert len(book.jobs) == 50

"""Sandboxes know nothing of one another, a seed says all, and what is done at once is done one after the other."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from random import Random

import pytest
from campaign import APIS
from children import HANGS, run
from histories import OPTIONS, REAL, digest, history, loaded, play, service
from traffic import COLLECTION, ONKEY

from mockserver.domain import slices
from mockserver.http import service as service_module
from mockserver.http.recovery import open_service
from mockserver.http.service import Options
from mockserver.sandbox import sandboxes

SCRIPT = Path(__file__).with_name("histories.py")


def alone(seed, name):
    """Return the responses to a history on a service of its own."""
    own = service()
    return [play(own, step) for step in history(seed, name)]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_a_history_among_others_goes_as_it_goes_alone(seed):
    """State, journal, clock, counters of scenarios and ids: every response is the same, whoever comes between."""
    names = [f"s{n}" for n in range(12)]
    shared, got = service(), {name: [] for name in names}
    left = {name: history(f"{seed}/{name}", name)[::-1] for name in names}
    random = Random(seed)
    while waiting := [name for name in names if left[name]]:
        name = random.choice(waiting)
        got[name].append(play(shared, left[name].pop()))
    for name in names:
        assert got[name] == alone(f"{seed}/{name}", name)


@pytest.mark.slow
def test_a_history_goes_on_among_others_after_restarts(tmp_path):
    """What is read back from the log of all is each sandbox's own; the process ends without notice three times."""
    apis, options, path = loaded(), Options(**OPTIONS), tmp_path / "sandbox.db"
    names = [f"s{n}" for n in range(6)]
    left = {name: history(f"4/{name}", name)[::-1] for name in names}
    got, random = {name: [] for name in names}, Random(4)
    shared = open_service(apis, options, path, REAL, sync="normal")
    restarts = sorted(random.sample(range(6 * 30), 3))
    for n in range(6 * 30):
        if n in restarts:
            shared.log.file.close()
            shared = open_service(apis, options, path, REAL, sync="normal")
        name = random.choice([name for name in names if left[name]])
        got[name].append(play(shared, left[name].pop()))
    shared.log.file.close()
    for name in names:
        assert got[name] == alone(f"4/{name}", name)


@pytest.mark.slow
def test_histories_over_many_connections_go_as_alone(serving):
    """The same over HTTP, eight at a time, 200 sandboxes: one that reads of another, or waits in its stead, differs."""
    port = serving(*APIS, **OPTIONS).running.port
    names = [f"p{n}" for n in range(200)]
    seeds = {name: n % 10 for n, name in enumerate(names)}

    def body_of(connection, step):
        connection.request(step.method, step.target, step.body, {"Content-Type": step.media})
        reply = connection.getresponse()
        return reply.status, reply.read()

    def work(name):
        connection = HTTPConnection("127.0.0.1", port, timeout=HANGS)
        try:
            return [body_of(connection, step) for step in history(seeds[name], name, 20)]
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        answered = dict(zip(names, pool.map(work, names), strict=True))
    for seed in range(10):
        alike = [
            [(status, body.replace(name.encode(), b"NAME")) for status, body in answered[name]]
            for name in names
            if seeds[name] == seed
        ]
        assert len(alike) == 20
        assert all(one == alike[0] for one in alike)


def test_a_sandbox_that_was_evicted_begins_anew(monkeypatch):
    """Nothing of it is left: its history goes as in a sandbox that never was."""
    monkeypatch.setattr(sandboxes, "MIN_IDLE", timedelta(0))
    crowded = service()
    crowded.sandboxes.most = 2
    expected = alone(5, "a")
    for n in range(2):
        later = REAL + timedelta(hours=n)
        assert [play(crowded, step, later) for step in history(5, "a")] == expected
        for other in ("b", "c"):
            for step in history(6, other, 5):
                play(crowded, step, later)
        assert "a" not in {sandbox.name for sandbox in crowded.sandboxes}


@pytest.mark.slow
def test_the_same_calls_have_the_same_responses_in_every_process():
    """Byte for byte, whatever the order of sets: the seed of the hashes is another one in each."""
    expected = digest([play(own, step) for own in [service()] for step in history(9, "a", 200)])
    for hash_seed in ("0", "1", "4242"):
        done = run([sys.executable, str(SCRIPT), "9"], env={**os.environ, "PYTHONHASHSEED": hash_seed})
        assert done.stdout == expected, done.stderr[-500:]


@pytest.fixture
def client(serving, monkeypatch):
    """Return a client whose server pauses wherever it may."""
    monkeypatch.setattr(slices.Pausing, "seconds", 0.0)
    monkeypatch.setattr(service_module, "LONG_BODY_BYTES", 1)
    return serving("onkey", mode="frozen")


def at_once(client, *works):
    """Run functions at once, each with a connection of its own to the same sandbox; return their results."""

    def work(function):
        connection = HTTPConnection("127.0.0.1", client.running.port, timeout=HANGS)

        def call(method, path, data=None, media=COLLECTION):
            target = path if path.startswith("/_sandbox/") else f"/@{client.sandbox}{path}"
            body = None if data is None else json.dumps(data)
            connection.request(method, target, body, {"Content-Type": media})
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read())

        try:
            return function(call)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(work, works))


def created(client, number):
    """Create records, and return their ids."""
    batch = [{"userObjectId": f"u{n}", "properties": {"code": f"c{n}", "description": "0"}} for n in range(number)]
    reply = client.call("POST", f"{ONKEY}/batch", batch, {"Content-Type": COLLECTION})
    return [one["objectId"] for one in reply.data["messages"]]


def changes(records, value):
    return [
        {
            "id": record["id"],
            "version": record["version"],
            "operations": [{"op": "replace", "path": "description", "value": value}],
        }
        for record in records
    ]


def test_no_reader_sees_half_of_all_or_none(client):
    """Also where a batch is carried out in slices, and where its last record fails."""
    ids = created(client, 300)
    where = f"{ONKEY}/batch/{','.join(ids)}"
    ended = []

    def write(call):
        for n in range(1, 13):
            _, records = call("GET", where)
            batch = changes(records, f"{n}")
            if n % 3 == 0:
                batch[-1]["version"] = 999
            status, _ = call("PATCH", f"{ONKEY}/batch?mode=AllOrNone", batch)
            assert status == (400 if n % 3 == 0 else 200)
        ended.append(True)
        return set()

    def read(call):
        seen = set()
        while not ended:
            _, records = call("GET", where)
            seen.add(frozenset((record["properties"]["description"], record["version"]) for record in records))
        return seen

    _, *seen = at_once(client, write, read, read, read)
    every = set().union(*seen)
    assert every
    assert all(len(one) == 1 for one in every)
    assert {value for one in every for value, _ in one}.isdisjoint({"3", "6", "9", "12"})


@pytest.mark.slow
def test_no_update_is_lost_among_sixteen_writers(client):
    """Each that was told of success is a version; whoever came late was told, and tried again."""
    [record_id] = created(client, 1)
    numbers = count()

    def write(call):
        done = []
        while len(done) < 5:
            _, records = call("GET", f"{ONKEY}/batch/{record_id}")
            value = f"v{next(numbers)}"
            status, _ = call("PATCH", f"{ONKEY}/batch?mode=AllOrNone", changes(records, value))
            if status == 200:
                done.append(records[0]["version"])
        return done

    versions = [version for one in at_once(client, *[write] * 16) for version in one]
    assert sorted(versions) == list(range(1, 81))
    assert client.call("GET", f"{ONKEY}/batch/{record_id}").data[0]["version"] == 81


def test_the_clock_is_advanced_from_two_sides(client):
    """Every step counts once."""
    before = datetime.fromisoformat(client.control("GET", "clock").data["now"])

    def advance(call):
        for _ in range(30):
            at = f"/_sandbox/sandboxes/{client.sandbox}/clock/advance"
            assert call("POST", at, {"by": "PT1M"}, "application/json")[0] == 200

    at_once(client, advance, advance)
    assert datetime.fromisoformat(client.control("GET", "clock").data["now"]) - before == timedelta(hours=1)

"""Each law on the clients of any API: one client that keeps it, one that breaks it, one that gives it no occasion."""

import json
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

TOY = Path(__file__).parent / "data" / "parcels.yaml"
DOWN = {"when": {"operation": "listParcels"}, "then": {"status": 503}}
BUSY = {"when": {"operation": "listParcels"}, "then": {"status": 503, "headers": {"Retry-After": "30"}}, "times": 1}
LATE = {
    "when": {"operation": "listParcels"},
    "then": {"status": 503, "headers": {"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}},
    "times": 1,
}
ID = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
RECORD = {"type": "object", "properties": {"id": {"type": "string"}, "article": {"type": "string"}}}
SILENT = {"when": {"operation": "listParcels"}, "then": {"timeout": True}, "times": 2}


def tries(client, rule, *waits):
    client.scenario(rule)
    client.call("GET", "/parcels")
    for seconds in waits:
        client.wait(seconds=seconds)
        client.call("GET", "/parcels")


def spooled_body(name):
    return {"ref": name, "parcel": {"id": name, "weight": 1}}


def posts(client, number):
    return client.call("POST", "/loads", [spooled_body(str(n)) for n in range(number)])


def follows(client):
    client.call("GET", posts(client, 1).headers.get("Location").partition("/parcels")[2])


def asks_another(client):
    posts(client, 1)
    client.call("GET", "/loads/0")


def waits_as_told_by_a_202(client, seconds):
    client.scenario({"when": {"operation": "postLoad"}, "then": {"headers": {"Retry-After": "60"}}})
    job = posts(client, 1).headers.get("Location").rpartition("/")[2]
    client.wait(seconds=seconds)
    client.call("GET", f"/loads/{job}")


LOSSES = (
    {"fault": "CONNECTION_RESET_BY_PEER"},
    {"fault": "EMPTY_RESPONSE", "at": "before-commit"},
    {"timeout": True},
    {"truncate": 0.5},
)


def loses(client, then=LOSSES[0], *, times=1, operation="postLoad"):
    client.scenario({"when": {"operation": operation}, "then": then, "times": times})


def posts_twice(client, look="", then=LOSSES[0], **headers):
    loses(client, then)
    for _ in range(2):
        client.call("POST", "/loads", [spooled_body("a")], **headers)
        if look:
            client.call("GET", look)


def posts_other_things(client):
    loses(client)
    posts(client, 1)
    client.call("POST", "/loads", [spooled_body("another")])


def posts_the_next_day(client):
    loses(client)
    posts(client, 1)
    client.wait(days=1)
    posts(client, 1)


def posts_one_of_them_again(client):
    loses(client)
    posts(client, 3)
    client.call("POST", "/loads", [spooled_body("2")])


def posts_after_a_look_that_failed(client):
    client.scenario(
        {"when": {"operation": "postLoad"}, "then": LOSSES[0], "times": 1},
        {"when": {"operation": "readParcel"}, "then": {"status": 503}},
    )
    posts(client, 1)
    client.call("GET", "/parcels/0")
    posts(client, 1)


def puts_twice(client):
    loses(client, operation="putParcel")
    for _ in range(2):
        client.call("PUT", "/parcels/a", {"id": "a", "weight": 1})


JUDGED = [
    *[("no-blind-repost", "failed", lambda client, then=then: posts_twice(client, then=then)) for then in LOSSES],
    ("no-blind-repost", "failed", posts_one_of_them_again),
    ("no-blind-repost", "failed", posts_after_a_look_that_failed),
    ("no-blind-repost", "passed", lambda client: posts_twice(client, "/parcels")),
    ("no-blind-repost", "passed", lambda client: posts_twice(client, "/parcels/a")),
    ("no-blind-repost", "passed", lambda client: posts_twice(client, "/loads/a")),
    ("no-blind-repost", "passed", lambda client: posts_twice(client, Idempotency_Key="k1")),
    ("no-blind-repost", "not-run", posts_other_things),
    ("no-blind-repost", "not-run", posts_the_next_day),
    ("no-blind-repost", "not-run", puts_twice),
    ("no-blind-repost", "not-run", lambda client: posts_twice(client, then={"dribble": {"chunks": 2, "over_ms": 1}})),
    ("honoured-retry-after", "passed", lambda client: tries(client, BUSY, 30)),
    ("honoured-retry-after", "failed", lambda client: tries(client, BUSY, 29)),
    ("honoured-retry-after", "not-run", lambda client: tries(client, BUSY)),
    ("honoured-retry-after", "not-run", lambda client: tries(client, DOWN, 1)),
    ("honoured-retry-after", "passed", lambda client: tries(client, LATE, 30)),
    ("honoured-retry-after", "failed", lambda client: tries(client, LATE, 20)),
    ("honoured-retry-after", "passed", lambda client: waits_as_told_by_a_202(client, 60)),
    ("honoured-retry-after", "failed", lambda client: waits_as_told_by_a_202(client, 59)),
    ("backed-off", "passed", lambda client: tries(client, DOWN, 1, 2, 4)),
    ("backed-off", "passed", lambda client: tries(client, DOWN, 0.3)),
    ("backed-off", "passed", lambda client: tries(client, DOWN, 120, 120, 120)),
    ("backed-off", "passed", lambda client: tries(client, BUSY, 30)),
    ("backed-off", "passed", lambda client: tries(client, SILENT, 1, 2)),
    ("backed-off", "failed", lambda client: tries(client, DOWN, 0)),
    ("backed-off", "failed", lambda client: tries(client, SILENT, 0)),
    ("backed-off", "failed", lambda client: tries(client, DOWN, 1, 1)),
    ("backed-off", "failed", lambda client: tries(client, DOWN, 4, 2, 1)),
    ("backed-off", "not-run", lambda client: tries(client, DOWN)),
    ("kept-sizes", "passed", lambda client: posts(client, 3)),
    ("kept-sizes", "failed", lambda client: posts(client, 4)),
    ("kept-sizes", "not-run", lambda client: tries(client, DOWN)),
    ("followed-location", "passed", follows),
    ("followed-location", "failed", asks_another),
    ("followed-location", "not-run", lambda client: posts(client, 4)),
]


@pytest.mark.parametrize(("law", "word", "acts"), JUDGED)
def test_every_client_is_judged(parcels, law, word, acts):
    """What holds for any API is judged whatever the API."""
    acts(parcels)
    ruling = parcels.judged(law, "any")
    assert ruling["status"] == word, ruling


def orders_operation(name, method, place):
    answers = {"description": "done", "content": {"application/json": {"schema": RECORD}}}
    body = {"requestBody": {"content": {"application/json": {}}}} if method == "post" else {}
    parameters = {"parameters": [ID]} if place else {}
    return {"operationId": f"{method}{name}{len(place)}", **body, **parameters, "responses": {"200": answers}}


PLACES = {"": ("get", "post"), "/{id}": ("get",)}
ORDERS = {
    "openapi": "3.1.0",
    "info": {"title": "Orders", "version": "1"},
    "paths": {
        f"/{name}{place}": {method: orders_operation(name, method, place) for method in methods}
        for name in ("orders", "people")
        for place, methods in PLACES.items()
    },
}


@pytest.mark.parametrize(("look", "word"), [("", "failed"), ("/people", "failed"), ("/orders", "passed")])
def test_a_single_create_is_looked_for_too(serving, tmp_path, look, word):
    """A plain POST that creates a record must not be repeated blindly; the list of other things is no look."""
    document = tmp_path / "orders.json"
    document.write_text(json.dumps(ORDERS))
    client = serving(document)
    rule = {"when": {"method": "POST"}, "then": {"fault": "EMPTY_RESPONSE"}, "times": 1}
    client.control("PUT", "scenarios", {"scenarios": [{"name": "lost", "rules": [rule]}]})
    with suppress(OSError, HTTPException):
        client.call("POST", "/orders", {"article": "a"})
    if look:
        assert client.call("GET", look).status == 200
    assert client.call("POST", "/orders", {"article": "a"}).status < 300
    laws = {one["id"]: one for one in client.control("GET", "verdict").data["laws"]}
    assert laws["no-blind-repost"]["status"] == word, laws["no-blind-repost"]


def test_a_client_that_gave_up_waiting_must_look_too(serving):
    """A response that came too late for the client is lost like any other."""
    client = serving(TOY)
    rule = {"when": {"operation": "postLoad"}, "then": {"delay": "5s"}, "times": 1}
    client.control("PUT", "scenarios", {"scenarios": [{"name": "late", "rules": [rule]}]})
    url = urlsplit(f"{client.running.url}/@{client.sandbox}/parcels/loads")
    with closing(HTTPConnection(url.hostname, url.port, timeout=0.1)) as impatient, suppress(TimeoutError):
        impatient.request("POST", url.path, json.dumps([spooled_body("a")]), {"Content-Type": "application/json"})
        impatient.getresponse()
    client.call("POST", "/parcels/loads", [spooled_body("a")])
    laws = {one["id"]: one for one in client.control("GET", "verdict").data["laws"]}
    assert laws["no-blind-repost"]["status"] == "failed", laws["no-blind-repost"]


def test_jobs_of_lost_responses_are_counted(parcels):
    """Two jobs ran, whatever the client was told: both count, and the one that it knows was polled to its end."""
    posts_twice(parcels, "/parcels")
    job = next(one["id"] for one in parcels.control("GET", "jobs")["jobs"][1:])
    parcels.wait(minutes=1)
    parcels.call("GET", f"/loads/{job}")
    assert "2 jobs, 1 of which" in parcels.judged("active-jobs", "parcels")["detail"]
    assert "1 other job ran" in parcels.judged("polled-to-end", "parcels")["detail"]


def test_a_body_that_is_too_large_is_a_breach_of_size(serving):
    """A call refused for its bytes counts, though its items were never read."""
    client = serving(TOY)
    client.control("PATCH", "settings", {"limits": {"bodyBytes": 10}})
    assert client.call("POST", "/parcels/loads", [spooled_body("a")]).status == 413
    laws = {one["id"]: one for one in client.control("GET", "verdict").data["laws"]}
    assert (laws["kept-sizes"]["status"], laws["kept-sizes"]["evidence"]) == ("failed", [1])


@pytest.mark.parametrize(
    ("seconds", "why"),
    [
        (59, "59 s after #1, whose Retry-After asked for 1 min."),
        (60, ""),
    ],
)
def test_a_job_says_which_poll_came_before_retry_after(parcels, seconds, why):
    """What the law of Retry-After breaks on is told at the poll itself."""
    waits_as_told_by_a_202(parcels, seconds)
    (job,) = parcels.control("GET", "jobs?polls=true")["jobs"]
    assert [one["tooSoon"] for one in job["polls"]] == [why]

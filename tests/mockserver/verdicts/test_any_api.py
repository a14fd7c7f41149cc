"""Each law on the clients of any API: one client that keeps it, one that breaks it, one that gives it no occasion."""

from pathlib import Path

import pytest

TOY = Path(__file__).parent / "data" / "parcels.yaml"
DOWN = {"when": {"operation": "listParcels"}, "then": {"status": 503}}
BUSY = {"when": {"operation": "listParcels"}, "then": {"status": 503, "headers": {"Retry-After": "30"}}, "times": 1}
LATE = {
    "when": {"operation": "listParcels"},
    "then": {"status": 503, "headers": {"Retry-After": "Thu, 01 Jan 2026 00:00:30 GMT"}},
    "times": 1,
}
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


JUDGED = [
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


def test_a_body_that_is_too_large_is_a_breach_of_size(serving):
    """A call refused for its bytes counts, though its items were never read."""
    client = serving(TOY)
    client.control("PATCH", "settings", {"limits": {"bodyBytes": 10}})
    assert client.call("POST", "/parcels/loads", [spooled_body("a")]).status == 413
    laws = {one["id"]: one for one in client.control("GET", "verdict").data["laws"]}
    assert (laws["kept-sizes"]["status"], laws["kept-sizes"]["evidence"]) == ("failed", [1])

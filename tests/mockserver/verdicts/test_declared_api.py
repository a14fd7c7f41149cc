"""An API that is given only as a document has the laws that it declares, with its own numbers."""

import pytest

NEVER = {"when": {"operation": "postLoad"}, "then": {"never-ends": True}}


def load(client, *parcels):
    items = [{"ref": f"r{n}", "parcel": {"id": name, "weight": weight}} for n, (name, weight) in enumerate(parcels)]
    reply = client.call("POST", "/loads", items)
    return reply.headers.get("Location").rpartition("/")[2]


def look(client, job, **length):
    client.wait(**length)
    return client.call("GET", f"/loads/{job}").data


def three_at_a_time(client):
    for name in "abc":
        load(client, (name, 1))


def two_at_a_time(client):
    load(client, ("a", 1))
    load(client, ("b", 1))
    client.wait(minutes=1)
    load(client, ("c", 1))


def full_loads(client, times):
    for _ in range(times):
        load(client, ("a", 1), ("b", 2), ("c", 3))
        client.wait(hours=1)


def hasty(client):
    look(client, load(client, ("a", 1)), seconds=53)


def patient(client):
    look(client, load(client, ("a", 1)), seconds=54)


def asks_on(client):
    job = load(client, ("a", 1))
    look(client, job, minutes=1)
    look(client, job, minutes=1)


def loses_interest(client):
    client.scenario(NEVER)
    look(client, load(client, ("a", 1)), minutes=1)


def again_after(client, minutes):
    client.scenario(NEVER)
    load(client, ("a", 1))
    client.wait(minutes=minutes)
    load(client, ("a", 1))


def polls_for_nine_minutes(client):
    client.scenario(NEVER)
    job = load(client, ("a", 1))
    for _ in range(9):
        look(client, job, minutes=1)


def resends(client, *parcels):
    look(client, load(client, ("a", 1), ("b", -1)), minutes=1)
    load(client, *parcels)


def same_reference_twice(client):
    spooled_body = {"ref": "r", "parcel": {"id": "a", "weight": 1}}
    client.call("POST", "/loads", [spooled_body, {**spooled_body, "parcel": {"id": "b", "weight": 1}}])


def as_text(client):
    client.call("POST", "/loads", b"a,1", "text/csv")


JUDGED = [
    ("active-jobs", "failed", three_at_a_time),
    ("active-jobs", "passed", two_at_a_time),
    ("kept-quota", "failed", lambda client: full_loads(client, 3)),
    ("kept-quota", "passed", lambda client: full_loads(client, 2)),
    ("kept-quota", "not-run", patient),
    ("poll-interval", "failed", hasty),
    ("poll-interval", "passed", patient),
    ("stopped-polling", "failed", asks_on),
    ("stopped-polling", "passed", patient),
    ("polled-to-end", "failed", loses_interest),
    ("polled-to-end", "passed", patient),
    ("gave-up-early", "failed", lambda client: again_after(client, 5)),
    ("gave-up-early", "passed", lambda client: again_after(client, 6)),
    ("gave-up-late", "failed", polls_for_nine_minutes),
    ("resent-only-failed", "passed", lambda client: resends(client, ("b", -1))),
    ("resent-only-failed", "failed", lambda client: resends(client, ("b", -1), ("a", 1))),
    ("unique-keys", "failed", same_reference_twice),
    ("unique-keys", "passed", patient),
    ("right-content-type", "failed", as_text),
    ("right-content-type", "passed", patient),
]


@pytest.mark.parametrize(("law", "word", "acts"), JUDGED)
def test_clients_of_a_document_are_judged(parcels, law, word, acts):
    """The laws that follow from a declaration judge the clients of any API by its own limits."""
    acts(parcels)
    ruling = parcels.judged(law, "parcels")
    assert ruling["status"] == word, ruling


def test_a_document_has_the_laws_that_it_gives_a_hold_for(parcels):
    """What is not declared is not judged: no fan-out, no groups, no versions, no choice of unit."""
    laws = {one["id"] for one in parcels.control("GET", "verdict")["laws"] if one["api"] == "parcels"}
    assert laws == {law for law, _, _ in JUDGED}


def test_a_client_never_told_of_its_job_is_not_blamed(parcels):
    """When the answer to a post was lost, posting again at once gives nothing up and leaves no job unpolled.

    That it was done at once, and blindly, is told.
    """
    parcels.scenario({"when": {"operation": "postLoad"}, "then": {"fault": "EMPTY_RESPONSE"}, "times": 1})
    parcels.call("POST", "/loads", [{"ref": "r", "parcel": {"id": "a", "weight": 1}}])
    look(parcels, load(parcels, ("a", 1)), minutes=1)
    laws = parcels.control("GET", "verdict")["laws"]
    assert [one["id"] for one in laws if one["status"] == "failed"] == ["backed-off", "no-blind-repost"]

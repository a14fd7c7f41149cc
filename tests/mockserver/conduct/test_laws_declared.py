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
    parcel = {"ref": "r", "parcel": {"id": "a", "weight": 1}}
    client.call("POST", "/loads", [parcel, {**parcel, "parcel": {"id": "b", "weight": 1}}])


def as_text(client):
    client.call("POST", "/loads", b"a,1", "text/csv")


JUDGED = [
    ("active-jobs", "broken", three_at_a_time),
    ("active-jobs", "kept", two_at_a_time),
    ("kept-quota", "broken", lambda client: full_loads(client, 3)),
    ("kept-quota", "kept", lambda client: full_loads(client, 2)),
    ("kept-quota", "not-exercised", patient),
    ("poll-interval", "broken", hasty),
    ("poll-interval", "kept", patient),
    ("stopped-polling", "broken", asks_on),
    ("stopped-polling", "kept", patient),
    ("polled-to-end", "broken", loses_interest),
    ("polled-to-end", "kept", patient),
    ("gave-up-early", "broken", lambda client: again_after(client, 5)),
    ("gave-up-early", "kept", lambda client: again_after(client, 6)),
    ("gave-up-late", "broken", polls_for_nine_minutes),
    ("resent-only-failed", "kept", lambda client: resends(client, ("b", -1))),
    ("resent-only-failed", "broken", lambda client: resends(client, ("b", -1), ("a", 1))),
    ("unique-keys", "broken", same_reference_twice),
    ("unique-keys", "kept", patient),
    ("right-content-type", "broken", as_text),
    ("right-content-type", "kept", patient),
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
    """When the answer to a post was lost, posting again at once gives nothing up and leaves no job unpolled."""
    parcels.scenario({"when": {"operation": "postLoad"}, "then": {"fault": "EMPTY_RESPONSE"}, "times": 1})
    parcels.call("POST", "/loads", [{"ref": "r", "parcel": {"id": "a", "weight": 1}}])
    look(parcels, load(parcels, ("a", 1)), minutes=1)
    laws = parcels.control("GET", "verdict")["laws"]
    assert [one["id"] for one in laws if one["status"] == "broken"] == ["backed-off"]

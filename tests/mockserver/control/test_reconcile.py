"""Reconcile: what a client believes is held against what is stored, record by record and member by member."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.control.state import Difference, _compare

BASE = "/genero/api/v1/block"
ONKEY = "/onkey/api/tenants/contoso/sandbox/modules"
COLLECTION = {"Content-Type": "application/vnd.onkey.entitycollection+json"}


@pytest.fixture
def client(serving):
    return serving("genero", "onkey", mode="frozen")


def blocks(client, *records, **more):
    body = {"api": "genero", "kind": "block", "tenant": "publicapitest", "records": list(records), **more}
    return client.control("POST", "reconcile", body)


def store(client, **names):
    for key, name in names.items():
        assert client.call("PUT", f"{BASE}/{key}", {"blockId": key, "name": name}).status in {200, 201}


def test_lost_phantom_and_different_records_are_told_apart(client):
    """Each record is in one class; a difference says where, what was believed and what is stored."""
    store(client, a="A", b="B", c="C")
    believed = [{"blockId": "a", "name": "A"}, {"blockId": "b", "name": "X"}, {"blockId": "d", "name": "D"}]
    assert blocks(client, *believed).data == {
        "lost": ["d"],
        "phantom": ["c"],
        "different": [{"key": "b", "pointer": "/name", "believed": "X", "stored": "B"}],
        "same": 1,
    }


def test_only_members_that_are_sent_are_compared(client):
    """A client that knows keys alone agrees with whatever is stored under them; an unknown member is a difference."""
    store(client, a="A")
    assert blocks(client, {"blockId": "a"}).data["same"] == 1
    (difference,) = blocks(client, {"blockId": "a", "colour": None}).data["different"]
    assert difference == {"key": "a", "pointer": "/colour", "believed": None, "stored": None}


def test_deleted_records_are_neither_stored_nor_lost_when_that_is_believed(client):
    """A tombstone is no phantom, a record believed alive is lost, one believed deleted agrees."""
    store(client, a="A")
    client.call("DELETE", f"{BASE}/a")
    assert blocks(client).data == {"lost": [], "phantom": [], "different": [], "same": 0}
    assert blocks(client, {"blockId": "a", "name": "A"}).data["lost"] == ["a"]
    assert blocks(client, {"blockId": "a", "deleted": True}).data["same"] == 1
    assert blocks(client, {"blockId": "never", "deleted": True}).data["same"] == 1


def test_what_is_due_has_happened_before_it_is_compared(client):
    """A job that has ended counts, one that has not does not."""
    client.call("POST", f"{BASE}/postJob", [{"blockId": "j", "name": "J"}])
    assert blocks(client, {"blockId": "j"}).data["lost"] == ["j"]
    client.control("POST", "clock/advance", {"to": "idle"})
    assert blocks(client, {"blockId": "j"}).data["lost"] == []


def test_nested_members_and_ids_as_text(client):
    """On Key's records are compared inside `properties`, and an id is the same as text and as a number."""
    record = {"userObjectId": "r", "properties": {"code": "A", "description": "One"}}
    reply = client.call("POST", f"{ONKEY}/res/trades/batch", [record], COLLECTION)
    key = reply.data["messages"][0]["objectId"]
    believed = {"id": key, "version": 1, "properties": {"code": "A", "description": "Two"}}
    body = {"api": "onkey", "kind": "Trade", "dataset": "contoso/sandbox", "records": [believed]}
    told = client.control("POST", "reconcile", body).data
    assert told["different"] == [
        {"key": int(key), "pointer": "/properties/description", "believed": "Two", "stored": "One"}
    ]
    assert len(told["phantom"]) == 1  # the trade that is there from the start


@pytest.mark.parametrize(
    ("change", "status", "says"),
    [
        ({"api": "genro"}, 404, "Did you mean 'genero'?"),
        ({"kind": "blok"}, 404, "Did you mean 'block'?"),
        ({"records": [{"name": "A"}]}, 400, "/records/0: it has no key; give its 'blockId'"),
        ({"records": [{"blockId": "a"}, {"blockId": "a"}]}, 400, "/records/1: the key 'a' was there before"),
        ({"records": ["a"]}, 400, "An element of 'records' must be an object"),
        ({"tenants": "x"}, 400, "tenant"),
    ],
)
def test_a_belief_that_cannot_be_read_is_refused(client, change, status, says):
    """The answer says where the mistake is and what to do."""
    store(client, a="A")
    reply = blocks(client, **change)
    assert (reply.status, says in reply.data["detail"]) == (status, True), reply.data


values = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab/~"), inner, max_size=3),
    max_leaves=6,
)


@given(values, values)
def test_a_value_differs_from_another_and_never_from_itself(one, other):
    """Comparing is exact: no difference means that what was believed is there, and `true` is not 1."""
    assert list(_compare("", one, one)) == []
    differences = list(_compare("", one, other))
    assert bool(differences) == (not holds(one, other))
    assert all(isinstance(found, Difference) for found in differences)


def holds(one, other):
    """Say whether everything in `one` is in `other`."""
    if isinstance(one, dict) and isinstance(other, dict):
        return all(name in other and holds(value, other[name]) for name, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(holds, one, other))
    return type(one) is type(other) and one == other

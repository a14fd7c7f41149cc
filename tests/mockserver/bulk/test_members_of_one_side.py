"""`readOnly` members are not demanded of requests, and a required member that may be null takes null."""

from pathlib import Path

import pytest
from callers import caller_of

from contracts.messages import Headers

MEMBERS = Path(__file__).parents[1] / "data" / "members.yaml"
JSON = Headers((("Content-Type", "application/json"),))
NULLS = {"leader": None, "team": None, "level": None}
WHOLE = {"name": "Ann", **NULLS, "secret": "s"}


@pytest.fixture
def send():
    """Return a function that sends a request to a fresh server and returns status and body."""
    return caller_of(MEMBERS)


def test_a_single_record_is_made_without_the_members_of_the_server(send):
    """The id is the server's to give; nulls are kept, and shown in every response."""
    status, made = send("POST", "/members", WHOLE)
    assert (status, {name: made[name] for name in NULLS}) == (201, NULLS)
    assert send("GET", f"/members/{made['id']}") == (200, made)


@pytest.mark.parametrize("missing", ["name", "leader", "team", "level", "secret"])
def test_what_is_required_of_a_client_is_still_required(send, missing):
    """A member that may be null must be there all the same."""
    status, refusal = send("POST", "/members", {name: one for name, one in WHOLE.items() if name != missing})
    assert (status, f"lacks '{missing}'" in refusal["detail"]) == (400, True)


def test_items_are_made_like_single_records(send):
    """A bulk request neither demands a readOnly member nor takes null for absence."""
    status, told = send("POST", "/members/bulk", [WHOLE, {**WHOLE, "id": "7"}, {**WHOLE, "team": {"name": "a"}}])
    assert (status, [one["ok"] for one in told["results"]]) == (207, [True, True, True])
    shown = [send("GET", f"/members/{one['id']}")[1] for one in told["results"]]
    assert [one["team"] for one in shown] == [None, None, {"name": "a"}]


def test_a_change_to_null_keeps_a_required_member(send):
    """JSON Merge Patch removes a member by null, but not one that has to be there and may be null."""
    made = send("POST", "/members", {**WHOLE, "leader": "Bob"})[1]
    status, changed = send("PATCH", f"/members/{made['id']}", {"leader": None})
    assert (status, changed["leader"]) == (200, None)

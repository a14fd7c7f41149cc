"""An exchange as a scenario: it is valid, and gives the recorded answer to the recorded request."""

from http.client import IncompleteRead

import pytest
import yaml

ONKEY = "/onkey/api/tenants/contoso/sandbox/modules"
COLLECTION = {"Content-Type": "application/vnd.onkey.entitycollection+json"}
RECORDS = [
    {"userObjectId": "r1", "properties": {"code": "A", "description": "One"}},
    {"userObjectId": "r2", "properties": {"code": "B", "description": None}},
]
BLOCKS = [{"blockId": "b1", "name": "One"}]
JSON = {"Content-Type": "application/json"}
CALLS = {
    "partial success": ("POST", f"{ONKEY}/risk/assetimportances/batch?mode=PerRecord", RECORDS, COLLECTION),
    "all or none, refused": ("POST", f"{ONKEY}/risk/assetimportances/batch?mode=AllOrNone", RECORDS, COLLECTION),
    "a job is posted": ("POST", "/genero/api/v1/block/postJob", BLOCKS, JSON),
    "a list": ("GET", "/genero/api/v1/block", None, None),
    "a record that is not there": ("GET", "/genero/api/v1/block/nowhere", None, None),
    "a wrong media type": ("POST", f"{ONKEY}/risk/assetimportances/batch", RECORDS, {"Content-Type": "text/plain"}),
    "no JSON": ("POST", "/genero/api/v1/block/postJob", b'[{"blockId": ', JSON),
}


@pytest.fixture
def clients(serving):
    return [serving("genero", "onkey", mode="frozen") for _ in range(2)]


def taken(client, n=1):
    answer = client.control("GET", f"exchanges/{n}/as/scenario")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/yaml")
    return answer.body.decode()


@pytest.mark.parametrize(("method", "target", "body", "headers"), CALLS.values(), ids=CALLS)
def test_the_scenario_gives_the_recorded_answer(clients, method, target, body, headers):
    """In another sandbox, to the same request: status, header fields and body are those that were recorded."""
    first, other = clients
    meant = first.call(method, target, body, headers)
    found = yaml.safe_load(taken(first))
    assert other.control("PUT", "scenarios", {"scenarios": [found]}).status == 200
    for _ in range(2):
        got = other.call(method, target, body, headers)
        assert (got.status, got.body, got.headers["content-type"]) == (
            meant.status,
            meant.body,
            meant.headers["content-type"],
        )
    assert other.control("GET", "exchanges/2").data["rules"] == ["as-exchange-1"]


def test_other_requests_are_served_as_ever(clients):
    """Another body, or another query, is not what was recorded."""
    first, other = clients
    method, target, body, headers = CALLS["partial success"]
    first.call(method, target, body, headers)
    other.control("PUT", "scenarios", {"scenarios": [yaml.safe_load(taken(first))]})
    other.call(method, target, body[:1], headers)
    other.call(method, target.replace("PerRecord", "AllOrNone"), body, headers)
    assert [one["rules"] for one in other.control("GET", "exchanges").data["exchanges"]] == [[], []]


@pytest.mark.parametrize(
    "then",
    [
        {"fault": "CONNECTION_RESET_BY_PEER"},
        {"fault": "EMPTY_RESPONSE"},
        {"truncate": 0.5},
        {"timeout": True},
        {"delay": "1ms"},
    ],
    ids=str,
)
def test_what_a_scenario_did_on_the_wire_is_done_again(clients, then):
    """The fault, and the delay that was drawn."""
    first, other = clients
    first.control("PATCH", "settings", {"limits": {"timeoutSeconds": 1}})
    rule = {"when": {"method": "GET"}, "then": then}
    first.control("PUT", "scenarios", {"scenarios": [{"name": "s", "rules": [rule]}]})
    try:
        first.call("GET", "/genero/api/v1/block")
    except OSError:
        first.close()
    except IncompleteRead:
        first.close()
    found = yaml.safe_load(taken(first))
    assert then.items() <= found["rules"][0]["then"].items()
    assert other.control("PUT", "scenarios", {"scenarios": [found]}).status == 200


def test_what_is_not_kept_is_said(clients):
    """A body that is too large to be kept, or that has secrets, is no part of the condition, and a comment says so."""
    (client, _) = clients
    many = [{"userObjectId": f"r{n}", "properties": {"code": f"C{n}", "description": "D" * 90}} for n in range(700)]
    client.call("POST", f"{ONKEY}/risk/assetimportances/batch?mode=PerRecord", many, COLLECTION)
    text = taken(client)
    assert text.startswith("# It fits every body")
    assert "body" not in yaml.safe_load(text)["rules"][0]["when"]

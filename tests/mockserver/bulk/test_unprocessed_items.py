"""Items that were not processed are returned as they were sent, are told nowhere else, and are done when sent again."""

import json
from datetime import UTC, datetime

import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ITEM = {"type": "object", "required": ["ref"], "properties": {"ref": {"type": "string"}, "n": {"type": "integer"}}}
JSON = {"description": "done", "content": {"application/json": {"schema": {}}}}
EACH = {"status": {"allOk": 200, "someFailed": 207, "allFailed": 409, "wholeFailed": 422}}
OUTCOMES = {"at": "/done", "key": "/ref", "failedAt": "/failed", "error": "/error"}
ONE, BAD = [{"ref": name, "n": 1} for name in "abcde"], {"ref": "a", "n": "x"}


def served(tmp_path, *, shape="array", max_items=2, per="PT0S", **more):
    """Return what sends a body to an operation that processes so many items of a request."""
    bulk = {
        "items": {"at": "/items", "as": shape},
        "effect": {"action": "upsert", "resource": "things"},
        "key": {"by": "client", "at": "" if shape == "map" else "/ref"},
        "unit": {"of": "item"},
        "reply": {**EACH, "outcomes": OUTCOMES, "counts": {"done": "/count"}},
        "guard": {
            "retry": {"unprocessed": "/left"},
            "quota": [{"what": "items", "max": max_items, "per": per, "breach": "unprocessed"}],
        },
        **more,
    }
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Things", "version": "1"},
        "paths": {
            "/things/batch": {
                "post": {
                    "operationId": "storeThings",
                    "requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}},
                    "responses": {str(code): JSON for code in (200, 207, 409, 422)},
                    "x-bulk": bulk,
                }
            }
        },
        "x-resources": {"things": {"schema": ITEM, "key": "ref", "required": ["ref"]}},
    }
    path = tmp_path / "things.json"
    path.write_text(json.dumps(document))
    service = Service([source.load() for source in find_sources([str(path)])], Options(mode="frozen"), NOW)

    def send(items, prefer=""):
        headers = Headers((("Content-Type", "application/json"), *((("Prefer", prefer),) if prefer else ())))
        reply = service.handle("POST", "/things/batch", headers, json.dumps({"items": items}).encode(), NOW)
        return reply.status, json.loads(reply.body)

    return send


def test_what_exceeds_the_capacity_comes_back_until_all_is_done(tmp_path):
    """Each request takes two; the rest is neither done nor failed, and each time less is left."""
    send, left, rounds = served(tmp_path), ONE, []
    while left:
        status, body = send(left)
        assert (status, body.get("failed", [])) == (200, [])
        assert [one["ref"] for one in body["done"]] == [one["ref"] for one in left[:2]]
        assert body["count"] == len(left[:2])
        left = body["left"]
        rounds.append(len(left))
    assert rounds == [3, 1, 0]


def test_a_map_of_items_comes_back_as_one(tmp_path):
    """Items keep their names, without what others were named."""
    send = served(tmp_path, shape="map")
    status, body = send({one["ref"]: one for one in ONE[:3]})
    assert (status, body["left"]) == (200, {"c": ONE[2]})


def test_a_failure_is_told_beside_what_is_left(tmp_path):
    """What failed is failed, and is not sent again; what is left counts for no class of the status."""
    assert served(tmp_path, max_items=1)([BAD, *ONE[1:3]])[0] == 409
    status, body = served(tmp_path)([BAD, *ONE[1:3]])
    assert status == 207
    assert [one["ref"] for one in body["failed"]] == ["a"]
    assert body["left"] == ONE[2:3]


@pytest.mark.parametrize("failing", [False, True])
def test_a_unit_is_left_whole(tmp_path, failing):
    """Where all items are one unit, one that is not processed leaves all of them, and nothing failed."""
    items = [BAD if failing else ONE[0], *ONE[1:3]]
    status, body = served(tmp_path, unit={"of": "whole"})(items)
    assert (status, body["left"], body["count"]) == (200, items, 0)


def test_a_window_is_used_up_by_earlier_requests(tmp_path):
    """With a length, the quota counts what was processed in it, and nothing more is until it is over."""
    send = served(tmp_path, per="PT1M")
    assert send(ONE[:1])[1]["left"] == []
    assert send(ONE[1:4])[1]["left"] == ONE[2:4]
    assert send(ONE[2:4])[1]["left"] == ONE[2:4]


def test_a_scenario_leaves_items_where_they_can_be_returned(tmp_path):
    """Without the declaration it does not apply, and the items are done."""
    assert served(tmp_path, max_items=9)(ONE, "scenario=some-items-unprocessed")[1]["left"] == ONE[1::2]
    status, body = served(tmp_path, guard={})(ONE, "scenario=some-items-unprocessed")
    assert (status, "left" in body, len(body["done"])) == (200, False, 5)

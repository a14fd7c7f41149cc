"""Keys that stand beside a closed payload, or that a creation has no place for; payloads by action; replacements."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

DOCUMENT = Path(__file__).parents[2] / "generators" / "check" / "data" / "index.yaml"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def send():
    """Return what sends a body, JSON or lines of it, to the document's sandbox."""
    service = Service([source.load() for source in find_sources((str(DOCUMENT),))], Options(mode="frozen"), NOW)

    def sent(method, target, *values):
        lines = target.endswith("_bulk")
        media_type = "application/x-ndjson" if lines else "application/json"
        body = b"".join(orjson.dumps(one) + (b"\n" if lines else b"") for one in values)
        headers = Headers((("Content-Type", media_type),) if values else ())
        reply = service.handle(method, target, headers, body, NOW)
        return reply.status, orjson.loads(reply.body) if reply.body else None

    return sent


def test_a_key_in_the_path_is_no_member_of_a_closed_payload(send):
    """What is put is stored under it; what the reply must have beside the record is filled in."""
    assert send("PUT", "/docs/a", {"title": "One", "year": 1})[0] == 201
    status, written = send("PUT", "/docs/a", {"title": "Two"})
    assert (status, written["_version"], written["result"]) == (200, 2, "written")
    shown = {"_id": "a", "_version": 2, "_source": {"title": "Two"}, "found": True}
    assert send("GET", "/docs/a") == (200, shown)


def test_a_creation_that_has_no_place_for_a_key_gets_one_of_the_server(send):
    """Its answer tells it."""
    status, written = send("POST", "/docs", {"title": "One"})
    assert status == 201
    assert send("GET", f"/docs/{written['_id']}")[1]["_source"] == {"title": "One"}


def test_an_item_that_replaces_writes_the_whole_record_and_makes_one_that_is_not_there(send):
    """A version of nothing is none."""
    lines = [{"index": {"_id": "a"}}, {"title": "One", "year": 1}, {"index": {"_id": "a"}}, {"title": "Two"}]
    lines += [{"index": {"_id": "b", "if_version": 1}}, {"title": "One"}, {"index": {"_id": "c"}}, {"year": 1}]
    _, told = send("POST", "/docs/_bulk", *lines)
    assert [one["index"]["status"] for one in told["items"]][:2] == [201, 200]
    assert [one["index"]["status"] >= 400 for one in told["items"]][2:] == [True, True]
    assert send("GET", "/docs/a")[1]["_source"] == {"title": "Two"}


def test_payloads_at_places_of_their_own_are_not_looked_for_in_the_item(send):
    """Each wrapper has its content; what does not fit is refused, and of many some are returned."""
    put = [{"put": {"item": {"serial": f"s{n}", "model": "m"}}} for n in range(12)]
    assert send("POST", "/devices/batch-write", {"writes": put}) == (200, {"unprocessed": put[10:]})
    gone = [{"delete": {"serial": "s1"}}]
    assert send("POST", "/devices/batch-write", {"writes": gone}) == (200, {"unprocessed": []})
    assert [send("GET", f"/devices/s{n}")[0] for n in (0, 1, 11)] == [200, 404, 404]
    bad = [{"put": {"item": {"serial": "s20"}}}]
    assert send("POST", "/devices/batch-write", {"writes": bad})[0] == 400

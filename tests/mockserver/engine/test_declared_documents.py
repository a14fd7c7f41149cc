"""What a document of one's own declares is served: pages, guards, defaults, versions, lookups, members at fault."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

STOCK = Path(__file__).parents[1] / "data" / "stock.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers((("Content-Type", "application/json"),))


@pytest.fixture
def send():
    """Return a function that sends a call to a sandbox of the stock, with one kind and three goods of it."""
    service = Service([source.load() for source in find_sources((str(STOCK),))], Options(mode="frozen"), REAL)

    def call(method, target, body=None):
        data = b"" if body is None else orjson.dumps(body)
        reply = service.handle(method, f"/stock{target}", JSON if data else Headers(()), data, REAL)
        return reply.status, orjson.loads(reply.body) if reply.body else None

    call("PUT", "/kinds/t", {"title": "Tools"})
    for n in range(3):
        call("POST", "/goods", {"sku": f"A-{n}", "name": f"Good {n}", "kind": "t"})
    return call


def bulk(send, *items, mode="each"):
    """Send items that have numbers as their keys, and return the outcomes."""
    listed = [{"ref": str(n), **one} for n, one in enumerate(items)]
    return send("POST", f"/goods/bulk?mode={mode}", {"items": listed})[1]["results"]


def test_a_client_that_follows_next_reads_a_whole_declared_list(send):
    """The response has a member `next`, though `page` names no place for it."""
    target, names = "/goods?limit=1", []
    while target:
        status, page = send("GET", target.removeprefix("/stock"))
        assert (status, page["total"]) == (200, 3)
        names += [one["sku"] for one in page["items"]]
        target = page["next"]
    assert names == ["A-0", "A-1", "A-2"]


def test_the_guard_refuses_an_unknown_mode_where_the_parameter_has_an_enum(send):
    """`badMode: 400` counts, and not the 422 of other parameters."""
    assert send("POST", "/goods/bulk?mode=some", {"items": []})[0] == 400
    assert send("GET", "/goods?limit=many")[0] == 422


def test_a_replacement_has_the_defaults_of_a_new_record(send):
    """They stand for the members that it leaves out, whatever was there before."""
    send("PUT", "/kinds/t", {"title": "Tools", "position": 7})
    assert send("PUT", "/kinds/t", {"title": "Tools"})[1]["position"] == 0


@pytest.mark.parametrize(("version", "status"), [("1", 200), ("2", 409), ("one", 409)])
def test_a_version_that_is_shown_as_a_text_is_compared_as_one(version, status, send):
    """A query has it as the response shows it."""
    made = send("POST", "/prices", {"amount": 1})[1]
    assert send("PATCH", f"/prices/{made['id']}?version={version}", {"amount": 2})[0] == status

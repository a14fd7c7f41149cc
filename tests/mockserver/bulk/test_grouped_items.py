"""Items in lists of lists: a group is what stands in an element, and the elements of a group are the items."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHELVES = Path(__file__).parents[2] / "generators" / "requests" / "data" / "shelves.yaml"
PATCH = {"handle": "h", "changes": []}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 200),
        ([{"members": [PATCH, PATCH]}, {"members": []}], 200),
        ([None], 400),
        ([{"members": 3}], 400),
        ([[PATCH]], 400),
    ],
)
def test_groups_are_taken_apart_and_what_is_none_is_refused(body, status):
    """A group with members is served; an element without any is refused as the schema says."""
    service = Service([source.load() for source in find_sources([str(SHELVES)])], Options(mode="frozen"), NOW)
    headers = Headers((("Content-Type", "application/json"),))
    reply = service.handle("POST", "/shelves/authors/patches", headers, json.dumps(body).encode(), NOW)
    assert reply.status == status

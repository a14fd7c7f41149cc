"""A limit on unfinished jobs counts the jobs that the same operation polls, and no others."""

from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers((("Content-Type", "application/json"),))
LIMIT = {"max": 1, "per": "client and kind", "breach": 409}


@pytest.fixture
def post(tmp_path):
    """Return what posts a job of books: at `/jobs`, at `/more` with the same poll, at `/other` with one of its own."""
    books = yaml.safe_load(BOOKS.read_text(encoding="utf-8"))
    paths = books["paths"]
    for path, poll in (("jobs", "readJob"), ("more", "readJob"), ("other", "readOther")):
        one = paths[f"/books/{path}"] = deepcopy(paths["/books/jobs"])
        one["post"]["operationId"] = path
        one["post"]["responses"]["409"] = deepcopy(one["post"]["responses"]["400"])
        one["post"]["x-bulk"]["job"] |= {"active": LIMIT, "poll": poll}
        one["post"]["x-bulk"]["job"].pop("cancel", None)
    other = paths["/books/other/{job}"] = deepcopy(paths["/books/jobs/{job}"])
    other["get"]["operationId"] = "readOther"
    del other["delete"], paths["/books/jobs/{job}"]["delete"]
    (tmp_path / "books.yaml").write_text(yaml.safe_dump(books), encoding="utf-8")
    sources = find_sources((str(tmp_path / "books.yaml"),))
    service = Service([source.load() for source in sources], Options(mode="frozen"), REAL)
    body = orjson.dumps([{"isbn": "1", "title": "One"}])
    return lambda name: service.handle("POST", f"/books-api/books/{name}", JSON, body, REAL).status


def test_jobs_of_another_kind_do_not_count(post):
    """One of each kind may be unfinished; one more of the first kind is refused, whichever operation it comes by."""
    assert [post(name) for name in ("jobs", "other", "more", "jobs", "other")] == [202, 202, 409, 409, 409]

"""The times of a job stand where they are declared to be told, without further words."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import yaml
from callers import caller_of

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers((("Content-Type", "application/json"),))
TIMES = {"created": "/createdAt", "started": "/startedAt", "ended": "/endedAt"}
CONTROL = "/_sandbox/sandboxes/default/clock/advance"


def test_they_are_told_as_the_job_goes_on(tmp_path):
    """Each from its moment on, and as a number where its schema has one."""
    books = yaml.safe_load(BOOKS.read_text(encoding="utf-8"))
    books["paths"]["/books/jobs"]["post"]["x-bulk"]["job"]["times"] = TIMES
    books["components"]["schemas"]["Job"]["properties"] |= {
        "createdAt": {"type": "integer"},
        "startedAt": {"type": ["string", "null"]},
        "endedAt": {"type": "string"},
    }
    (tmp_path / "books.yaml").write_text(yaml.safe_dump(books), encoding="utf-8")
    sources = find_sources((str(tmp_path / "books.yaml"),))
    service = Service([source.load() for source in sources], Options(mode="frozen"), REAL)

    def send(method, target, body=None):
        data = b"" if body is None else orjson.dumps(body)
        return orjson.loads(service.handle(method, target, JSON if data else Headers(()), data, REAL).body)

    job = send("POST", "/books-api/books/jobs", [{"isbn": "1", "title": "One"}])["job"]
    told = []
    for by in ("PT0S", "PT6S", "PT6S"):
        send("POST", CONTROL, {"by": by})
        poll = send("GET", f"/books-api/books/jobs/{job}")
        told.append([poll.get(place[1:]) for place in TIMES.values()])
    begin, started, ended = int(REAL.timestamp()), "2026-01-01T00:00:05.500Z", "2026-01-01T00:00:11.000Z"
    assert told == [[begin, None, None], [begin, started, None], [begin, started, ended]]
    other = send("POST", "/books-api/books/jobs", [{"isbn": "2", "title": "Two"}])["job"]
    send("DELETE", f"/books-api/books/jobs/{other}")
    send("POST", CONTROL, {"by": "PT1H"})
    cancelled = send("GET", f"/books-api/books/jobs/{other}")
    assert (cancelled["startedAt"], cancelled["endedAt"]) == (None, "2026-01-01T00:00:12.000Z")  # it never began


def test_a_time_that_may_be_null_is_a_number_once_it_is_there(tmp_path):
    """Where its schema has numbers beside null."""
    books = yaml.safe_load(BOOKS.read_text(encoding="utf-8"))
    books["paths"]["/books/jobs"]["post"]["x-bulk"]["job"]["times"] = {"ended": "/at"}
    books["components"]["schemas"]["Job"]["properties"]["at"] = {"type": ["integer", "null"]}
    (tmp_path / "books.yaml").write_text(yaml.safe_dump(books), encoding="utf-8")
    call = caller_of(tmp_path / "books.yaml")
    job = call("POST", "/books-api/books/jobs", [{"isbn": "1", "title": "One"}])[1]["job"]
    assert call("GET", f"/books-api/books/jobs/{job}")[1]["at"] is None
    call("POST", CONTROL, {"by": "PT12S"})
    assert call("GET", f"/books-api/books/jobs/{job}")[1]["at"] == int(REAL.timestamp()) + 11

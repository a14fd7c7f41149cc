"""Documents in the shape of Google's APIs: versions in what is written, keys in the query, jobs elsewhere."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from callers import caller_of

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.http.service import Options, Service

TASKS = Path(__file__).parents[1] / "data" / "tasks.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers((("Content-Type", "application/json"),))


@pytest.fixture
def send():
    """Return a function that sends a call to a sandbox of the tasks."""
    return caller_of(TASKS)


def test_the_key_and_the_version_inside_what_an_item_writes_are_no_content(send):
    """A closed schema of the content has neither; the version counts, and nothing is told as not known."""
    _, one = send("POST", "/projects/apollo/tasks", {"title": "Old"})
    task = {"id": one["id"], "etag": one["etag"], "title": "New"}
    status, told = send("POST", "/projects/apollo/tasks:batchUpdate", {"requests": [{"task": task}]})
    assert (status, told["tasks"][0]["id"]) == (200, one["id"])
    status, told = send("POST", "/projects/apollo/tasks:batchUpdate", {"requests": [{"task": task}]})
    assert (status, "version" in told["error"]["message"]) == (400, True)
    _, now = send("GET", f"/projects/apollo/tasks/{one['id']}")
    assert send("PATCH", f"/projects/apollo/tasks/{one['id']}", {"etag": now["etag"], "title": "x"})[0] == 200
    assert send("PATCH", f"/projects/apollo/tasks/{one['id']}", {"etag": now["etag"], "title": "y"})[0] == 409


def test_a_key_in_the_query_is_that_of_the_new_record(send):
    """The schema of the content has no member for it."""
    assert send("POST", "/projects/apollo/labels?labelId=red", {"color": "RED"})[0] == 200
    assert send("GET", "/projects/apollo/labels/red") == (200, {"labelId": "red", "color": "RED"})


def test_a_job_is_polled_where_no_parameter_says_at_which_place_it_was_made(send):
    """Its own path has the job's id alone; what another place has is at a path that names it."""
    status, job = send("POST", "/projects/apollo/tasks:import", {"tasks": [{"title": "x"}]})
    assert (status, send("GET", f"/{job['name']}")[0]) == (200, 200)
    assert send("GET", "/operations/none")[0] == 404


def test_a_reply_that_can_tell_no_failure_has_no_entries_when_all_failed(tmp_path):
    """They would look like those of successes: the error says what was wrong."""
    path = tmp_path / "tasks.yaml"
    path.write_text(TASKS.read_text(encoding="utf-8").replace("covers: unless-failed", "covers: all"), encoding="utf-8")
    service = Service([source.load() for source in find_sources((str(path),))], Options(mode="frozen"), REAL)
    body = orjson.dumps({"requests": [{"task": {"id": "none", "title": "x"}}]})
    reply = service.handle("POST", "/projects/apollo/tasks:batchUpdate", JSON, body, REAL)
    assert (reply.status, [*orjson.loads(reply.body)]) == (400, ["error"])

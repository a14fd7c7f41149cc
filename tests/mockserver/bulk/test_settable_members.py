"""An `x-OPERATION` list in `x-resources` says which members a bulk operation may set, in any document."""

from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
import yaml
from click.testing import CliRunner

from contracts.messages import Headers
from mockserver.apis.sources import find_sources
from mockserver.cli import main
from mockserver.http.service import Options, Service
from mockserver.testing import running

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
REAL = datetime(2026, 1, 1, tzinfo=UTC)
JSON = Headers((("Content-Type", "application/json"),))


@pytest.fixture
def document(tmp_path):
    """Return the document of the books, in which `updateEach` may set the title of a book and nothing else."""
    books = yaml.safe_load(BOOKS.read_text(encoding="utf-8"))
    books["x-resources"]["books"]["x-update-each"] = ["title"]
    path = tmp_path / "books.yaml"
    path.write_text(yaml.safe_dump(books), encoding="utf-8")
    return str(path)


def test_an_item_that_sets_another_member_fails_alone(document):
    """Its record stays as it is; the key beside the list says which record is meant."""
    service = Service([source.load() for source in find_sources((document,))], Options(mode="frozen"), REAL)

    def send(method, target, body=None):
        data = b"" if body is None else orjson.dumps(body)
        reply = service.handle(method, target, JSON if data else Headers(()), data, REAL)
        return reply.status, orjson.loads(reply.body)

    made = [send("POST", "/books-api/books", {"isbn": f"{n}", "title": "Old"})[1] for n in range(2)]
    sets = ({"title": "New", "isbn": "9"}, {"title": "New"})
    items = [{"id": one["id"], "set": some} for one, some in zip(made, sets, strict=True)]
    status, told = send("POST", "/books-api/books/bulk-update", items)
    assert (status, [one["status"] for one in told["results"]]) == (207, [422, 200])
    assert told["results"][0]["error"] == "isbn cannot be set by this operation"
    assert [send("GET", f"/books-api/books/{one['id']}")[1]["title"] for one in made] == ["Old", "New"]
    assert send("PATCH", f"/books-api/books/{made[0]['id']}", {"isbn": "9"})[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("command", ["check", "fuzz --no-schemathesis --max-time 5s"])
def test_a_sandbox_that_serves_the_list_is_accused_of_nothing(command, document, tmp_path, monkeypatch):
    """No law has an operation set what it may not set, but to see that it is refused."""
    monkeypatch.chdir(tmp_path)
    with running(document, mode="frozen") as bulkproof:
        done = CliRunner().invoke(main, [*command.split(), "--url", bulkproof.url, document])
    assert done.exit_code == 0, done.output


def test_a_sandbox_that_serves_no_list_is_found_out(document, tmp_path, monkeypatch):
    """It does what its document forbids."""
    monkeypatch.chdir(tmp_path)
    with running(str(BOOKS), mode="frozen") as bulkproof:
        words = ["check", document, "--url", bulkproof.url, "--only", "exact", "--only", "updateEach"]
        done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    assert "exact: what may not be set is set" in done.output

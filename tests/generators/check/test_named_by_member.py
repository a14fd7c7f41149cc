"""Items that name records by a unique member, such as an external id, are sent and judged so."""

from pathlib import Path

import pytest
import yaml
from in_process import InProcess

from generators.check.run import FindingFound, run_checks
from mockserver.apis.sources import find_sources
from mockserver.bulk.record_service import RecordService

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
EFFECT = {"action": "upsert", "resource": "books", "target": ["/isbn"], "payload": ""}


@pytest.fixture
def api(tmp_path):
    """Return an API of books with one bulk operation: its items are upserts by `isbn`."""
    books = yaml.safe_load(BOOKS.read_text(encoding="utf-8"))
    bulk = books["paths"]["/books/bulk-each"]["post"]["x-bulk"]
    bulk |= {"effect": EFFECT, "key": {"by": "target", "at": "/isbn"}}
    bulk["reply"]["outcomes"]["key"] = "/ref"
    books["paths"] = {path: books["paths"][path] for path in ("/books", "/books/{id}", "/books/bulk-each")}
    (tmp_path / "books.yaml").write_text(yaml.safe_dump(books), encoding="utf-8")
    (source,) = find_sources([str(tmp_path / "books.yaml")])
    return source.load()


def found(api):
    """Return what a check of the API finds of itself."""
    events = run_checks(api.contract, InProcess(api), name_prefix="00001")
    return [event.finding for event in events if isinstance(event, FindingFound)]


def test_a_right_server_is_found_right(api):
    """No law takes the key of a record for the value of the member."""
    assert found(api) == []


def test_a_server_that_makes_a_second_record_is_found(api, monkeypatch):
    """What an upsert does to a record that is there is tried."""
    actions = RecordService._actions  # noqa: SLF001 - a bug is planted
    monkeypatch.setitem(actions, "upsert", lambda service, item: service._insert(item, None))  # noqa: SLF001 - so too
    assert any(finding.operation == "createEach" for finding in found(api))

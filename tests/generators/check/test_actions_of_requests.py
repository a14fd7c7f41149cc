"""Where a request says one action for all of its items, experiments with several items have items of one action."""

from pathlib import Path

import yaml
from in_process import InProcess

from generators.check.run import LawAnswered, run_checks
from mockserver.apis.sources import find_sources

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
ACTION = {"from": "query:do", "map": {"add": "create", "change": "update", "drop": "delete"}, "default": "add"}


def test_several_items_are_sent(tmp_path):
    """No law gives up because different actions cannot be in one request."""
    books = yaml.safe_load(BOOKS.read_text(encoding="utf-8"))
    post = books["paths"]["/books/bulk-each"]["post"]
    post["parameters"] = [{"name": "do", "in": "query", "schema": {"enum": ["add", "change", "drop"]}}]
    post["x-bulk"]["effect"] = {"action": ACTION, "resource": "books", "target": ["/id"], "payload": ""}
    books["paths"] = {path: books["paths"][path] for path in ("/books", "/books/{id}", "/books/bulk-each")}
    (tmp_path / "books.yaml").write_text(yaml.safe_dump(books), encoding="utf-8")
    (source,) = find_sources([str(tmp_path / "books.yaml")])
    api, laws = source.load(), ("isolated", "split")
    events = run_checks(api.contract, InProcess(api), name_prefix="00001", only=(*laws, "createEach"))
    answers = [one.answer for one in events if isinstance(one, LawAnswered)]
    assert {one.law: one.word for one in answers if one.law in laws} == dict.fromkeys(laws, "passed")

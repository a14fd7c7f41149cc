"""An item that is its own payload says beside its content which record it is for, and what it has seen of it."""

from pathlib import Path

import orjson
import pytest
import yaml
from callers import caller_of

from contracts.exchange.bulk_request import read_bulk_request
from contracts.exchange.locations import parse_request
from contracts.messages import Headers, Request
from contracts.openapi.loading import load

BOOKS = Path(__file__).parents[2] / "cases" / "contract_only" / "books.yaml"
JSON = Headers((("Content-Type", "application/json"),))


@pytest.fixture
def document(tmp_path):
    """Return the document of the books: items are their own payload; those of `createEach` are upserts by `isbn`."""
    books = yaml.safe_load(BOOKS.read_text(encoding="utf-8"))
    books["paths"]["/books/bulk-update"]["post"]["x-bulk"]["effect"]["payload"] = ""
    upserts = books["paths"]["/books/bulk-each"]["post"]["x-bulk"]
    upserts["effect"] = {"action": "upsert", "resource": "books", "target": ["/isbn"], "payload": ""}
    path = tmp_path / "books.yaml"
    path.write_text(yaml.safe_dump(books), encoding="utf-8")
    return path


@pytest.fixture
def send(document):
    """Return what sends a request to the sandbox of that document."""
    return caller_of(document)


def test_a_key_and_a_version_in_an_item_are_no_members_of_its_record(send):
    """A schema that has no other members does not refuse them."""
    made = send("POST", "/books-api/books", {"isbn": "1", "title": "One"})[1]
    changes = [{"id": made["id"], "version": 1, "title": "Two"}, {"id": made["id"], "titel": "Three"}]
    status, told = send("POST", "/books-api/books/bulk-update", changes)
    assert (status, [one["status"] for one in told["results"]]) == (207, [200, 422])
    assert send("GET", f"/books-api/books/{made['id']}")[1]["title"] == "Two"


def test_a_new_record_has_no_key_of_its_own_where_the_server_makes_it(send):
    """In an item that creates, a key is a member that is not known."""
    status, told = send("POST", "/books-api/books/bulk-once", [{"id": "7", "isbn": "1", "title": "One"}])
    assert (status, told["results"][0]["error"]) == (207, "id is not known")


def test_a_unique_member_names_the_record_that_an_upsert_changes(send):
    """As an external id does: a value that no record has makes one, and an item without one fails."""
    made = send("POST", "/books-api/books", {"isbn": "1", "title": "One"})[1]
    items = [{"isbn": "1", "title": "Two"}, {"isbn": "2", "title": "New"}, {"isbn": "2", "pages": 3}, {"title": "None"}]
    status, told = send("POST", "/books-api/books/bulk-each", items)
    assert (status, [one["status"] for one in told["results"]]) == (207, [200, 201, 200, 422])
    assert told["results"][0]["id"] == made["id"]
    assert send("GET", "/books-api/books")[1] == [
        {"id": made["id"], "isbn": "1", "title": "Two", "version": 2},
        {"id": told["results"][1]["id"], "isbn": "2", "title": "New", "version": 2, "pages": 3},
    ]


def test_judges_read_them_so_too(document):
    """What an item writes is what stands beside its key and its version."""
    contract = load(document)
    request = Request(method="POST", path="/", headers=JSON, body=orjson.dumps([{"id": "a", "version": 1, "x": 2}]))
    sent = parse_request(contract.operation("updateEach"), request, {})
    (item,) = read_bulk_request(contract, sent).items
    assert (item.target, item.version, item.payload) == ("a", 1, {"x": 2})


def test_judges_read_a_unique_member_as_a_lookup(document):
    """Which record has the value is looked up; an item without one names none that is known."""
    contract = load(document)
    request = Request(method="POST", path="/", headers=JSON, body=orjson.dumps([{"isbn": "1"}, {"title": "None"}]))
    sent = parse_request(contract.operation("createEach"), request, {})
    assert [one.target for one in read_bulk_request(contract, sent).items] == [{"isbn": "1"}, {}]

"""Keys of created records: in the body, at a declared link, or in the URL of a header field."""

import json
from datetime import UTC, datetime

import pytest

from contracts.exchange.outcomes import created_key, representation_reader
from contracts.messages import ABSENT, Exchange, Headers, Request, Response
from contracts.openapi.loading import load
from contracts.openapi.routing import Router

PATH = {"shelf": "$request.path.shelf", "id": "$response.header.X-Id"}
NUMBER = {"type": "object", "properties": {"id": {"type": "integer"}, "title": {"type": "string"}}}


@pytest.fixture
def created(tmp_path):
    """Return the key of a book created on shelf 3, in an API with a link."""

    def key(link, headers, body=ABSENT):
        (tmp_path / "books.json").write_text(json.dumps(document_with(link)), "utf-8")
        contract = load(tmp_path / "books.json")
        headed = Headers(tuple(headers))
        exchange = Exchange(
            n=1,
            at=datetime.now(UTC),
            api="books",
            operation="add",
            request=Request(method="POST", path="/shelves/3/books"),
            response=Response(status=201, headers=headed, data=body),
        )
        reader = representation_reader(contract.resources["books"], contract.operations)
        return created_key(contract, Router(contract), reader, exchange)

    return key


def document_with(link):
    """Return a document of books on shelves, whose creation is answered with a link."""
    ok = {"description": "", "content": {"application/json": {"schema": NUMBER}}}
    shelf, book = ({"name": name, "in": "path", "required": True, "schema": {}} for name in ("shelf", "id"))
    acts = {"resource": "books"}
    posts = {
        "operationId": "add",
        "requestBody": {"content": ok["content"]},
        "responses": {"201": {"description": "", "links": {"it": link}}},
        "x-record": {"action": "create", **acts},
    }
    gets = {"operationId": "read", "responses": {"200": ok}, "x-record": {"action": "read", "key": "path:id", **acts}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Books", "version": "1"},
        "paths": {
            "/shelves/{shelf}/books": {"parameters": [shelf], "post": posts},
            "/shelves/{shelf}/books/{id}": {"parameters": [shelf, book], "get": gets},
            "/other/{id}": {"parameters": [book], "get": {"operationId": "other", "responses": {"200": ok}}},
        },
        "x-resources": {"books": {"assigned": True}},
    }


@pytest.mark.parametrize(
    "link",
    [
        {"operationId": "read", "parameters": PATH},
        {"operationId": "read", "parameters": {f"path.{name}": one for name, one in PATH.items()}},
        {"operationId": "read", "parameters": {**PATH, "shelf": 3}},
        {"operationRef": "#/paths/~1shelves~1{shelf}~1books~1{id}/get", "parameters": PATH},
        {"operationRef": "#/paths/~1shelves~1%7Bshelf%7D~1books~1%7Bid%7D/get", "parameters": PATH},
    ],
)
def test_a_link_to_the_reading_of_a_record_tells_its_key(created, link):
    """In the type that records show; a key in the body is preferred."""
    assert created(link, [("X-Id", "7")]) == 7
    assert created(link, [("X-Id", "7")], {"id": 8}) == 8
    assert created(link, [("Location", "/shelves/3/books/9")]) == 9
    assert created(link, []) is ABSENT


def test_a_link_may_lead_to_a_value_in_the_body(created):
    """Its pointer is one of the body."""
    link = {"operationId": "read", "parameters": {**PATH, "id": "$response.body#/new/0"}}
    assert created(link, [], {"new": [7]}) == 7


@pytest.mark.parametrize(
    "link",
    [
        {"operationId": "other", "parameters": {"id": "$response.header.X-Id"}},
        {"operationId": "unknown", "parameters": PATH},
        {"operationRef": "https://example.com/openapi.json#/paths/~1a/get", "parameters": PATH},
        {"operationId": "read"},
        {"operationId": "read", "parameters": {**PATH, "id": "$url"}},
    ],
)
def test_other_links_tell_no_key(created, link):
    """Those to other operations, to none, and those whose values are not found."""
    assert created(link, [("X-Id", "7")]) is ABSENT

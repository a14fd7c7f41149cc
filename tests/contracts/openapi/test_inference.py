"""What is read from usual names where nothing is declared: pages of lists, and members of resources."""

import json

import pytest

from contracts import load
from contracts.bulk.lists import Pagination
from contracts.openapi.representations import page_of

ROOM = {"type": "object", "properties": {"id": {"type": "integer"}, "floor": {"type": "integer"}}}
WHOLE = {"type": "integer", "minimum": 1}


def _contract(folder, paths, **more):
    document = {"openapi": "3.1.0", "info": {"title": "T", "version": "1"}, "paths": paths, **more}
    (folder / "rooms.json").write_text(json.dumps(document))
    return load(folder / "rooms.json")


def _page(folder, parameters, beside=None, headers=None):
    """Return how a list with these parameters, and members beside its records, is paged."""
    records = {"type": "array", "items": ROOM}
    schema = {"type": "object", "properties": {"items": records, **(beside or {})}}
    answer = {"description": "", "content": {"application/json": {"schema": schema}}, "headers": headers or {}}
    query = [{"name": name, "in": "query", "schema": schema} for name, schema in parameters.items()]
    paths = {"/rooms": {"get": {"operationId": "list", "parameters": query, "responses": {"200": answer}}}}
    return page_of(_contract(folder, paths).operations[0])


def test_a_page_number_and_a_total_are_read_from_usual_names(tmp_path):
    """The judge knows the names that the sandbox serves, in any spelling."""
    found = _page(tmp_path, {"page": WHOLE, "per_page": {**WHOLE, "default": 20}}, {"total": {"type": "integer"}})
    assert found == Pagination(number="query:page", take="query:per_page", default=20, total="/total")


def test_a_total_may_stand_in_an_envelope_and_a_mere_count_is_none(tmp_path):
    """What is named count may be the number of records on one page."""
    inside = {"meta": {"type": "object", "properties": {"totalCount": {"type": "integer"}}}}
    assert _page(tmp_path, {"offset": WHOLE, "limit": WHOLE}, inside).total == "/meta/totalCount"
    assert _page(tmp_path, {"offset": WHOLE, "limit": WHOLE}, {"count": {"type": "integer"}}).total is None


@pytest.mark.parametrize(
    ("parameters", "beside", "headers"),
    [
        ({"page": {"type": "integer"}}, {}, {}),
        ({"page": {"type": "integer", "minimum": 0}}, {}, {}),
        ({"cursor": {"type": "string"}, "limit": {**WHOLE, "default": 20}}, {}, {}),
        ({"window": {"type": "integer"}}, {}, {}),
        ({}, {"next_cursor": {"type": "string"}}, {}),
        ({}, {"has_more": {"type": "boolean"}}, {}),
        ({}, {}, {"Link": {"schema": {"type": "string"}}}),
    ],
)
def test_a_list_that_may_be_paged_in_ways_that_are_not_known_has_no_known_end(tmp_path, parameters, beside, headers):
    """Nothing is expected to stand on its first page, however few records that has."""
    found = _page(tmp_path, parameters, beside, headers)
    assert (found.otherwise, found.is_paged, found.unasked) == (True, True, None)


@pytest.mark.parametrize("name", ["floor", "q", "sort", "limit"])
def test_parameters_that_select_or_only_give_a_size_leave_the_end_of_a_list_known(tmp_path, name):
    """A member of the records selects, and usual names of searches and orders do."""
    assert not _page(tmp_path, {name: {"type": "string"}}).otherwise


def _shelf(folder, resources, *, status="409"):
    """Return the resource of a document whose create declares a status, with these entries of `x-resources`."""
    fields = {"name": {"type": "string"}, "kind": {"enum": ["a", "b"]}, "note": {"type": "string"}}
    book = {"type": "object", "required": ["name", "kind"], "properties": fields}
    body = {"content": {"application/json": {"schema": book}}}
    answer = {"201": {"description": ""}, status: {"description": ""}}
    create = {"operationId": "create", "requestBody": body, "responses": answer}
    key = {"name": "bookId", "in": "path", "required": True, "schema": {"type": "integer"}}
    read = {"operationId": "read", "parameters": [key], "responses": {"200": {"description": ""}}}
    more = {"x-resources": resources} if resources else {}
    return _contract(folder, {"/books": {"post": create}, "/books/{bookId}": {"get": read}}, **more).resources["books"]


def test_what_an_entry_of_resources_does_not_say_is_inferred(tmp_path):
    """Its schema and what a new record must have come from the operations, and what it says stays."""
    own, whole = _shelf(tmp_path, {"books": {"key": "bookId", "assigned": True}}), _shelf(tmp_path, {})
    assert (own.schema, own.required, own.key) == (whole.schema, ("name", "kind"), "bookId")
    assert _shelf(tmp_path, {"books": {"required": []}}).required == ()


def test_texts_that_a_create_needs_may_be_unique_where_nothing_else_explains_its_409(tmp_path):
    """Where a unique member is declared, that is the reason."""
    assert _shelf(tmp_path, {}).likely == ("name",)
    assert _shelf(tmp_path, {"books": {"assigned": True, "unique": [["note"]]}}).likely == ()
    assert _shelf(tmp_path, {}, status="400").likely == ()

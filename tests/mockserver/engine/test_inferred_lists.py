"""Lists of stored records: what a document declares by usual names selects and pages, and every reply fits."""

from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
import yaml

from contracts.messages import Headers, Request
from contracts.openapi.loading import load
from contracts.openapi.validation import validate_response
from mockserver.api.model import Api
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.engine.pipeline import handle
from mockserver.sandbox.sandboxes import Sandbox, SandboxTemplate

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JSON = "application/json"
TEXT, NUMBER, FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
LIST_OF_TEXTS = {"type": "array", "items": TEXT}
TOKEN = {"type": ["string", "null"]}
URI = {"type": ["string", "null"], "format": "uri"}
KINDS = {"enum": ["cat", "dog"]}
PET = {
    "type": "object",
    "required": ["id"],
    "properties": {"id": NUMBER, "name": TEXT, "kind": KINDS, "age": NUMBER, "tame": FLAG, "tags": LIST_OF_TEXTS},
}
PETS = [
    {"name": "Ann", "kind": "cat", "age": 3, "tame": True, "tags": ["a", "b"]},
    {"name": "Bob", "kind": "dog", "age": 3, "tame": False, "tags": ["b"]},
    {"name": "Cid", "kind": "dog", "age": 5, "tame": True, "tags": []},
    {"name": "Dan", "kind": "cat", "age": 7, "tame": False, "tags": ["c"]},
    {"name": "Eve", "kind": "dog", "age": 9, "tame": True, "tags": ["a"]},
]
ARRAY = {"type": "array", "items": PET}
NEW_PET = {**PET, "required": ["name"]}


def document(parameters, envelope, *, headers=(), named=False):
    """Return a document with a list that has these query parameters, and these members beside its records."""
    body = (
        ARRAY
        if envelope is None
        else {"type": "object", "required": ["data"], "properties": {"data": ARRAY, **envelope}}
    )
    shown = {
        "200": {
            "description": "",
            "content": {JSON: {"schema": body}},
            "headers": {name: {"schema": TEXT} for name in headers},
        }
    }
    pet = {"content": {JSON: {"schema": PET}}}
    query = [{"name": name, "in": "query", "schema": schema} for name, schema in parameters.items()]
    item = {"parameters": [{"name": "id", "in": "path", "required": True, "schema": NUMBER}]}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Pets", "version": "1"},
        **({"x-resources": {"pets": {"key": "id", "assigned": True}}} if named else {}),
        "paths": {
            "/pets": {
                "get": {"operationId": "list", "parameters": query, "responses": shown},
                "post": {
                    "operationId": "make",
                    "requestBody": {"content": {JSON: {"schema": NEW_PET}}},
                    "responses": {"201": {"description": "", **pet}},
                },
            },
            "/pets/{id}": {**item, "get": {"operationId": "get", "responses": {"200": {"description": "", **pet}}}},
        },
    }


class Served:
    """A sandbox with the pets in it."""

    def __init__(self, folder, raw):
        file = folder / "pets.yaml"
        file.write_text(yaml.safe_dump(raw))
        self.api = Api(name="pets", contract=load(file), hooks=DEFAULT_HOOKS)
        self.box = Sandbox("default", SandboxTemplate(apis={"pets": self.api}), NOW)
        for pet in PETS:
            headers = Headers((("Content-Type", JSON),))
            made = handle(
                self.box, self.api, Request(method="POST", path="/pets", headers=headers, body=orjson.dumps(pet)), NOW
            )
            assert made.status == 201

    def list(self, query=""):
        """Return the response to a list with a query, which fits the document."""
        headers = Headers((("Host", "pets.example"),))
        request = Request(method="GET", path="/pets", query=tuple(parse_qsl(query)), headers=headers)
        response = handle(self.box, self.api, request, NOW)
        assert (response.status, response.headers.get("Bulkproof-Answer", "stored")) == (200, "stored")
        assert not [*validate_response(self.api.contract.operation("list"), response)]
        return response

    def names(self, query=""):
        """Return the first letters of the pets in a list."""
        data = self.list(query).data
        return "".join(one["name"][0] for one in (data["data"] if isinstance(data, dict) else data))


@pytest.fixture(params=[False, True], ids=["inferred", "named"])
def served(request, tmp_path):
    """Return a function that serves a document, whose resource is inferred or named."""
    return lambda parameters, envelope=None, **more: Served(
        tmp_path, document(parameters, envelope, named=request.param, **more)
    )


FILTERS = [
    ({"kind": KINDS}, "kind=dog", "BCE"),
    ({"kind": TEXT}, "kind=dog", "BCE"),
    ({"kind": TEXT}, "kind=bird", "ABCDE"),  # no pet can be one: it says something else, such as 'all'
    ({"name": TEXT}, "name=Nobody", ""),
    ({"name": TEXT, "kind": KINDS}, "kind=dog&name=Bob", "B"),
    ({"age": NUMBER}, "age=3", "AB"),
    ({"age": TEXT}, "age=3", "AB"),
    ({"tame": FLAG}, "tame=true", "ACE"),
    ({"tame": TEXT}, "tame=false", "BD"),
    ({"tags": TEXT}, "tags=b", "AB"),
    ({"kind": {"type": "array", "items": KINDS}}, "kind=dog&kind=cat", "ABCDE"),
    ({"age": {"type": "array", "items": NUMBER}}, "age=3&age=9", "ABE"),
    ({"tags": LIST_OF_TEXTS}, "tags=b&tags=c", "ABD"),
    ({"name[]": LIST_OF_TEXTS}, "name[]=Ann&name[]=Eve", "AE"),
    ({"id": {"type": "array", "items": NUMBER}}, "id=1&id=4", "AD"),
    ({"kind": KINDS}, "", "ABCDE"),
    ({"sort": TEXT}, "sort=name", "ABCDE"),
    ({}, "kind=dog", "ABCDE"),  # not declared
]


@pytest.mark.parametrize(("parameters", "query", "names"), FILTERS)
def test_a_parameter_named_like_a_member_selects(served, parameters, query, names):
    """By equality, an array by any of its values; only where the document declares the parameter."""
    assert served(parameters).names(query) == names


PAGES = [
    ({"limit": NUMBER}, "limit=2", "AB"),
    ({"offset": NUMBER, "limit": NUMBER}, "offset=3&limit=2", "DE"),
    ({"offset": NUMBER, "limit": NUMBER}, "offset=9", ""),
    ({"offset": NUMBER}, "offset=3", "DE"),
    ({"$skip": NUMBER, "$top": NUMBER}, "$skip=1&$top=1", "B"),
    ({"page": NUMBER, "per_page": NUMBER}, "page=2&per_page=2", "CD"),
    ({"page": NUMBER, "size": NUMBER}, "page=3&size=2", "E"),
    ({"page": {**NUMBER, "minimum": 0}, "size": NUMBER}, "page=1&size=2", "CD"),
    ({"page": NUMBER, "perPage": {**NUMBER, "default": 3}}, "page=2", "DE"),
    ({"page[number]": NUMBER, "page[size]": NUMBER}, "page[number]=2&page[size]=2", "CD"),
    ({"page": NUMBER}, "page=2", ""),
    ({"size": NUMBER}, "size=2", "ABCDE"),  # without a page number it may be anything
    ({"limit": {**NUMBER, "default": 2}}, "", "AB"),
    ({"starting_after": NUMBER, "limit": NUMBER}, "starting_after=2&limit=2", "CD"),
    ({"starting_after": TEXT, "limit": NUMBER}, "starting_after=99", ""),
    ({"cursor": TEXT, "limit": NUMBER}, "cursor=unknown", ""),
    ({"kind": KINDS, "limit": NUMBER}, "kind=dog&limit=2", "BC"),
    ({}, "limit=2", "ABCDE"),  # not declared
]


@pytest.mark.parametrize(("parameters", "query", "names"), PAGES)
def test_parameters_with_usual_names_ask_for_a_part(served, parameters, query, names):
    """By offset, page number or the key before; only where the document declares them."""
    assert served(parameters).names(query) == names


TOLD = [  # parameters, query, what is declared beside the list, what is said
    ({"limit": NUMBER}, "limit=2", {"total": NUMBER, "has_more": FLAG}, {"total": 5, "has_more": True}),
    ({"limit": NUMBER}, "limit=9", {"total_count": NUMBER, "more": FLAG}, {"total_count": 5, "more": False}),
    (
        {"page": NUMBER, "per_page": NUMBER},
        "page=2&per_page=2",
        {"meta": {"type": "object", "properties": {"page": NUMBER, "per_page": NUMBER, "total_pages": NUMBER}}},
        {"meta": {"page": 2, "per_page": 2, "total_pages": 3}},
    ),
    (
        {"page": NUMBER, "limit": NUMBER},
        "page=2&limit=2",
        {"next_page": {"type": ["integer", "null"]}, "current_page": NUMBER},
        {"next_page": 3, "current_page": 2},
    ),
    ({"page": NUMBER, "limit": NUMBER}, "page=3&limit=2", {"next_page": TOKEN}, {"next_page": None}),
    (
        {"offset": NUMBER, "limit": NUMBER},
        "limit=2&offset=2",
        {"next": URI, "previous": URI, "count": NUMBER},
        {
            "next": "http://pets.example/pets?limit=2&offset=4",
            "previous": "http://pets.example/pets?limit=2&offset=0",
            "count": 5,
        },
    ),
    ({"offset": NUMBER, "limit": NUMBER}, "limit=9", {"next": URI, "previous": URI}, {"next": None, "previous": None}),
    (
        {"starting_after": TEXT, "limit": NUMBER},
        "limit=2",
        {"paging": {"type": "object", "properties": {"next": {"type": "object", "properties": {"after": TEXT}}}}},
        {"paging": {"next": {"after": "2"}}} | {},
    ),
    (
        {"after": TEXT, "limit": NUMBER},
        "limit=9",
        {"paging": {"type": "object", "properties": {"next": {"type": "object", "properties": {"after": TEXT}}}}},
        {},
    ),
    ({"cursor": TEXT, "limit": NUMBER}, "limit=9", {"next_cursor": TEXT}, {}),
    ({"total": NUMBER}, "", {"total": TEXT}, {}),  # a text is no count
]


@pytest.mark.parametrize(("parameters", "query", "envelope", "said"), TOLD)
def test_members_with_usual_names_tell_of_the_other_pages(served, parameters, query, envelope, said):
    """What there is on other pages, in the form that the response's schema has."""
    data = served(parameters, envelope).list(query).data
    assert {name: value for name, value in data.items() if name != "data"} == said


FOLLOWED = [
    ({"cursor": TEXT, "limit": NUMBER}, {"next_cursor": TOKEN}, "next_cursor", "cursor"),
    ({"page_token": TEXT, "page_size": NUMBER}, {"next_page_token": {**TEXT}}, "next_page_token", "page_token"),
    ({"starting_after": TEXT, "limit": NUMBER}, {"next_cursor": TOKEN}, "next_cursor", "starting_after"),
    ({"pageToken": TEXT, "maxResults": NUMBER, "kind": KINDS}, {"nextPageToken": TOKEN}, "nextPageToken", "pageToken"),
]


@pytest.mark.parametrize(("parameters", "envelope", "member", "parameter"), FOLLOWED)
def test_cursors_are_followed_to_the_end(served, parameters, envelope, member, parameter):
    """Each page gives the cursor of the next, the last one none; all records are shown once."""
    pets, size = served(parameters, envelope), next(one for one in parameters if one not in {parameter, "kind"})
    query, names = f"{size}=2", ""
    for _ in range(3):
        data = pets.list(query).data
        names += "".join(one["name"][0] for one in data["data"])
        query = f"{size}=2&{parameter}={data.get(member)}"
    assert names == "ABCDE"
    assert not data.get(member)


@pytest.mark.parametrize(
    "parameters",
    [
        {"page": NUMBER, "per_page": NUMBER},
        {"offset": NUMBER, "per_page": NUMBER},
        {"cursor": TEXT, "per_page": NUMBER},
    ],
)
def test_a_declared_link_header_is_followed_to_the_end(served, parameters):
    """RFC 8288: `rel="next"` leads to the next page, with all other parameters as they were."""
    pets = served({**parameters, "kind": KINDS}, headers=["Link"])
    query, names = "per_page=2&kind=dog", ""
    while query is not None:
        response = pets.list(query)
        names += "".join(one["name"][0] for one in response.data)
        links = dict(reversed(one.split("; rel=")) for one in response.headers.get("Link").split(", ") if one)
        query = urlsplit(links['"next"'].strip("<>")).query if '"next"' in links else None
    assert names == "BCE"

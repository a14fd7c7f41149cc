"""Swagger 2.0 documents become contracts, as the same API written in OpenAPI 3.0 would."""

import copy
import json
import random

import pytest

from contracts import ContractError, load
from contracts.openapi.loading import LoadOptions
from contracts.openapi.swagger import to_openapi

SHOP = {
    "swagger": "2.0",
    "info": {"title": "Shop", "version": "1"},
    "host": "shop.example:8443",
    "basePath": "/v2/",
    "schemes": ["http", "https"],
    "consumes": ["application/json", "application/xml"],
    "produces": ["application/json"],
    "security": [{"key": []}],
    "securityDefinitions": {
        "basic": {"type": "basic", "description": "By name."},
        "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
        "oauth": {
            "type": "oauth2",
            "flow": "accessCode",
            "authorizationUrl": "a",
            "tokenUrl": "t",
            "scopes": {"r": ""},
        },
    },
    "parameters": {
        "Limit": {"name": "limit", "in": "query", "type": "integer", "minimum": 1, "default": 10},
        "Body": {"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Pet"}},
        "File": {"name": "file", "in": "formData", "type": "file", "required": True},
    },
    "responses": {"Problem": {"description": "No.", "schema": {"$ref": "#/definitions/Problem"}}},
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "string", "pattern": "^[a-z]+$"}],
            "get": {
                "operationId": "get",
                "x-note": 1,
                "parameters": [
                    {"$ref": "#/parameters/Limit"},
                    {
                        "name": "tags",
                        "in": "query",
                        "type": "array",
                        "items": {"type": "string"},
                        "collectionFormat": "multi",
                    },
                    {"name": "ids", "in": "query", "type": "array", "items": {"type": "integer"}},
                    {
                        "name": "bars",
                        "in": "query",
                        "type": "array",
                        "items": {"type": "integer"},
                        "collectionFormat": "pipes",
                    },
                ],
                "produces": ["application/json", "text/csv"],
                "responses": {
                    "200": {
                        "description": "It.",
                        "schema": {"$ref": "#/definitions/Pet"},
                        "examples": {"application/json": {"id": "a", "kind": "cat"}},
                        "headers": {"X-Total": {"type": "integer", "description": "All."}},
                    },
                    "default": {"$ref": "#/responses/Problem"},
                },
            },
            "put": {
                "operationId": "put",
                "parameters": [{"$ref": "#/parameters/Body"}],
                "responses": {"200": {"description": "Put."}},
            },
            "post": {
                "operationId": "post",
                "consumes": ["multipart/form-data"],
                "parameters": [{"$ref": "#/parameters/File"}, {"name": "note", "in": "formData", "type": "string"}],
                "responses": {"201": {"description": "Sent.", "schema": {"type": "file"}}},
            },
            "patch": {
                "operationId": "patch",
                "parameters": [{"name": "note", "in": "formData", "type": "string", "required": True}],
                "responses": {"204": {"description": "Done."}},
            },
        }
    },
    "definitions": {
        "Pet": {
            "type": "object",
            "discriminator": "kind",
            "required": ["id", "kind"],
            "properties": {
                "id": {"type": "string"},
                "kind": {"type": "string"},
                "owner": {"type": "string", "x-nullable": True},
                "problems": {"type": "array", "items": {"$ref": "#/definitions/Problem"}},
            },
            "example": {"$ref": "#/definitions/Pet"},
        },
        "Problem": {"type": "object", "properties": {"message": {"type": "string"}}},
    },
}


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads a document."""

    def load_it(document, **options):
        (tmp_path / "shop.json").write_text(json.dumps(document), encoding="utf-8")
        return load(tmp_path / "shop.json", options=LoadOptions(**options))

    return load_it


@pytest.fixture
def shop(loaded):
    """Return the contract of the document above."""
    return loaded(SHOP)


def test_the_conversion_is_told(loaded, shop):
    """It is the only repair of a sound document; strict loading refuses it."""
    assert [one.fact for one in shop.repairs] == ["this is Swagger 2.0."]
    with pytest.raises(ContractError, match="Convert it to OpenAPI 3"):
        loaded(SHOP, strict=True)


def test_host_and_base_path_are_servers(loaded, shop):
    """Each scheme is a server; without a host the base path is relative."""
    assert shop.mount == "/v2"
    assert [one["url"] for one in shop.document["servers"]] == [
        "http://shop.example:8443/v2",
        "https://shop.example:8443/v2",
    ]
    local = {name: one for name, one in SHOP.items() if name not in {"host", "basePath"}}
    assert loaded(local).mount == ""


def test_parameters_have_schemas_and_styles(shop):
    """The keywords beside a name are its schema; a collection format is a style."""
    limit, tags, ids, bars = shop.operation("get").parameters[1:]
    assert limit.schema.raw == {"type": "integer", "minimum": 1, "default": 10}
    assert [(one.style, one.explode) for one in (tags, ids, bars)] == [
        ("form", True),
        ("form", False),
        ("pipeDelimited", False),
    ]
    assert not shop.operation("put").parameters[0].schema.is_valid("A")


def test_bodies_come_from_parameters(shop):
    """A body has the media types that are consumed, a form its members; a file makes it multipart."""
    put, post, patch = (shop.operation(one).body for one in ("put", "post", "patch"))
    assert [one.media_range for one in put.content] == ["application/json", "application/xml"]
    assert put.required
    assert put.content[0].schema.ref.endswith("#/components/schemas/Pet")
    assert [one.media_range for one in post.content] == ["multipart/form-data"]
    assert post.content[0].schema.raw["required"] == ["file"]
    assert [one.media_range for one in patch.content] == ["application/x-www-form-urlencoded"]
    assert not patch.content[0].schema.is_valid({})


def test_responses_have_content_by_what_is_produced(shop):
    """Examples and header fields are those of OpenAPI; a file is binary."""
    found = shop.operation("get").response(200)
    assert [one.media_range for one in found.content] == ["application/json", "text/csv"]
    assert [*found.content[0].examples.values()] == [{"id": "a", "kind": "cat"}]
    assert found.headers[0].schema.raw == {"type": "integer"}
    assert shop.operation("get").response(500).content[0].schema.is_valid({"message": "x"})
    (sent,) = shop.operation("post").response(201).content
    assert (sent.media_range, sent.schema.raw["format"]) == ("application/octet-stream", "binary")


def test_schemas_and_schemes_are_those_of_openapi(shop):
    """Null is allowed by `x-nullable`, the discriminator is an object, OAuth has flows; examples stay as they are."""
    pet = shop.schemas.schema("contract:/shop/shop.json#/components/schemas/Pet")
    assert pet.is_valid({"id": "a", "kind": "cat", "owner": None, "problems": [{}]})
    assert not pet.is_valid({"id": "a", "kind": "cat", "problems": [5]})
    assert pet.raw["discriminator"] == {"propertyName": "kind"}
    assert pet.raw["examples"] == [{"$ref": "#/definitions/Pet"}]
    assert shop.security_schemes["basic"] == {"type": "http", "scheme": "basic", "description": "By name."}
    assert shop.security_schemes["oauth"]["flows"] == {
        "authorizationCode": {"authorizationUrl": "a", "tokenUrl": "t", "scopes": {"r": ""}}
    }
    assert shop.operation("get").extras == {"x-note": 1}


def test_the_document_is_not_changed():
    """The conversion makes a new document."""
    before = copy.deepcopy(SHOP)
    to_openapi(SHOP)
    assert before == SHOP


@pytest.mark.parametrize("seed", range(150))
def test_no_mutated_document_brings_a_traceback(loaded, seed):
    """Whatever stands anywhere in it, a document is converted and mended, or refused by faults."""
    draw = random.Random(seed)
    document = copy.deepcopy(SHOP)
    for _ in range(draw.randint(1, 5)):
        places = [document]
        for place in places:
            places += [
                one for one in (place.values() if isinstance(place, dict) else place) if isinstance(one, dict | list)
            ]
        place = draw.choice([one for one in places if one])
        key = draw.choice(list(place) if isinstance(place, dict) else range(len(place)))
        place[key] = draw.choice([None, 5, "x", [], {}, ["body"], {"$ref": "#/parameters/Body"}, {"in": "body"}, True])
    try:
        assert loaded(document).name == "shop"
    except ContractError as error:
        found = error.faults
    else:
        found = ()
    assert all(one.fact and one.cure for one in found)

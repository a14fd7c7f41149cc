"""Valid requests of any operation: what is written is read back as it was, whatever the style and the media type."""

import json
from itertools import product

import pytest

from contracts.openapi.forms import read_form
from contracts.openapi.loading import load
from contracts.openapi.parameters import read_parameters
from contracts.openapi.routing import Router
from contracts.openapi.security import is_authorised
from contracts.openapi.validation import validate_request
from generators.requests.calls import RequestDraft, valid_request
from generators.requests.serialisation import encode_body

STYLES = {
    "path": ("simple", "label", "matrix"),
    "query": ("form", "spaceDelimited", "pipeDelimited", "deepObject"),
    "header": ("simple",),
    "cookie": ("form",),
}
VALUES = {
    "integer": ({"type": "integer"}, 5),
    "boolean": ({"type": "boolean"}, True),
    "text": ({"type": "string"}, "a b/ü"),
    "array": ({"type": "array", "items": {"type": "integer"}}, [3, 4, 5]),
    "one": ({"type": "array", "items": {"type": "string"}}, ["a"]),
    "object": (
        {"type": "object", "properties": {"r": {"type": "integer"}, "g": {"type": "string"}}},
        {"r": 1, "g": "x"},
    ),
}
ONLY = {"deepObject": {"object"}, "spaceDelimited": {"array", "one"}, "pipeDelimited": {"array", "one"}}
CASES = [
    (where, style, explode, value)
    for where, styles in STYLES.items()
    for style, explode, value in product(styles, (True, False), VALUES)
    if value in ONLY.get(style, VALUES) and not (style == "deepObject" and not explode)
]


def contract_of(tmp_path, paths, **more):
    file = tmp_path / "api.json"
    document = {"openapi": "3.0.3", "info": {"title": "t", "version": "1"}, "paths": paths, **more}
    file.write_text(json.dumps(document))
    return load(file)


def operation(parameters=(), content=None, **more):
    body = {"requestBody": {"required": True, "content": content}} if content else {}
    return {"parameters": [*parameters], "responses": {"200": {"description": "ok"}}, **body, **more}


def checked(contract, request):
    """Return the operation that a request goes to, its parameters as they are read, and its violations."""
    route = Router(contract).match(request.method, request.path)
    read = {one.name: value for one, value in read_parameters(route.operation, request, route.variables)}
    return route.operation, read, validate_request(route.operation, request, route.variables).violations


@pytest.mark.parametrize(("where", "style", "explode", "value"), CASES)
def test_a_parameter_is_read_as_it_was_written(tmp_path, where, style, explode, value):
    """OpenAPI's styles, in each place and exploded or not."""
    schema, written = VALUES[value]
    declared = {"name": "p", "in": where, "required": True, "schema": schema, "style": style, "explode": explode}
    if where in {"header", "cookie"} and value == "text":
        written = "ab"
    contract = contract_of(tmp_path, {"/a/{p}" if where == "path" else "/a": {"get": operation([declared])}})
    made = RequestDraft(operation=contract.operations[0])
    made.set_parameter(contract.operations[0].parameters[0], written)
    _, read, violations = checked(contract, made.request())
    assert (read["p"], violations) == (written, ())


MEMBERS = {
    "name": "a & b",
    "count": 3,
    "wanted": True,
    "tags": ["x", "y"],
    "owner": {"id": 7, "pets": ["p"]},
    "file": "content of it",
}
SCHEMA = {
    "type": "object",
    "required": [*MEMBERS],
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "wanted": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "owner": {
            "type": "object",
            "properties": {"id": {"type": "integer"}, "pets": {"type": "array", "items": {"type": "string"}}},
        },
        "file": {"type": "string", "format": "binary"},
    },
}


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_a_form_is_read_as_it_was_written(tmp_path, media_type):
    """Numbers, arrays, nested objects and files, in both kinds of forms."""
    contract = contract_of(tmp_path, {"/a": {"post": operation(content={media_type: {"schema": SCHEMA}})}})
    media = contract.operations[0].body.content[0]
    encoded = encode_body(media, MEMBERS)
    assert read_form(encoded.media_type, encoded.content, media) == MEMBERS


BODIES = {
    "JSON": ({"application/json": {"schema": SCHEMA}}, "application/json"),
    "JSON before a form": (
        {"application/x-www-form-urlencoded": {"schema": SCHEMA}, "application/json": {"schema": SCHEMA}},
        "application/json",
    ),
    "a form": ({"application/x-www-form-urlencoded": {"schema": SCHEMA}}, "application/x-www-form-urlencoded"),
    "parts": ({"multipart/form-data": {"schema": SCHEMA}}, "multipart/form-data; boundary=bulkproof-part"),
    "mixed parts": ({"multipart/mixed": {"schema": SCHEMA}}, "multipart/mixed; boundary=bulkproof-part"),
    "octets": (
        {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "application/octet-stream",
    ),
    "an image": ({"image/png": {"schema": {"type": "string", "format": "binary"}}}, "image/png"),
    "no schema": ({"application/zip": {}}, "application/zip"),
    "text": ({"text/plain": {"schema": {"type": "string"}}}, "text/plain"),
    "XML": ({"application/xml": {"schema": SCHEMA}}, "application/xml"),
    "XML as an example": ({"application/xml": {"example": "<a/>"}}, "application/xml"),
    "anything": ({"*/*": {"schema": {"type": "object"}}}, "application/json"),
    "any text": ({"text/*": {"schema": {"type": "string"}}}, "text/plain"),
    "lines": ({"application/x-ndjson": {"schema": {"type": "array", "items": SCHEMA}}}, "application/x-ndjson"),
    "an unknown type": ({"application/x-strange": {"schema": SCHEMA}}, "application/x-strange"),
}


@pytest.mark.parametrize("name", BODIES)
def test_every_media_type_has_a_body(tmp_path, name):
    """A body with its type is made of any media type, and of the best of several."""
    content, media_type = BODIES[name]
    contract = contract_of(tmp_path, {"/a": {"post": operation(content=content)}})
    request, warning = valid_request(contract, contract.operations[0])
    assert warning == ""
    assert request.body
    assert request.headers.get("Content-Type") == media_type


SCHEMES = {
    "basic": {"type": "http", "scheme": "basic"},
    "bearer": {"type": "http", "scheme": "bearer"},
    "digest": {"type": "http", "scheme": "digest"},
    "header": {"type": "apiKey", "in": "header", "name": "X-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "key"},
    "cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "oauth": {"type": "oauth2", "flows": {"clientCredentials": {"tokenUrl": "/t", "scopes": {}}}},
}


@pytest.mark.parametrize("name", SCHEMES)
def test_a_request_has_the_credentials_of_its_scheme(tmp_path, name):
    """Made-up credentials are of the declared form, beside a cookie that is a parameter."""
    cookie = {"name": "c", "in": "cookie", "required": True, "schema": {"type": "integer"}}
    contract = contract_of(
        tmp_path,
        {"/a": {"get": operation([cookie], security=[{name: []}])}},
        components={"securitySchemes": {name: SCHEMES[name]}},
    )
    request, warning = valid_request(contract, contract.operations[0])
    assert is_authorised(contract, contract.operations[0], request)
    bare = valid_request(contract, contract.operations[0], made_up=False).request
    assert not is_authorised(contract, contract.operations[0], bare)
    assert (warning, isinstance(checked(contract, request)[1]["c"], int)) == ("", True)


RECORD = {
    "type": "object",
    "required": ["id", "name"],
    "properties": {
        "id": {"type": "integer"},
        "made": {"type": "string", "readOnly": True},
        "name": {"type": "string", "minLength": 1},
    },
}


@pytest.mark.parametrize("variable", ["id", "petId"])
def test_the_key_in_the_path_is_the_key_in_the_body(tmp_path, variable):
    """A record is changed under the key that its body has; what only the server sets is not sent."""
    key = {"name": variable, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 1}}
    one = {"schema": RECORD}
    answer = {"200": {"description": "ok", "content": {"application/json": one}}}
    pets = {
        "get": operation()
        | {
            "responses": {
                "200": {
                    "description": "ok",
                    "content": {"application/json": {"schema": {"type": "array", "items": RECORD}}},
                }
            }
        },
        "post": operation(content={"application/json": one}) | {"responses": answer},
    }
    item = {
        "get": operation([key]) | {"responses": answer},
        "put": operation([key], {"application/json": one}) | {"responses": answer},
    }
    contract = contract_of(tmp_path, {"/pets": pets, f"/pets/{{{variable}}}": item})
    for seed in range(5):
        request, warning = valid_request(contract, next(o for o in contract.operations if o.method == "PUT"), seed)
        body = json.loads(request.body)
        assert (warning, request.path) == ("", f"/pets/{body['id']}")
        assert "made" not in body


def test_what_has_no_valid_request_says_so(tmp_path):
    """A parameter that no value fits is sent as well as can be, with a warning."""
    impossible = {
        "name": "n",
        "in": "query",
        "required": True,
        "schema": {"type": "integer", "minimum": 2, "maximum": 1},
    }
    contract = contract_of(tmp_path, {"/a": {"get": operation([impossible])}})
    request, warning = valid_request(contract, contract.operations[0])
    assert request.query
    assert warning.startswith("query:n")

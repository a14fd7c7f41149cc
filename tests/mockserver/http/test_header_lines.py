"""No value that a document, a scenario or a setting declares begins a line of its own in a response."""

import json

import pytest

EVIL = "v\r\nEvil: 1"


def document(folder):
    """Write a document that breaks lines wherever it names something of a response."""
    headers = {"X-Value": {"schema": {"const": EVIL}, "example": EVIL}, f"X-Name{EVIL}": {"example": "v"}}
    content = {f"application/json{EVIL}": {"example": {"a": 1}}}
    schemes = {
        "key": {"type": "apiKey", "in": "header", "name": f"X-Key{EVIL}"},
        "other": {"type": "http", "scheme": f"other{EVIL}"},
    }
    guarded = {"security": [{"key": []}, {"other": []}], "responses": {"200": {"description": ""}}}
    served = {"operationId": EVIL, "responses": {"200": {"description": "", "headers": headers, "content": content}}}
    path = folder / "hostile.json"
    whole = {
        "openapi": "3.1.0",
        "info": {"title": EVIL, "version": EVIL},
        "components": {"securitySchemes": schemes},
        "paths": {"/served": {"get": served}, "/guarded": {"get": guarded}},
    }
    path.write_text(json.dumps(whole))
    return path


@pytest.mark.parametrize("ask", ["/served", "/guarded", f"/served?a={'%0d%0aEvil:%201'}", "/served%0d%0aEvil:1"])
@pytest.mark.parametrize("prefer", ["", "code=200", "example=a", "dynamic=true"])
def test_no_document_adds_a_line(serving, tmp_path, ask, prefer):
    """What has a line break is cleaned or left out."""
    client = serving(document(tmp_path), settings={"auth": "strict"})
    for fields in ({}, {"Connection": "close"}):
        answer = client.call("GET", ask, headers={**fields, **({"Prefer": prefer} if prefer else {})})
        assert answer.status in {200, 401, 404}
        assert not [name for name in answer.headers if name.startswith(("evil", "x-name"))]
        assert all(value.isprintable() for value in answer.headers.values())


@pytest.mark.parametrize(
    "scenario",
    [
        {"name": "s", "rules": [{"then": {"status": 200, "headers": {"X-A": EVIL}}}]},
        {"name": "s", "rules": [{"then": {"status": 200, "headers": {f"X-A{EVIL}": "v"}}}]},
        {"name": "s", "rules": [{"then": {"status": 200, "headers": {"X-A": "v\n"}}}]},
        {"name": EVIL, "rules": [{"then": {"status": 503}}]},
        {"name": "../../etc/passwd", "rules": [{"then": {"status": 503}}]},
        {"name": "..", "rules": [{"then": {"status": 503}}]},
        "../../etc/passwd",
        "/etc/passwd",
        "..",
        "%2e%2e",
        "a\0b",
    ],
)
def test_no_scenario_names_a_path_or_adds_a_line(serving, scenario):
    """It is refused, and nothing of it is active; no file is read by a name that a request has."""
    client = serving("genero")
    answer = client.control("PUT", "scenarios", {"scenarios": [scenario]})
    assert answer.status in {400, 404, 422}, answer.body
    assert client.control("GET", "scenarios").data == {"scenarios": []}
    assert b"root:" not in answer.body

"""What changes between two versions of a contract: operations, parameters, bodies, statuses, headers, security."""

import json

import pytest

from contracts.diff.compare import compare
from contracts.openapi.loading import load

JSON = "application/json"
TEXT = {"type": "string", "maxLength": 10}
PET = {"type": "object", "required": ["name"], "properties": {"name": TEXT}}
BASE = {
    "openapi": "3.1.0",
    "info": {"title": "Pets", "version": "1"},
    "servers": [{"url": "/pets-api"}],
    "paths": {
        "/pets": {
            "post": {
                "operationId": "add",
                "parameters": [
                    {"name": "dry", "in": "query", "schema": {"type": "boolean", "default": False}},
                    {"name": "X-Trace", "in": "header", "schema": {"type": "string"}},
                ],
                "requestBody": {"content": {JSON: {"schema": PET}}},
                "responses": {
                    "201": {
                        "description": "made",
                        "headers": {"Location": {"required": True, "schema": {"type": "string"}}},
                        "content": {JSON: {"schema": PET}},
                    },
                    "4XX": {"description": "refused", "content": {JSON: {"schema": {"type": "object"}}}},
                },
                "security": [{"key": []}, {"login": ["read", "write"]}],
            },
            "get": {"operationId": "list", "responses": {"200": {"description": "all"}}, "security": []},
        },
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": "read", "responses": {"200": {"description": "one"}}, "security": []},
        },
    },
    "components": {
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
            "login": {"type": "oauth2", "flows": {}},
        }
    },
}
GONE = object()
POST, BODY, MADE = "paths /pets post", "paths /pets post requestBody", "paths /pets post responses 201"
CASES = {
    "a method goes": ({"paths /pets get": GONE}, {("method-removed", "error")}),
    "a path goes": ({"paths /pets/{id}": GONE}, {("path-removed", "error")}),
    "a method comes": (
        {"paths /pets put": {"operationId": "p", "responses": {"200": {"description": "x"}}}},
        {("method-added", "info")},
    ),
    "a path comes": (
        {"paths /cats": {"get": {"operationId": "c", "responses": {"200": {"description": "x"}}}}},
        {("path-added", "info")},
    ),
    "another operationId": ({f"{POST} operationId": "create"}, {("operation-id-changed", "warning")}),
    "another base path": ({"servers": [{"url": "/v2"}]}, {("server-path-changed", "warning")}),
    "paths without regard to case": ({"x-path-case": "insensitive"}, {("path-case-widened", "info")}),
    "a quota": ({f"{POST} x-quota": [{"max": 5, "per": "P1D"}]}, {("x-quota", "error")}),
    "a reserved word": ({"x-reserved": ["batch"]}, {("reserved-word-added", "warning")}),
    "a parameter goes": ({f"{POST} parameters 0": GONE}, {("parameter-removed", "warning")}),
    "a parameter comes": (
        {f"{POST} parameters +": {"name": "new", "in": "query", "schema": {}}},
        {("parameter-added", "info")},
    ),
    "a required parameter comes": (
        {f"{POST} parameters +": {"name": "new", "in": "query", "required": True, "schema": {}}},
        {("required-parameter-added", "error")},
    ),
    "a parameter is required": ({f"{POST} parameters 0 required": True}, {("parameter-became-required", "error")}),
    "a parameter's style": ({f"{POST} parameters 0 explode": False}, {("parameter-style-changed", "error")}),
    "a parameter's type": (
        {f"{POST} parameters 1 schema": {"type": "integer"}},
        {("request-type-narrowed", "error"), ("request-type-widened", "info")},
    ),
    "a parameter's default": ({f"{POST} parameters 0 schema default": True}, {("request-default-changed", "warning")}),
    "a header's name in another case": ({f"{POST} parameters 1 name": "x-trace"}, set()),
    "a body is required": ({f"{BODY} required": True}, {("request-body-became-required", "error")}),
    "a body goes": ({BODY: GONE}, {("request-body-removed", "error")}),
    "a media type goes": (
        {f"{BODY} content": {"text/csv": {}}},
        {("request-media-type-removed", "error"), ("request-media-type-added", "info")},
    ),
    "a media type becomes a range": (
        {f"{BODY} content": {"application/*": {"schema": PET}}},
        {("request-media-type-added", "info")},
    ),
    "a shorter text is asked": (
        {f"{BODY} content {JSON} schema properties name maxLength": 5},
        {("request-maxLength-narrowed", "error")},
    ),
    "a longer text is taken": (
        {f"{BODY} content {JSON} schema properties name maxLength": 50},
        {("request-maxLength-widened", "info")},
    ),
    "a longer text is answered": (
        {f"{MADE} content {JSON} schema properties name maxLength": 50},
        {("response-maxLength-widened", "error")},
    ),
    "a shorter text is answered": (
        {f"{MADE} content {JSON} schema properties name maxLength": 5},
        {("response-maxLength-narrowed", "info")},
    ),
    "a success goes and comes": (
        {MADE: GONE, f"{POST} responses 200": {"description": "made"}},
        {("success-status-removed", "error"), ("success-status-added", "error")},
    ),
    "a failure that its class told of": (
        {f"{POST} responses 409": {"description": "no", "content": {JSON: {"schema": {"type": "object"}}}}},
        set(),
    ),
    "a failure that nothing told of": (
        {"paths /pets get responses 503": {"description": "later"}},
        {("failure-status-added", "warning")},
    ),
    "a failure goes": ({f"{POST} responses 4XX": GONE}, {("failure-status-removed", "info")}),
    "a header of the answer goes": ({f"{MADE} headers Location": GONE}, {("response-header-removed", "error")}),
    "a header of the answer comes": (
        {f"{MADE} headers ETag": {"schema": {"type": "string"}}},
        {("response-header-added", "info")},
    ),
    "a header of the answer may be absent": (
        {f"{MADE} headers Location required": False},
        {("response-header-became-optional", "error")},
    ),
    "an answer's media type goes": (
        {f"{MADE} content": {"text/csv": {}}},
        {("response-media-type-removed", "error"), ("response-media-type-added", "warning")},
    ),
    "an answer's body goes": ({f"{MADE} content": GONE}, {("response-body-removed", "error")}),
    "an answer's body comes": (
        {"paths /pets get responses 200 content": {JSON: {}}},
        {("response-media-type-added", "info")},
    ),
    "a credential is asked": ({"paths /pets get security": [{"key": []}]}, {("security-tightened", "error")}),
    "no credential is asked": ({f"{POST} security": []}, {("security-relaxed", "info")}),
    "a credential does not suffice": ({f"{POST} security 0": GONE}, {("security-tightened", "error")}),
    "a scope is not needed": (
        {f"{POST} security 1": {"login": ["read"]}},
        {("security-relaxed", "info")},
    ),
    "a key has another name": (
        {"components securitySchemes key name": "X-Api-Key"},
        {("security-scheme-changed", "error")},
    ),
}


def changed(edits):
    document = json.loads(json.dumps(BASE))
    for path, value in edits.items():
        *parents, last = path.split(" ")
        node = document
        for name in parents:
            node = node[int(name)] if isinstance(node, list) else node[name]
        if last == "+":
            node.append(value)
        elif value is GONE:
            del node[int(last) if isinstance(node, list) else last]
        else:
            node[int(last) if isinstance(node, list) else last] = value
    return document


@pytest.fixture
def contract_of(tmp_path):
    def read(document):
        path = tmp_path / "pets.json"
        path.write_text(json.dumps(document))
        return load(path)

    return read


def told(diff):
    return {(one.rule, one.severity) for one in diff.changes}


@pytest.mark.parametrize("name", CASES)
def test_each_change_is_told_with_its_severity(contract_of, name):
    """Whatever changes is told by its rule, as bad as it is for a client of the old version, and nothing else is."""
    edits, expected = CASES[name]
    assert told(compare(contract_of(BASE), contract_of(changed(edits)))) == expected


def test_nothing_changes_between_a_contract_and_itself(contract_of):
    """A contract compared with itself gives no change at all."""
    assert compare(contract_of(BASE), contract_of(BASE)).changes == ()


def test_other_names_of_path_variables_are_no_change(contract_of):
    """What a path's variable is called is no business of a client."""
    other = json.loads(json.dumps(BASE).replace("{id}", "{petId}").replace('"name": "id"', '"name": "petId"'))
    assert compare(contract_of(BASE), contract_of(other)).changes == ()


def test_names_that_nobody_gave_are_no_change(contract_of):
    """An operation without an operationId has a name of ours, which may change with its path's variables."""
    nameless = {"paths /pets/{id} get operationId": GONE}
    other = json.loads(json.dumps(changed(nameless)).replace("{id}", "{key}").replace('"name": "id"', '"name": "key"'))
    assert compare(contract_of(changed(nameless)), contract_of(other)).changes == ()


def test_the_worst_comes_first(contract_of):
    """Changes are ordered by severity, and counted."""
    diff = compare(
        contract_of(BASE),
        contract_of(changed({"paths /pets get": GONE, "x-reserved": ["batch"], f"{POST} security": []})),
    )
    assert [one.severity for one in diff.changes] == ["error", "warning", "info"]
    assert diff.counts == {"error": 1, "warning": 1, "info": 1}
    assert [len(diff.at_least(one)) for one in ("error", "warning", "info")] == [1, 2, 3]


def test_a_change_of_a_shared_schema_is_told_once(contract_of):
    """A component that many operations use changes once; the other places are named."""

    def with_component(length):
        document = json.loads(json.dumps(BASE))
        document["components"]["schemas"] = {"Pet": {"type": "object", "properties": {"name": {"maxLength": length}}}}
        shared = {"$ref": "#/components/schemas/Pet"}
        document["paths"]["/pets"]["post"]["requestBody"]["content"][JSON]["schema"] = shared
        document["paths"]["/pets"]["get"]["requestBody"] = {
            "content": {JSON: {"schema": {"type": "array", "items": shared}}}
        }
        return contract_of(document)

    (only,) = compare(with_component(10), with_component(5)).changes
    assert (only.operation, only.place) == ("GET /pets", f"request body {JSON} /*/name")
    assert only.also == (f"POST /pets request body {JSON} /name",)
    assert only.schema == "pets.json#/components/schemas/Pet/properties/name"

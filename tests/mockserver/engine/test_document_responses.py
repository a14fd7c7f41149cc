"""A plain document answers each of its operations: with its example, else with a value that its schema accepts."""

from datetime import UTC, datetime

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
NAMED = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "minLength": 3}}}


def of(schema, media=JSON, **media_members):
    """Return a declared response with a body of a schema."""
    return {"description": "", "content": {media: {"schema": schema, **media_members}}}


class Served:
    """A sandbox that serves one operation, `GET /report`, with the given responses, in this process."""

    def __init__(self, folder, responses, **operation):
        raw = {
            "openapi": "3.1.0",
            "info": {"title": "Reports", "version": "1"},
            "paths": {"/report": {"get": {"responses": responses, **operation}}},
            "components": {"securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}}},
        }
        (folder / "reports.yaml").write_text(yaml.safe_dump(raw))
        self.api = Api(name="reports", contract=load(folder / "reports.yaml"), hooks=DEFAULT_HOOKS)
        self.sandbox = Sandbox("s", SandboxTemplate(apis={"reports": self.api}), NOW)

    def ask(self, method="GET", path="/report", query=(), **headers):
        request = Request(method=method, path=path, query=query, headers=Headers(headers.items()))
        return handle(self.sandbox, self.api, request, NOW)

    def fits(self, response):
        return not validate_response(self.api.contract.operations[0], response).violations


STATUSES = [
    (["404", "201", "200"], 200),
    (["default", "202"], 202),
    (["2XX", "default"], 200),
    (["2XX", "204"], 204),
    (["default"], 200),
    (["302", "404"], 302),
]


@pytest.mark.parametrize(("declared", "expected"), STATUSES, ids=str)
def test_the_lowest_declared_status_of_success_is_answered(tmp_path, declared, expected):
    """The lowest 2xx is answered, then its class, then `default` as 200; its body fits."""
    served = Served(tmp_path, {one: {"description": ""} if one == "204" else of(NAMED) for one in declared})
    response = served.ask()
    assert response.status == expected
    assert served.fits(response)
    assert response.headers.get("Bulkproof-Answer") == "generated"
    assert response.body or expected == 204


def test_a_declared_example_is_answered_before_a_generated_value(tmp_path):
    """An example of the media type comes first, then one of its schema; a safe call gets the same value each time."""
    served = Served(tmp_path, {"200": of({**NAMED, "examples": [{"name": "schema"}]}, example={"name": "media"})})
    assert (served.ask().data, served.ask().headers.get("Bulkproof-Answer")) == ({"name": "media"}, "example")
    served = Served(tmp_path, {"200": of({**NAMED, "examples": [{"nam": "no"}, {"name": "schema"}]})})
    assert served.ask().data == {"name": "schema"}
    served = Served(tmp_path, {"200": of(NAMED)})
    assert served.ask().data == served.ask().data


WRONG_EXAMPLES = {
    "lacks": ({"note": "kept"}, {"note": "kept"}),
    "converted": ({"name": "Ann", "age": "7"}, {"name": "Ann", "age": 7}),
    "replaced": ({"name": "a", "note": "kept"}, {"note": "kept"}),
    "no word": ({"name": "Ann", "kind": "bird"}, {"name": "Ann"}),
    "not allowed": ({"name": "Ann", "inner": {"a": 1, "b": 2}}, {"name": "Ann", "inner": {"a": 1}}),
}
WIDE = {
    **NAMED,
    "properties": {
        **NAMED["properties"],
        "age": {"type": "integer"},
        "kind": {"enum": ["cat", "dog"]},
        "inner": {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
    },
}


@pytest.mark.parametrize("kind", WRONG_EXAMPLES)
def test_an_example_that_breaks_its_schema_is_made_to_fit_with_a_warning(tmp_path, kind):
    """Only what is wrong is replaced, a header says what it was; as it is it comes to those who ask for it."""
    example, kept = WRONG_EXAMPLES[kind]
    served = Served(tmp_path, {"200": of(WIDE, example=example)})
    response = served.ask()
    assert served.fits(response)
    assert {**response.data, **kept} == response.data
    assert response.data.get("inner") == kept.get("inner")
    assert response.headers.get("Bulkproof-Answer").startswith('example; warning="the example breaks its schema: ')
    assert served.ask(Prefer="example=example").data == example
    served.sandbox.settings["errors"] = True
    assert served.ask().status == 500


HEADERS = {
    "X-Count": ({"type": "integer", "minimum": 5}, str.isdigit),
    "X-Tags": ({"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 2}, lambda text: "," in text),
    "X-Named": ({"type": "string", "examples": ["ann"]}, "ann".__eq__),
    "Retry-After": ({"type": "integer"}, "1".__eq__),
    "Location": ({"type": "string"}, lambda text: text.endswith("/report")),
    "Last-Modified": ({"type": "string"}, "Thu, 01 Jan 2026 00:00:00 GMT".__eq__),
}


@pytest.mark.parametrize("name", HEADERS)
@pytest.mark.parametrize("required", [True, False])
def test_every_declared_header_is_sent(tmp_path, name, required):
    """A declared header field is there, required or not, with a value that its schema accepts."""
    schema, is_plausible = HEADERS[name]
    served = Served(tmp_path, {"200": {**of(NAMED), "headers": {name: {"required": required, "schema": schema}}}})
    response = served.ask()
    assert is_plausible(response.headers.get(name))
    assert served.fits(response)


def test_headers_that_frame_a_message_are_never_made_up(tmp_path):
    """A declared Content-Length or Transfer-Encoding is left to the server."""
    headers = {name: {"schema": {"type": "string"}} for name in ("Content-Length", "Transfer-Encoding")}
    response = Served(tmp_path, {"200": {**of(NAMED), "headers": headers}}).ask()
    assert [name for name, _ in response.headers] == ["Content-Type", "Bulkproof-Answer"]


BODIES = {
    "application/xml": (NAMED, b"<?xml"),
    "text/csv": ({"type": "array", "minItems": 1, "items": NAMED}, b"name\r\n"),
    "text/plain": ({"const": "hello"}, b"hello"),
    "image/png": ({"type": "string", "format": "binary"}, b"\x89PNG"),
    "application/x-ndjson": ({"const": [{"n": 1}, {"n": 2}]}, b'{"n":1}\n{"n":2}\n'),
    "text/event-stream": ({"const": {"n": 1}}, b'data: {"n":1}\n\n'),
    "application/vnd.x+json": ({"const": 2**70}, b"1.1805916207174113e+21"),
}


@pytest.mark.parametrize("media", BODIES)
def test_a_value_is_written_in_the_declared_media_type(tmp_path, media):
    """Every media type has a body; JSON is preferred where several are declared."""
    schema, begin = BODIES[media]
    response = Served(tmp_path, {"200": of(schema, media)}).ask()
    assert response.headers.get("Content-Type") == media
    assert response.body.startswith(begin)
    both = {"description": "", "content": {media: {"schema": schema}, JSON: {"schema": NAMED}}}
    assert Served(tmp_path, {"200": both}).ask().headers.get("Content-Type").endswith("json")


def test_a_schema_that_nothing_fits_is_answered_as_well_as_can_be(tmp_path):
    """A contradiction is no failure of the server: a value of the type is sent, and a header says so."""
    response = Served(tmp_path, {"200": of({"type": "object", "required": ["a"], "properties": {"a": False}})}).ask()
    assert response.status == 200
    assert "warning=" in response.headers.get("Bulkproof-Answer")


ERRORS = {
    "undeclared": ({"200": of(NAMED)}, None),
    "no body": ({"200": of(NAMED), "401": {"description": ""}}, None),
    "problem": ({"401": of({"type": "object"}, "application/problem+json")}, None),
    "message": (
        {"401": of({"required": ["message", "code"], "properties": {"message": {}, "code": {"type": "integer"}}})},
        lambda body, text: body["message"] == text and body["code"] == 401,
    ),
    "optional": (
        {"default": of({"type": "object", "properties": {"error": {"type": "string"}}})},
        lambda body, text: body["error"] == text,
    ),
    "nested": (
        {"4XX": of({"required": ["errors"], "properties": {"errors": {"type": "array", "minItems": 1, "items": {
            "type": "object", "required": ["error_message"], "properties": {"error_message": {"type": "string"}}}}}})},
        lambda body, text: body["errors"][0]["error_message"] == text,
    ),
    "example": ({"401": of({"type": "object"}, example={"why": "no"})}, lambda body, _: body == {"why": "no"}),
    "closed": ({"401": of({"const": {"ok": False}})}, lambda body, _: body == {"ok": False}),
}  # fmt: skip


@pytest.mark.parametrize("kind", ERRORS)
def test_a_refusal_has_the_body_that_the_document_declares(tmp_path, kind):
    """A problem document is sent where the document allows one, else the declared error body says the same."""
    responses, is_own = ERRORS[kind]
    served = Served(tmp_path, responses, security=[{"key": []}])
    served.sandbox.settings["auth"] = "strict"
    response = served.ask()
    assert response.status == 401
    origin = response.headers.get("Bulkproof-Answer")
    if is_own is None:
        assert (response.headers.get("Content-Type"), origin) == ("application/problem+json", "problem")
    else:
        assert is_own(
            response.data, 'The operation asks for credentials that were not sent: ApiKey in="header", name="X-Key".'
        )
        assert origin in {"generated", "example"}
        assert served.fits(response)


def test_a_refusal_tells_nothing_of_the_path_that_was_asked_for(tmp_path):
    """What is made up in a refusal is the same at each path, for each operation and status."""
    problem = {"type": "object", "required": ["type"], "properties": {"type": {"type": "string", "minLength": 8}}}
    declared = {"200": of(NAMED), "404": of(problem), "401": of(problem)}
    served = Served(tmp_path, declared)
    sent = [served.ask(query=(("n", str(n)),), Prefer=f"code={code}").data for code in (404, 401) for n in (1, 2)]
    assert sent[0] == sent[1] != sent[2] == sent[3]


def test_credentials_that_nobody_has_are_not_said_to_be_missing(tmp_path):
    """Where test clients are named, credentials that were sent and are none of theirs are said to be so."""
    raw = {
        "openapi": "3.1.0",
        "info": {"title": "Reports", "version": "1"},
        "security": [{"token": []}],
        "x-test-clients": {"ann": {"auth": "Bearer tk-ann-1"}, "left": {"auth": "Bearer tk-left-1", "refused": 401}},
        "paths": {"/report": {"get": {"responses": {"200": of(NAMED)}}}},
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }
    served = Served(tmp_path, {})
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(raw))
    served.api = Api(name="reports", contract=load(tmp_path / "own.yaml"), hooks=DEFAULT_HOOKS)
    served.sandbox = Sandbox("s", SandboxTemplate(apis={"reports": served.api}), NOW)
    served.sandbox.settings["auth"] = "strict"
    said = [
        served.ask(**headers) for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Bearer tk-ann-1"})
    ]
    assert [one.status for one in said] == [401, 401, 200]
    assert "that were not sent: Bearer." in said[0].data["detail"]
    assert (
        said[1].data["detail"] == "The credentials that were sent are those of no test client. The test clients: ann."
    )


def test_preferences_share_the_answers_of_the_document(tmp_path):
    """`Prefer` has the same headers and bodies; a seed makes the value repeatable."""
    responses = {
        "200": {**of(NAMED, example={"name": "ann"}), "headers": {"X-N": {"schema": {"type": "integer", "const": 7}}}}
    }
    served = Served(tmp_path, {**responses, "404": of({"required": ["message"], "properties": {"message": {}}})})
    dynamic = [served.ask(Prefer="dynamic=true, seed=3") for _ in range(2)]
    assert dynamic[0].data == dynamic[1].data != {"name": "ann"}
    assert {one.headers.get("X-N") for one in (*dynamic, served.ask())} == {"7"}
    assert served.ask(Prefer="code=404").data == {"message": "Not Found."}


def test_a_generator_is_compiled_once(tmp_path, monkeypatch):
    """A hundred answers compile the schema of their body once."""
    from generators.data import compile as module  # noqa: PLC0415 - the module, not its function

    planned = []
    flatten = module.flatten
    monkeypatch.setattr(module, "flatten", lambda *given: planned.append(1) or flatten(*given))
    served = Served(tmp_path, {"200": of(NAMED)})
    served.ask()
    once = len(planned)
    for n in range(100):
        served.ask(query=(("n", str(n)),))
    assert len(planned) == once > 0


def test_the_bundled_apis_do_not_say_where_answers_come_from():
    """The header is for plain documents."""
    from mockserver.apis.sources import find_sources  # noqa: PLC0415 - for this test only

    for source in find_sources(["genero", "onkey"]):
        api = source.load()
        sandbox = Sandbox("s", SandboxTemplate(apis={api.name: api}), NOW)
        response = handle(sandbox, api, Request(method="GET", path="/nowhere"), NOW)
        assert "Bulkproof-Answer" not in response.headers
    assert orjson.loads(response.body)


@pytest.mark.parametrize("media", ["text/xml", "text/csv", "text/html"])
def test_a_text_that_writes_down_an_object_is_not_judged_as_a_string(tmp_path, media):
    """XML or CSV of an object is a notation of it: its bytes are not held against the object's schema."""
    served = Served(tmp_path, {"200": of(NAMED, media)})
    assert served.fits(served.ask())
    assert not Served(tmp_path, {"200": of({"type": "string", "maxLength": 1}, media)}).fits(served.ask())


def test_of_several_examples_the_first_that_fits_is_answered(tmp_path):
    """An example that breaks its schema is passed over where another one does not."""
    examples = {"bad": {"value": {"name": 1}}, "good": {"value": {"name": "good"}}}
    response = Served(tmp_path, {"200": of(NAMED, examples=examples)}).ask()
    assert (response.data, response.headers.get("Bulkproof-Answer")) == ({"name": "good"}, "example")


@pytest.mark.parametrize("media", ["audio/*", "image/*", "text/*", "application/*", "*/*"])
def test_a_range_of_media_types_is_answered_with_one_of_them(tmp_path, media):
    """The answer's media type is in the declared range, and its body is never empty."""
    served = Served(tmp_path, {"200": {"description": "", "content": {media: {}}}})
    response = served.ask()
    assert "*" not in response.headers.get("Content-Type")
    assert response.body
    assert served.fits(response)


KEPT = {
    "example": {"200": of(NAMED, example={"name": "ann"})},
    "broken example": {"200": of(NAMED, example={"name": 1})},
    "example of the schema": {"200": of({**NAMED, "example": {"name": "bob"}})},
    "with header fields": {"200": {**of(NAMED, example={"name": "ann"}), "headers": {"Date": {}, "Location": {}}}},
    "generated": {"200": of(NAMED)},
    "two media types": {
        "200": {
            "description": "",
            "content": {"text/csv": {"example": "name"}, JSON: {"schema": NAMED, "example": {"name": "ann"}}},
        }
    },
}
CALLS = [
    ({}, {}),
    ({"Accept": "*/*"}, {}),
    ({"Accept": "text/csv, application/json;q=0.5"}, {}),
    ({"Accept": "application/json"}, {}),
    ({"Accept": "image/png"}, {}),
    ({"Accept": f"application/json, {'x' * 200}/y"}, {}),
    ({"Prefer": "seed=2"}, {"dynamic": True}),
    ({"Prefer": "dynamic=false"}, {"dynamic": True}),
    ({"Prefer": "dynamic=true, seed=2"}, {}),
    ({}, {"errors": True}),
]


@pytest.mark.parametrize("kind", KEPT)
def test_an_answer_that_is_kept_is_the_one_that_would_be_made(tmp_path, kind):
    """Whatever was asked before, each call gets what it would get from a server that has not been asked anything."""

    def ask(served, headers, settings):
        before = dict(served.sandbox.settings)
        served.sandbox.settings.update(settings)
        response = served.ask(**headers)
        served.sandbox.settings.update(before)
        return response.status, response.headers.pairs, response.body

    same = Served(tmp_path, KEPT[kind])
    for call in [*CALLS, *reversed(CALLS)]:
        assert ask(same, *call) == ask(Served(tmp_path, KEPT[kind]), *call)

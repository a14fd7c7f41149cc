"""A plain document is served by the conventions of document mock servers, most of them Prism's."""

import json
from urllib.parse import urlencode

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers
from contracts.openapi.loading import load
from mockserver.api.model import Api
from mockserver.cli.serve import print_exchange
from mockserver.engine.default_hooks import DEFAULT_HOOKS
from mockserver.http.service import Options, Service
from tests.mockserver.engine.test_document_responses import NOW

BASIC = "Basic dXNlcjpzZWNyZXQ="
DIGEST = 'Digest username="", realm="", nonce="", uri="", response=""'
FORM = "application/x-www-form-urlencoded"
OK = {"200": {"description": "", "content": {"text/plain": {"example": "ok"}}}}


def content(*medias, **media_members):
    """Return a response with several media types, each with the same members."""
    return {"description": "", "content": dict.fromkeys(medias, media_members)}


class Conventions:
    """A server of one document without sockets."""

    def __init__(self, folder, paths, *, options=None, **document):
        raw = {"openapi": "3.1.0", "info": {"title": "Bakery", "version": "1"}, "paths": paths, **document}
        (folder / "bakery.yaml").write_text(yaml.safe_dump(raw, sort_keys=False))
        api = Api(name="bakery", contract=load(folder / "bakery.yaml"), hooks=DEFAULT_HOOKS)
        self.service = Service([api], options or Options(), NOW)
        self.mount = api.mount

    def ask(self, target, method="GET", body=b"", /, **headers):
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        return self.service.handle(method, self.mount + target, Headers(pairs), body, NOW)


def single(folder, operation, method="get", path="/loaves", **more):
    """Serve a document of one operation."""
    return Conventions(folder, {path: {method: {"responses": OK, **operation}}}, **more)


def problems(response):
    """Return what Prism's header says was wrong: the places and codes."""
    listed = json.loads(response.headers.get("sl-violations") or "[]")
    return [("/".join(one["location"]), one["code"], one["severity"]) for one in listed]


SCHEMES = {
    "basic": ({"type": "http", "scheme": "basic"}, 'Basic realm="*"', {"Authorization": BASIC}),
    "bearer": ({"type": "http", "scheme": "bearer"}, "Bearer", {"Authorization": "bearer abc"}),
    "digest": ({"type": "http", "scheme": "digest"}, "Digest ", {"Authorization": DIGEST}),
    "oauth2": ({"type": "oauth2", "flows": {}}, "Bearer", {"Authorization": "Bearer abc"}),
    "openIdConnect": (
        {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/conf"},
        "Bearer",
        {"Authorization": "Bearer abc"},
    ),
    "header key": ({"type": "apiKey", "in": "header", "name": "X-Key"}, "ApiKey in=", {"X_Key": "abc"}),
    "cookie key": ({"type": "apiKey", "in": "cookie", "name": "SESSION"}, "ApiKey in=", {"Cookie": "SESSION=abc; a=b"}),
}
WRONG = ({}, {"Authorization": "Basic abc123"}, {"Authorization": "Digest abc"}, {"Authorization": "Negotiate x"})


@pytest.mark.parametrize("kind", SCHEMES)
def test_declared_security_is_asked_for_with_the_schemes_own_challenge(tmp_path, kind):
    """Without credentials of the scheme's form the answer is 401, with them it is served; --auth open asks for none."""
    scheme, asked, right = SCHEMES[kind]
    document = {"components": {"securitySchemes": {"s": scheme}}, "security": [{"s": []}]}
    served = single(tmp_path, {}, **document)
    for headers in WRONG:
        refused = served.ask("/loaves", **headers)
        assert refused.status == 401
        assert refused.headers.get("WWW-Authenticate").startswith(asked)
    assert served.ask("/loaves", **right).status == 200
    assert single(tmp_path, {"security": []}, **document).ask("/loaves").status == 200
    assert single(tmp_path, {}, options=Options(settings={"auth": "open"}), **document).ask("/loaves").status == 200


def test_a_key_in_the_query_and_several_schemes(tmp_path):
    """All schemes of one alternative are needed, and one alternative suffices; an empty one lets anybody in."""
    schemes = {
        "one": {"type": "apiKey", "in": "query", "name": "key"},
        "two": {"type": "http", "scheme": "basic"},
        "three": {"type": "http", "scheme": "bearer"},
    }
    components = {"securitySchemes": schemes}
    both = [{"one": [], "two": []}, {"three": []}]
    served = single(tmp_path, {"security": both}, components=components)
    assert served.ask("/loaves?key=1").status == 401
    assert served.ask("/loaves", Authorization=BASIC).status == 401
    assert served.ask("/loaves?key=1", Authorization=BASIC).status == 200
    assert served.ask("/loaves", Authorization="Bearer x").status == 200
    challenge = served.ask("/loaves").headers.get("WWW-Authenticate")
    assert challenge == 'ApiKey in="query", name="key", Basic realm="*", Bearer'
    anybody = single(tmp_path, {"security": [*both, {}]}, components=components)
    assert anybody.ask("/loaves").status == 200


def test_security_is_looked_at_before_the_rest_and_has_the_declared_body(tmp_path):
    """A 401 comes before a 422, and each has its own declared body."""
    scheme = {"components": {"securitySchemes": {"s": {"type": "http", "scheme": "basic"}}}, "security": [{"s": []}]}
    responses = {
        **OK,
        "401": content("application/json", example="who?"),
        "422": content("application/json", example="how old?"),
    }
    age = [{"in": "query", "name": "age", "required": True, "schema": {"type": "integer"}}]
    served = single(tmp_path, {"responses": responses, "parameters": age}, **scheme)
    assert (served.ask("/loaves").status, served.ask("/loaves").data) == (401, "who?")
    unfit = served.ask("/loaves?age=old", Authorization=BASIC)
    assert (unfit.status, unfit.data) == (422, "how old?")
    assert problems(unfit) == [("request/query/age", "type", "Error")]


INVALID_STATUSES = [
    ((), 422),
    (("422",), 422),
    (("400",), 400),
    (("400", "422"), 422),
    (("default",), 422),
    (("4XX",), 422),
    (("404",), 422),
]


@pytest.mark.parametrize(("declared", "expected"), INVALID_STATUSES, ids=str)
@pytest.mark.parametrize("target", ["/loaves/0/crust?size=s", "/loaves/7/crust", "/loaves/7/crust?size=xl"])
def test_an_invalid_request_has_the_declared_status(tmp_path, declared, expected, target):
    """422 where it is declared, else 400 where that is, else 422; the body is the declared one."""
    parameters = [
        {"in": "path", "name": "n", "required": True, "schema": {"type": "integer", "minimum": 1}},
        {"in": "query", "name": "size", "required": True, "schema": {"enum": ["s", "m"]}},
    ]
    responses = {**OK, **{one: content("application/json", example={"own": one}) for one in declared}}
    served = single(tmp_path, {"parameters": parameters, "responses": responses}, path="/loaves/{n}/crust")
    assert served.ask("/loaves/7/crust?size=s").status == 200
    refused = served.ask(target)
    assert refused.status == expected
    if set(declared) & {str(expected), "default", "4XX"}:
        assert "own" in refused.data
    else:
        assert refused.headers.get("Content-Type") == "application/problem+json"


def test_what_was_wrong_may_be_said_in_a_header_only(tmp_path):
    """With `warn` an invalid request is answered and told of, with `off` it is only answered."""
    parameters = [{"in": "query", "name": "size", "required": True, "schema": {"enum": ["s", "m"]}}]
    body = {"required": True, "content": {"application/json": {"schema": {"type": "object", "required": ["flour"]}}}}
    operation = {"parameters": parameters, "requestBody": body}
    for mode, told in (("warn", True), ("off", False)):
        options = Options(settings={"validateRequests": mode})
        served = single(tmp_path, operation, "post", options=options)
        for sent, media in ((b"{}", "application/json"), (b"", ""), (b"{", "application/json"), (b"a", "text/csv")):
            response = served.ask("/loaves", "POST", sent, Content_Type=media)
            assert (response.status, response.body) == (200, b"ok")
            assert ("Bulkproof-Violations" in response.headers) is told
            assert (("request/query/size", "required", "Error") in problems(response)) is told
    fits = served.ask("/loaves?size=s", "POST", b'{"flour": 1}', Content_Type="application/json")
    assert "Bulkproof-Violations" not in fits.headers


def test_an_invalid_write_that_is_answered_stores_nothing(tmp_path):
    """What does not fit is answered from the document, and never becomes a record."""
    loaf = {"type": "object", "required": ["id", "flour"], "properties": {"id": {"type": "string"}, "flour": {}}}
    one = {"description": "", "content": {"application/json": {"schema": loaf}}}
    every = {"description": "", "content": {"application/json": {"schema": {"type": "array", "items": loaf}}}}
    body = {"required": True, "content": {"application/json": {"schema": loaf}}}
    paths = {
        "/loaves": {"post": {"requestBody": body, "responses": {"201": one}}, "get": {"responses": {"200": every}}},
        "/loaves/{id}": {
            "parameters": [{"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}],
            "get": {"responses": {"200": one}},
        },
    }
    served = Conventions(tmp_path, paths, options=Options(settings={"validateRequests": "warn"}))
    good = served.ask("/loaves", "POST", b'{"id": "a", "flour": 1}', Content_Type="application/json")
    bad = served.ask("/loaves", "POST", b'{"id": "b"}', Content_Type="application/json")
    assert (good.status, bad.status) == (201, 201)
    assert "Bulkproof-Violations" in bad.headers
    assert [one["id"] for one in served.ask("/loaves").data] == ["a"]


ACCEPTED = [
    ("application/json", "application/json"),
    ("text/csv", "text/csv"),
    ("application/json;q=0.1, text/csv;q=0.9", "text/csv"),
    ("application/json, text/plain, */*", "application/json"),
    ("text/html, application/xml;q=0.9, */*;q=0.8", "application/xml"),
    ("text/*", "text/csv"),
    ("*/*", "application/xml"),
    ("application/json;q=0, */*;q=0.1", "application/xml"),
    ("image/png", None),
    ("inv/alid", None),
    ("application/json;q=0", None),
]


@pytest.mark.parametrize(("accept", "media"), ACCEPTED)
def test_accept_chooses_among_the_declared_media_types(tmp_path, accept, media):
    """The highest quality wins, then the order in the field, then that in the document; 406 where none is accepted."""
    declared = {
        "application/xml": {"example": "<loaf/>"},
        "application/json": {"example": {"a": 1}},
        "text/csv": {"example": "a\r\n1\r\n"},
    }
    served = single(tmp_path, {"responses": {"200": {"description": "", "content": declared}}})
    response = served.ask("/loaves", Accept=accept)
    assert (response.status, response.headers.get("Content-Type")) == (
        (406, "application/problem+json") if media is None else (200, media)
    )
    if media == "text/csv":
        assert response.body == b"a\r\n1\r\n"


@pytest.mark.parametrize("declared", ["application/vnd.bakery+json", "application/x-amz-json-1.0"])
def test_other_names_of_json_are_json(tmp_path, declared):
    """Bodies of such types are parsed, and accepted where `application/json` is; no content is always acceptable."""
    body = {"content": {declared: {"schema": {"type": "object", "required": ["a"]}}}}
    served = single(tmp_path, {"requestBody": body, "responses": {"200": content(declared, example={"b": 1})}}, "post")
    response = served.ask("/loaves", "POST", b'{"a": 1}', Content_Type=declared, Accept="application/json")
    assert (response.status, response.data, response.headers.get("Content-Type")) == (200, {"b": 1}, declared)
    assert served.ask("/loaves", "POST", b"{}", Content_Type=declared).status == 422
    empty = single(tmp_path, {"responses": {"204": {"description": ""}}})
    assert empty.ask("/loaves", Accept="image/png").status == 204


def test_media_types_and_methods_that_are_not_declared(tmp_path):
    """415 for another media type, with its declared body; 405 with Allow; a body without a type is the first one."""
    body = {"required": True, "content": {"application/json": {"schema": {"type": "integer"}}}}
    responses = {**OK, "415": content("application/json", example={"own": 415})}
    served = single(tmp_path, {"requestBody": body, "responses": responses}, "post")
    wrong = served.ask("/loaves", "POST", b"<a/>", Content_Type="application/xml")
    assert (wrong.status, wrong.data) == (415, {"own": 415})
    assert served.ask("/loaves", "POST", b"7").status == 200
    assert served.ask("/loaves", "POST", b"").status == 422
    assert served.ask("/loaves", "POST", b"{", Content_Type="application/json").status == 400
    other = served.ask("/loaves", "DELETE")
    assert (other.status, other.headers.get("Allow")) == (405, "POST")
    assert served.ask("/cakes").status == 404


def test_an_empty_path_variable_is_a_missing_parameter(tmp_path):
    """Prism's way: `//` where a variable stands is an invalid request, or 404 where that is declared."""
    parameters = [{"in": "path", "name": "n", "required": True, "schema": {"type": "string"}}]
    served = single(tmp_path, {"parameters": parameters}, path="/loaves/{n}/crust")
    missing = served.ask("/loaves//crust")
    assert (missing.status, problems(missing)) == (422, [("request/path/n", "required", "Error")])
    assert served.ask("//a/crust").status == 404
    responses = {**OK, "404": {"description": ""}}
    served = single(tmp_path, {"parameters": parameters, "responses": responses}, path="/loaves/{n}/crust")
    assert served.ask("/loaves//crust").status == 404


def test_head_and_options(tmp_path):
    """HEAD is GET without its body; OPTIONS and preflights are answered for browsers; declared ones win."""
    served = single(tmp_path, {})
    head = served.ask("/loaves", "HEAD")
    assert (head.status, head.headers.get("Content-Type")) == (200, "text/plain")
    plain = served.ask("/loaves", "OPTIONS")
    assert (plain.status, plain.headers.get("Allow")) == (204, "GET, OPTIONS")
    assert plain.headers.get("Access-Control-Allow-Origin") == "*"
    asked = {"Origin": "https://shop.example", "Access_Control_Request_Method": "POST"}
    preflight = served.ask("/loaves", "OPTIONS", Access_Control_Request_Headers="x-a", **asked)
    got = preflight.headers
    assert (preflight.status, got.get("Access-Control-Allow-Origin")) == (204, "https://shop.example")
    assert (got.get("Access-Control-Allow-Headers"), got.get("Vary")) == ("x-a", "Origin")
    assert got.get("Access-Control-Allow-Methods") == "GET,HEAD,PUT,PATCH,POST,DELETE"
    own = single(tmp_path, {}, "options")
    assert own.ask("/loaves", "OPTIONS").status == 200
    assert own.ask("/loaves", "OPTIONS", **asked).status == 204
    own = single(
        tmp_path,
        {"responses": {"200": {"description": "", "headers": {"X-N": {"schema": {}, "example": "abc"}}}}},
        "head",
    )
    assert own.ask("/loaves", "HEAD").headers.get("X-N") == "abc"


def test_cors_can_be_switched_off(tmp_path):
    """Answers carry CORS fields, refusals too; without CORS there are none, and OPTIONS is a method like another."""
    for target in ("/loaves", "/cakes"):
        read = single(tmp_path, {}).ask(target, Origin="https://shop.example").headers
        assert read.get("Access-Control-Allow-Origin") == "https://shop.example"
        assert read.get("Access-Control-Allow-Credentials") == "true"
        assert "Bulkproof-Answer" in read.get("Access-Control-Expose-Headers")
    served = single(tmp_path, {}, options=Options(cors=False))
    assert "Access-Control-Allow-Origin" not in served.ask("/loaves", Origin="https://shop.example").headers
    assert served.ask("/loaves", "OPTIONS").status == 405


LOAF = {
    "type": "object",
    "required": ["n", "kind"],
    "properties": {
        "n": {"type": "integer"},
        "kind": {"enum": ["rye", "wheat"]},
        "hot": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "integer"}, "maxItems": 2},
        "baker": {"type": "object", "required": ["age"], "properties": {"age": {"type": "integer"}}},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"g": {"type": "integer"}}}},
    },
}
FORMS = [
    (b"n=5&kind=rye", True),
    (b"n=5&kind=rye&hot=true&tags=1&tags=2", True),
    (b"n=5&kind=rye&tags=1", True),
    (b"n=5&kind=rye&tags[]=1&tags[]=2", True),
    (b"n=5&kind=rye&baker[age]=40", True),
    (b"n=5&kind=rye&parts[0][g]=1&parts[1][g]=2", True),
    (b"n=5&kind=rye&other=1&other=2", True),
    (b"n=five&kind=rye", False),
    (b"kind=oat", False),
    (b"n=5&kind=rye&hot=yes", False),
    (b"n=5&kind=rye&tags=1&tags=2&tags=3", False),
    (b"n=5&kind=rye&tags=a", False),
    (b"n=5&kind=rye&baker[name]=b", False),
    (b"n=5&n=6&kind=rye", False),
]


def multipart(form):
    """Return a urlencoded form without percent codes as multipart."""
    parts = (pair.partition(b"=") for pair in form.split(b"&"))
    head = b'--x\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
    return b"".join(head % (name, value) for name, _, value in parts) + b"--x--\r\n"


@pytest.mark.parametrize(("form", "fits"), FORMS, ids=str)
@pytest.mark.parametrize("media", [FORM, "multipart/form-data"])
def test_fields_of_forms_have_the_types_of_their_schemas(tmp_path, media, form, fits):
    """Numbers, booleans, arrays and nested objects are read from text; what does not fit is refused."""
    served = single(tmp_path, {"requestBody": {"content": {media: {"schema": LOAF}}}}, "post")
    sent, header = (form, media) if media == FORM else (multipart(form), f"{media}; boundary=x")
    response = served.ask("/loaves", "POST", sent, Content_Type=header)
    assert response.status == (200 if fits else 422)


ENCODINGS = [
    ({"style": "form", "explode": False}, b"n=5&kind=rye&tags=1,2", 200),
    ({"style": "pipeDelimited", "explode": False}, b"n=5&kind=rye&tags=1|2", 200),
    ({"style": "spaceDelimited"}, b"n=5&kind=rye&tags=1+2", 200),
    ({"style": "pipeDelimited"}, b"n=5&kind=rye&tags=1,2", 422),
    ({"style": "form"}, b"n=5&kind=rye&tags=1,2", 422),
    ({"contentType": "application/json"}, b"n=5&kind=rye&tags=%5B1,2%5D", 422),
    ({"contentType": "application/json", "allowReserved": True}, b"n=5&kind=rye&tags=[1,2]", 200),
    ({"allowReserved": False}, b"n=5&kind=rye&tags=1/2", 422),
]


@pytest.mark.parametrize(("encoding", "form", "status"), ENCODINGS, ids=str)
def test_the_encoding_object_says_how_a_field_is_written(tmp_path, encoding, form, status):
    """`style`, `explode`, JSON inside a field; reserved characters only where they are allowed."""
    media = {FORM: {"schema": LOAF, "encoding": {"tags": encoding}}}
    served = single(tmp_path, {"requestBody": {"content": media}}, "post")
    assert served.ask("/loaves", "POST", form, Content_Type=FORM).status == status


def test_a_file_in_a_form_is_a_string(tmp_path):
    """Any bytes are a file; a form that its boundary does not divide is malformed, one without is a urlencoded one."""
    schema = {"type": "object", "required": ["f"], "properties": {"f": {"type": "string", "format": "binary"}}}
    served = single(tmp_path, {"requestBody": {"content": {"multipart/form-data": {"schema": schema}}}}, "post")
    part = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a"\r\nContent-Type: image/png\r\n\r\n\xff\r\n--x--'
    )
    kind = "multipart/form-data"
    assert served.ask("/loaves", "POST", part, Content_Type=f"{kind}; boundary=x").status == 200
    assert served.ask("/loaves", "POST", part, Content_Type=f"{kind}; boundary=y").status == 400
    assert served.ask("/loaves", "POST", part, Content_Type=kind).status == 422
    assert served.ask("/loaves", "POST", b"f=1", Content_Type=kind).status == 200


def test_bodies_that_are_neither_json_nor_forms(tmp_path):
    """XML and bytes are taken as they are; text is a value of its schema's type."""
    medias = {
        "application/xml": {"schema": LOAF},
        "text/plain": {"schema": {"type": "integer"}},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    }
    served = single(tmp_path, {"requestBody": {"content": medias}}, "post")
    sent = {
        ("application/xml", b"<loaf/>"): 200,
        ("text/plain", b"12"): 200,
        ("text/plain", b"twelve"): 422,
        ("application/octet-stream", b"\xff\x00"): 200,
    }
    got = {one: served.ask("/loaves", "POST", one[1], Content_Type=one[0]).status for one in sent}
    assert got == sent


def test_deprecation_and_undeclared_parameters_are_told_in_headers(tmp_path):
    """None of them is refused; the strict setting refuses what is not declared."""
    parameters = [
        {"in": "query", "name": "old", "deprecated": True, "schema": {}},
        {"in": "query", "name": "f", "style": "deepObject", "schema": {"type": "object"}},
    ]
    served = single(tmp_path, {"parameters": parameters, "deprecated": True})
    quiet = served.ask("/loaves?f[a]=1&__dynamic=false")
    assert (quiet.status, quiet.headers.get("Deprecation"), problems(quiet)) == (200, "true", [])
    told = served.ask("/loaves?old=1&new=2")
    assert (told.status, problems(told)) == (
        200,
        [("request/query/new", "undeclared", "Warning"), ("request/query/old", "deprecated", "Warning")],
    )
    strict = single(tmp_path, {"parameters": parameters}, options=Options(settings={"strict": True}))
    assert "Deprecation" not in strict.ask("/loaves").headers
    assert [strict.ask(f"/loaves?{query}").status for query in ("old=1", "new=2")] == [200, 422]


def test_an_answer_that_breaks_its_contract(tmp_path):
    """It is sent to those who name it, and told of; with `errors` it is a 500; a warning is no error."""
    wrong = {"200": content("application/json", schema={"type": "object"}, example=7)}
    served = single(tmp_path, {"responses": wrong})
    named = served.ask("/loaves", Prefer="example=example")
    assert (named.status, named.data, problems(named)) == (200, 7, [("response/body", "type", "Error")])
    assert (served.ask("/loaves").data, problems(served.ask("/loaves"))) == ({}, [])
    options = Options(settings={"errors": True})
    strict = single(tmp_path, {"responses": wrong}, options=options)
    for headers in ({}, {"Prefer": "code=200"}, {"Prefer": "example=example"}):
        refused = strict.ask("/loaves?new=1", **headers)
        assert (refused.status, refused.headers.get("Content-Type")) == (500, "application/problem+json")
        assert problems(refused) == [
            ("response/body", "type", "Error"),
            ("request/query/new", "undeclared", "Warning"),
        ]
    assert single(tmp_path, {}, options=options).ask("/loaves?new=1").status == 200


def test_answers_may_be_generated_always(tmp_path):
    """`dynamic` generates other values each time, for every call or for one."""
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    responses = {"200": content("application/json", schema=schema, example={"n": 1})}
    served = single(tmp_path, {"responses": responses})
    assert served.ask("/loaves").data == {"n": 1}
    preferred = {served.ask("/loaves", Prefer="dynamic=true").data["n"] for _ in range(5)}
    assert len(preferred) > 1
    always = single(tmp_path, {"responses": responses}, options=Options(settings={"dynamic": True}))
    assert len({always.ask("/loaves").data["n"] for _ in range(5)}) > 1
    assert always.ask("/loaves", Prefer="dynamic=false").data == {"n": 1}
    assert always.ask("/loaves?__dynamic=false").data == {"n": 1}
    assert always.ask("/loaves", Prefer="example=example").data == {"n": 1}


PREFERRED = {
    "code=404": (404, "missing"),
    "code=200": (200, "fine"),
    "code=503": (503, "other"),
    "example=cold": (200, "cold"),
    "code=404, example=gone": (404, "gone"),
}


@pytest.mark.parametrize("prefer", PREFERRED)
def test_preferences_choose_the_answer(tmp_path, prefer):
    """`Prefer` and the query with two underscores name a status, or an example; `default` stands in for any status."""
    examples = {"gone": {"value": "gone"}}
    responses = {
        "200": {
            "description": "",
            "content": {"application/json": {"examples": {"warm": {"value": "fine"}, "cold": {"value": "cold"}}}},
        },
        "404": {
            "description": "",
            "content": {"application/json": {"examples": {"first": {"value": "missing"}, **examples}}},
        },
        "default": content("application/json", example="other"),
    }
    served = single(tmp_path, {"responses": responses})
    status, data = PREFERRED[prefer]
    query = "&".join(f"__{one.strip()}" for one in prefer.split(","))
    for response in (served.ask("/loaves", Prefer=prefer), served.ask(f"/loaves?{query}")):
        assert (response.status, response.data) == (status, data)


def test_what_the_document_does_not_have_is_404(tmp_path):
    """A status without a response, and an unknown example, are 404, as in Prism."""
    served = single(tmp_path, {})
    for query in ("__code=304", "__code=404", "__code=500", "__example=none"):
        assert served.ask(f"/loaves?{query}").status == 404


def test_a_server_may_be_named(tmp_path):
    """`__server` must be a server of the document, its variables filled in or not."""
    servers = [
        {"url": "https://a.example/v1/"},
        {"url": "https://{where}.example", "variables": {"where": {"default": "b"}}},
    ]
    served = single(tmp_path, {}, servers=servers)
    named = ("https://a.example/v1", "https://a.example/v1/", "https://c.example", "https://a.example/v2", "ftp://x")
    assert [served.ask(f"/loaves?__server={one}").status for one in named] == [200, 200, 200, 404, 404]
    assert single(tmp_path, {}).ask("/loaves?__server=https://a.example").status == 404


def test_each_request_may_be_printed(tmp_path, capsys):
    """A line for each request has what was asked, the status and what was wrong."""
    parameters = [{"in": "query", "name": "n", "schema": {"type": "integer"}}]
    served = single(tmp_path, {"parameters": parameters}, options=Options(on_exchange=print_exchange))
    for target in ("/loaves", "/loaves?n=a", "/cakes\x1b"):
        served.ask(target)
    assert capsys.readouterr().out.splitlines() == [
        "GET /loaves 200 getLoaves",
        "GET /loaves 422 getLoaves query:n 'n' must be an integer.",
        "GET /cakes? 404 -",
    ]


def test_a_status_401_has_the_challenge_too(tmp_path):
    """A 401 that is asked for names the operation's scheme."""
    components = {"securitySchemes": {"s": {"type": "http", "scheme": "basic"}}}
    responses = {**OK, "401": {"description": ""}}
    served = single(tmp_path, {"responses": responses}, components=components, security=[{"s": []}])
    asked = served.ask("/loaves", Authorization=BASIC, Prefer="code=401")
    assert (asked.status, asked.headers.get("WWW-Authenticate")) == (401, 'Basic realm="*"')


@pytest.mark.parametrize(
    ("media", "schema", "example", "status"),
    [
        ("text/xml", {"type": "object"}, "<loaf/>", 200),
        ("text/csv", {"type": "array"}, "a,b", 200),
        ("text/plain", {"type": "integer"}, "12", 200),
        ("text/plain", {"type": "integer"}, "twelve", 500),
        ("text/plain", {"enum": ["yes"]}, "no", 500),
    ],
)
def test_texts_are_judged_by_schemas_that_describe_texts(tmp_path, media, schema, example, status):
    """XML and CSV are not what their schema describes, but another notation of it; a text is a value of its type."""
    options = Options(settings={"errors": True})
    served = single(tmp_path, {"responses": {"200": content(media, schema=schema, example=example)}}, options=options)
    assert served.ask("/loaves").status == status


def test_records_are_json_where_the_client_does_not_mind(tmp_path):
    """State is served in JSON wherever `Accept` has nothing against it; who prefers XML is answered by the document."""
    loaf = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    body = {"content": {"application/json": {"schema": loaf}}}
    every = content("application/xml", "application/json", schema={"type": "array", "items": loaf})
    paths = {
        "/loaves": {
            "post": {
                "requestBody": body,
                "responses": {"201": content("application/xml", "application/json", schema=loaf)},
            },
            "get": {"responses": {"200": every}},
        },
        "/loaves/{id}": {
            "parameters": [{"in": "path", "name": "id", "required": True, "schema": {"type": "string"}}],
            "get": {"responses": {"200": content("application/xml", "application/json", schema=loaf)}},
        },
    }
    served = Conventions(tmp_path, paths)
    for n, accept in enumerate(("*/*", "application/json", "application/*")):
        sent = json.dumps({"id": str(n)}).encode()
        made = served.ask("/loaves", "POST", sent, Content_Type="application/json", Accept=accept)
        assert (made.status, made.data, made.headers.get("Bulkproof-Answer")) == (201, {"id": str(n)}, "stored")
        assert len(served.ask("/loaves", Accept=accept).data) == n + 1
    made = served.ask(
        "/loaves", "POST", b'{"id": "x"}', Content_Type="application/json", Accept="text/*, application/xml"
    )
    assert (made.status, made.headers.get("Content-Type")) == (201, "application/xml")
    listed = served.ask("/loaves", Accept="application/xml, */*;q=0.1")
    assert listed.headers.get("Content-Type") == "application/xml"
    assert len(served.ask("/loaves").data) == 3


NAMES = st.lists(st.sampled_from(["tags", "baker", "parts", "n", "[", "]", "[]", "[0]", "[g]", "9" * 5000]), max_size=4)
PAIRS = st.lists(st.tuples(NAMES.map("".join), st.text(st.characters(codec="latin-1"), max_size=9)), max_size=4)
FIELDS = st.lists(
    st.sampled_from(
        (
            "application/json",
            "*/*",
            "text/*",
            ";q=",
            "q=0",
            "1.5",
            ",",
            ";",
            "=",
            " ",
            '"',
            "/",
            "boundary=x",
            "Basic",
            "a",
        )
    ),
    max_size=6,
).map("".join)


@given(pairs=PAIRS, fields=st.tuples(FIELDS, FIELDS, FIELDS), chunk=st.binary(max_size=40))
def test_no_request_is_a_fault_of_the_server(everything, pairs, fields, chunk):
    """Whatever a client sends is answered or refused."""
    query, (accept, kind, credentials) = urlencode(pairs), fields
    headers = {"Accept": accept, "Authorization": credentials, "Cookie": kind}
    bodies = {FORM: query.encode(), "multipart/form-data; boundary=x": b"--x\r\n" + chunk + b"\r\n--x--", kind: chunk}
    for media, body in bodies.items():
        response = everything.ask(f"/loaves?{query}", "POST", body, Content_Type=media, **headers)
        assert response.status in {200, 400, 401, 406, 415, 422}, response.body


@pytest.fixture(scope="module")
def everything(tmp_path_factory):
    """Return a server of an operation with parameters of every style, forms, security and several media types."""
    styles = {"form": "f", "deepObject": "baker", "pipeDelimited": "tags", "spaceDelimited": "parts"}
    parameters = [
        {"in": "query", "name": name, "style": style, "schema": LOAF if style == "deepObject" else {}}
        for style, name in styles.items()
    ]
    schemas = {media: {"schema": LOAF} for media in (FORM, "multipart/form-data", "application/json", "text/xml")}
    operation = {"parameters": parameters, "requestBody": {"content": schemas}, "security": [{"s": []}, {}]}
    scheme = {"securitySchemes": {"s": {"type": "http", "scheme": "basic"}}}
    return single(tmp_path_factory.mktemp("everything"), operation, "post", components=scheme)


@pytest.mark.parametrize(
    ("kind", "form", "status"),
    [("csv", b"t=1,2", 200), ("pipes", b"t=1|2", 200), ("multi", b"t=1&t=2", 200), ("csv", b"t=1|2", 422)],
)
def test_lists_in_forms_of_swagger_are_divided_as_it_says(tmp_path, kind, form, status):
    """`collectionFormat` of a form's field becomes its encoding."""
    field = {"name": "t", "in": "formData", "type": "array", "items": {"type": "integer"}, "collectionFormat": kind}
    post = {"consumes": [FORM], "parameters": [field], "responses": {"200": {"description": ""}}}
    document = {"swagger": "2.0", "info": {"title": "S", "version": "1"}, "paths": {"/loaves": {"post": post}}}
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(document))
    api = Api(name="s", contract=load(tmp_path / "s.yaml"), hooks=DEFAULT_HOOKS)
    service = Service([api], Options(), NOW)
    headers = Headers((("Content-Type", FORM),))
    assert service.handle("POST", f"{api.mount}/loaves", headers, form, NOW).status == status

"""A document with mistakes is served all the same: each is mended and told once, and nothing brings a traceback."""

import copy
import json
import random

import pytest
from jsonschema_rs import ValidationError

from contracts import ContractError, Headers, Request, Router, load
from contracts.openapi.loading import LoadOptions
from contracts.openapi.model import Route

SOUND = {
    "openapi": "3.0.3",
    "info": {"title": "Pets", "version": "1"},
    "servers": [{"url": "https://pets.example/{stage}", "variables": {"stage": {"default": "v1", "enum": ["v1"]}}}],
    "security": [{"key": []}],
    "tags": [{"name": "pets"}],
    "paths": {
        "/pets": {
            "get": {
                "operationId": "listPets",
                "tags": ["pets"],
                "parameters": [
                    {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1}, "example": 3},
                    {"$ref": "#/components/parameters/Kind"},
                ],
                "responses": {
                    "200": {
                        "description": "Pets.",
                        "headers": {"X-Total": {"schema": {"type": "integer"}}},
                        "content": {
                            "application/json": {
                                "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Pet"}},
                                "examples": {"one": {"value": [{"id": "a"}]}},
                            }
                        },
                    },
                    "default": {"$ref": "#/components/responses/Problem"},
                },
            },
            "post": {
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Pet"}}},
                },
                "responses": {"201": {"description": "Made.", "links": {"self": {"operationId": "getPet"}}}},
            },
        },
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": "getPet", "responses": {"2XX": {"description": "It."}}},
        },
    },
    "components": {
        "schemas": {
            "Pet": {
                "type": "object",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 9},
                    "kind": {"enum": ["cat", "dog"]},
                    "owner": {"allOf": [{"$ref": "#/components/schemas/Owner"}], "nullable": True},
                },
            },
            "Owner": {"oneOf": [{"type": "string"}, {"$ref": "#/components/schemas/Pet"}]},
        },
        "parameters": {"Kind": {"name": "kind", "in": "query", "schema": {"type": "string"}}},
        "responses": {"Problem": {"description": "It failed.", "content": {"application/problem+json": {}}}},
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
    },
}
GONE = object()
LIST = "/paths/~1pets/get"
PET = "/components/schemas/Pet"


def changed(*changes):
    """Return the sound document with the members at these pointers set, or gone."""
    document = copy.deepcopy(SOUND)
    for pointer, value in changes:
        at = document
        *way, last = [one.replace("~1", "/") for one in pointer.split("/")[1:]]
        for token in way:
            at = at[int(token)] if isinstance(at, list) else at[token]
        if value is GONE:
            del at[last]
        elif isinstance(at, list):
            at[int(last)] = value
        else:
            at[last] = value
    return document


@pytest.fixture
def loaded(tmp_path):
    """Return a function that loads a document."""

    def load_it(document, **options):
        text = document if isinstance(document, str) else json.dumps(document)
        file = tmp_path / ("pets.json" if text.startswith("{") else "pets.yaml")
        file.write_text(text, encoding="utf-8")
        return load(file, options=LoadOptions(**options))

    return load_it


def told(contract):
    return {(one.pointer, one.fact, one.mended) for one in contract.repairs}


def test_a_sound_document_has_no_repairs(loaded):
    """Nothing is mended where nothing is wrong, and strict loading gives the same contract."""
    assert loaded(SOUND).repairs == ()
    assert [one.id for one in loaded(SOUND, strict=True).operations] == ["listPets", "postPets", "getPet"]


MISTAKES = {
    "no info": ([("/info", GONE)], "", "'info' is missing."),
    "no title": ([("/info/title", GONE)], "/info", "'title' is missing."),
    "a number for a version": ([("/info/version", 1.5)], "/info/version", "it must be a string, not a number."),
    "no paths": ([("/paths", GONE)], "", "'paths' is missing."),
    "paths as an empty list": ([("/paths", [])], "/paths", "it must be an object, not an array."),
    "a path without a slash": ([("/paths/pets", {})], "/paths", "'pets' is not known here."),
    "no description": (
        [(f"{LIST}/responses/200/description", GONE)],
        f"{LIST}/responses/200",
        "'description' is missing.",
    ),
    "an unknown member": ([("/paths/~1pets/get/x", 1)], LIST, "'x' is not known here."),
    "a status in lower case": (
        [("/paths/~1pets/get/responses/4xx", {"description": "No."})],
        f"{LIST}/responses",
        "'4xx' is not known here.",
    ),
    "no schema of a parameter": (
        [(f"{LIST}/parameters/0/schema", GONE)],
        f"{LIST}/parameters/0",
        "'schema' is missing.",
    ),
    "a parameter in the body": (
        [(f"{LIST}/parameters/0/in", "body")],
        f"{LIST}/parameters/0/in",
        '"body" is not known here.',
    ),
    "an optional path parameter": (
        [("/paths/~1pets~1{id}/parameters/0/required", GONE)],
        "/paths/~1pets~1{id}/parameters/0",
        "'required' is missing.",
    ),
    "a text for a boolean": (
        [(f"{LIST}/deprecated", "true")],
        f"{LIST}/deprecated",
        "it must be true or false, not a string.",
    ),
    "one tag without a list": ([(f"{LIST}/tags", "pets")], f"{LIST}/tags", "it must be an array, not a string."),
    "an example without 'value'": (
        [(f"{LIST}/responses/200/content/application~1json/examples/one", [{"id": "b"}])],
        f"{LIST}/responses/200/content/application~1json/examples/one",
        "it must be an object, not an array.",
    ),
    "a server without a url": ([("/servers/0/url", GONE)], "/servers/0", "'url' is missing."),
    "a variable without a default": (
        [("/servers/0/variables/stage/default", GONE)],
        "/servers/0/variables/stage",
        "'default' is missing.",
    ),
    "an undeclared variable of a server": (
        [("/servers/0/url", "https://{host}/{stage}")],
        "/servers/0/url",
        "the URL's variable 'host' is not declared.",
    ),
    "a scheme of no type": (
        [("/components/securitySchemes/key/type", GONE)],
        "/components/securitySchemes/key",
        "'type' is missing.",
    ),
    "an operationId twice": (
        [("/paths/~1pets~1{id}/get/operationId", "listPets")],
        "/paths/~1pets~1{id}/get/operationId",
        "the operationId 'listPets' is also that of GET /pets.",
    ),
    "a clash of paths": (
        [("/paths/~1pets~1{name}", {"get": {"responses": {"200": {"description": ""}}}})],
        "/paths/~1pets~1{name}/get",
        "it cannot be told from GET /pets/{id}.",
    ),
    "an undeclared variable": (
        [("/paths/~1pets~1{id}/parameters", [])],
        "/paths/~1pets~1{id}/get",
        "the path's variable 'id' has no parameter.",
    ),
    "a path parameter of no variable": (
        [(f"{LIST}/parameters/0", {"name": "x", "in": "path", "required": True, "schema": {}})],
        LIST,
        "the path has no variable 'x'.",
    ),
    "a reference to nothing": (
        [(f"{PET}/properties/kind", {"$ref": "#/components/schemas/Nobody"})],
        f"{PET}/properties/kind",
        "'$ref: #/components/schemas/Nobody' leads to nothing.",
    ),
    "a reference to a file that is not there": (
        [(f"{PET}/properties/kind", {"$ref": "nobody.yaml#/X"})],
        f"{PET}/properties/kind",
        "'$ref: nobody.yaml#/X' leads to nobody.yaml: there is no such file.",
    ),
    "a reference to another host": (
        [(f"{PET}/properties/kind", {"$ref": "https://pets.example/x.yaml"})],
        f"{PET}/properties/kind",
        "'$ref: https://pets.example/x.yaml' cannot be followed.",
    ),
    "a reference to another kind of thing": (
        [(f"{LIST}/parameters/1", {"$ref": "#/info/title"})],
        f"{LIST}/parameters/1",
        "'$ref: pets.json#/info/title' does not lead to a parameter.",
    ),
    "a reference that is no text": (
        [(f"{PET}/properties/kind", {"$ref": 5})],
        f"{PET}/properties/kind",
        "'$ref: 5' is no reference.",
    ),
    "references in a circle": (
        [("/components/schemas/Owner", {"$ref": "#/components/schemas/Owner"})],
        "/components/schemas/Owner",
        "its '$ref' leads round in a circle of references.",
    ),
    "a schema that is none": (
        [("/components/schemas/Owner", "text")],
        "/components/schemas/Owner",
        "it must be an object or true or false, not a string.",
    ),
    "an unknown type": (
        [(f"{PET}/properties/kind/type", "any")],
        f"{PET}/properties/kind/type",
        '"any" is not known here.',
    ),
    "'required' as a boolean": (
        [(f"{PET}/properties/kind/required", True)],
        f"{PET}/properties/kind/required",
        "it must be an array, not true or false.",
    ),
    "an empty enumeration": (
        [(f"{PET}/properties/kind/enum", [])],
        f"{PET}/properties/kind/enum",
        "no value is in it.",
    ),
    "a name required twice": (
        [(f"{PET}/required", ["id", "id"])],
        f"{PET}/required",
        "an array of 2 elements must have no element twice.",
    ),
    "a pattern that is none": (
        [(f"{PET}/properties/id/pattern", "(")],
        f"{PET}/properties/id",
        "the pattern '(' is no regular expression that can be used.",
    ),
    "items as a list": (
        [("/components/schemas/Owner", {"type": "array", "items": [{"type": "string"}, 5]})],
        "/components/schemas/Owner",
        "'items' is a list.",
    ),
    "'allOf' as an object": (
        [("/components/schemas/Owner", {"allOf": {"$ref": "#/components/schemas/Pet"}})],
        "/components/schemas/Owner/allOf",
        "it must be an array, not an object.",
    ),
    "a version without a patch": ([("/openapi", "3.0")], "/openapi", "OpenAPI '3.0' is not read."),
    "a version as a number": ([("/openapi", 3.1)], "/openapi", "OpenAPI 3.1 is not read."),
    "OpenAPI 3.2": ([("/openapi", "3.2.0")], "/openapi", "OpenAPI '3.2.0' is not read."),
    "no version": ([("/openapi", GONE)], "/openapi", "'openapi' is missing."),
    "a query in a path": (
        [("/paths/~1pets?a=b", {"get": {"responses": {"200": {"description": ""}}}})],
        "/paths/~1pets?a=b",
        "a path has no query and no fragment.",
    ),
    "a large integer": (
        [(f"{LIST}/parameters/0/schema/minimum", -(10**20))],
        f"{LIST}/parameters/0/schema/minimum",
        "an integer does not fit 64 bits.",
    ),
}


LIMITS = [  # version, schema, what it means, its fault
    ("3.1.0", {"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}, "It is taken as 1, in the place of"),
    (
        "3.1.0",
        {"maximum": 9.5, "exclusiveMaximum": True},
        {"exclusiveMaximum": 9.5},
        "It is taken as 9.5, in the place",
    ),
    ("3.1.0", {"minimum": 1, "exclusiveMinimum": False}, {"minimum": 1}, "It is left out."),
    ("3.1.0", {"exclusiveMinimum": True}, {}, "It is left out."),
    ("3.1.0", {"minimum": "x", "exclusiveMinimum": True}, {}, "It is left out."),
    ("3.0.3", {"minimum": 1, "exclusiveMinimum": True}, {"exclusiveMinimum": 1}, None),
    ("3.0.3", {"exclusiveMinimum": 1}, {"exclusiveMinimum": 1}, None),
    ("3.1.0", {"exclusiveMinimum": 1}, {"exclusiveMinimum": 1}, None),
]


@pytest.mark.parametrize(("version", "limits", "meant", "told"), LIMITS)
def test_exclusive_limits_of_the_other_version_are_converted(loaded, version, limits, meant, told):
    """A flag in OpenAPI 3.1 means what its author meant, and is told; a number in 3.0 is a number."""
    at = f"{LIST}/parameters/0/schema"
    contract = loaded(changed(("/openapi", version), (at, {"type": "number", **limits})))
    parameter = contract.operation("listPets").parameters[0]
    assert parameter.schema.raw == {"type": "number", **meant}
    mended = [one.mended for one in contract.repairs if one.pointer.startswith(at) and "xclusive" in one.pointer]
    assert [one.startswith(told) for one in mended] == ([True] if told else [])


SHARED = [  # path, schemas, whether it is told
    ("/{a}{b}", {}, True),
    ("/{a}{b}", {"a": {"type": "integer"}}, True),
    ("/{a}{b}", {"a": {"enum": ["x", "y"]}}, False),
    ("/{a}{b}", {"b": {"type": "string", "pattern": "^[.]"}}, False),
    ("/{a}{b}", {"a": {"type": "string", "minLength": 2, "maxLength": 2}}, False),
    ("/{a}.{b}", {}, True),
    ("/{a}.{b}", {"b": {"enum": ["json", "xml"]}}, False),
    ("/{a}.{b}", {"b": {"enum": ["gz", "tar.gz"]}}, True),
    ("/{a}.{b}", {"a": {"type": "integer"}}, True),
    ("/{a}-{b}", {"b": {"type": "integer"}}, False),
    ("/{a}-{b}", {"b": {"type": "string", "format": "uuid"}}, False),
    ("/{a}:cancel", {}, False),
    ("/v{a}", {}, False),
    ("/{a}/{b}", {}, False),
]


@pytest.mark.parametrize(("path", "schemas", "is_told"), SHARED)
def test_variables_that_nothing_tells_apart_are_told(loaded, path, schemas, is_told):
    """Where two variables share a segment, and no schema says where one of them ends, a line says how it is split."""
    names = [one for one in "ab" if f"{{{one}}}" in path]
    parameters = [
        {"name": one, "in": "path", "required": True, "schema": schemas.get(one, {"type": "string"})} for one in names
    ]
    item = {"get": {"parameters": parameters, "responses": {"200": {"description": "it"}}}}
    contract = loaded({**SOUND, "paths": {**SOUND["paths"], path: item}})
    assert [("begins" in one.fact, "split" in one.mended or "short" in one.mended) for one in contract.repairs] == (
        [(True, True)] if is_told else []
    )


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_is_mended_and_told(loaded, name):
    """Each kind has its place, its fact, what was done and a cure; strict loading refuses it with the same fact."""
    changes, pointer, fact = MISTAKES[name]
    contract = loaded(changed(*changes))
    assert (pointer, fact) in {(one.pointer, one.fact) for one in contract.repairs}
    assert all(one.file and one.mended and one.cure for one in contract.repairs)
    compile_all(contract)
    with pytest.raises(ContractError) as caught:
        loaded(changed(*changes), strict=True)
    assert fact in {one.fact for one in caught.value.faults}


def compile_all(contract):
    """Compile every schema that requests and responses are judged by."""
    for operation in contract.operations:
        media = [*(operation.body.content if operation.body else ())]
        for response in operation.responses.values():
            media += response.content
            assert all(one.schema is None or one.schema.is_valid(1) in {True, False} for one in response.headers)
        for one in (*operation.parameters, *media):
            assert one.schema is None or one.schema.is_valid({}) in {True, False}


def test_what_a_mended_document_means(loaded):
    """Mended places have the nearest meaning: names, statuses and types are kept where they can be."""
    contract = loaded(
        changed(
            (f"{LIST}/responses/4xx", {"description": "No."}),
            ("/paths/shops", {"get": {"responses": {"200": {"description": ""}}}}),
            (f"{LIST}/tags", "pets"),
            ("/paths/~1pets~1{id}/parameters", []),
            (f"{PET}/properties/kind", {"$ref": "#/nowhere"}),
            ("/components/schemas/Owner", {"type": "array", "items": [{"type": "string"}]}),
        )
    )
    listing = contract.operation("listPets")
    assert listing.response(404).status == "4XX"
    assert contract.operation("getShops").path == "/shops"
    (variable,) = contract.operation("getPet").parameters
    assert (variable.name, variable.where, variable.required) == ("id", "path", True)
    pets = listing.response(200).content[0].schema
    assert pets.is_valid([{"id": "a", "kind": 5, "owner": ["x"]}])
    assert not pets.is_valid([{"id": "a", "owner": [5]}])


def test_names_that_begin_like_extensions_are_names(loaded):
    """A header field `x-total` may be a reference; only paths, statuses and expressions stand beside extensions."""
    document = changed(
        (f"{LIST}/responses/200/headers", {"x-total": {"$ref": "#/components/headers/x-total"}}),
        (f"{LIST}/responses/x-note", {"$ref": "#/nowhere"}),
    )
    document["components"]["headers"] = {"x-total": {"schema": {"type": "integer"}}}
    contract = loaded(document)
    assert contract.repairs == ()
    (header,) = contract.operation("listPets").response(200).headers
    assert header.schema.raw == {"type": "integer"}


def test_the_first_of_two_paths_wins(loaded):
    """Of paths that differ only in a variable's name the first is served; a path item that both share stays whole."""
    shared = {"get": {"responses": {"200": {"description": ""}}}}
    document = changed(("/paths/~1pets~1{name}", {"$ref": "#/components/pathItems/Shared"}), ("/openapi", "3.1.0"))
    document["components"]["pathItems"] = {"Shared": shared}
    document["paths"]["/shops/{id}"] = {"$ref": "#/components/pathItems/Shared"}
    contract = loaded(document)
    assert [one.path for one in contract.operations] == ["/pets", "/pets", "/pets/{id}", "/shops/{id}"]


TARGETED = """
openapi: 3.0.0
info: {title: T, version: '1'}
paths:
  /#X-Amz-Target=Db.Get: {post: {operationId: get, responses: {200: {description: ''}}}}
  /#X-Amz-Target=Db.Put: {post: {operationId: put, responses: {200: {description: ''}}}}
  /:
    get: {operationId: root, responses: {200: {description: ''}}}
  /tags/{arn}#tagKeys:
    delete:
      operationId: untag
      parameters:
      - {name: arn, in: path, required: true, schema: {type: string}}
      - {name: tagKeys, in: query, required: true, schema: {type: string}}
      responses: {200: {description: ''}}
  /box?acl: {put: {operationId: acl, responses: {200: {description: ''}}}}
  /box: {put: {operationId: box, responses: {200: {description: ''}}}}
"""


@pytest.mark.parametrize(
    ("method", "path", "query", "headers", "operation"),
    [
        ("POST", "/", (), {"X-Amz-Target": "Db.Get"}, "get"),
        ("POST", "/", (), {"x-amz-target": "Db.Put"}, "put"),
        ("POST", "/", (), {}, "get"),
        ("GET", "/", (), {}, "root"),
        ("DELETE", "/tags/a", (("tagKeys", "x"),), {}, "untag"),
        ("DELETE", "/tags/a", (), {}, "untag"),
        ("PUT", "/box", (("acl", ""),), {}, "acl"),
        ("PUT", "/box", (("other", ""),), {}, "box"),
        ("PUT", "/box", (), {}, "box"),
    ],
)
def test_query_and_fragment_of_a_path_select_the_operation(loaded, method, path, query, headers, operation):  # noqa: PLR0917 - the columns of a table
    """The path is served without them; where several share it, the request's parameters select, else the first."""
    contract = loaded(TARGETED)
    assert not any(set("#?") & set(one.path) for one in contract.operations)
    request = Request(method=method, path=path, query=query, headers=Headers(headers.items()))
    for _ in range(2):
        found = Router(contract).match(method, path, request)
        assert isinstance(found, Route)
        assert found.operation.id == operation


def test_an_undeclared_selector_is_a_parameter(loaded):
    """What only the path says becomes a required parameter, so that requests made from the contract carry it."""
    (target,) = loaded(TARGETED).operation("put").parameters
    assert (target.name, target.where, target.required) == ("X-Amz-Target", "header", True)
    assert target.schema.raw["enum"] == ["Db.Put"]


@pytest.mark.parametrize(
    ("text", "fact", "title"),
    [
        (
            '{"openapi": "3.1.0", "info": {"title": "a", "title": "b", "version": "1"}, "paths": {}}',
            "occurs twice",
            "b",
        ),
        ('{"openapi": "3.1.0", "info": {"title": "a", "version": "1"}, "paths": {},}', "line 1, column 73", "a"),
        ("openapi: 3.1.0\ninfo: {title: a, version: '1', title: b}\npaths: {}", "line 2, column 32: the key", "b"),
        ("openapi: 3.1.0\ninfo: {title: !x a, version: '1'}\npaths: {}", "the tag '!x' does not fit", "a"),
        ("openapi: 3.1.0\ninfo: {title: .inf, version: '1'}\npaths: {}", "JSON has no number", ".inf"),
    ],
)
def test_flaws_of_the_text_itself_are_mended(loaded, text, fact, title):
    """Keys that occur twice, YAML in a file of JSON, unknown tags and numbers that JSON lacks are told with a place."""
    contract = loaded(text)
    assert contract.title == title
    assert any(fact in one.fact for one in contract.repairs)
    with pytest.raises(ContractError):
        loaded(text, strict=True)


def test_integers_beyond_64_bits_become_numbers(loaded):
    """In JSON and in YAML alike, at any place, however many digits they have."""
    schema = {"type": "number", "minimum": -(2**64), "maximum": 10**400, "enum": [2**64 - 1, 2**64]}
    document = changed(("/components/schemas/Owner", schema))
    lines = "\n".join(f"{name}: {json.dumps(value)}" for name, value in document.items())
    for text in (document, lines):
        contract = loaded(text)
        found = contract.document["components"]["schemas"]["Owner"]
        assert found["minimum"] == float(-(2**64))
        assert found["maximum"] == pytest.approx(1.7976931348623157e308)
        assert [type(one) for one in found["enum"]] == [int, float]
        assert {one.pointer.rpartition("/")[2] for one in contract.repairs} == {"minimum", "maximum", "1"}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/paths/~1pets/post/x-bulk", {}),
        ("/paths/~1pets/post/x-record", {"action": "mak"}),
        ("/paths/~1pets/post/x-quota", {"max": 1, "per": "P1D"}),
        ("/paths/~1pets/post/x-quota", [{"max": 0, "per": "P1D"}]),
        ("/paths/~1pets/post/x-quota", [{"max": 1, "per": "P1M"}]),
        ("/paths/~1pets/post/x-quota", [{"max": 1, "per": "P1D", "what": "items"}]),
        ("/x-resources", []),
        ("/x-path-case", "no"),
        ("/x-duplicate-names", True),
        ("/x-reserved", "batch"),
        ("/x-scopes", {"status": ["one"]}),
        ("/x-scopes", {"status": "one"}),
        ("/x-test-clients", {"Alice": {}}),
        ("/x-test-clients", {"alice": {"token": "x"}}),
        ("/x-test-clients", {"alice": {"auth": ""}}),
        ("/x-test-clients", {"alice": {"refused": 200}}),
        ("/x-test-clients", {"alice": {"scopes": {"status": []}}}),
    ],
)
def test_a_wrong_declaration_is_refused(loaded, pointer, value):
    """What a user writes for this program by hand is never mended."""
    with pytest.raises(ContractError) as caught:
        loaded(changed((pointer, value)))
    assert all(one.pointer.startswith(pointer) and not one.mended for one in caught.value.faults)


WORDS = (None, True, 0, -1, 2**70, 1.5, "", "/x", "{", "#/", "3.1.0", "object", "#/components/schemas/Pet", [], {})
NAMES = (
    "$ref",
    "schema",
    "content",
    "items",
    "properties",
    "in",
    "allOf",
    "x",
    "/{a}/{a}",
    "200",
    "$dynamicRef",
    "$id",
)


def places_of(value, found):
    """Collect every container of a document."""
    if isinstance(value, dict | list):
        found.append(value)
        for one in value.values() if isinstance(value, dict) else value:
            places_of(one, found)
    return found


def mutate(document, draw):
    """Change a document at one random place: remove, replace, add, rename, or move a part."""
    parts = places_of(document, [])
    place = draw.choice(parts)
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    value = copy.deepcopy(draw.choice([*WORDS, draw.choice(parts)]))
    if keys and draw.random() < 0.7:
        key = draw.choice(keys)
        if draw.random() < 0.3:
            del place[key]
        else:
            place[key] = value
    elif isinstance(place, dict):
        place[draw.choice(NAMES)] = value
    else:
        place.insert(draw.randrange(len(place) + 1), value)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(300))
def test_no_mutated_document_brings_a_traceback(loaded, seed):
    """Whatever happens to a document, it loads with schemas that compile, or is refused by faults with cures."""
    draw = random.Random(seed)
    document = copy.deepcopy(SOUND)
    for _ in range(draw.randint(1, 6)):
        mutate(document, draw)
    try:
        contract = loaded(document)
    except ContractError as error:
        refused = error.faults
    else:
        refused = ()
    assert all(one.fact and one.cure for one in refused)
    if refused:
        return
    try:
        compile_all(contract)
    except ValidationError as error:
        pytest.fail(f"a schema does not compile: {error.message[:200]}")
    Router(contract).match("GET", "/pets/a")

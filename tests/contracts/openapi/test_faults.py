"""Every mistake in a document is one clear fault: file, pointer, fact and cure, never a traceback."""

import copy
import json

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from contracts import ContractError, Fault, load
from contracts.openapi.loading import LoadOptions

SOUND = {
    "openapi": "3.1.0",
    "info": {"title": "Toy", "version": "1"},
    "paths": {
        "/things": {
            "post": {
                "operationId": "makeThing",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Thing"}}}},
                "responses": {"200": {"description": "Made."}},
            }
        },
        "/things/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "get": {"operationId": "readThing", "responses": {"200": {"description": "It."}}},
        },
        "/things/bulk": {
            "post": {
                "operationId": "bulkThings",
                "requestBody": {"content": {"application/json": {"schema": {"type": "array"}}}},
                "responses": {"200": {"description": "Done."}},
                "x-bulk": {
                    "items": {"at": ""},
                    "effect": {"action": "create", "like": "makeThing"},
                    "key": {"by": "index"},
                    "unit": {"of": "item"},
                    "reply": {"status": {"allOk": 200, "someFailed": 422}},
                    "job": {
                        "when": "always",
                        "handle": "/id",
                        "poll": "readThing",
                        "state": {"at": "/state", "map": {"R": "running", "D": "done"}},
                    },
                },
            }
        },
    },
    "components": {"schemas": {"Thing": {"type": "object", "properties": {"id": {"type": "string"}}}}},
    "x-resources": {"thing": {"key": "id"}},
}
BULK = "/paths/~1things~1bulk/post/x-bulk"
GONE = object()


def changed(pointer, value):
    """Return the sound document with the member at `pointer` set, or gone."""
    document = copy.deepcopy(SOUND)
    at = document
    *way, last = [one.replace("~1", "/") for one in pointer.split("/")[1:]]
    for token in way:
        at = at[int(token)] if isinstance(at, list) else at.setdefault(token, {})
    if value is GONE:
        del at[last]
    elif isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return document


def faults(tmp_path, content, name="toy.json"):
    """Return the faults of a document with this content."""
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(ContractError) as caught:
        load(file, options=LoadOptions(strict=True))
    assert all(one.file and one.fact and one.cure for one in caught.value.faults)
    return caught.value.faults


def test_the_document_to_be_broken_is_sound(tmp_path):
    """Before it is broken the document loads."""
    (tmp_path / "toy.json").write_text(json.dumps(SOUND))
    assert len(load(tmp_path / "toy.json").operations) == 3


@pytest.mark.parametrize(
    ("pointer", "value", "at", "fact", "cure"),
    [
        ("/info/title", GONE, "/info", "'title' is missing.", "Add it."),
        ("/info/titel", "x", "/info", "'titel' is not known here.", "Did you mean 'title'?"),
        ("/servers", {}, "/servers", "it must be an array, not an object.", "Write an array."),
        ("/paths/things", {}, "/paths", "'things' is not known here.", "A path begins with '/'."),
        (
            "/paths/~1things/post/responses/2xx",
            {"description": ""},
            "/paths/~1things/post/responses",
            "'2xx' is not known here.",
            "A status is written 200, 2XX or default.",
        ),
        (
            "/paths/~1things/post/requestBodies",
            {},
            "/paths/~1things/post",
            "'requestBodies' is not known here.",
            "Did you mean 'requestBody'?",
        ),
        (
            "/paths/~1things~1{id}/parameters/0/required",
            False,
            "/paths/~1things~1{id}/parameters/0/required",
            "it must be true, not false.",
            "Write true.",
        ),
        (
            "/paths/~1things~1{id}/parameters/0/in",
            "pth",
            "/paths/~1things~1{id}/parameters/0/in",
            '"pth" is not known here.',
            "Did you mean 'path'?",
        ),
        (
            "/components/schemas/Thing/properties/id/type",
            "strin",
            "/components/schemas/Thing/properties/id/type",
            '"strin" is not known here.',
            "Did you mean 'string'?",
        ),
        (
            "/components/schemas/Thing/required",
            "id",
            "/components/schemas/Thing/required",
            "it must be an array, not a string.",
            "Write an array.",
        ),
        (
            "/components/schemas/Thing/properties/id/pattern",
            "(",
            "/components/schemas/Thing/properties/id",
            "the pattern '(' is no regular expression that can be used.",
            "Write it in ECMA-262's syntax.",
        ),
        (
            "/components/schemas/Thing/properties/id",
            {"$ref": "#/components/schemas/Thng"},
            "/components/schemas/Thing/properties/id",
            "'$ref: #/components/schemas/Thng' leads to nothing.",
            "Did you mean 'Thing'?",
        ),
        (
            "/components/schemas/Thing",
            {"$ref": "#/components/schemas/Thing"},
            "/components/schemas/Thing",
            "its '$ref' leads round in a circle of references.",
            "Let one of them be the thing itself.",
        ),
        (
            "/components/schemas/Thing",
            {"$ref": "https://example.com/thing.json"},
            "/components/schemas/Thing",
            "'$ref: https://example.com/thing.json' cannot be followed.",
            "Name a file that holds it with --ref-map, or allow it with --allow-remote.",
        ),
        (
            "/components/schemas/Thing",
            {"$ref": "/etc/passwd"},
            "/components/schemas/Thing",
            "'$ref: /etc/passwd' cannot be followed.",
            "Write the path relative to this file, with forward slashes.",
        ),
        (
            "/components/schemas/Thing",
            {"$ref": "nowhere.json"},
            "/components/schemas/Thing",
            "'$ref: nowhere.json' leads to nowhere.json: there is no such file.",
            "Check the name and the folder.",
        ),
        (
            "/components/examples",
            {"a": {"externalValue": "nowhere.json"}},
            "/components/examples/a",
            "'externalValue: nowhere.json': there is no such file.",
            "Check the name and the folder.",
        ),
        (
            "/paths/~1things~1{id}/get/operationId",
            "makeThing",
            "/paths/~1things~1{id}/get/operationId",
            "the operationId 'makeThing' is also that of POST /things.",
            "Give each its own.",
        ),
        (
            "/paths/~1things~1{ident}",
            SOUND["paths"]["/things/{id}"],
            "/paths/~1things~1{ident}/get",
            "it cannot be told from GET /things/{id}.",
            "Keep one of them.",
        ),
        (
            "/paths/~1things~1{id}/parameters/0/name",
            "idd",
            "/paths/~1things~1{id}/get",
            "the path's variable 'id' has no parameter.",
            "Did you mean 'idd'?",
        ),
        (f"{BULK}/item", {}, BULK, "'item' is not known here.", "Did you mean 'items'?"),
        (f"{BULK}/key/by", "clients", f"{BULK}/key/by", '"clients" is not known here.', "Did you mean 'client'?"),
        (
            f"{BULK}/effect/like",
            "makeThng",
            f"{BULK}/effect/like",
            "'makeThng' is no operationId of this document.",
            "Did you mean 'makeThing'?",
        ),
        (
            f"{BULK}/job/poll",
            "redThing",
            f"{BULK}/job/poll",
            "'redThing' is no operationId of this document.",
            "Did you mean 'readThing'?",
        ),
        (
            f"{BULK}/job/cancel",
            "stop",
            f"{BULK}/job/cancel",
            "'stop' is no operationId of this document.",
            "Describe that operation.",
        ),
        (
            f"{BULK}/job/every",
            "5 minutes",
            f"{BULK}/job/every",
            "'5 minutes' is not a duration.",
            "Write it like 90s, 1h30m, 300ms or PT5M.",
        ),
        (
            "/paths/~1things/post/x-record",
            {"action": "create"},
            "/paths/~1things/post/x-record",
            "'resource' is missing.",
            "Add it.",
        ),
        ("/x-resources/thing/keys", "id", "/x-resources/thing", "'keys' is not known here.", "Did you mean 'key'?"),
        (
            "/x-resources/thing/references",
            {"owner": "thng"},
            "/x-resources/thing/references/owner",
            "'thng' is no resource.",
            "Did you mean 'thing'?",
        ),
        (
            "/x-resources/thing/normalize",
            {"id": ["trim"]},
            "/x-resources/thing/normalize/id",
            "'id' identifies records: what is sent and what is stored must be the same.",
            "Leave it out, or constrain its schema.",
        ),
        (
            "/x-resources/thing/normalize",
            {"name": ["trimmed"]},
            "/x-resources/thing/normalize/name/0",
            '"trimmed" is not known here.',
            "Did you mean 'trim'?",
        ),
        (
            "/x-scopes",
            {"tenant": ["a", "b"]},
            "/x-scopes/tenant",
            "'tenant' is no parameter of any operation.",
            "Name a parameter of an operation.",
        ),
        (
            "/x-scopes",
            {"id": ["a", "*"]},
            "/x-scopes/id",
            "'id' has one value alone beside '*'.",
            "Add a second value for tests.",
        ),
        (
            "/x-test-clients",
            {"alice": {"scopes": {"tenant": ["a"]}}},
            "/x-test-clients/alice/scopes/tenant",
            "'tenant' is no scope.",
            "Add it to x-scopes.",
        ),
        ("/x-path-case", "no", "/x-path-case", '"no" is not known here.', "Write sensitive or insensitive."),
    ],
)
def test_each_mistake_is_named(tmp_path, pointer, value, at, *, fact, cure):
    """One mistake gives its fault, where it is, with the cure."""
    expected = Fault(file="toy.json", pointer=at, fact=fact, cure=cure)
    assert expected in faults(tmp_path, changed(pointer, value))


def test_faults_are_told_once_and_in_order(tmp_path):
    """Several mistakes give several faults, each once, sorted by place; the message has a line for each."""
    document = changed("/info/title", GONE)
    document["components"]["schemas"]["Thing"]["type"] = "objct"
    found = faults(tmp_path, document)
    assert [one.pointer for one in found] == ["/components/schemas/Thing/type", "/info"]
    assert str(ContractError(found)).splitlines() == [
        """toy.json#/components/schemas/Thing/type: "objct" is not known here. Did you mean 'object'?""",
        "toy.json#/info: 'title' is missing. Add it.",
    ]


@pytest.mark.parametrize(
    ("content", "name", "fact"),
    [
        (b"\xff\xfe", "toy.yaml", "byte 0 is not UTF-8."),
        (b"[1, 2]", "toy.yaml", "it is no OpenAPI document: not a mapping."),
        (b"", "toy.yaml", "it is no OpenAPI document: not a mapping."),
        (b"just text", "toy.yaml", "it is no OpenAPI document: not a mapping."),
        (b"swagger: '2.0'", "toy.yaml", "this is Swagger 2.0."),
        (b"swagger: '1.2'", "toy.yaml", "Swagger 1.2 is not read."),
        (b"openapi: 3.2.0", "toy.yaml", "OpenAPI '3.2.0' is not read."),
        (b"openapi: 3.1", "toy.yaml", "OpenAPI 3.1 is not read."),
        (b"openapi: 2.0.0", "toy.yaml", "OpenAPI '2.0.0' is not read."),
        (b"info: {}", "toy.yaml", "'openapi' is missing."),
        (b"a: [1", "toy.yaml", "line 2, column 1: did not find expected ',' or ']'."),
        (b"a: 1\na: 2", "toy.yaml", "line 2, column 1: the key 'a' occurs twice."),
        (b'{"a": 1,}', "toy.json", "line 1, column 8: Trailing comma is not allowed."),
        (b'{"a": 1, "a": 2}', "toy.json", 'line 1, column 10: The key "a" occurs twice in one object.'),
        (b"[" * 100_000, "toy.yaml", "line 1, column 101: it is nested more than 100 deep."),
        (b"{" * 100_000, "toy.json", "line 1, column 2: Unexpected character, expected a string key."),
    ],
)
def test_what_is_no_document_is_one_fault(tmp_path, content, name, fact):
    """A file that cannot be taken as an OpenAPI document says why."""
    assert fact in [one.fact for one in faults(tmp_path, content, name)]


def test_missing_files_and_folders(tmp_path):
    """A file that is not there and a folder are told apart."""
    absent, folder = "there is no such file.", "this is a directory."
    for path, fact in ((tmp_path / "none.yaml", absent), (tmp_path, folder), ("", folder), ("\0", None)):
        with pytest.raises(ContractError) as caught:
            load(path)
        assert [one.fact for one in caught.value.faults] == [fact or "it cannot be read: embedded null byte."]
        assert caught.value.faults[0].file


def test_mistakes_in_other_files_name_those(tmp_path):
    """A fault in a file that is referred to carries that file's name and pointer."""
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "thing.yaml").write_text("Thing: {type: objct}\nId: {name: id, in: pth}\n")
    document = changed("/components/schemas/Thing", {"$ref": "parts/thing.yaml#/Thing"})
    document["paths"]["/things/{id}"]["parameters"] = [{"$ref": "parts/thing.yaml#/Id"}]
    found = {(one.file, one.pointer) for one in faults(tmp_path, document)}
    assert {("parts/thing.yaml", "/Thing/type"), ("parts/thing.yaml", "/Id/in")} <= found


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "/x", "{", "#/", "3.1.0", "object"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["$ref", "get", "schema", "x-bulk", "items", "type", "/x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


def places(value, at=""):
    """Yield the pointer of every member inside a document."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield f"{at}/{key.replace('/', '~1')}"
            yield from places(one, f"{at}/{key.replace('/', '~1')}")


@pytest.mark.slow
@given(st.sampled_from([*places(SOUND)]), ANY)
@example("/x-resources/thing", {"$ref": "none"})
def test_no_document_brings_a_traceback(tmp_path_factory, pointer, value):
    """Whatever stands anywhere in a document, it loads or is refused by faults."""
    file = tmp_path_factory.getbasetemp() / "any.json"
    file.write_text(json.dumps(changed(pointer, value)))
    try:
        assert load(file).name == "any"  # without paths there are no operations
    except ContractError as error:
        found = error.faults
    else:
        return
    assert all(one.fact and one.cure for one in found)

"""Kinds of change that users of such tools report: what breaks nobody is no error, and what breaks somebody is one.

Each kind is a change of a request or a response schema, with the rules that tell it; `nothing` is said of the others.
"""

import json

import pytest

from contracts.diff.compare import compare
from contracts.openapi.loading import load
from generators.contract_diff import find_witness

JSON = "application/json"
TEXT = {"type": "string"}
READ = {"type": "string", "readOnly": True}
WRITE = {"type": "string", "writeOnly": True}
ANY = {}


def obj(required=(), **members):
    extra = {"additionalProperties": members.pop("more")} if "more" in members else {}
    return {"type": "object", "properties": members, "required": [*required], **extra}


def document(request=ANY, response=ANY, *, version="3.1.0", path="/a", parameters=(), headers=None, schemas=None):
    operation = {
        "operationId": "a",
        "parameters": [*parameters],
        "requestBody": {"content": {JSON: {"schema": request}}},
        "responses": {"200": {"description": "D", "headers": headers or {}, "content": {JSON: {"schema": response}}}},
    }
    components = {"components": {"schemas": schemas}} if schemas else {}
    return {
        "openapi": version,
        "info": {"title": "T", "version": "1"},
        "paths": {path: {"post": operation}},
        **components,
    }


@pytest.fixture
def told(tmp_path):
    """Return the rules and severities of the changes from one document to another."""

    def read(name, value):
        path = tmp_path / name
        path.write_text(json.dumps(value))
        return load(path)

    def tell(old, new):
        changes = compare(read("old.json", old), read("new.json", new), find=find_witness).changes
        return {one.rule: one.severity for one in changes}

    return tell


REQUESTS = {  # old schema, new schema, what is told
    "a readOnly member is required": (obj(id=READ), obj(["id"], id=READ), {}),
    "a readOnly member is required in allOf": (
        {"allOf": [obj(id=READ), obj(a=TEXT)]},
        {"allOf": [obj(["id"], id=READ), obj(a=TEXT)]},
        {},
    ),
    "a readOnly member is narrowed": (obj(id=READ), obj(id={**READ, "pattern": "^x"}), {}),
    "a readOnly member comes, required": (obj(a=TEXT), obj(["id"], a=TEXT, id=READ), {}),
    "a readOnly member goes": (obj(a=TEXT, id=READ), obj(a=TEXT), {}),
    "readOnly goes from a required member": (
        obj(["id"], id=READ),
        obj(["id"], id=TEXT),
        {"request-required-narrowed": "error", "request-properties-narrowed": "info"},
    ),
    "readOnly comes": (obj(id=TEXT), obj(id=READ), {"request-properties-widened": "warning"}),
    "a writeOnly member is required": (obj(a=WRITE), obj(["a"], a=WRITE), {"request-required-narrowed": "error"}),
    "a type joins in an array of types": (
        obj(a=TEXT),
        obj(a={"type": ["string", "null"]}),
        {"request-type-widened": "info"},
    ),
    "a type goes from an array of types": (
        obj(a={"type": ["string", "null"]}),
        obj(a=TEXT),
        {"request-type-narrowed": "error"},
    ),
    "only examples change": (obj(a={**TEXT, "examples": ["x"]}), obj(a={**TEXT, "examples": ["y"]}), {}),
    "only words change": (obj(a=TEXT), {**obj(a={**TEXT, "description": "D"}), "title": "T"}, {}),
    "deprecated": (obj(a=TEXT), obj(a={**TEXT, "deprecated": True}), {}),
    "another order of required": (obj(["a", "b"], a=TEXT, b=TEXT), obj(["b", "a"], a=TEXT, b=TEXT), {}),
    "another default": (
        obj(a={**TEXT, "default": "x"}),
        obj(a={**TEXT, "default": "y"}),
        {"request-default-changed": "warning"},
    ),
    "an enum of one for a const": (obj(a={"const": "x"}), obj(a={"enum": ["x"]}), {}),
    "an enum that takes more": (obj(a={"enum": ["x"]}), obj(a={"enum": ["x", "y"]}), {"request-enum-widened": "info"}),
    "an integer becomes a number": (
        obj(a={"type": "integer"}),
        obj(a={"type": "number"}),
        {"request-type-widened": "info"},
    ),
    "other members are refused": (
        obj(a=TEXT),
        obj(a=TEXT, more=False),
        {"request-additionalProperties-narrowed": "error"},
    ),
}
RESPONSES = {
    "a writeOnly member goes": (obj(a=TEXT, pw=WRITE), obj(a=TEXT), {}),
    "a required writeOnly member goes": (obj(["pw"], pw=WRITE), obj(), {}),
    "a writeOnly member is widened": (obj(pw={**WRITE, "maxLength": 5}), obj(pw=WRITE), {}),
    "a writeOnly member comes": (obj(a=TEXT), obj(a=TEXT, pw=WRITE), {}),
    "writeOnly comes to a required member": (
        obj(["a"], a=TEXT),
        obj(["a"], a=WRITE),
        {"response-required-widened": "error", "response-properties-widened": "warning"},
    ),
    "a readOnly member may be absent": (obj(["id"], id=READ), obj(id=READ), {"response-required-widened": "error"}),
    "an enum with one word more": (
        obj(a={"enum": ["x"]}),
        obj(a={"enum": ["x", "y"]}),
        {"response-enum-widened": "error"},
    ),
    "an enum with one word less": (
        obj(a={"enum": ["x", "y"]}),
        obj(a={"enum": ["x"]}),
        {"response-enum-narrowed": "info"},
    ),
    "null may come": (obj(a=TEXT), obj(a={"type": ["string", "null"]}), {"response-type-widened": "error"}),
    "other members may come": (
        obj(a=TEXT, more=False),
        obj(a=TEXT),
        {"response-additionalProperties-widened": "error"},
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_changes_of_what_is_asked(told, name):
    old, new, expected = REQUESTS[name]
    assert told(document(request=old), document(request=new)) == expected


@pytest.mark.parametrize("name", RESPONSES)
def test_changes_of_what_is_answered(told, name):
    old, new, expected = RESPONSES[name]
    assert told(document(response=old), document(response=new)) == expected


SAME = {  # two ways to write one schema
    "allOf and its parts in one": ({"allOf": [obj(["a"], a=TEXT), obj(b=TEXT)]}, obj(["a"], a=TEXT, b=TEXT)),
    "a choice of one": (obj(a=TEXT), obj(a={"oneOf": [TEXT]})),
    "a choice of null": (obj(a={"type": ["string", "null"]}), obj(a={"anyOf": [TEXT, {"type": "null"}]})),
}


@pytest.mark.parametrize("name", SAME)
@pytest.mark.parametrize("is_flattened", [True, False])
@pytest.mark.parametrize("side", ["request", "response"])
def test_another_way_to_write_a_schema_breaks_nobody(told, name, side, is_flattened):
    old, new = SAME[name] if is_flattened else SAME[name][::-1]
    assert {*told(document(**{side: old}), document(**{side: new})).values()} <= {"info"}


def test_nullable_of_3_0_is_the_type_array_of_3_1(told):
    old, new = obj(a={**TEXT, "nullable": True}), obj(a={"type": ["string", "null"]})
    assert told(document(old, old, version="3.0.3"), document(new, new)) == {}


def parameter(name, where="query", schema=TEXT):
    return {"name": name, "in": where, "required": where == "path", "schema": schema}


def test_names_that_clients_do_not_write_are_no_change(told):
    """Those of path variables, and the case of header fields."""
    old, new = (document(path=f"/a/{{{one}}}", parameters=[parameter(one, "path")]) for one in ("id", "key"))
    assert told(old, new) == {}
    old, new = (
        document(parameters=[parameter(one, "header")], headers={one: {"schema": TEXT}}) for one in ("X-A", "x-a")
    )
    assert told(old, new) == {}


def forms(mapping=None, name="kind"):
    """Return a schema of two forms, told apart by a member."""
    parts = [{"$ref": f"#/components/schemas/{one}"} for one in ("Cat", "Dog")]
    words = {word: f"#/components/schemas/{one}" for word, one in (mapping or {}).items()}
    return {"oneOf": parts, "discriminator": {"propertyName": name, **({"mapping": words} if mapping else {})}}


ANIMALS = {"Cat": obj(kind=TEXT, lives=TEXT, type=TEXT), "Dog": obj(kind=TEXT, tricks=TEXT, type=TEXT)}
DISCRIMINATORS = {  # old mapping, new mapping, in a request, in a response
    "two words are swapped": (
        {"cat": "Cat", "dog": "Dog"},
        {"cat": "Dog", "dog": "Cat"},
        {"changed": "error"},
        {"changed": "error"},
    ),
    "another word": (
        {"cat": "Cat"},
        {"kitty": "Cat"},
        {"narrowed": "error", "widened": "info"},
        {"narrowed": "info", "widened": "error"},
    ),
    "one word more": ({"cat": "Cat"}, {"cat": "Cat", "dog": "Dog"}, {"widened": "info"}, {"widened": "error"}),
    "one word less": ({"cat": "Cat", "dog": "Dog"}, {"cat": "Cat"}, {"narrowed": "error"}, {"narrowed": "info"}),
    "a name that stands for itself": (None, {"Cat": "Cat"}, {}, {}),
}


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_changed_mapping_of_a_discriminator_is_seen(told, name):
    """No JSON Schema tells of it: the same values are valid, and mean something else."""
    old, new, asked, answered = DISCRIMINATORS[name]
    for side, expected in (("request", asked), ("response", answered)):
        before, after = (document(**{side: forms(one)}, schemas=ANIMALS) for one in (old, new))
        assert told(before, after) == {f"{side}-discriminator-{effect}": how for effect, how in expected.items()}


def test_another_member_of_a_discriminator_is_seen(told):
    before, after = (document(request=forms(name=one), schemas=ANIMALS) for one in ("kind", "type"))
    assert told(before, after) == {"request-discriminator-changed": "error"}


def test_a_schema_for_both_sides_is_told_for_each_side(told, tmp_path):
    """A component that requests and responses share is compared as each has it; its place is in the document."""
    old, new = ({"Pet": obj(required, id=READ, name=TEXT)} for required in ([], ["id", "name"]))
    shared = {"$ref": "#/components/schemas/Pet"}
    before, after = (document(shared, shared, schemas=one) for one in (old, new))
    assert told(before, after) == {"request-required-narrowed": "error", "response-required-narrowed": "info"}
    changes = compare(load(tmp_path / "old.json"), load(tmp_path / "new.json")).changes
    assert {one.schema for one in changes} == {"old.json#/components/schemas/Pet"}
    assert [one.says for one in changes if one.severity == "error"] == ["'name' is required now"]

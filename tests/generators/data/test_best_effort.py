"""Values for answers: valid where one can be made, else the best there is and a word on it; never an error."""

import json

import pytest
from jsonschema import Draft202012Validator

from contracts.schemas.schema_set import SchemaSet
from generators.data import compile as compiling
from generators.data.best_effort import made_of
from generators.data.compile import compile_schema
from generators.errors import UnsatisfiableError


def bound(schema):
    return SchemaSet({"": schema}).schema("#")


def obj(properties, *required, **more):
    return {"type": "object", "properties": properties, "required": [*required], **more}


TEXT, NUMBER = {"type": "string"}, {"type": "integer"}
TREE = obj({"value": NUMBER, "children": {"type": "array", "items": {"$ref": "#"}}}, "value", "children")
CHAIN = obj({"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "next")
HARD = {
    "overlapping oneOf": {"oneOf": [{"type": "object"}, obj({"a": TEXT}, "a")]},
    "oneOf of the same": {"oneOf": [obj({"a": TEXT, "b": NUMBER}), obj({"a": TEXT}, "a"), {"type": "null"}]},
    "oneOf told apart by a constant": {
        "oneOf": [obj({"kind": {"const": kind}, kind: TEXT}, "kind", kind) for kind in ("a", "b", "c")]
    },
    "not": obj({"a": {"type": "integer", "not": {"enum": [0, 1]}}}, "a", **{"not": {"required": ["b"]}}),
    "tree": TREE,
    "chain": CHAIN,
    "unknown format": {"type": "string", "format": "no-such-format"},
    "unknown format of a number": {"type": "number", "format": "money"},
    "integer beyond 64 bits below": {"type": "integer", "minimum": -9223372036854776000},
    "unsigned": {"type": "integer", "minimum": 0, "maximum": 18446744073709551615},
    "nullable": {"type": ["string", "null"]},
    "many required objects": obj(
        {f"m{n}": {"$ref": "#/$defs/tree"} for n in range(8)},
        "m0",
        "m7",
        **{"$defs": {"tree": obj({"kids": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}, "kids")}},
    ),
    "base64": {"type": "string", "contentEncoding": "base64"},
    "merged parts": {"allOf": [obj({"a": TEXT}, "a"), obj({"b": NUMBER}, "b"), {"properties": {"b": {"minimum": 3}}}]},
}
"""Schemas that have values, though some are hard to find."""

IMPOSSIBLE = {
    "endless reference": (obj({"self": {"$ref": "#"}, "id": TEXT}, "self", "id"), dict),
    "more members than can be": (obj({"a": TEXT, "b": NUMBER}, minProperties=3, additionalProperties=False), dict),
    "endless member among many": (
        obj({"a": TEXT, "b": {"$ref": "#/$defs/b"}}, minProperties=2, additionalProperties=False)
        | {"$defs": {"b": obj({"b": {"$ref": "#/$defs/b"}}, "b")}},
        dict,
    ),
    "two types": ({"allOf": [{"type": "string"}, {"type": "integer"}]}, str),
    "two types of a member": (obj({"a": TEXT, "b": {"allOf": [TEXT, {"type": "boolean"}]}}, "a", "b"), dict),
    "a required member that is false": (obj({"a": False, "b": TEXT}, "a", "b"), dict),
    "bounds": (obj({"a": {"type": "integer", "minimum": 5, "maximum": 4}}, "a"), dict),
    "lengths": ({"type": "string", "minLength": 3, "maxLength": 2}, str),
    "format and length": ({"type": "string", "format": "uuid", "maxLength": 3}, str),
    "pattern that nothing matches": ({"type": "string", "pattern": "^(?!)$"}, str),
    "pattern that no engine takes": (obj({"a": {"type": "string", "pattern": "("}}, "a"), dict),
    "empty enum": (obj({"a": {"type": "string", "enum": []}}, "a"), dict),
    "enum of another type": ({"type": "string", "enum": [1]}, int),
    "not anything": ({"type": "string", "not": {}}, str),
    "same branches of oneOf": ({"oneOf": [obj({"a": TEXT}, "a"), obj({"a": TEXT}, "a")]}, dict),
    "too few different elements": (
        {"type": "array", "items": {"enum": [1, 2]}, "uniqueItems": True, "minItems": 3},
        list,
    ),
    "nothing at a reference": (obj({"a": {"$ref": "#/$defs/none"}, "b": TEXT}, "a", "b"), dict),
    "no schema": (obj({"a": {"type": "text"}}, "a"), dict),
}
"""Schemas that have no value, and the type of what stands for one."""


@pytest.mark.parametrize("typical", [True, False])
@pytest.mark.parametrize("name", HARD)
def test_a_valid_value_is_found_where_there_is_one(name, typical):
    """Two validators find each value valid, and no warning is given."""
    judge = Draft202012Validator(HARD[name])
    for seed in range(20):
        made = made_of(bound(HARD[name]), seed, typical=typical)
        assert made.warning == ""
        judge.validate(made.value)


@pytest.mark.parametrize("typical", [True, False])
@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_what_cannot_be_made_is_made_as_well_as_can_be_and_said(name, typical):
    """A schema without values has an answer of its form all the same, in JSON, and a warning in one short line."""
    schema, kind = IMPOSSIBLE[name]
    for seed in range(5):
        made = made_of(bound(schema), seed, typical=typical)
        assert isinstance(made.value, kind)
        assert set(schema.get("required", ())) <= set(made.value if kind is dict else ())
        assert made.warning
        assert len(made.warning) < 200
        assert "\n" not in made.warning
        assert len(json.dumps(made.value)) < 3000


def test_what_else_there_is_is_kept():
    """Only what cannot be is given up: the other members are as their schemas say."""
    schema = obj(
        {"self": {"$ref": "#"}, "id": {"type": "string", "format": "uuid"}, "n": {"minimum": 7, "type": "integer"}},
        "self",
        "id",
        "n",
    )
    value = made_of(bound(schema), 1).value
    assert value["n"] >= 7
    assert Draft202012Validator({"format": "uuid"}).is_valid(value["id"])
    several = made_of(bound(IMPOSSIBLE["more members than can be"][0]), 1)
    assert set(several.value) == {"a", "b"}
    assert "3" in several.warning


def test_typical_values_are_those_that_the_schema_shows():
    """Examples come first, then defaults; one that breaks its own schema is passed over."""
    schema = obj(
        {
            "example": {"type": "string", "examples": ["shown"]},
            "bare": {"type": "string", "example": "shown too"},
            "default": {"type": "integer", "default": 7},
            "both": {"type": "integer", "default": 7, "examples": [8]},
            "wrong": {"type": "integer", "examples": ["eight"], "default": 9},
            "whole": {"type": "object", "examples": [{"any": "thing"}]},
            "enum": {"enum": [None, "first", "second"]},
            "choice": {"oneOf": [{"type": "boolean"}, {"type": "string"}]},
            "nullable": {"type": ["null", "integer"]},
            "list": {"type": "array", "items": {"type": "string", "examples": ["one"]}},
        }
    )
    value = made_of(bound(schema), 5).value
    assert isinstance(value.pop("choice"), bool)
    assert isinstance(value.pop("nullable"), int)
    assert value == {
        "example": "shown",
        "bare": "shown too",
        "default": 7,
        "both": 8,
        "wrong": 9,
        "whole": {"any": "thing"},
        "enum": "first",
        "list": ["one"],
    }


def test_elements_that_must_differ_do_though_they_have_one_example():
    """An example is no reason to break `uniqueItems`."""
    schema = {"type": "array", "items": {"type": "string", "examples": ["one"]}, "minItems": 3, "uniqueItems": True}
    made = made_of(bound(schema), 1)
    assert made.warning == ""
    assert len(set(made.value)) == 3


def test_members_of_the_other_side_are_left_out():
    """A `readOnly` member is not in requests, a `writeOnly` one not in responses, at any depth."""
    record = obj(
        {"id": {"type": "integer", "readOnly": True}, "secret": {"type": "string", "writeOnly": True}, "name": TEXT},
        "id",
        "secret",
        "name",
    )
    schema = bound(obj({"one": {"$ref": "#/$defs/record"}}, "one", **{"$defs": {"record": record}}))
    for typical in (True, False):
        sent, answered = (made_of(one, 1, typical=typical) for one in (schema.request, schema.response))
        assert (sent.warning, answered.warning) == ("", "")
        assert set(sent.value["one"]) == {"secret", "name"}
        assert set(answered.value["one"]) == {"id", "name"}


def test_values_depend_on_the_seed_alone():
    """What was drawn before changes nothing; another seed gives another value."""
    schema = bound(obj({"a": TEXT, "b": {"oneOf": [NUMBER, TEXT]}, "c": {"$ref": "#"}}, "a"))
    again = bound(schema.raw)
    for typical in (True, False):
        first = [made_of(schema, seed, typical=typical) for seed in range(30)]
        backwards = [made_of(again, seed, typical=typical) for seed in reversed(range(30))]
        assert first == backwards[::-1]
        assert len({json.dumps(made.value) for made in first}) > 20


def test_a_schema_is_compiled_once_and_only_what_is_drawn(monkeypatch):
    """The second value plans nothing; a member that is never drawn is never looked at."""
    flattened = []
    original = compiling.flatten
    monkeypatch.setattr(compiling, "flatten", lambda schema, *rest: flattened.append(schema) or original(schema, *rest))
    deep = {"$defs": {f"d{n}": obj({f"m{k}": {"$ref": f"#/$defs/d{n + 1}"} for k in range(4)}) for n in range(40)}}
    deep["$defs"]["d40"] = TEXT
    schema = bound({**deep, "$ref": "#/$defs/d0"})
    made_of(schema, 1)
    assert 0 < len(flattened) < 20
    before = len(flattened)
    made_of(schema, 1)
    assert len(flattened) == before


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_where_a_valid_value_is_asked_for_there_is_an_error(name):
    """Data and requests are valid or are not made: there the same schemas are refused."""
    with pytest.raises(UnsatisfiableError):
        compile_schema(IMPOSSIBLE[name][0])

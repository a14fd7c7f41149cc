"""What a `$dynamicRef` leads to is compared as it is seen from the schema at which a value enters."""

import copy
import json

import pytest

from contracts import load
from contracts.diff.compatibility import SchemaComparer
from contracts.schemas.schema_set import SchemaSet

SIZE = {"type": "integer", "maximum": 9}
DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "Things", "version": "1"},
    "components": {
        "schemas": {
            "List": {
                "$id": "https://things.example/list",
                "type": "array",
                "items": {"$dynamicRef": "#item"},
                "$defs": {"any": {"$dynamicAnchor": "item"}},
            },
            "Sizes": {
                "$id": "https://things.example/sizes",
                "$ref": "https://things.example/list",
                "$defs": {"item": {"$dynamicAnchor": "item", **SIZE}},
            },
            "Names": {
                "$id": "https://things.example/names",
                "$ref": "https://things.example/list",
                "$defs": {"item": {"$dynamicAnchor": "item", "type": "string", "minLength": 1}},
            },
            "Both": {
                "type": "object",
                "properties": {
                    "sizes": {"$ref": "https://things.example/sizes"},
                    "names": {"$ref": "https://things.example/names"},
                    "all": {"$ref": "https://things.example/list"},
                },
            },
            "Tree": {
                "$id": "https://things.example/tree",
                "$dynamicAnchor": "node",
                "type": "object",
                "properties": {
                    "data": {"type": "integer"},
                    "below": {"type": "array", "items": {"$dynamicRef": "#node"}},
                },
            },
            "Strict": {
                "$id": "https://things.example/strict",
                "$dynamicAnchor": "node",
                "$ref": "https://things.example/tree",
                "unevaluatedProperties": False,
            },
        }
    },
}
NAMES = ("List", "Sizes", "Names", "Both", "Tree", "Strict")
ALL = {"type": "object", "properties": {name: {"$ref": f"#/components/schemas/{name}"} for name in NAMES}}
DOCUMENT["paths"] = {
    "/things": {
        "put": {
            "operationId": "put",
            "requestBody": {"content": {"application/json": {"schema": ALL}}},
            "responses": {"204": {"description": "done"}},
        }
    }
}
VALUES = {
    "Sizes": ([[], [1, 9], [10], ["a"], 5]),
    "Names": ([[], ["a"], [""], [1]]),
    "Both": ([{"sizes": [1], "names": ["a"], "all": [1, "a", None]}, {"sizes": ["a"]}, {"names": [1]}, {"all": 1}]),
    "Tree": ([{"data": 1}, {"x": 1}, {"below": [{"x": 1}]}, {"below": [{"data": "a"}]}, {"below": [1]}]),
    "Strict": ([{"data": 1}, {"x": 1}, {"below": [{"x": 1}]}, {"below": [{"below": [{"x": 1}]}]}, {"below": [{}]}]),
}


@pytest.fixture
def schema_of(tmp_path):
    """Return a function that returns a schema of a document."""

    def read(document, name):
        file = tmp_path / "things.json"
        file.write_text(json.dumps(document), encoding="utf-8")
        contract = load(file)
        assert contract.repairs == ()
        return contract.operation("put").body.content[0].schema.at(name)

    return read


@pytest.mark.parametrize("name", VALUES)
def test_a_schema_with_static_references_takes_the_same_values(schema_of, name):
    """Where each dynamic reference leads is decided once; what is valid stays the same."""
    schema = schema_of(DOCUMENT, f"/{name}")
    static = schema.with_static_references()
    assert schema.within.is_dynamic(schema.ref)
    assert not static.within.is_dynamic(static.ref)
    assert "dynamic" not in str(static.within.documents)
    assert [static.is_valid(one) for one in VALUES[name]] == [schema.is_valid(one) for one in VALUES[name]]
    assert {schema.is_valid(one) for one in VALUES[name]} == {True, False}


def test_a_schema_without_dynamic_references_is_itself():
    """There is nothing to decide."""
    schema = SchemaSet({"s": {"type": "string"}}).schema("s#")
    assert schema.with_static_references() is schema


def changed(pointer, value):
    """Return the document with another value at a pointer below its schemas."""
    found = copy.deepcopy(DOCUMENT)
    *above, last = pointer.split("/")
    place = found["components"]["schemas"]
    for token in above:
        place = place[token]
    place[last] = value
    return found


CHANGES = [  # the schema compared, what is changed, where and of what kind the change is
    ("Sizes", "Sizes/$defs/item/maximum", 5, {("error", "/*", "maximum")}),
    ("Sizes", "Sizes/$defs/item/maximum", 10, {("info", "/*", "maximum")}),
    ("Sizes", "Names/$defs/item/minLength", 2, set()),
    ("Both", "Sizes/$defs/item/maximum", 5, {("error", "/sizes/*", "maximum")}),
    ("Both", "Names/$defs/item/minLength", 2, {("error", "/names/*", "minLength")}),
    ("Both", "List/maxItems", 3, {("error", f"/{one}", "maxItems") for one in ("sizes", "names", "all")}),
    ("Strict", "Tree/properties/data/type", "number", {("info", "/data", "type")}),
    ("Sizes", "List/items", {"$ref": "#/components/schemas/Sizes/$defs/item"}, set()),
    ("Tree", "Tree/properties/below/items", {"$ref": "#/components/schemas/Tree"}, set()),
]


@pytest.mark.parametrize(("name", "pointer", "value", "found"), CHANGES)
def test_changes_behind_a_dynamic_reference_are_found(schema_of, name, pointer, value, found):
    """In each place that it leads to from there, and in no other; a static reference to the same is no change."""
    comparer = SchemaComparer(find=None)
    old, new = schema_of(DOCUMENT, f"/{name}"), schema_of(changed(pointer, value), f"/{name}")
    changes = comparer.compare(old, new, direction="request", operation="", place="body")
    told = {(one.severity, one.place.removeprefix("body").strip(), one.rule.split("-")[1]) for one in changes}
    assert told == found

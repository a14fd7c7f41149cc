"""Where a pointer into an instance leads: through every form of a schema, the first that goes there."""

import pytest

from contracts.schemas.schema_set import SchemaSet

NOTE = {"type": "object", "properties": {"text": {"type": "string"}, "kind": {"type": "string"}}}
NARROW = {"properties": {"notes": {"items": {"properties": {"kind": {"const": "a"}}}}}}
DOCUMENT = {
    "note": NOTE,
    "notes": {"type": "object", "properties": {"notes": {"type": "array", "items": {"$ref": "#/note"}}}},
    "beside": {"$ref": "#/notes", **NARROW},
    "all": {"allOf": [NARROW, {"$ref": "#/notes"}]},
    "any": {"anyOf": [{"properties": {"notes": {"type": "null"}}}, {"$ref": "#/notes"}]},
}


@pytest.mark.parametrize("name", ["notes", "beside", "all", "any"])
def test_a_form_that_says_more_hides_nothing(name):
    """A schema that narrows some members leads to the others as the one that it narrows does."""
    schema = SchemaSet({"": DOCUMENT}).schema(f"#/{name}")
    assert schema.at("/notes/0/text").raw == {"type": "string"}
    assert schema.at("/notes/*/kind").raw in ({"type": "string"}, {"const": "a"})
    assert schema.at("/notes/0/other") is None
    assert schema.at("/other") is None
    assert schema.at("") == schema

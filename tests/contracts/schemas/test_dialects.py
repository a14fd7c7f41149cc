"""Schemas of OpenAPI 3.0 say in JSON Schema 2020-12 what they said before."""

import copy

import pytest

from contracts.schemas.keywords import from_30
from contracts.schemas.schema_set import SchemaSet

OBJECT = {"type": "object", "required": ["a"]}


@pytest.mark.parametrize(
    ("schema", "fitting", "unfit"),
    [
        ({"type": "string", "nullable": True}, [None, ""], [1]),
        ({"type": "string", "nullable": False}, [""], [None]),
        ({"type": "string", "nullable": True, "enum": ["a"]}, [None, "a"], ["b"]),
        ({"type": "string", "nullable": True, "enum": ["a", None]}, [None, "a"], ["b"]),
        ({"nullable": True, "enum": ["a"]}, [None, "a"], ["b"]),
        ({"nullable": True}, [None, 1], []),
        ({"nullable": True, "allOf": [OBJECT]}, [None, {"a": 1}], [{}, 1]),
        ({"type": "object", "nullable": True, "allOf": [OBJECT]}, [None, {"a": 1}], [{}, 1]),
        (
            {"type": "object", "nullable": True, "oneOf": [OBJECT], "minProperties": 2},
            [None, {"a": 1, "b": 1}],
            [{"a": 1}],
        ),
        ({"nullable": True, "anyOf": [OBJECT, {"type": "integer"}]}, [None, 1], ["", {}]),
        ({"nullable": True, "not": {"type": "string"}}, [None, 1], [""]),
        ({"nullable": True, "$ref": "t:d#/Object"}, [None, {"a": 1}], [{}, 1]),
        ({"$ref": "t:d#/Object", "minProperties": 2}, [{"a": 1}], [{}]),
        ({"type": "number", "minimum": 1, "exclusiveMinimum": True}, [2], [1]),
        ({"type": "number", "maximum": 1, "exclusiveMaximum": False}, [1], [2]),
    ],
)
def test_a_schema_of_openapi_30_keeps_its_meaning(schema, fitting, unfit):
    """`nullable` lets null in beside any other keyword; limits are exclusive by a flag; a reference stands alone."""
    converted = copy.deepcopy(schema)
    from_30(converted)
    assert "nullable" not in converted
    bound = SchemaSet({"t:d": {"Object": OBJECT, "S": converted}}).schema("t:d#/S")
    assert [one for one in fitting if not bound.is_valid(one)] == []
    assert [one for one in unfit if bound.is_valid(one)] == []


def test_annotations_stay_where_they_are():
    """What says nothing of validity stays beside the alternatives."""
    schema = {"nullable": True, "$ref": "t:d#/Object", "description": "It.", "readOnly": True}
    from_30(schema)
    assert schema == {"description": "It.", "readOnly": True, "anyOf": [{"$ref": "t:d#/Object"}, {"type": "null"}]}

"""`readOnly` members belong to responses, `writeOnly` ones to requests: neither is demanded of the other side."""

import pickle

import pytest

from contracts.openapi.validation import validate_items, validate_value
from contracts.schemas.schema_set import SchemaSet

ID = {"type": "integer", "readOnly": True}
SECRET = {"type": "string", "writeOnly": True}
USER = {
    "type": "object",
    "properties": {"id": ID, "name": {"type": "string"}, "secret": SECRET},
    "required": ["id", "name", "secret"],
    "additionalProperties": False,
}
SERVER_FIRST = {"required": ["id", "name"], "properties": {"name": {"type": "string"}}}
NODE = {
    "type": "object",
    "properties": {"id": ID, "next": {"$ref": "t:d#/Node"}, "many": {"type": "array", "items": {"$ref": "t:d#/Node"}}},
    "required": ["id"],
}
CAT = {
    "properties": {"kind": {"const": "cat"}, "id": ID, "lives": {"type": "integer"}},
    "required": ["kind", "id", "lives"],
}
DOG = {"properties": {"kind": {"const": "dog"}, "id": ID}, "required": ["kind", "id"]}
DOCUMENTS = {
    "t:d": {
        "User": USER,
        "Users": {"type": "array", "items": {"$ref": "t:d#/User"}},
        "Base": {"type": "object", "properties": {"id": {"type": "integer"}, "name": {}}, "required": ["id", "name"]},
        "Overlay": {"allOf": [{"$ref": "t:d#/Base"}, {"properties": {"id": {"readOnly": True}}}]},
        "Beside": {"properties": {"id": ID}, "allOf": [SERVER_FIRST]},
        "Own": {"allOf": [{"properties": {"id": ID}}], "required": ["id"]},
        "Identity": {"type": "integer", "readOnly": True},
        "Referred": {"properties": {"id": {"$ref": "t:d#/Identity"}}, "required": ["id"]},
        "Wrapped": {"properties": {"id": {"allOf": [{"$ref": "t:d#/Plain"}], "readOnly": True}}, "required": ["id"]},
        "Plain": {"type": "integer"},
        "Sibling": {"properties": {"id": {"$ref": "t:d#/Plain", "readOnly": True}}, "required": ["id"]},
        "Node": NODE,
        "Pet": {
            "oneOf": [{"$ref": "t:d#/Cat"}, {"$ref": "t:d#/Dog"}],
            "discriminator": {"propertyName": "kind", "mapping": {"cat": "t:d#/Cat", "dog": "t:d#/Dog"}},
        },
        "Cat": CAT,
        "Dog": DOG,
        "Either": {
            "properties": {"id": ID, "name": {"type": "string"}},
            "oneOf": [{"required": ["id"]}, {"required": ["name"]}],
        },
        "Unless": {"properties": {"id": ID}, "not": {"required": ["id"]}},
        "Needs": {"properties": {"id": ID, "name": {}}, "dependentRequired": {"name": ["id"]}},
        "If": {"properties": {"id": ID, "a": {}}, "if": {"required": ["a"]}, "then": {"required": ["id", "a"]}},
        "a/b": {"properties": {"x~y,]": {"readOnly": True}}, "allOf": [{"$ref": "t:d#/Odd"}]},
        "Odd": {"required": ["x~y,]"]},
        "Inner": {"$ref": "t:d#/User/properties/id"},
    }
}


def schema(name):
    """Return a schema of a fresh set."""
    return SchemaSet(DOCUMENTS).schema("t:d#/" + name.replace("/", "~1"))


@pytest.mark.parametrize(
    ("name", "request_body", "response_body"),
    [
        ("User", {"name": "a", "secret": "s"}, {"id": 1, "name": "a"}),
        ("Users", [{"name": "a", "secret": "s"}], [{"id": 1, "name": "a"}]),
        ("Overlay", {"name": "a"}, {"id": 1, "name": "a"}),
        ("Beside", {"name": "a"}, {"id": 1, "name": "a"}),
        ("Own", {}, {"id": 1}),
        ("Referred", {}, {"id": 1}),
        ("Wrapped", {}, {"id": 1}),
        ("Sibling", {}, {"id": 1}),
        ("Node", {"next": {"many": [{}]}}, {"id": 1, "next": {"id": 2, "many": [{"id": 3}]}}),
        ("Pet", {"kind": "cat", "lives": 9}, {"kind": "dog", "id": 1}),
        ("Either", {"name": "a"}, {"id": 1}),
        ("Unless", {}, {}),
        ("Needs", {"name": 1}, {"name": 1, "id": 1}),
        ("If", {"a": 1}, {"a": 1, "id": 1}),
        ("a/b", {}, {"x~y,]": 1}),
    ],
)
def test_each_side_sends_its_own_members(name, request_body, response_body):
    """A request is valid without readOnly members, a response without writeOnly ones, however they are declared."""
    assert schema(name).request.is_valid(request_body)
    assert schema(name).response.is_valid(response_body)


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("User", {"secret": "s"}),
        ("User", {"name": "a"}),
        ("User", {"name": "a", "secret": 1}),
        ("User", {"name": "a", "secret": "s", "other": 1}),
        ("Users", [{"name": "a", "secret": "s"}, {"name": "a"}]),
        ("Overlay", {"id": 1}),
        ("Beside", {}),
        ("Node", {"next": 1}),
        ("Pet", {"kind": "cat"}),
        ("Pet", {"kind": "cow"}),
        ("Unless", {"id": 1}),
    ],
)
def test_all_else_is_still_demanded_of_a_request(name, body):
    """What is not readOnly is required and checked as ever, and each violation is explained."""
    assert not schema(name).request.is_valid(body)
    assert validate_value(schema(name).request, body).total == 1


def test_what_the_other_side_sends_all_the_same_is_not_checked():
    """A client may send back what it has read, whatever the value is; OpenAPI 3.0.3, Schema Object."""
    assert schema("User").request.is_valid({"id": "not a number", "name": "a", "secret": "s"})
    assert schema("User").response.is_valid({"id": 1, "name": "a", "secret": 5})
    assert not schema("User").response.is_valid({"id": "1", "name": "a"})
    assert not schema("User").is_valid({"name": "a", "secret": "s"})


def test_members_that_are_not_sent_are_named():
    """A generator learns which members it leaves out; a schema without a direction has none."""
    user = schema("User")
    assert (user.request.unsent, user.response.unsent, user.unsent) == ({"id"}, {"secret"}, set())
    assert schema("Overlay").request.unsent == {"id"}
    assert schema("Plain").request.unsent == set()


def test_a_schema_without_hidden_members_is_itself():
    """Nothing is copied or compiled twice where nothing is hidden; a direction is taken once."""
    plain, user = schema("Base"), schema("User")
    assert plain.request == plain == plain.response
    assert user.request.request == user.request != user.response
    assert user.request.within.schema("t:d#/User") == user


def test_a_directed_schema_survives_pickling():
    """Workers receive schemas by pickle, and make what they need anew."""
    copy = pickle.loads(pickle.dumps(schema("User").request))  # noqa: S301 - our own bytes
    assert copy.is_valid({"name": "a", "secret": "s"})
    assert copy.raw["required"] == ["name", "secret"]


def test_a_part_is_found_at_its_own_place():
    """A pointer into a schema that has been made leads into that copy, and past it where the copy has nothing."""
    user = schema("User").request
    assert user.inside("properties", "id").raw == {"readOnly": True}
    assert user.inside("properties", "secret").raw == SECRET
    with pytest.raises(LookupError):
        user.inside("properties", "none")


def test_items_are_validated_as_requests():
    """A list of items is judged like a single body, and an item's fault is told without its hidden members."""
    report = validate_items(schema("User"), [{"name": "a", "secret": "s"}, {"secret": "s"}])
    assert [(one.pointer, one.rule, one.expected) for one in report] == [("/1", "required", "member 'name'")]

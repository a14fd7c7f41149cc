"""A value is made to fit its schema: converted where that keeps its meaning, and filled where members are missing."""

from datetime import UTC, datetime

import pytest

from contracts.schemas.schema_set import SchemaSet
from generators.data.completion import fitted, time_text

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
ERROR = {
    "type": "object",
    "required": ["code", "message"],
    "properties": {"code": {"type": "integer"}, "message": {"type": "string"}},
}


def fit(schema, value, seed="s"):
    """Return a value made to fit a schema."""
    return fitted(SchemaSet({"": schema}).schema("#"), value, seed, NOW)


def members(required=(), **properties):
    """Return the schema of an object."""
    return {"type": "object", "required": list(required), "properties": properties}


@pytest.mark.parametrize(
    ("schema", "value", "wanted"),
    [
        ({"type": "string"}, 201, "201"),
        ({"type": "string"}, True, "true"),
        ({"type": "integer"}, "7", 7),
        ({"type": "boolean"}, "false", False),
        ({"type": "integer"}, "2026-01-01T00:00:00Z", 1767225600),
        ({"type": "array", "items": {"type": "string"}}, "bad", ["bad"]),
        ({"type": "array"}, "", []),
        ({"enum": ["COMPLETE"], "type": "string"}, "complete", "COMPLETE"),
        ({"type": ["string", "null"]}, None, None),
        (members(message={"type": "string"}), "bad", {"message": "bad"}),
        (members(Title={"type": "string"}), "bad", {"Title": "bad"}),
        ({"oneOf": [{"type": "null"}, members(["detail"], detail={"type": "string"})]}, "bad", {"detail": "bad"}),
    ],
)
def test_a_value_takes_the_type_that_its_schema_has(schema, value, wanted):
    """What it says stays the same."""
    assert fit(schema, value) == wanted


@pytest.mark.parametrize(
    ("schema", "wanted"),
    [
        ({"type": ["string", "null"]}, None),
        ({"type": "boolean"}, False),
        ({"type": "array", "items": {"type": "string"}}, []),
        ({"const": "COMPLETE"}, "COMPLETE"),
        ({"type": "string", "default": "red"}, "red"),
        ({"type": "string", "format": "date-time"}, "2026-01-02T03:04:05.678Z"),
        ({"type": "string", "format": "date"}, "2026-01-02"),
        (members(["at"], at={"type": "boolean"}), {"at": False}),
    ],
)
def test_a_missing_member_gets_the_least_that_is_valid(schema, wanted):
    """Null, false, an empty list, the only word, the time of the call."""
    assert fit(members(["m"], m=schema), {}) == {"m": wanted}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^rec[a-z]{5}$"},
        {"type": "string", "format": "uuid"},
        {"type": "integer", "minimum": 1000},
        {"type": "number", "multipleOf": 0.5},
        {"type": "array", "minItems": 2, "items": {"type": "integer"}},
        {"enum": ["a", "b"]},
        {"allOf": [members(["a"], a={"type": "string"}), members(["b"], b=ERROR)]},
        {"anyOf": [members(["a"], a={"type": "integer"}), members(["b"], b=ERROR)]},
        {"type": "object", "required": ["x"], "additionalProperties": {"type": "integer"}},
    ],
)
def test_what_is_filled_in_is_valid_and_the_same_for_the_same_seed(schema):
    """A value that fits is returned as it is; another seed is another value, or the only one."""
    whole = members(["m", "list"], m=schema, list={"type": "array", "items": members(["m"], m=schema)})
    value = fit(whole, {"list": [{}, {"other": 1}]})
    assert SchemaSet({"": whole}).schema("#").is_valid(value)
    assert fit(whole, {"list": [{}, {"other": 1}]}) == value
    assert fit(whole, value) is value
    assert [one.get("other") for one in value["list"]] == [None, 1]


def test_nothing_is_changed_in_place():
    """The value that is completed stays as it was."""
    value = {"list": [{"code": "3"}]}
    fit(members(["n"], list={"type": "array", "items": ERROR}, n={"type": "integer"}), value)
    assert value == {"list": [{"code": "3"}]}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("date-time", "2026-01-02T03:04:05.678Z"),
        ("date", "2026-01-02"),
        ("epoch", 1767323045),
        ("epoch-millis", 1767323045678),
    ],
)
def test_times_have_a_fraction_of_a_second(kind, wanted):
    """RFC 3339 in milliseconds, and the numbers of POSIX."""
    assert time_text(NOW, kind) == wanted

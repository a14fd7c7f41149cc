"""Which JSON values are equal, and which are the same value written in two ways."""

import pytest

from contracts.messages import ABSENT
from contracts.schemas.equality import CANONICAL_VALUES, declared_part, difference_at, equal, equivalent
from contracts.schemas.schema_set import SchemaSet

DUE = {"type": "string", "format": "date-time"}
OBJECT = {"type": "object", "properties": {"due": DUE, "tags": {"type": "array", "items": {"format": "uuid"}}}}


def schema_of(raw):
    return SchemaSet({"": raw}).schema("#")


SAME = [
    ("date-time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00"),
    ("date-time", "2026-01-02T03:04:05Z", "2026-01-02t03:04:05.000z"),
    ("date-time", "2026-01-02T03:04:05.120Z", "2026-01-02T03:04:05.12Z"),
    ("date-time", "2026-01-01T23:30:00-01:00", "2026-01-02T00:30:00Z"),
    ("date-time", "2026-01-02T03:04:05.1234567890Z", "2026-01-02T03:04:05.123456789Z"),
    ("date-time", "0001-01-01T00:30:00+01:00", "0001-01-01T00:30:00.0+01:00"),
    ("time", "12:00:00Z", "12:00:00+00:00"),
    ("time", "00:30:00+01:00", "23:30:00.00Z"),
    ("duration", "PT60M", "PT1H"),
    ("duration", "P1D", "PT24H"),
    ("duration", "P2W", "P14D"),
    ("duration", "P1Y", "P12M"),
    ("duration", "PT0S", "P0D"),
    ("duration", "PT1.50S", "PT1.5S"),
    ("uri", "HTTP://Example.com", "http://example.com/"),
    ("uri", "https://example.com:443/a", "https://example.com/a"),
    ("uri", "http://example.com/%7euser/%c3%a9", "http://example.com/~user/%C3%A9"),
    ("uri", "http://example.com/a/../b/./c", "http://example.com/b/c"),
    ("uri-reference", "/a%2fb", "/a%2Fb"),
    ("uuid", "0F0E0D0C-0B0A-4908-8706-050403020100", "0f0e0d0c-0b0a-4908-8706-050403020100"),
    ("ipv6", "2001:DB8:0:0::1", "2001:db8::1"),
    ("hostname", "Example.COM", "example.com"),
    ("date", "2026-01-02", "2026-01-02"),
]

OTHER = [
    ("date-time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+01:00"),
    ("date-time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.001Z"),
    ("date-time", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05"),
    ("date-time", "soon", "later"),
    ("date", "2026-01-02", "2026-01-03"),
    ("time", "12:00:00Z", "12:00:00+01:00"),
    ("duration", "P1M", "PT1M"),
    ("duration", "P1M", "P30D"),
    ("duration", "P", "PT"),
    ("uri", "http://example.com/A", "http://example.com/a"),
    ("uri", "http://example.com/a%2fb", "http://example.com/a/b"),
    ("uri", "http://example.com/a?", "http://example.com/a"),
    ("uri", "http://example.com:8080/", "http://example.com/"),
    ("uri", "http://example.com:x/", "http://example.com/"),
    ("uuid", "0f0e0d0c-0b0a-4908-8706-050403020100", "0f0e0d0c-0b0a-4908-8706-050403020101"),
    ("email", "A@example.com", "a@example.com"),
    ("no-such-format", "A", "a"),
]


@pytest.mark.parametrize(("named", "one", "other"), SAME)
def test_one_value_written_in_two_ways_is_equivalent(named, one, other):
    """Formats decide: instants, lengths and addresses count, not their spelling."""
    schema = schema_of({"type": "string", "format": named})
    assert equivalent(schema, one, other)
    assert equivalent(schema, other, one)


@pytest.mark.parametrize(("named", "one", "other"), OTHER)
def test_another_value_is_not_equivalent(named, one, other):
    """What means something else, or has no meaning in its format, must be equal."""
    schema = schema_of({"type": "string", "format": named})
    assert not equivalent(schema, one, other)
    assert equivalent(schema, one, one)


@pytest.mark.parametrize("named", CANONICAL_VALUES)
def test_spelling_counts_where_no_format_is_declared(named):
    """Without a format, or without a schema, a text is only what it is."""
    for one, other in ((one, other) for name, one, other in SAME if name == named):
        assert not equivalent(schema_of({"type": "string"}), one, other)
        assert not equivalent(None, one, other)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, 1.0, True),
        (1.10, 1.1, True),
        (True, 1, False),
        ([0], [False], False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": None}, {}, False),
        ("1", 1, False),
        (None, 0, False),
    ],
)
def test_numbers_are_equal_by_value_and_no_booleans(one, other, expected):
    """The scale of a number is no part of it."""
    assert equal(one, other) is equal(other, one) is expected


def test_members_and_elements_are_compared_by_their_own_schemas():
    """A member that is not there is as good as null, at any depth."""
    schema = schema_of(OBJECT)
    one = {"due": "2026-01-02T03:04:05Z", "tags": ["0F0E0D0C-0B0A-4908-8706-050403020100"], "more": None}
    other = {"due": "2026-01-02T03:04:05+00:00", "tags": ["0f0e0d0c-0b0a-4908-8706-050403020100"]}
    assert equivalent(schema, one, other)
    assert not equivalent(schema, one, {**other, "tags": []})
    assert not equivalent(schema, one, {**other, "due": None})
    assert equivalent(schema, ABSENT, None)


def test_a_format_is_found_in_every_form_of_a_schema():
    """A member that may be null has its format inside `anyOf`, or beside a reference."""
    nullable = schema_of({"anyOf": [{"type": "null"}, DUE]})
    assert equivalent(nullable, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00")
    named = schema_of({"$ref": "#/$defs/due", "$defs": {"due": DUE}})
    assert equivalent(named, "2026-01-02T03:04:05Z", "2026-01-02T03:04:05+00:00")


DEEP = {
    "properties": {
        "a": {"properties": {"b": {"type": "number"}, "c": DUE}},
        "many": {"items": {"properties": {"b": {}}}},
    }
}


@pytest.mark.parametrize(
    ("one", "other", "at"),
    [
        ({"a": {"b": 1}}, {"a": {"b": 2}}, "/a/b"),
        ({"a": {"b": 1, "c": "2026-01-02T03:04:05Z"}}, {"a": {"b": 2, "c": "2026-01-02T03:04:05+00:00"}}, "/a/b"),
        ({"a": {"b": 1, "c": "x"}}, {"a": {"b": 2, "c": "y"}}, "/a"),
        ({"a": 1, "many": []}, {"a": 2, "many": [1]}, ""),
        ({"many": [{"b": 1}, {"b": 2}]}, {"many": [{"b": 3}, {"b": 4}]}, "/many/*/b"),
        ({"many": [{"b": 1}]}, {"many": []}, "/many"),
        ({"undeclared": 1}, {"undeclared": 2}, ""),
        (1, 2, ""),
    ],
)
def test_where_two_values_differ_is_a_declared_member_or_nothing(one, other, at):
    """Names and indexes that a caller made up are in no pointer: it is the same in the next run."""
    assert difference_at(schema_of(DEEP), one, other) == at


PROBLEMS = {"properties": {"problems": {"additionalProperties": {"type": "array", "items": {"type": "string"}}}}}


@pytest.mark.parametrize(
    "schema",
    [
        PROBLEMS,
        {"allOf": [PROBLEMS], "properties": {"problems": {"minProperties": 1}}},
        {"allOf": [{"properties": {"problems": {"minProperties": 1}}}, PROBLEMS]},
    ],
    ids=["alone", "beside", "apart"],
)
def test_a_member_is_declared_by_all_subschemas_together(schema):
    """What one subschema says of a member counts too where another, which says less, names it first."""
    value = {"problems": {"somewhere": ["unknown"]}, "more": 1}
    assert declared_part(schema_of(schema), value) == {"problems": {"somewhere": ["unknown"]}}

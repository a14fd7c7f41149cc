"""The profiles `fuzz` and `wide`: what they draw is valid, and spread over all that a schema allows."""

import json
import unicodedata
from collections import Counter

import pytest
from sample_schemas import SCHEMAS, second_opinion

from contracts.schemas.equality import equivalent
from contracts.schemas.schema_set import SchemaSet
from generators.data.compile import compile_schema, stream

WIDE_ONLY = {
    "prefixed names": {
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": False,
        "minProperties": 2,
    },
    "free-form": {"type": "object"},
    "list of lists": {"type": "array", "maxItems": 50, "items": {"type": "array", "maxItems": 50, "items": {}}},
    "float": {"type": "number", "format": "float"},
    "double": {"type": "number", "format": "double", "exclusiveMinimum": 0},
    "eighths": {"type": "number", "multipleOf": 0.125},
    "unanchored": {"type": "string", "pattern": "[0-9]{3}", "maxLength": 20},
    "not a slash": {"type": "string", "pattern": "^[^/]+$", "minLength": 2},
}


def drawn(schema, n=400, **how):
    return list(compile_schema(schema, **{"profile": "wide", **how}).stream(1, n))


@pytest.mark.parametrize(
    ("name", "profile"), [*((name, "wide") for name in (*SCHEMAS, *WIDE_ONLY)), *((name, "fuzz") for name in WIDE_ONLY)]
)
def test_wide_values_are_valid_to_a_second_validator(name, profile):
    """However far values are spread, another implementation finds them valid, and JSON keeps them."""
    schema = {**SCHEMAS, **WIDE_ONLY}[name]
    values = [value for seed in range(2) for value in compile_schema(schema, profile=profile).stream(seed, 20)]
    assert json.loads(json.dumps(values).encode()) == values
    if "unicode" not in name:  # Python's own expressions know no \\p
        judge = second_opinion(schema)
        for value in values:
            judge.validate(value)


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        ({}, -(2**53) + 1, 2**53 - 1),
        ({"format": "int32"}, -(2**31), 2**31 - 1),
        ({"format": "int64"}, -(2**63), 2**63 - 1),
        ({"format": "uint8"}, 0, 255),
        ({"minimum": 1, "format": "int32"}, 1, 2**31 - 1),
        ({"maximum": -5}, -(2**53) + 1, -5),
        ({"minimum": -300, "maximum": 70_000}, -300, 70_000),
    ],
)
def test_integers_cover_their_format(told, least, most):
    """Both ends, both signs, small numbers and large ones occur, and nothing beyond."""
    values = drawn({"type": "integer", **told})
    assert (min(values), max(values)) == (least, most)
    assert {value < 0 for value in values} == {side for side, there in ((True, least < 0), (False, most >= 0)) if there}
    sizes = Counter(min(5, abs(value - min(max(0, least), most)).bit_length() // 4) for value in values)
    assert all(sizes[n] > 5 for n in range(min(5, (most - least).bit_length() // 4)))


def test_numbers_have_signs_and_decimals():
    """Numbers of no bounds are whole and broken, negative and positive, small and large."""
    values = drawn({"type": "number"})
    assert {isinstance(value, int) for value in values} == {True, False}
    assert sum(value < 0 for value in values) > 100
    assert max(map(abs, values)) > 10**9
    assert sum(0 < abs(value) < 1 for value in values) > 5


def test_texts_are_of_many_scripts_and_lengths():
    """Texts beyond ASCII, beyond 16 bits, right to left, combining, composed and not; never half a character."""
    values = drawn({"type": "string", "maxLength": 40}, 1500)
    assert {len(value) for value in values} >= {0, 1, 2, 5, 39, 40}
    text = "".join(values)
    assert {unicodedata.bidirectional(char) for char in text} >= {"L", "R", "AL", "NSM", "WS"}
    assert {unicodedata.category(char) for char in text} >= {"Cc", "Cf", "Lo", "Lu", "Mn", "So", "Zs"}
    assert max(text) > "\uffff"
    assert {unicodedata.is_normalized(form, text) for form in ("NFC", "NFD")} == {False}
    assert not any(char == "\0" or "\ud800" <= char <= "\udfff" or char in "\ufffe\uffff" for char in text)


@pytest.mark.parametrize(("name", "suffixes"), [("date-time", 6), ("time", 6)])
def test_instants_have_offsets_and_fractions(name, suffixes):
    """An instant is told in several offsets, with and without a fraction, of no more than three digits."""
    values = drawn({"type": "string", "format": name})
    assert len({value[-6:] for value in values if value[-6] in "+-"}) >= suffixes
    assert any(value.endswith("Z") for value in values)
    assert {len(value.partition(".")[2].rstrip("Z").split("+")[0].split("-")[0]) for value in values} == {0, 1, 2, 3}
    schema = SchemaSet({"": {"type": "string", "format": name}}).schema("#")
    assert all(equivalent(schema, value, value.replace("+00:00", "Z")) for value in values)


@pytest.mark.parametrize(
    ("schema", "sizes"),
    [
        ({"type": "array", "maxItems": 100, "items": {"type": "integer"}}, {0, 1, 2, 5, 100}),
        ({"type": "array", "minItems": 2, "maxItems": 9, "items": {"type": "object"}}, {2, 3, 5, 9}),
        ({"type": "array", "uniqueItems": True, "items": {"type": "integer"}, "maxItems": 30}, {0, 1, 30}),
        ({"type": "object", "additionalProperties": {"type": "integer"}, "maxProperties": 12}, {0, 1, 5, 12}),
    ],
)
def test_sizes_reach_from_the_least_to_the_greatest(schema, sizes):
    """Arrays and maps are empty, small, and as large as they may be."""
    found = {len(value) for value in drawn(schema)}
    assert found >= sizes
    assert (min(found), max(found)) == (min(sizes), max(sizes))


@pytest.mark.parametrize(
    ("schema", "in_fuzz", "in_wide"),
    [
        ({"properties": {"a": True}, "type": "object"}, False, True),
        ({"properties": {"a": True}, "type": "object", "additionalProperties": True}, True, True),
        ({"properties": {"a": True}, "type": "object", "additionalProperties": {"type": "null"}}, True, True),
        ({"properties": {"a": True}, "type": "object", "additionalProperties": False}, False, False),
        ({"properties": {"a": True}, "type": "object", "unevaluatedProperties": False}, False, False),
        ({"type": "object"}, True, True),
    ],
)
def test_open_objects_have_members_that_are_not_declared(schema, in_fuzz, in_wide):
    """A wide value has undeclared members where none are forbidden, one for fuzzing where the schema speaks of them."""
    for profile, has_some in (("realistic", False), ("fuzz", in_fuzz), ("wide", in_wide)):
        values = drawn(schema, 60, profile=profile)
        is_map = isinstance(schema.get("additionalProperties"), dict)
        assert any(value.keys() - {"a"} for value in values) is (has_some or is_map)


@pytest.mark.parametrize("profile", ["plain", "realistic", "fuzz", "wide"])
def test_names_that_begin_as_said_are_found(profile):
    """A pattern without an end gives as many names as are needed, in every profile."""
    for value in stream(WIDE_ONLY["prefixed names"], 1, 30):
        assert len(value) >= 2
        assert all(name.startswith("x-") for name in value)
    many = {**WIDE_ONLY["prefixed names"], "minProperties": 9}
    assert all(len(value) >= 9 for value in drawn(many, 20, profile=profile))


def test_free_ends_of_patterns_vary():
    """What follows or precedes the text that a pattern asks for is drawn too."""
    ends = drawn({"type": "string", "pattern": "^x-"}, 50)
    assert len(set(ends)) > 30
    assert {value[:2] for value in ends} == {"x-"}
    both = drawn({"type": "string", "pattern": "[0-9]{3}"}, 100)
    assert {value[:1].isdigit() for value in both} == {value[-1:].isdigit() for value in both} == {True, False}
    assert any(not value.isascii() for value in drawn({"type": "string", "pattern": "^[^/]+$"}, 50))
    assert len({len(value) for value in drawn({"type": "string", "pattern": "^[a-z]*$", "maxLength": 50})}) > 30


def test_a_wide_value_is_not_without_measure():
    """Lists in lists share what there is room for."""
    sizes = [len(json.dumps(value)) for value in drawn(WIDE_ONLY["list of lists"], 100)]
    assert max(sizes) < 200_000


@pytest.mark.parametrize("name", ["tree", "anything", "open object", "format date-time", "loose pattern"])
def test_wide_values_depend_on_the_seed_alone(name):
    """Two compilations agree, slices are parts of the whole."""
    once, again = (list(stream_of(name, 7, 40)) for _ in range(2))
    assert once == again
    assert list(stream_of(name, 7, 10, start=20)) == once[20:30]


def stream_of(name, seed, n, *, start=0):
    return compile_schema(SCHEMAS[name], profile="wide").stream(seed, n, start=start)

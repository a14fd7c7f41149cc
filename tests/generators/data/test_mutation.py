"""Invalid variants: each breaks exactly the keyword that it names, at the place that it names."""

from random import Random

import orjson
import pytest
from jsonschema import Draft202012Validator
from sample_schemas import SCHEMAS, second_opinion

from contracts.openapi.loading import load_bundled
from contracts.openapi.validation import validate_value
from generators.data.compile import compile_schema
from generators.data.mutation import RULES, STEERED_RULES, invalid_variant, invalid_variants

EXAMPLES = {
    "type": ({"type": ["integer", "null"]}, 3, ""),
    "enum": ({"enum": ["red", "green"]}, "red", ""),
    "const": ({"properties": {"kind": {"const": "A"}}}, {"kind": "A"}, "/kind"),
    "minLength": ({"items": {"type": "string", "minLength": 2}}, ["abc"], "/0"),
    "maxLength": ({"type": "string", "maxLength": 5}, "abc", ""),
    "pattern": ({"properties": {"a/b": {"pattern": "^[A-Z]{3}$"}}}, {"a/b": "ABC"}, "/a~1b"),
    "format": ({"type": "string", "format": "date"}, "2024-01-31", ""),
    "minimum": ({"type": "integer", "minimum": 0}, 5, ""),
    "maximum": ({"type": "number", "maximum": 1.5}, 1, ""),
    "exclusiveMinimum": ({"type": "integer", "exclusiveMinimum": 0}, 5, ""),
    "exclusiveMaximum": ({"type": "number", "exclusiveMaximum": 1}, 0.5, ""),
    "multipleOf": ({"type": "integer", "multipleOf": 5, "minimum": 0}, 10, ""),
    "required": ({"properties": {"a": {"required": ["b"]}}}, {"a": {"b": 1, "c": 2}}, "/a"),
    "dependentRequired": ({"dependentRequired": {"a": ["b"]}}, {"a": 1, "b": 2}, ""),
    "additionalProperties": (
        {"properties": {"a": {}}, "additionalProperties": False},
        {"a": 1},
        ("/unexpected", "/ax", "/A"),
    ),
    "unevaluatedProperties": ({"allOf": [{"properties": {"a": {}}}], "unevaluatedProperties": False}, {"a": 1}, None),
    "propertyNames": ({"propertyNames": {"pattern": "^[a-z]+$"}}, {"abc": 1}, None),
    "minProperties": ({"minProperties": 2}, {"a": 1, "b": 2, "c": 3}, ""),
    "maxProperties": ({"maxProperties": 2}, {"a": 1}, ""),
    "minItems": ({"minItems": 2, "items": {"type": "integer"}}, [1, 2, 3], ""),
    "maxItems": ({"maxItems": 3, "items": {"type": "integer"}}, [1], ""),
    "uniqueItems": ({"uniqueItems": True, "maxItems": 2}, [1, 2], ""),
    "items": ({"prefixItems": [{"type": "integer"}], "items": False}, [1], ("", "/1")),
    "unevaluatedItems": ({"prefixItems": [{"type": "integer"}], "unevaluatedItems": False}, [1], ("", "/1")),
    "contains": ({"contains": {"const": 1}, "items": {"type": "integer"}}, [1, 2], ""),
    "minContains": ({"contains": {"const": 1}, "minContains": 2}, [1, 1, 2], ""),
    "maxContains": ({"contains": {"const": 1}, "maxContains": 1}, [1, 2], ""),
    "not": ({"type": "object", "not": {"required": ["a", "b"]}}, {"a": 1}, ""),
}
IF_CARD = {
    "type": "object",
    "required": ["kind"],
    "properties": {"kind": {"enum": ["card", "cash"]}, "iban": {"type": "string"}, "number": {"type": "string"}},
    "if": {"properties": {"kind": {"const": "card"}}},
    "then": {"required": ["number"], "properties": {"iban": False}},
    "else": {"properties": {"number": False}},
}
STEERED = {
    "then of a condition that held": (IF_CARD, {"kind": "card", "number": "1"}, {("required", ""), ("not", "/iban")}),
    "condition of the other branch": (IF_CARD, {"kind": "cash", "iban": "1"}, {("required", ""), ("not", "/number")}),
    "condition in a list": (
        {"items": {"if": {"minimum": 10}, "then": {"multipleOf": 10}}},
        [3, 20],
        {("multipleOf", "/0"), ("multipleOf", "/1")},
    ),
    "dependent schema": (
        {"dependentSchemas": {"to": {"required": ["from"], "properties": {"from": {"type": "integer"}}}}},
        {"note": "x"},
        {("required", ""), ("type", "/from")},
    ),
    "not of a member": ({"properties": {"a": {"type": "integer", "not": {"enum": [1, 2]}}}}, {"a": 3}, {("not", "/a")}),
    "not by reference": (
        {"$defs": {"x": {"properties": {"a": {"const": 1}}, "required": ["a"]}}, "not": {"$ref": "#/$defs/x"}},
        {"b": 2},
        {("not", "")},
    ),
}
NUMBERS = {
    "int64": {"type": "integer", "format": "int64", "minimum": -(2**63), "maximum": 2**63 - 1},
    "unsigned": {"type": "integer", "minimum": 0, "maximum": 2**64 - 1},
    "no more than doubles": {"type": "number", "minimum": -1e300, "maximum": 1e300},
    "cents": {"type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.01},
    "bounds beside the grid": {"type": "integer", "minimum": 1, "maximum": 99, "multipleOf": 10},
    "excluded bounds on the grid": {"exclusiveMinimum": 0, "exclusiveMaximum": 12, "multipleOf": 3},
}


@pytest.mark.parametrize("keyword", EXAMPLES)
def test_each_keyword_can_be_broken_alone(keyword):
    """For every keyword that there is a rule for, a variant breaks it and nothing else, to a second validator too."""
    schema, value, pointers = EXAMPLES[keyword]
    judge = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)
    judge.validate(value)
    found = [one for one in invalid_variants(schema, value, Random(1)) if one.keyword == keyword]
    assert found
    for one in found:
        errors = list(judge.iter_errors(one.value))
        broken = {error.schema_path[0] if keyword == "propertyNames" else error.validator for error in errors}
        assert broken == {keyword}
        assert pointers is None or one.pointer in ([pointers] if isinstance(pointers, str) else pointers)


def test_there_is_an_example_of_every_rule():
    """No rule is without a test."""
    assert EXAMPLES.keys() | STEERED_RULES.keys() == RULES.keys()


@pytest.mark.parametrize("name", STEERED)
def test_what_schemas_exclude_or_demand_together_is_broken(name):
    """`not`, `if` and `dependentSchemas` are broken by a value that other keywords allow, changed where it must be."""
    schema, value, expected = STEERED[name]
    judge = Draft202012Validator(schema)
    judge.validate(value)
    found = [one for seed in range(3) for one in invalid_variants(schema, value, Random(seed))]
    assert {(one.keyword, one.pointer) for one in found} >= expected
    assert not any(judge.is_valid(one.value) for one in found)


@pytest.mark.parametrize("name", [*SCHEMAS, *NUMBERS])
def test_what_is_called_invalid_is_so_to_a_second_validator(name):
    """No variant of any value, usual or wide, is valid to another implementation; each can be written as JSON."""
    schema = {**SCHEMAS, **NUMBERS}[name]
    judge = None if "unicode" in name else second_opinion(schema)  # Python's own expressions know no \\p
    for profile in ("plain", "wide"):
        for n, value in enumerate(compile_schema(schema, profile=profile).stream(3, 3)):
            for one in invalid_variants(schema, value, Random(n)):
                assert judge is None or not judge.is_valid(one.value), (value, one)
                assert orjson.dumps(one.value)


@pytest.mark.parametrize("name", NUMBERS)
def test_each_bound_of_numbers_is_broken(name):
    """Bounds at the ends of a format, and those that lie on or beside the grid of `multipleOf`, are broken alone."""
    schema = NUMBERS[name]
    found = {
        one.keyword
        for value in compile_schema(schema, profile="wide").stream(1, 3)
        for one in invalid_variants(schema, value, Random(1))
    }
    assert found >= schema.keys() - {"type", "format"}


@pytest.mark.slow
@pytest.mark.parametrize("api", ["genero", "onkey"])
def test_variants_of_bundled_values_break_what_they_say(api):
    """What a variant says of itself is what the contract's own validation finds: that rule, at that place, no other."""
    schemas = load_bundled(api).schemas
    seen = set()
    for uri in (uri for uri in schemas.documents if "/schemas/" in uri):
        schema = schemas.schema(f"{uri}#")
        for value in compile_schema(schema).stream(1, 1):
            for one in invalid_variants(schema, value, Random(2)):
                assert not schema.is_valid(one.value)
                seen.add(one.keyword)
                if one.keyword not in {"anyOf", "oneOf"}:  # there validation speaks of the branch that was meant
                    said = [(violation.rule, violation.pointer) for violation in validate_value(schema, one.value)]
                    assert said == [(one.keyword, one.pointer)]
    assert seen >= {"type", "required", "minLength", "pattern", "enum", "additionalProperties"}


def test_the_value_itself_is_left_as_it_was():
    """A variant is a copy: what it was made of is unchanged."""
    schema = {"properties": {"a": {"items": {"properties": {"b": {"type": "integer"}}}}}}
    value = {"a": [{"b": 1}, {"b": 2}]}
    assert len(list(invalid_variants(schema, value, Random(1)))) >= 8
    assert value == {"a": [{"b": 1}, {"b": 2}]}


def test_a_keyword_inside_a_choice_breaks_the_choice():
    """Where a branch is all that was valid, the choice is named, at its own place."""
    schema = {"properties": {"a": {"oneOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]}}}
    found = {(one.keyword, one.pointer) for one in invalid_variants(schema, {"a": 5}, Random(1))}
    assert found == {("oneOf", "/a")}


def test_branches_that_are_not_taken_are_left_alone():
    """Only keywords in force are broken: those of the branch that the value takes."""
    schema = {
        "properties": {"kind": {"type": "string"}, "n": {}},
        "if": {"properties": {"kind": {"const": "A"}}},
        "then": {"properties": {"n": {"minimum": 3}}},
        "else": {"properties": {"n": {"maximum": 9}}},
    }
    for kind, keywords in (("A", {"minimum"}), ("B", {"maximum"})):
        found = list(invalid_variants(schema, {"kind": kind, "n": 5}, Random(1)))
        assert {one.keyword for one in found if one.value.get("kind") == kind} == keywords


def test_the_order_is_random_and_seeded():
    """The first variant depends on the seed alone, and over seeds every keyword comes first."""
    schema = {"type": "string", "minLength": 2, "maxLength": 9, "pattern": "^[a-z]*$"}
    first = [invalid_variant(schema, "abcd", Random(seed)) for seed in range(60)]
    assert first == [invalid_variant(schema, "abcd", Random(seed)) for seed in range(60)]
    assert {one.keyword for one in first if one} == {"type", "minLength", "maxLength", "pattern"}


def test_a_member_too_many_has_another_value_each_time():
    """Where case does not count it may be that of a member that must be unique."""
    schema = {"type": "object", "properties": {"code": {}}, "additionalProperties": False}
    drawn = [
        one.value["CODE"]
        for seed in range(9)
        for one in invalid_variants(schema, {}, Random(seed))
        if isinstance(one.value, dict) and "CODE" in one.value
    ]
    assert len(drawn) == len(set(drawn)) == 9


def test_keywords_can_be_asked_for_and_may_not_be_there():
    """Only wished keywords are broken; where none of them can be, there is no variant."""
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer"}}}
    wished = invalid_variant(schema, {"a": 1}, Random(1), keywords=("required",))
    assert wished is not None
    assert (wished.keyword, wished.pointer, wished.value, wished.says) == ("required", "", {}, "'a' is left out")
    assert invalid_variant(schema, {"a": 1}, Random(1), keywords=("pattern",)) is None
    assert invalid_variant({}, {"a": 1}, Random(1)) is None

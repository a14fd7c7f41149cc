"""Schemas drawn around a value that they are known to have: the generator must find some, a second validator agree."""

import re
from itertools import islice
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sampling import ALL

from generators.data.compile import compile_schema, stream
from generators.data.mutation import invalid_variant, invalid_variants
from generators.errors import UnsatisfiableError

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-50, 50) | st.text("abc1é ", max_size=6) | st.sampled_from([0.5, -2.25]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=5,
)


def type_of(value):
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


@st.composite
def schemas_of(draw, value, depth=2):
    """Draw a schema that `value` is known to keep, made of keywords that speak of it."""
    schema = {"type": draw(st.sampled_from([type_of(value), sorted({type_of(value), "null"})]))}
    schema |= draw(KEYWORDS.get(type(value), lambda *_: st.just({}))(value, depth))
    if depth and draw(st.integers(0, 2)) == 0:
        schema |= draw(combined(value, depth - 1))
    return schema


@st.composite
def for_text(draw, value, _depth):
    said = {"minLength": draw(st.integers(0, len(value))), "maxLength": len(value) + draw(st.integers(0, 3))}
    said |= draw(
        st.sampled_from([{}, {"pattern": f"^{re.escape(value)}"}, {"pattern": "^[a-cé0-9 ]*$"}, {"enum": [value, 1]}])
    )
    return {key: said[key] for key in draw(st.sets(st.sampled_from(sorted(said))))}


@st.composite
def for_number(draw, value, _depth):
    said = {
        "minimum": value - draw(st.integers(0, 3)),
        "maximum": value + draw(st.integers(0, 3)),
        "exclusiveMaximum": value + 1,
        "multipleOf": 0.25,
    }
    return {key: said[key] for key in draw(st.sets(st.sampled_from(sorted(said))))}


@st.composite
def for_array(draw, value, depth):
    said = {"minItems": draw(st.integers(0, len(value))), "maxItems": len(value) + draw(st.integers(0, 2))}
    said["prefixItems"] = [draw(schemas_of(one, depth - 1)) if depth else {} for one in value[:2]] or [True]
    if value and depth:
        said["contains"] = draw(schemas_of(draw(st.sampled_from(value)), depth - 1))
        said["items"] = {"anyOf": [draw(schemas_of(one, depth - 1)) for one in value]}
    return {key: said[key] for key in draw(st.sets(st.sampled_from(sorted(said))))}


@st.composite
def for_object(draw, value, depth):
    properties = {name: draw(schemas_of(one, depth - 1)) if depth else {} for name, one in value.items()}
    said = {
        "properties": {**properties, "z": draw(st.sampled_from([False, {"type": "string"}]))},
        "required": sorted(draw(st.sets(st.sampled_from(sorted(value) or ["-"]))) & set(value)),
        "additionalProperties": draw(
            st.sampled_from([True, {"type": sorted({"null", *map(type_of, value.values())})}])
        ),
        "minProperties": draw(st.integers(0, len(value))),
        "maxProperties": len(value) + draw(st.integers(0, 2)),
        "propertyNames": {"pattern": "^[a-z]"},
        "dependentRequired": {"d": sorted(value)},
    }
    return {key: said[key] for key in draw(st.sets(st.sampled_from(sorted(said))))}


@st.composite
def combined(draw, value, depth):
    schema, other = draw(schemas_of(value, depth)), draw(schemas_of(draw(json_values), depth))
    negated = {"not": other} if not Draft202012Validator(other).is_valid(value) else {"not": {"not": schema}}
    return draw(
        st.sampled_from(
            [
                {"allOf": [schema]},
                {"anyOf": [other, schema]},
                {"oneOf": [schema, {"allOf": [other, {"not": schema}]}]},
                {"if": other, "then": schema, "else": schema},
                {"if": schema, "then": schema, "else": False},
                negated,
            ]
        )
    )


KEYWORDS = {str: for_text, int: for_number, float: for_number, list: for_array, dict: for_object}


@pytest.mark.slow
def test_a_schema_drawn_around_a_value_is_satisfied():
    """A schema that is known to have a value gets some that another implementation agrees with; to give up is rare."""
    given_up = []

    @given(data=st.data())
    @settings(max_examples=100 if ALL else 40, deadline=None, derandomize=True)
    def drawn(data):
        value = data.draw(json_values)
        schema = data.draw(schemas_of(value))
        judge = Draft202012Validator(schema)
        judge.validate(value)
        try:
            made = [*stream(schema, 3, 5), *compile_schema(schema, profile="wide").stream(3, 5)]
        except UnsatisfiableError:
            given_up.append(schema)
            return
        for one in made:
            judge.validate(one)
        for one in (
            *islice(invalid_variants(schema, value, Random(1)), 20),
            invalid_variant(schema, made[-1], Random(2)),
        ):
            assert one is None or not judge.is_valid(one.value)

    drawn()
    assert len(given_up) <= 3

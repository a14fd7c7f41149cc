"""Changing settings: JSON Merge Patch, filling up, and the schema that holds them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from contracts.syntax.text import merge_patch
from mockserver.sandbox.sandboxes import DEFAULT_SETTINGS, default_settings, settings_schema, with_defaults

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_the_examples_of_the_standard(target, patch, result):
    """Every example of RFC 7396 comes out as printed there."""
    assert merge_patch(target, patch) == result


@given(JSON, JSON)
def test_a_patch_applied_twice_changes_nothing_more(target, patch):
    """Merging is idempotent."""
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(st.dictionaries(st.sampled_from("abc"), JSON, max_size=3))
def test_an_empty_patch_changes_nothing(target):
    """A patch that names nothing leaves everything."""
    assert merge_patch(target, {}) == target


def test_what_is_absent_is_filled_up():
    """Absent settings come from the fresh ones, at any depth; given ones stay, wrong ones too."""
    fresh = {"auth": "open", "limits": {"depth": 64, "bodyBytes": 1}}
    assert with_defaults({"limits": {"depth": 3}}, fresh) == {"auth": "open", "limits": {"depth": 3, "bodyBytes": 1}}
    assert with_defaults({"limits": 5, "x": 1}, fresh) == {"auth": "open", "limits": 5, "x": 1}


def test_the_defaults_keep_to_the_schema():
    """What a fresh sandbox has is allowed, and the schema itself is sound."""
    whole = settings_schema(())
    Draft202012Validator.check_schema(whole)
    assert Draft202012Validator(whole).is_valid(default_settings(()))
    assert default_settings((), {"auth": "strict"}) == {**DEFAULT_SETTINGS, "auth": "strict"}

"""Normalisation: what a server stores of a value, and all that a right one may store."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.normalisation import normaliser, stored_forms

RULES = {
    "name": ["trim"],
    "code": ["trim", "uppercase"],
    "tag": ["lowercase"],
    "price": [{"round": 2}],
    "whole": [{"round": 0}],
}


def always(name, value):
    """Any value fits any member."""
    del name, value
    return True


VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.lists(st.text()))


@pytest.mark.parametrize(
    ("member", "written", "stored"),
    [
        ("name", "  a b\n", "a b"),
        ("name", 7, 7),
        ("name", None, None),
        ("code", " aß ", "ASS"),
        ("tag", "ÄB", "äb"),
        ("price", 1.239, 1.24),
        ("price", -0.005, -0.01),
        ("price", 3, 3),
        ("price", True, True),
        ("price", "1.239", "1.239"),
        ("whole", 2.5, 3.0),
        ("price", 1e300, 1e300),
        ("other", " A ", " A "),
    ],
)
def test_a_value_is_stored_as_its_rules_say(member, written, stored):
    """Rules apply in their order, to values of their type alone."""
    assert normaliser(RULES, always)({member: written}) == {member: stored}


@pytest.mark.parametrize(
    ("member", "written", "forms"),
    [
        ("price", 1.005, {1.0, 1.01}),
        ("price", 1.004, {1.0}),
        ("whole", 2.5, {2.0, 3.0}),
        ("name", "\xa0a ", {"a", "\xa0a"}),
        ("name", " a", {"a"}),
        ("tag", "Straße", {"straße", "strasse"}),
        ("tag", "ÄB", {"äb", "Äb"}),
    ],
)
def test_what_a_rule_leaves_open_has_several_forms(member, written, forms):
    """Halves, blanks and letters beyond ASCII: servers differ, and are all right."""
    assert {*stored_forms(RULES, member, written)} == forms


def test_what_does_not_fit_in_normal_form_is_stored_as_it_is_sent():
    """Its schema holds for what is stored, and it is valid as it is sent."""
    stored = normaliser(RULES, lambda name, value: (name, value) != ("name", ""))
    assert stored({"name": " ", "code": " a "}) == {"name": " ", "code": "A"}


@given(st.sampled_from([*RULES, "other"]), VALUES)
def test_what_is_stored_is_one_of_the_forms_and_stays(member, value):
    """The sandbox is a right server, and stores what it has stored once more as it is."""
    (stored,) = normaliser(RULES, always)({member: value}).values()
    assert stored in stored_forms(RULES, member, value)
    assert normaliser(RULES, always)({member: stored}) == {member: stored}

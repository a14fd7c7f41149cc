"""Filling references in: an element that speaks of the item stands there once for each item."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.scenarios.building import bad_references, build_rule, fill_in, fill_text

ITEMS = [{"id": 1, "p": {"code": "A"}, "on": True}, {"id": 2, "p": {"code": "B"}}]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"ids": ["${item.id}"]}, {"ids": [1, 2]}),
        (
            [{"code": "${item.p.code}", "text": "no ${item.id}!"}],
            [{"code": "A", "text": "no 1!"}, {"code": "B", "text": "no 2!"}],
        ),
        ({"errors": {"${item.id}": "bad ${item.p.code}"}}, {"errors": {"1": "bad A", "2": "bad B"}}),
        ({"first": "${item.id}", "n": 3}, {"first": 1, "n": 3}),
        (
            [{"of": "${item.id}", "list": ["${item.p.code}", "x"]}],
            [{"of": 1, "list": ["A", "x"]}, {"of": 2, "list": ["B", "x"]}],
        ),
        (["x", "${item.on}", "y"], ["x", True, None, "y"]),
        ({"a": "$${item.id} ${item.p}"}, {"a": '${item.id} {"code":"A"}'}),
        ("${item}", ITEMS[0]),
        ("${item./p/code}", "A"),
        ("${item.none} and ${item.p.none}", " and "),
    ],
)
def test_references_become_members_of_the_items(value, expected):
    """Whole references keep their type, references inside a text become text."""
    assert fill_in(value, ITEMS) == expected


def test_without_items_what_speaks_of_them_is_left_out():
    """Lists and maps of items are empty, single references are null."""
    assert fill_in({"list": ["${item.id}"], "map": {"${item.id}": 1}, "one": "${item.id}"}, []) == {
        "list": [],
        "map": {},
        "one": None,
    }


def test_a_text_is_filled_in_from_one_item():
    """Messages speak of their own item."""
    assert fill_text("{E->Code} '${item.p.code}' is blocked", ITEMS[1]) == "{E->Code} 'B' is blocked"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text().filter(lambda text: "${" not in text),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet="abc"), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, st.integers(0, 3))
def test_data_without_references_stays_as_it_is(value, size):
    """Filling in touches references only."""
    assert fill_in(value, [{"id": 1}] * size) == value
    assert not list(bad_references(value))


@pytest.mark.parametrize("text", ["${x}", "${item", "${}", "${items.a}", "${item.}", "a ${call.x} b"])
def test_what_is_no_reference_is_found(text):
    """Anything else between the signs is a mistake, wherever it stands."""
    assert [at for at, _ in bad_references({"a": [text]})] == [("a", 0)]


@pytest.mark.parametrize(
    ("items", "then"),
    [
        ({"every": 2}, {"lose": True}),
        ({"first": 2}, {"lose": True}),
        ({"index": 2}, {"lose": True}),
        ({}, {"status": 503}),
        ({}, {"dribble": {"chunks": 2, "over_ms": 2}}),
    ],
)
def test_a_whole_number_may_be_written_with_a_fraction_of_nothing(items, then):
    """2.0 is an integer (JSON Schema 2020-12, 6.1.1), and means the same."""

    def rule(document):
        return build_rule({"when": {"nth": 1}, "times": 3, **document})

    def with_fractions(value):
        if isinstance(value, dict):
            return {name: with_fractions(one) for name, one in value.items()}
        return float(value) if type(value) is int else value

    document = {**({"items": items} if items else {}), "then": then}
    same = rule(with_fractions(document))
    assert same == rule(document)
    picks, response, fault = same.picks, same.then.response, same.then.wire_fault
    numbers = [picks.every, picks.first] if picks else [response.status] if response else [fault.chunks]
    assert {type(one) for one in numbers} <= {int, type(None)}

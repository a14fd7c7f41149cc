"""Matching: each word of `when` fits what it says, and says what did not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Headers
from mockserver.scenarios.building import build_condition as build_when
from mockserver.scenarios.matching import KnownDraw, RequestFacts, UndecidedDraw, unmet_conditions

FACTS = RequestFacts(
    api="toy",
    operation="postAll",
    method="POST",
    path="/things/a b/batch",
    tenant="t1",
    client="me",
    headers=Headers((("X-Run", "7"), ("x-run", "8"))),
    query=(("mode", "one"), ("n", "3")),
    body={"items": [{"code": "DEF", "n": 3}], "flag": True},
)
LUCK = KnownDraw(number=2, roll=0.4, counters={"tries": 1})


def found(document, facts=FACTS, luck=LUCK):
    return [tuple(one) for one in unmet_conditions(build_when(document), facts, luck)]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"api": "toy", "operation": ["other", "postAll"], "method": "POST", "tenant": "t1", "client": "me"},
        {"path": "/things/*/batch"},
        {"path": "/**"},
        {"path": "/things/a?b/batch"},
        {"header": {"X-RUN": "8"}},
        {"header": {"X-Other": {"exists": False}}},
        {"query": {"mode": "one", "n": 3}},
        {"query": {"mode": {"in": ["one", "two"]}, "n": {"matches": "^[0-9]$"}}},
        {"body": [{"pointer": "/items/0/code", "test": "DEF"}, {"pointer": "/flag", "test": True}]},
        {"body": [{"pointer": "/items/0/n", "test": {"schema": {"minimum": 3}}}]},
        {"body": [{"pointer": "/nothing", "test": {"exists": False}}]},
        {"nth": 2},
        {"nth": [1, 2]},
        {"chance": 0.5},
        {"counter": {"name": "tries", "is": 1}},
        {"counter": {"name": "fresh", "is": 0}},
        {"all": [{"api": "toy"}, {"not": {"api": "other"}}]},
        {"any": [{"api": "other"}, {"method": "POST"}]},
    ],
)
def test_what_fits_has_nothing_unmet(document):
    """Conditions that are true of the call leave nothing to say."""
    assert found(document) == []


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"api": "other"}, ("api", "other", "toy")),
        ({"operation": ["a", "b"]}, ("operation", ["a", "b"], "postAll")),
        ({"path": "/things/*"}, ("path", "/things/*", "/things/a b/batch")),
        ({"header": {"X-Run": "9"}}, ("header.X-Run", "9", ["7", "8"])),
        ({"header": {"X-No": "9"}}, ("header.X-No", "9", None)),
        ({"query": {"mode": {"matches": "^t"}}}, ("query.mode", {"matches": "^t"}, "one")),
        ({"body": [{"pointer": "/flag", "test": 1}]}, ("body/flag", 1, True)),
        ({"nth": 3}, ("nth", 3, 2)),
        ({"chance": 0.25}, ("chance", 0.25, 0.4)),
        ({"counter": {"name": "tries", "is": {"in": [2, 3]}}}, ("counter.tries", {"in": [2, 3]}, 1)),
        ({"all": [{"api": "toy"}, {"method": "GET"}]}, ("all.1.method", "GET", "POST")),
        ({"any": [{"api": "x", "method": "GET"}, {"query": {"mode": "two"}}]}, ("any.1.query.mode", "two", "one")),
        ({"not": {"api": "toy"}}, ("not", "something that does not fit", "it fits")),
    ],
)
def test_what_does_not_fit_says_what_was_wanted_and_what_came(document, expected):
    """One condition that is not true gives one reason."""
    assert found(document) == [expected]


def test_paths_are_compared_as_the_api_compares_them():
    """An API that ignores case has its paths matched so."""
    facts = RequestFacts(api="a", operation="o", method="GET", path="/Things", ignore_case=True)
    assert found({"path": "/tHINGS"}, facts) == []
    assert found({"path": "/tHINGS"}, RequestFacts(api="a", operation="o", method="GET", path="/Things"))


words = st.sampled_from(["toy", "other"])
leaves = st.one_of(
    st.builds(lambda api: {"api": api}, words),
    st.builds(lambda n: {"nth": n}, st.integers(1, 3)),
    st.builds(lambda p: {"chance": p}, st.sampled_from([0, 0.3, 0.5, 1])),
    st.builds(lambda n: {"counter": {"name": "tries", "is": n}}, st.integers(0, 2)),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda some: {"all": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda some: {"any": some}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda one: {"not": one}, inner),
    ),
    max_leaves=6,
)


@given(conditions)
def test_a_condition_and_its_opposite_are_never_both_true(document):
    """`not` turns what it holds round, however deep."""
    assert bool(found(document)) is not bool(found({"not": document}))


@given(conditions, st.integers(1, 3), st.floats(0, 1, exclude_max=True))
def test_what_fits_fits_too_while_luck_is_open(document, number, roll):
    """What may still be drawn never rules out what is drawn later."""
    luck = KnownDraw(number=number, roll=roll, counters={"tries": 1})
    if not found(document, luck=luck):
        assert found(document, luck=UndecidedDraw(counters={"tries": 1})) == []

"""Filters of lists: what is written is read as the same, what binds how, what holds, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.lists import FilterLanguage
from contracts.exchange.filters import Comparison, FilterError, Joined, holds, is_writable, read_filter, write_filter

OPERATORS = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">=", "startswith": "begins"}
FULL = {"operators": OPERATORS, "and_": "and", "or_": "or", "not_": "not", "null": "none", "parentheses": True}
LANGUAGES = [
    FilterLanguage(at="query:q", **FULL),
    FilterLanguage(at="query:q", **FULL, quote='"', escape="backslash"),
]
VALUES = st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.none())
COMPARISONS = st.builds(Comparison, st.sampled_from("abc"), st.sampled_from(sorted(OPERATORS)), VALUES)
FILTERS = st.recursive(
    COMPARISONS,
    lambda inner: st.one_of(
        st.builds(
            lambda word, parts: Joined(word, tuple(parts)),
            st.sampled_from(["and", "or"]),
            st.lists(inner, min_size=2, max_size=3),
        ),
        st.builds(lambda part: Joined("not", (part,)), inner),
    ),
    max_leaves=6,
)


@given(FILTERS, st.sampled_from(LANGUAGES), st.dictionaries(st.sampled_from("abc"), VALUES))
def test_what_is_written_is_read_as_what_holds_alike(one, language, members):
    """Quotes, backslashes and parentheses do not change what a filter means."""
    if is_writable(language, one):
        assert holds(read_filter(language, write_filter(language, one)), members) == holds(one, members)


A, B, C = (Comparison(name, "eq", value=True) for name in "abc")


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("a == true or b == true and c == true", Joined("or", (A, Joined("and", (B, C))))),
        ("(a == true or b == true) and c == true", Joined("and", (Joined("or", (A, B)), C))),
        ("not a == true and b == true", Joined("and", (Joined("not", (A,)), B))),
        ("NOT (a == true AND b == true)", Joined("not", (Joined("and", (A, B)),))),
        ("a == 'it''s'", Comparison("a", "eq", "it's")),
        ("a==true", None),
    ],
)
def test_precedence(text, means):
    """`not` binds before `and`, `and` before `or`; words are read in any case."""
    if means is None:
        with pytest.raises(FilterError):
            read_filter(LANGUAGES[0], text)
    else:
        assert read_filter(LANGUAGES[0], text) == means


@pytest.mark.parametrize(
    ("one", "members", "expected"),
    [
        (Comparison("a", "eq", "x"), {"a": "X"}, False),
        (Comparison("a", "ne", "x"), {}, True),
        (Comparison("a", "eq", None), {"a": None}, True),
        (Comparison("a", "eq", None), {"a": ""}, False),
        (Comparison("a", "eq", 1), {"a": True}, False),
        (Comparison("a", "eq", 1), {"a": 1.0}, True),
        (Comparison("a", "lt", 10), {"a": 9}, True),
        (Comparison("a", "lt", "10"), {"a": "9"}, False),
        (Comparison("a", "lt", 10), {"a": "1"}, False),
        (Comparison("a", "ge", 5), {"a": None}, False),
        (Comparison("a", "startswith", "é"), {"a": "éa"}, True),
    ],
)
def test_comparisons(one, members, expected):
    """Texts are compared exactly, numbers by value; there is no order between types, nor with null."""
    assert holds(one, members) is expected


@pytest.mark.parametrize(
    ("text", "column"),
    [("", 1), ("a", 2), ("a ==", 5), ("a == 'x", 6), ("(a == 1", 8), ("a == 1 b", 8), ("a < none", 5), ("z == 1", 1)],
)
def test_what_is_no_filter_is_refused_with_its_column(text, column):
    """The first character that does not fit is named."""
    with pytest.raises(FilterError, match=f"^column {column}: "):
        read_filter(LANGUAGES[0], text, known=("a", "b"))


def test_a_language_says_only_what_it_has_words_for():
    """Without parentheses, `or` or null some filters cannot be written."""
    plain = FilterLanguage(at="query:q", operators={"eq": "eq", "lt": "lt"}, and_="and")
    assert is_writable(plain, Joined("and", (A, B)))
    for one in (Joined("or", (A, B)), Comparison("a", "eq", None), Comparison("a", "gt", 1), Joined("not", (A,))):
        assert not is_writable(plain, one)

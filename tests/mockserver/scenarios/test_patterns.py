"""Expressions and globs take linear time and mean what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.schemas.patterns import linear_regex
from mockserver.scenarios.model import glob


@pytest.mark.parametrize("expression", ["(a)\\1", "(?=a)b", "(?<!a)b", "(", "[", "a{100000}{100000}"])
def test_expressions_that_look_around_or_explode_are_refused(expression):
    """What a linear engine cannot run is refused when it is compiled."""
    with pytest.raises(ValueError, match="no regular expression"):
        linear_regex(expression)


def test_nested_repetition_takes_no_longer_for_a_near_miss():
    """The classic trap for backtracking engines has an answer: this test would otherwise never end."""
    assert not linear_regex("^(a+)+$")("a" * 50_000 + "b")


@given(st.text())
def test_any_text_can_be_asked_about(text):
    """Whatever came over the wire, an answer comes, not an error."""
    assert linear_regex("")(text)
    assert linear_regex("")(text + "\udc80")


@given(st.text(alphabet=st.characters(blacklist_characters="*?", blacklist_categories=["Cs"])))
def test_a_glob_without_signs_fits_itself_alone(text):
    """Letters stand for themselves."""
    assert glob(text)(text)
    assert not glob(text)(text + "x")


@pytest.mark.parametrize(
    ("pattern", "path", "fits"),
    [
        ("/api/*/x", "/api/v1/x", True),
        ("/api/*/x", "/api/v1/2/x", False),
        ("/api/**", "/api/v1/2/x", True),
        ("/a?c", "/abc", True),
        ("/a?c", "/a/c", False),
        ("/a.c", "/abc", False),
    ],
)
def test_stars_stop_at_slashes_unless_there_are_two(pattern, path, fits):
    """`*` and `?` stay inside a segment."""
    assert glob(pattern)(path) is fits

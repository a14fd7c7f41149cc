"""Texts of messages: the cure for an unknown name."""

import pytest

from contracts.syntax.text import names_hint

MANY = [f"planted-bug-{n}" for n in range(60)]


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("stoped", ["stopped", "gone"], "Did you mean 'stopped'?"),
        ("xyz", ["stopped", "gone"], "Known: stopped, gone."),
        ("xyz", [], ""),
        ("planted-bug-7x", MANY, "Did you mean 'planted-bug-7'?"),
        ("bug", [*MANY, "gone"], "Nearest of 61: planted-bug-9, planted-bug-8, planted-bug-7."),
        ("€", MANY, "Nearest of 60: planted-bug-0, planted-bug-1, planted-bug-2."),
    ],
)
def test_an_unknown_name_gets_the_closest_ones(name, known, hint):
    """The one that is meant, else all of a few, or the three nearest of many: never all of many."""
    assert names_hint(name, known) == hint

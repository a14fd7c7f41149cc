"""The pages about scenarios: none is missing, none is stale."""

from functools import cache
from pathlib import Path

from writers import scenarios

from mockserver.scenarios.loading import bundled_names, schema

DOCS = Path(__file__).parents[3] / "docs"
pages = cache(scenarios.pages)


def test_the_pages_are_what_the_data_says():
    """Run `python docs/write.py` when this fails."""
    stale = [path for path, text in pages().items() if not (DOCS / path).is_file() or (DOCS / path).read_text() != text]
    assert stale == []


def test_there_is_a_page_for_every_scenario_and_no_other():
    """A scenario that is gone leaves no page behind."""
    assert {path.stem for path in (DOCS / "scenarios").glob("*.md")} == set(bundled_names())


def test_the_reference_explains_every_word_of_the_schema():
    """Each property has a row, and each row a meaning."""
    rows = [line for line in pages()["scenarios.md"].splitlines() if line.startswith("| `")]
    words = {line.split("`")[1] for line in rows}
    parts = [schema(), *(schema()["$defs"][name] for name in ("rule", "when", "items", "then", "test"))]
    assert {word for part in parts for word in part["properties"]} <= words
    assert all(line.rstrip(" |").endswith(".") for line in rows)

"""The page on verdicts says every law, in its place."""

import re
from pathlib import Path

from mockserver.apis.genero.code_of_conduct import LAWS as GENERO
from mockserver.apis.onkey import LAWS as ONKEY
from mockserver.verdicts.verdict import DECLARED_LAWS, SHARED_LAWS

PAGE = (Path(__file__).parents[3] / "docs" / "verdicts.md").read_text("utf-8")
SECTIONS = {
    "Genero's clients": GENERO,
    "On Key's clients": ONKEY,
    "every client": SHARED_LAWS,
    "an API of your own": DECLARED_LAWS,
}


def laws_of(section):
    """Return the laws in the first column of a section's table."""
    text = PAGE.partition(f"## Laws for {section}\n")[2].partition("\n## ")[0]
    return [law for row in re.findall(r"^\| (`.*?) \|", text, re.MULTILINE) for law in re.findall(r"`([\w-]+)`", row)]


def test_every_law_is_described_once():
    """Each table has the laws that there are, in their order."""
    assert {section: laws_of(section) for section in SECTIONS} == {
        section: [law.id for law in laws] for section, laws in SECTIONS.items()
    }

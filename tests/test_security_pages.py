"""`SECURITY.md`, the threat model and the page on operation: their links lead somewhere, their lists are the code's."""

import re
from pathlib import Path

import pytest

from mockserver.journal.stored_messages import SCHEME_ONLY, SECRET_HEADERS, SECRET_NAMES

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\]\(([^)#:]*)(?:#([\w-]+))?\)")


def anchors(path):
    """Return the anchors of a page's headings, as they are made by GitHub."""
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/threat-model.md", "docs/operations.md"])
def test_links_lead_somewhere(page):
    """Every link to a page of the repository names one, and a heading of it."""
    path = ROOT / page
    links = LINK.findall(path.read_text("utf-8"))
    assert links
    for target, anchor in links:
        led = (path.parent / target).resolve() if target else path
        assert led.exists(), target
        assert not anchor or anchor in anchors(led), (target, anchor)


def test_what_is_hidden_is_told():
    """The threat model names each header field and each name whose value is never recorded."""
    text = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    (row,) = [line for line in text.splitlines() if line.startswith("| journal, exports")]
    assert {one.lower() for one in re.findall(r"`([\w-]+)`", row)} == {*SCHEME_ONLY, *SECRET_HEADERS, *SECRET_NAMES}


def test_the_image_is_nobodys():
    """Its user is a number, not root's; its volume is where the page keeps the store, its probe needs no token."""
    lines = (ROOT / "Dockerfile").read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith(("USER", "VOLUME"))] == ["USER 10001", "VOLUME /data"]
    assert any("/_sandbox/health" in line for line in lines)
    copied = [
        word for line in lines if line.startswith("COPY ") and "--from" not in line for word in line.split()[1:-1]
    ]
    ignored = (ROOT / ".dockerignore").read_text("utf-8").split()
    assert all((ROOT / one).exists() and one not in ignored for one in copied)
    assert "--store /data/" in (ROOT / "docs" / "operations.md").read_text("utf-8")

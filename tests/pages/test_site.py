"""The documentation site: its pages, the links in them, and what the check of a built site finds."""

import re

import click
import pytest
from console import DOCS
from writers import commands, control, installing, site

from contracts.syntax.documents import read_document
from generators.check.laws.catalogue import ALL_LAWS
from mockserver.bugs.catalogue import BUGS
from mockserver.cli import COMMANDS, main
from mockserver.control.routes import DOCUMENT

HOSTILE = """<script src="https://cdn.example/x.js"></script><link rel="canonical" href="https://site.example/">
<img src="gone.png"><a href="other.html#there">x</a><a href="other.html#nowhere">x</a><a href="https://a.example">x</a>"""


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    site.stage(folder)
    return folder


def test_every_command_law_and_bug_has_a_page(staged):
    """What the program has, the site has."""
    found = {kind: {one.stem for one in (staged / "docs" / kind).glob("*.md")} for kind in ("commands", "laws", "bugs")}
    assert found["commands"] == {*COMMANDS}
    assert found["laws"] == {law.name for law in ALL_LAWS}
    assert found["bugs"] == {bug.name for bug in BUGS}


def test_the_list_of_commands_is_what_they_say():
    """Run `python docs/write.py` when this fails."""
    assert (DOCS / "commands.md").read_text("utf-8") == commands.page()


def test_every_option_is_told_on_its_commands_page():
    texts = commands.pages()
    for name in COMMANDS:
        command = main.get_command(click.Context(main), name)
        for one in command.params:
            if isinstance(one, click.Option) and not one.hidden:
                assert one.opts[0] in texts[f"commands/{name}.md"], (name, one.opts)


def test_every_call_of_the_control_api_is_told():
    """Each has a heading, by which it can be linked to, and a command."""
    document = read_document(DOCUMENT, shown="openapi.yaml")
    items = document["paths"].values()
    calls = {item[name]["operationId"] for item in items for name in control.METHODS if name in item}
    told = [name for text in control.pages().values() for name in re.findall(r"\{ #(\w+) \}", text) if name in calls]
    assert sorted(told) == sorted(calls)


def test_tables_lead_to_the_pages_of_what_they_name(staged):
    """On the site only: in the repository there are no such pages."""
    examples = {"bugs": "bugs/outcome-lost.md", "laws": "laws/count.md", "verdicts": "conduct/gave-up-late.md"}
    for page, link in examples.items():
        assert f"]({link})" in (staged / "docs" / f"{page}.md").read_text("utf-8")
        assert f"]({link})" not in (DOCS / f"{page}.md").read_text("utf-8")


def test_every_page_of_the_folder_is_in_the_navigation(staged):
    """Those that nobody has sorted in are how-tos."""
    told = site.configuration(staged)
    assert all(f"docs/{one.name}" in told for one in DOCS.glob("*.md") if not one.name.endswith(".head.md"))


def test_a_built_page_is_searched_for_faults(tmp_path):
    """Links and pictures that lead nowhere, and all that is loaded from elsewhere; a link to elsewhere is none."""
    (tmp_path / "index.html").write_text(HOSTILE)
    (tmp_path / "other.html").write_text("<h1 id='there'>x</h1>")
    assert [*site.faults(tmp_path)] == [
        "index.html loads https://cdn.example/x.js from another host",
        "index.html links to gone.png, which does not exist",
        "index.html links to other.html#nowhere, which does not exist",
    ]


def test_pages_install_what_can_be_installed():
    """Run `python docs/write.py` after `PUBLISHED` of docs/writers/installing.py was changed."""
    for page in (DOCS.parent / "README.md", *DOCS.rglob("*.md")):
        text = page.read_text("utf-8")
        assert installing.installed_as(text, published=installing.PUBLISHED) == text, page
        assert installing.PUBLISHED or not re.search(r"""pip3? install ['"]?bulkproof""", text), page


def test_one_variable_switches_how_pages_install():
    """Both ways and back; the set-up of a checkout, with its lock, stays."""
    here = (
        "pip install . && pip install '.[campaign]' && pip install -c constraints.txt '.[test]' && pip install ./dist"
    )
    there = here.replace("install . ", "install bulkproof ").replace("install '.[c", "install 'bulkproof[c")
    assert installing.installed_as(here, published=True) == there
    assert installing.installed_as(there, published=False) == here

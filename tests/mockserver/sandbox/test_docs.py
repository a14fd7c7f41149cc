"""`docs/sandbox.md` is a walk that does what it shows, and its table of settings is the truth."""

import re

from console import DOCS, NOW, walk

from mockserver.apis.sources import BUNDLED, find_sources
from mockserver.http.service import Options, Service
from mockserver.sandbox.sandboxes import DEFAULT_SETTINGS

PAGE = DOCS / "sandbox.md"
ROW = re.compile(r"^\| (`[a-zA-Z.`, ]+`) \| .* \| `?(\w[\w, ]*)`? \|$", re.MULTILINE)


def test_the_walk_works_as_shown():
    """Every answer that is shown is byte for byte what a sandbox on a frozen clock gives; the others succeed."""
    apis = [source.load() for source in find_sources(BUNDLED)]
    assert walk(Service(apis, Options(mode="frozen"), NOW), PAGE) == 24


def test_every_setting_is_explained_with_its_first_value():
    """The table names every setting that does not belong to an API, and what it is at first."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8").partition("## Settings")[2])
    told = {
        name: value
        for names, values in rows
        for name, value in zip(re.findall(r"[\w.]+", names), values.split(", "), strict=True)
    }
    limits = {f"limits.{name}": value for name, value in DEFAULT_SETTINGS["limits"].items()}
    expected = {**{name: value for name, value in DEFAULT_SETTINGS.items() if name != "limits"}, **limits}
    assert told == {name: str(value).lower() for name, value in expected.items()}

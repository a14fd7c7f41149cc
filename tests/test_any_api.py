"""The how-tos of `docs/any-api.md` do what they show, and its examples are judged healthy."""

import re
from contextlib import closing

import pytest
from console import DOCS, NOW, walk

from contracts.openapi.loading import load
from generators.check.run import Finished, LawAnswered, run_checks
from generators.client.environments import TargetOptions, connect
from mockserver.apis.sources import find_sources
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options, Service

PAGE = DOCS / "any-api.md"
EXAMPLES = DOCS.parent / "examples"
ROOMS = f"{EXAMPLES / 'your-own-api' / 'rooms.py'}:api"
HOW_TOS = {  # heading: what is served, with which scenarios, and how many commands there are
    "Any OpenAPI document": (str(EXAMPLES / "any-api" / "tickets.yaml"), (), 5),
    "A few lines of x-bulk, by an overlay": (str(EXAMPLES / "any-api" / "bulk.overlay.yaml"), (), 2),
    "Your own API in Python": (ROOMS, ("tower-closed",), 2),
}


def section(heading):
    return PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize("heading", HOW_TOS)
def test_each_how_to_does_what_it_shows(tmp_path, heading):
    """Every answer stands there byte for byte, and the start command names what is served."""
    source, scenarios, commands = HOW_TOS[heading]
    page = tmp_path / "section.md"
    page.write_text(section(heading), encoding="utf-8")
    service = Service([find_sources([source])[0].load()], Options(mode="frozen", scenarios=scenarios), NOW)
    assert walk(service, page) == commands
    assert f"$ bulkproof serve {source.removeprefix(f'{EXAMPLES.parent}/')}" in section(heading)


def test_the_overlay_on_the_page_is_the_one_of_the_example():
    shown = re.search(r"```yaml\n(.*?)```", section("A few lines of x-bulk, by an overlay"), re.DOTALL)[1]
    assert shown == (EXAMPLES / "any-api" / "bulk.overlay.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["any-api/tickets.yaml", "any-api/bulk.overlay.yaml", "your-own-api/openapi.yaml"])
def test_the_documents_have_no_mistakes(name):
    assert load(EXAMPLES / name).repairs == ()


JUDGED = [str(EXAMPLES / "any-api" / "bulk.overlay.yaml"), ROOMS]
JUDGED += map(str, sorted((DOCS.parent / "tests" / "cases" / "presets").glob("*.yaml")))


@pytest.mark.slow
@pytest.mark.parametrize("source", JUDGED, ids=lambda source: source.rpartition("/")[2])
def test_the_examples_and_the_presets_are_judged_healthy(source):
    """All laws that apply hold for our own sandbox, those of the API's own among them."""
    api = find_sources([source])[0].load()
    with in_thread([api], Options(mode="frozen")) as running:
        client = connect(api.contract, TargetOptions(url=running.url))
        with closing(client):
            events = [*run_checks(api.contract, client, laws=api.checks, base=f"{running.url}{api.mount}")]
    end = next(one for one in events if isinstance(one, Finished))
    assert [one.says for one in end.findings] == []
    answers = {
        (one.answer.law, one.answer.operation): one.answer.word for one in events if isinstance(one, LawAnswered)
    }
    assert all(answers[law.name, "createStays"] == "passed" for law in api.checks)

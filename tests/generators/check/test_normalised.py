"""Values that a server normalises as declared are expected so; a server that stores them as sent is found."""

from dataclasses import replace
from pathlib import Path

import pytest
from in_process import InProcess

from generators.check.run import FindingFound, LawAnswered, run_checks
from mockserver.apis.sources import find_sources

DOCUMENT = Path(__file__).parents[2] / "cases" / "contract_only" / "labels.yaml"


@pytest.fixture(scope="module")
def api():
    (source,) = find_sources([str(DOCUMENT)])
    return source.load()


def with_rules(api, rules):
    """Return the API with other rules for its records."""
    labels = replace(api.contract.resources["labels"], normalize=rules)
    return replace(api, contract=replace(api.contract, resources={"labels": labels}))


def checked(served, judged):
    events = list(run_checks(judged.contract, InProcess(served), name_prefix="00001"))
    found = {event.finding.shape for event in events if isinstance(event, FindingFound)}
    return found, {event.answer.word for event in events if isinstance(event, LawAnswered)}


def test_a_server_that_normalises_as_declared_is_right(api):
    """No law finds anything, although nearly every member is stored otherwise than it is sent."""
    found, words = checked(api, api)
    assert found == set()
    assert "failed" not in words


RULES = {"title": ["trim"], "colour": ["trim", "lowercase"], "width": [{"round": 1}]}


@pytest.mark.parametrize(
    ("member", "rules"),
    [
        ("title", {}),
        ("colour", {}),
        ("colour", {"colour": ["trim"]}),
        ("colour", {"colour": ["trim", "uppercase"]}),
        ("width", {}),
        ("width", {"width": [{"round": 3}]}),
        ("width", {"width": [{"round": 0}]}),
    ],
)
def test_a_server_that_normalises_otherwise_is_found(api, member, rules):
    """The finding names the member."""
    others = {name: one for name, one in RULES.items() if name != member}
    found, _ = checked(with_rules(api, {**others, **rules}), api)
    assert found
    assert all(member in shape for shape in found)


def test_a_server_that_normalises_what_is_not_declared_is_found(api):
    """What nothing is declared of is stored as it is sent."""
    found, _ = checked(with_rules(api, {**RULES, "name": ["uppercase"]}), with_rules(api, {}))
    assert found

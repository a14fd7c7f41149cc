"""Loading scenarios: what a good document means, and that each mistake of a bad one is told once, with its cure."""

from datetime import timedelta

import pytest

from contracts.errors import ScenarioError
from mockserver.scenarios.loading import load, load_file, load_text
from mockserver.scenarios.model import scenario_duration

SPEC = """
name: second-record-fails
summary: The record with code DEF is rejected by a business rule.
rules:
  - when: {operation: batchCreate, api: onkey}
    items: {where: {properties.code: DEF}}
    then: {fail: {code: Sandbox_BusinessRule, message: "{AssetImportance->Code} is blocked"}}
    times: 2
  - when: {operation: jobStatus}
    then: {delay: {lognormal: {median_ms: 200, sigma: 0.4}}, on: clock}
"""


def faults_of(document):
    with pytest.raises(ScenarioError) as caught:
        load(document, shown="f")
    return [(fault.pointer, fault.fact, fault.cure) for fault in caught.value.faults]


def rule(**members):
    return {"name": "x", "rules": [{"then": {}, **members}]}


def test_a_yaml_document_becomes_frozen_values():
    """YAML's `on` is a word, not a boolean, and everything that is said arrives."""
    scenario = load_text(SPEC)
    assert (scenario.name, scenario.api, len(scenario.rules)) == ("second-record-fails", "", 2)
    first, second = scenario.rules
    assert first.when.words == {"operation": ("batchCreate",), "api": ("onkey",)}
    assert first.picks.where[0][0] == "/properties/code"
    assert (first.then.item.kind, first.then.item.code, first.times) == ("fail", "Sandbox_BusinessRule", 2)
    assert second.then.delay.on_clock
    assert second.then.commit_point is None


def test_two_loads_of_one_document_are_equal():
    """Scenarios are values."""
    assert load_text(SPEC) == load_text(SPEC)


@pytest.mark.parametrize(
    ("document", "pointer", "hint"),
    [
        ({"name": "x", "rules": [{"then": {}}], "sumary": ""}, "", "'summary'"),
        (rule(whn={}), "/rules/0", "'when'"),
        (rule(then={"dely": "2s"}), "/rules/0/then", "'delay'"),
        (rule(then={"fault": "EMPTY_RESPONS"}), "/rules/0/then/fault", "'EMPTY_RESPONSE'"),
        (rule(then={"delay": {"unifrom": {}}}), "/rules/0/then/delay", "'uniform'"),
        (rule(when={"operaton": "x"}), "/rules/0/when", "'operation'"),
        (rule(when={"query": {"mode": {"mathes": "x"}}}), "/rules/0/when/query/mode", "'matches'"),
        (rule(items={"wher": {}}), "/rules/0/items", "'where'"),
        (rule(items={"where": {"a": {"eqals": 1}}}), "/rules/0/items/where/a", "'equals'"),
    ],
)
def test_an_unknown_word_is_refused_with_the_closest_known_one(document, pointer, hint):
    """A slip of the pen is told with where it is and what was probably meant."""
    assert [(at, hint in cure) for at, _, cure in faults_of(document)] == [(pointer, True)]


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"then": {"fail": {}}}, ""),
        ({"then": {"lose": True}}, ""),
        ({"items": {"every": 1}, "then": {"fail": {}, "skip": True}}, "/then"),
        ({"then": {"timeout": True, "truncate": 0.5}}, "/then"),
        ({"then": {"body": 1, "example": "x"}}, "/then"),
        ({"then": {"duration": "2s", "never-ends": True}}, "/then"),
        ({"items": {"every": 1}, "then": {"fail": {}, "status": 500}}, "/then"),
        ({"then": {"status": 500, "at": "during-commit"}}, "/then/at"),
        ({"then": {"at": "before-commit"}}, "/then/at"),
        ({"then": {"on": "clock"}}, "/then/on"),
        ({"then": {"delay": "P1Y"}}, "/then/delay"),
        ({"then": {"duration": "Psoon"}}, "/then/duration"),
        ({"then": {"gone-after": "9999999999h"}}, "/then/gone-after"),
        ({"then": {"delay": {"uniform": {"lower_ms": 2, "upper_ms": 1}}}}, "/then/delay/uniform"),
        ({"then": {"body": {"a": ["${items.x}"]}}}, "/then/body/a/0"),
        ({"items": {"every": 1}, "then": {"fail": {"message": "${item.x"}}}, "/then/fail/message"),
        ({"then": {"headers": {"content-length": 3}}}, "/then/headers/content-length"),
        ({"when": {"path": "/" + "*" * 300, "query": {"a": {"matches": "(?=a)"}}}}, "/when/query/a/matches"),
        ({"when": {"header": {"A": {"matches": r"(a)\1"}}}}, "/when/header/A/matches"),
        ({"when": {"not": {"body": [{"pointer": "", "test": {"matches": "("}}]}}}, "/when/not/body/0/test/matches"),
        ({"when": {"any": [{"query": {"a": {"schema": {"type": "strin"}}}}]}}, "/when/any/0/query/a/schema"),
        ({"items": {"where": {"a": {"schema": {"$ref": "https://example.com"}}}}}, "/items/where/a/schema"),
    ],
)
def test_what_cannot_stand_together_or_cannot_be_used_is_one_fault_at_its_place(members, pointer):
    """What the schema cannot say is said by the checks, once, where it stands."""
    assert [at for at, _, cure in faults_of(rule(**members)) if cure] == [f"/rules/0{pointer}"]


def test_every_mistake_is_told_at_once():
    """A document with several mistakes names them all."""
    document = {"name": "no good", "rules": [{"then": {"dely": 1}}, {"thn": {}, "then": {"status": 99}}]}
    assert [at for at, _, _ in faults_of(document)] == ["/name", "/rules/0/then", "/rules/1", "/rules/1/then/status"]


@pytest.mark.parametrize("document", [None, 3, "x", [], {}, {"name": "x", "rules": []}, {"name": "x", "rules": [1]}])
def test_whatever_is_given_is_answered_with_faults(document):
    """A value that is no scenario gives faults, never another error."""
    assert faults_of(document)


def test_files_that_cannot_be_read_are_faults(tmp_path):
    """A missing file, broken YAML and a repeated key are told as faults of that file."""
    for text in (None, "a: [", "name: x\nname: y\nrules: []\n"):
        path = tmp_path / "s.yaml"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
        with pytest.raises(ScenarioError) as caught:
            load_file(path)
        assert [fault.file for fault in caught.value.faults] == [str(path)]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("300ms", timedelta(milliseconds=300)),
        ("2s", timedelta(seconds=2)),
        ("1.5m", timedelta(seconds=90)),
        ("1h", timedelta(hours=1)),
        ("PT40M", timedelta(minutes=40)),
        ("P7D", timedelta(days=7)),
    ],
)
def test_lengths_of_time_are_read_in_both_ways_of_writing(text, length):
    """Short forms and ISO 8601 mean the same lengths."""
    assert scenario_duration(text) == length


@pytest.mark.parametrize("text", ["", "5", "2 s", "-2s", "P", "PT", "1e3s", "2s\n", "99999999999h"])
def test_what_is_no_length_of_time_is_refused(text):
    """Anything else raises ValueError."""
    with pytest.raises(ValueError, match="is"):
        scenario_duration(text)

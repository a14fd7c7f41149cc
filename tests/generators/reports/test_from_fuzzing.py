"""What is told of a campaign: the first finding of each root cause, the others beneath it, in every form of report."""

import json
from dataclasses import replace
from xml.etree import ElementTree as ET

from example_findings import asking, kept, state_of

from contracts.openapi.loading import load_bundled
from generators.client.environments import TargetOptions
from generators.fuzz.coordinator import Campaign
from generators.fuzz.progress import CampaignState, PlainProgress, progress_line
from generators.fuzz.shards import CampaignConfig
from generators.reports.console import table
from generators.reports.from_runs import campaign_report
from generators.reports.html import html_page
from generators.reports.junit_sarif import junit_xml, sarif_log
from generators.reports.model import json_lines
from generators.triage.corpus import Corpus
from generators.triage.stored_finding import from_json, to_json

FIRST = kept("a", law="count", shape="outcomes missing")
SAME = kept("b", law="count", shape="outcomes missing", operation="batchUpdate")
OTHER = kept("c", law="boundary", shape="tooMany accepted")


def report():
    return campaign_report(state_of(FIRST, OTHER, SAME), load_bundled("onkey"), version="1", url="http://x", seed=0)


def test_a_row_names_the_finding_that_stands_for_it():
    """Each report says of a finding which one has the same root cause; the first of a cause counts the others."""
    rows = {one.fingerprint: one for one in report().rows}
    assert {name: one.cause for name, one in rows.items()} == {
        FIRST.fingerprint: "",
        SAME.fingerprint: FIRST.fingerprint,
        OTHER.fingerprint: "",
    }
    assert "1 more finding of the same bug." in rows[FIRST.fingerprint].detail
    assert "more of the same" not in rows[OTHER.fingerprint].detail
    assert dict(report().facts)["distinct bugs"] == "2"


def test_machines_are_told_the_cause():
    """JSON lines, JUnit and SARIF have a field for it."""
    lines = [json.loads(line) for line in json_lines(report()).splitlines()[1:]]
    assert {one["fingerprint"]: one["cause"] for one in lines}[SAME.fingerprint] == FIRST.fingerprint
    cases = ET.fromstring(junit_xml(report())).iter("testcase")  # noqa: S314 - written here
    causes = [case.find("properties/property[@name='cause']").get("value") for case in cases]
    assert sorted(causes) == sorted([FIRST.fingerprint, FIRST.fingerprint, OTHER.fingerprint])
    results = json.loads(sarif_log(report()))["runs"][0]["results"]
    assert sorted(one["partialFingerprints"]["cause/v1"] for one in results) == sorted(causes)


def test_people_are_told_the_cause():
    """The page names it; the short table lists the first of each cause alone, the long one all."""
    page = html_page(report()).decode()
    assert f"same bug as <code>{FIRST.fingerprint[:8]}</code>" in page
    assert page.count("same bug as") == 1
    brief, whole = table(report(), brief=True), table(report())
    assert (brief.count("count: outcomes missing"), whole.count("count: outcomes missing")) == (1, 2)
    assert "3 failed" in brief


class Telling:
    """Does no leases: tells what others might have told."""

    def __init__(self, *events):
        self.events = events

    def run(self, shards, emit, is_over):
        del shards, is_over
        for kind, one in self.events:
            emit({"kind": kind, "shard": "bulk-000000", "finding": one})

    def stop(self):
        """Let go of nothing."""


def told_of(tmp_path, *events):
    """Return the findings that a campaign tells of, how far it says it is, and the groups that are on disk."""
    lines, corpus = [], Corpus(folder=tmp_path)
    job = CampaignConfig(contract=load_bundled("onkey"), place=TargetOptions(url="http://127.0.0.1:1"))
    run = Campaign(job=job, executor=Telling(*events), listener=PlainProgress(lines.append), seconds=1.0, corpus=corpus)
    state = run.run()
    found = [line.split()[2] for line in lines if line.split()[1] == "s"]
    replayed = {line.split()[0] for line in lines if "reproduced" in line}
    firsts = {name for name, one in state.findings.items() if not one.group}
    assert replayed >= {one.fingerprint[:8] for kind, one in events if kind == "kept" and one.fingerprint in firsts}
    return found, progress_line(state), {one.fingerprint: one.group for one in corpus.findings(lines.append)}


def test_only_the_first_of_a_cause_is_told(tmp_path):
    """A finding whose cause was told of is kept and counted."""
    found, line, groups = told_of(tmp_path, ("found", FIRST), ("found", SAME), ("kept", SAME))
    assert found == [FIRST.fingerprint[:8]]
    assert "2 findings, 1 distinct bug " in line
    assert groups == {FIRST.fingerprint: "", SAME.fingerprint: FIRST.fingerprint}


def test_the_first_of_a_cause_is_told_once_with_its_replays_whoever_else_was_first_meanwhile(tmp_path):
    """A finding that no replay shows stands beneath an untried one of its cause until that one does not show either."""
    one, other = (replace(given, law="singular", shape="x", tries=0, confirmed=0) for given in (FIRST, SAME))
    never = [("kept", replace(given, tries=3)) for given in (one, other)]
    found, _, groups = told_of(tmp_path, ("found", one), ("found", other), *never)
    assert found == [one.fingerprint[:8], other.fingerprint[:8]]
    assert groups == {one.fingerprint: "", other.fingerprint: one.fingerprint}


def test_what_turns_out_to_have_a_cause_of_its_own_is_told_after_all(tmp_path):
    """A finding that came after another one is taken for its consequence until its own small script says otherwise."""
    given = {"law": "read-back", "shape": "member is lost", "cause": FIRST.fingerprint}
    seen, small = kept("d", **given, small=False), kept("d", **given, steps=(asking("x"),))
    found, line, groups = told_of(tmp_path / "seen", ("found", FIRST), ("found", seen))
    assert (found, groups[seen.fingerprint]) == ([FIRST.fingerprint[:8]], FIRST.fingerprint)
    found, line, groups = told_of(tmp_path, ("found", FIRST), ("found", seen), ("kept", small))
    assert found == [FIRST.fingerprint[:8], seen.fingerprint[:8]]
    assert "2 findings, 2 distinct bugs " in line
    assert groups[seen.fingerprint] == ""


ASSUMED = kept("d", law="isolated", shape="refused for its bad items", places=("x#/y",), assumed=True)


def test_a_warning_fails_no_campaign_and_stands_for_no_failure():
    """What departs from an assumption comes after what fails, even when it was found first, and may be left out."""
    state = CampaignState(assumptions="warn")
    first = replace(ASSUMED, law="count", shape="outcomes missing")
    state.add(first)
    state.add(FIRST)
    assert [one.fingerprint for one in state.broken] == [FIRST.fingerprint]
    assert state.findings[first.fingerprint].group == FIRST.fingerprint
    told = campaign_report(state, load_bundled("onkey"), version="1", url="http://x", seed=0)
    assert [one.status for one in told.rows] == ["failed", "warning"]
    state.assumptions = "ignore"
    told = campaign_report(state, load_bundled("onkey"), version="1", url="http://x", seed=0)
    assert [one.fingerprint for one in told.rows] == [FIRST.fingerprint]
    state.assumptions = "fail"
    assert len(state.broken) == 2


def test_a_stored_finding_keeps_its_facts():
    """Places are written and read; findings of before, which have none, are read too."""
    data = to_json(ASSUMED)
    assert from_json(data, where="here") == ASSUMED
    del data["places"], data["assumed"]
    assert from_json(data, where="here") == replace(ASSUMED, places=(), assumed=False)


def test_what_a_campaign_exercised_is_in_its_report():
    """The report counts laws by operation and outcome as the campaign did."""
    state = state_of(FIRST)
    state.laws[("count", "batchCreate", "allOk")] += 2
    told = campaign_report(state, load_bundled("onkey"), version="1", url="http://x", seed=0)
    assert told.coverage[("count", "batchCreate", "allOk")] == state.laws["count", "batchCreate", "allOk"] >= 2

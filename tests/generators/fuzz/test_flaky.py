"""What did not show again: flaky where it takes several exchanges to say it, broken where one proves it."""

import json
from xml.etree import ElementTree as ET

import pytest
from example_findings import asking, kept, state_of

from contracts.openapi.loading import load_bundled
from generators.reports.console import table
from generators.reports.from_runs import campaign_report
from generators.reports.html import html_page
from generators.reports.junit_sarif import junit_xml, sarif_log
from generators.reports.model import json_lines

COMPARED = ("model", "read-back", "verdict", "async-is-sync", "singular", "fan-out", "stale-version")
PROVEN = ("response", "count", "key", "counts", "status-class", "outcome-order", "coverage", "job-moves")


def report(*some):
    return campaign_report(state_of(*some), load_bundled("onkey"), version="1", url="http://x", seed=0)


@pytest.mark.parametrize("law", COMPARED)
def test_what_exchanges_say_together_and_never_again_breaks_nothing(law):
    """It is told, and is no reason to fail; one that shows now and then, or was not tried, is."""
    never, rarely, untried = (
        kept("a", law=law, confirmed=shown, tries=tries) for shown, tries in ((0, 3), (1, 3), (0, 0))
    )
    assert (state_of(never).broken, report(never).rows[0].status) == ([], "flaky")
    for one in (rarely, untried):
        assert len(state_of(one).broken) == 1
        assert report(one).rows[0].status == "failed"
    assert "flaky" in report(rarely).rows[0].detail
    assert "Not replayed: no time" in report(untried).rows[0].detail


@pytest.mark.parametrize("law", PROVEN)
def test_what_a_call_s_own_answers_prove_stays_broken(law):
    """A reply that breaks the contract, or what a job itself has said, was given, however often it is not again."""
    one = kept("a", law=law, confirmed=0, tries=3)
    assert (len(state_of(one).broken), report(one).rows[0].status) == (1, "failed")


def test_every_report_tells_the_flaky_apart():
    """The table, JUnit, SARIF, JSON lines and the page have a word of their own for it; none counts it as failed."""
    told = report(kept("a", law="model", confirmed=0, tries=3))
    assert table(told, brief=True).rstrip().endswith("1 flaky.")
    case = next(ET.fromstring(junit_xml(told)).iter("testcase"))  # noqa: S314 - our own report
    assert (case.find("failure"), case.find("skipped").get("message")[:6]) == (None, "flaky:")
    (result,) = json.loads(sarif_log(told))["runs"][0]["results"]
    assert (result["kind"], result["level"]) == ("review", "none")
    assert result["partialFingerprints"]["rule/v1"] == "a" * 16
    head, row = map(json.loads, json_lines(told).splitlines())
    assert (head["counts"], row["status"]) == ({"flaky": 1}, "flaky")
    page = html_page(told).decode()
    assert '<li class="flaky">' in page
    assert "none of 1 failed" in page


def test_a_flaky_finding_stands_for_no_other():
    """Of findings with one cause one is told that showed again, whichever came first."""
    never = kept("a", law="singular", shape="x", steps=(asking("p"),), confirmed=0, tries=3)
    shown = kept("b", law="singular", shape="x", steps=(asking("p"),))
    state = state_of(never, shown)
    assert {one.fingerprint[0]: one.group[:1] for one in state.findings.values()} == {"a": "b", "b": ""}

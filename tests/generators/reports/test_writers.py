"""Reports: every writer says every row, whatever is in it, in its own format's rules."""

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.openapi.provenance import FactSource
from generators.oracles.facts import BrokenFact
from generators.reports.console import table
from generators.reports.html import html_page
from generators.reports.junit_sarif import junit_xml, sarif_log
from generators.reports.model import Report, Row, json_lines, sources_text, summary_text

STATUSES = ("passed", "failed", "warning", "known", "not-run", "not-applicable")
texts = st.text(max_size=60)
words = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=12)
rows = st.builds(
    Row,
    id=words,
    group=words,
    says=texts,
    status=st.sampled_from(STATUSES),
    detail=texts,
    evidence=st.lists(st.integers(1, 999) | texts, max_size=4).map(tuple),
)
facts = st.lists(st.tuples(words, texts), max_size=3).map(tuple)
reports = st.builds(Report, title=texts, version=words, rows=st.lists(rows, max_size=8).map(tuple), facts=facts)


def row(status, **given):
    return Row(**{"id": "law", "group": "api", "says": "Does so.", "detail": "It did.", "status": status, **given})


def report(*some):
    return Report(title="Judged", version="1", rows=some)


@given(reports)
def test_junit_is_xml_with_a_case_for_each_row(given_report):
    """Any text makes well-formed XML; what is broken fails, what was not judged is skipped, and the counts agree."""
    root = ET.fromstring(junit_xml(given_report))  # noqa: S314 - written a line above
    cases = [(case.get("classname"), case.get("name")) for case in root.iter("testcase")]
    assert sorted(cases) == sorted((one.group, one.id) for one in given_report.rows)
    found = {kind: len(list(root.iter(kind))) for kind in ("failure", "skipped")}
    counts = given_report.counts
    idle = sum(counts.get(word, 0) for word in ("warning", "known", "not-run", "not-applicable"))
    assert found == {"failure": counts.get("failed", 0), "skipped": idle}
    said = {name: int(root.get(name)) for name in ("tests", "failures", "skipped")}
    assert said == {"tests": len(given_report.rows), "failures": found["failure"], "skipped": idle}


@given(reports)
def test_sarif_results_refer_to_their_rules(given_report):
    """Each row is a result of a rule that is described once; only what failed has a level."""
    log = json.loads(sarif_log(given_report))
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert log["version"] == "2.1.0"
    assert len(set(rules)) == len(rules)
    assert [rules[one["ruleIndex"]] for one in run["results"]] == [one["ruleId"] for one in run["results"]]
    assert [one["ruleId"] for one in run["results"]] == [f"{one.group}/{one.id}" for one in given_report.rows]
    for one in run["results"]:
        assert (one["level"], one["kind"] == "fail") in {("error", True), ("warning", True), ("none", False)}


@given(reports)
def test_json_lines_give_back_every_row(given_report):
    """The first line is the head, the others are the rows as they were."""
    head, *lines = map(json.loads, json_lines(given_report).rstrip(b"\n").split(b"\n"))
    assert head["counts"] == given_report.counts
    assert all(one.pop("breaks") == [] for one in lines)
    told = [Row(**{"id": one.pop("row"), **one, "evidence": tuple(one["evidence"]), "calls": ()}) for one in lines]
    assert tuple(told) == given_report.rows


def test_json_lines_tell_coverage():
    """The head has how often each law was exercised on each operation with each outcome; without counts, nothing."""
    told = {("count", "bulk", "allOk"): 3, ("count", "bulk", "someFailed"): 1}
    head = json.loads(json_lines(Report(title="", version="", rows=(), coverage=told)))
    assert {(one["law"], one["operation"], one["outcome"]): one["times"] for one in head["coverage"]} == told
    assert "coverage" not in json.loads(json_lines(Report(title="", version="", rows=())))


STRUCTURE = frozenset(("div", "footer", "html", "link", "main", "meta", "section", "style", "title"))
PROSE = frozenset(("code", "dd", "dl", "dt", "h1", "h2", "li", "p", "pre", "small", "span", "ul"))
PLAIN = STRUCTURE | PROSE | {"details", "fieldset", "input", "label", "legend", "summary"}


class Page(HTMLParser):
    """What of a page is text, and what asks for something outside it."""

    def __init__(self, text):
        super().__init__()
        self.texts, self.outside, self.tags = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.outside += [value for name, value in attrs if name in {"src", "href", "action"} and value != "data:,"]

    def handle_data(self, data):
        self.texts.append(data)


@given(reports)
def test_the_page_needs_nothing_else_and_runs_nothing(given_report):
    """Whatever stands in a report is shown as text: no script, nothing fetched, every law named."""
    page = Page(html_page(given_report).decode())
    assert page.outside == []
    assert set(page.tags) <= PLAIN
    shown = "".join(page.texts)
    assert all(one.id in shown for one in given_report.rows)
    assert "url(" not in shown
    assert "@import" not in shown


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "</style><b>"])
def test_hostile_text_stays_text(hostile):
    """Markup in any field is shown, not obeyed."""
    bad = row("failed", says=hostile, detail=hostile, evidence=(hostile, f"{hostile}\nmore"))
    page = Page(html_page(Report(title=hostile, version=hostile, rows=(bad,), facts=((hostile, hostile),))).decode())
    assert not {"script", "img", "b"} & set(page.tags)
    assert "".join(page.texts).count(hostile) >= 5


@given(reports, st.integers(60, 160))
def test_lines_of_the_table_fit_the_terminal(given_report, width):
    """No line with a law is wider than the terminal, and every row has one."""
    simple = [Row(id=one.id, group="api", says="x", status=one.status, detail=one.detail) for one in given_report.rows]
    lines = table(report(*simple), width=width).splitlines()
    assert all(len(line) <= width for line in lines)
    assert all(any(one.id in line for line in lines) for one in simple)


def test_the_table_tells_broken_laws_wholly_and_others_in_a_line():
    """What was broken is said to its end with the evidence; the rest is cut to one line."""
    long = "word " * 60
    text = table(
        report(row("passed", id="a", detail=long), row("failed", id="b", detail=long, evidence=(3, "curl\nx"))),
        width=80,
    )
    assert text.count("word") > 60
    assert "[#3, curl]" in text
    kept = next(line for line in text.splitlines() if " a " in line)
    assert kept.endswith("…")
    assert text.endswith("1 failed, 1 passed.\n")


def test_colour_is_only_there_when_it_is_wanted():
    """Without colour the table is plain text, with it the text is the same."""
    some = report(*(row(status) for status in STATUSES))
    painted = table(some, colour=True)
    assert "\x1b" not in table(some)
    assert re.sub(r"\x1b\[[0-9;]*m", "", painted) == table(some)


def test_an_empty_report_is_a_report():
    """Nothing judged is said so by every writer."""
    assert summary_text(report()) == "nothing judged"
    for writer in (html_page, json_lines, junit_xml, sarif_log):
        assert writer(report())
    assert "Nothing judged." in table(report())


def fact(says="stated", page="https://x.example/rules", place="x-bulk/unit of add"):
    return BrokenFact(
        place=place, source=FactSource(says=says, page=page if says == "stated" else "", note="one by one")
    )


def test_every_report_names_the_fact_and_its_source():
    """Table, JUnit, SARIF, JSON lines and HTML tell what is broken, and who says so."""
    some = report(row("failed", facts=(fact(),)), row("warning", id="other", facts=(fact("assumed"),)))
    page = "Breaks x-bulk/unit of add, stated at https://x.example/rules (one by one)."
    own = "Departs from an assumption of the contract, x-bulk/unit of add (one by one)."
    for told in (table(some, width=200), junit_xml(some).decode(), html_page(some).decode()):
        assert page in told
        assert own in told
    told = [json.loads(line) for line in json_lines(some).splitlines()]
    assert told[0]["summary"].endswith("Breaks 1 statement of the vendor, departs from 1 of our assumptions.")
    place = {"place": "x-bulk/unit of add", "note": "one by one"}
    assert [one["breaks"] for one in told[1:]] == [
        [{**place, "says": "stated", "page": "https://x.example/rules"}],
        [{**place, "says": "assumed", "page": ""}],
    ]
    results = json.loads(sarif_log(some))["runs"][0]["results"]
    assert [(one["kind"], one["level"]) for one in results] == [("fail", "error"), ("fail", "warning")]
    assert [one["properties"]["breaks"] for one in results] == [one["breaks"] for one in told[1:]]


@pytest.mark.parametrize(
    ("rows_given", "said"),
    [
        ([], ""),
        ([row("failed")], ""),
        ([row("known", facts=(fact(),))], ""),
        ([row("failed", facts=(fact(),)), row("failed", facts=(fact(),))], "1 statement of the vendor, departs from 0"),
        ([row("warning", facts=(fact(), fact("assumed", place="y")))], "0 statements of the vendor, departs from 1"),
        ([row("failed", facts=(BrokenFact(place="a"), BrokenFact(place="b")))], "2 statements of the document."),
        ([row("failed", facts=(fact(page="https://www.rfc-editor.org/rfc/rfc9110"),))], "1 rule of HTTP."),
    ],
)
def test_the_summary_counts_facts_by_source(rows_given, said):
    """Equal facts count once; a finding that rests on an assumption too counts for that alone."""
    assert said in sources_text(report(*rows_given))
    assert bool(sources_text(report(*rows_given))) is bool(said)

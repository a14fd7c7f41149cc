"""Runs of checks as reports: rows by operation, findings that are known, exchanges as evidence."""

import shlex
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Exchange, Headers, Request, Response
from generators.check.laws.catalogue import CHECKS
from generators.oracles.findings import CheckResult, Finding
from generators.reports.console import table
from generators.reports.from_runs import CHECK_STATEMENTS, check_report
from generators.reports.model import exchange_text

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def exchange(**given):
    call = Request(**{"method": "POST", "path": "/books", **given})
    reply = Response(status=400, headers=Headers((("Content-Type", "text/plain"),)), body=b"no")
    return Exchange(n=7, at=NOW, api="books", operation="addBooks", request=call, response=reply)


FOUND = Finding(law="count", operation="addBooks", shape="too few", says="One is missing.", evidence=(exchange(),))
ANSWERS = (
    CheckResult(law="split", operation="addBooks", word="not-run", reason="nothing was made"),
    CheckResult(law="count", operation="addBooks", word="failed", findings=(FOUND,)),
    CheckResult(law="key", operation="addBooks", word="passed"),
    CheckResult(law="atomic", operation="other", word="not-applicable", reason="its items stand alone"),
)


def test_rows_are_by_operation_and_in_the_order_of_the_laws():
    """Each answer is a row of its operation; a broken law has a row for each finding, with its fingerprint."""
    report = check_report("Books", ANSWERS, version="1", base="http://x")
    assert [(one.group, one.id, one.status, one.detail) for one in report.rows] == [
        ("addBooks", "count: too few", "failed", "One is missing."),
        ("addBooks", "key", "passed", ""),
        ("addBooks", "split", "not-run", "Nothing was made."),
        ("other", "atomic", "not-applicable", "Its items stand alone."),
    ]
    assert report.rows[0].fingerprint == FOUND.fingerprint
    assert report.rows[0].evidence[0].startswith("#7 POST /books → 400\ncurl -sS -i -X POST http://x/books")


def test_a_known_finding_is_told_as_known():
    """What is in the baseline is not broken."""
    report = check_report("Books", ANSWERS, version="1", known=frozenset((FOUND.fingerprint,)))
    assert report.counts == {"passed": 1, "known": 1, "not-run": 1, "not-applicable": 1}


def test_every_law_says_what_it_is():
    """No law is reported without its sentence."""
    assert {*CHECKS} <= CHECK_STATEMENTS.keys()
    assert all(says.endswith(".") for says in CHECK_STATEMENTS.values())


def test_the_brief_table_counts_what_is_quiet():
    """Passed and inapplicable laws are a number in the line of their operation; the others have lines of their own."""
    lines = table(check_report("Books", ANSWERS, version="1"), brief=True).splitlines()
    assert lines == [
        "Books",
        "",
        "addBooks  1 failed, 1 passed, 1 not run",
        "  failed   count: too few  One is missing. [#7 POST /books → 400]",
        "  not run  split           Nothing was made.",
        "other     1 not applicable",
        "",
        "1 failed, 1 passed, 1 not run, 1 not applicable.",
    ]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=40))
def test_the_command_of_an_exchange_is_the_call(text):
    """A shell reads the command as it is meant: address, headers and body, whatever they hold."""
    line = exchange_text(
        exchange(query=(("q", text),), headers=Headers((("X-A", "b c"),)), body=text.encode()), "http://x"
    )
    words = shlex.split(line[line.index("curl") : line.rindex("\nHTTP 400")])
    assert words[words.index("-H") + 1] == "X-A: b c"
    assert words[words.index("--data-binary") + 1] == text
    assert words[5].startswith("http://x/books?q=")


def test_secrets_are_no_evidence():
    """Credentials are hidden, and what the transport adds is left out."""
    line = exchange_text(exchange(headers=Headers((("Authorization", "Bearer s3cret"), ("Host", "y")))), "http://x")
    assert "s3cret" not in line
    assert "Host" not in line

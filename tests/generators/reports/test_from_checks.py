"""Runs of checks as reports: rows by operation, findings that are known, exchanges as evidence."""

import os
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from contracts.messages import Exchange, Headers, Request, Response
from contracts.openapi.loading import load_bundled
from contracts.openapi.security import WRONG_BY_SCHEME
from generators.check.laws.catalogue import CHECKS
from generators.oracles.findings import CheckResult, Finding
from generators.reports.calls import curl, exchange_command, exchange_text, step_command
from generators.reports.console import table
from generators.reports.from_runs import CHECK_STATEMENTS, check_report
from generators.triage.script import Capture, RequestStep, Script

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
    assert report.rows[0].evidence[0].startswith("#7 POST http://x/books → 400 no\ncurl -sSig -X POST http://x/books")
    assert report.rows[0].calls == ("POST http://x/books → 400 no",)
    assert report.rows[0].command == "curl -sSig -X POST http://x/books"


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
        "  failed   count: too few",
        "    One is missing.",
        "    sent      POST /books → 400 no",
        f"    expected  {CHECK_STATEMENTS['count']}",
        "    try       curl -sSig -X POST /books",
        "  not run  split           Nothing was made.",
        "other     1 not applicable",
        "",
        "1 failed, 1 passed, 1 not run, 1 not applicable.",
    ]


def argv_of(command):
    """Return the arguments that a POSIX shell gives to curl."""
    script = f"curl() {{ printf '%s\\0' \"$@\"; }}\n{command}\n"
    shell = {"PATH": os.environ["PATH"], "BULKPROOF_AUTH": "Bearer t", "id1": "41"}
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env=shell)
    return done.stdout.decode("utf-8", "surrogateescape").split("\0")[:-1]


HOSTILE = (
    *(
        "plain",
        "it's",
        "$(touch /tmp/x)",
        "`id`",
        "$HOME ${IFS}",
        'a"b',
        "a\nb\n",
        "@/etc/passwd",
        "-X DELETE",
        "; ls #",
    ),
    *("{a,b}[1-9]", "\\", "{{id1}}", "é 漢 \U0001f600", "!!", "a\tb", "*", "~", "&& true", "|", ">x", "\r\nX: y"),
)


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Bearer secret", "Bearer t"),
        ("Bearer sandbox-multi", "Bearer sandbox-multi"),
        ("Bearer SANDBOX-MULTI", "Bearer SANDBOX-MULTI"),
        (WRONG_BY_SCHEME["bearer"], WRONG_BY_SCHEME["bearer"]),
    ],
)
def test_the_command_shows_what_is_no_secret(sent, shown):
    """Credentials of the contract, those that are almost these, and nobody's are sent as they were; others are not."""
    call = exchange(method="GET", headers=Headers((("Authorization", sent),)))
    command = exchange_command(call, "http://127.0.0.1", load_bundled("genero"))
    assert ("secret" in command, argv_of(command)[-1]) == (False, f"Authorization: {shown}")


@pytest.mark.parametrize("text", HOSTILE)
def test_the_command_of_an_exchange_is_the_call(text):
    """A shell gives curl address, header and body as they were, whatever they hold, and runs nothing else."""
    headers = Headers((("X-A", text.replace("\r\n", " ").replace("\n", " ")),))
    call = exchange(path="/books/a'b", query=(("q", text),), headers=headers, body=text.encode())
    command = exchange_text(call, "http://x").split("\n", 1)[1].rpartition("\nHTTP 400")[0]
    words = argv_of(command)
    assert words[words.index("-H") + 1] == f"X-A: {headers.get('X-A')}"
    assert words[words.index("--data-raw") + 1] == text
    assert words[3] == f"http://x/books/a'b?{urlencode([('q', text)])}"


@pytest.mark.parametrize("body", [b"\xff\xfe", b"a\x00b", b"\x1b[2J", b"x" * 5000, b"\n# '" * 900])
def test_a_body_that_is_no_argument_is_read_from_a_file(body):
    """What is too long, or no text, is not put on a command line; a comment in the same line says how it begins."""
    command = curl("POST", "http://x/", (), body)
    assert "\n" not in command
    assert argv_of(command)[-2:] == ["--data-binary", "@body.bin"]


def test_what_curl_would_do_by_itself_is_turned_off():
    """Brackets are no ranges, dots no steps up, no content type is added, and HEAD waits for no body."""
    assert argv_of(curl("POST", "'http://x/[1-2]/../a'", (), b"x")) == [
        *("-sSig", "-X", "POST", "--path-as-is", "http://x/[1-2]/../a", "-H", "Content-Type:", "--data-raw", "x"),
    ]
    assert argv_of(curl("HEAD", "http://x", (("X-Empty", ""),), b"")) == ["-sSig", "-I", "http://x", "-H", "X-Empty;"]


def test_secrets_are_no_evidence():
    """Credentials are variables of the environment, tokens in answers are hidden, what transport adds is left out."""
    call = exchange(headers=Headers((("Authorization", "Bearer s3cret"), ("X-API-Key", "s3cret"), ("Host", "y"))))
    told = Response(
        status=200,
        headers=Headers((("Set-Cookie", "s3cret"), ("Content-Type", "application/json"))),
        body=b'{"access_token": "s3cret"}',
    )
    text = exchange_text(replace(call, response=told), "http://x")
    assert "s3cret" not in text
    assert "Host" not in text
    words = argv_of(text.splitlines()[1])
    assert words[-4:] == ["-H", "Authorization: Bearer t", "-H", "X-API-Key: "]


def test_fields_of_every_request_are_in_the_command():
    """What the user gives for all requests is read from the environment, once, whatever its name."""
    call = exchange(headers=Headers((("Authorization", "Bearer s3cret"),)))
    text = exchange_text(call, "http://x", given=("authorization", "X-Tenant's"))
    words = argv_of(text.split("\n")[1])
    assert words[-4:] == ["-H", "X-Tenant's: ", "-H", "Authorization: Bearer t"]
    assert '"$BULKPROOF_X_TENANT_S"' in text


def test_a_step_is_a_command_with_variables():
    """Names are filled in, and values of earlier answers are variables of the shell, numbers without quotes."""
    told = (Capture(name="id1", path=("id",)),)
    making = RequestStep(operation="add", method="POST", path=("books",), data={"name": "{{prefix}}-1"}, captures=told)
    data = {"id": "{{id1:number}}", "of": "it's {{id1}}"}
    reading = RequestStep(operation="put", method="PUT", path=("books", "{{id1}}", "a b"), data=data)
    script = Script(steps=(making, reading))
    assert argv_of(step_command(making, script, "http://x"))[-1] == '{"name":"b00000-1"}'
    assert step_command(making, script, "http://x").endswith(" # its answer has $id1")
    words = argv_of(step_command(reading, script, "http://x"))
    assert words[3:4] + words[-1:] == ["http://x/books/41/a%20b", '{"id":41,"of":"it\'s 41"}']


def test_findings_of_one_cause_are_one_group():
    """Those of a law that share an exchange, and those of one telling kind on two operations, stand under the first."""
    same = Finding(law="count", operation="addBooks", shape="too many", says="One more.", evidence=FOUND.evidence)
    other = Finding(law="count", operation="putBooks", shape="too few", says="One is missing.", evidence=(exchange(),))
    apart = Finding(law="key", operation="addBooks", shape="foreign", says="Whose?", evidence=FOUND.evidence)
    answers = [
        CheckResult(law=one.law, operation=one.operation, word="failed", findings=(one,))
        for one in (FOUND, same, other, apart)
    ]
    report = check_report("Books", answers, version="1", base="http://x")
    causes = {row.fingerprint: row.cause for row in report.rows}
    assert causes == {
        FOUND.fingerprint: "",
        same.fingerprint: FOUND.fingerprint,
        other.fingerprint: FOUND.fingerprint,
        apart.fingerprint: "",
    }
    assert "2 more findings of this cause: too many; the same on putBooks." in report.rows[0].detail
    assert report.counts == {"failed": 4}

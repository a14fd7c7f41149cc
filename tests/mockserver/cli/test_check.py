"""`bulkproof check`: what it finds, what it writes, and how it ends."""

import json
import re
from xml.etree import ElementTree as ET

import pytest
from click import BadParameter
from click.testing import CliRunner
from sampling import some

from contracts import load_bundled
from contracts.errors import MisuseError
from contracts.openapi.security import authorization_field
from generators.check import run as run_module
from generators.check.run import BUDGET_USED_UP
from generators.client.http import HttpClient
from generators.oracles.findings import CheckResult
from mockserver.cli import main
from mockserver.cli.check import _time_wanted
from mockserver.cli.shared.options import Duration
from mockserver.cli.shared.target import assumptions_of, credentials

BUG = {"scenarios": [{"name": "too-long", "rules": [{"then": {"bug": "overlong-accepted"}}]}]}
ASSUMED_BUG = {"scenarios": [{"name": "blames", "rules": [{"then": {"bug": "neighbour-fails"}}]}]}


def run(*words):
    done = CliRunner().invoke(main, ["check", *words])
    return done.exit_code, done.stdout, done.stderr


def url_of(client):
    return f"{client.running.url}/@{client.sandbox}"


@pytest.fixture
def genero(serving):
    """Return a client with a sandbox of its own."""
    return serving("genero", "onkey")


@pytest.fixture
def buggy(genero):
    """Return the URL of a sandbox that takes more items than it may."""
    assert genero.control("PUT", "scenarios", BUG).status == 200
    return url_of(genero)


@pytest.mark.slow
def test_the_coverage_cases_of_on_key_raise_no_false_alarm(genero):
    """All cases that the schemas of an operation of On Key define are answered as declared."""
    chosen = some([one.id for one in load_bundled("onkey").operations], 6)
    words = [word for name in ("coverage", *chosen) for word in ("--only", name)]
    code, text, _ = run("onkey", "--url", url_of(genero), *words, "--max-time", "100")
    assert (code, text.splitlines()[-1]) == (0, f"{len(chosen)} passed.")


@pytest.mark.slow
def test_the_coverage_phase_has_a_sandbox_of_its_own(genero):
    """It has the scenarios of the one that is checked, leaves nothing in that one, and is deleted afterwards."""
    rules = [{"when": {"operation": "listEntities"}, "then": {"status": 500}}]
    assert genero.control("PUT", "scenarios", {"scenarios": [{"name": "odd", "rules": rules}]}).status == 200
    code, text, _ = run("genero", "--url", url_of(genero), "--only", "coverage", "--only", "listEntities")
    assert code == 1
    assert "coverage: " in text
    assert genero.control("GET", "exchanges").data["exchanges"] == []
    names = [one["name"] for one in genero.send("GET", "/_sandbox/sandboxes").data["sandboxes"]]
    assert genero.sandbox in names
    assert not [name for name in names if name.startswith("check-")]


@pytest.mark.slow
def test_what_is_found_is_in_every_report(buggy, tmp_path):
    """A broken law ends with 1, and each report has it, with evidence that can be pasted."""
    files = {name: tmp_path / f"report.{name}" for name in ("junit", "jsonl", "sarif", "html")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    code, text, _ = run("genero", "--url", buggy, "--only", "boundary", *options)
    assert code == 1
    assert "boundary: tooMany is accepted" in text
    failures = ET.fromstring(files["junit"].read_text()).iter("failure")  # noqa: S314 - our own file
    assert {one.get("message") for one in failures} == {
        "A request of 5001 items is not refused (200). 1 more finding of this cause: the same on postMultiTenantJob.",
        "A request of 5001 items is not refused (207).",
    }
    rows = [json.loads(line) for line in files["jsonl"].read_text().splitlines()[1:]]
    (broken,) = [row for row in rows if row["status"] == "failed" and row["group"] == "postJob"]
    assert broken["evidence"][0].splitlines()[1].startswith("curl -sSig -X POST ")
    (sarif,) = json.loads(files["sarif"].read_text())["runs"]
    prints = [one["partialFingerprints"]["rule/v1"] for one in sarif["results"] if one["level"] == "error"]
    assert broken["fingerprint"] in prints
    assert "5001 items" in files["html"].read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("chosen", "code", "status"), [((), 1, "failed"), (("warn",), 0, "warning"), (("ignore",), 0, "passed")]
)
def test_assumptions_fail_warn_or_are_left_out(genero, tmp_path, chosen, code, status):
    """On a sandbox what departs from an assumption fails; it is a warning, or left out, where that is asked for."""
    assert genero.control("PUT", "scenarios", ASSUMED_BUG).status == 200
    file = tmp_path / "report.jsonl"
    options = [word for one in chosen for word in ("--assumptions", one)]
    words = ("genero", "--url", url_of(genero), "--only", "isolated", "--only", "postJob", "--jsonl", str(file))
    ended, text, _ = run(*words, *options)
    head, *rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert (ended, {one["status"] for one in rows}) == (code, {status}), text
    assert ("departs from 1 of our assumptions" in head["summary"]) is (status != "passed")
    places = {place["place"] for one in rows for place in one["breaks"]}
    assert places == (set() if status == "passed" else {"x-bulk/unit of postJob"})


@pytest.mark.parametrize(
    ("chosen", "is_sandbox", "assumptions"), [(None, True, "fail"), (None, False, "warn"), ("fail", False, "fail")]
)
def test_assumptions_are_warnings_on_the_servers_of_others(chosen, is_sandbox, assumptions):
    """Where nothing is asked for, it depends on whose server it is."""
    assert assumptions_of({"assumptions": chosen}, is_sandbox=is_sandbox) == assumptions


@pytest.mark.slow
def test_a_baseline_makes_findings_known(buggy, genero, tmp_path):
    """What the baseline has is told and breaks nothing; what it has not, does."""
    file = tmp_path / "known.json"
    words = ("genero", "--url", buggy, "--only", "boundary", "--baseline", str(file))
    assert run(*words)[0] == 2
    assert run(*words, "--baseline-update")[0] == 0
    known = json.loads(file.read_text())["findings"]
    assert {(one["law"], one["operation"]) for one in known.values()} == {
        ("boundary", "postJob"),
        ("boundary", "postMultiTenantJob"),
    }
    code, text, _ = run(*words)
    assert (code, "2 known" in text) == (0, True)
    file.write_text(json.dumps({"findings": dict([*known.items()][:1])}))
    assert run(*words)[0] == 1
    assert genero.control("PUT", "scenarios", BUG).status == 200


@pytest.mark.slow
def test_read_only_sends_nothing_that_writes(genero):
    """With --read-only the journal has GET alone, and what needs more says so."""
    code, text, _ = run("genero", "--url", url_of(genero), "--read-only")
    methods = {one["method"] for one in genero.control("GET", "exchanges").data["exchanges"]}
    assert (code, methods) == (0, {"GET"})
    assert "--read-only allows no writes." in text


def test_only_and_skip_choose_checks_and_operations(genero):
    """What is named is checked, and nothing else."""
    code, text, _ = run("genero", "--url", url_of(genero), "--only", "response", "--only", "listEntities", "-v")
    assert code == 0
    assert [line.split()[:2] for line in text.splitlines() if line.startswith("  ")] == [["passed", "response"]]


def test_credentials_go_with_every_call(serving):
    """A server that wants a token is checked with it, and without it nothing is claimed."""
    url = url_of(serving("genero", settings={"auth": "strict"}))
    words = ("genero", "--url", url, "--only", "count", "--only", "postJob")
    code, _, error = run("genero", "--url", url, "--skip", "coverage")
    assert (
        code,
        "answered with 401: credentials are required that are known there. Give them with --auth or --header." in error,
    ) == (
        2,
        True,
    )
    for given in (("--auth", "sandbox-multi"), ("--header", "Authorization: Bearer sandbox-multi")):
        code, text, _ = run(*words, *given)
        assert (code, text.splitlines()[-1]) == (0, "1 passed.")


def test_without_schemathesis_its_cases_are_not_run(genero, monkeypatch):
    """Coverage cases need an extra; without it they say how to get it, and the rest is checked."""
    monkeypatch.setattr("generators.schemathesis_engine.coverage.is_installed", lambda: False)
    code, text, _ = run("genero", "--url", url_of(genero), "--only", "coverage", "--only", "listEntities")
    assert code == 0
    assert "Schemathesis is missing: install bulkproof[campaign]." in text


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--url", "http://127.0.0.1:1"), "Connection refused). Give the URL of a running server."),
        (("--url", "nonsense"), "Invalid value for '--url': 'nonsense' is not a URL such as http://127.0.0.1:8080."),
        (
            ("--url", "{url}/wrong"),
            "the API was not found there. Give the server's root URL with --url, or the API's base path with --mount.",
        ),
        (
            ("--url", "{url}", "--mount", "/v2"),
            "/v2: all 25 requests were answered with 404: the API was not found there.",
        ),
        (("--url", "{url}", "--only", "atmic"), "Did you mean 'atomic'?"),
        (("--url", "{url}", "--only", "coverge"), "Did you mean 'coverage'?"),
        (
            ("--url", "{url}", "--max-time", "soon"),
            "'soon' is not a duration. Write it like 90s, 1h30m, 300ms or PT5M.",
        ),
        (("--url", "{url}", "--name-prefix", "x"), "'x' is not 5 characters of 0-9 and a-z."),
        (("--url", "{url}", "--header", "x"), "'x' is not NAME: VALUE."),
        (("--url", "{url}", "--param", "x"), "'x' is not NAME=VALUE."),
        (
            ("--url", "{url}", "--baseline-update"),
            "--baseline-update needs a file. Name it with --baseline.",
        ),
        (("--url", "{url}", "--html", "/nowhere/x.html"), "there is no directory '/nowhere'."),
        ((), "Missing option '--url'."),
    ],
)
def test_misuse_is_one_sentence(genero, words, says):
    """A server that is not there, a wrong mount, a bad option: one sentence, exit code 2, and no table."""
    code, out, error = run("genero", *(word.format(url=url_of(genero)) for word in words))
    assert (code, out, error.count("\n")) == (2, "", 1)
    assert says in error


def test_a_broken_contract_is_misuse(tmp_path):
    """A contract that cannot be read is told by its faults, before anything is sent."""
    file = tmp_path / "broken.yaml"
    file.write_text("openapi: 3.1.0\ninfo: {title: x, version: '1'}\npaths: {/a: {get: {responses: 7}}}\n")
    code, out, error = run(str(file), "--url", "http://127.0.0.1:1", "--strict")
    assert (code, out) == (2, "")
    assert "broken.yaml#/paths/~1a/get/responses" in error


def test_how_lengths_and_credentials_are_written():
    """Lengths have a unit or are seconds; credentials are a pair, a token, or what is written."""
    lengths = [
        Duration().convert(text, None, None) for text in ("90", "90s", "1.5m", "2h", "1h30m", "PT5M", "300ms", ".5")
    ]
    assert lengths == [90.0, 90.0, 90.0, 7200.0, 5400.0, 300.0, 0.3, 0.5]
    for text in ("0", "0s", "-1", "nan", "inf", "1h 30m"):
        with pytest.raises(BadParameter):
            Duration().convert(text, None, None)
    told = [authorization_field(text) for text in ("", "abc", "me:secret", "Digest abc")]
    assert told == ["", "Bearer abc", "Basic bWU6c2VjcmV0", "Digest abc"]


def test_an_old_option_name_does_as_the_new_one(genero):
    """The old name sets the same option, says so in one line on stderr, and stands in no help."""
    words = ("genero", "--url", url_of(genero), "--only", "count", "--only", "postJob")
    old, new = run(*words, "--salt", "abcde"), run(*words, "--name-prefix", "abcde")
    assert (old[0], old[2], new[2]) == (0, "--salt is now --name-prefix; the old name will go in 1.0\n", "")
    assert run(*words, "--salt=abcde")[2] == old[2]
    code, out, error = run("--help")
    assert (code, "--name-prefix" in out, "--salt" in out, error) == (0, True, False, "")
    _, _, error = run(*words, "--salt", "x")
    assert error.splitlines()[-1] == "Error: Invalid value for '--name-prefix': 'x' is not 5 characters of 0-9 and a-z."


def reports_of(folder):
    """Return the options for a report in each format, and what the files have."""
    files = {name: folder / f"report.{name}" for name in ("junit", "jsonl", "sarif", "html")}
    options = [word for name, path in files.items() for word in (f"--{name}", str(path))]
    return options, lambda: {name: path.read_text() for name, path in files.items()}


@pytest.mark.parametrize("command", ["check", "fuzz"])
@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("genero", "--url", "http://127.0.0.1:1"), "127.0.0.1:1"),
        (("genroe", "--url", "http://127.0.0.1:1"), "there is no API 'genroe'"),
        (("genero", "--url", "http://127.0.0.1:1", "--baseline-update"), "127.0.0.1:1|needs a file"),
    ],
)
def test_what_could_not_run_is_in_every_report(tmp_path, command, words, reason):
    """Exit code 2 writes each file with the reason: an error of JUnit, a failed invocation of SARIF."""
    options, written = reports_of(tmp_path)
    done = CliRunner().invoke(main, [command, *words, *options])
    assert done.exit_code == 2
    files = written()
    told = done.stderr.removeprefix("Error: ").strip()
    assert re.search(reason, told)
    (error,) = ET.fromstring(files["junit"]).iter("error")  # noqa: S314 - our own file
    assert (error.get("message"), ET.fromstring(files["junit"]).get("errors")) == (told, "1")  # noqa: S314 - the same
    (run_told,) = json.loads(files["sarif"])["runs"]
    assert run_told["invocations"] == [
        {
            "executionSuccessful": False,
            "toolExecutionNotifications": [{"level": "error", "message": {"text": told}}],
        }
    ]
    assert json.loads(files["jsonl"].splitlines()[0])["error"] == told
    assert "The run ended before its time" in files["html"]


def test_what_was_found_before_the_server_went_is_told(genero, tmp_path, monkeypatch):
    """A run that ends in the middle reports what it had found until then, with the reason."""
    assert genero.control("PUT", "scenarios", ASSUMED_BUG).status == 200
    events = run_module.check

    def cut(*given):
        for event in events(*given):
            yield event
            if isinstance(event, run_module.FindingFound):
                raise MisuseError("the server is gone.")

    monkeypatch.setattr(run_module, "check", cut)
    options, written = reports_of(tmp_path)
    code, _, error = run("genero", "--url", url_of(genero), "--only", "isolated", "--only", "postJob", *options)
    assert (code, error) == (2, "Error: the server is gone.\n")
    head, *rows = [json.loads(line) for line in written()["jsonl"].splitlines()]
    assert (head["error"], [one["status"] for one in rows]) == ("the server is gone.", ["failed"])


def test_credentials_may_be_those_of_test_clients():
    """A name that begins the value is that of a client; tokens with an equals sign, Basic and schemes are none."""
    told = credentials(None, None, ("bob=secret", "Bearer a=b", "al-1=x=y"))
    assert told == ("Bearer a=b", {"bob": "secret", "al-1": "x=y"})
    assert credentials(None, None, ("dG9rZW4=",)) == ("dG9rZW4=", {})
    assert credentials(None, None, ("me:a=b",)) == ("me:a=b", {})


def test_a_client_that_the_document_does_not_name_is_refused():
    """Its known clients are told."""
    done = CliRunner().invoke(main, ["check", "genero", "--url", "http://127.0.0.1:9", "--auth", "sngle=x"])
    assert done.exit_code == 2
    assert "Known: multi, single, unknown." in done.output


def test_a_placeholder_is_replaced_where_a_request_is_sent():
    """The secret of a client stands in the field, the query or the cookie that is sent, and nowhere else."""
    secret = HttpClient("http://127.0.0.1:9", credentials={"$BULKPROOF_AUTH_BOB": "bobs"})._secret  # noqa: SLF001 - as sent
    assert secret("$BULKPROOF_AUTH_BOB", "Authorization") == "Bearer bobs"
    assert secret("$BULKPROOF_AUTH_BOB", "X-Key") == secret("$BULKPROOF_AUTH_BOB") == "bobs"
    assert secret("session=$BULKPROOF_AUTH_BOB", "Cookie") == "session=bobs"
    assert secret("$BULKPROOF_AUTH_ANN", "Authorization") == "$BULKPROOF_AUTH_ANN"


def test_a_check_says_how_much_time_would_do():
    """What had no time is counted, with the minutes that all would take at the same pace."""
    results = [CheckResult(law="l", operation=str(n), word="passed") for n in range(20)]
    assert _time_wanted(results, 60.0) == []
    idle = [CheckResult(law="l", operation=str(n), word="not-run", reason=BUDGET_USED_UP) for n in range(30)]
    assert _time_wanted([*results, *idle], 60.0) == [("no time", "for 30 checks; --max-time 3m would about do")]

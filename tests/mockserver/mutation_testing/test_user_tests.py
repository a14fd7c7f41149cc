"""`bulkproof mutants`: a user's own tests, run once per bug."""

import sys
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from contracts.errors import MisuseError
from mockserver.apis.sources import find_sources
from mockserver.bugs.catalogue import BUGS
from mockserver.cli.mutants import mutants
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options
from mockserver.mutants.planting import planted
from mockserver.mutation_testing import user_tests
from mockserver.mutation_testing.witness import RunRecorder, witness_of
from mockserver.testing import connected, running
from tests.conftest import Client

POST_JOB = "/genero/api/v1/block/postJob"

BOOKS = str(Path(__file__).parents[2] / "cases/contract_only/books.yaml")
CLIENT = '''
"""Posts three books of which one is bad, and believes what it is told, or checks it."""
import json, os, sys, time, urllib.request

URL = os.environ["BULKPROOF_BOOKS_URL"]
assert URL.startswith(os.environ["BULKPROOF_URL"])

def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)

said = call("POST", "/books/bulk-each", [{"isbn": "1", "title": "One"}, {"isbn": "2"}, {"isbn": "3", "title": "Three"}])
checks = sys.argv[1:]
if "count" in checks:
    assert [one["status"] for one in said["results"]] == [201, 422, 201]
if "stored" in checks:
    assert {one["isbn"] for one in call("GET", "/books")} == {"1", "3"}
if "hang" in checks and len(said["results"]) != 3:
    time.sleep(100_000)
'''


@pytest.fixture
def command(tmp_path):
    """Return the command line of a client that checks what it is told to."""
    file = tmp_path / "client.py"
    file.write_text(CLIENT, encoding="utf-8")

    def with_checks(*checks):
        return [sys.executable, str(file), *checks]

    return with_checks


def hunt(*options, command):
    return CliRunner().invoke(mutants, ["--api", BOOKS, *options, "--", *command], standalone_mode=False)


def told_of(result, bug):
    line = next(line for line in result.output.splitlines() if f" {bug} " in line and not line.startswith(" "))
    return line.partition(bug)[0].strip()


@pytest.mark.slow
def test_tests_that_look_kill_and_tests_that_do_not_let_survive(command):
    """A bug that the tests' client met is killed or survives; one that it never met is not reached."""
    only = ["--only", "outcome-lost", "--only", "tail-lost", "--only", "stops-*"]
    careful = hunt(*only, command=command("count", "stored"))
    assert told_of(careful, "outcome-lost") == "killed"
    assert told_of(careful, "stops-at-failure") == "killed"
    assert told_of(careful, "tail-lost") == "not reached"
    assert "2 killed, 0 survived, 1 not reached. Score: 100 % of 2 bugs reached." in careful.output
    assert careful.return_value == 0
    careless = hunt(*only, command=command("count"))
    assert told_of(careless, "outcome-lost") == "killed"
    assert told_of(careless, "stops-at-failure") == "survived"
    assert "Score: 50 %" in careless.output
    assert careless.return_value == 1


@pytest.mark.slow
def test_a_survivor_is_shown_with_a_test_that_notices_it(command):
    """The exchange, what differs, and a test that passes on a sandbox without the bug and fails on one with it."""
    bugs = ("outcome-lost", "failure-hidden", "stops-at-failure")
    result = hunt(*[word for bug in bugs for word in ("--only", bug)], command=command())
    assert result.stderr.splitlines() == [f"bug {n} of 3: {bug}" for n, bug in enumerate(bugs, 1)]
    helper = dedent(result.stdout.partition("The tests use\n")[2])
    for bug, shows in zip(bugs, ("len(answer['results']): 2 instead of 3", "status: 200", "stored books"), strict=True):
        told = result.stdout.partition(f"\n{bug}: ")[2].partition("\n\n")[0]
        assert "request  POST /books/bulk-each of books, request 1 of sandbox 'default'" in told
        assert shows in told
        names = {}
        exec(helper + "\n\n" + dedent(told.partition("notices it:\n")[2]), names)  # noqa: S102 - what we printed ourselves
        (check,) = (one for name, one in names.items() if name.startswith("test_"))
        with running(BOOKS) as bulkproof:
            check(bulkproof)
        with running(BOOKS) as bulkproof:
            bulkproof.bug(bug)
            with pytest.raises(AssertionError):
                check(bulkproof)


@pytest.mark.slow
def test_a_run_that_hangs_has_noticed_the_bug(command, monkeypatch):
    """Past its time a run is ended, with all that it started."""
    execute, limits = user_tests._exit_code, []  # noqa: SLF001 - the seam to other processes

    def patient(words, environment, log, limit):
        limits.append(limit)
        return execute(words, environment, log, None if len(limits) == 1 else limit)  # the healthy run may take long

    monkeypatch.setattr(user_tests, "_exit_code", patient)
    result = hunt("--only", "outcome-lost", "--timeout", "2", command=command("hang"))
    assert told_of(result, "outcome-lost") == "killed"
    assert "ran out of time" in result.output
    assert limits == [2.0, 2.0]


@pytest.mark.slow
def test_what_was_found_is_written_as_junit(command, tmp_path):
    """Survivors are failures, what was not reached is skipped."""
    file = tmp_path / "mutants.xml"
    hunt("--only", "tail-lost", "--only", "stops-*", "--junit", str(file), command=command())
    text = file.read_text(encoding="utf-8")
    assert 'tests="2" failures="1" errors="0" skipped="1"' in text
    assert 'classname="isolated" name="stops-at-failure"' in text


@pytest.mark.parametrize(
    ("bug", "program", "says"),
    [
        ("outcome-los", "pass", "Did you mean 'outcome-lost'?"),
        ("outcome-lost", "pass", "passes without a request to the sandbox"),
        (
            "outcome-lost",
            "print('oh'); raise SystemExit(3)",
            "sandbox without bugs (exit code 3): bugs cannot be tested",
        ),
        ("outcome-lost", "", "cannot run '/no/such/command'"),
    ],
)
def test_what_cannot_be_judged_is_said(bug, program, says):
    """A command that fails by itself, calls nobody or cannot be run, or a bug that is not there: one sentence."""
    command = [sys.executable, "-c", program] if program else ["/no/such/command"]
    result = hunt("--only", bug, command=command)
    assert isinstance(result.exception, MisuseError)
    assert says in str(result.exception)


def test_a_scenario_plants_a_bug_in_the_calls_that_it_decides(serving):
    """`bug: NAME` breaks the calls of its rule, and the jobs that they make; other calls are healthy."""
    client = serving(BOOKS, mode="frozen")
    rule = {"when": {"operation": "createEach", "nth": 1}, "then": {"bug": "outcome-doubled"}}
    jobs = {"when": {"operation": "postJob"}, "then": {"bug": "neighbour-fails"}}
    client.control("PUT", "scenarios", {"scenarios": [{"name": "bad", "rules": [rule, jobs]}]})
    two = [{"isbn": "1", "title": "One"}, {"isbn": "2", "title": "Two"}]
    more = [{"isbn": "3", "title": "Three"}, {"isbn": "4", "title": "Four"}]
    told = [client.call("POST", "/books-api/books/bulk-each", books).data["results"] for books in (two, more)]
    assert list(map(len, told)) == [3, 2]
    bad = [{"isbn": "5"}, {"isbn": "6", "title": "Six"}]
    job = client.call("POST", "/books-api/books/jobs", bad).data["job"]
    client.control("POST", "clock/advance", {"by": "PT1M"})
    assert set(client.call("GET", f"/books-api/books/jobs/{job}").data["errors"]) == {"0", "1"}
    rules = [one["rules"] for one in client.control("GET", "exchanges").data["exchanges"]]
    assert rules == [["bad", "bug:outcome-doubled"], [], ["bad"], ["bug:neighbour-fails"]]


def test_a_bug_meets_calls_that_are_refused(serving):
    """A bug that lets in what ought to be refused is met although the call does not fit its contract."""
    client = serving(BOOKS)
    scenario = {"name": "bad", "rules": [{"then": {"bug": "overlong-accepted"}}]}
    client.control("PUT", "scenarios", {"scenarios": [scenario]})
    books = [{"isbn": str(n), "title": "T"} for n in range(12)]
    assert [client.call("POST", "/books-api/books/bulk-each", books[:n]).status for n in (11, 12)] == [200, 413]


def test_the_bugs_are_listed(serving):
    """The control API lists every bug, or those that an API can have."""
    client = serving("genero", "onkey")
    every = client.send("GET", "/_sandbox/bugs").data["bugs"]
    mine = client.send("GET", "/_sandbox/bugs?api=genero").data["bugs"]
    assert len(every) > len(mine) >= 30
    assert set(every[0]) == {"name", "law", "needs", "says"}
    assert "rollback-missing" not in {bug["name"] for bug in mine}
    assert client.send("GET", "/_sandbox/bugs?api=genro").data["detail"].endswith("Did you mean 'genero'?")


def test_a_sandbox_elsewhere_is_spoken_to_in_the_same_words(serving):
    """`connected` is the grammar against a server that runs already."""
    client = serving("genero", control_token="T")
    bulkproof = connected(f"http://127.0.0.1:{client.running.port}", token="T").sandbox("mine")
    bulkproof.clock.freeze()
    assert bulkproof.exchanges.every == ()


@pytest.mark.parametrize("begins_with", ["a snapshot", "credentials"])
def test_a_survivor_is_shown_whatever_its_sandbox_began_with(begins_with):
    """The exchange and the difference are told where a test loads a snapshot first, and where it has to log in."""
    (api,) = [source.load() for source in find_sources(["genero"])]
    bug = next(one for one in BUGS if one.name == "failure-hidden")
    recorder = RunRecorder()
    settings = {"auth": "strict"} if begins_with == "credentials" else {}
    options = Options(mode="frozen", settings=settings)
    headers, items = {"Authorization": "Bearer sandbox-multi"}, [{"blockId": "a", "name": "Uno"}, {"blockId": "b"}]
    with in_thread([api], options) as server:
        client = Client(server)
        job = client.call("POST", POST_JOB, items, headers).data
        kept = client.control("GET", "snapshot").data  # in which the job waits
        client.close()
    with in_thread([planted(api, bug.name)], replace(options, on_exchange=recorder.tell)) as server:
        recorder.watch(server)
        client = Client(server)
        if begins_with == "a snapshot":
            assert client.control("PUT", "snapshot", kept).status == 200
        else:
            job = client.call("POST", POST_JOB, items, headers).data
        client.control("POST", "clock/advance", {"to": "idle"})
        client.call("GET", f"/genero/api/v1/block/jobStatus/{job['correlationId']}", headers=headers)
        record = recorder.marked(bug.name)
        witness = witness_of(bug, [api], record, server.service.sandboxes.template)
        client.close()
    assert "jobStatus" in witness.exchange
    assert witness.differences
    assert ("what your test sends" in witness.test) == (begins_with == "a snapshot")

"""`bulkproof fuzz --self-test`: what is found, missed and falsely told, and how it is all told."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from children import HANGS, child
from click.testing import CliRunner

from contracts.errors import MisuseError
from generators.client.environments import TargetOptions
from generators.fuzz.shards import CampaignConfig
from generators.schemathesis_engine.process import SchemathesisTask, settings
from mockserver.apis.sources import find_sources
from mockserver.bugs.catalogue import BUGS
from mockserver.cli import main
from mockserver.cli.fuzz import fuzz
from mockserver.mutation_testing import schemathesis
from mockserver.mutation_testing.fuzzer import counted_bugs, uncounted_bugs
from mockserver.mutation_testing.variants import Variants, variant_process

BOOKS = Path(__file__).parents[2] / "cases/contract_only/books.yaml"
QUICK = ("--healthy-time", "0.5s")


def run(*words):
    return CliRunner().invoke(fuzz, [*words, "--self-test"], standalone_mode=False)


def contract_of(name):
    return find_sources((name,))[0].load().contract


@pytest.mark.slow
def test_a_bug_is_found_and_told_in_three_forms(tmp_path):
    """A line, a Markdown row and a JSON object say by which law and when; all found without false alarm is 0."""
    table, data = tmp_path / "table.md", tmp_path / "table.json"
    files = ("--markdown", str(table), "--json", str(data))
    done = run("genero", "--only", "*sed-over", "--max-time", "300s", *QUICK, *files)
    assert done.return_value == 0, done.output
    ((told,),) = (api["bugs"] for api in json.loads(data.read_bytes())["apis"])
    first = told["campaign"]["first"]
    assert (told["bug"], told["campaign"]["word"]) == ("processed-over", "found")
    assert f"processed-over         found       {first['seconds']:6.2f} s  {first['law']} on" in done.output
    assert "found 1 of 1 (100 %)" in done.output
    assert (
        f"| `processed-over` | job-progress | found | {first['seconds']:.2f} | {first['law']} on `" in table.read_text()
    )


@pytest.mark.slow
def test_what_is_not_found_is_told_and_gives_an_exit_code():
    """A bug that nothing brings out in the time counts as not found."""
    done = run("genero", "--only", "retry-after-missing", "--max-time", "0.1s", *QUICK)
    assert done.return_value == 1
    assert "not reached: retry-after-missing (conduct)" in done.output
    assert "found 0 of 1 (0 %)" in done.output


@pytest.mark.slow
def test_what_is_found_where_no_bug_is_is_a_false_alarm(monkeypatch):
    """An alarm of the healthy sandbox is printed, and gives an exit code although every bug was found."""
    plant = Variants.plant
    monkeypatch.setattr(Variants, "plant", lambda self, bug: plant(self, bug or "numbers-as-text"))
    done = run("genero", "--only", "processed-over", "--max-time", "300s", "--healthy-time", "4s")
    assert done.return_value == 1
    assert "false alarm after" in done.output
    assert "found 1 of 1 (100 %)" in done.output


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process group")
def test_an_interrupt_prints_what_was_done_and_leaves_no_process(tmp_path):
    """Ctrl-C, which all processes of a terminal hear, ends the server too; what was not tried is said."""
    file = str(shutil.copy(BOOKS, tmp_path))
    words = [sys.executable, "-m", "mockserver", "fuzz", file, "--self-test", "--max-time", "60s", *QUICK]
    with child(words, stdout=subprocess.PIPE, start_new_session=True) as process:
        healthy = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=HANGS)
    assert healthy.startswith("books, healthy, campaign: ")
    assert "Interrupted. Results so far:" in rest
    assert "not tried" in rest
    assert process.returncode == 1
    assert not any(str(tmp_path).encode() in one for one in command_lines())


def command_lines():
    """Yield the command lines of all processes, where the system shows them."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes()
        except OSError:
            continue


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["genero", "--self-test", "--only", "outcome-los"], "Did you mean 'outcome-lost'?"),
        (
            ["genero", "--self-test", "--only", "rollback-missing"],
            "'rollback-missing' is not part of the self-test: this",
        ),
        (["genero", "--self-test", "--url", "http://127.0.0.1:1"], "--self-test and --url exclude each other."),
        (["genero", "--self-test", "--workers", "2"], "--self-test and --workers exclude each other."),
        (["genero", "--self-test", "--json", "/nowhere/a.json"], "there is no directory '/nowhere'"),
        (["genro", "--self-test"], "Did you mean 'genero'?"),
        (
            ["genero", "--url", "http://127.0.0.1:1", "--only", "x"],
            "--only is an option of the self-test. Add --self-test.",
        ),
        (["genero"], "Missing option --url."),
        ([], "Missing argument API or FILE."),
    ],
)
def test_misuse_is_told_in_a_sentence(words, says):
    """What cannot be meant is said, with exit code 2."""
    done = CliRunner().invoke(main, ["fuzz", *words])
    assert done.exit_code == 2
    assert says in done.stderr


@pytest.mark.parametrize("name", ["genero", "onkey", str(BOOKS)])
def test_every_bug_counts_or_has_a_reason_not_to(name):
    """The bugs that count and those that do not are all there are, and no bug is both."""
    contract = contract_of(name)
    counted, others = counted_bugs(contract), [bug for bugs in uncounted_bugs(contract).values() for bug in bugs]
    assert sorted((*counted, *others), key=BUGS.index) == list(BUGS)
    assert all(bug.fits(contract) for bug in counted)


def test_only_what_a_contract_allows_is_left_out_although_it_could_be():
    """A limit on active jobs that is a matter of conduct makes its bug no bug."""
    contract = contract_of("genero")
    reasons = {bug.name for bugs in uncounted_bugs(contract).values() for bug in bugs if bug.fits(contract)}
    assert reasons == {"active-limit-ignored"}


@pytest.mark.slow
def test_a_variant_says_whether_its_bug_made_a_difference():
    """It has fired once an answer was another; planted anew it has not."""
    with variant_process(str(BOOKS)) as variants:
        root, mount = variants.plant("crash-on-one"), contract_of(str(BOOKS)).mount
        assert not variants.has_fired()
        body, kind = b'[{"isbn": "1", "title": "One"}]', {"Content-Type": "application/json"}
        with pytest.raises(HTTPError, match="500") as refused:
            urlopen(Request(f"{root}{mount}/books/bulk-each", body, kind), timeout=HANGS)  # noqa: S310 - a URL of our own
        refused.value.close()
        assert variants.has_fired()
        assert variants.plant("crash-on-one") != root
        assert not variants.has_fired()


def test_a_server_that_has_ended_is_told_in_a_sentence():
    """Nothing can be planted in a server that is gone."""
    command = [sys.executable, "-c", ""]
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=False) as process:
        with pytest.raises(MisuseError, match="the sandbox under test exited"):
            Variants(process).plant(None)
        process.communicate()


class Fired:
    """Variants whose bug has made a difference from the second question on."""

    def __init__(self):
        self.asked = 0

    def plant(self, bug):
        return f"http://127.0.0.1:1/{bug}"

    def has_fired(self):
        self.asked += 1
        return self.asked > 1


def finding(check, operation, status=200):
    exchange = {"status": status}
    return {"kind": "finding", "operation": operation, "check": check, "title": check, "says": "", "exchange": exchange}


def test_schemathesis_finds_what_it_does_not_tell_of_the_healthy_sandbox(monkeypatch):
    """Neither its false alarms count, nor what it tells before the bug has made a difference."""
    told = [finding("a", "GET /x"), finding("a", "GET /y"), finding("b", "GET /x"), finding("c", "GET /x", 500)]
    monkeypatch.setattr(schemathesis, "run_task", lambda _: iter([*told, {"kind": "scenario", "statuses": {"200": 3}}]))
    job = CampaignConfig(contract=contract_of(str(BOOKS)), place=TargetOptions(url="http://127.0.0.1:1"))
    known = schemathesis.run_without_bugs(job, Fired(), 1).alarms
    assert len(known) == len(told)
    assert schemathesis.run_without_bugs(job, Fired(), 1).calls == 3
    assert schemathesis.run_on_mutant(job, Fired(), "bug", 1, known=known).first is None
    found = schemathesis.run_on_mutant(job, Fired(), "bug", 1, known=known[:1])
    assert (found.word, found.first.law, found.first.operation) == ("found", "b 200", "GET /x")


def test_schemathesis_that_fails_is_not_taken_for_one_that_finds_nothing(monkeypatch):
    """A run that ends with trouble before its time ends the rating; trouble after its time is the end of its time."""
    trouble = [{"kind": "trouble", "operation": "", "says": "it ended before it had told all"}]
    monkeypatch.setattr(schemathesis, "run_task", lambda _: iter(trouble))
    job = CampaignConfig(contract=contract_of(str(BOOKS)), place=TargetOptions(url="http://127.0.0.1:1"))
    with pytest.raises(MisuseError, match="the comparison with schemathesis failed: it ended before"):
        schemathesis.run_on_mutant(job, Fired(), "bug", 60, known=())
    assert schemathesis.run_on_mutant(job, Fired(), "bug", 0, known=()).first is None


def test_plain_schemathesis_checks_as_it_comes():
    """Nothing of its checks is switched on or off, for no operation."""
    task = SchemathesisTask(document={}, base="http://127.0.0.1:1", bulk=("POST /x",))
    told = json.loads(SchemathesisTask(document={}, base="http://127.0.0.1:1", bulk=("POST /x",), plain=True).to_json())
    assert {"checks", "operations"} <= settings(json.loads(task.to_json())).keys()
    assert {"checks", "operations"}.isdisjoint(settings(told))

"""`--junit`, `--sarif`, `--jsonl` and `--html` of `verdict`, `diff`, `mutants`: written whatever the exit code is."""

import json
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner
from console import DOCS

from mockserver.apis.genero import api
from mockserver.cli import main
from mockserver.http.lifecycle import in_thread
from mockserver.http.service import Options

ORDERS = DOCS.parent / "examples" / "orders"
OLD, NEW = str(ORDERS / "1.yaml"), str(ORDERS / "2.yaml")
NOBODY = ["--url", "http://127.0.0.1:9"]


def written(folder, *words):
    """Return the exit code of a command with all reports, the elements of JUnit, and the run of SARIF."""
    files = {name: folder / f"report.{name}" for name in ("junit", "sarif", "jsonl", "html")}
    options = [one for name, file in files.items() for one in (f"--{name}", str(file))]
    done = CliRunner().invoke(main, [words[0], *options, *words[1:]])
    assert "<html" in files["html"].read_text("utf-8")
    assert files["jsonl"].read_text("utf-8")
    tree = ET.fromstring(files["junit"].read_text("utf-8"))  # noqa: S314 - our own
    return done, tree, json.loads(files["sarif"].read_text("utf-8"))["runs"][0]


@pytest.mark.parametrize(
    "words",
    [
        ["verdict", *NOBODY],
        ["diff", OLD, "missing.yaml"],
        ["mutants", "--api", "missing.yaml", "--", "true"],
    ],
    ids=lambda words: words[0],
)
def test_a_run_that_fails_says_so_in_its_reports(words, tmp_path):
    """Exit code 2: whoever uploads the reports shows the reason, and not that all is well."""
    done, tree, run = written(tmp_path, *words)
    assert done.exit_code == 2
    assert [*tree.iter("error")]
    assert run["invocations"][0]["executionSuccessful"] is False


@pytest.mark.parametrize(
    "words",
    [
        ["verdict", "--urll", "http://127.0.0.1:9"],
        ["diff", OLD, NEW, "--strcit"],
        ["mutants", "--timeout", "soon", "--", "true"],
        ["mutants"],
        ["check", "--clients", "many"],
        ["fuzz", "--time", "soon"],
        ["run", "--seed", "x", "--", "true"],
        ["run"],
    ],
    ids=" ".join,
)
def test_a_command_line_that_is_wrong_says_so_in_its_reports(words, tmp_path):
    """Exit code 2, and a report with the reason: an upload in CI does not show that all is well."""
    done, tree, run = written(tmp_path, *words)
    assert done.exit_code == 2
    (error,) = tree.iter("error")
    said = done.stderr.removeprefix("Error: ").strip()
    assert said.split(".")[0] in error.get("message", "") + str(error.text)
    assert run["invocations"][0]["executionSuccessful"] is False


def test_what_follows_two_dashes_asks_for_no_report(tmp_path):
    """It is the command's that is run."""
    file = tmp_path / "report.xml"
    assert CliRunner().invoke(main, ["mutants", "--nope", "--", "pytest", "--junit", str(file)]).exit_code == 2
    assert not file.exists()


def test_changes_of_a_contract_are_reported(tmp_path):
    """Breaking ones are failures in JUnit and errors in SARIF."""
    done, tree, run = written(tmp_path, "diff", OLD, NEW)
    assert done.exit_code == 1
    assert "5 errors" in done.stdout
    assert len([*tree.iter("failure")]) == len([one for one in run["results"] if one["level"] == "error"]) == 5


def test_nothing_has_changed(tmp_path):
    done, tree, run = written(tmp_path, "diff", OLD, OLD)
    assert (done.exit_code, [*tree.iter("failure")], run["results"]) == (0, [], [])


def test_a_verdict_is_reported_beside_its_table(tmp_path):
    """One call gives the table and the files; laws that were not exercised are skipped."""
    with in_thread([api()], Options()) as running:
        done, tree, _ = written(tmp_path, "verdict", "--url", running.url)
    assert done.exit_code == 0
    assert "not run" in done.stdout
    assert len([*tree.iter("skipped")]) == len([*tree.iter("testcase")]) > 0

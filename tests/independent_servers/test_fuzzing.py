"""Fuzzing servers that share no code with the sandbox: silent on right ones, quick on wrong ones."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sampling import ALL

from generators.fuzz import worker
from generators.fuzz.lane_process import LaneProcess
from mockserver.cli import main

pytestmark = pytest.mark.slow

HEALTHY_SECONDS = 12 if ALL else 3
LIMIT = 40  # seconds: ten times what a bug needs on a quiet machine; a campaign ends with its first finding
BUGS = [
    ("genero", "fanout-empty"),
    ("genero", "trimmed"),
    ("onkey", "errors-last"),
    ("onkey", "stops-at-two"),
    ("genero", "carried-count"),
    ("genero", "fanout-replaces"),
    ("onkey", "blame-next"),
    ("onkey", "rollback-keeps-updates"),
    ("genero", "delete-wipes"),
    ("genero", "deletion-unchecked"),
    ("genero", "empty-when-all-fail"),
    ("genero", "final-thrice"),
    ("genero", "problem-twice"),
    ("genero", "put-of-deleted-200"),
    ("genero", "reference-404"),
    ("genero", "same-reference-unchecked"),
    ("genero", "tenant-sticks"),
    ("onkey", "accepted-told"),
    ("onkey", "cancel-keeps-first"),
    ("onkey", "cancelled-count"),
    ("onkey", "cancelled-invalid"),
    ("onkey", "deletion-unchecked"),
    ("onkey", "failed-imports-nameless"),
    ("onkey", "import-unchecked"),
    ("onkey", "lookup-custom-last"),
    ("onkey", "lookup-loose"),
    ("onkey", "matches-once"),
    ("onkey", "rollback-keeps-code"),
    ("onkey", "rollback-of-16"),
    ("onkey", "unknown-ignored"),
    ("onkey", "valid-of-first"),
    ("onkey", "weight-float32"),
]


def said(*words: str) -> tuple[int, str]:
    """Return the exit code of a command, and what it says."""
    done = CliRunner().invoke(main, words)
    return done.exit_code, done.output


def fuzz(api: str, url: str, seconds: int, corpus: Path, *more: str) -> tuple[int, str]:
    """Run a campaign; give its exit code and what it says."""
    options = ("--max-time", f"{seconds}s", "--no-schemathesis", "--corpus", str(corpus), "--assumptions", "fail")
    return said("fuzz", api, "--url", url, *options, *more)


@pytest.mark.parametrize("api", ["genero", "onkey"])
def test_a_right_server_gives_no_finding(api, start, tmp_path):
    """What was written from the same pages, and is right, is not accused of anything."""
    code, says = fuzz(api, start(api, ""), HEALTHY_SECONDS, tmp_path)
    assert code == 0, says
    assert " failed" not in says


@pytest.mark.parametrize("api", ["genero", "onkey"] if ALL else ["genero"])
def test_two_processes_at_one_server_find_nothing_of_each_other(api, start, tmp_path, monkeypatch):
    """Each has names of its own, and neither takes what the other one writes for a mistake."""
    monkeypatch.setattr("mockserver.cli.fuzz.MIN_SECONDS_OF_TWO", 0.0)
    began = []
    monkeypatch.setattr(LaneProcess, "run", lambda *given, real=LaneProcess.run: began.append(given) or real(*given))
    code, says = fuzz(api, start(api, ""), 2 * HEALTHY_SECONDS, tmp_path)
    assert began, "one process played alone"
    assert code == 0, says
    assert " failed" not in says


@pytest.mark.parametrize(("api", "bug"), BUGS if ALL else BUGS[:4])
def test_a_bug_is_found(api, bug, start, tmp_path, monkeypatch):
    """A bug of an independent server is found, and kept as a finding that can be replayed."""
    monkeypatch.setattr(worker, "MAX_SHRINK_SECONDS", 0.0)  # of a finding that need not be small
    code, says = fuzz(api, start(api, bug), LIMIT, tmp_path, "--stop-at-first")
    assert code == 1, says
    kept = [json.loads(path.read_text()) for path in tmp_path.glob("findings/*/finding.json")]
    assert kept, says


@pytest.mark.parametrize(("chosen", "code", "status"), [((), 0, "warning"), (("--assumptions", "fail"), 1, "failed")])
def test_what_departs_from_an_assumption_is_a_warning(start, chosen, code, status):
    """On a server that is no sandbox, an order that no page of the vendor promises fails no run by itself."""
    only = ("--only", "outcome-order", "--only", "batchCreate")
    ended, says = said("check", "onkey", "--url", start("onkey", "errors-last"), *only, *chosen)
    assert ended == code, says
    assert f"  {status}  outcome-order: out of order" in says
    assert "Breaks 0 statements of the vendor, departs from 1 of our assumptions." in " ".join(says.split())

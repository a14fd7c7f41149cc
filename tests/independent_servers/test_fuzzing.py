"""Fuzzing servers that share no code with the sandbox: silent on right ones, quick on wrong ones."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from sampling import ALL

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
]


def fuzz(api: str, url: str, seconds: int, corpus: Path, *more: str) -> tuple[int, str]:
    """Run a campaign from the command line; give its exit code and what it says."""
    command = [sys.executable, "-m", "mockserver", "fuzz", api, "--url", url, "--max-time", f"{seconds}s"]
    options = ["--no-schemathesis", "--corpus", str(corpus), "--assumptions", "fail", *more]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("api", ["genero", "onkey"])
def test_a_right_server_gives_no_finding(api, start, tmp_path):
    """What was written from the same pages, and is right, is not accused of anything."""
    code, says = fuzz(api, start(api, ""), HEALTHY_SECONDS, tmp_path)
    assert code == 0, says
    assert " failed" not in says


@pytest.mark.parametrize(("api", "bug"), BUGS if ALL else BUGS[:4])
def test_a_bug_is_found(api, bug, start, tmp_path):
    """A bug of an independent server is found, and kept as a finding that can be replayed."""
    code, says = fuzz(api, start(api, bug), LIMIT, tmp_path, "--stop-at-first")
    assert code == 1, says
    kept = [json.loads(path.read_text()) for path in tmp_path.glob("findings/*/finding.json")]
    assert kept, says


@pytest.mark.parametrize(("chosen", "code", "status"), [((), 0, "warning"), (("--assumptions", "fail"), 1, "failed")])
def test_what_departs_from_an_assumption_is_a_warning(start, chosen, code, status):
    """On a server that is no sandbox, an order that no page of the vendor promises fails no run by itself."""
    command = [sys.executable, "-m", "mockserver", "check", "onkey", "--url", start("onkey", "errors-last")]
    command += ["--only", "outcome-order", "--only", "batchCreate", *chosen]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    assert f"  {status}  outcome-order: out of order" in done.stdout
    assert "Breaks 0 statements of the vendor, departs from 1 of our assumptions." in " ".join(done.stdout.split())

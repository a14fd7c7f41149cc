"""`bulkproof serve --scenario`: names, files, faults, and files that change while the server runs."""

import json
import re
import subprocess
import sys
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from children import HANGS, child, eventually
from click.testing import CliRunner

from mockserver.cli import main

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
STATUS = "/api/v1/block/jobStatus/e08434ee-a17f-445e-b9b5-e25fc354d840"
MINE = "name: mine\nsummary: Mine.\nrules:\n  - when: {operation: jobStatus}\n    then: {status: STATUS}\n"


@contextmanager
def served(*arguments):
    """Yield the URL of Genero, and the lines that the server has printed so far."""
    command = [sys.executable, "-m", "mockserver", "serve", "genero", "--port", "0", *map(str, arguments)]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, cwd=ROOT) as process:
        lines = []
        reading = Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")), daemon=True)
        reading.start()
        try:
            wait_for(lambda: any("/_sandbox" in line for line in lines))
            yield re.search(r"genero +(\S+)", "".join(lines))[1], lines
        finally:
            process.kill()
            reading.join()


def refused(*scenarios):
    """Return what `serve` says in this process when it refuses scenarios; it must exit with 2."""
    arguments = [part for one in scenarios for part in ("--scenario", str(one))]
    ended = CliRunner().invoke(main, ["serve", "genero", "--port", "0", *arguments])
    assert (ended.exit_code, ended.stdout) == (2, ""), ended.exception
    return ended.stderr


def wait_for(until):
    assert eventually(until), "it did not come to pass"


def status_of(url):
    parts = urlsplit(url + STATUS)
    connection = HTTPConnection(parts.hostname, parts.port, timeout=HANGS)
    try:
        connection.request("GET", parts.path)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["never-end"], "Did you mean 'never-ends'?"),
        (["onkey-length"], "there is no API named 'onkey'"),
        (["missing.yaml"], "missing.yaml: there is no such file."),
        (["never-ends", "never-end"], "Did you mean 'never-ends'?"),
    ],
)
def test_a_scenario_that_cannot_be_played_is_told_in_a_sentence(words, says):
    """Exit code 2, the closest name, no traceback."""
    assert says in refused(*words)


def test_faults_of_a_file_are_told_with_their_places(tmp_path):
    """Each with file, pointer and cure."""
    path = tmp_path / "bad.yaml"
    path.write_text("name: bad\nrules:\n  - then: {dely: 2s}\n  - then: {fault: RESET}\n")
    told = refused(path)
    assert f"{path}#/rules/0/then: 'dely' is not known here. Did you mean 'delay'?" in told
    assert f"{path}#/rules/1/then/fault:" in told


def test_a_changed_file_is_played_and_a_broken_one_is_not(tmp_path):
    """With `--watch`, sandboxes go on with the new rules; a broken edit is told, and the old rules stay."""
    path = tmp_path / "mine.yaml"
    path.write_text(MINE.replace("STATUS", "503"))
    with served("--scenario", path, "--scenario", "slow-job", "--watch") as (url, lines):
        assert status_of(url) == 503
        path.write_text(MINE.replace("STATUS", "418"))
        wait_for(lambda: "mine: the changed scenario is active and starts at its first rule.\n" in lines)
        assert status_of(url) == 418
        path.write_text(MINE.replace("STATUS", "404").replace("then", "than"))
        wait_for(lambda: any("than" in line for line in lines))
        assert status_of(url) == 418
        path.write_text(MINE.replace("STATUS", "404").replace("name: mine", "name: yours"))
        wait_for(lambda: any("yours" in line for line in lines))
        assert status_of(url) == 418


def test_a_file_is_one_of_the_scenarios_that_can_be_named(tmp_path):
    """It is listed, and every fresh sandbox plays it."""
    path = tmp_path / "mine.json"
    rules = [{"when": {"operation": "jobStatus"}, "then": {"status": 418}}]
    path.write_text(json.dumps({"name": "mine", "summary": "Mine.", "rules": rules}))
    with served("--scenario", path) as (url, _):
        assert status_of(url) == 418
        parts = urlsplit(url)
        connection = HTTPConnection(parts.hostname, parts.port, timeout=HANGS)
        connection.request("GET", "/_sandbox/scenarios")
        listed = json.loads(connection.getresponse().read())["scenarios"]
        connection.close()
        assert listed[0] == {**listed[0], "name": "mine", "summary": "Mine.", "api": "any"}

"""How a campaign ends: in time, by Ctrl-C, by a kill, with a server that goes away; what was told is never lost."""

import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import orjson
import pytest
from children import HANGS, child, module
from click.testing import CliRunner
from http_servers import served

from contracts.openapi.loading import load_bundled
from generators.client.environments import TargetOptions
from generators.client.http import HttpClient
from generators.client.session import Budget
from generators.fuzz import coordinator, worker
from generators.fuzz.coordinator import Campaign
from generators.fuzz.executors import LocalExecutor
from generators.fuzz.progress import PlainProgress
from generators.fuzz.shards import CampaignConfig
from generators.triage import confirm
from generators.triage.corpus import Corpus
from generators.triage.stored_finding import from_json
from mockserver.cli import main
from mockserver.testing import running as sandbox

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]
TOLD = re.compile(r"^ *[\d.]+ s  ([0-9a-f]{8})  ", re.MULTILINE)


@pytest.fixture(scope="module")
def sick():
    """Return the URL of a sandbox with a bug that shows soon and on every operation."""
    with sandbox("genero", mode="frozen") as bulkproof:
        bulkproof.bug("processed-over")
        yield bulkproof.genero.url


@contextmanager
def started(bug):
    """Run a server of others' with a bug, where time is real; give its address."""
    server = ROOT / "tests" / "independent_servers" / "genero_server.py"
    command = [sys.executable, str(server), "--port", "0", "--bug", bug]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process.stdout.readline().strip()


def start(url, corpus, *words):
    """Run a campaign that has far more time than any test waits for it."""
    options = ("--url", url, "--corpus", corpus, "--no-schemathesis", "--max-time", f"{10 * HANGS:.0f}s")
    return module(
        "mockserver",
        *("fuzz", "genero", *options, *words),
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


FIRST = ("--stop-at-first", "--assumptions", "fail")


class Clock:
    """Time that passes only with calls and waits, and a note of each call with when it was begun."""

    def __init__(self, monkeypatch, per_call=0.01):
        self.seconds, self.calls, self._per_call, self._lock = 0.0, [], per_call, threading.Lock()
        send, advance = HttpClient.send, HttpClient.advance
        monkeypatch.setattr(HttpClient, "send", lambda client, call: self._call(call) or send(client, call))
        monkeypatch.setattr(HttpClient, "advance", lambda client, by: self._pass(by) or advance(client, by))
        for place in (coordinator, worker):
            monkeypatch.setattr(place, "Budget", partial(Budget, clock=self))
        monkeypatch.setattr(confirm, "monotonic", self)

    def __call__(self):
        return self.seconds

    def _call(self, call):
        with self._lock:
            if not call.path.startswith("/_sandbox/"):
                self.calls.append(self.seconds)
            self.seconds += self._per_call

    def _pass(self, by):
        with self._lock:
            self.seconds += by.total_seconds()


def first_told(process):
    """Return the first finding that a campaign tells of, and all lines until then."""
    lines = []
    for line in process.stderr:
        lines.append(line)
        if TOLD.search(line):
            return TOLD.search(line)[1], lines
    raise AssertionError("".join(lines))


def kept_in(corpus):
    """Return the findings on disk by the first digits of their fingerprints."""
    files = (corpus / "findings").glob("*/finding.json")
    return {one["fingerprint"][:8]: one for one in map(orjson.loads, (file.read_bytes() for file in files))}


def test_a_kill_loses_nothing_that_was_told(sick, tmp_path):
    """What was told is on disk whole; the next campaign tries it first, makes it small, and does not tell it twice."""
    with start(sick, tmp_path) as process:
        name, _ = first_told(process)
        process.kill()
        rest = process.communicate()[1]
    told = {name, *TOLD.findall(rest)}
    before = kept_in(tmp_path)
    assert told <= set(before)
    assert all({"replay.sh", "test_finding.py"} <= {one.name for one in path.iterdir()} for path in _folders(tmp_path))
    with start(sick, tmp_path, "--stop-at-first") as again:
        _, said = again.communicate(timeout=HANGS)
    lines = TOLD.findall(said)
    assert again.returncode == 1
    assert lines[0] in before
    assert len(set(lines)) == len(lines)
    assert all(one["tries"] for one in kept_in(tmp_path).values() if not one["group"])


def _folders(corpus):
    return [one for one in (corpus / "findings").iterdir() if (one / "finding.json").exists()]


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_with_a_report(sent, sick, tmp_path):
    """An interrupted campaign says so, reports what it has, and its exit code is that of a campaign that found it."""
    report = tmp_path / "report.jsonl"
    with start(sick, tmp_path / "corpus", "--jsonl", str(report)) as process:
        name, _ = first_told(process)
        process.send_signal(sent)
        out, said = process.communicate(timeout=HANGS)
    assert process.returncode == 1
    assert "Interrupted" in said
    assert "Traceback" not in said
    assert "failed" in out
    rows = [orjson.loads(line) for line in report.read_bytes().splitlines()[1:]]
    assert name in {row["fingerprint"][:8] for row in rows if row["status"] == "failed"}


def test_the_time_is_kept(sick, tmp_path, monkeypatch):
    """However much there is to be made small, no call is begun when the time is over."""
    clock, job = Clock(monkeypatch), CampaignConfig(contract=load_bundled("genero"), place=TargetOptions(url=sick))
    listener, corpus = PlainProgress(lambda _: None), Corpus(folder=tmp_path)
    run = Campaign(job=job, executor=LocalExecutor(job), listener=listener, seconds=4.0, corpus=corpus, schemas=False)
    state = run.run()
    assert clock.seconds >= 0.9 * 4.0  # the rest is reserved for findings that need it
    assert max(clock.calls) < 4.0
    assert state.findings


def test_the_time_is_kept_where_it_is_real(tmp_path, monkeypatch):
    """Whatever waits, runs in other lanes or is made small: when the time is over at most what others began goes on."""
    with started("one-id") as url:
        clock, job = Clock(monkeypatch), CampaignConfig(contract=load_bundled("genero"), place=TargetOptions(url=url))
        corpus, listener = Corpus(folder=tmp_path), PlainProgress(lambda _: None)
        run = Campaign(
            job=job, executor=LocalExecutor(job), listener=listener, seconds=30.0, corpus=corpus, schemas=False
        )
        state = run.run()
    late = [one for one in clock.calls if one >= 30.0]
    assert len(late) <= worker.THREAD_COUNT
    assert any((one.tries, one.small) == (3, True) for one in state.findings.values())


def test_the_first_finding_ends_it_soon(tmp_path, monkeypatch):
    """With `--stop-at-first` nothing but making that finding small goes on once it is there, however much time."""
    monkeypatch.setattr(worker, "MAX_SHRINK_SECONDS", 0.5)
    words = ("--corpus", str(tmp_path), "--no-schemathesis", "--max-time", f"{10 * HANGS:.0f}s", *FIRST)
    with started("fanout-empty") as url:
        code = CliRunner().invoke(main, ["fuzz", "genero", "--url", url, *words]).exit_code
    found = [from_json(one, where="a test") for one in kept_in(tmp_path).values()]
    assert found
    assert code == any(not one.is_doubtful for one in found)  # a busy machine may not show it again


class Interrupting:
    """Is interrupted at once."""

    def run(self, *_):
        raise KeyboardInterrupt

    def stop(self):
        """Let go of nothing."""


def test_an_interrupted_campaign_knows_it():
    """Whoever runs a campaign can ask it whether Ctrl-C has ended it."""
    job = CampaignConfig(contract=load_bundled("genero"), place=TargetOptions(url="http://127.0.0.1:1"))
    run = Campaign(job=job, executor=Interrupting(), listener=PlainProgress(lambda _: None), seconds=9.0, schemas=False)
    assert not run.interrupted
    run.run()
    assert run.interrupted


class Dying(BaseHTTPRequestHandler):
    """Answers some calls, and then none."""

    left = 40

    def answer(self):
        Dying.left -= 1
        if Dying.left < 0:
            self.connection.close()
            return
        self.send_response(404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer  # noqa: N815 - the names that the library calls


def test_a_server_that_dies_is_told_in_a_sentence(tmp_path):
    """When nothing answers any more the campaign ends with 2, and says so once."""
    with served(Dying) as url, start(url, tmp_path) as process:
        _, said = process.communicate(timeout=HANGS)
    assert process.returncode == 2
    assert "stopped responding" in said
    assert "Traceback" not in said


def test_a_finding_that_cannot_be_read_is_told_and_left_out(sick, tmp_path):
    """A spoiled file in the corpus stops no campaign."""
    folder = tmp_path / "findings" / "count-postJob-12345678"
    folder.mkdir(parents=True)
    (folder / "finding.json").write_bytes(b'{"format":')
    with start(sick, tmp_path, "--stop-at-first") as process:
        _, said = process.communicate(timeout=HANGS)
    assert process.returncode == 1
    assert "Skipped: " in said
    assert str(folder) in said
    assert "Traceback" not in said

"""The three forms of a finding: each fails while the bug is there, and passes on a healthy implementation."""

import os
import runpy
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager, suppress
from functools import partial
from math import inf
from random import Random
from threading import Thread

import pytest
from children import HANGS
from click.testing import CliRunner
from example_findings import asking, kept
from sampling import some

from contracts.openapi.loading import load_bundled
from generators.client.environments import Environment, TargetOptions, connect, open_target
from generators.client.session import Budget
from generators.fuzz.actions import SequenceRunner
from generators.fuzz.schedule import WIDE
from generators.fuzz.shards import CampaignConfig, Shard, TaskRun, oracle_factory_for
from generators.fuzz.targets import discover_targets
from generators.fuzz.worker import run_shard
from generators.oracles.oracle import OracleFactory
from generators.requests.profiles import PROFILES
from generators.triage import standalone
from generators.triage.confirm import Triager
from generators.triage.corpus import FINDING_FILE, PYTEST_FILE, REPLAY_FILE, SHELL_FILE, Corpus, reproducer_files
from mockserver.apis.reference_model import sandbox_model
from mockserver.cli.replay import replay
from mockserver.mutation_testing.fuzzer import counted_bugs
from mockserver.testing import served


def lists(one):
    """Say whether the evidence of a finding is a list."""
    return any(one.script.steps[signature.step].operation == "list" for signature in one.signatures)


def from_an_experiment(one):
    """Say whether a finding compares responses, but for those of `errors`, which keep every item of their trial."""
    return one.judged == "signs" and one.law != "errors"


CASES = [
    pytest.param("genero", "processed-over", lambda one: one.law == "job-progress", id="genero-law"),
    pytest.param("genero", "text-trimmed", lambda one: one.law == "read-back", id="genero-read-back"),
    pytest.param("genero", "failure-hidden", lambda one: one.law == "model", id="genero-model"),
    pytest.param("onkey", "outcome-lost", lambda one: one.law == "count", id="onkey-law"),
    pytest.param("onkey", "good-item-blamed", lambda one: one.law == "model", id="onkey-model"),
    pytest.param("onkey", "list-ends-early", lists, id="onkey-list"),
    pytest.param("onkey", "version-ignored", from_an_experiment, id="onkey-signs"),
]


def found_in(job, wanted):
    """Return the first finding of a lease that is wanted, as it was when it was seen."""
    found = []

    def hear(event):
        one = event["finding"] if event["kind"] == "found" else None
        if one is not None and wanted(one):
            found.append(one)

    run_shard(job, Shard(number=0, part="bulk", seconds=HANGS), hear, lambda: bool(found))
    return found[0]


def confirmed(job, one, *, seconds=inf):
    target = open_target(job.contract, job.place, "small")
    try:
        return Triager(oracle_factory=oracle_factory_for(job, one), target=target, shrink_seconds=seconds).confirm(one)
    finally:
        target.close()


def ends(folder, url, monkeypatch):
    """Return with what each form ends: the command, the script, the test."""
    monkeypatch.setenv("BULKPROOF_URL", url)
    command = CliRunner().invoke(replay, [str(folder), "--url", url], standalone_mode=False)
    script = subprocess.run(["bash", str(folder / SHELL_FILE)], capture_output=True, check=False)
    return [command.return_value, script.returncode, int(fails(folder / PYTEST_FILE))]


def fails(path):
    """Say whether the test in a file fails."""
    space = runpy.run_path(str(path))
    try:
        space["test_finding"]()
    except AssertionError:
        return True
    return False


def fill(contract, url):
    """Let others store some records of every kind."""
    client = connect(contract, TargetOptions(url=url))
    run = TaskRun(
        OracleFactory(contract=contract),
        Environment(client=client, name_prefix="zzzzz"),
        seed=1,
        budget=Budget(seconds=60),
        given={},
        on_finding=lambda _: None,
    )
    targets = discover_targets(run.session)
    player = SequenceRunner(run, targets, WIDE, Random(1))
    for target in targets.bulk:
        player.post(size=3, profile=PROFILES["valid"], target=target)
    client.close()


@pytest.mark.slow
@pytest.mark.parametrize(("api", "bug", "wanted"), CASES)
def test_each_form_tells_the_bug_from_a_healthy_server(api, bug, wanted, tmp_path, monkeypatch):
    """All three end with 1 while the bug is there and with 0 when it is not; the script is small."""
    with served(api, mode="frozen") as server:
        sick, healthy, used = server.sandbox("sick"), server.sandbox("healthy"), server.sandbox("used")
        sick.bug(bug)
        contract = load_bundled(api)
        place = TargetOptions(url=sick.api(api).url)
        job = CampaignConfig(contract=contract, place=place, model_factory=partial(sandbox_model, api), shrinks=False)
        small = confirmed(job, found_in(job, wanted))
        assert (small.confirmed, small.tries, small.small) == (3, 3, True)
        assert len(small.script.steps) <= 8
        folder = Corpus(folder=tmp_path).store(small)
        assert ends(folder, sick.api(api).url, monkeypatch) == [1, 1, 1]
        assert ends(folder, healthy.api(api).url, monkeypatch) == [0, 0, 0]
        fill(contract, used.api(api).url)
        used.bug(bug)
        assert ends(folder, used.api(api).url, monkeypatch) == [1, 1, 1]


BUGS = [(api, bug.name) for api in ("genero", "onkey") for bug in counted_bugs(load_bundled(api))]
SHRINK_SECONDS = 0.2  # a finding need not be small for its forms to agree


@pytest.mark.slow
@pytest.mark.parametrize(("api", "bug"), some(BUGS, 6))
def test_the_forms_agree_on_every_planted_bug(api, bug, tmp_path, monkeypatch):
    """Whatever is found first of a bug: the command, the script and the test show it, and not on a healthy server."""
    with served(api, mode="frozen") as server:
        sick, healthy = server.sandbox("sick"), server.sandbox("healthy")
        sick.bug(bug)
        place = TargetOptions(url=sick.api(api).url)
        model = partial(sandbox_model, api)
        job = CampaignConfig(contract=load_bundled(api), place=place, model_factory=model, shrinks=False)
        one = confirmed(job, found_in(job, lambda _: True), seconds=SHRINK_SECONDS)
        assert (one.confirmed, one.tries) == (3, 3), one.says
        folder = Corpus(folder=tmp_path).store(one)
        assert ends(folder, sick.api(api).url, monkeypatch) == [1, 1, 1], one.says
        assert ends(folder, healthy.api(api).url, monkeypatch) == [0, 0, 0], one.says


@pytest.mark.slow
def test_pytest_runs_the_test(tmp_path):
    """Where nothing answers the test does not pass."""
    folder = Corpus(folder=tmp_path).store(kept("a"))
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull, "--rootdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, str(folder / PYTEST_FILE)], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"test_finding" in done.stdout


def test_the_forms_need_nothing_of_ours():
    """The test and the script import and call nothing but what every machine has."""
    files = reproducer_files(kept("a", says='It said "no" \\ and\nmore @STEPS@'))
    test, script = files[PYTEST_FILE].decode(), files[SHELL_FILE].decode()
    for name in (PYTEST_FILE, REPLAY_FILE):
        lines = files[name].decode().splitlines()
        compile("\n".join(lines), name, "exec")
        imports = {line.split()[1].partition(".")[0] for line in lines if line.startswith(("import ", "from "))}
        assert imports <= set(sys.stdlib_module_names)
    assert "It said 'no' ' and'more @STEPS@" in test.splitlines()[2]
    assert not any(word in script for word in ("bulkproof ", "mockserver"))
    assert files["body-0.json"] == b'[{"properties":{"code":"a","description":"some long text"}}]'


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_is_one_for_any_shell(tmp_path):
    """Whatever stands in a call, the shell reads the script as a whole."""
    hostile = 'it\'s $(touch x) `id` "q" \\ \n {{prefix}}'
    step = asking(hostile, path=("rows", hostile), headers=(("X-Odd", "it's $(id)"),), query=(("q", hostile),))
    folder = Corpus(folder=tmp_path).store(kept("a", steps=(step,), says=hostile))
    for shell in ("bash", "sh"):
        assert subprocess.run([shell, "-n", str(folder / SHELL_FILE)], check=False).returncode == 0


def test_long_findings_are_read_from_their_file():
    """A test does not repeat thousands of items; short ones stand in it to be read."""
    short, long = (reproducer_files(kept("a", steps=(asking(*map(str, range(size))),))) for size in (2, 2000))
    assert FINDING_FILE in long[PYTEST_FILE].decode()
    assert len(long[PYTEST_FILE]) < 10_000
    assert "'code': '1'" in short[PYTEST_FILE].decode()


@pytest.mark.parametrize("server", ["x", "BaseHTTP/0.6 Python/3.11"])
def test_the_forms_read_any_reply(server, monkeypatch):
    """Whatever stands in a header, and behind a reply that only said to go on, the last reply is read."""
    head = f"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nServer: {server}\r\nX-Id: 7\r\n"
    step = {"method": "GET", "path": ["rows"], "learn": [{"name": "v1", "header": "X-Id"}]}
    signature = {"step": 0, "status": 202, "headers": ["x-id"]}
    with answering(f"{head}Content-Length: 0\r\n\r\n".encode()) as url:
        monkeypatch.setenv("BULKPROOF_URL", url)
        finding = {"url": "", "mount": "", "numbers": {}, "steps": [step], "signs": [signature]}
        assert standalone.is_reproduced(finding)
        assert not standalone.is_reproduced({**finding, "signs": [{**signature, "status": 200}]})
        asked, names = standalone.Server(url, ""), {}
        standalone.send(asked, step, names)
        assert names == {"v1": "7"}


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://127.0.0.1:port", "nonsense"])
def test_a_replay_that_could_not_run_is_none(url, tmp_path):
    """It ends with 2 and one sentence: 1 would say that the finding is reproduced."""
    folder = Corpus(folder=tmp_path).store(kept("a"))
    done = subprocess.run([sys.executable, str(folder / REPLAY_FILE), url], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"The replay could not run: ")


@contextmanager
def answering(reply):
    """Answer every request with the same bytes, at the URL that is returned."""

    def serve():
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"

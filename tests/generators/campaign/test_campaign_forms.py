"""The three forms of a finding: each fails while the bug is there, and passes on a healthy implementation."""

import os
import runpy
import shutil
import subprocess
import sys
from functools import partial
from random import Random

import pytest
from children import HANGS
from click.testing import CliRunner
from toy_campaign import asking, kept

from contracts.document import load_bundled
from generators.batches import PROFILES
from generators.campaign.corpus import FINDING, PYTEST, SHELL, Corpus
from generators.campaign.forms import forms_of
from generators.campaign.grounds import survey
from generators.campaign.investigating import Investigator
from generators.campaign.kept import from_json
from generators.campaign.leases import Job, Lease
from generators.campaign.leasing import run_lease
from generators.campaign.moves import Player
from generators.campaign.session import Session
from generators.campaign.styles import WIDE
from generators.campaign.target import Place, open_target
from generators.campaign.watchers import Outfit
from generators.campaign.worlds import World
from generators.checks.bench import Budget
from generators.http import connect
from mockserver.cli.replay import replay
from mockserver.model import sandbox_model
from mockserver.testing import served


def lists(one):
    """Say whether the evidence of a finding is a list."""
    return any(one.script.steps[sign.step].operation == "list" for sign in one.signs)


CASES = [
    pytest.param("genero", "processed-over", lambda one: one.law == "job-progress", id="genero-law"),
    pytest.param("genero", "text-trimmed", lambda one: one.law == "read-back", id="genero-read-back"),
    pytest.param("genero", "failure-hidden", lambda one: one.law == "model", id="genero-model"),
    pytest.param("onkey", "outcome-lost", lambda one: one.law == "count", id="onkey-law"),
    pytest.param("onkey", "good-item-blamed", lambda one: one.law == "model", id="onkey-model"),
    pytest.param("onkey", "rollback-missing", lists, id="onkey-list"),
    pytest.param("onkey", "version-ignored", lambda one: one.judged == "signs", id="onkey-signs"),
]


def found_in(job, wanted):
    """Return the first finding of a lease that is wanted, as it was when it was seen."""
    found = []

    def hear(event):
        one = from_json(event["finding"], where="a test") if event["kind"] == "found" else None
        if one is not None and wanted(one):
            found.append(one)

    run_lease(job, Lease(number=0, part="bulk", seconds=HANGS), hear, lambda: bool(found))
    return found[0]


def confirmed(job, one):
    target = open_target(job.contract, job.place, "small")
    outfit = Outfit(contract=job.contract, make_model=job.make_model)
    try:
        return Investigator(outfit=outfit, target=target, is_over=lambda: False).confirmed(one)
    finally:
        target.close()


def ends(folder, url, monkeypatch):
    """Return with what each form ends: the command, the script, the test."""
    monkeypatch.setenv("BULKPROOF_URL", url)
    command = CliRunner().invoke(replay, [str(folder), "--url", url], standalone_mode=False)
    script = subprocess.run(["bash", str(folder / SHELL)], capture_output=True, check=False)
    return [command.return_value, script.returncode, int(fails(folder / PYTEST))]


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
    caller = connect(contract, url)
    session = Session(
        Outfit(contract=contract),
        World(caller=caller, salt="zzzzz"),
        seed=1,
        budget=Budget(seconds=60),
        given={},
        on_finding=lambda _: None,
    )
    grounds = survey(session.bench)
    player = Player(session, grounds, WIDE, Random(1))
    for ground in grounds.bulk:
        player.post(size=3, profile=PROFILES["valid"], ground=ground)
    caller.close()


@pytest.mark.slow
@pytest.mark.parametrize(("api", "bug", "wanted"), CASES)
def test_each_form_tells_the_bug_from_a_healthy_server(api, bug, wanted, tmp_path, monkeypatch):
    """All three end with 1 while the bug is there and with 0 when it is not; the script is small."""
    with served(api, mode="frozen") as server:
        sick, healthy, used = server.sandbox("sick"), server.sandbox("healthy"), server.sandbox("used")
        sick.bug(bug)
        contract = load_bundled(api)
        place = Place(url=sick.api(api).url)
        job = Job(contract=contract, place=place, make_model=partial(sandbox_model, api), shrinks=False)
        small = confirmed(job, found_in(job, wanted))
        assert (small.confirmed, small.tries, small.small) == (3, 3, True)
        assert len(small.script.steps) <= 8
        folder = Corpus(folder=tmp_path).keep(small)
        assert ends(folder, sick.api(api).url, monkeypatch) == [1, 1, 1]
        assert ends(folder, healthy.api(api).url, monkeypatch) == [0, 0, 0]
        fill(contract, used.api(api).url)
        used.bug(bug)
        assert ends(folder, used.api(api).url, monkeypatch) == [1, 1, 1]


@pytest.mark.slow
def test_pytest_runs_the_test(tmp_path):
    """Where nothing answers the test does not pass."""
    folder = Corpus(folder=tmp_path).keep(kept("a"))
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-c", os.devnull, "--rootdir", str(folder)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *quiet, str(folder / PYTEST)], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"test_finding" in done.stdout


def test_the_forms_need_nothing_of_ours():
    """The test and the script import and call nothing but what every machine has."""
    files = forms_of(kept("a", says='It said "no" \\ and\nmore @STEPS@'))
    test, script = files[PYTEST].decode(), files[SHELL].decode()
    compile(test, PYTEST, "exec")
    imports = {line.split()[1].partition(".")[0] for line in test.splitlines() if line.startswith(("import ", "from "))}
    assert imports <= set(sys.stdlib_module_names)
    assert "It said 'no' ' and'more @STEPS@" in test.splitlines()[2]
    assert not any(word in script for word in ("bulkproof ", "mockserver"))
    assert files["body-0.json"] == b'[{"properties":{"code":"a","description":"some long text"}}]'


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_script_is_one_for_any_shell(tmp_path):
    """Whatever stands in a call, the shell reads the script as a whole."""
    hostile = 'it\'s $(touch x) `id` "q" \\ \n {{prefix}}'
    step = asking(hostile, path=("rows", hostile), headers=(("X-Odd", "it's $(id)"),), query=(("q", hostile),))
    folder = Corpus(folder=tmp_path).keep(kept("a", steps=(step,), says=hostile))
    for shell in ("bash", "sh"):
        assert subprocess.run([shell, "-n", str(folder / SHELL)], check=False).returncode == 0


def test_long_findings_are_read_from_their_file():
    """A test does not repeat thousands of items; short ones stand in it to be read."""
    short, long = (forms_of(kept("a", steps=(asking(*map(str, range(size))),))) for size in (2, 2000))
    assert FINDING in long[PYTEST].decode()
    assert len(long[PYTEST]) < 10_000
    assert "'code': '1'" in short[PYTEST].decode()


@pytest.mark.parametrize("server", ["x", "BaseHTTP/0.6 Python/3.11"])
def test_the_script_reads_any_reply(server, tmp_path):
    """Whatever stands in a header, and behind a reply that only said to go on, the last reply is read."""
    script = forms_of(kept("a"))[SHELL].decode()
    (tmp_path / "judge.py").write_text(script.partition("<<'PYTHON'\n")[2].partition("\nPYTHON")[0])
    head = f"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 202 Accepted\r\nServer: {server}\r\nX-Id: 7\r\n\r\n"
    (tmp_path / "0.headers").write_text(head)
    (tmp_path / "0.body").write_bytes(b"")
    command = [sys.executable, "judge.py", "told", "0"]
    told = subprocess.run(command, cwd=tmp_path, input=b'{"header": "X-Id"}', capture_output=True, check=False)
    assert (told.returncode, told.stdout) == (0, b"7")
    sign = b'{"status": 202, "headers": ["x-id"]}'
    done = subprocess.run([*command[:2], "shows", "0"], cwd=tmp_path, input=sign, capture_output=True, check=False)
    assert done.returncode == 0

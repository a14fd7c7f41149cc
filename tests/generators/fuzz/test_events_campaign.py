"""Campaigns against a server of other hands, in real time: what is found, told, accepted and kept."""

import json
from dataclasses import replace
from time import monotonic

import pytest
from children import HANGS
from click.testing import CliRunner
from events_server import DOCUMENT, ROOT, serving

from generators.fuzz import executors, shards, worker
from mockserver.cli.check import check
from mockserver.cli.fuzz import fuzz

pytestmark = pytest.mark.slow
TWO_SHAPES = {"member reads otherwise at /starts", "member reads otherwise at /price"}
CALLS_AFTER = 300  # a deletion: by then the fuzzer has read what it knows again


def told_by(command, url, *options):
    """Return the exit code of a command, and what it says."""
    done = CliRunner().invoke(command, [str(DOCUMENT), "--url", url, *options], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def fuzzed(url, corpus, *options, time="6s", schemathesis=False):
    own = () if schemathesis else ("--no-schemathesis",)
    return told_by(fuzz, url, "--corpus", str(corpus), "--max-time", time, *own, *options)


@pytest.fixture
def until(monkeypatch):
    """Return a function that has campaigns end, from now on, as soon as something holds."""
    run = executors.LocalExecutor.run

    def end_when(holds):
        monkeypatch.setattr(
            executors.LocalExecutor,
            "run",
            lambda executor, some, emit, is_over: run(executor, some, emit, lambda: is_over() or holds()),
        )

    return end_when


def shapes_in(corpus):
    return {json.loads(one.read_text())["shape"] for one in corpus.glob("findings/*/finding.json")}


def tries_in(corpus):
    return {json.loads(one.read_text())["tries"] for one in corpus.glob("findings/*/finding.json")}


def test_a_right_server_is_accused_of_nothing(tmp_path):
    """The server itself keeps what it declares."""
    with serving() as (url, _):
        assert fuzzed(url, tmp_path, time="2s")[0] == 0


def test_two_bugs_in_one_operation_are_two_findings(tmp_path, until):
    """Each is told in a line of its own, with its member, and stands in the table."""
    until(lambda: shapes_in(tmp_path) >= TWO_SHAPES)
    with serving("starts-cut", "price-cut") as (url, _):
        code, says = fuzzed(url, tmp_path, time="60s")
    assert code == 1
    assert shapes_in(tmp_path) == TWO_SHAPES
    assert "distinct bugs: 2" in says
    for member in ("starts", "price"):
        assert f"'{member}' of the events" in says


@pytest.mark.parametrize("command", ["check", "fuzz"])
def test_a_known_noise_hides_no_new_bug(command, tmp_path, until):
    """With a baseline of one member a bug of another one fails the run, and is told; the known one does not."""
    known, shapes = tmp_path / "known.json", sorted(TWO_SHAPES, reverse=True)

    def run(url, count, *options):
        """Judge until so many of the bugs are found."""
        if command == "check":
            return told_by(check, url, "--only", "effect", "--baseline", str(known), *options)
        corpus = tmp_path / f"{count}{len(options)}"
        until(lambda: shapes_in(corpus) >= set(shapes[:count]))
        return fuzzed(url, corpus, "--baseline", str(known), *options, time="60s")

    with serving("starts-cut") as (url, _):
        assert run(url, 1, "--baseline-update")[0] == 0
        assert run(url, 1)[0] == 0
    with serving("starts-cut", "price-cut") as (url, _):
        code, says = run(url, 2)
    assert code == 1, says
    assert "'price'" in says
    assert "1 known" in says
    assert "older baseline" not in says


def test_an_older_baseline_is_read_and_said_to_be_one(tmp_path):
    """Its entries name no member and accept each; that they do is told."""
    known = tmp_path / "known.json"
    with serving("starts-cut") as (url, _):
        told_by(check, url, "--only", "effect", "--baseline", str(known), "--baseline-update")
        (entry,) = json.loads(known.read_text())["findings"].values()
        assert entry["shape"] == "create stores something else at /starts"
        older = {"law": "effect", "operation": "bulkCreate", "shape": "create stores something else", "says": ""}
        known.write_text(json.dumps({"findings": {"82de4988d70bc94d": older}}))
    with serving("starts-cut") as (url, _):
        code, says = told_by(check, url, "--only", "effect", "--baseline", str(known))
    assert code == 0
    assert "older baseline" in says


def test_a_flaky_finding_ends_no_campaign(tmp_path):
    """What shows once and never again is no first finding: the campaign goes on, and finds the bug that is there."""
    with serving("rare", "long") as (url, _):
        code, says = fuzzed(url, tmp_path, "--stop-at-first", time="40s")
    assert code == 1
    found = [json.loads(one.read_text()) for one in tmp_path.glob("findings/*/finding.json")]
    assert any(one["shape"].endswith("at /note") and one["confirmed"] == one["tries"] == 3 for one in found), says


def test_where_only_flaky_findings_are_the_campaign_goes_on(tmp_path, until):
    """It ends when its time is up, not at what never shows again, and with the exit code of a run without findings."""
    begun = monotonic()
    until(lambda: monotonic() > begun + 4 and tries_in(tmp_path) == {3})  # however slow a machine is
    with serving("first") as (url, _):
        code, says = fuzzed(url, tmp_path, "--stop-at-first", time="60s")
    assert code == 0, says
    assert "reproduced 0/3, flaky" in says
    seconds = next(float(line.split()[1]) for line in says.splitlines() if line.startswith("seconds: "))
    assert seconds >= 3


PARTS = ["clock", "settings", "scenarios", "reset", "delete"]


@pytest.mark.parametrize("command", ["check", "fuzz"])
@pytest.mark.parametrize(
    ("control", "lacks"),
    [
        ((), "no clock, no settings, no scenarios, no sandboxes: it is judged as any other server"),
        (("clock",), "no settings, no scenarios, no sandboxes: it is judged as any other server"),
        (("reset", "settings"), "no clock, no scenarios: it is judged as any other server"),
        (("clock", "reset"), "no settings, no scenarios."),
        (PARTS, None),
    ],
    ids=lambda one: "-".join(one) if isinstance(one, tuple | list) else "",
)
def test_what_a_control_api_lacks_is_done_without(control, lacks, command, tmp_path):
    """A server with a part of the control API is judged; one line says what it does not have."""
    with serving(control=["health", *control]) as (url, _):
        if command == "fuzz":
            code, says = fuzzed(url, tmp_path, time="1s")
        else:
            code, says = told_by(check, url, "--skip", "coverage")
            lacks = None if lacks is None or "clock" in control else "no clock"
    assert code == 0
    assert says.count("The control API") == (lacks is not None) or command == "check"
    assert lacks is None or lacks in says


def test_what_schemathesis_deletes_is_not_missed(tmp_path, monkeypatch, until):
    """It deletes the record that the contract has as an example; the fuzzer, which saw it before, accuses nobody."""
    deleted = ("DELETE", f"{ROOT}/1")
    for name in ("MIN_SHARD_SECONDS", "MAX_SHARD_SECONDS"):
        monkeypatch.setattr(shards, name, 2.0)
    with serving("stock") as (url, events):

        def run(job, shard, emit, is_over):
            """Give schemathesis the time that it needs to delete the record, however slow the machine is."""
            is_enough = (lambda: deleted in events.calls) if shard.part == "schemas" else lambda: False
            seconds = HANGS if shard.part == "schemas" else shard.seconds
            worker.run_shard(job, replace(shard, seconds=seconds), emit, lambda: is_over() or is_enough())

        def is_enough():
            return deleted in events.calls and len(events.calls) > events.calls.index(deleted) + CALLS_AFTER

        monkeypatch.setattr(executors, "run_shard", run)
        until(is_enough)
        code, says = fuzzed(url, tmp_path, time="500s", schemathesis=True)
    assert is_enough()
    assert code == 0, says


@pytest.mark.parametrize(
    ("bug", "member", "value"), [("dear", "price", 11), ("long", "note", "xxxxx")], ids=["number", "text"]
)
def test_a_finding_has_one_item_with_the_simplest_value(bug, member, value, tmp_path, monkeypatch):
    """Of thousands of prices above ten, and of long texts, the plainest stands in two steps, confirmed."""
    monkeypatch.setattr(worker, "MAX_SHRINK_SECONDS", 300.0)  # a busy machine takes its time
    with serving(bug) as (url, _):
        assert fuzzed(url, tmp_path, "--stop-at-first", time="500s")[0] == 1
    kept = [json.loads(one.read_text()) for one in tmp_path.glob("findings/*/finding.json")]
    (one,) = [one for one in kept if one["tries"]]
    assert (one["confirmed"], one["small"], len(one["steps"])) == (3, True, 2)
    assert [item["event"][member] for item in one["steps"][0]["json"]] == [value]

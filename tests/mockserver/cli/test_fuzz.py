"""`bulkproof fuzz` and `bulkproof replay`: a planted bug is found, kept in three forms, and shows again."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner

from contracts.errors import MisuseError
from contracts.openapi.loading import load_bundled
from generators.client.environments import TargetOptions
from generators.fuzz.coordinator import Campaign
from generators.fuzz.executors import LocalExecutor
from generators.fuzz.progress import PlainProgress
from generators.fuzz.shards import CampaignConfig
from generators.triage.corpus import finding_file
from generators.triage.script import Script
from generators.triage.stored_finding import StoredFinding
from mockserver.cli.fuzz import fuzz
from mockserver.cli.replay import replay
from mockserver.testing import running

OWN = ("--no-schemathesis", "--corpus")
FORMS = {"finding.json", "replay.sh", "test_finding.py"}


def run(command, *words):
    return CliRunner().invoke(command, words, standalone_mode=False)


@pytest.fixture
def sandbox():
    """Return a sandbox of its own, its clock standing still, and the URL of its server with that sandbox's prefix."""
    with running("genero", mode="frozen") as bulkproof:
        yield bulkproof, bulkproof.genero.url.removesuffix("/genero")


@pytest.mark.slow
def test_a_planted_bug_is_found_kept_and_shows_again(sandbox, tmp_path):
    """The exit code says that something was found; each finding stands in three forms and is replayed."""
    bulkproof, url = sandbox
    bulkproof.bug("processed-over")
    done = run(fuzz, "genero", "--url", url, "--max-time", "60s", "--stop-at-first", *OWN, str(tmp_path))
    assert done.return_value == 1, done.output
    found = sorted((tmp_path / "findings").iterdir())
    assert found
    assert all({path.name for path in one.iterdir()} >= FORMS for one in found)
    assert run(replay, str(found[0]), "--url", url).return_value == 1


@pytest.mark.slow
def test_a_healthy_sandbox_gives_no_alarm(sandbox, tmp_path):
    """Nothing is found, and nothing is kept."""
    _, url = sandbox
    done = run(fuzz, "genero", "--url", url, "--max-time", "2s", *OWN, str(tmp_path))
    assert done.return_value == 0, done.output
    assert not list(tmp_path.glob("findings/*"))


def test_a_finding_of_a_document_is_replayed_with_it(tmp_path):
    """Where a finding is of no bundled API, the command says how to name the document."""
    script = Script(steps=(), numbers={})
    finding = StoredFinding(
        fingerprint="f", law="model", operation="o", shape="s", says="S.", contract="hr", script=script
    )
    (tmp_path / "finding.json").write_bytes(finding_file(finding))
    done = run(replay, str(tmp_path / "finding.json"), "--url", "http://127.0.0.1:1")
    assert str(done.exception).startswith("the finding is of 'hr', which was read from a file. Name it with --api FILE")


def test_a_server_that_is_not_there_is_told_in_a_sentence(tmp_path):
    """No response: that is misuse, and no finding."""
    done = run(fuzz, "genero", "--url", "http://127.0.0.1:1", "--corpus", str(tmp_path))
    assert "no server responds at http://127.0.0.1:1" in str(done.exception)
    assert not list(tmp_path.glob("findings/*"))


PLAIN = """
openapi: 3.1.0
info: {title: Plain, version: "1"}
servers: [{url: /plain}]
paths:
  /things:
    get: {operationId: listThings, responses: {"200": {description: all}}}
"""


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--no-schemathesis", "--max-time", "5s"), "no fuzzable bulk operation, without schemathesis"),
        (("--max-time", "5s"), "schemathesis needs at least 12 s"),
    ],
)
def test_a_contract_without_anything_bulk_is_told_in_a_sentence(words, says, sandbox, tmp_path):
    """Where the fuzzer has nothing to play with, and schemathesis does not play, there is no campaign."""
    _, url = sandbox
    file = tmp_path / "plain.yaml"
    file.write_text(PLAIN)
    done = run(fuzz, str(file), "--url", url, "--corpus", str(tmp_path), *words)
    assert isinstance(done.exception, MisuseError)
    assert says in str(done.exception)


def test_a_campaign_without_a_call_is_told_in_a_sentence(sandbox, tmp_path, monkeypatch):
    """That nothing was judged is no success."""
    _, url = sandbox
    monkeypatch.setattr(LocalExecutor, "run", lambda *_: None)
    done = run(fuzz, "genero", "--url", url, "--max-time", "5s", "--no-schemathesis", "--corpus", str(tmp_path))
    assert "before it sent a request" in str(done.exception)
    assert isinstance(done.exception, MisuseError)


def test_schemathesis_plays_alone_where_nothing_is_bulk():
    """A campaign says so once, and gives out what schemathesis does, one stretch after the other."""
    contract = replace(load_bundled("genero"), operations=load_bundled("genero").operations[:1])
    contract = replace(contract, operations=tuple(replace(one, bulk=None) for one in contract.operations))
    job, said, leases = CampaignConfig(contract=contract, place=TargetOptions(url="http://127.0.0.1:1")), [], []

    class Taking:
        def run(self, given, emit, is_over):
            del emit, is_over
            leases.extend(islice(given, 3))

        def stop(self):
            """Let go of nothing."""

    Campaign(job=job, executor=Taking(), listener=PlainProgress(said.append), seconds=60.0).run()
    assert {(one.part, one.alone) for one in leases} == {("schemas", True)}
    assert [one.phases for one in leases] == [("coverage",), ("fuzzing", "stateful"), ("fuzzing", "stateful")]
    assert said == ["No fuzzable bulk operation: only schemathesis runs."]


@pytest.mark.slow
def test_what_schemathesis_judged_alone_is_in_the_report(serving, tmp_path):
    """Operations that it has called without a finding have passed."""
    path = str(Path(__file__).parents[3] / "examples" / "any-api" / "tickets.yaml")
    client = serving(path)
    url = f"{client.running.url}/@{client.sandbox}"
    done = run(fuzz, path, "--url", url, "--max-time", "13s", "--corpus", str(tmp_path / "c"))
    assert (done.exit_code, done.stdout.splitlines()[-1][-7:]) == (0, "passed.")

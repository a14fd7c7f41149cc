"""What is lost of a value, or not checked of a record, is found because values are spread over all of their schema."""

import json
from random import Random

import pytest
from click.testing import CliRunner
from in_process import InProcess
from sampling import ALL, some
from specimen_server import BUGS, CONTRACT, FORGIVEN, LEEWAY, SCHEMA, serve

from contracts.messages import Headers, Request
from generators.data.compile import compile_schema
from generators.data.mutation import invalid_variants
from generators.fuzz import worker
from mockserver.apis.sources import find_sources
from mockserver.cli.fuzz import fuzz

OPTIONS = ("--no-schemathesis", "--seed", "3")


def fuzzed(bug, corpus, *options):
    """Run a campaign on a server; return its exit code, what it says, and the findings that it kept."""
    with serve(bug) as url:
        words = (str(CONTRACT), "--url", url, *OPTIONS, "--corpus", str(corpus), *options)
        done = CliRunner().invoke(fuzz, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    kept = [json.loads(path.read_text()) for path in corpus.glob("findings/*/finding.json")]
    return done.return_value, done.output, kept


@pytest.mark.slow
@pytest.mark.parametrize("kind", LEEWAY)
def test_a_server_that_keeps_what_is_declared_gives_no_finding(kind, tmp_path):
    """Every valid value is kept, every invalid one refused; what is open may be done either way."""
    code, says, kept = fuzzed(kind, tmp_path, "--max-time", "8s" if ALL else "2s")
    assert (code, kept) == (0, []), says


@pytest.mark.slow
@pytest.mark.parametrize("bug", some([*BUGS, *FORGIVEN], 4))
def test_what_is_lost_is_found(bug, tmp_path, monkeypatch):
    """A part of a number, instant, text, list or map that is lost shows in what is read; so does a missing check."""
    monkeypatch.setattr(worker, "MAX_SHRINK_SECONDS", 0.0)  # of a finding that need not be small
    _, says, kept = fuzzed(bug, tmp_path, "--max-time", "40s", "--stop-at-first")
    assert kept, says


def test_an_item_fails_as_a_single_record_does():
    """The sandbox takes an item when it takes the same record alone: what its members break together counts."""
    server = InProcess(find_sources((str(CONTRACT),))[0].load())

    def status_of(path, data):
        headers = Headers([("Content-Type", "application/json")])
        return server.send(Request(method="POST", path=path, headers=headers, body=json.dumps(data).encode()))

    values = list(compile_schema(SCHEMA, profile="fuzz").stream(1, 15))
    broken = [one.value for n, value in enumerate(values) for one in invalid_variants(SCHEMA, value, Random(n))]
    records = [one for one in (*values, *broken) if isinstance(one, dict)][:400]
    alone = [status_of("/specimens", one).status for one in records]
    together = [
        result["status"] < 300
        for n in range(0, len(records), 50)
        for result in status_of("/specimens/batch", records[n : n + 50]).data["results"]
    ]
    assert together == [status == 201 for status in alone]
    assert {True, False} == set(together)

"""A server that is right and awkward is accused of nothing, by `check` and by `fuzz`, whatever is made up.

Kinds of awkwardness that go together are tried at once, with one seed; `BULKPROOF_TEST_ALL=1` tries each by itself too,
`BULKPROOF_SOUNDNESS_SEEDS=10` ten seeds of each.
"""

import os

import pytest
import yaml
from calendar_server import SWITCHES, document, serve
from click.testing import CliRunner
from sampling import ALL

from mockserver.cli.check import check
from mockserver.cli.fuzz import fuzz

SEEDS = range(int(os.environ.get("BULKPROOF_SOUNDNESS_SEEDS", "1")))
TOGETHER = [
    ("rewritten", "extras", "headers", "shuffled", "opaque", "revived"),
    ("others", "slow", "busy"),
    ("eventual", "normalised"),
]
KINDS = [(), *((name,) for name in SWITCHES), *TOGETHER] if ALL else TOGETHER
KINDS_AND_SEEDS = [
    pytest.param(kinds, seed, id=f"{'+'.join(kinds) or 'plain'}-{seed}") for kinds in KINDS for seed in SEEDS
]
FUZZ_SECONDS = 8 if ALL else 2.5
CHECK_SECONDS = 60 if ALL else 6


def said(command, kinds, seed, folder, *options):
    """Return the exit code of a command against a server, and what it says."""
    contract = folder / "calendar.yaml"
    contract.write_text(yaml.safe_dump(document(kinds)))
    with serve(kinds, seed) as url:
        words = (str(contract), "--url", url, "--seed", str(seed), *options)
        done = CliRunner().invoke(command, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "seed"), KINDS_AND_SEEDS)
def test_check_accuses_a_right_server_of_nothing(kinds, seed, tmp_path):
    """What a document leaves open is no finding."""
    more = ("--skip", "coverage") if seed else ()  # its cases depend on no seed
    code, says = said(check, kinds, seed, tmp_path, "--max-time", f"{CHECK_SECONDS}s", *more)
    assert code == 0, says
    assert " failed" not in says


@pytest.mark.slow
@pytest.mark.parametrize(("kinds", "seed"), KINDS_AND_SEEDS)
def test_fuzz_accuses_a_right_server_of_nothing(kinds, seed, tmp_path):
    """Neither does any sequence of requests show one, not even one that is called flaky."""
    options = ("--no-schemathesis", "--corpus", str(tmp_path / "corpus"), "--max-time", f"{FUZZ_SECONDS}s")
    code, says = said(fuzz, kinds, seed, tmp_path, *options)
    assert code == 0, says
    assert not list((tmp_path / "corpus").glob("findings/*")), says

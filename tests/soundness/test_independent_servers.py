"""The independent servers of Genero and On Key are right, also behind a proxy that words their answers otherwise.

All ways of wording them are tried at once, with one seed; `BULKPROOF_TEST_ALL=1` tries each by itself too, and
`BULKPROOF_SOUNDNESS_SEEDS=10` ten seeds of them.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from awkward_proxy import SWITCHES, proxy
from children import child
from click.testing import CliRunner
from sampling import ALL

from mockserver.cli.check import check
from mockserver.cli.fuzz import fuzz

SERVERS = Path(__file__).parents[1] / "independent_servers"
SEEDS = range(int(os.environ.get("BULKPROOF_SOUNDNESS_SEEDS", "1")))
KINDS = [(), *((name,) for name in SWITCHES), SWITCHES]
FUZZ_SECONDS = 12 if ALL else 2.5
CHECK_SECONDS = 60 if ALL else 6
TRANSPORT = ("free-gzip", "free-trickle", "free-busy", "free-headers", "free-numbers")
OTHERS = ("free-crowd", "free-full-house", "free-refusals")
FREEDOMS = {  # what a right server may do or not
    "genero": (
        *("district-again", "all-freedoms", "other-words", "pretty", "chunked", "orders", "tokens", "slow-jobs"),
        *("free-closing", "free-overlap", "free-progress", "free-shapes", *TRANSPORT, *OTHERS),
    ),
    "onkey": (
        *("all-freedoms", "other-ids", "other-words", "pretty-chunks", "ties", "numbers-and-links", "slow-tasks"),
        *("free-interim", "free-tasks", "free-entities", "free-collation", *TRANSPORT, *OTHERS),
    ),
}
FIRST_FREEDOMS = ("district-again", "all-freedoms", "free-busy")
CASES = [
    pytest.param(api, kinds, seed, id=f"{api}-{'+'.join(kinds) or 'plain'}-{seed}")
    for api in ("genero", "onkey")
    for kinds in KINDS
    for seed in SEEDS
    if seed == 0 or kinds == SWITCHES
]
CHOSEN = [one for one in CASES if ALL or one.values[1] == SWITCHES]  # tests/independent_servers has the servers alone


def said(command, api, kinds, seed, *options, freedom=""):
    """Return the exit code of a command against a server behind a proxy, and what it says."""
    program = [sys.executable, str(SERVERS / f"{api}_server.py"), "--port", "0", "--bug", freedom]
    with (
        child(program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process,
        proxy(process.stdout.readline().strip(), kinds, seed) as url,
    ):
        words = (api, "--url", url, "--seed", str(seed), *options)
        done = CliRunner().invoke(command, words, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


@pytest.mark.slow
@pytest.mark.parametrize(("api", "kinds", "seed"), CHOSEN)
def test_check_accuses_a_right_server_of_nothing(api, kinds, seed):
    """However its answers are written."""
    code, says = said(check, api, kinds, seed, "--skip", "coverage", "--max-time", f"{CHECK_SECONDS}s")
    assert code == 0, says
    assert " failed" not in says


@pytest.mark.slow
@pytest.mark.parametrize(("api", "kinds", "seed"), CHOSEN)
def test_fuzz_accuses_a_right_server_of_nothing(api, kinds, seed, tmp_path):
    """Whatever is sent to it."""
    options = ("--no-schemathesis", "--corpus", str(tmp_path / "corpus"), "--max-time", f"{FUZZ_SECONDS}s")
    code, says = said(fuzz, api, kinds, seed, *options)
    assert code == 0, says
    assert not list((tmp_path / "corpus").glob("findings/*")), says


FREEDOM_CASES = [(api, one) for api, some in FREEDOMS.items() for one in some if ALL or one in FIRST_FREEDOMS]


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("api", "freedom"), FREEDOM_CASES)
def test_fuzz_lets_a_server_do_what_nobody_has_said(api, freedom, seed, tmp_path):
    """Which members an entity that comes back takes, how ids go on, how long a job takes: nothing says it."""
    corpus = tmp_path / "corpus"
    options = ("--no-schemathesis", "--corpus", str(corpus), "--max-time", f"{FUZZ_SECONDS}s", "--assumptions", "fail")
    code, says = said(fuzz, api, (), seed, *options, freedom=freedom)
    assert code == 0, says
    assert not list(corpus.glob("findings/*")), says

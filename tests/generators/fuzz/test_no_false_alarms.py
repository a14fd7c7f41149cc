"""A campaign keeps silent about servers that keep their promises: a finding here is a false alarm."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from sampling import ALL

from mockserver.cli.fuzz import fuzz
from mockserver.testing import running

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parents[2]
BUNDLED = [(api, seed) for api in ("genero", "onkey") for seed in (range(5) if ALL else [1])]
TOYS = [
    "cases/contract_only/books.yaml",
    "cases/contract_only/queue.yaml",
    "cases/contract_only/shop.yaml",
    "generators/requests/data/shelves.yaml",
    "mockserver/verdicts/data/parcels.yaml",
    "mockserver/data/parcels.yaml",
]


def told_of_a_healthy_sandbox(api, corpus, *options):
    """Return the exit code of a campaign against a sandbox that nobody disturbs, and what it says."""
    with running(api, mode="frozen") as bulkproof:
        words = (api, "--url", bulkproof.url, "--no-schemathesis", "--corpus", str(corpus), *options)
        done = CliRunner().invoke(fuzz, words, standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done.return_value, done.output


@pytest.mark.parametrize(("api", "seed"), BUNDLED)
def test_a_bundled_api_is_accused_of_nothing(api, seed, tmp_path):
    """What is served, what is demanded by the laws, and what the model has agree, whatever is made up."""
    code, says = told_of_a_healthy_sandbox(api, tmp_path, "--seed", str(seed), "--max-time", "3s")
    assert code == 0, says
    assert " passed" in says


@pytest.mark.parametrize("toy", TOYS)
def test_a_contract_alone_is_served_without_a_fault(toy, tmp_path):
    """What is served from nothing but a document keeps all that the document declares."""
    code, says = told_of_a_healthy_sandbox(str(TESTS / toy), tmp_path, "--max-time", "1s")
    assert code == 0, says
    assert " passed" in says

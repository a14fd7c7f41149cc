"""Batches of a campaign keep the declared limit of bytes, however large their values are."""

from pathlib import Path

from contracts.openapi.loading import load
from generators.requests.batch import Composer, compose_within_limit
from generators.requests.known_records import KnownRecords
from generators.requests.profiles import PROFILES

PEOPLE = Path(__file__).parents[2] / "cases" / "contract_only" / "people.yaml"


def test_a_batch_is_no_longer_than_declared():
    """As many items as fit, and one at least; the same seed gives the same batch."""
    contract = load(PEOPLE)
    operation = next(one for one in contract.operations if one.bulk is not None)
    limit = operation.bulk.items.max_bytes
    composer = Composer(contract, operation, values="fuzz")
    batches = [
        compose_within_limit(
            composer, seed=seed, size=operation.bulk.items.max, profile=PROFILES["valid"], known=KnownRecords()
        )
        for seed in range(60)
    ]
    assert all(len(one.request.body) <= limit or len(one.items) == 1 for one in batches)
    assert {len(one.items) for one in batches} >= {2, operation.bulk.items.max}

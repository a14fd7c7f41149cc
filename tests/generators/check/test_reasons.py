"""Why a law is not tried is told by one cause, and only where it could have been tried."""

from pathlib import Path

import pytest

from contracts.openapi.loading import load
from generators.check.laws.calls.stamps import has_stamps
from generators.check.laws.catalogue import LAWS

CASES = Path(__file__).parents[2] / "cases" / "contract_only"
CONTRACTS = {file.stem: load(file) for file in sorted(CASES.glob("*.yaml"))}


@pytest.mark.parametrize("name", CONTRACTS)
def test_a_reason_is_one(name):
    """An operation that creates no records is told apart from one whose requests have idempotency keys."""
    reuse = next(one for one in LAWS if one.name == "reuse")
    told = {reuse.exempt_reason(one) for one in CONTRACTS[name].operations if one.bulk is not None}
    assert not [one for one in told if one is not None and " or " in one]


@pytest.mark.parametrize("name", CONTRACTS)
def test_times_are_asked_of_the_records_that_an_operation_writes(name):
    """What writes records without times of writes is not asked for them."""
    contract = CONTRACTS[name]
    timed = {name for name, one in contract.resources.items() if one.created or one.modified}
    acts = [one for one in contract.operations if one.record is not None and one.record.resource.constant]
    assert all(one.record.resource.constant in timed for one in acts if has_stamps(contract, one))

"""Nothing that a durable server has answered is lost when it is killed, nothing is half there, nothing twice."""

import pytest
from killing import kill_often

pytestmark = pytest.mark.slow  # processes that are killed; `killing.py` kills as many as it is told


@pytest.mark.parametrize(("sync", "seed"), [("normal", 1), ("full", 2)])
def test_what_was_answered_is_there_after_kills(sync, seed):
    """Eight clients write while their server is killed at random instants."""
    counts, wrong = kill_often(8, seed=seed, sync=sync)
    assert not wrong, wrong[:5]
    assert counts["answered"]

"""What tests of sandboxes share: a collection of garbage looks through what is new, not through the whole process."""

import gc

import pytest


@pytest.fixture(scope="module", autouse=True)
def _only_what_is_new_is_collected():
    """Put all that is there by now aside for good."""
    gc.collect()
    gc.freeze()

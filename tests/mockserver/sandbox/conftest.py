"""What tests of sandboxes share: a collection of garbage looks through what is new, not through the whole process."""

import gc
import warnings

import pytest


@pytest.fixture(scope="module", autouse=True)
def _only_what_is_new_is_collected():
    """Put all that is there by now aside for good; files that other tests left open are theirs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    gc.freeze()

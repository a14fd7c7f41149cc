"""Long tables of tests: a few rows of each by default, all of them with `BULKPROOF_TEST_ALL=1`; or a few quick ones."""

import os

import pytest

ALL = os.environ.get("BULKPROOF_TEST_ALL", "") not in {"", "0"}


def some(rows, count):
    """Return so many rows, spread evenly over all of them; all where they are asked for."""
    rows = list(rows)
    if ALL or count >= len(rows):
        return rows
    return [rows[n * len(rows) // count] for n in range(count)]


def mostly_slow(rows, is_quick):
    """Return all rows, marked as slow but for those of which `is_quick` holds, given its number and the row."""
    return [
        pytest.param(row, marks=() if is_quick(number, row) else pytest.mark.slow) for number, row in enumerate(rows)
    ]

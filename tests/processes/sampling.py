"""Long tables of tests: a few rows of each by default, all of them with `BULKPROOF_TEST_ALL=1`."""

import os

ALL = os.environ.get("BULKPROOF_TEST_ALL", "") not in {"", "0"}


def some(rows, count):
    """Return so many rows, spread evenly over all of them; all where they are asked for."""
    rows = list(rows)
    if ALL or count >= len(rows):
        return rows
    return [rows[n * len(rows) // count] for n in range(count)]

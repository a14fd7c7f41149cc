"""The campaign in short: `campaign.py` is run by hand for longer."""

from pathlib import Path

import pytest
from campaign import run
from sampling import ALL

REQUESTS = 6000 if ALL else 3000
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is looked at as Linux shows it"),
]


def test_a_short_campaign_finds_nothing():
    """No 5xx that nobody asked for, no traceback, no hang; memory of so few requests says nothing yet."""
    findings = run(seed=20, requests=REQUESTS, share=REQUESTS, sandboxes=200, say=print)
    assert findings.faults(settled=99) == []
    assert findings.tally.calls == REQUESTS
    assert {200, 201, 400, 404, 422} <= set(findings.tally.statuses)

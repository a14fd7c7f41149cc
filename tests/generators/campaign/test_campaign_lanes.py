"""Lanes: what did not show while others played beside it is tried again by one alone."""

import pytest
from toy_campaign import kept

from contracts.document import load_bundled
from generators.campaign import leasing
from generators.campaign.leases import Job, Lease
from generators.campaign.target import Place

NEVER = kept("a", law="model", confirmed=0, tries=3)
SEEN = kept("a", law="model", confirmed=0, tries=0, small=False)
SHOWN = kept("a", law="model")


class Shared:
    """A server that everybody shares."""

    controlled = False


@pytest.fixture
def lease(monkeypatch):
    """Return a lease with a finding that waits, what is told of it, and what comes of trying it, one after another."""
    came, told = [], []
    monkeypatch.setattr(leasing.Investigator, "confirmed", lambda *_: came.pop(0))
    job = Job(contract=load_bundled("onkey"), place=Place(url=""))
    made = leasing.Bulk(job, Lease(number=0, part="bulk", seconds=60.0), Shared(), told.append, lambda: False)
    made.waiting = [SEEN]
    return made, told, came


def of_findings(told):
    return [one["finding"]["confirmed"] for one in told if one["kind"] == "kept"]


def test_a_finding_that_does_not_show_is_tried_again_by_one_lane_alone(lease):
    """The lane that tried it stops, as all others do but the first, which tries it as it was seen."""
    made, told, came = lease
    came += [NEVER, SHOWN]
    made.make_small(3)
    assert (of_findings(told), made.waiting) == ([], [SEEN])
    assert [made.is_idle(lane) for lane in (0, 1, 3)] == [False, True, True]
    made.make_small(0)
    assert (of_findings(told), made.waiting) == ([3], [])


def test_one_that_does_not_show_then_either_is_told_so(lease):
    """Nobody was in its way: it is flaky."""
    made, told, came = lease
    came += [NEVER, NEVER]
    made.make_small(0)
    assert (of_findings(told), came) == ([0], [])


def test_a_flaky_finding_that_is_seen_again_is_tried_anew(lease):
    """Some more times, in what was done when it was seen again; never when it has shown again before."""
    made, _, _ = lease
    assert [made.is_worth_more(NEVER) for _ in range(4)] == [True, True, True, False]
    assert not made.is_worth_more(SHOWN)
    assert not made.is_worth_more(SEEN)

"""How long to wait for jobs in real time is learned from those before."""

from datetime import timedelta
from itertools import repeat
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.client import polling
from generators.client.polling import Pacing
from generators.errors import NotApplicableError

VIEW = SimpleNamespace(
    operation=SimpleNamespace(id="post"),
    exchange="post",
    request=SimpleNamespace(items=(1, 2, 3)),
    traces=(SimpleNamespace(declared=SimpleNamespace(timeout=None)),),
)


def waits(session, takes):
    """Wait for a job that takes so many seconds; return how often it was asked for, and how long it was waited for."""
    pacing, waited = Pacing(session, VIEW), timedelta(0)
    for polls, delay in enumerate(pacing.delays(), 1):
        waited += delay
        if waited >= timedelta(seconds=takes):
            pacing.remember()
            return polls, waited.total_seconds()
    return None


@given(st.floats(0.6, 60.0), st.floats(0.02, 60.0))
def test_jobs_that_take_as_long_as_those_before_are_asked_for_once_or_twice(before, takes):
    """After some jobs few polls are too early, and little time is lost, however long others took before."""
    session = SimpleNamespace(paces={}, controlled=False)
    for seconds in (before, *[takes] * 60):
        waits(session, seconds)
    seen = [waits(session, takes) for _ in range(20)]
    assert sum(polls for polls, _ in seen) <= 20 * 2.2
    assert sum(waited for _, waited in seen) <= 20 * (takes * 1.1 + 0.02)


@given(st.floats(0.02, 600.0))
def test_the_first_job_is_asked_for_ever_more_rarely(takes):
    """Where nothing is known, the polls are few, and the wait is at most twice as long as needed, or 5 s longer."""
    polls, waited = waits(SimpleNamespace(paces={}, controlled=False), takes)
    assert polls <= 10 + takes / 5
    assert waited <= max(0.02, min(takes * 2.1, takes + 5.1))


def slow(digits=1, **others):
    """Return a session that knows how long jobs of so many items took, and the jobs that it was told do not end."""
    told = []
    paces = {("ended", digits): timedelta(seconds=0.3)}
    return SimpleNamespace(paces=paces, controlled=False, give_up=lambda *job: told.append(job), **others), told


def test_nobody_waits_for_ever_for_a_job_when_others_have_ended():
    """It is told once it took a hundred times as long, and the next one is waited for less."""
    session, told = slow()
    waited = []
    for _ in range(2):
        with pytest.raises(NotApplicableError, match="had not ended"):
            waits(session, 10**6)
        waited.append(told[-1][1].total_seconds())
    assert told[0][0] == "post"
    assert 30 < waited[0] < 36
    session.paces["ended", 1] = timedelta(seconds=0.01)
    with pytest.raises(NotApplicableError, match="had not ended"):
        waits(session, 10**6)
    assert 1 < told[-1][1].total_seconds() < 3


def test_a_job_may_take_as_long_as_larger_ones_did():
    """Of what smaller ones took nothing follows, and nothing where time is moved."""
    session, told = slow(digits=0)
    assert waits(session, 3600)
    session, told = slow(digits=2)
    session.paces["ended", 2] = timedelta(hours=1)
    assert waits(session, 3600)
    session, told = slow()
    session.controlled = True
    assert waits(session, 3600)
    assert told == []


@pytest.mark.parametrize(("known", "says"), [(True, "is not declared"), (False, r"is not known \(404\)")])
def test_a_job_of_which_nobody_knows_whether_it_has_ended_is_left(known, says, monkeypatch):
    """It keeps nothing else from being tried."""
    polls, gone = [], SimpleNamespace(response=SimpleNamespace(status=404))

    def latest():
        told = tuple(SimpleNamespace(state=None, word="Resting") for _ in polls)
        trace = SimpleNamespace(end=None, polls=told if known else (), gone=() if known else [gone] * len(polls))
        return SimpleNamespace(traces=(SimpleNamespace(**vars(trace), declared=SimpleNamespace(poll="poll")),))

    session = SimpleNamespace(wait=polls.append)
    monkeypatch.setattr(polling, "request_jobs", lambda *_: None)
    with pytest.raises(NotApplicableError, match=says):
        polling.poll_until_ended(session, latest, repeat(timedelta(seconds=1)))
    assert len(polls) == polling.UNKNOWN_POLLS

"""A job's life is a function of the instant: it keeps to the table of legal moves, whenever one looks."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from contracts.bulk.jobs import FINAL_STATES, JobDuration, is_legal_transition
from contracts.bulk.model import BulkJob
from mockserver.domain.jobs import (
    Job,
    JobRegistry,
    JobResult,
    is_final,
    job_state,
    processed_items,
    schedule,
    state_changes,
)

POSTED = datetime(2026, 1, 1, tzinfo=UTC)
seconds = st.integers(0, 3600).map(lambda number: timedelta(seconds=number))


def a_job(**changes):
    facts = {
        "id": "j",
        "operation": "post",
        "scope": "s",
        "client": "c",
        "posted": POSTED,
        "begins": POSTED,
        "due": POSTED,
        "items": 10,
        "variables": {},
        "query": {},
        "spooled_body": None,
        "unit": "item",
        "arrival": 0,
    }
    return Job(**{**facts, **changes})


@st.composite
def jobs(draw):
    begins = POSTED + draw(seconds)
    due = draw(st.one_of(st.none(), seconds.map(lambda span: begins + span)))
    cancelled = draw(st.one_of(st.none(), seconds.map(lambda span: POSTED + span)))
    if cancelled is not None and due is not None and cancelled >= due:
        cancelled = None
    progress = draw(st.sampled_from(["at-end", "linear", "stepped"]))
    return a_job(begins=begins, due=due, cancelled=cancelled, items=draw(st.integers(1, 50)), progress=progress)


results = st.builds(
    JobResult, done=st.just(1), failed=st.integers(0, 2), not_run=st.just(0), status=st.just(200), entries=st.none()
)


@given(jobs(), results, st.lists(seconds, min_size=2, max_size=12))
def test_states_seen_in_order_are_legal_moves(job, result, looks):
    """Two looks see the same state or a later one; a final state is absorbing."""
    seen = []
    for look in sorted(looks):
        now = POSTED + look
        if job.cancelled is not None and now < job.cancelled:
            continue  # before it was cancelled it was another value
        seen.append(job_state(job, result, now))
    assert all(before == after or is_legal_transition(before, after) for before, after in pairwise(seen))
    assert all(later == first for n, first in enumerate(seen) if first in FINAL_STATES for later in seen[n:])


@given(jobs(), st.lists(seconds, min_size=2, max_size=12))
def test_progress_never_falls_and_is_whole_at_the_end(job, looks):
    """Processed items only grow, stay within what was posted, and are all of them when the job is done."""
    counts = [processed_items(job, POSTED + look) for look in sorted(looks)]
    assert counts == sorted(counts)
    assert all(0 <= count <= job.items for count in counts)
    if job.due is not None and job.cancelled is None:
        assert processed_items(job, job.due) == job.items


@given(jobs())
def test_the_plan_says_what_the_state_will_be(job):
    """At each instant of the plan the state is the one that the plan names."""
    for at, wanted in state_changes(job):
        if job.cancelled is None or wanted == "cancelled":
            assert job_state(job, None, at) in {wanted, "running", "done", "cancelled"}
    assert [at for at, _ in state_changes(job)] == sorted(at for at, _ in state_changes(job))


def test_a_job_is_final_at_the_very_instant_its_duration_has_passed():
    """Not a microsecond sooner."""
    job = a_job(due=POSTED + timedelta(seconds=2))
    assert is_final(job, POSTED + timedelta(seconds=2))
    assert not is_final(job, POSTED + timedelta(seconds=2) - timedelta(microseconds=1))


def test_a_schedule_has_a_base_and_a_part_for_each_item():
    """Two seconds, and a millisecond an item; a fifth of it waiting."""
    declared = BulkJob(when=("always",), handle="/id", poll="p", state_at="/s", words={}, takes=JobDuration(queued=0.2))
    assert schedule(declared, 500, POSTED) == (POSTED + timedelta(seconds=0.5), POSTED + timedelta(seconds=2.5))


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=20), st.integers(0, 6))
def test_due_jobs_come_in_the_order_of_their_instants_then_precedence_then_arrival(some, until):
    """Whatever the order in which they were taken in, and none that is not yet due."""
    book = JobRegistry()
    for n, (due, precedence) in enumerate(some):
        book.add(a_job(id=str(n), arrival=n, due=POSTED + timedelta(seconds=due)), precedence)
    now, ran = POSTED + timedelta(seconds=until), []
    while (job := book.pop_due(now)) is not None:
        ran.append((int((job.due - POSTED).total_seconds()), some[int(job.id)][1], job.arrival))
    assert ran == sorted((due, precedence, n) for n, (due, precedence) in enumerate(some) if due <= until)


def test_a_cancelled_job_never_comes_up():
    """It leaves the agenda."""
    book = JobRegistry()
    job = a_job(due=POSTED + timedelta(seconds=1))
    book.add(job, 0)
    book.replace(a_job(due=job.due, cancelled=POSTED))
    assert book.next_due() is None
    assert book.pop_due(POSTED + timedelta(days=1)) is None

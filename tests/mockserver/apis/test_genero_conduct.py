"""Genero's code of conduct when it is enforced, and the order of jobs."""

from datetime import UTC, datetime, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Reply
from mockserver.apis.genero import api, settings
from mockserver.apis.genero.conduct import ORDER, check, note, precedence
from mockserver.domain.jobs import Job
from mockserver.ids import Ids
from mockserver.stores.memory import MemoryStore
from mockserver.turn import Turn
from mockserver.world import World

START = datetime(2026, 1, 1, tzinfo=UTC)
API = api()
FIVE, FORGIVEN = timedelta(minutes=5), timedelta(minutes=4, seconds=30)


def world(conduct="enforce"):
    whole = {"auth": "open", "conduct": conduct, "genero": settings.DEFAULTS}
    return World(store=MemoryStore(), ids=Ids(), settings=whole, born=START)


def job(name="1", *, posted=START, due=None, items=1, entity="block", client="multi"):
    return Job(
        id=name,
        operation="postJob",
        scope="publicapitest",
        client=client,
        posted=posted,
        begins=posted,
        due=due,
        items=items,
        variables={"entity": entity},
        query={},
        parcel=None,
        unit="item",
        arrival=0,
        keep=timedelta(days=30),
    )


def turn(of, now, operation, *jobs, client="multi"):
    one = Turn(api=API, world=of, call=None, now=now, operation=API.contract.operation(operation))
    one.client, one.jobs = client, jobs
    return one


def polled(of, now, one):
    """Poll a job as the engine does, and return the refusal, if any."""
    asking = turn(of, now, "jobStatus", one)
    refusal = check(asking, 0)
    note(asking, API.hooks.refuse(asking, refusal) if refusal else Reply(status=200))
    return refusal


def posted(of, now, items):
    """Post a batch as the engine does, a job that ends at once, and return the refusal, if any."""
    refusal = check(turn(of, now, "postJob"), items)
    if refusal is None:
        note(turn(of, now, "postJob", job(posted=now, due=now, items=items)), Reply(status=200))
    return refusal


@given(st.lists(st.integers(1, 600), max_size=12), st.integers(0, 3000))
def test_polls_are_told_when_they_are_due_and_until_the_end_is_told(gaps, length):
    """A poll is answered 4 minutes 30 after the last answered one or the post; none after a final status was told."""
    here, one = world(), job(due=START + timedelta(seconds=length))
    now = last = START
    ended = False
    for gap in gaps:
        now += timedelta(seconds=gap)
        refusal = polled(here, now, one)
        assert (refusal is None) is (now - last >= FORGIVEN and not ended)
        if refusal is None:
            last, ended = now, now >= one.due
        else:
            wait = one.due + one.keep - now if ended else last + FIVE - now
            assert refusal.status == 429
            assert refusal.headers.get("Retry-After") == str(ceil(wait.total_seconds()))


@given(st.lists(st.integers(1, 200), max_size=12))
def test_maximum_batches_are_seven_days_apart(hours):
    """A batch of 5000 goes through when the last one that did is 7 days old; smaller ones always do."""
    here, now, last = world(), START, None
    for gap in hours:
        now += timedelta(hours=gap)
        assert posted(here, now, 4999) is None
        refusal = posted(here, now, 5000)
        allowed = last is None or now - last >= timedelta(days=7)
        assert (refusal is None) is allowed
        if allowed:
            last = now
        else:
            assert refusal.headers.get("Retry-After") == str(int((last + timedelta(days=7) - now).total_seconds()))


def test_a_job_may_be_given_up_after_thirty_minutes():
    """While a job of the client is in progress nothing else may be posted, until it is 30 minutes old."""
    here = world()
    here.jobs.add(job(), 0)
    early, late = START + timedelta(minutes=29, seconds=59), START + timedelta(minutes=30)
    assert check(turn(here, early, "postJob"), 1).status == 409
    assert check(turn(here, early, "postJob", client="single"), 1) is None
    assert check(turn(here, late, "postJob"), 1) is None


def test_what_is_observed_is_never_refused():
    """Without enforcement every breach is let through."""
    here = world("observe")
    here.jobs.add(job(), 0)
    assert check(turn(here, START, "postJob"), 5000) is None
    assert check(turn(here, START, "jobStatus", job()), 0) is None


def test_what_is_refused_is_not_remembered():
    """A refused poll does not begin a new interval."""
    here, one = world(), job()
    assert polled(here, START + timedelta(minutes=4), one) is not None
    assert polled(here, START + FORGIVEN, one) is None


def test_precedence_is_the_vendors_order():
    """Block, Chain, Wholesaler, Customer, and then CustomerContact."""
    kinds = ["customercontact", "customer", "wholesaler", "chain", "block"]
    assert sorted(kinds, key=lambda kind: precedence(job(entity=kind))) == kinds[::-1]
    assert ORDER.keys() == API.contract.resources.keys()

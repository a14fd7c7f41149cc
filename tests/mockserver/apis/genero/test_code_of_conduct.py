"""Genero's code of conduct when it is enforced, and the order of jobs."""

from datetime import UTC, datetime, timedelta
from math import ceil

from hypothesis import given
from hypothesis import strategies as st

from contracts.messages import Response
from mockserver.api.model import ApiState, RequestContext
from mockserver.apis.genero import access, api
from mockserver.apis.genero.code_of_conduct import RESOURCE_ORDER, check, note, precedence
from mockserver.domain.clock_and_ids import IdSource
from mockserver.domain.jobs import Job
from mockserver.stores.memory import MemoryStore

START = datetime(2026, 1, 1, tzinfo=UTC)
API = api()
FIVE, FORGIVEN = timedelta(minutes=5), timedelta(minutes=4, seconds=30)


def api_state(conduct="enforce"):
    whole = {"auth": "open", "conduct": conduct, "genero": access.DEFAULTS}
    return ApiState(store=MemoryStore(), ids=IdSource(), settings=whole, created=START)


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
        spooled_body=None,
        unit="item",
        arrival=0,
        retention=timedelta(days=30),
    )


def context(of, now, operation, *jobs, client="multi"):
    one = RequestContext(api=API, api_state=of, request=None, now=now, operation=API.contract.operation(operation))
    one.client, one.jobs = client, jobs
    return one


def polled(of, now, one):
    """Poll a job as the engine does, and return the refusal, if any."""
    asking = context(of, now, "jobStatus", one)
    refusal = check(asking, 0)
    note(asking, API.hooks.refuse(asking, refusal) if refusal else Response(status=200))
    return refusal


def posted(of, now, items):
    """Post a batch as the engine does, a job that ends at once, and return the refusal, if any."""
    refusal = check(context(of, now, "postJob"), items)
    if refusal is None:
        note(context(of, now, "postJob", job(posted=now, due=now, items=items)), Response(status=200))
    return refusal


@given(st.lists(st.integers(1, 600), max_size=12), st.integers(0, 3000))
def test_polls_are_told_when_they_are_due_and_until_the_end_is_told(gaps, length):
    """A poll is answered 4 minutes 30 after the last answered one or the post; none after a final status was told."""
    here, one = api_state(), job(due=START + timedelta(seconds=length))
    now = last = START
    ended = False
    for gap in gaps:
        now += timedelta(seconds=gap)
        refusal = polled(here, now, one)
        assert (refusal is None) is (now - last >= FORGIVEN and not ended)
        if refusal is None:
            last, ended = now, now >= one.due
        else:
            wait = one.due + one.retention - now if ended else last + FIVE - now
            assert refusal.status == 429
            assert refusal.headers.get("Retry-After") == str(ceil(wait.total_seconds()))


@given(st.lists(st.integers(1, 200), max_size=12))
def test_maximum_batches_are_seven_days_apart(hours):
    """A batch of 5000 goes through when the last one that did is 7 days old; smaller ones always do."""
    here, now, last = api_state(), START, None
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
    here = api_state()
    here.jobs.add(job(), 0)
    early, late = START + timedelta(minutes=29, seconds=59), START + timedelta(minutes=30)
    assert check(context(here, early, "postJob"), 1).status == 409
    assert check(context(here, early, "postJob", client="single"), 1) is None
    assert check(context(here, late, "postJob"), 1) is None


def test_what_is_observed_is_never_refused():
    """Without enforcement every breach is let through."""
    here = api_state("observe")
    here.jobs.add(job(), 0)
    assert check(context(here, START, "postJob"), 5000) is None
    assert check(context(here, START, "jobStatus", job()), 0) is None


def test_what_is_refused_is_not_remembered():
    """A refused poll does not begin a new interval."""
    here, one = api_state(), job()
    assert polled(here, START + timedelta(minutes=4), one) is not None
    assert polled(here, START + FORGIVEN, one) is None


def test_precedence_is_the_vendors_order():
    """Block, Chain, Wholesaler, Customer, and then CustomerContact."""
    kinds = ["customercontact", "customer", "wholesaler", "chain", "block"]
    assert sorted(kinds, key=lambda kind: precedence(job(entity=kind))) == kinds[::-1]
    assert RESOURCE_ORDER.keys() == API.contract.resources.keys()

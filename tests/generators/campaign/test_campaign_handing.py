"""Findings that a lease had no time to make small: the next one gets them, and never two at a time."""

from functools import partial

import pytest
from toy_campaign import kept

from contracts.document import load_bundled
from generators.campaign.corpus import Corpus
from generators.campaign.kept import from_json, to_json
from generators.campaign.leases import RESERVED, Job, Lease
from generators.campaign.leasing import run_lease
from generators.campaign.progress import Lines
from generators.campaign.running import Campaign
from generators.campaign.target import Place
from mockserver.model import sandbox_model
from mockserver.testing import running

SEEN = kept("a", tries=0, confirmed=0, small=False)
OTHER = kept("b", law="key", tries=0, confirmed=0, small=False)
JOB = Job(contract=load_bundled("onkey"), place=Place(url=""))


@pytest.fixture(autouse=True)
def nothing_at_the_end(monkeypatch):
    """Leave out what a campaign itself makes small when its leases are done."""
    monkeypatch.setattr(Campaign, "_make_small", lambda *_: None)


class Giving:
    """Takes leases as `plan` says: it gets the iterator of them, and what tells of events."""

    def __init__(self, plan):
        self.plan = plan

    def run(self, leases, emit, is_over):
        del is_over
        self.plan(leases, emit)

    def stop(self):
        """Let go of nothing."""


def run(plan, tmp_path, *, seconds=60.0):
    corpus = Corpus(folder=tmp_path)
    listener = Lines(lambda _: None)
    campaign = Campaign(
        job=JOB, executor=Giving(plan), listener=listener, seconds=seconds, corpus=corpus, schemas=False
    )
    return campaign.run()


def found(one, lease):
    return {"kind": "found", "lease": lease.name, "finding": to_json(one)}


def names(lease):
    return [one["fingerprint"] for one in lease.untried]


def test_what_a_lease_leaves_the_next_one_gets(tmp_path):
    """A finding goes on from lease to lease until one of them has tried it."""
    given = []

    def plan(leases, emit):
        first = next(leases)
        emit(found(SEEN, first))
        emit({"kind": "ended", "lease": first.name})
        second = next(leases)
        emit({"kind": "ended", "lease": second.name})
        third = next(leases)
        emit({"kind": "kept", "lease": third.name, "finding": to_json(kept("a"))})
        emit({"kind": "ended", "lease": third.name})
        given.extend(map(names, (first, second, third, next(leases))))

    run(plan, tmp_path)
    assert given == [[], [SEEN.fingerprint], [SEEN.fingerprint], []]


def test_no_two_leases_have_the_same_finding(tmp_path):
    """What a lease under way has found or was given is not given to another, until that one has ended or is lost."""
    given = []

    def plan(leases, emit):
        first, second = next(leases), next(leases)
        emit(found(SEEN, first))
        emit(found(OTHER, second))
        given.append(names(third := next(leases)))
        emit({"kind": "lost", "lease": first.name, "says": "its worker died."})
        given.append(names(fourth := next(leases)))
        given.append(names(next(leases)))
        emit({"kind": "ended", "lease": fourth.name})
        emit({"kind": "ended", "lease": third.name})
        given.append(names(next(leases)))

    run(plan, tmp_path)
    assert given == [[], [SEEN.fingerprint], [], [SEEN.fingerprint]]


def test_the_last_lease_keeps_more_of_its_time(tmp_path):
    """Nobody comes after it: what it finds late is made small by itself."""
    shares = []
    run(lambda leases, _: shares.append(next(leases).reserved), tmp_path / "short", seconds=15.0)
    run(lambda leases, _: shares.append(next(leases).reserved), tmp_path / "long", seconds=60.0)
    assert shares == [0.4, RESERVED]


def test_a_lease_tries_what_it_was_given():
    """A finding of another lease is made small by one that has not seen it itself."""
    with running("genero", mode="frozen") as bulkproof:
        bulkproof.bug("processed-over")
        job = Job(
            contract=load_bundled("genero"),
            place=Place(url=bulkproof.genero.url),
            make_model=partial(sandbox_model, "genero"),
        )
        seen, tried = [], []

        def first(event):
            if event["kind"] == "found":
                seen.append(event["finding"])

        def second(event):
            if event["kind"] == "kept":
                tried.append(from_json(event["finding"], where="a test"))

        run_lease(job, Lease(number=0, part="bulk", seconds=30.0), first, lambda: bool(seen))
        lease = Lease(number=1, part="bulk", seconds=30.0, untried=(seen[0],))
        name = seen[0]["fingerprint"]
        run_lease(job, lease, second, lambda: name in {one.fingerprint for one in tried})
    (small,) = [one for one in tried if one.fingerprint == name]
    assert seen[0]["tries"] == 0
    assert (small.confirmed, small.tries) == (3, 3)


def test_a_campaign_that_goes_on_begins_with_a_round_of_everything(tmp_path):
    """Seeds go on where the last campaign ended; what is done first is done again: the server may have changed."""
    given = []

    def plan(leases, emit):
        for lease in (next(leases), next(leases)):
            emit({"kind": "ended", "lease": lease.name})
            given.append((lease.number, lease.nth))

    run(plan, tmp_path)
    run(plan, tmp_path)
    assert given == [(0, 0), (1, 1), (2, 0), (3, 1)]

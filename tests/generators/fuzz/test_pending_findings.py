"""Findings that a shard had no time to make small: the next one gets them, and never two at a time."""

from functools import partial
from itertools import islice
from time import sleep

import pytest
from example_findings import kept

from contracts.openapi.loading import load_bundled
from generators.client.environments import TargetOptions
from generators.fuzz import executors
from generators.fuzz.coordinator import Campaign
from generators.fuzz.progress import PlainProgress
from generators.fuzz.shards import SHRINK_SHARE, CampaignConfig, Shard
from generators.fuzz.worker import run_shard
from generators.triage.corpus import Corpus
from mockserver.apis.reference_model import sandbox_model
from mockserver.testing import running

SEEN = kept("a", tries=0, confirmed=0, small=False)
OTHER = kept("b", law="key", tries=0, confirmed=0, small=False)
JOB = CampaignConfig(contract=load_bundled("onkey"), place=TargetOptions(url="http://127.0.0.1:1"))


@pytest.fixture(autouse=True)
def nothing_at_the_end(monkeypatch):
    """Leave out what a campaign itself makes small when its shards are done."""
    monkeypatch.setattr(Campaign, "_shrink_rest", lambda *_: None)


class Giving:
    """Takes shards as `plan` says: it gets the iterator of them, and what tells of events."""

    def __init__(self, plan):
        self.plan = plan

    def run(self, shards, emit, is_over):
        del is_over
        self.plan(shards, emit)

    def stop(self):
        """Let go of nothing."""


def run(plan, tmp_path, *, seconds=60.0):
    corpus = Corpus(folder=tmp_path)
    listener = PlainProgress(lambda _: None)
    campaign = Campaign(
        job=JOB, executor=Giving(plan), listener=listener, seconds=seconds, corpus=corpus, schemas=False
    )
    return campaign.run()


def found(one, shard):
    return {"kind": "found", "shard": shard.name, "finding": one}


def names(shard):
    return [one.fingerprint for one in shard.untried]


def test_what_a_shard_leaves_the_next_one_gets(tmp_path):
    """A finding goes on from shard to shard until one of them has tried it."""
    given = []

    def plan(shards, emit):
        first = next(shards)
        emit(found(SEEN, first))
        emit({"kind": "ended", "shard": first.name})
        second = next(shards)
        emit({"kind": "ended", "shard": second.name})
        third = next(shards)
        emit({"kind": "kept", "shard": third.name, "finding": kept("a")})
        emit({"kind": "ended", "shard": third.name})
        given.extend(map(names, (first, second, third, next(shards))))

    run(plan, tmp_path)
    assert given == [[], [SEEN.fingerprint], [SEEN.fingerprint], []]


def test_no_two_shards_have_the_same_finding(tmp_path):
    """What a shard under way has found or was given is not given to another, until that one has ended or is lost."""
    given = []

    def plan(shards, emit):
        first, second = next(shards), next(shards)
        emit(found(SEEN, first))
        emit(found(OTHER, second))
        given.append(names(third := next(shards)))
        emit({"kind": "lost", "shard": first.name, "says": "its worker died."})
        given.append(names(fourth := next(shards)))
        given.append(names(next(shards)))
        emit({"kind": "ended", "shard": fourth.name})
        emit({"kind": "ended", "shard": third.name})
        given.append(names(next(shards)))

    run(plan, tmp_path)
    assert given == [[], [SEEN.fingerprint], [], [SEEN.fingerprint]]


def test_the_last_shard_keeps_more_of_its_time(tmp_path):
    """Nobody comes after it: what it finds late is made small by itself."""
    shares = []
    run(lambda shards, _: shares.append(next(shards).reserved), tmp_path / "short", seconds=15.0)
    run(lambda shards, _: shares.append(next(shards).reserved), tmp_path / "long", seconds=60.0)
    assert shares == [0.4, SHRINK_SHARE]


@pytest.mark.slow
def test_a_shard_tries_what_it_was_given():
    """A finding of another shard is made small by one that has not seen it itself."""
    with running("genero", mode="frozen") as bulkproof:
        bulkproof.bug("processed-over")
        job = CampaignConfig(
            contract=load_bundled("genero"),
            place=TargetOptions(url=bulkproof.genero.url),
            model_factory=partial(sandbox_model, "genero"),
        )
        seen, tried = [], []

        def first(event):
            if event["kind"] == "found":
                seen.append(event["finding"])

        def second(event):
            if event["kind"] == "kept":
                tried.append(event["finding"])

        run_shard(job, Shard(number=0, part="bulk", seconds=30.0), first, lambda: bool(seen))
        shard = Shard(number=1, part="bulk", seconds=30.0, untried=(seen[0],))
        name = seen[0].fingerprint
        run_shard(job, shard, second, lambda: name in {one.fingerprint for one in tried})
    (small,) = [one for one in tried if one.fingerprint == name]
    assert seen[0].tries == 0
    assert (small.confirmed, small.tries) == (3, 3)


def test_a_campaign_that_goes_on_begins_with_a_round_of_everything(tmp_path):
    """Seeds go on where the last campaign ended; what is done first is done again: the server may have changed."""
    given = []

    def plan(shards, emit):
        for shard in (next(shards), next(shards)):
            emit({"kind": "ended", "shard": shard.name})
            given.append((shard.number, shard.ordinal))

    run(plan, tmp_path)
    run(plan, tmp_path)
    assert given == [(0, 0), (1, 1), (2, 0), (3, 1)]


@pytest.mark.parametrize(("shared", "order"), [(True, "bulk schemas! bulk bulk"), (False, "schemas bulk bulk bulk")])
def test_on_a_shared_server_schemathesis_takes_turns(shared, order, tmp_path, monkeypatch):
    """It runs beside the fuzzer where each has sandboxes; else after the fuzzer's first shard, and alone (!)."""
    monkeypatch.setattr(Campaign, "_tell_target", lambda _: shared)
    seen = []

    def plan(shards, emit):
        del emit
        seen.extend(islice(shards, 4))

    campaign = Campaign(
        job=JOB,
        executor=Giving(plan),
        listener=PlainProgress(lambda _: None),
        seconds=600.0,
        corpus=Corpus(folder=tmp_path),
    )
    campaign.run()
    assert " ".join(f"{one.part}{'!' if one.alone else ''}" for one in seen) == order
    assert all(one.seconds <= 60 for one in seen if one.alone)


def test_while_a_shard_runs_alone_no_other_does(monkeypatch):
    """The executor begins nothing beside it, and it begins when nothing else runs."""
    running, together = set(), []

    def run_one(job, shard, emit, is_over):
        del job, emit, is_over
        running.add(shard.name)
        sleep(0.05)
        together.append(frozenset(running))
        running.remove(shard.name)

    monkeypatch.setattr(executors, "run_shard", run_one)
    parts = (
        ("bulk", False),
        ("schemas", True),
        ("bulk", False),
        ("schemas", False),
        ("schemas", True),
        ("bulk", False),
    )
    shards = [Shard(number=n, part=part, seconds=1, alone=alone) for n, (part, alone) in enumerate(parts)]
    executors.LocalExecutor(JOB).run(shards, lambda _: None, lambda: False)
    alone = {one.name for one in shards if one.alone}
    assert all(len(names) == 1 for names in together if names & alone)
    assert sum(len(names & alone) for names in together) == 2

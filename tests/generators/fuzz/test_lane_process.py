"""Lanes in two processes: they play what two threads would, tell as one shard, and end with the campaign."""

import multiprocessing
import os
import signal
from dataclasses import replace
from types import SimpleNamespace
from typing import ClassVar

import pytest
from children import HANGS, eventually
from example_findings import kept

from contracts.openapi.loading import load_bundled
from generators.client.environments import TargetOptions
from generators.fuzz import lane_process, worker
from generators.fuzz.executors import LocalExecutor
from generators.fuzz.shards import CampaignConfig, Shard
from mockserver.testing import running

pytestmark = pytest.mark.slow

SURVEY = 30  # more requests than are sent to see what there is
SHARD = Shard(number=0, part="bulk", seconds=HANGS)


@pytest.fixture(scope="module")
def job():
    """Return a campaign against a sandbox that tells of more items processed than were posted."""
    with running("genero", mode="frozen") as bulkproof:
        bulkproof.bug("processed-over")
        place = TargetOptions(url=bulkproof.genero.url.removesuffix("/genero"))
        yield CampaignConfig(contract=load_bundled("genero"), place=place, seed=3, shrinks=False)


@pytest.fixture
def executor(job):
    """Return an executor with two processes, which are ended."""
    made = LocalExecutor(job, two_processes=True)
    yield made
    made.stop()


class Sent(worker.FuzzWorker):
    """A worker that notes what each lane sends, and ends after so many requests of one."""

    by_lane: ClassVar = {}

    def _count(self, thread, exchange, oracle):
        noted = self.by_lane.setdefault(thread, [])
        noted.append((exchange.request.method, exchange.request.path, exchange.request.body))
        if len(noted) >= 100:
            self.budget.seconds = 0.0
        super()._count(thread, exchange, oracle)


def sent_by(job, lanes, monkeypatch):
    monkeypatch.setattr(worker, "FuzzWorker", Sent)
    Sent.by_lane = {}
    shard = Shard(number=0, part="bulk", seconds=HANGS, lanes=lanes)
    worker.run_shard(job, shard, lambda _: None)
    return Sent.by_lane


def test_a_lane_that_is_played_alone_sends_what_it_sends_beside_others(job, monkeypatch):
    """Each has its own tasks, sandboxes and coverage."""
    every = sent_by(job, (), monkeypatch)
    for lane in range(worker.LANE_COUNT):
        alone = sent_by(job, (lane,), monkeypatch)
        assert sum(len(sent) for other, sent in alone.items() if other != lane) < SURVEY
        common = min(len(alone[lane]), len(every[lane]))
        assert common > 10
        assert alone[lane][:common] == every[lane][:common]


def test_both_processes_tell_of_one_shard(executor):
    """A finding is told once, and the shard ends when the lanes of both have ended."""
    events, senders = [], set()
    forward = executor._beside._take  # noqa: SLF001 - see below

    def take(event, emit):
        senders.add(event["kind"])
        forward(event, emit)

    executor._beside._take = take  # noqa: SLF001 - it is the other process that is heard
    executor.run([SHARD], events.append, lambda: senders and any(one["kind"] == "found" for one in events))
    found = [one["finding"].fingerprint for one in events if one["kind"] == "found"]
    assert found
    assert len(found) == len(set(found))
    assert [one for one in events if one["kind"] == "ended"] == [{"kind": "ended", "shard": "bulk-000000"}]


def test_the_other_process_hears_of_findings_that_wait_from_the_begin(executor):
    """They are replayed in this one; until then it looks for nothing that may be in the way, and it tells of none."""
    beside, told = executor._beside, []  # noqa: SLF001 - what is sent to the other process is looked at
    pipe = beside._connection  # noqa: SLF001 - see above
    noting = SimpleNamespace(send=lambda message: told.append(message) or pipe.send(message), recv=pipe.recv)
    beside._connection = noting  # noqa: SLF001 - see above
    shard = replace(SHARD, untried=(kept("a", tries=0),))
    executor.run([shard], lambda _: None, lambda: ("found", shard.untried[0].fingerprint) in told)
    (sent,) = [value for word, value in told if word == "shard"]
    assert sent.untried == ()


def test_the_other_process_ends_with_the_campaign(executor):
    """It is told to, and gets no second shard."""
    (other,) = multiprocessing.active_children()
    executor.run([SHARD], lambda _: None, lambda: True)
    executor.stop()
    assert eventually(lambda: not other.is_alive())


def test_a_campaign_goes_on_without_its_second_process(executor):
    """It is told once that it died; later shards are played here."""
    (other,), events = multiprocessing.active_children(), []
    is_dead = lambda: any(one["kind"] == "message" for one in events)  # noqa: E731 - as short as its name
    os.kill(other.pid, signal.SIGKILL)
    executor.run([SHARD], events.append, lambda: is_dead() and any(one["kind"] == "found" for one in events))
    executor.run([Shard(number=1, part="bulk", seconds=HANGS)], events.append, lambda: events[-1]["kind"] == "progress")
    assert [one["says"] for one in events if one["kind"] == "message"] == [lane_process.DIED]
    assert [one["shard"] for one in events if one["kind"] == "ended"] == ["bulk-000000", "bulk-000001"]


def test_a_server_that_is_gone_ends_both(job):
    """It is told as by one process."""
    with running("genero", mode="frozen") as bulkproof:
        place = TargetOptions(url=bulkproof.genero.url.removesuffix("/genero"))
    executor = LocalExecutor(CampaignConfig(contract=job.contract, place=place), two_processes=True)
    try:
        with pytest.raises(Exception, match=r"refused|stopped responding"):
            executor.run([SHARD], lambda _: None, lambda: False)
    finally:
        executor.stop()

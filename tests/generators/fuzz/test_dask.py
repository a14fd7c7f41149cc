"""Shards on Dask: the same campaign on worker processes; one that dies costs its shard, and nothing outlives it."""

import os
import signal
import subprocess

import orjson
import pytest
from children import HANGS, eventually, module
from distributed import Client, LocalCluster

from contracts.errors import MisuseError
from generators.client.environments import TargetOptions
from generators.client.http import NoAnswerError
from generators.fuzz import executors
from generators.fuzz.coordinator import Campaign
from generators.fuzz.executors import DaskExecutor, LocalExecutor
from generators.fuzz.shards import CampaignConfig, Shard
from generators.triage.corpus import Corpus
from generators.triage.stored_finding import to_json
from mockserver.apis.sources import find_sources
from mockserver.testing import running

pytestmark = pytest.mark.slow

CONTRACT = find_sources(("genero",))[0].load().contract
BUDGET = 200.0  # its shards take a tenth of it, and the campaign ends with the first


@pytest.fixture(scope="module")
def url():
    """Return the URL of a sandbox that tells of more items processed than were posted."""
    with running("genero", mode="frozen") as bulkproof:
        bulkproof.bug("processed-over")
        yield bulkproof.genero.url.removesuffix("/genero")


@pytest.fixture(scope="module")
def cluster():
    """Return a scheduler with two worker processes that somebody else has started."""
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=50) as started:
        yield started


def job_at(url):
    return CampaignConfig(contract=CONTRACT, place=TargetOptions(url=url), seed=3, shrinks=False)


def shard(number, seconds=HANGS):
    return Shard(number=number, part="bulk", seconds=seconds)


class Listener:
    """Hears how a campaign goes, and does something at the first finding."""

    def __init__(self, at_first=lambda: None):
        self.marks, self.at_first = [], at_first

    def began(self, state):
        pass

    def found(self, kept, folder):
        del folder
        self.marks.append(kept.fingerprint)
        if len(self.marks) == 1:
            self.at_first()

    def confirmed(self, kept, folder):
        pass

    def progressed(self, state):
        pass

    def message(self, says):
        pass


class Repeating:
    """An executor whose shards tell what was told before, each thing twice."""

    def __init__(self, events):
        self.events = events

    def run(self, shards, emit, is_over):
        del shards, is_over
        for event in [*self.events, *self.events]:
            emit(event)

    def stop(self):
        pass


def is_alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def first_findings(executor, *rounds):
    """Return what each shard of some rounds finds first, as bytes, but for how long that took."""
    first = {}

    def hear(event):
        if event["kind"] == "found":
            first.setdefault(event["shard"], orjson.dumps({**to_json(event["finding"]), "seconds": None}))

    try:
        for shards in rounds:
            names = {one.name for one in shards}
            executor.run(shards, hear, lambda names=names: names <= first.keys())
    finally:
        executor.stop()
    return first


def test_the_same_seed_plays_the_same_shards_here_and_on_workers(url, cluster):
    """What a shard finds first, and the calls that led there, do not depend on where it is done."""
    here = first_findings(LocalExecutor(job_at(url)), [shard(0)], [shard(1)])
    there = first_findings(DaskExecutor(job_at(url), address=cluster.scheduler_address), [shard(0), shard(1)])
    assert set(here) == {"bulk-000000", "bulk-000001"}
    assert there == here


def test_a_scheduler_of_others_is_left_as_it_was(url, cluster):
    """A campaign that ends early calls its shards back at once, and neither scheduler nor workers end with it."""
    executor, heard = DaskExecutor(job_at(url), address=cluster.scheduler_address), []
    try:
        executor.run([shard(0), shard(1)], heard.append, lambda: bool(heard))
    finally:
        executor.stop()
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        busy = eventually(lambda: not any(client.run(lambda dask_worker: len(dask_worker.state.executing)).values()))
        assert busy
        assert len(client.nthreads()) == 2


class EndingExecutor(DaskExecutor):
    """Ends a campaign as soon as `done` says so, however long that takes."""

    def done(self):
        return False

    def run(self, shards, hear, is_over):
        super().run(shards, hear, lambda: is_over() or self.done())


def test_a_killed_worker_costs_its_shard_only(url, tmp_path):
    """What was found stays, the campaign goes on with a new worker, and no process is left."""
    executor = EndingExecutor(job_at(url), workers=2)
    pids = list(executor.client.run(os.getpid).values())
    listener = Listener(at_first=lambda: os.kill(pids[0], signal.SIGKILL))
    campaign = Campaign(
        job=job_at(url),
        executor=executor,
        listener=listener,
        seconds=BUDGET,
        corpus=Corpus(folder=tmp_path),
        schemas=False,
    )
    replaced = []
    executor.done = lambda: campaign.state.lost and replaced and campaign.state.shards
    listener.progressed = lambda _: replaced.extend(_pids(executor) - set(pids)) if not replaced else None
    state = campaign.run()
    assert len(state.lost) == 1
    assert state.shards
    assert listener.marks
    assert {one.fingerprint for one in Corpus(folder=tmp_path).findings(pytest.fail)} == set(listener.marks)
    assert replaced
    assert eventually(lambda: not any(map(is_alive, {*pids, *replaced})))


def _pids(executor):
    return set(executor.client.run(os.getpid).values())


def test_a_finding_of_two_workers_is_told_once(url):
    """Two shards that find the same tell of one finding."""
    events = []
    LocalExecutor(job_at(url)).run([shard(0)], events.append, lambda: any(one["kind"] == "found" for one in events))
    found = [event["finding"].fingerprint for event in events if event["kind"] == "found"]
    listener = Listener()
    Campaign(job=job_at(url), executor=Repeating(events), listener=listener, seconds=5.0, schemas=False).run()
    assert found
    assert listener.marks == list(dict.fromkeys(found))


def test_a_shard_that_cannot_go_on_ends_the_campaign(cluster):
    """A server that does not answer is told as it would be here, and not once for every shard that there might be."""
    executor = DaskExecutor(job_at("http://127.0.0.1:1"), address=cluster.scheduler_address)
    try:
        with pytest.raises(NoAnswerError, match="refused"):
            executor.run(map(shard, range(1000)), lambda _: None, lambda: False)
    finally:
        executor.stop()


def test_a_scheduler_that_is_not_there_is_told_in_a_sentence(monkeypatch):
    """Nothing answers at the address, or it is none."""
    monkeypatch.setattr(executors, "CONNECT_TIMEOUT", 0.3)
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(MisuseError, match="no scheduler responds"):
            DaskExecutor(job_at("http://127.0.0.1:1"), address=address)


def test_a_scheduler_without_workers_is_told_in_a_sentence(monkeypatch):
    """Shards would wait for ever."""
    monkeypatch.setattr(executors, "CONNECT_TIMEOUT", 0.3)
    words = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
    with module("distributed.cli.dask_scheduler", *words, stderr=subprocess.PIPE) as scheduler:
        address = next(line.split()[-1] for line in scheduler.stderr if "Scheduler at:" in line)
        with pytest.raises(MisuseError, match="no workers"):
            DaskExecutor(job_at("http://127.0.0.1:1"), address=address)


def test_without_dask_several_workers_are_misuse(monkeypatch):
    """It is said what to install."""
    monkeypatch.setattr(executors, "find_spec", lambda _: None)
    with pytest.raises(MisuseError, match="not installed") as told:
        DaskExecutor(job_at("http://127.0.0.1:1"), workers=2)
    assert told.value.cure == executors.INSTALL_HINT

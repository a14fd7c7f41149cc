"""Leases on Dask: the same campaign on worker processes; one that dies costs its lease, and nothing outlives it."""

import os
import signal

import orjson
import pytest
from children import HANGS, eventually
from distributed import Client, LocalCluster

from contracts.errors import MisuseError
from generators.caller import NoAnswerError
from generators.campaign.corpus import Corpus
from generators.campaign.leases import Job, Lease
from generators.campaign.running import Campaign
from generators.campaign.target import Place
from generators.scale import InProcess, dask
from generators.scale.dask import OnDask
from mockserver.sources import find_sources
from mockserver.testing import running

pytestmark = pytest.mark.slow

CONTRACT = find_sources(("genero",))[0].load().contract
BUDGET = 10.0


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
    return Job(contract=CONTRACT, place=Place(url=url), seed=3, shrinks=False)


def lease(number, seconds=HANGS):
    return Lease(number=number, part="bulk", seconds=seconds)


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

    def told(self, says):
        pass


class Repeating:
    """An executor whose leases tell what was told before, each thing twice."""

    def __init__(self, events):
        self.events = events

    def run(self, leases, emit, is_over):
        del leases, is_over
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
    """Return what each lease of some rounds finds first, as bytes, but for how long that took."""
    first = {}

    def hear(event):
        if event["kind"] == "found":
            first.setdefault(event["lease"], orjson.dumps({**event["finding"], "seconds": None}))

    try:
        for leases in rounds:
            names = {one.name for one in leases}
            executor.run(leases, hear, lambda names=names: names <= first.keys())
    finally:
        executor.stop()
    return first


def test_the_same_seed_plays_the_same_leases_here_and_on_workers(url, cluster):
    """What a lease finds first, and the calls that led there, do not depend on where it is done."""
    here = first_findings(InProcess(job_at(url)), [lease(0)], [lease(1)])
    there = first_findings(OnDask(job_at(url), address=cluster.scheduler_address), [lease(0), lease(1)])
    assert set(here) == {"bulk-000000", "bulk-000001"}
    assert there == here


def test_a_scheduler_of_others_is_left_as_it_was(url, cluster):
    """A campaign that ends early calls its leases back at once, and neither scheduler nor workers end with it."""
    executor, heard = OnDask(job_at(url), address=cluster.scheduler_address), []
    try:
        executor.run([lease(0), lease(1)], heard.append, lambda: bool(heard))
    finally:
        executor.stop()
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        busy = eventually(lambda: not any(client.run(lambda dask_worker: len(dask_worker.state.executing)).values()))
        assert busy
        assert len(client.nthreads()) == 2


def test_a_killed_worker_costs_its_lease_only(url, tmp_path):
    """What was found stays, the campaign goes on with a new worker and ends in its time, and no process is left."""
    executor = OnDask(job_at(url), workers=2)
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
    listener.progressed = lambda _: replaced.extend(_pids(executor) - set(pids)) if not replaced else None
    state = campaign.run()
    assert len(state.lost) == 1
    assert state.leases >= 2
    assert listener.marks
    assert {one.fingerprint for one in Corpus(folder=tmp_path).findings(pytest.fail)} == set(listener.marks)
    assert replaced
    assert eventually(lambda: not any(map(is_alive, {*pids, *replaced})))


def _pids(executor):
    return set(executor.client.run(os.getpid).values())


def test_a_finding_of_two_workers_is_told_once(url):
    """Two leases that find the same tell of one finding."""
    events = []
    InProcess(job_at(url)).run([lease(0)], events.append, lambda: any(one["kind"] == "found" for one in events))
    found = [event["finding"]["fingerprint"] for event in events if event["kind"] == "found"]
    listener = Listener()
    Campaign(job=job_at(url), executor=Repeating(events), listener=listener, seconds=5.0, schemas=False).run()
    assert found
    assert listener.marks == list(dict.fromkeys(found))


def test_a_lease_that_cannot_go_on_ends_the_campaign(cluster):
    """A server that does not answer is told as it would be here, and not once for every lease that there might be."""
    executor = OnDask(job_at("http://127.0.0.1:1"), address=cluster.scheduler_address)
    try:
        with pytest.raises(NoAnswerError, match="refused"):
            executor.run(map(lease, range(1000)), lambda _: None, lambda: False)
    finally:
        executor.stop()


def test_a_scheduler_that_is_not_there_is_told_in_a_sentence(monkeypatch):
    """Nothing answers at the address, or it is none."""
    monkeypatch.setattr(dask, "REACHING", 0.3)
    for address in ("tcp://127.0.0.1:1", "nonsense"):
        with pytest.raises(MisuseError, match="no scheduler responds"):
            OnDask(job_at("http://127.0.0.1:1"), address=address)


def test_a_scheduler_without_workers_is_told_in_a_sentence(monkeypatch):
    """Leases would wait for ever."""
    monkeypatch.setattr(dask, "REACHING", 0.3)
    with (
        LocalCluster(n_workers=0, processes=False, dashboard_address="127.0.0.1:0") as empty,
        pytest.raises(MisuseError, match="no workers"),
    ):
        OnDask(job_at("http://127.0.0.1:1"), address=empty.scheduler_address)


def test_without_dask_several_workers_are_misuse(monkeypatch):
    """It is said what to install."""
    monkeypatch.setattr(dask, "find_spec", lambda _: None)
    with pytest.raises(MisuseError, match="not installed") as told:
        OnDask(job_at("http://127.0.0.1:1"), workers=2)
    assert told.value.cure == dask.CURE

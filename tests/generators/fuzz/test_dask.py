"""Shards on Dask: the same campaign on worker processes; one that dies costs its shard, and nothing outlives it."""

import os
import pickle
import signal
import subprocess
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

import orjson
import pytest
from children import HANGS, eventually, module

from contracts.errors import MisuseError
from contracts.openapi.loading import bundled_path
from generators.client.environments import TargetOptions
from generators.client.http import NoAnswerError
from generators.fuzz import executors, shards
from generators.fuzz.coordinator import Campaign
from generators.fuzz.executors import DaskExecutor, LocalExecutor
from generators.fuzz.shards import CampaignConfig, Shard
from generators.triage.corpus import Corpus
from generators.triage.stored_finding import to_json
from mockserver.apis.reference_model import SandboxModel, sandbox_model
from mockserver.apis.sources import find_sources
from mockserver.testing import running

pytestmark = pytest.mark.slow

CONTRACT_ONLY = Path(__file__).parents[2] / "cases" / "contract_only"
CONTRACT = find_sources(("genero",))[0].load().contract
BUDGET = 100.0  # far more than a campaign needs that ends as soon as it has shown what it is to show


@pytest.fixture(scope="module")
def url():
    """Return the URL of a sandbox that tells of more items processed than were posted."""
    with running("genero", mode="frozen") as bulkproof:
        bulkproof.bug("processed-over")
        yield bulkproof.genero.url.removesuffix("/genero")


@pytest.fixture(scope="module")
def cluster():
    """Return a scheduler with two worker processes that somebody else has started."""
    with started_cluster(n_workers=2, threads_per_worker=1) as started:
        yield started


def started_cluster(**options):
    """Return a cluster that ends with its context."""
    from distributed import LocalCluster  # noqa: PLC0415 - half a second, also of processes that run other tests

    return LocalCluster(dashboard_address="127.0.0.1:0", silence_logs=50, **options)


@pytest.fixture
def _short_shards(monkeypatch):
    """Divide a campaign of any length into shards of two seconds."""
    for name in ("MIN_SHARD_SECONDS", "MAX_SHARD_SECONDS"):
        monkeypatch.setattr(shards, name, 2.0)


def job_at(url):
    return CampaignConfig(contract=CONTRACT, place=TargetOptions(url=url), seed=3, shrinks=False)


def shard(number, seconds=HANGS, lanes=()):
    return Shard(number=number, part="bulk", seconds=seconds, lanes=lanes)


class Listener:
    """Hears how a campaign goes, and does something at the first finding."""

    def __init__(self, at_first=lambda: None):
        self.marks, self.messages, self.at_first = [], [], at_first

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
        self.messages.append(says)


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
        for some in rounds:
            names = {one.name for one in some}
            executor.run(some, hear, lambda names=names: names <= first.keys())
    finally:
        executor.stop()
    return first


def test_the_same_seed_plays_the_same_shards_here_and_on_workers(url, cluster):
    """What a lane of a shard finds first, and the calls that led there, do not depend on where it is done."""
    shards = [shard(0, lanes=(0,)), shard(1, lanes=(1,))]
    here = first_findings(LocalExecutor(job_at(url)), *([one] for one in shards))
    there = first_findings(DaskExecutor(job_at(url), address=cluster.scheduler_address), shards)
    assert set(here) == {"bulk-000000", "bulk-000001"}
    assert there == here


def test_a_scheduler_of_others_is_left_as_it_was(url, cluster):
    """A campaign that ends early calls its shards back at once, and neither scheduler nor workers end with it."""
    executor, heard = DaskExecutor(job_at(url), address=cluster.scheduler_address), []
    try:
        executor.run([shard(0), shard(1)], heard.append, lambda: bool(heard))
    finally:
        executor.stop()
    with cluster.get_client() as client:
        busy = eventually(lambda: not any(client.run(lambda dask_worker: len(dask_worker.state.executing)).values()))
        assert busy
        assert len(client.nthreads()) == 2


class EndingExecutor(DaskExecutor):
    """Ends a campaign as soon as `done` says so, however long that takes."""

    def done(self):
        return False

    def run(self, shards, hear, is_over):
        super().run(shards, hear, lambda: is_over() or self.done())


class RecordingExecutor(EndingExecutor):
    """Keeps the shards that it was given."""

    def __init__(self, *given, **more):
        super().__init__(*given, **more)
        self.shards = []

    def run(self, shards, hear, is_over):
        super().run((self.shards.append(one) or one for one in shards), hear, is_over)


@pytest.mark.usefixtures("_short_shards")
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
    """Return the processes of the workers, but for one that is just dying."""
    return {one for one in executor.client.run(os.getpid, on_error="return").values() if isinstance(one, int)}


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


@pytest.mark.usefixtures("_short_shards")
def test_a_worker_that_cannot_run_shards_is_put_aside(url, cluster, tmp_path, monkeypatch):
    """One does not find the API's file: the campaign goes on with the other, and what was lost is run again."""
    (tmp_path / "api.yaml").write_text(bundled_path("genero").read_text())
    monkeypatch.chdir(tmp_path)
    job = replace(job_at(url), model_factory=partial(sandbox_model, "api.yaml"))
    executor = RecordingExecutor(job, address=cluster.scheduler_address)
    unfit, fit = list(executor.client.nthreads())  # the first shard is for the first
    executor.client.run(os.chdir, str(tmp_path), workers=[fit])
    listener = Listener()
    campaign = Campaign(job=job, executor=executor, listener=listener, seconds=BUDGET, schemas=False)

    def ordinals(*, is_lost):
        return {one.ordinal for one in executor.shards if (one.name in campaign.state.lost) == is_lost}

    executor.done = lambda: (
        campaign.state.findings and ordinals(is_lost=True) and ordinals(is_lost=True) <= ordinals(is_lost=False)
    )
    campaign.run()
    says = f"{unfit} is put aside: MisuseError: api.yaml: there is no such file"
    assert any(says in one for one in listener.messages)
    assert not any(fit in one for one in listener.messages)
    assert ordinals(is_lost=True) == {0} <= ordinals(is_lost=False)


def test_a_worker_with_another_version_is_put_aside(url, tmp_path):
    """It is named with its version; a scheduler with no other worker is refused."""
    folder = tmp_path / "bulkproof-9.9.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: bulkproof\nVersion: 9.9\n")
    says = rf"it has Bulkproof 9\.9; this is {version('bulkproof')}"
    words = ("--no-nanny", "--host", "127.0.0.1", "--no-dashboard", "--nthreads", "1")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    with (
        started_cluster(n_workers=0) as started,
        module("distributed.cli.dask_worker", started.scheduler_address, *words, env=environment),
    ):
        started.wait_for_workers(1)
        with pytest.raises(MisuseError, match=says):
            DaskExecutor(job_at(url), address=started.scheduler_address)
        started.scale(1)
        started.wait_for_workers(2)
        executor, events = DaskExecutor(job_at(url), address=started.scheduler_address), []
        try:
            executor.run([shard(0)], events.append, lambda: any(one["kind"] == "found" for one in events))
        finally:
            executor.stop()
        assert [one["says"] for one in events if one["kind"] == "message" and "Bulkproof 9.9" in one["says"]]
        assert any(one["kind"] == "found" for one in events)


@pytest.mark.parametrize("name", ["genero", "onkey", str(CONTRACT_ONLY / "books.yaml")])
def test_an_api_travels_with_the_work(name):
    """A worker needs no file of its own: what a process gets is the whole API."""
    job = replace(job_at("http://127.0.0.1:1"), model_factory=partial(SandboxModel, find_sources((name,))[0].load()))
    model = pickle.loads(pickle.dumps(job)).model_factory()  # noqa: S301 - made in this test
    assert model.api.contract.operations


def test_the_threads_of_a_worker_are_counted_and_share_the_rate(url):
    """A worker with four threads has four shards, each with a quarter of the rate."""
    with started_cluster(n_workers=1, threads_per_worker=4, processes=False) as started:
        job = replace(job_at(url), place=TargetOptions(url=url, rate=100.0))
        executor, given = DaskExecutor(job, address=started.scheduler_address), []
        submit = executor.client.submit
        executor.client.submit = lambda work, *more, **options: given.append(more[0]) or submit(work, *more, **options)
        try:
            executor.run(map(shard, range(9)), lambda _: None, lambda: bool(given))
        finally:
            executor.stop()
        assert [one.place.rate for one in given] == [25.0] * 4


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

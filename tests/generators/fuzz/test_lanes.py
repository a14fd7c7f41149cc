"""Lanes: what did not show while others played beside it is tried again by one alone."""

from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from children import HANGS
from example_findings import kept

from contracts.bulk.jobs import ActiveJobs
from contracts.openapi.loading import load_bundled
from generators.client.environments import Environment, TargetOptions, open_target
from generators.fuzz import worker
from generators.fuzz.lane_process import HERE as FIRST
from generators.fuzz.lane_process import THERE as SECOND
from generators.fuzz.shards import ENVIRONMENTS_PER_SHARD, CampaignConfig, Shard, first_environment
from generators.fuzz.tasks import own_tasks

NOW = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = kept("a", law="model", confirmed=0, tries=3)
SEEN = kept("a", law="model", confirmed=0, tries=0, small=False)
SHOWN = kept("a", law="model")


class Shared:
    """A server that everybody shares."""

    controlled = False

    def fresh(self, purpose):
        """Return an environment that nobody sends to."""
        del purpose
        return Environment(
            client=SimpleNamespace(controlled=False, advance=lambda _: None, now=lambda: NOW), name_prefix="00000"
        )


JOB = CampaignConfig(contract=load_bundled("onkey"), place=TargetOptions(url="http://127.0.0.1:1"))
HERE, THERE = (Shard(number=0, part="bulk", seconds=60.0, lanes=lanes) for lanes in (FIRST, SECOND))


def worker_of(shard, told, **job):
    """Return the worker of a shard on a server that everybody shares; it tells what happens in a list."""
    return worker.FuzzWorker(replace(JOB, **job), shard, Shared(), told.append, lambda: False)


@pytest.fixture
def shard(monkeypatch):
    """Return a shard with a finding that waits, what is told of it, and what comes of trying it, one after another."""
    came, told = [], []
    monkeypatch.setattr(worker.Triager, "confirm", lambda *_: came.pop(0))
    made = worker_of(Shard(number=0, part="bulk", seconds=60.0), told)
    made.waiting = [SEEN]
    return made, told, came


@pytest.mark.parametrize("breach", [409, "conduct"])
def test_where_only_so_many_jobs_may_run_one_environment_is_used_from_the_beginning(breach):
    """The jobs of others would have its requests refused; where they are not refused, all are used."""
    posting = next(one for one in JOB.contract.operations if one.bulk)
    job = replace(posting.bulk.job, active=ActiveJobs(max=1, breach=breach))
    limited = replace(posting, bulk=replace(posting.bulk, job=job))
    made = worker_of(HERE, [], contract=replace(JOB.contract, operations=(limited,)))
    assert made.is_alone is (breach == 409)


def of_findings(told):
    return [one["finding"].confirmed for one in told if one["kind"] == "kept"]


def test_a_finding_that_does_not_show_is_tried_again_by_one_lane_alone(shard):
    """The lane that tried it stops, as all others do but the first, which tries it as it was seen."""
    made, told, came = shard
    came += [NEVER, SHOWN]
    made.shrink_waiting(3)
    assert (of_findings(told), made.waiting) == ([], [SEEN])
    assert [made.is_idle(lane) for lane in (0, 1, 3)] == [False, True, True]
    made.shrink_waiting(0)
    assert (of_findings(told), made.waiting) == ([3], [])


def test_one_that_does_not_show_then_either_is_told_so(shard):
    """Nobody was in its way: it is flaky."""
    made, told, came = shard
    came += [NEVER, NEVER]
    made.shrink_waiting(0)
    assert (of_findings(told), came) == ([0], [])


def test_a_flaky_finding_that_is_seen_again_is_tried_anew(shard):
    """Some more times, in what was done when it was seen again; never when it has shown again before."""
    made, _, _ = shard
    assert [made.is_worth_retrying(NEVER) for _ in range(4)] == [True, True, True, False]
    assert not made.is_worth_retrying(SHOWN)
    assert not made.is_worth_retrying(SEEN)


def test_two_processes_share_no_names():
    """Each has half of the name prefixes of a shard."""
    first, second = (first_environment(JOB, one) for one in (HERE, THERE))
    assert second - first == ENVIRONMENTS_PER_SHARD // 2


def test_when_one_goes_on_alone_the_second_process_leaves_its_findings_to_the_first():
    """Whichever of them has seen that they are in each other's way."""
    told = []
    here, there = worker_of(HERE, told), worker_of(THERE, told)
    there.waiting = [SEEN]
    there._count_conflicts(worker.MAX_CONFLICTS)  # noqa: SLF001 - as so many answers do
    there._run_tasks(iter(()), None, 0)  # noqa: SLF001 - what a thread runs
    assert [one["kind"] for one in told] == ["alone", "handed"]
    assert (there.waiting, here.is_idle(0), here.is_idle(1)) == ([], False, False)
    here.beside.hear("alone")
    assert (here.is_idle(0), here.is_idle(1)) == (False, True)
    here.beside.hear("shard")
    assert not here.is_idle(1)


@pytest.mark.parametrize("stops_at_first", [False, True])
def test_while_a_finding_waits_nothing_is_looked_for_if_it_may_be_the_end(stops_at_first):
    """Whichever process has found it."""
    here = worker_of(HERE, [], stops_at_first=stops_at_first)
    here.beside.hear("found", "a")
    assert here.is_paused() is stops_at_first
    here.beside.hear("kept", "a")
    assert not here.is_paused()
    here.waiting = [SEEN]
    assert here.is_paused() is stops_at_first


def test_two_processes_share_the_tasks_and_one_alone_has_all_that_are_left():
    """What the other one would have done is not left out."""
    here, there = worker_of(HERE, []), worker_of(THERE, [])
    mine, theirs = (own_tasks(enumerate("abcdef"), one.shard, lambda one=one: one.is_alone) for one in (here, there))
    assert ([next(mine), next(mine)], next(theirs)) == ([(0, "a"), (2, "c")], (1, "b"))
    here.beside.hear("alone")
    assert list(mine) == [(3, "d"), (4, "e"), (5, "f")]


class Seeing(worker.FuzzWorker):
    """A worker whose first task sees something, and then would send a request."""

    def _run_task(self, task, targets, n, thread):
        del targets
        self.waiting = [] if ran else [SEEN]
        ran.append(task)
        self._task_run("play", n, thread=thread).session.advance(timedelta(seconds=0.001))


ran = []


@pytest.mark.parametrize(("stops_at_first", "order"), [(False, ["one", "two"]), (True, ["one", "one", "two"])])
def test_a_task_that_a_finding_interrupts_is_run_again(stops_at_first, order, monkeypatch):
    """Its requests would be in the way of the replays; once they are over, it begins anew."""
    ran.clear()
    monkeypatch.setattr(worker.Triager, "confirm", lambda *_: SHOWN)
    made = Seeing(replace(JOB, stops_at_first=stops_at_first), HERE, Shared(), [].append, lambda: False)
    with pytest.raises(StopIteration):
        made._run_tasks(iter([(1, "one"), (2, "two")]), None, 0)  # noqa: SLF001 - what a thread runs
    assert ran == order


@pytest.mark.parametrize(("stops_at_first", "tried"), [(False, []), (True, [3])])
def test_nobody_idles_while_a_finding_waits(stops_at_first, tried, monkeypatch):
    """What has taken its share of the time waits for others in a sandbox, unless nothing else is done meanwhile."""
    told = []
    monkeypatch.setattr(worker.Triager, "confirm", lambda *_: SHOWN)
    made = worker_of(HERE, told, stops_at_first=stops_at_first)
    made.target.controlled, made.waiting, made.shrink_seconds = True, [SEEN], 30.0
    made.shrink_waiting(0)
    assert of_findings(told) == tried


class Noted(worker.FuzzWorker):
    """A worker that notes what each lane sends, and ends after so many requests."""

    def _count(self, thread, exchange, oracle):
        sent.setdefault(thread, []).append((exchange.request.method, exchange.request.path, exchange.request.body))
        if sum(map(len, sent.values())) >= 400:
            self.budget.seconds = 0.0
        super()._count(thread, exchange, oracle)


sent = {}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["genero", "onkey"])
def test_what_each_lane_sends_to_its_sandbox_depends_on_the_seed_alone(name, serving):
    """Whichever lane is faster, each plays its own tasks, and steers by what it has covered itself."""
    place, told = TargetOptions(url=serving(name).running.url), []
    for _ in range(2):
        sent.clear()
        job = CampaignConfig(contract=load_bundled(name), place=place, seed=3, shrinks=False)
        with closing(open_target(job.contract, place, "lanes")) as target:
            Noted(job, Shard(number=0, part="bulk", seconds=HANGS), target, [].append, lambda: False).run()
        told.append({lane: list(some) for lane, some in sent.items()})
    one, other = told
    assert len(one) == len(other) == worker.LANE_COUNT
    for lane, some in one.items():
        common = min(len(some), len(other[lane]))
        assert common > 10
        assert some[:common] == other[lane][:common]

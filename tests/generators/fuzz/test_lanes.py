"""Lanes: what did not show while others played beside it is tried again by one alone."""

from contextlib import closing

import pytest
from children import HANGS
from example_findings import kept

from contracts.openapi.loading import load_bundled
from generators.client.environments import TargetOptions, open_target
from generators.fuzz import worker
from generators.fuzz.shards import CampaignConfig, Shard

NEVER = kept("a", law="model", confirmed=0, tries=3)
SEEN = kept("a", law="model", confirmed=0, tries=0, small=False)
SHOWN = kept("a", law="model")


class Shared:
    """A server that everybody shares."""

    controlled = False


@pytest.fixture
def shard(monkeypatch):
    """Return a shard with a finding that waits, what is told of it, and what comes of trying it, one after another."""
    came, told = [], []
    monkeypatch.setattr(worker.Triager, "confirm", lambda *_: came.pop(0))
    job = CampaignConfig(contract=load_bundled("onkey"), place=TargetOptions(url="http://127.0.0.1:1"))
    made = worker.FuzzWorker(job, Shard(number=0, part="bulk", seconds=60.0), Shared(), told.append, lambda: False)
    made.waiting = [SEEN]
    return made, told, came


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

"""A finding of an experiment counts as reproduced when what it is about shows again, not when the rest does."""

from dataclasses import replace
from functools import partial

import pytest
from events_server import CONTRACT, RARE, serving

from generators.check.laws.catalogue import LAWS
from generators.check.laws.metamorphic import run_at_site
from generators.client.environments import TargetOptions, open_target
from generators.client.session import Budget
from generators.fuzz.shards import TaskRun
from generators.fuzz.tasks import with_repeats
from generators.oracles.oracle import OracleFactory
from generators.triage.confirm import Triager

EXPERIMENT = next(one.experiment for one in LAWS if one.name == "isolated")


def found(url, target):
    """Return the first that the experiment finds on the server, confirmed; as a list."""
    seen = []
    factory = OracleFactory(contract=CONTRACT)
    run = task_run(target, 1, seen.append)
    for finding in run_at_site(run.session, CONTRACT.operation("bulkCreate"), EXPERIMENT):
        run.report(finding, judged="signs")
        break
    triager = Triager(oracle_factory=factory, target=target, shrink_seconds=2.0)
    return [triager.confirm(triager.store(one, seconds=0.0, seed=1, url=url)) for one in seen[-1:]]


@pytest.mark.slow
def test_what_comes_again_is_confirmed():
    """A server that spoils the neighbours of each refused item does so in each replay."""
    with serving("hasty") as (url, _):
        target = open_target(CONTRACT, TargetOptions(url=url), "t")
        kept = found(url, target)
        target.close()
    assert [(one.shape, one.confirmed, one.tries) for one in kept] == [("state after create differs at /price", 3, 3)]


@pytest.mark.parametrize("at", [1, 4, 7])
def test_what_never_comes_again_is_not_confirmed(at):
    """One read of the trial shows another price, once and for all: whichever it is, no replay shows it."""
    with serving("rare") as (url, events):
        target = open_target(CONTRACT, TargetOptions(url=url), "t")
        events.reads = RARE - at
        kept = found(url, target)
        target.close()
    assert not [one.shape for one in kept if one.confirmed]


def task_run(target, n, hear):
    factory = OracleFactory(contract=CONTRACT)
    return TaskRun(factory, target.fresh(), seed=n, budget=Budget(seconds=60.0), given={}, on_finding=hear)


@pytest.mark.slow
def test_what_no_replay_shows_its_experiment_may():
    """It looks anew: a finding whose script names what is there once is confirmed by it, on a server that does it."""
    again = {}
    for bug in ("hasty", "stock"):
        with serving("hasty") as (url, events):
            target = open_target(CONTRACT, TargetOptions(url=url), "t")
            never = replace(found(url, target)[0], confirmed=0, experiment=("isolated", "bulkCreate"))
            events.bugs = frozenset({bug})
            again[bug] = with_repeats(never, partial(task_run, target))
            target.close()
    assert {bug: (one.again, one.is_doubtful, one.is_confirmed) for bug, one in again.items()} == {
        "hasty": (True, False, True),
        "stock": (False, True, False),
    }

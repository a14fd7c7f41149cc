"""Calls that give the laws on single answers and on jobs something to judge."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from contracts.bulk import BulkJob
from generators.checks.bench import Bench
from generators.checks.findings import Finding, ImpossibleError
from generators.checks.following import ask_all, ask_results, view_of
from generators.checks.intents import Intent
from generators.checks.mixing import bads, goods, known_targets, mixed
from generators.checks.requests import units_of, wish_of
from generators.checks.staging import staged
from generators.checks.trials import Ask, perform, send
from generators.checks.venues import Spot
from generators.checks.views import View

FEW: Final = 5
MANY: Final = 40
LONG: Final = timedelta(days=3)  # the longest that finished jobs are waited on where waiting is free
SHORT: Final = timedelta(seconds=0.2)


def exercise(spot: Spot) -> Sequence[Finding]:
    """Send items that are all right, some of them wrong, all wrong, in every unit, at once and as jobs; cancel one job."""
    bulk = spot.bulk
    wishes = dict.fromkeys((None, wish_of(bulk))) if bulk.job is not None else {None: None}
    targets = known_targets(spot)
    for intents in _sets(spot):
        for unit in units_of(bulk):
            for wish in wishes:
                done = perform(staged(spot, intents), Ask(unit=unit, as_job=wish, targets=targets))
                _later(spot.bench, done.view)
    if bulk.job is not None and bulk.job.cancel is not None:
        _cancelled(spot, bulk.job)
    return []


def _sets(spot: Spot) -> Iterator[list[Intent]]:
    most = spot.bulk.items.max or MANY
    for size in dict.fromkeys(min(most, size) for size in (1, FEW, MANY)):
        yield goods(spot, size)
    try:
        wrong, blend = bads(spot), mixed(spot)
    except ImpossibleError:
        return
    yield blend[:most]
    yield [*wrong][:most]


def _later(bench: Bench, view: View) -> None:
    """Ask once more for jobs that have ended, after a while in which their results must stay."""
    if not view.traces:
        return
    declared = view.traces[0].declared
    while_kept = min(declared.keep or LONG, LONG) / 2
    bench.wait(while_kept if bench.caller.controlled else min(SHORT, while_kept))
    ask_all(bench, view, declared.poll)
    ask_results(bench, view, declared)


def _cancelled(spot: Spot, declared: BulkJob) -> None:
    """Cancel a job, and ask for it at once and later."""
    stage = staged(spot, goods(spot, FEW))
    exchange = send(stage, Ask(unit=units_of(spot.bulk)[0], as_job=wish_of(spot.bulk)))
    view = view_of(spot.bench, exchange)
    if view.traces and declared.cancel is not None:
        for name in (declared.poll, declared.cancel, declared.poll):
            ask_all(spot.bench, view, name)
        spot.bench.wait(timedelta(minutes=10) if spot.bench.caller.controlled else SHORT)
        ask_all(spot.bench, view, declared.poll)

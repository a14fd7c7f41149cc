"""Calls that give the laws on single answers and on jobs something to judge."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from contracts.bulk import BulkJob
from contracts.model import Operation
from generators.checks.bench import Bench
from generators.checks.findings import Finding, ImpossibleError
from generators.checks.following import ask_all, ask_results, view_of
from generators.checks.intents import Intent
from generators.checks.mixing import at_a_place, bads, goods, known_targets, mixed
from generators.checks.requests import units_of, wish_of
from generators.checks.staging import staged
from generators.checks.trials import Ask, perform, send
from generators.checks.venues import Venue
from generators.checks.views import View
from generators.checks.wrapping import bulk_of

FEW: Final = 5
MANY: Final = 40
LONG: Final = timedelta(days=3)  # the longest that finished jobs are waited on where waiting is free
SHORT: Final = timedelta(seconds=0.2)


def exercise(bench: Bench, operation: Operation) -> Sequence[Finding]:
    """Send items that are all right, some of them wrong, all wrong, in every unit, at once and as jobs; cancel one job."""

    def trial(place: Venue) -> list[Finding]:
        bulk = bulk_of(operation)
        wishes = dict.fromkeys((None, wish_of(bulk))) if bulk.job is not None else {None: None}
        fan_out = bulk.items.fan_out
        targets = known_targets(bench, operation, fan_out) if fan_out is not None else ()
        for intents in _sets(bench, operation, place):
            for unit in units_of(bulk):
                for wish in wishes:
                    done = perform(
                        staged(bench, operation, place, intents), Ask(unit=unit, as_job=wish, targets=targets)
                    )
                    _later(bench, done.view)
        if bulk.job is not None and bulk.job.cancel is not None:
            _cancelled(bench, operation, place, bulk.job)
        return []

    return at_a_place(bench, operation, trial)


def _sets(bench: Bench, operation: Operation, place: Venue) -> Iterator[list[Intent]]:
    most = bulk_of(operation).items.max or MANY
    for size in dict.fromkeys(min(most, size) for size in (1, FEW, MANY)):
        yield goods(bench, operation, place, size)
    try:
        wrong, blend = bads(bench, operation, place), mixed(bench, operation, place)
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


def _cancelled(bench: Bench, operation: Operation, place: Venue, declared: BulkJob) -> None:
    """Cancel a job, and ask for it at once and later."""
    stage = staged(bench, operation, place, goods(bench, operation, place, FEW))
    exchange = send(stage, Ask(unit=units_of(bulk_of(operation))[0], as_job=wish_of(bulk_of(operation))))
    view = view_of(bench, exchange)
    if view.traces and declared.cancel is not None:
        for name in (declared.poll, declared.cancel, declared.poll):
            ask_all(bench, view, name)
        bench.wait(timedelta(minutes=10) if bench.caller.controlled else SHORT)
        ask_all(bench, view, declared.poll)

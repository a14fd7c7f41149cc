"""Calls that give the laws on single answers and on jobs something to judge."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from generators.checks.bench import Bench
from generators.checks.findings import Finding
from generators.checks.following import ask_all, ask_results, follow
from generators.checks.intents import Intent
from generators.checks.mixing import bads, batched, goods, mixed
from generators.checks.requests import units_of, wish_of
from generators.checks.staging import staged
from generators.checks.targets import known_targets
from generators.checks.trials import Ask, perform, send
from generators.checks.venues import Spot
from generators.checks.views import View
from generators.impossible import ImpossibleError

FEW: Final = 5
MANY: Final = 40
ABREAST: Final = 8  # jobs that are started before the first of them is followed, where no limit is declared
LONG: Final = timedelta(days=3)  # the longest that finished jobs are waited on where waiting is free
SHORT: Final = timedelta(seconds=0.2)


def exercise(spot: Spot) -> Iterator[Finding]:
    """Send good, mixed and bad items in every unit, as the caller who wishes nothing special does."""
    waits = spot.bulk.job is not None and wish_of(spot.bulk) is None
    for intents in _sets(spot, thrifty=waits and not spot.bench.caller.controlled):
        for unit in _units(spot):
            done = perform(staged(spot, intents), Ask(unit=unit, targets=known_targets(spot)))
            _later(spot.bench, [done.view])
    yield from ()


def exercise_jobs(spot: Spot) -> Iterator[Finding]:
    """Send the same to be done as jobs, several of them at a time."""
    wish, job = wish_of(spot.bulk), spot.bulk.job
    if wish is None or job is None:
        return
    abreast = min(job.active.max, ABREAST) if job.active is not None else ABREAST
    sets = list(_sets(spot, thrifty=not spot.bench.caller.controlled))
    asks = [(intents, Ask(unit=unit, as_job=wish)) for intents in sets for unit in _units(spot)]
    for some in batched(asks, abreast):
        sent = [send(staged(spot, intents), ask) for intents, ask in some]
        _later(spot.bench, [follow(spot.bench, one) for one in sent])
    yield from ()


def _units(spot: Spot) -> list[str | None]:
    """Return every unit, said and unsaid."""
    return [*units_of(spot.bulk), *([None] if spot.bulk.unit.of.default is not None else [])]


def _sets(spot: Spot, *, thrifty: bool) -> Iterator[list[Intent]]:
    """Yield the items of each request; only the most telling ones where time must be saved."""
    most = spot.bulk.items.max or MANY
    for size in dict.fromkeys(min(most, size) for size in ((FEW,) if thrifty else (1, FEW, MANY))):
        yield goods(spot, size)
    try:
        wrong, blend = bads(spot), mixed(spot)
    except ImpossibleError:
        return
    yield blend
    if not thrifty:
        yield [*wrong][:most]


def _later(bench: Bench, views: Sequence[View]) -> None:
    """Ask again for jobs that have ended: at once, and after a while in which their results must stay."""
    ended = [view for view in views if view.traces]
    if not ended:
        return
    declared = ended[0].traces[0].declared
    while_kept = min(declared.keep or timedelta(minutes=1), LONG) / 2
    for wait in (None, while_kept if bench.caller.controlled else min(SHORT, while_kept)):
        if wait is not None:
            bench.wait(wait)
        for view in ended:
            ask_all(bench, view, declared.poll)
            ask_results(bench, view, declared)

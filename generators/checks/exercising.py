"""Calls that give the laws on single answers and on jobs something to judge."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from contracts.bulk import BulkJob
from generators.checks.bench import Bench
from generators.checks.findings import Finding, ImpossibleError
from generators.checks.following import ask_all, ask_results, follow, view_of
from generators.checks.intents import Intent
from generators.checks.looking import before, pictures
from generators.checks.mixing import bads, goods, mixed
from generators.checks.pictures import Picture
from generators.checks.requests import units_of, wish_of
from generators.checks.stage import Stage
from generators.checks.staging import staged
from generators.checks.targets import known_targets
from generators.checks.trials import Ask, finding, perform, send
from generators.checks.venues import Spot
from generators.checks.views import View

FEW: Final = 5
MANY: Final = 40
LONG: Final = timedelta(days=3)  # the longest that finished jobs are waited on where waiting is free
SHORT: Final = timedelta(seconds=0.2)


def exercise(spot: Spot) -> Iterator[Finding]:
    """Send good, mixed and bad items in every unit, at once and as jobs; then let jobs overlap, and cancel one."""
    job = spot.bulk.job
    ask = Ask(as_job=wish_of(spot.bulk), targets=known_targets(spot))
    for intents in _sets(spot):
        for one in _asks(spot):
            done = perform(staged(spot, intents), one)
            _later(spot.bench, done.view)
    if job is not None:
        yield from _overlapping(spot, ask)
    if job is not None and job.cancel is not None:
        yield from _cancelled(spot, ask, job)


def _asks(spot: Spot) -> Iterator[Ask]:
    """Yield each way to send a request: every unit, said and unsaid, at once and as a job."""
    units: list[str | None] = list(units_of(spot.bulk))
    units += [None] if spot.bulk.unit.of.default is not None else []
    for unit in units:
        for wish in dict.fromkeys((None, wish_of(spot.bulk))):
            yield Ask(unit=unit, as_job=wish, targets=known_targets(spot))


def _sets(spot: Spot) -> Iterator[list[Intent]]:
    most = spot.bulk.items.max or MANY
    for size in dict.fromkeys(min(most, size) for size in (1, FEW, MANY)):
        yield goods(spot, size)
    try:
        wrong, blend = bads(spot), mixed(spot)
    except ImpossibleError:
        return
    yield blend
    yield [*wrong][:most]


def _later(bench: Bench, view: View) -> None:
    """Ask again for jobs that have ended: at once, and after a while in which their results must stay."""
    if not view.traces:
        return
    declared = view.traces[0].declared
    while_kept = min(declared.keep or timedelta(minutes=1), LONG) / 2
    for wait in (None, while_kept if bench.caller.controlled else min(SHORT, while_kept)):
        if wait is not None:
            bench.wait(wait)
        ask_all(bench, view, declared.poll)
        ask_results(bench, view, declared)


def _overlapping(spot: Spot, ask: Ask) -> Iterator[Finding]:
    """Let two jobs of different sizes run side by side, asked for in turn; look whether the first acts too early."""
    bench = spot.bench
    first = staged(spot, goods(spot, FEW if spot.bulk.items.max is None else min(FEW, spot.bulk.items.max)))
    was = before(first)
    sent = send(first, ask)
    view = view_of(bench, sent)
    if not view.traces:
        return
    ask_all(bench, view, view.traces[0].declared.poll)
    early = pictures(first, {})
    ask_all(bench, view, view.traces[0].declared.poll)
    other = send(staged(spot, goods(spot, 1)), ask)
    follow(bench, sent)
    if view_of(bench, other).traces:
        follow(bench, other)
        ask_all(bench, view, view.traces[0].declared.poll)
    yield from _too_early(first, view_of(bench, sent), was, early)


def _too_early(stage: Stage, view: View, was: Mapping[int, Picture], early: Mapping[int, Picture]) -> Iterator[Finding]:
    """Yield where a change can be seen while the job says, before and after, that it has processed nothing."""
    seen = [one.exchange.n for one in early.values() if one.exchange is not None]
    polls = view.traces[0].polls
    idle = [one for one in polls if not one.is_final and one.progress.get("processed") == 0]
    around = [one for one in idle if seen and (one.exchange.n < min(seen) or one.exchange.n > max(seen))]
    if not seen or len({one.exchange.n < min(seen) for one in around}) < 2:  # noqa: PLR2004 - before and after
        return
    for slot, one in early.items():
        if one.present is not None and one.like(stage.names) != was[slot].like(stage.names):
            says = f"item {slot} was carried out while its job said that nothing was processed"
            polled = [poll.exchange for poll in around]
            yield finding("job-progress", "acts before it is processed", says, view.exchange, *polled, one)
            return


def _cancelled(spot: Spot, ask: Ask, declared: BulkJob) -> Iterator[Finding]:
    """Cancel a job, ask for it at once and later, and look whether it acts after its end."""
    bench = spot.bench
    stage = staged(spot, goods(spot, min(FEW, spot.bulk.items.max or FEW)))
    sent = send(stage, ask)
    view = view_of(bench, sent)
    if not view.traces or declared.cancel is None:
        return
    for name in (declared.poll, declared.cancel, declared.poll):
        ask_all(bench, view, name)
    was = pictures(stage, {})
    bench.wait(timedelta(minutes=10) if bench.caller.controlled else SHORT)
    ask_all(bench, view, declared.poll)
    after = pictures(stage, {})
    if not any(poll.state == "cancelled" for trace in view_of(bench, sent).traces for poll in trace.polls):
        return
    for slot, one in after.items():
        if None not in {one.present, was[slot].present} and one.like(stage.names) != was[slot].like(stage.names):
            says = f"a cancelled job carried out item {slot} after it had ended"
            yield finding("job-moves", "acts after its end", says, sent, was[slot], one)
            return

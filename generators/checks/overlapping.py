"""Jobs beside each other, and a job that is cancelled: what they do too early, too late, or to one another."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Final

from contracts.bulk import BulkJob
from contracts.messages import Exchange
from generators.checks.findings import Finding
from generators.checks.following import ask_all, follow, view_of
from generators.checks.looking import before, pictures
from generators.checks.mixing import goods
from generators.checks.pictures import Picture
from generators.checks.requests import units_of, wish_of
from generators.checks.stage import Stage
from generators.checks.staging import staged
from generators.checks.targets import known_targets
from generators.checks.trials import Ask, finding, send
from generators.checks.venues import Spot
from generators.checks.views import View

FEW: Final = 5
SHORT: Final = timedelta(seconds=0.2)
WHILE: Final = timedelta(minutes=10)


def overlap(spot: Spot) -> Iterator[Finding]:
    """Let two jobs run side by side, and cancel a third."""
    job = spot.bulk.job
    if job is None:
        return
    ask = Ask(unit=units_of(spot.bulk)[0], as_job=wish_of(spot.bulk), targets=known_targets(spot))
    yield from _side_by_side(spot, ask)
    if job.cancel is not None:
        yield from _cancelled(spot, ask, job)


def _side_by_side(spot: Spot, ask: Ask) -> Iterator[Finding]:
    """Ask for two jobs of different sizes in turn; look whether the first acts too early."""
    bench = spot.bench
    first = staged(spot, goods(spot, min(FEW, spot.bulk.items.max or FEW)))
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
    around = _idle_polls(view, early)
    for slot, one in early.items() if around else ():
        if one.present is not None and one.like(stage.names) != was[slot].like(stage.names):
            says = f"item {slot} was applied while its job reported that nothing was processed"
            yield finding("job-progress", "acts before it is processed", says, view.exchange, *around, one)
            return


def _idle_polls(view: View, early: Mapping[int, Picture]) -> list[Exchange]:
    """Return polls before and after some reading that said that nothing was processed; none unless there are both."""
    read = [one.exchange.n for one in early.values() if one.exchange is not None]
    polls = [one for one in view.traces[0].polls if not one.is_final and one.progress.get("processed") == 0]
    sooner = [one.exchange for one in polls if read and one.exchange.n < min(read)]
    later = [one.exchange for one in polls if read and one.exchange.n > max(read)]
    return [sooner[-1], later[0]] if sooner and later else []


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
    bench.wait(WHILE if bench.caller.controlled else SHORT)
    ask_all(bench, view, declared.poll)
    after = pictures(stage, {})
    states = [poll.state for trace in view_of(bench, sent).traces for poll in trace.polls]
    for slot, one in after.items() if "cancelled" in states else ():
        if None not in {one.present, was[slot].present} and one.like(stage.names) != was[slot].like(stage.names):
            says = f"a cancelled job applied item {slot} after its end"
            yield finding("job-moves", "acts after its end", says, sent, was[slot], one)
            return

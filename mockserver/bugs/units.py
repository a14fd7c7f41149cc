"""Bugs in what falls together: roll-backs that are none, neighbours that fall too, items that are never reached."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from mockserver.api import Perform
from mockserver.bugs.breaking import Break, Outcomes, by_index, rehearsed, running, without
from mockserver.domain.units import place_of
from mockserver.domain.values import Outcome
from mockserver.guard import Batch
from mockserver.scenario.needs import LONG
from mockserver.turn import Turn


def keep_all(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Undo nothing of a whole that failed."""
    outcomes = doing(turn, batch, scope)
    if batch.unit == "item" or all(one.result == "done" for one in outcomes):
        return outcomes
    doing(turn, batch_of(batch, "item"), scope)
    return outcomes


def keep_some(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Undo a whole that failed from its first failure on."""
    outcomes = doing(turn, batch, scope)
    failed = next((one.item.index for one in outcomes if one.result == "failed"), None)
    if batch.unit == "item" or failed is None:
        return outcomes
    later = {item.index for item in batch.items if item.index >= failed}
    doing(turn, without(batch_of(batch, "item"), later), scope)
    return outcomes


def pull_down(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Let a good item after a failed one fail with it."""
    found = None if batch.unit != "item" else _after_failure(rehearsed(doing, turn, batch, scope))
    if found is None:
        return doing(turn, batch, scope)
    bad, good = found
    outcomes = doing(turn, without(batch, {good.item.index}), scope)
    fallen = good._replace(result="failed", faults=bad.faults, record=None)
    return sorted((*outcomes, fallen), key=place_of)


def _after_failure(outcomes: Outcomes) -> tuple[Outcome, Outcome] | None:
    bad = next((one for one in outcomes if one.result == "failed"), None)
    goods = (one for one in outcomes if bad is not None and one.result == "done" and place_of(one) > place_of(bad))
    good = next(goods, None)
    return None if bad is None or good is None else (bad, good)


def stop(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Apply nothing after the first failure, and tell the rest as it would have been."""
    outcomes = rehearsed(doing, turn, batch, scope)
    failed = next((one.item.index for one in outcomes if one.result == "failed"), None)
    if batch.unit != "item" or failed is None:
        return doing(turn, batch, scope)
    return _as_if(doing, turn, batch, scope, {item.index for item in batch.items if item.index > failed})


def lose_tail(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Leave the last item of a long list undone."""
    if len(batch.items) < LONG:
        return doing(turn, batch, scope)
    return _as_if(doing, turn, batch, scope, {batch.items[-1].index})


def lose_last_of_job(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Leave the last item undone, where the batch is a job's and has several."""
    if not turn.jobs or len(batch.items) < 2:  # noqa: PLR2004 - several
        return doing(turn, batch, scope)
    return _as_if(doing, turn, batch, scope, {batch.items[-1].index})


def _as_if(doing: Perform, turn: Turn, batch: Batch, scope: str, undone: set[int]) -> Outcomes:
    """Leave some items undone and tell them as if they had been done."""
    proper = by_index(rehearsed(doing, turn, batch, scope))
    outcomes = doing(turn, without(batch, undone), scope)
    return sorted((*outcomes, *(proper[place] for place in undone)), key=place_of)


def batch_of(batch: Batch, unit: str) -> Batch:
    """Return a batch with another unit."""
    return replace(batch, unit=unit)


BREAKS: Final[Mapping[str, Break]] = {
    "job-drops-last": running(lose_last_of_job),
    "neighbour-fails": running(pull_down),
    "rollback-missing": running(keep_all),
    "rollback-partial": running(keep_some),
    "stops-at-failure": running(stop),
    "tail-lost": running(lose_tail),
}

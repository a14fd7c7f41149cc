"""Bugs in the order of items: groups that are not heeded, items that run although what they wait for failed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from mockserver.api import Perform
from mockserver.bugs.breaking import Break, Outcomes, running, trial
from mockserver.domain.units import in_groups, place_of
from mockserver.domain.values import Item, Outcome
from mockserver.guard import Batch
from mockserver.stores.memory import Overlay
from mockserver.turn import Turn


def as_listed(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Run groups as they are listed."""
    return doing(turn, replace(batch, grouped=False), scope)


def descending(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Run larger groups first."""
    if not batch.grouped:
        return doing(turn, batch, scope)
    turned = [item for group in reversed(_groups(batch)) for item in group]
    return sorted(doing(turn, replace(batch, grouped=False, items=turned), scope), key=place_of)


def blind(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Run each group on what was stored before the request."""
    if not batch.grouped:
        return doing(turn, batch, scope)
    outcomes: list[Outcome] = []
    kept: list[Overlay] = []
    for group in _groups(batch):
        with trial(turn.world, counting=True) as over:
            outcomes += doing(turn, replace(batch, grouped=False, items=group), scope)
        kept.append(over)
    if batch.unit != "item" and any(one.result != "done" for one in outcomes):
        return doing(turn, batch, scope)
    for over in kept:
        over.commit()
    return sorted(outcomes, key=place_of)


def _groups(batch: Batch) -> Sequence[Sequence[Item]]:
    """Return the groups of a batch, smaller ones first."""
    return [list(group) for _, group in groupby(in_groups(batch.items), key=_named)]


def _named(item: Item) -> str | None:
    return None if item.group is None else str(item.group)


def unwaiting(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Run items although what they depend on failed."""
    bulk = batch.plan.bulk
    free = replace(bulk, order=replace(bulk.order, depends_on=None))
    return doing(turn, replace(batch, plan=replace(batch.plan, bulk=free)), scope)


BREAKS: Final[Mapping[str, Break]] = {
    "dependents-run": running(unwaiting),
    "groups-blind": running(blind),
    "groups-descending": running(descending),
    "groups-ignored": running(as_listed),
}

"""Mutants of units and order: what runs too early, fails alone, or is not rolled back."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Final

from contracts.exchange.bulk_request import in_group_order
from mockserver.api.model import Batch, Perform, RequestContext
from mockserver.bugs.requirements import LONG_LIST_ITEMS
from mockserver.domain.values import Item, Outcome, index_of
from mockserver.mutants.hooks import BrokenHooks, Outcomes, by_index, dry_run, mutate_batch, overlay_store, without
from mockserver.stores.memory import Overlay


def run_in_request_order(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Run items in their order in the request, without regard to groups."""
    return handler(context, replace(batch, grouped=False), scope)


def run_groups_descending(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Run groups in descending order."""
    if not batch.grouped:
        return handler(context, batch, scope)
    turned = [item for group in reversed(_groups(batch)) for item in group]
    return sorted(handler(context, replace(batch, grouped=False, items=turned), scope), key=index_of)


def run_groups_isolated(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Run each group on the records as stored before the request."""
    if not batch.grouped:
        return handler(context, batch, scope)
    outcomes: list[Outcome] = []
    kept: list[Overlay] = []
    for group in _groups(batch):
        with overlay_store(context.api_state, counting=True) as over:
            outcomes += handler(context, replace(batch, grouped=False, items=group), scope)
        kept.append(over)
    if batch.unit != "item" and any(one.result != "done" for one in outcomes):
        return handler(context, batch, scope)
    for over in kept:
        over.commit()
    return sorted(outcomes, key=index_of)


def _groups(batch: Batch) -> Sequence[Sequence[Item]]:
    """Return the groups of a batch in ascending order."""
    return [list(group) for _, group in groupby(in_group_order(batch.items), key=_named)]


def _named(item: Item) -> str | None:
    return None if item.group is None else str(item.group)


def ignore_dependencies(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Run items although the items that they depend on failed."""
    bulk = batch.bulk
    free = replace(bulk, order=replace(bulk.order, depends_on=None))
    return handler(context, replace(batch, bulk=free), scope)


def keep_all(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Roll nothing back when a whole fails."""
    outcomes = handler(context, batch, scope)
    if batch.unit == "item" or all(one.result == "done" for one in outcomes):
        return outcomes
    handler(context, batch_of(batch, "item"), scope)
    return outcomes


def keep_some(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Roll a failed whole back only from its first failure on."""
    outcomes = handler(context, batch, scope)
    failed = next((one.item.index for one in outcomes if one.result == "failed"), None)
    if batch.unit == "item" or failed is None:
        return outcomes
    later = {item.index for item in batch.items if item.index >= failed}
    handler(context, without(batch_of(batch, "item"), later), scope)
    return outcomes


def pull_down(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Fail a valid item after a failed one with the same faults."""
    found = None if batch.unit != "item" else _after_failure(dry_run(handler, context, batch, scope))
    if found is None:
        return handler(context, batch, scope)
    bad, good = found
    outcomes = handler(context, without(batch, {good.item.index}), scope)
    fallen = good._replace(result="failed", faults=bad.faults, record=None)
    return sorted((*outcomes, fallen), key=index_of)


def _after_failure(outcomes: Outcomes) -> tuple[Outcome, Outcome] | None:
    bad = next((one for one in outcomes if one.result == "failed"), None)
    goods = (one for one in outcomes if bad is not None and one.result == "done" and index_of(one) > index_of(bad))
    good = next(goods, None)
    return None if bad is None or good is None else (bad, good)


def stop_at_failure(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Apply nothing after the first failure, and report the rest as if it had run."""
    outcomes = dry_run(handler, context, batch, scope)
    failed = next((one.item.index for one in outcomes if one.result == "failed"), None)
    if batch.unit != "item" or failed is None:
        return handler(context, batch, scope)
    return _report_as_run(handler, context, batch, scope, {item.index for item in batch.items if item.index > failed})


def lose_tail(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Do not apply the last item of a long list, and report it as done."""
    if len(batch.items) < LONG_LIST_ITEMS:
        return handler(context, batch, scope)
    return _report_as_run(handler, context, batch, scope, {batch.items[-1].index})


def lose_last_of_job(handler: Perform, context: RequestContext, batch: Batch, scope: str) -> Outcomes:
    """Do not apply the last item of a job with several, and report it as done."""
    if not context.jobs or len(batch.items) < 2:  # noqa: PLR2004 - several
        return handler(context, batch, scope)
    return _report_as_run(handler, context, batch, scope, {batch.items[-1].index})


def _report_as_run(handler: Perform, context: RequestContext, batch: Batch, scope: str, undone: set[int]) -> Outcomes:
    """Leave out some items, and report them as if they had run."""
    proper = by_index(dry_run(handler, context, batch, scope))
    outcomes = handler(context, without(batch, undone), scope)
    return sorted((*outcomes, *(proper[place] for place in undone)), key=index_of)


def batch_of(batch: Batch, unit: str) -> Batch:
    """Return a batch with another unit."""
    return replace(batch, unit=unit)


BREAKS: Final[Mapping[str, BrokenHooks]] = {
    "dependents-run": mutate_batch(ignore_dependencies),
    "groups-blind": mutate_batch(run_groups_isolated),
    "groups-descending": mutate_batch(run_groups_descending),
    "groups-ignored": mutate_batch(run_in_request_order),
    "job-drops-last": mutate_batch(lose_last_of_job),
    "neighbour-fails": mutate_batch(pull_down),
    "rollback-missing": mutate_batch(keep_all),
    "rollback-partial": mutate_batch(keep_some),
    "stops-at-failure": mutate_batch(stop_at_failure),
    "tail-lost": mutate_batch(lose_tail),
}

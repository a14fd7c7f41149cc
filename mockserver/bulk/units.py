"""Apply items in transactions, with roll-back, and with a scenario's effects on items and jobs.

Main entry: `run_items`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from contracts.bulk.model import Bulk
from contracts.exchange.bulk_request import in_group_order
from mockserver.api.model import ItemEffects, ItemRun
from mockserver.bulk.dependent_items import Apply, Progress
from mockserver.bulk.item_keys import ItemKeys
from mockserver.bulk.record_columns import apply_all, apply_together
from mockserver.bulk.record_service import RecordRules, RecordService
from mockserver.domain.columns import resources_of, undone
from mockserver.domain.jobs import Job
from mockserver.domain.values import (
    Item,
    ItemEffect,
    ItemFault,
    Outcome,
    index_of,
    is_unprocessed,
    transaction_units,
    unprocessed_outcome,
)
from mockserver.stores.memory import MemoryStore, Overlay

if TYPE_CHECKING:
    from mockserver.scenarios.model import JobEffect


def with_item_effects(item_effects: ItemEffects, apply: Apply, try_only: Apply) -> Apply:
    """Return a function that applies items with a scenario's effects; `try_only` returns an outcome without writing."""

    def act(item: Item) -> Outcome:
        effect = item_effects.get(item.index)
        if effect is None or effect.kind == "skip":
            return apply(item)
        if effect.kind == "leave":
            return unprocessed_outcome(item)
        if effect.kind == "invalid":
            return _invalid(item, effect, try_only(item))
        return try_only(item) if effect.kind == "lose" else failed_by_scenario(item, effect)

    return act


def _invalid(item: Item, effect: ItemEffect, tried: Outcome) -> Outcome:
    """Return the outcome of an item that breaks the schema of the request, by its members where those are at fault."""
    facts = {"message": effect.message, "keyword": effect.code}
    if any(fault.kind in OF_CONTENT and fault.members for fault in tried.faults):
        only = [one._replace(facts={**one.facts, **facts}) for one in tried.faults]
        return tried if len(only) > 1 else tried._replace(faults=only)
    return Outcome(item, "failed", item.action, (ItemFault("schema", facts=facts),))


OF_CONTENT: Final = frozenset(("length", "missing", "schema", "type", "unknown"))


def failed_by_scenario(item: Item, effect: ItemEffect) -> Outcome:
    """Return the outcome of an item that a scenario makes fail."""
    from mockserver.scenarios.building import fill_text  # noqa: PLC0415 - only where a scenario is played

    texts = {"code": effect.code, "message": effect.message and fill_text(effect.message, item.raw)}
    facts = {name: text for name, text in texts.items() if text is not None}
    return Outcome(item, "failed", item.action, (ItemFault(SCENARIO_FAULT, effect.properties, facts=facts),))


def is_reported(run: ItemRun, outcome: Outcome) -> bool:
    """Tell whether the response reports an outcome: a scenario may leave it out."""
    effect = None if run.item_effects is None else run.item_effects.get(outcome.item.index)
    return effect is None or effect.kind != "skip"


SCENARIO_FAULT: Final = "scenario"  # of the fault of an item that a scenario lets fail


ITEM_EFFECTS_KEY: Final = "acts"  # in a job's `extra`: what becomes of its items when it runs
ITEM_ERRORS_KEY: Final = "errors"


def with_job_effect(job: Job, effect: "JobEffect | None", item_effects: ItemEffects | None) -> Job:
    """Return the job with a scenario's effect on it and on its items."""
    job = job if item_effects is None else replace(job, extra={**job.extra, ITEM_EFFECTS_KEY: item_effects})
    if effect is None:
        return job
    extra: dict[str, Any] = {**job.extra}
    if effect.errors:
        extra[ITEM_ERRORS_KEY] = effect.errors
    timed = job if effect.duration is None else _with_duration(job, effect.duration)
    return replace(
        timed,
        due=None if effect.never_ends else timed.due,
        progress=effect.progress or job.progress,
        forget_at=None if effect.gone_after is None else job.posted + effect.gone_after,
        extra=extra,
    )


def _with_duration(job: Job, length: timedelta) -> Job:
    """Return the job with another length; it waits for the same share of it."""
    planned = None if job.due is None else job.due - job.posted
    waits = (job.begins - job.posted) / planned if planned else 0.0
    return replace(job, begins=job.posted + length * waits, due=job.posted + length)


def item_effects_of(job: Job, items: Sequence[Item]) -> ItemEffects | None:
    """Return a scenario's effects on the items of a job that runs, None when there are none."""
    item_effects: ItemEffects | None = job.extra.get(ITEM_EFFECTS_KEY)
    errors: Mapping[str, str] = job.extra.get(ITEM_ERRORS_KEY, {})
    if not errors:
        return item_effects
    failed_by_scenario = {
        item.index: ItemEffect(kind="fail", message=errors[str(item.key)]) for item in items if str(item.key) in errors
    }
    return {**(item_effects or {}), **failed_by_scenario}


Store: TypeAlias = MemoryStore | Overlay


def run_items(
    run: ItemRun,
    bulk: Bulk,
    items: Sequence[Item],
    store: Store,
    record_rules: Mapping[str, RecordRules],
    *,
    grouped: bool,
) -> Sequence[Outcome]:
    """Apply every item to the store and return the outcomes in the order of the request."""
    ordered = in_group_order(items) if grouped else items
    progress, once = Progress.of(run, bulk, ordered), ItemKeys.of(run, bulk)
    application = _Application(run=run, record_rules=record_rules, progress=progress, once=once)
    done: list[Sequence[Outcome]] = []
    for unit in transaction_units(run.unit, ordered):
        done.append(application.unit(unit, store))
        if progress is not None:
            progress.settle(done[-1])
        if once is not None:
            once.settle(done[-1])
    outcomes = done[0] if len(done) == 1 else list(chain.from_iterable(done))
    is_moved = ordered is not items or run.unit == "group" or bulk.order.forward
    return sorted(outcomes, key=index_of) if is_moved else outcomes


@dataclass(frozen=True, slots=True, kw_only=True)
class _Application:
    """How the items of a run are applied: by the rules of their resources, by what they wait for, by their keys."""

    run: ItemRun
    record_rules: Mapping[str, RecordRules]
    progress: Progress | None
    once: ItemKeys | None

    def unit(self, items: Sequence[Item], store: Store) -> Sequence[Outcome]:
        """Apply the items of one transaction: all of them, or none where one fails."""
        if self.run.unit == "item":
            return self._each(items, store)
        if (service := self._only_service(items, store)) is not None:
            done = apply_together(service, items)
            if done is not None:
                return done
        overlay = Overlay(store)
        outcomes = self._each(items, overlay)
        if self.run.item_effects is not None and any(map(is_unprocessed, outcomes)):
            return list(map(unprocessed_outcome, items))
        if undone(outcomes):
            return [
                Outcome(outcome.item, "not-run", outcome.action) if outcome.result == "done" else outcome
                for outcome in outcomes
            ]
        overlay.commit()
        return outcomes

    def _each(self, items: Sequence[Item], store: Store) -> Sequence[Outcome]:
        if (service := self._only_service(items, store)) is not None:
            return apply_all(service, items)
        apply_one = self._applying(items, store)
        if self.run.item_effects is not None:
            closely = replace(self, run=replace(self.run, valid=frozenset()))

            def try_one(item: Item) -> Outcome:
                return closely._applying((item,), Overlay(store))(item)  # noqa: SLF001 - it is of this class

            apply_one = with_item_effects(self.run.item_effects, apply_one, try_one)
        if self.once is not None:
            apply_one = self.once.once(apply_one, store)
        progress = self.progress
        return [apply_one(item) for item in items] if progress is None else progress.apply_all(items, apply_one)

    def _only_service(self, items: Sequence[Item], store: Store) -> RecordService | None:
        """Return the service of the items' only resource, by which they can be applied together.

        None where there are several, or an item depends on another, on an earlier request, on a scenario, or is an
        HTTP request.
        """
        run = self.run
        if self.progress is not None or self.once is not None or run.item_effects is not None or run.serve_item:
            return None
        names = resources_of(items)
        return self.record_rules[next(iter(names))].bind(run, store) if len(names) == 1 else None

    def _applying(self, items: Sequence[Item], store: Store) -> Apply:
        """Return the function that applies an item to a store; HTTP requests are sent to their operations."""
        serve = self.run.serve_item
        if serve is not None:
            return lambda item: serve(item, store)
        services = {name: self.record_rules[name].bind(self.run, store) for name in resources_of(items)}
        return lambda item: services[item.resource.name].apply(item)

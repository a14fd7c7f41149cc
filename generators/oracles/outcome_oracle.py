"""Judge the reported outcomes of a bulk request against the expected ones, and update the state model.

Begin with `OutcomeOracle`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from contracts.exchange.bulk_exchange import BulkExchange, OutcomeReport
from contracts.exchange.bulk_request import BulkItem, dependencies, in_group_order
from contracts.exchange.outcomes import ReportedOutcome
from contracts.exchange.references import references_of
from contracts.messages import ABSENT, Exchange
from contracts.schemas.equality import key_text
from contracts.syntax.text import is_text_or_integer, with_article
from generators.oracles.expected_outcome import OPEN, ExpectedOutcome, apply_effect, expected_outcome
from generators.oracles.findings import Finding, shape_at
from generators.oracles.intended_effects import IntendedEffect, RecordTypes, effect_of_item, resolve_lookups
from generators.oracles.response_laws import view_finding
from generators.oracles.state_model import StateModel
from generators.requests.calls import body_schema
from generators.requests.items import element_schema

CHECK: Final = "verdict"
PLAIN_SHAPES: Final = frozenset(("array", "lines", "map"))  # of items that are elements of the request's schema
STATEMENT: Final = (
    "Items that must fail do, and items that must succeed do, as far as contract and earlier requests determine it."
)


class OutcomeOracle:
    """Judges the outcomes of one bulk request in one data set. A job runs its items at some time after the request.

    `effects` are the items' intended effects, as read when the request was sent.
    """

    def __init__(
        self,
        state_model: StateModel,
        record_types: RecordTypes,
        view: BulkExchange,
        scope: str,
        *,
        effects: list[IntendedEffect | None] | None = None,
    ) -> None:
        self._state_model, self._view = state_model, view
        self._since = view.exchange.n if view.traces else None
        self.effects = effects or resolve_lookups(
            state_model,
            _without_references(view, _effects(record_types, view, scope)),
        )
        named = Counter(str(item.key) for item in view.request.items)
        is_unique = len(named) == len(view.request.items)
        self._duplicates = set() if is_unique else {one.index for one in view.request.items if named[str(one.key)] > 1}
        named_records = (one.key for one in self.effects if one is not None and one.key is not ABSENT)
        self._target_counts = Counter(map(key_text, named_records))
        self._dependencies = dependencies(view.bulk, view.request.items)
        self.plain: set[int] = set()  # the items that have one thing wrong with them, which is known

    def findings(self, report: OutcomeReport) -> Iterator[Finding]:
        """Yield unexpected outcomes, and apply the others to the state model."""
        unit = self._view.request.unit
        failed = any(one.result != "done" for one in report.outcomes)
        if unit == "item":
            yield from self._judge_items(report)
        elif unit == "whole":
            yield from self._judge_whole(report, failed=failed)
        else:
            self.mark_all_unknown()

    def _judge_items(self, report: OutcomeReport) -> Iterator[Finding]:
        stops = self._view.bulk.unit.stop_after
        stopped = False
        for item in self._run_order():
            outcome = report.outcomes[item.index]
            expected = OPEN if stopped else self._expect(item, report)
            stopped = stopped or (bool(stops) and outcome.result != "done")
            yield from self._judge_item(item, outcome, expected, report)

    def _judge_item(
        self, item: BulkItem, outcome: ReportedOutcome, expected: ExpectedOutcome, report: OutcomeReport
    ) -> Iterator[Finding]:
        effect = self.effects[item.index]
        is_cancelled = report.trace is not None and report.trace.is_cancelled
        mismatch = None if is_cancelled and outcome.result == "not-run" else self._mismatch(item, outcome, expected)
        if mismatch is not None:
            shape, says = mismatch
            yield view_finding(CHECK, self._view, shape, says, report)
        if effect is None:
            return
        if mismatch is not None or outcome.result == "untold" or item.index in self._duplicates:
            self._mark_unknown(effect, outcome)
        elif outcome.result == "done":
            self._apply(effect, outcome, report)
        else:
            self._forbid(effect, report)

    def _mismatch(self, item: BulkItem, outcome: ReportedOutcome, expected: ExpectedOutcome) -> tuple[str, str] | None:
        action = item.action or "effect"
        if expected.result == "failed" and outcome.result == "done":
            says = f"item {item.index}, {with_article(action)} {expected.reason}, was done"
            return f"{action} {expected.reason} is done", says
        if expected.result == "done" and outcome.result == "failed":
            shape = shape_at(f"good {action} fails", "", outcome.error)
            return shape, f"item {item.index}, {with_article(action)} with nothing wrong, failed"
        if expected.result == "done" and outcome.result == "not-run":
            says = f"item {item.index}, {with_article(action)} with nothing wrong, was not run"
            return f"good {action} is not run", says
        return None

    def _judge_whole(self, report: OutcomeReport, *, failed: bool) -> Iterator[Finding]:
        """Apply the items one by one; commit when the whole request is done, else roll back."""
        self._state_model.begin()
        expected: list[tuple[BulkItem, ExpectedOutcome]] = []
        for item in self._run_order():
            expected.append((item, self._expect(item, report)))
            outcome, effect = report.outcomes[item.index], self.effects[item.index]
            if effect is not None and outcome.result != "failed":
                self._apply(effect, outcome, report)
        if failed:
            self._state_model.roll_back()
            yield from self._judge_rolled_back(expected, report)
            return
        self._state_model.commit()
        yield from self._judge_committed(expected, report)
        for effect in [self.effects[place] for place in self._duplicates]:
            if effect is not None:
                self._state_model.mark_effect_unknown(effect.where, effect.key, effect.members or {})

    def _judge_rolled_back(
        self, expected: Sequence[tuple[BulkItem, ExpectedOutcome]], report: OutcomeReport
    ) -> Iterator[Finding]:
        failed_items = [(item, one) for item, one in expected if report.outcomes[item.index].result == "failed"]
        wrongly_failed = [item for item, one in failed_items if one.result == "done"]
        for item in wrongly_failed[:1]:
            says = f"item {item.index}, {with_article(item.action or 'effect')} with nothing wrong, failed"
            shape = shape_at(f"good {item.action} fails", "", report.outcomes[item.index].error)
            yield view_finding(CHECK, self._view, shape, says, report)
        for effect in filter(None, self.effects):
            self._forbid(effect, report)

    def _judge_committed(
        self, expected: Sequence[tuple[BulkItem, ExpectedOutcome]], report: OutcomeReport
    ) -> Iterator[Finding]:
        wrongly_done = [(item, one) for item, one in expected if one.result == "failed"]
        for item, one in wrongly_done[:1]:
            says = f"item {item.index}, {with_article(item.action or 'effect')} {one.reason}, was done"
            yield view_finding(CHECK, self._view, f"{item.action} {one.reason} is done", says, report)
        if wrongly_done:
            self.mark_all_unknown()

    def _expect(self, item: BulkItem, report: OutcomeReport) -> ExpectedOutcome:
        effect = self.effects[item.index]
        if effect is None:
            return OPEN
        if not self._duplicates.isdisjoint((item.index, *self._dependencies[item.index])):
            return OPEN  # which of the items of that key is meant is not declared
        if any(report.outcomes[place].result != "done" for place in self._dependencies[item.index]):
            return ExpectedOutcome("failed", "that waits for one that was not done")
        if self._is_order_dependent(item) or any(place > item.index for place in self._dependencies[item.index]):
            return OPEN
        expected = expected_outcome(self._state_model, effect, since=self._since)
        self.plain |= {item.index} if expected.is_only_reason else set()
        return expected

    def _is_order_dependent(self, item: BulkItem) -> bool:
        """Return whether an item's outcome depends on an undeclared order, or its key is ambiguous."""
        if item.index in self._duplicates:
            return True
        if self._view.bulk.order.run != "any":
            return False
        own = self.effects[item.index]
        return own is not None and self._target_counts[key_text(own.key)] > 1

    def _run_order(self) -> Sequence[BulkItem]:
        items = self._view.request.items
        return in_group_order(items) if self._view.request.grouped else items

    def _apply(self, effect: IntendedEffect, outcome: ReportedOutcome, report: OutcomeReport) -> None:
        at = report.evidence[-1]
        by = self._view.operation.id
        version = outcome.version if isinstance(outcome.version, int) else ABSENT
        old = self._state_model.find(effect.where, effect.key)
        if old is not None and old.jobs:
            self._state_model.mark_effect_unknown(effect.where, effect.key, effect.members or {})
            return
        later = self._since is not None
        apply_effect(self._state_model, effect, key=outcome.id, by=by, at=at, version=version, later=later)

    def _forbid(self, effect: IntendedEffect, report: OutcomeReport) -> None:
        """Note the generated names of a record that must not exist."""
        forbid_names(self._state_model, effect, report.evidence[-1])

    def _mark_unknown(self, effect: IntendedEffect, outcome: ReportedOutcome) -> None:
        key = outcome.id if effect.resource.assigned and effect.key is ABSENT else effect.key
        self._state_model.mark_effect_unknown(effect.where, key, effect.members or {})

    def mark_all_unknown(self) -> None:
        """Mark all records of the request unknown."""
        for effect in filter(None, self.effects):
            self._state_model.mark_effect_unknown(effect.where, effect.key, effect.members or {})

    def forbid_all(self, at: Exchange) -> None:
        """Note the generated names of a refused request: none of them may be stored."""
        for effect in filter(None, self.effects):
            forbid_names(self._state_model, effect, at)


def _without_references(view: BulkExchange, effects: list[IntendedEffect | None]) -> list[IntendedEffect | None]:
    """Return the effects; what one writes is unknown where its text refers to another item's result.

    It is unknown too of items that violate the schema of the request: they may fail by themselves.
    """
    element = element_schema(body_schema(view.operation), view.bulk) if view.bulk.items.shape in PLAIN_SHAPES else None
    if element is not None:
        raws = [item.raw for item in view.request.items]
        fitting = [] if element.are_valid(raws) else map(element.is_valid, raws)
        for n, fits in enumerate(fitting):
            effect = effects[n]
            effects[n] = effect if fits or effect is None else replace(effect, members=None)
    references = references_of(view.bulk)
    if references is None or references.pattern is None:
        return effects
    keys = {str(item.key) for item in view.request.items}
    named = {item.index: references.named(item.raw, str(item.key)) for item in view.request.items}
    referring = {n for n, some in named.items() if (references.strict and some) or not keys.isdisjoint(some)}
    return [
        replace(effect, members=None) if n in referring and effect is not None else effect
        for n, effect in enumerate(effects)
    ]


def forbid_names(state_model: StateModel, effect: IntendedEffect, at: Exchange) -> None:
    """Note the generated names of an effect that was not carried out: none of them may be stored."""
    for value in (effect.members or {}).values():
        if is_text_or_integer(value) and state_model.is_generated(value):
            state_model.forbidden.setdefault(value, at)


def _effects(record_types: RecordTypes, view: BulkExchange, scope: str) -> list[IntendedEffect | None]:
    """Return what the items of a request are to do."""
    settable = record_types.settable.get(view.request.operation.id, {})
    return [effect_of_item(record_types, one, scope, settable) for one in view.request.items]

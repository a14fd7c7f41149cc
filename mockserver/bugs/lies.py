"""Bugs in telling: everything is done as it ought to be, and told otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.bulk import Outcomes
from mockserver.bugs.breaking import Break, telling
from mockserver.clock import EPOCH
from mockserver.domain.replies import outcome_class, shown
from mockserver.domain.values import Fault, Outcome
from mockserver.guard import Batch
from mockserver.scenario.needs import LONG, outcomes
from mockserver.stores import Record

NOBODY: Final = 1  # the key of a record that there is not
VAGUE: Final = Fault("vague", facts={"message": "An error has occurred"})


@dataclass(frozen=True, slots=True)
class Told:
    """The outcomes of a batch that are spoken of, in their order."""

    spoken: list[Outcome]
    declared: Outcomes

    @property
    def failed(self) -> list[Outcome]:
        """Return those that failed."""
        return [one for one in self.spoken if one.result == "failed"]


def told(batch: Batch, every: list[Outcome]) -> Told | None:
    """Return what is spoken of a batch, None when no outcomes are told at all."""
    bulk = batch.plan.bulk
    declared = outcomes(bulk)
    if declared is None:
        return None
    whole_failed = outcome_class(every, batch.unit) == "wholeFailed"
    return Told(shown(declared, every, whole_failed, bulk.unit.rolled_back), declared)


def lost(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Leave out what would be told next after the first failure."""
    found = told(batch, every)
    if found is None or not found.failed:
        return every
    after = found.spoken[found.spoken.index(found.failed[0]) + 1 :]
    return [one for one in every if one is not after[0]] if after else every


def doubled(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Tell the last one twice."""
    found = told(batch, every)
    if found is None or found.declared.shape == "map" or len(found.spoken) < 2:  # noqa: PLR2004 - several
        return every
    last = found.spoken[-1]
    return [again for one in every for again in ((one, one) if one is last else (one,))]


def swapped(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Exchange the last two of a long list."""
    found = told(batch, every)
    if found is None or not found.declared.in_order or found.declared.shape == "map" or len(found.spoken) < LONG:
        return every
    before, last = found.spoken[-2:]
    exchanged = {id(before): last, id(last): before}
    return [exchanged.get(id(one), one) for one in every]


def keys_swapped(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Give two outcomes each other's items."""
    found = told(batch, every)
    pair = None if found is None else _unlike(found)
    if pair is None:
        return every
    one, other = pair
    exchanged = {id(one): one._replace(item=other.item), id(other): other._replace(item=one.item)}
    return [exchanged.get(id(each), each) for each in every]


def _unlike(found: Told) -> tuple[Outcome, Outcome] | None:
    """Return two outcomes that say different things of items with different keys."""
    first = next(iter(found.failed or found.spoken), None)
    others = (one for one in found.spoken if first is not None and one.item.key != first.item.key)
    pairs = ((first, one) for one in others if first is not None and _said(one) != _said(first))
    return next(pairs, None)


def _said(outcome: Outcome) -> object:
    return outcome.result, outcome.faults, outcome.record


def misplaced(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Put the first failure under the key of an item that was done."""
    found = told(batch, every)
    bad = None if found is None else next(iter(found.failed), None)
    good = next((one for one in every if one.result == "done"), None)
    if bad is None or good is None:
        return every
    return [one._replace(item=good.item) if one is bad else one for one in every]


def blamed(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Let the first good item seem to have failed as another did."""
    found = told(batch, every)
    bad = None if found is None else next(iter(found.failed), None)
    good = next((one for one in every if one.result == "done"), None)
    if bad is None or good is None:
        return every
    return [one._replace(result="failed", faults=bad.faults, record=None) if one is good else one for one in every]


def hidden(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Let the last failed item seem to have been done."""
    found = told(batch, every)
    bad = None if found is None else next(reversed(found.failed), None)
    if bad is None or batch.unit != "item":
        return every
    return [one._replace(result="done", faults=(), record=_made_up(one)) if one is bad else one for one in every]


def _made_up(outcome: Outcome) -> Record:
    target = outcome.item.target
    return Record(
        target if isinstance(target, str | int) else NOBODY, 1, deleted=False, body={}, created=EPOCH, modified=EPOCH
    )


def vague(batch: Batch, every: list[Outcome]) -> list[Outcome]:
    """Give every failure the same reason."""
    del batch
    return [one._replace(faults=(VAGUE,)) if one.result == "failed" else one for one in every]


BREAKS: Final[Mapping[str, Break]] = {
    "error-misplaced": telling(misplaced),
    "error-text-vague": telling(vague),
    "failure-hidden": telling(hidden),
    "good-item-blamed": telling(blamed),
    "keys-swapped": telling(keys_swapped),
    "outcome-doubled": telling(doubled),
    "outcome-lost": telling(lost),
    "outcomes-swapped": telling(swapped),
}

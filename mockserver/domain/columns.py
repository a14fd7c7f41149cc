"""Items and outcomes of large requests as columns: one item, or one outcome, is made when somebody looks at it.

Main entries: `ItemColumns` and `DoneOutcomes`, and the functions that read a column of any sequence: `item_column`,
`result_words`, `undone`.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from operator import attrgetter
from typing import Any, TypeAlias, TypeVar, overload

from contracts.bulk.model import Resource
from mockserver.domain.values import Item, Outcome
from mockserver.stores.interface import Record

T = TypeVar("T", Item, Outcome)
Column: TypeAlias = Sequence[Any]


class _Rows(Sequence[T]):
    """A sequence of named tuples that are all made when one of them is asked for."""

    size: int
    _make: Callable[[], list[T]]

    @cached_property
    def _rows(self) -> list[T]:
        return self._make()

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        return iter(self._rows)

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> list[T]: ...
    def __getitem__(self, place: int | slice) -> T | list[T]:
        return self._rows[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and self._rows == list(other)

    __hash__ = None  # type: ignore[assignment] # like a list


class ItemColumns(_Rows[Item]):
    """Items of one action and one resource, without groups; each column has one value for each item."""

    def __init__(
        self,
        action: str,
        resource: Resource,
        *,
        key: Column,
        target: Column,
        payload: Column,
        raw: Column,
        version: Column | None = None,
    ) -> None:
        self.action, self.resource, self.size = action, resource, len(raw)
        self.key, self.target, self.payload, self.raw = key, target, payload, raw
        self.version = [None] * self.size if version is None else version

    def _make(self) -> list[Item]:
        same = repeat(self.action), repeat(self.resource)
        parts = zip(range(self.size), self.key, *same, self.target, self.payload, self.version, repeat(None), self.raw)
        return list(map(tuple.__new__, repeat(Item), parts))


class DoneOutcomes(_Rows[Outcome]):
    """Outcomes of items that were all done; `actions` and `records` have what became of each."""

    def __init__(self, items: Sequence[Item], actions: Sequence[str], records: Sequence[Record]) -> None:
        self.items, self.actions, self.records, self.size = items, actions, records, len(records)

    def _make(self) -> list[Outcome]:
        parts = zip(self.items, repeat("done"), self.actions, repeat(()), self.records)
        return list(map(tuple.__new__, repeat(Outcome), parts))


def item_column(items: Sequence[Item], name: str) -> Column:
    """Return what each item has under a name: `key`, `target`, `payload`, `raw`, `version`."""
    if isinstance(items, ItemColumns):
        found: Column = getattr(items, name)
        return found
    return list(map(attrgetter(name), items))


def resources_of(items: Sequence[Item]) -> dict[str, Resource]:
    """Return the resources of items by name."""
    if isinstance(items, ItemColumns):
        return {items.resource.name: items.resource}
    return {item.resource.name: item.resource for item in items}


def actions_of(items: Sequence[Item]) -> set[str]:
    """Return the actions that items have."""
    return {items.action} if isinstance(items, ItemColumns) else {item.action for item in items}


def result_words(outcomes: Sequence[Outcome]) -> list[str]:
    """Return the result of each outcome: `done`, `failed` or `not-run`."""
    return ["done"] * len(outcomes) if isinstance(outcomes, DoneOutcomes) else [one.result for one in outcomes]


def undone(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Return the outcomes of items that were not done."""
    return () if isinstance(outcomes, DoneOutcomes) else [one for one in outcomes if one.result != "done"]


def outcome_keys(outcomes: Sequence[Outcome]) -> Sequence[object]:
    """Return the key of each outcome's item."""
    if isinstance(outcomes, DoneOutcomes):
        return item_column(outcomes.items, "key")
    return [one.item.key for one in outcomes]

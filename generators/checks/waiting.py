"""Which items of a request wait for which others: by a list of keys, or by a reference written into a value."""

import re
from collections.abc import Iterator, Sequence

from contracts.bulk import Bulk
from contracts.messages import ABSENT
from generators.checks.reading import KeyRing, SentItem
from generators.locations import look

NAME = r"([\w-]+(?:[.][\w-]+)*)"


def waits(bulk: Bulk, items: Sequence[SentItem]) -> tuple[tuple[int, ...], ...]:
    """Return for each item the places of the other items that it waits for."""
    if bulk.order.depends_on is None and pattern_of(bulk.order.reference) is None:
        return ((),) * len(items)
    ring = KeyRing(items)
    return tuple(_awaited(bulk, ring, item) for item in items)


def pattern_of(reference: str | None) -> re.Pattern[str] | None:
    """Return what finds a reference such as `bulkId:{key}` in a text, None when its form is not said."""
    if reference is None or "{key}" not in reference:
        return None
    return re.compile(NAME.join(map(re.escape, reference.split("{key}"))))


def _awaited(bulk: Bulk, ring: KeyRing, item: SentItem) -> tuple[int, ...]:
    named = [*_listed(item.raw, bulk.order.depends_on), *_written(item.raw, pattern_of(bulk.order.reference))]
    return tuple(place for key in named for place in ring.find(key) if place != item.index)


def _listed(raw: object, at: str | None) -> Sequence[object]:
    found = ABSENT if at is None else look(raw, at)
    if found is ABSENT or found is None:
        return ()
    return found if isinstance(found, list) else (found,)


def _written(raw: object, pattern: re.Pattern[str] | None) -> list[str]:
    return [] if pattern is None else [name for text in _texts(raw) for name in pattern.findall(text)]


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)

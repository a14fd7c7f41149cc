"""What an answer says of the items: the entries where the declaration places them, tied to the items that they mean."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from contracts.bulk import Bulk, Outcomes
from contracts.messages import ABSENT
from generators.checks.reading import KeyRing, SentItem, place_in_items
from generators.checks.waiting import waits
from generators.locations import holds, look, look_all, text_of

Result: TypeAlias = Literal["done", "failed", "left", "not-run", "untold"]
KEYLESS: Final = frozenset(("index", "order"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry of an answer. `key` is ABSENT when it has none, `items` are the places of those that its key means."""

    place: int
    key: object
    failed: bool
    not_run: bool
    id: object
    version: object
    error: object
    items: tuple[int, ...]
    raw: object


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an answer says became of one item.

    `left` is handed back as not processed; `untold` is what should have been told and was not.
    """

    index: int
    result: Result
    id: object = ABSENT
    version: object = ABSENT
    error: object = None


def entries_of(bulk: Bulk, declared: Outcomes, body: object, items: Sequence[SentItem]) -> tuple[Entry, ...] | None:
    """Return the entries in a body, None when there is no collection where the declaration says it is."""
    places = [(declared.at, declared.covers == "failed")]
    if declared.failed_at is not None and declared.failed_at != declared.at:
        places.append((declared.failed_at, True))
    found = [(failed, list(look_all(body, at))) for at, failed in places]
    if not any(collections for _, collections in found):
        return None
    teller = _Teller(bulk, declared, items)
    pairs = ((failed, *pair) for failed, collections in found for one in collections for pair in _pairs(one))
    return tuple(teller.entry(place, failed, key, raw) for place, (failed, key, raw) in enumerate(pairs))


def _pairs(collection: object) -> Iterator[tuple[object, object]]:
    if isinstance(collection, dict):
        yield from collection.items()
    elif isinstance(collection, list):
        yield from ((ABSENT, raw) for raw in collection)


class _Teller:
    """Reads the entries of one answer to one request."""

    def __init__(self, bulk: Bulk, declared: Outcomes, items: Sequence[SentItem]) -> None:
        self._bulk, self._declared = bulk, declared
        self._ring = KeyRing(items)
        self._waits = waits(bulk, items)
        loose = bulk.key.optional or bool(bulk.key.only_for)
        self._by_place = loose and declared.in_order and declared.covers == "all"

    def entry(self, place: int, failed: bool, name: object, raw: object) -> Entry:  # noqa: FBT001 - one entry of a row
        declared = self._declared
        key = name if declared.key is None else look(raw, declared.key)
        error = _optional(raw, declared.error)
        bad = failed or _is_bad(declared, raw, error)
        items = self._meant(place, key)
        idle = self._is_marked(raw, error, items)
        return Entry(
            place=place,
            key=key,
            failed=bad and not idle,
            not_run=idle,
            id=_optional(raw, declared.id),
            version=_optional(raw, declared.version),
            error=None if error is ABSENT else error,
            items=items,
            raw=raw,
        )

    def _is_marked(self, raw: object, error: object, items: Sequence[int]) -> bool:
        """Say whether an entry says that its item was not run: rolled back, or waiting for one that failed."""
        waiting = any(self._waits[item] for item in items)
        marks = (self._bulk.unit.marked_as, self._bulk.order.on_broken if waiting else None)
        test = self._declared.failed_if
        said = {text_of(value) for value in (error, None if test is None else look(raw, test.at)) if _is_word(value)}
        return any(text_of(mark) in said for mark in marks if mark is not None)

    def _meant(self, place: int, key: object) -> tuple[int, ...]:
        declared = self._declared
        if key is ABSENT and self._by_place:
            return (place,) if place < len(self._waits) else ()
        if self._bulk.key.by not in KEYLESS:
            return tuple(self._ring.find_named(key) if declared.shape == "map" else self._ring.find(key))
        if key is ABSENT and declared.key is None and declared.shape != "map":
            return tuple(self._ring.find(place))
        return tuple(self._ring.find(place_in_items(self._bulk, key)))


def _is_bad(declared: Outcomes, raw: object, error: object) -> bool:
    """Say whether an entry speaks of a failure: by the predicate, else because it has an error and others have none."""
    if declared.failed_if is not None:
        return holds(declared.failed_if, raw)
    return declared.failed_at is None and error is not ABSENT and error is not None


def _optional(raw: object, at: str | None) -> object:
    return ABSENT if at is None else look(raw, at)


def _is_word(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def assigned(entries: Sequence[Entry], size: int) -> tuple[tuple[Entry, ...], ...]:
    """Return the entries of each item; several items of one key get theirs in turn, the last of them what is left."""
    of_item: list[list[Entry]] = [[] for _ in range(size)]
    for entry in entries:
        if entry.items:
            free = next((place for place in entry.items if not of_item[place]), entry.items[-1])
            of_item[free].append(entry)
    return tuple(map(tuple, of_item))


def outcomes_of(
    bulk: Bulk, declared: Outcomes, entries: Sequence[Entry], size: int, *, whole: bool
) -> tuple[Outcome, ...]:
    """Return what is said of each item of the request; `whole` when its items stand or fall together."""
    failed = any(entry.failed for entry in entries)
    silence = _silence(bulk, declared, fell=failed and whole, stopped=failed and bool(bulk.unit.stop_after))
    return tuple(_outcome(n, said, silence) for n, said in enumerate(assigned(entries, size)))


def _silence(bulk: Bulk, declared: Outcomes, *, fell: bool, stopped: bool) -> Result:
    """Return what it means for an item that no entry speaks of it."""
    if fell and (declared.covers in {"failed", "unless-failed"} or bulk.unit.rolled_back != "marked"):
        return "not-run"
    if stopped and bulk.unit.rolled_back == "skipped":
        return "not-run"
    return "done" if declared.covers == "failed" else "untold"


def _outcome(index: int, said: Sequence[Entry], silence: Result) -> Outcome:
    if not said:
        return Outcome(index=index, result=silence)
    worst = next((one for one in said if one.failed), next((one for one in said if one.not_run), said[0]))
    result: Result = "failed" if worst.failed else "not-run" if worst.not_run else "done"
    return Outcome(index=index, result=result, id=said[0].id, version=said[0].version, error=worst.error)

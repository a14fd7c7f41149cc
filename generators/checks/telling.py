"""What an answer says of the items: the entries where the declaration places them, tied to the items that they mean."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from contracts.bulk import Bulk, Outcomes
from contracts.messages import ABSENT
from generators.checks.locations import holds, look, look_all, text_of
from generators.checks.reading import KeyRing, SentItem, place_in_items

Result: TypeAlias = Literal["done", "failed", "not-run", "untold"]
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
    """What an answer says became of one item; `untold` when it should have said and did not."""

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
    ring, entries = KeyRing(items), list[Entry]()
    for failed, collections in found:
        for key, raw in (pair for one in collections for pair in _pairs(one)):
            entries.append(_entry(bulk, declared, ring, len(entries), key, raw, failed))
    return tuple(entries)


def _pairs(collection: object) -> Iterator[tuple[object, object]]:
    if isinstance(collection, dict):
        yield from collection.items()
    elif isinstance(collection, list):
        yield from ((ABSENT, raw) for raw in collection)


def _entry(
    bulk: Bulk, declared: Outcomes, ring: KeyRing, place: int, name: object, raw: object, failed: bool  # noqa: FBT001 - an inner step
) -> Entry:
    key = name if declared.key is None else look(raw, declared.key)
    bad = failed or (declared.failed_if is not None and holds(declared.failed_if, raw))
    error = None if declared.error is None else look(raw, declared.error)
    marked = _is_marked(bulk, declared, raw, error)
    return Entry(
        place=place,
        key=key,
        failed=bad and not marked,
        not_run=marked,
        id=ABSENT if declared.id is None else look(raw, declared.id),
        version=ABSENT if declared.version is None else look(raw, declared.version),
        error=None if error is ABSENT else error,
        items=_meant(bulk, declared, ring, place, key),
        raw=raw,
    )


def _is_marked(bulk: Bulk, declared: Outcomes, raw: object, error: object) -> bool:
    """Say whether an entry says that its item was not run: rolled back, or waiting for one that failed."""
    marks = {text_of(mark) for mark in (bulk.unit.marked_as, bulk.order.on_broken) if mark is not None}
    test = declared.failed_if
    said = {text_of(value) for value in (error, None if test is None else look(raw, test.at)) if _is_word(value)}
    return bool(marks & said)


def _is_word(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _meant(bulk: Bulk, declared: Outcomes, ring: KeyRing, place: int, key: object) -> tuple[int, ...]:
    if key is ABSENT and bulk.key.by in KEYLESS and declared.key is None and declared.shape != "map":
        return tuple(ring.find(place))
    return tuple(ring.find(place_in_items(bulk, key) if bulk.key.by in KEYLESS else key))


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
    fell = whole and any(entry.failed for entry in entries)
    silence = _silence(bulk, declared, fell=fell)
    return tuple(_outcome(n, said, silence) for n, said in enumerate(assigned(entries, size)))


def _silence(bulk: Bulk, declared: Outcomes, *, fell: bool) -> Result:
    """Return what it means for an item that no entry speaks of it."""
    if fell and (declared.covers in {"failed", "unless-failed"} or bulk.unit.rolled_back == "nothing"):
        return "not-run"
    return "done" if declared.covers == "failed" else "untold"


def _outcome(index: int, said: Sequence[Entry], silence: Result) -> Outcome:
    if not said:
        return Outcome(index=index, result=silence)
    worst = next((one for one in said if one.failed), next((one for one in said if one.not_run), said[0]))
    result: Result = "failed" if worst.failed else "not-run" if worst.not_run else "done"
    return Outcome(index=index, result=result, id=said[0].id, version=said[0].version, error=worst.error)

"""Apply the items of a run to stored records, column by column where they cannot fail: `apply_all`, `apply_together`.

An item cannot fail whose payload is valid, whose record is as its action wants it, whose references lead to records,
and whose unique values nobody has or wants, all seen from the records before the first item: no other item of a list
whose records and unique values all differ can change that. Every other item is applied by itself, in its place.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from operator import itemgetter, or_
from types import NoneType
from typing import Final, TypeAlias

from contracts.exchange.preconditions import is_stale
from contracts.messages import ABSENT
from mockserver.bulk.record_service import RecordService
from mockserver.domain.columns import DoneOutcomes, actions_of, item_column
from mockserver.domain.slices import breathe
from mockserver.domain.values import Item, Outcome, merge_patched
from mockserver.stores.interface import Collection, Index, Key, Record

Members: TypeAlias = Mapping[str, object]
Doubts: TypeAlias = Iterable[int]
MIN_COLUMN: Final = 4  # items that are written together; fewer are applied by themselves
MAX_WRITTEN: Final = 500  # records that are written without a pause
ACTIONS: Final = frozenset(("create", "update", "upsert"))


def apply_all(service: RecordService, items: Sequence[Item]) -> Sequence[Outcome]:
    """Apply items of one resource one after the other; those that cannot fail are written together."""
    columns = _Columns.of(service, items)
    if columns is None:
        return list(_each(service, items))
    doubtful = columns.doubtful()
    if not doubtful:
        return columns.write(0, len(items))
    outcomes: list[Outcome] = []
    begin = 0
    for place in (*sorted(doubtful), len(items)):
        if place - begin >= MIN_COLUMN:
            outcomes += columns.write(begin, place)
        else:
            outcomes += _each(service, items[begin:place])
        outcomes += _each(service, items[place : place + 1])
        begin = place + 1
    return outcomes


def apply_together(service: RecordService, items: Sequence[Item]) -> DoneOutcomes | None:
    """Apply items of one resource if none of them can fail; else change nothing, and return None."""
    columns = _Columns.of(service, items)
    return None if columns is None or columns.doubtful() else columns.write(0, len(items))


def _each(service: RecordService, items: Iterable[Item]) -> Iterator[Outcome]:
    for item in items:
        yield service.apply(item)
        breathe()


@dataclass(frozen=True, slots=True)
class _Columns:
    """The items of a run, all of one action: the key and the record of each, None where the server names it.

    `payloads` are the members as they were sent, `named` the same under the names of the schema where they are still to
    be validated, `changes` those that are written, `names` all that occur in those;
    `lacks` tells whether any record is not there. `columns` are those of `changes` that were looked at, by name.
    """

    service: RecordService
    items: Sequence[Item]
    action: str
    keys: Sequence[Key] | None
    existing: Sequence[Record | None]
    payloads: Sequence[Members]
    named: Sequence[Members]
    changes: Sequence[Members]
    names: set[str]
    lacks: bool
    columns: dict[str, list[object]] = field(default_factory=dict)

    @classmethod
    def of(cls, service: RecordService, items: Sequence[Item]) -> "_Columns | None":
        """Return the columns of items, None where each of them needs a closer look."""
        if len(items) < MIN_COLUMN or service.naming is not None:
            return None
        actions = actions_of(items)
        if len(actions) > 1 or actions.isdisjoint(ACTIONS):
            return None
        (action,) = actions
        keys = _keys(service, action, item_column(items, "target"))
        if keys == ():
            return None
        payloads = service.run.api.hooks.changed_members(service.resource, item_column(items, "payload"))
        breathe()
        existing = [None] * len(items) if keys is None else service.view.get_all(service.collection, keys)
        breathe()
        named = payloads if service.valid else service.rules.payloads.canonical(payloads)
        changes = named if service.prepare is None else service.prepare(existing, named)
        breathe()
        names = set[str]().union(*changes)
        return cls(service, items, action, keys, existing, payloads, named, changes, names, not all(existing))

    def column(self, name: str) -> list[object]:
        """Return one member of each of the `changes`, None where it is absent."""
        if name not in self.columns:
            self.columns[name] = members(name, self.changes)
        return self.columns[name]

    def doubtful(self) -> set[int]:
        """Return the places of the items that might fail, or are not simply written."""
        service = self.service
        checks = (
            () if service.valid else self._invalid(),
            self._not_settable(),
            self._of_another_state(),
            self._deleting(),
            self._stale(),
            self._renamed(),
            self._incomplete(),
            *(self._astray(member, collection) for member, collection in service.references),
            *(self._not_unique(index) for index in service.resource.unique),
        )
        found: set[int] = set()
        for places in checks:
            found.update(places)
            breathe()
        return found

    def _invalid(self) -> Doubts:
        """Find payloads that are not valid as they stand; those of new records also as a whole."""
        rules, existing = self.service.rules.payloads, self.existing
        yield from rules.misfits(self.named)
        if self.lacks and rules.schema is not None:
            fits = rules.schema.is_valid
            yield from (n for n, one in enumerate(self.named) if existing[n] is None and not fits(one))

    def _not_settable(self) -> Doubts:
        """Find items that set what the operation may not set."""
        settable = self.service.settable
        if settable is not None and not self.names <= settable:
            yield from (n for n, one in enumerate(self.changes) if not one.keys() <= settable)

    def _of_another_state(self) -> Doubts:
        """Find items whose record is there, is not, or is deleted, and should not be so; new ones under odd keys."""
        if self.keys is None:
            return
        resource, rules, existing = self.service.resource, self.service.rules, self.existing
        if self.action == "create":
            yield from (n for n, one in enumerate(existing) if one is not None)
        elif self.action == "update":
            yield from (n for n, one in enumerate(existing) if one is None or one[2])
        elif self.service.plain:
            yield from (n for n, one in enumerate(existing) if one is not None and one[2])
        if self.action != "update" and self.lacks:
            unnamed = resource.assigned and not (self.service.is_reported or rules.keys.are_given)
            fits, own = rules.keys.kind.fits, resource.key
            fresh = (n for n, one in enumerate(existing) if one is None)
            yield from (n for n in fresh if unnamed or not (own in self.payloads[n] or fits(self.keys[n])))

    def _deleting(self) -> Doubts:
        """Find items that delete: what is not there, or what others may refer to; of a plain document all of them."""
        tombstone, closely = self.service.resource.tombstone, self.service.resource.restrict or self.service.plain
        if tombstone is not None and tombstone in self.names:
            every = enumerate(zip(self.existing, self.changes, strict=True))
            yield from (n for n, (one, given) in every if given.get(tombstone) and (one is None or closely))

    def _stale(self) -> Doubts:
        versions = item_column(self.items, "version")
        if versions.count(None) < len(versions):
            every = enumerate(zip(versions, self.existing, strict=True))
            yield from (n for n, (version, one) in every if one is not None and is_stale(version, one[1]))

    def _renamed(self) -> Doubts:
        """Find items whose payload has another key than their record."""
        own = self.service.resource.key
        if own not in self.names:
            return
        if self.keys is None:
            yield from (n for n, one in enumerate(self.changes) if own in one)
            return
        given = self.column(own)
        if given != self.keys:
            every = enumerate(zip(given, self.keys, strict=True))
            yield from (n for n, (one, key) in every if one is not None and one != key)

    def _incomplete(self) -> Doubts:
        """Find new records without what they must have."""
        if not self.lacks:
            return
        for name in self.service.resource.required:
            found = self.column(name)
            if None in found:
                yield from (n for n, one in enumerate(found) if one is None and self.existing[n] is None)

    def _astray(self, member: str, collection: Collection) -> Doubts:
        """Find items whose reference leads to no record, or is not the key itself; or leads to one of their kind."""
        if member not in self.names:
            return
        given = self.column(member)
        kinds = set(map(type, given)) - {NoneType}
        sound = (
            self._sound(member, collection, {one for one in given if type(one) is str or type(one) is int})
            if kinds
            else set()
        )
        if not kinds <= KEY_TYPES or not sound.issuperset(one for one in given if one is not None):
            known = {*sound, None}
            yield from (n for n, one in enumerate(given) if type(one) not in EASY_TYPES or one not in known)

    def _sound(self, member: str, collection: Collection, given: set[Key]) -> set[Key]:
        """Return those of the given values that are keys of records."""
        service, resolve = self.service, self.service.resolve
        if collection == service.collection:
            return set()
        keys = list(given)
        if resolve is not None:
            meanings = [resolve(service.run, service.view, service.resource, member, key) for key in keys]
            keys = [key for key, one in zip(keys, meanings, strict=True) if one.fault is None and one.key is key]
        records = service.view.get_all(collection, keys)
        return {key for key, one in zip(keys, records, strict=True) if one is not None and not one[2]}

    def _not_unique(self, index: Index) -> Doubts:
        """Find items with a unique value that others have or want, or that is of several members or no text."""
        if self.names.isdisjoint(index):
            return
        if len(index) > 1:
            yield from (n for n, one in enumerate(self.changes) if not one.keys().isdisjoint(index))
            return
        service, given = self.service, self.column(index[0])
        if not set(map(type, given)) <= {str, NoneType}:
            yield from (n for n, one in enumerate(given) if type(one) not in {str, NoneType})
            given = [one if type(one) is str else None for one in given]
        wanted = set(given) - {None}
        if len(wanted) + given.count(None) < len(given):
            times = Counter(given)
            yield from (n for n, one in enumerate(given) if one is not None and times[one] > 1)
        if service.view.has_any(service.collection, index, wanted):
            own: Sequence[Key | None] = self.keys or [None] * len(given)
            holders = [() if one is None else service.view.find(service.collection, index, (one,)) for one in given]
            yield from (n for n, some in enumerate(holders) if any(key != own[n] for key in some))

    def write(self, begin: int, end: int) -> DoneOutcomes:
        """Write the items of these places, none of which can fail, and return their outcomes."""
        service, now, size = self.service, self.service.now, end - begin
        existing, changes = self.existing[begin:end], self.changes[begin:end]
        keys = service.free_keys(size) if self.keys is None else self.keys[begin:end]
        nothing = Record("", 0, deleted=False, body=dict(service.resource.defaults), created=now, modified=now)
        rows = [one or nothing for one in existing] if self.lacks else existing
        _, versions, deleted, olds, born, _ = zip(*rows, strict=True)
        if service.resource.tombstone in self.names:
            deleted = self._deleted(begin, end)
        numbers, keeps_null = [one + 1 for one in versions], service.rules.payloads.keeps_null
        may_have_null = any(existing) or self._may_be_born_with_null()
        records: list[Record] = []
        for first in range(0, size, MAX_WRITTEN):
            breathe()
            some = slice(first, first + MAX_WRITTEN)
            bodies = list(map(or_, olds[some], changes[some]))
            if may_have_null and None in chain.from_iterable(map(dict.values, bodies)):
                bodies = [merge_patched({}, one, keeps_null) for one in bodies]
            parts = zip(keys[some], numbers[some], deleted[some], bodies, born[some], repeat(now))
            made = list(map(tuple.__new__, repeat(Record), parts))
            service.view.put_all(service.collection, made, existing[some])
            records += made
        actions = ["create" if one is None else "update" for one in existing] if self.lacks else ["update"] * size
        return DoneOutcomes(self.items if size == len(self.items) else self.items[begin:end], actions, records)

    def _may_be_born_with_null(self) -> bool:
        """Tell whether a member of a new record may be null, which takes a closer look: it is, or some lack it."""
        return None in self.service.resource.defaults.values() or any(None in self.column(one) for one in self.names)

    def _deleted(self, begin: int, end: int) -> Sequence[bool]:
        """Return whether each record is marked as deleted by what is written; a new one never is."""
        tombstone = self.service.resource.tombstone or ""
        given = self.column(tombstone)[begin:end]
        if given.count(False) == len(given):
            return [False] * len(given)
        every = zip(self.existing[begin:end], self.changes[begin:end], strict=True)
        return [one is not None and bool(change.get(tombstone, one[2])) for one, change in every]


KEY_TYPES: Final = frozenset((str, int))
EASY_TYPES: Final = frozenset((*KEY_TYPES, NoneType))


def _keys(service: RecordService, action: str, targets: Sequence[object]) -> Sequence[Key] | None:
    """Return the key of each item, all different and of one type; none when they are not; None for those to be made."""
    is_made = service.new_keys is not None and action == "create"
    if is_made and (not service.is_reported or targets.count(ABSENT) == len(targets)):
        return None
    kinds = set(map(type, targets))
    if len(kinds) > 1 or not kinds <= KEY_TYPES or len(set(targets)) < len(targets):
        return ()
    return targets  # type: ignore[return-value] # all are texts or all are numbers


def members(name: str, payloads: Sequence[Members]) -> list[object]:
    """Return one member of each payload, None where it is absent."""
    try:
        return list(map(itemgetter(name), payloads))
    except KeyError:
        return [one.get(name) for one in payloads]

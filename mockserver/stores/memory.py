"""Records in memory: `MemoryStore`, and `Overlay`, a transaction over it.

Hash indexes serve uniqueness and references. Records of sandboxes that are idle are packed: see `Table.pack`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from types import NoneType
from typing import TypeAlias

from mockserver.stores.interface import Collection, Index, Key, Record
from mockserver.stores.packed_records import PackedRecords


class Table:
    """The records of one collection; each index maps the values of its members to the keys that have them.

    Records with null in every member of an index are not indexed. A value with one key maps to that key, a value with
    several keys to a dictionary of them. A table that was packed is unpacked when a record is looked up or written.
    """

    __slots__ = ("_packed", "_parts", "_rows", "indexes")

    def __init__(self, indexes: Iterable[Index]) -> None:
        self._rows: dict[Key, Record] = {}
        self._packed: PackedRecords | None = None
        self.indexes: dict[Index, dict[object, Key | dict[Key, None]]] = {index: {} for index in indexes}
        self._parts = tuple((index_reader(index), entries) for index, entries in self.indexes.items())

    @property
    def rows(self) -> dict[Key, Record]:
        """Return the records by their keys."""
        if self._packed is not None:
            self._unpack()
        return self._rows

    @property
    def size(self) -> int:
        """Return the number of records."""
        return len(self._rows) if self._packed is None else self._packed.size

    def records(self) -> Sequence[Record]:
        """Return the records; what is packed stays so."""
        return tuple(self._rows.values()) if self._packed is None else self._packed.records()

    def pack(self) -> None:
        """Pack the records, until one is looked up or written; those that cannot be packed stay."""
        packed = PackedRecords.of(self._rows.values())
        if packed is not None:
            self._rows, self._packed = {}, packed
            for _, entries in self._parts:
                entries.clear()

    def put(self, record: Record) -> None:
        """Insert or replace a record."""
        self.put_all((record.key,), (record,), (self.rows.get(record.key),))

    def put_all(self, keys: Sequence[Key], records: Sequence[Record], before: Sequence[Record | None]) -> None:
        """Insert records under their keys, or replace those `before`; each index is brought up to date once."""
        rows = self.rows
        if self._parts:
            are_new = len(before) > 1 and not any(before)
            for index, (read, entries) in zip(self.indexes, self._parts, strict=True):
                if not (are_new and len(index) == 1 and _take_in(entries, index[0], keys, records)):
                    _move_all(entries, read, before, records)
        rows.update(zip(keys, records, strict=True))

    def drop(self, key: Key) -> None:
        """Remove a record."""
        record = self.rows.pop(key, None)
        if record is not None:
            for read, entries in self._parts:
                _leave(entries, read(record.body), key)

    def find(self, index: Index, values: tuple[object, ...]) -> Iterable[Key]:
        """Return the keys of the records whose members `index` have these values."""
        held = self.index(index).get(hashable(values[0]) if len(values) == 1 else tuple(map(hashable, values)))
        return () if held is None else held if isinstance(held, dict) else (held,)

    def has_any(self, index: Index, values: AbstractSet[object]) -> bool:
        """Tell whether any record has one of these values in the only member of `index`."""
        return not self.index(index).keys().isdisjoint(values)

    def index(self, members: Index) -> "Entries":
        """Return the keys by the values of these members."""
        if self._packed is not None:
            self._unpack()
        return self.indexes[members]

    def _unpack(self) -> None:
        records, self._packed = () if self._packed is None else self._packed.records(), None
        self.put_all([record[0] for record in records], records, [None] * len(records))


Read: TypeAlias = Callable[[Mapping[str, object]], object]
Entries: TypeAlias = dict[object, Key | dict[Key, None]]


def _move_all(entries: Entries, read: Read, before: Sequence[Record | None], records: Sequence[Record]) -> None:
    """Enter records by their values, in the place of those that they replace."""
    for old, record in zip(before, records, strict=True):
        values = read(record[3])
        if old is not None:
            was = read(old[3])
            if was == values and type(entries.get(was)) is not dict:
                continue
            _leave(entries, was, record[0])
        if values in entries:
            entries[values] = _more(entries[values], record[0])
        elif values is not None:
            entries[values] = record[0]


def _leave(entries: Entries, values: object, key: Key) -> None:
    """Remove a key from those that have these values."""
    if values is None:
        return
    held = entries[values]
    if isinstance(held, dict):
        del held[key]
        if held:
            return
    del entries[values]


def _take_in(entries: Entries, member: str, keys: Sequence[Key], records: Sequence[Record]) -> bool:
    """Enter new records by one member in one go; false where the values are no texts."""
    values = [record[3].get(member) for record in records]
    kinds = set(map(type, values))
    if kinds != {str}:
        return kinds == {NoneType}
    held = list(map(entries.setdefault, values, keys))
    if held != keys:
        for value, one, key in zip(values, held, keys, strict=True):
            if one != key:
                entries[value] = _more(entries[value], key)
    return True


def _more(held: Key | dict[Key, None], key: Key) -> dict[Key, None]:
    """Return the keys of a value with one more, in place where there are several already."""
    if not isinstance(held, dict):
        return {held: None, key: None}
    held[key] = None
    return held


@lru_cache(maxsize=1024)
def index_reader(index: Index) -> Read:
    """Return a function that reads an index's members from a body as a hashable value, None when all are null.

    All tables with such an index have the same.
    """
    if len(index) == 1:
        (member,) = index

        def one(body: Mapping[str, object]) -> object:
            value = body.get(member)
            return value if type(value) is str else hashable(value)

        return one

    def several(body: Mapping[str, object]) -> object:
        values = tuple([hashable(body.get(member)) for member in index])
        return None if values.count(None) == len(values) else values

    return several


def hashable(value: object) -> object:
    """Return a hashable value that is equal exactly when the JSON value is; `true` differs from 1."""
    return value if type(value) in _PLAIN else repr(value)


_PLAIN = frozenset({str, int, float, type(None)})


Undo: TypeAlias = tuple[Collection, Sequence[Key], Sequence[Record | None]]
"""A write that can be taken back: the keys written, and the record of each before, None where there was none."""


class MemoryStore:
    """A store in memory. `indexes` are the declared indexes by resource.

    `undo` lists what was written since it was set to an empty list, for `roll_back`; None keeps no list.
    """

    __slots__ = ("_indexes", "tables", "undo")

    def __init__(self, indexes: Mapping[str, tuple[Index, ...]] | None = None) -> None:
        self._indexes = dict(indexes or {})
        self.tables: dict[Collection, Table] = {}
        self.undo: list[Undo] | None = None

    def roll_back(self) -> None:
        """Take back every write in `undo`, the last one first."""
        steps, self.undo = self.undo or [], None
        for collection, keys, before in reversed(steps):
            for key, record in zip(keys, before, strict=True):
                if record is None:
                    self.drop(collection, key)
                else:
                    self.put(collection, record)

    def indexes(self, resource: str) -> tuple[Index, ...]:
        """Return the indexes declared for a resource."""
        return self._indexes.get(resource, ())

    def table(self, collection: Collection) -> Table:
        """Return the collection's table, created on first use."""
        found = self.tables.get(collection)
        if found is None:
            found = self.tables[collection] = Table(self.indexes(collection.resource))
        return found

    def get(self, collection: Collection, key: Key) -> Record | None:
        """Return the record, None when there is none."""
        table = self.tables.get(collection)
        return None if table is None else table.rows.get(key)

    def put(self, collection: Collection, record: Record) -> None:
        """Insert the record, or replace the one with the same key."""
        table = self.tables.get(collection) or self.table(collection)
        if self.undo is not None:
            self.undo.append((collection, (record.key,), (table.rows.get(record.key),)))
        if table.indexes:
            table.put(record)
        else:
            table.rows[record.key] = record

    def drop(self, collection: Collection, key: Key) -> None:
        """Remove the record without a tombstone."""
        if self.undo is not None:
            self.undo.append((collection, (key,), (self.get(collection, key),)))
        self.table(collection).drop(key)

    def scan(self, collection: Collection) -> Iterator[Record]:
        """Yield every record."""
        return iter(self.table(collection).records())

    def find(self, collection: Collection, index: Index, values: tuple[object, ...]) -> Iterable[Key]:
        """Return the keys of the records whose members have these values. Only declared indexes can be searched."""
        table = self.tables.get(collection)
        return () if table is None else table.find(index, values)

    def has_any(self, collection: Collection, index: Index, values: AbstractSet[object]) -> bool:
        """Tell whether any record has one of these values in the only member of `index`."""
        table = self.tables.get(collection)
        return table is not None and table.has_any(index, values)

    def get_all(self, collection: Collection, keys: Sequence[Key]) -> list[Record | None]:
        """Return the record of each key, None where there is none."""
        table = self.tables.get(collection)
        return [None] * len(keys) if table is None else list(map(table.rows.get, keys))

    def put_all(
        self, collection: Collection, records: Sequence[Record], before: Sequence[Record | None] | None = None
    ) -> None:
        """Insert or replace records, each with a key of its own; `before` are those of the same keys, if known."""
        keys = [record[0] for record in records]
        held = self.get_all(collection, keys) if before is None else before
        if self.undo is not None:
            self.undo.append((collection, keys, held))
        self.table(collection).put_all(keys, records, held)

    def collections(self) -> Iterable[Collection]:
        """Return the collections that hold or held a record."""
        return tuple(self.tables)

    def pack(self) -> None:
        """Pack the records of every collection, each until one of them is looked up or written."""
        for table in self.tables.values():
            table.pack()


class Overlay:
    """Uncommitted changes over `base`: reads see them, `commit` writes them to the base. Dropping it rolls back."""

    __slots__ = ("_fresh", "_gone", "base", "undo")

    def __init__(self, base: "MemoryStore | Overlay") -> None:
        self.base = base
        self.undo: list[Undo] | None = None  # not kept: an overlay is dropped
        self._fresh: dict[Collection, Table] = {}
        self._gone: dict[Collection, set[Key]] = {}

    def indexes(self, resource: str) -> tuple[Index, ...]:
        """Return the indexes declared for a resource."""
        return self.base.indexes(resource)

    def get(self, collection: Collection, key: Key) -> Record | None:
        """Return the changed record, else the base's."""
        fresh = self._fresh.get(collection)
        if fresh is not None and key in fresh.rows:
            return fresh.rows[key]
        return None if key in self._gone.get(collection, ()) else self.base.get(collection, key)

    def put(self, collection: Collection, record: Record) -> None:
        """Insert or replace the record in the overlay."""
        self._table(collection).put(record)

    def _table(self, collection: Collection) -> Table:
        fresh = self._fresh.get(collection)
        if fresh is None:
            fresh = self._fresh[collection] = Table(self.indexes(collection.resource))
        return fresh

    def drop(self, collection: Collection, key: Key) -> None:
        """Mark the record as removed."""
        self._gone.setdefault(collection, set()).add(key)
        if collection in self._fresh:
            self._fresh[collection].drop(key)

    def scan(self, collection: Collection) -> Iterator[Record]:
        """Yield every record, changes included."""
        hidden = self._hidden(collection)
        yield from (record for record in self.base.scan(collection) if record.key not in hidden)
        if collection in self._fresh:
            yield from tuple(self._fresh[collection].rows.values())

    def find(self, collection: Collection, index: Index, values: tuple[object, ...]) -> Iterable[Key]:
        """Return the keys of the records whose members have these values, changes included."""
        fresh = self._fresh.get(collection)
        gone = self._gone.get(collection, ())
        rows = fresh.rows if fresh is not None else {}
        kept = [key for key in self.base.find(collection, index, values) if key not in rows and key not in gone]
        return (*kept, *fresh.find(index, values)) if fresh is not None else kept

    def has_any(self, collection: Collection, index: Index, values: AbstractSet[object]) -> bool:
        """Tell whether any record has one of these values in the only member of `index`, changes included."""
        fresh = self._fresh.get(collection)
        if fresh is not None and fresh.has_any(index, values):
            return True
        return self.base.has_any(collection, index, values) and any(
            self.find(collection, index, (value,)) for value in values
        )

    def get_all(self, collection: Collection, keys: Sequence[Key]) -> list[Record | None]:
        """Return the changed record of each key, else the base's."""
        if collection in self._fresh or collection in self._gone:
            return [self.get(collection, key) for key in keys]
        return self.base.get_all(collection, keys)

    def put_all(
        self, collection: Collection, records: Sequence[Record], before: Sequence[Record | None] | None = None
    ) -> None:
        """Insert or replace records in the overlay, each with a key of its own."""
        del before  # the base's may be among them
        fresh, keys = self._table(collection), [record[0] for record in records]
        fresh.put_all(keys, records, list(map(fresh.rows.get, keys)))

    def pack(self) -> None:
        """Change nothing: an overlay is there for the time of a call."""

    def roll_back(self) -> None:
        """Drop every change."""
        self._fresh, self._gone, self.undo = {}, {}, None

    def collections(self) -> Iterable[Collection]:
        """Return the collections that hold or held a record."""
        return tuple({*self.base.collections(), *self._fresh})

    def changed(self) -> Iterator[tuple[Collection, Record]]:
        """Yield the records that are new or changed."""
        for collection, fresh in self._fresh.items():
            yield from ((collection, record) for record in tuple(fresh.rows.values()))

    def dropped(self) -> Iterator[tuple[Collection, Key]]:
        """Yield the keys of the base's records that were removed."""
        for collection, keys in self._gone.items():
            hidden = self._fresh[collection].rows if collection in self._fresh else {}
            yield from ((collection, key) for key in tuple(keys) if key not in hidden)

    def commit(self) -> None:
        """Write every change to the base, and empty the overlay."""
        for collection, keys in self._gone.items():
            for key in keys:
                self.base.drop(collection, key)
        for collection, fresh in self._fresh.items():
            self.base.put_all(collection, tuple(fresh.rows.values()))
        self._fresh, self._gone = {}, {}

    def _hidden(self, collection: Collection) -> set[Key]:
        fresh = self._fresh.get(collection)
        return self._gone.get(collection, set()) | (fresh.rows.keys() if fresh is not None else set())

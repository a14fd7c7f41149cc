"""Where records are kept: the Protocol that every store and every overlay keeps to."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

Key: TypeAlias = str | int
Index: TypeAlias = tuple[str, ...]

__all__ = ["Collection", "Index", "Key", "Record", "View", "key_order"]


class Collection(NamedTuple):
    """The name of a set of records: a data set or tenant (`scope`), and the resource's name."""

    scope: str
    resource: str


class Record(NamedTuple):
    """One stored record; `body` is never changed in place."""

    key: Key
    version: int
    deleted: bool
    body: dict[str, object]
    created: datetime
    modified: datetime


def key_order(record: Record) -> tuple[bool, Key]:
    """Return where a record stands in the order of keys: numbers first, then texts."""
    return isinstance(record.key, str), record.key


class View(Protocol):
    """Synchronous reading and writing of records. Deleted records that left a tombstone are records too."""

    def get(self, collection: Collection, key: Key) -> Record | None:
        """Return the record, or None."""

    def put(self, collection: Collection, record: Record) -> None:
        """Insert the record, or replace the one with its key."""

    def drop(self, collection: Collection, key: Key) -> None:
        """Remove the record without a trace; no error when there is none."""

    def scan(self, collection: Collection) -> Iterator[Record]:
        """Yield every record, in no order that may be relied on."""

    def find(self, collection: Collection, index: Index, values: tuple[object, ...]) -> Iterable[Key]:
        """Return the keys of the records whose members `index` have these values; only for declared indexes."""

    def taken(self, collection: Collection, index: Index, values: AbstractSet[object]) -> bool:
        """Tell whether any record has one of these values in the one member of `index`."""

    def put_new(self, collection: Collection, records: Sequence[Record]) -> None:
        """Insert records whose keys are new."""

    def collections(self) -> Iterable[Collection]:
        """Return the collections that hold or held a record."""

"""The interfaces of storage: `View` of every store and overlay of records, `SandboxLog` of what makes them durable."""

from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import NamedTuple, Protocol, TypeAlias

from contracts.messages import Request

Key: TypeAlias = str | int
Index: TypeAlias = tuple[str, ...]


class NotStoredError(Exception):
    """A store on disk does not take what is to be written; nothing was changed. `status` is 507 or 503."""

    def __init__(self, status: int, detail: str) -> None:
        self.status, self.detail = status, detail
        super().__init__(detail)


class SandboxLog(Protocol):
    """What is told of sandboxes before it happens, so that it is stored. Each raises NotStoredError: it must not."""

    def create(self, name: str, real: datetime) -> None:
        """Store that a sandbox is created at the real time `real`."""

    def drop(self, name: str) -> None:
        """Store that a sandbox is dropped."""

    def control(self, name: str, request: Request, real: datetime) -> None:
        """Store a call of the control API that changes a sandbox."""


class Collection(NamedTuple):
    """The name of a collection of records: the data set or tenant (`scope`), and the resource."""

    scope: str
    resource: str


class Record(NamedTuple):
    """One stored record. `version` counts from 1; `body` is never changed in place; `deleted` marks a tombstone."""

    key: Key
    version: int
    deleted: bool
    body: dict[str, object]
    created: datetime
    modified: datetime


def key_order(record: Record) -> tuple[bool, Key]:
    """Return the sort key of a record: integer keys first, then text keys."""
    return isinstance(record.key, str), record.key


class View(Protocol):
    """Synchronous reads and writes of records. Tombstones of deleted records are records too."""

    def get(self, collection: Collection, key: Key) -> Record | None:
        """Return the record, None when there is none."""

    def put(self, collection: Collection, record: Record) -> None:
        """Insert the record, or replace the one with the same key."""

    def drop(self, collection: Collection, key: Key) -> None:
        """Remove the record without a tombstone; no error when there is none."""

    def scan(self, collection: Collection) -> Iterator[Record]:
        """Yield every record, in no defined order."""

    def find(self, collection: Collection, index: Index, values: tuple[object, ...]) -> Iterable[Key]:
        """Return the keys of the records whose members `index` have these values.

        Only declared indexes can be searched.
        """

    def has_any(self, collection: Collection, index: Index, values: AbstractSet[object]) -> bool:
        """Tell whether any record has one of these values in the only member of `index`."""

    def get_all(self, collection: Collection, keys: Sequence[Key]) -> list[Record | None]:
        """Return the record of each key, None where there is none."""

    def put_all(
        self, collection: Collection, records: Sequence[Record], before: Sequence[Record | None] | None = None
    ) -> None:
        """Insert or replace records, each with a key of its own; `before` are those of the same keys, if known."""

    def collections(self) -> Iterable[Collection]:
        """Return the collections that hold or held a record."""

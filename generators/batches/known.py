"""What a caller knows to be stored: the ledger that batches take live, stale and deleted keys from."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from contracts.bulk import Resource

StoredKey: TypeAlias = str | int
NOTHING: Mapping[str, Any] = {}


class Live(NamedTuple):
    """A record that is stored: its key, its version when it has one, and what is known of its members."""

    key: StoredKey
    version: int | None
    values: Mapping[str, Any]


class Known:
    """Records known to be stored, by resource, and targets (tenants) known to exist. The caller keeps it up to date.

    Every question is answered in the same time, however many records there are.
    """

    __slots__ = ("_gone", "_live", "_places", "_references", "_resources", "_taken", "targets")

    def __init__(self, resources: Mapping[str, Resource] | None = None, *, targets: Sequence[str] = ()) -> None:
        self.targets = tuple(targets)
        self._resources = resources or {}
        self._live: dict[str, list[Live]] = {}
        self._places: dict[str, dict[StoredKey, int]] = {}
        self._gone: dict[str, list[StoredKey]] = {}
        self._taken: Counter[tuple[str, tuple[str, ...], Hashable]] = Counter()
        self._references: Counter[tuple[str, object]] = Counter()

    def live(self, resource: str) -> Sequence[Live]:
        """Return the records that are stored."""
        return self._live.get(resource, ())

    def gone(self, resource: str) -> Sequence[StoredKey]:
        """Return the keys of records that were stored and are not any more."""
        return self._gone.get(resource, ())

    def find(self, resource: str, key: StoredKey) -> Live | None:
        """Return the stored record of that key."""
        place = self._places.get(resource, {}).get(key)
        return None if place is None else self._live[resource][place]

    def is_taken(self, resource: str, members: tuple[str, ...], values: Mapping[str, Any]) -> bool:
        """Say whether a stored record has these values of members that are unique together."""
        return self._taken[resource, members, _together(members, values)] > 0

    def is_referred_to(self, resource: str, key: StoredKey) -> bool:
        """Say whether a stored record refers to this one."""
        return self._references[resource, key] > 0

    def put(
        self, resource: str, key: StoredKey, *, version: int | None = None, values: Mapping[str, Any] = NOTHING
    ) -> None:
        """Note that a record is stored so."""
        live, places = self._live.setdefault(resource, []), self._places.setdefault(resource, {})
        record = Live(key, version, values)
        place = places.get(key)
        if place is None:
            places[key] = len(live)
            live.append(record)
        else:
            self._count(resource, live[place], -1)
            live[place] = record
        self._count(resource, record, 1)

    def drop(self, resource: str, key: StoredKey) -> None:
        """Note that a record is stored no more."""
        if self._taken_out(resource, key):
            self._gone.setdefault(resource, []).append(key)

    def forget(self, resource: str, key: StoredKey) -> None:
        """Note that it is not known any more whether a record is stored."""
        self._taken_out(resource, key)

    def _taken_out(self, resource: str, key: StoredKey) -> bool:
        live, places = self._live.get(resource, []), self._places.get(resource, {})
        place = places.pop(key, None)
        if place is None:
            return False
        self._count(resource, live[place], -1)
        last = live.pop()
        if place < len(live):
            live[place], places[last.key] = last, place
        return True

    def _count(self, resource: str, record: Live, by: int) -> None:
        declared = self._resources.get(resource)
        if declared is None:
            return
        for members in declared.unique:
            self._taken[resource, members, _together(members, record.values)] += by
        for member, named in declared.references.items():
            self._references[named, _hashable(record.values.get(member))] += by


def _together(members: tuple[str, ...], values: Mapping[str, Any]) -> Hashable:
    return tuple(_hashable(values.get(member)) for member in members)


def _hashable(value: object) -> Hashable:
    return repr(value) if isinstance(value, dict | list) else value

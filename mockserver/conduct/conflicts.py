"""The law about records that somebody else has changed meanwhile."""

from collections.abc import Iterator
from typing import NamedTuple

from mockserver.conduct.history import Deed, History
from mockserver.conduct.law import Ruling, broken, kept, not_exercised
from mockserver.conduct.packing import unpack


class Retry(NamedTuple):
    """A record that was written again after its version conflict, and whether it was read in between."""

    conflict: Deed
    target: str
    later: Deed
    read: bool


class Open:
    """The version conflicts of one client in one data set that were not followed by another write yet."""

    __slots__ = ("_by_key", "_by_target", "_read")

    def __init__(self) -> None:
        self._by_target: dict[str, Deed] = {}
        self._by_key: dict[str, set[str]] = {}
        self._read: set[str] = set()

    def take(self, deed: Deed) -> Iterator[Retry]:
        """Take the next deed in; yield the retries that it is."""
        for key in deed.shown & self._by_key.keys():
            self._read |= self._by_key[key]
        for target in deed.named & self._by_target.keys():
            yield Retry(self._by_target.pop(target), target, deed, target in self._read)
        for target in unpack(deed.gist.stale):
            self._by_target[target] = deed
            self._by_key.setdefault(target.partition("/")[2], set()).add(target)
            self._read.discard(target)


def re_read_after_conflict(history: History) -> Ruling:
    """Judge whether a record is read after a version conflict, before it is written again."""
    sides: dict[tuple[str, str], Open] = {}
    met = [deed for deed in history.deeds if deed.gist.stale]
    relevant = (deed for deed in history.deeds if deed.gist.stale or deed.gist.targets or deed.gist.shown)
    retries = [
        retry for deed in relevant for retry in sides.setdefault((deed.client, deed.entry.tenant), Open()).take(deed)
    ]
    blind = [one for one in retries if not one.read]
    if blind:
        first = blind[0]
        return broken(
            f"#{first.later.n} tried again to change {first.target.replace('/', ' ', 1)}, whose version had been stale "
            f"in #{first.conflict.n}, without reading it; read the record first.",
            (deed for one in blind for deed in (one.conflict, one.later)),
        )
    if retries:
        return kept(
            "Records were read after a version conflict, before they were changed again.",
            (deed for one in retries for deed in (one.conflict, one.later)),
        )
    if met:
        return not_exercised("No record was written again after its version conflict.")
    return not_exercised("No version conflict was met.")

"""The records of one data set, read through their references, and found by what they have."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from mockserver.apis.onkey.kinds import Kind, Kinds, Steps, kinds_of, stamp, value_of
from mockserver.behaviours.records import run_of
from mockserver.scopes import stocked
from mockserver.stores import Collection, Key, Record, View
from mockserver.turn import Turn

Wanted: TypeAlias = Sequence[tuple[Steps, object]]
NOTHING = -1  # no record's id


class DataSet(NamedTuple):
    """A data set as it stands in a view."""

    kinds: Kinds
    view: View
    scope: str

    def get(self, kind: Kind, key: Key) -> Record | None:
        """Return the record of that id."""
        return self.view.get(Collection(self.scope, kind.name), key)

    def scan(self, kind: Kind) -> Iterable[Record]:
        """Yield every record of a kind."""
        return self.view.scan(Collection(self.scope, kind.name))

    def value(self, kind: Kind, record: Record, steps: Steps) -> object:
        """Return the value that `steps` lead to from a record, None where a reference is not set."""
        for member in steps[:-1]:
            kind = self.kinds.by_name[kind.resource.references[member]]
            key: Any = record.body.get(member)
            found = None if key is None else self.get(kind, key)
            if found is None:
                return None
            record = found
        return value_of(record, steps[-1])

    def matching(self, kind: Kind, wanted: Wanted) -> list[Record]:
        """Return the records of a kind that have every wanted value."""
        return [one for one in self._candidates(kind, wanted) if self._fits(kind, one, wanted)]

    def _fits(self, kind: Kind, record: Record, wanted: Wanted) -> bool:
        return all(same(self.value(kind, record, steps), value) for steps, value in wanted)

    def _candidates(self, kind: Kind, wanted: Wanted) -> Iterable[Record]:
        """Return the records among which those that fit must be: by id or index where the wanted values allow it."""
        known = {steps[0]: value for steps, value in wanted if len(steps) == 1 and value is not None}
        known |= self._joined(kind, wanted)
        if "id" in known:
            keys: Iterable[Any] = (known["id"],)
        else:
            indexes = (*kind.resource.unique, *((member,) for member in kind.resource.references))
            index = next((one for one in indexes if known.keys() >= set(one)), None)
            if index is None:
                return self.scan(kind)
            keys = self.view.find(Collection(self.scope, kind.name), index, tuple(known[member] for member in index))
        return [record for key in keys if (record := self.get(kind, key)) is not None]

    def _joined(self, kind: Kind, wanted: Wanted) -> dict[str, object]:
        """Return the references whose value follows from what is wanted of the record that they name."""
        found: dict[str, object] = {}
        for member, target in kind.resource.references.items():
            inner = [(steps[1:], value) for steps, value in wanted if steps[0] == member and len(steps) > 1]
            if inner and all(value is not None for _, value in inner):
                records = self.matching(self.kinds.by_name[target], inner)
                if len(records) <= 1:
                    found[member] = records[0].key if records else NOTHING
        return found


def same(stored: object, given: object) -> bool:
    """Tell whether a stored value is the given JSON value, exactly; `true` is not 1."""
    if isinstance(stored, datetime):
        return stamp(stored) == given
    return stored == given and isinstance(stored, bool) == isinstance(given, bool)


def data_set(turn: Turn) -> DataSet:
    """Return the data set that a call speaks of, stocked."""
    stocked(run_of(turn))
    return DataSet(kinds_of(turn.api), turn.world.store, turn.scope)

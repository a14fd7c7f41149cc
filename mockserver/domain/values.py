"""The values that bulk execution passes along: items, faults, outcomes."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from contracts.bulk import Resource
from contracts.messages import ABSENT
from contracts.preconditions import Version
from mockserver.stores import Key, Record


class Item(NamedTuple):
    """One item taken out of a bulk request; `key` ties its outcome to it, `target` names the record.

    `version` is the one that the caller has seen.
    """

    index: int  # type: ignore[assignment] # its place in the list; nobody looks an element of an item up
    key: Key | None
    action: str
    resource: Resource
    target: object
    payload: object
    version: Version | None
    group: object
    raw: object


class Fault(NamedTuple):
    """One reason why an item failed.

    `kind` is one of: missing, unknown, type, length, schema (another keyword), reference, ambiguous, converter,
    duplicate, not-found, version, referenced, locked, broken (an item that it depends on failed), scenario.
    `members` are the payload members that it speaks of, `value` what was given, `facts` what its kind has to say:
    `min`, `max`, `length`, `expected`, `keyword`, `current`, `count`, `closest`, `nearest`, `words`, `resource`,
    `code`, `message`.
    """

    kind: str
    members: tuple[str, ...] = ()
    value: object = ABSENT
    facts: Mapping[str, object] = {}


class Outcome(NamedTuple):
    """What became of one item. `action` is what was done in fact (an upsert is a create or an update)."""

    item: Item
    result: str
    action: str
    faults: Sequence[Fault] = ()
    record: Record | None = None

    @property
    def failed(self) -> bool:
        """Tell whether the item failed."""
        return self.result == "failed"


class Resolution(NamedTuple):
    """What a value in a reference, or a target, means: a key, or the fault that says why it means none."""

    key: Key | None
    fault: Fault | None = None


class Target(NamedTuple):
    """A target of a fan-out: the scope that it names, or the problems that keep it from being served."""

    scope: str
    problems: tuple[str, ...] = ()

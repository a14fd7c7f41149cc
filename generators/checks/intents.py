"""What an item of an experiment is to want, before it has a key or a record: good ones, and ones with one defect."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from contracts.bulk import Bulk

ON_EXISTING: Final = frozenset(("delete", "replace", "update"))
WRITING: Final = frozenset(("create", "replace", "update", "upsert"))
ACTIONS: Final = ("create", "upsert", "update", "replace", "delete")

DEFECTS: Final[Mapping[str, str]] = {
    "required": "lacks a member that a new record must have",
    "reference": "refers to a record that does not exist",
    "invalid": "has a member that breaks the record's schema",
    "taken": "has a value that must be unique and is in use",
    "unknown": "names a record that does not exist",
    "stale": "names a version that is no longer the record's",
}
FLAVOURS: Final[Mapping[str, str]] = {
    "edge": "has values at the ends of their ranges",
    "padded": "has blanks around a text",
    "cleared": "sets a member to null",
    "wide": "writes more than one member",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """An item in the abstract. The same intents can be made real again and again, each time with fresh names.

    `existing`: the record is there before. `twin` is an earlier slot whose record, or whose unique value, it shares.
    `group` is its group's number, `awaits` the slots that it waits for. `flavour` is something peculiar about a good
    item's content (one of `FLAVOURS`), `keyword` the one that an invalid item is to break.
    """

    action: str
    defect: str = ""
    existing: bool = False
    twin: int | None = None
    group: int | None = None
    awaits: tuple[int, ...] = ()
    flavour: str = ""
    keyword: str = ""

    @property
    def needs_record(self) -> bool:
        """Whether a record must be there before."""
        return self.existing and self.defect != "unknown"

    def __str__(self) -> str:
        """Say it in a few words."""
        more = [FLAVOURS[self.flavour]] if self.flavour else []
        more += [DEFECTS[self.defect] + (f" ({self.keyword})" if self.keyword else "")] if self.defect else []
        return " that ".join((self.action, *more))


def actions_of(bulk: Bulk) -> tuple[str, ...]:
    """Return the actions that items can ask for, creating ones first."""
    choice = bulk.effect.action
    words = set(choice.words.values()) if choice.source else {choice.constant}
    return tuple(action for action in ACTIONS if action in words)


def candidates(bulk: Bulk) -> tuple[Intent, ...]:
    """Return every kind of item that a declaration has room for, good ones first."""
    found: list[Intent] = []
    for action in actions_of(bulk):
        existing = action in ON_EXISTING
        found.append(Intent(action=action, existing=existing))
        if action == "upsert":
            found.append(Intent(action=action, existing=True))
            found += [Intent(action="delete", existing=True)] if bulk.effect.tombstone else []
    defects = [(one, defect) for one in found for defect in DEFECTS if _suits(bulk, one, defect)]
    found += [Intent(action=one.action, defect=defect, existing=one.existing) for one, defect in defects]
    return tuple(dict.fromkeys(found))


def _suits(bulk: Bulk, one: Intent, defect: str) -> bool:
    if defect in {"required", "taken"}:
        return not one.existing
    if defect in {"reference", "invalid"}:
        return one.action in WRITING and bulk.effect.payload not in bulk.items.shared
    if defect == "stale":
        return one.existing and bulk.effect.version is not None
    return one.existing and one.action in ON_EXISTING

"""What became of `x-resources`: the kinds of records, and what is asked of them."""

from collections.abc import Iterator
from typing import Any, Final

from contracts.bulk import Resource
from contracts.diff.changes import Change, Severity
from contracts.diff.judges import changed, entries, place, several, switch
from contracts.diff.verdicts import Judge
from contracts.model import Contract
from contracts.schemas import Schema

MEMBERS: Final = {
    "key": changed(),
    "assigned": changed(),
    "version": place(),
    "tombstone": place(),
    "unique": several(gone="info", come="error"),
    "references": entries(gone="info", come="error"),
    "required": several(gone="info", come="error"),
    "defaults": entries(gone="warning", other="warning", come="info"),
    "restrict": switch(on="error"),
    "ignore_case": switch(off="error"),
    "lookups": several(gone="error", come="info"),
}
SHOWN: Final = {"ignore_case": "ignoreCase"}


def compare_resources(old: Contract, new: Contract, judge: Judge) -> Iterator[Change]:
    """Yield what became of the declared kinds of records."""
    declared = _declared(old), _declared(new)
    for name, was in declared[0].items():
        now = declared[1].get(name) or new.resources.get(name)
        if now is None:
            yield _change(name, "error", "there are no such records any more")
        else:
            yield from _compared(name, was, now)
            schemas = (_schema(old, was), _schema(new, now))
            yield from judge.schemas(*schemas, direction="request", operation="", place=f"x-resources {name}")
    for name in declared[1]:
        if name not in old.resources:
            yield _change(name, "info", "there are such records now")


def _declared(contract: Contract) -> dict[str, Resource]:
    found: Any = contract.document.get("x-resources", {})
    return {name: contract.resources[name] for name in found}


def _schema(contract: Contract, resource: Resource) -> Schema | None:
    return contract.schemas.schema(resource.schema) if resource.schema is not None else None


def _compared(name: str, was: Resource, now: Resource) -> Iterator[Change]:
    for member, compare in MEMBERS.items():
        for severity, says in compare(getattr(was, member), getattr(now, member)):
            yield _change(f"{name} {SHOWN.get(member, member)}", severity, says, member)


def _change(place: str, severity: Severity, says: str, member: str = "") -> Change:
    rule = "-".join(part for part in ("x-resources", SHOWN.get(member, member)) if part)
    return Change(rule=rule, severity=severity, operation="", place=f"x-resources {place}", says=says)

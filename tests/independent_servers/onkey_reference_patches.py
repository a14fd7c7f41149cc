"""Bugs of the On Key server in what records refer to, and what they are called by; begin with `PATCHES`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onkey_requests as requests
from onkey_records import Records
from onkey_types import Command, Record, Type
from patching import around, by_name


def lookups_of_all_sets(server: Any) -> None:
    """Find in each data set what a code named where it was looked up first."""
    del server
    known: dict[Any, list[Record]] = {}

    @around(Records, "coded")
    def coded(real: Any, own: Records, type_: Any, code: Any) -> list[Record]:
        found: list[Record] = real(own, type_, code)
        return known.setdefault((type_.name, code), found) if found else []


def pairs_at_creation(server: Any) -> None:
    """Look at what must be unique together when a record is created alone."""
    del server

    @around(Records, "duplicates")
    def duplicates(real: Any, own: Records, command: Command, record: Record | None, *given: Any) -> Any:
        return [] if record and len(command.type.unique) > 1 else real(own, command, record, *given)


def taken_by_itself(server: Any) -> None:
    """Take what a record itself is called by for a value of another one."""
    del server

    @around(Records, "duplicates")
    def duplicates(real: Any, own: Records, command: Command, record: Record | None, *given: Any) -> Any:
        del record
        return real(own, command, None, *given)


def trades_unprotected(server: Any) -> None:
    """Delete a trade to which others refer."""
    del server

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, **named: Any) -> Any:
        if record.type.name == "Trade":
            own.referrers.pop(record.id, None)
        return real(own, command, record, **named)


def children_unprotected(server: Any) -> None:
    """Delete a record to which another one of its type refers."""
    del server

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, **named: Any) -> Any:
        own.referrers[record.id] -= {one for one in own.referrers[record.id] if own.all[one].type is record.type}
        return real(own, command, record, **named)


def text_ids_unknown(server: Any) -> None:
    """Find no record by an id that is a text."""
    del server

    @around(requests.Reader, "number")
    def number(real: Any, own: Any, item: Any, name: str, *given: Any, **named: Any) -> Any:
        found = real(own, item, name, *given, **named)
        return 1 if name == "id" and isinstance(item.get("id"), str) else found


def references_kept(server: Any) -> None:
    """Keep a reference that is set to null."""
    del server

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, **named: Any) -> Any:
        values = real(own, command, record, **named)
        kept = {n for n, its in command.type.properties.items() if its.kind == "reference"} if record else set()
        return {name: value for name, value in values.items() if value is not None or name not in kept}


def idle_unversioned(server: Any) -> None:
    """Leave the version where it is when an update changes nothing."""
    del server

    @around(Records, "update")
    def update(real: Any, own: Records, command: Command, record: Record, **named: Any) -> Any:
        done = real(own, command, record, **named)
        if own.all[record.id].values == record.values:
            own.put(record.id, record)
        return done


def undone_refers(server: Any) -> None:
    """Count what was undone among the records that refer to another one."""
    del server

    @around(Records, "restore")
    def restore(real: Any, own: Records) -> None:
        before = {id_: set(some) for id_, some in own.referrers.items()}
        real(own)
        for id_, some in before.items():
            own.referrers[id_] |= some


def text_versions_ignored(server: Any) -> None:
    """Compare no version that is a text."""
    del server

    @around(requests, "imported")
    def imported(real: Any, reader: Any, item: dict[str, Any], where: str) -> Any:
        numbers = {name: one for name, one in item.items() if name != "version" or not isinstance(one, str)}
        return real(reader, numbers, where)


def fractions_unread(server: Any) -> None:
    """Read no number that is written as a fraction."""
    del server

    @around(requests, "whole_number")
    def whole_number(real: Any, value: Any) -> Any:
        return None if isinstance(value, float) else real(value)


def negatives_unfound(server: Any) -> None:
    """Look for records with negative ids."""
    del server

    @around(requests, "whole_number")
    def whole_number(real: Any, value: Any) -> Any:
        return value if isinstance(value, int) and not isinstance(value, bool) else real(value)


def ordered_whole(server: Any) -> None:
    """Show whole records in a list that is asked for in an order, whatever members are asked for."""

    @around(server, "list_records")
    async def list_records(real: Any, request: Any, *given: Any) -> Any:
        url = request.rel_url
        query = {name: value for name, value in url.query.items() if name != "$select" or "$orderby" not in url.query}
        return await real(request.clone(rel_url=url.with_query(query)), *given)


def groups_unlocked(server: Any) -> None:
    """Compare no versions where records run in several groups."""
    del server

    @around(Records, "run")
    def run(real: Any, own: Records, commands: list[Command], *, atomic: bool, groups: list[list[int]]) -> Any:
        given = [replace(one, version=None) for one in commands] if len(groups) > 1 else commands
        return real(own, given, atomic=atomic, groups=groups)


def nulls_unasked(server: Any) -> None:
    """Pass over the conditions of a converter that ask for null."""
    del server

    @around(Records, "lookup")
    def lookup(real: Any, own: Records, type_: Any, converter: dict[str, Any]) -> Any:
        asked = {path: value for path, value in converter.get("properties", {}).items() if value is not None}
        return real(own, type_, {**converter, "properties": asked} if asked else converter)


def imported_exact(server: Any) -> None:
    """Know the properties in an import as they are written alone, the first letter small or not."""
    del server

    @around(requests, "imported")
    def imported(real: Any, reader: Any, item: dict[str, Any], where: str) -> Command:
        command = real(reader, item, where)
        known = {name for own in command.type.properties for name in (own, own[:1].upper() + own[1:])}
        sets = [(path if path.rpartition("->")[2] in known else f"No{path}", raw) for path, raw in command.sets]
        return replace(command, sets=tuple(sets))


def entities_exact(server: Any) -> None:
    """Read the name of the entity in a path of an update with regard to case."""
    del server

    @around(Type, "find")
    def find(real: Any, own: Type, path: str) -> str:
        entity, arrow, _ = path.rpartition("->")
        return "" if arrow and entity != own.name else str(real(own, path))


def joined_alone(server: Any) -> None:
    """Compare the first property alone where a converter has some of what is referred to."""
    del server

    @around(Records, "lookup")
    def lookup(real: Any, own: Records, type_: Any, converter: dict[str, Any]) -> Any:
        asked = [*converter.get("properties", {}).items()]
        joined = any("_" in path for path, _ in asked)
        return real(own, type_, {**converter, "properties": dict(asked[:1])} if joined else converter)


def freed_late(server: Any) -> None:
    """Refuse what was unique of another record when the request began."""
    del server
    before: dict[tuple[str, tuple[Any, ...]], int] = {}

    @around(Records, "begin")
    def begin(real: Any, own: Records, commands: list[Command]) -> None:
        before.clear()
        before.update(own.kept)
        real(own, commands)

    @around(Records, "duplicates")
    def duplicates(real: Any, own: Records, command: Command, *given: Any) -> Any:
        now = dict(own.kept)
        own.kept.update(before)
        try:
            return real(own, command, *given)
        finally:
            own.kept = now


def grouped_unasked(server: Any) -> None:
    """Run groups in order whenever something is said about order."""

    @around(server, "do_import")
    async def do_import(real: Any, request: Any, data: Any) -> Any:
        said = "ordered" in request.query
        url = request.rel_url.update_query(ordered="true") if said else request.rel_url
        return await real(request.clone(rel_url=url), data)


PATCHES = by_name(
    freed_late,
    grouped_unasked,
    joined_alone,
    nulls_unasked,
    entities_exact,
    imported_exact,
    ordered_whole,
    lookups_of_all_sets,
    pairs_at_creation,
    taken_by_itself,
    trades_unprotected,
    children_unprotected,
    text_ids_unknown,
    references_kept,
    idle_unversioned,
    undone_refers,
    text_versions_ignored,
    fractions_unread,
    negatives_unfound,
    groups_unlocked,
)

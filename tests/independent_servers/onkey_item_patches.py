"""Bugs of the On Key server in what it makes of a request; begin with `PATCHES`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onkey_okql as okql
import onkey_requests as requests
from aiohttp import web
from onkey_records import Failed, Records
from onkey_types import TYPES, Command, Fault, Record, Refused
from patching import around, by_name


def zero_unchanged(server: Any) -> None:
    """Keep what is stored where an update sets 0 or false."""
    del server

    @around(Records, "update")
    def update(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        sets = tuple((path, raw) for path, raw in command.sets if raw is None or raw or isinstance(raw, str))
        return real(own, replace(command, sets=sets), record, atomic=atomic)


def names_of_20(server: Any) -> None:
    """Compare the first 20 characters of the names that a caller gives to records."""
    del server

    @around(requests.Reader, "distinct")
    def distinct(real: Any, own: Any, commands: list[Command]) -> Any:
        real(own, [replace(one, user=one.user[:20] if isinstance(one.user, str) else one.user) for one in commands])
        return commands


def async_any(server: Any) -> None:
    """Wait for a request whatever word `async` has, and leave those without it alone."""

    @around(server, "call")
    async def call(real: Any, request: web.Request) -> web.Response:
        if "async" in request.query:
            request = request.clone(rel_url=request.rel_url.update_query({"async": "true"}))
        reply: web.Response = await real(request)
        return reply


def path_missing_skipped(server: Any) -> None:
    """Pass over operations without a path."""
    del server

    @around(requests.Reader, "operations")
    def operations(real: Any, own: Any, item: dict[str, Any], where: str) -> Any:
        given = item.get("operations")
        kept = (
            [one for one in given if not isinstance(one, dict) or "path" in one] if isinstance(given, list) else given
        )
        return real(own, {**item, "operations": kept} if "operations" in item else item, where)


def order_unknown_skipped(server: Any) -> None:
    """Leave the order as it is where a list asks for one by what no record has."""
    del server

    @around(okql, "ordered")
    def ordered(real: Any, *given: Any) -> list[Record]:
        try:
            found: list[Record] = real(*given)
        except Refused:
            return list(given[3])
        return found


def versions_of_four_bits(server: Any) -> None:
    """Compare the lowest four bits of versions."""
    del server

    @around(Records, "conflicts")
    def conflicts(real: Any, own: Records, command: Command, record: Record | None) -> Any:
        is_alike = record is not None and command.version is not None and not (command.version - record.version) % 16
        return [] if is_alike else real(own, command, record)


def updates_of_hundred(server: Any) -> None:
    """Do the first hundred updates of a request, and say that the others are done."""
    del server

    @around(Records, "run")
    def run(real: Any, own: Records, commands: list[Command], *, atomic: bool, groups: Any) -> Any:
        if commands[0].action != "update" or len(commands) <= 100:
            return real(own, commands, atomic=atomic, groups=groups)
        outcomes = real(own, commands[:100], atomic=atomic, groups=[list(range(100))])
        return outcomes + [own.success(one, "update", one.target) for one in commands[100:]]


def undone_code_kept(server: Any) -> None:
    """Take the code of a new record that was undone with its request for one in use."""
    del server

    @around(Records, "restore")
    def restore(real: Any, own: Records) -> None:
        undone = {own.mark(one) for id_, old in own.undo if old is None and (one := own.all.get(id_)) is not None}
        real(own)
        own.burnt |= undone - own.kept.keys()


def reference_any_type(server: Any) -> None:
    """Let a reference by id be to a record of any type."""
    del server

    @around(Records, "referred")
    def referred(real: Any, own: Records, path: str, its: Any, raw: Any, *given: Any) -> Any:
        return raw if isinstance(raw, int) and raw in own.all else real(own, path, its, raw, *given)


def deletes_in_all_sets(server: Any) -> None:
    """Delete what has the key of a record in the other data sets, too."""
    del server

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        done = real(own, command, record, atomic=atomic)
        for other in own.others if command.single else ():
            if record.id in other.all:
                other.set(other.all[record.id], None)
        return done


def codes_of_all_types(server: Any) -> None:
    """Refuse a code that a record of another type has."""
    del server

    @around(Records, "duplicates")
    def duplicates(real: Any, own: Records, command: Command, *given: Any) -> Any:
        _, values, places = given
        found, code = real(own, command, *given), values.get("code")
        others = [name for name in TYPES if name != command.type.name]
        if found or code is None or all((name, (code,)) not in own.kept for name in others):
            return found
        path = command.type.path("code")
        text = f"{{{path}}} must be unique. '{code}' is in use"
        return [Fault(code="Sandbox_DuplicateValue", text=text, paths=(path,), at=places["code"])]


def import_deletes_any(server: Any) -> None:
    """Let an import delete a record of another type than it says."""
    del server

    @around(Records, "target")
    def target(real: Any, own: Records, command: Command) -> Record | None:
        plain = isinstance(command.target, int) and command.target in own.all
        if command.action == "delete" and command.user and plain:
            return own.all[command.target]  # type: ignore[index]  # asked before
        found: Record | None = real(own, command)
        return found


def insert_changes(server: Any) -> None:
    """Let an insert that names a record change it."""
    del server

    @around(requests, "imported")
    def imported(real: Any, reader: Any, item: dict[str, Any], where: str) -> Any:
        is_named = requests.lowered(item.get("action")) == "insert" and item.get("Id") is not None
        return real(reader, {**item, "action": "Merge"} if is_named else item, where)


def merge_of_several(server: Any) -> None:
    """Let a merge create a record where several fit."""
    del server

    @around(Records, "looked_up")
    def looked_up(real: Any, own: Records, command: Command, converter: dict[str, Any]) -> Any:
        try:
            return real(own, command, converter)
        except Failed as failed:
            if command.action == "merge" and failed.faults[0].code == "Sandbox_ReferenceAmbiguous":
                return None
            raise


def joined_cached(server: Any) -> None:
    """Order lists by what joined paths had when a record of this version was first listed."""
    del server
    seen: dict[tuple[int, int, int, str], Any] = {}

    @around(okql, "reader")
    def reader(real: Any, records: Records, type_: Any, path: str, name: str) -> Any:
        row = real(records, type_, path, name)
        if "_" not in path:
            return row
        return lambda record: seen.setdefault((id(records), record.id, record.version, path.lower()), row(record))


def filter_inside(server: Any) -> None:
    """Look for the text of `startswith` anywhere."""
    del server

    @around(okql, "holds")
    def holds(real: Any, word: str, value: Any, wanted: Any) -> Any:
        return wanted in value if word == "startswith" and isinstance(value, str) else real(word, value, wanted)


def gone_referrers(server: Any) -> None:
    """Delete no record to which one referred that the same request deleted."""
    del server
    lost: set[int] = set()

    @around(Records, "begin")
    def begin(real: Any, own: Records, commands: list[Command]) -> None:
        lost.clear()
        real(own, commands)

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        if record.id in lost:
            text = f"{record.type.name} with id {record.id} is referenced by 1 records"
            raise Failed(Fault(code="Sandbox_RecordReferenced", text=text))
        targets = list(own.targets(record))
        done = real(own, command, record, atomic=atomic)
        lost.update(targets)
        return done


def groups_of_numbers_first(server: Any) -> None:
    """Run groups that are numbers by their size, before those that are none."""
    del server

    @around(requests, "grouped")
    def grouped(real: Any, commands: list[Command], *, ordered: bool, as_text: bool) -> Any:
        def rank(group: list[int]) -> tuple[int, float]:
            text = str(commands[group[0]].group)
            return (0, float(text)) if text.replace(".", "", 1).isdecimal() else (1, 0)

        groups = real(commands, ordered=ordered, as_text=as_text)
        return sorted(groups, key=rank) if ordered else groups


PATCHES = by_name(
    undone_code_kept,
    order_unknown_skipped,
    versions_of_four_bits,
    updates_of_hundred,
    async_any,
    zero_unchanged,
    names_of_20,
    path_missing_skipped,
    reference_any_type,
    codes_of_all_types,
    deletes_in_all_sets,
    import_deletes_any,
    insert_changes,
    merge_of_several,
    joined_cached,
    filter_inside,
    gone_referrers,
    groups_of_numbers_first,
)

"""Bugs of the On Key server in what it makes of a request; begin with `PATCHES`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onkey_okql as okql
import onkey_requests as requests
from aiohttp import web
from onkey_records import Failed, Records
from onkey_types import MISSING, TYPES, Command, Fault, Record, Refused, malformed
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


def ordered_inner(server: Any) -> None:
    """Leave out of a list what has no reference to what it is put in order by."""
    del server

    @around(okql, "ordered")
    def ordered(real: Any, records: Records, type_: Any, text: str, *more: Any) -> Any:
        paths = [part.split()[0] for part in text.split(",") if "_" in part]
        rows = real(records, type_, text, *more)
        return [row for row in rows if all(records.at(row, path) is not None for path in paths)]


def finds_deleted(server: Any) -> None:
    """Look records up as they were before their request deleted some."""
    del server

    @around(Records, "coded")
    def coded(real: Any, own: Records, type_: Any, code: Any) -> Any:
        gone = [old for id_, old in own.undo if old is not None and id_ not in own.all]
        return real(own, type_, code) or [
            one for one in gone if one.type is type_ and code is not None and one.values.get("code") == code
        ]


def finds_failed(server: Any) -> None:
    """Look up what an item of the request failed to create."""
    del server
    half: dict[Any, Record] = {}

    @around(Records, "begin")
    def begin(real: Any, own: Records, commands: list[Command]) -> None:
        half.clear()
        real(own, commands)

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> Any:
        try:
            return real(own, command, record, atomic=atomic)
        except Failed:
            codes = [raw for path, raw in command.sets if record is None and command.type.find(path) == "code"]
            half.update(
                {(command.type.name, str(code)): own.blank(1, command.type, 1, {"code": code}) for code in codes}
            )
            raise

    @around(Records, "coded")
    def coded(real: Any, own: Records, type_: Any, code: Any) -> Any:
        return real(own, type_, code) or [one for key, one in half.items() if key == (type_.name, str(code))]


def merge_takes_id(server: Any) -> None:
    """Give a record that a merge creates the id that it names."""
    del server

    @around(Records, "create")
    def create(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> int:
        id_: int = real(own, command, record, atomic=atomic)
        if command.action != "merge" or not isinstance(command.target, int) or command.target in own.all:
            return id_
        made = own.all[id_]
        own.undo.pop()
        own.set(made, None)
        own.put(command.target, replace(made, id=command.target))
        return command.target


def null_missing(server: Any) -> None:
    """Tell of a null in an update what is told of one in a new record."""
    del server

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> Any:
        try:
            return real(own, command, record, atomic=atomic)
        except Failed as failed:
            nulls = [n for n, (_, raw) in enumerate(command.sets) if raw is None and record is not None]
            told = [replace(one, code=MISSING) if one.at in nulls else one for one in failed.faults]
            raise Failed(*told) from failed


def cancels_queued(server: Any) -> None:
    """Cancel no task that has begun."""

    @around(server, "cancel_task")
    async def cancel(real: Any, request: web.Request, data: Any, id_: str) -> web.Response:
        if server.task(data, id_, "DELETE").status == "Executing":
            raise Refused(409, [malformed("The task is executing", "id")])
        reply: web.Response = await real(request, data, id_)
        return reply


def select_unknown_skipped(server: Any) -> None:
    """Pass over names in a choice of members that no record has."""
    del server

    @around(okql, "selected")
    def selected(real: Any, records: Records, type_: Any, text: str) -> Any:
        known = [part for part in text.split(",") if type_.find(part.strip())]
        return real(records, type_, ",".join(known)) if known else {}


def select_first(server: Any) -> None:
    """Show the first of the members that are asked for."""
    del server

    @around(okql, "selected")
    def selected(real: Any, records: Records, type_: Any, text: str) -> Any:
        return real(records, type_, text.split(",", maxsplit=1)[0])


def deleted_comes_back(server: Any) -> None:
    """Give a new record what a deleted one with its unique values had."""
    del server
    graves: dict[Any, dict[str, Any]] = {}

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        graves[own.mark(record)] = record.values
        return real(own, command, record, atomic=atomic)

    @around(Records, "create")
    def create(real: Any, own: Records, command: Command, *given: Any, atomic: bool) -> Any:
        id_ = real(own, command, *given, atomic=atomic)
        new, sent = own.all[id_], {command.type.find(path) for path, _ in command.sets}
        old = {name: value for name, value in graves.get(own.mark(new), {}).items() if name not in sent}
        own.all[id_] = replace(new, values={**new.values, **old})
        return id_


PATCHES = by_name(
    deleted_comes_back,
    select_unknown_skipped,
    select_first,
    cancels_queued,
    ordered_inner,
    finds_deleted,
    finds_failed,
    merge_takes_id,
    null_missing,
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

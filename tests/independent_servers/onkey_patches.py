"""More bugs of the On Key server, each a patch; begin with `PATCHES`."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import onkey_call_patches
import onkey_fault_patches
import onkey_item_patches
import onkey_okql as okql
import onkey_records as records
import onkey_reference_patches
import onkey_requests as requests
import onkey_surface_patches
from aiohttp import web
from onkey_records import Failed, Records
from onkey_types import Command, Fault, Record, Refused, Type, malformed
from onkey_web import failed
from patching import around, by_name


def lookup_any_set(server: Any) -> None:
    """Find a converter's code in the other data sets, where its own does not have it."""
    del server

    @around(Records, "coded")
    def coded(real: Any, own: Records, type_: Type, code: Any) -> list[Record]:
        return next((found for one in (own, *own.others) if (found := real(one, type_, code))), [])


def deletion_unchecked(server: Any) -> None:
    """Remove what others refer to."""
    del server

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        own.referrers.pop(record.id, None)
        return real(own, command, record, atomic=atomic)


def import_unchecked(server: Any) -> None:
    """Remove what others refer to, in an import."""
    del server

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        if command.user is not None:
            own.referrers.pop(record.id, None)
        return real(own, command, record, atomic=atomic)


def lookup_loose(server: Any) -> None:
    """Find what fits any of the properties of a converter."""
    del server

    @around(Records, "lookup")
    def lookup(real: Any, own: Records, type_: Type, converter: dict[str, Any]) -> Any:
        wanted = converter.get("properties", {})
        each = [real(own, type_, {**converter, "properties": {name: value}}) for name, value in wanted.items()]
        return list({one.id: one for found in each for one in found}.values()) or real(own, type_, converter)


def lookup_custom_last(server: Any) -> None:
    """Take the last of several records that fit a converter."""
    del server

    @around(Records, "lookup")
    def lookup(real: Any, own: Records, type_: Type, converter: dict[str, Any]) -> Any:
        return real(own, type_, converter)[-1:]


def lookup_as_text(server: Any) -> None:
    """Compare the values of a converter as text, in any case."""
    del server

    @around(records, "same")
    def same(real: Any, one: Any, other: Any) -> bool:
        return bool(real(one, other)) or str(one).lower() == str(other).lower()


def cancel_keeps_first(server: Any) -> None:
    """Keep the first record of a task that is cancelled while it is executing."""
    first: dict[int, Command] = {}

    @around(server, "begin")
    def begin(real: Any, request: web.Request, data: Any, commands: list[Command], **named: Any) -> web.Response:
        reply: web.Response = real(request, data, commands, **named)
        first[int(reply.headers["OnKey-Request-Id"])] = commands[0]
        return reply

    @around(server, "cancel_task")
    async def cancel(real: Any, request: web.Request, data: Any, id_: str) -> web.Response:
        if server.task(data, id_, "DELETE").status == "Executing":
            data.records.run([first[int(id_)]], atomic=False, groups=[[0]])
        reply: web.Response = await real(request, data, id_)
        return reply


def unknown_ignored(server: Any) -> None:
    """Leave out the operations of an update whose path leads nowhere."""
    del server

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> Any:
        known = tuple((path, raw) for path, raw in command.sets if command.type.find(path))
        is_update = record is not None and not command.match and command.user is None
        return real(own, replace(command, sets=known) if is_update else command, record, atomic=atomic)


def filter_ne_null(server: Any) -> None:
    """Leave out records without a value, for `ne` with one."""
    del server

    @around(okql, "holds")
    def holds(real: Any, word: str, value: Any, wanted: Any) -> bool:
        return bool(real(word, value, wanted)) and not (word == "ne" and value is None and wanted is not None)


def duplicate_alone(server: Any) -> None:
    """Tell no other faults of a record whose code is in use."""
    del server

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> Any:
        try:
            return real(own, command, record, atomic=atomic)
        except Failed as error:
            taken = [fault for fault in error.faults if fault.code == "Sandbox_DuplicateValue"]
            raise Failed(*(taken or error.faults)) from error


def mode_exact(server: Any) -> None:
    """Read `mode` with regard to case."""

    @around(server, "call")
    async def call(real: Any, request: web.Request) -> web.Response:
        if request.query.get("mode", "PerRecord") not in ("AllOrNone", "PerRecord"):
            raise Refused(400, [malformed("mode is AllOrNone or PerRecord", "mode")])
        reply: web.Response = await real(request)
        return reply


def path_exact(server: Any) -> None:
    """Read the resources in paths with regard to case."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = real(parts)
        return None if any(part != part.lower() for part in parts[4:7]) else found


def task_order_lost(server: Any) -> None:
    """Run groups in the order of the request, in the background."""

    @around(server, "begin")
    def begin(real: Any, *given: Any, order: Any, **named: Any) -> Any:
        return real(*given, order=[sorted(at for group in order for at in group)], **named)


def valid_of_first(server: Any) -> None:
    """Call a task valid when its first step is."""

    @around(server, "shown_task")
    def shown(real: Any, task: Any) -> dict[str, Any]:
        told: dict[str, Any] = real(task)
        told["properties"]["isValid"] = not failed(task.steps[0][1])
        return told


def cancelled_count(server: Any) -> None:
    """Count all steps of a cancelled task as completed."""

    @around(server, "shown_task")
    def shown(real: Any, task: Any) -> dict[str, Any]:
        told: dict[str, Any] = real(task)
        if task.status == "Cancelled":
            told["properties"]["completedStepCount"] = told["properties"]["stepCount"]
        return told


def delete_unlocked(server: Any) -> None:
    """Take versions that are higher than the record's, for a delete."""
    del server

    @around(Records, "conflicts")
    def conflicts(real: Any, own: Records, command: Command, record: Record | None) -> list[Any]:
        found: list[Any] = real(own, command, record)
        is_higher = record is not None and (command.version or 0) > record.version
        return [] if command.action == "delete" and is_higher else found


def weight_float32(server: Any) -> None:
    """Store numbers in 32 bits."""
    del server

    @around(Records, "value")
    def value(real: Any, own: Records, *given: Any, strict: bool) -> Any:
        found = real(own, *given, strict=strict)
        if not isinstance(found, float) or abs(found) > 1e38:
            return found
        return struct.unpack("f", struct.pack("f", found))[0]


def rollback_of_16(server: Any) -> None:
    """Undo the last 16 changes of a request that fails as a whole."""
    del server

    @around(Records, "restore")
    def restore(real: Any, own: Records) -> None:
        own.undo = own.undo[-16:]
        real(own)


def rollback_keeps_code(server: Any) -> None:
    """Leave the code free that a record had before a change that is undone."""
    del server

    @around(Records, "restore")
    def restore(real: Any, own: Records) -> None:
        changed = [(old, own.all[id_]) for id_, old in own.undo if old and id_ in own.all]
        lost = [own.mark(old) for old, new in changed if own.mark(old) != own.mark(new)]
        real(own)
        for mark in lost:
            own.kept.pop(mark, None)


def groups_as_integers(server: Any) -> None:
    """Cut the decimals of groups."""
    del server

    @around(requests, "grouped")
    def grouped(real: Any, commands: list[Command], **named: Any) -> list[list[int]]:
        cut = [replace(one, group=re.sub(r"[.][0-9]+$", "", str(one.group))) if one.group else one for one in commands]
        found: list[list[int]] = real(cut, **named)
        return found


def ungrouped_first(server: Any) -> None:
    """Run records without a group first."""
    del server

    @around(requests, "grouped")
    def grouped(real: Any, commands: list[Command], *, ordered: bool, as_text: bool) -> list[list[int]]:
        groups: list[list[int]] = real(commands, ordered=ordered, as_text=as_text)
        is_without = ordered and commands[groups[-1][0]].group is None
        return [*groups[-1:], *groups[:-1]] if is_without else groups


def in_order(change: Callable[[Command, list[Fault]], list[Fault]]) -> None:
    """Tell the faults of a record in another order."""

    @around(Records, "build")
    def build(real: Any, own: Records, command: Command, record: Record | None, *, atomic: bool) -> Any:
        try:
            return real(own, command, record, atomic=atomic)
        except Failed as error:
            raise Failed(*change(command, list(error.faults))) from error


def faults_by_property(server: Any) -> None:
    """Tell the faults of a record in the order of its resource's properties."""
    del server

    def change(command: Command, faults: list[Fault]) -> list[Fault]:
        order = [command.type.path(name) for name in command.type.properties]
        return sorted(faults, key=lambda fault: order.index(fault.paths[0]) if fault.paths else -1)

    in_order(change)


def conflict_last(server: Any) -> None:
    """Tell the conflict of a version behind the other faults of its record."""
    del server
    in_order(lambda _, faults: sorted(faults, key=lambda fault: fault.code == "Sandbox_VersionConflict"))


def one_referrer(server: Any) -> None:
    """Say that one record refers to what cannot be deleted, however many do."""
    del server

    @around(Records, "delete")
    def delete(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        try:
            return real(own, command, record, atomic=atomic)
        except Failed as error:
            said = [replace(one, text=re.sub(r"by \d+ records", "by 1 records", one.text)) for one in error.faults]
            raise Failed(*said) from error


def stamped(change: Callable[[Command, Record, Record], Record]) -> None:
    """Store a record with other times after a change."""

    @around(Records, "update")
    def update(real: Any, own: Records, command: Command, record: Record, *, atomic: bool) -> Any:
        old = own.all[record.id]
        found = real(own, command, record, atomic=atomic)
        own.set(own.all[record.id], change(command, old, own.all[record.id]))
        return found


def created_with_change(server: Any) -> None:
    """Move the time at which a record was created with each change."""
    del server
    stamped(lambda _, __, new: replace(new, created=new.modified))


def undone_is_change(server: Any) -> None:
    """Take the undoing of a change for a change."""
    del server

    @around(Records, "restore")
    def restore(real: Any, own: Records) -> None:
        changed = {id_: own.all[id_].modified for id_, old in own.undo if old and id_ in own.all}
        real(own)
        own.all |= {id_: replace(own.all[id_], modified=time) for id_, time in changed.items() if id_ in own.all}


def modified_stays(server: Any) -> None:
    """Leave the time of a record's last change alone in an update of many."""
    del server
    stamped(lambda command, old, new: new if command.single else replace(new, modified=old.modified))


def joined_by_id(server: Any) -> None:
    """Put a list in the order of the ids of what its records refer to, where a property of these is asked for."""
    del server

    @around(okql, "ordered")
    def ordered(real: Any, records: Any, type_: Type, text: str, *given: Any) -> Any:
        plain = re.sub(r"(?:[A-Za-z]+->)?([A-Za-z]+)_[A-Za-z_]+", r"\1Id", text)
        return real(records, type_, plain, *given)


def matches_two(server: Any) -> None:
    """Say that a converter which fits several records fits two."""
    del server

    @around(Records, "unresolved")
    def unresolved(real: Any, own: Records, path: str, count: int, at: int = -1) -> Any:
        return real(own, path, min(count, 2), at)


PATCHES = by_name(
    matches_two,
    joined_by_id,
    created_with_change,
    modified_stays,
    undone_is_change,
    one_referrer,
    faults_by_property,
    conflict_last,
    groups_as_integers,
    ungrouped_first,
    lookup_any_set,
    deletion_unchecked,
    import_unchecked,
    lookup_loose,
    lookup_custom_last,
    lookup_as_text,
    cancel_keeps_first,
    unknown_ignored,
    filter_ne_null,
    duplicate_alone,
    mode_exact,
    path_exact,
    task_order_lost,
    valid_of_first,
    cancelled_count,
    delete_unlocked,
    weight_float32,
    rollback_of_16,
    rollback_keeps_code,
)
PATCHES |= onkey_item_patches.PATCHES
PATCHES |= onkey_call_patches.PATCHES
PATCHES |= onkey_fault_patches.PATCHES
PATCHES |= onkey_reference_patches.PATCHES
PATCHES |= onkey_surface_patches.PATCHES

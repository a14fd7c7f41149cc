"""Bugs of the On Key server in what it makes of a request; begin with `PATCHES`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onkey_okql as okql
import onkey_requests as requests
from aiohttp import web
from onkey_records import Records
from onkey_types import Command, Record, Refused
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


PATCHES = by_name(
    undone_code_kept,
    order_unknown_skipped,
    versions_of_four_bits,
    updates_of_hundred,
    async_any,
    zero_unchanged,
    names_of_20,
    path_missing_skipped,
)

"""Bugs of the On Key server in what it makes of the items of a request; begin with `PATCHES`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import onkey_requests as requests
from onkey_records import Records
from onkey_types import Command, Record
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


PATCHES = by_name(zero_unchanged, names_of_20)

"""Bugs of the Genero server in paths, names and refusals, each a patch; begin with `PATCHES`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aiohttp import web
from genero_rules import KINDS, Item, Problem
from patching import around, by_name


def allow_missing(server: Any) -> None:
    """Refuse a method without the field `Allow`."""

    @around(server, "answer")
    async def answer(real: Any, request: web.Request) -> web.StreamResponse:
        try:
            reply: web.StreamResponse = await real(request)
        except Problem as problem:
            problem.headers.pop("Allow", None)
            raise
        return reply


def entity_folded(server: Any) -> None:
    """Read the kind of entity in a path without regard to case."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = real([part.lower() if at == 2 else part for at, part in enumerate(parts)])
        return found


def key_folded(server: Any) -> None:
    """Find an entity by its key without regard to case, where it is not found exactly."""

    @around(server, "living")
    def living(real: Any, request: web.Request, kind: str, key: str) -> Item:
        own = server.tenants[server.tenant(request)].records[kind]
        found: Item = real(request, kind, next((one for one in own if one.lower() == key.lower()), key))
        return found


def names_folded(server: Any) -> None:
    """Read the names of fields in a batch without regard to case."""

    @around(server, "check_list")
    def check_list(real: Any, kind: str, items: Any, *given: Any) -> None:
        names = {name.lower(): name for name in KINDS[kind].fields}
        for item in items if isinstance(items, list) else ():
            for name in list(item) if isinstance(item, dict) else ():
                item[names.get(name.lower(), name)] = item.pop(name)
        real(kind, items, *given)


def put_folded(server: Any) -> None:
    """Read the names of fields in a PUT call without regard to case."""

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        found = await real(request)
        names = {name.lower(): name for kind in KINDS.values() for name in kind.fields}
        return {names.get(name.lower(), name): found[name] for name in found} if isinstance(found, dict) else found


def place(server: Any, change: Callable[[int, int], tuple[int, int]]) -> None:
    """Change the line and the column of a fault in the syntax."""

    @around(server, "body")
    async def body(real: Any, request: web.Request) -> Any:
        try:
            return await real(request)
        except Problem as problem:
            if "line" in problem.body:
                problem.body["line"], problem.body["column"] = change(problem.body["line"], problem.body["column"])
            raise


def place_swapped(server: Any) -> None:
    """Tell the line of a fault in the syntax as its column, and the column as its line."""
    place(server, lambda line, column: (column, line))


def column_of_next(server: Any) -> None:
    """Tell the column behind the one at which the syntax goes wrong."""
    place(server, lambda line, column: (line, column + 1))


def plus_as_blank(server: Any) -> None:
    """Read a plus sign in a path as a blank."""

    @around(server, "routes")
    def routes(real: Any, parts: list[str]) -> dict[str, Any] | None:
        found: dict[str, Any] | None = real([part.replace("+", " ") for part in parts])
        return found


PATCHES = by_name(
    allow_missing,
    entity_folded,
    key_folded,
    names_folded,
    put_folded,
    place_swapped,
    column_of_next,
    plus_as_blank,
)

"""More servers of On Key that are right and differ in what is left open, each a patch; begin with `FREE`."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import sys
import time
import unicodedata
from dataclasses import replace
from typing import Any

import onkey_okql as okql
import onkey_records
from aiohttp import web
from onkey_records import SEEDED, Records
from onkey_requests import Reader
from onkey_types import TYPES, Command, Message, Record
from onkey_web import Dataset, Task
from patching import around, by_name
from transport_freedoms import free_gzip, free_headers, free_interim, free_numbers, free_trickle, too_busy

MAIN: Any = sys.modules["__main__"]
DURATIONS = (0.04, 1.5, 0.3, 2.5, 0.8)
KEPT, LIVELY = 20, 50
HOUSED, HOUSED_LATER = 1100, 100
PARTS = ("PermissionTree", "Trade", "Resource", "ResourceTrade", "AssetImportance")
"""The kinds of record, those before that others refer to."""


def free_busy(server: Any) -> None:
    """Be too busy for a few percent of calls, and say so with nothing but a trace."""

    def refusal(status: int) -> web.Response:
        trace = f"{secrets.token_hex(8)}_{secrets.token_hex(4)}"
        return web.Response(status=status, headers={"OnKey-Trace-Context": trace})

    too_busy(server, refusal)


# Tasks


def free_tasks(server: Any) -> None:
    """Let tasks take from 40 ms to 2.5 s by turns, and let their versions jump."""
    durations = itertools.cycle(DURATIONS)

    @around(server, "work")
    async def work(
        real: Any, data: Dataset, task: Task, commands: list[Command], *, whole: bool, order: list[list[int]]
    ) -> None:
        del real
        total = next(durations) + 1e-3 * len(commands)
        await asyncio.sleep(total / 5)
        task.started = MAIN.now()
        task.move("Executing")
        await asyncio.sleep(total * 4 / 5)
        outcomes: list[list[Message]] = data.records.run(commands, atomic=whole, groups=order)
        every = [message for outcome in outcomes for message in outcome]
        wrong = [message for message in every if message["severity"] == "error"]
        told = [wrong or every] if whole else outcomes
        task.steps = [(id_, messages) for (id_, _), messages in zip(task.steps, told, strict=True)]
        task.completed, task.ended = MAIN.now(), time.monotonic()
        task.move("Completed")

    @around(server, "shown_task")
    def shown(real: Any, task: Task) -> dict[str, Any]:
        entity: dict[str, Any] = real(task)
        return entity | {"version": 100 * entity["version"] + 7}


# Other clients


def done_by_others(data: Dataset, *commands: Command) -> list[int]:
    """Do commands of another client at once, and give the ids of what they were about."""
    outcomes = data.records.run(list(commands), atomic=False, groups=[list(range(len(commands)))])
    return [int(messages[0].get("objectId", -1)) for messages in outcomes]


def family(data: Dataset, stem: str) -> list[int]:
    """Create one record of each kind for another client, which refer to each other."""
    ids: dict[str, int] = {}
    for name in PARTS:
        type_ = TYPES[name]
        links = {n: ids[p.target] for n, p in type_.properties.items() if p.target in ids}
        texts = {"code": f"{stem}-{name[0]}", "description": f"Voisin {stem} \u00e9\U0001f600"}
        sets = {n: v for n, v in (texts | links).items() if n in type_.properties}
        ids[name] = done_by_others(data, Command(action="create", type=type_, sets=tuple(sets.items())))[0]
    return list(ids.values())


def changed(data: Dataset, ids: list[int]) -> None:
    """Change records of another client, as far as they have a description."""
    texts = (("description", f"Change {secrets.token_hex(3)}"),)
    for name, id_ in zip(PARTS, ids, strict=True):
        if "description" in TYPES[name].properties:
            done_by_others(data, Command(action="update", type=TYPES[name], target=id_, sets=texts))


def deleted(data: Dataset, ids: list[int]) -> None:
    """Delete records of another client, those that refer to others before the others."""
    for name, id_ in reversed([*zip(PARTS, ids, strict=True)]):
        done_by_others(data, Command(action="delete", type=TYPES[name], target=id_))


def free_crowd(server: Any) -> None:
    """Let another client create, change and delete records of its own in every data set, several times a second."""
    running = set[asyncio.Task[None]]()

    def season(data: Dataset, families: list[list[int]]) -> None:
        families.append(family(data, f"Nb{secrets.token_hex(5)}"))
        changed(data, families[0])
        changed(data, families[-1])
        if len(families) > KEPT:
            deleted(data, families.pop(0))

    async def bustle() -> None:
        own: dict[tuple[str, str], list[list[int]]] = {}
        while True:
            for name, data in list(server.datasets.items())[-LIVELY:]:
                season(data, own.setdefault(name, []))
                await asyncio.sleep(0)
            await asyncio.sleep(0.3)

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        if not running:
            running.add(asyncio.create_task(bustle()))
        return await real(request)


def free_full_house(server: Any) -> None:
    """Let other clients bring thousands of records into the first data set, and hundreds into others, after a call."""
    full = set[tuple[str, str]]()

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        reply = await real(request)
        for name in server.datasets.keys() - full:
            full.add(name)
            for at in range(HOUSED if len(full) == 1 else HOUSED_LATER):
                family(server.datasets[name], f"H{at:04d}{secrets.token_hex(2)}")
        return reply


# Records


def precise_now() -> str:
    """Write the present instant with seven digits of a second that all count."""
    seconds, rest = divmod(time.time_ns(), 10**9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest // 100:07d}Z"


def free_entities(server: Any) -> None:
    """Let versions begin with 4, use all seven digits of time stamps, and give whole addresses in links."""
    seeded = {id_ for id_, *_ in SEEDED}

    @around(Records, "blank")
    def blank(real: Any, own: Records, id_: int, *rest: Any) -> Record:
        record: Record = real(own, id_, *rest)
        version = record.version if id_ in seeded else 4
        return replace(record, version=version, modified=precise_now())

    @around(server, "shower")
    def shower(real: Any, request: web.Request) -> Any:
        show = real(request)
        start = f"{request.url.origin()}{server.mount}/"

        def own(record: Record) -> dict[str, Any]:
            entity: dict[str, Any] = show(record)
            for link in entity.get("links", ()):
                link |= {"href": start + link["href"], "title": f"{link['method']} {record.type.name}"}
            return entity

        return own

    around(onkey_records, "now")(lambda _: precise_now())
    MAIN.now = precise_now


def free_collation(server: Any) -> None:
    """Put texts of an order in that of a dictionary, without regard to case and accents."""
    del server

    @around(okql, "sortable")
    def sortable(real: Any, value: Any) -> tuple[int, Any]:
        if not isinstance(value, str):
            return real(value)  # type: ignore[no-any-return]  # what it wraps says its type
        plain = unicodedata.normalize("NFKD", value)
        return 1, "".join(c for c in plain if not unicodedata.combining(c)).casefold()


# Refusals


BODIES = {
    "batch_create": ("entitycollection",),
    "batch_update": ("entitypatchcollection", "entitycollection"),
    "batch_delete": ("entitydeletecollection",),
    "match_update": ("entitymatchupdatecollection",),
    "do_import": ("entityimportcollection",),
    "create": ("entity",),
    "update": ("entitypatch",),
    "delete": ("entitydelete",),
}


def free_refusals(server: Any) -> None:
    """Tell what is wrong with a whole request from its end on, and look at bodies before anything else."""

    @around(Reader, "close")
    def close(real: Any, own: Reader) -> None:
        own.wrong.reverse()
        real(own)

    def body_first(name: str, kinds: tuple[str, ...]) -> None:
        @around(server, name)
        async def call(real: Any, request: web.Request, *rest: Any) -> Any:
            await server.body(request, *kinds)
            return await real(request, *rest)

    for name, kinds in BODIES.items():
        body_first(name, kinds)


FREE = by_name(free_interim, free_gzip, free_trickle, free_busy, free_headers, free_numbers)
FREE |= by_name(free_tasks, free_crowd, free_full_house, free_entities, free_collation, free_refusals)

"""More servers of Genero that are right and differ in what is left open, each a patch; begin with `FREE`."""

from __future__ import annotations

import asyncio
import itertools
import json
import secrets
import sys
import time
from collections.abc import Iterator
from typing import Any

import genero_rules
from aiohttp import web
from genero_jobs import Job
from genero_rules import KINDS, Item, Kind
from patching import around, body_of, by_name
from transport_freedoms import free_closing, free_gzip, free_headers, free_numbers, free_trickle, too_busy

MAIN: Any = sys.modules["__main__"]
KEPT, HOUSED, QUOTED = 30, 2500, 40
DURATIONS = (0.02, 1.6, 0.25, 2.4, 0.6)
TENTHS = 10
CORS = {"Access-Control-Allow-Methods": "GET, PUT, POST, DELETE", "Access-Control-Allow-Headers": "*"}


def free_busy(server: Any) -> None:
    """Be too busy for a few percent of calls, and say so with a problem."""

    def refusal(status: int) -> web.Response:
        body = {"type": "about:blank", "title": "Busy", "status": status, "detail": "Please try again."}
        return web.json_response(body, status=status, content_type="application/problem+json")

    too_busy(server, refusal)


# Jobs


def free_overlap(server: Any) -> None:
    """Let jobs of a tenant overlap, with durations from 20 ms to 2.4 s by turns."""
    durations, running = itertools.cycle(DURATIONS), set[asyncio.Task[None]]()

    async def finish(job: Job, duration: float) -> None:
        await asyncio.sleep(duration)
        server.jobs.run(job)

    @around(server.jobs, "work")
    async def work(real: Any, tenant: Any) -> None:
        del real
        while True:
            _, _, job = await tenant.queue.get()
            task = asyncio.create_task(finish(job, next(durations)))
            running.add(task)
            task.add_done_callback(running.discard)


def free_progress(server: Any) -> None:
    """Take 1.2 s and a tenth of a millisecond for each item, and tell linear progress in tenths."""
    started: dict[str, float] = {}

    def duration(job: Job) -> float:
        return 1.2 + 1e-4 * len(job.items)

    @around(server.jobs, "work")
    async def work(real: Any, tenant: Any) -> None:
        del real
        while True:
            _, _, job = await tenant.queue.get()
            started[job.id] = time.monotonic()
            await asyncio.sleep(duration(job))
            server.jobs.run(job)

    @around(server.jobs, "status")
    def status(real: Any, job: Job, asked: str) -> Item:
        told: Item = real(job, asked)
        if not job.done and job.id in started:
            tenths = int((time.monotonic() - started[job.id]) / duration(job) * TENTHS)
            told["noOfItemsProcessed"] = len(job.items) * min(tenths, TENTHS - 1) // TENTHS
        return told


# Other clients


def done_by_others(server: Any, tenant: str, kind: str, items: list[Item]) -> None:
    """Do a batch of another client at once."""
    server.jobs.run(Job(kind=kind, tenant=tenant, items=items))


def item_of(kind: Kind, stem: str, **more: Any) -> Item:
    """Write an item of another client, which refers to that client's own entities."""
    links = {name: stem + KINDS[target].word for name, target in kind.references.items()}
    return {kind.key: stem + kind.word, "name": f"Voisin {stem}", **links, **more}


def deletion_of(kind: Kind, stem: str) -> Item:
    """Write an item of another client that deletes its entity."""
    return {kind.key: stem + kind.word, "deleted": True}


def free_crowd(server: Any) -> None:
    """Let another client create, change, delete and revive entities of its own, several times a second."""
    prefixes = itertools.cycle(("!", "N-", "~~", "\u00e9t\u00e9 ", "\U0001f600"))

    def post(tenant: str, stems: list[str], **more: Any) -> None:
        for name, kind in KINDS.items():
            done_by_others(server, tenant, name, [item_of(kind, stem, **more) for stem in stems])

    def let_go(tenant: str, oldest: str, revived: str, deleted: str) -> None:
        for name, kind in KINDS.items():
            done_by_others(server, tenant, name, [deletion_of(kind, oldest)])
        post(tenant, [revived], deleted=False)
        done_by_others(server, tenant, "block", [deletion_of(KINDS["block"], deleted)])

    async def bustle(tenant: str) -> None:
        stems: list[str] = []
        while True:
            stems.append(next(prefixes) + secrets.token_hex(6))
            post(tenant, stems[-1:])
            post(tenant, stems[-3:-1], name=f"Change {secrets.token_hex(3)}")
            if len(stems) > KEPT:
                let_go(tenant, stems.pop(0), stems[8], stems[9])
            await asyncio.sleep(0.3)

    @around(server, "start")
    async def start(real: Any, app: web.Application) -> None:
        await real(app)
        app[web.AppKey("others", list)] = [asyncio.create_task(bustle(tenant)) for tenant in server.tenants]


def free_full_house(server: Any) -> None:
    """Have thousands of entities from the start, with all sorts of keys, and some of them deleted."""
    stems = ("!a ", "a/b", "c%20d", "e?f#", "\u00e9", "\uff5e", "\U0001f600", "mid-", "~z")
    keys = [f"{stems[at % len(stems)]}{at:05d} " for at in range(HOUSED)]
    for tenant in server.tenants:
        for name, kind in KINDS.items():
            done_by_others(server, tenant, name, [item_of(kind, key) for key in keys])
        for name, kind in KINDS.items():
            done_by_others(server, tenant, name, [deletion_of(kind, key) for key in keys[::11]])


# Refusals and what stands beside answers


def quoting(item: Any, pointer: str, words: str) -> str:
    """Write the detail of a fault so that it quotes what is wrong."""
    value = item.get(pointer.removeprefix("/"), item) if isinstance(item, dict) else item
    shown = json.dumps(value)
    end = "\u2026" if len(shown) > QUOTED else ""
    return f"\u00ab {shown[:QUOTED]}{end} \u00bb ne convient pas : {words}"


def free_refusals(server: Any) -> None:
    """Quote values in the details of faults, so that few are alike, and look at bodies before anything else."""

    def faults(real: Any, kind: Kind, item: Any) -> Iterator[tuple[str, str, str]]:
        for pointer, rule, words in real(kind, item):
            yield pointer, rule, words if rule == "required" else quoting(item, pointer, words)

    around(genero_rules, "item_faults")(faults)
    MAIN.item_faults = genero_rules.item_faults

    def body_first(name: str) -> None:
        @around(server, name)
        async def call(real: Any, request: web.Request, *rest: str) -> Any:
            server.client(request)
            await server.body(request)
            return await real(request, *rest)

    for name in ("post_job", "post_multi", "put_entity"):
        body_first(name)


def other_shape(request: web.Request, reply: web.Response) -> web.Response:
    """Answer unknown paths and wrong methods in shapes of another kind than problems."""
    if reply.status == 405:
        allowed = reply.headers["Allow"].replace("GET", "GET, HEAD")
        return web.Response(status=405, headers={"Allow": allowed})
    if reply.status == 404 and body_of(reply)["detail"] == "Nothing is here.":
        body = {"error": {"code": reply.status, "path": request.path}}
        return web.json_response(body, status=reply.status)
    return reply


def free_shapes(server: Any) -> None:
    """Refuse calls that no page describes in other shapes, answer preflights, and tell where things are."""

    @around(server, "handle")
    async def handle(real: Any, request: web.Request) -> Any:
        origin = request.headers.get("Origin")
        reply = await real(request)
        if request.method == "OPTIONS" and origin and "Access-Control-Request-Method" in request.headers:
            reply = web.Response(status=204, headers=CORS) if reply.status == 405 else reply
        elif reply.body:
            reply = other_shape(request, reply)
        if origin:
            reply.headers.update({"Access-Control-Allow-Origin": origin, "Vary": "Origin"})
        if reply.status == 201:
            reply.headers["Location"] = str(request.url.with_query(None))
        if "X-Total-Count" in reply.headers:
            reply.headers["Link"] = f'<{request.rel_url.update_query(skip="0")}>; rel="first"'
        return reply


FREE = by_name(free_closing, free_gzip, free_trickle, free_busy, free_headers, free_numbers)
FREE |= by_name(free_overlap, free_progress, free_crowd, free_full_house, free_refusals, free_shapes)

"""The baseline of `serving.py`: a bare aiohttp server on uvloop with orjson; with `--empty` it has no route."""

import asyncio
import contextlib
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import click
import jsonschema_rs
import orjson
import yaml
from aiohttp import web

try:
    import uvloop
except ImportError:  # no uvloop on this platform
    uvloop = None

CONSTANT = orjson.dumps({"messages": []})
__all__ = ["click", "jsonschema_rs", "yaml"]


def application(*, empty: bool) -> web.Application:
    app = web.Application(client_max_size=32 * 1024 * 1024)
    if empty:
        return app
    from peers import BLOCKS, LIST  # noqa: PLC0415 - an empty application imports nothing of ours

    from contracts.openapi.loading import load_bundled  # noqa: PLC0415 - as above

    operation = load_bundled("onkey").operation("batchCreate")
    assert operation is not None
    assert operation.body is not None
    media = operation.body.media("application/vnd.onkey.entitycollection+json")
    assert media is not None
    assert media.schema is not None
    routes = {
        BLOCKS: jsonschema_rs.validator_for(LIST).is_valid,
        "/{any:.*}": media.schema.validator.is_valid,
    }
    for path, fits in routes.items():
        app.router.add_post(path, validating(fits))
    app.router.add_get("/{any:.*}", constant)
    return app


def validating(fits: Callable[[Any], bool]) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def handle(request: web.Request) -> web.Response:
        return await constant(request) if fits(orjson.loads(await request.read())) else web.Response(status=400)

    return handle


async def constant(_: web.Request) -> web.Response:
    return web.Response(body=CONSTANT, content_type="application/vnd.onkey.notification+json")


def announce(text: Any) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def serve() -> None:
    runner = web.AppRunner(application(empty="--empty" in sys.argv), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    announce(f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


if __name__ == "__main__":
    if uvloop is not None:
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve())

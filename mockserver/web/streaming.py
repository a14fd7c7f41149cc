"""Sending a reply that goes on, until its reader goes, its sandbox goes, or the server ends."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from aiohttp import web

from mockserver.live import LiveReply, Reader

PULSE_SECONDS: Final = 15.0  # between signs of life, which also find out that nobody reads any more
PULSE: Final = b": still here\n\n"
FAREWELL_SECONDS: Final = 1.0  # for a reader who has fallen behind when the server ends


async def stream(
    request: web.BaseRequest, live: LiveReply, response: web.StreamResponse, *ends: asyncio.Event
) -> web.StreamResponse:
    """Send events as they come. The stream is over when one of the events `ends` happens."""
    response.force_close()
    with suppress(ConnectionError):
        await response.prepare(request)
        await response.write(live.body)
        await _until(asyncio.ensure_future(_pump(response, live)), ends)
        async with asyncio.timeout(FAREWELL_SECONDS):
            await response.write_eof()
    return response


async def _until(pump: "asyncio.Future[None]", ends: tuple[asyncio.Event, ...]) -> None:
    waits = [pump, *(asyncio.ensure_future(_happened(end)) for end in ends)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        with suppress(ConnectionError, asyncio.CancelledError):
            await pump


async def _happened(end: asyncio.Event) -> None:
    await end.wait()


async def _pump(response: web.StreamResponse, live: LiveReply) -> None:
    sandbox, reader, stirred = live.sandbox, Reader(live.sandbox, live.after, live.show), asyncio.Event()
    stir = _from_any_thread(stirred)
    sandbox.listening.add(stir)
    try:
        while not sandbox.gone:
            stirred.clear()
            if events := reader.read():
                await response.write(events)
                continue
            try:
                async with asyncio.timeout(PULSE_SECONDS):
                    await stirred.wait()
            except TimeoutError:
                await response.write(PULSE)
    finally:
        sandbox.listening.discard(stir)


def _from_any_thread(event: asyncio.Event) -> Callable[[], object]:
    loop = asyncio.get_running_loop()
    return lambda: loop.call_soon_threadsafe(event.set)

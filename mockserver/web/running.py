"""Starting and stopping a server: in this event loop, in a thread, or as a process that signals end."""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import EACCES, EADDRINUSE
from threading import Thread
from typing import Any, Final

from contracts.errors import MisuseError
from mockserver.api import Api
from mockserver.web.body import SECONDS
from mockserver.web.rim import Rim
from mockserver.web.service import Options, Service

GRACE_SECONDS: Final = 30.0  # for requests that are being answered when the end is asked for


@dataclass(slots=True, kw_only=True)
class Running:
    """A server that answers. `port` is the real one."""

    service: Service
    rim: Rim
    listening: asyncio.Server
    host: str
    port: int

    @property
    def url(self) -> str:
        """Return the base URL, such as `http://127.0.0.1:8080`."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 - what was bound to
        return f"http://{f'[{host}]' if ':' in host and not host.startswith('[') else host}:{self.port}"

    async def stop(self, seconds: float = GRACE_SECONDS) -> None:
        """Take no new connections, answer what is being asked, and close."""
        self.listening.close()
        await self.rim.finish(seconds)


async def start(service: Service, *, host: str = "127.0.0.1", port: int = 0, body_seconds: float = SECONDS) -> Running:
    """Listen on `host` and `port`, 0 for any free one. Raises MisuseError: taken, forbidden, or no such host."""
    rim = Rim(service, body_seconds=body_seconds)
    try:
        listening = await asyncio.get_running_loop().create_server(rim, host, port, backlog=1024)
    except (OSError, OverflowError, UnicodeError) as error:
        raise _cannot_listen(host, port, error) from None
    real_port: int = listening.sockets[0].getsockname()[1]
    return Running(service=service, rim=rim, listening=listening, host=host, port=real_port)


def _cannot_listen(host: str, port: int, error: Exception) -> MisuseError:
    number = getattr(error, "errno", None)
    if number == EADDRINUSE:
        return MisuseError(
            f"port {port} of {host} is in use.", cure="Choose another with --port, or 0 for any free one."
        )
    if number == EACCES:
        return MisuseError(
            f"port {port} needs rights that you do not have.", cure="Choose one from 1024 on with --port."
        )
    return MisuseError(
        f"cannot listen on {host}, port {port}: {getattr(error, 'strerror', None) or error}.", cure="Check --host."
    )


def new_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop: uvloop's where there is one."""
    try:
        import uvloop  # noqa: PLC0415 - not everywhere
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def serve_until_signal(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `serve` in an event loop of its own; the event it is given is set by SIGINT and SIGTERM."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_with_signals(serve))


async def _with_signals(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(name, ended.set)
        except NotImplementedError:  # Windows
            signal.signal(name, lambda *_: loop.call_soon_threadsafe(ended.set))
    await serve(ended)


def tune_collector() -> None:
    """Keep the garbage collector from walking over what was loaded: its pauses become a quarter as long."""
    gc.freeze()  # without collecting first: that finds next to nothing and costs a tenth of the start
    gc.set_threshold(100_000, 20, 100)
    gc.enable()


@contextmanager
def in_thread(
    apis: Iterable[Api], options: Options | None = None, *, body_seconds: float = SECONDS
) -> Iterator[Running]:
    """Serve on a free port from a thread of this process, until the block ends."""
    ready: Future[tuple[Running, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    service = Service(apis, options or Options(), datetime.now(UTC))

    async def serve() -> None:
        running = await start(service, body_seconds=body_seconds)
        ended = asyncio.Event()
        ready.set_result((running, asyncio.get_running_loop(), ended))
        await ended.wait()
        await running.stop(1.0)

    def run() -> None:
        try:
            with asyncio.Runner(loop_factory=new_loop) as runner:
                runner.run(serve())
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = Thread(target=run, name="bulkproof", daemon=True)
    thread.start()
    running, loop, ended = ready.result()
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()

"""Start, reload and stop a server: in this event loop (`start`), in a thread (`in_thread`) or until a signal."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import EACCES, EADDRINUSE
from pathlib import Path
from threading import Thread
from typing import Any, Final, NamedTuple, TypeAlias

from contracts.errors import BulkproofError, Fault, MisuseError
from mockserver.api.model import Api
from mockserver.apis.sources import Source
from mockserver.control.access import is_loopback
from mockserver.http.json_log import JsonLog
from mockserver.http.request_reading import BODY_TIMEOUT_SECONDS
from mockserver.http.server import HttpServer
from mockserver.http.service import Options, Service
from mockserver.stores.interface import NotStoredError

MEMORY_INTERVAL_SECONDS: Final = 5.0  # a heap of 150 MB takes some 5 ms
HANDSHAKE_SECONDS: Final = 10.0  # of TLS, until the connection is closed
GRACE_SECONDS: Final = 30.0  # for requests under way when the server stops


@dataclass(slots=True)
class Running:
    """A running server. `port` is the port that it listens on."""

    service: Service
    server: HttpServer
    listening: asyncio.Server
    host: str
    port: int

    @property
    def url(self) -> str:
        """Return the base URL, such as `http://127.0.0.1:8080`, or with `https` where TLS is asked for."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}.get(self.host, self.host)  # noqa: S104 - what was bound to
        name = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"{self.service.scheme}://{name}:{self.port}"

    async def stop(self, seconds: float = GRACE_SECONDS) -> None:
        """Close the listening socket, finish requests under way for at most `seconds`, and close all connections.

        A durable server stores its sandboxes then.
        """
        self.listening.close()
        await self.server.finish(seconds)
        if self.service.log is not None:
            self.service.log.close(whole=self.service.turns.are_free)


async def start(
    service: Service,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    body_seconds: float = BODY_TIMEOUT_SECONDS,
    log: JsonLog | None = None,
) -> Running:
    """Listen on `host` and `port` (0: any free one). Raises MisuseError: port in use, forbidden, or unknown host.

    Beyond loopback, and without a control token, the control API answers this machine only. `log` gets every request.
    """
    server = HttpServer(
        service,
        body_seconds=body_seconds,
        local_control=not (service.options.control_token or is_loopback(host)),
        log=log,
    )
    tls = service.options.tls
    try:
        listening = await asyncio.get_running_loop().create_server(
            server, host, port, backlog=1024, ssl=tls, ssl_handshake_timeout=HANDSHAKE_SECONDS if tls else None
        )
    except (OSError, OverflowError, UnicodeError) as error:
        raise _cannot_listen(host, port, error) from None
    return Running(service, server, listening, host, listening.sockets[0].getsockname()[1])


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
    """Return an event loop: uvloop's where it is installed."""
    try:
        import uvloop  # noqa: PLC0415 - not everywhere
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


def serve_until_signal(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    """Run `serve` in an event loop of its own; SIGINT and SIGTERM set the event that it gets, a second one exits."""
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_with_signals(serve))


async def _with_signals(serve: Callable[[asyncio.Event], Coroutine[Any, Any, None]]) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def listen(handler: Callable[[int], object]) -> None:
        for name in (signal.SIGINT, signal.SIGTERM):
            try:
                loop.add_signal_handler(name, handler, name)
            except NotImplementedError:  # Windows
                signal.signal(name, lambda number, _: loop.call_soon_threadsafe(handler, number))

    def end(_: int) -> None:
        ended.set()
        listen(lambda number: os._exit(128 + number))  # as shells tell it; a container's first process has no default

    listen(end)
    await serve(ended)


def tune_collector() -> None:
    """Exclude the loaded contracts from garbage collection (`gc.freeze`), and collect less often."""
    gc.freeze()  # without collecting first: that finds next to nothing and costs a tenth of the start
    gc.set_threshold(100_000, 20, 100)
    gc.enable()


async def return_memory(server: HttpServer, seconds: float = MEMORY_INTERVAL_SECONDS) -> None:
    """Return freed memory to the operating system every few `seconds` in which requests came, until cancelled.

    Large bodies that come and go leave the C library's heap half free, and it gives back no more than its end.
    """
    answered = 0
    while True:
        await asyncio.sleep(seconds)
        if server.requests_count != answered:
            answered = server.requests_count
            trim_heap()


def trim_heap() -> bool:
    """Return free pages of glibc's heap to the operating system; tell whether there were any."""
    import ctypes  # noqa: PLC0415 - a server that is not used never gets here

    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    return trim is not None and bool(trim(0))


@contextmanager
def in_thread(
    apis: Iterable[Api],
    options: Options | None = None,
    *,
    body_seconds: float = BODY_TIMEOUT_SECONDS,
    log: JsonLog | None = None,
) -> Iterator[Running]:
    """Serve on a free port from a thread of this process, until the block ends."""
    ready: Future[tuple[Running, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    service = Service(apis, options or Options(), datetime.now(UTC))

    async def serve() -> None:
        running = await start(service, body_seconds=body_seconds, log=log)
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


WATCH_INTERVAL_SECONDS: Final = 0.5
Stamps: TypeAlias = Mapping[Path, tuple[int, int]]


async def watch(
    service: Service,
    sources: Mapping[str, Source],
    say: Callable[[str], None],
    tell: Callable[[Source, Sequence[Fault]], None],
) -> None:
    """Reload the APIs of `sources` (by name) whenever one of their files changes, until cancelled.

    `tell` gets the mended mistakes that were not there before.
    """
    seen = {name: _stamps(source, service, name) for name, source in sources.items()}
    while True:
        await asyncio.sleep(WATCH_INTERVAL_SECONDS)
        for name, source in sources.items():
            stamps = _stamps(source, service, name)
            if any(seen[name].get(path) != stamp for path, stamp in stamps.items()):
                await _reload(service, name, source, say, tell)
                seen[name] = {**_stamps(source, service, name), **stamps}  # what changed meanwhile is seen next time


def _stamps(source: Source, service: Service, name: str) -> Stamps:
    return {path: stamp(path) for path in source.files(service.apis[name].contract)}


def stamp(path: Path) -> tuple[int, int]:
    """Return modification time and size of a file; they change with its content."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_size


class ScenarioFile(NamedTuple):
    """A scenario's file, the scenario's name, and the file's stamp when it was read."""

    path: Path
    name: str
    stamp: tuple[int, int]


async def watch_scenarios(service: Service, files: Sequence[ScenarioFile], say: Callable[[str], None]) -> None:
    """Reload scenarios whenever their file changes, until cancelled."""
    seen = {file.path: file.stamp for file in files}
    while True:
        await asyncio.sleep(WATCH_INTERVAL_SECONDS)
        for file in files:
            if (now := stamp(file.path)) != seen[file.path]:
                seen[file.path] = now
                async with service.turns.of_all():
                    _reload_scenario(service, file.path, file.name, say)


def _reload_scenario(service: Service, path: Path, name: str, say: Callable[[str], None]) -> None:
    from mockserver.scenarios.loading import load_file  # noqa: PLC0415 - most servers play nothing
    from mockserver.scenarios.validation import known_names, require_fitting  # noqa: PLC0415 - the same

    known = known_names({api.name: api.contract for api in service.apis.values()})
    try:
        changed = require_fitting(load_file(path), known, shown=str(path))
    except BulkproofError as error:
        say(f"The scenario {name} is unchanged, its file is invalid:\n{error}")
        return
    if changed.name != name:
        say(f"The scenario {name} is unchanged: its file now names it {changed.name}, which needs a restart.")
        return
    try:
        with service.changing():
            service.sandboxes.template.catalogue.add(changed)
            for sandbox in service.sandboxes:
                sandbox.player.replace(changed)
    except NotStoredError as error:
        say(f"The scenario {name} is unchanged: {error}")
        return
    say(f"{name}: the changed scenario is active and starts at its first rule.")


async def _reload(
    service: Service,
    name: str,
    source: Source,
    say: Callable[[str], None],
    tell: Callable[[Source, Sequence[Fault]], None],
) -> None:
    before = service.apis[name].contract.repairs
    try:
        changed = await asyncio.to_thread(source.reload, service.apis[name])
        async with service.turns.of_all():
            service.adopt(changed)
    except NotStoredError as error:
        say(f"{name} is unchanged: {error}")
    except BulkproofError as error:
        say(f"{name} is unchanged, its contract is invalid:\n{error}")
    else:
        tell(source, [one for one in service.apis[name].contract.repairs if one not in before])
        say(f"{name}: the changed contract is served; stored records stay.")

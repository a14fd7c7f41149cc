"""`bulkproof serve`: serve the APIs as a mock server."""

import gc
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from mockserver.cli.shared.options import (
    MAX_REPAIRS,
    Command,
    Duration,
    reading_of,
    reading_options,
    sandbox_options,
    tell_repairs,
)

if TYPE_CHECKING:
    import asyncio
    from ssl import SSLContext

    from contracts.errors import Fault
    from mockserver.api.model import Api
    from mockserver.apis.sources import Source
    from mockserver.http.json_log import JsonLog
    from mockserver.http.lifecycle import Running, ScenarioFile
    from mockserver.http.service import Options, Service
    from mockserver.journal.journal import JournalEntry
    from mockserver.scenarios.loading import Catalogue
    from mockserver.stores.sqlite_log import Sync
FILE = click.Path(path_type=Path)


@click.command(cls=Command)
@click.argument("apis", nargs=-1, metavar="[API|FILE]...")
@reading_options
@click.option(
    "--port",
    "-p",
    type=click.IntRange(0, 65535),
    default=8080,
    show_default=True,
    help="Port to listen on; 0 chooses a free one.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@sandbox_options
@click.option("--log", is_flag=True, help="Print a line for each request, with what was wrong.")
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="json: everything that is told, and each request, is a JSON object on a line of its own.",
)
@click.option(
    "--watch", is_flag=True, help="Reload contracts and scenarios when their files change; stored records stay."
)
@click.option(
    "--control-token",
    default="",
    metavar="TOKEN",
    envvar="BULKPROOF_CONTROL_TOKEN",
    show_envvar=True,
    help="Require this token for the control API.",
)
@click.option(
    "--allowed-host",
    "allowed_hosts",
    multiple=True,
    metavar="NAME[:PORT]",
    help="Host name, beside loopback's, by which the control API may be called, also from its pages; repeatable.",
)
@click.option("--tls-cert", type=FILE, metavar="FILE", help="Serve https with this certificate (PEM, with its chain).")
@click.option("--tls-key", type=FILE, metavar="FILE", help="Key of the certificate (PEM, without a passphrase).")
@click.option(
    "--graceful-timeout",
    type=Duration(least=0, most=3600),
    default="30s",
    show_default=True,
    help="Time to finish requests under way after SIGTERM or Ctrl-C; a second signal ends at once.",
)
@click.option(
    "--store",
    type=FILE,
    metavar="FILE",
    help="Keep all sandboxes in this file, made when it is missing: they are there again after a restart or a crash.",
)
@click.option(
    "--snapshot",
    "snapshots",
    type=FILE,
    multiple=True,
    metavar="FILE",
    help="Begin with this snapshot, in the sandbox that it names; repeatable. What --store has goes first.",
)
@click.option(
    "--sync",
    type=click.Choice(["full", "normal"]),
    help="With --store: answer once a request is on the disk (full, the default), or once the system has it (normal).",
)
def serve(
    apis: tuple[str, ...], *, port: int, host: str, scenarios: tuple[str, ...], watch: bool, **given: Any
) -> None:
    """Serve stateful mock APIs from their contracts, with jobs and a controllable clock. Alias: `mock`.

    An API is an OpenAPI document (a file or a URL), a bundled one (genero, onkey), one in Python (FILE.py:NAME), or an
    installed plug-in. Default: all bundled ones.
    """
    if given["sync"] and given["store"] is None:
        raise click.UsageError("--sync says how --store writes, and there is no --store.")
    gc.disable()  # until all is loaded: nothing of it is garbage
    try:
        _serve(apis, port, host, scenarios, given, watch=watch)
    finally:
        gc.enable()


def _serve(
    apis: tuple[str, ...], port: int, host: str, scenarios: tuple[str, ...], given: Mapping[str, Any], *, watch: bool
) -> None:
    from importlib import import_module
    from threading import Thread

    # It reads all certificates; a process that ends within libcrypto crashes, so its end waits for this thread.
    Thread(target=import_module, args=("aiohttp",)).start()
    from mockserver.apis.sources import BUNDLED, find_sources
    from mockserver.http.tls import context_of

    tls = context_of(given["tls_cert"], given["tls_key"])
    names = apis or tuple(BUNDLED)
    sources = find_sources(names, reading_of(given))
    loaded = [source.load() for source in sources]
    for name, one in zip(names, loaded, strict=True):
        tell_repairs(one.contract.repairs, name, limit=MAX_REPAIRS)
    chosen = choose_scenarios(scenarios, loaded)
    from mockserver.http.lifecycle import serve_until_signal

    watched = {api.name: source for api, source in zip(loaded, sources, strict=True)} if watch else {}
    files = chosen.files if watch else ()

    async def run(ended: "asyncio.Event") -> None:
        service = _service(loaded, options_of(given, chosen, host, tls), given["store"], given["sync"])
        _put_snapshots(service, given["snapshots"], log)
        await _run(service, host, port, WatchedFiles(watched, files), ended, seconds=given["graceful_timeout"], log=log)

    if given["log_format"] == "text":
        log = None
        serve_until_signal(run)
        return
    from mockserver.http.json_log import JsonLog, logging_to

    log = JsonLog(_print_line)
    with logging_to(log):
        serve_until_signal(run)


def _print_line(line: str) -> None:
    with suppress(OSError):  # without a reader, lines are lost, but no responses
        click.echo(line)


class SelectedScenarios(NamedTuple):
    """The scenarios of the command line: names, catalogue, and the files of some."""

    names: tuple[str, ...]
    catalogue: "Catalogue"
    files: "Sequence[ScenarioFile]"


class WatchedFiles(NamedTuple):
    """The files to watch: sources of APIs by name, and scenario files."""

    sources: "Mapping[str, Source]"
    scenarios: "Sequence[ScenarioFile]"


def choose_scenarios(words: tuple[str, ...], apis: "list[Api]") -> SelectedScenarios:
    """Return the scenarios that the command line names. Raises ScenarioError and MisuseError."""
    from mockserver.scenarios.loading import Catalogue

    catalogue = Catalogue()
    for path in (one for api in apis for one in api.scenarios):
        catalogue.read(path)
    if not words:
        return SelectedScenarios((), catalogue, ())
    from mockserver.http.lifecycle import ScenarioFile, stamp
    from mockserver.scenarios.validation import known_names, require_fitting

    stamps = {word: stamp(Path(word)) for word in words}
    known, found = known_names({api.name: api.contract for api in apis}), [catalogue.choose(word) for word in words]
    for (scenario, _), word in zip(found, words, strict=True):
        require_fitting(scenario, known, shown=word)
    names = tuple(dict.fromkeys(scenario.name for scenario, _ in found))
    read = zip(words, found, strict=True)
    files = [ScenarioFile(path, one.name, stamps[word]) for word, (one, path) in read if path is not None]
    return SelectedScenarios(names, catalogue, files)


def options_of(given: Mapping[str, Any], chosen: SelectedScenarios, host: str, tls: "SSLContext | None") -> "Options":
    """Return the configuration of a server from the options of the command line, which need not be all there."""
    from mockserver.control.access import allowed_hosts
    from mockserver.http.service import Options

    mode, factor = given["clock"]
    auth = {} if given["auth"] is None else {"auth": given["auth"]}
    return Options(
        settings={
            **auth,
            "conduct": given["conduct"],
            "strict": given["strict"],
            "lenientJson": given["lenient_json"],
            "validateRequests": given["validate_requests"],
            "errors": given["errors"],
            "dynamic": given["dynamic"],
        },
        cors=given["cors"],
        on_exchange=print_exchange if given.get("log") and given["log_format"] == "text" else None,
        seed=given["seed"],
        mode=mode,
        factor=factor,
        max_sandboxes=given["max_sandboxes"],
        control_token=given.get("control_token", ""),
        hosts=allowed_hosts(host, given.get("allowed_hosts", ())),
        catalogue=chosen.catalogue,
        scenarios=chosen.names,
        tls=tls,
    )


def _service(apis: "list[Api]", options: "Options", store: Path | None, sync: "Sync | None") -> "Service":
    from datetime import UTC, datetime

    from mockserver.http.service import Service

    if store is None:
        return Service(apis, options, datetime.now(UTC))
    from mockserver.http.recovery import open_service

    return open_service(apis, options, store, datetime.now(UTC), sync=sync or "full")


def _put_snapshots(service: "Service", files: Sequence[Path], log: "JsonLog | None") -> None:
    """Put snapshots into the sandboxes that they name; tell of those that a store has already."""
    if not files:
        return
    from datetime import UTC, datetime

    from mockserver.http.recovery import put_snapshots

    for line in put_snapshots(service, files, datetime.now(UTC)):
        if log is None:
            click.echo(line, err=True)
        else:
            log.say(line)


def print_exchange(entry: "JournalEntry") -> None:
    """Print a line with a request, its status, what the client got instead, its operation, and what was wrong."""
    wrong = "; ".join(f"{one.where}{one.pointer} {one.detail}" for one in entry.violations[:3])
    got = f" ({entry.delivery.words})" if entry.delivery.words else ""
    line = f"{entry.method} {entry.path[:200]} {entry.status}{got} {entry.operation or '-'} {wrong}".rstrip()
    click.echo("".join(one if one.isprintable() else "?" for one in line))


async def _run(
    service: "Service",
    host: str,
    port: int,
    watched: WatchedFiles,
    ended: "asyncio.Event",
    *,
    seconds: float,
    log: "JsonLog | None",
) -> None:
    """Serve until `ended` is set, then finish requests under way for at most `seconds`."""
    import asyncio

    from mockserver.http.lifecycle import return_memory, start, tune_collector

    running = await start(service, host=host, port=port, log=log)
    if log is None:
        _print_start(running)
    else:
        _log_start(running, log)
    tune_collector()
    say = click.echo if log is None else log.say
    beside = [
        return_memory(running.server),
        *(_watching(service, watched, log) if any(watched) else ()),
        *_storing(service, say),
    ]
    tasks = [asyncio.create_task(one) for one in beside]
    await ended.wait()
    if log is not None:
        log.event("info", "stopping", seconds=seconds)
    for task in tasks:
        task.cancel()
    await running.stop(seconds)
    if log is not None:
        log.event("info", "stopped")


def _storing(service: "Service", say: Callable[[str], None]) -> "Iterator[Coroutine[Any, Any, None]]":
    if service.log is not None:
        from mockserver.http.recovery import keep_checkpoints

        yield keep_checkpoints(service, say)


def _watching(
    service: "Service", watched: WatchedFiles, log: "JsonLog | None"
) -> "Iterator[Coroutine[Any, Any, None]]":
    from mockserver.http.lifecycle import watch, watch_scenarios

    say = click.echo if log is None else log.say
    tell = _tell_new_repairs if log is None else partial(_log_new_repairs, log)
    if watched.sources:
        yield watch(service, watched.sources, say, tell)
    if watched.scenarios:
        yield watch_scenarios(service, watched.scenarios, say)


def _tell_new_repairs(source: "Source", repairs: "Sequence[Fault]") -> None:
    tell_repairs(repairs, str(source.document), limit=MAX_REPAIRS)


def _log_new_repairs(log: "JsonLog", source: "Source", repairs: "Sequence[Fault]") -> None:
    del source
    for fault in repairs:
        log.say(str(fault), "warning")


def _print_start(running: "Running") -> None:
    from datetime import UTC, datetime

    from contracts.syntax.text import listed
    from mockserver import VERSION
    from mockserver.export.first_call import curl_line

    service, url = running.service, running.url
    lines = [f"Bulkproof {VERSION} serves"]
    lines += [f"  {name:<9} {url}{api.mount}" for name, api in service.apis.items()]
    if service.at_their_names:
        lines.append(
            f"  {listed(sorted(service.at_their_names))} have no path in 'servers': each is served at its name."
        )
    lines += [f"  {'control':<9} {url}/_sandbox", f"  {'dashboard':<9} {url}/_sandbox/ui"]
    if service.log is not None:
        lines.append(f"  {'store':<9} {service.log.file.path}")
    lines.append("Try:")
    examples = (curl_line(api, service.sandboxes.template, url, datetime.now(UTC)) for api in service.apis.values())
    line = next((one for one in examples if one is not None), f"curl -sS {url}/_sandbox/apis")
    click.echo("\n".join([*lines, f"  {line}"]))
    if running.server.local_control:
        click.echo(f"Warning: {_local_control(running)}", err=True)


def _log_start(running: "Running", log: "JsonLog") -> None:
    from mockserver import VERSION

    urls = {name: f"{running.url}{api.mount}" for name, api in running.service.apis.items()}
    store = {} if running.service.log is None else {"store": str(running.service.log.file.path)}
    log.event("info", "started", version=VERSION, apis=urls, control=f"{running.url}/_sandbox", **store)
    if running.server.local_control:
        log.say(_local_control(running), "warning")


def _local_control(running: "Running") -> str:
    return f"it listens on {running.host} without --control-token: its control API answers this machine only."

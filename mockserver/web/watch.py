"""Reloading contracts and scenarios when their files change; a broken edit keeps the old ones."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from contracts.errors import BulkproofError
from mockserver.scenario.fitting import known_of, require_fitting
from mockserver.scenario.loading import load_file
from mockserver.sources import Source
from mockserver.web.service import Service

EVERY_SECONDS: Final = 0.5
Stamps: TypeAlias = Mapping[Path, tuple[int, int]]


async def watch(service: Service, sources: Mapping[str, Source], say: Callable[[str], None]) -> None:
    """Reload the APIs of `sources` (by name) whenever one of their files changes, until cancelled."""
    seen = {name: _stamps(source, service, name) for name, source in sources.items()}
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        for name, source in sources.items():
            stamps = _stamps(source, service, name)
            if any(seen[name].get(path) != stamp for path, stamp in stamps.items()):
                await _reload(service, name, source, say)
                seen[name] = {**_stamps(source, service, name), **stamps}  # what changed meanwhile is seen next time


def _stamps(source: Source, service: Service, name: str) -> Stamps:
    return {path: stamp(path) for path in source.files(service.apis[name].contract)}


def stamp(path: Path) -> tuple[int, int]:
    """Return what is another when a file has changed."""
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_size


class ScenarioFile(NamedTuple):
    """A file with a scenario of that name, and its stamp when it was read."""

    path: Path
    name: str
    stamp: tuple[int, int]


async def watch_scenarios(service: Service, files: Sequence[ScenarioFile], say: Callable[[str], None]) -> None:
    """Reload scenarios whenever their file changes, until cancelled."""
    seen = {file.path: file.stamp for file in files}
    while True:
        await asyncio.sleep(EVERY_SECONDS)
        for file in files:
            if (now := stamp(file.path)) != seen[file.path]:
                seen[file.path] = now
                _reload_scenario(service, file.path, file.name, say)


def _reload_scenario(service: Service, path: Path, name: str, say: Callable[[str], None]) -> None:
    known = known_of({api.name: api.contract for api in service.apis.values()})
    try:
        changed = require_fitting(load_file(path), known, shown=str(path))
    except BulkproofError as error:
        say(f"The scenario {name} is unchanged, its file is invalid:\n{error}")
        return
    if changed.name != name:
        say(f"The scenario {name} is unchanged: its file now names it {changed.name}, which needs a restart.")
        return
    service.sandboxes.blank.catalogue.add(changed)
    for sandbox in service.sandboxes:
        sandbox.player.swap(changed)
    say(f"{name}: the changed scenario is active and starts at its first rule.")


async def _reload(service: Service, name: str, source: Source, say: Callable[[str], None]) -> None:
    try:
        service.adopt(await asyncio.to_thread(source.reload, service.apis[name]))
    except BulkproofError as error:
        say(f"{name} is unchanged, its contract is invalid:\n{error}")
    else:
        say(f"{name}: the changed contract is served; stored records stay.")

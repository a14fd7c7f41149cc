"""Reloading a contract when its file changes; a broken edit keeps the old one."""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeAlias

from contracts.errors import BulkproofError
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
            if _stamps(source, service, name) != seen[name]:
                await _reload(service, name, source, say)
                seen[name] = _stamps(source, service, name)


def _stamps(source: Source, service: Service, name: str) -> Stamps:
    return {path: _stamp(path) for path in source.files(service.apis[name].contract)}


def _stamp(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return (0, 0)
    return stat.st_mtime_ns, stat.st_size


async def _reload(service: Service, name: str, source: Source, say: Callable[[str], None]) -> None:
    try:
        service.adopt(await asyncio.to_thread(source.reload, service.apis[name]))
    except BulkproofError as error:
        say(f"{name} is served as before, its contract is broken:\n{error}")
    else:
        say(f"{name}: the changed contract is served; what is stored stays.")

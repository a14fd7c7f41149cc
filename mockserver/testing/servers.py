"""Starting what tests speak to: a server in a thread of their process, or one that runs already."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from mockserver.testing.bulkproof import Bulkproof
from mockserver.testing.doors import Door, LocalDoor, RemoteDoor, ask
from mockserver.testing.stored import Shelves

UNFIT: Final = re.compile(r"[^A-Za-z0-9._-]+")
LONGEST: Final = 40  # characters of a test's name in its sandbox's
_numbers: Final = count(1)


@dataclass(frozen=True, slots=True)
class Server:
    """A server with the APIs that it serves, each with where it is mounted."""

    door: Door
    mounts: dict[str, str]
    shelves: Shelves

    def sandbox(self, name: str = "") -> Bulkproof:
        """Return a fresh sandbox; its name begins with the one given, and no other has it."""
        fit = UNFIT.sub("-", name).strip("-")[:LONGEST]
        return Bulkproof(self.door, f"{fit or 'test'}-{os.getpid()}-{next(_numbers)}", self.mounts, self.shelves)


@contextmanager
def served(*apis: str, **options: Any) -> Iterator[Server]:
    """Serve APIs on a free port from a thread of this process; without a name, all bundled ones.

    An API is a bundled one, an installed plug-in, or an OpenAPI file. `options` are those of
    `mockserver.web.service.Options`.
    """
    from mockserver.sources import BUNDLED, find_sources  # noqa: PLC0415 - loading takes a while
    from mockserver.web.running import in_thread  # noqa: PLC0415
    from mockserver.web.service import Options  # noqa: PLC0415

    loaded = [source.load() for source in find_sources(apis or BUNDLED)]
    with in_thread(loaded, Options(**options)) as running:
        yield _known(LocalDoor(running))


def connected(url: str, *, token: str = "") -> Server:
    """Return a server that runs already, by its base URL. Raises MisuseError: nobody answers there."""
    return _known(RemoteDoor(url.rstrip("/"), token))


def _known(door: Door) -> Server:
    return Server(door, {one["name"]: one["mount"] for one in ask(door, "GET", "/apis")["apis"]}, Shelves(door))


@contextmanager
def running(*apis: str, **options: Any) -> Iterator[Bulkproof]:
    """Serve APIs as `served` does, and yield a sandbox of theirs."""
    with served(*apis, **options) as server:
        yield server.sandbox()

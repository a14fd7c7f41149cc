"""Independent servers of both bundled APIs, written from the vendors' pages and the contracts alone.

They share nothing with the sandbox: no code, no control API, no clock that can be moved. Fuzzing them measures it by
something that its authors did not shape: a healthy server must give no finding, and each of its bugs (`--bug NAME`,
listed in `BUGS` of the server's file or in `PATCHES` of the file beside it) should be found. Most bugs take two to four
requests to show. By hand: `python tests/independent_servers/genero_server.py --bug trimmed` prints the address for
`bulkproof fuzz genero`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from children import child

HERE = Path(__file__).parent
Start = Callable[[str, str], str]


@contextmanager
def started(api: str, bug: str) -> Iterator[str]:
    """Run a server in a process of its own, and give its address."""
    command = [sys.executable, str(HERE / f"{api}_server.py"), "--port", "0", "--bug", bug]
    with child(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        yield process.stdout.readline().strip()


@pytest.fixture
def start() -> Iterator[Start]:
    """Start servers by API and bug, until the test ends."""
    with ExitStack() as stack:
        yield lambda api, bug: stack.enter_context(started(api, bug))

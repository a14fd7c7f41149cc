"""An API that is served by a process of its own, with a bug that can be chosen; it ends with this process."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Final

import orjson

from contracts.errors import MisuseError

GRACE: Final = 5.0  # seconds for it to end by itself
GONE: Final = "the sandbox under test exited."


class Variants:
    """The process that serves."""

    def __init__(self, process: "Popen[bytes]") -> None:
        self._process = process

    def plant(self, bug: str | None) -> str:
        """Serve the API anew, with a bug or healthy; return the root's URL. Raises MisuseError: it has ended."""
        return str(self._ask({"plant": bug})["url"])

    def has_fired(self) -> bool:
        """Say whether the bug has made a difference to anything that was asked since. Raises MisuseError."""
        return bool(self._ask({"fired": True})["fired"])

    def _ask(self, question: object) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - the same
        try:
            self._process.stdin.write(orjson.dumps(question, option=orjson.OPT_APPEND_NEWLINE))
            self._process.stdin.flush()
        except OSError:
            raise MisuseError(GONE) from None
        line = self._process.stdout.readline()
        if not line:
            raise MisuseError(GONE)
        said: dict[str, Any] = orjson.loads(line)
        return said


@contextmanager
def serving(api: str) -> Iterator[Variants]:
    """Serve an API, by its name or file, from a process of its own as long as the block lasts."""
    command = [sys.executable, "-m", "mockserver.rating.serving", api]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    process = Popen(  # noqa: S603 - our own module, by our own interpreter
        command, env=environment, stdin=PIPE, stdout=PIPE, start_new_session=True
    )
    try:
        yield Variants(process)
    finally:
        _end(process)


def _end(process: "Popen[bytes]") -> None:
    try:
        process.communicate(timeout=GRACE)
    except TimeoutExpired:
        process.kill()
        process.communicate()

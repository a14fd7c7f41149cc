"""Serve variants of an API in turn, in a process of its own (`variant_process`), which plants bugs on request."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from subprocess import PIPE, Popen, TimeoutExpired
from typing import Any, Final

import orjson

from contracts.errors import MisuseError
from mockserver.api.model import Api
from mockserver.apis.sources import find_sources
from mockserver.http.lifecycle import in_thread
from mockserver.mutants.planting import planted


def main() -> None:
    """Serve variants of the API that the command line names; requests are JSON lines on stdin."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    api, lines = find_sources(sys.argv[1:2])[0].load(), iter(sys.stdin.buffer)
    wanted = next(lines, b"")
    while wanted:
        wanted = _serve(api, orjson.loads(wanted)["plant"], lines)


def _serve(api: Api, bug: str | None, lines: Iterator[bytes]) -> bytes:
    """Serve a variant until the next one is requested; return that request, b"" at the end of input."""
    fired: set[str] = set()
    variant = api if bug is None else planted(api, bug, fired=fired.add)
    with in_thread([variant]) as running:
        _write_line(url=running.url)
        for line in lines:
            if "plant" in orjson.loads(line):
                return line
            _write_line(fired=bool(fired))
    return b""


def _write_line(**message: Any) -> None:
    sys.stdout.buffer.write(orjson.dumps(message, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


GRACE_SECONDS: Final = 5.0  # seconds for it to end by itself
EXITED_TEXT: Final = "the sandbox under test exited."


class Variants:
    """The process that serves the variants."""

    def __init__(self, process: "Popen[bytes]") -> None:
        self._process = process

    def plant(self, bug: str | None) -> str:
        """Serve the API with a bug, or with none; return the base URL. Raises MisuseError: the process has ended."""
        return str(self._ask({"plant": bug})["url"])

    def has_fired(self) -> bool:
        """Return whether the bug has changed any response since it was planted. Raises MisuseError."""
        return bool(self._ask({"fired": True})["fired"])

    def _ask(self, question: object) -> dict[str, Any]:
        assert self._process.stdin is not None  # noqa: S101 - it is a pipe
        assert self._process.stdout is not None  # noqa: S101 - the same
        try:
            self._process.stdin.write(orjson.dumps(question, option=orjson.OPT_APPEND_NEWLINE))
            self._process.stdin.flush()
        except OSError:
            raise MisuseError(EXITED_TEXT) from None
        line = self._process.stdout.readline()
        if not line:
            raise MisuseError(EXITED_TEXT)
        message: dict[str, Any] = orjson.loads(line)
        return message


@contextmanager
def variant_process(api: str) -> Iterator[Variants]:
    """Serve an API, by its name or file, from a process of its own until the block ends."""
    command = [sys.executable, "-m", "mockserver.mutation_testing.variants", api]
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
        process.communicate(timeout=GRACE_SECONDS)
    except TimeoutExpired:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()

"""Running schemathesis in a process of its own, and reading what it tells; it ends with its time, or with ours."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from tempfile import TemporaryFile
from threading import Thread
from time import monotonic
from typing import IO, Any, Final

import orjson

from generators.thesis.task import Task

GRACE: Final = 5.0  # seconds for it to end by itself after its time
PATIENCE: Final = 0.2  # seconds between two looks whether it is over
LAST: Final = 300  # characters of the last words of a process that ended by itself
MISSING: Final = "schemathesis is missing: install bulkproof[campaign]"
Line = dict[str, Any]


def is_installed() -> bool:
    """Say whether there is a schemathesis to be run."""
    return find_spec("schemathesis") is not None


def run_task(task: Task, is_over: Callable[[], bool] = lambda: False) -> Iterator[Line]:
    """Do a task in another process and yield the lines that it tells, `trouble` when it fails or takes too long."""
    with TemporaryFile() as errors, _started(task, errors) as process:
        lines: SimpleQueue[bytes | None] = SimpleQueue()
        reading = Thread(target=_read, args=(process, lines), daemon=True)
        reading.start()
        try:
            yield from _told(
                lines, monotonic() + task.seconds + GRACE, is_over, partial(_how_it_ended, process, errors)
            )
        finally:
            process.kill()
            reading.join()


def _started(task: Task, errors: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "generators.thesis.worker"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors
    )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    try:
        process.stdin.write(task.to_json())
        process.stdin.flush()  # and not closed: its end tells the other process that this one is gone
    except BrokenPipeError:  # it has ended by itself, which is told when nothing comes from it
        with suppress(BrokenPipeError):
            process.stdin.close()
    return process


def _read(process: subprocess.Popen[bytes], lines: "SimpleQueue[bytes | None]") -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _how_it_ended(process: subprocess.Popen[bytes], errors: IO[bytes]) -> str:
    """Say how the process ended that should have told more."""
    code = process.wait()
    errors.seek(0)
    said = errors.read().decode(errors="replace").strip().splitlines()
    return f"its process exited with code {code}{f': {said[-1][:LAST]}' if said else ''}"


def _told(
    lines: "SimpleQueue[bytes | None]", deadline: float, is_over: Callable[[], bool], how_it_ended: Callable[[], str]
) -> Iterator[Line]:
    while not is_over():
        try:
            line = lines.get(timeout=min(PATIENCE, max(0.0, deadline - monotonic())))
        except Empty:
            if monotonic() < deadline:
                continue
            yield _trouble("it did not end in time")
            return
        if line is None:
            yield _trouble(how_it_ended())
            return
        told: Line = orjson.loads(line)
        if told["kind"] == "end":
            return
        yield told


def _trouble(says: str) -> Line:
    return {"kind": "trouble", "operation": "", "says": says}

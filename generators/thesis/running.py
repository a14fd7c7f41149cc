"""Running schemathesis in a process of its own, and reading what it tells; it ends with its time, or with ours."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final

import orjson

from generators.thesis.task import Task

GRACE: Final = 5.0  # seconds for it to end by itself after its time
PATIENCE: Final = 0.2  # seconds between two looks whether it is over
MISSING: Final = "schemathesis is missing: install bulkproof[campaign]"
Line = dict[str, Any]


def is_installed() -> bool:
    """Say whether there is a schemathesis to be run."""
    return find_spec("schemathesis") is not None


def run_task(task: Task, is_over: Callable[[], bool] = lambda: False) -> Iterator[Line]:
    """Do a task in another process and yield the lines that it tells, `trouble` when it fails or takes too long."""
    with _started(task) as process:
        lines: SimpleQueue[bytes | None] = SimpleQueue()
        reading = Thread(target=_read, args=(process, lines), daemon=True)
        reading.start()
        try:
            yield from _told(lines, monotonic() + task.seconds + GRACE, is_over)
        finally:
            process.kill()
            reading.join()


def _started(task: Task) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "generators.thesis.worker"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdin is not None  # noqa: S101 - it is a pipe
    process.stdin.write(task.to_json())
    process.stdin.flush()  # and not closed: its end tells the other process that this one is gone
    return process


def _read(process: subprocess.Popen[bytes], lines: "SimpleQueue[bytes | None]") -> None:
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    for line in process.stdout:
        lines.put(line)
    lines.put(None)


def _told(lines: "SimpleQueue[bytes | None]", deadline: float, is_over: Callable[[], bool]) -> Iterator[Line]:
    while not is_over():
        try:
            line = lines.get(timeout=min(PATIENCE, max(0.0, deadline - monotonic())))
        except Empty:
            if monotonic() < deadline:
                continue
            yield _trouble("it did not end in its time")
            return
        if line is None:
            yield _trouble("it ended before it had told all")
            return
        told: Line = orjson.loads(line)
        if told["kind"] == "end":
            return
        yield told


def _trouble(says: str) -> Line:
    return {"kind": "trouble", "operation": "", "says": says}

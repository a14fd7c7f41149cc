"""Child processes of tests, and waiting for what they do.

A child hears Ctrl-C even where whoever started pytest ignores it, and none outlives its test. Limits here are no
claims about speed: they end a test that hangs, on the slowest of machines.
"""

import signal
import subprocess
import sys
import time
from contextlib import contextmanager

HANGS = 400.0  # seconds after which something never comes; below the timeout of pytest.ini_options


def run(command, **options):
    """Run a command to its end and return it with what it has written, as text; its exit code is not checked."""
    with _interruptible():
        return subprocess.run(
            command, **{"capture_output": True, "text": True, "timeout": HANGS, **options}, check=False
        )


@contextmanager
def child(command, **options):
    """Yield a process that runs a command; it is killed and waited for at the end, whatever has happened."""
    with _interruptible():
        process = subprocess.Popen(command, **{"text": True, **options})
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None and not pipe.closed:
                _close(pipe)


@contextmanager
def module(name, *words, **options):
    """Yield a process that runs a Python module, as `python -m` does."""
    with child([sys.executable, "-m", name, *map(str, words)], **options) as process:
        yield process


def eventually(holds, seconds=HANGS):
    """Wait until something is so. Return whether it has come to be."""
    end = time.monotonic() + seconds
    while not (found := holds()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


def _close(pipe):
    try:
        pipe.close()
    except BrokenPipeError:
        return  # what was still to be written has no reader any more


@contextmanager
def _interruptible():
    """Let no child inherit that SIGINT is ignored: a signal that has a handler is at its default in the child."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

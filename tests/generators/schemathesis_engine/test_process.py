"""Schemathesis runs in a process of its own, which never outlives the one that wanted it."""

import os
import signal
import subprocess
import sys
from itertools import count

import orjson
import pytest
from children import child, eventually

from generators.schemathesis_engine.process import SchemathesisTask, run_task, settings

NOBODY = "http://127.0.0.1:1"
PATHS = {"/things": {"get": {"responses": {"200": {"description": "All things."}}}}}
TASK = SchemathesisTask(
    document={"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": PATHS}, base=NOBODY
)
WAITING = f"""
import sys
from generators.schemathesis_engine.process import SchemathesisProcess, SchemathesisTask
process = SchemathesisProcess()
lines = process.lines(SchemathesisTask(document={TASK.document!r}, base={NOBODY!r}), lambda: True)
print(process.pid, flush=True)
list(lines if sys.argv[1:] else ())  # which sends the task, and waits for nothing
sys.stdin.read()
"""


def is_alive(pid):
    """Say whether a process runs; one that has ended and was not waited for does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123 - no path of ours
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_it_ends_when_its_time_is_over():
    """Whoever reads what it tells gets the hand back as soon as it is over, whether it has told anything or not."""
    asked = count()
    assert list(run_task(TASK, lambda: next(asked) > 0)) == []
    assert next(asked) == 2


@pytest.mark.slow
@pytest.mark.parametrize("task", [(), ("sent",)], ids=["it waits for a task", "it has one"])
def test_it_ends_with_the_process_that_wanted_it(task):
    """A campaign that is killed leaves nothing behind."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(one for one in sys.path if one)}
    command = [sys.executable, "-c", WAITING, *task]
    with child(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as campaign:
        inner = int(campaign.stdout.readline())
        os.kill(campaign.pid, signal.SIGKILL)
        assert eventually(lambda: not is_alive(inner))


def test_one_that_ends_by_itself_is_told_with_its_last_words(tmp_path, monkeypatch):
    """Whoever waited for more learns with what code it ended, and why."""
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\necho first >&2\necho MemoryError: last >&2\nexit 3\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    (line,) = run_task(TASK)
    assert line["kind"] == "trouble"
    assert line["says"] == "its process exited with code 3: MemoryError: last"


@pytest.mark.parametrize(
    ("rate", "written"), [(100, "100/s"), (1.5, "1/s"), (0.5, "30/m"), (0.01, "36/h"), (0.0001, "8/d"), (1e-9, "1/d")]
)
def test_a_rate_is_written_in_whole_requests(rate, written):
    """The engine knows rates as numbers by second, minute, hour and day."""
    task = orjson.loads(SchemathesisTask(document={}, base="http://127.0.0.1", rate=rate).to_json())
    assert settings(task)["rate-limit"] == written
    assert "rate-limit" not in settings({**task, "rate": 0})

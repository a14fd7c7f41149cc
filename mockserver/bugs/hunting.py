"""Running a user's own tests once per planted bug, to see which bugs they notice."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Final, Literal, TypeAlias

from contracts.errors import MisuseError
from mockserver.api import Api
from mockserver.bugs import planted
from mockserver.scenario.bugs import Bug
from mockserver.web.running import Running, in_thread
from mockserver.web.service import Options

Word: TypeAlias = Literal["killed", "survived", "not reached"]
UNFIT: Final = re.compile(r"[^A-Za-z0-9]")
TAIL: Final = 30  # lines of the command's output that are kept
TIMES: Final = 10  # as long as the healthy run may a run take, by default
MORE: Final = 10.0  # seconds beside that


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run of the command: how it ended, how long it took, what it printed last.

    `code` is the exit code, None when it ran out of time. `calls` counts what the sandbox was asked, `fired` tells
    whether the bug made a difference to any of it.
    """

    code: int | None
    seconds: float
    calls: int
    fired: bool
    output: str

    @property
    def word(self) -> Word:
        """Return what the tests have shown of the bug: a run that fails, or hangs, has noticed it."""
        if not self.fired:
            return "not reached"
        return "survived" if self.code == 0 else "killed"

    @property
    def end(self) -> str:
        """Return how it ended, in words."""
        return "ran out of time" if self.code is None else f"exit code {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunt:
    """What is run against what. `timeout` is in seconds, None for ten times as long as the healthy run and ten more."""

    command: Sequence[str]
    apis: Sequence[Api]
    options: Options
    timeout: float | None = None

    def healthy(self) -> Run:
        """Run the command against the healthy sandbox. Raises MisuseError: it fails, hangs, or calls nobody."""
        run = self._run(None, self.timeout)
        if run.code != 0:
            says = f"the command fails against the sandbox without bugs ({run.end}): bugs cannot be tested."
            raise MisuseError(says, cure=f"Its last lines were:\n{run.output}" if run.output else "It printed nothing.")
        if not run.calls:
            cure = "Let the tests use the URL in BULKPROOF_URL, or use the fixture 'bulkproof'."
            raise MisuseError("the command passes without a request to the sandbox.", cure=cure)
        return run

    def hunt(self, bugs: Sequence[Bug], healthy: Run) -> Iterator[tuple[Bug, Run]]:
        """Yield what comes of each bug."""
        timeout = TIMES * healthy.seconds + MORE if self.timeout is None else self.timeout
        for bug in bugs:
            yield bug, self._run(bug, timeout)

    def _run(self, bug: Bug | None, timeout: float | None) -> Run:
        fired: set[str] = set()
        apis = [api if bug is None else planted(api, bug.name, fired=fired.add) for api in self.apis]
        with in_thread(apis, self.options) as running, TemporaryDirectory() as folder:
            began, log = monotonic(), Path(folder) / "output"
            code = _executed(self.command, {**os.environ, **variables(running)}, log, timeout)
            seconds = monotonic() - began
            return Run(code=code, seconds=seconds, calls=_calls(running), fired=bool(fired), output=_tail(log))


def variables(running: Running) -> dict[str, str]:
    """Return the environment variables in which the command finds the addresses."""
    urls = {f"BULKPROOF_{UNFIT.sub('_', name).upper()}_URL": api.mount for name, api in running.service.apis.items()}
    return {"BULKPROOF_URL": running.url, **{name: running.url + mount for name, mount in urls.items()}}


def _calls(running: Running) -> int:
    """Return how often a served API was called."""
    apis = running.service.apis
    return sum(number for (api, _, _), number in running.service.metrics.requests.items() if api in apis)


def _executed(command: Sequence[str], environment: Mapping[str, str], log: Path, timeout: float | None) -> int | None:
    """Run the command with its output in a file; return its exit code, None when it ran out of time."""
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(  # noqa: S603 - it is the user's own command
                command,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            raise MisuseError(f"cannot run '{command[0]}': {error.strerror}.", cure="Check the command.") from None
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a process that still runs, with what it has started."""
    if process.poll() is None:
        if sys.platform == "win32":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL:])

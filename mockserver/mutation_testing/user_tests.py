"""Run a user's own tests once per planted bug, to see which bugs they detect (mutation testing).

Begin with `MutationTest`. The words killed and survived are those of DeMillo, Lipton and Sayward, "Hints on Test Data
Selection" (1978).
"""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Final, Literal, TypeAlias

from contracts.errors import MisuseError
from mockserver.api.model import Api
from mockserver.bugs.catalogue import Bug
from mockserver.http.lifecycle import Running, in_thread
from mockserver.http.service import Options
from mockserver.mutants.planting import planted
from mockserver.mutation_testing.witness import RunRecorder, Witness, witness_of

MutantStatus: TypeAlias = Literal["killed", "survived", "not reached"]
INVALID_VARIABLE_CHARS: Final = re.compile(r"[^A-Za-z0-9]")
TAIL_LINES: Final = 30  # lines of the command's output that are kept
POLL_SECONDS: Final = 0.02  # between two looks at what is being ended
TIMEOUT_FACTOR: Final = 10  # as long as the healthy run may a run take, by default
TIMEOUT_EXTRA_SECONDS: Final = 10.0  # seconds beside that


@dataclass(frozen=True, slots=True, kw_only=True)
class MutantRun:
    """One run of the command: its end, duration and last output.

    `code` is the exit code, None after the time limit. `calls` counts the requests to the sandbox, `fired` is whether
    the bug changed any response; `witness` shows what a bug that survived did.
    """

    code: int | None
    seconds: float
    calls: int
    fired: bool
    output: str
    witness: Witness | None = None

    @property
    def word(self) -> MutantStatus:
        """Return the result: a run that fails or exceeds the time limit has killed the mutant."""
        if not self.fired:
            return "not reached"
        return "survived" if self.code == 0 else "killed"

    @property
    def end(self) -> str:
        """Return the exit code or the time-out in words."""
        return "ran out of time" if self.code is None else f"exit code {self.code}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MutationTest:
    """The command, the APIs and the limits of a mutation test.

    `timeout` is in seconds, None for ten times the duration of the healthy run plus ten seconds.
    """

    command: Sequence[str]
    apis: Sequence[Api]
    options: Options
    timeout: float | None = None

    def healthy(self) -> MutantRun:
        """Run the command without bugs. Raises MisuseError: it fails, exceeds the limit, or sends no request."""
        run = self._run(None, self.timeout)
        if run.code != 0:
            says = f"the command fails against the sandbox without bugs ({run.end}): bugs cannot be tested."
            raise MisuseError(says, cure=f"Its last lines were:\n{run.output}" if run.output else "It printed nothing.")
        if not run.calls:
            cure = "Let the tests use the URL in BULKPROOF_URL, or use the fixture 'bulkproof'."
            raise MisuseError("the command passes without a request to the sandbox.", cure=cure)
        return run

    def mutation_test(self, bugs: Sequence[Bug], healthy: MutantRun) -> Iterator[tuple[Bug, MutantRun]]:
        """Yield each bug with the run of the command against it."""
        timeout = TIMEOUT_FACTOR * healthy.seconds + TIMEOUT_EXTRA_SECONDS if self.timeout is None else self.timeout
        for bug in bugs:
            yield bug, self._run(bug, timeout)

    def _run(self, bug: Bug | None, timeout: float | None) -> MutantRun:
        fired: set[str] = set()
        apis = [api if bug is None else planted(api, bug.name, fired=fired.add) for api in self.apis]
        recorder = RunRecorder()
        options = replace(self.options, on_exchange=None if bug is None else recorder.tell)
        with in_thread(apis, options) as running, TemporaryDirectory() as folder:
            recorder.watch(running)
            began, log = monotonic(), Path(folder) / "output"
            code = _exit_code(self.command, {**os.environ, **variables(running)}, log, timeout)
            run = MutantRun(
                code=code,
                seconds=monotonic() - began,
                calls=_requests(running),
                fired=bool(fired),
                output=_tail(log),
            )
            if bug is None or run.word != "survived":
                return run
            record = recorder.marked(bug.name)
            template = running.service.sandboxes.template
            return run if record is None else replace(run, witness=witness_of(bug, self.apis, record, template))


def variables(running: Running) -> dict[str, str]:
    """Return the environment variables with the URLs of the sandbox and of each API."""
    urls = {
        f"BULKPROOF_{INVALID_VARIABLE_CHARS.sub('_', name).upper()}_URL": api.mount
        for name, api in running.service.apis.items()
    }
    return {"BULKPROOF_URL": running.url, **{name: running.url + mount for name, mount in urls.items()}}


def _requests(running: Running) -> int:
    """Return the number of requests to the served APIs."""
    apis = running.service.apis
    return sum(number for (api, _, _), number in running.service.metrics.requests.items() if api in apis)


def _exit_code(command: Sequence[str], environment: Mapping[str, str], log: Path, timeout: float | None) -> int | None:
    """Run the command with its output in a file; return its exit code, None after the time limit."""
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
            end_session(process, grace=0.0)


def end_session(process: "subprocess.Popen[bytes]", *, grace: float = 2.0) -> None:
    """End a process that leads a session, with all that it has left running there: at once, or after `grace` seconds.

    What has begun a session of its own goes on.
    """
    if sys.platform == "win32":
        process.kill()
    else:
        end = monotonic() + grace
        if grace and _signalled(process, signal.SIGTERM):
            while monotonic() < end and _signalled(process, 0):
                process.poll()  # a process that has ended and is not waited for is still there
                sleep(POLL_SECONDS)
        _signalled(process, signal.SIGKILL)
    process.wait()


def _signalled(process: "subprocess.Popen[bytes]", number: int) -> bool:
    """Send a signal to all of a session's first group; return whether anything is there."""
    try:
        os.killpg(process.pid, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-TAIL_LINES:])

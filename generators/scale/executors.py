"""The seam between a campaign and where its leases are done; the default is here and now."""

from collections.abc import Callable, Iterable, Mapping
from threading import Thread
from typing import Any, Final, Protocol

from contracts.errors import BulkproofError
from generators.caller import NoAnswerError
from generators.campaign.leases import Emit, Job, Lease
from generators.campaign.leasing import run_lease

SOON: Final = 0.1  # seconds between two looks at whether it is over
PATIENCE: Final = 1.0  # seconds that schemathesis is waited for when the time is up
IsOver = Callable[[], bool]


class Executor(Protocol):
    """Does leases, and tells what happens in them."""

    def run(self, leases: Iterable[Lease], emit: Emit, is_over: IsOver) -> None:
        """Do leases one after the other, or several at a time, until there are no more or it is over."""

    def stop(self) -> None:
        """Let go of whatever was taken; called once, whatever has happened."""


class InProcess:
    """Does the fuzzer's leases here, one after the other, and lets schemathesis run beside them."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._beside: list[Thread] = []
        self._stopped = False

    def run(self, leases: Iterable[Lease], emit: Emit, is_over: IsOver) -> None:
        """Do leases. Raises MisuseError when nothing answers."""
        for lease in leases:
            if is_over():
                break
            if lease.part == "schemas":
                self._start(lease, emit, is_over)
            else:
                run_lease(self._job, lease, emit, is_over)
        self._wait(is_over)

    def _wait(self, is_over: IsOver) -> None:
        """Wait for schemathesis, and not for long once it is over."""
        for thread in self._beside:
            while thread.is_alive() and not is_over():
                thread.join(SOON)
            thread.join(PATIENCE)

    def _start(self, lease: Lease, emit: Emit, is_over: IsOver) -> None:
        if lease.alone:
            self._wait(is_over)
        self._beside = [one for one in self._beside if one.is_alive()]
        if self._beside:
            return
        thread = Thread(target=self._run_beside, args=(lease, emit, is_over), daemon=True)
        self._beside.append(thread)
        thread.start()

    def _run_beside(self, lease: Lease, emit: Emit, is_over: IsOver) -> None:
        def quiet(event: Mapping[str, Any]) -> None:
            if not self._stopped:
                emit(event)

        try:
            run_lease(self._job, lease, quiet, lambda: self._stopped or is_over())
        except (BulkproofError, NoAnswerError, OSError) as error:
            quiet({"kind": "lost", "lease": lease.name, "says": str(error)})

    def stop(self) -> None:
        """Leave schemathesis to its end: nothing that it tells is heard any more."""
        self._stopped = True

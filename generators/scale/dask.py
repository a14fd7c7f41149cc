"""Leases on Dask: a local cluster of processes, or a scheduler that is there; a lost worker costs its lease only."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from logging import CRITICAL
from pkgutil import resolve_name
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from contracts.errors import BulkproofError, MisuseError
from generators.caller import NoAnswerError
from generators.campaign.leases import Emit, Job, Lease
from generators.scale.executors import IsOver
from generators.scale.working import work

CURE: Final = "pip install 'bulkproof[scale]'"
PATIENCE: Final = 0.2  # seconds between two looks at what has ended
GRACE: Final = 8.0  # seconds for leases to end by themselves when the time is up
REACHING: Final = 10.0  # seconds to reach a scheduler, and for it to have a worker
ALONE: Final = 30.0  # seconds without any worker before the campaign is given up
FAILURES: Final = 3  # leases in a row that fail before the campaign is given up
DIED: Final = "KilledWorker"
SETTINGS: Final = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.logging": {"distributed": "critical", "distributed.client": "critical"},
}
LOCAL: Final[Mapping[str, Any]] = {
    "threads_per_worker": 1,
    "processes": True,
    "dashboard_address": "127.0.0.1:0",  # several campaigns may run on one machine
    "silence_logs": CRITICAL,
    "preload": ["generators.scale.quiet"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A lease that was given away, and when it should have ended."""

    lease: Lease
    due: float


class OnDask:
    """Does leases on workers of Dask. `workers` starts so many processes here, `address` names a scheduler."""

    def __init__(self, job: Job, *, workers: int = 0, address: str = "") -> None:
        if find_spec("distributed") is None:
            raise MisuseError("several workers need Dask, which is not installed.", cure=CURE)
        self._job, self._topic, self._address = job, f"bulkproof-{uuid4().hex}", address
        self._heard: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        self._under_way: dict[Any, _Given] = {}
        self._ended: set[str] = set()
        self._failures, self._seen = 0, monotonic()
        self._cluster: Any = None
        self.client: Any = None
        try:
            self._connect(workers)
        except BulkproofError:
            self.stop()
            raise
        except (OSError, ValueError) as error:
            self.stop()
            raise MisuseError(_unreached(error), where=address, cure="Start `dask scheduler`.") from None

    def _connect(self, workers: int) -> None:
        from dask import config  # noqa: PLC0415 - heavy

        config.set(SETTINGS)
        distributed: Any = import_module("distributed")  # the same, and its functions have no types
        if not self._address:
            self._cluster = distributed.LocalCluster(n_workers=workers, **LOCAL)
        self.client = distributed.Client(self._address or self._cluster, timeout=REACHING)
        self._find_workers()
        self.client.subscribe_topic(self._topic, lambda event: self._heard.put(event[1]))

    def _find_workers(self) -> None:
        """Look for workers that can do a lease; giving one to a worker without Bulkproof would end that worker."""
        try:
            self.client.wait_for_workers(1, timeout=REACHING)
        except TimeoutError:
            raise MisuseError("the scheduler has no workers.", where=self._address, cure=self._cure) from None
        answers = self.client.run(resolve_name, f"{work.__module__}:{work.__name__}", on_error="return")
        without = sum(isinstance(answer, ImportError | AttributeError) for answer in answers.values())
        if without:
            says = f"{without} of {len(answers)} workers have no Bulkproof, or another version of it."
            raise MisuseError(says, where=self._address, cure=f"On each machine: {CURE}")

    @property
    def _cure(self) -> str:
        return f"Start `dask worker {self._address}`."

    def run(self, leases: Iterable[Lease], emit: Emit, is_over: IsOver) -> None:
        """Do leases, as many at a time as there are workers, until there are no more or it is over.

        Raises BulkproofError and NoAnswerError when a lease cannot go on; MisuseError when several fail in a row, and
        when the scheduler is gone.
        """
        try:
            self._run(iter(leases), emit, is_over)
        except OSError as error:
            cure = "Findings are stored in the corpus; run the same command again to continue."
            raise MisuseError(f"the scheduler stopped responding: {error}.", where=self._address, cure=cure) from None

    def _run(self, waiting: Iterator[Lease], emit: Emit, is_over: IsOver) -> None:
        may_be_more = True
        while not is_over() and (may_be_more or self._under_way):
            may_be_more = self._fill(waiting)
            self._tell(emit)
            for future in [one for one in self._under_way if one.done()]:
                self._report(future, self._under_way.pop(future).lease, emit)
        self._wait_out(emit)

    def _fill(self, waiting: Iterator[Lease]) -> bool:
        """Give every worker something to do; say whether there may be more leases."""
        while len(self._under_way) < self._workers():
            lease = next(waiting, None)
            if lease is None:
                return False
            most = lease.seconds + GRACE
            future = self.client.submit(work, self._job, lease, self._topic, most, pure=False, retries=0)
            self._under_way[future] = _Given(lease=lease, due=monotonic() + lease.seconds)
        return True

    def _workers(self) -> int:
        """Return how many workers there are. Raises MisuseError when there have been none for a while."""
        found, now = len(self.client.nthreads()), monotonic()
        self._seen = now if found else self._seen
        if now - self._seen > ALONE:
            raise MisuseError("the scheduler has lost its workers.", where=self._address, cure=self._cure)
        return found

    def _tell(self, emit: Emit, *, seconds: float = PATIENCE) -> None:
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            try:
                event = self._heard.get(timeout=left)
            except Empty:
                return
            if event["kind"] == "ended":
                self._ended.add(event["lease"])
            emit(event)

    def _report(self, future: Any, lease: Lease, emit: Emit) -> None:
        """Tell of a lease that did not come to its end. Raises what would come again with every other lease."""
        if future.status == "finished":
            self._failures = 0
            return
        error = future.exception() if future.status == "error" else None
        says = "its worker died" if error is None or type(error).__name__ == DIED else _said(error)
        emit({"kind": "lost", "lease": lease.name, "says": f"{says}."})
        if isinstance(error, BulkproofError | NoAnswerError):
            raise error
        self._failures += says != "its worker died"
        if self._failures >= FAILURES:
            raise MisuseError(
                f"no worker can run a shard: {says}.", where=self._address, cure=f"On each of them: {CURE}"
            )

    def _wait_out(self, emit: Emit) -> None:
        """Let what is about to end come to its end, for a while; what has not begun or takes longer is called back."""
        until, begun = monotonic() + GRACE, {key for keys in self.client.processing().values() for key in keys}
        for future, given in self._under_way.items():
            if future.key not in begun or given.due > until:
                future.cancel()
        left = {given.lease.name for future, given in self._under_way.items() if future.key in begun}
        while not left <= self._ended and monotonic() < until:
            self._tell(emit)
        self._tell(emit)
        self._under_way.clear()

    def stop(self) -> None:
        """Call back what is under way, let go of the scheduler, and end the processes that were started."""
        for future in self._under_way:
            with suppress(Exception):
                future.cancel()
        for one in (self.client, self._cluster):
            if one is not None:
                with suppress(Exception):
                    one.close()


def _unreached(error: Exception) -> str:
    return f"no scheduler responds: {error}."


def _said(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")

"""Where the shards of a campaign run: in this process (the default), or on the workers of Dask (`distributed`).

A lost Dask worker costs its shard only; one that cannot run shards is put aside. Begin with `Executor`.
"""

import signal
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from logging import CRITICAL
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final, Protocol
from uuid import uuid4

from contracts.errors import BulkproofError, MisuseError
from generators.client.http import NoAnswerError
from generators.fuzz.lane_process import LaneProcess
from generators.fuzz.shards import CampaignConfig, Emit, Shard
from generators.fuzz.worker import POLL_INTERVAL, STOP_TIMEOUT, run_shard
from generators.triage.stored_finding import from_json, to_json

IsOver = Callable[[], bool]


class Executor(Protocol):
    """Runs shards and emits their events."""

    def run(self, shards: Iterable[Shard], emit: Emit, is_over: IsOver) -> None:
        """Run shards, in sequence or several at a time, until there are no more or `is_over` returns True."""

    def stop(self) -> None:
        """Release all resources; called once, in any case."""


class LocalExecutor:
    """Runs the fuzzer's shards here, one after the other, and those of schemathesis in a thread beside them.

    With `two_processes` half of the lanes of each shard are played in another process.
    """

    def __init__(self, job: CampaignConfig, *, two_processes: bool = False) -> None:
        self._job = job
        self._beside = LaneProcess(job) if two_processes else None
        self._threads: list[Thread] = []
        self._stopped = False

    def run(self, shards: Iterable[Shard], emit: Emit, is_over: IsOver) -> None:
        """Run shards. Raises MisuseError when the server does not respond."""
        for shard in shards:
            if is_over():
                break
            if shard.part == "schemas":
                self._start(shard, emit, is_over)
                if shard.alone:
                    self._wait(is_over)
            elif self._beside is None or self._beside.is_dead:
                run_shard(self._job, shard, emit, is_over)
            else:
                self._beside.run(shard, emit, is_over)
        self._wait(is_over)

    def _wait(self, is_over: IsOver) -> None:
        """Wait for schemathesis; at most `STOP_TIMEOUT` once the campaign is over."""
        for thread in self._threads:
            while thread.is_alive() and not is_over():
                thread.join(POLL_INTERVAL)
            thread.join(STOP_TIMEOUT)

    def _start(self, shard: Shard, emit: Emit, is_over: IsOver) -> None:
        if shard.alone:
            self._wait(is_over)
        self._threads = [one for one in self._threads if one.is_alive()]
        if self._threads:
            return
        thread = Thread(target=self._run_in_thread, args=(shard, emit, is_over), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run_in_thread(self, shard: Shard, emit: Emit, is_over: IsOver) -> None:
        def emit_unless_stopped(event: Mapping[str, Any]) -> None:
            if not self._stopped:
                emit(event)

        try:
            run_shard(self._job, shard, emit_unless_stopped, lambda: self._stopped or is_over())
        except (BulkproofError, NoAnswerError, OSError) as error:
            emit_unless_stopped({"kind": "lost", "shard": shard.name, "says": str(error)})

    def stop(self) -> None:
        """Stop forwarding events of schemathesis, which ends by itself; end the other process."""
        self._stopped = True
        if self._beside is not None:
            self._beside.stop()


def work_shard(job: CampaignConfig, shard: Shard, topic: str, most: float) -> None:
    """Run a shard on a Dask worker for at most `most` seconds; its events are logged under the topic."""
    from distributed import get_worker  # noqa: PLC0415 - only a worker needs it

    worker: Any = get_worker()
    key, until = worker.get_current_task(), monotonic() + most

    def tell(event: Mapping[str, Any]) -> None:
        told = {name: to_json(one) if name == "finding" else one for name, one in event.items()}
        worker.log_event(topic, told)

    run_shard(job, shard, tell, lambda: monotonic() > until or not _is_wanted(worker, key))


def _is_wanted(worker: Any, key: str) -> bool:
    """Return whether a task is still needed: not once it was cancelled or its campaign has ended."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing"


def dask_setup(worker: object) -> None:
    """Ignore SIGINT in a worker process."""
    del worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)


INSTALL_HINT: Final = "install bulkproof[scale]"
EVENT_POLL_INTERVAL: Final = 0.2  # seconds between two checks for finished shards
END_TIMEOUT: Final = 8.0  # seconds to end by itself after the time limit
CONNECT_TIMEOUT: Final = 10.0  # seconds to reach a scheduler, and for it to have a worker
NO_WORKER_TIMEOUT: Final = 30.0  # seconds without a worker before the campaign is given up
MAX_FAILURES: Final = 3  # consecutive failed shards before a worker is put aside
KILLED_WORKER: Final = "KilledWorker"
DISTRIBUTION: Final = "bulkproof"
DASK_SETTINGS: Final = {
    "distributed.scheduler.allowed-failures": 0,
    "distributed.logging": {"distributed": "critical", "distributed.client": "critical"},
}
LOCAL_CLUSTER_OPTIONS: Final[Mapping[str, Any]] = {
    "threads_per_worker": 1,
    "processes": True,
    "dashboard_address": "127.0.0.1:0",  # several campaigns may run on one machine
    "silence_logs": CRITICAL,
    "preload": ["generators.fuzz.executors"],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Assignment:
    """A submitted shard, the address of its worker, and the monotonic time at which it should end."""

    shard: Shard
    worker: str
    due: float


class DaskExecutor:
    """Runs shards on Dask workers: on `workers` processes started here, or on those of the scheduler at `address`.

    Each worker runs as many shards at a time as it has threads. One without this version of Bulkproof, or on which
    shards fail, is put aside, and the campaign goes on with the others.
    """

    def __init__(self, job: CampaignConfig, *, workers: int = 0, address: str = "") -> None:
        if find_spec("distributed") is None:
            raise MisuseError("several workers need Dask, which is not installed.", cure=INSTALL_HINT)
        self._job, self._topic, self._address = job, f"bulkproof-{uuid4().hex}", address
        self._events: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        self._running: dict[Any, _Assignment] = {}
        self._ended: set[str] = set()
        self._aside: dict[str, BaseException] = {}
        self._failures: Counter[str] = Counter()
        self._messages: list[str] = []
        self._seen = monotonic()
        self._held: Shard | None = None
        self._cluster: Any = None
        self.client: Any = None
        try:
            self._connect(workers)
        except BulkproofError:
            self.stop()
            raise
        except (OSError, ValueError) as error:
            self.stop()
            says = f"no scheduler responds: {error}."
            raise MisuseError(says, where=address, cure="Start `dask scheduler`.") from None

    def _connect(self, workers: int) -> None:
        from dask import config  # noqa: PLC0415 - heavy

        config.set(DASK_SETTINGS)
        distributed: Any = import_module("distributed")  # the same, and its functions have no types
        if not self._address:
            self._cluster = distributed.LocalCluster(n_workers=workers, **LOCAL_CLUSTER_OPTIONS)
        self.client = distributed.Client(self._address or self._cluster, timeout=CONNECT_TIMEOUT)
        self._find_workers()
        self.client.subscribe_topic(self._topic, lambda event: self._events.put(event[1]))

    def _find_workers(self) -> None:
        """Wait for workers, and put those aside that have no Bulkproof, or another version. Raises MisuseError."""
        try:
            self.client.wait_for_workers(1, timeout=CONNECT_TIMEOUT)
        except TimeoutError:
            raise MisuseError("the scheduler has no workers.", where=self._address, cure=self._cure) from None
        wanted, answers = version(DISTRIBUTION), self.client.run(version, DISTRIBUTION, on_error="return")
        for worker, found in answers.items():
            if found != wanted:
                says = f"it has {'no Bulkproof' if isinstance(found, Exception) else f'Bulkproof {found}'}"
                error = MisuseError(f"{says}; this is {wanted}.", where=worker, cure=f"There: {INSTALL_HINT}")
                self._put_aside(worker, error)
        if len(self._aside) == len(answers):
            raise next(iter(self._aside.values()))

    @property
    def _cure(self) -> str:
        return f"Start `dask worker {self._address}`."

    def run(self, shards: Iterable[Shard], emit: Emit, is_over: IsOver) -> None:
        """Run shards, one per thread of a worker, until there are no more or `is_over` returns True.

        Raises BulkproofError and NoAnswerError when no worker is left on which shards can run, MisuseError when the
        scheduler is gone.
        """
        try:
            self._run(iter(shards), emit, is_over)
        except OSError as error:
            cure = "Findings are stored in the corpus; run the same command again to continue."
            raise MisuseError(f"the scheduler stopped responding: {error}.", where=self._address, cure=cure) from None

    def _run(self, waiting: Iterator[Shard], emit: Emit, is_over: IsOver) -> None:
        may_be_more = True
        while not is_over() and (may_be_more or self._running):
            may_be_more = self._fill(waiting)
            self._forward_events(emit)
            for future in [one for one in self._running if one.done()]:
                self._report(future, self._running.pop(future), emit)
            while self._messages:
                emit({"kind": "message", "says": self._messages.pop(0)})
        self._drain(emit)

    def _fill(self, waiting: Iterator[Shard]) -> bool:
        """Submit a shard for every idle thread, none beside one that runs alone; return whether more may come."""
        threads = self._threads()
        job = self._job_for(sum(threads.values()))
        for worker in (name for name, count in threads.items() for _ in range(count - self._busy(name))):
            if any(one.shard.alone for one in self._running.values()):
                break
            shard, self._held = self._held or next(waiting, None), None
            if shard is None:
                return False
            if shard.alone and self._running:
                self._held = shard
                break
            given = (job, shard, self._topic, shard.seconds + END_TIMEOUT)
            future = self.client.submit(work_shard, *given, workers=[worker], pure=False, retries=0)
            self._running[future] = _Assignment(shard=shard, worker=worker, due=monotonic() + shard.seconds)
        return True

    def _busy(self, worker: str) -> int:
        """Return the number of shards that a worker runs."""
        return sum(one.worker == worker for one in self._running.values())

    def _job_for(self, shards: int) -> CampaignConfig:
        """Return the campaign's configuration with the share of the request rate that each of some shards has."""
        place = self._job.place
        return replace(self._job, place=replace(place, rate=place.rate / max(1, shards))) if place.rate else self._job

    def _threads(self) -> Mapping[str, int]:
        """Return the threads of each worker that is not put aside; the shards of workers that are gone are cancelled.

        Raises MisuseError when there have been no such workers for 30 s.
        """
        found, now = self.client.nthreads(), monotonic()
        fit = {worker: count for worker, count in found.items() if worker not in self._aside}
        self._seen = now if fit else self._seen
        if now - self._seen > NO_WORKER_TIMEOUT:
            raise MisuseError("the scheduler has lost its workers.", where=self._address, cure=self._cure)
        for future, given in self._running.items():
            if given.worker not in found and not future.done():
                future.cancel()
        return fit

    def _forward_events(self, emit: Emit) -> None:
        until = monotonic() + EVENT_POLL_INTERVAL
        while (left := until - monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except Empty:
                return
            if event["kind"] == "ended":
                self._ended.add(event["shard"])
            emit(_decoded(event))

    def _report(self, future: Any, given: _Assignment, emit: Emit) -> None:
        """Report a shard that failed. Raises its error when there is no worker left on which shards can run."""
        worker = given.worker
        if future.status == "finished":
            self._failures[worker] = 0
            return
        error = future.exception() if future.status == "error" else None
        if error is None or type(error).__name__ == KILLED_WORKER:
            emit({"kind": "lost", "shard": given.shard.name, "says": "its worker died."})
            return
        emit({"kind": "lost", "shard": given.shard.name, "says": f"{_error_text(error)}."})
        self._failures[worker] += 1
        is_expected = isinstance(error, BulkproofError | NoAnswerError)
        if worker not in self._aside and (is_expected or self._failures[worker] >= MAX_FAILURES):
            self._put_aside(worker, error)
        if not self._threads():
            cure = f"On each of them: {INSTALL_HINT}"
            says = f"no worker can run a shard: {_error_text(error)}."
            raise error if is_expected else MisuseError(says, where=self._address, cure=cure)

    def _put_aside(self, worker: str, error: BaseException) -> None:
        """Give a worker no more shards."""
        self._aside[worker] = error
        self._messages.append(f"Worker {worker} is put aside: {_error_text(error)}.")

    def _drain(self, emit: Emit) -> None:
        """Wait for shards that are about to end; cancel those that have not begun or take longer."""
        until, begun = monotonic() + END_TIMEOUT, {key for keys in self.client.processing().values() for key in keys}
        for future, given in self._running.items():
            if future.key not in begun or given.due > until:
                future.cancel()
        left = {given.shard.name for future, given in self._running.items() if future.key in begun}
        while not left <= self._ended and monotonic() < until:
            self._forward_events(emit)
        self._forward_events(emit)
        self._running.clear()

    def stop(self) -> None:
        """Cancel running shards, disconnect, and end the processes that were started."""
        for future in self._running:
            with suppress(Exception):
                future.cancel()
        for one in (self.client, self._cluster):
            if one is not None:
                with suppress(Exception):
                    one.close()


def _decoded(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event with its finding read from JSON."""
    if "finding" not in event:
        return event
    return {**event, "finding": from_json(event["finding"], where="a shard")}


def _error_text(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")

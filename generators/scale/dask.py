"""Leases on Dask: a local cluster of processes, or a scheduler that is there; a lost worker costs its lease only."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from queue import Empty, SimpleQueue
from time import monotonic
from typing import Any, Final
from uuid import uuid4

from contracts.errors import MisuseError
from generators.campaign.leases import Emit, Job, Lease
from generators.campaign.leasing import run_lease
from generators.scale.executors import IsOver

CURE: Final = "pip install 'bulkproof[scale]'"
PATIENCE: Final = 0.2  # seconds between two looks at what has ended
GRACE: Final = 8.0  # seconds for leases to end by themselves when the time is up
SCHEDULER: Final = 10.0  # seconds to reach one


class OnDask:
    """Does leases on workers of Dask. `workers` starts so many processes here, `address` names a scheduler."""

    def __init__(self, job: Job, *, workers: int = 0, address: str = "") -> None:
        if find_spec("distributed") is None:
            raise MisuseError("several workers need Dask, which is not installed.", cure=CURE)
        self._job, self._topic = job, f"bulkproof-{uuid4().hex}"
        self._heard: SimpleQueue[Mapping[str, Any]] = SimpleQueue()
        self._cluster: Any = None
        self.client: Any = self._connected(workers, address)

    def _connected(self, workers: int, address: str) -> Any:
        distributed: Any = import_module("distributed")  # heavy, and its functions have no types
        from dask import config  # noqa: PLC0415 - the same

        config.set({"distributed.scheduler.allowed-failures": 0, "distributed.logging.distributed": "critical"})
        try:
            if not address:
                self._cluster = distributed.LocalCluster(
                    n_workers=workers, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
                )
            client = distributed.Client(address or self._cluster, timeout=SCHEDULER)
        except (OSError, ValueError) as error:
            raise MisuseError(
                f"no scheduler answers: {error}.", where=address, cure="Start `dask scheduler`."
            ) from None
        client.subscribe_topic(self._topic, lambda event: self._heard.put(event[1]))
        return client

    def run(self, leases: Iterable[Lease], emit: Emit, is_over: IsOver) -> None:
        """Do leases, as many at a time as there are workers, until there are no more or it is over."""
        waiting, under_way = iter(leases), dict[Any, Lease]()
        ended = False
        while not is_over() and not (ended and not under_way):
            ended = not self._fill(under_way, waiting)
            self._tell(emit)
            for future in [one for one in under_way if one.done()]:
                _report(future, under_way.pop(future), emit)
        self._wait_out(under_way, emit)

    def _fill(self, under_way: dict[Any, Lease], waiting: Iterator[Lease]) -> bool:
        """Give every worker something to do; say whether there may be more leases."""
        size = max(1, len(self.client.scheduler_info(n_workers=-1)["workers"]))
        while len(under_way) < size:
            lease = next(waiting, None)
            if lease is None:
                return False
            future = self.client.submit(
                _lease, self._job, lease, self._topic, monotonic_left(lease), pure=False, retries=0
            )
            under_way[future] = lease
        return True

    def _tell(self, emit: Emit, *, seconds: float = PATIENCE) -> None:
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            try:
                emit(self._heard.get(timeout=left))
            except Empty:
                return

    def _wait_out(self, under_way: dict[Any, Lease], emit: Emit) -> None:
        """Let what is under way come to its end, for a while; what only waits is called back."""
        until = monotonic() + GRACE
        for future in under_way:
            if future.status == "pending" and not self._is_running(future):
                future.cancel()
        while any(future.status == "pending" for future in under_way) and monotonic() < until:
            self._tell(emit)
        self._tell(emit)

    def _is_running(self, future: Any) -> bool:
        running = self.client.processing()
        return any(future.key in keys for keys in running.values())

    def stop(self) -> None:
        """Let go of the scheduler, and of the processes that were started."""
        with suppress(Exception):
            self.client.close()
        if self._cluster is not None:
            with suppress(Exception):
                self._cluster.close()


def monotonic_left(lease: Lease) -> float:
    """Return how long a lease may take at most, investigations and all."""
    return lease.seconds + GRACE


def _report(future: Any, lease: Lease, emit: Emit) -> None:
    if future.status != "finished":
        error = future.exception() if future.status == "error" else None
        emit({"kind": "lost", "lease": lease.name, "says": str(error) or "its worker has died"})


def _lease(job: Job, lease: Lease, topic: str, most: float) -> None:
    """Do a lease in a worker; what happens goes to whoever listens to the topic."""
    from distributed import get_worker  # noqa: PLC0415 - only a worker needs it

    worker, until = get_worker(), monotonic() + most
    run_lease(job, lease, _teller(worker, topic), lambda: monotonic() > until)


def _teller(worker: Any, topic: str) -> Callable[[Mapping[str, Any]], None]:
    return lambda event: worker.log_event(topic, dict(event))

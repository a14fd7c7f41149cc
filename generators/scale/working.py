"""What a worker of Dask does: one lease, told as it goes, and dropped when nobody waits for it any more."""

from collections.abc import Mapping
from time import monotonic
from typing import Any

from generators.campaign.leases import Job, Lease
from generators.campaign.leasing import run_lease


def work(job: Job, lease: Lease, topic: str, most: float) -> None:
    """Do a lease in a worker, for `most` seconds at most; what happens goes to whoever listens to the topic."""
    from distributed import get_worker  # noqa: PLC0415 - only a worker needs it

    worker: Any = get_worker()
    key, until = worker.get_current_task(), monotonic() + most

    def tell(event: Mapping[str, Any]) -> None:
        worker.log_event(topic, dict(event))

    run_lease(job, lease, tell, lambda: monotonic() > until or not _is_wanted(worker, key))


def _is_wanted(worker: Any, key: str) -> bool:
    """Say whether anybody waits for a task: not once it was called back, or its campaign is gone."""
    task = worker.state.tasks.get(key)
    return task is not None and task.state == "executing"

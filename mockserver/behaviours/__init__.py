"""What the engine does by itself for an operation: bulk calls, polling and cancelling jobs, single records."""

from collections.abc import Callable
from typing import TypeAlias

from contracts.messages import Reply
from mockserver.behaviours.bulk import bulk
from mockserver.behaviours.idempotent import bulk_once
from mockserver.behaviours.polls import cancel, poll
from mockserver.behaviours.records import single
from mockserver.served import Served
from mockserver.turn import Turn

Doing: TypeAlias = Callable[[Turn], Reply]

__all__ = ["behaviour", "bulk", "cancel", "poll", "single"]


def behaviour(ready: Served, operation_id: str) -> Doing | None:
    """Return what serves an operation: the API's own behaviour, else the engine's; None when nothing says what."""
    own = ready.api.behaviours.get(operation_id)
    if own is not None:
        return own
    if operation_id in ready.plans:
        return bulk if ready.plans[operation_id].bulk.guard.idempotency is None else bulk_once
    if operation_id in ready.polls:
        return poll
    if operation_id in ready.cancels:
        return cancel
    operation = ready.api.contract.operation(operation_id)
    return single if operation is not None and operation.record is not None else None

"""Bugs in a fan-out: targets that touch each other, and one that is not told."""

from collections.abc import Mapping
from typing import Any, Final

from contracts.messages import ABSENT, Reply
from contracts.pointers import look_up
from mockserver.api import Perform
from mockserver.bugs.breaking import Break, Outcomes, answering, running
from mockserver.bugs.edits import edited, placed
from mockserver.guard import Batch
from mockserver.turn import Turn


def leak(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Do it for every other data set that is known."""
    outcomes = doing(turn, batch, scope)
    if batch.plan.bulk.items.fan_out is not None:
        for other in sorted(turn.world.stocked - {scope}):
            doing(turn, batch, other)
    return outcomes


def leave_out(turn: Turn, reply: Reply) -> Reply:
    """Say nothing of the last target that was served."""
    bulk = None if turn.operation is None else turn.operation.bulk
    fan_out = None if bulk is None else bulk.items.fan_out
    told: Any = ABSENT if fan_out is None else look_up(reply.data, fan_out.succeeded)
    if fan_out is None or not isinstance(told, dict) or len(told) < 2:  # noqa: PLR2004 - several
        return reply
    fewer, at = dict(list(told.items())[:-1]), fan_out.succeeded
    return edited(reply, lambda data: placed(data, at, fewer))


BREAKS: Final[Mapping[str, Break]] = {"target-leaks": running(leak), "target-missing": answering(leave_out)}

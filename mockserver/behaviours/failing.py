"""What is told of a job that a fault of the sandbox's own kept from being carried out: each item failed, and why."""

import logging
from collections.abc import Sequence
from typing import Final

from contracts.bulk import Outcomes, Resource
from contracts.messages import ABSENT
from mockserver.behaviours.bulk import run_of
from mockserver.domain.jobs import Job, Result
from mockserver.domain.replies import collected, declared_entry, name_of
from mockserver.domain.values import Fault, Item, Outcome
from mockserver.guard import Batch
from mockserver.served import BulkPlan, served
from mockserver.turn import Turn

TEXT: Final = "Bulkproof made a mistake here, which the server's log shows; whether this item was applied is not known."
_log: Final = logging.getLogger("bulkproof")


def broken_result(turn: Turn, job: Job) -> Result:
    """Return the result of such a job: every item failed. `turn` is the call that made it, as far as it can be read."""
    plan = served(turn.api).plans[job.operation]
    fault = Fault("scenario", facts={"message": TEXT})
    outcomes = [Outcome(item, "failed", item.action, (fault,)) for item in _items(turn, plan, job)]
    turn.outcomes = outcomes
    declared = plan.bulk.job.outcomes if plan.bulk.job is not None else None
    return Result(
        done=0,
        failed=job.items,
        not_run=0,
        status=500,
        entries=None if declared is None else _entries(turn, plan, job, declared, outcomes),
        outcomes=outcomes if declared is None else (),
        broken=True,
    )


def _items(turn: Turn, plan: BulkPlan, job: Job) -> Sequence[Item]:
    """Return the items of the body, or as many nameless ones where it cannot be read."""
    try:
        found = plan.dismantler.items(turn)
    except Exception:  # noqa: BLE001 - the fault has been logged; this is what can be said of it
        found = []
    if len(found) == job.items:
        return found
    resource = next(iter(turn.api.contract.resources.values()), Resource(name="", key=""))
    return [Item(n, None, "update", resource, ABSENT, {}, None, None, {}) for n in range(job.items)]


def _entries(turn: Turn, plan: BulkPlan, job: Job, declared: Outcomes, outcomes: Sequence[Outcome]) -> object:
    """Return the entries in the API's own shape, in the declared one where the API cannot say them."""
    batch = Batch(plan=plan, items=(), unit=job.unit, grouped=False, valid=frozenset())
    run = run_of(turn, batch, job.scope)
    try:
        return collected(run, declared, outcomes)
    except Exception:  # noqa: BLE001 - the fault is logged, and the job has results all the same
        _log.exception("The results of the job %s cannot be told in the API's own words", job.id)
    if declared.shape == "map":
        return {name_of(one.item): declared_entry(run, one) for one in outcomes}
    return [declared_entry(run, one) for one in outcomes]

"""Refuse requests over a declared quota, or over the number of jobs that may be unfinished; say when to come again.

Begin with `check_quotas` and `check_active_jobs` for bulk requests, and with `quota_wait` for others (`x-quota`). A
limit whose breach is `conduct` refuses nothing: the verdict on the client judges it. One whose breach is `unprocessed`
leaves items over (`leave_over_quota`). Retry-After is in seconds (RFC 9110, 10.2.3); the status is 429 (RFC 6585, 4)
where none is given.
"""

from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from math import ceil
from typing import Final, TypeAlias

from contracts.bulk.model import Bulk, BulkJob, Quota
from contracts.exchange.locations import locate
from contracts.messages import Headers
from contracts.syntax.text import format_duration
from mockserver.api.model import Refusal, RequestContext
from mockserver.bulk.prepared_api import BulkPlan, prepared
from mockserver.domain.values import ItemEffect

Uses: TypeAlias = list[tuple[datetime, int]]  # when, and how much of a quota was used
TOO_MANY_REQUESTS: Final = 429
CONDUCT: Final = "conduct"
UNPROCESSED: Final = "unprocessed"
MEMORY: Final = "quota"


def _is_full(context: RequestContext, plan: BulkPlan) -> int:
    most = plan.bulk.items.max
    return int(most is not None and plan.item_reader.size(context) >= most)


QUOTA_AMOUNTS: Final[Mapping[str, Callable[[RequestContext, BulkPlan], int]]] = {
    "bytes": lambda context, _: len(context.request.body),
    "items": lambda context, plan: plan.item_reader.size(context),
    "max-size-batch": _is_full,
    "requests": lambda context, plan: 1,  # noqa: ARG005 - each counts as one
}
"""How much of a quota a request uses, by what the quota counts."""


def check_quotas(context: RequestContext, plan: BulkPlan) -> Refusal | None:
    """Refuse a request that would use more than a quota allows."""
    for quota in _enforced(plan.bulk):
        used, amount = _recent(context, quota), QUOTA_AMOUNTS[quota.what](context, plan)
        if amount and sum(one for _, one in used) + amount > quota.max:
            wait = used[0][0] + quota.per - context.now if used else quota.per
            detail = f"At most {quota.max} {quota.what} are taken in {quota.per}."
            return _refusal(plan.bulk, quota.breach, detail, wait, kind="quota")
    return None


def count_in_quotas(context: RequestContext, plan: BulkPlan) -> None:
    """Count an admitted request in its quotas."""
    for quota in _enforced(plan.bulk):
        amount = QUOTA_AMOUNTS[quota.what](context, plan)
        if amount:
            _use(context, quota, amount)


def leave_over_quota(context: RequestContext, plan: BulkPlan) -> None:
    """Leave the last items of a request unprocessed that exceed a quota whose breach says so, and count the others."""
    for quota in plan.bulk.guard.quota:
        if quota.breach == UNPROCESSED:
            used, size = _recent(context, quota), plan.item_reader.size(context)
            taken = min(size, max(0, quota.max - sum(one for _, one in used)))
            if taken:
                _use(context, quota, taken)
            if taken < size:
                left = dict.fromkeys(range(taken, size), ItemEffect(kind="leave"))
                context.item_effects = {**(context.item_effects or {}), **left}


def _enforced(bulk: Bulk) -> list[Quota]:
    return [one for one in bulk.guard.quota if one.breach not in {CONDUCT, UNPROCESSED} and one.what in QUOTA_AMOUNTS]


def quota_wait(context: RequestContext) -> timedelta | None:
    """Return how long a request is too early for the `x-quota` of its operation, None for one that is admitted."""
    quotas = context.operation.quota if context.operation is not None else ()
    full = [(used, one) for one in quotas if len(used := _recent(context, one)) >= one.max]
    return max((used[-one.max][0] + one.per - context.now for used, one in full), default=None)


def check_call_quotas(context: RequestContext) -> Refusal | None:
    """Refuse a request that its operation's `x-quota` does not admit yet."""
    wait = quota_wait(context)
    if wait is None or context.operation is None:
        return None
    most = " and ".join(f"{one.max} in {format_duration(one.per)}" for one in context.operation.quota)
    status = next(one.breach for one in context.operation.quota if isinstance(one.breach, int))
    return Refusal(status=status, kind="quota", detail=f"At most {most} are taken.", headers=retry_after(wait))


def count_call(context: RequestContext) -> None:
    """Count a request that succeeded in the quotas of its operation."""
    for quota in context.operation.quota if context.operation is not None else ():
        _use(context, quota, 1)


def _use(context: RequestContext, quota: Quota, amount: int) -> None:
    memory: dict[Hashable, Uses] = context.api_state.memory.setdefault(MEMORY, {})
    used = memory.setdefault(_counted(context, quota), [])
    used.append((context.now, amount))
    context.api_state.on_roll_back(used.pop)


def _recent(context: RequestContext, quota: Quota) -> Uses:
    """Return what the client has used of a quota; what was used long enough ago is forgotten."""
    memory: dict[Hashable, Uses] = context.api_state.memory.get(MEMORY, {})
    used = memory.get(_counted(context, quota), [])
    while used and used[0][0] + quota.per <= context.now:
        used.pop(0)
    return used


def _counted(context: RequestContext, quota: Quota) -> Hashable:
    """Return the name under which a quota's uses by one client are remembered."""
    operation = context.operation.id if context.operation is not None else ""
    who = context.client if quota.by is None else str(locate(context, quota.by))
    return operation, quota.what, quota.per, who


def check_active_jobs(context: RequestContext, bulk: Bulk, declared: BulkJob) -> Refusal | None:
    """Refuse a job over the number that may be unfinished, of one client or of all of them.

    Those of other operations count where the same call polls them.
    """
    active = declared.active
    if active is None or active.breach == CONDUCT:
        return None
    jobs = context.api_state.jobs
    unfinished = [jobs.jobs[name] for name in jobs.unfinished]
    beside = {plan.operation.id for plan in prepared(context.api).polls.get(declared.poll, ())}
    alike = [one for one in unfinished if one.operation in beside]
    mine = [one for one in alike if active.per != "client" or one.client == context.client]
    if len(mine) < active.max:
        return None
    ends = [one.due for one in mine if one.due is not None]
    detail = f"{len(mine)} jobs are unfinished; at most {active.max} may be."
    return _refusal(bulk, active.breach, detail, min(ends) - context.now if ends else None, kind="conflict")


def _refusal(bulk: Bulk, breach: int | str, detail: str, wait: timedelta | None, *, kind: str) -> Refusal:
    """Return a refusal with the declared status or word, and when to come again."""
    codes = (one for one in bulk.guard.retry_codes if isinstance(one, int))
    status = breach if isinstance(breach, int) else next(codes, TOO_MANY_REQUESTS)
    told = detail if isinstance(breach, int) else f"{breach}: {detail}"
    headers = Headers() if wait is None else retry_after(wait)
    return Refusal(status=status, kind=kind, detail=told, headers=headers)


def retry_after(wait: timedelta) -> Headers:
    """Return the field that says after how many seconds to come again."""
    return Headers((("Retry-After", str(max(1, ceil(wait.total_seconds())))),))

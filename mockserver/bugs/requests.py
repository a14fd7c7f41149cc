"""What bugs need of a bulk call: its plan, its size, a variant of its declaration, the same call with other items."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

import orjson

from contracts.bulk import Bulk
from contracts.messages import Reply
from mockserver.api import Api, Hooks
from mockserver.behaviours import behaviour
from mockserver.domain.places import locate, put_at, wished
from mockserver.served import BulkPlan, served, share
from mockserver.turn import Turn


def plan_of(turn: Turn) -> BulkPlan | None:
    """Return the plan of a bulk call, None for another one."""
    return None if turn.operation is None else served(turn.api).plans.get(turn.operation.id)


def size_of(turn: Turn, plan: BulkPlan) -> int:
    """Return how many items a call has."""
    return len(plan.dismantler.collection(turn))


def most_of(turn: Turn, plan: BulkPlan) -> int | None:
    """Return how many items a call may have."""
    limits = [limit for limit in (plan.bulk.items.max, turn.api.hooks.max_items(turn)) if limit is not None]
    return min(limits, default=None)


def makes_job(turn: Turn, plan: BulkPlan) -> bool:
    """Tell whether a call becomes a job."""
    return plan.bulk.job is not None and any(wished(turn, wish) for wish in plan.bulk.job.when)


def relaxed(turn: Turn, plan: BulkPlan, change: Callable[[Bulk], Bulk], **hooks: Any) -> Reply:
    """Carry a call out under another declaration, and with other hooks."""
    ready = served(turn.api)
    bulk = change(plan.bulk)
    plans = {**ready.plans, plan.operation.id: replace(plan, bulk=bulk, operation=replace(plan.operation, bulk=bulk))}
    turn.api = share(_with(turn.api, turn.api.hooks, hooks), replace(ready, plans=plans))
    turn.violations = ()
    doing = behaviour(served(turn.api), plan.operation.id)
    assert doing is not None  # noqa: S101 - the engine serves every bulk operation
    return doing(turn)


def _with(api: Api, own: Hooks, hooks: dict[str, Any]) -> Api:
    return replace(api, hooks=replace(own, **hooks))


def place_of_list(turn: Turn, plan: BulkPlan) -> str | None:
    """Return where the items of a call stand."""
    wanted = dict if plan.bulk.items.shape == "map" else list
    places = (plan.bulk.items.at, *plan.bulk.items.also_at)
    return next((place for place in places if isinstance(locate(turn, place), wanted)), None)


def with_items(turn: Turn, plan: BulkPlan, kept: Sequence[int]) -> Turn:
    """Return the same call with only some of its items, in a turn of its own."""
    place = place_of_list(turn, plan) or ""
    found: Any = locate(turn, place)
    names = list(found) if isinstance(found, dict) else []
    some: Any = {names[n]: found[names[n]] for n in kept} if names else [found[n] for n in kept]
    if place == "":
        data = some
    else:
        data = deepcopy(turn.data)
        put_at(data, place, some)  # type: ignore[arg-type] # a list inside a body stands in an object
    return replace(turn, data=data, call=replace(turn.call, body=orjson.dumps(data)))

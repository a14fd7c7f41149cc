"""An API made ready to be served: its contract compiled into routes, keepers of records, plans of bulk operations."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from contracts.bulk import Bulk, Resource
from contracts.keys import key_kind, keys_of
from contracts.model import Contract, Operation
from contracts.routing import Router
from mockserver.api import Api
from mockserver.domain.items import Dismantler
from mockserver.domain.records import Keeper
from mockserver.stores import Index


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPlan:
    """One bulk operation, compiled."""

    operation: Operation
    bulk: Bulk
    dismantler: Dismantler


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What the engine needs of one API. `polls` and `cancels` map an operationId to the plans of its jobs."""

    api: Api
    router: Router
    keepers: Mapping[str, Keeper]
    plans: Mapping[str, BulkPlan]
    polls: Mapping[str, tuple[BulkPlan, ...]]
    cancels: Mapping[str, tuple[BulkPlan, ...]]
    indexes: Mapping[str, tuple[Index, ...]]


_READY: "WeakKeyDictionary[Api, Served]" = WeakKeyDictionary()


def served(api: Api) -> Served:
    """Return `api` made ready; it is done once."""
    ready = _READY.get(api)
    if ready is None:
        ready = _READY[api] = _make(api)
    return ready


def share(variant: Api, ready: Served) -> Api:
    """Let a variant of an API be served by what was made ready for another; return it."""
    _READY[variant] = replace(ready, api=variant)
    return variant


def _make(api: Api) -> Served:
    contract = api.contract
    plans = {one.id: _plan(contract, one, one.bulk) for one in contract.operations if one.bulk is not None}
    return Served(
        api=api,
        router=Router(contract),
        keepers={name: _keeper(contract, resource) for name, resource in contract.resources.items()},
        plans=plans,
        polls=_by(plans, "poll"),
        cancels=_by(plans, "cancel"),
        indexes={name: _indexes(contract, resource) for name, resource in contract.resources.items()},
    )


def _plan(contract: Contract, operation: Operation, bulk: Bulk) -> BulkPlan:
    fallback = _fallback(contract, bulk, operation)
    keys = {name: key_kind(contract, resource) for name, resource in contract.resources.items()}
    return BulkPlan(operation=operation, bulk=bulk, dismantler=Dismantler(bulk, contract.resources, fallback, keys))


def _fallback(contract: Contract, bulk: Bulk, operation: Operation) -> str | None:
    """Return the resource of the `like` operation, else the one whose collection the path begins with."""
    for name in bulk.effect.like:
        like = contract.operation(name)
        if like is not None and like.record is not None and not like.record.resource.source:
            return like.record.resource.constant
    segments = operation.path.split("/")
    named = [name for name in contract.resources if name in segments]
    return named[0] if named else next(iter(contract.resources), None) if len(contract.resources) == 1 else None


def _keeper(contract: Contract, resource: Resource) -> Keeper:
    schema = None if resource.schema is None else contract.schemas.schema(resource.schema)
    return Keeper(resource, schema, _referrers(contract, resource), keys_of(contract, resource))


def _referrers(contract: Contract, resource: Resource) -> list[tuple[str, str]]:
    return [
        (other.name, member)
        for other in contract.resources.values()
        for member, name in other.references.items()
        if name == resource.name
    ]


def _indexes(contract: Contract, resource: Resource) -> tuple[Index, ...]:
    """Return what must be found quickly: unique members, and references to resources that deletion must not orphan."""
    restricted = [member for member, name in resource.references.items() if contract.resources[name].restrict]
    return (*resource.unique, *((member,) for member in restricted if (member,) not in resource.unique))


def _by(plans: Mapping[str, BulkPlan], role: str) -> dict[str, tuple[BulkPlan, ...]]:
    found: dict[str, list[BulkPlan]] = {}
    for plan in plans.values():
        name = None if plan.bulk.job is None else getattr(plan.bulk.job, role)
        if name is not None:
            found.setdefault(name, []).append(plan)
    return {name: tuple(some) for name, some in found.items()}


__all__ = ["BulkPlan", "Served", "served", "share"]

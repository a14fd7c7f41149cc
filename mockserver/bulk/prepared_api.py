"""An API prepared for serving: its contract compiled into a router, record rules and bulk plans.

Main entry: `prepared`.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.bulk.model import Bulk, Resource
from contracts.exchange.preconditions import CONDITIONS
from contracts.messages import Response
from contracts.openapi.inference import (
    KeyType,
    RecordAction,
    fallback_resource,
    key_type,
    keys_of,
    record_actions,
    representation_schema,
    settable_members,
)
from contracts.openapi.model import Contract, Operation
from contracts.openapi.routing import Router
from contracts.schemas.schema_set import Schema
from mockserver.api.model import Api, RequestContext
from mockserver.bulk.items import ItemReader
from mockserver.bulk.record_service import RecordRules
from mockserver.stores.interface import Index


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPlan:
    """One bulk operation, with the reader of its items; `has_condition_fields` says where its preconditions are."""

    operation: Operation
    bulk: Bulk
    item_reader: ItemReader
    has_condition_fields: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedApi:
    """What the pipeline needs of one API.

    `polls`, `cancels`, `results`, `opens` and `starts` map an operationId to the plans of its jobs, `representations`
    resources to the schema of a record that is shown, `actions` operations to the records that they act on. `examples`
    are answers of the document that were made before, `accepted` operations with values of `Accept` that admit one of
    their answers, and `queries` the query parameters of valid calls, by all that they were read from. `job_ids` says
    what the id of a job is like that an operation makes.
    """

    api: Api
    router: Router
    record_rules: Mapping[str, RecordRules]
    plans: Mapping[str, BulkPlan]
    polls: Mapping[str, tuple[BulkPlan, ...]]
    cancels: Mapping[str, tuple[BulkPlan, ...]]
    results: Mapping[str, tuple[BulkPlan, ...]]
    opens: Mapping[str, tuple[BulkPlan, ...]]
    starts: Mapping[str, tuple[BulkPlan, ...]]
    indexes: Mapping[str, tuple[Index, ...]]
    representations: Mapping[str, Schema | None]
    actions: Mapping[str, RecordAction]
    examples: dict[tuple[str, int, str, bool], Response] = field(default_factory=dict)
    accepted: set[tuple[str, str]] = field(default_factory=set)
    queries: dict[Hashable, Mapping[str, object]] = field(default_factory=dict)
    job_ids: dict[str, tuple[KeyType, Schema | None] | None] = field(default_factory=dict)


MAX_KEPT: Final = 1000  # in `examples`, in `accepted` and in `queries`
MAX_KEPT_CHARS: Final = 200  # longer values of `Accept`, and longer calls, are looked at each time
_READY: Final = "prepared"  # its name in an API's memo


def prepared(api: Api) -> PreparedApi:
    """Return the API prepared; the result is cached as long as the API lives."""
    ready: PreparedApi | None = api.memo.get(_READY)
    if ready is None:
        ready = api.memo[_READY] = _make(api)
    return ready


def plan_of(context: RequestContext) -> BulkPlan | None:
    """Return the plan of a bulk request, None for any other request."""
    return None if context.operation is None else prepared(context.api).plans.get(context.operation.id)


def share_prepared(variant: Api, ready: PreparedApi) -> Api:
    """Register `ready` for a variant of its API; return the variant."""
    variant.memo[_READY] = replace(ready, api=variant)
    return variant


def _make(api: Api) -> PreparedApi:
    contract = api.contract
    router, referrers = Router(contract), _referrers(contract)
    plans = {one.id: _plan(contract, one, one.bulk, router) for one in contract.operations if one.bulk is not None}
    return PreparedApi(
        api=api,
        router=router,
        record_rules={name: _rules(contract, one, referrers) for name, one in contract.resources.items()},
        plans=plans,
        polls=_by(plans, "poll"),
        cancels=_by(plans, "cancel"),
        results=_by(plans, "results"),
        opens=_by(plans, "open"),
        starts=_by(plans, "start"),
        indexes={name: _indexes(contract, resource) for name, resource in contract.resources.items()},
        representations={name: representation_schema(contract, one) for name, one in contract.resources.items()},
        actions=record_actions(contract) if api.plain else {},
    )


def _plan(contract: Contract, operation: Operation, bulk: Bulk, router: Router) -> BulkPlan:
    fallback = fallback_resource(contract, operation)
    keys = {name: key_type(contract, resource) for name, resource in contract.resources.items()}
    named = {name: one.schema for name, one in contract.resources.items() if one.schema is not None}
    schemas = {name: contract.schemas.schema(ref).request for name, ref in named.items()}
    item_reader = ItemReader(bulk, contract.resources, fallback, keys=keys, router=router, schemas=schemas)
    return BulkPlan(
        operation=operation,
        bulk=bulk,
        item_reader=item_reader,
        has_condition_fields=_has_condition_fields(operation, bulk),
    )


def _has_condition_fields(operation: Operation, bulk: Bulk) -> bool:
    """Tell whether preconditions are header fields of the request, and not the versions in its items."""
    fields = {one.name.lower() for one in operation.parameters if one.where == "header"}
    version = (bulk.effect.version or "").lower()
    return any(name.lower() in fields or version == f"header:{name.lower()}" for name in CONDITIONS)


def _rules(contract: Contract, resource: Resource, referrers: Mapping[str, list[tuple[str, str]]]) -> RecordRules:
    schema = None if resource.schema is None else contract.schemas.schema(resource.schema).request
    lists = {one.id: settable_members(contract, one) for one in contract.operations if one.bulk is not None}
    settable = {name: frozenset(some[resource.name]) for name, some in lists.items() if resource.name in some}
    return RecordRules(resource, schema, referrers.get(resource.name, []), keys_of(contract, resource), settable)


def _referrers(contract: Contract) -> dict[str, list[tuple[str, str]]]:
    """Return the resources and members that refer to each resource."""
    found: dict[str, list[tuple[str, str]]] = {}
    for other in contract.resources.values():
        for member, name in other.references.items():
            found.setdefault(name, []).append((other.name, member))
    return found


def _indexes(contract: Contract, resource: Resource) -> tuple[Index, ...]:
    """Return what must be found quickly: unique members, and references to resources that deletion must not orphan."""
    restricted = [member for member, name in resource.references.items() if contract.resources[name].restrict]
    return (*resource.unique, *((member,) for member in restricted if (member,) not in resource.unique))


def _by(plans: Mapping[str, BulkPlan], role: str) -> dict[str, tuple[BulkPlan, ...]]:
    found: dict[str, list[BulkPlan]] = {}
    for plan in plans.values():
        named = None if plan.bulk.job is None else getattr(plan.bulk.job, role)
        for name in named if isinstance(named, tuple) else (named,):
            if name not in {None, "here"}:
                found.setdefault(name, []).append(plan)
    return {name: tuple(some) for name, some in found.items()}

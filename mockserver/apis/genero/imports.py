"""The fields of the entities: which of an item's are written, in a batch as the tenant's import settings say."""

from collections.abc import Mapping
from typing import Final

from contracts.bulk import Resource
from mockserver.api import Prepare
from mockserver.apis.genero.settings import FILLINGS, SWITCHES, tenants
from mockserver.domain.values import Item
from mockserver.stores import Record
from mockserver.turn import Run

FIELDS: Final[Mapping[str, tuple[str, ...]]] = {
    "block": ("blockId", "name", "deleted"),
    "chain": ("chainId", "name", "blockId", "deleted"),
    "wholesaler": ("wholesalerId", "name", "blockId", "salesDistrictId", "deleted"),
    "customer": (
        "customerId",
        "name",
        "wholesalerId",
        "chainId",
        "customerCategoryId",
        "email",
        "phone",
        "prio",
        "deleted",
    ),
    "customercontact": ("customerContactId", "name", "customerId", "email", "phone", "deleted"),
}
KNOWN: Final[Mapping[str, frozenset[str]]] = {name: frozenset(fields) for name, fields in FIELDS.items()}
SWITCH_OF: Final[Mapping[str, str]] = {
    "wholesalerId": "DoUpdateWholesaler",
    "customerCategoryId": "DoUpdateCustomerCategory",
    "email": "DoUpdateEmail",
    "phone": "DoUpdatePhone",
    "prio": "DoUpdatePrio",
    "chainId": "DoUpdateChain",
    "blockId": "DoUpdateBlock",
    "salesDistrictId": "DoUpdateSalesDistrict",
}
FILLING_OF: Final[Mapping[str, str]] = {
    "wholesalerId": "DefaultWholesalerId",
    "customerCategoryId": "DefaultCustomerCategory",
    "prio": "DefaultPrio",
    "chainId": "DefaultChainId",
    "blockId": "DefaultBlockId",
}


def _by_resource(names: Mapping[str, str]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return for each resource which of its fields, its own key aside, a setting speaks of, and that setting."""
    return {
        resource: tuple((field, name) for field, name in names.items() if field in fields and field != f"{resource}Id")
        for resource, fields in FIELDS.items()
    }


SWITCHED: Final = _by_resource(SWITCH_OF)
FILLED: Final = _by_resource(FILLING_OF)


def changes(item: Item) -> Mapping[str, object]:
    """Return the members of the payload that are fields of its entity."""
    payload: Mapping[str, object] = item.payload  # type: ignore[assignment] # the contract has checked that it is an object
    known = KNOWN[item.resource.name]
    return payload if payload.keys() <= known else {name: payload[name] for name in payload if name in known}


def prepare(run: Run, resource: Resource) -> Prepare | None:
    """Return what applies the tenant's import settings in a batch; a single entity is written as it is given."""
    if run.operation is None or run.operation.bulk is None:
        return None
    chosen = tenants(run.world).get(run.scope, {})
    held = {field for field, switch in SWITCHED[resource.name] if not chosen.get(switch, SWITCHES[switch])}
    every = {field: chosen.get(name, FILLINGS[name]) for field, name in FILLED[resource.name]}
    filling = {field: text for field, text in every.items() if text}

    def prepared(stored: Record | None, given: Mapping[str, object]) -> Mapping[str, object]:
        if stored is None:
            return given if not filling or given.get("deleted") is True else {**filling, **given}
        if not held or held.isdisjoint(given):
            return given
        return {name: given[name] for name in given if name not in held}

    return prepared


def render(run: Run, resource: Resource, record: Record) -> object:
    """Show the fields that are set, in the order of the entity's description."""
    del run
    return {field: record.body[field] for field in FIELDS[resource.name] if field in record.body}

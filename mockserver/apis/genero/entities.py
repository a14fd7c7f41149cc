"""PUT of one entity, the tenant's import settings for fields, and the vendor's message texts."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from contracts.bulk.model import Resource
from contracts.messages import Response
from contracts.openapi.validation import validate_value
from mockserver.api.model import Entries, ItemRun, Members, Prepare, Refusal, RequestContext, json_response
from mockserver.apis.genero.access import FIELD_DEFAULTS, SWITCHES, tenants
from mockserver.bulk.prepared_api import prepared
from mockserver.bulk.record_service import RecordRules
from mockserver.domain.values import Item, ItemFault, Outcome
from mockserver.engine.declared_records import run_of, stored_record
from mockserver.stores.interface import Record

ENTITY_WORDS: Final[Mapping[str, str]] = {
    "block": "Block",
    "chain": "Chain",
    "wholesaler": "Wholesaler",
    "customer": "Customer",
    "customercontact": "CustomerContact",
}
NOT_FOUND: Final = "{entity} id {id} is not found in database."
TEXTS: Final[Mapping[str, str]] = {
    "reference": NOT_FOUND,
    "not-found": NOT_FOUND,
    "missing": "{entity} id {id} has no name.",
}
FALLBACK_TEXT: Final = "{entity} id {id} cannot be processed."  # a scenario that gives no text of its own


def entries(run: ItemRun) -> Entries:
    """Return the function that gives the messages of failed items."""
    del run
    return lambda outcomes: [(text_of(one),) for one in outcomes]


def text_of(outcome: Outcome) -> str:
    """Return why an item failed: faults of its key first, then of its references, joined by a space."""
    order = {member: place for place, member in enumerate(outcome.item.resource.references, 1)}
    faults = sorted(outcome.faults, key=lambda fault: order.get(_member(fault), 0))
    return " ".join(_text(outcome, fault) for fault in faults)


def _text(outcome: Outcome, fault: ItemFault) -> str:
    if "message" in fault.facts:
        return str(fault.facts["message"])
    refers = fault.kind == "reference"
    resource = str(fault.facts["resource"]) if refers else outcome.item.resource.name
    return TEXTS.get(fault.kind, FALLBACK_TEXT).format(
        entity=ENTITY_WORDS[resource], id=fault.value if refers else outcome.item.target
    )


def _member(fault: ItemFault) -> str:
    return fault.members[0] if fault.kind == "reference" else ""


CREATED: Final = 201
OK: Final = 200


def put(context: RequestContext) -> Response:
    """Create, change, restore or delete the entity that the path names."""
    rules = prepared(context.api).record_rules[context.variables["entity"]]
    refusal = _malformed(context, rules)
    if refusal is not None:
        return context.refuse(refusal)
    entity: dict[str, Any] = context.data  # type: ignore[assignment] # its schema says that it is an object
    key, deletes = context.variables["id"], entity.get("deleted", False)
    run = run_of(context)
    lives = stored_record(context, rules, key) is not None
    if deletes and not lives:
        text = NOT_FOUND.format(entity=ENTITY_WORDS[rules.resource.name], id=key)
        return context.refuse(Refusal(status=404, kind="not-found", detail=text))
    item = Item(0, key, "upsert", rules.resource, key, {**entity, "deleted": deletes}, None, None, entity)
    return _written(context, run, rules, item, CREATED if not lives else OK)


def _malformed(context: RequestContext, rules: RecordRules) -> Refusal | None:
    """Return the refusal of a body that a batch would refuse, or whose key differs from the path's; else None."""
    schema = rules.payloads.schema
    report = None if schema is None else validate_value(schema, context.data)
    if report:
        context.violations = report.violations
        detail = "The entity cannot be interpreted."
        return Refusal(status=400, kind="invalid", detail=detail, violations=report.violations, total=report.total)
    key = rules.resource.key
    if isinstance(context.data, dict) and context.data[key] != context.variables["id"]:
        return Refusal(status=400, kind="invalid", detail=f"'{key}' in the body is not the id in the path.")
    return None


def _written(context: RequestContext, run: ItemRun, rules: RecordRules, item: Item, status: int) -> Response:
    outcome = rules.bind(run, context.api_state.store).apply(item)
    context.outcomes = (outcome,)
    if outcome.record is None:
        return context.refuse(Refusal(status=400, kind="invalid", detail=text_of(outcome)))
    if outcome.record.deleted:
        return Response(status=204)
    return json_response(context, status, context.api.hooks.render(run, rules.resource, outcome.record))


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
KNOWN_FIELDS: Final[Mapping[str, frozenset[str]]] = {name: frozenset(fields) for name, fields in FIELDS.items()}
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
DEFAULT_OF: Final[Mapping[str, str]] = {
    "wholesalerId": "DefaultWholesalerId",
    "customerCategoryId": "DefaultCustomerCategory",
    "prio": "DefaultPrio",
    "chainId": "DefaultChainId",
    "blockId": "DefaultBlockId",
}


def _by_resource(names: Mapping[str, str]) -> Mapping[str, tuple[tuple[str, str], ...]]:
    """Return for each resource the fields that a setting governs, without its key, and that setting."""
    return {
        resource: tuple((field, name) for field, name in names.items() if field in fields and field != f"{resource}Id")
        for resource, fields in FIELDS.items()
    }


SWITCHED: Final = _by_resource(SWITCH_OF)
DEFAULTED: Final = _by_resource(DEFAULT_OF)


def changes(resource: Resource, payloads: Sequence[Any]) -> Sequence[Members]:
    """Return the members of each payload, an object as the contract has it, that are fields of its entity."""
    known = KNOWN_FIELDS[resource.name]
    if known.issuperset(set[str]().union(*payloads)):
        return payloads
    return [{name: one[name] for name in one if name in known} for one in payloads]


def prepare(run: ItemRun, resource: Resource) -> Prepare | None:
    """Return the function that applies the tenant's import settings to items of a batch; PUT does not use them."""
    if run.operation is None or run.operation.bulk is None:
        return None
    chosen = tenants(run.api_state).get(run.scope, {})
    held = {field for field, switch in SWITCHED[resource.name] if not chosen.get(switch, SWITCHES[switch])}
    every = {field: chosen.get(name, FIELD_DEFAULTS[name]) for field, name in DEFAULTED[resource.name]}
    filling = {field: text for field, text in every.items() if text}
    if not held and not filling:
        return None

    def prepared(stored: Record | None, given: Members) -> Members:
        if stored is None:
            return given if not filling or given.get("deleted") is True else {**filling, **given}
        if held.isdisjoint(given):
            return given
        return {name: given[name] for name in given if name not in held}

    return lambda stored_records, members: list(map(prepared, stored_records, members))


def render(run: ItemRun, resource: Resource, record: Record) -> object:
    """Return the fields that are set, in the order of the entity's description."""
    del run
    return {field: record.body[field] for field in FIELDS[resource.name] if field in record.body}

"""What a planted bug requires an operation to declare: `REQUIREMENTS` has one predicate for each word."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, TypeAlias

from contracts.bulk.model import Bulk, Outcomes, Resource
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import as_list

LONG_LIST_ITEMS: Final = 9  # items from which on a list counts as long


class RequirementSite(NamedTuple):
    """One bulk operation and its contract, of which a requirement may hold."""

    contract: Contract
    operation: Operation
    bulk: Bulk


Requirement: TypeAlias = Callable[[RequirementSite], bool]


def bulk_sites(contract: Contract) -> Iterator[RequirementSite]:
    """Yield every bulk operation of a contract."""
    for operation in contract.operations:
        if operation.bulk is not None:
            yield RequirementSite(contract, operation, operation.bulk)


def outcomes(bulk: Bulk) -> Outcomes | None:
    """Return where outcomes are reported, in the response or else in the job; None when they are not reported."""
    return bulk.reply.outcomes or (None if bulk.job is None else bulk.job.outcomes)


def resources(place: RequirementSite) -> tuple[Resource, ...]:
    """Return the resources that the items of an operation may name."""
    choice = place.bulk.effect.resource
    known = place.contract.resources
    if choice is None:
        return tuple(known.values())
    names = (choice.constant,) if not choice.source else tuple(choice.words.values()) or tuple(known)
    return tuple(known[name] for name in names if name in known)


def _may_have(size: int) -> Requirement:
    return lambda place: place.bulk.items.max is None or place.bulk.items.max >= size


def _may_be(*actions: str) -> Requirement:
    """Tell whether an item may intend one of these actions."""

    def holds(place: RequirementSite) -> bool:
        action = place.bulk.effect.action
        words = set(action.words.values()) if action.source else {action.constant}
        return not words or not words.isdisjoint(actions)

    return holds


def _of_resource(test: Callable[[Resource], object]) -> Requirement:
    return lambda place: any(test(one) for one in resources(place))


def _units(place: RequirementSite) -> set[str]:
    of = place.bulk.unit.of
    return set(of.words.values()) if of.source else {of.constant}


def _refuses(*kinds: str) -> Requirement:
    return lambda place: any(kind in place.bulk.guard.refuse for kind in kinds)


def _denies_malformed(place: RequirementSite) -> bool:
    """Tell whether one item that cannot be interpreted has the whole refused, as `mockserver.bulk.guards` does it."""
    effect = place.bulk.effect
    return not effect.payload and effect.action.constant != "delete" and _refuses("malformedItem")(place)


def _tells(test: Callable[[Outcomes], object]) -> Requirement:
    def holds(place: RequirementSite) -> bool:
        found = [place.bulk.reply.outcomes, None if place.bulk.job is None else place.bulk.job.outcomes]
        return any(test(one) for one in found if one is not None)

    return holds


def _statuses(place: RequirementSite) -> bool:
    """Tell whether success has another status than failure."""
    status = place.bulk.reply.status
    good = status.get("allOk", status.get("accepted"))
    return any(status.get(word, good) != good for word in ("someFailed", "allFailed", "wholeFailed"))


def _words(place: RequirementSite) -> bool:
    """Tell whether a job that had errors ends in a word of its own."""
    return place.bulk.job is not None and {"done", "doneWithErrors"} <= set(place.bulk.job.words.values())


def _progress(*names: str) -> Requirement:
    return lambda place: place.bulk.job is not None and any(name in place.bulk.job.progress for name in names)


def _members(place: RequirementSite) -> Iterator[Mapping[str, object]]:
    for resource in resources(place):
        if resource.schema is not None:
            yield from (one.raw for one in place.contract.schemas.schema(resource.schema).members().values())


def _nullable(place: RequirementSite) -> bool:
    return any("null" in types for one in _members(place) if isinstance(types := one.get("type"), list))


def _texts(place: RequirementSite) -> bool:
    return any(one.get("type") == "string" or "string" in as_list(one.get("type")) for one in _members(place))


def _headers(place: RequirementSite) -> bool:
    """Tell whether an answer, or a job's handle, stands in a declared header."""
    return any(one.required for answer in place.operation.responses.values() for one in answer.headers)


def _quotas(place: RequirementSite) -> bool:
    declared = (answer.headers for one in place.contract.operations for answer in one.responses.values())
    return any(header.name.lower() == "retry-after" for headers in declared for header in headers)


def _lists(place: RequirementSite) -> bool:
    item_effects = (one.record for one in place.contract.operations)
    return any(act is not None and act.action.constant == "list" for act in item_effects)


def _limited(place: RequirementSite) -> bool:
    active = None if place.bulk.job is None else place.bulk.job.active
    return active is not None


def _refers(place: RequirementSite) -> bool:
    return any(one.references for one in resources(place))


REQUIREMENTS: Final[Mapping[str, Requirement]] = {
    "active limit": _limited,
    "cancel": lambda place: place.bulk.job is not None and place.bulk.job.cancel is not None,
    "chosen unit": lambda place: place.bulk.unit.of.source != "" and len(_units(place)) > 1,
    "checked items": lambda place: not _denies_malformed(place),
    "counts": lambda place: bool(place.bulk.reply.counts) or _progress("done", "failed")(place),
    "deletion": _may_be("delete", "upsert"),
    "dependent items": lambda place: place.bulk.order.depends_on is not None,
    "duplicate rule": _refuses("duplicateKey", "duplicateTarget"),
    "empty rule": lambda place: place.bulk.items.min > 0,
    "error text": _tells(lambda one: one.error is not None),
    "fan-out": lambda place: place.bulk.items.fan_out is not None,
    "groups": lambda place: place.bulk.order.run == "grouped",
    "idempotency": lambda place: place.bulk.guard.idempotency is not None,
    "job": lambda place: place.bulk.job is not None,
    "job on request": lambda place: place.bulk.job is not None and "always" not in place.bulk.job.when,
    "job results": lambda place: place.bulk.job is not None and place.bulk.job.outcomes is not None,
    "job word for errors": _words,
    "like": lambda place: bool(place.bulk.effect.like),
    "list": _lists,
    "listed outcomes": _tells(lambda one: one.shape != "map"),
    "long lists": _may_have(LONG_LIST_ITEMS),
    "malformed rule": _denies_malformed,
    "mapped outcomes": _tells(lambda one: one.shape == "map"),
    "maximum": lambda place: place.bulk.items.max is not None,
    "mode rule": _refuses("badMode"),
    "nullable member": _nullable,
    "order any": lambda place: place.bulk.order.run == "any",
    "ordered outcomes": _tells(lambda one: one.in_order and one.shape != "map"),
    "outcome keys": _tells(lambda one: one.key is not None or one.shape == "map"),
    "outcomes": lambda place: outcomes(place.bulk) is not None,
    "outcomes at once": lambda place: place.bulk.reply.outcomes is not None,
    "processed count": _progress("processed"),
    "references": _refers,
    "required header": _headers,
    "retry-after": _quotas,
    "several items": _may_have(2),
    "status by outcome": _statuses,
    "text member": _texts,
    "unique member": _of_resource(lambda one: one.unique),
    "unit item": lambda place: "item" in _units(place),
    "unit whole": lambda place: not _units(place).isdisjoint({"whole", "group"}),
    "update": _may_be("update", "replace", "upsert"),
    "version": lambda place: place.bulk.effect.version is not None,
    "visible version": _of_resource(lambda one: one.version is not None),
}

"""All that composing has to know of one bulk operation, found once."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.bulk import Bulk
from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from contracts.schemas import Schema
from generators.batches.making import Maker
from generators.batches.words import Word, action_words, resource_words, writable_members
from generators.batches.wrapping import Wrapper
from generators.checks.calls import body_schema
from generators.checks.locations import is_outside

SHAPES = ("array", "map")


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One bulk operation: its words, its items' schema, and what makes the records of each resource.

    `writable` are the members that it may set, by resource. `fixed` says whether a call speaks of one resource only.
    """

    contract: Contract
    operation: Operation
    bulk: Bulk
    given: Mapping[str, str]
    wrapper: Wrapper
    resources: tuple[Word, ...]
    actions: tuple[Word, ...]
    makers: Mapping[str, Maker]
    writable: Mapping[str, tuple[str, ...]]
    fixed: bool

    def values(self, resource: Word) -> dict[str, str]:
        """Return the parameters' values by name, those that a resource brings along by its `x-` members among them."""
        found = self.contract.resources.get(resource.meaning)
        extras = found.extras if found is not None else {}
        own = {name.removeprefix("x-"): str(value) for name, value in extras.items() if isinstance(value, str)}
        choice = self.bulk.effect.resource
        if resource.written is not None and choice is not None and is_outside(choice.source):
            own[choice.source.partition(":")[2]] = resource.written
        return {**own, **self.given}


def designed(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Design:
    """Return what is known of an operation. Raises MisuseError when its batches cannot be composed."""
    bulk = operation.bulk
    if bulk is None:
        raise MisuseError(f"{operation.id} is no bulk operation.", cure="Name one that has 'x-bulk'.")
    if bulk.items.shape not in SHAPES:
        raise MisuseError(f"{operation.id} has its items as {bulk.items.shape}, which cannot be composed.")
    body = body_schema(operation)
    element = _element(body, bulk)
    holder = body if bulk.effect.payload in bulk.items.shared else element
    payload = holder.at(bulk.effect.payload) if holder is not None else None
    named_at = element.at(bulk.effect.target[0]) if element is not None and bulk.effect.target else None
    resource = contract.resources.get
    resources = resource_words(contract, operation, element, given)
    return Design(
        contract=contract,
        operation=operation,
        bulk=bulk,
        given=given,
        wrapper=Wrapper(bulk, element, payload),
        resources=tuple(resources),
        actions=tuple(action_words(operation, element)),
        makers={
            one.meaning: Maker(contract, resource(one.meaning), fallback=payload, named_at=named_at)
            for one in resources
        },
        writable=writable_members(contract, operation),
        fixed=bulk.effect.resource is None or is_outside(bulk.effect.resource.source),
    )


def _element(body: Schema | None, bulk: Bulk) -> Schema | None:
    """Return the schema of one item: an element of the list, or any member of the map."""
    for place in (bulk.items.at, *bulk.items.also_at):
        found = body.at(place) if body is not None else None
        if found is not None and bulk.items.groups is not None:
            group = found.items()
            found = group.at(bulk.items.groups) if group is not None else None
        one = None if found is None else found.member("") if bulk.items.shape == "map" else found.items()
        if one is not None:
            return one
    return None

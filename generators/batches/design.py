"""All that composing has to know of one bulk operation, found once."""

from collections.abc import Mapping
from dataclasses import dataclass

from contracts.bulk import Bulk
from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from generators.batches.making import Maker
from generators.batches.words import action_words, resource_words, writable_members
from generators.locations import is_outside
from generators.requests.calls import body_schema
from generators.requests.envelopes import unmade
from generators.requests.items import Wrapper
from generators.requests.words import Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """One bulk operation: its words, its items' schema, and what makes the records of each resource.

    `writable` are the members that it may set, by resource. `fixed` says whether a call speaks of one resource only,
    `one_action` whether all its items want the same.
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
    one_action: bool

    def values(self, resource: Word, action: Word) -> dict[str, str]:
        """Return the parameters' values by name, those that a resource brings along by its `x-` members among them."""
        found = self.contract.resources.get(resource.meaning)
        extras = found.extras if found is not None else {}
        own = {name.removeprefix("x-"): str(value) for name, value in extras.items() if isinstance(value, str)}
        for choice, word in ((self.bulk.effect.resource, resource), (self.bulk.effect.action, action)):
            if choice is not None and word.written is not None and is_outside(choice.source):
                own[choice.source.partition(":")[2]] = word.written
        return {**own, **self.given}


def designed(contract: Contract, operation: Operation, given: Mapping[str, str]) -> Design:
    """Return what is known of an operation. Raises MisuseError when its batches cannot be composed."""
    bulk = operation.bulk
    if bulk is None:
        raise MisuseError(f"{operation.id} is no bulk operation.", cure="Name one that has 'x-bulk'.")
    reason = unmade(operation)
    if reason is not None:
        raise MisuseError(f"Requests of {operation.id} cannot be made: {reason}.")
    wrapper = Wrapper(bulk, body_schema(operation))
    element = wrapper.element
    named_at = element.at(bulk.effect.target[0]) if element is not None and bulk.effect.target else None
    resource = contract.resources.get
    resources = resource_words(contract, operation, element, given)
    return Design(
        contract=contract,
        operation=operation,
        bulk=bulk,
        given=given,
        wrapper=wrapper,
        resources=tuple(resources),
        actions=tuple(action_words(operation, element)),
        makers={
            one.meaning: Maker(contract, resource(one.meaning), fallback=wrapper.payload_schema, named_at=named_at)
            for one in resources
        },
        writable=writable_members(contract, operation),
        fixed=bulk.effect.resource is None or is_outside(bulk.effect.resource.source),
        one_action=is_outside(bulk.effect.action.source),
    )

"""The words that one operation has for resources and actions, and the members that it may set."""

import re
from collections.abc import Mapping
from typing import Final

from contracts.errors import MisuseError
from contracts.inference import fallback_resource
from contracts.model import Contract, Operation
from contracts.names import did_you_mean
from contracts.schemas import Schema
from contracts.texts import listed
from generators.locations import is_outside
from generators.requests.words import Word, place_schema, words_of

WEIGHTS: Final[Mapping[str, int]] = {"create": 4, "upsert": 3, "update": 3, "replace": 2, "delete": 1}
CAPITAL: Final = re.compile(r"(?<!^)([A-Z])")


def resource_words(
    contract: Contract, operation: Operation, element: Schema | None, given: Mapping[str, str]
) -> list[Word]:
    """Return the resources that an operation may speak of; one without a name when it does not say.

    Raises MisuseError when the one that is `given` is not among them.
    """
    choice = operation.bulk.effect.resource if operation.bulk else None
    if choice is None:
        return [Word(None, fallback_resource(contract, operation) or "")]
    schema = place_schema(operation, element, choice.source)
    words = words_of(choice, schema, [*contract.resources])
    fixed = given.get(choice.source.partition(":")[2]) if is_outside(choice.source) else None
    chosen = [word for word in words if fixed is None or word.written == fixed]
    writable = writable_members(contract, operation)
    if fixed is not None and not chosen:
        known = [str(word.written) for word in words]
        fact = f"{operation.id} knows no '{fixed}' for {choice.source.partition(':')[2]}."
        raise MisuseError(fact, cure=did_you_mean(fixed, known) or f"Choose {listed(known, 'or')}.")
    return [word for word in chosen if writable.get(word.meaning) != ()] or [Word(None, "")]


def action_words(operation: Operation, element: Schema | None) -> list[Word]:
    """Return the actions that an item may want, each as often as it is to be drawn."""
    assert operation.bulk is not None  # noqa: S101 - asked before
    choice = operation.bulk.effect.action
    words = words_of(choice, place_schema(operation, element, choice.source))
    return [word for word in words for _ in range(WEIGHTS.get(word.meaning, 1) if len(words) > 1 else 1)]


def writable_members(contract: Contract, operation: Operation) -> dict[str, tuple[str, ...]]:
    """Return the members that an operation may set, by resource, where `x-<its name>` in the resource lists them."""
    name = "x-" + CAPITAL.sub(r"-\1", operation.id).lower()
    listed = {resource.name: resource.extras.get(name) for resource in contract.resources.values()}
    return {one: tuple(map(str, members)) for one, members in listed.items() if isinstance(members, list)}

"""The words that a caller may choose: for resources, actions and units, each with what it means."""

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from contracts.bulk import Choice
from contracts.errors import MisuseError
from contracts.model import Contract, Operation
from contracts.names import did_you_mean
from contracts.schemas import Schema
from contracts.texts import listed
from generators.checks.locations import is_outside

WEIGHTS: Final[Mapping[str, int]] = {"create": 4, "upsert": 3, "update": 3, "replace": 2, "delete": 1}
CAPITAL: Final = re.compile(r"(?<!^)([A-Z])")


class Word(NamedTuple):
    """What the caller writes, and what it means; None is written where there is nothing to choose."""

    written: str | None
    meaning: str


def place_schema(operation: Operation, element: Schema | None, location: str) -> Schema | None:
    """Return the schema of the value at a location of a call, or of an item."""
    where, _, name = location.partition(":")
    if is_outside(location):
        named = (one for one in operation.parameters if one.where == where and one.name == name)
        return next((one.schema for one in named), None)
    return element.at(location) if element is not None else None


def words_of(choice: Choice, schema: Schema | None, meanings: Sequence[str] = ()) -> list[Word]:
    """Return the words of a choice that its place takes; without words of its own, those that the place lists."""
    if not choice.source:
        return [Word(None, choice.constant)]
    listed = schema.raw.get("enum") if schema is not None else None
    own = {str(word): str(word) for word in listed} if isinstance(listed, list) else {word: word for word in meanings}
    found = [Word(word, meaning) for word, meaning in (choice.words or own).items()]
    return [word for word in found if schema is None or schema.is_valid(word.written)]


def resource_words(
    contract: Contract, operation: Operation, element: Schema | None, given: Mapping[str, str]
) -> list[Word]:
    """Return the resources that an operation may speak of; one without a name when it does not say.

    Raises MisuseError when the one that is `given` is not among them.
    """
    choice = operation.bulk.effect.resource if operation.bulk else None
    if choice is None:
        return [Word(None, _like(contract, operation))]
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


def _like(contract: Contract, operation: Operation) -> str:
    """Return the resource of the single-record operation that each item is like."""
    names = operation.bulk.effect.like if operation.bulk else ()
    acts = [one.record for one in map(contract.operation, names) if one is not None and one.record is not None]
    return next((act.resource.constant for act in acts if act.resource.constant), "")

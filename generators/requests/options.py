"""What a client may choose in a bulk request: resource, action, unit, order, job and targets, each with its words.

Begin with `options_of`; an `Option` pairs a word with its meaning.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Final, NamedTuple

from contracts.bulk.model import Bulk, Choice
from contracts.errors import MisuseError
from contracts.exchange.bulk_request import target_parameters
from contracts.exchange.locations import find, is_outside
from contracts.openapi.inference import fallback_resource, settable_members
from contracts.openapi.model import Contract, Operation
from contracts.openapi.parameters import read_text
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import did_you_mean, listed, text_of
from generators.requests.calls import body_examples

UNITS: Final = ("item", "whole", "group")


class Option(NamedTuple):
    """A word that the client writes, None when there is nothing to write, and its meaning."""

    written: str | None
    meaning: str


def place_schema(operation: Operation, element: Schema | None, location: str) -> Schema | None:
    """Return the schema at a location of a request, or of an item whose schema is `element`; None without one."""
    where, _, name = location.partition(":")
    if is_outside(location):
        named = (one for one in operation.parameters if one.where == where and one.name == name)
        return next((one.schema for one in named), None)
    return element.at(location) if element is not None else None


def options_of(choice: Choice, schema: Schema | None, meanings: Sequence[str] = ()) -> list[Option]:
    """Return the options of a choice that are valid at its location; by default the schema's enum values."""
    if not choice.source:
        return [Option(None, choice.constant)]
    enum = schema.raw.get("enum") if schema is not None else None
    own = {str(word): str(word) for word in (enum if isinstance(enum, list) else meanings)}
    found = [Option(word, meaning) for word, meaning in (choice.words or own).items()]
    return [word for word in found if schema is None or schema.is_valid(read_text(str(word.written), schema))]


def option_for(operation: Operation, choice: Choice, meaning: str, element: Schema | None = None) -> str | None:
    """Return the word with a meaning, None when there is none. `element` is the schema of an item."""
    schema = place_schema(operation, element, choice.source) if choice.source else None
    words = (word.written or meaning for word in options_of(choice, schema, [meaning]) if word.meaning == meaning)
    return next(words, None)


ACTION_WEIGHTS: Final[Mapping[str, int]] = {"create": 4, "upsert": 3, "update": 3, "replace": 2, "delete": 1}


def resource_options(
    contract: Contract, operation: Operation, element: Schema | None, given: Mapping[str, str]
) -> list[Option]:
    """Return the resources that an operation may name; one with the meaning "" when it names none.

    Raises MisuseError when the word in `given` is not among them.
    """
    choice = operation.bulk.effect.resource if operation.bulk else None
    if choice is None:
        return [Option(None, fallback_resource(contract, operation) or "")]
    schema = place_schema(operation, element, choice.source)
    words = options_of(choice, schema, [*contract.resources])
    fixed = given.get(choice.source.partition(":")[2]) if is_outside(choice.source) else None
    chosen = [word for word in words if fixed is None or word.written == fixed]
    settable = settable_members(contract, operation)
    if fixed is not None and not chosen:
        known = [str(word.written) for word in words]
        fact = f"{operation.id} knows no '{fixed}' for {choice.source.partition(':')[2]}."
        raise MisuseError(fact, cure=did_you_mean(fixed, known) or f"Choose {listed(known, 'or')}.")
    return [word for word in chosen if settable.get(word.meaning) != ()] or [Option(None, "")]


def action_options(operation: Operation, element: Schema | None) -> list[Option]:
    """Return the actions of an item, each repeated by its weight in `ACTION_WEIGHTS`."""
    assert operation.bulk is not None  # noqa: S101 - asked before
    choice = operation.bulk.effect.action
    words = options_of(choice, place_schema(operation, element, choice.source))
    return [word for word in words for _ in range(ACTION_WEIGHTS.get(word.meaning, 1) if len(words) > 1 else 1)]


ACTIONS: Final = ("create", "upsert", "update", "replace", "delete")


def actions_of(bulk: Bulk) -> tuple[str, ...]:
    """Return the actions that items can have, creating ones first."""
    choice = bulk.effect.action
    if bulk.effect.http and not choice.words:
        return ACTIONS
    words = set(choice.words.values()) if choice.source else {choice.constant}
    return tuple(action for action in ACTIONS if action in words)


def units_of(bulk: Bulk) -> tuple[str, ...]:
    """Return the units that a request can have."""
    choice = bulk.unit.of
    if not choice.source:
        return (choice.constant,)
    meant = set(choice.words.values()) if choice.words else set(UNITS)
    return tuple(unit for unit in UNITS if unit in meant)


def job_setting_of(bulk: Bulk) -> str | None:
    """Return the setting by which a client asks for a job, None when it has no choice."""
    wishes = bulk.job.when if bulk.job is not None else ()
    return None if not wishes or "always" in wishes else wishes[0]


def limits_jobs(operation: Operation) -> bool:
    """Say whether a request is refused while so many jobs are unfinished."""
    job = operation.bulk.job if operation.bulk is not None else None
    return job is not None and job.active is not None and job.active.breach != "conduct"


def stops_at_failure(bulk: Bulk) -> bool:
    """Return whether a failed item always keeps the items after it from running."""
    return isinstance(bulk.unit.stop_after, int) and bulk.unit.stop_after > 0


def example_targets(operation: Operation) -> list[list[str]]:
    """Return the target lists in the request examples of a fan-out; empty for another operation."""
    fan_out = operation.bulk.items.fan_out if operation.bulk is not None else None
    lists = [find(example, fan_out.over) for example in body_examples(operation)] if fan_out is not None else []
    return [[str(name) for name in names] for names in lists if isinstance(names, list)]


class NamedTargets(NamedTuple):
    """Targets of fan-outs in a contract: the first of each example, and others, some of which may not exist."""

    first: tuple[str, ...]
    others: tuple[str, ...]


def named_targets(contract: Contract, bulk: Iterable[Operation]) -> NamedTargets:
    """Return the targets in the examples of these operations and of parameters that name one target."""
    first: dict[str, None] = {}
    others: dict[str, None] = {}
    overs: dict[str, None] = {}
    for operation in bulk:
        for names in example_targets(operation):
            first |= dict.fromkeys(names[:1])
            others |= dict.fromkeys(names[1:])
        if operation.bulk is not None and operation.bulk.items.fan_out is not None:
            overs[operation.bulk.items.fan_out.over] = None
    for over, operation in product(overs, contract.operations):
        chosen = target_parameters(operation, over, "")
        for parameter in (one for one in operation.parameters if one.name in chosen):
            others |= dict.fromkeys(map(text_of, parameter.examples.values()))
    return NamedTargets(tuple(first), tuple(name for name in others if name not in first))

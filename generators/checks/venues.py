"""Where an experiment can be made: a kind of record, the values that its paths need, its single-record calls."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final

from contracts.bulk import Bulk, Resource
from contracts.inference import fallback_resource
from contracts.model import Contract, Operation, Parameter
from contracts.parameters import read_text
from generators.checks.bench import Bench
from generators.checks.jobs import OK
from generators.impossible import ImpossibleError
from generators.locations import is_outside, text_of
from generators.requests.calls import draft, sample
from generators.requests.words import word_for

MOST_SCOUTED: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Venue:
    """A kind of record at one place of an API.

    `values` are those of parameters by name; `acts` are the single-record operations by action.
    """

    resource: Resource
    values: Mapping[str, str]
    acts: Mapping[str, Operation]

    def __hash__(self) -> int:
        return hash((self.resource.name, tuple(sorted(self.values.items()))))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spot:
    """Where an experiment is made: which bulk operation, on which kind of record, of which implementation."""

    bench: Bench
    operation: Operation
    place: Venue

    @property
    def bulk(self) -> Bulk:
        """The operation's `x-bulk`. Raises ImpossibleError when it has none."""
        if self.operation.bulk is None:
            raise ImpossibleError(f"{self.operation.id} has no x-bulk")
        return self.operation.bulk

    @property
    def resource(self) -> Resource:
        """The kind of record."""
        return self.place.resource


def venues(bench: Bench, operation: Operation) -> Sequence[Venue]:
    """Return the places where a bulk operation can be tried, those with most to try first."""
    found = [one for name in _resources(bench.contract, operation) for one in venue(bench, name)]
    fitting = [one for one in found if _takes(operation, one)]
    return sorted(fitting, key=lambda one: -_richness(one))


def venue(bench: Bench, name: str) -> Sequence[Venue]:
    """Return the place of a resource, none when no values could be found for it."""
    known = bench.memory.get(("venue", name))
    if not isinstance(known, tuple):
        known = tuple(_found(bench, bench.contract.resources[name]))
        bench.memory["venue", name] = known
    return known


def _richness(one: Venue) -> int:
    resource = one.resource
    optional = [member for member in resource.references if member not in resource.required]
    return (
        4 * bool(optional)
        + 2 * bool(resource.required)
        + 2 * ("read" in one.acts)
        + (resource.schema is not None)
        - 8 * any(member in resource.required for member in resource.references)
        + len(optional)
    )


def _resources(contract: Contract, operation: Operation) -> Sequence[str]:
    bulk = operation.bulk
    choice = bulk.effect.resource if bulk is not None else None
    if choice is None:
        name = fallback_resource(contract, operation)
        return [name] if name is not None else []
    return [name for name in contract.resources if word_for(operation, choice, name) is not None]


def _parameter(operation: Operation, name: str) -> Parameter | None:
    return next((one for one in operation.parameters if one.name == name), None)


def _found(bench: Bench, resource: Resource) -> Iterator[Venue]:
    """Yield the first place at which a resource answers, else the first place that the contract's examples give."""
    acts = _acts(bench.contract, resource)
    speaking = [*acts.values(), *(one for one in bench.contract.operations if one.bulk is not None)]
    places = list(islice(_places(bench, resource, acts, speaking), MOST_SCOUTED))
    lister = acts.get("list")
    if lister is not None and len(places) > 1:
        places = [one for one in places if _answers(bench, lister, one)][:1]
    yield from (Venue(resource=resource, values=values, acts=acts) for values in places[:1])


def _acts(contract: Contract, resource: Resource) -> dict[str, Operation]:
    found: dict[str, Operation] = {}
    for one in contract.operations:
        if one.record is not None and word_for(one, one.record.resource, resource.name) is not None:
            found.setdefault(one.record.action.constant, one)
    return found


def _places(
    bench: Bench, resource: Resource, acts: Mapping[str, Operation], speaking: Sequence[Operation]
) -> Iterator[dict[str, str]]:
    """Yield values for the path variables that the calls about a resource share, the examples' first."""
    fixed = dict(bench.given) | _words(resource, speaking)
    keys = {one.record.key.partition(":")[2] for one in acts.values() if one.record and one.record.key}
    open_ = {
        one.name: one
        for operation in speaking
        for one in operation.parameters
        if one.where == "path" and one.name not in fixed and one.name not in keys
    }
    if not acts:
        yield fixed
        return
    shared = [one for name, one in open_.items() if any(_parameter(act, name) for act in acts.values())]
    for values in product(*(_values(one) for one in shared)):
        yield {**dict(zip((one.name for one in shared), values, strict=True)), **fixed}


def _words(resource: Resource, speaking: Sequence[Operation]) -> dict[str, str]:
    """Return the words outside the body that choose a resource, by parameter name."""
    words: dict[str, str] = {}
    for one in speaking:
        choice = one.record.resource if one.record is not None else one.bulk.effect.resource if one.bulk else None
        if choice is not None and choice.source and is_outside(choice.source):
            word = word_for(one, choice, resource.name)
            if word is not None:
                words.setdefault(choice.source.partition(":")[2], word)
    return words


def _values(parameter: Parameter) -> Sequence[str]:
    words = parameter.schema.raw.get("enum") if parameter.schema is not None else None
    others = map(text_of, words) if isinstance(words, list) else ()
    return list(dict.fromkeys((sample(parameter), *others)))


def _answers(bench: Bench, lister: Operation, values: Mapping[str, str]) -> bool:
    return bench.send(draft(lister, values).call()).reply.status in OK


def _takes(operation: Operation, one: Venue) -> bool:
    """Say whether an operation's own path takes a venue's values."""
    return all(
        parameter.schema is None or parameter.schema.is_valid(read_text(one.values[parameter.name], parameter.schema))
        for parameter in operation.parameters
        if parameter.where == "path" and parameter.name in one.values
    )

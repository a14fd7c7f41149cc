"""Holding a scenario to the contracts that are served: names that do not exist, points that can never be reached."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from contracts.bulk import Choice
from contracts.errors import Fault, ScenarioError
from contracts.messages import ABSENT
from contracts.model import Contract, Operation
from contracts.names import did_you_mean
from contracts.texts import listed
from mockserver.scenario.predicates import Test
from mockserver.scenario.rules import Rule, Scenario, When

MANY: Final = 12  # names that a cure lists


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What rules may name: the served contracts by the name of their API, and the planted bugs that they can have."""

    contracts: Mapping[str, Contract] = field(default_factory=dict)

    @property
    def bugs(self) -> frozenset[str]:
        """Return the names of the planted bugs that at least one of the contracts can have."""
        from mockserver.scenario.bugs import fitting  # noqa: PLC0415 - it is large, and few scenarios name any

        return frozenset(bug.name for bug in fitting(self.contracts.values()))


def known_of(contracts: Mapping[str, Contract]) -> Known:
    """Return what rules may name where these contracts are served, by the names of their APIs."""
    return Known(contracts=contracts)


def misfits(scenario: Scenario, known: Known, *, shown: str = "scenario") -> tuple[Fault, ...]:
    """Return one Fault for each name that does not exist and each rule that could never decide."""
    found = [*_api("/api", (scenario.api,) if scenario.api else (), known)]
    for n, rule in enumerate(scenario.rules):
        at = f"/rules/{n}"
        operations = _operations(scenario, rule, known)
        found += [*_names(f"{at}/when", rule.when, known, _contracts(scenario, rule.when, known))]
        found += [*_example(at, rule, operations), *_bug(at, rule, known), *_pinned(at, rule, operations)]
    return tuple(Fault(file=shown, pointer=pointer, fact=fact, cure=cure) for pointer, fact, cure in found)


def require_fitting(scenario: Scenario, known: Known, *, shown: str = "scenario") -> Scenario:
    """Return the scenario. Raises ScenarioError when it does not fit what is served."""
    found = misfits(scenario, known, shown=shown)
    if found:
        raise ScenarioError(found)
    return scenario


def _contracts(scenario: Scenario, when: When, known: Known) -> Sequence[Contract]:
    """Return the contracts whose calls may be meant."""
    names = when.words.get("api", known.contracts)
    return [one for name, one in known.contracts.items() if name in names and scenario.api in {"", name}]


def _operations(scenario: Scenario, rule: Rule, known: Known) -> Sequence[Operation]:
    """Return the operations that a rule may be for."""
    named = rule.when.words.get("operation")
    every = (operation for one in _contracts(scenario, rule.when, known) for operation in one.operations)
    return [one for one in every if named is None or one.id in named]


def _names(at: str, when: When, known: Known, contracts: Sequence[Contract]) -> Iterator[tuple[str, str, str]]:
    yield from _api(f"{at}/api", when.words.get("api", ()), known)
    ids = [one.id for contract in contracts for one in contract.operations]
    for name in when.words.get("operation", ()) if contracts else ():
        if name not in ids:
            yield f"{at}/operation", f"there is no operation named '{name}'.", _cure(name, ids)
    inner = [(f"all/{n}", one) for n, one in enumerate(when.all)] + [
        (f"any/{n}", one) for n, one in enumerate(when.any)
    ]
    for place, one in (*inner, *([("not", when.never)] if when.never is not None else [])):
        yield from _names(f"{at}/{place}", one, known, contracts)


def _api(at: str, names: Iterable[str], known: Known) -> Iterator[tuple[str, str, str]]:
    for name in names:
        if name not in known.contracts:
            yield at, f"there is no API named '{name}'.", _cure(name, known.contracts)


def _example(at: str, rule: Rule, operations: Sequence[Operation]) -> Iterator[tuple[str, str, str]]:
    if rule.then.reply is None or rule.then.reply.source != "example" or not operations:
        return
    name = rule.then.reply.example
    names = {example for one in operations for example in examples(one)}
    if name not in names:
        yield (
            f"{at}/then/example",
            f"no answer of the calls that are meant has an example '{name}'.",
            _cure(name, names),
        )


def examples(operation: Operation) -> Iterator[str]:
    """Yield the names of the examples that an operation has for its answers."""
    for response in operation.responses.values():
        for media in response.content:
            yield from media.examples


def _bug(at: str, rule: Rule, known: Known) -> Iterator[tuple[str, str, str]]:
    name = rule.then.bug
    if name is not None and name not in known.bugs:
        yield f"{at}/then/bug", f"there is no applicable bug named '{name}'.", _cure(name, known.bugs)


def _pinned(at: str, rule: Rule, operations: Sequence[Operation]) -> Iterator[tuple[str, str, str]]:
    """Refuse a point during the commit where only units that fall as a whole can be meant."""
    if rule.then.at != "during-commit":
        return
    units = {unit for one in operations if one.bulk is not None for unit in _units(one.bulk.unit.of, rule.when)}
    if units == {"whole"}:
        fact = "'during-commit' does not exist where all items are one unit, and 'when' lets no other mode through."
        yield f"{at}/then/at", fact, "Use before-commit or after-commit, or another mode."


def _units(choice: Choice, when: When) -> set[str]:
    """Return the units that a condition lets through."""
    from mockserver.domain.places import choose  # noqa: PLC0415 - the domain imports the stores

    if not choice.source:
        return {choice.constant}
    test = _test_on(choice.source, when)
    words: list[object] = [ABSENT, *choice.words, *map(str.lower, choice.words), *_literals(test)]
    through = [word for word in words if test is None or test.holds(word)]
    return {unit for word in through if (unit := choose(choice, word)) is not None}


def _test_on(source: str, when: When) -> Test | None:
    where, _, name = source.partition(":")
    tests = {"query": when.query, "header": when.header}.get(where, {})
    if name in tests:
        return tests[name]
    return next((test for one in when.all if (test := _test_on(source, one)) is not None), None)


def _literals(test: Test | None) -> list[object]:
    if test is None or test.word not in {"equals", "in"}:
        return []
    return list(test.value) if test.word == "in" else [test.value]


def _cure(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    hint = did_you_mean(name, names)
    if hint or not names:
        return hint
    return f"Known: {listed(names)}." if len(names) <= MANY else ""

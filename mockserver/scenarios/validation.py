"""Check what a schema cannot express of a scenario (`mistakes`), and check it against the served contracts.

`contract_faults` finds names that do not exist and rules that can never apply.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from contracts.bulk.declarations import unreturnable
from contracts.bulk.model import Choice
from contracts.errors import Fault, ScenarioError
from contracts.exchange.locations import choose
from contracts.messages import ABSENT
from contracts.openapi.model import Contract, Operation
from contracts.syntax.text import escape, listed, names_hint, pointer_of, short
from mockserver.scenarios.building import BODY_SOURCES, ITEM_KINDS, JOB_WORDS, TENANT_WORDS, WIRE_FAULTS, bad_references
from mockserver.scenarios.model import (
    RequestCondition,
    Rule,
    Scenario,
    ValueTest,
    as_test,
    glob,
    scenario_duration,
)

CheckRule: TypeAlias = Mapping[str, Any]
Mistake: TypeAlias = tuple[str, str, str]  # pointer inside the rule, fact, cure
SHORTER: Final = "Write a shorter one."
CONNECTION_HEADERS: Final = ("content-length", "transfer-encoding", "connection")
RE2_CURE: Final = "Write it in RE2's syntax, without look-around and back-references."


def mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield the mistakes of a document that conforms to the schema: pointer, fact and cure."""
    for n, rule in enumerate(document["rules"]):
        for check in CHECKS:
            yield from ((f"/rules/{n}{pointer}", fact, cure) for pointer, fact, cure in check(rule))


def _said(rule: CheckRule, words: Iterable[str]) -> list[str]:
    return [word for word in words if word in rule["then"]]


def _alone(rule: CheckRule) -> Iterator[Mistake]:
    """Refuse words of which only one can be said."""
    for group in (ITEM_KINDS, WIRE_FAULTS, tuple(BODY_SOURCES), ("duration", "never-ends")):
        found = _said(rule, group)
        if len(found) > 1:
            yield "/then", f"{listed(map(repr, found))} cannot be combined.", "Keep one of them."


def _needs(rule: CheckRule) -> Iterator[Mistake]:
    """Refuse words that lack another beside them."""
    acting_words = _said(rule, ITEM_KINDS)
    if acting_words and "items" not in rule:
        yield (
            "",
            f"'{acting_words[0]}' needs 'items' beside 'then'.",
            "Say which items: {every: 1} is all of them.",
        )
    if "on" in rule["then"] and "delay" not in rule["then"]:
        yield "/then/on", "'on' needs a 'delay'.", "Add one, such as 'delay: 2s'."
    if "at" in rule["then"] and not _said(rule, ("delay", *WIRE_FAULTS, "status", *BODY_SOURCES)):
        yield "/then/at", "'at' needs something that happens there.", "Add a delay, a fault, a time-out or a status."


def _replaced(rule: CheckRule) -> Iterator[Mistake]:
    """Refuse a reply in the place of the call's own beside what acts on the items, jobs or tenants of that call."""
    replacing = _said(rule, ("status", *BODY_SOURCES))
    acting_words = _said(rule, (*ITEM_KINDS, *JOB_WORDS, *TENANT_WORDS))
    at = rule["then"].get("at")
    if replacing and acting_words and at != "after-commit":
        idle = listed(map(repr, acting_words))
        fact = f"'{replacing[0]}' answers in place of carrying the call out: nothing is left for {idle}."
        yield "/then", fact, "Use two rules, or add 'at: after-commit'."
    if replacing and at == "during-commit":
        yield "/then/at", f"'{replacing[0]}' cannot be used there.", "Use before-commit or after-commit."


def _lengths(rule: CheckRule) -> Iterator[Mistake]:
    """Refuse durations that cannot be read, and bounds in the wrong order."""
    then = rule["then"]
    for name in ("duration", "gone-after", "delay"):
        if isinstance(then.get(name), str) and (fact := _error_of(scenario_duration, then[name])):
            yield f"/then/{name}", fact.removesuffix(f" {SHORTER}"), SHORTER
    delay = then.get("delay")
    bounds = delay.get("uniform") if isinstance(delay, Mapping) else None
    if bounds and bounds["lower_ms"] > bounds["upper_ms"]:
        yield "/then/delay/uniform", "'lower_ms' is above 'upper_ms'.", "Exchange them."


def _tests(rule: CheckRule) -> Iterator[Mistake]:
    """Refuse regular expressions and schemas that cannot be compiled."""
    where = rule.get("items", {}).get("where", {})
    yield from _map_of_tests("/items/where", where)
    if "when" in rule:
        yield from _tests_of_when("/when", rule["when"])


def _tests_of_when(at: str, when: Mapping[str, Any]) -> Iterator[Mistake]:
    for name in ("header", "query"):
        yield from _map_of_tests(f"{at}/{name}", when.get(name, {}))
    for n, one in enumerate(when.get("body", ())):
        yield from _test(f"{at}/body/{n}/test", one["test"])
    if "counter" in when:
        yield from _test(f"{at}/counter/is", when["counter"]["is"])
    if "path" in when and (fact := _error_of(glob, when["path"])):
        yield f"{at}/path", fact, "Write a shorter path."
    for name in ("all", "any"):
        for n, one in enumerate(when.get(name, ())):
            yield from _tests_of_when(f"{at}/{name}/{n}", one)
    if "not" in when:
        yield from _tests_of_when(f"{at}/not", when["not"])


def _map_of_tests(at: str, tests: Mapping[str, Any]) -> Iterator[Mistake]:
    for name, document in tests.items():
        yield from _test(f"{at}/{escape(name)}", document)


def _test(at: str, document: Any) -> Iterator[Mistake]:
    fact = _error_of(as_test, document)
    if fact:
        word = next(iter(document))
        cure = RE2_CURE if word == "matches" else "Write a JSON Schema (2020-12) that refers to nothing outside itself."
        yield f"{at}/{word}", fact, cure


def _error_of(read: Callable[[Any], object], value: Any) -> str:
    try:
        read(value)
    except ValueError as error:
        return str(error)
    return ""


def _texts(rule: CheckRule) -> Iterator[Mistake]:
    """Refuse references that are not well written, and headers that the connection has for itself."""
    then = rule["then"]
    places = {"body": then.get("body"), "fail/message": then.get("fail", {}).get("message", "")}
    for name, value in places.items():
        for tokens, reference in bad_references(value):
            fact = f"{short(reference)} is not a reference."
            cure = "Write ${item} or ${item.x}, and $${ for the two signs themselves."
            yield f"/then/{name}{pointer_of(tokens)}", fact, cure
    for name in then.get("headers", {}):
        if name.lower() in CONNECTION_HEADERS:
            yield (
                f"/then/headers/{name}",
                f"'{name}' is set by the server.",
                "To break the framing use 'fault' or 'truncate'.",
            )


CHECKS: Final = (_alone, _needs, _replaced, _lengths, _tests, _texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownNames:
    """What rules may name: the served contracts by the name of their API, and the planted bugs that they can have."""

    contracts: Mapping[str, Contract] = field(default_factory=dict)

    @property
    def bugs(self) -> frozenset[str]:
        """Return the names of the planted bugs that at least one of the contracts can have."""
        from mockserver.bugs.catalogue import bugs_for  # noqa: PLC0415 - it is large, and few scenarios name any

        return frozenset(bug.name for bug in bugs_for(self.contracts.values()))


def known_names(contracts: Mapping[str, Contract]) -> KnownNames:
    """Return what rules may name where these contracts are served, by the names of their APIs."""
    return KnownNames(contracts=contracts)


def contract_faults(scenario: Scenario, known: KnownNames, *, shown: str = "scenario") -> tuple[Fault, ...]:
    """Return one Fault for each name that does not exist and each rule that can never apply."""
    found = [*_api("/api", (scenario.api,) if scenario.api else (), known)]
    for n, rule in enumerate(scenario.rules):
        at = f"/rules/{n}"
        operations = _operations(scenario, rule, known)
        found += [*_names(f"{at}/when", rule.when, known, _contracts(scenario, rule.when, known))]
        found += [*_example(at, rule, operations), *_bug(at, rule, known), *_commit_point(at, rule, operations)]
        found += _left(at, rule, operations)
    return tuple(Fault(file=shown, pointer=pointer, fact=fact, cure=cure) for pointer, fact, cure in found)


def require_fitting(scenario: Scenario, known: KnownNames, *, shown: str = "scenario") -> Scenario:
    """Return the scenario. Raises ScenarioError when it does not fit the served contracts."""
    found = contract_faults(scenario, known, shown=shown)
    if found:
        raise ScenarioError(found)
    return scenario


def _contracts(scenario: Scenario, when: RequestCondition, known: KnownNames) -> Sequence[Contract]:
    """Return the contracts whose calls may be meant."""
    names = when.words.get("api", known.contracts)
    return [one for name, one in known.contracts.items() if name in names and scenario.api in {"", name}]


def _operations(scenario: Scenario, rule: Rule, known: KnownNames) -> Sequence[Operation]:
    """Return the operations that a rule may be for."""
    named = rule.when.words.get("operation")
    every = (operation for one in _contracts(scenario, rule.when, known) for operation in one.operations)
    return [one for one in every if named is None or one.id in named]


def _names(
    at: str, when: RequestCondition, known: KnownNames, contracts: Sequence[Contract]
) -> Iterator[tuple[str, str, str]]:
    yield from _api(f"{at}/api", when.words.get("api", ()), known)
    ids = [one.id for contract in contracts for one in contract.operations]
    for name in when.words.get("operation", ()) if contracts else ():
        if name not in ids:
            yield f"{at}/operation", f"there is no operation named '{name}'.", names_hint(name, sorted(ids))
    inner = [(f"all/{n}", one) for n, one in enumerate(when.all)] + [
        (f"any/{n}", one) for n, one in enumerate(when.any)
    ]
    for place, one in (*inner, *([("not", when.negated)] if when.negated is not None else [])):
        yield from _names(f"{at}/{place}", one, known, contracts)


def _api(at: str, names: Iterable[str], known: KnownNames) -> Iterator[tuple[str, str, str]]:
    for name in names:
        if name not in known.contracts:
            yield at, f"there is no API named '{name}'.", names_hint(name, sorted(known.contracts))


def _example(at: str, rule: Rule, operations: Sequence[Operation]) -> Iterator[tuple[str, str, str]]:
    if rule.then.response is None or rule.then.response.source != "example" or not operations:
        return
    name = rule.then.response.example
    names = {example for one in operations for example in examples(one)}
    if name not in names:
        yield (
            f"{at}/then/example",
            f"no answer of the calls that are meant has an example '{name}'.",
            names_hint(name, sorted(names)),
        )


def examples(operation: Operation) -> Iterator[str]:
    """Yield the names of the examples that an operation has for its responses."""
    for documented in operation.responses.values():
        for media in documented.content:
            yield from media.examples


def _bug(at: str, rule: Rule, known: KnownNames) -> Iterator[tuple[str, str, str]]:
    name = rule.then.bug
    if name is not None and name not in known.bugs:
        yield f"{at}/then/bug", f"there is no applicable bug named '{name}'.", names_hint(name, sorted(known.bugs))


def _left(at: str, rule: Rule, operations: Sequence[Operation]) -> Iterator[tuple[str, str, str]]:
    """Refuse to leave items unprocessed where no call that can be meant returns them."""
    reasons = [one.bulk is None or unreturnable(one.bulk) for one in operations]
    if rule.then.item is None or rule.then.item.kind != "leave" or not operations or not all(reasons):
        return
    why = next((f": {one}" for one in reasons if isinstance(one, str)), "")
    fact = f"no call that is meant can return items as not processed{why}."
    yield f"{at}/then/leave", fact, "Use 'fail', or mean a call whose contract declares guard.retry.unprocessed."


def _commit_point(at: str, rule: Rule, operations: Sequence[Operation]) -> Iterator[tuple[str, str, str]]:
    """Refuse a point during the commit where only units that fall as a whole can be meant."""
    if rule.then.commit_point != "during-commit":
        return
    units = {unit for one in operations if one.bulk is not None for unit in _units(one.bulk.unit.of, rule.when)}
    if units == {"whole"}:
        fact = "'during-commit' does not exist where all items are one unit, and 'when' lets no other mode through."
        yield f"{at}/then/at", fact, "Use before-commit or after-commit, or another mode."


def _units(choice: Choice, when: RequestCondition) -> set[str]:
    """Return the units that a condition lets through."""
    if not choice.source:
        return {choice.constant}
    test = _test_on(choice.source, when)
    words: list[object] = [ABSENT, *choice.words, *map(str.lower, choice.words), *_literals(test)]
    through = [word for word in words if test is None or test.holds(word)]
    return {unit for word in through if (unit := choose(choice, word)) is not None}


def _test_on(source: str, when: RequestCondition) -> ValueTest | None:
    where, _, name = source.partition(":")
    tests = {"query": when.query, "header": when.header}.get(where, {})
    if name in tests:
        return tests[name]
    return next((test for one in when.all if (test := _test_on(source, one)) is not None), None)


def _literals(test: ValueTest | None) -> list[object]:
    if test is None or test.word not in {"equals", "in"}:
        return []
    return list(test.value) if test.word == "in" else [test.value]

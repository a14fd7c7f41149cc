"""What a schema cannot say of a scenario: which words of a rule go together, and which values cannot be used."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from contracts.pointers import escape, pointer_of
from contracts.texts import listed, short
from mockserver.scenario.building import CUTS, ITEM_KINDS, JOB, SOURCES, TENANTS
from mockserver.scenario.filling import bad_references
from mockserver.scenario.patterns import glob
from mockserver.scenario.predicates import as_test
from mockserver.scenario.spans import SAMPLES, span

Rule: TypeAlias = Mapping[str, Any]
Mistake: TypeAlias = tuple[str, str, str]  # pointer inside the rule, fact, cure
FRAMING: Final = ("content-length", "transfer-encoding", "connection")
RE2: Final = "Write it in RE2's syntax, without look-around and back-references."


def mistakes(document: Mapping[str, Any]) -> Iterator[Mistake]:
    """Yield what is wrong with a document that fits the schema: pointer, fact and cure."""
    for n, rule in enumerate(document["rules"]):
        for check in CHECKS:
            yield from ((f"/rules/{n}{pointer}", fact, cure) for pointer, fact, cure in check(rule))


def _said(rule: Rule, words: Iterable[str]) -> list[str]:
    return [word for word in words if word in rule["then"]]


def _alone(rule: Rule) -> Iterator[Mistake]:
    """Refuse words of which only one can be said."""
    for group in (ITEM_KINDS, CUTS, tuple(SOURCES), ("duration", "never-ends")):
        found = _said(rule, group)
        if len(found) > 1:
            yield "/then", f"{listed(map(repr, found))} cannot be combined.", "Keep one of them."


def _needs(rule: Rule) -> Iterator[Mistake]:
    """Refuse words that lack another beside them."""
    acting = _said(rule, ITEM_KINDS)
    if acting and "items" not in rule:
        yield "", f"'{acting[0]}' needs 'items' beside 'then'.", "Say which items: {every: 1} is all of them."
    if "on" in rule["then"] and "delay" not in rule["then"]:
        yield "/then/on", "'on' needs a 'delay'.", "Add one, such as 'delay: 2s'."
    if "at" in rule["then"] and not _said(rule, ("delay", *CUTS, "status", *SOURCES)):
        yield "/then/at", "'at' needs something that happens there.", "Add a delay, a fault, a time-out or a status."


def _left_over(rule: Rule) -> Iterator[Mistake]:
    """Refuse a reply in the place of the call's own beside what acts on the items, jobs or tenants of that call."""
    replacing = _said(rule, ("status", *SOURCES))
    acting = _said(rule, (*ITEM_KINDS, *JOB, *TENANTS))
    at = rule["then"].get("at")
    if replacing and acting and at != "after-commit":
        idle = listed(map(repr, acting))
        fact = f"'{replacing[0]}' answers in place of carrying the call out: nothing is left for {idle}."
        yield "/then", fact, "Use two rules, or add 'at: after-commit'."
    if replacing and at == "during-commit":
        yield "/then/at", f"'{replacing[0]}' cannot be used there.", "Use before-commit or after-commit."


def _lengths(rule: Rule) -> Iterator[Mistake]:
    """Refuse durations that cannot be read, and bounds in the wrong order."""
    then = rule["then"]
    for name in ("duration", "gone-after", "delay"):
        if isinstance(then.get(name), str) and (fact := _why(span, then[name])):
            yield f"/then/{name}", fact, f"Write it like {SAMPLES}."
    delay = then.get("delay")
    bounds = delay.get("uniform") if isinstance(delay, Mapping) else None
    if bounds and bounds["lower_ms"] > bounds["upper_ms"]:
        yield "/then/delay/uniform", "'lower_ms' is above 'upper_ms'.", "Exchange them."


def _tests(rule: Rule) -> Iterator[Mistake]:
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
    if "path" in when and (fact := _why(glob, when["path"])):
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
    fact = _why(as_test, document)
    if fact:
        word = next(iter(document))
        cure = RE2 if word == "matches" else "Write a JSON Schema (2020-12) that refers to nothing outside itself."
        yield f"{at}/{word}", fact, cure


def _why(read: Callable[[Any], object], value: Any) -> str:
    try:
        read(value)
    except ValueError as error:
        return str(error)
    return ""


def _texts(rule: Rule) -> Iterator[Mistake]:
    """Refuse references that are not well written, and headers that the connection has for itself."""
    then = rule["then"]
    places = {"body": then.get("body"), "fail/message": then.get("fail", {}).get("message", "")}
    for name, value in places.items():
        for tokens, reference in bad_references(value):
            fact = f"{short(reference)} is not a reference."
            cure = "Write ${item} or ${item.x}, and $${ for the two signs themselves."
            yield f"/then/{name}{pointer_of(tokens)}", fact, cure
    for name in then.get("headers", {}):
        if name.lower() in FRAMING:
            yield (
                f"/then/headers/{name}",
                f"'{name}' is set by the server.",
                "To break the framing use 'fault' or 'truncate'.",
            )


CHECKS: Final = (_alone, _needs, _left_over, _lengths, _tests, _texts)

"""Faults of items as violations: what the journal tells of a call that was refused for what its items say."""

from collections.abc import Iterator, Sequence
from typing import Final

from contracts.findings import LISTED, Violation
from contracts.messages import ABSENT
from contracts.pointers import pointer_of
from contracts.texts import listed, short
from mockserver.domain.replies import message_of
from mockserver.domain.values import Fault, Outcome

RULES: Final = {"missing": "required", "unknown": "additionalProperties", "type": "type", "length": "maxLength"}


def violations_of(outcomes: Sequence[Outcome], at: str, payload: str) -> tuple[Violation, ...]:
    """Return what is wrong with the members of failed items, alike faults as one, at most a hundred.

    `at` is the pointer of the list of items, `payload` that of the record inside an item.
    """
    groups: dict[tuple[str, tuple[str, ...], str], list[tuple[Outcome, Fault]]] = {}
    for outcome, fault in _blamed(outcomes):
        key = (fault.kind, fault.members, str(fault.facts.get("closest", "")))
        groups.setdefault(key, []).append((outcome, fault))
    return tuple(_violation(*group[0], at, payload, len(group)) for group in list(groups.values())[:LISTED])


def _blamed(outcomes: Sequence[Outcome]) -> Iterator[tuple[Outcome, Fault]]:
    for outcome in outcomes:
        if outcome.result == "failed":
            yield from ((outcome, fault) for fault in outcome.faults if fault.kind in {*RULES, "schema"})


def _violation(outcome: Outcome, fault: Fault, at: str, payload: str, items: int) -> Violation:
    facts, member = fault.facts, fault.members[-1] if fault.members else ""
    lacks = fault.kind == "missing" and fault.value is ABSENT
    inner = pointer_of((member,)) if member and not lacks and isinstance(outcome.item.payload, dict) else ""
    words = facts.get("words")
    return Violation(
        side="call",
        where="body",
        pointer=f"{at}/{outcome.item.index}{payload}{inner}",
        rule=_rule(fault),
        expected=listed(map(str, words), "or") if isinstance(words, tuple) else _expected(fault, member),
        got="nothing" if fault.value is ABSENT else short(fault.value),
        hint=str(facts.get("closest") or facts.get("nearest") or ""),
        detail=message_of(outcome._replace(faults=(fault,))),
        items=items,
        field=member,
    )


def _rule(fault: Fault) -> str:
    if fault.kind == "length" and isinstance(fault.value, str):
        least = fault.facts.get("min")
        return "minLength" if isinstance(least, int) and len(fault.value) < least else "maxLength"
    return RULES.get(fault.kind, str(fault.facts.get("keyword", "")))


def _expected(fault: Fault, member: str) -> str:
    facts = fault.facts
    if fault.kind == "missing":
        return f"member '{member}'"
    if fault.kind == "length":
        return f"{facts.get('min')} to {facts.get('max')} characters"
    return str(facts.get("expected", "")) if fault.kind == "type" else ""

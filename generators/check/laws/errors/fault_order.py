"""The part of the law `errors` on order: the faults of an item are told in the declared one (`faultOrder`).

Begin with `misplaced_fault`.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from contracts.bulk.model import Outcomes
from contracts.syntax.text import as_list

TELLING_FACTS: Final = ("value", "key")  # by which a fault is found in the text of several


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFault:
    """One fault of an item: its kind (a word of `codes`), the member at fault ("" for none), and facts about it.

    `sent` and `declared` are the member's places in the item and in its schema, -1 where it has none.
    """

    kind: str
    member: str = ""
    facts: Mapping[str, object] = field(default_factory=dict)
    sent: int = -1
    declared: int = -1

    def __str__(self) -> str:
        """Return a short description."""
        return f"{self.kind} of '{self.member}'" if self.member else self.kind


def sent_names(payload: Any) -> list[str]:
    """Return the names of the members in a payload in their order: an object, or a list of changes."""
    if isinstance(payload, dict):
        return list(payload)
    return [str(one.get("path")).removeprefix("/") for one in as_list(payload) if isinstance(one, dict)]


def misplaced_fault(
    declared: Outcomes, faults: Sequence[KnownFault], entries: Sequence[int], texts: Sequence[object]
) -> str | None:
    """Return how faults are told in another order than the declared one, None for the right order.

    `entries` are the places of the entries that tell them, `texts` the texts in these.
    """
    ranks = [_rank(declared.fault_order, one) for one in faults]
    where = [0 if declared.many else _place(one, str(text)) for one, text in zip(faults, texts, strict=True)]
    places = list(zip(entries, where, strict=True))
    ranked = [(rank, place, one) for rank, place, one in zip(ranks, places, faults, strict=True) if None not in rank]
    ranked.sort(key=lambda one: one[0])
    for (_, place, one), (_, after, other) in pairwise(ranked):
        if -1 not in {place[1], after[1]} and after < place:
            return f"the {other} is told before the {one}"
    return None


def _rank(order: Sequence[str], fault: KnownFault) -> tuple[int | None, int | None]:
    """Return where a fault belongs, with None where nobody says it."""
    by_member = next((word for word in ("sent", "declared") if word in order), "")
    group = fault.kind if fault.kind in {"version", "missing"} else by_member
    places = {"version": 0, "missing": fault.declared, "sent": fault.sent, "declared": fault.declared}
    at = places.get(group, -1)
    return order.index(group) if group in order else None, at if at >= 0 else None


def _place(fault: KnownFault, text: str) -> int:
    """Return where a text tells a fault, -1 where that cannot be told."""
    fact = next((str(fault.facts[name]) for name in TELLING_FACTS if fault.facts.get(name) is not None), None)
    found = re.search(rf"(?<![0-9A-Za-z]){re.escape(fact)}(?![0-9A-Za-z])", text) if fact is not None else None
    return found.start() if found is not None else -1

"""The part of the law `errors` on several faults of an item: in the declared order (`faultOrder`), joined as declared.

Begin with `misplaced_fault` and `misjoined`.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, permutations
from typing import Any, Final, TypeAlias

from contracts.bulk.model import Bulk, Outcomes
from contracts.schemas.schema_set import Schema
from contracts.syntax.text import as_list, short
from generators.check.trials import TrialResult, trial_finding
from generators.oracles.findings import Finding

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


def declared_outcomes(bulk: Bulk) -> list[Outcomes]:
    """Return what is declared of the outcomes in responses, and of those of jobs."""
    told = (bulk.reply.outcomes, bulk.job.outcomes if bulk.job is not None else None)
    return [one for one in told if one is not None]


def length_limits(schema: Schema) -> dict[str, object]:
    """Return the limits of a text's length that a fault's text may name."""
    return {word: schema.raw.get(word) for word in ("minLength", "maxLength")}


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


Run: TypeAlias = tuple[TrialResult, Mapping[int, Sequence[KnownFault]]]
"""Items with faults as they were told, and these faults by slot."""


def misjoined(first: Run, again: Run) -> Iterator[Finding]:
    """Yield a text of several faults that is not the texts of each alone, joined as declared.

    The text of a single fault is known where it is the same in both runs, names apart.
    """
    declared = next((report.declared for report in first[0].view.reports), None)
    if declared is None or not isinstance(declared.every, str) or declared.message is not None:
        return
    known, others = _templates(first), _templates(again)
    for text, key, faults in _texts(first):
        kinds = [_kind(fault) for fault in faults]
        if len(kinds) > 1 and all(one in known and known[one] == others.get(one) for one in kinds):
            alone = [_filled(known[one], key, fault) for one, fault in zip(kinds, faults, strict=True)]
            if text not in map(declared.every.join, permutations(alone)):
                says = f"several faults are told as {short(text)}, not as {short(declared.every.join(alone))}"
                yield trial_finding("errors", "faults are joined otherwise", says, first[0])
                return


def _texts(run: Run) -> Iterator[tuple[str, object, Sequence[KnownFault]]]:
    """Yield the text of each item that failed, its key, and its faults."""
    done, faults = run
    for slot, known in faults.items():
        error = done.outcomes[slot].error if slot in done.outcomes else None
        if isinstance(error, str):
            yield error, done.trial.items[slot].content.target, known


def _kind(fault: KnownFault) -> tuple[str, str]:
    """Return what faults have in common whose texts differ in names alone."""
    return fault.kind, repr({name: value for name, value in fault.facts.items() if name not in TELLING_FACTS})


def _templates(run: Run) -> Mapping[tuple[str, str], str]:
    """Return the texts of items with one fault by its kind, with blanks for the names in them."""
    return {_kind(known[0]): _blanked(text, key, known[0]) for text, key, known in _texts(run) if len(known) == 1}


def _names(key: object, fault: KnownFault) -> Mapping[str, str]:
    told = {"own": key, **{name: fault.facts.get(name) for name in TELLING_FACTS}}
    return {name: str(value) for name, value in told.items() if value is not None}


def _blanked(text: str, key: object, fault: KnownFault) -> str:
    for name, value in _names(key, fault).items():
        text = re.sub(rf"(?<![0-9A-Za-z]){re.escape(value)}(?![0-9A-Za-z])", f"\0{name}\0", text)
    return text


def _filled(template: str, key: object, fault: KnownFault) -> str:
    names = _names(key, fault)
    return re.sub("\0(.*?)\0", lambda found: names.get(found[1], found[0]), template)


def unnamed_fact(declared: Outcomes, fault: KnownFault, text: object, member: str) -> str | None:
    """Return the first declared fact that a text does not name in its place, None when it names all that are known."""
    facts, at = {**fault.facts, "member": member if fault.member else None}, 0
    named = ((name, facts.get(name)) for name in declared.names.get(fault.kind, ()))
    for name, fact in ((name, one) for name, some in named for one in (some if isinstance(some, tuple) else [some])):
        if fact is None:
            continue
        word = re.escape(str(fact))
        found = re.compile(rf"(?<![0-9A-Za-z]){word}(?![0-9A-Za-z])").search(str(text), at)
        if found is None:
            return name
        at = found.end()
    return None

"""Applying one half of a batch, and later the other: what is there to see while a commit is under way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from mockserver.domain.units import in_groups, place_of, units
from mockserver.domain.values import Fault, Item, Outcome

RunItems: TypeAlias = Callable[[Sequence[Item], frozenset[object]], list[Outcome]]
CUT_OFF: Final = Fault("cut-off", facts={"message": "the connection broke before it was applied"})


def halved(unit: str, items: Sequence[Item], *, grouped: bool) -> tuple[list[Item], list[Item]]:
    """Return the items that are applied in the first half, in their order, and the rest.

    The half is rounded down; where groups fall together, only those that fit into it wholly.
    """
    ordered = [item for some in units(unit, in_groups(items) if grouped else items) for item in some]
    size = len(ordered) // 2
    if unit == "group":
        ends = [0]
        for some in units(unit, ordered):
            ends.append(ends[-1] + len(some))
        size = max(end for end in ends if end <= size)
    return ordered[:size], ordered[size:]


def cut_off(items: Sequence[Item]) -> list[Outcome]:
    """Return the outcomes of items that are not applied."""
    return [Outcome(item, "not-run", item.action, (CUT_OFF,)) for item in items]


@dataclass(slots=True)
class Halves:
    """Which half of a call's items is being applied; `done` are the outcomes of the first, by data set."""

    second: bool = False
    done: dict[str, list[Outcome]] = field(default_factory=dict)

    def perform(self, scope: str, unit: str, items: Sequence[Item], run: RunItems, *, grouped: bool) -> list[Outcome]:
        """Apply the half that it is time for; return the outcomes of all, in the order of the request."""
        first, rest = halved(unit, items, grouped=grouped)
        if not self.second:
            self.done[scope] = run(first, frozenset())
            return sorted((*self.done[scope], *cut_off(rest)), key=place_of)
        before = self.done[scope]
        broken = frozenset(one.item.key for one in before if one.result != "done")
        return sorted((*before, *run(rest, broken)), key=place_of)

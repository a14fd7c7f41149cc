"""Which items of a call a rule means."""

from collections.abc import Sequence
from math import floor
from random import Random
from typing import Final

from contracts.messages import ABSENT
from contracts.pointers import look_up
from mockserver.scenario.facts import Part, Unmet
from mockserver.scenario.predicates import as_text
from mockserver.scenario.rules import Picks

SHOWN: Final = 5  # values of a member that a near miss names


def pick(picks: Picks, items: Sequence[Part], chance: Random) -> tuple[Part, ...]:
    """Return the items that are meant, in their order. `chance` is asked for a `ratio` alone."""
    fitting = [one for one in items if _fits(picks, one)][picks.every - 1 :: picks.every]
    if picks.ratio is not None and fitting:
        share = max(1, floor(picks.ratio * len(fitting) + 0.5))
        fitting = [fitting[n] for n in sorted(chance.sample(range(len(fitting)), share))]
    return tuple(fitting if picks.first is None else fitting[: picks.first])


def nothing_picked(picks: Picks, items: Sequence[Part]) -> tuple[Unmet, ...]:
    """Return why none of the items is meant: the first condition that none of them fits, with what there is."""
    for pointer, test in picks.where:
        if not any(test.holds(look_up(one.raw, pointer)) for one in items):
            return (Unmet(f"items.where{pointer}", test.said, _values(pointer, items)),)
    if picks.keys is not None and not any(as_text(one.key) in picks.keys for one in items):
        return (Unmet("items.key", sorted(picks.keys), [one.key for one in items[:SHOWN]]),)
    return (Unmet("items", picks.said, f"{len(items)} items"),)


def _fits(picks: Picks, part: Part) -> bool:
    return (
        (picks.indexes is None or part.index in picks.indexes)
        and (picks.keys is None or as_text(part.key) in picks.keys)
        and all(test.holds(look_up(part.raw, pointer)) for pointer, test in picks.where)
    )


def _values(pointer: str, items: Sequence[Part]) -> object:
    found = (look_up(one.raw, pointer) for one in items)
    values = list(dict.fromkeys(as_text(value) for value in found if value is not ABSENT))
    return values[:SHOWN] or None

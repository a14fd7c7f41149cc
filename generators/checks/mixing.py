"""Which items an experiment sends, and where it is made: good and defective ones, at the first place that works."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, cycle, islice
from typing import Final, TypeVar

from contracts.model import Operation
from generators.checks.bench import Bench
from generators.checks.findings import Experiment, Finding
from generators.checks.following import named_like
from generators.checks.intents import Intent
from generators.checks.requests import stops, units_of
from generators.checks.staging import repertoire
from generators.checks.venues import Spot, Venue, venues
from generators.checks.wrapping import unspoken
from generators.impossible import ImpossibleError

LENGTH: Final = 12  # items that a mix has at least: some faults show in long lists only
Thing = TypeVar("Thing")
MOST: Final = 100  # items that are sent together where there is no limit
PLACES: Final = 3  # kinds of record that are tried before an experiment is given up


def at_a_place(bench: Bench, operation: Operation, experiment: Experiment, *, turn: int = 0) -> Iterator[Finding]:
    """Yield what an experiment finds at the first place where it can be made. Raises ImpossibleError.

    The places with most to try are tried first, beginning with another one for each `turn`.
    """
    reason = unspoken(operation)
    if reason is not None:
        raise ImpossibleError(reason)
    found = venues(bench, operation)
    if found and not any(_reaches(operation, place) for place in found):
        raise ImpossibleError("its records belong to targets that no call for single records can name")
    places = deque(found[:PLACES])
    places.rotate(-turn)
    reasons: list[str] = []
    for place in places:
        try:
            yield from experiment(Spot(bench=bench, operation=operation, place=place))
        except ImpossibleError as error:
            reasons.append(str(error))
        else:
            return
    raise ImpossibleError(reasons[0] if reasons else "no resource was found to test it on")


def _reaches(operation: Operation, place: Venue) -> bool:
    """Say whether what a bulk operation stores for one target can be looked at by single-record calls."""
    fan_out = operation.bulk.items.fan_out if operation.bulk is not None else None
    return fan_out is None or any(named_like(act, fan_out.over, "") for act in place.acts.values())


def goods(spot: Spot, size: int) -> list[Intent]:
    """Return so many good intents, every kind in turn."""
    known, _ = repertoire(spot)
    if not known:
        raise ImpossibleError(f"no item could be made that {spot.operation.id} should carry out")
    return list(islice(cycle(known), size))


def bads(spot: Spot) -> Sequence[Intent]:
    """Return one intent of each defect that items can have here without the whole request being refused."""
    _, known = repertoire(spot)
    if not known:
        raise ImpossibleError("no item could be made that fails by itself")
    return known


def mixed(spot: Spot) -> list[Intent]:
    """Return a good intent before each defective one, and some behind the last; two defects stand side by side."""
    most = spot.bulk.items.max or 2 * LENGTH
    wrong = bads(spot)[: max(1, (most - 2) // 2)]
    right = goods(spot, max(len(wrong) + 3, LENGTH - len(wrong)))
    pairs = list(chain.from_iterable(zip(right, wrong, strict=False)))
    return [*pairs, wrong[0], *right[len(wrong) :]][:most]


def inserted(right: Sequence[Intent], wrong: Intent, at: int) -> list[Intent]:
    """Return good intents with a defective one among them."""
    return [*right[:at], wrong, *right[at:]]


def batched(things: Sequence[Thing], most: int) -> Iterator[Sequence[Thing]]:
    """Yield things in lists of at most so many."""
    yield from (things[start : start + most] for start in range(0, len(things), most))


def together(spot: Spot) -> int:
    """Return how many items may be sent together so that none of them touches another."""
    apart = units_of(spot.bulk)[0] == "item" and not stops(spot.bulk)
    return (spot.bulk.items.max or MOST) if apart else 1


def over(sets: Iterable[Thing], trial: Callable[[Thing], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield what a trial finds in each of some sets of items. Raises ImpossibleError when none could be tried."""
    reasons: list[str] = []
    tried = 0
    for some in sets:
        try:
            yield from trial(some)
            tried += 1
        except ImpossibleError as error:
            reasons.append(str(error))
    if reasons and not tried:
        raise ImpossibleError(reasons[0])

"""Which items an experiment sends, and where it is made: mixes of good and defective ones, at the first place that works."""

from collections.abc import Callable, Sequence
from itertools import chain, cycle, islice
from typing import Final

from contracts.model import Operation
from generators.checks.bench import Bench
from generators.checks.calls import json_media
from generators.checks.findings import Finding, ImpossibleError
from generators.checks.intents import Intent
from generators.checks.locations import look
from generators.checks.staging import repertoire
from generators.checks.venues import Spot, venues
from generators.checks.wrapping import unspoken

PLACES: Final = 3  # kinds of record that are tried before an experiment is given up


def at_a_place(bench: Bench, operation: Operation, trial: Callable[[Spot], Sequence[Finding]]) -> Sequence[Finding]:
    """Return what an experiment finds at the first place where it can be made. Raises ImpossibleError when none does."""
    reason = unspoken(operation)
    if reason is not None:
        raise ImpossibleError(reason)
    places = venues(bench, operation)[:PLACES]
    reasons: list[str] = []
    for place in places:
        try:
            return trial(Spot(bench=bench, operation=operation, place=place))
        except ImpossibleError as error:
            reasons.append(str(error))
    raise ImpossibleError(reasons[0] if reasons else "no kind of record was found to try it on")


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
    """Return a good intent before each defective one, and two behind the last; two defects stand side by side."""
    wrong = bads(spot)
    right = goods(spot, len(wrong) + 3)
    pairs = list(chain.from_iterable(zip(right, wrong, strict=False)))
    return [*pairs, wrong[0], *right[len(wrong) :]]


def inserted(right: Sequence[Intent], wrong: Intent, at: int) -> list[Intent]:
    """Return good intents with a defective one among them."""
    return [*right[:at], wrong, *right[at:]]


def known_targets(spot: Spot) -> list[str]:
    """Return the targets of a fan-out that the user named, else those of the contract's examples; none without one."""
    declared, operation, given = spot.bulk.items.fan_out, spot.operation, spot.bench.given
    if declared is None:
        return []
    name = declared.over.rpartition("/")[2]
    if name in given:
        return given[name].split(",")
    media = json_media(operation)
    examples = media.examples.values() if media is not None else ()
    listed = [look(example, declared.over) for example in examples]
    named = [str(one) for some in listed if isinstance(some, list) for one in some]
    shown = [str(one) for parameter in operation.parameters for one in parameter.examples.values()]
    return list(dict.fromkeys(named)) or shown

"""Laws that compare equal trials: isolated, split, permuted, async-is-sync, fan-out."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from generators.checks.findings import Finding
from generators.checks.following import follow
from generators.checks.intents import Intent
from generators.checks.looking import stored
from generators.checks.mixing import goods, mixed
from generators.checks.requests import units_of
from generators.checks.staging import staged
from generators.checks.trials import Ask, Ran, finding, perform, ran, send, unlike_outcomes, unlike_pictures
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError


def compared(
    law: str, first: Ran, second: Ran, slots: Sequence[int], how: str, *, target: str | None = None
) -> Iterator[Finding]:
    """Yield how two trials that should be equal differ in the outcomes and in the records of some slots."""
    intents = [piece.intent for piece in first.stage.pieces]
    for slot, what in unlike_outcomes(first, second, slots):
        says = f"item {slot} ({intents[slot]}) is {what}, {how}"
        yield finding(law, f"outcome of {intents[slot]} differs", says, first, second)
    one = stored(first, target=target, slots=slots, probe=target is None)
    other = stored(second, target=target, slots=slots, probe=target is None)
    for slot, what in unlike_pictures(one, first.stage.names, other, second.stage.names, slots):
        says = f"the record of item {slot} ({intents[slot]}) is not the same, {how}: {what}"
        yield finding(law, f"state after {intents[slot]} differs", says, first, second, one[slot], other[slot])


def taken(done: Ran) -> Ran:
    """Return a trial whose outcomes are known. Raises ImpossibleError when it was refused or its job told nothing."""
    if done.refused:
        raise ImpossibleError(f"the whole request was refused ({done.status})")
    if not done.outcomes:
        raise ImpossibleError("the outcomes of its items are not reported")
    return done


def isolated(spot: Spot) -> Iterator[Finding]:
    """Send a mix, then the same without the items that failed: the others must fare the same."""
    intents = mixed(spot)
    first = perform(staged(spot, intents), Ask(unit="item"))
    if first.refused:
        yield from _refused(spot, intents, first)
        return
    if not taken(first).slots("failed"):
        raise ImpossibleError("no item failed, although some should")
    rest = [slot for slot, one in enumerate(intents) if first.result(slot) != "failed" or not one.defect]
    if not rest:
        raise ImpossibleError("every item failed")
    second = perform(staged(spot, intents), Ask(unit="item", order=rest))
    if second.refused:
        says = f"the request is refused ({second.status}) when the items that failed are left out"
        yield finding("isolated", "refused without its failures", says, first, second)
        return
    yield from compared("isolated", first, second, rest, "with the failed items there and without them")


def _refused(spot: Spot, intents: Sequence[Intent], first: Ran) -> Iterator[Finding]:
    """Yield that a request was refused for items that should only have failed by themselves."""
    rest = [slot for slot, one in enumerate(intents) if not one.defect]
    second = perform(staged(spot, intents), Ask(unit="item", order=rest))
    if second.refused:
        raise ImpossibleError(f"the whole request was refused ({first.status}), with bad items and without them")
    says = f"the whole request is refused ({first.status}) for items that should fail individually"
    yield finding("isolated", "refused for its bad items", says, first, second)


def split(spot: Spot) -> Iterator[Finding]:
    """Send a list at once, and the same list in two requests."""
    intents = _with_twins(spot, mixed(spot))
    middle = len(intents) // 2
    first = taken(perform(staged(spot, intents), Ask(unit="item")))
    stage = staged(spot, intents)
    halves = (range(middle), range(middle, len(intents)))
    parts = [taken(perform(stage, Ask(unit="item", order=half))) for half in halves]
    second = replace(parts[1], outcomes={**parts[0].outcomes, **parts[1].outcomes})
    yield from compared("split", first, second, range(len(intents)), "in one request and in two")


def _with_twins(spot: Spot, intents: list[Intent]) -> list[Intent]:
    """Return the intents with some that meet the same records again, where a request may do that."""
    refuse = spot.bulk.guard.refuse
    again = [n for n, one in enumerate(intents) if one.existing and not one.defect and one.action != "delete"]
    if "duplicateTarget" in refuse or not again:
        return intents
    return [*intents, replace(intents[again[0]], twin=again[0])]


def permuted(spot: Spot) -> Iterator[Finding]:
    """Send a list in other orders."""
    intents, unit = mixed(spot), units_of(spot.bulk)[0]
    slots = list(range(len(intents)))
    first = taken(perform(staged(spot, intents), Ask(unit=unit)))
    shuffled = spot.bench.rng("permuted", spot.operation.id).sample(slots, len(slots))
    for order in (slots[::-1], shuffled) if spot.bench.caller.controlled else (shuffled,):
        second = taken(perform(staged(spot, intents), Ask(unit=unit, order=order)))
        yield from compared("permuted", first, second, slots, "in this order and in another")


def async_is_sync(spot: Spot) -> Iterator[Finding]:
    """Send the same to be done at once and as a job, in each unit."""
    bulk = spot.bulk
    wishes = bulk.job.when if bulk.job is not None else ()
    sets = (mixed(spot), goods(spot, 6))
    for n, (unit, intents) in enumerate(product(units_of(bulk), sets)):
        ask = Ask(unit=unit, as_job=wishes[n % len(wishes)])
        stage = staged(spot, intents)
        sent = send(stage, ask)
        first = taken(perform(staged(spot, intents), Ask(unit=unit)))
        second = ran(stage, ask, follow(spot.bench, sent))
        if second.view.kind != "accepted":
            raise ImpossibleError(f"the wish '{ask.as_job}' was answered {second.status}, without a job")
        slots = range(len(intents))
        yield from compared("async-is-sync", first, taken(second), slots, f"at once and as a job ({unit})")

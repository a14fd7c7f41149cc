"""The law that a failed unit leaves nothing behind: atomic."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from contracts.messages import ABSENT
from generators.checks.findings import Finding
from generators.checks.intents import Intent
from generators.checks.looking import before, stored
from generators.checks.mixing import bads, goods, inserted
from generators.checks.pictures import Picture
from generators.checks.requests import units_of
from generators.checks.stage import Stage
from generators.checks.staging import staged
from generators.checks.trials import Ask, Ran, finding, perform
from generators.checks.venues import Spot
from generators.impossible import ImpossibleError
from generators.locations import choose

GOOD = 4  # good items around the one that fails


def atomic(spot: Spot) -> Iterator[Finding]:
    """Send units with one item that fails, at the front, in the middle and at the end; then look for what stayed."""
    failures = seen = 0
    for intents in _units(spot):
        for unit in _whole(spot):
            stage = staged(spot, _grouped(intents) if unit == "group" else intents)
            was = before(stage)
            done = perform(stage, Ask(unit=unit))
            if done.refused or done.slots("failed"):
                failures += 1
                after = stored(done, slots=_of_failed(stage), probe=True)
                seen += sum(one.present is not None for one in after.values())
                yield from _changes(stage, was, after, done)
    if not failures:
        raise ImpossibleError("no unit failed, although some should")
    if not seen:
        raise ImpossibleError("it cannot be determined which records are stored")


def _whole(spot: Spot) -> list[str | None]:
    """Return the units of several items that a request can have; None when that is what leaving it unsaid means."""
    default = spot.bulk.unit.of.default
    unsaid = choose(spot.bulk.unit.of, ABSENT) if default is not None else None
    said: list[str | None] = [one for one in units_of(spot.bulk) if one != "item"]
    return [*said, *([None] if unsaid in said else [])]


def _units(spot: Spot) -> Iterator[list[Intent]]:
    right, wrong = goods(spot, GOOD), bads(spot)
    for n, at in enumerate((0, GOOD // 2, GOOD)):
        yield inserted(right, wrong[n % len(wrong)], at)
    for one in wrong[3:]:
        yield inserted(right, one, GOOD)


def _grouped(intents: Sequence[Intent]) -> list[Intent]:
    """Return the intents in one group, and good ones in another."""
    right = [one for one in intents if not one.defect]
    return [*(replace(one, group=1) for one in intents), *(replace(one, group=2) for one in right)]


def _of_failed(stage: Stage) -> list[int]:
    return [piece.slot for piece in stage.pieces if piece.intent.group in {None, 1}]


def _changes(stage: Stage, was: Mapping[int, Picture], after: Mapping[int, Picture], done: Ran) -> Iterator[Finding]:
    """Yield what a failed unit left behind."""
    for slot, other in after.items():
        intent, one = stage.pieces[slot].intent, was[slot]
        if None not in {one.present, other.present} and one.like(stage.names) != other.like(stage.names):
            who = "the item that failed" if intent.defect else "an item beside it"
            says = f"a unit ({done.ask.unit}) failed, but item {slot} ({intent}), {who}, changed the stored state"
            yield finding("atomic", f"{intent.action} stays", says, done, one, other)

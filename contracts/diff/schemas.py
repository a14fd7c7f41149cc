"""Two JSON Schemas compared, keyword by keyword, at every place."""

from collections.abc import Iterator

from contracts.diff.branches import compare_branches
from contracts.diff.edits import Edit, Said
from contracts.diff.elements import compare_elements
from contracts.diff.keywords import compare_keywords
from contracts.diff.members import compare_members
from contracts.diff.spots import ANYTHING, Spot, is_nothing
from contracts.messages import ABSENT
from contracts.schemas import Schema
from contracts.texts import short

__all__ = ["edits"]

COMPARING = (compare_members, compare_elements, compare_branches)


def edits(old: Schema | None, new: Schema | None) -> list[Edit]:
    """Return how `new` differs from `old`; None stands for a schema that everything fits.

    A pair of schemas that is met again, in a circle or at another place, is looked into once.
    """
    found: list[Edit] = []
    seen: set[tuple[Schema, Schema]] = set()
    waiting = [Spot(old or ANYTHING, new or ANYTHING)]
    while waiting:
        spot = waiting.pop()
        if (spot.old, spot.new) in seen or spot.old.raw is spot.new.raw:
            continue
        seen.add((spot.old, spot.new))
        inner: list[Spot] = []
        for one in _differences(spot):
            (inner if isinstance(one, Spot) else found).append(one)  # type: ignore[arg-type] # each goes to its own list
        waiting += reversed(inner)
    return found


def _differences(spot: Spot) -> Iterator[Edit | Spot]:
    whole = _whole(spot)
    if whole is not None:
        yield spot.edit(whole)
        return
    if is_nothing(spot.old):
        return
    yield from map(spot.edit, compare_keywords(*spot.raws))
    yield from _meanings(spot)
    for compare in COMPARING:
        yield from compare(spot)


def _whole(spot: Spot) -> Said | None:
    """Return what is to be said when nothing fits on one side alone."""
    before, after = is_nothing(spot.old), is_nothing(spot.new)
    if before is after:
        return None
    if after:
        return Said("schema", "narrowed", "no value fits any more", in_new={})
    return Said("schema", "widened", "a value fits now", in_old={})


def _meanings(spot: Spot) -> Iterator[Edit]:
    """Yield changes of what an absent value means, which no validation shows."""
    before, after = (raw.get("default", ABSENT) for raw in spot.raws)
    if before != after and before is not ABSENT:
        now = "no value" if after is ABSENT else short(after)
        says = f"an absent value means {now}, not {short(before)}"
        yield spot.edit(Said("default", "changed", says), mild="warning", least="warning")

"""Ways to break a stage of the pipeline: around an API's hooks and behaviours, so that what is healthy knows nothing.

Each way makes a `Break` of a small function that does one thing wrong, and tells the bug's `Note` when that made a
difference.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from contracts.messages import Reply
from mockserver.api import Behaviour, Perform
from mockserver.behaviours.bulk import run_of
from mockserver.domain.values import Outcome
from mockserver.guard import Batch
from mockserver.scopes import stocked
from mockserver.stores.memory import Overlay
from mockserver.turn import Refusal, Turn
from mockserver.world import World

Note: TypeAlias = Callable[[Turn], None]
Refuse: TypeAlias = Callable[[Turn, Refusal], Reply]
Finish: TypeAlias = Callable[[Turn, Reply], Reply]
Outcomes: TypeAlias = Sequence[Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """What a bug puts around the stages of an API: around `perform`, `refuse`, `finish`, and every behaviour."""

    perform: Callable[[Note, Perform], Perform] | None = None
    refuse: Callable[[Note, Refuse], Refuse] | None = None
    finish: Callable[[Note, Finish], Finish] | None = None
    behave: Callable[[Note, Behaviour], Behaviour] | None = None


def running(change: Callable[[Perform, Turn, Batch, str], Outcomes]) -> Break:
    """Run batches as `change` does. It is noted when outcomes or records are others than they ought to be."""

    def broken(note: Note, doing: Perform) -> Perform:
        def perform(turn: Turn, batch: Batch, scope: str) -> Outcomes:
            if turn.halves is not None:
                return doing(turn, batch, scope)
            stocked(run_of(turn, batch, scope))
            with trial(turn.world) as right:
                proper = doing(turn, batch, scope)
            told = turn.outcomes
            with trial(turn.world, counting=True) as wrong:
                outcomes = change(doing, turn, batch, scope)
            differs = list(outcomes) != list(proper) or not _are_alike(right, wrong)
            wrong.commit()
            turn.outcomes = outcomes if differs else told
            if differs:
                note(turn)
            return outcomes

        return perform

    return Break(perform=broken)


def telling(lie: Callable[[Batch, list[Outcome]], Outcomes]) -> Break:
    """Tell other outcomes than there are; the journal has the true ones."""

    def broken(note: Note, doing: Perform) -> Perform:
        def perform(turn: Turn, batch: Batch, scope: str) -> Outcomes:
            outcomes = list(doing(turn, batch, scope))
            told = list(lie(batch, list(outcomes)))
            if told != outcomes:
                note(turn)
            return told

        return perform

    return Break(perform=broken)


def answering(change: Callable[[Turn, Reply], Reply]) -> Break:
    """Answer something else; `change` returns the very reply that it was given where it has nothing to do."""

    def broken(note: Note, doing: Finish) -> Finish:
        def finish(turn: Turn, reply: Reply) -> Reply:
            proper = doing(turn, reply)
            other = change(turn, proper)
            if other is not proper:
                note(turn)
            return other

        return finish

    return Break(finish=broken)


def instead(act: Callable[[Behaviour, Turn], Reply | None]) -> Break:
    """Do something else in the place of carrying a call out; `act` returns None where it has nothing to do."""

    def broken(note: Note, doing: Behaviour) -> Behaviour:
        def behave(turn: Turn) -> Reply:
            reply = act(doing, turn)
            if reply is None:
                return doing(turn)
            note(turn)
            return reply

        return behave

    return Break(behave=broken)


def overlooking(act: Callable[[Refuse, Turn, Refusal], Reply | None]) -> Break:
    """Do something else in the place of refusing a call; `act` returns None where it has nothing to do."""

    def broken(note: Note, doing: Refuse) -> Refuse:
        def refuse(turn: Turn, refusal: Refusal) -> Reply:
            reply = act(doing, turn, refusal)
            if reply is None:
                return doing(turn, refusal)
            note(turn)
            return reply

        return refuse

    return Break(refuse=broken)


@contextmanager
def trial(world: World, *, counting: bool = False) -> Iterator[Overlay]:
    """Let the block change a copy of what is stored; ids that it used are used again, unless `counting`."""
    store, counters = world.store, dict(world.ids.counters)
    over: Any = Overlay(store)
    world.store = over
    try:
        yield over
    finally:
        world.store = store
        if not counting:
            world.ids.counters.clear()
            world.ids.counters.update(counters)


def rehearsed(doing: Perform, turn: Turn, batch: Batch, scope: str) -> Outcomes:
    """Return the outcomes that a batch would have, and change nothing."""
    with trial(turn.world):
        return doing(turn, batch, scope)


def by_index(outcomes: Outcomes) -> dict[int, Outcome]:
    """Return outcomes by their items' places in the request."""
    return {one.item.index: one for one in outcomes}


def without(batch: Batch, places: set[int]) -> Batch:
    """Return a batch that lacks the items at these places of the request."""
    return replace(batch, items=[item for item in batch.items if item.index not in places])


def _are_alike(one: Overlay, other: Overlay) -> bool:
    return dict(_changes(one)) == dict(_changes(other)) and set(one.dropped()) == set(other.dropped())


def _changes(over: Overlay) -> Iterator[tuple[object, object]]:
    yield from (((collection, record.key), record) for collection, record in over.changed())

"""Finding a value that one version of a schema accepts and the other refuses: made on one side, held to the other."""

from collections.abc import Callable, Iterator
from itertools import chain, islice
from random import Random
from typing import Final

import orjson

from contracts.diff import Clue
from contracts.messages import ABSENT
from contracts.schemas import Schema, SchemaSet
from generators.diff.directing import directed
from generators.diff.shrinking import shrunk
from generators.values import Generator, UnsatisfiableError, compile_schema

DIRECTED: Final = 60  # values drawn towards a clue
BLIND: Final = 500  # values drawn from the accepting side, when none was found towards the clue
LARGE: Final = 100_000  # bytes drawn blindly in all
CANDIDATES: Final = 5  # witnesses of which the best is kept
FAULTS: Final = 20  # faults that are counted


def find_witness(accepting: Schema, refusing: Schema, clue: Clue | None) -> object:
    """Return a small value that `accepting` takes and `refusing` does not, ABSENT when none is found.

    With a `clue` the value has the breach at the clue's place, and as few other faults as may be. The same arguments
    give the same value.
    """
    goal = _goal(accepting, refusing, clue)

    def shows(value: object) -> bool:
        return accepting.is_valid(value) and not refusing.is_valid(value) and (goal is None or goal.is_valid(value))

    def badness(value: object) -> tuple[int, int]:
        faults = sum(1 for _ in islice(refusing.validator.iter_errors(value), FAULTS))
        return faults, len(orjson.dumps(value))

    towards = _drawn(lambda: compile_schema(goal, realistic=False), DIRECTED) if goal is not None else iter(())
    found = [*islice(filter(shows, chain(towards, _blind(accepting))), CANDIDATES)]
    if not found:
        return ABSENT
    best = min(found, key=badness)
    most = badness(best)[0]
    return shrunk(best, lambda value: shows(value) and badness(value)[0] <= most)


def _goal(accepting: Schema, refusing: Schema, clue: Clue | None) -> Schema | None:
    if clue is None:
        return None
    return SchemaSet({"": directed(accepting, refusing, clue)}).schema("#")


def _blind(accepting: Schema) -> Iterator[object]:
    size = 0
    for value in _drawn(lambda: compile_schema(accepting, realistic=False, edges=0.3), BLIND):
        size += len(orjson.dumps(value))
        yield value
        if size > LARGE:
            return


def _drawn(compiled: Callable[[], Generator], tries: int) -> Iterator[object]:
    """Yield values until there are enough, or none can be made."""
    rng = Random(0)
    try:
        generator = compiled()
        for _ in range(tries):
            yield generator.draw(rng)
    except UnsatisfiableError:
        return

"""What a fresh data set holds, and the ids of what is added to it."""

from collections.abc import Callable
from hashlib import blake2b
from typing import Final, NamedTuple

from contracts.bulk import Resource
from mockserver.stores import Collection, Record, View
from mockserver.turn import Run, Turn
from mockserver.world import World

FIRST: Final = 2_000_000_000_000_000  # ids have 16 digits and stay below 2^53; the vendor's own begin with 1
SPREAD: Final = 1_000_000_000  # so many seeds
EACH: Final = 1_000_000  # begin so far apart


class Seed(NamedTuple):
    """A record that is there from the start."""

    resource: str
    id: int
    version: int
    code: str
    description: str


SEEDS: Final = (
    Seed("PermissionTree", 5000001001, 1, "A20", "Area 20"),
    Seed("Resource", 5000001002, 1, "SHBE", "Staff member"),
    Seed("Trade", 5000001003, 1, "HAND", "Handyman"),
    Seed("AssetImportance", 1543843155165003, 1, "AI1", "Importance 1"),
    Seed("AssetImportance", 1543843155164002, 1, "AI2", "Importance 2"),
    Seed("AssetImportance", 1543843155165002, 3, "AI3", "Importance 3"),
    Seed("AssetImportance", 1543844764239005, 1, "AI4", "Importance 4"),
)


def stock(run: Run, view: View) -> None:
    """Put the seeded records into a fresh data set."""
    born = run.world.born
    for seed in SEEDS:
        defaults = run.api.contract.resources[seed.resource].defaults
        body = {**defaults, "code": seed.code, "description": seed.description}
        record = Record(seed.id, seed.version, deleted=False, body=body, created=born, modified=born)
        view.put(Collection(run.scope, seed.resource), record)


def new_keys(run: Run, resource: Resource) -> Callable[[], int]:
    """Return what gives the next id of the sandbox."""
    del resource
    first, counters = _first(run.world), run.world.ids.counters

    def fresh() -> int:
        before = counters.get("record", 0)
        counters["record"] = before + 1
        return first + before

    return fresh


def job_id(turn: Turn, items: int) -> str:
    """Return the id of a new task; those of its steps follow."""
    return str(_next(turn.world, 1 + items))


def _next(world: World, step: int) -> int:
    return _first(world) + world.ids.count("record", step)


def _first(world: World) -> int:
    first: int | None = world.memory.get("first")
    if first is None:
        digest = blake2b(str(world.ids.seed).encode(), digest_size=8).digest()
        first = world.memory["first"] = FIRST + int.from_bytes(digest) % SPREAD * EACH + 1
    return first

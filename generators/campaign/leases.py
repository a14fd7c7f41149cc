"""A lease: a stretch of a campaign with a seed and worlds of its own, in values that another process understands."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from secrets import randbelow
from typing import Any, Final, Literal, TypeAlias

from contracts.model import Contract
from generators.campaign.kept import Kept
from generators.campaign.target import Place
from generators.campaign.watchers import MakeModel, Outfit

Part: TypeAlias = Literal["bulk", "schemas"]
Emit: TypeAlias = Callable[[Mapping[str, Any]], None]
SHORTEST: Final = 20.0
LONGEST: Final = 60.0
RESERVED: Final = 0.15
WORLDS: Final = 4096  # prefixes of names that a lease has to itself where everybody shares a server


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What all leases of a campaign share. `document` is the contract without outside references.

    `salt` is the number from which its leases count the prefixes of their names; no two campaigns should have the same.
    """

    contract: Contract
    place: Place
    document: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)
    make_model: MakeModel | None = None
    seed: int = 0
    label: str = "fuzz"
    salt: int = field(default_factory=partial(randbelow, 36**5))
    shrinks: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One stretch. `number` tells its seed apart from others', `phases` are those of schemathesis.

    `nth` is how many of its part its campaign has given away before; a campaign that goes on counts anew.
    `known` are the fingerprints that need not be investigated again, `untried` findings, as their files have them, that
    nobody had the time to make small. `reserved` is the share of the time that is kept for making findings small. What
    schemathesis does `alone` waits for what it did before, and is not left out.
    """

    number: int
    part: Part
    seconds: float
    nth: int = 0
    phases: tuple[str, ...] = ()
    known: frozenset[str] = frozenset()
    untried: tuple[Mapping[str, Any], ...] = ()
    reserved: float = RESERVED
    alone: bool = False

    @property
    def name(self) -> str:
        """What it is called among the leases of its campaign."""
        return f"{self.part}-{self.number:06d}"


def outfit_for(job: Job, kept: Kept) -> Outfit:
    """Return what judging a kept finding takes: with what had been learned when it was found."""
    learned = {name: int(version) for name, _, version in (one.partition("=") for one in kept.traits)}
    return Outfit(contract=job.contract, make_model=job.make_model, first_versions=learned)


def seed_of(job: Job, lease: Lease) -> int:
    """Return the seed of a lease: the same for the same campaign's seed and number."""
    return job.seed * 1_000_003 + lease.number


def first_world(job: Job, lease: Lease) -> int:
    """Return the number of the first prefix of a lease: none of its prefixes is another lease's."""
    return job.salt + (2 * lease.number + (lease.part == "schemas")) * WORLDS


def lengths(seconds: float) -> float:
    """Return how long each lease of a campaign of so many seconds is: 20 to 60 of them, or all when there are fewer."""
    return max(min(SHORTEST, seconds), min(LONGEST, seconds / 10))

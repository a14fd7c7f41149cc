"""What a rating came to: each judge against each bug, and the sums."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, TypeAlias

from mockserver.scenario.bugs import Bug

Word: TypeAlias = Literal["found", "missed", "not reached", "false alarm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Something that a judge reports, `seconds` after it began. `law` is a law, or a check of schemathesis."""

    law: str
    operation: str
    says: str
    seconds: float

    @property
    def short(self) -> str:
        """What was broken, and where."""
        return f"{self.law} on {self.operation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One judge against one sandbox with a bug. `fired` says whether the bug made a difference to any answer."""

    seconds: float
    first: Sighting | None = None
    fired: bool = True

    @property
    def word(self) -> Word:
        """What it came to; what is reported although the bug made no difference is a false alarm."""
        if self.first is None:
            return "missed" if self.fired else "not reached"
        return "found" if self.fired else "false alarm"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bug: what the campaign made of it, and what plain schemathesis did when that was asked for."""

    bug: Bug
    ours: Round
    plain: Round | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthy:
    """A judge against the sandbox without a bug: whatever it reports is a false alarm."""

    seconds: float
    calls: int
    alarms: tuple[Sighting, ...]


@dataclass(slots=True, kw_only=True)
class Rating:
    """Grows while an API's bugs are gone through. `left_out` are bugs that do not count, by the reason."""

    api: str
    seconds: float
    seed: int
    planned: tuple[Bug, ...]
    left_out: Mapping[str, tuple[Bug, ...]] = field(default_factory=dict)
    healthy: Healthy | None = None
    plain: Healthy | None = None
    rows: list[Row] = field(default_factory=list)

    @property
    def alarms(self) -> tuple[Sighting, ...]:
        """The campaign's false alarms."""
        healthy = () if self.healthy is None else self.healthy.alarms
        return (*healthy, *(row.ours.first for row in self.rows if row.ours.word == "false alarm" and row.ours.first))

    @property
    def is_perfect(self) -> bool:
        """Whether every bug was gone through and found, and nothing else."""
        found = [row for row in self.rows if row.ours.word == "found"]
        return self.healthy is not None and not self.alarms and len(found) == len(self.planned)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """How one judge did. `median` and `longest` are times to find in seconds, None when nothing was found."""

    found: int
    of: int
    median: float | None
    longest: float | None
    left: tuple[tuple[str, Word], ...]

    @property
    def share(self) -> float:
        """The part that was found, in per cent."""
        return 100 * self.found / self.of if self.of else 0.0


def sums(rounds: Sequence[tuple[Bug, Round]]) -> Sums:
    """Return how a judge did in its rounds."""
    times = [one.first.seconds for _, one in rounds if one.word == "found" and one.first is not None]
    return Sums(
        found=len(times),
        of=len(rounds),
        median=median(times) if times else None,
        longest=max(times, default=None),
        left=tuple((bug.name, one.word) for bug, one in rounds if one.word != "found"),
    )


def ours(rating: Rating) -> Sums:
    """Return how the campaign did."""
    return sums([(row.bug, row.ours) for row in rating.rows])


def plain(rating: Rating) -> Sums | None:
    """Return how schemathesis did, None when it was not asked."""
    rounds = [(row.bug, row.plain) for row in rating.rows if row.plain is not None]
    return sums(rounds) if rounds else None

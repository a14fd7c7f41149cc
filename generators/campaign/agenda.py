"""What a lease does one after the other: episodes, experiments on laws, requests around the limits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest
from random import Random
from typing import Final, Literal, TypeAlias

from contracts.model import Contract, Operation
from generators.campaign.grounds import Ground, Grounds
from generators.campaign.styles import DEEP, LONG, WIDE, Style
from generators.checks.findings import Law
from generators.checks.laws import LAWS

TOO_MANY: Final = "429"
LARGE: Final = ("boundary",)  # experiments that send the most items there may be
AT_ONCE: Final = 3  # experiments between two episodes of the first round
APART: Final = 4  # episodes between two experiments later on
SELDOM: Final = 10  # leases from one that posts the largest requests to the next
FIRST: Final = (DEEP, WIDE, DEEP, LONG)
STYLES: Final = (WIDE, WIDE, DEEP, WIDE, WIDE, LONG)

Size: TypeAlias = Literal["small", "large"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """Play one episode in a style."""

    style: Style


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Post around the limits of one operation."""

    ground: Ground
    size: Size


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """Make the experiment of one law on one operation."""

    law: Law
    operation: Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Insist:
    """Call one operation again and again, until it says that it is too much."""

    operation: Operation


Entry: TypeAlias = Episode | Limits | Experiment | Insist


def agenda(contract: Contract, grounds: Grounds, rng: Random, *, nth: int = 0) -> Iterator[Entry]:
    """Yield what there is to do, without end: in the first lease a round of everything, then what makes most requests.

    `nth` counts the leases of a campaign from 0. Now and then a later one posts the largest requests again.
    """
    laws, insisting, limits = _laws(grounds, rng), _insistence(contract), _limits(grounds)
    if nth == 0:
        yield from _first_round(laws, [*insisting, *limits])
    elif nth % SELDOM == 0:
        yield from limits
    laws = laws[nth % len(laws) :] + laws[: nth % len(laws)] if laws else []
    for n in count():
        yield Episode(style=STYLES[n % len(STYLES)])
        if laws and n % APART == APART - 1:
            yield laws[0]
            laws.append(laws.pop(0))


def _first_round(laws: list[Entry], limits: list[Entry]) -> Iterator[Entry]:
    """Yield each law once and the limits, with episodes in between; the laws that were yielded are put last."""
    left = len({one.law.name for one in laws if isinstance(one, Experiment)})
    for n in count():
        yield Episode(style=FIRST[n % len(FIRST)])
        for _ in range(min(AT_ONCE, left)):
            yield laws[0]
            laws.append(laws.pop(0))
            left -= 1
        if limits:
            yield limits.pop(0)
        elif not left:
            return


def _laws(grounds: Grounds, rng: Random) -> list[Entry]:
    """Return every experiment that applies somewhere: each law once, on any operation, before any law twice."""
    operations = list({one.operation.id: one.operation for one in grounds.bulk}.values())
    rows: list[list[Entry]] = []
    for law in LAWS:
        if law.experiment is not None and law.name not in LARGE:
            fitting = [one for one in operations if law.exempts(one) is None]
            rng.shuffle(fitting)
            rows.append([Experiment(law=law, operation=one) for one in fitting])
    rng.shuffle(rows)
    return [one for column in zip_longest(*rows) for one in column if one is not None]


def _insistence(contract: Contract) -> list[Entry]:
    """Return what to insist on: calls that are no bulk calls and may be told that they are too many."""
    return [Insist(operation=one) for one in contract.operations if TOO_MANY in one.responses and one.bulk is None]


def _limits(grounds: Grounds) -> list[Entry]:
    """Return the limits of each operation: small requests, then the largest."""
    first: dict[str, Ground] = {}
    for one in grounds.bulk:
        first.setdefault(one.operation.id, one)
    sizes: Sequence[Size] = ("small", "large")
    return [Limits(ground=one, size=size) for one in first.values() for size in sizes]

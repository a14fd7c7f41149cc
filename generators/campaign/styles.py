"""How an episode goes: how large its requests are, how long it is, what is done how often."""

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """One way to play. `mean` is the mean size of a request, `moves` how many moves an episode has.

    `weights` say how often each kind of move is made, `reads` how many records are read after a request on average.
    `in_flight` is how many jobs may be under way at a time; when `in_turn`, nothing else is written meanwhile. A
    `modelled` episode is held against the model, if there is one, which takes as long as the implementation.
    `narrow` is the share of episodes that keep to one data set, and to a kind of record and its relatives.
    """

    name: str
    mean: int
    moves: int
    reads: float
    weights: Mapping[str, float]
    in_flight: int = 2
    in_turn: bool = False
    modelled: bool = False
    narrow: float = 0.3


DEEP: Final = Style(
    name="deep",
    mean=3,
    moves=60,
    reads=1.0,
    in_flight=1,
    in_turn=True,
    modelled=True,
    narrow=0.7,
    weights={
        "post": 10,
        "single": 4,
        "again": 1,
        "repeat": 1,
        "list": 1,
        "poll": 2,
        "cancel": 0.5,
        "early": 0.7,
        "ghost": 0.7,
    },
)
WIDE: Final = Style(
    name="wide",
    mean=16,
    moves=60,
    reads=0.2,
    weights={
        "post": 20,
        "single": 0.5,
        "again": 0.5,
        "repeat": 0.3,
        "list": 0.5,
        "poll": 1,
        "cancel": 0.3,
        "early": 0.3,
    },
)
LONG: Final = Style(
    name="long",
    mean=60,
    moves=12,
    reads=3.0,
    weights={"post": 10, "list": 2, "repeat": 0.5, "again": 0.5, "poll": 1, "cancel": 0.3, "early": 0.3},
)


def draw(weights: Mapping[str, float], rng: Random) -> str:
    """Draw a kind of move."""
    names = list(weights)
    return rng.choices(names, [weights[name] for name in names])[0]

"""Closures that draw one of several: values, or other closures."""

from collections.abc import Sequence
from copy import deepcopy
from random import Random
from typing import Final

from generators.values.node import Draw, Edge, Plan
from generators.values.unsatisfiable import UnsatisfiableError

TRIES: Final = 6  # a way that was planned but gives nothing this time is left for another


def one_of(values: Sequence[object]) -> Draw:
    """Return a closure that draws one of `values`; containers are copied."""
    count = len(values)
    if any(isinstance(value, dict | list) for value in values):
        return lambda rng, _fuel: deepcopy(values[int(rng.random() * count)])
    return lambda rng, _fuel: values[int(rng.random() * count)]


def choice(picks: tuple[Edge, ...], *, risk: str = "") -> Plan:
    """Return the plan of a value that is a value of one of `picks`; one that stands twice is drawn twice as often."""
    return Plan(build=lambda: _chooser(picks), picks=picks, inner=any(edge.inner for edge in picks), risk=risk)


def _chooser(picks: tuple[Edge, ...]) -> Draw:
    finite = [edge for edge in picks if edge.finite]
    draws = [edge.link() for edge in finite]
    least = draws[min(range(len(draws)), key=lambda n: finite[n].node.height)]
    count = len(draws)
    if count == 1:
        return least

    def choose(rng: Random, fuel: int) -> object:
        if fuel <= 0:
            return least(rng, fuel)
        for _ in range(TRIES):
            try:
                return draws[int(rng.random() * count)](rng, fuel)
            except UnsatisfiableError:
                continue
        return least(rng, fuel)

    return choose

"""Integers and numbers within their bounds, on the grid that `multipleOf` lays."""

from fractions import Fraction
from math import ceil, floor, inf, isfinite, lcm
from random import Random
from typing import Final

from generators.values.merging import Flat
from generators.values.node import Draw, Plan, Planner
from generators.values.unsatisfiable import ContradictionError

REACH: Final = 1000  # how far values go from a bound when the other side is open
FORMAT_BOUNDS: Final = {"int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1)}
EXACT: Final = 2**50  # up to here a product with `random()` reaches every step


def plan_integer(planner: Planner, flat: Flat, _where: str, _kind: str) -> Plan:
    """Plan whole numbers."""
    return _stepped(planner, flat, lcm_of(Fraction(1), _step(flat)))


def plan_number(planner: Planner, flat: Flat, _where: str, _kind: str) -> Plan:
    """Plan numbers, whole or not."""
    if "multipleOf" in flat:
        return _stepped(planner, flat, _step(flat))
    low, high = _reach(*_bounds(flat))
    if low > high or (low == high and not _fits(low, flat)):
        raise ContradictionError("minimum", f"nothing is between {low} and {high}")
    return Plan(build=lambda: _continuous(flat, float(low), float(high), planner.edges), risk=_exclusive(flat))


def _step(flat: Flat) -> Fraction:
    return Fraction(str(flat.get("multipleOf", 1)))


def lcm_of(one: Fraction, other: Fraction) -> Fraction:
    """Return the least common multiple of two fractions."""
    over = lcm(one.denominator, other.denominator)
    return Fraction(lcm(int(one * over), int(other * over)), over)


def _exclusive(flat: Flat) -> str:
    return next((keyword for keyword in ("exclusiveMinimum", "exclusiveMaximum") if keyword in flat), "")


def _bounds(flat: Flat) -> tuple[float, float]:
    low = max(flat.get("minimum", -inf), flat.get("exclusiveMinimum", -inf))
    return low, min(flat.get("maximum", inf), flat.get("exclusiveMaximum", inf))


def _reach(low: float, high: float) -> tuple[float, float]:
    """Close the open sides: small numbers around nought where it is allowed."""
    if low == -inf:
        low = min(0, high - REACH) if isfinite(high) else 0
    return low, (low + max(REACH, abs(low)) if high == inf else high)


def _fits(value: float | Fraction, flat: Flat) -> bool:
    return value not in (flat.get("exclusiveMinimum"), flat.get("exclusiveMaximum"))


def _stepped(planner: Planner, flat: Flat, step: Fraction) -> Plan:
    open_low, open_high = _bounds(flat)
    low, high = _reach(open_low, open_high)
    if high - low < step * REACH and (open_low == -inf or open_high == inf):
        low, high = (low, low + step * REACH) if open_high == inf else (high - step * REACH, high)
    least, most = FORMAT_BOUNDS.get(flat.get("format", ""), (low, high))
    low, high = max(low, least), min(high, most)
    first, last = ceil(Fraction(low) / step), floor(Fraction(high) / step)
    first += not _fits(first * step, flat)
    last -= not _fits(last * step, flat)
    if first > last:
        raise ContradictionError(
            "multipleOf" if "multipleOf" in flat else "minimum", f"no step of {step} is in the bounds"
        )
    return Plan(build=lambda: _grid(first, last, step, planner.edges))


def _grid(first: int, last: int, step: Fraction, edges: float) -> Draw:
    if step.denominator == 1:
        return _whole(first * int(step), last - first + 1, int(step), edges)
    count = last - first + 1
    return lambda rng, _fuel: float((first + rng.randrange(count)) * step)


def _whole(low: int, count: int, step: int, edges: float) -> Draw:
    edge_values = sorted({low, low + (count - 1) * step, *((0,) if low <= 0 < low + count * step else ())})

    def draw(rng: Random, _fuel: int) -> object:
        r = rng.random()
        if r < edges:
            return edge_values[int(r / edges * len(edge_values))]
        return low + step * (int(rng.random() * count) if count < EXACT else rng.randrange(count))

    return draw


def _continuous(flat: Flat, low: float, high: float, edges: float) -> Draw:
    edge_values = [value for value in (low, high) if _fits(value, flat)] or [(low + high) / 2]
    digits = 2 if high - low >= 1 else None  # a span below one needs every digit

    def draw(rng: Random, _fuel: int) -> object:
        r = rng.random()
        if r < edges:
            return edge_values[int(r / edges * len(edge_values))]
        value = 2 * (low / 2 + rng.random() * (high / 2 - low / 2))  # halves, so that no span overflows
        return min(max(round(value, digits) if digits else value, low), high)

    return draw

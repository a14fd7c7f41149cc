"""Plan arrays. Begin with `plan_array`."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import takewhile
from random import Random
from typing import Final

from generators.data.normalise import Flat, conjunction
from generators.data.plan import Draw, DrawPlan, Planner, PlanNode
from generators.data.wide_scalars import log_size
from generators.errors import ContradictionError, UnsatisfiableError

MAX_EXTRA_ELEMENTS: Final = 4  # elements beyond the required ones
WIDE_EXTRA_ELEMENTS: Final = 16  # the same in a wide profile, without `maxItems`
MAX_WIDE_ELEMENTS: Final = 1000  # a greater maxItems is not tested
MAX_ELEMENT_TRIES: Final = 100
UNBOUNDED_ELEMENTS: Final = 1 << 40


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayShape:
    """The parts of an array: `prefix`, then `contained` (as many as `contains` needs) mixed with `rest`.

    `least` and `most` limit its length, `more` is how many elements are added to the least at most. `edges` is the
    share of arrays of the least and the greatest length, None where lengths are not log-uniform.
    """

    where: str
    prefix: tuple[PlanNode, ...]
    contained: tuple[PlanNode, ...]
    rest: PlanNode | None
    least: int
    most: int
    more: int
    unique: bool
    lenient: bool
    edges: float | None


@dataclass(frozen=True, slots=True)
class ArraySite:
    """An array schema to plan, its place, and the kind of text in its elements."""

    planner: Planner
    flat: Flat
    where: str
    kind: str

    def plan(self, schema: object, step: str) -> PlanNode:
        """Return the node of a schema of elements, which differ where they must."""
        planner = self.planner.varied() if self.flat.get("uniqueItems") else self.planner
        return planner.plan(schema, f"{self.where}/{step}", self.kind)

    @property
    def every(self) -> object:
        """Return the schema of the elements after `prefixItems`."""
        return self.flat.get("items", self.flat.get("unevaluatedItems", True))

    @property
    def count(self) -> int:
        """Return the number of elements that `contains` requires."""
        return int(self.flat.get("minContains", 1)) if "contains" in self.flat else 0


def plan_array(planner: Planner, flat: Flat, where: str, kind: str) -> DrawPlan:
    """Plan arrays. Raises ContradictionError and UnsatisfiableError."""
    site = ArraySite(planner, flat, where, kind)
    most = flat.get("maxItems", UNBOUNDED_ELEMENTS)
    prefix = tuple(site.plan(schema, f"prefixItems/{n}") for n, schema in enumerate(flat.get("prefixItems", ())[:most]))
    contained = _contained(site)[: most - len(prefix)] if site.count else ()
    prefix = _with_contained(site, prefix, site.count - len(contained))
    least = max(flat.get("minItems", 0), len(prefix) + len(contained) if site.count else 0)
    if least > most:
        raise ContradictionError("minItems", f"{least} elements are needed, {most} can be")
    shape = ArrayShape(
        where=where,
        prefix=prefix,
        contained=contained,
        rest=_rest(site) if most > len(prefix) else None,
        least=least,
        most=most,
        more=(0 if least else 1) if planner.typical else _more_elements(planner, flat),
        unique=flat.get("uniqueItems", False),
        lenient=planner.lenient,
        edges=planner.edges if planner.is_wide else None,
    )
    risk = "contains" if "contains" in flat else ""
    return DrawPlan(build=lambda: _array_builder(shape), needs=_needs(shape), inner=True, risk=risk)


def _more_elements(planner: Planner, flat: Flat) -> int:
    """Return how many elements are added to the least at most."""
    if not planner.is_wide:
        return MAX_EXTRA_ELEMENTS
    return min(MAX_WIDE_ELEMENTS, int(flat.get("maxItems", WIDE_EXTRA_ELEMENTS)))


def _rest(site: ArraySite) -> PlanNode:
    """Return the node of the elements after `prefixItems`."""
    every = conjunction(site.every, {"not": site.flat["contains"]}) if "maxContains" in site.flat else site.every
    return site.plan(every, "items")


def _contained(site: ArraySite) -> tuple[PlanNode, ...]:
    """Return the nodes of the elements for `contains`, after those of `prefixItems`."""
    node = site.plan(conjunction(site.every, site.flat["contains"]), "contains")
    return () if "prefixItems" in site.flat and not node.possible() else (node,) * site.count


def _with_contained(site: ArraySite, prefix: tuple[PlanNode, ...], count: int) -> tuple[PlanNode, ...]:
    """Return the elements of `prefixItems`, the first `count` that can be made valid for `contains`."""
    found = list(prefix)
    for n, schema in enumerate(site.flat.get("prefixItems", ())[: len(prefix)] if count > 0 else ()):
        node = site.plan(conjunction(schema, site.flat["contains"]), "contains")
        if count > 0 and node.possible():
            found[n] = node
            count -= 1
    if count > 0:
        raise ContradictionError("contains", "there is no room for what it asks for")
    return tuple(found)


def _needs(shape: ArrayShape) -> tuple[PlanNode, ...]:
    rest = (shape.rest,) if shape.rest and shape.least > len(shape.prefix) + len(shape.contained) else ()
    return (*shape.prefix[: shape.least], *shape.contained, *rest)


def _array_builder(shape: ArrayShape) -> Draw:
    """Return what draws arrays; they end before the first element that cannot be."""
    forced = shape.least if shape.lenient else 0
    able = [node for _, node in takewhile(lambda pair: pair[0] < forced or pair[1].possible(), enumerate(shape.prefix))]
    prefix = [node.link() for node in able]
    contained = [node.link() for node in shape.contained]
    least, fixed = shape.least, len(prefix) + len(contained)
    is_open = shape.rest is not None and len(able) == len(shape.prefix) and (forced > fixed or shape.rest.possible())
    rest = (
        shape.rest.link(1 if shape.edges is not None else max(1, shape.more, least)) if is_open and shape.rest else None
    )
    most = min(shape.most, max(least, fixed) + shape.more) if rest else min(shape.most, fixed)
    length_of = _wide_length(shape, most) if shape.edges is not None else _even_length(shape, most)

    def lay(rng: Random, fuel: int) -> list[Draw]:
        length = least if fuel <= 0 else length_of(rng, fuel)
        tail = [*contained, *([rest] * (length - fixed) if rest else ())]
        if contained:
            rng.shuffle(tail)
        return [*prefix[:length], *tail]

    if shape.unique:
        return lambda rng, fuel: _distinct_elements(lay(rng, fuel), rng, fuel, shape)
    if shape.edges is None:
        return lambda rng, fuel: [draw(rng, fuel) for draw in lay(rng, fuel)]

    def draw_wide(rng: Random, fuel: int) -> object:
        draws = lay(rng, fuel)
        each = max(1, 2 * fuel // max(2, len(draws))) if fuel > 0 else fuel  # a link halves it
        return [draw(rng, each) for draw in draws]

    return draw_wide


def _even_length(shape: ArrayShape, most: int) -> Callable[[Random, int], int]:
    span = most - shape.least
    return lambda rng, _fuel: most if shape.more == 1 else shape.least + int(rng.random() * (span + 1))


def _wide_length(shape: ArrayShape, most: int) -> Callable[[Random, int], int]:
    """Return a function that draws log-uniform lengths, as far as the fuel goes."""
    least, edges = shape.least, shape.edges or 0

    def length_of(rng: Random, fuel: int) -> int:
        span, r = min(most - least, fuel), rng.random()
        return least + (log_size(rng, span) if r >= edges else span if r < edges / 2 else 0)

    return length_of


def _distinct_elements(draws: list[Draw], rng: Random, fuel: int, shape: ArrayShape) -> list[object]:
    values: list[object] = []
    seen: set[str] = set()
    for draw in draws:
        for _ in range(MAX_ELEMENT_TRIES):
            value = draw(rng, fuel)
            if (key := _equality_key(value)) not in seen:
                seen.add(key)
                values.append(value)
                break
        else:
            if len(values) < shape.least and not shape.lenient:
                raise UnsatisfiableError(
                    shape.where, "uniqueItems", f"only {len(values)} different elements were found"
                )
            break
    return values


def _equality_key(value: object) -> str:
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)

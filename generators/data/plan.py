"""The graph of a planned schema, from which closures are built, and the validation of drawn values.

Begin with `PlanNode` and `Edge`. Recursive schemas close a cycle with a back edge; the height of a node is the least
depth of its values.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from math import inf
from random import Random
from typing import Final, Protocol, TypeAlias

from contracts.schemas.schema_set import SchemaSet, compiled
from generators.errors import UnsatisfiableError

Draw: TypeAlias = Callable[[Random, int], object]
"""Makes one value. The number is the fuel, which limits the size of a value; at 0 the smallest is made."""

BACK_EDGE_COST: Final = 8


@dataclass(slots=True, eq=False, kw_only=True)
class PlanNode:
    """A schema being planned. Every value contains one value of each of `needs`, and is a value of one of `picks`."""

    where: str
    needs: tuple["Edge", ...] = ()
    picks: tuple["Edge", ...] = ()
    build: Callable[[], Draw] | None = None
    draw: Draw | None = None
    height: float = inf
    inner: bool = False
    done: bool = False
    failed: Exception | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge to a node; `back` when it closes a cycle."""

    node: PlanNode
    back: bool

    @property
    def finite(self) -> bool:
        """Return whether the node has a value of finite depth."""
        return self.node.height < inf

    @property
    def inner(self) -> bool:
        """Return whether values of the node are or contain objects or arrays."""
        return self.back or self.node.inner

    def link(self, share: int = 1) -> Draw:
        """Return the closure of the node, for one of `share` places that share the fuel.

        A back edge costs additional fuel, so that recursive values end soon.
        """
        draw, cost = self._draw(), share * (BACK_EDGE_COST if self.back else 1)
        if not self.inner or cost == 1:
            return draw
        return lambda rng, fuel: draw(rng, fuel // cost)

    def _draw(self) -> Draw:
        node = self.node
        if not self.back and node.draw is not None:
            return node.draw

        def recurse(rng: Random, fuel: int) -> object:
            assert node.draw is not None  # noqa: S101 - every node is built before the first draw
            return node.draw(rng, fuel)

        return recurse


class Planner(Protocol):
    """The compiler as the planning functions of single types use it."""

    edges: float
    realistic: bool

    def plan(self, schema: object, where: str, kind: str = "") -> Edge:
        """Plan a schema. Raises UnsatisfiableError."""
        ...

    def predicate(self, schema: object) -> Callable[[object], bool]:
        """Return the predicate of a schema."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawPlan:
    """The result of a planning function: how to build the closure, and the nodes below it."""

    build: Callable[[], Draw]
    needs: tuple[Edge, ...] = field(default=())
    picks: tuple[Edge, ...] = field(default=())
    inner: bool = False
    """Whether its values are or contain objects or arrays."""

    risk: str = ""
    """The keyword that values of this plan may violate, "" for none: each value is then validated."""


def settle_heights(nodes: Iterable[PlanNode]) -> None:
    """Compute the least depth of each node's values; infinite when there are none."""
    waiting = list(nodes)
    changed = True
    while changed:
        changed = False
        for node in waiting:
            height = _height(node)
            if height < node.height:
                node.height, changed = height, True


def _height(node: PlanNode) -> float:
    if node.failed is not None:
        return inf
    deepest = max((edge.node.height for edge in node.needs), default=0)
    shallowest = min((edge.node.height for edge in node.picks), default=0)
    return 1 + max(deepest, shallowest)


MAX_BRANCH_TRIES: Final = 6  # draws of another branch when one yields no value


def draw_one_of(values: Sequence[object]) -> Draw:
    """Return a closure that draws one of `values`; arrays and objects are copied."""
    count = len(values)
    if any(isinstance(value, dict | list) for value in values):
        return lambda rng, _fuel: deepcopy(values[int(rng.random() * count)])
    return lambda rng, _fuel: values[int(rng.random() * count)]


def plan_choice(picks: tuple[Edge, ...], *, risk: str = "") -> DrawPlan:
    """Return the plan of a value of one of `picks`; a pick that occurs twice is drawn twice as often."""
    return DrawPlan(build=lambda: _chooser(picks), picks=picks, inner=any(edge.inner for edge in picks), risk=risk)


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
        for _ in range(MAX_BRANCH_TRIES):
            try:
                return draws[int(rng.random() * count)](rng, fuel)
            except UnsatisfiableError:
                continue
        return least(rng, fuel)

    return choose


MAX_CANDIDATES = 200


def compile_predicate(schema: object, schemas: SchemaSet) -> Callable[[object], bool]:
    """Return the predicate of a schema, `true` and `false` included, whose references are in `schemas`."""
    return compiled(schemas.enclosed(schema if isinstance(schema, Mapping) else {} if schema else {"not": {}})).is_valid


@cache
def pattern_predicate(pattern: str) -> Callable[[object], bool]:
    """Return the predicate of a regular expression. Raises ValueError when it is malformed."""
    return compiled({"pattern": pattern}).is_valid


def draw_valid(
    draw: Draw, is_valid: Callable[[object], bool], where: str, keyword: str, *, tries: int = MAX_CANDIDATES
) -> Draw:
    """Return `draw` repeated until its value is valid. Raises UnsatisfiableError after `tries`."""

    def draw_checked(rng: Random, fuel: int) -> object:
        for _ in range(tries):
            value = draw(rng, fuel)
            if is_valid(value):
                return value
        raise UnsatisfiableError(where, keyword, f"none of {tries} candidates is valid")

    return draw_checked

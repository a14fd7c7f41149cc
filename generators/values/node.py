"""The graph that a schema is planned as before it becomes closures: what a value needs, how deep the least one is."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Final, Protocol, TypeAlias

Draw: TypeAlias = Callable[[Random, int], object]
"""Makes one value. The number is its fuel: how large a value may be made; at 0 the least one is."""

BACK: Final = 8


@dataclass(slots=True, eq=False, kw_only=True)
class Node:
    """A schema being planned. `needs` are nodes of which every value holds one, `picks` those of which it is one."""

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
    """The way from one node to another; `back` when it closes a circle."""

    node: Node
    back: bool

    @property
    def finite(self) -> bool:
        """Whether a value of finite depth exists."""
        return self.node.height < inf

    @property
    def inner(self) -> bool:
        """Whether there are objects or arrays at the other end."""
        return self.back or self.node.inner

    def link(self, share: int = 1) -> Draw:
        """Return the closure at the other end, for one of `share` places that the fuel is shared among.

        A way back costs fuel of its own, so that what refers to itself comes to an end soon.
        """
        draw, cost = self._draw(), share * (BACK if self.back else 1)
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
    """What the planning functions of single types ask of the compiler."""

    edges: float
    realistic: bool

    def plan(self, schema: object, where: str, kind: str = "") -> Edge:
        """Plan a schema. Raises UnsatisfiableError."""
        ...

    def judge(self, schema: object) -> Callable[[object], bool]:
        """Return the predicate of a schema."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a planning function hands back: the closure to come and the nodes under it."""

    build: Callable[[], Draw]
    needs: tuple[Edge, ...] = field(default=())
    picks: tuple[Edge, ...] = field(default=())
    inner: bool = False
    """Whether its values hold objects or arrays, or are one."""

    risk: str = ""
    """The keyword that this plan may miss: its values are judged one by one."""


def settle_heights(nodes: Iterable[Node]) -> None:
    """Compute the least depth of each node's values; what has none stays at infinity."""
    waiting = list(nodes)
    changed = True
    while changed:
        changed = False
        for node in waiting:
            height = _height(node)
            if height < node.height:
                node.height, changed = height, True


def _height(node: Node) -> float:
    if node.failed is not None:
        return inf
    deepest = max((edge.node.height for edge in node.needs), default=0)
    shallowest = min((edge.node.height for edge in node.picks), default=0)
    return 1 + max(deepest, shallowest)

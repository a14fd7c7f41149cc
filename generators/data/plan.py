"""The graph of a planned schema, from which closures are built, and the validation of drawn values.

Begin with `PlanNode`. A node is planned, and its closure built, when it is first needed: of a large schema only what is
drawn is ever looked at. What its values must contain is followed when the node is first drawn, so that a schema without
values is known before a value is begun.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cache
from random import Random
from threading import RLock
from typing import Final, Literal, Protocol, TypeAlias

from contracts.schemas.schema_set import SchemaSet, compiled
from generators.errors import ContradictionError, UnsatisfiableError

Draw: TypeAlias = Callable[[Random, int], object]
"""Makes one value. The number is the fuel, which limits the size of a value; at 0 the smallest is made."""

Predicate: TypeAlias = Callable[[object], bool]
ValueProfile: TypeAlias = Literal["plain", "realistic", "fuzz", "wide"]
"""How values are spread over those that a schema allows.

`plain`: short texts of letters and digits, small numbers. `realistic`: the same, with text that suits a property's
name, from Faker. `wide`: all magnitudes, sizes, scripts and spellings, further members unless a schema forbids them.
`fuzz`: as `wide`, but with further members only where a schema mentions them, as many servers drop others.
"""
MIN_COST: Final = 2  # by which the fuel is divided from a value to the one inside it
LEAST_FUEL: Final = -60  # nesting without fuel; beyond, a value has no end
LEAST_LENIENT_FUEL: Final = -4  # beyond, a value that has no end is cut off
MAX_DEPTH: Final = 100
MAX_STEPS: Final = 5000  # nodes that are looked at to find one value
MAX_BRANCH_TRIES: Final = 6  # draws of another branch when one yields no value
MAX_CANDIDATES: Final = 200
MAX_LENIENT_CANDIDATES: Final = 20
MAX_TYPICAL_CANDIDATES: Final = 2
MALFORMED: Final = (AttributeError, LookupError, TypeError, ValueError)  # what reading a malformed schema raises
ENDLESS: Final = "every value would have to hold another one without end"
_LOCK: Final = RLock()  # one graph is planned by one thread at a time


class Planner(Protocol):
    """The compiler as the planning functions of single types use it."""

    edges: float
    profile: ValueProfile
    typical: bool
    lenient: bool

    @property
    def is_wide(self) -> bool:
        """Whether values are spread over all that a schema allows."""
        ...

    def plan(self, schema: object, where: str, kind: str = "") -> "PlanNode":
        """Return the node of a schema; it is planned when it is needed."""
        ...

    def predicate(self, schema: object) -> Predicate:
        """Return the predicate of a schema, compiled on first use."""
        ...

    def varied(self) -> "Planner":
        """Return the planner of values that differ from one another."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DrawPlan:
    """The result of a planning function: how to build the closure, and the nodes below it.

    Every value contains one value of each of `needs`, or is a value of one of `picks`. `inner` says whether values are
    or contain objects or arrays. `risk` is the keyword that values may violate, "" for none: `check` then judges each.
    """

    build: Callable[[], Draw] | None = None
    needs: tuple["PlanNode", ...] = field(default=())
    picks: tuple["PlanNode", ...] = field(default=())
    inner: bool = False
    risk: str = ""
    check: Predicate | None = None


@dataclass(slots=True, eq=False, kw_only=True)
class PlanNode:
    """A schema of the graph. `make` plans it, `fallback` draws what stands for a value that cannot be.

    `fallback` is None where a schema without values is an error. A node of typical values takes the first pick, not one
    at random; `varied` is then the node of values that differ, for where the typical one is not valid.
    """

    where: str
    make: Callable[[], DrawPlan]
    fallback: Draw | None = None
    varied: "Callable[[], PlanNode] | None" = None
    failed: UnsatisfiableError | None = None
    _plan: DrawPlan | None = None
    _least: "PlanNode | None" = None
    _busy: bool = False
    _proven: bool = False
    _draw: Draw | None = None

    @property
    def inner(self) -> bool:
        """Return whether values of the node are or contain objects or arrays; yes, as long as that is not known."""
        return self._plan is None or self._plan.inner

    def possible(self) -> bool:
        """Say whether the schema has a value, as far as its structure tells; `failed` says why it has none."""
        if not self._proven and self.failed is None:
            with _LOCK:
                proof = _Proof()
                error, depends = proof.obstacle(self)
                if not (depends and proof.is_partial):
                    self.failed = error
        return self._proven

    def planned(self) -> DrawPlan | None:
        """Return the plan, None when there is none: `failed` then says why, unless it is being planned just now."""
        if self._plan is None and self.failed is None and not self._busy:
            self._busy = True
            try:
                self._plan = self.make()
            except ContradictionError as contradiction:
                self.failed = contradiction.at(self.where)
            except UnsatisfiableError as error:
                self.failed = error
            except MALFORMED as error:
                self.failed = self._malformed(error)
            finally:
                self._busy = False
        return self._plan

    def link(self, share: int = 1) -> Draw:
        """Return the closure of the node, for one of `share` places that share the fuel."""
        plan, cost = self._plan, max(share, MIN_COST)
        if plan is not None and not plan.inner:
            return self.closure()

        def inside(rng: Random, fuel: int) -> object:
            fuel = fuel // cost if fuel > 0 else fuel - 1
            if fuel < LEAST_LENIENT_FUEL and (fuel < LEAST_FUEL or not self.possible()):
                return self._without_end(rng, fuel)
            return (self._draw or self.closure())(rng, fuel)

        return inside

    def closure(self) -> Draw:
        """Return what draws a value, built on first use. Raises UnsatisfiableError."""
        if self._draw is None:
            with _LOCK:
                self._draw = self._built()
        return self._draw

    def _built(self) -> Draw:
        try:
            plan = self.planned()
            if plan is None:
                raise self.failed or UnsatisfiableError(self.where, "$ref", ENDLESS)
            draw = _chooser(self, plan.picks) if plan.build is None else plan.build()
        except ContradictionError as contradiction:
            self.failed, self._proven = contradiction.at(self.where), False
        except UnsatisfiableError as error:
            self.failed, self._proven = error, False
        except MALFORMED as error:
            self.failed, self._proven = self._malformed(error), False
        else:
            return draw if plan.check is None else self._checked(draw, plan.check, plan.risk)
        if self.fallback is None:
            raise self.failed
        return self.fallback

    def _checked(self, draw: Draw, is_valid: Predicate, risk: str) -> Draw:
        """Return `draw` repeated until its value is valid."""
        if self.varied is None:
            tries = MAX_CANDIDATES if self.fallback is None else MAX_LENIENT_CANDIDATES
            return draw_valid(draw, is_valid, tries, self._invalid(risk, tries))
        other = self.varied()

        def otherwise(rng: Random, fuel: int) -> object:
            return other.closure()(rng, fuel)

        return draw_valid(draw, is_valid, MAX_TYPICAL_CANDIDATES, otherwise)

    def _invalid(self, risk: str, tries: int) -> Draw | None:
        def refuse(_rng: Random, _fuel: int) -> object:
            raise UnsatisfiableError(self.where, risk, f"none of {tries} candidates is valid")

        return refuse if self.fallback is None else None

    def _malformed(self, error: Exception) -> UnsatisfiableError:
        """Return the failure of a schema that is none; where there is no fallback the error is a slip of ours."""
        if self.fallback is None:
            raise error
        return UnsatisfiableError(self.where, "schema", "it is no JSON Schema")

    def _without_end(self, rng: Random, fuel: int) -> object:
        if self.fallback is None:
            raise UnsatisfiableError(self.where, "$ref", ENDLESS)
        return self.fallback(rng, fuel)


class _Proof:
    """Looks for a value of finite depth, along what values must contain.

    It is partial when it met a node that is being planned just now.
    """

    def __init__(self) -> None:
        self.above: set[PlanNode] = set()
        self.steps = 0
        self.is_partial = False

    def obstacle(self, node: PlanNode) -> tuple[UnsatisfiableError | None, bool]:
        """Return why a node has no value, None when it has one, and whether that depends on the nodes above it."""
        if node._proven or node.failed is not None:  # noqa: SLF001 - of this module
            return node.failed, False
        self.steps += 1
        plan = node.planned() if node not in self.above and self.steps < MAX_STEPS else None
        if plan is None:
            self.is_partial |= node._busy  # noqa: SLF001 - of this module
            return node.failed or UnsatisfiableError(node.where, "$ref", ENDLESS), node.failed is None
        if len(self.above) > MAX_DEPTH:
            why = f"the schemas nest more than {MAX_DEPTH} deep"
            return UnsatisfiableError(node.where, "$ref", why), True
        self.above.add(node)
        error, depends = self._inner_obstacle(node, plan)
        self.above.discard(node)
        if error is None:
            node._proven = True  # noqa: SLF001 - of this module
        elif not depends:
            node.failed = error
        return error, depends

    def _inner_obstacle(self, node: PlanNode, plan: DrawPlan) -> tuple[UnsatisfiableError | None, bool]:
        for need in plan.needs:
            error, depends = self.obstacle(need)
            if error is not None:
                return error, depends
        first: UnsatisfiableError | None = None
        any_depends = False
        for pick in plan.picks:
            error, depends = self.obstacle(pick)
            if error is None:
                node._least = pick  # noqa: SLF001 - of this module
                return None, False
            first, any_depends = first or error, any_depends or depends
        return first, any_depends


def draw_one_of(values: Sequence[object]) -> Draw:
    """Return a closure that draws one of `values`; arrays and objects are copied."""
    count = len(values)
    if any(isinstance(value, dict | list) for value in values):
        return lambda rng, _fuel: deepcopy(values[int(rng.random() * count)])
    return lambda rng, _fuel: values[int(rng.random() * count)]


def plan_choice(picks: tuple[PlanNode, ...], *, risk: str = "", inner: bool = True) -> DrawPlan:
    """Return the plan of a value of one of `picks`; a pick that occurs twice is drawn twice as often."""
    return DrawPlan(picks=picks, inner=inner, risk=risk)


def _chooser(node: PlanNode, picks: tuple[PlanNode, ...]) -> Draw:
    possible = [pick for pick in picks if pick.possible()] or list(picks)
    draws = [pick.link() for pick in possible]
    least = node._least.link() if node._least is not None else draws[0]  # noqa: SLF001 - of this module
    count, first = len(draws), node.varied is not None
    if count == 1:
        return draws[0]

    def choose(rng: Random, fuel: int) -> object:
        if fuel <= 0:
            return least(rng, fuel)
        for n in range(MAX_BRANCH_TRIES):
            try:
                return draws[n % count if first else int(rng.random() * count)](rng, fuel)
            except UnsatisfiableError:
                continue
        return least(rng, fuel)

    return choose


def compile_predicate(schema: object, schemas: SchemaSet) -> Predicate:
    """Return the predicate of a schema, `true` and `false` included, whose references are in `schemas`."""
    if schema is True or schema == {}:
        return lambda _value: True
    ready: list[Predicate | ValueError] = []

    def is_valid(value: object) -> bool:
        if not ready:
            told = schema if isinstance(schema, Mapping) else {"not": {}}
            ready.append(_compiled_or_error(schemas.enclosed(told)))
        return _asked(ready[0], value)

    return is_valid


def _compiled_or_error(schema: Mapping[str, object]) -> Predicate | ValueError:
    try:
        return compiled(schema).is_valid
    except ValueError as error:
        return error


def _asked(predicate: Predicate | ValueError, value: object) -> bool:
    if isinstance(predicate, ValueError):
        raise predicate
    return predicate(value)


@cache
def _pattern(pattern: str) -> Predicate | ValueError:
    return _compiled_or_error({"pattern": pattern})


def pattern_predicate(pattern: str) -> Predicate:
    """Return the predicate of a regular expression. Raises ValueError when it is malformed."""
    predicate = _pattern(pattern)
    if isinstance(predicate, ValueError):
        raise predicate
    return predicate


def draw_valid(draw: Draw, is_valid: Predicate, tries: int, otherwise: Draw | None) -> Draw:
    """Return `draw` repeated until its value is valid; `otherwise` after so many tries, None for the last value."""

    def draw_checked(rng: Random, fuel: int) -> object:
        for _ in range(tries):
            value = draw(rng, fuel)
            if is_valid(value):
                return value
        return value if otherwise is None else otherwise(rng, fuel)

    return draw_checked

"""A schema planned as a graph of nodes: one for each content that occurs, whatever way leads there."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from contracts.schemas import SchemaSet, is_pure_reference
from generators.values.choosing import choice, one_of
from generators.values.flattening import alternatives, flattened, target
from generators.values.judging import checked, judge
from generators.values.merging import Flat
from generators.values.node import Edge, Node, Plan
from generators.values.types import TYPE_PLANS, types_of
from generators.values.unsatisfiable import ContradictionError, UnsatisfiableError

MAX_BREADTH: Final = (
    128  # combinations of `anyOf`, `if` and the like on one value; beyond, the first that can be is taken
)
MAX_DEPTH: Final = 100
NULL_RARITY: Final = 4
RISKY: Final = ("oneOf", "if", "not", "dependentSchemas", "allOf", "unevaluatedProperties", "unevaluatedItems")


@dataclass(slots=True, kw_only=True)
class Compiler:
    """Plans the schemas of one set. `edges` is the share of boundary values, `realistic` asks for Faker's."""

    schemas: SchemaSet
    edges: float
    realistic: bool
    order: list[Node] = field(default_factory=list)
    _memo: dict[str, Node] = field(default_factory=dict)
    _depth: int = 0

    def plan(self, schema: object, where: str, kind: str = "") -> Edge:
        """Plan a schema, once for each content. Raises UnsatisfiableError."""
        return self._plan(schema, where, kind, 1)

    def judge(self, schema: object) -> Callable[[object], bool]:
        """Return the predicate of a schema."""
        return judge(schema, self.schemas)

    def _plan(self, schema: object, where: str, kind: str, breadth: int) -> Edge:
        key = f"{kind}\n{json.dumps(schema, sort_keys=True)}"
        node = self._memo.get(key)
        if node is None:
            node = self._memo[key] = Node(where=where)
            self._fill(node, schema, kind, breadth)
        if node.failed is not None:
            raise node.failed
        return Edge(node, back=not node.done)

    def _fill(self, node: Node, schema: object, kind: str, breadth: int) -> None:
        self._depth += 1
        try:
            if self._depth > MAX_DEPTH:
                raise ContradictionError("$ref", f"the schemas nest more than {MAX_DEPTH} deep")  # noqa: TRY301 - one way out
            plan = self._planned(schema, node.where, kind, breadth)
            self._finish(node, plan, schema)
        except ContradictionError as contradiction:
            node.failed = contradiction.at(node.where)
        except UnsatisfiableError as error:
            node.failed = error
        finally:
            self._depth -= 1

    def _finish(self, node: Node, plan: Plan, schema: object) -> None:
        node.needs, node.picks, node.build, node.done = plan.needs, plan.picks, plan.build, True
        node.inner = plan.inner
        if plan.risk:
            is_valid = self.judge(schema)
            node.build = lambda: checked(plan.build(), is_valid, node.where, plan.risk)
        self.order.append(node)

    def _planned(self, schema: object, where: str, kind: str, breadth: int) -> Plan:
        if isinstance(schema, Mapping) and is_pure_reference(schema):
            ref = str(schema["$ref"])
            return choice((self._plan(target(ref, self.schemas), ref, kind, breadth),))
        flat = flattened(schema, self.schemas)
        if "enum" in flat:
            return self._enumerated(flat, schema)
        chosen = alternatives(flat, self.schemas)
        if chosen is not None:
            self._probe(flat, where)
            return self._chosen(flat, chosen, where, kind, breadth)
        return self._typed(flat, where, kind)

    def _probe(self, flat: Flat, where: str) -> None:
        """Raise UnsatisfiableError when a needed member has no value: a discriminator that was chosen otherwise."""
        for name in flat.get("required", ()):
            schema = flat.get("properties", {}).get(name, True)
            if "enum" in flattened(schema, self.schemas):
                self.plan(schema, f"{where}/properties/{name}")

    def _enumerated(self, flat: Flat, schema: object) -> Plan:
        values = [*filter(self.judge(schema), flat["enum"])]
        if not values:
            raise ContradictionError("enum", "the other keywords exclude every value of it")
        return Plan(build=lambda: one_of(values))

    def _chosen(self, flat: Flat, chosen: tuple[str, list[object]], where: str, kind: str, breadth: int) -> Plan:
        keyword, ways = chosen
        breadth *= len(ways)
        picks = self._satisfiable(ways, where, kind, breadth)
        return choice(picks, risk=_risk(flat) if keyword == "anyOf" else keyword)

    def _typed(self, flat: Flat, where: str, kind: str) -> Plan:
        names = types_of(flat)
        if len(names) > 1:
            often = [name for name in names for _ in range(1 if name == "null" else NULL_RARITY)]
            return choice(self._satisfiable([{**flat, "type": name} for name in often], where, kind, 1))
        plan = TYPE_PLANS[names[0]](self, flat, where, kind)
        return replace(plan, risk=plan.risk or _risk(flat))

    def _satisfiable(self, ways: list[object], where: str, kind: str, breadth: int) -> tuple[Edge, ...]:
        found: list[Edge] = []
        failed: UnsatisfiableError | None = None
        for schema in ways:
            try:
                found.append(self._plan(schema, where, kind, breadth))
            except UnsatisfiableError as error:
                failed = failed or error
            if found and breadth > MAX_BREADTH:
                break
        if not found:
            raise failed or UnsatisfiableError(where, "anyOf", "it lists nothing")
        return tuple(found)


def _risk(flat: Flat) -> str:
    return next((keyword for keyword in RISKY if keyword in flat), "")

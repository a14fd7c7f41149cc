"""A value for any schema: a valid one, else the best that can be made, with a word on what is wrong with it.

Begin with `made_of`. Schemas are compiled on first use and stay compiled; no schema raises an error.
"""

from dataclasses import dataclass, field
from random import Random
from typing import Final, NamedTuple

from contracts.schemas.explanation import explain
from contracts.schemas.schema_set import Schema
from contracts.schemas.violations import Findings
from generators.data.compile import Compiler, compiler_of
from generators.data.formats import kind_of
from generators.data.plan import MALFORMED, Draw
from generators.errors import UnsatisfiableError

MAX_DRAWS: Final = 8  # values drawn until one is valid
MAX_LENIENT_DRAWS: Final = 3
MAX_FUEL: Final = 300  # approximate maximum of optional objects and arrays in a value
UNUSABLE_SCHEMA: Final = "its schema cannot be used as JSON Schema"


class Made(NamedTuple):
    """A value, and a sentence on what of its schema it does not keep; "" for a valid value."""

    value: object
    warning: str


def made_of(schema: Schema, seed: int, *, name: str = "", typical: bool = True) -> Made:
    """Return the value of a seed for a schema, valid or the best that can be made.

    `name` is the property whose value it is, "" when there is none. A `typical` value takes the examples and defaults
    that the schema and its members give where they are valid, the first of alternatives, every optional member and one
    element of each array; without it the value is drawn at random.
    """
    key = (_Maker, schema.ref, name, typical)
    return schema.within.once(key, lambda: _Maker(schema=schema, name=name, typical=typical)).made(seed)


@dataclass(slots=True, kw_only=True)
class _Maker:
    """Makes the values of one schema."""

    schema: Schema
    name: str
    typical: bool
    is_usable: bool = True
    _draws: dict[bool, Draw] = field(default_factory=dict)

    def made(self, seed: int) -> Made:
        """Return the value of a seed."""
        rng = Random(seed)
        obstacle = UNUSABLE_SCHEMA
        try:
            for _ in range(MAX_DRAWS if self.is_usable else 0):
                value = self._draw(rng, is_lenient=False)
                if self.schema.is_valid(value):
                    return Made(value, "")
        except UnsatisfiableError as error:
            obstacle = str(error)
        except MALFORMED:
            self.is_usable = False
        return self._best(rng, obstacle)

    def _best(self, rng: Random, obstacle: str) -> Made:
        values = [self._draw(rng, is_lenient=True) for _ in range(MAX_LENIENT_DRAWS if self.is_usable else 1)]
        wrongs = [self._wrong_with(value) for value in values]
        if "" in wrongs:
            return Made(values[wrongs.index("")], "")
        return Made(values[0], wrongs[0] or obstacle)

    def _wrong_with(self, value: object) -> str:
        """Return what is wrong with a value in a sentence, "" for nothing."""
        try:
            if self.is_usable and self.schema.is_valid(value):
                return ""
            found = Findings(most=1)
            if self.is_usable:
                explain(self.schema, value, None, found)
        except MALFORMED:
            self.is_usable = False
        if not self.is_usable:
            return UNUSABLE_SCHEMA
        first = found.violations(side="reply", where="body")[0]
        return f"{first.detail}{f' ({first.pointer})' if first.pointer else ''}"

    def _draw(self, rng: Random, *, is_lenient: bool) -> object:
        draw = self._draws.get(is_lenient)
        if draw is None:
            draw = self._draws[is_lenient] = self._compiled(is_lenient=is_lenient)
        return draw(rng, MAX_FUEL)

    def _compiled(self, *, is_lenient: bool) -> Draw:
        compiler: Compiler = compiler_of(
            self.schema.within, edges=0.0, profile="plain", typical=self.typical, lenient=is_lenient
        )
        root = compiler.plan(self.schema.raw, self.schema.ref, kind_of(self.name))
        if not root.possible() and root.failed is not None and not is_lenient:
            raise root.failed
        return root.closure()

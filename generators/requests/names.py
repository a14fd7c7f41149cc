"""Fresh names: what no other trial, run or user has used, and what tells two equal trials apart."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Final

from contracts.schemas import Schema
from generators.impossible import ImpossibleError

TRIES: Final = 200
FIRST_NUMBER: Final = 7 * 10**14  # numbers from here on are unlikely to name anything; still exact in double


@dataclass(slots=True)
class Names:
    """The names of one trial: `text(slot)` begins with a prefix that no other trial has.

    `given` maps every value handed out to the slot that it was handed out for.
    """

    prefix: str
    number: int
    given: dict[Any, str] = field(default_factory=dict)

    def text(self, slot: object) -> str:
        """Return the name of a slot."""
        return f"{self.prefix}{slot}"

    def fit(self, schema: Schema | None, slot: str, rng: Random) -> Any:
        """Return a fresh value that a schema takes: a name, a number, or one drawn. Raises ImpossibleError."""
        number = self.number + len(self.given)
        for value in (self.text(slot), number, str(number)):
            if value not in self.given and (schema is None or schema.is_valid(value)):
                return self.keep(value, slot)
        return self.keep(_drawn(schema, self.given, rng), slot)

    def keep(self, value: Any, slot: object) -> Any:
        """Note that a value stands for a slot, and return it."""
        self.given[value] = str(slot)
        return value

    def scrub(self, value: object) -> object:
        """Return a JSON value with every fresh value replaced by its slot, so that equal trials read alike."""
        if isinstance(value, dict):
            return {name: self.scrub(inner) for name, inner in value.items()}
        if isinstance(value, list):
            return [self.scrub(inner) for inner in value]
        if isinstance(value, str):
            return self._scrubbed(value)
        known = isinstance(value, int) and not isinstance(value, bool) and value >= FIRST_NUMBER
        return f"~{self.given[value]}" if known and value in self.given else value

    def _scrubbed(self, text: str) -> str:
        if text in self.given:
            return f"~{self.given[text]}"
        for value, slot in self.given.items():
            if isinstance(value, int) and str(value) in text:
                text = text.replace(str(value), f"~{slot}")
        return text.replace(self.prefix, "~")


def _drawn(schema: Schema | None, taken: Iterable[object], rng: Random) -> object:
    from generators.values import UnsatisfiableError, generator_of  # noqa: PLC0415 - only unusual keys need it

    used = set(taken)
    try:
        values = (generator_of(schema).draw(rng) for _ in range(TRIES if schema is not None else 0))
        return next(value for value in values if isinstance(value, str | int) and value not in used)
    except (UnsatisfiableError, StopIteration):
        raise ImpossibleError("no fresh key could be made for the key's schema") from None

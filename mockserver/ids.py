"""Ids and chance from a seed and counters: the same calls get the same ids, byte for byte."""

from dataclasses import dataclass, field
from hashlib import blake2b
from random import Random
from uuid import UUID


@dataclass(slots=True)
class Ids:
    """A seeded source of ids. Each `kind` counts for itself, so that one kind's use does not disturb another's."""

    seed: int = 0
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, step: int = 1) -> int:
        """Return how often `kind` was counted before, and count it `step` times."""
        before = self.counters.get(kind, 0)
        self.counters[kind] = before + step
        return before

    def uuid(self, kind: str) -> str:
        """Return the next UUID of `kind`: version 4 in form, lower case."""
        return str(UUID(bytes=self._digest(kind, self.count(kind), 16), version=4))

    def hex(self, kind: str, length: int) -> str:
        """Return the next `length` hexadecimal digits of `kind`."""
        return self._digest(kind, self.count(kind), (length + 1) // 2).hex()[:length]

    def random(self, kind: str) -> Random:
        """Return a random source of its own for the next use of `kind`."""
        return Random(self._digest(kind, self.count(kind), 16))

    def _digest(self, kind: str, n: int, size: int) -> bytes:
        return blake2b(f"{self.seed}\x00{kind}\x00{n}".encode(), digest_size=size).digest()

"""The sandbox's clock, and ids and random numbers derived from its seed.

Main entries: `VirtualClock` and `IdSource`. Both are deterministic: the same requests with the same seed get the same
ids, byte for byte. UUIDs have the form of version 4 (RFC 9562).
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from random import Random
from typing import Literal, TypeAlias

ClockMode: TypeAlias = Literal["system", "frozen", "scaled"]
FROZEN_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # where a frozen clock begins: the same calls, the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualClock:
    """A clock as a value: `at` is the sandbox's time at the real time `real`.

    Since then it runs `factor` times as fast as real time. `factor` counts in mode `scaled` alone; mode `frozen` stays
    at `at`, mode `system` runs with real time.
    """

    mode: ClockMode
    at: datetime
    real: datetime
    factor: float = 1.0

    @classmethod
    def start(cls, mode: ClockMode, real: datetime, *, factor: float = 1.0) -> "VirtualClock":
        """Return a new clock: it begins at the real time, or at `FROZEN_EPOCH` in mode `frozen`."""
        return cls(mode=mode, at=FROZEN_EPOCH if mode == "frozen" else real, real=real, factor=factor)

    def now(self, real: datetime) -> datetime:
        """Return the sandbox's time at the real time `real`. Raises OverflowError outside the years 1 to 9999."""
        if self.mode == "frozen":
            return self.at
        return self.at + (real - self.real) * (self.factor if self.mode == "scaled" else 1.0)

    def set(
        self, real: datetime, *, mode: ClockMode | None = None, now: datetime | None = None, factor: float | None = None
    ) -> "VirtualClock":
        """Return a clock that continues from its present time, with the given values changed."""
        return VirtualClock(
            mode=mode or self.mode,
            at=now or self.now(real),
            real=real,
            factor=self.factor if factor is None else factor,
        )

    def advance(self, by: timedelta) -> "VirtualClock":
        """Return a clock that is ahead of this one by `by`."""
        return replace(self, at=self.at + by)


@dataclass(slots=True)
class IdSource:
    """A seeded source of ids. Each `kind` has a counter of its own, so that kinds do not influence each other."""

    seed: int = 0
    counters: dict[str, int] = field(default_factory=dict)

    def count(self, kind: str, step: int = 1) -> int:
        """Return the counter of `kind`, which begins at 0, and raise it by `step`."""
        before = self.counters.get(kind, 0)
        self.counters[kind] = before + step
        return before

    def uuid(self, kind: str) -> str:
        """Return the next UUID of `kind`, version 4, in lower case."""
        word = self._digest(kind, self.count(kind), 16).hex()
        variant = "89ab"[int(word[16], 16) % 4]
        return f"{word[:8]}-{word[8:12]}-4{word[13:16]}-{variant}{word[17:20]}-{word[20:]}"

    def hex(self, kind: str, length: int) -> str:
        """Return the next id of `kind`: `length` hexadecimal digits in lower case."""
        return self._digest(kind, self.count(kind), (length + 1) // 2).hex()[:length]

    def random(self, kind: str) -> Random:
        """Return a new random generator for the next use of `kind`."""
        return Random(self._digest(kind, self.count(kind), 16))

    def fixed(self, kind: str) -> int:
        """Return a number of `kind` that stays the same, from 0 to 2**32 - 1."""
        return int.from_bytes(self._digest(kind, 0, 4))

    def _digest(self, kind: str, n: int, size: int) -> bytes:
        return blake2b(f"{self.seed}\x00{kind}\x00{n}".encode(), digest_size=size).digest()

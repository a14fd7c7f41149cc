"""The clock of a sandbox as a value: it tells its own time from real time, and is moved by making a new one."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal, TypeAlias

Mode: TypeAlias = Literal["system", "frozen", "scaled"]
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)  # where a frozen clock begins: the same calls, the same bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """`at` is the sandbox's time when real time was `real`; since then it runs `factor` times as fast."""

    mode: Mode
    at: datetime
    real: datetime
    factor: float = 1.0

    @classmethod
    def start(cls, mode: Mode, real: datetime, *, factor: float = 1.0) -> "Clock":
        """Make a fresh clock: at real time, or at `EPOCH` when frozen."""
        return cls(mode=mode, at=EPOCH if mode == "frozen" else real, real=real, factor=factor)

    def now(self, real: datetime) -> datetime:
        """Return the sandbox's time when it is `real` outside."""
        if self.mode == "frozen":
            return self.at
        return self.at + (real - self.real) * (self.factor if self.mode == "scaled" else 1.0)

    def set(
        self, real: datetime, *, mode: Mode | None = None, now: datetime | None = None, factor: float | None = None
    ) -> "Clock":
        """Return a clock that goes on from here with what is given changed."""
        return Clock(
            mode=mode or self.mode,
            at=now or self.now(real),
            real=real,
            factor=self.factor if factor is None else factor,
        )

    def advance(self, by: timedelta) -> "Clock":
        """Return a clock that is `by` later, at every instant."""
        return replace(self, at=self.at + by)

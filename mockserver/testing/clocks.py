"""A sandbox's clock, as a test moves it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.durations import iso
from mockserver.testing.doors import Door, ask


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of one sandbox. It runs with real time until it is frozen."""

    _door: Door
    _sandbox: str

    @property
    def now(self) -> datetime:
        """Return the sandbox's time."""
        return datetime.fromisoformat(self._ask("GET")["now"])

    def set(self, at: datetime) -> None:
        """Move the clock to an instant; it goes on as before."""
        self._ask("PUT", body={"now": _instant(at)})

    def advance(self, by: timedelta | None = None, **length: float) -> list[str]:
        """Let time pass, a timedelta or its parts such as `minutes=5`; return what happened meanwhile."""
        return self._moved({"by": iso(timedelta(**length) if by is None else by)})

    def to_next_event(self) -> list[str]:
        """Let time pass until a job begins or ends."""
        return self._moved({"to": "next-event"})

    def to_idle(self) -> list[str]:
        """Let time pass until no job is unfinished but those that never end."""
        return self._moved({"to": "idle"})

    def freeze(self, at: datetime | None = None) -> None:
        """Stop the clock, where it is or at an instant."""
        self._ask("PUT", body={"mode": "frozen", **({} if at is None else {"now": _instant(at)})})

    def run(self, *, factor: float = 1.0) -> None:
        """Let the clock run, with real time or so many times as fast."""
        self._ask("PUT", body={"mode": "system"} if factor == 1.0 else {"mode": "scaled", "factor": factor})

    def _moved(self, how: dict[str, str]) -> list[str]:
        return [event["says"] for event in self._ask("POST", "/advance", how)["events"]]

    def _ask(self, method: str, more: str = "", body: object = None) -> Any:
        return ask(self._door, method, f"/sandboxes/{self._sandbox}/clock{more}", body)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat()

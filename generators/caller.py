"""The seam to an implementation: whoever sends calls to it and, where it lets us, moves its clock."""

from datetime import datetime, timedelta
from typing import Protocol

from contracts.messages import Call, Reply

__all__ = ["Caller", "NoAnswerError"]


class NoAnswerError(Exception):
    """A call that was not answered with a whole HTTP response; `str()` says what happened instead."""


class Caller(Protocol):
    """Something that sends calls to one implementation; paths are relative to the contract's mount."""

    @property
    def controlled(self) -> bool:
        """Whether `advance` moves the implementation's clock, so that waiting costs no real time."""

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError."""

    def advance(self, by: timedelta) -> None:
        """Let so much time pass for the implementation."""

    def now(self) -> datetime:
        """Return the instant that it is for the implementation, aware, as well as it can be known."""

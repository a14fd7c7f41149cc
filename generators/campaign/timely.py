"""Calls and waits that end with the time: nothing is begun once it is over, and no wait outlasts it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from contracts.messages import Call, Reply
from generators.caller import Caller, NoAnswerError

SLICE: Final = timedelta(seconds=0.1)


class OverError(Exception):
    """There is no more time for what was about to be done."""


class Timely:
    """Passes calls and waits on to `caller` until `is_over` says that there is no more time."""

    def __init__(self, caller: Caller, is_over: Callable[[], bool]) -> None:
        self._caller, self._is_over = caller, is_over

    @property
    def controlled(self) -> bool:
        """Whether waiting costs no real time."""
        return self._caller.controlled

    def send(self, call: Call) -> Reply:
        """Send one call and return its answer. Raises NoAnswerError, and OverError when there is no more time."""
        self._require_time()
        try:
            return self._caller.send(call)
        except NoAnswerError:
            self._require_time()
            raise

    def advance(self, by: timedelta) -> None:
        """Let time pass. Raises NoAnswerError, and OverError when there is no more time."""
        while by:
            self._require_time()
            part = by if self.controlled else min(by, SLICE)
            self._caller.advance(part)
            by -= part

    def now(self) -> datetime:
        """Return what time it is for the implementation."""
        return self._caller.now()

    def _require_time(self) -> None:
        if self._is_over():
            raise OverError

"""Long work in slices, so that others are served meanwhile: `breathe` marks where it may pause, `SlicedWork` runs it.

Nothing is half done for others where work pauses: what it changes is its sandbox's, whose other calls wait for it.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any, Final, Generic, TypeVar

Result = TypeVar("Result")
SLICE_SECONDS: Final = 0.001  # of real time, after which work pauses where it may


class Pausing:
    """What `breathe` does: nothing, until some work is sliced."""

    pause: Callable[[], None] | None = None
    seconds: float = SLICE_SECONDS


def breathe() -> None:
    """Pause the sliced work that calls this, once its slice is over; do nothing anywhere else."""
    if Pausing.pause is not None:
        Pausing.pause()


class SlicedWork(Generic[Result]):
    """Work that runs one slice with each `step`, all in one thread."""

    def __init__(self, work: Callable[[], Result]) -> None:
        from greenlet import (  # type: ignore[import-untyped] # noqa: PLC0415 - most servers have no work that takes long
            getcurrent,
            greenlet,
        )

        def pause() -> None:
            until = getattr(getcurrent(), "until", None)
            if until is not None and perf_counter() >= until:
                getcurrent().parent.switch()

        Pausing.pause = pause
        self._greenlet: Any = greenlet(work)
        self._result: Any = None

    def step(self) -> bool:
        """Run the next slice, and say whether the work has ended. Raises what the work raises."""
        self._greenlet.until = perf_counter() + Pausing.seconds
        self._result = self._greenlet.switch()
        return bool(self._greenlet.dead)

    @property
    def result(self) -> Result:
        """Return what the work returned."""
        returned: Result = self._result
        return returned

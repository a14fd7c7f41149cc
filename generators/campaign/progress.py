"""Telling how a campaign goes: one line that changes at a terminal, plain lines elsewhere."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from typing import Any, Final

from generators.campaign.kept import Kept
from generators.campaign.state import State

EVERY: Final = 10.0  # seconds between two plain lines
REDRAWS: Final = 4  # a second
Say = Callable[[str], None]


def line_of(state: State, before: tuple[float, int, int] = (0.0, 0, 0)) -> str:
    """Return how far it is, in one line; `before` are seconds, calls and items at which the rates begin."""
    seconds, calls, items = before
    span = max(state.seconds - seconds, 0.001)
    since = f"{monotonic() - state.new_at:.0f} s since the last finding" if state.new_at is not None else "none yet"
    parts = (
        f"{state.seconds:.0f} s",
        f"{(state.calls - calls) / span:.0f} requests/s",
        f"{(state.items - items) / span:.0f} items/s",
        f"{_counted(len(state.findings), 'finding')}, {_counted(len(state.groups), 'distinct bug')} ({since})",
        f"coverage: {len(state.laws)} property cells",
        f"{len({key[:2] for key in state.keywords})} schema keywords",
    )
    return ", ".join(parts)


class Lines:
    """Tells in plain lines, for files and pipes."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._last = 0.0
        self._before = (0.0, 0, 0)

    def began(self, state: State) -> None:
        """Begin to count."""
        self._last = state.seconds

    def found(self, kept: Kept, folder: Path | None) -> None:
        """Tell of a new finding, unless its cause was told of before."""
        if not kept.group:
            self._say(told(kept, folder))

    def confirmed(self, kept: Kept, folder: Path | None) -> None:
        """Tell what became of a finding that was told of."""
        del folder
        if not kept.group:
            self._say(confirmed(kept))

    def progressed(self, state: State) -> None:
        """Tell how far it is, every ten seconds."""
        if state.seconds - self._last >= EVERY:
            self._say(line_of(state, self._before))
            self._last, self._before = state.seconds, (state.seconds, state.calls, state.items)

    def told(self, says: str) -> None:
        """Tell something else."""
        self._say(says)

    def ended(self) -> None:
        """Nothing is left to be told."""


class Live:
    """Tells at a terminal: findings as lines, and below them one line that changes."""

    def __init__(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - only a terminal needs it
        from rich.live import Live as RichLive  # noqa: PLC0415 - the same

        self._console = Console(stderr=True, highlight=False)
        self._live: Any = RichLive("", console=self._console, refresh_per_second=REDRAWS, transient=True)

    def began(self, state: State) -> None:
        """Show the line."""
        self._live.start()
        self.progressed(state)

    def found(self, kept: Kept, folder: Path | None) -> None:
        """Tell of a new finding, unless its cause was told of before."""
        if not kept.group:
            self._console.print(told(kept, folder), style="bold red", markup=False)

    def confirmed(self, kept: Kept, folder: Path | None) -> None:
        """Tell what became of a finding that was told of."""
        del folder
        if not kept.group:
            self._console.print(confirmed(kept), style="dim", markup=False)

    def progressed(self, state: State) -> None:
        """Change the line."""
        from rich.text import Text  # noqa: PLC0415 - only a terminal needs it

        self._live.update(Text(line_of(state)))

    def told(self, says: str) -> None:
        """Tell something else."""
        self._console.print(says, markup=False)

    def ended(self) -> None:
        """Take the line away."""
        self._live.stop()


def listener(*, is_terminal: bool, say: Say) -> Lines | Live:
    """Return who tells how it goes: at a terminal with rich, where that is installed."""
    return Live() if is_terminal and find_spec("rich") is not None else Lines(say)


def told(kept: Kept, folder: Path | None) -> str:
    """Return a new finding in one line."""
    where = f" → {folder}" if folder is not None else ""
    return f"{kept.seconds:7.2f} s  {kept.fingerprint[:8]}  {kept.law} on {kept.operation}: {kept.says}{where}"


def confirmed(kept: Kept) -> str:
    """Return what became of a finding in one line."""
    shown = f"reproduced {kept.confirmed}/{kept.tries}" + (", flaky" if kept.is_flaky else "")
    return f"           {kept.fingerprint[:8]}  {_counted(len(kept.script.steps), 'step')}, {shown}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"

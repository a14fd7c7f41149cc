"""Where a campaign plays: an implementation, and places in it where nothing has been done yet."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

from generators.caller import Caller
from generators.requests.names import FIRST_NUMBER

LETTER: Final = "b"
WINDOW: Final = 10**8


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """A place that is as good as new: a sandbox of its own, or fresh names on a server that everybody shares.

    `salt` is five of 0-9 and a-z; every name that is made up here begins with `prefix`.
    """

    caller: Caller
    salt: str

    @property
    def prefix(self) -> str:
        """What every made-up name begins with."""
        return f"{LETTER}{self.salt}"

    @property
    def base(self) -> int:
        """The number from which fresh numbers are counted."""
        return FIRST_NUMBER + int(self.salt, 36) * WINDOW


class Target(Protocol):
    """An implementation under test. It is `controlled` when waiting costs no real time."""

    @property
    def controlled(self) -> bool:
        """Whether its clock can be moved."""

    def fresh(self, purpose: str = "") -> World:
        """Return a world in which nothing was done; what is done there stays apart from other purposes' worlds."""

    def close(self) -> None:
        """Give back what was taken: connections, sandboxes."""


OpenTarget = Callable[[str], Target]
"""Opens the implementation again, elsewhere: in another process, under a name of its own."""

"""A call under way: its reply, as far as it is known, and what happens on the way to it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from contracts.messages import Reply

if TYPE_CHECKING:
    from mockserver.scenario.effects import Cut

Rest: TypeAlias = Callable[[datetime], Reply]


class Played(NamedTuple):
    """A call under way.

    `reply` is None as long as it is not known: then `rest`, called once the delay has passed with the sandbox's time,
    carries the call out and returns it. With both, the reply is sent first and the rest is done afterwards.
    """

    reply: Reply | None = None
    delay: timedelta | None = None
    on_clock: bool = False
    cut: "Cut | None" = None
    rest: Rest | None = None

    @property
    def is_plain(self) -> bool:
        """Tell whether the reply is there to be sent, and nothing else."""
        return self.delay is None and self.cut is None

    def at_once(self, now: datetime) -> Reply:
        """Return the reply, with all done that is to be done."""
        done = self.reply if self.rest is None else self.rest(now)
        reply = self.reply or done
        assert reply is not None  # noqa: S101 - one of them is always there
        return reply

    def mapped(self, change: Callable[[Reply], Reply]) -> "Played":
        """Return the same with every reply changed."""
        rest = self.rest
        return self._replace(
            reply=None if self.reply is None else change(self.reply),
            rest=None if rest is None else lambda now: change(rest(now)),
        )

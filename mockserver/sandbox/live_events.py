"""What happens in a sandbox as server-sent events (WHATWG HTML, section 9.2). Main entry: `EventReader.read`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from contracts.messages import Response
from mockserver.domain.clock_and_ids import VirtualClock
from mockserver.journal.journal import JournalEntry
from mockserver.sandbox.sandboxes import Sandbox


@dataclass(slots=True)
class EventReader:
    """Reads on what happens: exchanges with numbers above `after`, and from now on what changes.

    Changes are resets, those of the clock, and those of exchanges that were read: what became of their responses.

    It keeps its place, not events: a reader who is slow takes no memory, and skips exchanges dropped meanwhile.
    `render` returns the JSON value of an exchange, `render_clock` that of the clock at a real time.
    """

    sandbox: Sandbox
    after: int
    render: Callable[[JournalEntry], Any]
    render_clock: Callable[[Sandbox, datetime], Any]
    reset_count: int = field(init=False)
    clock: VirtualClock = field(init=False)
    changes: int = field(init=False)

    def __post_init__(self) -> None:
        self.reset_count, self.clock = self.sandbox.reset_count, self.sandbox.clock
        self.changes = self.sandbox.journal.changes

    def read(self, real: datetime, most: int = 100) -> bytes:
        """Return the next events, at most `most` exchanges, b"" when there are none yet."""
        changes = self._changes(real) + self._updates()
        entries = list(self.sandbox.journal.after(self.after, most))
        if entries:
            self.after = entries[-1].n
        return changes + b"".join(server_sent_event("exchange", self.render(one), one.n) for one in entries)

    def _changes(self, real: datetime) -> bytes:
        """Return the event of a reset, which restores the clock too, else of a clock that was set or advanced."""
        sandbox = self.sandbox
        is_reset, is_set = self.reset_count != sandbox.reset_count, self.clock is not sandbox.clock
        self.reset_count, self.clock = sandbox.reset_count, sandbox.clock
        if is_reset:
            self.after = self.changes = 0
            return server_sent_event("reset", {"seed": sandbox.seed})
        return server_sent_event("clock", self.render_clock(sandbox, real)) if is_set else b""

    def _updates(self) -> bytes:
        """Return the events of exchanges that were changed after they had been read."""
        journal = self.sandbox.journal
        if self.changes == journal.changes:
            return b""
        numbers = dict.fromkeys(list(journal.changed)[self.changes - journal.changes :])
        self.changes = journal.changes
        entries = (journal.get(n) for n in numbers if n <= self.after)
        return b"".join(server_sent_event("update", self.render(one)) for one in entries if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveResponse(Response):
    """A response whose body continues with the events of `reader`."""

    reader: EventReader


def server_sent_event(name: str, data: object, number: int | None = None) -> bytes:
    """Return one server-sent event."""
    head = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), orjson.dumps(data))

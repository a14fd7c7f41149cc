"""What happens in a sandbox as server-sent events (WHATWG HTML, section 9.2). Main entry: `EventReader.read`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

import orjson

from contracts.messages import Response
from mockserver.domain.clock_and_ids import VirtualClock
from mockserver.journal.journal import JournalEntry
from mockserver.sandbox.sandboxes import Sandbox, Sandboxes

Listeners: TypeAlias = tuple[set[Callable[[], object]], ...]


class Seen(NamedTuple):
    """How a sandbox was when its events were read last; what is replaced, never changed in place, is kept itself."""

    resets: int
    clock: VirtualClock
    settings: object
    scenarios: object
    changes: int
    clears: int


def seen_of(sandbox: Sandbox) -> Seen:
    """Return how a sandbox is now."""
    journal = sandbox.journal
    return Seen(
        sandbox.reset_count, sandbox.clock, sandbox.settings, sandbox.scenarios, journal.changes, journal.clears
    )


@dataclass(slots=True)
class EventReader:
    """Reads on what happens: exchanges with numbers above `after`, and from now on what changes.

    Changes are resets, those of the clock, the settings, the active scenarios and the sandboxes of the server, and
    those of exchanges that were read: what became of their responses, and of the items of their jobs. The events of a
    sandbox that does not exist begin when it is made.

    It keeps its place, not events: a reader who is slow takes no memory, and skips exchanges dropped meanwhile.
    `render` returns the JSON value of an exchange, `render_clock` that of the clock at a real time.
    """

    sandbox: Sandbox
    sandboxes: Sandboxes
    after: int
    render: Callable[[JournalEntry], Any]
    render_clock: Callable[[Sandbox, datetime], Any]
    seen: Seen = field(init=False)
    count: int = field(init=False)

    def __post_init__(self) -> None:
        self.seen, self.count = seen_of(self.sandbox), self.sandboxes.changes

    @property
    def sources(self) -> Listeners:
        """Return the listeners that are called when there may be something to read."""
        self._find()
        return self.sandbox.journal_listeners, self.sandbox.clock_listeners, self.sandboxes.listeners

    def read(self, real: datetime, most: int = 100) -> bytes:
        """Return the next events, at most `most` exchanges, b"" when there are none yet."""
        self._find()
        changes = b"".join(server_sent_event(name, data) for name, data in self._changes(real))
        entries = list(self.sandbox.journal.after(self.after, most))
        if entries:
            self.after = entries[-1].n
        return changes + b"".join(server_sent_event("exchange", self.render(one), one.n) for one in entries)

    def _find(self) -> None:
        """Take the sandbox that was made meanwhile in the place of one that did not exist."""
        made = self.sandboxes.get(self.sandbox.name)
        if made is not None and made is not self.sandbox and not self.sandbox.is_dropped:
            self.sandbox, self.after = made, 0

    def _changes(self, real: datetime) -> Iterator[tuple[str, object]]:
        """Yield names and data of the events of what was changed; that of a reset stands for all others."""
        sandbox, before = self.sandbox, self.seen
        now = self.seen = seen_of(sandbox)
        if now.resets != before.resets:
            self.after = 0
            yield "reset", {"seed": sandbox.seed}
        else:
            if now.clock is not before.clock:
                yield "clock", self.render_clock(sandbox, real)
            if now.settings is not before.settings:
                yield "settings", sandbox.settings
            if now.scenarios is not before.scenarios:
                yield "scenarios", {"active": [one.name for one in sandbox.scenarios]}
            yield from self._updates(before, now)
        if self.count != self.sandboxes.changes:
            self.count = self.sandboxes.changes
            yield "sandboxes", {"count": len(self.sandboxes)}

    def _updates(self, before: Seen, now: Seen) -> Iterator[tuple[str, object]]:
        """Yield the events of exchanges that were changed after they had been read."""
        journal, number = self.sandbox.journal, now.changes - before.changes
        if now.clears != before.clears or number > len(journal.changed):
            yield "journal", {"exchanges": len(journal)}
        elif number:
            numbers = dict.fromkeys(list(journal.changed)[-number:])
            entries = (journal.get(n) for n in numbers if n <= self.after)
            yield from (("update", self.render(one)) for one in entries if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveResponse(Response):
    """A response whose body continues with the events of `reader`."""

    reader: EventReader


def server_sent_event(name: str, data: object, number: int | None = None) -> bytes:
    """Return one server-sent event."""
    head = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), orjson.dumps(data))

"""A reply that goes on: what is written into a sandbox's journal, as it is written."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from contracts.messages import Reply
from mockserver.journal import Entry
from mockserver.sandbox import Sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveReply(Reply):
    """A reply whose body is only its beginning: the events of `sandbox` with higher numbers than `after` follow.

    `show` says what is told of an exchange.
    """

    sandbox: Sandbox
    after: int
    show: Callable[[Entry], Any]


@dataclass(slots=True)
class Reader:
    """Reads a sandbox's journal on as server-sent events; what was forgotten meanwhile is passed over."""

    sandbox: Sandbox
    after: int
    show: Callable[[Entry], Any]
    era: int = 0

    def __post_init__(self) -> None:
        self.era = self.sandbox.era

    def read(self, most: int = 100) -> bytes:
        """Return the next events, at most so many, b"" when there are none yet."""
        sandbox, reset = self.sandbox, b""
        if self.era != sandbox.era:
            self.era, self.after = sandbox.era, 0
            reset = event("reset", {"seed": sandbox.seed})
        entries = list(sandbox.journal.after(self.after, most))
        if entries:
            self.after = entries[-1].n
        return reset + b"".join(event("exchange", self.show(entry), entry.n) for entry in entries)


def event(name: str, data: object, number: int | None = None) -> bytes:
    """Return one server-sent event."""
    head = b"" if number is None else b"id: %d\n" % number
    return b"%sevent: %s\ndata: %s\n\n" % (head, name.encode(), orjson.dumps(data))

"""The control call that sends the journal live."""

from functools import partial
from typing import Final

from contracts.messages import Headers, Reply
from mockserver.control.desk import Desk
from mockserver.control.exchanges import summary
from mockserver.live import LiveReply
from mockserver.turn import Turn

HEADERS: Final = Headers(
    (
        ("Content-Type", "text/event-stream; charset=utf-8"),
        ("Cache-Control", "no-store"),
        ("X-Accel-Buffering", "no"),  # nginx would gather events otherwise
    )
)
FIRST: Final = b"retry: 1000\n\n"  # milliseconds before an event source comes back


def stream_events(desk: Desk, turn: Turn) -> Reply:
    """Send the journal as it is written."""
    sandbox = desk.sandbox(turn)
    last, known = sandbox.journal.last, _known(turn)
    after = last if known is None else 0 if known > last else known  # a number yet to come is from before a reset
    show = partial(summary, desk)
    return LiveReply(status=200, headers=HEADERS, body=FIRST, sandbox=sandbox, after=after, show=show)


def _known(turn: Turn) -> int | None:
    """Return the number of the last exchange that the client knows of, None when it says none."""
    given = turn.call.headers.get("Last-Event-ID") or turn.call.parameter("after")
    return int(given) if given else None

"""Control calls about a sandbox's clock."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any, Final

from contracts.durations import duration
from contracts.messages import Reply
from mockserver.clock import Clock
from mockserver.control.desk import Desk, RefusedError, instant
from mockserver.sandbox import Sandbox
from mockserver.travel import (
    Event,
    OutOfTimeError,
    advance,
    move,
    never_ending,
    require_in_time,
    to_idle,
    to_next_event,
)
from mockserver.turn import Turn

_CALENDAR: Final = re.compile(r"P(?:\d+(?:[.,]\d+)?[YM])+")
_TO: Final = {"next-event": to_next_event, "idle": to_idle}


def get_clock(desk: Desk, turn: Turn) -> Reply:
    """Read the clock."""
    return _told(desk.sandbox(turn), turn.now, ())


def set_clock(desk: Desk, turn: Turn) -> Reply:
    """Set what the body names: the time, the mode, the factor."""
    sandbox = desk.sandbox(turn)
    try:
        events = move(sandbox, _set(sandbox.clock, turn.data, turn.now), turn.now, desk.settle)
    except (OutOfTimeError, OverflowError):
        raise _out_of_time() from None
    return _told(sandbox, turn.now, events)


def fresh_clock(sandbox: Sandbox, wanted: Any, real: datetime) -> Clock:
    """Return the clock of a sandbox that is reset, with what is `wanted` set. Raises RefusedError."""
    try:
        clock = _set(Clock.start(sandbox.blank.mode, real, factor=sandbox.blank.factor), wanted, real)
        require_in_time(clock, real)
    except (OutOfTimeError, OverflowError):
        raise _out_of_time() from None
    return clock


def _set(clock: Clock, wanted: Any, real: datetime) -> Clock:
    now = _instant(wanted["now"]) if "now" in wanted else None
    return clock.set(real, mode=wanted.get("mode"), now=now, factor=wanted.get("factor"))


def advance_clock(desk: Desk, turn: Turn) -> Reply:
    """Let time pass, by a length or until something has happened."""
    wanted: Any = turn.data
    by = _length(wanted["by"]) if "by" in wanted else None
    sandbox = desk.sandbox(turn)
    try:
        if by is None:
            events = _TO[wanted["to"]](sandbox, turn.now, desk.settle)
        else:
            events = advance(sandbox, by, turn.now, desk.settle)
    except OutOfTimeError:
        raise _out_of_time() from None
    return _told(sandbox, turn.now, events)


def _told(sandbox: Sandbox, real: datetime, events: Sequence[Event]) -> Reply:
    factor = float(sandbox.clock.factor)
    clock = {
        "now": instant(sandbox.now(real)),
        "mode": sandbox.clock.mode,
        "factor": int(factor) if factor.is_integer() else factor,
        "events": [{**event._asdict(), "at": instant(event.at)} for event in events],
        "unfinished": never_ending(sandbox),
    }
    return Reply.of(200, clock)


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise RefusedError(
            HTTPStatus.BAD_REQUEST, f"now: '{text[:80]}' is no instant such as 2026-01-01T00:00:00Z."
        ) from None


def _length(text: str) -> timedelta:
    if _CALENDAR.match(text):
        detail = f"by: '{text[:80]}' has years or months, whose length is not fixed; count in weeks or days."
        raise RefusedError(HTTPStatus.BAD_REQUEST, detail)
    if text.startswith("-"):
        detail = "by: time does not run backwards here; set the clock with PUT to turn it back."
        raise RefusedError(HTTPStatus.BAD_REQUEST, detail)
    try:
        return duration(text.replace(",", "."))
    except ValueError as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"by: {str(error)[:200]}.") from None


def _out_of_time() -> RefusedError:
    return RefusedError(HTTPStatus.BAD_REQUEST, str(OutOfTimeError()))

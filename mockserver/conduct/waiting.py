"""Laws about calls that fail: when to try again, and how long to wait."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from itertools import pairwise
from typing import Final, NamedTuple

from mockserver.conduct.history import Deed, History
from mockserver.conduct.law import Ruling, broken, kept, not_exercised
from mockserver.conduct.wording import counted, span

PASSING: Final = frozenset(
    (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
)  # failures that may pass, with 5xx
AT_ONCE: Final = timedelta(milliseconds=100)  # a shorter wait is none
PATIENT: Final = timedelta(minutes=1)  # waits from here on need not grow
GROWTH: Final = 1.1  # how much longer a wait must be to count as grown
SECOND: Final = timedelta(seconds=1)  # what a date is rounded to


class Told(NamedTuple):
    """A reply that said until when to wait, and the first call that came again."""

    reply: Deed
    until: datetime
    again: Deed


def honoured_retry_after(history: History) -> Ruling:
    """Judge whether a call, or a job of a 202, is not made or asked again before `Retry-After` says."""
    told = [deed for deed in history.deeds if deed.heard and deed.header("Retry-After")]
    again = [*_repeated(history), *_asked(history)]
    early = [one for one in again if one.again.at < one.until]
    if early:
        first = early[0]
        wait, waited = first.until - first.reply.at, first.again.at - first.reply.at
        return broken(
            f"#{first.again.n} came {span(waited)} after #{first.reply.n}, which asked for {span(wait)}; wait as "
            f"long as Retry-After says.",
            (deed for one in early for deed in (one.reply, one.again)),
        )
    if again:
        return kept(f"{counted(len(again), 'time')} with Retry-After, each waited for.", (one.again for one in again))
    if told:
        return not_exercised(f"#{told[0].n} had Retry-After, and the request was not repeated.")
    return not_exercised("No reply had Retry-After.")


def _repeated(history: History) -> Iterator[Told]:
    for same in history.repeats:
        for before, after in pairwise(same):
            until = _until(before)
            if until is not None and after.at >= before.at:
                yield Told(before, until, after)


def _asked(history: History) -> Iterator[Told]:
    for job in history.jobs:
        until = None if job.post is None else _until(job.post)
        if job.post is not None and until is not None and job.asked:
            yield Told(job.post, until, job.asked[0])


def _until(deed: Deed) -> datetime | None:
    """Return the instant before which a reply asks not to come again."""
    text = deed.header("Retry-After") if deed.heard else ""
    try:
        if text.isdecimal() and text.isascii():
            return deed.at + timedelta(seconds=int(text))
        return parsedate_to_datetime(text).astimezone(UTC) - SECOND if text else None
    except (ValueError, OverflowError):
        return None


def backed_off(history: History) -> Ruling:
    """Judge whether a call that fails is tried again after a pause, and not for ever at the same pace."""
    tries = [chain for same in history.repeats for chain in _chains(same)]
    if not tries:
        return not_exercised("No failed call was tried again.")
    hasty = [(chain, fault) for chain in tries if (fault := _haste(chain))]
    if not hasty:
        return kept(f"{counted(len(tries), 'failed call')} tried again after a pause.", (chain[-1] for chain in tries))
    chain, fault = hasty[0]
    return broken(
        f"#{chain[0].n} failed and was tried again {fault}; wait before each try, and longer each time.",
        (deed for chain, _ in hasty for deed in chain),
    )


def _chains(same: Sequence[Deed]) -> Iterator[tuple[Deed, ...]]:
    """Yield the stretches of one call's tries: a failure, the tries after it, until one succeeds."""
    chain: list[Deed] = []
    for deed in same:
        chain.append(deed)
        if not _has_failed(deed):
            if len(chain) > 1:
                yield tuple(chain)
            chain = []
    if len(chain) > 1:
        yield tuple(chain)


def _has_failed(deed: Deed) -> bool:
    return not deed.heard or deed.status in PASSING or deed.status >= HTTPStatus.INTERNAL_SERVER_ERROR


def _haste(chain: Sequence[Deed]) -> str:
    """Return in which way a call was tried again too hastily, "" when it was not.

    A wait that Retry-After asked for is right, whatever it is.
    """
    pairs = [pair for pair in pairwise(chain) if _until(pair[0]) is None and pair[1].at >= pair[0].at]
    waits = [after.at - before.at for before, after in pairs]
    if any(wait < AT_ONCE for wait in waits):
        return f"after {span(min(waits))}"
    first, *later = waits or [PATIENT]
    if not later or first >= PATIENT:
        return ""
    pace = f"{counted(len(waits), 'time')} at a pace of {span(first)} that did not slow down"
    steady = all(first / GROWTH <= wait <= first * GROWTH for wait in later)
    return pace if steady or (len(later) > 1 and max(later) <= first * GROWTH) else ""
